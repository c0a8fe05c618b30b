/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/file.h"

#include "agent/agent.h"
#include "agent/event.h"
#include "agent/tar.h"
#include "base/auto.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define FILES_MAX 64
/* Where the child finds its two descriptors. */
#define CHILD_STREAM 3
#define CHILD_VERDICT 4

struct file {
	uint64_t key;
	struct agent *agent;
	struct caller *owner;
	struct file *next;
	struct child child;
	struct timer timer; /* for the stream to come */
	int verdict;	    /* the child's result comes out here */
	bool put;
	struct tar_how how;
	char path[];
};

static void file_free(struct file *f)
{
	struct agent *a = f->agent;

	for (struct file **p = &a->files; *p; p = &(*p)->next) {
		if (*p != f)
			continue;
		*p = f->next;
		a->nfiles--;
		break;
	}
	if (f->child.pid > 0) {
		kill(f->child.pid, SIGKILL);
		reap_drop(&a->reap, &f->child);
	}
	if (f->verdict >= 0)
		close(f->verdict);
	timer_fini(&f->timer, &a->loop);
	free(f);
}

static void file_failed(struct file *f, Vial__Agent__Failed__Kind kind,
			const struct err *e)
{
	event_failed((struct reply){ &f->agent->callers, f->owner, f->key },
		     kind, f->put ? "put" : "get", e);
	file_free(f);
}

static void file_late(struct timer *t)
{
	struct file *f = container_of(t, struct file, timer);
	struct err e;

	err_set(&e, ETIMEDOUT, "no stream came for the archive");
	file_failed(f, VIAL__AGENT__FAILED__KIND__BAD_REQUEST, &e);
}

static void file_exited(struct child *c, int status, const struct rusage *ru)
{
	struct file *f = container_of(c, struct file, child);
	struct tar_result r;
	struct err e;

	(void)ru;
	if (fd_read_full(f->verdict, &r, sizeof(r)) != sizeof(r)) {
		err_set(&e, EIO, "the process that read the archive died (%s)",
			WIFSIGNALED(status) ? strsignal(WTERMSIG(status))
					    : "no result");
		file_failed(f, VIAL__AGENT__FAILED__KIND__ARCHIVE, &e);
		return;
	}
	if (r.fault != TAR_FINE) {
		file_failed(f,
			    r.fault == TAR_PATH
				    ? VIAL__AGENT__FAILED__KIND__NO_PATH
				    : VIAL__AGENT__FAILED__KIND__ARCHIVE,
			    &r.err);
		return;
	}
	event_tar_done((struct reply){ &f->agent->callers, f->owner, f->key },
		       r.entries, r.bytes);
	file_free(f);
}

/* Never returns. Nothing of the agent's may stay open here: a pipe of some job
 * would not come to its end. */
static void file_child(const struct file *f, int stream, int verdict,
		       const void *early, size_t len)
{
	struct tar_result r;

	/* Out of the way first, so that neither is overwritten. */
	stream = fcntl(stream, F_DUPFD, CHILD_VERDICT + 1);
	verdict = fcntl(verdict, F_DUPFD, CHILD_VERDICT + 1);
	dup2(stream, CHILD_STREAM);
	dup2(verdict, CHILD_VERDICT);
	syscall(SYS_close_range, CHILD_VERDICT + 1, ~0U, 0);
	fd_set_nonblock(CHILD_STREAM, false);
	/* Names in archives are UTF-8; this locale is built in. */
	setlocale(LC_CTYPE, "C.UTF-8");
	if (f->put)
		tar_put(CHILD_STREAM, early, len, f->path, &f->how, &r);
	else
		tar_get(CHILD_STREAM, f->path, &f->how, &r);
	fd_write_full(CHILD_VERDICT, &r, sizeof(r));
	_exit(0);
}

bool file_attach(struct file *f, int fd, const void *early, size_t len)
{
	int p[2];
	struct err e;
	pid_t pid;

	if (f->child.pid > 0)
		return false;
	if (pipe2(p, O_CLOEXEC) < 0) {
		err_sys(&e, "pipe");
		file_failed(f, VIAL__AGENT__FAILED__KIND__OTHER, &e);
		return false;
	}
	f->verdict = p[0];
	pid = fork();
	if (pid == 0)
		file_child(f, fd, p[1], early, len);
	close(p[1]);
	if (pid < 0) {
		err_sys(&e, "fork");
		file_failed(f, VIAL__AGENT__FAILED__KIND__OTHER, &e);
		return false;
	}
	close(fd);
	timer_fini(&f->timer, &f->agent->loop);
	f->child = (struct child){ .pid = pid, .exited = file_exited };
	reap_add(&f->agent->reap, &f->child);
	return true;
}

