/* SPDX-License-Identifier: Apache-2.0 */
/* disk.h - a guest with one disk, for tests.
 *
 * Several requests may be put together and are then sent with one doorbell;
 * disk_run() comes back when all are answered. */
#pragma once

#include "dev/blk.h"
#include "tests/guest/guest.h"

#define DISK_SLOTS 16
#define DISK_BYTES (256u << 10)	/* data of one slot */

/* virtio 1.2, 5.2.6 */
#define DISK_IN		  0u
#define DISK_OUT	  1u
#define DISK_FLUSH	  4u
#define DISK_GET_ID	  8u
#define DISK_DISCARD	  11u
#define DISK_WRITE_ZEROES 13u
#define DISK_UNSEEN	  0xee	/* status before an answer */

struct disk {
	struct guest g;
	struct loop loop;
	bool looped;
	struct virtio *v;
	struct ring r;
	gpa_t head[DISK_SLOTS], status[DISK_SLOTS], data[DISK_SLOTS];
	unsigned used;	/* slots put together since the last run */
};

/* ring: with a loop, so with io_uring if there is one. */
int disk_open(struct disk *d, const struct blk_conf *conf, bool ring,
	      struct err *e);
void disk_close(struct disk *d);
/* Driver set-up; disk_open() has done it once. */
void disk_start(struct disk *d, uint64_t features);

/* Puts a request together; data goes out of or into disk_data(slot). */
unsigned disk_put(struct disk *d, uint32_t type, uint64_t sector, uint32_t len);
/* The same with header, data and status in pieces of the caller's. */
void *disk_data(struct disk *d, unsigned slot);
uint8_t disk_status(struct disk *d, unsigned slot);
/* Sends and waits for all. False when the device broke. */
bool disk_run(struct disk *d);

/* One request; returns its status, or -1 when the device broke. */
int disk_read(struct disk *d, uint64_t sector, void *dst, uint32_t len);
int disk_write(struct disk *d, uint64_t sector, const void *src, uint32_t len);
int disk_flush(struct disk *d);
/* Discard or write zeroes of one range. */
int disk_range(struct disk *d, uint32_t type, uint64_t sector, uint32_t n,
	       uint32_t flags);

/* A file without a name; and the same file, for reading only. */
int file_new(uint64_t size);
int file_readonly(int fd);
