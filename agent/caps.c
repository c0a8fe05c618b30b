/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/caps.h"

#include "base/auto.h"

#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BIT(n)	 (UINT64_C(1) << (n))
#define CAPS_ALL UINT64_MAX

/* Own table: the library's brings parsers with it that the agent has not. */
static const char *const names[] = {
	[CAP_CHOWN] = "CHOWN",
	[CAP_DAC_OVERRIDE] = "DAC_OVERRIDE",
	[CAP_DAC_READ_SEARCH] = "DAC_READ_SEARCH",
	[CAP_FOWNER] = "FOWNER",
	[CAP_FSETID] = "FSETID",
	[CAP_KILL] = "KILL",
	[CAP_SETGID] = "SETGID",
	[CAP_SETUID] = "SETUID",
	[CAP_SETPCAP] = "SETPCAP",
	[CAP_LINUX_IMMUTABLE] = "LINUX_IMMUTABLE",
	[CAP_NET_BIND_SERVICE] = "NET_BIND_SERVICE",
	[CAP_NET_BROADCAST] = "NET_BROADCAST",
	[CAP_NET_ADMIN] = "NET_ADMIN",
	[CAP_NET_RAW] = "NET_RAW",
	[CAP_IPC_LOCK] = "IPC_LOCK",
	[CAP_IPC_OWNER] = "IPC_OWNER",
	[CAP_SYS_MODULE] = "SYS_MODULE",
	[CAP_SYS_RAWIO] = "SYS_RAWIO",
	[CAP_SYS_CHROOT] = "SYS_CHROOT",
	[CAP_SYS_PTRACE] = "SYS_PTRACE",
	[CAP_SYS_PACCT] = "SYS_PACCT",
	[CAP_SYS_ADMIN] = "SYS_ADMIN",
	[CAP_SYS_BOOT] = "SYS_BOOT",
	[CAP_SYS_NICE] = "SYS_NICE",
	[CAP_SYS_RESOURCE] = "SYS_RESOURCE",
	[CAP_SYS_TIME] = "SYS_TIME",
	[CAP_SYS_TTY_CONFIG] = "SYS_TTY_CONFIG",
	[CAP_MKNOD] = "MKNOD",
	[CAP_LEASE] = "LEASE",
	[CAP_AUDIT_WRITE] = "AUDIT_WRITE",
	[CAP_AUDIT_CONTROL] = "AUDIT_CONTROL",
	[CAP_SETFCAP] = "SETFCAP",
	[CAP_MAC_OVERRIDE] = "MAC_OVERRIDE",
	[CAP_MAC_ADMIN] = "MAC_ADMIN",
	[CAP_SYSLOG] = "SYSLOG",
	[CAP_WAKE_ALARM] = "WAKE_ALARM",
	[CAP_BLOCK_SUSPEND] = "BLOCK_SUSPEND",
	[CAP_AUDIT_READ] = "AUDIT_READ",
	[CAP_PERFMON] = "PERFMON",
	[CAP_BPF] = "BPF",
	[CAP_CHECKPOINT_RESTORE] = "CHECKPOINT_RESTORE",
};
_Static_assert(ARRAY_LEN(names) == CAP_LAST_CAP + 1, "a name is missing");

static const uint64_t docker_set =
	BIT(CAP_CHOWN) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_FSETID) |
	BIT(CAP_FOWNER) | BIT(CAP_MKNOD) | BIT(CAP_NET_RAW) | BIT(CAP_SETGID) |
	BIT(CAP_SETUID) | BIT(CAP_SETFCAP) | BIT(CAP_SETPCAP) |
	BIT(CAP_NET_BIND_SERVICE) | BIT(CAP_SYS_CHROOT) | BIT(CAP_KILL) |
	BIT(CAP_AUDIT_WRITE);

/* With or without CAP_, in any case. */
static int caps_named(const char *name, uint64_t *bit, struct err *e)
{
	const char *plain = name;

	if (strncasecmp(plain, "CAP_", 4) == 0)
		plain += 4;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strcasecmp(names[i], plain) != 0)
			continue;
		*bit = BIT(i);
		return 0;
	}
	return err_set(e, EINVAL,
		       "capability \"%.64s\": unknown (see capabilities(7))",
		       name);
}

static int caps_list(char *const *list, size_t n, bool *all, uint64_t *mask,
		     struct err *e)
{
	*all = false;
	*mask = 0;
	for (size_t i = 0; i < n; i++) {
		uint64_t bit = 0;

		if (strcasecmp(list[i], "ALL") == 0)
			*all = true;
		else if (caps_named(list[i], &bit, e) < 0)
			return -e->code;
		*mask |= bit;
	}
	return 0;
}

int caps_choose(struct caps *c, const Vial__Agent__Exec *x, struct err *e)
{
	uint64_t add, drop, base = x->default_caps ? docker_set : CAPS_ALL;
	bool add_all, drop_all;

	/* Names are checked also where they change nothing. */
	if (caps_list(x->cap_add, x->n_cap_add, &add_all, &add, e) < 0 ||
	    caps_list(x->cap_drop, x->n_cap_drop, &drop_all, &drop, e) < 0)
		return -e->code;
	c->no_new_privs = x->no_new_privs;
	if (add_all)
		c->mask = CAPS_ALL & ~drop;
	else if (drop_all)
		c->mask = add;
	else
		c->mask = (base & ~drop) | add;
	if (x->privileged)
		c->mask = CAPS_ALL;
	c->limit = c->mask != CAPS_ALL;
	return 0;
}

bool caps_lower(const struct caps *c)
{
	if (!c->limit)
		return true;
	/* Up to the last that the kernel knows, which may be more than we do:
	 * what has no name here is dropped too. */
	for (unsigned cap = 0; cap < 64; cap++) {
		int has = prctl(PR_CAPBSET_READ, cap, 0, 0, 0);

		if (has < 0)
			break;
		if (has && !(c->mask & BIT(cap)) &&
		    prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			return false;
	}
	return true;
}

bool caps_take(const struct caps *c, bool root)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2] = { 0 };
	uint64_t mask = 0;

	if (c->limit) {
		/* What it may not have is gone from the bound already; asking
		 * for more than the agent has would be refused. */
		if (root && syscall(SYS_capget, &head, data) < 0)
			return false;
		mask = (data[0].permitted |
			((uint64_t)data[1].permitted << 32)) &
		       c->mask;
		for (int i = 0; i < 2; i++) {
			data[i].permitted = (uint32_t)(mask >> (32 * i));
			data[i].effective = data[i].permitted;
			data[i].inheritable = 0;
		}
		prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
		if (syscall(SYS_capset, &head, data) < 0)
			return false;
	}
	return !c->no_new_privs || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}
