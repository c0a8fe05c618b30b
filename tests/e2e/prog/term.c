/* SPDX-License-Identifier: Apache-2.0 */
/* term.c - run a command on a terminal of its own, and talk to it.
 *
 * usage: term SCRIPT COMMAND [ARGUMENT...]
 *
 * What the terminal shows goes to stdout; the exit status is the command's,
 * 128+n for a signal, 98 when SCRIPT was not followed in time. SCRIPT's words,
 * one line each:
 *
 *   size ROWS COLS      the window's size; SIGWINCH follows
 *   expect TEXT         wait until TEXT was shown, behind what was expected
 *                       before
 *   send TEXT           type it; \r \n \e \xHH \\ as in C
 *   do COMMAND          run it by the shell, beside the terminal
 *   hangup              close the terminal
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define SHOWN_MAX (1u << 20)
#define PATIENCE_MS 90000
#define STATUS_SCRIPT 98

static char shown[SHOWN_MAX];
static size_t nshown, seen;
static int master = -1;

static void say(const char *what, const char *detail)
{
	fprintf(stderr, "term: %s%s%s\n", what, *detail ? ": " : "", detail);
}

static void set_size(unsigned short rows, unsigned short cols)
{
	struct winsize w = { .ws_row = rows, .ws_col = cols };

	ioctl(master, TIOCSWINSZ, &w);
}

/* False at the end of the terminal, or when nothing comes for too long. */
static bool look(int ms)
{
	struct pollfd p = { .fd = master, .events = POLLIN };
	ssize_t n;

	if (master < 0 || poll(&p, 1, ms) <= 0)
		return false;
	if (nshown == SHOWN_MAX - 1)
		return false;
	n = read(master, shown + nshown, SHOWN_MAX - 1 - nshown);
	if (n <= 0)
		return false;
	if (write(STDOUT_FILENO, shown + nshown, (size_t)n) < 0)
		return false;
	nshown += (size_t)n;
	shown[nshown] = '\0';
	return true;
}

static bool expect(const char *text)
{
	for (;;) {
		const char *at = strstr(shown + seen, text);

		if (at) {
			seen = (size_t)(at - shown) + strlen(text);
			return true;
		}
		if (!look(PATIENCE_MS)) {
			say("did not see", text);
			return false;
		}
	}
}

static size_t unescape(char *s)
{
	char *out = s, *start = s;

	while (*s) {
		if (*s != '\\') {
			*out++ = *s++;
			continue;
		}
		s++;
		switch (*s) {
		case 'r':
			*out++ = '\r';
			break;
		case 'n':
			*out++ = '\n';
			break;
		case 'e':
			*out++ = '\033';
			break;
		case 'x':
			*out++ = (char)strtol((char[]){ s[1], s[2], 0 }, NULL,
					      16);
			s += 2;
			break;
		default:
			*out++ = *s;
		}
		s++;
	}
	return (size_t)(out - start);
}

static bool type(char *text)
{
	size_t len = unescape(text);

	if (write(master, text, len) != (ssize_t)len) {
		say("type", strerror(errno));
		return false;
	}
	return true;
}

static bool step(char *line)
{
	unsigned short rows, cols;
	char *rest = strchr(line, ' ');

	rest = rest ? rest + 1 : line + strlen(line);
	if (*line == '\0' || *line == '#')
		return true;
	if (strncmp(line, "expect ", 7) == 0)
		return expect(rest);
	if (strncmp(line, "send ", 5) == 0)
		return type(rest);
	if (strncmp(line, "do ", 3) == 0)
		return system(rest) == 0;
	if (sscanf(line, "size %hu %hu", &rows, &cols) == 2) {
		set_size(rows, cols);
		return true;
	}
	if (strcmp(line, "hangup") == 0) {
		close(master);
		master = -1;
		return true;
	}
	say("not a step", line);
	return false;
}

static pid_t start(char **argv)
{
	pid_t pid;

	master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0)
		return -1;
	set_size(24, 80);
	pid = fork();
	if (pid == 0) {
		int fd;

		setsid();
		fd = open(ptsname(master), O_RDWR); /* becomes ours */
		for (int i = 0; i < 3; i++)
			dup2(fd, i);
		if (fd > 2)
			close(fd);
		execvp(argv[0], argv);
		say(argv[0], strerror(errno));
		_exit(127);
	}
	return pid;
}

int main(int argc, char **argv)
{
	char *next, *line;
	bool ok = true;
	int status;
	pid_t pid;

	if (argc < 3) {
		say("usage: term SCRIPT COMMAND...", "");
		return 2;
	}
	pid = start(argv + 2);
	if (pid < 0) {
		say("terminal", strerror(errno));
		return 2;
	}
	for (next = argv[1]; ok && (line = strsep(&next, "\n"));)
		ok = step(line + strspn(line, "\t"));
	if (!ok) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		return STATUS_SCRIPT;
	}
	while (look(PATIENCE_MS))
		;
	while (waitpid(pid, &status, 0) < 0)
		;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status)
				   : WEXITSTATUS(status);
}
