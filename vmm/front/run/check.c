/* SPDX-License-Identifier: Apache-2.0 */
#include "run/check.h"

#include "base/auto.h"
#include "run/plan.h"
#include "spec/spec.h"
#include "box/where.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#define DISK_WANTED (2ull << 30)

static void found(struct check *c, enum check_level level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void found(struct check *c, enum check_level level, const char *fmt, ...)
{
	va_list ap;

	c->level = level;
	va_start(ap, fmt);
	vsnprintf(c->found, sizeof(c->found), fmt, ap);
	va_end(ap);
}

static void remedy(struct check *c, const char *text)
{
	snprintf(c->remedy, sizeof(c->remedy), "%s", text);
}

static void check_host(struct check *c)
{
	struct utsname u;

	uname(&u);
	found(c, CHECK_OK, "Linux %s on %s, %u CPUs", u.release, u.machine,
	      plan_host_cpus());
}

static void check_device(struct check *c)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	struct stat st;

	if (fd >= 0) {
		close(fd);
		found(c, CHECK_OK, "/dev/kvm can be opened");
		return;
	}
	found(c, CHECK_FAIL, "/dev/kvm: %s", strerror(errno));
	if (stat("/dev/kvm", &st) < 0) {
		remedy(c, "load kvm_intel or kvm_amd; switch virtualization "
			  "on in the firmware; in a virtual machine ask for "
			  "nested virtualization; in a container pass the "
			  "device in");
		return;
	}
	remedy(c, "join the group that owns it: usermod -aG kvm USER, then "
		  "log in again");
}

static void check_parts(struct check *c)
{
	/* Boxes run without these. */
	static const char *const without[WHERE_NPARTS] = {
		[WHERE_FETCH] = "nothing can be pulled, pushed or logged in to",
		[WHERE_NETD] = "boxes have no network",
	};
	char path[PATH_MAX];
	struct err e;

	found(c, CHECK_OK, "monitor, initramfs and kernel found");
	for (int part = 0; part < WHERE_NPARTS && c->level != CHECK_FAIL;
	     part++) {
		if (where_part(part, path, &e) == 0)
			continue;
		found(c, without[part] ? CHECK_WARN : CHECK_FAIL, "%s%s%s",
		      e.msg, without[part] ? "; without it " : "",
		      without[part] ? without[part] : "");
		remedy(c, "run 'make', or set VIAL_LIBDIR to where "
			  "the parts are");
	}
}

/* In a child: a namespace cannot be given back. */
static bool can_unshare(void)
{
	pid_t pid = fork();
	int status = 1;

	if (pid == 0)
		_exit(unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return pid > 0 && status == 0;
}

static void check_namespaces(struct check *c)
{
	if (can_unshare()) {
		found(c, CHECK_OK, "user namespaces can be made");
		return;
	}
	found(c, CHECK_FAIL,
	      "user namespaces cannot be made: the monitor "
	      "needs one for its jail");
	remedy(c, "sysctl user.max_user_namespaces=15000 and, on Debian and "
		  "Ubuntu, kernel.unprivileged_userns_clone=1; in a container "
		  "allow unshare in its seccomp profile");
}

static void check_memory(struct check *c)
{
	uint64_t total, available;

	plan_host_memory(&total, &available);
	found(c, available < SPEC_RAM_DEFAULT ? CHECK_WARN : CHECK_OK,
	      "%" PRIu64 " MiB available of %" PRIu64, available >> 20,
	      total >> 20);
	if (c->level != CHECK_OK)
		remedy(c, "a box is given 512 MiB unless --memory says less");
}

static void check_data(struct check *c)
{
	char path[PATH_MAX];
	struct err e;
	autoclose int fd = where_data(path, &e);
	struct statvfs st;
	uint64_t room;

	if (fd < 0 || fstatvfs(fd, &st) < 0) {
		found(c, CHECK_FAIL, "%s", fd < 0 ? e.msg : strerror(errno));
		remedy(c, "set VIAL_DATADIR to a directory you can write to");
		return;
	}
	room = (uint64_t)st.f_bavail * st.f_frsize;
	found(c, room < DISK_WANTED ? CHECK_WARN : CHECK_OK,
	      "%" PRIu64 " MiB free in %.200s", room >> 20, path);
	if (c->level != CHECK_OK)
		remedy(c, "what boxes write goes there: make room, or set "
			  "VIAL_DATADIR");
}

static void check_runtime(struct check *c)
{
	struct err e;
	int fd = where_boxes(WHERE_BRIEF, &e);

	if (fd >= 0) {
		close(fd);
		found(c, CHECK_OK, "the directory of boxes is ours");
		return;
	}
	found(c, CHECK_FAIL, "%s", e.msg);
	remedy(c, "set XDG_RUNTIME_DIR or VIAL_RUNDIR to a directory of your "
		  "own");
}

size_t check_all(struct check out[CHECK_MAX])
{
	static const struct {
		const char *name;
		void (*run)(struct check *c);
	} checks[] = {
		{ "host", check_host },
		{ "device", check_device },
		{ "parts", check_parts },
		{ "kvm", check_kvm },
		{ "namespaces", check_namespaces },
		{ "memory", check_memory },
		{ "disk", check_data },
		{ "boxes", check_runtime },
		{ "network", check_network },
	};

	for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
		out[i] = (struct check){ .name = checks[i].name };
		checks[i].run(&out[i]);
	}
	return ARRAY_LEN(checks);
}
