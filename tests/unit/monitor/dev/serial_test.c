/* SPDX-License-Identifier: Apache-2.0 */
#include "dev/serial.h"
#include "dev/serial_log.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

static char seen[64];
static unsigned nseen;

static void put(void *ctx, uint8_t byte)
{
	(void)ctx;
	seen[nseen++ % sizeof(seen)] = (char)byte;
}

static uint8_t rd(struct serial *s, uint32_t reg)
{
	uint8_t v;

	serial_read(s, reg, &v, 1);
	return v;
}

static void wr(struct serial *s, uint32_t reg, uint8_t v)
{
	serial_write(s, reg, &v, 1);
}

static bool interrupted(struct serial *s)
{
	uint64_t n;

	return read(s->irq_fd, &n, sizeof(n)) == sizeof(n);
}

static void serial_passes_bytes(void **state)
{
	struct serial s;

	(void)state;
	nseen = 0;
	assert_int_equal(serial_init(&s, put, NULL, NULL), 0);
	wr(&s, 0, 'h');
	wr(&s, 0, 'i');
	assert_int_equal(nseen, 2);
	assert_memory_equal(seen, "hi", 2);
	assert_int_equal(rd(&s, 5), 0x60);
	/* divisor latch and loop-back are not output */
	wr(&s, 3, 0x80);
	wr(&s, 0, 'x');
	assert_int_equal(rd(&s, 0), 'x');
	wr(&s, 3, 0);
	wr(&s, 4, 0x10);
	wr(&s, 0, 'y');
	assert_int_equal(nseen, 2);
	serial_fini(&s);
}

static void serial_interrupts_when_empty(void **state)
{
	struct serial s;

	(void)state;
	assert_int_equal(serial_init(&s, put, NULL, NULL), 0);
	wr(&s, 0, 'a');
	assert_false(interrupted(&s));
	assert_int_equal(rd(&s, 2) & 0x0f, 1);
	wr(&s, 1, 2);
	assert_true(interrupted(&s));
	assert_int_equal(rd(&s, 2) & 0x0f, 2);
	assert_int_equal(rd(&s, 2) & 0x0f, 1);	/* reading clears it */
	wr(&s, 0, 'b');
	assert_true(interrupted(&s));
	serial_fini(&s);
}

static void serial_passes_the_probe(void **state)
{
	struct serial s;

	(void)state;
	assert_int_equal(serial_init(&s, put, NULL, NULL), 0);
	wr(&s, 4, 0x10 | 0x0a);
	assert_int_equal(rd(&s, 6) & 0xf0, 0x90);
	wr(&s, 7, 0x5a);
	assert_int_equal(rd(&s, 7), 0x5a);
	wr(&s, 2, 1);
	assert_int_equal(rd(&s, 2) & 0xc0, 0xc0);
	serial_fini(&s);
}

static void serial_any_width(void **state)
{
	uint64_t v = ~0ull;
	struct serial s;

	(void)state;
	nseen = 0;
	assert_int_equal(serial_init(&s, put, NULL, NULL), 0);
	serial_read(&s, 5, &v, 8);
	assert_int_equal(v, 0x60);
	v = 'q';
	serial_write(&s, 0, &v, 8);
	assert_int_equal(nseen, 1);
	serial_fini(&s);
}

/* ---- the log behind it ---- */

static void log_text(struct serial_log *l, const char *s)
{
	for (; *s; s++)
		serial_log_put(l, (uint8_t)*s);
}

static void log_keeps_the_newer_half(void **state)
{
	int fd = memfd_create("console", MFD_CLOEXEC);
	static struct serial_log l;
	struct loop loop;
	char line[32], last[32];
	uint64_t max = 2 * SERIAL_LOG_BUF;

	(void)state;
	assert_int_equal(loop_init(&loop, NULL, NULL), 0);
	assert_int_equal(serial_log_init(&l, fd, max, 0, &loop, NULL), 0);
	for (unsigned i = 0; i < 20000; i++) {
		snprintf(line, sizeof(line), "line %u\n", i);
		log_text(&l, line);
		assert_int_equal(loop_once(&loop, 0), 0);
		assert_true(lseek(fd, 0, SEEK_END) <= (off_t)max);
	}
	assert_int_equal(l.dropped, 0);
	assert_true(lseek(fd, 0, SEEK_END) >= (off_t)max / 2);
	memset(last, 0, sizeof(last));
	assert_int_equal(pread(fd, last, strlen(line),
			       (off_t)(l.size - strlen(line))),
			 strlen(line));
	assert_string_equal(last, line);
	serial_log_fini(&l);
	loop_fini(&loop);
	close(fd);
}

