/* SPDX-License-Identifier: Apache-2.0 */
#include "virtio/view.h"

#include "base/auto.h"
#include "virtio/mmio.h"

#define REGS_BYTES   0x100
#define CONFIG_BYTES 0x100

/* The guest may read while this goes on: each word is whole. */
static void put(struct virtio *v, uint32_t at, uint32_t len)
{
	uint32_t word;

	for (uint32_t end = at + len; at < end; at += sizeof(word)) {
		mmio_read(v, at, &word, sizeof(word));
		__atomic_store_n(&v->view[at / sizeof(word)], word,
				 __ATOMIC_RELAXED);
	}
}

void view_refresh(struct virtio *v)
{
	if (!v->view)
		return;
	put(v, 0, REGS_BYTES);
	put(v, REGS_BYTES, MIN(v->ops->config_size, CONFIG_BYTES));
}

void view_open(struct virtio *v, void *page)
{
	v->view = page;
	v->irq_always |= VIRTIO_IRQ_USED;
	view_refresh(v);
}
