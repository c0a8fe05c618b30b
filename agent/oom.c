/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/oom.h"

#include "base/auto.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A record is never longer; the log holds far fewer. */
#define RECORD_MAX  8192
#define RECORDS_MAX 100000

/* Whether the path ends in the group or goes on below it. */
static bool oom_is_of(const char *path, const char *end, const char *group)
{
	size_t len = strlen(group);

	while (path < end && (path = memchr(path, '/', (size_t)(end - path)))) {
		path++;
		if ((size_t)(end - path) >= len &&
		    memcmp(path, group, len) == 0 &&
		    (path + len == end || path[len] == '/'))
			return true;
	}
	return false;
}

/* "oom-kill:...,task_memcg=/jobs/job-1,task=cc1,pid=123,uid=0". The name is the
 * process's own choice: what stands around it is sought from both ends. */
bool oom_record(char *text, const char *group, char *out, size_t room)
{
	static const char memcg[] = ",task_memcg=", task[] = ",task=";
	char *path, *name, *pid, *next;

	if (!strstr(text, "oom-kill:"))
		return false;
	text[strcspn(text, "\n")] = '\0';
	path = strstr(text, memcg);
	name = path ? strstr(path, task) : NULL;
	if (!name || !oom_is_of(path + strlen(memcg), name, group))
		return false;
	name += strlen(task);
	pid = NULL;
	for (next = name; (next = strstr(next, ",pid=")); next++)
		pid = next;
	if (!pid)
		return false;
	*pid = '\0';
	snprintf(out, room, "%s[%ld]", name,
		 strtol(pid + strlen(",pid="), NULL, 10));
	return true;
}

void oom_victim(const char *log, const char *group, char *out, size_t room)
{
	autoclose int fd = open(log, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	char text[RECORD_MAX];

	*out = '\0';
	/* From the oldest, one record for each read. Losing one (EPIPE) moves
	 * to the oldest that is left. */
	for (int i = 0; fd >= 0 && i < RECORDS_MAX; i++) {
		ssize_t n = read(fd, text, sizeof(text) - 1);

		if (n < 0 && errno == EPIPE)
			continue;
		if (n <= 0)
			return;
		text[n] = '\0';
		if (oom_record(text, group, out, room))
			return;
	}
}
