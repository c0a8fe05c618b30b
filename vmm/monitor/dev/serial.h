/* SPDX-License-Identifier: Apache-2.0 */
/* serial.h - a 16550A that only talks: the early console.
 *
 * Eight one-byte registers. Output goes to put(), one byte at a time; there is
 * no input. The transmitter is always empty, but the driver waits for the
 * interrupt that says so, and userspace output stalls without it. Called with
 * the machine lock held. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define SERIAL_REGS 8

struct serial {
	void (*put)(void *ctx, uint8_t byte);
	void *ctx;
	int irq_fd; /* eventfd, owned */
	uint8_t ier, lcr, mcr, fcr, scratch, dll, dlm;
	bool empty_pending; /* "transmitter empty" not yet told */
};

int serial_init(struct serial *s, void (*put)(void *ctx, uint8_t byte),
		void *ctx, struct err *e);
void serial_fini(struct serial *s);

/* reg < SERIAL_REGS; accesses of other widths than a byte touch reg alone. */
void serial_read(struct serial *s, uint32_t reg, void *dst, uint32_t len);
void serial_write(struct serial *s, uint32_t reg, const void *src,
		  uint32_t len);
