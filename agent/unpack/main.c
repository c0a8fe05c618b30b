/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - vial-unpack, the layers of an image made one file system.
 *
 * THEORY OF OPERATION
 *
 * It is the only command of a builder VM, whose initramfs holds it and the
 * agent. The disk "v0" has an empty ext4; the blobs of the layers, lowest
 * first, come one after the other on standard input:
 *
 *     vial-unpack MAX-BYTES MAX-ENTRIES LAYER...
 *     LAYER = KIND:SIZE:DIGEST      KIND = auto, plain, gzip or zstd
 *
 * SIZE is the blob's, DIGEST ("sha256:...", "sha512:...") that of the tar
 * stream inside.
 *
 *     decode    a thread: the blob decompressed, and its digest
 *     inflate   gzip, zstd or neither
 *     layer     what an archive's entries and whiteouts mean
 *     entry     one entry made; entry_attr: whose it is, modes, times
 *     place     names, looked up with the image's folder as the root
 *     remove    what is taken away; inoset: what this layer has made itself
 *
 * Blobs are streamed and not attached as disks: a stream has any length, a
 * disk whole sectors, and a guest any number of layers but only eight disks.
 * The stream costs one copy of what is still compressed.
 *
 * On standard output it tells how far it is, a line each: the layer's number
 * from 0 and how much of its blob has been read. At the end of all it says
 * "done", when everything is on the disk and the file system is closed.
 * What went wrong is one line on standard error, and status 1.
 *
 * With --below DIR before all, DIR is the place instead of the disk: for
 * tests and development.
 *
 * With --changes it is the other way round (changes.h): what a box has changed
 * of its image, as a list or as a layer.
 *
 *     diff      two trees compared; same: two files
 *     layertar  what differs, as a layer */
#include "agent/unpack/changes.h"
#include "agent/unpack/decode.h"
#include "agent/unpack/layer.h"
#include "base/auto.h"
#include "base/err.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define DISK "v0"
#define AT "/image"
/* A line of progress for so many bytes of a blob. */
#define TICK_BYTES (1u << 20)
#define FILES_MAX 4096

struct unpack {
	struct layer_conf conf;
	uint64_t max_bytes;
	unsigned layer;
	uint64_t told;
	struct layer_stats st;
};

/* ---- the disk ---- */

int unpack_find_disk(const char *want, char *path, size_t room, struct err *e)
{
	char at[64], serial[32] = "";

	for (int c = 'a'; c <= 'h'; c++) {
		autoclose int fd = -1;
		ssize_t n;

		snprintf(at, sizeof(at), "/sys/block/vd%c/serial", c);
		fd = open(at, O_RDONLY | O_CLOEXEC);
		n = fd < 0 ? -1 : read(fd, serial, sizeof(serial) - 1);
		if (n < 0)
			continue;
		serial[n] = '\0';
		serial[strcspn(serial, "\n")] = '\0';
		snprintf(path, room, "/dev/vd%c", c);
		if (strcmp(serial, want) == 0)
			return 0;
	}
	return err_set(e, ENODEV, "the builder has no disk");
}

/* Afterwards nothing but the new disk can be named. */
static int enter_disk(struct err *e)
{
	char path[32];

	if (unpack_find_disk(DISK, path, sizeof(path), e) < 0)
		return -e->code;
	if (mkdir(AT, 0700) < 0 && errno != EEXIST)
		return err_sys(e, "mkdir " AT);
	if (mount(path, AT, "ext4", MS_NOATIME | MS_NODEV | MS_NOEXEC,
		  "nobarrier") < 0)
		return err_sys(e, "mount the image's disk");
	if (chroot(AT) < 0 || chdir("/") < 0)
		return err_sys(e, "enter the image's disk");
	/* What mke2fs left is no part of the image. */
	if (rmdir("lost+found") < 0 && errno != ENOENT)
		return err_sys(e, "lost+found");
	return 0;
}

/* Read-only is as good as unmounted. */
static int leave_disk(struct unpack *u, struct err *e)
{
	close(u->conf.root);
	if (mount(NULL, "/", NULL, MS_REMOUNT | MS_RDONLY, NULL) < 0)
		return err_sys(e, "write the image to its disk");
	return 0;
}

/* ---- the layers ---- */

static void tick(void *arg, struct decode *d)
{
	struct unpack *u = arg;
	uint64_t n = decode_taken(d);

	if (n < u->told + TICK_BYTES)
		return;
	u->told = n;
	printf("%u %" PRIu64 "\n", u->layer, n);
	fflush(stdout);
}

