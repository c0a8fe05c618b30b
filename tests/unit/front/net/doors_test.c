/* SPDX-License-Identifier: Apache-2.0 */
#include "net/doors.h"

#include "base/auto.h"
#include "net/doors_udp.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define LOOPBACK 0x7f000001

/* The guest is our own loopback; callers are of IPv6's. */
struct fixture {
	struct loop loop;
	struct doors *doors;
	int guest;
	uint16_t guest_port, door_port;
	bool udp;
};

static int bound(int family, bool udp, uint16_t *port)
{
	struct sockaddr_in6 six = { .sin6_family = AF_INET6,
				    .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct sockaddr_in four = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(LOOPBACK) };
	struct sockaddr *a = family == AF_INET6 ? (struct sockaddr *)&six
						: (struct sockaddr *)&four;
	socklen_t len = family == AF_INET6 ? sizeof(six) : sizeof(four);
	int fd = socket(family,
			(udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -1;
	if (bind(fd, a, len) < 0) {
		close(fd);
		return -1;
	}
	if (!udp)
		assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, a, &len), 0);
	*port = ntohs(family == AF_INET6 ? six.sin6_port : four.sin_port);
	return fd;
}

static void set_up(struct fixture *f, bool udp)
{
	struct rlimit files;
	struct err e = { 0 };
	int door;

	*f = (struct fixture){ .udp = udp };
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	door = bound(AF_INET6, udp, &f->door_port);
	if (door < 0)
		skip(); /* there is no IPv6 here */
	f->guest = bound(AF_INET, udp, &f->guest_port);
	assert_true(f->guest >= 0);
	assert_int_equal(loop_init(&f->loop, NULL, &e), 0);
	assert_int_equal(doors_new(&f->doors, LOOPBACK, &e), 0);
	assert_int_equal(doors_add(f->doors, door, udp, f->guest_port, &e), 0);
	assert_int_equal(doors_start(f->doors, &f->loop, &e), 0);
}

static void tear_down(struct fixture *f)
{
	doors_free(f->doors);
	loop_fini(&f->loop);
	if (f->guest >= 0)
		close(f->guest);
}

static int call(const struct fixture *f)
{
	int fd = socket(AF_INET6, f->udp ? SOCK_DGRAM : SOCK_STREAM, 0);
	const struct sockaddr_in6 a = { .sin6_family = AF_INET6,
					.sin6_addr = IN6ADDR_LOOPBACK_INIT,
					.sin6_port = htons(f->door_port) };

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)&a, sizeof(a)),
			 0);
	return fd;
}

/* Turns the loop until fd has something; what that is. */
static ssize_t hear(struct fixture *f, int fd, char *text, size_t room)
{
	ssize_t n;

	while ((n = recv(fd, text, room - 1, MSG_DONTWAIT)) < 0 &&
	       errno == EAGAIN)
		assert_int_equal(loop_once(&f->loop, 10), 0);
	text[n > 0 ? n : 0] = '\0';
	return n;
}

static int accept_one(struct fixture *f)
{
	int fd;

	while ((fd = accept(f->guest, NULL, NULL)) < 0)
		assert_int_equal(loop_once(&f->loop, 10), 0);
	return fd;
}

static void a_connection_is_made_anew(void **state)
{
	struct fixture f;
	char text[64];
	int caller, guest;

	(void)state;
	set_up(&f, false);
	caller = call(&f);
	assert_int_equal(send(caller, "question", 8, 0), 8);
	guest = accept_one(&f);
	hear(&f, guest, text, sizeof(text));
	assert_string_equal(text, "question");
	assert_int_equal(send(guest, "answer", 6, 0), 6);
	close(guest);
	hear(&f, caller, text, sizeof(text));
	assert_string_equal(text, "answer");
	assert_int_equal(hear(&f, caller, text, sizeof(text)), 0);
	close(caller);
	tear_down(&f);
}

