/* SPDX-License-Identifier: Apache-2.0 */
/* auto.h - locals that let go of what they own, and hand it out by name.
 *
 * An autofree pointer or autoclose descriptor is released when its block ends,
 * so leaving a function early is always safe. take_ptr() and take_fd() move
 * the thing out and leave NULL or -1 behind. */
#pragma once

#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

static inline void auto_free_(void *p)
{
	free(*(void **)p);
}

static inline void auto_close_(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

#define autofree  __attribute__((cleanup(auto_free_)))
#define autoclose __attribute__((cleanup(auto_close_)))

static inline int take_fd(int *fd)
{
	int out = *fd;

	*fd = -1;
	return out;
}

#define take_ptr(p)                                                            \
	__extension__({                                                        \
		__typeof__(*(p)) take_ptr_ = *(p);                             \
		*(p) = NULL;                                                   \
		take_ptr_;                                                     \
	})

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* clang-format 14 takes "(ptr) -" for a cast. */
/* clang-format off */
#define container_of(ptr, type, member)                                        \
	((type *)(void *)((char *)(ptr) - offsetof(type, member)))
/* clang-format on */

#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
