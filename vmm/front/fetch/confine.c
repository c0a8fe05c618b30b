/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch/confine.h"

#include "base/auto.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- files ---- */

/* Newer than Debian 12's headers: ABI 3. */
#define ACCESS_TRUNCATE (1ULL << 14)
#define ACCESS_ALL ((LANDLOCK_ACCESS_FS_REFER << 1) - 1)
#define ACCESS_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define ACCESS_STORE                                                           \
	(ACCESS_READ | LANDLOCK_ACCESS_FS_WRITE_FILE |                         \
	 LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG |        \
	 LANDLOCK_ACCESS_FS_REFER | ACCESS_TRUNCATE)

/* What resolving names and checking certificates reads. A link counts as what
 * it leads to. */
static const char *const readable[] = {
	"/dev/null",
	"/dev/urandom",
	"/etc/ca-certificates",
	"/etc/crypto-policies",
	"/etc/gai.conf",
	"/etc/host.conf",
	"/etc/hosts",
	"/etc/ld.so.cache",
	"/etc/localtime",
	"/etc/nsswitch.conf",
	"/etc/pki",
	"/etc/protocols",
	"/etc/resolv.conf",
	"/etc/services",
	"/etc/ssl",
	"/usr/lib/ssl",
	"/usr/share",
	"/usr/local/share/ca-certificates",
	"/var/lib/ca-certificates",
};

static int allow(int rules, const char *path, uint64_t access)
{
	autoclose int fd = path ? open(path, O_PATH | O_CLOEXEC) : -1;
	struct landlock_path_beneath_attr beneath = {
		.allowed_access = access,
		.parent_fd = fd,
	};
	struct stat st;

	/* What is not there is not needed. */
	if (fd < 0 || fstat(fd, &st) < 0)
		return 0;
	if (!S_ISDIR(st.st_mode))
		beneath.allowed_access &= LANDLOCK_ACCESS_FS_READ_FILE;
	return (int)syscall(SYS_landlock_add_rule, rules,
			    LANDLOCK_RULE_PATH_BENEATH, &beneath, 0);
}

static int close_files(const char *store, struct err *e)
{
	struct landlock_ruleset_attr attr = { .handled_access_fs = ACCESS_ALL };
	autoclose int rules = -1;
	uint64_t write = ACCESS_STORE;
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0,
			   LANDLOCK_CREATE_RULESET_VERSION);
	int r;

	/* The first version forbids all renaming between folders. */
	if (abi < 2)
		return 0;
	if (abi >= 3)
		attr.handled_access_fs |= ACCESS_TRUNCATE;
	write &= attr.handled_access_fs;
	rules = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr),
			     0);
	if (rules < 0)
		return err_sys(e, "landlock");
	r = allow(rules, store, write);
	for (size_t i = 0; r == 0 && i < ARRAY_LEN(readable); i++)
		r = allow(rules, readable[i], ACCESS_READ);
	/* libcrypto's own words for where authorities are. */
	if (r == 0)
		r = allow(rules, getenv("SSL_CERT_FILE"), ACCESS_READ);
	if (r == 0)
		r = allow(rules, getenv("SSL_CERT_DIR"), ACCESS_READ);
	if (r < 0 || syscall(SYS_landlock_restrict_self, rules, 0) < 0)
		return err_sys(e, "landlock");
	return 0;
}

/* ---- system calls ---- */

#define CALL(name) SCMP_SYS(name)

/* The C library, libcurl and libcrypto on top of it, and ours. What is not
 * here does not exist (ENOSYS), which libraries have another way for. */
