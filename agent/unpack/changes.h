/* SPDX-License-Identifier: Apache-2.0 */
/* changes.h - vial-unpack's other work: what a box has changed of its image.
 *
 *     vial-unpack --changes list|layer [OLD NEW]
 *
 * The disk "root" has the image and may be missing, "v0" that of the box; both
 * are mounted read-only. What differs goes to standard output: docker's lines
 * ("A /etc/x"), a NUL behind each, or a layer as a tar stream. Of tests OLD and NEW are
 * folders, OLD "" none. */
#pragma once

#include "base/err.h"

#include <stddef.h>

/* argv: what stands behind --changes. */
int changes_run(int argc, char **argv, struct err *e);

/* main.c: /dev/NAME of the disk with that serial. -ENODEV: there is none. */
int unpack_find_disk(const char *serial, char *path, size_t room,
		     struct err *e);
