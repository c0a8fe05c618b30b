/* SPDX-License-Identifier: Apache-2.0 */
#include "box/netinfo.h"

#include "state_fixture.h"

static void what_is_written_is_read(void **state)
{
	struct netinfo n = { .mode = "nat",
			     .network = "ci",
			     .mac = { 2, 1, 2, 3, 4, 5 },
			     .guest = { 10, 213, 0, 3 },
			     .gateway = { 10, 213, 0, 2 },
			     .resolver = { 10, 213, 0, 2 },
			     .prefix = 31,
			     .guest6 = { 0xfd, [15] = 7 },
			     .gateway6 = { 0xfd, [15] = 6 },
			     .prefix6 = 127,
			     .mtu = 1400 };
	struct box_info info;
	struct netinfo back;
	struct box b;

	(void)state;
	assert_int_equal(make_one(&b, &info, "web", false), 0);
	/* The second place: the first was left. */
	n.late[1] = (struct netinfo_late){ .network = "other",
					   .address = { 10, 214, 3, 9 },
					   .gateway = { 10, 214, 3, 1 },
					   .mac = { 6, 1, 2, 3, 4, 5 },
					   .prefix = 24 };
	assert_int_equal(spec_ports_add(&n.ports, "8080:80", &e), 0);
	assert_int_equal(netinfo_write(&n, &b, &e), 0);
	netinfo_read(&back, &b);
	assert_int_equal(back.ports.n, 1);
	netinfo_fini(&n);
	netinfo_fini(&back);
	n.ports = back.ports = (struct spec_ports){ .n = 0 };
	assert_memory_equal(&n, &back, sizeof(n));
	assert_ptr_equal(netinfo_find(&back, "other"), &back.late[1]);
	assert_ptr_equal(netinfo_find(&back, ""), &back.late[0]);
	assert_null(netinfo_find(&back, "ci"));
	state_close(&b);
}

static void nonsense_is_nothing(void **state)
{
	static const char *const texts[] = {
		"{",
		"[]",
		("{\"late\":[1,{},{\"network\":5,\"address\":\"x\"},[],1,1,1,1,"
		 "{\"network\":\"a\"},{\"network\":\"b\"}]}"),
		"{\"late\":7,\"prefix\":\"x\",\"guest6\":\"1.2.3.4\"}",
	};
	struct box_info info;
	struct netinfo n;
	struct box b;

	(void)state;
	assert_int_equal(make_one(&b, &info, "web", false), 0);
	netinfo_read(&n, &b);
	assert_string_equal(n.mode, "");
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		assert_int_equal(state_put(&b, "net.json", texts[i], &e), 0);
		netinfo_read(&n, &b);
		assert_int_equal(n.prefix, 0);
		assert_ptr_equal(netinfo_find(&n, ""), n.late);
		assert_null(netinfo_find(&n, "b"));
		netinfo_fini(&n);
	}
	state_close(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_written_is_read, start,
						stop),
		cmocka_unit_test_setup_teardown(nonsense_is_nothing, start,
						stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
