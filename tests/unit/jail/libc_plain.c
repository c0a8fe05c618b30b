/* SPDX-License-Identifier: Apache-2.0 */
/* What the C library does by itself must be inside the tables: threads,
 * arenas of malloc, exit, abort. Linked as vial-vmm is and run without a
 * sanitizer, which would do other things. Prints TAP. */
#include "base/auto.h"
#include "base/log.h"
#include "jail/jail.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>

#define NTHREADS 4

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static unsigned sealed, done;
static int doorbell = -1;

static void on_kick(int sig)
{
	(void)sig;
}

static void must(int ok)
{
	if (!ok)
		_exit(99);
}

/* Small, large enough for a mapping of its own, and growing. */
static void use_memory(void)
{
	char *p = NULL;

	for (size_t size = 16; size < 8u << 20; size *= 2) {
		autofree char *q = malloc(size);

		p = realloc(p, size);
		must(p && q);
		memset(p, 1, size);
		memset(q, 1, size);
	}
	free(p);
}

static void use_text(void)
{
	char text[200];

	snprintf(text, sizeof(text), "%.3f %s %p", sqrt(doorbell),
		 strerror(ENOSPC), (void *)text);
	log_debug("%s", text);
}

static void *vcpu_main(void *arg)
{
	uint64_t n;

	must(jail_seal(JAIL_VCPU, NULL) == 0);
	pthread_mutex_lock(&lock);
	sealed++;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	/* The kick ends what stands for KVM_RUN. */
	must(read(doorbell, &n, sizeof(n)) < 0 && errno == EINTR);
	use_memory();
	use_text();
	pthread_mutex_lock(&lock);
	done++;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	return arg;
}

static void wait_for(const unsigned *count)
{
	pthread_mutex_lock(&lock);
	while (*count < NTHREADS)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
}

static void a_sealed_life(void)
{
	struct sigaction sa = { .sa_handler = on_kick };
	pthread_t t[NTHREADS];

	sigaction(SIGRTMIN, &sa, NULL);
	for (int i = 0; i < NTHREADS; i++)
		must(pthread_create(&t[i], NULL, vcpu_main, NULL) == 0);
	wait_for(&sealed);
	must(jail_seal(JAIL_LOOP, NULL) == 0);
	use_memory();
	use_text();
	/* A thread that is not in read() yet misses the first kick. */
	while (__atomic_load_n(&done, __ATOMIC_SEQ_CST) < NTHREADS) {
		for (int i = 0; i < NTHREADS; i++)
			pthread_kill(t[i], SIGRTMIN);
		sched_yield();
	}
	wait_for(&done);
	for (int i = 0; i < NTHREADS; i++)
		must(pthread_join(t[i], NULL) == 0);
	exit(7);
}

static void an_abort(void)
{
	must(jail_seal(JAIL_LOOP, NULL) == 0);
	abort();
}

/* What a smashed stack or a caught overflow ends in. */
static void a_check_of_the_library(void)
{
	char *volatile p = malloc(16); /* volatile: gcc would see it */

	must(jail_seal(JAIL_VCPU, NULL) == 0);
	free(p);
	free(p);
}

static const struct {
	const char *name;
	void (*run)(void);
	int status; /* as waitpid() has it */
} tests[] = {
	{ "threads, memory, text and exit", a_sealed_life, 7 << 8 },
	{ "abort() is seen as such", an_abort, SIGABRT },
	{ "a double free is seen as such", a_check_of_the_library, SIGABRT },
};

int main(void)
{
	int status, bad = 0;

	printf("1..%zu\n", ARRAY_LEN(tests));
	log_init("libc_plain", LOG_DEBUG);
	doorbell = eventfd(0, EFD_CLOEXEC);
	for (size_t i = 0; i < ARRAY_LEN(tests); i++) {
		pid_t pid;

		fflush(stdout);
		pid = fork();
		if (pid == 0) {
			must(jail_watch("test", NULL) == 0);
			tests[i].run();
			_exit(98);
		}
		waitpid(pid, &status, 0);
		bad += status != tests[i].status;
		printf("%sok %zu - %s (%#x)\n",
		       status == tests[i].status ? "" : "not ", i + 1,
		       tests[i].name, (unsigned)status);
	}
	return bad != 0;
}
