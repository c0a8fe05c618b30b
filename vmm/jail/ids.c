/* SPDX-License-Identifier: Apache-2.0 */
#include "jail/ids.h"

#include "base/auto.h"
#include "base/fd.h"
#include "jail/caps.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Can an id of the range be a user here? Inside somebody's container the map
 * may be shorter than the host's. */
static bool range_mapped(const char *path)
{
	char text[4096], *line, *save = NULL;
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : fd_read_full(fd, text, sizeof(text) - 1);

	if (n < 0)
		return false;
	text[n] = '\0';
	for (line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		char *at = line;
		unsigned long long first = strtoull(at, &at, 10);
		unsigned long long count;

		strtoull(at, &at, 10);
		count = strtoull(at, &at, 10);
		if (first <= IDS_BASE && first + count > IDS_BASE + (1u << 22))
			return true;
	}
	return false;
}

enum ids_way ids_choose(void)
{
	if (caps_have(CAP_SYS_ADMIN) && caps_have(CAP_SETUID) &&
	    caps_have(CAP_SETGID) && caps_have(CAP_SETPCAP) &&
	    range_mapped("/proc/self/uid_map") &&
	    range_mapped("/proc/self/gid_map"))
		return IDS_OWN;
	return IDS_MAP;
}

static int put_file(const char *path, const char *text, struct err *e)
{
	autoclose int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, "open %s", path);
	if (write(fd, text, strlen(text)) < 0)
		return err_sys(e, "write %s", path);
	return 0;
}

int ids_map(unsigned uid, unsigned gid, struct err *e)
{
	char uids[40], gids[40];

	snprintf(uids, sizeof(uids), "%u %u 1\n", uid, uid);
	snprintf(gids, sizeof(gids), "%u %u 1\n", gid, gid);
	/* An unprivileged map of groups needs setgroups() closed first. */
	if (put_file("/proc/self/setgroups", "deny", e) < 0 ||
	    put_file("/proc/self/uid_map", uids, e) < 0 ||
	    put_file("/proc/self/gid_map", gids, e) < 0)
		return err_wrap(e, "user namespace");
	return 0;
}

int ids_become(struct err *e)
{
	unsigned id = IDS_BASE + (unsigned)getpid();

	if (setgroups(0, NULL) < 0)
		return err_sys(e, "leave all groups");
	if (setresgid(id, id, id) < 0)
		return err_sys(e, "become group %u", id);
	if (setresuid(id, id, id) < 0)
		return err_sys(e, "become user %u", id);
	return 0;
}
