/* SPDX-License-Identifier: Apache-2.0 */
#include "net/seal.h"

#include "base/auto.h"

#include <errno.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Everything that the first version knows; no rule allows any of it. */
#define FILES ((LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1)

static int no_files(int folder, struct err *e)
{
	const struct landlock_ruleset_attr all = { .handled_access_fs = FILES };
	const struct landlock_path_beneath_attr below = {
		.allowed_access = LANDLOCK_ACCESS_FS_REMOVE_FILE,
		.parent_fd = folder,
	};
	autoclose int fd =
		(int)syscall(SYS_landlock_create_ruleset, &all, sizeof(all), 0);

	if (fd < 0 && (errno == ENOSYS || errno == EOPNOTSUPP))
		return 0;
	if (fd < 0 ||
	    (folder >= 0 && syscall(SYS_landlock_add_rule, fd,
				    LANDLOCK_RULE_PATH_BENEATH, &below, 0) < 0))
		return err_sys(e, "landlock");
	if (syscall(SYS_landlock_restrict_self, fd, 0) < 0)
		return err_sys(e, "landlock");
	return 0;
}

static int no_calls(struct err *e)
{
	static const int refused[] = {
		SCMP_SYS(execve),
		SCMP_SYS(execveat),
		SCMP_SYS(fork),
		SCMP_SYS(vfork),
		SCMP_SYS(clone),
		SCMP_SYS(clone3),
		SCMP_SYS(ptrace),
		SCMP_SYS(process_vm_readv),
		SCMP_SYS(process_vm_writev),
		SCMP_SYS(pidfd_getfd),
		SCMP_SYS(unshare),
		SCMP_SYS(setns),
		SCMP_SYS(mount),
		SCMP_SYS(umount2),
		SCMP_SYS(pivot_root),
		SCMP_SYS(chroot),
		SCMP_SYS(move_mount),
		SCMP_SYS(open_tree),
		SCMP_SYS(fsopen),
		SCMP_SYS(open_by_handle_at),
		SCMP_SYS(bpf),
		SCMP_SYS(perf_event_open),
		SCMP_SYS(userfaultfd),
		SCMP_SYS(io_uring_setup),
		SCMP_SYS(keyctl),
		SCMP_SYS(add_key),
		SCMP_SYS(init_module),
		SCMP_SYS(finit_module),
		SCMP_SYS(kexec_load),
		SCMP_SYS(personality),
		SCMP_SYS(setuid),
		SCMP_SYS(setresuid),
	};
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	int r = ctx ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < ARRAY_LEN(refused); i++)
		r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), refused[i], 0);
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM),
				     SCMP_SYS(socket), 1,
				     SCMP_A0(SCMP_CMP_EQ, AF_UNIX, 0));
	if (r == 0)
		r = seccomp_load(ctx);
	if (ctx)
		seccomp_release(ctx);
	return r < 0 ? err_set(e, -r, "system calls: %s", strerror(-r)) : 0;
}

int seal(int folder, struct err *e)
{
	return no_files(folder, e) < 0 ? -e->code : no_calls(e);
}
