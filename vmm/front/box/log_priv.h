/* SPDX-License-Identifier: Apache-2.0 */
/* log_priv.h - a record, shared by writer and reader. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Of the bytes in one record. */
#define BOXLOG_RECORD_MAX (1u << 20)

struct boxlog_head {
	uint64_t time_ns; /* CLOCK_REALTIME; little endian, as len */
	uint32_t len;	  /* of the bytes behind it */
	uint8_t stream;	  /* 1 or 2 */
	uint8_t zero[3];
};

/* "log", "log.1", ... */
void boxlog_name(char *out, size_t size, unsigned nr);
