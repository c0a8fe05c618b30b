/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lab-host - starts the emulated host, moves the command's streams, ends it.
 *
 * usage: lab-host [-w DIR] [-c FILE] [-p FILE] [-r SECONDS] -m DIR
 *                 QEMU... -- COMMAND...
 *
 *   -w DIR   share that the command may write (at the same path in the lab)
 *   -c FILE  keep the lab's console in FILE
 *   -p FILE  preloaded into virtiofsd when we are not root (noatime.c)
 *   -r SEC   how long the lab may take to come up, 120 by default
 *   -m DIR   the lab kernel's modules
 *
 * THEORY OF OPERATION
 *
 * Everything between the processes is a descriptor made here and inherited, so
 * that labs cannot meet: four socket pairs for the serial ports, a connected
 * socket for each virtiofsd, a memory file for the console. Nothing has a name
 * in the file system, therefore nothing is left behind. The numbers QEMU's
 * command line uses are the FD_ ones below.
 *
 * The children die with us (PDEATHSIG) and are killed when the command has
 * ended: the lab's own shutdown would take longer than most commands, and there
 * is nothing in it worth closing properly. They are process groups of their own
 * so that ^C reaches us alone.
 *
 * A lab that has not come up in time never will: its kernel spins in its own
 * start, where the emulator has kept code as it was before the kernel rewrote
 * it. Nothing of the command has begun then, so it is started again.
 *
 * A thread per stream moves its bytes; the main thread reads control records
 * and signals. See relay.h for how the end of a stream is known.
 */
#include "relay.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define VIRTIOFSD "/usr/lib/qemu/virtiofsd"

/* In the children. */
enum {
	FD_IN = 10, /* the four ports, in relay.h's order */
	FD_CONTROL = 13,
	FD_ROOT = 14, /* virtiofsd of the machine's root */
	FD_RW = 15,   /* virtiofsd of the writable share */
	FD_CONSOLE = 16,
	FD_END = 17,
	FD_FREE = 64, /* our own descriptors start here */
};

enum { STATUS_LAB = 125, CONSOLE_TAIL = 4096, READY_SECONDS = 120, STARTS = 3 };

struct stream {
	int fd; /* ours: 0, 1 or 2 */
	int port;
	uint64_t moved; /* under lab.lock, like the rest */
	uint64_t end;
	bool ended; /* end is known */
	bool finished;
};

static struct lab {
	struct stream stream[RELAY_NSTREAMS];
	int control;
	int console;
	const char *preload; /* for virtiofsd */
	int kick;	     /* an output stream has finished */
	int child_fd[FD_END - FD_IN];
	pid_t child[3]; /* the virtiofsds, then QEMU */
	int nchildren;
	pthread_mutex_t lock;
} lab = { .preload = "", .lock = PTHREAD_MUTEX_INITIALIZER };

static void end_children(void)
{
	for (int i = 0; i < lab.nchildren; i++)
		kill(lab.child[i], SIGKILL);
	for (int i = 0; i < lab.nchildren; i++)
		waitpid(lab.child[i], NULL, 0);
	lab.nchildren = 0;
}

/* The last lines of the console, QEMU's and virtiofsd's complaints included. */
static void print_console(void)
{
	static char tail[CONSOLE_TAIL];
	struct stat st;
	off_t from;
	ssize_t n;

	if (lab.console < 0 || fstat(lab.console, &st) < 0 || st.st_size == 0)
		return;
	from = st.st_size > CONSOLE_TAIL ? st.st_size - CONSOLE_TAIL : 0;
	n = pread(lab.console, tail, sizeof(tail), from);
	if (n <= 0)
		return;
	fprintf(stderr, "lab: the end of its console:\n");
	fwrite(tail, 1, (size_t)n, stderr);
	if (tail[n - 1] != '\n')
		fputc('\n', stderr);
}

__attribute__((format(printf, 1, 2))) static _Noreturn void die(const char *fmt,
								...)
{
	va_list ap;

	end_children();
	fprintf(stderr, "lab: ");
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	print_console();
	exit(STATUS_LAB);
}

static _Noreturn void die_sys(const char *what)
{
	die("%s: %s", what, strerror(errno));
}

