/* SPDX-License-Identifier: Apache-2.0 */
#include "net/lan.h"

#include "base/auto.h"
#include "base/passfd.h"
#include "net/pool.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define SELF "/proc/self/exe"
#define ID_SHOWN 16

/* ---- the keeper's start ---- */

static void path_of(struct sockaddr_un *a, const char *id, const char *suffix)
{
	*a = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(a->sun_path, sizeof(a->sun_path), POOL_DIR "/lan-%.*s%s",
		 ID_SHOWN, id, suffix);
}

/* Not our child for long: it outlives us. */
static void become_keeper(int listening, int lock, const char *subnet)
{
	char *const env[] = { NULL };
	const char *const argv[] = { "vial-netd", "lan", subnet, NULL };
	int l = fcntl(listening, F_DUPFD, 8), k = fcntl(lock, F_DUPFD, 8);
	int null = open("/dev/null", O_RDWR);

	if (fork() != 0)
		_exit(0);
	setsid();
	if (l < 0 || k < 0 || null < 0 || dup2(null, 0) < 0 ||
	    dup2(null, 1) < 0 || dup2(null, 2) < 0 || dup2(l, LAN_FD) < 0 ||
	    dup2(k, LAN_LOCK_FD) < 0)
		_exit(1);
	syscall(SYS_close_range, LAN_LOCK_FD + 1, ~0u, 0);
	execve(SELF, (char *const *)(uintptr_t)argv, env);
	_exit(1);
}

/* The lock that a keeper takes before it goes must not be the one we have
 * open: locks of flock(2) are the open file's. */
static int start_keeper(const struct sockaddr_un *a, const char *lockpath,
			const char *subnet, struct err *e)
{
	autoclose int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	autoclose int lock = open(lockpath, O_RDWR | O_CLOEXEC);
	pid_t pid;

	unlink(a->sun_path);
	if (s < 0 || lock < 0 ||
	    bind(s, (const struct sockaddr *)a, sizeof(*a)) < 0 ||
	    listen(s, 64) < 0)
		return err_sys(e, "%s", a->sun_path);
	pid = fork();
	if (pid == 0)
		become_keeper(s, lock, subnet);
	if (pid < 0)
		return err_sys(e, "start the network's keeper");
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return 0;
}

static int dial(const struct sockaddr_un *a)
{
	autoclose int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (s < 0 || connect(s, (const struct sockaddr *)a, sizeof(*a)) < 0)
		return -errno;
	return take_fd(&s);
}

/* Whoever holds the lock finds a keeper or starts one; one that is about to go
 * does not without it. */
static int reach(const Vial__Net__Network *n, const char *subnet, struct err *e)
{
	struct sockaddr_un at, lockpath;
	autoclose int lock = -1;
	int s;

	path_of(&at, n->id, "");
	path_of(&lockpath, n->id, ".lock");
	if (mkdir(POOL_DIR, 0700) < 0 && errno != EEXIST)
		return err_sys(e, "make " POOL_DIR);
	lock = open(lockpath.sun_path,
		    O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (lock < 0 || flock(lock, LOCK_EX) < 0)
		return err_sys(e, "%s", lockpath.sun_path);
	s = dial(&at);
	if (s != -ECONNREFUSED && s != -ENOENT)
		return s < 0 ? err_set(e, -s, "the network's keeper: %s",
				       strerror(-s))
			     : s;
	if (start_keeper(&at, lockpath.sun_path, subnet, e) < 0)
		return -e->code;
	s = dial(&at);
	return s < 0 ? err_set(e, -s, "the network's keeper: %s", strerror(-s))
		     : s;
}

/* ---- joining ---- */

static int ask(struct lan *l, const Vial__Net__Network *n, struct err *e)
{
	Vial__Net__Join join = VIAL__NET__JOIN__INIT;
	Vial__Net__Member me = VIAL__NET__MEMBER__INIT;
	char byte;
	int r;

	me.address = n->address;
	me.names = n->names;
	me.n_names = n->n_names;
	join.me = &me;
	r = chan_send(&l->chan, &join.base);
	if (r == 0)
		r = (int)passfd_recv(l->chan.fd, &byte, 1, &l->netns, 1);
	if (r == 0)
		r = -EPIPE;
	return r < 0 ? err_set(e, -r, "the network's keeper: %s", strerror(-r))
		     : 0;
}

static int take(struct lan *l, struct err *e)
{
	ProtobufCMessage *m =
		chan_recv(&l->chan, &vial__net__members__descriptor, e);
	const Vial__Net__Members *a = (const Vial__Net__Members *)m;
	in_addr_t net;
	int r = 0;

	if (!m)
		return -e->code;
	if (a->error)
		r = err_set(e, (int)a->error, "%s", a->message);
	else if (a->address.len != sizeof(net) || l->netns < 0)
		r = err_set(e, EPROTO, "the network's keeper: half an answer");
	else
		memcpy(&net, a->address.data, sizeof(net));
	if (r < 0) {
		protobuf_c_message_free_unpacked(m, NULL);
		return r;
	}
	l->address = ntohl(net);
	l->members = (Vial__Net__Members *)m;
	return 0;
}

int lan_join(struct lan *l, const Vial__Net__Network *n, struct err *e)
{
	char text[INET_ADDRSTRLEN], subnet[INET_ADDRSTRLEN + 8];
	in_addr_t net;
	int s;

	if (n->subnet.len != sizeof(net) || n->prefix < 8 || n->prefix > 30 ||
	    strspn(n->id, "0123456789abcdef") < ID_SHOWN)
		return err_set(e, EINVAL, "not a network");
	memcpy(&net, n->subnet.data, sizeof(net));
	l->subnet = ntohl(net);
	l->prefix = n->prefix;
	inet_ntop(AF_INET, &net, text, sizeof(text));
	snprintf(subnet, sizeof(subnet), "%s/%u", text, n->prefix);
	s = reach(n, subnet, e);
	if (s < 0)
		return s;
	chan_init(&l->chan, s);
	return ask(l, n, e) < 0 ? -e->code : take(l, e);
}

bool lan_news(struct lan *l, int *error)
{
	ProtobufCMessage *m;

	*error = 0;
	m = chan_next(&l->chan, &vial__net__members__descriptor, error);
	if (!m)
		return false;
	if (l->members)
		vial__net__members__free_unpacked(l->members, NULL);
	l->members = (Vial__Net__Members *)m;
	return true;
}

void lan_fini(struct lan *l)
{
	if (l->members)
		vial__net__members__free_unpacked(take_ptr(&l->members), NULL);
	if (l->netns >= 0)
		close(take_fd(&l->netns));
	if (l->chan.fd >= 0) {
		close(l->chan.fd);
		chan_fini(&l->chan);
		l->chan.fd = -1;
	}
}
