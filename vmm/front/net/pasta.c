/* SPDX-License-Identifier: Apache-2.0 */
#include "net/pasta.h"

#include "base/auto.h"
#include "net/host.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <net/if.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#define PROGRAM "/usr/bin/pasta"
/* What it may say. */
#define SAID_MAX (64u << 10)
/* How long it may take to be there: twenty seconds. */
#define POLL_NS 2000000
#define POLLS 10000
#define WORDS_MAX (32 + 2 * PORTS_MAX)
/* How often it is started again, and how long it has to run to be forgiven. */
#define AGAIN_MAX 3
#define FORGIVE_S 60
/* In the child: the namespaces, and what it was started with. */
#define FD_NET 3
#define FD_USER 4
#define FD_GO 5
#define FD_SAID 6
#define STR_(x) #x
#define STR(x) STR_(x)

struct words {
	const char *v[WORDS_MAX];
	size_t n;
	char text[PORTS_MAX][IP_TEXT + 16];
	size_t ntext;
	char guest[INET_ADDRSTRLEN], gateway[INET_ADDRSTRLEN];
	char guest6[INET6_ADDRSTRLEN], gateway6[INET6_ADDRSTRLEN], pid[16];
	size_t first; /* of the words that name the namespaces */
};

static void add(struct words *w, const char *word)
{
	if (w->n + 1 < WORDS_MAX)
		w->v[w->n++] = word;
}

bool pasta_has(const struct addr_plan *a, const struct port *p)
{
	return !port_six(p) || (a->six && !p->udp);
}

/* -t 192.0.2.1/8080:80; without an address it is both families', and so a
 * twin's. */
static bool add_ports(struct words *w, const struct addr_plan *a,
		      const struct ports *p, bool udp)
{
	bool any = false;

	for (size_t i = 0; i < p->first && w->ntext < PORTS_MAX; i++) {
		const struct port *one = &p->v[i];
		char at[IP_TEXT], *text;

		if (one->udp != udp || !pasta_has(a, one))
			continue;
		text = w->text[w->ntext++];
		if (one->twin && pasta_has(a, &p->v[one->twin]))
			snprintf(text, sizeof(w->text[0]), "%u:%u", one->host,
				 one->guest);
		else
			snprintf(text, sizeof(w->text[0]), "%s/%u:%u",
				 ip_text(&one->address, at), one->host,
				 one->guest);
		add(w, udp ? "-u" : "-t");
		add(w, text);
		any = true;
	}
	return any;
}

static void dotted(in_addr_t a, char text[INET_ADDRSTRLEN])
{
	struct in_addr in = { htonl(a) };

	inet_ntop(AF_INET, &in, text, INET_ADDRSTRLEN);
}

static void add_six(struct words *w, const struct addr_plan *a)
{
	if (!a->six) {
		add(w, "--ipv4-only");
		return;
	}
	inet_ntop(AF_INET6, &a->guest6, w->guest6, sizeof(w->guest6));
	inet_ntop(AF_INET6, &a->host6, w->gateway6, sizeof(w->gateway6));
	add(w, "--address");
	add(w, w->guest6);
	add(w, "--gateway");
	add(w, w->gateway6);
}

static void make_words(struct words *w, const struct addr_plan *a,
		       const struct ports *p, pid_t box)
{
	static const char *const fixed[] = {
		"pasta",       "--foreground", "--quiet",   "--no-ra",
		"--no-dhcpv6", "--no-map-gw",  "--no-dhcp", "--no-netns-quit",
		"--ns-ifname", HOST_UP,	       "-T",	    "none",
		"-U",	       "none",	       "--netmask", "255.255.255.0",
	};

	for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
		add(w, fixed[i]);
	dotted(a->guest, w->guest);
	dotted(a->gateway, w->gateway);
	add(w, "--address");
	add(w, w->guest);
	add(w, "--gateway");
	add(w, w->gateway);
	add_six(w, a);
	if (!add_ports(w, a, p, false)) {
		add(w, "-t");
		add(w, "none");
	}
	if (!add_ports(w, a, p, true)) {
		add(w, "-u");
		add(w, "none");
	}
	snprintf(w->pid, sizeof(w->pid), "%d", box);
	w->first = w->n;
	add(w, w->pid);
	w->v[w->n] = NULL;
}

/* Those of the first start but for the pid, whose namespaces are closed. */
static void words_again(struct words *w)
{
	w->n = w->first;
	add(w, "--userns");
	add(w, "/proc/self/fd/" STR(FD_USER));
	add(w, "--netns");
	add(w, "/proc/self/fd/" STR(FD_NET));
	w->v[w->n] = NULL;
}

/* ---- the child and pasta ---- */

static void become_pasta(const struct words *w, int said)
{
	const struct rlimit limit = { SAID_MAX, SAID_MAX };
	char *const env[] = { NULL };

	signal(SIGXFSZ, SIG_IGN);
	/* It takes one that was ignored before for a failure. */
	signal(SIGPIPE, SIG_DFL);
	setrlimit(RLIMIT_FSIZE, &limit);
	if (dup2(said, STDOUT_FILENO) < 0 || dup2(said, STDERR_FILENO) < 0)
		_exit(1);
	syscall(SYS_close_range, FD_USER + 1, ~0u, 0);
	execve(PROGRAM, (char *const *)(uintptr_t)w->v, env);
	dprintf(STDERR_FILENO, "%s\n", strerror(errno));
	_exit(1);
}

