/* SPDX-License-Identifier: Apache-2.0 */
/* agent_fuzz - any bytes on connections to the agent.
 *
 * The input is cut into pieces for up to four connections; each is greeted
 * first or not. Nothing is started and no folder is touched: the tables of
 * commands, archives and sockets are full. What is asked for is then answered or
 * refused, the agent forgets a connection that is closed, and all it holds is
 * given back at its end. */
#include "agent/agent.h"
#include "agent/caps.h"
#include "agent/file.h"
#include "agent/job.h"
#include "agent/serve.h"
#include "base/auto.h"
#include "base/fd.h"
#include "base/log.h"
#include "bytes.h"
#include "proto/chan.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PEERS 4

static void must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "agent_fuzz: %s\n", what);
	abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	signal(SIGPIPE, SIG_IGN);
	/* Errors alone, and there are none that are ours. */
	log_init("agent_fuzz", LOG_ERR);
	return 0;
}

/* As agent_open(), without the signals: those are the fuzzer's. */
static void open_agent(struct agent *a)
{
	struct err e;

	*a = (struct agent){
		.null_fd = -1,
		.listener = { .fd = -1 },
		.announce = { .fd = -1 },
		.cgroups = { .fd = -1 },
		/* Where nothing can be held: "/" is that of this machine. */
		.freeze = { .path = "/proc", .root = -1 },
		.users = { "/dev/null", "/dev/null" },
		.njobs = JOBS_MAX,
		.nfiles = UINT32_MAX,
		.forwards = { .nsockets = FORWARD_SOCKETS,
			      .ncalls = FORWARD_CALLS },
	};
	must(loop_init(&a->loop, NULL, &e) == 0, "loop");
	must(reap_init(&a->reap, &a->loop, &e) == 0, "reap");
	must(callers_init(&a->callers, &a->loop, serve_ready, &e) == 0,
	     "callers");
}

static void close_agent(struct agent *a)
{
	if (a->down.state != DOWN_NOT)
		timer_fini(&a->down.timer, &a->loop);
	callers_fini(&a->callers);
	must(a->callers.count == 0, "a connection is left");
	serve_close(a);
	reap_fini(&a->reap);
	loop_fini(&a->loop);
}

static int connect_agent(struct agent *a, bool greet)
{
	Vial__Agent__Hello h = VIAL__AGENT__HELLO__INIT;
	Vial__Agent__Request q = VIAL__AGENT__REQUEST__INIT;
	struct chan c;
	int p[2];

	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
			p) == 0,
	     "socketpair");
	must(caller_new(&a->callers, p[0]) != NULL, "no caller");
	if (!greet)
		return p[1];
	h.generation = 2;
	q.op_case = VIAL__AGENT__REQUEST__OP_HELLO;
	q.hello = &h;
	chan_init(&c, p[1]);
	must(chan_send(&c, &q.base) == 0, "greeting");
	chan_fini(&c);
	return p[1];
}

/* Until it has nothing more to do; what it says is thrown away. */
static void settle(struct agent *a, const int fd[PEERS])
{
	uint8_t trash[4096];

	for (int i = 0; i < 64; i++) {
		bool more = false;

		loop_once(&a->loop, 0);
		for (int n = 0; n < PEERS; n++)
			more |= fd[n] >= 0 &&
				read(fd[n], trash, sizeof(trash)) > 0;
		if (!more)
			break;
	}
	loop_once(&a->loop, 0);
}

/* A choice of capabilities holds no bit that nobody named. */
static void choose(const uint8_t *data, size_t size)
{
	Vial__Agent__Exec *x = vial__agent__exec__unpack(NULL, size, data);
	struct caps c;
	struct err e;

	if (!x)
		return;
	if (caps_choose(&c, x, &e) == 0)
		must(c.limit || c.mask == UINT64_MAX, "a bound without limit");
	vial__agent__exec__free_unpacked(x, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = { data, size };
	int fd[PEERS] = { -1, -1, -1, -1 };
	struct agent a;

	choose(data, size);
	open_agent(&a);
	while (bytes_more(&in) && a.down.state == DOWN_NOT) {
		uint8_t how = bytes_u8(&in);
		size_t want = (size_t)bytes_u8(&in) * (how & 8 ? 16 : 1);
		size_t len = MIN(want, in.left);
		int *p = &fd[how % PEERS];

		if (how & 16 && *p >= 0) {
			close(*p);
			*p = -1;
		}
		if (*p < 0)
			*p = connect_agent(&a, how & 4);
		/* A peer that was cut off hears of it here. */
		if (len > 0 && write(*p, in.at, len) < 0) {
			close(*p);
			*p = -1;
		}
		in.at += len;
		in.left -= len;
		settle(&a, fd);
	}
	for (int i = 0; i < PEERS; i++)
		if (fd[i] >= 0)
			close(fd[i]);
	close_agent(&a);
	return 0;
}
