/* SPDX-License-Identifier: Apache-2.0 */
#include "jail/caps.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The kernel's calls, not libcap-ng's: that library opens files under /proc
 * before main(), in every process it is linked into. */
struct caps {
	struct __user_cap_header_struct head;
	struct __user_cap_data_struct set[_LINUX_CAPABILITY_U32S_3];
};

static void caps_init(struct caps *c)
{
	memset(c, 0, sizeof(*c));
	c->head.version = _LINUX_CAPABILITY_VERSION_3;
}

bool caps_have(unsigned cap)
{
	struct caps c;

	caps_init(&c);
	if (syscall(SYS_capget, &c.head, c.set) < 0)
		return false;
	return c.set[CAP_TO_INDEX(cap)].effective & CAP_TO_MASK(cap);
}

int caps_bound(struct err *e)
{
	const unsigned long bits = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED |
				   SECBIT_NO_SETUID_FIXUP_LOCKED |
				   SECBIT_KEEP_CAPS_LOCKED |
				   SECBIT_NO_CAP_AMBIENT_RAISE |
				   SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;

	if (prctl(PR_SET_SECUREBITS, bits) < 0)
		return err_sys(e, "lock securebits");
	/* One that the kernel does not know ends the walk. */
	for (unsigned long cap = 0; cap < 64; cap++) {
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0)
			continue;
		if (errno == EINVAL && cap > 0)
			break;
		return err_sys(e, "drop capability %lu", cap);
	}
	return 0;
}

int caps_drop(struct err *e)
{
	const struct rlimit none = { 0, 0 };
	struct caps c;

	caps_init(&c);
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return err_sys(e, "clear ambient capabilities");
	if (syscall(SYS_capset, &c.head, c.set) < 0)
		return err_sys(e, "drop capabilities");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_sys(e, "no_new_privs");
	/* Guest memory must not land in a file, nor be read by a process of
	 * the same user: another monitor is one. */
	if (setrlimit(RLIMIT_CORE, &none) < 0)
		return err_sys(e, "RLIMIT_CORE");
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return err_sys(e, "PR_SET_DUMPABLE");
	return 0;
}
