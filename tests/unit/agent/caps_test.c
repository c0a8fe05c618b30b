/* SPDX-License-Identifier: Apache-2.0 */
/* What root may do in a command: the choice, and what the kernel then says. */
#include "tests/guest/peer.h"

#include "agent/caps.h"
#include "base/auto.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* As "docker run" prints it from /proc/self/status. */
#define DOCKER UINT64_C(0xa80425fb)
#define BIT(n) (UINT64_C(1) << (n))
#define ADD(x, ...) give(&(x)->cap_add, &(x)->n_cap_add, __VA_ARGS__, NULL)
#define DROP(x, ...) give(&(x)->cap_drop, &(x)->n_cap_drop, __VA_ARGS__, NULL)

static uint64_t key = 1;

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

/* Lists that live until the test ends. */
static void give(char ***list, size_t *n, ...)
{
	static char text[64][80], *slots[64];
	static size_t used;
	const char *name;
	va_list ap;

	*list = &slots[used];
	*n = 0;
	va_start(ap, n);
	while ((name = va_arg(ap, const char *))) {
		assert_true(used < ARRAY_LEN(slots));
		snprintf(text[used], sizeof(text[used]), "%s", name);
		slots[used] = text[used];
		used++;
		(*n)++;
	}
	va_end(ap);
}

static uint64_t chosen(const Vial__Agent__Exec *x)
{
	struct caps c;
	struct err e;

	assert_int_equal(caps_choose(&c, x, &e), 0);
	assert_int_equal(c.limit, c.mask != UINT64_MAX);
	return c.mask;
}

static void the_choice(void **state)
{
	Vial__Agent__Exec x = VIAL__AGENT__EXEC__INIT;

	(void)state;
	assert_true(chosen(&x) == UINT64_MAX);
	DROP(&x, "CAP_SYS_ADMIN", "kill");
	assert_true(chosen(&x) == ~(BIT(CAP_SYS_ADMIN) | BIT(CAP_KILL)));
	x = (Vial__Agent__Exec)VIAL__AGENT__EXEC__INIT;
	x.default_caps = true;
	assert_true(chosen(&x) == DOCKER);
	ADD(&x, "net_admin", "cap_Sys_Ptrace");
	assert_true(chosen(&x) ==
		    (DOCKER | BIT(CAP_NET_ADMIN) | BIT(CAP_SYS_PTRACE)));
	/* In both: added. */
	DROP(&x, "MKNOD", "NET_ADMIN");
	assert_true(chosen(&x) == ((DOCKER & ~BIT(CAP_MKNOD)) |
				   BIT(CAP_NET_ADMIN) | BIT(CAP_SYS_PTRACE)));
	DROP(&x, "all");
	assert_true(chosen(&x) == (BIT(CAP_NET_ADMIN) | BIT(CAP_SYS_PTRACE)));
	ADD(&x, "ALL");
	DROP(&x, "CHOWN");
	assert_true(chosen(&x) == ~BIT(CAP_CHOWN));
	x.privileged = true;
	assert_true(chosen(&x) == UINT64_MAX);
}

static void an_unknown_name(void **state)
{
	Vial__Agent__Exec x = VIAL__AGENT__EXEC__INIT;
	static const char *const wrong[] = { "NET_ADMINN", "", "CAP_",
					     "CAP_CAP_KILL", "CAP_ALL" };
	struct caps c;
	struct err e;

	(void)state;
	x.privileged = true;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		ADD(&x, wrong[i]);
		assert_int_equal(caps_choose(&c, &x, &e), -EINVAL);
		assert_non_null(strstr(e.msg, wrong[i]));
	}
}

static void a_refusal(void **state)
{
	char t[] = "true";
	Vial__Agent__Exec x = peer_exec(key++, PEER_ARGS(t));
	struct peer_result r;

	ADD(&x, "SYS_ADMIM");
	peer_run(*state, &x, NULL, &r);
	assert_true(r.failed);
	assert_int_equal(r.kind, VIAL__AGENT__FAILED__KIND__BAD_REQUEST);
	assert_string_equal(r.message, "capability \"SYS_ADMIM\": unknown "
				       "(see capabilities(7))");
}

struct seen {
	uint64_t inh, prm, eff, bnd, amb, nnp;
};

static uint64_t field(const char *text, const char *name, int base)
{
	const char *line = strstr(text, name);

	assert_non_null(line);
	return strtoull(line + strlen(name), NULL, base);
}

static struct seen look(struct peer *p, Vial__Agent__Exec *x)
{
	char cat[] = "cat", file[] = "/proc/self/status";
	struct peer_result r;
	struct seen s;

	x->key = key++;
	x->argv = PEER_ARGS(cat, file);
	x->n_argv = 2;
	x->stdout = x->stderr = true;
	peer_run(p, x, NULL, &r);
	if (r.failed)
		fail_msg("%s", r.message);
	s = (struct seen){
		field(r.out, "CapInh:", 16), field(r.out, "CapPrm:", 16),
		field(r.out, "CapEff:", 16), field(r.out, "CapBnd:", 16),
		field(r.out, "CapAmb:", 16), field(r.out, "NoNewPrivs:", 10),
	};
	peer_result_fini(&r);
	return s;
}

static void of_root(void **state)
{
	Vial__Agent__Exec x = VIAL__AGENT__EXEC__INIT;
	struct seen s, all;

	if (geteuid() != 0)
		skip();
	all = look(*state, &x);
	assert_true(all.eff == all.bnd && all.nnp == 0);
	x.default_caps = true;
	x.no_new_privs = true;
	DROP(&x, "MKNOD");
	s = look(*state, &x);
	assert_true(s.bnd == (all.bnd & DOCKER & ~BIT(CAP_MKNOD)));
	assert_true(s.prm == s.bnd && s.eff == s.bnd);
	assert_true(s.inh == 0 && s.amb == 0 && s.nnp == 1);
	DROP(&x, "ALL");
	s = look(*state, &x);
	assert_true((s.bnd | s.prm | s.eff | s.inh) == 0);
	x.privileged = true;
	s = look(*state, &x);
	assert_true(s.bnd == all.bnd && s.eff == all.bnd);
}

/* A bound, and nothing in hand. */
static void of_others(void **state)
{
	Vial__Agent__Exec x = VIAL__AGENT__EXEC__INIT;
	char user[] = "65534:65534";
	struct seen s, all;

	if (geteuid() != 0)
		skip();
	all = look(*state, &x);
	x.user = user;
	x.default_caps = true;
	ADD(&x, "NET_ADMIN");
	s = look(*state, &x);
	assert_true(s.bnd == (all.bnd & (DOCKER | BIT(CAP_NET_ADMIN))));
	assert_true((s.prm | s.eff | s.inh | s.amb) == 0);
}

/* What a container's user expects. */
static void mount_needs_more(void **state)
{
	char sh[] = "/bin/sh", c[] = "-c",
	     text[] = "mkdir -p \"$0\"/m && mount -t tmpfs x \"$0\"/m";
	struct peer *p = *state;
	Vial__Agent__Exec x = peer_exec(key++, PEER_ARGS(sh, c, text, p->dir));
	struct peer_result r;

	if (geteuid() != 0)
		skip();
	x.default_caps = true;
	peer_run(p, &x, NULL, &r);
	assert_false(r.failed);
	assert_int_not_equal(r.status, 0);
	peer_result_fini(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_choice),
		cmocka_unit_test(an_unknown_name),
		cmocka_unit_test(a_refusal),
		cmocka_unit_test(of_root),
		cmocka_unit_test(of_others),
		cmocka_unit_test(mount_needs_more),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