/* Out of the way of the numbers the children use. */
static int high(int fd)
{
	int moved = fcntl(fd, F_DUPFD_CLOEXEC, FD_FREE);

	if (fd < 0 || moved < 0)
		die_sys("descriptor");
	close(fd);
	return moved;
}

static void tell(uint32_t type, uint32_t stream, uint64_t value)
{
	struct relay_record r = { type, stream, value };

	pthread_mutex_lock(&lab.lock);
	relay_write(lab.control, &r, sizeof(r));
	pthread_mutex_unlock(&lab.lock);
}

/*
 * Children
 */

/* Start argv with FD_IN.. in place; its words go to the console. */
static void child_start(const char *const *argv, int nfds, const int *fd)
{
	pid_t parent = getpid();
	pid_t pid = fork();
	sigset_t none;

	if (pid < 0)
		die_sys("fork");
	if (pid > 0) {
		lab.child[lab.nchildren++] = pid;
		return;
	}
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(STATUS_LAB);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	close(0);
	open("/dev/null", O_RDWR);
	dup2(lab.console, 1);
	dup2(lab.console, 2);
	for (int i = 0; i < nfds; i++)
		if (fd[i] >= 0)
			dup2(fd[i], FD_IN + i);
	execvp(argv[0], (char *const *)(uintptr_t)argv);
	dprintf(2, "%s: %s\n", argv[0], strerror(errno));
	_exit(STATUS_LAB);
}

/* The words to start virtiofsd with. Without root it is given a user namespace
 * in which it is root: it changes its root directory and its identity. */
static void start_virtiofsd(const char *dir, const char *cache, int listener)
{
	char fd[32], opt[4200], env[4200];
	const char *argv[] = { "unshare", "-r", "env", env, VIRTIOFSD,
			       "-f",	  fd,	"-o",  opt, NULL };

	snprintf(fd, sizeof(fd), "--fd=%d", FD_IN);
	snprintf(env, sizeof(env), "LD_PRELOAD=%s", lab.preload);
	snprintf(opt, sizeof(opt),
		 "source=%s,sandbox=chroot,cache=%s,log_level=warn", dir,
		 cache);
	child_start(geteuid() == 0 ? argv + 4 : argv, 1, &listener);
}

/* A virtiofsd for dir; returns the socket that is connected to it. It wants
 * to accept for itself: an address the kernel picks has no name on disk. */
static int share(const char *dir, const char *cache)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	socklen_t len = sizeof(a);
	int l = high(socket(AF_UNIX, SOCK_STREAM, 0));
	int c = high(socket(AF_UNIX, SOCK_STREAM, 0));

	if (bind(l, (struct sockaddr *)&a, sizeof(sa_family_t)) < 0 ||
	    getsockname(l, (struct sockaddr *)&a, &len) < 0 ||
	    listen(l, 1) < 0 || connect(c, (struct sockaddr *)&a, len) < 0)
		die_sys("socket");
	start_virtiofsd(dir, cache, l);
	close(l);
	return c;
}

static void start(const char *const *qemu, const char *rw)
{
	int *fd = lab.child_fd;

	for (int i = 0; i <= FD_CONTROL - FD_IN; i++) {
		int pair[2];

		if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
			die_sys("socketpair");
		fd[i] = high(pair[0]);
		pair[1] = high(pair[1]);
		if (i < RELAY_NSTREAMS)
			lab.stream[i] =
				(struct stream){ i, pair[1], 0, 0, 0, 0 };
		else
			lab.control = pair[1];
	}
	fd[FD_ROOT - FD_IN] = share("/", "always");
	fd[FD_RW - FD_IN] = rw ? share(rw, "auto") : -1;
	fd[FD_CONSOLE - FD_IN] = lab.console;
	child_start(qemu, FD_END - FD_IN, fd);
	for (int i = 0; i < FD_CONSOLE - FD_IN; i++)
		if (fd[i] >= 0)
			close(fd[i]);
}

/* A child has ended: say which and how. QEMU was started last; when it ends
 * the virtiofsds follow, so it is given a moment to be the one to blame. */