static int open_ns(pid_t box, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/%s", box, name);
	return open(path, O_RDONLY);
}

/* The namespaces, while they can be opened: their door is about to be closed,
 * so who is started later inherits them. */
static int hold(pid_t box)
{
	int net = open_ns(box, "net"), user = open_ns(box, "user");

	if (net < 0 || user < 0)
		return -1;
	net = fcntl(net, F_DUPFD, FD_USER + 1);
	user = fcntl(user, F_DUPFD, FD_USER + 1);
	if (dup2(net, FD_NET) < 0 || dup2(user, FD_USER) < 0)
		return -1;
	return 0;
}

/* Until it ends; how many seconds that was. */
static time_t run(const struct words *w, int said)
{
	struct timespec start, end;
	pid_t pid;

	clock_gettime(CLOCK_MONOTONIC, &start);
	pid = fork();
	if (pid == 0)
		become_pasta(w, said);
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	clock_gettime(CLOCK_MONOTONIC, &end);
	return end.tv_sec - start.tv_sec;
}

/* Nothing else: when vial-netd is killed, what it had is to be gone at once. */
static void keep(int go, int said)
{
	go = fcntl(go, F_DUPFD, FD_SAID + 1);
	said = fcntl(said, F_DUPFD, FD_SAID + 1);
	if (dup2(go, FD_GO) < 0 || dup2(said, FD_SAID) < 0)
		_exit(1);
	syscall(SYS_close_range, FD_SAID + 1, ~0u, 0);
}

static void child(struct words *w, pid_t box)
{
	const int go = FD_GO, said = FD_SAID;
	unsigned again = 0;
	char byte;

	/* Our parent is not in this namespace; its death ends the read. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || read(go, &byte, 1) != 1)
		_exit(0);
	if (hold(box) < 0) {
		dprintf(said, "the box's namespaces: %s\n", strerror(errno));
		_exit(1);
	}
	run(w, said);
	/* It never was there, if nobody has told us that it is. */
	if (fcntl(go, F_SETFL, O_NONBLOCK) < 0 || read(go, &byte, 1) != 1)
		_exit(1);
	words_again(w);
	while (again < AGAIN_MAX) {
		sleep(again++);
		if (run(w, said) >= FORGIVE_S)
			again = 0;
	}
	_exit(1);
}

/* ---- the parent ---- */

int pasta_fork(struct pasta *p, const struct addr_plan *a,
	       const struct ports *ports, pid_t box, struct err *e)
{
	autofree struct words *w = calloc(1, sizeof(*w));
	int go[2];

	if (access(PROGRAM, X_OK) < 0)
		return err_set(e, ENOENT,
			       PROGRAM ": %s (install the package passt)",
			       strerror(errno));
	p->said = memfd_create("pasta", MFD_CLOEXEC);
	if (!w || p->said < 0 || pipe2(go, O_CLOEXEC) < 0)
		return err_sys(e, "pasta");
	make_words(w, a, ports, box);
	p->pid = fork();
	if (p->pid == 0) {
		close(go[1]);
		keep(go[0], p->said);
		child(w, box);
	}
	close(go[0]);
	p->go = go[1];
	if (p->pid > 0)
		return 0;
	p->pid = 0;
	return err_sys(e, "fork");
}

/* The last line that says something. */
static void last_line(int fd, char *line, size_t room)
{
	char text[4096], *rest = text, *at;
	off_t size = lseek(fd, 0, SEEK_END);
	off_t from = size > (off_t)sizeof(text) - 1
			   ? size - ((off_t)sizeof(text) - 1)
			   : 0;
	ssize_t n = pread(fd, text, sizeof(text) - 1, from);

	snprintf(line, room, "it ended");
	text[n > 0 ? n : 0] = '\0';
	/* What it cannot tell syslog, it says it could not. */
	while ((at = strsep(&rest, "\n")) != NULL)
		if (*at && !strstr(at, "to syslog"))
			snprintf(line, room, "%.200s", at);
}

int pasta_go(struct pasta *p, struct err *e)
{
	const struct timespec pause = { .tv_nsec = POLL_NS };
	char line[256];

	if (write(p->go, "", 1) != 1)
		return err_sys(e, "pasta");
	for (int i = 0; i < POLLS; i++) {
		if (if_nametoindex(HOST_UP) > 0)
			return write(p->go, "", 1) == 1 ? 0
							: err_sys(e, "pasta");
		if (waitpid(p->pid, NULL, WNOHANG) == p->pid) {
			p->pid = 0;
			last_line(p->said, line, sizeof(line));
			return err_set(e, ENETDOWN, "pasta: %s", line);
		}
		nanosleep(&pause, NULL);
	}
	return err_set(e, ETIMEDOUT, "pasta does not start");
}

void pasta_fini(struct pasta *p)
{
	if (p->go >= 0)
		close(take_fd(&p->go));
	if (p->said >= 0)
		close(take_fd(&p->said));
	if (p->pid > 0) {
		kill(p->pid, SIGKILL);
		while (waitpid(p->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	p->pid = 0;
}
