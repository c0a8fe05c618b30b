/* SPDX-License-Identifier: Apache-2.0 */
/* fake.c - an agent that breaks the rules, /init of an initramfs of its own.
 *
 * The word fake=... of the kernel command line says how:
 *
 *   noready   never says that it is there
 *   silent    takes connections and says nothing
 *   close     takes connections and closes them
 *   garbage   answers with noise
 *   huge      announces a frame of 4 GiB
 *   cut       closes inside a frame
 *   early     tells the end of a command before there is one
 *   chatter   sends events that mean nothing, for ever
 *   vanish    says that the command started, and powers off
 *   lie       ends the command, but keeps its streams open
 *   tar       plays by the rules until it is asked for an archive: for
 *             /NAME/out it gives the one called NAME in tars[] */
#include "base/fd.h"
#include "proto/agent.pb-c.h"
#include "proto/chan.h"
#include "proto/ports.h"

#include <linux/vm_sockets.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *mode = "";

static bool is(const char *name)
{
	return strcmp(mode, name) == 0;
}

/* ---- archives ---- */

#define BLOCK 512

struct entry {
	const char *name;
	char type;	  /* '0' file, '2' link, '1' hard link, '3' device... */
	const char *link; /* or NULL */
	const char *text; /* of a file, or NULL */
	unsigned mode, claims; /* claims: a size that is not true */
};

#define MOST 4

static const struct tar {
	const char *name;
	struct entry entry[MOST];
} tars[] = {
	{ "good",
	  { { "out/", '5', NULL, NULL, 0755, 0 },
	    { "out/f", '0', NULL, "fine\n", 0644, 0 } } },
	{ "up", { { "out/../../escaped", '0', NULL, "bad\n", 0644, 0 } } },
	{ "dots", { { "../escaped", '0', NULL, "bad\n", 0644, 0 } } },
	{ "abs", { { "/tmp/vial-escaped", '0', NULL, "bad\n", 0644, 0 } } },
	{ "other", { { "escaped", '0', NULL, "bad\n", 0644, 0 } } },
	{ "link",
	  { { "out/", '5', NULL, NULL, 0755, 0 },
	    { "out/l", '2', "../..", NULL, 0777, 0 },
	    { "out/l/escaped", '0', NULL, "bad\n", 0644, 0 } } },
	{ "swap",
	  { { "out", '2', "..", NULL, 0777, 0 },
	    { "out/escaped", '0', NULL, "bad\n", 0644, 0 } } },
	{ "chain",
	  { { "out/", '5', NULL, NULL, 0755, 0 },
	    { "out/a", '2', ".", NULL, 0777, 0 },
	    { "out/b", '2', "a/..", NULL, 0777, 0 },
	    { "out/b/escaped", '0', NULL, "bad\n", 0644, 0 } } },
	{ "hard",
	  { { "out/", '5', NULL, NULL, 0755, 0 },
	    { "out/h", '1', "../victim", NULL, 0644, 0 } } },
	{ "hardabs",
	  { { "out/", '5', NULL, NULL, 0755, 0 },
	    { "out/h", '1', "/etc/passwd", NULL, 0644, 0 } } },
	{ "suid",
	  { { "out/", '5', NULL, NULL, 0755, 0 },
	    { "out/s", '0', NULL, "#!/bin/sh\n", 06755, 0 } } },
	{ "dev",
	  { { "out/", '5', NULL, NULL, 0755, 0 },
	    { "out/null", '3', NULL, NULL, 0666, 0 },
	    { "out/pipe", '6', NULL, NULL, 0666, 0 } } },
	{ "short",
	  { { "out/", '5', NULL, NULL, 0755, 0 },
	    { "out/f", '0', NULL, "less\n", 0644, 1 << 20 } } },
};

/* The ustar header of one entry. */
static void tar_head(char *h, const struct entry *x, size_t size)
{
	unsigned sum = 0;

	memset(h, 0, BLOCK);
	snprintf(h, 100, "%s", x->name);
	snprintf(h + 100, 8, "%07o", x->mode);
	snprintf(h + 108, 8, "%07o", 0);
	snprintf(h + 116, 8, "%07o", 0);
	if (x->claims)
		size = x->claims;
	/* Eleven digits are what the field has. */
	snprintf(h + 124, 12, "%011zo", size & 077777777777);
	snprintf(h + 136, 12, "%011o", 1700000000);
	memset(h + 148, ' ', 8);
	h[156] = x->type;
	if (x->link)
		snprintf(h + 157, 100, "%s", x->link);
	memcpy(h + 257, "ustar", 6);
	memcpy(h + 263, "00", 2);
	snprintf(h + 329, 8, "%07o", 1);
	snprintf(h + 337, 8, "%07o", 3);
	for (int i = 0; i < BLOCK; i++)
		sum += (unsigned char)h[i];
	snprintf(h + 148, 7, "%06o", sum);
}

