/* SPDX-License-Identifier: Apache-2.0 */
#include "base/loop.h"

#include "base/auto.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/eventfd.h>

#include <cmocka.h>

/* A watch on an eventfd that counts, and does something once. */
struct bell {
	struct watch watch;
	struct loop *loop;
	unsigned rung;
	uint32_t events;
	struct bell *victim;	/* deleted when this one rings */
	bool silence;		/* takes its own events away */
};

static struct loop loop;

static void bell_ready(struct watch *w, uint32_t events)
{
	struct bell *b = container_of(w, struct bell, watch);

	b->rung++;
	b->events = events;
	if (b->victim) {
		loop_del(b->loop, &b->victim->watch);
		memset(&b->victim->watch, 0xee, sizeof(b->victim->watch));
		b->victim = NULL;
	}
	if (b->silence)
		loop_mod(b->loop, w, 0);
}

static void bell_init(struct bell *b)
{
	*b = (struct bell){
		.loop = &loop,
		.watch = { .fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC),
			   .name = "bell",
			   .ready = bell_ready },
	};
	assert_true(b->watch.fd >= 0);
	assert_int_equal(loop_add(&loop, &b->watch, EPOLLIN, NULL), 0);
}

static void ring(int fd)
{
	assert_int_equal(eventfd_write(fd, 1), 0);
}

static int setup(void **state)
{
	(void)state;
	return loop_init(&loop, NULL, NULL);
}

static int teardown(void **state)
{
	(void)state;
	loop_fini(&loop);
	return 0;
}

static void calls_what_is_ready(void **state)
{
	struct bell a, b;

	(void)state;
	bell_init(&a);
	bell_init(&b);
	assert_int_equal(loop_once(&loop, 0), 0);
	assert_int_equal(a.rung + b.rung, 0);
	ring(b.watch.fd);
	assert_int_equal(loop_once(&loop, -1), 0);
	assert_int_equal(a.rung, 0);
	assert_int_equal(b.rung, 1);
	assert_int_equal(b.events, EPOLLIN);
	loop_del(&loop, &b.watch);
	assert_int_equal(loop_once(&loop, 0), 0);
	assert_int_equal(b.rung, 1);
	close(a.watch.fd);
	close(b.watch.fd);
}

static void asleep_with_no_events(void **state)
{
	struct bell a;

	(void)state;
	bell_init(&a);
	a.silence = true;
	ring(a.watch.fd);
	for (int i = 0; i < 3; i++)
		loop_once(&loop, 0);
	assert_int_equal(a.rung, 1);
	a.silence = false;
	loop_mod(&loop, &a.watch, EPOLLIN);
	loop_once(&loop, 0);
	assert_int_equal(a.rung, 2);
	close(a.watch.fd);
}

/* One of two that are ready takes the other away: it must not be called. */
static void deleted_in_the_same_batch(void **state)
{
	struct bell a, b;
	int fd[2];

	(void)state;
	bell_init(&a);
	bell_init(&b);
	fd[0] = a.watch.fd;
	fd[1] = b.watch.fd;
	a.victim = &b;
	b.victim = &a;
	ring(fd[0]);
	ring(fd[1]);
	loop_once(&loop, 0);
	assert_int_equal(a.rung + b.rung, 1);
	close(fd[0]);
	close(fd[1]);
}

static void delete_needs_no_add(void **state)
{
	struct watch w = { .fd = -1, .name = "never" };

	(void)state;
	loop_del(&loop, &w);
	loop_mod(&loop, &w, EPOLLIN);
	assert_false(w.added);
}

static void add_names_what_failed(void **state)
{
	struct watch w = { .fd = -1, .name = "nothing" };
	struct err e = { 0 };

	(void)state;
	assert_int_equal(loop_add(&loop, &w, EPOLLIN, &e), -EBADF);
	assert_string_equal(e.msg, "watch nothing: Bad file descriptor");
	assert_false(w.added);
}

static void more_than_a_batch(void **state)
{
	struct bell b[LOOP_BATCH + 8];
	unsigned rung = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(b); i++) {
		bell_init(&b[i]);
		b[i].silence = true;
		ring(b[i].watch.fd);
	}
	loop_once(&loop, 0);
	loop_once(&loop, 0);
	for (size_t i = 0; i < ARRAY_LEN(b); i++) {
		rung += b[i].rung;
		close(b[i].watch.fd);
	}
	assert_int_equal(rung, ARRAY_LEN(b));
}

static void stop_ready(struct watch *w, uint32_t events)
{
	(void)w;
	(void)events;
	loop_stop(&loop);
}

static void runs_until_stopped(void **state)
{
	struct bell a;

	(void)state;
	bell_init(&a);
	a.watch.ready = stop_ready;
	ring(a.watch.fd);
	assert_int_equal(loop_run(&loop), 0);
	close(a.watch.fd);
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void locked_ready(struct watch *w, uint32_t events)
{
	struct bell *b = container_of(w, struct bell, watch);

	(void)events;
	b->rung = pthread_mutex_trylock(&lock) == EBUSY;
}

static void lock_is_held_in_callbacks(void **state)
{
	struct bell a;

	(void)state;
	loop.lock = &lock;
	bell_init(&a);
	a.watch.ready = locked_ready;
	ring(a.watch.fd);
	loop_once(&loop, 0);
	assert_int_equal(a.rung, 1);
	assert_int_equal(pthread_mutex_trylock(&lock), 0);
	pthread_mutex_unlock(&lock);
	close(a.watch.fd);
}

static unsigned fired;

static void timer_fired(struct timer *t)
{
	(void)t;
	fired++;
}

static void timers(void **state)
{
	struct timer t;

	(void)state;
	fired = 0;
	assert_int_equal(timer_init(&t, &loop, "tick", timer_fired, NULL), 0);
	loop_once(&loop, 0);
	assert_int_equal(fired, 0);
	timer_set(&t, 1);
	while (fired == 0)
		loop_once(&loop, -1);
	loop_once(&loop, 0);
	assert_int_equal(fired, 1);	/* one shot */
	timer_set(&t, 3600000);
	timer_set(&t, 0);
	loop_once(&loop, 0);
	assert_int_equal(fired, 1);
	timer_fini(&t, &loop);
	timer_fini(&t, &loop);
	t = (struct timer){ 0 };
	timer_fini(&t, &loop);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(calls_what_is_ready),
		T(asleep_with_no_events),
		T(deleted_in_the_same_batch),
		T(delete_needs_no_add),
		T(add_names_what_failed),
		T(more_than_a_batch),
		T(runs_until_stopped),
		T(lock_is_held_in_callbacks),
		T(timers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
