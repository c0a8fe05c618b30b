/* SPDX-License-Identifier: Apache-2.0 */
/* execrate - round trips of commands through a running box's agent.
 *
 * usage: execrate SOCKET N PROGRAM
 *        execrate -o SOCKET PROGRAM [ARGUMENT...]
 *
 * Speaks agent.proto on the box's vsock.sock, as `vial run` does: N times Exec
 * of PROGRAM without streams, then Exited. Prints one line: microseconds a
 * round trip from here (mean, median), the command's wall time as the agent
 * saw it (mean), the agent's CPU time for each (its own, without children).
 * With -o: once, and its standard output. */
#include "base/auto.h"
#include "base/fd.h"
#include "proto/agent.pb-c.h"
#include "proto/chan.h"
#include "proto/ports.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

static const char *vsock_path;

static void die(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	fputs("execrate: ", stderr);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

static int dial(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	char line[64];
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int n = snprintf(line, sizeof(line), "CONNECT %d\n", VIAL_AGENT_PORT);

	if (strlen(vsock_path) >= sizeof(sa.sun_path))
		die("%s: too long", vsock_path);
	strcpy(sa.sun_path, vsock_path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		die("%s: %m", vsock_path);
	if (fd_write_full(fd, line, (size_t)n) < 0)
		die("%s: %m", vsock_path);
	for (char c = 0; c != '\n';)
		if (read(fd, &c, 1) != 1)
			die("the agent cannot be reached");
	return fd;
}

static void put(struct chan *c, Vial__Agent__Request *q)
{
	int r = chan_send(c, &q->base);

	if (r < 0)
		die("send: %s", strerror(-r));
}

/* The next event that is one of the two; Failed ends it all. */
static Vial__Agent__Event *await(struct chan *c, Vial__Agent__Event__EvCase a)
{
	struct err e = { 0 };

	for (;;) {
		ProtobufCMessage *m =
			chan_recv(c, &vial__agent__event__descriptor, &e);
		Vial__Agent__Event *ev = (Vial__Agent__Event *)m;

		if (!m)
			die("the agent's answer: %s", e.msg);
		if (ev->ev_case == a)
			return ev;
		if (ev->ev_case == VIAL__AGENT__EVENT__EV_FAILED)
			die("%s", ev->failed->message);
		protobuf_c_message_free_unpacked(m, NULL);
	}
}

static void hello(struct chan *c)
{
	Vial__Agent__Request q = VIAL__AGENT__REQUEST__INIT;
	Vial__Agent__Hello h = VIAL__AGENT__HELLO__INIT;

	h.generation = 1;
	q.op_case = VIAL__AGENT__REQUEST__OP_HELLO;
	q.hello = &h;
	put(c, &q);
	protobuf_c_message_free_unpacked(
		&await(c, VIAL__AGENT__EVENT__EV_HELLO)->base, NULL);
}

/* Returns what the agent says it took. */
static uint64_t run(struct chan *c, uint64_t key, char **argv, size_t argc,
		    bool out)
{
	Vial__Agent__Request q = VIAL__AGENT__REQUEST__INIT;
	Vial__Agent__Exec x = VIAL__AGENT__EXEC__INIT;
	Vial__Agent__Event *ev;
	uint64_t wall_us;

	x.key = key;
	x.argv = argv;
	x.n_argv = argc;
	x.stdout = out;
	q.op_case = VIAL__AGENT__REQUEST__OP_EXEC;
	q.exec = &x;
	put(c, &q);
	ev = await(c, VIAL__AGENT__EVENT__EV_EXITED);
	if (ev->exited->status != 0 || ev->exited->signal != 0)
		die("%s: status %u, signal %u", argv[0], ev->exited->status,
		    ev->exited->signal);
	wall_us = ev->exited->wall_us;
	protobuf_c_message_free_unpacked(&ev->base, NULL);
	return wall_us;
}

/* The first bytes a command prints; returns how many. */
static size_t output(struct chan *c, uint64_t key, char **argv, size_t argc,
		     char *text, size_t room)
{
	Vial__Agent__Request q = VIAL__AGENT__REQUEST__INIT;
	Vial__Agent__Stream s = VIAL__AGENT__STREAM__INIT;
	autoclose int fd = dial();
	struct chan stream;
	ssize_t n;

	s.key = key;
	s.which = VIAL__AGENT__STREAM__WHICH__STDOUT;
	q.op_case = VIAL__AGENT__REQUEST__OP_STREAM;
	q.stream = &s;
	chan_init(&stream, fd);
	put(&stream, &q);
	run(c, key, argv, argc, true);
	n = fd_read_full(fd, text, room);
	chan_fini(&stream);
	return n > 0 ? (size_t)n : 0;
}

/* The agent's CPU time: what its own kernel says. */
static uint64_t agent_cpu_us(struct chan *c, uint64_t key)
{
	char cat[] = "/bin/cat", schedstat[] = "/proc/1/schedstat";
	char *argv[] = { cat, schedstat }, text[128] = "";

	output(c, key, argv, ARRAY_LEN(argv), text, sizeof(text) - 1);
	return strtoull(text, NULL, 10) / 1000;
}

static int by_size(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static int measure(struct chan *c, unsigned n, char **program)
{
	autofree uint64_t *rtt = calloc(n, sizeof(*rtt));
	uint64_t sum = 0, wall = 0, cpu;

	if (!rtt)
		die("out of memory");
	run(c, 1, program, 1, false);
	cpu = agent_cpu_us(c, 2);
	for (unsigned i = 0; i < n; i++) {
		uint64_t start = now_us();

		wall += run(c, 100 + i, program, 1, false);
		rtt[i] = now_us() - start;
		sum += rtt[i];
	}
	cpu = agent_cpu_us(c, 3) - cpu;
	qsort(rtt, n, sizeof(*rtt), by_size);
	printf("%llu %llu %llu %llu\n", (unsigned long long)(sum / n),
	       (unsigned long long)rtt[n / 2], (unsigned long long)(wall / n),
	       (unsigned long long)(cpu / n));
	return 0;
}

static int show(struct chan *c, char **argv, size_t argc)
{
	char text[4096];
	size_t len = output(c, 1, argv, argc, text, sizeof(text));

	return fwrite(text, 1, len, stdout) == len && len > 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	bool out = argc > 3 && strcmp(argv[1], "-o") == 0;
	unsigned n = argc == 4 && !out ? (unsigned)atoi(argv[2]) : 0;
	struct chan c;
	int r;

	if (!out && n == 0) {
		fputs("usage: execrate [-o] SOCKET [N] PROGRAM\n", stderr);
		return 2;
	}
	vsock_path = argv[out ? 2 : 1];
	chan_init(&c, dial());
	hello(&c);
	r = out ? show(&c, argv + 3, (size_t)argc - 3)
		: measure(&c, n, argv + 3);
	close(c.fd);
	chan_fini(&c);
	return r;
}