static _Noreturn void die_child(void)
{
	int qemu = lab.nchildren - 1, status = 0;
	const char *who = "the emulated host";
	pid_t pid = 0;

	for (int i = 0; i < 20 && pid == 0; i++) {
		pid = waitpid(lab.child[qemu], &status, WNOHANG);
		if (pid == 0)
			usleep(50 * 1000);
	}
	if (pid > 0) {
		lab.nchildren--;
	} else {
		who = "virtiofsd";
		pid = waitpid(lab.child[0], &status, WNOHANG);
	}
	if (WIFSIGNALED(status))
		die("%s was killed by signal %d before the command ended", who,
		    WTERMSIG(status));
	die("%s ended (status %d) before the command did", who,
	    WEXITSTATUS(status));
}

/*
 * Streams
 */

/* Under lab.lock. The last byte is out: whoever reads us sees the end now. */
static void finish_if_done(struct stream *s)
{
	if (s->finished || !s->ended || s->moved < s->end)
		return;
	s->finished = true;
	close(s->fd);
	eventfd_write(lab.kick, 1);
}

static void *move_in(void *arg)
{
	struct stream *s = arg;
	char *buf = malloc(RELAY_CHUNK);
	uint64_t moved = 0;

	for (;;) {
		ssize_t n = read(s->fd, buf, RELAY_CHUNK);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0 || relay_write(s->port, buf, (uint64_t)n) < 0)
			break;
		moved += (uint64_t)n;
	}
	tell(RELAY_END, RELAY_IN, moved);
	return NULL;
}

static void *move_out(void *arg)
{
	struct stream *s = arg;
	uint32_t index = (uint32_t)(s - lab.stream);
	char *buf = malloc(RELAY_CHUNK);
	bool gone = false;

	for (;;) {
		ssize_t n = read(s->port, buf, RELAY_CHUNK);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return NULL;
		if (!gone && relay_write(s->fd, buf, (uint64_t)n) < 0) {
			gone = true;
			tell(RELAY_GONE, index, 0);
		}
		pthread_mutex_lock(&lab.lock);
		s->moved += (uint64_t)n;
		finish_if_done(s);
		pthread_mutex_unlock(&lab.lock);
	}
}

static bool outputs_finished(void)
{
	bool done;

	pthread_mutex_lock(&lab.lock);
	done = lab.stream[RELAY_OUT].finished && lab.stream[RELAY_ERR].finished;
	pthread_mutex_unlock(&lab.lock);
	return done;
}

/*
 * The job
 */

static void send_job(const char *modules, const char *rw, char *const *argv)
{
	static char job[RELAY_JOB_MAX];
	char *cwd = getcwd(NULL, 0);
	relay_size_t size;
	size_t n;
	FILE *f;
	int argc = 0;

	if (!cwd)
		die_sys("working directory");
	while (argv[argc])
		argc++;
	f = fmemopen(job, sizeof(job), "w");
	fprintf(f, "%s%c%s%c%s%c%d%c", cwd, 0, rw ? rw : "", 0, modules, 0,
		argc, 0);
	for (int i = 0; i < argc; i++)
		fprintf(f, "%s%c", argv[i], 0);
	for (char **e = environ; *e; e++)
		fprintf(f, "%s%c", *e, 0);
	n = (size_t)ftell(f);
	if (fclose(f) != 0 || n >= sizeof(job))
		die("arguments and environment are too long");
	size = (relay_size_t)n;
	if (relay_write(lab.control, &size, sizeof(size)) < 0 ||
	    relay_write(lab.control, job, n) < 0)
		die_child();
	free(cwd);
}

static void start_streams(void)
{
	for (int i = 0; i < RELAY_NSTREAMS; i++) {
		pthread_t t;

		if (pthread_create(&t, NULL, i == RELAY_IN ? move_in : move_out,
				   &lab.stream[i]) != 0)
			die("cannot start a thread");
		pthread_detach(t);
	}
}

static void on_signal(int fd)
{
	struct signalfd_siginfo si;

	if (read(fd, &si, sizeof(si)) != sizeof(si))
		return;
	if (si.ssi_signo == SIGCHLD)
		die_child();
	end_children();
	exit(128 + (int)si.ssi_signo);
}

