/* SPDX-License-Identifier: Apache-2.0 */
/* state_fixture.h - boxes in a folder of the test's own. */
#pragma once

#include "box/state.h"

#include "base/auto.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

static char dir[64];
static struct err e;

static inline int start(void **state)
{
	char path[96];

	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/vial-state-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/run", dir);
	setenv("VIAL_RUNDIR", path, 1);
	snprintf(path, sizeof(path), "%s/data", dir);
	setenv("VIAL_DATADIR", path, 1);
	/* A test that hangs has failed. */
	alarm(120);
	return 0;
}

static inline int stop(void **state)
{
	char cmd[96];

	(void)state;
	alarm(0);
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
	return system(cmd);
}

static inline int make_one(struct box *b, struct box_info *info,
			   const char *name, bool brief)
{
	*info = (struct box_info){ .brief = brief };
	state_new_id(info->id);
	snprintf(info->name, sizeof(info->name), "%s", name);
	snprintf(info->image, sizeof(info->image), "some/image");
	snprintf(info->status, sizeof(info->status), "running");
	return state_create(b, info, &e);
}

static inline int make(struct box *b, struct box_info *info, const char *name)
{
	return make_one(b, info, name, true);
}

static inline int make_kept(struct box *b, struct box_info *info,
			    const char *name)
{
	return make_one(b, info, name, false);
}

static inline bool exists(const char *id)
{
	char run[256], data[256];

	snprintf(run, sizeof(run), "%s/run/boxes/%s", dir, id);
	snprintf(data, sizeof(data), "%s/data/boxes/%s", dir, id);
	return access(run, F_OK) == 0 || access(data, F_OK) == 0;
}

static inline void in_file(const char *id, const char *file, const char *text)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/data/boxes/%s/%s", dir, id, file);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}
