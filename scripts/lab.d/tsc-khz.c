/* SPDX-License-Identifier: Apache-2.0 */
/* tsc-khz - prints how many thousand times a second this machine's time stamp
 * counter counts.
 *
 * The emulated machine's counter is this one. Its kernel would measure it
 * against the emulated HPET and be wrong by any factor when the emulator is
 * not scheduled meanwhile: clocks in that lab then run as wrong. Here only the
 * tightest of many readings counts, which a busy machine still has. */
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

#define READINGS 200
#define WAIT_NS	 20000000

struct moment {
	uint64_t ns, ticks;
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* Clock and counter at one moment, as near as can be. */
static struct moment moment_now(void)
{
	struct moment best = { 0, 0 };
	uint64_t least = UINT64_MAX;

	for (int i = 0; i < READINGS; i++) {
		uint64_t before = __rdtsc();
		uint64_t ns = now_ns();
		uint64_t took = __rdtsc() - before;

		if (took < least) {
			least = took;
			best = (struct moment){ ns, before + took / 2 };
		}
	}
	return best;
}

int main(void)
{
	const struct timespec wait = { .tv_nsec = WAIT_NS };
	struct moment a = moment_now(), b;

	nanosleep(&wait, NULL);
	b = moment_now();
	printf("%.0f\n",
	       (double)(b.ticks - a.ticks) * 1e6 / (double)(b.ns - a.ns));
	return 0;
}
