/* SPDX-License-Identifier: Apache-2.0 */
/* state_json.c - the files of a box. */
#include "box/state.h"

#include "base/auto.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define STATE_MAX (64u << 10)

int64_t state_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

bool state_is(const struct box_info *info, const char *status)
{
	return strcmp(info->status, status) == 0;
}

static void get_text(const json_t *o, const char *key, char *out, size_t size)
{
	const char *s = json_string_value(json_object_get(o, key));

	snprintf(out, size, "%s", s ? s : "");
}

static int64_t get_int(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

int state_read(const struct box *b, struct box_info *info, struct err *e)
{
	autofree char *text = state_slurp(b, "state.json", STATE_MAX);
	json_t *o = text ? json_loads(text, 0, NULL) : NULL;

	*info = (struct box_info){ 0 };
	snprintf(info->id, sizeof(info->id), "%s", b->id);
	if (!text)
		return err_set(e, ENOENT, "box %.12s: state.json is missing",
			       b->id);
	if (!json_is_object(o)) {
		json_decref(o);
		return err_set(e, EINVAL, "box %.12s: state.json is damaged",
			       b->id);
	}
	get_text(o, "name", info->name, sizeof(info->name));
	get_text(o, "status", info->status, sizeof(info->status));
	get_text(o, "image", info->image, sizeof(info->image));
	get_text(o, "command", info->command, sizeof(info->command));
	get_text(o, "health", info->health, sizeof(info->health));
	get_text(o, "reason", info->reason, sizeof(info->reason));
	info->created = get_int(o, "created");
	info->started = get_int(o, "started");
	info->finished = get_int(o, "finished");
	info->exit_status = (int)get_int(o, "exit_status");
	info->pid = (int)get_int(o, "pid");
	info->health_failures = (unsigned)get_int(o, "health_failures");
	info->brief = json_is_true(json_object_get(o, "brief"));
	info->oom_killed = json_is_true(json_object_get(o, "oom_killed"));
	json_decref(o);
	return 0;
}

/* JSON wants UTF-8; what is not has no place in a text for people. */
static void clean(char *out, size_t size, const char *in)
{
	snprintf(out, size, "%s", in);
	for (unsigned char *p = (unsigned char *)out; *p; p++)
		if (*p < 0x20 || *p >= 0x7f)
			*p = '?';
}

int state_write(const struct box *b, const struct box_info *info, struct err *e)
{
	char image[sizeof(info->image)], command[sizeof(info->command)];
	char reason[sizeof(info->reason)];
	autofree char *text = NULL;
	json_t *o;

	clean(image, sizeof(image), info->image);
	clean(command, sizeof(command), info->command);
	clean(reason, sizeof(reason), info->reason);
	o = json_pack("{ss ss ss ss ss sI sI sI si si sb sb ss si ss}", "id",
		      info->id, "name", info->name, "status", info->status,
		      "image", image, "command", command, "created",
		      (json_int_t)info->created, "started",
		      (json_int_t)info->started, "finished",
		      (json_int_t)info->finished, "exit_status",
		      info->exit_status, "pid", info->pid, "brief",
		      (int)info->brief, "oom_killed", (int)info->oom_killed,
		      "health", info->health, "health_failures",
		      (int)info->health_failures, "reason", reason);
	text = o ? json_dumps(o, JSON_INDENT(1)) : NULL;
	json_decref(o);
	if (!text)
		return err_set(e, ENOMEM, "box %.12s: out of memory", b->id);
	return state_put(b, "state.json", text, e);
}

int state_put(const struct box *b, const char *file, const char *text,
	      struct err *e)
{
	autoclose int fd = -1;
	char tmp[64];
	int r;

	snprintf(tmp, sizeof(tmp), "%s.new", file);
	fd = openat(b->dir, tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
		    0600);
	if (fd < 0)
		return err_sys(e, "box %.12s: %s", b->id, file);
	r = fd_write_full(fd, text, strlen(text));
	if (r < 0)
		return err_set(e, -r, "box %.12s: write %s: %s", b->id, file,
			       strerror(-r));
	if (renameat(b->dir, tmp, b->dir, file) < 0)
		return err_sys(e, "box %.12s: %s", b->id, file);
	return 0;
}

char *state_slurp(const struct box *b, const char *file, size_t max)
{
	autoclose int fd = openat(b->dir, file, O_RDONLY | O_CLOEXEC);
	char *text = NULL;

	return fd >= 0 && fd_slurp(fd, &text, max) >= 0 ? text : NULL;
}

char *state_tail(const struct box *b, const char *file, size_t max)
{
	autoclose int fd = openat(b->dir, file, O_RDONLY | O_CLOEXEC);
	autofree char *text = NULL;
	struct stat st;
	uint64_t from = 0;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0 || st.st_size <= 0)
		return NULL;
	if ((uint64_t)st.st_size > max)
		from = (uint64_t)st.st_size - max;
	text = malloc(max + 1);
	n = text ? fd_pread_full(fd, text, max, from) : -1;
	if (n <= 0)
		return NULL;
	text[n] = '\0';
	return take_ptr(&text);
}
