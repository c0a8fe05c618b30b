/* SPDX-License-Identifier: Apache-2.0 */
/* parse.h - numbers as people write them on a command line.
 *
 * All return 0 or -EINVAL (-ERANGE) with the reason, and touch *out only when
 * they succeed. */
#pragma once

#include "base/err.h"

#include <stdint.h>

/* "512m", "1g", "1.5GiB", "65536": bytes. Units are powers of 1024. */
int parse_size(const char *s, uint64_t *bytes, struct err *e);
/* "10" (seconds), "500ms", "10s", "1h30m", "2d": milliseconds. */
int parse_duration(const char *s, uint64_t *ms, struct err *e);
/* "2", "0.5", "1.25": rounded up to whole ones. */
int parse_cpus(const char *s, unsigned *cpus, struct err *e);

struct rlimit_arg {
	uint32_t resource;	/* as Linux numbers them */
	uint64_t soft, hard;	/* UINT64_MAX: unlimited */
};
/* "nofile=1024:2048", "core=0", "stack=-1". */
int parse_ulimit(const char *s, struct rlimit_arg *out, struct err *e);
