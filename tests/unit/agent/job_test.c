/* SPDX-License-Identifier: Apache-2.0 */
/* One command, from Exec to Exited. */
#include "tests/guest/peer.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static int start(void **state)
{
	static struct peer p;

	peer_start(&p);
	*state = &p;
	return 0;
}

static int stop(void **state)
{
	peer_stop(*state);
	return 0;
}

static void exit_status(void **state)
{
	struct peer_result r;

	peer_sh(*state, "echo out; echo err >&2; exit 7", &r);
	assert_false(r.failed);
	assert_int_equal(r.status, 7);
	assert_int_equal(r.signal, 0);
	assert_string_equal(r.out, "out\n");
	assert_string_equal(r.err, "err\n");
	peer_result_fini(&r);
}

static void death_by_signal(void **state)
{
	struct peer_result r;

	peer_sh(*state, "kill -SEGV $$", &r);
	assert_int_equal(r.signal, SIGSEGV);
	assert_int_equal(r.status, 0);
	peer_result_fini(&r);
}

static void not_found(void **state)
{
	char name[] = "no-such-program";
	Vial__Agent__Exec x = peer_exec(1, PEER_ARGS(name));
	struct peer_result r;

	peer_run(*state, &x, NULL, &r);
	assert_true(r.failed);
	assert_int_equal(r.kind, VIAL__AGENT__FAILED__KIND__NOT_FOUND);
	assert_string_equal(r.message, "exec: \"no-such-program\": executable "
				       "file not found in $PATH");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exit_status),
		cmocka_unit_test(death_by_signal),
		cmocka_unit_test(not_found),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
