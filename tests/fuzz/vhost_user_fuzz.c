/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as the answers of a back end, to a driver that starts and resets
 * the device. It may break; guest RAM and our descriptors stay as they were,
 * and a device that is live was answered right each time. */
#include "dev/fs.h"

#include "tests/fuzz/bytes.h"
#include "tests/guest/back.h"
#include "tests/guest/guest.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool ok)
{
	if (!ok)
		abort();
}

/* Right answers for what comes next, or the input's own bytes. */
static void script(struct back *b, struct bytes *in, uint8_t what)
{
	uint8_t raw[32];
	unsigned n = 0;

	switch (what % 8) {
	case 0:
		back_open(b);
		break;
	case 1:
		back_start(b, 2);
		break;
	case 2:
		back_stop(b, 2);
		break;
	case 3:
		back_answer(b, bytes_u8(in) % 24, bytes_num(in, 8));
		break;
	default:
		while (n < sizeof(raw) && n < what && bytes_more(in))
			raw[n++] = bytes_u8(in);
		if (n)
			back_write(b, raw, n);
		break;
	}
}

static void drive(struct virtio *v, struct guest *g)
{
	struct ring r;

	g->next = 0x1000;
	if (!guest_start(v, 0))
		return;
	ring_init(&r, g, v, 0, 8);
	ring_init(&r, g, v, 1, 8);
	guest_go(v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct guest g;
	static bool set_up;
	struct bytes in = { data, size };
	struct dev_conf conf = { .type = DEV_FS, .fs = { .tag = "fuzz" } };
	struct back b;
	struct loop loop;
	struct virtio *v;
	struct err e = { 0 };
	int before, after;

	if (!set_up) {
		log_init("fuzz", LOG_ERR);
		guest_init_shared(&g);
		set_up = true;
	}
	before = dup(0);
	back_init(&b);
	need(loop_init(&loop, NULL, &e) == 0);
	for (unsigned i = 0; i < 16 && bytes_more(&in); i++)
		script(&b, &in, bytes_u8(&in));
	/* All it will ever say: nothing here waits. */
	shutdown(b.other, SHUT_WR);
	conf.fs.socket_fd = b.ours;
	v = fs_create(&conf, &g.mem, &loop, &e);
	need(v || e.code > 0);
	for (unsigned i = 0; v && i < 3; i++) {
		drive(v, &g);
		need(loop_once(&loop, 0) == 0);
		guest_reset(v);
		need(guest_status(v) == 0);
	}
	if (v)
		fs_destroy(v);
	loop_fini(&loop);
	back_fini(&b);
	close(before);
	after = dup(0);
	need(after == before);
	close(after);
	return 0;
}