static int parse_layer(char *text, struct decode_conf *c, const char **digest,
		       struct err *e)
{
	static const char *const kinds[] = { [DECODE_AUTO] = "auto",
					     [DECODE_PLAIN] = "plain",
					     [DECODE_GZIP] = "gzip",
					     [DECODE_ZSTD] = "zstd" };
	char *size = strchr(text, ':'), *end = NULL;

	if (size) {
		*size++ = '\0';
		c->size = strtoull(size, &end, 10);
	}
	for (size_t i = 0; end && *end == ':' && i < ARRAY_LEN(kinds); i++) {
		if (strcmp(text, kinds[i]) != 0)
			continue;
		c->kind = (enum decode_kind)i;
		*digest = end + 1;
		c->sha512 = strncmp(*digest, "sha512:", 7) == 0;
		return 0;
	}
	return err_set(e, EINVAL, "not a layer: %s", text);
}

static int unpack_one(struct unpack *u, char *text, struct err *e)
{
	struct decode_conf c = { .fd = STDIN_FILENO, .limit = u->max_bytes };
	const char *want;
	struct decode *d;

	if (parse_layer(text, &c, &want, e) < 0)
		return -e->code;
	u->told = 0;
	d = decode_new(&c, e);
	/* After an error the process ends, and with it the thread. */
	if (!d || layer_apply(&u->conf, d, &u->st, e) < 0)
		return -e->code;
	u->max_bytes -= decode_bytes(d);
	if (strcmp(decode_digest(d), want) != 0)
		return err_set(e, EBADMSG,
			       "its content is %s, not %s as the image says",
			       decode_digest(d), want);
	decode_free(d);
	printf("%u %" PRIu64 "\n", u->layer, c.size);
	fflush(stdout);
	return 0;
}

static int unpack_all(struct unpack *u, int n, char **layers, struct err *e)
{
	for (int i = 0; i < n; i++) {
		u->layer = (unsigned)i;
		if (unpack_one(u, layers[i], e) < 0)
			return err_wrap(e, "layer %d of %d", i + 1, n);
	}
	return 0;
}

/* ---- as a whole ---- */

static void complain(struct err *e)
{
	for (char *p = e->msg; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	dprintf(STDERR_FILENO, "%s\n", e->msg);
}

static void settle(void)
{
	struct rlimit files = { FILES_MAX, FILES_MAX };

	umask(0);
	/* Names in archives are UTF-8; this locale is built in. */
	setlocale(LC_CTYPE, "C.UTF-8");
	/* remove.c holds a folder for each step down, diff.c two. */
	setrlimit(RLIMIT_NOFILE, &files);
}

static int prepare(struct unpack *u, const char *below, struct err *e)
{
	if (!below && enter_disk(e) < 0)
		return -e->code;
	u->conf.root =
		open(below ? below : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (u->conf.root < 0)
		return err_sys(e, "%s", below ? below : "the image's disk");
	u->conf.tick = tick;
	u->conf.arg = u;
	return 0;
}

int main(int argc, char **argv)
{
	struct unpack u = { .max_bytes = 0 };
	const char *below = NULL;
	struct err e = { 0 };

	settle();
	if (argc > 1 && strcmp(argv[1], "--changes") == 0) {
		if (changes_run(argc - 2, argv + 2, &e) == 0)
			return 0;
		complain(&e);
		_exit(1);
	}
	if (argc > 2 && strcmp(argv[1], "--below") == 0) {
		below = argv[2];
		argc -= 2;
		argv += 2;
	}
	if (argc < 3) {
		fputs("usage: vial-unpack [--below DIR] MAX-BYTES MAX-ENTRIES "
		      "KIND:SIZE:DIGEST...\n",
		      stderr);
		return 2;
	}
	u.max_bytes = strtoull(argv[1], NULL, 10);
	u.conf.max_entries = strtoull(argv[2], NULL, 10);
	if (prepare(&u, below, &e) < 0 ||
	    unpack_all(&u, argc - 3, argv + 3, &e) < 0 || /* all layers */
	    (!below && leave_disk(&u, &e) < 0)) {	  /* all is on disk */
		complain(&e);
		_exit(1);
	}
	printf("done %" PRIu64 " entries, %" PRIu64 " left out\n", u.st.entries,
	       u.st.left_out);
	return fflush(stdout) == 0 ? 0 : 1;
}
