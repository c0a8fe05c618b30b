/* SPDX-License-Identifier: Apache-2.0 */
/* check_net.c - which ways out there are for boxes. What stands in the way of
 * nat is seen by vial-netd, which knows how to look at rules. */
#include "run/check.h"

#include "base/auto.h"
#include "base/fd.h"
#include "box/where.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SAID_MAX 600

static void set(struct check *c, enum check_level level, const char *found,
		const char *remedy)
{
	c->level = level;
	snprintf(c->found, sizeof(c->found), "%s", found);
	snprintf(c->remedy, sizeof(c->remedy), "%s", remedy);
}

/* Whether the host hands on what is not its own: nat needs it. */
static bool forwards(void)
{
	FILE *f = fopen("/proc/sys/net/ipv4/ip_forward", "re");
	int c = f ? fgetc(f) : '0';

	if (f)
		fclose(f);
	return c == '1';
}

static void ask(const char *program, int out)
{
	char *const argv[] = { (char[]){ "vial-netd" }, (char[]){ "host" },
			       NULL };
	char *const env[] = { NULL };

	if (dup2(out, STDOUT_FILENO) >= 0)
		execve(program, argv, env);
	_exit(127);
}

/* Three lines: who drops, the command that helps, why there is no IPv6. */
static void look(char said[SAID_MAX])
{
	char program[PATH_MAX];
	struct err ignored;
	ssize_t n;
	pid_t pid;
	int p[2];

	*said = '\0';
	if (where_part(WHERE_NETD, program, &ignored) < 0 ||
	    pipe2(p, O_CLOEXEC) < 0)
		return;
	pid = fork();
	if (pid == 0)
		ask(program, p[1]);
	close(p[1]);
	n = fd_read_full(p[0], said, SAID_MAX - 1);
	said[n > 0 ? n : 0] = '\0';
	close(p[0]);
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static void check_nat(struct check *c)
{
	char said[SAID_MAX], *at = said;
	const char *who, *remedy, *six;

	look(said);
	who = strsep(&at, "\n");
	remedy = at ? strsep(&at, "\n") : "";
	six = at ? strsep(&at, "\n") : "";
	set(c, CHECK_OK, "", *who ? remedy : "");
	if (*who)
		c->level = CHECK_WARN;
	if (*who)
		snprintf(
			c->found, sizeof(c->found),
			"nat: the host's rules drop what boxes send (table and "
			"chain: %.100s)",
			who);
	else
		snprintf(c->found, sizeof(c->found),
			 "nat: the host forwards%s%.150s",
			 *six ? "; no IPv6 in boxes: " : ", IPv6 too", six);
}

void check_network(struct check *c)
{
	bool root = geteuid() == 0;

	if (access("/dev/net/tun", R_OK | W_OK) < 0) {
		set(c, CHECK_WARN, "", "modprobe tun; chmod 666 /dev/net/tun");
		snprintf(c->found, sizeof(c->found),
			 "no box has a network: /dev/net/tun: %s",
			 strerror(errno));
		return;
	}
	if (root && forwards()) {
		check_nat(c);
		return;
	}
	if (access("/usr/bin/pasta", X_OK) < 0)
		set(c, CHECK_WARN, "no box has a network: pasta is missing",
		    root ? "sysctl net.ipv4.ip_forward=1, or install the "
			   "package passt"
			 : "install the package passt");
	else
		set(c, CHECK_OK,
		    root ? "user: pasta is there; for nat: sysctl "
			   "net.ipv4.ip_forward=1"
			 : "user: pasta is there",
		    "");
}
