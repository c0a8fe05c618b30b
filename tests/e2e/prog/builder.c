/* SPDX-License-Identifier: Apache-2.0 */
/* builder DISK BYTES [LAYER DIFF-ID]...: layers, lowest first, become DISK.
 *
 * What `vial run` does with an image, without an image around it. */
#include "builder/builder.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LAYERS_MAX 256

static struct builder_layer layers[LAYERS_MAX];

static int fail(const char *what)
{
	fprintf(stderr, "builder: %s\n", what);
	return 1;
}

static int open_layers(int n, char **argv)
{
	struct stat st;

	for (int i = 0; i < n; i++) {
		struct builder_layer *l = &layers[i];

		l->fd = open(argv[2 * i], O_RDONLY | O_CLOEXEC);
		if (l->fd < 0 || fstat(l->fd, &st) < 0)
			return -1;
		l->size = (uint64_t)st.st_size;
		l->diff_id = argv[2 * i + 1];
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct builder b = { .layers = layers };
	struct err e = { 0 };

	if (argc < 3 || argc % 2 == 0 || (argc - 3) / 2 > LAYERS_MAX)
		return fail("usage: builder DISK BYTES [LAYER DIFF-ID]...");
	b.nlayers = (size_t)(argc - 3) / 2;
	b.bytes = strtoull(argv[2], NULL, 10);
	b.out = open(argv[1], O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (b.out < 0 || open_layers((int)b.nlayers, argv + 3) < 0)
		return fail("cannot open a file");
	if (builder_run(&b, &e) < 0)
		return fail(e.msg);
	return fsync(b.out) < 0 ? fail("fsync") : 0;
}
