/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/setup.h"

#include "agent/agent.h"
#include "agent/mount.h"
#include "agent/mounts.h"
#include "agent/net.h"
#include "agent/tune.h"
#include "base/auto.h"
#include "base/fd.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/random.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define ENTROPY_MAX 512

static int setup_entropy(const ProtobufCBinaryData *seed, struct err *e)
{
	union {
		struct rand_pool_info info;
		uint8_t room[sizeof(struct rand_pool_info) + ENTROPY_MAX];
	} u;
	size_t len = MIN(seed->len, (size_t)ENTROPY_MAX);
	autoclose int fd = -1;

	if (len == 0)
		return 0;
	fd = open("/dev/urandom", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "entropy");
	u.info.entropy_count = (int)len * 8;
	u.info.buf_size = (int)len;
	memcpy(u.room + sizeof(u.info), seed->data, len);
	if (ioctl(fd, RNDADDENTROPY, &u.info) < 0 ||
	    (ioctl(fd, RNDRESEEDCRNG) < 0 && errno != ENOTTY))
		return err_sys(e, "entropy");
	return 0;
}

static int setup_time(uint64_t ns, struct err *e)
{
	struct timespec ts = { .tv_sec = (time_t)(ns / 1000000000),
			       .tv_nsec = (long)(ns % 1000000000) };

	if (ns != 0 && clock_settime(CLOCK_REALTIME, &ts) < 0)
		return err_sys(e, "clock");
	return 0;
}

/* Only what is missing or empty: an image may have its own. Not having it is
 * no reason to refuse to run. */
static void setup_file(const char *path, const char *text)
{
	autoclose int fd = open(
		path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
		0644);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    st.st_size > 0)
		return;
	if (fd_write_full(fd, text, strlen(text)) < 0)
		log_warn("%s: could not be written", path);
}

static void setup_files(const char *hostname)
{
	char text[256];

	mkdir("/etc", 0755);
	snprintf(text, sizeof(text), "%s\n", hostname);
	setup_file("/etc/hostname", text);
	snprintf(text, sizeof(text),
		 "127.0.0.1\tlocalhost\n"
		 "::1\tlocalhost ip6-localhost ip6-loopback\n"
		 "127.0.1.1\t%s\n",
		 hostname);
	setup_file("/etc/hosts", text);
}

static int setup_root(const Vial__Agent__Setup *s, struct err *e)
{
	struct mount_root r = {
		.serial = s->root_serial,
		.fstype = s->root_fstype,
		.readonly = s->root_readonly,
		.shm_bytes = s->shm_bytes,
	};

	if (!*s->root_serial)
		return mount_system("", s->shm_bytes, e);
	return mount_root(&r, e);
}

static int setup_guest(struct agent *a, const Vial__Agent__Setup *s,
		       struct err *e)
{
	if (sethostname(a->hostname, strlen(a->hostname)) < 0)
		return err_sys(e, "hostname %s", a->hostname);
	if (setup_time(s->time_ns, e) < 0 ||
	    net_up(s->links, s->n_links, e) < 0)
		return -e->code;
	if (setup_entropy(&s->entropy, e) < 0)
		return -e->code;
	setup_files(a->hostname);
	cgroups_init(&a->cgroups, CGROUP_MOUNT);
	if (tune_hosts("/etc/hosts", s->hosts, s->n_hosts, e) < 0 ||
	    net_resolver("/etc/resolv.conf", s->resolver, e) < 0 ||
	    tune_sysctls("/proc/sys", s->sysctls, s->n_sysctls, e) < 0)
		return -e->code;
	return cgroups_limit_pids(&a->cgroups, s->pids_max, e);
}

int setup_apply(struct agent *a, const Vial__Agent__Setup *s,
		Vial__Agent__Failed__Kind *kind, struct err *e)
{
	*kind = VIAL__AGENT__FAILED__KIND__BAD_REQUEST;
	if (a->was_set_up)
		return err_set(e, EALREADY,
			       "the guest has been set up already");
	if (strlen(s->hostname) >= sizeof(a->hostname))
		return err_set(e, EINVAL, "hostname: longer than %zu bytes",
			       sizeof(a->hostname) - 1);
	if (*s->hostname)
		snprintf(a->hostname, sizeof(a->hostname), "%s", s->hostname);
	if (a->init) {
		*kind = VIAL__AGENT__FAILED__KIND__NO_ROOT;
		if (setup_root(s, e) < 0)
			return -e->code;
		*kind = VIAL__AGENT__FAILED__KIND__OTHER;
		if (setup_guest(a, s, e) < 0)
			return -e->code;
		if (mounts_apply(s->mounts, s->n_mounts, e) < 0)
			return -e->code;
		/* Last: all of the above may have files to make. */
		if (s->root_readonly && *s->root_serial &&
		    tune_root_readonly(e) < 0)
			return -e->code;
	}
	a->was_set_up = true;
	return 0;
}
