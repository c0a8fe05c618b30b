/* SPDX-License-Identifier: Apache-2.0 */
/* The device against a scripted back end. A real one: front/share_test.c. */
#include "dev/fs.h"

#include "tests/guest/back.h"
#include "tests/guest/guest.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define CONFIG 0x100
#define ALL_OK 15u
#define NEEDS_RESET 64u

static struct guest g;
static struct loop loop;
static struct back back;
static struct virtio *v;
static struct ring ring[2];
static struct err e;

static int begin(void **state)
{
	(void)state;
	e = (struct err){ 0 };
	v = NULL;
	guest_init_shared(&g);
	back_init(&back);
	return loop_init(&loop, NULL, &e);
}

static int end(void **state)
{
	(void)state;
	if (v)
		fs_destroy(v);
	back_fini(&back);
	loop_fini(&loop);
	guest_fini(&g);
	return 0;
}

static struct virtio *create(const char *tag)
{
	const struct dev_conf conf = {
		.type = DEV_FS, .fs = { .tag = tag, .socket_fd = back.ours }
	};

	return fs_create(&conf, &g.mem, &loop, &e);
}

static void device(void)
{
	back_open(&back);
	v = create("work");
	if (!v)
		fail_msg("%s", e.msg);
	back_forget(&back);
}

static void drive(void)
{
	assert_true(guest_start(v, 0));
	ring_init(&ring[0], &g, v, 0, 64);
	ring_init(&ring[1], &g, v, 1, 64);
	guest_go(v);
}

static void live(void)
{
	device();
	back_start(&back, 2);
	drive();
	assert_true(virtio_live(v));
	back_forget(&back);
}

static void the_guest_learns_the_tag(void **state)
{
	char tag[FS_TAG_BYTES];

	(void)state;
	device();
	assert_int_equal(guest_read32(v, 0x008), 26);
	mmio_read(v, CONFIG, tag, sizeof(tag));
	assert_string_equal(tag, "work");
	for (unsigned i = 4; i < sizeof(tag); i++)
		assert_int_equal(tag[i], 0);
	assert_int_equal(guest_read32(v, CONFIG + FS_TAG_BYTES), 1);
	assert_int_equal(guest_read32(v, CONFIG + FS_TAG_BYTES + 4), 0);
}

static void tags_have_a_length(void **state)
{
	char tag[FS_TAG_BYTES + 2], got[FS_TAG_BYTES];

	(void)state;
	memset(tag, 'x', sizeof(tag));
	tag[FS_TAG_BYTES + 1] = '\0';
	assert_null(create(tag));
	assert_int_equal(e.code, EINVAL);
	assert_null(create(""));
	tag[FS_TAG_BYTES] = '\0';
	back_open(&back);
	v = create(tag);
	assert_non_null(v);
	mmio_read(v, CONFIG, got, sizeof(got));
	assert_memory_equal(got, tag, sizeof(got));
}

static void features_are_those_of_both(void **state)
{
	(void)state;
	device();
	/* notify on empty is the back end's, but not ours to pass on */
	assert_true(v->offered == (VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX |
				   VIRTIO_F_INDIRECT_DESC));
}

static void doorbells_go_to_the_back_end(void **state)
{
	struct back_msg m;
	uint64_t n = 0;

	(void)state;
	device();
	back_start(&back, 2);
	drive();
	while (back_asked(&back, &m)) {
		if (m.request == BACK_SET_VRING_KICK && m.body[0] == 1) {
			/* what rang before it was there is not lost */
			mmio_kick(v);
			assert_int_equal(read(m.fds[0], &n, sizeof(n)), 8);
		}
		back_done(&m);
	}
	assert_true(n > 0);
	assert_non_null(v->queue_kick_fds);
}

static void interrupts_are_always_for_buffers(void **state)
{
	(void)state;
	live();
	assert_int_equal(guest_read32(v, 0x060), VIRTIO_IRQ_USED);
	guest_write32(v, 0x064, VIRTIO_IRQ_USED);
	assert_int_equal(guest_read32(v, 0x060), VIRTIO_IRQ_USED);
	virtio_config_changed(v);
	assert_int_equal(guest_read32(v, 0x060),
			 VIRTIO_IRQ_USED | VIRTIO_IRQ_CONFIG);
	guest_write32(v, 0x064, VIRTIO_IRQ_CONFIG);
	assert_int_equal(guest_read32(v, 0x060), VIRTIO_IRQ_USED);
}

static void a_reset_takes_the_queues_back(void **state)
{
	(void)state;
	live();
	back_stop(&back, 2);
	guest_reset(v);
	assert_int_equal(back_forget(&back), 2);
	assert_int_equal(guest_status(v), 0);
	back_start(&back, 2);
	drive();
	assert_int_equal(guest_status(v), ALL_OK);
	assert_true(virtio_live(v));
}

static void one_that_ends_breaks_the_device(void **state)
{
	(void)state;
	live();
	guest_irqs(v);
	back_end(&back);
	assert_int_equal(loop_once(&loop, 1000), 0);
	assert_int_equal(guest_status(v), ALL_OK | NEEDS_RESET);
	assert_int_equal(guest_irqs(v), 1);
	/* it is not heard of again */
	assert_int_equal(loop_once(&loop, 0), 0);
	guest_reset(v);
	assert_int_equal(guest_status(v), 0);
	drive();
	assert_int_equal(guest_status(v), ALL_OK | NEEDS_RESET);
}

static void one_that_talks_breaks_the_device(void **state)
{
	char byte;

	(void)state;
	live();
	back_write(&back, "x", 1);
	assert_int_equal(loop_once(&loop, 1000), 0);
	assert_false(virtio_live(v));
	/* and is told to go */
	assert_int_equal(read(back.other, &byte, 1), 0);
}

static void one_that_refuses_a_ring_breaks_the_device(void **state)
{
	(void)state;
	device();
	back_answer(&back, BACK_SET_FEATURES, 1);
	drive();
	assert_int_equal(guest_status(v), ALL_OK | NEEDS_RESET);
}

static void one_that_keeps_a_ring_breaks_the_device(void **state)
{
	(void)state;
	live();
	back_answer(&back, BACK_GET_VRING_BASE, 1);
	guest_reset(v);
	assert_int_equal(guest_status(v), 0);
	drive();
	assert_int_equal(guest_status(v), ALL_OK | NEEDS_RESET);
}

static void one_that_is_dead_makes_no_device(void **state)
{
	(void)state;
	back_end(&back);
	assert_null(create("work"));
	assert_string_equal(e.msg,
			    "work: GET_FEATURES: the back end has ended");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
		T(the_guest_learns_the_tag),
		T(tags_have_a_length),
		T(features_are_those_of_both),
		T(doorbells_go_to_the_back_end),
		T(interrupts_are_always_for_buffers),
		T(a_reset_takes_the_queues_back),
		T(one_that_ends_breaks_the_device),
		T(one_that_talks_breaks_the_device),
		T(one_that_refuses_a_ring_breaks_the_device),
		T(one_that_keeps_a_ring_breaks_the_device),
		T(one_that_is_dead_makes_no_device),
	};

	log_init("test", LOG_ERR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
