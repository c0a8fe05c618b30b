/* SPDX-License-Identifier: Apache-2.0 */
/* Two hundred hosts at once, each on a control connection of its own. */
#include "tests/guest/peer.h"

#include "base/auto.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define MANY   200
#define ROUNDS 3
#define LINES  300

static char sh[] = "/bin/sh", dash_c[] = "-c";

static int start(void **state)
{
	static struct peer p;
	struct rlimit r;

	getrlimit(RLIMIT_NOFILE, &r);
	r.rlim_cur = r.rlim_max;
	setrlimit(RLIMIT_NOFILE, &r);
	peer_start(&p);
	*state = &p;
	return 0;
}

static int stop(void **state)
{
	peer_stop(*state);
	return 0;
}

struct host {
	struct chan control;
	char number[12];
	int in, out, err;
};

static void begin(const struct peer *p, struct host *h, int n)
{
	static char text[] = "read x; echo $0 $x; echo $x $0 >&2; "
			     "exit $(($0 % 100))";
	Vial__Agent__Exec x;

	snprintf(h->number, sizeof(h->number), "%d", n);
	x = peer_exec(1 + (uint64_t)n, PEER_ARGS(sh, dash_c, text, h->number));
	x.stdin = true;
	peer_control(p, &h->control);
	/* Streams come before and after what they belong to. */
	h->out = n % 2 ? peer_stream(p, x.key, 1) : -1;
	peer_request(&h->control, VIAL__AGENT__REQUEST__OP_EXEC, &x);
	h->in = peer_stream(p, x.key, 0);
	h->out = n % 2 ? h->out : peer_stream(p, x.key, 1);
	h->err = peer_stream(p, x.key, 2);
}

static void end(struct host *h, int n)
{
	autofree char *out = peer_read_all(h->out, NULL);
	autofree char *err = peer_read_all(h->err, NULL);
	struct peer_result r;
	char want[32];

	snprintf(want, sizeof(want), "%d go\n", n);
	assert_string_equal(out, want);
	snprintf(want, sizeof(want), "go %d\n", n);
	assert_string_equal(err, want);
	peer_exited(peer_expect(&h->control, VIAL__AGENT__EVENT__EV_EXITED),
		    &r);
	assert_int_equal(r.status, n % 100);
	assert_int_equal(r.signal, 0);
	assert_false(r.cut);
	peer_hang_up(&h->control);
}

/* None may end before all have begun. */
static void all_at_once(void **state)
{
	static struct host host[MANY];
	struct peer *p = *state;

	for (int i = 0; i < MANY; i++)
		begin(p, &host[i], i);
	for (int i = 0; i < MANY; i++)
		peer_free(peer_expect(&host[i].control,
				      VIAL__AGENT__EVENT__EV_STARTED));
	for (int i = MANY - 1; i >= 0; i--) {
		assert_int_equal(write(host[i].in, "go\n", 3), 3);
		close(host[i].in);
	}
	for (int i = 0; i < MANY; i++)
		end(&host[i], i);
}

static char *expected(const char *number)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	for (int i = 0; i < LINES; i++)
		fprintf(f, "%s %d\n", number, i);
	fclose(f);
	return text;
}

/* One host: its own process, connection and commands. */
static int host_main(struct peer *p, int n)
{
	static char text[] = "i=0; while [ $i -lt 300 ]; do echo $0 $i; "
			     "i=$((i+1)); done; echo $0 >&2; exit $(($0 % 64))";
	autofree char *want = NULL;
	char number[12], line[16];
	struct peer mine = *p;

	snprintf(number, sizeof(number), "%d", n);
	snprintf(line, sizeof(line), "%d\n", n);
	want = expected(number);
	peer_control(p, &mine.control);
	for (int i = 0; i < ROUNDS; i++) {
		uint64_t key = 10000 + (uint64_t)(n * ROUNDS + i);
		Vial__Agent__Exec x =
			peer_exec(key, PEER_ARGS(sh, dash_c, text, number));
		struct peer_result r;
		bool good;

		peer_run(&mine, &x, NULL, &r);
		good = !r.failed && !r.cut && r.status == (uint32_t)n % 64 &&
		       strcmp(r.out, want) == 0 && strcmp(r.err, line) == 0;
		peer_result_fini(&r);
		if (!good)
			return 1;
	}
	peer_hang_up(&mine.control);
	return 0;
}

static void hosts_of_their_own(void **state)
{
	struct peer *p = *state;
	pid_t pid[MANY];
	int wrong = 0;

	for (int i = 0; i < MANY; i++) {
		pid[i] = fork();
		assert_true(pid[i] >= 0);
		if (pid[i] == 0)
			_exit(host_main(p, i));
	}
	for (int i = 0; i < MANY; i++) {
		int status;

		assert_int_equal(waitpid(pid[i], &status, 0), pid[i]);
		wrong += status != 0;
	}
	assert_int_equal(wrong, 0);
}

/* The agent forgets them: as many descriptors as before. */
static unsigned agent_files(const struct peer *p)
{
	char cmd[64], text[16] = "";
	FILE *f;

	snprintf(cmd, sizeof(cmd), "ls /proc/%d/fd | wc -l", (int)p->agent);
	f = popen(cmd, "r");
	assert_non_null(f);
	assert_non_null(fgets(text, sizeof(text), f));
	pclose(f);
	return (unsigned)strtoul(text, NULL, 10);
}

static void nothing_stays(void **state)
{
	struct peer *p = *state;
	struct peer_result r;
	unsigned before = agent_files(p);
	static struct host host[MANY];

	for (int i = 0; i < MANY; i++)
		begin(p, &host[i], i);
	for (int i = 0; i < MANY; i++) {
		close(host[i].in);
		close(host[i].out);
		close(host[i].err);
		peer_hang_up(&host[i].control);
	}
	/* Hang-ups are seen one by one. */
	while (agent_files(p) > before) {
		peer_sh(p, ":", &r);
		peer_result_fini(&r);
	}
	assert_int_equal(agent_files(p), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_at_once),
		cmocka_unit_test(hosts_of_their_own),
		cmocka_unit_test(nothing_stays),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
