/* SPDX-License-Identifier: Apache-2.0 */
/* tool.c - small jobs for the tests, static, so that it runs on both sides.
 *
 *   noise SEED BYTES    bytes that do not compress, the same for a SEED
 *   same SEED BYTES     stdin is exactly that; print how much of it was
 *   both COUNT          COUNT numbered lines to each of stdout and stderr,
 *                       by turns and in pieces of changing length
 *   check WORD COUNT    stdin is exactly what "both" wrote to one of them
 *   eat MEGABYTES       touch that much memory, then say so
 *   slow MS BYTES       read stdin in pieces, asleep for MS between them, for
 *                       the first BYTES; then the rest; print the count
 *   poke PID            overwrite the code of a process with zeros
 *   call SOCKET         stdin into a unix socket, what it says to stdout
 *   say SOCKET          the same without an ear for it: ends at once
 *   echo SOCKET         make one; each caller hears what he said, then "bye"
 *   sink SOCKET         make one; what the first caller says to stdout
 *   many N BYTES SOCKET N callers of that at once, and what they should hear
 *   udp PORT            answers each datagram with "got " before it
 *   ask ADDRESS PORT TEXT  a datagram, again and again until there is an answer
 *
 * What vial's boxes with the runtime directory RUN are, and what they leave:
 *
 *   pids RUN            the processes
 *   monitor ID          the monitor of the box
 *   left RUN DATA [all] processes and files; with all, also the machine's
 *                       mounts, namespaces, control groups
 *
 * One process for all of it: a shell would start hundreds, and in emulation
 * each takes a tenth of a second. */
#include "left.h"
#include "sock.h"
#include "udp.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CHUNK (64u << 10)

static int fail(const char *what)
{
	fprintf(stderr, "tool: %s: %s\n", what, strerror(errno));
	return 1;
}

static bool put(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		p += n;
		len -= (size_t)n;
	}
	return true;
}

/* xorshift64*: good enough to be incompressible, and quick in emulation. */
static uint64_t noise_next(uint64_t *s)
{
	*s ^= *s >> 12;
	*s ^= *s << 25;
	*s ^= *s >> 27;
	return *s * 0x2545f4914f6cdd1dull;
}

#define NOISE_SEED 0x9e3779b97f4a7c15ull

static uint64_t noise_chunk[CHUNK / sizeof(uint64_t)];

/* The next ones; returns how many bytes of the chunk are wanted. */
static size_t noise_more(uint64_t *s, uint64_t bytes)
{
	for (size_t i = 0; i < CHUNK / sizeof(uint64_t); i++)
		noise_chunk[i] = noise_next(s);
	return bytes < CHUNK ? (size_t)bytes : CHUNK;
}

static int noise(uint64_t seed, uint64_t bytes)
{
	uint64_t s = seed + NOISE_SEED;

	while (bytes > 0) {
		size_t len = noise_more(&s, bytes);

		if (!put(STDOUT_FILENO, noise_chunk, len))
			return fail("noise");
		bytes -= len;
	}
	return 0;
}

static int same(uint64_t seed, uint64_t bytes)
{
	uint64_t s = seed + NOISE_SEED, seen = 0;
	size_t want = 0, have = 0;
	static char in[CHUNK];
	ssize_t n;

	while ((n = read(STDIN_FILENO, in + have, CHUNK - have)) > 0) {
		have += (size_t)n;
		if (have < CHUNK && seen + have < bytes)
			continue;
		want = noise_more(&s, bytes - seen);
		if (have != want || memcmp(in, noise_chunk, want) != 0)
			break;
		seen += want;
		have = 0;
	}
	printf("%" PRIu64 "\n", seen);
	if (n < 0)
		return fail("same");
	return n == 0 && have == 0 && seen == bytes ? 0 : 1;
}

