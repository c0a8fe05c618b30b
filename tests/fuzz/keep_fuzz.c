/* SPDX-License-Identifier: Apache-2.0 */
/* keep_fuzz - any packets, with any descriptors, on a keeper's socket.
 *
 * The input is cut into packets for up to four clients. Each that is no end
 * is answered once, unless it waits; what is called with is what was sent as
 * far as the keeper can tell; and when all have gone, so have their
 * descriptors. */
#include "base/auto.h"
#include "base/log.h"
#include "bytes.h"
#include "run/keep.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PEERS	4
#define FDS_MAX 7

static struct loop loop;
static struct keep keep;
static int where; /* the socket, whose name is gone already */
static unsigned waited;

static void must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "keep_fuzz: %s\n", what);
	abort();
}

static void called(struct keep_client *c, const Vial__Keep__Call *m)
{
	switch (m->op_case) {
	case VIAL__KEEP__CALL__OP_ATTACH:
		must(c->attached, "an attach of nobody");
		break;
	case VIAL__KEEP__CALL__OP_RENAME:
		must(m->rename && m->rename->name, "a name of nothing");
		break;
	case VIAL__KEEP__CALL__OP_WAIT:
		c->waits = true;
		waited++;
		return;
	default:
		break;
	}
	for (int i = 0; i < KEEP_FDS; i++)
		must(c->fd[i] < 0 || c->attached, "descriptors of no attach");
	keep_answer(c, (int)m->op_case, "so it is");
}

static void left(struct keep_client *c)
{
	(void)c;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char dir[] = "/tmp/vial-keep-fuzz-XXXXXX";
	struct err e;
	int at;

	(void)argc;
	(void)argv;
	signal(SIGPIPE, SIG_IGN);
	log_init("keep_fuzz", LOG_ERR);
	keep.called = called;
	keep.left = left;
	must(mkdtemp(dir) != NULL, "mkdtemp");
	at = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	must(loop_init(&loop, NULL, &e) == 0, "loop");
	must(keep_open(&keep, &loop, at, &e) == 0, "keep_open");
	where = openat(at, "keep.sock", O_PATH | O_CLOEXEC);
	must(where >= 0, "the socket");
	unlinkat(at, "keep.sock", 0);
	rmdir(dir);
	close(at);
	return 0;
}

static int connect_keep(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "/proc/self/fd/%d", where);
	must(connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0, "connect");
	return fd;
}

static ssize_t send_packet(int sock, const uint8_t *bytes, size_t len,
			   unsigned nfds)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(FDS_MAX * sizeof(int))];
	} u = { .room = { 0 } };
	struct iovec iov = { (void *)(uintptr_t)bytes, len };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (nfds > 0) {
		m.msg_control = u.room;
		m.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
		u.head.cmsg_level = SOL_SOCKET;
		u.head.cmsg_type = SCM_RIGHTS;
		u.head.cmsg_len = CMSG_LEN(nfds * sizeof(int));
	}
	for (unsigned i = 0; i < nfds; i++)
		memcpy(CMSG_DATA(&u.head) + i * sizeof(int), &where,
		       sizeof(int));
	return sendmsg(sock, &m, MSG_NOSIGNAL);
}

/* How many answers have come; all can be read. */
static unsigned answers(int fd)
{
	char byte;
	unsigned n = 0;

	while (recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0) {
		Vial__Keep__Answer *a = keep_recv(fd);

		must(a && a->full, "an answer that cannot be read");
		vial__keep__answer__free_unpacked(a, NULL);
		n++;
	}
	return n;
}

static void turn(void)
{
	for (int i = 0; i < 3; i++)
		loop_once(&loop, 0);
}

/* One packet of an input, and what comes of it. False: it was an end. */
static bool step(int fd, struct bytes *in, uint8_t how)
{
	size_t len = (size_t)bytes_u8(in) * (how & 64 ? 64 : 1);
	unsigned waits = waited, n;

	if (len > in->left)
		len = in->left;
	answers(fd); /* of what has ended before */
	if (send_packet(fd, in->at, len, how >> 3 & 7) < 0)
		return false;
	in->at += len;
	in->left -= len;
	turn();
	n = answers(fd);
	must(n == (len > 0 && waited == waits), "not one answer");
	if (how & 128) {
		keep_ended(&keep, how, false, "it is over");
		answers(fd);
	}
	return len > 0;
}

/* The lowest number that is free. */
static int next_fd(void)
{
	int fd = dup(where);

	close(fd);
	return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = { data, size };
	int fd[PEERS] = { -1, -1, -1, -1 };
	const int next = next_fd();

	while (bytes_more(&in)) {
		uint8_t how = bytes_u8(&in);
		int *p = &fd[how % PEERS];

		if (*p < 0)
			*p = connect_keep();
		turn();
		if (step(*p, &in, how) && !(how & 4))
			continue;
		close(*p);
		*p = -1;
	}
	for (int i = 0; i < PEERS; i++)
		if (fd[i] >= 0)
			close(fd[i]);
	turn();
	turn();
	must(keep.count == 0 && !keep.clients, "a client is left");
	must(next_fd() == next, "a descriptor is left");
	return 0;
}