struct file *file_find(const struct agent *a, uint64_t key)
{
	for (struct file *f = a->files; f; f = f->next)
		if (f->key == key)
			return f;
	return NULL;
}

static struct file *file_new(struct agent *a, struct caller *owner,
			     uint64_t key, const char *path,
			     const struct tar_how *how, bool put)
{
	size_t len = strlen(path) + 1;
	struct file *f;

	if (a->nfiles >= FILES_MAX)
		return NULL;
	f = calloc(1, sizeof(*f) + len);
	if (!f)
		return NULL;
	f->key = key;
	f->agent = a;
	f->owner = owner;
	f->verdict = -1;
	f->put = put;
	f->how = *how;
	memcpy(f->path, path, len);
	f->next = a->files;
	a->files = f;
	a->nfiles++;
	return f;
}

static void file_refused(struct agent *a, struct caller *owner, uint64_t key,
			 Vial__Agent__Failed__Kind kind, bool put,
			 const struct err *e)
{
	event_failed((struct reply){ &a->callers, owner, key }, kind,
		     put ? "put" : "get", e);
	callers_drop_key(&a->callers, key);
}

static void file_start(struct agent *a, struct caller *owner, uint64_t key,
		       const char *path, const struct tar_how *how, bool put)
{
	struct caller *stream = caller_find(&a->callers, key, CALLER_TAR);
	struct file *f = NULL;
	struct err e;

	if (file_find(a, key))
		err_set(&e, EEXIST, "this key is in use");
	else if (*path != '/')
		err_set(&e, EINVAL, "path \"%s\" is not absolute", path);
	else if (!(f = file_new(a, owner, key, path, how, put)))
		err_set(&e, EAGAIN, "too many archives at once");
	if (!f) {
		file_refused(a, owner, key,
			     VIAL__AGENT__FAILED__KIND__BAD_REQUEST, put, &e);
		return;
	}
	if (stream) {
		int fd = caller_take_fd(&a->callers, stream);

		if (!file_attach(f, fd, buf_head(&stream->chan.in),
				 buf_len(&stream->chan.in)))
			close(fd);
		caller_free(&a->callers, stream);
		return;
	}
	if (timer_init(&f->timer, &a->loop, "archive", file_late, &e) < 0)
		file_failed(f, VIAL__AGENT__FAILED__KIND__OTHER, &e);
	else
		timer_set(&f->timer, CALLER_WAIT_MS);
}

static int file_owner(const struct agent *a, const char *who,
		      struct tar_how *how, struct err *e)
{
	struct user u;
	int r = user_lookup(&a->users, who, NULL, 0, &u, e);

	if (r < 0)
		return r;
	if (!a->can_set_ids && u.uid != geteuid())
		return err_set(e, EPERM, "the agent cannot give to user %.64s",
			       who);
	how->set_owner = true;
	how->uid = u.uid;
	how->gid = u.gid;
	return 0;
}

void file_put(struct agent *a, struct caller *owner,
	      const Vial__Agent__PutTar *q)
{
	struct tar_how how = { .no_overwrite_dir = q->no_overwrite_dir };
	struct err e;

	if (*q->user && file_owner(a, q->user, &how, &e) < 0)
		file_refused(a, owner, q->key,
			     VIAL__AGENT__FAILED__KIND__BAD_USER, true, &e);
	else
		file_start(a, owner, q->key, q->path, &how, true);
}

void file_get(struct agent *a, struct caller *owner,
	      const Vial__Agent__GetTar *q)
{
	const struct tar_how how = { .follow = q->follow };

	file_start(a, owner, q->key, q->path, &how, false);
}

void files_disowned(struct agent *a, const struct caller *c)
{
	struct file *next;

	for (struct file *f = a->files; f; f = next) {
		next = f->next;
		if (f->owner == c)
			file_free(f);
	}
}

void files_close(struct agent *a)
{
	while (a->files)
		file_free(a->files);
}
