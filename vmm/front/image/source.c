/* SPDX-License-Identifier: Apache-2.0 */
#include "image/source.h"

#include "base/auto.h"
#include "base/fd.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define DECODER_RAM   (512u << 20)
#define DECODER_BLOCK (256u << 10)

#if defined(VIAL_TEST) || defined(VIAL_FUZZ)
#define UNLIMITED true
#else
#define UNLIMITED false
#endif

/* ---- in the child ---- */

struct decoder {
	int in;
	const struct source *s;
	bool head_done;
	char *buf;
};

static la_ssize_t from_fd(struct archive *a, void *ctx, const void **block)
{
	struct decoder *d = ctx;
	ssize_t n;

	if (!d->head_done) {
		d->head_done = true;
		*block = d->s->head;
		return (la_ssize_t)d->s->nhead;
	}
	do
		n = read(d->in, d->buf, DECODER_BLOCK);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		archive_set_error(a, errno, "read: %s", strerror(errno));
	*block = d->buf;
	return n;
}

/* Reads, writes, gets memory and ends. */
#define ALLOW(nr)                                                              \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (nr), 0, 1),                       \
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

static int close_in(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, VIAL_AUDIT_ARCH, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		ALLOW(SYS_read),
		ALLOW(SYS_write),
		ALLOW(SYS_brk),
		ALLOW(SYS_mmap),
		ALLOW(SYS_munmap),
		ALLOW(SYS_mremap),
		ALLOW(SYS_madvise),
		ALLOW(SYS_exit_group),
		ALLOW(SYS_rt_sigreturn),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
	struct sock_fprog prog = { ARRAY_LEN(code), code };
	struct rlimit ram = { DECODER_RAM, DECODER_RAM };

	/* The sanitizers map terabytes. */
	if (!UNLIMITED && setrlimit(RLIMIT_AS, &ram) < 0)
		return -errno;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) < 0)
		return -errno;
	return 0;
}

static struct archive *reader(void)
{
	struct archive *a = archive_read_new();

	if (!a)
		return NULL;
	archive_read_support_filter_gzip(a);
	archive_read_support_filter_zstd(a);
	archive_read_support_filter_xz(a);
	archive_read_support_filter_bzip2(a);
	archive_read_support_format_raw(a);
	return a;
}

static int copy(struct archive *a, int out)
{
	const void *block;
	la_int64_t off;
	size_t len;
	int r;

	while ((r = archive_read_data_block(a, &block, &len, &off)) ==
	       ARCHIVE_OK)
		if (fd_write_full(out, block, len) < 0)
			return 1;
	return r == ARCHIVE_EOF ? 0 : 2;
}

static int decode(const struct source *s, int in, int out)
{
	struct decoder d = { .in = in, .s = s };
	struct archive *a = reader();
	struct archive_entry *entry;

	d.buf = malloc(DECODER_BLOCK);
	if (!a || !d.buf || close_in() < 0)
		return 3;
	if (archive_read_open(a, &d, NULL, from_fd, NULL) < ARCHIVE_WARN ||
	    archive_read_next_header(a, &entry) < ARCHIVE_WARN)
		return 2;
	return copy(a, out);
}

/* Only the two that it needs: the store's locks are not its business. */
static void keep_only(int in, int out)
{
	if (in > 2)
		dup2(in, 0);
	if (out != 1)
		dup2(out, 1);
	close(2);
	syscall(SYS_close_range, 3u, ~0u, 0u);
}

/* ---- in the parent ---- */

static bool is_packed(const struct source *s)
{
	static const struct {
		const char *bytes;
		size_t len;
	} magics[] = {
		{ "\x1f\x8b", 2 },
		{ "\x28\xb5\x2f\xfd", 4 },
		{ "\xfd"
		  "7zXZ",
		  5 },
		{ "BZh", 3 },
	};

	for (size_t i = 0; i < ARRAY_LEN(magics); i++)
		if (s->nhead >= magics[i].len &&
		    memcmp(s->head, magics[i].bytes, magics[i].len) == 0)
			return true;
	return false;
}

static int start_decoder(struct source *s, struct err *e)
{
	int p[2];
	pid_t pid;

	if (pipe2(p, O_CLOEXEC) < 0)
		return err_sys(e, "pipe");
	(void)fcntl(p[1], F_SETPIPE_SZ, 1 << 20);
	pid = fork();
	if (pid < 0) {
		err_sys(e, "start the decoder");
		close(p[0]);
		close(p[1]);
		return -e->code;
	}
	if (pid == 0) {
		signal(SIGPIPE, SIG_DFL);
		keep_only(s->fd, p[1]);
		_exit(decode(s, 0, 1));
	}
	close(p[1]);
	close(s->fd);
	s->fd = p[0];
	s->child = pid;
	s->nhead = 0;
	return 0;
}

int source_open(struct source *s, int fd, struct err *e)
{
	ssize_t n;

	*s = (struct source){ .fd = fd };
	n = fd_read_full(fd, s->head, sizeof(s->head));
	if (n < 0) {
		err_set(e, (int)-n, "read: %s", strerror((int)-n));
	} else {
		s->nhead = (size_t)n;
		if (!is_packed(s) || start_decoder(s, e) == 0)
			return 0;
	}
	source_close(s);
	return -e->code;
}

static int how_it_went(struct source *s, struct err *e)
{
	int status = 0;

	if (s->child == 0)
		return 0;
	while (waitpid(s->child, &status, 0) < 0 && errno == EINTR)
		;
	s->child = 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 3)
		return err_set(e, EPERM, "the decoder cannot be confined");
	return err_set(e, EBADMSG, "its compression is damaged");
}

ssize_t source_read(void *source, void *buf, size_t len, struct err *e)
{
	struct source *s = source;
	ssize_t n;

	if (s->taken < s->nhead) {
		len = MIN(len, s->nhead - s->taken);
		memcpy(buf, s->head + s->taken, len);
		s->taken += len;
		return (ssize_t)len;
	}
	do
		n = read(s->fd, buf, len);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(e, "read");
	return n == 0 && len > 0 ? how_it_went(s, e) : n;
}

void source_close(struct source *s)
{
	auto_close_(&s->fd);
	s->fd = -1;
	if (s->child > 0) {
		kill(s->child, SIGKILL);
		while (waitpid(s->child, NULL, 0) < 0 && errno == EINTR)
			;
	}
	s->child = 0;
}
