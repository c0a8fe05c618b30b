/* SPDX-License-Identifier: Apache-2.0 */
/* A network device with several pairs of queues: what the control queue takes
 * and refuses, and what happens to threads that serve queues while the guest
 * changes its mind. Two of them, since a machine has more than one CPU. */
#include "tests/unit/monitor/dev/net_rig.h"

#include "dev/net_priv.h"

#include <errno.h>
#include <poll.h>

#define PAIRS ((size_t)3)
#define MQ (MRG | NET_F_CTRL_VQ | NET_F_MQ)
#define EVENT VIRTIO_F_EVENT_IDX
#define RING 64
#define PATIENCE_MS 20000

#define OK 0
#define ERR 1
#define NO_ANSWER 0x55

struct many {
	struct guest g;
	struct loop loop;
	struct virtio *v;
	struct ring rx[PAIRS], tx[PAIRS], ctrl;
	int peer[PAIRS];
	unsigned entered;
};

static struct many many;

static struct net *net_of(struct many *m)
{
	return container_of(m->v, struct net, virtio);
}

static int enter(void *ctx, struct err *e)
{
	struct many *m = ctx;

	(void)e;
	m->entered++;
	return 0;
}

static int enter_not(void *ctx, struct err *e)
{
	(void)ctx;
	return err_set(e, EPERM, "no threads today");
}

static void drive(struct many *m, uint64_t features)
{
	assert_true(guest_start(m->v, features));
	for (unsigned i = 0; i < PAIRS; i++) {
		ring_init(&m->rx[i], &m->g, m->v, (uint16_t)(2 * i), RING);
		ring_init(&m->tx[i], &m->g, m->v, (uint16_t)(2 * i + 1), RING);
	}
	ring_init(&m->ctrl, &m->g, m->v, 2 * PAIRS, 16);
	guest_go(m->v);
}

static void open_many(struct many *m, struct rate_conf tx)
{
	struct dev_conf conf = { .type = DEV_NET };
	struct err e = { 0 };
	int ours[PAIRS];

	log_init("test", LOG_ERR);
	guest_init(&m->g);
	assert_int_equal(loop_init(&m->loop, NULL, &e), 0);
	for (unsigned i = 0; i < PAIRS; i++) {
		int fds[2];

		assert_int_equal(socketpair(AF_UNIX,
					    SOCK_SEQPACKET | SOCK_NONBLOCK, 0,
					    fds),
				 0);
		ours[i] = fds[0];
		m->peer[i] = fds[1];
	}
	conf.net = (struct net_conf){ .name = "net0",
				      .fd = ours[0],
				      .more = { ours[1], ours[2] },
				      .nmore = PAIRS - 1,
				      .tx = tx };
	memcpy(conf.net.mac, our_mac, sizeof(our_mac));
	m->v = net_create(&conf, &m->g.mem, &m->loop, &e);
	assert_non_null(m->v);
}

static int set_up_many(void **state)
{
	const struct dev_threads t = { enter, &many };
	struct err e = { 0 };

	many.entered = 0;
	open_many(&many, (struct rate_conf){ 0 });
	assert_int_equal(net_start(many.v, &t, &e), 0);
	drive(&many, MQ);
	*state = &many;
	return 0;
}

static int stopped(void **state)
{
	open_many(&many, (struct rate_conf){ 0 });
	*state = &many;
	return 0;
}

static int limited(void **state)
{
	open_many(&many, (struct rate_conf){ .ops = 100 });
	*state = &many;
	return 0;
}

static int tear_down(void **state)
{
	struct many *m = *state;
	int ours[PAIRS];

	for (unsigned i = 0; i < PAIRS; i++)
		ours[i] = net_of(m)->pair[i].net ? net_of(m)->pair[i].fd : -1;
	net_destroy(m->v);
	loop_fini(&m->loop);
	guest_fini(&m->g);
	for (unsigned i = 0; i < PAIRS; i++) {
		if (ours[i] >= 0)
			close(ours[i]);
		close(m->peer[i]);
	}
	return 0;
}

static void all_turn(struct many *m)
{
	loop_once(&m->loop, 0);
	mmio_kick(m->v);
}

