/* SPDX-License-Identifier: Apache-2.0 */
/* tar_fuzz - any bytes as an archive that is unpacked.
 *
 * Into a folder of its own, as nobody when it can: whatever the archive says,
 * the folder beside it stays as it was, and so does the fuzzer's own place. A
 * result is told in every case. What was unpacked is packed again, and that
 * always works. */
#include "agent/tar.h"
#include "base/auto.h"
#include "base/fd.h"

#include <fcntl.h>
#include <ftw.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOBODY	 65534
#define FILE_MAX (8u << 20)

static char top[] = "/tmp/vial-tar-fuzz-XXXXXX";
static char inside[64], beside[64], guard[80];
static int home = -1;
static bool root;

static void must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "tar_fuzz: %s\n", what);
	abort();
}

static int remove_one(const char *path, const struct stat *st, int type,
		      struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int open_up(const char *path, const struct stat *st, int type,
		   struct FTW *ftw)
{
	(void)st;
	(void)ftw;
	return type == FTW_DNR || type == FTW_D ? chmod(path, 0700) : 0;
}

/* Folders that may not be read are opened first. */
static void empty(const char *path)
{
	for (int i = 0; i < 64 && access(path, F_OK) == 0; i++) {
		nftw(path, open_up, 16, FTW_PHYS);
		nftw(path, remove_one, 16, FTW_PHYS | FTW_DEPTH);
	}
	must(access(path, F_OK) < 0, "cannot clean up");
}

static void at_end(void)
{
	if (home >= 0 && fchdir(home) == 0)
		nftw(top, remove_one, 16, FTW_PHYS | FTW_DEPTH);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct rlimit small = { FILE_MAX, RLIM_INFINITY };

	(void)argc;
	(void)argv;
	root = geteuid() == 0;
	setlocale(LC_CTYPE, "C.UTF-8");
	setrlimit(RLIMIT_FSIZE, &small);
	home = open(".", O_PATH | O_CLOEXEC);
	must(mkdtemp(top) != NULL, "mkdtemp");
	snprintf(inside, sizeof(inside), "%s/in", top);
	snprintf(beside, sizeof(beside), "%s/beside", top);
	snprintf(guard, sizeof(guard), "%s/guard", beside);
	must(mkdir(beside, 0777) == 0, "mkdir");
	must(close(open(guard, O_CREAT | O_WRONLY, 0666)) == 0, "guard");
	/* For everybody to break, who comes out of the other one. */
	must(chmod(guard, 0666) == 0 && chmod(beside, 0777) == 0 &&
		     chmod(top, 0777) == 0,
	     "chmod");
	atexit(at_end);
	return 0;
}

static void check_beside(void)
{
	struct stat st;

	must(stat(guard, &st) == 0 && st.st_size == 0 && st.st_nlink == 1 &&
		     (st.st_mode & 07777) == 0666,
	     "the archive reached a file outside");
	must(stat(beside, &st) == 0 && st.st_nlink == 2 &&
		     (st.st_mode & 07777) == 0777,
	     "the archive reached a folder outside");
	must(unlink(guard) == 0 && rmdir(beside) == 0,
	     "the archive made something outside");
	must(mkdir(beside, 0777) == 0 && chmod(beside, 0777) == 0, "mkdir");
	must(close(open(guard, O_CREAT | O_WRONLY, 0666)) == 0, "guard");
	must(chmod(guard, 0666) == 0, "chmod");
}

static void check_result(const struct tar_result *r)
{
	must((r->fault != TAR_FINE) == (r->err.msg[0] != '\0'),
	     "a fault without words, or words without a fault");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct tar_how plain;
	struct tar_how how = { 0 };
	struct tar_result r;
	size_t early;
	int in, out;

	if (size < 2)
		return 0;
	/* The fuzzer sets its own after the first initialisation. */
	signal(SIGXFSZ, SIG_IGN);
	how.no_overwrite_dir = data[0] & 1;
	how.set_owner = data[0] & 2;
	how.uid = how.gid = NOBODY;
	early = MIN((size_t)data[1] * 16, size - 2);
	in = memfd_create("in", MFD_CLOEXEC);
	out = open("/dev/null", O_WRONLY | O_CLOEXEC);
	must(in >= 0 && out >= 0, "memfd");
	must(fd_write_full(in, data + 2 + early, size - 2 - early) == 0,
	     "write");
	lseek(in, 0, SEEK_SET);
	must(!root || (setegid(NOBODY) == 0 && seteuid(NOBODY) == 0), "nobody");
	tar_put(in, data + 2, early, inside, &how, &r);
	must(fchdir(home) == 0, "home");
	check_result(&r);
	if (r.fault == TAR_FINE && access(inside, R_OK | X_OK) == 0) {
		tar_get(out, inside, &plain, &r);
		must(fchdir(home) == 0, "home");
		check_result(&r);
	}
	empty(inside);
	must(!root || (seteuid(0) == 0 && setegid(0) == 0), "root");
	check_beside();
	close(in);
	close(out);
	return 0;
}
