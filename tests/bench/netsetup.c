/* SPDX-License-Identifier: Apache-2.0 */
/* netsetup - what the network of one box costs.
 *
 * usage: netsetup N nat|user VIAL-NETD
 *
 * Has VIAL-NETD make a network and takes it away again, N times. Prints the
 * median microseconds of each. */
#include "base/fd.h"
#include "base/passfd.h"
#include "proto/chan.h"
#include "proto/net.pb-c.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define TIMES_MAX 1000
#define NETD_FD	  3

/* The byte in front; its descriptor is nobody's. */
static void take_tap(int sock)
{
	char byte;
	int tap;

	if (passfd_recv(sock, &byte, 1, &tap, 1) == 1 && tap >= 0)
		close(tap);
}

static int ask(int sock, Vial__Net__Mode mode, unsigned i)
{
	Vial__Net__Request r = VIAL__NET__REQUEST__INIT;
	uint8_t mac[6] = { 2, 0, 0, 0, 0, 1 };
	ProtobufCMessage *answer;
	struct err e = { 0 };
	struct chan c;
	char id[65];
	int ok;

	snprintf(id, sizeof(id), "%064x", i);
	snprintf(id, 13, "%012x", i);
	id[12] = '0';
	r.generation = 1;
	r.id = id;
	r.mode = mode;
	r.mac = (ProtobufCBinaryData){ sizeof(mac), mac };
	chan_init(&c, sock);
	if (chan_send(&c, &r.base) < 0)
		return -1;
	take_tap(sock);
	answer = chan_recv(&c, &vial__net__answer__descriptor, &e);
	ok = answer && ((Vial__Net__Answer *)answer)->error == 0;
	if (!ok)
		fprintf(stderr, "%s\n",
			answer ? ((Vial__Net__Answer *)answer)->message
			       : e.msg);
	if (answer)
		protobuf_c_message_free_unpacked(answer, NULL);
	chan_fini(&c);
	return ok ? 0 : -1;
}

static int once(const char *program, Vial__Net__Mode mode, unsigned i,
		uint64_t *made, uint64_t *gone)
{
	uint64_t start = now_us();
	int s[2], status;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		dup2(s[1], NETD_FD);
		fd_set_cloexec(NETD_FD, false);
		execl(program, "vial-netd", (char *)NULL);
		_exit(127);
	}
	close(s[1]);
	if (ask(s[0], mode, i) < 0)
		return -1;
	*made = now_us() - start;
	start = now_us();
	close(s[0]);
	waitpid(pid, &status, 0);
	*gone = now_us() - start;
	return 0;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	static uint64_t made[TIMES_MAX], gone[TIMES_MAX];
	unsigned n = argc == 4 ? (unsigned)atoi(argv[1]) : 0;
	Vial__Net__Mode mode = argc == 4 && strcmp(argv[2], "nat") == 0
				     ? VIAL__NET__MODE__NAT
				     : VIAL__NET__MODE__USER;

	if (n == 0 || n > TIMES_MAX)
		return 2;
	for (unsigned i = 0; i < n; i++)
		if (once(argv[3], mode, i, &made[i], &gone[i]) < 0)
			return 1;
	qsort(made, n, sizeof(*made), compare);
	qsort(gone, n, sizeof(*gone), compare);
	printf("%llu %llu\n", (unsigned long long)made[n / 2],
	       (unsigned long long)gone[n / 2]);
	return 0;
}
