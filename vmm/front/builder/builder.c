/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/builder.h"

#include "base/auto.h"
#include "builder/builder_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* What a tar stream may unpack to, beyond what the disk can hold: names,
 * padding, files that a later layer takes away. */
#define BYTES_TIMES 4
#define ENTRIES_MAX 20000000

/* "KIND:SIZE:DIGEST" for each; free the strings and the list. */
static char **make_args(const struct builder *b, size_t *argc)
{
	static const char *const kinds[] = { [BUILDER_AUTO] = "auto",
					     [BUILDER_PLAIN] = "plain",
					     [BUILDER_GZIP] = "gzip",
					     [BUILDER_ZSTD] = "zstd" };
	char **argv = calloc(b->nlayers + 4, sizeof(*argv));
	bool good = argv != NULL;
	size_t n = 0;

	if (!good)
		return NULL;
	good = asprintf(&argv[n++], "/vial-unpack") > 0 &&
	       asprintf(&argv[n++], "%" PRIu64, b->bytes * BYTES_TIMES) > 0 &&
	       asprintf(&argv[n++], "%d", ENTRIES_MAX) > 0;
	for (size_t i = 0; good && i < b->nlayers; i++)
		good = asprintf(&argv[n++], "%s:%" PRIu64 ":%s",
				kinds[b->layers[i].kind], b->layers[i].size,
				b->layers[i].diff_id) > 0;
	*argc = n;
	if (good)
		return argv;
	while (--n > 0) /* the last one was not made */
		free(argv[n - 1]);
	free(argv);
	return NULL;
}

static int check(const struct builder *b, struct err *e)
{
	struct stat st;

	if (b->bytes < BUILDER_DISK_MIN || b->bytes > BUILDER_DISK_MAX ||
	    b->bytes % 4096)
		return err_set(e, EINVAL, "a disk of %" PRIu64 " bytes",
			       b->bytes);
	for (size_t i = 0; i < b->nlayers; i++) {
		if (fstat(b->layers[i].fd, &st) < 0)
			return err_sys(e, "layer %zu", i + 1);
		if ((uint64_t)st.st_size != b->layers[i].size)
			return err_set(e, EINVAL,
				       "layer %zu of %zu: its blob has %lld "
				       "bytes, not %" PRIu64,
				       i + 1, b->nlayers, (long long)st.st_size,
				       b->layers[i].size);
	}
	return 0;
}

int builder_run(const struct builder *b, struct err *e)
{
	struct build w;

	if (check(b, e) < 0 || builder_make_disk(b->out, b->bytes, e) < 0)
		return -e->code;
	build_init(&w);
	w.b = b;
	w.feeds = true;
	w.said = build_progress;
	w.argv = make_args(b, &w.argc);
	if (!w.argv)
		return err_set(e, ENOMEM, "out of memory");
	w.disk.disk[0] = fcntl(b->out, F_DUPFD_CLOEXEC, 3);
	w.disk.scratch[0] = -1;
	w.disk.ndisks = w.disk.disk[0] >= 0;
	if (w.disk.ndisks == 0) {
		err_sys(e, "the image's disk");
		build_fini(&w);
		return -e->code;
	}
	return build_run(&w, e);
}
