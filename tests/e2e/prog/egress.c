/* SPDX-License-Identifier: Apache-2.0 */
/* egress - the policy of a box without a box, for tests with real programs as
 * guests: what vial-netd does with net/egress.h, in a network namespace that
 * is there already, until SIGTERM.
 *
 * usage: egress NAMESPACE MAC GUEST RESOLVER RESOLV-CONF LOG RECORD [WORD...] */
#include "base/auto.h"
#include "base/log.h"
#include "net/egress.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>

#define FIRST_WORD 8

static struct loop loop;

static void ended(struct watch *w, uint32_t events)
{
	(void)w, (void)events;
	loop_stop(&loop);
}

static int conf(struct egress_conf *c, char **argv, struct err *e)
{
	const int flags = O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC;
	uint8_t *m = c->mac;

	if (sscanf(argv[2], "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", m, m + 1, m + 2,
		   m + 3, m + 4, m + 5) != 6 ||
	    !ip_parse(argv[3], &c->guest4) || !ip_parse(argv[4], &c->resolver4))
		return err_set(e, EINVAL, "not an address");
	c->log_fd = open(argv[6], flags, 0644);
	c->record_fd = open(argv[7], flags, 0644);
	if (c->log_fd < 0 || c->record_fd < 0)
		return err_sys(e, "%s, %s", argv[6], argv[7]);
	return egress_conf_host(c, argv[5], e);
}

static int enter(const char *path, struct err *e)
{
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
		return err_sys(e, "%s", path);
	return 0;
}

int main(int argc, char **argv)
{
	struct egress_conf c = EGRESS_CONF_INIT;
	struct egress *eg = NULL;
	struct watch end = { .name = "end", .ready = ended };
	struct err e = { 0 };
	sigset_t set;

	log_init("egress", LOG_WARN);
	if (argc < FIRST_WORD)
		return 2;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	end.fd = signalfd(-1, &set, SFD_CLOEXEC);
	c.list = (const char *const *)argv + FIRST_WORD;
	c.nlist = (size_t)(argc - FIRST_WORD);
	if (conf(&c, argv, &e) == 0 && egress_new(&eg, &c, &e) == 0 &&
	    enter(argv[1], &e) == 0 && egress_setup(eg, &e) == 0 &&
	    loop_init(&loop, NULL, &e) == 0 &&
	    egress_start(eg, &loop, &e) == 0 &&
	    loop_add(&loop, &end, EPOLLIN, &e) == 0) {
		puts("ready");
		fflush(stdout);
		loop_run(&loop);
		egress_stop(eg);
	} else {
		log_err("%s", e.msg);
	}
	egress_free(eg);
	return e.code ? 1 : 0;
}
