/* SPDX-License-Identifier: Apache-2.0 */
/* where.h - the places vial keeps things in and finds its parts at. */
#pragma once

#include "base/err.h"

#include <limits.h>
#include <stddef.h>

/* Boxes that go when they end, and those that stay. */
enum where_place { WHERE_BRIEF, WHERE_KEPT, WHERE_NPLACES };

/* The folder of boxes, made when missing; a descriptor. Refused when it is not
 * ours or others may write to it. WHERE_BRIEF: VIAL_RUNDIR, root: /run/vial,
 * $XDG_RUNTIME_DIR/vial, /tmp/vial-UID; WHERE_KEPT: where_data(); each
 * followed by "/boxes". */
int where_boxes(enum where_place place, struct err *e);

/* Where an ordinary user's boxes meet who keeps their networks (net/meet.h),
 * beside the first of these; vial-netd makes it. */
void where_net(char path[PATH_MAX]);

/* Where disks of boxes live while they run: VIAL_DATADIR, root: /var/lib/vial,
 * $XDG_DATA_HOME/vial, ~/.local/share/vial, else /var/tmp/vial-UID. Made when missing;
 * returns a descriptor and, when path is given, the name. */
int where_data(char path[PATH_MAX], struct err *e);

/* A folder in it, made when missing. */
int where_folder(const char *name, struct err *e);

enum where_part {
	WHERE_VMM,
	WHERE_INITRAMFS,
	WHERE_BUILDER, /* the initramfs of the VM that unpacks images */
	WHERE_FETCH, /* talks to registries */
	WHERE_NETD,  /* the network of a box */
	WHERE_KERNEL,
	WHERE_NPARTS
};

/* A part of vial: beside the program, in ../libexec/vial or ../lib/vial, then
 * in VIAL_LIBDIR. -ENOENT says where it was looked for and what to do. */
int where_part(enum where_part part, char path[PATH_MAX], struct err *e);

/* An archive of an image that comes with vial: in images/ at the same places. */
int where_image(const char *file, char path[PATH_MAX], struct err *e);