/* What the device answers to len bytes. */
static uint8_t tell(struct many *m, const void *bytes, uint32_t len)
{
	gpa_t at = guest_alloc(&m->g, len + 1, 16);
	uint8_t *p = guest_at(&m->g, at, len + 1);
	struct seg segs[] = { SEG_OUT(at, len), SEG_IN(plus(at, len), 1) };

	memcpy(p, bytes, len);
	p[len] = NO_ANSWER;
	ring_add(&m->ctrl, segs, 2);
	ring_kick(&m->ctrl);
	return p[len];
}

static uint8_t ask(struct many *m, uint8_t class, uint8_t cmd, uint16_t pairs)
{
	const uint8_t b[] = { class, cmd, (uint8_t)pairs,
			      (uint8_t)(pairs >> 8) };

	return tell(m, b, sizeof(b));
}

static uint8_t use(struct many *m, uint16_t pairs)
{
	return ask(m, 4, 0, pairs);
}

static void put(struct many *m, struct ring *tx, uint8_t mark)
{
	gpa_t at = guest_alloc(&m->g, HDR + 100, 16);
	uint8_t *p = guest_at(&m->g, at, HDR + 100);
	struct seg s = SEG_OUT(at, HDR + 100);

	make_frame(p + HDR, 100, our_mac);
	p[HDR + 50] = mark;
	ring_add(tx, &s, 1);
	ring_kick(tx);
}

/* What comes out of queue i of the back end, in time. */
static int get(struct many *m, unsigned i)
{
	struct pollfd p = { .fd = m->peer[i], .events = POLLIN };
	uint8_t raw[HDR + 200];

	assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
	assert_int_equal(read(m->peer[i], raw, sizeof(raw)), HDR + 100);
	return raw[HDR + 50];
}

static bool silent(struct many *m, unsigned i)
{
	struct pollfd p = { .fd = m->peer[i], .events = POLLIN };

	return poll(&p, 1, 0) == 0;
}

static void arrive(struct many *m, unsigned i, uint8_t mark)
{
	uint8_t raw[HDR + 100] = { 0 };

	make_frame(raw + HDR, 100, our_mac);
	raw[HDR + 50] = mark;
	assert_int_equal(write(m->peer[i], raw, sizeof(raw)), sizeof(raw));
}

static gpa_t room(struct many *m, struct ring *rx)
{
	gpa_t at = guest_alloc(&m->g, 2048, 16);
	struct seg s = SEG_IN(at, 2048);

	ring_add(rx, &s, 1);
	ring_kick(rx);
	return at;
}

/* Until the device has used n of the ring's, or for ever too long. */
static void used(struct many *m, struct ring *r, uint16_t n)
{
	for (unsigned i = 0; ring_used_idx(r) != n; i++) {
		assert_true(i < PATIENCE_MS);
		all_turn(m);
		poll(NULL, 0, 1);
	}
}

static bool broken(struct many *m)
{
	return guest_status(m->v) & VIRTIO_S_NEEDS_RESET;
}

static void await_broken(struct many *m)
{
	for (unsigned i = 0; !broken(m); i++) {
		assert_true(i < PATIENCE_MS);
		all_turn(m);
		poll(NULL, 0, 1);
	}
}

static uint16_t max_pairs(struct many *m)
{
	uint16_t n;

	mmio_read(m->v, CONFIG + 8, &n, sizeof(n));
	return n;
}

/* ---- what is offered ---- */

static void as_many_as_there_are_queues(void **state)
{
	struct many *m = *state;

	assert_int_equal(max_pairs(m), PAIRS);
	assert_true(m->v->offered & NET_F_MQ);
	assert_true(m->v->offered & NET_F_CTRL_VQ);
	assert_int_equal(m->entered, PAIRS - 1);
	/* A doorbell for each pair, and the machine's for the rest. */
	assert_int_equal(m->v->queue_kick_fds[0], m->v->kick_fd);
	assert_int_equal(m->v->queue_kick_fds[1], m->v->kick_fd);
	assert_int_equal(m->v->queue_kick_fds[2 * PAIRS], m->v->kick_fd);
	for (size_t i = 1; i < PAIRS; i++) {
		assert_int_equal(m->v->queue_kick_fds[2 * i],
				 m->v->queue_kick_fds[2 * i + 1]);
		assert_int_not_equal(m->v->queue_kick_fds[2 * i],
				     m->v->queue_kick_fds[2 * i - 1]);
	}
}

