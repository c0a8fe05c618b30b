/* SPDX-License-Identifier: Apache-2.0 */
/* changes.h - what a box has changed of its image, read inside a VM.
 *
 *     image's disk, read-only ── "root" ─┐
 *     the same, and above it what        ├ vial-unpack --changes in a builder
 *     the box has written ────── "v0" ───┘ (agent/unpack/changes.h)
 *
 * A box that runs is held meanwhile: its file system is brought up to date and
 * frozen by its agent, so what is read is one moment of it. A box that does
 * not run cannot be started meanwhile. Its volumes and other mounts are no
 * part of it. */
#pragma once

#include "base/err.h"
#include "box/state.h"
#include "spec/spec.h"

#include <stdbool.h>
#include <stddef.h>

enum changes_form {
	CHANGES_LIST, /* "A /path", a NUL behind each; sorted */
	CHANGES_LAYER /* a tar stream, as images have it */
};

struct changes_how {
	enum changes_form form;
	/* A box that runs is paused as well, not only kept from writing. */
	bool pause;
	/* As it comes, in the guest's words: bytes that a stranger wrote. */
	int (*take)(void *arg, const void *bytes, size_t n, struct err *e);
	void *arg;
};

/* b and info as state_open() and state_find() have left them; s is the box's
 * (box_load()). Returns when all has been taken, and was well. */
int changes_read(struct box *b, struct box_info *info, const struct spec *s,
		 const struct changes_how *how, struct err *e);
