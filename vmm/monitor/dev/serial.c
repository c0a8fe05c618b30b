/* SPDX-License-Identifier: Apache-2.0 */
#include "dev/serial.h"

#include "base/auto.h"

#include <string.h>
#include <sys/eventfd.h>

/* PC16550D data sheet, register summary */
enum {
	REG_DATA,
	REG_IER,
	REG_IIR,
	REG_LCR,
	REG_MCR,
	REG_LSR,
	REG_MSR,
	REG_SCR
};

#define IER_EMPTY 0x02
#define IIR_NONE 0x01
#define IIR_EMPTY 0x02
#define IIR_FIFO 0xc0
#define FCR_ENABLE 0x01
#define LCR_DIVISOR 0x80
#define MCR_LOOP 0x10
#define LSR_EMPTY 0x60
#define MSR_IDLE 0xb0 /* carrier, data set ready, clear to send */

int serial_init(struct serial *s, void (*put)(void *ctx, uint8_t byte),
		void *ctx, struct err *e)
{
	*s = (struct serial){ .put = put, .ctx = ctx };
	s->irq_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->irq_fd < 0)
		return err_sys(e, "serial port: eventfd");
	return 0;
}

void serial_fini(struct serial *s)
{
	if (s->put && s->irq_fd >= 0)
		close(s->irq_fd);
	s->put = NULL;
}

/* One edge for each time the interrupt becomes wanted. */
static void serial_tell_empty(struct serial *s)
{
	uint64_t one = 1;

	s->empty_pending = true;
	if (!(s->ier & IER_EMPTY))
		return;
	if (write(s->irq_fd, &one, sizeof(one)) < 0)
		return; /* an interrupt is pending already */
}

static uint8_t serial_iir(struct serial *s)
{
	uint8_t fifo = s->fcr & FCR_ENABLE ? IIR_FIFO : 0;

	if (!s->empty_pending || !(s->ier & IER_EMPTY))
		return fifo | IIR_NONE;
	s->empty_pending = false;
	return fifo | IIR_EMPTY;
}

/* In loop-back the modem lines show what the driver sets on the outputs; its
 * probe checks that. */
static uint8_t serial_msr(const struct serial *s)
{
	if (!(s->mcr & MCR_LOOP))
		return MSR_IDLE;
	return (uint8_t)((s->mcr & 0x0c) << 4 | (s->mcr & 0x02) << 3 |
			 (s->mcr & 0x01) << 5);
}

void serial_read(struct serial *s, uint32_t reg, void *dst, uint32_t len)
{
	bool divisor = s->lcr & LCR_DIVISOR;
	uint8_t v = 0;

	switch (reg) {
	case REG_DATA:
		v = divisor ? s->dll : 0;
		break;
	case REG_IER:
		v = divisor ? s->dlm : s->ier;
		break;
	case REG_IIR:
		v = serial_iir(s);
		break;
	case REG_LCR:
		v = s->lcr;
		break;
	case REG_MCR:
		v = s->mcr;
		break;
	case REG_LSR:
		v = LSR_EMPTY;
		break;
	case REG_MSR:
		v = serial_msr(s);
		break;
	case REG_SCR:
		v = s->scratch;
		break;
	default:
		break;
	}
	memset(dst, 0, len);
	*(uint8_t *)dst = v;
}

static void serial_write_data(struct serial *s, uint8_t v)
{
	if (s->lcr & LCR_DIVISOR) {
		s->dll = v;
		return;
	}
	if (!(s->mcr & MCR_LOOP))
		s->put(s->ctx, v);
	serial_tell_empty(s);
}

static void serial_write_ier(struct serial *s, uint8_t v)
{
	bool had = s->ier & IER_EMPTY;

	if (s->lcr & LCR_DIVISOR) {
		s->dlm = v;
		return;
	}
	s->ier = v & 0x0f;
	if (!had && (s->ier & IER_EMPTY))
		serial_tell_empty(s);
}

void serial_write(struct serial *s, uint32_t reg, const void *src, uint32_t len)
{
	uint8_t v = *(const uint8_t *)src;

	(void)len;
	switch (reg) {
	case REG_DATA:
		serial_write_data(s, v);
		break;
	case REG_IER:
		serial_write_ier(s, v);
		break;
	case REG_IIR:
		s->fcr = v;
		break;
	case REG_LCR:
		s->lcr = v;
		break;
	case REG_MCR:
		s->mcr = v;
		break;
	case REG_SCR:
		s->scratch = v;
		break;
	default:
		break;
	}
}