static void one_pair_behind_a_rate(void **state)
{
	struct many *m = *state;

	assert_int_equal(max_pairs(m), 1);
	assert_false(m->v->offered & (NET_F_MQ | NET_F_CTRL_VQ));
	assert_null(m->v->queue_kick_fds);
	assert_int_equal(m->v->ops->queues, NET_NQUEUES);
}

static void a_thread_that_may_not_run(void **state)
{
	struct many *m = *state;
	const struct dev_threads t = { enter_not, m };
	struct err e = { 0 };

	assert_int_equal(net_start(m->v, &t, &e), -EPERM);
	assert_non_null(strstr(e.msg, "net0: no threads today"));
}

/* ---- the control queue ---- */

static void pairs_within_bounds(void **state)
{
	struct many *m = *state;

	assert_int_equal(use(m, 1), OK);
	assert_int_equal(use(m, PAIRS), OK);
	assert_int_equal(use(m, PAIRS), OK);
	assert_int_equal(use(m, 2), OK);
	assert_false(net_of(m)->pair[2].on);
	assert_true(net_of(m)->pair[1].on);
	assert_int_equal(use(m, 0), ERR);
	assert_int_equal(use(m, PAIRS + 1), ERR);
	assert_int_equal(use(m, 0x8000), ERR);
	assert_int_equal(use(m, 0x0102), ERR);
	assert_true(net_of(m)->pair[1].on);
	assert_false(broken(m));
}

static void other_commands_are_refused(void **state)
{
	struct many *m = *state;
	static const uint8_t zeros[200];
	const uint8_t right[] = { 4, 0, 2, 0, 0 };

	assert_int_equal(ask(m, 0, 0, 1), ERR);
	assert_int_equal(ask(m, 1, 0, 2), ERR);
	assert_int_equal(ask(m, 4, 1, 2), ERR);
	for (uint32_t len = 1; len <= 5; len++)
		assert_int_equal(tell(m, right, len), len == 4 ? OK : ERR);
	assert_int_equal(tell(m, zeros, sizeof(zeros)), ERR);
	assert_false(broken(m));
}

/* A command may lie in pieces, and its answer too. */
static void a_command_in_pieces(void **state)
{
	struct many *m = *state;
	gpa_t at = guest_alloc(&m->g, 16, 16);
	uint8_t *p = guest_at(&m->g, at, 16);
	struct seg segs[] = { SEG_OUT(at, 1), SEG_OUT(plus(at, 1), 2),
			      SEG_OUT(plus(at, 3), 1), SEG_IN(plus(at, 4), 1),
			      SEG_IN(plus(at, 5), 3) };
	uint32_t len;

	memcpy(p, (uint8_t[]){ 4, 0, 2, 0, NO_ANSWER, 9 }, 6);
	ring_add(&m->ctrl, segs, ARRAY_LEN(segs));
	ring_kick(&m->ctrl);
	assert_true(ring_used(&m->ctrl, NULL, &len));
	assert_int_equal(len, 1);
	assert_int_equal(p[4], OK);
	assert_int_equal(p[5], 9);
	assert_true(net_of(m)->pair[1].on);
}

static void a_command_needs_room_for_its_answer(void **state)
{
	struct many *m = *state;
	struct seg s = SEG_OUT(guest_alloc(&m->g, 4, 4), 4);

	ring_add(&m->ctrl, &s, 1);
	ring_kick(&m->ctrl);
	assert_true(broken(m));
}

/* A driver of one pair has its control queue where the second one's would be,
 * behind the doorbell of a thread. */
static void without_many_the_third_is_control(void **state)
{
	struct many *m = *state;

	guest_reset(m->v);
	assert_true(guest_start(m->v, MRG | NET_F_CTRL_VQ));
	ring_init(&m->rx[0], &m->g, m->v, 0, RING);
	ring_init(&m->tx[0], &m->g, m->v, 1, RING);
	ring_init(&m->ctrl, &m->g, m->v, 2, RING);
	guest_go(m->v);
	use(m, 1);
	used(m, &m->ctrl, 1);
	put(m, &m->tx[0], 7);
	assert_int_equal(get(m, 0), 7);
	use(m, 2);
	used(m, &m->ctrl, 2);
	assert_false(net_of(m)->pair[1].on);
}

/* ---- traffic ---- */