static void tar_send(int fd, const struct tar *t)
{
	static const char end[2 * BLOCK];
	bool whole = true;

	for (int i = 0; i < MOST && t->entry[i].name; i++) {
		const struct entry *x = &t->entry[i];
		size_t size = x->text ? strlen(x->text) : 0;
		char block[BLOCK];

		tar_head(block, x, size);
		fd_write_full(fd, block, BLOCK);
		if (size > 0) {
			memset(block, 0, BLOCK);
			memcpy(block, x->text, size);
			fd_write_full(fd, block, BLOCK);
		}
		whole &= !x->claims;
	}
	if (whole)
		fd_write_full(fd, end, sizeof(end));
}

static void noise_send(int fd, size_t bytes)
{
	uint64_t s = 88172645463325252ull, chunk[512];

	for (; bytes > sizeof(chunk); bytes -= sizeof(chunk)) {
		for (int i = 0; i < 512; i++) {
			s ^= s << 13;
			s ^= s >> 7;
			s ^= s << 17;
			chunk[i] = s;
		}
		if (fd_write_full(fd, chunk, sizeof(chunk)) < 0)
			return;
	}
}

/* Which archive was asked for under which key: the control connection's
 * process writes it, those of the streams wait for it. */
static struct ask {
	uint64_t key;
	char name[32];
} * asks;

#define ASKS_MAX 64

static void ask_add(uint64_t key, const char *path)
{
	struct ask *a = asks;

	while (a->name[0] && a < asks + ASKS_MAX - 1)
		a++;
	a->key = key;
	/* "/NAME/out" */
	snprintf(a->name, sizeof(a->name), "%.*s", (int)strcspn(path + 1, "/"),
		 path + 1);
}

static const char *ask_find(uint64_t key)
{
	for (;;) {
		for (struct ask *a = asks; a < asks + ASKS_MAX; a++)
			if (a->key == key && a->name[0])
				return a->name;
		usleep(10000);
	}
}

static void archive(int fd, const char *name)
{
	for (size_t i = 0; i < sizeof(tars) / sizeof(*tars); i++)
		if (strcmp(name, tars[i].name) == 0)
			tar_send(fd, &tars[i]);
	if (strcmp(name, "noise") == 0)
		noise_send(fd, 100000);
}

static void stream(int fd, const Vial__Agent__Stream *s)
{
	char buf[4096];

	if (s->which == VIAL__AGENT__STREAM__WHICH__TAR)
		archive(fd, ask_find(s->key));
	while (is("lie"))
		pause();
	shutdown(fd, SHUT_WR);
	while (read(fd, buf, sizeof(buf)) > 0)
		;
}

/* ---- the control connection ---- */

static void send_event(struct chan *c, Vial__Agent__Event *ev)
{
	if (chan_send(c, &ev->base) < 0)
		exit(0);
}

static void send_hello(struct chan *c)
{
	Vial__Agent__Hello h = VIAL__AGENT__HELLO__INIT;
	Vial__Agent__Event ev = VIAL__AGENT__EVENT__INIT;
	char version[] = "fake";

	h.generation = 1;
	h.version = version;
	ev.ev_case = VIAL__AGENT__EVENT__EV_HELLO;
	ev.hello = &h;
	send_event(c, &ev);
}

static void send_setup_done(struct chan *c)
{
	Vial__Agent__SetupDone d = VIAL__AGENT__SETUP_DONE__INIT;
	Vial__Agent__Event ev = VIAL__AGENT__EVENT__INIT;

	ev.ev_case = VIAL__AGENT__EVENT__EV_SETUP_DONE;
	ev.setup_done = &d;
	send_event(c, &ev);
}

static void send_exited(struct chan *c, uint64_t key)
{
	Vial__Agent__Started s = VIAL__AGENT__STARTED__INIT;
	Vial__Agent__Exited x = VIAL__AGENT__EXITED__INIT;
	Vial__Agent__Event ev = VIAL__AGENT__EVENT__INIT;

	s.key = x.key = key;
	ev.ev_case = VIAL__AGENT__EVENT__EV_STARTED;
	ev.started = &s;
	send_event(c, &ev);
	if (is("vanish"))
		reboot(RB_POWER_OFF);
	ev.ev_case = VIAL__AGENT__EVENT__EV_EXITED;
	ev.exited = &x;
	send_event(c, &ev);
}

