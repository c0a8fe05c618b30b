/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/procs.h"

#include "agent/proc.h"
#include "base/auto.h"
#include "proto/wire.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ARGS_MAX 4096
/* Numbers, tags and lengths of one entry, at most. */
#define ENTRY_BYTES 128
/* Room for the last entry, which counts what is left out. */
#define LIST_BYTES (WIRE_MAX - 4096)
#define NAMES 64

struct row {
	Vial__Agent__Process p;
	char user[64], comm[64], state[2], tty[16];
	char args[];
};

struct list {
	const struct user_files *users;
	Vial__Agent__Process **all;
	size_t n, room, bytes, left_out;
	uint64_t boot_us; /* CLOCK_REALTIME of the guest's start */
	struct {
		uid_t uid;
		char name[64];
	} names[NAMES];
	size_t nnames;
};

/* Looked up once for each user; past the table each time. */
static void list_user(struct list *l, uid_t uid, char *out, size_t room)
{
	for (size_t i = 0; i < l->nnames; i++) {
		if (l->names[i].uid != uid)
			continue;
		snprintf(out, room, "%s", l->names[i].name);
		return;
	}
	if (!user_name(l->users, uid, out, room))
		snprintf(out, room, "%" PRIu32, (uint32_t)uid);
	if (l->nnames == NAMES)
		return;
	l->names[l->nnames].uid = uid;
	snprintf(l->names[l->nnames].name, sizeof(l->names[0].name), "%s", out);
	l->nnames++;
}

/* Device numbers as Documentation/admin-guide/devices.txt has them; the kernel
 * prints the minor's upper bits above the major. */
static void row_tty(unsigned dev, char *out, size_t room)
{
	unsigned major_ = (dev >> 8) & 0xfff;
	unsigned minor_ = (dev & 0xff) | ((dev >> 12) & 0xfff00);

	if (major_ >= 136 && major_ <= 143)
		snprintf(out, room, "pts/%u", minor_ + (major_ - 136) * 256);
	else if (major_ == 4 && minor_ < 64)
		snprintf(out, room, "tty%u", minor_);
	else if (major_ == 4)
		snprintf(out, room, "ttyS%u", minor_ - 64);
	else if (major_ == 5 && minor_ == 1)
		snprintf(out, room, "console");
	else if (major_ == 229)
		snprintf(out, room, "hvc%u", minor_);
	else
		snprintf(out, room, "?");
}

static struct row *row_new(struct list *l, const struct proc *p)
{
	char args[ARGS_MAX + 1];
	struct row *r;

	/* As ps(1) has it: without arguments, the name in brackets. */
	if (!proc_text(p->pid, "cmdline", false, args, sizeof(args)) || !*args)
		snprintf(args, sizeof(args), "[%s]", p->comm);
	r = calloc(1, sizeof(*r) + strlen(args) + 1);
	if (!r)
		return NULL;
	vial__agent__process__init(&r->p);
	memcpy(r->args, args, strlen(args) + 1);
	list_user(l, p->uid, r->user, sizeof(r->user));
	snprintf(r->comm, sizeof(r->comm), "%s", p->comm);
	snprintf(r->state, sizeof(r->state), "%c", p->state);
	row_tty(p->tty, r->tty, sizeof(r->tty));
	r->p.pid = (uint32_t)p->pid;
	r->p.ppid = (uint32_t)p->ppid;
	r->p.uid = p->uid;
	/* Rounded: the two clocks are read one after the other. */
	r->p.start_s = (l->boot_us + p->start_us + 500000) / 1000000;
	r->p.cpu_us = p->cpu_us;
	r->p.rss_bytes = p->rss_bytes;
	r->p.vsz_bytes = p->vsz_bytes;
	return r;
}

static bool list_put(struct list *l, struct row *r)
{
	if (l->n == l->room) {
		size_t room = l->room ? 2 * l->room : 64;
		Vial__Agent__Process **all =
			realloc(l->all, room * sizeof(void *));

		if (!all)
			return false;
		l->all = all;
		l->room = room;
	}
	/* The strings lie beside the message, which never moves. */
	r->p.user = r->user;
	r->p.comm = r->comm;
	r->p.args = r->args;
	r->p.state = r->state;
	r->p.tty = r->tty;
	l->all[l->n++] = &r->p;
	return true;
}

static bool list_add(const struct proc *p, void *arg)
{
	struct list *l = arg;
	struct row *r;
	size_t bytes;

	if (p->kernel || p->pid == getpid())
		return true;
	if (l->left_out > 0) {
		l->left_out++;
		return true;
	}
	r = row_new(l, p);
	bytes = r ? ENTRY_BYTES + strlen(r->args) + strlen(r->comm) +
				strlen(r->user)
		  : 0;
	if (r && l->bytes + bytes <= LIST_BYTES && list_put(l, r)) {
		l->bytes += bytes;
		return true;
	}
	free(r);
	l->left_out = 1;
	return true;
}

static void list_note(struct list *l)
{
	struct row *r = l->left_out ? calloc(1, sizeof(*r) + 64) : NULL;

	if (!r)
		return;
	vial__agent__process__init(&r->p);
	snprintf(r->args, 64, "... %zu more", l->left_out);
	if (!list_put(l, r))
		free(r);
}

static uint64_t clock_us(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

void procs_send(struct reply to, const struct user_files *users)
{
	Vial__Agent__ProcessList m = VIAL__AGENT__PROCESS_LIST__INIT;
	struct list l = {
		.users = users,
		.boot_us = clock_us(CLOCK_REALTIME) - clock_us(CLOCK_BOOTTIME),
	};

	proc_each(list_add, &l);
	list_note(&l);
	m.processes = l.all;
	m.n_processes = l.n;
	event_processes(to, &m);
	for (size_t i = 0; i < l.n; i++)
		free(container_of(l.all[i], struct row, p));
	free(l.all);
}
