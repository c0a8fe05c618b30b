/* SPDX-License-Identifier: Apache-2.0 */
/* Questions to an agent that is not there, or is and says nothing. */
#include "guest/ask.h"

#include "base/auto.h"
#include "box/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct {
	char path[64];
	int dir;
} t;
static struct err e;

static int start(void **state)
{
	(void)state;
	snprintf(t.path, sizeof(t.path), "/tmp/vial-ask-XXXXXX");
	if (!mkdtemp(t.path))
		return -1;
	t.dir = open(t.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return t.dir < 0;
}

static int stop(void **state)
{
	(void)state;
	unlinkat(t.dir, "vsock.sock", 0);
	close(t.dir);
	return rmdir(t.path);
}

static void silence(void **state)
{
	autoclose int listener = sock_listen(t.dir, "vsock.sock", &e);

	(void)state;
	assert_true(listener >= 0);
	assert_int_equal(ask_alive(t.dir, 20, &e), -ETIME);
	assert_non_null(strstr(e.msg, "does not answer"));
}

/* That is another matter than silence. */
static void nobody(void **state)
{
	(void)state;
	assert_int_equal(ask_alive(t.dir, 20, &e), -ENOENT);
}

static void patience(void **state)
{
	(void)state;
	unsetenv("VIAL_ANSWER_TIMEOUT");
	assert_int_equal(ask_patience_ms(), 60000);
	setenv("VIAL_ANSWER_TIMEOUT", "2m", 1);
	assert_int_equal(ask_patience_ms(), 120000);
	for (unsigned i = 0; i < 4; i++) {
		static const char *const wrong[] = { "", "0s", "soon",
						     "100000h" };

		setenv("VIAL_ANSWER_TIMEOUT", wrong[i], 1);
		assert_int_equal(ask_patience_ms(), 60000);
	}
	unsetenv("VIAL_ANSWER_TIMEOUT");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(silence, start, stop),
		cmocka_unit_test_setup_teardown(nobody, start, stop),
		cmocka_unit_test(patience),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
