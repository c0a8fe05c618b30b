/* SPDX-License-Identifier: Apache-2.0 */
/* inoset.h - a set of inode numbers: what the present layer has made. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct inoset {
	uint64_t *slot;
	size_t room; /* a power of two, or 0 */
	size_t used; /* slots that are or were taken */
};

/* A zeroed one is empty. */
void inoset_fini(struct inoset *s);
/* 0 or -ENOMEM. */
int inoset_add(struct inoset *s, uint64_t ino);
void inoset_del(struct inoset *s, uint64_t ino);
bool inoset_has(const struct inoset *s, uint64_t ino);
