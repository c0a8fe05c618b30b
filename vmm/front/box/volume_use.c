/* SPDX-License-Identifier: Apache-2.0 */
#include "box/volume_use.h"

#include "base/auto.h"
#include "box/create.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int add(struct volume_uses *u, const struct box_info *info,
	       const char *volume)
{
	struct volume_use *more = reallocarray(u->v, u->n + 1, sizeof(*u->v));

	if (!more)
		return -ENOMEM;
	u->v = more;
	more = &u->v[u->n++];
	snprintf(more->volume, sizeof(more->volume), "%s", volume);
	snprintf(more->box, sizeof(more->box), "%s", info->id);
	snprintf(more->name, sizeof(more->name), "%s", info->name);
	more->alive = info->alive;
	return 0;
}

/* One that is mounted twice counts once. */
static bool known(const struct volume_uses *u, size_t from, const char *volume)
{
	for (size_t i = from; i < u->n; i++)
		if (strcmp(u->v[i].volume, volume) == 0)
			return true;
	return false;
}

/* A box that is gone meanwhile, or cannot be read, uses nothing. */
static int scan_box(struct volume_uses *u, const struct box_info *info)
{
	size_t from = u->n;
	struct err ignored;
	struct spec s;
	struct box b;
	int r = 0;

	if (state_open(&b, info->id, &ignored) < 0)
		return 0;
	if (box_load(&b, &s, &ignored) == 0)
		for (size_t i = 0; r == 0 && i < s.mounts.n; i++)
			if (s.mounts.v[i].kind == MOUNT_VOLUME &&
			    !known(u, from, s.mounts.v[i].source))
				r = add(u, info, s.mounts.v[i].source);
	spec_fini(&s);
	state_close(&b);
	return r;
}

int volume_use_scan(struct volume_uses *u, struct err *e)
{
	autofree struct box_info *all = NULL;
	int n = state_list(&all, e), r = 0;

	*u = (struct volume_uses){ 0 };
	for (int i = 0; r == 0 && i < n; i++)
		r = scan_box(u, &all[i]);
	if (r < 0) {
		volume_use_fini(u);
		return err_set(e, ENOMEM, "out of memory");
	}
	return n < 0 ? n : 0;
}

void volume_use_fini(struct volume_uses *u)
{
	free(u->v);
	*u = (struct volume_uses){ 0 };
}

unsigned volume_use_count(const struct volume_uses *u, const char *volume)
{
	unsigned n = 0;

	for (size_t i = 0; i < u->n; i++)
		n += strcmp(u->v[i].volume, volume) == 0;
	return n;
}

bool volume_use_running(const struct volume_uses *u, const char *volume,
			const char *but, char *names, size_t size)
{
	size_t used = 0;

	for (size_t i = 0; i < u->n && used < size; i++)
		if (u->v[i].alive && strcmp(u->v[i].volume, volume) == 0 &&
		    strcmp(u->v[i].name, but) != 0)
			used += (size_t)snprintf(names + used, size - used,
						 "%s%s", used ? ", " : "",
						 u->v[i].name);
	return used > 0;
}

int volume_use_check(const struct volume_uses *u, const char *volume,
		     struct err *e)
{
	char who[160] = "";
	size_t used = 0;

	for (size_t i = 0; i < u->n && used < sizeof(who); i++)
		if (strcmp(u->v[i].volume, volume) == 0)
			used += (size_t)snprintf(who + used, sizeof(who) - used,
						 "%s%.*s (%s)",
						 used ? ", " : "",
						 BOX_SHORT_LEN, u->v[i].box,
						 u->v[i].name);
	if (!used)
		return 0;
	return err_set(e, EBUSY, "volume is in use - [%s]", who);
}
