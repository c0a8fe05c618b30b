/* SPDX-License-Identifier: Apache-2.0 */
#include "virtio/mmio.h"

#include "base/auto.h"
#include "virtio/view.h"

#include <string.h>
#include <unistd.h>

#define MAGIC 0x74726976 /* "virt" */
#define VERSION 2
#define VENDOR 0x4c414956 /* "VIAL" */

/* virtio 1.2, 4.2.2 */
enum mmio_reg {
	REG_MAGIC = 0x000,
	REG_VERSION = 0x004,
	REG_DEVICE_ID = 0x008,
	REG_VENDOR_ID = 0x00c,
	REG_DEVICE_FEATURES = 0x010,
	REG_DEVICE_FEATURES_SEL = 0x014,
	REG_DRIVER_FEATURES = 0x020,
	REG_DRIVER_FEATURES_SEL = 0x024,
	REG_QUEUE_SEL = 0x030,
	REG_QUEUE_NUM_MAX = 0x034,
	REG_QUEUE_NUM = 0x038,
	REG_QUEUE_READY = 0x044,
	REG_QUEUE_NOTIFY = MMIO_QUEUE_NOTIFY,
	REG_INTERRUPT_STATUS = 0x060,
	REG_INTERRUPT_ACK = MMIO_INTERRUPT_ACK,
	REG_STATUS = MMIO_STATUS,
	REG_QUEUE_DESC_LOW = 0x080,
	REG_QUEUE_DESC_HIGH = 0x084,
	REG_QUEUE_DRIVER_LOW = 0x090,
	REG_QUEUE_DRIVER_HIGH = 0x094,
	REG_QUEUE_DEVICE_LOW = 0x0a0,
	REG_QUEUE_DEVICE_HIGH = 0x0a4,
	REG_SHM_LEN_LOW = 0x0b0,
	REG_SHM_LEN_HIGH = 0x0b4,
	REG_SHM_BASE_LOW = 0x0b8,
	REG_SHM_BASE_HIGH = 0x0bc,
	REG_CONFIG_GENERATION = 0x0fc,
	REG_CONFIG = 0x100,
};

#define STATUS_KNOWN                                                           \
	(VIRTIO_S_ACKNOWLEDGE | VIRTIO_S_DRIVER | VIRTIO_S_DRIVER_OK |         \
	 VIRTIO_S_FEATURES_OK | VIRTIO_S_FAILED)

/* The selected queue, or NULL. */
static struct queue *mmio_queue(struct virtio *v)
{
	return v->queue_sel < v->ops->queues ? &v->queue[v->queue_sel] : NULL;
}

static uint32_t mmio_read_reg(struct virtio *v, uint32_t off)
{
	struct queue *q = mmio_queue(v);

	switch (off) {
	case REG_MAGIC:
		return MAGIC;
	case REG_VERSION:
		return VERSION;
	case REG_DEVICE_ID:
		return v->absent ? 0 : v->ops->type;
	case REG_VENDOR_ID:
		return VENDOR;
	case REG_DEVICE_FEATURES:
		return v->dev_sel < 2
			     ? (uint32_t)(v->offered >> (32 * v->dev_sel))
			     : 0;
	case REG_QUEUE_NUM_MAX:
		return q ? q->max : 0;
	case REG_QUEUE_READY:
		return q ? q->ready : 0;
	case REG_INTERRUPT_STATUS:
		return v->irq_status | v->irq_always;
	case REG_STATUS:
		return v->status;
	case REG_SHM_LEN_LOW: /* no shared memory: all ones */
	case REG_SHM_LEN_HIGH:
	case REG_SHM_BASE_LOW:
	case REG_SHM_BASE_HIGH:
		return UINT32_MAX;
	case REG_CONFIG_GENERATION:
		return v->config_generation;
	default:
		return 0;
	}
}

/* The driver's features count until FEATURES_OK, and only from a driver. */
static void mmio_set_features(struct virtio *v, uint32_t bits)
{
	unsigned shift = 32 * v->drv_sel;

	if (!(v->status & VIRTIO_S_DRIVER) ||
	    (v->status & VIRTIO_S_FEATURES_OK) || v->drv_sel > 1)
		return;
	v->features &= ~((uint64_t)UINT32_MAX << shift);
	v->features |= (uint64_t)bits << shift;
}

static bool mmio_features_good(const struct virtio *v)
{
	return !(v->features & ~v->offered) &&
	       (v->features & VIRTIO_F_VERSION_1);
}

static void mmio_go_live(struct virtio *v)
{
	v->status |= VIRTIO_S_DRIVER_OK;
	if (v->ops->ready)
		v->ops->ready(v);
	/* A doorbell that rang too early was not answered: look once. */
	virtio_kick_self(v);
}

/* virtio 1.2, 2.1 and 3.1.1: bits are only ever added, in order; what comes
 * out of order is not taken and reads back as clear. */
static void mmio_set_status(struct virtio *v, uint32_t val)
{
	uint32_t add, had = v->status & STATUS_KNOWN;

	if (val == 0) {
		virtio_reset(v);
		return;
	}
	if (had & ~val)
		return;
	add = val & STATUS_KNOWN & ~had;
	v->status |= add & (VIRTIO_S_ACKNOWLEDGE | VIRTIO_S_FAILED);
	if ((add & VIRTIO_S_DRIVER) && (v->status & VIRTIO_S_ACKNOWLEDGE))
		v->status |= VIRTIO_S_DRIVER;
	if ((add & VIRTIO_S_FEATURES_OK) && (v->status & VIRTIO_S_DRIVER) &&
	    mmio_features_good(v))
		v->status |= VIRTIO_S_FEATURES_OK;
	if ((add & VIRTIO_S_DRIVER_OK) && (v->status & VIRTIO_S_FEATURES_OK) &&
	    !v->broken && !(v->status & VIRTIO_S_FAILED))
		mmio_go_live(v);
}

