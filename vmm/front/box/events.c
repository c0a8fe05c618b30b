/* SPDX-License-Identifier: Apache-2.0 */
#include "box/events.h"

#include "base/auto.h"
#include "base/fd.h"
#include "box/where.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX (1 << 20)

/* The folder the boxes of the runtime directory are in lies beside it. */
static int runtime_dir(struct err *e)
{
	autoclose int boxes = where_boxes(WHERE_BRIEF, e);
	int fd;

	if (boxes < 0)
		return boxes;
	fd = openat(boxes, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? err_sys(e, "the runtime directory") : fd;
}

/* Another may just have done it: then the name is a fresh file's. */
static void rotate(int dir, int fd)
{
	struct stat ours, named;

	if (flock(fd, LOCK_EX) < 0)
		return;
	if (fstat(fd, &ours) == 0 && fstatat(dir, "events", &named, 0) == 0 &&
	    ours.st_ino == named.st_ino)
		renameat(dir, "events", dir, "events.1");
	flock(fd, LOCK_UN);
}

static void append(const char *line, size_t len)
{
	struct err ignored;
	struct stat st;
	autoclose int dir = runtime_dir(&ignored);
	autoclose int fd = -1;

	if (dir < 0)
		return;
	fd = openat(dir, "events", O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC,
		    0600);
	if (fd < 0)
		return;
	if (write(fd, line, len) == (ssize_t)len && fstat(fd, &st) == 0 &&
	    st.st_size > FILE_MAX)
		rotate(dir, fd);
}

void boxevents_add(const struct box_info *info, const char *action,
		   const char *key, const char *value)
{
	int64_t now = state_now();
	autofree char *text = NULL, *line = NULL;
	json_t *attributes = json_pack("{s:s s:s}", "image", info->image,
				       "name", info->name);
	json_t *o;
	int len;

	if (key)
		json_object_set_new(attributes, key, json_string(value));
	o = json_pack("{s:s s:s s:s s:s s:s s:{s:s s:o} s:s s:I s:I}", "status",
		      action, "id", info->id, "from", info->image, "Type",
		      "container", "Action", action, "Actor", "ID", info->id,
		      "Attributes", attributes, "scope", "local", "time",
		      (json_int_t)(now / 1000), "timeNano",
		      (json_int_t)now * 1000000);
	text = o ? json_dumps(o, JSON_COMPACT) : NULL;
	json_decref(o);
	len = text ? asprintf(&line, "%s\n", text) : -1;
	if (len > 0)
		append(line, (size_t)len);
	else
		line = NULL;
}

void boxevents_ended(const struct box_info *info)
{
	char status[16];

	if (info->oom_killed)
		boxevents_add(info, "oom", NULL, NULL);
	snprintf(status, sizeof(status), "%d", info->exit_status);
	boxevents_add(info, "die", "exitCode", status);
}

void boxevents_changed(const struct box_info *before,
		       const struct box_info *after)
{
	bool was = state_is(before, "paused"), is = state_is(after, "paused");
	char text[64];

	if (!was && is)
		boxevents_add(after, "pause", NULL, NULL);
	if (was && state_is(after, "running"))
		boxevents_add(after, "unpause", NULL, NULL);
	if (*after->health && strcmp(before->health, after->health) != 0) {
		snprintf(text, sizeof(text), "health_status: %s",
			 after->health);
		boxevents_add(after, text, NULL, NULL);
	}
}
