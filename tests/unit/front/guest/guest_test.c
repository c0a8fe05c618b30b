/* SPDX-License-Identifier: Apache-2.0 */
/* The control connection against an agent played by the test. */
#include "guest/guest.h"

#include "base/auto.h"
#include "base/fd.h"
#include "proto/wire.h"
#include "box/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

static struct {
	char path[64];
	int dir, listener, peer;
	struct loop loop;
	struct guest g;
	struct buf in; /* what the agent has received */
	unsigned heard, lost;
	uint64_t boot_us;
	struct err why;
} t;
static struct err e;
static const struct guest_exec plain;

static void heard(struct guest *g, const Vial__Agent__Event *ev)
{
	(void)g;
	t.heard++;
	if (ev->ev_case == VIAL__AGENT__EVENT__EV_SETUP_DONE)
		t.boot_us = ev->setup_done->boot_us;
}

static void lost(struct guest *g, const struct err *why)
{
	(void)g;
	t.lost++;
	t.why = *why;
}

static int start(void **state)
{
	(void)state;
	memset(&t, 0, sizeof(t));
	snprintf(t.path, sizeof(t.path), "/tmp/vial-guest-XXXXXX");
	if (!mkdtemp(t.path))
		return -1;
	t.dir = open(t.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	t.listener = sock_listen(t.dir, "vsock.sock", &e);
	t.g.heard = heard;
	t.g.lost = lost;
	buf_init(&t.in, 4u << 20);
	if (t.listener < 0 || loop_init(&t.loop, NULL, &e) < 0 ||
	    guest_open(&t.g, &t.loop, t.dir, &e) < 0)
		return -1;
	t.peer = accept4(t.listener, NULL, NULL, SOCK_CLOEXEC);
	return t.peer < 0;
}

static int stop(void **state)
{
	char cmd[96];

	(void)state;
	guest_close(&t.g);
	loop_fini(&t.loop);
	buf_fini(&t.in);
	close(t.peer);
	close(t.listener);
	close(t.dir);
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", t.path);
	return system(cmd);
}

static void run_loop(void)
{
	for (int i = 0; i < 50; i++)
		loop_once(&t.loop, 0);
}

static void agent_reads(void)
{
	char buf[65536];
	ssize_t n;

	while ((n = recv(t.peer, buf, sizeof(buf), MSG_DONTWAIT)) > 0) {
		assert_int_equal(buf_append(&t.in, buf, (size_t)n), 0);
		run_loop();
	}
}

static Vial__Agent__Request *next_request(void)
{
	const uint8_t *p;
	size_t len;
	Vial__Agent__Request *req;

	agent_reads();
	assert_int_equal(wire_peek(&t.in, &p, &len), 1);
	req = vial__agent__request__unpack(NULL, len, p);
	assert_non_null(req);
	wire_skip(&t.in, len);
	return req;
}

static void take_hello(void)
{
	static const char line[] = "CONNECT 1024\n";
	Vial__Agent__Request *req;

	agent_reads();
	assert_true(buf_len(&t.in) > strlen(line));
	assert_memory_equal(buf_head(&t.in), line, strlen(line));
	buf_take(&t.in, strlen(line));
	req = next_request();
	assert_int_equal(req->op_case, VIAL__AGENT__REQUEST__OP_HELLO);
	assert_int_equal(req->hello->generation, GUEST_GENERATION);
	vial__agent__request__free_unpacked(req, NULL);
}

static void put_event(struct buf *out, Vial__Agent__Event__EvCase which,
		      void *body)
{
	Vial__Agent__Event ev = VIAL__AGENT__EVENT__INIT;

	ev.ev_case = which;
	ev.hello = body;
	assert_int_equal(wire_put(out, &ev.base), 0);
}

static void put_hello(struct buf *out)
{
	Vial__Agent__Hello h = VIAL__AGENT__HELLO__INIT;

	h.generation = 1;
	put_event(out, VIAL__AGENT__EVENT__EV_HELLO, &h);
}

static void agent_says(const void *data, size_t len)
{
	assert_int_equal(send(t.peer, data, len, MSG_NOSIGNAL), (ssize_t)len);
	run_loop();
}

static void agent_greets(void)
{
	struct buf out;

	buf_init(&out, 4096);
	assert_int_equal(buf_append(&out, "OK 1025\n", 8), 0);
	put_hello(&out);
	agent_says(buf_head(&out), buf_len(&out));
	buf_fini(&out);
	assert_int_equal(t.heard, 1);
}

static void greets_in_one_piece_or_many(void **state)
{
	Vial__Agent__SetupDone done = VIAL__AGENT__SETUP_DONE__INIT;
	struct buf out;

	(void)state;
	take_hello();
	buf_init(&out, 4096);
	assert_int_equal(buf_append(&out, "OK 1025\n", 8), 0);
	put_hello(&out);
	done.boot_us = 123456;
	put_event(&out, VIAL__AGENT__EVENT__EV_SETUP_DONE, &done);
	for (size_t i = 0; i < buf_len(&out); i++)
		agent_says(buf_head(&out) + i, 1);
	buf_fini(&out);
	assert_int_equal(t.heard, 2);
	assert_int_equal(t.boot_us, 123456);
	assert_int_equal(t.lost, 0);
}

static void sends_setup_before_any_answer(void **state)
{
	const struct boxnet net = BOXNET_INIT;
	struct spec s = { .shm_bytes = 4096 };
	Vial__Agent__Request *req;

	(void)state;
	assert_int_equal(guest_setup(&t.g, &s, &net, "box", &e), 0);
	take_hello();
	req = next_request();
	assert_int_equal(req->op_case, VIAL__AGENT__REQUEST__OP_SETUP);
	assert_string_equal(req->setup->root_serial, "root");
	assert_string_equal(req->setup->hostname, "box");
	assert_int_equal(req->setup->entropy.len, 64);
	assert_true(req->setup->time_ns > 0);
	assert_int_equal(req->setup->shm_bytes, 4096);
	vial__agent__request__free_unpacked(req, NULL);
}

static void sends_the_whole_command(void **state)
{
	struct winsize size = { .ws_row = 33, .ws_col = 101 };
	Vial__Agent__Request *req;
	const Vial__Agent__Exec *x;
	struct spec s;

	(void)state;
	spec_init(&s);
	assert_int_equal(spec_env(&s, "A=1", &e), 0);
	assert_int_equal(spec_ulimit(&s, "nofile=5:6", &e), 0);
	assert_int_equal(spec_group(&s, "video", &e), 0);
	assert_int_equal(strv_add(&s.argv, "ls"), 0);
	assert_int_equal(strv_add(&s.argv, "-l"), 0);
	s.cwd = "/w";
	s.user = "1000:1000";
	s.tty = s.interactive = true;
	s.timeout_ms = 9000;
	take_hello();
	assert_int_equal(guest_exec(&t.g, 42, &s,
				    &(struct guest_exec){ .size = &size }, &e),
			 0);
	req = next_request();
	x = req->exec;
	assert_int_equal(req->op_case, VIAL__AGENT__REQUEST__OP_EXEC);
	assert_int_equal(x->key, 42);
	assert_int_equal(x->n_argv, 2);
	assert_string_equal(x->argv[1], "-l");
	assert_string_equal(x->env[0], "A=1");
	assert_string_equal(x->cwd, "/w");
	assert_string_equal(x->user, "1000:1000");
	assert_string_equal(x->groups[0], "video");
	assert_int_equal(x->rlimits[0]->resource, 7);
	assert_int_equal(x->rlimits[0]->hard, 6);
	assert_true(x->tty && x->stdin && x->stdout && !x->stderr);
	assert_int_equal(x->size->rows, 33);
	assert_int_equal(x->timeout_ms, 9000);
	assert_true(x->kill_rest && x->make_cwd && !x->detach);
	vial__agent__request__free_unpacked(req, NULL);
	spec_fini(&s);
}

static void refuses_what_is_too_long(void **state)
{
	static char big[1200 * 1024];
	struct spec s;

	(void)state;
	memset(big, 'x', sizeof(big) - 1);
	spec_init(&s);
	assert_int_equal(strv_add(&s.argv, big), 0);
	assert_int_equal(guest_exec(&t.g, 1, &s, &plain, &e), -E2BIG);
	spec_fini(&s);
}

/* What an exec leaves out, and what it leaves behind. */
static void sends_how_it_runs(void **state)
{
	const struct guest_exec x = {
		.rest = true, .detach = true, .no_in = true, .no_out = true
	};
	Vial__Agent__Request *req;
	struct spec s;

	(void)state;
	spec_init(&s);
	assert_int_equal(strv_add(&s.argv, "true"), 0);
	assert_int_equal(spec_cap_add(&s, "NET_ADMIN", &e), 0);
	assert_int_equal(spec_cap_drop(&s, "ALL", &e), 0);
	s.interactive = s.privileged = s.no_new_privs = true;
	take_hello();
	assert_int_equal(guest_exec(&t.g, 1, &s, &x, &e), 0);
	assert_int_equal(guest_exec(&t.g, 2, &s, &plain, &e), 0);
	req = next_request();
	assert_true(req->exec->detach && !req->exec->kill_rest);
	assert_false(req->exec->stdin || req->exec->stdout ||
		     req->exec->stderr);
	assert_null(req->exec->size);
	assert_string_equal(req->exec->cap_add[0], "NET_ADMIN");
	assert_string_equal(req->exec->cap_drop[0], "ALL");
	assert_true(req->exec->privileged && req->exec->no_new_privs);
	vial__agent__request__free_unpacked(req, NULL);
	req = next_request();
	assert_true(req->exec->stdin && req->exec->stdout && req->exec->stderr);
	assert_true(req->exec->kill_rest && !req->exec->detach);
	vial__agent__request__free_unpacked(req, NULL);
	spec_fini(&s);
}

/* More than the socket holds goes out as the agent reads. */
static void long_commands_wait_for_room(void **state)
{
	static char big[900 * 1024];
	Vial__Agent__Request *req;
	struct spec s;

	(void)state;
	take_hello();
	memset(big, 'x', sizeof(big) - 1);
	spec_init(&s);
	assert_int_equal(strv_add(&s.argv, big), 0);
	assert_int_equal(guest_exec(&t.g, 1, &s, &plain, &e), 0);
	req = next_request();
	assert_int_equal(strlen(req->exec->argv[0]), sizeof(big) - 1);
	vial__agent__request__free_unpacked(req, NULL);
	spec_fini(&s);
}

static void a_request_goes_by_its_kind(void **state)
{
	Vial__Agent__GetTar get = VIAL__AGENT__GET_TAR__INIT;
	Vial__Agent__Freeze freeze = VIAL__AGENT__FREEZE__INIT;
	Vial__Agent__Request *req;

	(void)state;
	take_hello();
	get.path = guest_text("/x");
	assert_int_equal(guest_send(&t.g, &get.base), 0);
	assert_int_equal(guest_send(&t.g, &freeze.base), 0);
	req = next_request();
	assert_int_equal(req->op_case, VIAL__AGENT__REQUEST__OP_GET_TAR);
	assert_string_equal(req->get_tar->path, "/x");
	vial__agent__request__free_unpacked(req, NULL);
	req = next_request();
	assert_int_equal(req->op_case, VIAL__AGENT__REQUEST__OP_FREEZE);
	vial__agent__request__free_unpacked(req, NULL);
}

static void nonsense_ends_it_once(void **state)
{
	static const uint8_t bad[] = { 4, 0, 0, 0, 0xff, 0xff, 0xff, 0xff };

	(void)state;
	agent_greets();
	agent_says(bad, sizeof(bad));
	assert_int_equal(t.lost, 1);
	assert_int_equal(t.why.code, EBADMSG);
	assert_false(t.g.open);
	/* What is sent now goes nowhere and hurts nobody. */
	guest_signal(&t.g, 1, 15, false);
	guest_stats(&t.g);
	run_loop();
	assert_int_equal(t.lost, 1);
}

static void huge_frames_end_it(void **state)
{
	static const uint8_t bad[] = { 0xff, 0xff, 0xff, 0x7f };

	(void)state;
	agent_greets();
	agent_says(bad, sizeof(bad));
	assert_int_equal(t.lost, 1);
	assert_int_equal(t.why.code, EMSGSIZE);
}

static void events_before_hello_end_it(void **state)
{
	Vial__Agent__SetupDone done = VIAL__AGENT__SETUP_DONE__INIT;
	struct buf out;

	(void)state;
	buf_init(&out, 4096);
	assert_int_equal(buf_append(&out, "OK 1\n", 5), 0);
	put_event(&out, VIAL__AGENT__EVENT__EV_SETUP_DONE, &done);
	agent_says(buf_head(&out), buf_len(&out));
	buf_fini(&out);
	assert_int_equal(t.heard, 0);
	assert_int_equal(t.lost, 1);
	assert_int_equal(t.why.code, EPROTO);
}

static void a_second_hello_ends_it(void **state)
{
	struct buf out;

	(void)state;
	agent_greets();
	buf_init(&out, 4096);
	put_hello(&out);
	agent_says(buf_head(&out), buf_len(&out));
	buf_fini(&out);
	assert_int_equal(t.heard, 1);
	assert_int_equal(t.lost, 1);
}

static void wrong_answers_end_it(void **state)
{
	(void)state;
	agent_says("NO\n", 3);
	assert_int_equal(t.lost, 1);
	assert_int_equal(t.why.code, EPROTO);
}

static void endless_answers_end_it(void **state)
{
	(void)state;
	for (int i = 0; i < 10 && !t.lost; i++)
		agent_says("OK 1111111", 10);
	assert_int_equal(t.lost, 1);
}

static void the_end_is_told(void **state)
{
	(void)state;
	agent_greets();
	shutdown(t.peer, SHUT_RDWR);
	run_loop();
	assert_int_equal(t.lost, 1);
	assert_int_equal(t.why.code, EPIPE);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, start, stop)
	const struct CMUnitTest tests[] = {
		T(greets_in_one_piece_or_many),
		T(sends_setup_before_any_answer),
		T(sends_the_whole_command),
		T(sends_how_it_runs),
		T(refuses_what_is_too_long),
		T(long_commands_wait_for_room),
		T(a_request_goes_by_its_kind),
		T(nonsense_ends_it_once),
		T(huge_frames_end_it),
		T(events_before_hello_end_it),
		T(a_second_hello_ends_it),
		T(wrong_answers_end_it),
		T(endless_answers_end_it),
		T(the_end_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