static void each_pair_carries_both_ways(void **state)
{
	struct many *m = *state;
	gpa_t at[PAIRS];
	struct dev_stats s = { 0 }, before = { 0 };

	net_stats(m->v, &before);

	assert_int_equal(use(m, PAIRS), OK);
	for (unsigned i = 0; i < PAIRS; i++) {
		at[i] = room(m, &m->rx[i]);
		put(m, &m->tx[i], (uint8_t)(10 + i));
		assert_int_equal(get(m, i), 10 + i);
		used(m, &m->tx[i], 1);
		arrive(m, i, (uint8_t)(20 + i));
	}
	for (unsigned i = 0; i < PAIRS; i++) {
		used(m, &m->rx[i], 1);
		assert_int_equal(*(uint8_t *)guest_at(&m->g,
						      plus(at[i], HDR + 50), 1),
				 20 + i);
	}
	assert_true(guest_irqs(m->v) > 0);
	net_stats(m->v, &s);
	assert_int_equal(s.net_tx_bytes - before.net_tx_bytes, PAIRS * 100);
	assert_int_equal(s.net_rx_bytes - before.net_rx_bytes, PAIRS * 100);
	assert_int_equal(s.net_dropped, before.net_dropped);
}

static void nobody_elses_address_on_any_pair(void **state)
{
	struct many *m = *state;
	const uint8_t other[6] = { 2, 0, 0, 0, 0, 8 };
	struct dev_stats s = { 0 };

	use(m, PAIRS);
	for (unsigned i = 0; i < PAIRS; i++) {
		gpa_t at = guest_alloc(&m->g, HDR + 100, 16);
		struct seg seg = SEG_OUT(at, HDR + 100);

		make_frame((uint8_t *)guest_at(&m->g, at, HDR + 100) + HDR, 100,
			   other);
		ring_add(&m->tx[i], &seg, 1);
		ring_kick(&m->tx[i]);
		used(m, &m->tx[i], 1);
		assert_true(silent(m, i));
	}
	net_stats(m->v, &s);
	assert_int_equal(s.net_dropped, PAIRS);
}

/* What the tap puts into a queue nobody has enabled is the first pair's. */
static void strays_are_the_first_pairs(void **state)
{
	struct many *m = *state;

	room(m, &m->rx[2]);
	put(m, &m->tx[2], 1);
	for (unsigned i = 0; i < PAIRS; i++) {
		room(m, &m->rx[0]);
		arrive(m, i, (uint8_t)i);
	}
	used(m, &m->rx[0], PAIRS);
	assert_int_equal(ring_used_idx(&m->rx[2]), 0);
	assert_true(silent(m, 2));
	/* Enabled, it finds what was put there before. */
	use(m, PAIRS);
	assert_int_equal(get(m, 2), 1);
	arrive(m, 2, 2);
	used(m, &m->rx[2], 1);
	/* And disabled, it is left alone again. */
	room(m, &m->rx[2]);
	room(m, &m->rx[0]);
	use(m, 1);
	arrive(m, 2, 3);
	used(m, &m->rx[0], PAIRS + 1);
	assert_int_equal(ring_used_idx(&m->rx[2]), 1);
}

/* A frame that waits for buffers of a pair that goes is lost, and its buffers
 * are there for the next. */
static void a_frame_does_not_wait_in_a_pair_that_is_off(void **state)
{
	struct many *m = *state;
	static uint8_t raw[HDR + 9000];
	struct dev_stats s = { 0 };

	use(m, 2);
	room(m, &m->rx[1]);
	make_frame(raw + HDR, 9000, our_mac);
	assert_int_equal(write(m->peer[1], raw, sizeof(raw)), sizeof(raw));
	while (!silent(m, 1) || recv(net_of(m)->pair[1].fd, raw, 1,
				     MSG_PEEK | MSG_DONTWAIT) >= 0)
		poll(NULL, 0, 1);
	use(m, 1);
	net_stats(m->v, &s);
	assert_int_equal(s.net_dropped, 1);
	use(m, 2);
	arrive(m, 1, 4);
	used(m, &m->rx[1], 1);
	assert_false(broken(m));
}

/* ---- reset, broken, the end ---- */

static void flood(struct many *m, struct ring *tx)
{
	for (unsigned i = 0; i < RING; i++)
		put(m, tx, (uint8_t)i);
}