static void log_drops_and_counts_a_flood(void **state)
{
	static struct serial_log l;
	struct loop loop;

	(void)state;
	assert_int_equal(loop_init(&loop, NULL, NULL), 0);
	assert_int_equal(serial_log_init(&l, -1, 0, 0, &loop, NULL), 0);
	for (unsigned i = 0; i < 3 * SERIAL_LOG_BUF; i++)
		serial_log_put(&l, 'x');
	assert_int_equal(l.bytes, 3 * SERIAL_LOG_BUF);
	assert_int_equal(l.dropped, 2 * SERIAL_LOG_BUF);
	assert_int_equal(loop_once(&loop, 0), 0);
	serial_log_put(&l, 'y');
	assert_int_equal(l.dropped, 2 * SERIAL_LOG_BUF);
	serial_log_fini(&l);
	loop_fini(&loop);
}

static void log_survives_a_file_that_cannot_be_written(void **state)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	static struct serial_log l;
	struct loop loop;

	(void)state;
	assert_int_equal(loop_init(&loop, NULL, NULL), 0);
	assert_int_equal(serial_log_init(&l, fd, 0, 0, &loop, NULL), 0);
	for (unsigned i = 0; i < 40; i++) {
		log_text(&l, "hello\n");
		assert_int_equal(loop_once(&loop, 0), 0);
	}
	assert_int_equal(l.size, 0);
	serial_log_fini(&l);
	loop_fini(&loop);
	close(fd);
}

static uint64_t clock_us;

static uint64_t fake_now(void)
{
	return clock_us;
}

static void log_slows(struct serial_log *l, uint64_t rate)
{
	struct rate_conf conf = { .bytes = rate };

	clock_us = 1000000;
	rate_init(&l->rate, &conf, fake_now);
}

static void log_drops_what_is_over_the_rate(void **state)
{
	static const char want[] = "aaaaaaaaaa\r\n[vial: 5 bytes dropped]"
				   "\r\nzz\r\n[vial: 1 bytes dropped]\r\n";
	int fd = memfd_create("console", MFD_CLOEXEC);
	static struct serial_log l;
	struct loop loop;
	char got[100] = "";

	(void)state;
	assert_int_equal(loop_init(&loop, NULL, NULL), 0);
	assert_int_equal(serial_log_init(&l, fd, 0, 8, &loop, NULL), 0);
	log_slows(&l, 10);
	log_text(&l, "aaaaaaaaaabbb");
	assert_int_equal(l.dropped, 3);
	clock_us += 100000; /* one byte's time: not enough to begin again */
	log_text(&l, "bb");
	assert_int_equal(l.dropped, 5);
	clock_us += 100000;
	log_text(&l, "zz");
	assert_int_equal(l.dropped, 5);
	log_text(&l, "b");
	assert_int_equal(l.dropped, 6);
	assert_int_equal(l.bytes, 18);
	serial_log_fini(&l);
	assert_int_equal(pread(fd, got, sizeof(got) - 1, 0), strlen(want));
	assert_string_equal(got, want);
	loop_fini(&loop);
	close(fd);
}

static void log_tells_of_a_full_buffer(void **state)
{
	int fd = memfd_create("console", MFD_CLOEXEC);
	static struct serial_log l;
	struct loop loop;
	char got[40] = "";

	(void)state;
	assert_int_equal(loop_init(&loop, NULL, NULL), 0);
	assert_int_equal(serial_log_init(&l, fd, 0, 0, &loop, NULL), 0);
	for (unsigned i = 0; i < SERIAL_LOG_BUF + 7; i++)
		serial_log_put(&l, 'x');
	assert_int_equal(l.dropped, 7);
	assert_int_equal(loop_once(&loop, 0), 0);
	log_text(&l, "y\n");
	serial_log_flush(&l);
	assert_true(pread(fd, got, sizeof(got) - 1, SERIAL_LOG_BUF) > 0);
	assert_string_equal(got, "\r\n[vial: 7 bytes dropped]\r\ny\n");
	serial_log_fini(&l);
	loop_fini(&loop);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(serial_passes_bytes),
		cmocka_unit_test(serial_interrupts_when_empty),
		cmocka_unit_test(serial_passes_the_probe),
		cmocka_unit_test(serial_any_width),
		cmocka_unit_test(log_keeps_the_newer_half),
		cmocka_unit_test(log_drops_and_counts_a_flood),
		cmocka_unit_test(log_drops_what_is_over_the_rate),
		cmocka_unit_test(log_tells_of_a_full_buffer),
		cmocka_unit_test(log_survives_a_file_that_cannot_be_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