/* Returns true when the command has ended, its status in *status. */
static bool on_record(int *status)
{
	struct relay_record r;

	if (relay_read(lab.control, &r, sizeof(r)) <= 0)
		die_child();
	if (r.type == RELAY_EXIT) {
		*status = (int)r.value;
		return true;
	}
	if (r.type != RELAY_END || r.stream >= RELAY_NSTREAMS)
		return false;
	pthread_mutex_lock(&lab.lock);
	lab.stream[r.stream].ended = true;
	lab.stream[r.stream].end = r.value;
	finish_if_done(&lab.stream[r.stream]);
	pthread_mutex_unlock(&lab.lock);
	return false;
}

/* Whether the lab came up in time. */
static bool ready(int signals, int seconds)
{
	struct pollfd p[] = {
		{ .fd = signals, .events = POLLIN },
		{ .fd = lab.control, .events = POLLIN },
	};
	struct relay_record r;
	int n;

	do
		n = poll(p, 2, seconds * 1000);
	while (n < 0 && errno == EINTR);
	if (n == 0)
		return false;
	if (p[0].revents)
		on_signal(signals);
	if (relay_read(lab.control, &r, sizeof(r)) <= 0)
		die_child();
	if (r.type != RELAY_READY)
		die("it said %u before it was up", r.type);
	return true;
}

/* The lab that does not come up is gone, its death included. */
static void end_start(int signals)
{
	struct signalfd_siginfo si;

	end_children();
	close(lab.control);
	for (int i = 0; i < RELAY_NSTREAMS; i++)
		close(lab.stream[i].port);
	while (poll(&(struct pollfd){ signals, POLLIN, 0 }, 1, 0) > 0)
		if (read(signals, &si, sizeof(si)) == sizeof(si) &&
		    si.ssi_signo != SIGCHLD)
			exit(128 + (int)si.ssi_signo);
}

static void come_up(int signals, int seconds, char **qemu, const char *rw,
		    const char *modules, char **command)
{
	for (int i = 1;; i++) {
		start((const char *const *)qemu, rw);
		send_job(modules, rw, command);
		if (ready(signals, seconds))
			return;
		if (i == STARTS)
			die("not up after %d seconds, %d times", seconds, i);
		fprintf(stderr, "lab: not up after %d seconds: started again\n",
			seconds);
		end_start(signals);
	}
}

static int serve(int signals)
{
	struct pollfd p[] = {
		{ .fd = signals, .events = POLLIN },
		{ .fd = lab.kick, .events = POLLIN },
		{ .fd = lab.control, .events = POLLIN },
	};
	int status = -1;

	while (status < 0 || !outputs_finished()) {
		eventfd_t n;

		if (poll(p, 3, -1) < 0)
			continue;
		if (p[0].revents)
			on_signal(signals);
		if (p[1].revents)
			eventfd_read(lab.kick, &n);
		if (p[2].revents && on_record(&status))
			p[2].fd = -1;
	}
	return status;
}

static int block_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGQUIT);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	return high(signalfd(-1, &set, 0));
}

int main(int argc, char **argv)
{
	const char *modules = NULL, *rw = NULL, *console = NULL;
	char **qemu, **command;
	int opt, signals, status, seconds = READY_SECONDS;

	lab.console = -1;
	while ((opt = getopt(argc, argv, "+w:c:m:p:r:")) != -1) {
		if (opt == 'w')
			rw = optarg;
		else if (opt == 'c')
			console = optarg;
		else if (opt == 'm')
			modules = optarg;
		else if (opt == 'p')
			lab.preload = optarg;
		else if (opt == 'r')
			seconds = atoi(optarg);
		else
			return STATUS_LAB;
	}
	qemu = argv + optind;
	for (command = qemu; *command && strcmp(*command, "--") != 0;)
		command++;
	if (!modules || !*command || !command[1])
		die("usage: lab-host [OPTION...] -m DIR QEMU... -- COMMAND...");
	*command++ = NULL;

	signals = block_signals();
	lab.kick = high(eventfd(0, 0));
	lab.console =
		high(console ? open(console,
				    O_RDWR | O_CREAT | O_TRUNC | O_APPEND, 0644)
			     : memfd_create("lab-console", 0));
	fcntl(lab.console, F_SETFL, O_APPEND);
	come_up(signals, seconds, qemu, rw, modules, command);
	start_streams();
	status = serve(signals);
	end_children();
	return status;
}
