/* SPDX-License-Identifier: Apache-2.0 */
/* vial-netd - the network of one box, for vial; "vial-netd lan SUBNET" is the
 * keeper of one of several (lan.h), "vial-netd roof" that of what lets an
 * ordinary user have such (roof.h), "vial-netd host" says what of the host's
 * stands in the way of nat, "vial-netd join" and "leave" change the network of
 * a box that runs. */
#include "base/log.h"
#include "net/blocked.h"
#include "net/join.h"
#include "net/lan.h"
#include "net/netd.h"
#include "net/six.h"

#include <linux/netfilter.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>

/* Started by hand it has no socket. */
static bool started_by_vial(void)
{
	int type;
	socklen_t len = sizeof(type);

	return getsockopt(NETD_FD, SOL_SOCKET, SO_TYPE, &type, &len) == 0 &&
	       type == SOCK_STREAM;
}

/* Three lines, each of them empty when all is well: who drops what boxes send
 * by nat, the command that helps, and why boxes have no IPv6. */
static int look_at_host(struct err *e)
{
	const char *six = six_missing(true);
	char remedy[256] = "";
	struct blocked b;

	if (blocked_find(&b, NFPROTO_IPV4, e) < 0)
		log_err("%s", e->msg);
	if (*b.chain)
		blocked_remedy(&b, remedy, sizeof(remedy));
	printf("%s%s%s\n%s\n%s\n", b.table, *b.chain ? " " : "", b.chain,
	       remedy, six ? six : "");
	return e->code ? 1 : 0;
}

int main(int argc, char **argv)
{
	struct netd n = NETD_INIT;
	struct err e = { 0 };

	log_init("vial-netd", LOG_WARN);
	signal(SIGPIPE, SIG_IGN);
	if (argc == 3 && strcmp(argv[1], "lan") == 0)
		return lan_keeper(argv[2], &e) < 0;
	if (argc == 2 && strcmp(argv[1], "roof") == 0)
		return roof_keeper(&e) < 0;
	if (argc == 2 && strcmp(argv[1], "host") == 0)
		return look_at_host(&e);
	if (!started_by_vial()) {
		fprintf(stderr, "vial-netd is started by vial: vial run\n");
		return 125;
	}
	if (argc == 2 && strcmp(argv[1], "join") == 0)
		return join_run(&e) < 0;
	if (argc == 2 && strcmp(argv[1], "leave") == 0)
		return join_leave(&e) < 0;
	if (netd_recv(&n, &e) < 0 ||	/* what is wanted          */
	    netd_build(&n, &e) < 0)	/* namespace, links, rules */
		netd_refuse(&n, &e);
	else if (netd_answer(&n, &e) < 0 ||	/* the tap goes out */
		 netd_serve(&n, &e) < 0)	/* until the box ends */
		log_err("%s", e.msg);
	netd_fini(&n);
	return e.code ? 1 : 0;
}
