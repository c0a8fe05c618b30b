/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/unpack/inoset.h"

#include <errno.h>
#include <stdlib.h>

#define ROOM_FIRST 1024
/* No file system numbers its files so. */
#define SLOT_FREE 0
#define SLOT_GONE UINT64_MAX

/* Neighbours are spread: numbers of files made together are close. */
static size_t home_of(const struct inoset *s, uint64_t ino)
{
	return (size_t)((ino * 0x9e3779b97f4a7c15u) >> 20) & (s->room - 1);
}

static uint64_t *find(const struct inoset *s, uint64_t ino)
{
	size_t i = home_of(s, ino);

	while (s->slot[i] != SLOT_FREE && s->slot[i] != ino)
		i = (i + 1) & (s->room - 1);
	return &s->slot[i];
}

static int grow(struct inoset *s)
{
	struct inoset more = { .room = s->room ? 2 * s->room : ROOM_FIRST };

	more.slot = calloc(more.room, sizeof(*more.slot));
	if (!more.slot)
		return -ENOMEM;
	for (size_t i = 0; i < s->room; i++) {
		if (s->slot[i] == SLOT_FREE || s->slot[i] == SLOT_GONE)
			continue;
		*find(&more, s->slot[i]) = s->slot[i];
		more.used++;
	}
	free(s->slot);
	*s = more;
	return 0;
}

void inoset_fini(struct inoset *s)
{
	free(s->slot);
	*s = (struct inoset){ 0 };
}

int inoset_add(struct inoset *s, uint64_t ino)
{
	uint64_t *at;

	if (2 * s->used >= s->room && grow(s) < 0)
		return -ENOMEM;
	at = find(s, ino);
	if (*at == SLOT_FREE)
		s->used++;
	*at = ino;
	return 0;
}

void inoset_del(struct inoset *s, uint64_t ino)
{
	uint64_t *at = s->room ? find(s, ino) : NULL;

	if (at && *at == ino)
		*at = SLOT_GONE;
}

bool inoset_has(const struct inoset *s, uint64_t ino)
{
	return s->room && *find(s, ino) == ino;
}