/* What lies in the back end, with nobody else to read it. */
static void drain(struct many *m)
{
	uint8_t raw[HDR + 200];

	for (unsigned i = 0; i < PAIRS; i++) {
		while (read(m->peer[i], raw, sizeof(raw)) > 0)
			;
		while (read(net_of(m)->pair[i].fd, raw, sizeof(raw)) > 0)
			;
	}
}

static void reset_while_they_run(void **state)
{
	struct many *m = *state;
	uint64_t from = m->g.next;

	for (unsigned round = 0; round < 50; round++) {
		assert_int_equal(use(m, PAIRS), OK);
		for (unsigned i = 0; i < PAIRS; i++) {
			room(m, &m->rx[i]);
			arrive(m, i, 1);
			flood(m, &m->tx[i]);
		}
		guest_reset(m->v);
		/* Nothing of it is the device's any more. */
		memset(guest_at(&m->g, GPA(from), m->g.next - from), 0xee,
		       m->g.next - from);
		for (unsigned i = 1; i < PAIRS; i++)
			assert_false(net_of(m)->pair[i].on);
		for (uint64_t at = from; at < m->g.next; at += 512)
			assert_int_equal(
				*(uint8_t *)guest_at(&m->g, GPA(at), 1), 0xee);
		memset(guest_at(&m->g, GPA(from), m->g.next - from), 0,
		       m->g.next - from);
		m->g.next = from;
		drain(m);
		drive(m, MQ | EVENT);
	}
	assert_false(broken(m));
	each_pair_carries_both_ways(state);
}

static void broken_by_a_pair_is_broken(void **state)
{
	struct many *m = *state;

	assert_int_equal(use(m, PAIRS), OK);
	ring_avail(&m->tx[2], 1000);
	ring_kick(&m->tx[2]);
	await_broken(m);
	guest_irqs(m->v);
	/* The others stop as well. */
	put(m, &m->tx[0], 1);
	put(m, &m->tx[1], 1);
	arrive(m, 0, 1);
	arrive(m, 1, 1);
	all_turn(m);
	assert_true(silent(m, 0));
	assert_true(silent(m, 1));
	guest_reset(m->v);
	assert_false(broken(m));
	drive(m, MQ);
	use(m, PAIRS);
	put(m, &m->tx[2], 9);
	assert_int_equal(get(m, 2), 9);
}

static void a_tap_that_goes_is_told_once(void **state)
{
	struct many *m = *state;
	uint16_t status = LINK_UP;

	use(m, 2);
	for (unsigned i = 0; i < PAIRS; i++)
		shutdown(m->peer[i], SHUT_RDWR);
	for (unsigned i = 0; status & LINK_UP; i++) {
		assert_true(i < PATIENCE_MS);
		all_turn(m);
		poll(NULL, 0, 1);
		mmio_read(m->v, CONFIG + 6, &status, sizeof(status));
	}
	guest_reset(m->v);
	drive(m, MQ);
	assert_int_equal(use(m, PAIRS), OK);
	put(m, &m->tx[1], 1);
	used(m, &m->tx[1], 1);
}

static void the_end_comes_at_any_time(void **state)
{
	struct many *m = *state;

	use(m, PAIRS);
	for (unsigned i = 0; i < PAIRS; i++) {
		arrive(m, i, 1);
		flood(m, &m->tx[i]);
	}
	/* tear_down() is the test. */
}

#define MANY(name) cmocka_unit_test_setup_teardown(name, set_up_many, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		MANY(as_many_as_there_are_queues),
		cmocka_unit_test_setup_teardown(one_pair_behind_a_rate, limited,
						tear_down),
		cmocka_unit_test_setup_teardown(a_thread_that_may_not_run,
						stopped, tear_down),
		MANY(pairs_within_bounds),
		MANY(other_commands_are_refused),
		MANY(a_command_in_pieces),
		MANY(a_command_needs_room_for_its_answer),
		MANY(without_many_the_third_is_control),
		MANY(each_pair_carries_both_ways),
		MANY(nobody_elses_address_on_any_pair),
		MANY(strays_are_the_first_pairs),
		MANY(a_frame_does_not_wait_in_a_pair_that_is_off),
		MANY(reset_while_they_run),
		MANY(broken_by_a_pair_is_broken),
		MANY(a_tap_that_goes_is_told_once),
		MANY(the_end_comes_at_any_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
