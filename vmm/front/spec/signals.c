/* SPDX-License-Identifier: Apache-2.0 */
#include "spec/signals.h"

#include "base/auto.h"

#include <signal.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/signalfd.h>

static const int watched[] = {
	SIGHUP,	 SIGINT,  SIGQUIT, SIGTERM,  SIGUSR1,
	SIGUSR2, SIGALRM, SIGCONT, SIGWINCH,
};

static void mask_of(sigset_t *set)
{
	sigemptyset(set);
	for (size_t i = 0; i < ARRAY_LEN(watched); i++)
		sigaddset(set, watched[i]);
}

static void signals_ready(struct watch *w, uint32_t events)
{
	struct signals *s = container_of(w, struct signals, watch);
	struct signalfd_siginfo info;

	(void)events;
	if (read(w->fd, &info, sizeof(info)) != sizeof(info))
		return;
	s->by_terminal = info.ssi_code > 0;
	s->got(s, (int)info.ssi_signo);
}

void signals_hold(void)
{
	sigset_t set;

	mask_of(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

int signals_open(struct signals *s, struct loop *l,
		 void (*got)(struct signals *s, int signo), struct err *e)
{
	sigset_t set;
	int fd;

	mask_of(&set);
	signal(SIGPIPE, SIG_IGN);
	signals_hold();
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return err_sys(e, "signalfd");
	s->loop = l;
	s->got = got;
	s->watch = (struct watch){ .fd = fd,
				   .name = "signals",
				   .ready = signals_ready };
	return loop_add(l, &s->watch, EPOLLIN, e);
}

void signals_close(struct signals *s)
{
	if (!s->loop)
		return;
	loop_del(s->loop, &s->watch);
	close(s->watch.fd);
	s->loop = NULL;
}

const char *signals_name(int signo, char *buf, size_t size)
{
	const char *name = sigabbrev_np(signo);

	if (name)
		snprintf(buf, size, "SIG%s", name);
	else
		snprintf(buf, size, "signal %d", signo);
	return buf;
}

int signals_parse(const char *text, struct err *e)
{
	const char *name = strncasecmp(text, "SIG", 3) == 0 ? text + 3 : text;
	char *end;
	long n = strtol(text, &end, 10);

	if (*text && !*end && n >= 1 && n <= SIGRTMAX)
		return (int)n;
	for (int i = 1; i <= SIGRTMAX; i++) {
		const char *known = sigabbrev_np(i);

		if (known && strcasecmp(known, name) == 0)
			return i;
	}
	/* RTMIN+3, RTMAX-1 */
	if (strncasecmp(name, "RTMIN", 5) == 0 ||
	    strncasecmp(name, "RTMAX", 5) == 0) {
		bool min = strncasecmp(name, "RTMIN", 5) == 0;

		n = strtol(name + 5, &end, 10) + (min ? SIGRTMIN : SIGRTMAX);
		if (!*end && n >= SIGRTMIN && n <= SIGRTMAX)
			return (int)n;
	}
	return err_set(e, EINVAL, "Invalid signal: %s", text);
}
