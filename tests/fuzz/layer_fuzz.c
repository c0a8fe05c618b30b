/* SPDX-License-Identifier: Apache-2.0 */
/* layer_fuzz - any bytes as two layers, one on top of the other.
 *
 * The first byte says where the first ends. Whatever they say, the folder
 * beside the image stays as it was, and an error has words. */
#include "tests/guest/layer.h"

#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FILE_MAX (8u << 20)

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct rlimit small = { FILE_MAX, RLIM_INFINITY };

	(void)argc;
	(void)argv;
	umask(0);
	setlocale(LC_CTYPE, "C.UTF-8");
	setrlimit(RLIMIT_FSIZE, &small);
	signal(SIGXFSZ, SIG_IGN);
	return 0;
}

static void one(struct tape_target *t, const uint8_t *data, size_t size)
{
	const struct decode_conf dc = { .limit = FILE_MAX };
	const struct layer_conf lc = { .max_entries = 1000 };
	struct tape tape = { 0 };
	struct err e = { 0 };
	int r;

	tape_bytes(&tape, data, size);
	r = target_apply(t, &tape, &dc, &lc, &e);
	if (r < 0 && (!e.code || !*e.msg))
		abort();
	if (r >= 0 && strlen(t->digest) != strlen("sha256:") + 64)
		abort();
	tape_free(&tape);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tape_target t;
	size_t cut;

	if (size < 2)
		return 0;
	cut = (size - 1) * data[0] / 255;
	target_open(&t);
	one(&t, data + 1, cut);
	one(&t, data + 1 + cut, size - 1 - cut);
	target_close(&t);
	return 0;
}