/* Line n of a stream: its number and a tail of 0 to 99 letters. */
static size_t line(char *out, size_t room, const char *word, uint64_t n)
{
	static const char tail[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

	return (size_t)snprintf(out, room, "%s %" PRIu64 " %.*s\n", word, n,
				(int)(n * 37 % 100), tail);
}

struct writer {
	const char *word;
	int fd;
	uint64_t next;
	size_t used;
	char buf[8192];
};

static bool writer_some(struct writer *w, uint64_t count)
{
	size_t want = 512 + w->next * 911 % 6000;

	while (w->used < want && w->next < count)
		w->used += line(w->buf + w->used, sizeof(w->buf) - w->used,
				w->word, w->next++);
	if (!put(w->fd, w->buf, w->used))
		return false;
	w->used = 0;
	return true;
}

static int both(uint64_t count)
{
	static struct writer w[] = { { .word = "out", .fd = STDOUT_FILENO },
				     { .word = "err", .fd = STDERR_FILENO } };

	while (w[0].next < count || w[1].next < count)
		for (int i = 0; i < 2; i++)
			if (w[i].next < count && !writer_some(&w[i], count))
				return fail("both");
	return 0;
}

static int check(const char *word, uint64_t count)
{
	char want[256], got[256];
	uint64_t bytes = 0;

	for (uint64_t n = 0; n < count; n++) {
		size_t len = line(want, sizeof(want), word, n);

		if (!fgets(got, sizeof(got), stdin) || strcmp(want, got) != 0) {
			fprintf(stderr, "tool: %s: line %" PRIu64 " differs\n",
				word, n);
			return 1;
		}
		bytes += len;
	}
	if (getchar() != EOF) {
		fprintf(stderr, "tool: %s: more than was written\n", word);
		return 1;
	}
	printf("%" PRIu64 "\n", bytes);
	return 0;
}

static int eat(uint64_t mb)
{
	for (uint64_t i = 0; i < mb; i++) {
		char *p = malloc(1u << 20);

		if (!p)
			return fail("eat");
		memset(p, (int)i + 1, 1u << 20);
	}
	printf("ate %" PRIu64 " MiB\n", mb);
	return 0;
}

static int slow(long ms, uint64_t most)
{
	struct timespec nap = { ms / 1000, ms % 1000 * 1000000 };
	static char buf[CHUNK];
	uint64_t sum = 0;
	ssize_t n;

	while ((n = read(STDIN_FILENO, buf, sizeof(buf))) > 0) {
		sum += (uint64_t)n;
		if (sum < most)
			nanosleep(&nap, NULL);
	}
	if (n < 0)
		return fail("slow");
	printf("%" PRIu64 "\n", sum);
	return 0;
}

/* Through /proc/PID/mem, which lets a tracer write where the process cannot. */
static int poke(const char *pid)
{
	static const char zeros[4096];
	unsigned long from = 0, to = 0;
	char path[64], text[256], perms[8] = "";
	FILE *maps;
	int fd;

	snprintf(path, sizeof(path), "/proc/%s/maps", pid);
	maps = fopen(path, "r");
	while (maps && perms[2] != 'x' && fgets(text, sizeof(text), maps))
		if (sscanf(text, "%lx-%lx %7s", &from, &to, perms) != 3)
			break;
	if (!maps || perms[2] != 'x')
		return fail(path);
	fclose(maps);
	snprintf(path, sizeof(path), "/proc/%s/mem", pid);
	fd = open(path, O_WRONLY);
	if (fd < 0)
		return fail(path);
	for (; from < to; from += sizeof(zeros))
		if (pwrite(fd, zeros, sizeof(zeros), (off_t)from) < 0)
			return fail("poke");
	close(fd);
	return 0;
}

static uint64_t num(const char *s)
{
	return strtoull(s, NULL, 0);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (strcmp(what, "noise") == 0 && argc == 4)
		return noise(num(argv[2]), num(argv[3]));
	if (strcmp(what, "same") == 0 && argc == 4)
		return same(num(argv[2]), num(argv[3]));
	if (strcmp(what, "both") == 0 && argc == 3)
		return both(num(argv[2]));
	if (strcmp(what, "check") == 0 && argc == 4)
		return check(argv[2], num(argv[3]));
	if (strcmp(what, "eat") == 0 && argc == 3)
		return eat(num(argv[2]));
	if (strcmp(what, "slow") == 0 && argc == 4)
		return slow((long)num(argv[2]), num(argv[3]));
	if (strcmp(what, "poke") == 0 && argc == 3)
		return poke(argv[2]);
	if (strcmp(what, "call") == 0 && argc == 3)
		return sock_call(argv[2]);
	if (strcmp(what, "say") == 0 && argc == 3)
		return sock_say(argv[2]);
	if (strcmp(what, "echo") == 0 && argc == 3)
		return sock_echo(argv[2]);
	if (strcmp(what, "sink") == 0 && argc == 3)
		return sock_sink(argv[2]);
	if (strcmp(what, "many") == 0 && argc == 5)
		return sock_many((unsigned)num(argv[2]), num(argv[3]), argv[4]);
	if (strcmp(what, "udp") == 0 && argc == 3)
		return udp_answer((uint16_t)num(argv[2]));
	if (strcmp(what, "ask") == 0 && argc == 5)
		return udp_ask(argv[2], argv[3], argv[4]);
	if (strcmp(what, "pids") == 0 && argc == 3)
		return left_pids(argv[2], false);
	if (strcmp(what, "monitor") == 0 && argc == 3)
		return left_monitor(argv[2]);
	if (strcmp(what, "left") == 0 && argc >= 4)
		return left_all(argv[2], argv[3], argc > 4);
	fputs("tool: see its first lines\n", stderr);
	return 2;
}
