/* SPDX-License-Identifier: Apache-2.0 */
/* fd.h - whole reads and writes, flags and clocks. All return -errno. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Reads until len bytes or end of file; returns the count. */
ssize_t fd_read_full(int fd, void *buf, size_t len);
/* Writes all of it or fails. */
int fd_write_full(int fd, const void *buf, size_t len);
/* The same at an offset, without moving the file's position. */
ssize_t fd_pread_full(int fd, void *buf, size_t len, uint64_t off);

int fd_set_nonblock(int fd, bool on);
int fd_set_cloexec(int fd, bool on);

/* Whole file into a fresh buffer with a NUL behind it; -EFBIG past max.
 * The caller frees *out. */
ssize_t fd_slurp(int fd, char **out, size_t max);

/* CLOCK_MONOTONIC. */
uint64_t now_us(void);