static void a_guest_that_refuses_is_an_end(void **state)
{
	struct fixture f;
	char text[64];
	int caller;

	(void)state;
	set_up(&f, false);
	close(take_fd(&f.guest));
	caller = call(&f);
	assert_true(hear(&f, caller, text, sizeof(text)) <= 0);
	close(caller);
	tear_down(&f);
}

/* Others' calls end with it, also those that nobody has answered. */
static void many_are_bounded(void **state)
{
	struct rlimit files = { 0 };
	enum { MORE = 8 };
	static int callers[DOORS_CALLS_MAX + MORE];
	struct fixture f;
	unsigned turned_away = 0;
	char byte;

	(void)state;
	getrlimit(RLIMIT_NOFILE, &files);
	if (files.rlim_max < 4 * DOORS_CALLS_MAX)
		skip();
	set_up(&f, false);
	for (size_t i = 0; i < ARRAY_LEN(callers); i++) {
		callers[i] = call(&f);
		loop_once(&f.loop, 0);
		loop_once(&f.loop, 0);
	}
	for (int i = 0; i < 100; i++)
		loop_once(&f.loop, 0);
	for (size_t i = 0; i < ARRAY_LEN(callers); i++)
		turned_away +=
			recv(callers[i], &byte, 1, MSG_DONTWAIT) == 0 ? 1 : 0;
	assert_int_equal(turned_away, MORE);
	for (size_t i = 0; i < ARRAY_LEN(callers); i++)
		close(callers[i]);
	tear_down(&f);
}

static void datagrams_find_who_asked(void **state)
{
	struct sockaddr_in from[2];
	struct fixture f;
	int callers[2];
	char text[64];

	(void)state;
	set_up(&f, true);
	for (int i = 0; i < 2; i++) {
		socklen_t len = sizeof(from[i]);
		ssize_t n;

		callers[i] = call(&f);
		assert_int_equal(send(callers[i], i ? "b" : "a", 1, 0), 1);
		while ((n = recvfrom(f.guest, text, sizeof(text), MSG_DONTWAIT,
				     (struct sockaddr *)&from[i], &len)) < 0)
			assert_int_equal(loop_once(&f.loop, 10), 0);
		assert_int_equal(n, 1);
		assert_int_equal(text[0], i ? 'b' : 'a');
	}
	for (int i = 1; i >= 0; i--)
		assert_int_equal(sendto(f.guest, i ? "B" : "A", 1, 0,
					(struct sockaddr *)&from[i],
					sizeof(from[i])),
				 1);
	for (int i = 0; i < 2; i++) {
		hear(&f, callers[i], text, sizeof(text));
		assert_string_equal(text, i ? "B" : "A");
		close(callers[i]);
	}
	tear_down(&f);
}

/* The oldest is forgotten, the newest works. */
static void flows_are_bounded(void **state)
{
	enum { MORE = 8 };
	static int callers[DOORS_FLOWS_MAX + MORE];
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	struct fixture f;
	char text[64];

	(void)state;
	set_up(&f, true);
	for (size_t i = 0; i < ARRAY_LEN(callers); i++) {
		callers[i] = call(&f);
		assert_int_equal(send(callers[i], "x", 1, 0), 1);
		len = sizeof(from);
		while (recvfrom(f.guest, text, sizeof(text), MSG_DONTWAIT,
				(struct sockaddr *)&from, &len) < 0)
			assert_int_equal(loop_once(&f.loop, 10), 0);
	}
	assert_int_equal(
		sendto(f.guest, "y", 1, 0, (struct sockaddr *)&from, len), 1);
	hear(&f, callers[ARRAY_LEN(callers) - 1], text, sizeof(text));
	assert_string_equal(text, "y");
	for (size_t i = 0; i < ARRAY_LEN(callers); i++)
		close(callers[i]);
	tear_down(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_connection_is_made_anew),
		cmocka_unit_test(a_guest_that_refuses_is_an_end),
		cmocka_unit_test(many_are_bounded),
		cmocka_unit_test(datagrams_find_who_asked),
		cmocka_unit_test(flows_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