static const int calls[] = {
	/* files */
	CALL(access),
	CALL(close),
	CALL(faccessat),
	CALL(faccessat2),
	CALL(fallocate),
	CALL(fcntl),
	CALL(fdatasync),
	CALL(flock),
	CALL(fstat),
	CALL(fsync),
	CALL(ftruncate),
	CALL(getcwd),
	CALL(getdents64),
	CALL(ioctl),
	CALL(lseek),
	CALL(lstat),
	CALL(newfstatat),
	CALL(open),
	CALL(openat),
	CALL(pread64),
	CALL(pwrite64),
	CALL(read),
	CALL(readlink),
	CALL(readlinkat),
	CALL(readv),
	CALL(rename),
	CALL(renameat),
	CALL(renameat2),
	CALL(stat),
	CALL(statx),
	CALL(unlink),
	CALL(unlinkat),
	CALL(write),
	CALL(writev),
	/* waiting */
	CALL(clock_gettime),
	CALL(clock_nanosleep),
	CALL(dup),
	CALL(dup2),
	CALL(dup3),
	CALL(epoll_create1),
	CALL(epoll_ctl),
	CALL(epoll_pwait),
	CALL(epoll_wait),
	CALL(eventfd2),
	CALL(gettimeofday),
	CALL(nanosleep),
	CALL(pipe),
	CALL(pipe2),
	CALL(poll),
	CALL(ppoll),
	CALL(pselect6),
	CALL(select),
	CALL(time),
	/* connections */
	CALL(bind),
	CALL(connect),
	CALL(getpeername),
	CALL(getsockname),
	CALL(getsockopt),
	CALL(recvfrom),
	CALL(recvmmsg),
	CALL(recvmsg),
	CALL(sendmmsg),
	CALL(sendmsg),
	CALL(sendto),
	CALL(setsockopt),
	CALL(shutdown),
	CALL(socketpair),
	/* memory, threads, signals to ourselves */
	CALL(brk),
	CALL(exit),
	CALL(exit_group),
	CALL(futex),
	CALL(getegid),
	CALL(geteuid),
	CALL(getgid),
	CALL(getpid),
	CALL(getrandom),
	CALL(getrlimit),
	CALL(gettid),
	CALL(getuid),
	CALL(madvise),
	CALL(membarrier),
	CALL(mremap),
	CALL(munmap),
	CALL(prlimit64),
	CALL(restart_syscall),
	CALL(rseq),
	CALL(rt_sigaction),
	CALL(rt_sigprocmask),
	CALL(rt_sigreturn),
	CALL(sched_getaffinity),
	CALL(sched_yield),
	CALL(set_robust_list),
	CALL(sigaltstack),
	CALL(sysinfo),
	CALL(uname),
};

static int only_if(scmp_filter_ctx ctx, int call, struct scmp_arg_cmp arg)
{
	return seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, call, 1, &arg);
}

#define IS(n, value) SCMP_CMP(n, SCMP_CMP_EQ, (scmp_datum_t)(value), 0)
#define WITHOUT(n, bits) SCMP_CMP(n, SCMP_CMP_MASKED_EQ, (bits), 0)
#define WITH(n, bits) SCMP_CMP(n, SCMP_CMP_MASKED_EQ, (bits), (bits))

static int add_all(scmp_filter_ctx ctx)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_LEN(calls); i++)
		/* Older calls do not exist on newer CPUs. */
		if (calls[i] >= 0)
			r = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW,
						   calls[i], 0, NULL);
	/* Netlink is how the C library learns which addresses there are. */
	if (r == 0)
		r = only_if(ctx, CALL(socket), IS(0, AF_INET));
	if (r == 0)
		r = only_if(ctx, CALL(socket), IS(0, AF_INET6));
	if (r == 0)
		r = only_if(ctx, CALL(socket), IS(0, AF_NETLINK));
	if (r == 0)
		r = only_if(ctx, CALL(mmap), WITHOUT(2, PROT_EXEC));
	if (r == 0)
		r = only_if(ctx, CALL(mprotect), WITHOUT(2, PROT_EXEC));
	/* Threads; no processes. clone3() hides its flags in memory. */
	if (r == 0)
		r = only_if(ctx, CALL(clone), WITH(0, CLONE_THREAD));
	if (r == 0)
		r = only_if(ctx, CALL(prctl), IS(0, PR_SET_NAME));
	/* A blob that is whole. */
	if (r == 0)
		r = only_if(ctx, CALL(fchmod), IS(1, 0400));
	if (r == 0)
		r = only_if(ctx, CALL(tgkill), IS(0, getpid()));
	return r;
}

static int close_calls(struct err *e)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	int r = ctx ? add_all(ctx) : -ENOMEM;

	if (r == 0)
		r = seccomp_load(ctx);
	seccomp_release(ctx);
	return r == 0 ? 0
		      : err_set(e, -r, "table of system calls: %s",
				strerror(-r));
}

int confine(const char *store, struct err *e)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_sys(e, "no_new_privs");
	/* No other process of the user reads logins out of this one. */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return err_sys(e, "not dumpable");
	return close_files(store, e) < 0 ? -e->code : close_calls(e);
}
