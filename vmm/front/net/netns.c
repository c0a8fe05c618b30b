/* SPDX-License-Identifier: Apache-2.0 */
#include "net/netns.h"

#include "base/auto.h"
#include "base/fd.h"
#include "jail/caps.h"
#include "jail/ids.h"
#include "jail/ns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int netns_become(struct err *e)
{
	return ids_choose() == IDS_OWN ? ids_become(e) : 0;
}

static int enter(int flags, struct err *e)
{
	unsigned uid = geteuid(), gid = getegid();

	if (unshare(CLONE_NEWUSER | flags) < 0)
		return ns_refused(errno, e);
	/* A change of rights closes /proc/self for ourselves. */
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	return ids_map(uid, gid, e);
}

int netns_user(bool pid, struct err *e)
{
	/* As another user: what it was does not let it write its maps. */
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	return enter(pid ? CLONE_NEWPID : 0, e);
}

int netns_box(struct err *e)
{
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	return enter(CLONE_NEWNET, e);
}

void netns_close_door(void)
{
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

int netns_limit(struct err *e)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct set[_LINUX_CAPABILITY_U32S_3] = { 0 };
	const unsigned cap = CAP_NET_ADMIN;

	if (caps_bound(e) < 0)
		return -e->code;
	set[CAP_TO_INDEX(cap)].effective = CAP_TO_MASK(cap);
	set[CAP_TO_INDEX(cap)].permitted = CAP_TO_MASK(cap);
	if (syscall(SYS_capset, &head, set) < 0)
		return err_sys(e, "drop capabilities");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_sys(e, "no_new_privs");
	return 0;
}

static void path_of(char path[256], const char *name)
{
	snprintf(path, 256, "/proc/sys/net/%s", name);
}

int netns_set(const char *name, const char *value, struct err *e)
{
	char path[256];
	autoclose int fd = -1;

	path_of(path, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		return err_sys(e, "%s", path);
	return 0;
}

int netns_get(const char *name)
{
	char path[256], text[32] = "";
	autoclose int fd = -1;

	path_of(path, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fd_read_full(fd, text, sizeof(text) - 1) <= 0)
		return -1;
	return (int)strtol(text, NULL, 10);
}
