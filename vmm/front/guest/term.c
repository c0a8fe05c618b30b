/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/term.h"

#include <signal.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

/* There is one terminal, and exit() knows nobody else to ask. */
static struct termios saved;
static bool raw;

static int set_quietly(const struct termios *t, int when)
{
	sigset_t ttou, old;
	int r;

	/* In the background this would stop us in mid-change. */
	sigemptyset(&ttou);
	sigaddset(&ttou, SIGTTOU);
	sigprocmask(SIG_BLOCK, &ttou, &old);
	r = tcsetattr(STDIN_FILENO, when, t);
	sigprocmask(SIG_SETMASK, &old, NULL);
	return r;
}

void term_raw(void)
{
	static bool registered;
	struct termios t;

	if (raw || tcgetattr(STDIN_FILENO, &saved) < 0)
		return;
	if (!registered)
		registered = atexit(term_restore) == 0;
	t = saved;
	cfmakeraw(&t);
	raw = set_quietly(&t, TCSADRAIN) == 0;
}

void term_restore(void)
{
	if (raw)
		set_quietly(&saved, TCSADRAIN);
	raw = false;
}

void term_lend(void)
{
	raw = raw || tcgetattr(STDIN_FILENO, &saved) == 0;
}

bool term_size(struct winsize *size)
{
	for (int fd = 0; fd < 3; fd++)
		if (ioctl(fd, TIOCGWINSZ, size) == 0)
			return true;
	return false;
}