static void send_tar_done(struct chan *c, uint64_t key)
{
	Vial__Agent__TarDone d = VIAL__AGENT__TAR_DONE__INIT;
	Vial__Agent__Event ev = VIAL__AGENT__EVENT__INIT;

	d.key = key;
	ev.ev_case = VIAL__AGENT__EVENT__EV_TAR_DONE;
	ev.tar_done = &d;
	send_event(c, &ev);
}

static void answer(struct chan *c, const Vial__Agent__Request *q)
{
	switch (q->op_case) {
	case VIAL__AGENT__REQUEST__OP_HELLO:
		send_hello(c);
		break;
	case VIAL__AGENT__REQUEST__OP_SETUP:
		send_setup_done(c);
		break;
	case VIAL__AGENT__REQUEST__OP_EXEC:
		send_exited(c, q->exec->key);
		break;
	case VIAL__AGENT__REQUEST__OP_PUT_TAR:
		send_tar_done(c, q->put_tar->key);
		break;
	case VIAL__AGENT__REQUEST__OP_GET_TAR:
		ask_add(q->get_tar->key, q->get_tar->path);
		send_tar_done(c, q->get_tar->key);
		break;
	case VIAL__AGENT__REQUEST__OP_STREAM:
		stream(c->fd, q->stream);
		exit(0);
	default:
		break;
	}
}

static void by_the_rules(int fd)
{
	struct chan c;
	struct err e;
	void *m;

	chan_init(&c, fd);
	while ((m = chan_recv(&c, &vial__agent__request__descriptor, &e))) {
		answer(&c, m);
		protobuf_c_message_free_unpacked(m, NULL);
	}
}

/* What is said on a control connection: who asks for a stream gets none. */
static void misbehave(int fd)
{
	static const unsigned char huge[] = { 0xff, 0xff, 0xff, 0xff, 1, 2 };
	static const unsigned char cut[] = { 100, 0, 0, 0, 0x0a, 0x02 };
	/* Exited of a key nobody asked for, Started, TarDone, a field that
	 * does not exist. */
	static const unsigned char early[] = {
		4,    0, 0, 0, 0x2a, 2, 0x10, 7, 2,   0, 0, 0,
		0x1a, 0, 2, 0, 0,    0, 0x32, 0, 0x2, 0, 0, 0
	};
	static const unsigned char nothing[] = {
		0, 0, 0, 0, 2, 0, 0, 0, 0x7a, 0
	};
	const Vial__Agent__Request *q;
	struct chan c;
	struct err e;

	while (is("silent"))
		pause();
	if (is("close"))
		return;
	chan_init(&c, fd);
	q = (const void *)chan_recv(&c, &vial__agent__request__descriptor, &e);
	if (!q || q->op_case != VIAL__AGENT__REQUEST__OP_HELLO)
		return;
	if (is("chatter"))
		send_hello(&c);
	if (is("garbage"))
		noise_send(fd, 1 << 20);
	else if (is("huge"))
		fd_write_full(fd, huge, sizeof(huge));
	else if (is("cut"))
		fd_write_full(fd, cut, sizeof(cut));
	else if (is("early"))
		fd_write_full(fd, early, sizeof(early));
	while (is("huge") || is("garbage"))
		pause();
	while (is("chatter"))
		if (fd_write_full(fd, nothing, sizeof(nothing)) < 0)
			break;
}

static void announce(void)
{
	struct sockaddr_vm to = { .svm_family = AF_VSOCK,
				  .svm_cid = VIAL_HOST_CID,
				  .svm_port = VIAL_READY_PORT };
	int fd = socket(AF_VSOCK, SOCK_STREAM, 0);

	/* It is refused; that is how it is heard. */
	if (connect(fd, (void *)&to, sizeof(to)) == 0)
		puts("fake: the host accepted?");
	close(fd);
}

int main(void)
{
	struct sockaddr_vm at = { .svm_family = AF_VSOCK,
				  .svm_cid = VMADDR_CID_ANY,
				  .svm_port = VIAL_AGENT_PORT };
	int s = socket(AF_VSOCK, SOCK_STREAM, 0), fd;

	if (getenv("fake"))
		mode = getenv("fake");
	asks = mmap(NULL, ASKS_MAX * sizeof(*asks), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	signal(SIGCHLD, SIG_IGN);
	if (s < 0 || bind(s, (void *)&at, sizeof(at)) < 0 || listen(s, 16) < 0)
		perror("fake: listen");
	if (!is("noready"))
		announce();
	while ((fd = accept(s, NULL, NULL)) >= 0) {
		if (fork() == 0) {
			if (is("tar") || is("vanish") || is("lie"))
				by_the_rules(fd);
			else
				misbehave(fd);
			_exit(0);
		}
		close(fd);
	}
	perror("fake: accept");
	return 1;
}
