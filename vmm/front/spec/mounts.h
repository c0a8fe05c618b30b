/* SPDX-License-Identifier: Apache-2.0 */
/* mounts.h - what the user wants mounted, in docker's words.
 *
 * -v, --mount and --tmpfs end up in one list. A path of the host is made
 * absolute when it is read, since a box may be started from elsewhere; whether
 * it is there is found out when the box starts. */
#pragma once

#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum mount_kind { MOUNT_BIND, MOUNT_VOLUME, MOUNT_TMPFS };

struct spec_mount {
	enum mount_kind kind;
	char *source;	/* BIND: absolute; VOLUME: its name; TMPFS: NULL */
	char *target;	/* absolute, never "/" */
	char *options;	/* TMPFS: as mount(8) takes them; else NULL */
	char *subpath;	/* of a volume, or NULL */
	bool readonly;
	bool nocopy;	/* VOLUME: stays empty whatever the image has there */
	bool anonymous; /* VOLUME: the user gave no name; one is made up */
	bool make;	/* BIND: a folder that is missing is made (-v) */
};

struct spec_mounts {
	struct spec_mount *v;
	size_t n;
};

void spec_mounts_fini(struct spec_mounts *m);
/* Takes all strings over, also after an error: two mounts on one target. */
int spec_mounts_add(struct spec_mounts *m, struct spec_mount *one,
		    struct err *e);

/* Each reads one option's value. */
int spec_mounts_volume(struct spec_mounts *m, const char *text, struct err *e);
int spec_mounts_mount(struct spec_mounts *m, const char *text, struct err *e);
int spec_mounts_tmpfs(struct spec_mounts *m, const char *text, struct err *e);
/* Those of another box that m has no mount for; readonly: whatever they
 * are there. */
int spec_mounts_from(struct spec_mounts *m, const struct spec_mounts *other,
		     bool readonly, struct err *e);

/* A path of the host, absolute; the caller frees it. */
char *spec_mounts_host_path(const char *text);

/* NULL: out of memory, or text that is not UTF-8. */
json_t *spec_mounts_to_json(const struct spec_mounts *m);
int spec_mounts_from_json(struct spec_mounts *m, const json_t *a);
