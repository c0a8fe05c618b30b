/* SPDX-License-Identifier: Apache-2.0 */
/* disk.h - the files behind a box's root disk. */
#pragma once

#include "base/err.h"

#include <stdint.h>

/* Opens a local ext4 image read-only, once it is sure that it is one, and
 * whole: regular file, magic number, no shorter than its superblock says.
 * Returns the descriptor. */
int disk_open_image(const char *path, struct err *e);

/* A fresh empty file in the data directory that disappears with its last
 * descriptor: what the box writes. */
int disk_open_overlay(struct err *e);
/* The disk of a box that is kept, made when missing. */
int disk_open_kept(int boxdir, struct err *e);