static void mmio_set_ready(struct virtio *v, struct queue *q, uint32_t val)
{
	if (!(v->status & VIRTIO_S_FEATURES_OK) || v->broken)
		return;
	if (val == 1 && !q->ready && !(v->status & VIRTIO_S_DRIVER_OK)) {
		queue_enable(q);
	} else if (val == 0 && q->ready) {
		/* The device may hold its chains; a reset gets them back. */
		if (v->status & VIRTIO_S_DRIVER_OK)
			virtio_broken(v, "queue stopped without a reset");
		else
			q->ready = false;
	}
}

static void set_low(gpa_t *at, uint32_t val)
{
	at->v = (at->v & ~(uint64_t)UINT32_MAX) | val;
}

static void set_high(gpa_t *at, uint32_t val)
{
	at->v = (at->v & UINT32_MAX) | (uint64_t)val << 32;
}

/* Frozen while the queue is ready and while the device is live. */
static void mmio_write_queue(struct virtio *v, uint32_t off, uint32_t val)
{
	struct queue *q = mmio_queue(v);

	if (!q)
		return;
	if (off == REG_QUEUE_READY) {
		mmio_set_ready(v, q, val);
		return;
	}
	if (q->ready || (v->status & VIRTIO_S_DRIVER_OK))
		return;
	switch (off) {
	case REG_QUEUE_NUM:
		/* Anything past the maximum is refused by queue_enable(). */
		q->size = (uint16_t)MIN(val, UINT16_MAX);
		break;
	case REG_QUEUE_DESC_LOW:
		set_low(&q->desc, val);
		break;
	case REG_QUEUE_DESC_HIGH:
		set_high(&q->desc, val);
		break;
	case REG_QUEUE_DRIVER_LOW:
		set_low(&q->avail, val);
		break;
	case REG_QUEUE_DRIVER_HIGH:
		set_high(&q->avail, val);
		break;
	case REG_QUEUE_DEVICE_LOW:
		set_low(&q->used, val);
		break;
	case REG_QUEUE_DEVICE_HIGH:
		set_high(&q->used, val);
		break;
	}
}

/* What a driver that was left without its device still may do: let it go. */
static bool mmio_lets_go(uint32_t off, uint32_t val)
{
	return off == REG_INTERRUPT_ACK || (off == REG_STATUS && val == 0);
}

static void mmio_write_reg(struct virtio *v, uint32_t off, uint32_t val)
{
	if (v->absent && !mmio_lets_go(off, val))
		return;
	switch (off) {
	case REG_DEVICE_FEATURES_SEL:
		v->dev_sel = val;
		break;
	case REG_DRIVER_FEATURES_SEL:
		v->drv_sel = val;
		break;
	case REG_DRIVER_FEATURES:
		mmio_set_features(v, val);
		break;
	case REG_QUEUE_SEL:
		v->queue_sel = val;
		break;
	case REG_QUEUE_NOTIFY:
		if (val < v->ops->queues)
			virtio_kick_queue(v, val);
		break;
	case REG_INTERRUPT_ACK:
		v->irq_status &= ~val;
		break;
	case REG_STATUS:
		mmio_set_status(v, val);
		break;
	default:
		mmio_write_queue(v, off, val);
		break;
	}
}

/* The registers are 32 bits wide and are read and written so. */
static bool mmio_is_reg(uint32_t off, uint32_t len)
{
	return off < REG_CONFIG && off % 4 == 0 && len == 4;
}

void mmio_read(struct virtio *v, uint32_t off, void *dst, uint32_t len)
{
	uint32_t val, at;

	memset(dst, 0, len);
	if (mmio_is_reg(off, len)) {
		val = mmio_read_reg(v, off);
		memcpy(dst, &val, sizeof(val));
		return;
	}
	if (off < REG_CONFIG)
		return;
	/* What lies behind the configuration space reads as zero. */
	at = off - REG_CONFIG;
	if (at < v->ops->config_size && v->ops->config_read)
		v->ops->config_read(v, at, dst,
				    MIN(len, v->ops->config_size - at));
}

static void mmio_write_config(struct virtio *v, uint32_t off, const void *src,
			      uint32_t len)
{
	uint32_t at;

	if (off < REG_CONFIG || !v->ops->config_write ||
	    !(v->status & VIRTIO_S_DRIVER) || v->broken || v->absent)
		return;
	at = off - REG_CONFIG;
	if (at < v->ops->config_size && len <= v->ops->config_size - at)
		v->ops->config_write(v, at, src, len);
}

void mmio_write(struct virtio *v, uint32_t off, const void *src, uint32_t len)
{
	uint32_t val;

	if (mmio_is_reg(off, len)) {
		memcpy(&val, src, sizeof(val));
		mmio_write_reg(v, off, val);
	} else {
		mmio_write_config(v, off, src, len);
	}
	view_refresh(v);
}

void mmio_kick(struct virtio *v)
{
	uint64_t rung;

	if (read(v->kick_fd, &rung, sizeof(rung)) < 0)
		rung = 0;
	virtio_settle(v);
	if (virtio_live(v))
		v->ops->kick(v);
}
