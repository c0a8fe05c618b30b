/* SPDX-License-Identifier: Apache-2.0 */
/* build.h - what the files of `vial build` share.
 *
 *     build.c         the words, and the order of things
 *     build_input.c   the Dockerfile, and the images it begins with
 *     build_secret.c  what a command may see and no image keeps
 *     build_cache.c   what builds of the same folder left
 *     build_vm.c      a box of vial/buildah that builds
 *     build_result.c  what comes out, as an image of the store */
#pragma once

#include "base/err.h"
#include "builder/desk.h"
#include "image/digest.h"
#include "spec/strv.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where the box has them, in memory too. */
#define BUILD_SECRETS "/secrets"

struct build_args {
	const char *file, *target, *network, *egress, *memory, *iidfile,
		*platform;
	struct strv tags, args, labels, secrets;
	bool quiet, pull, no_cache;
	/* while it goes on */
	struct desk desk;
	const char *context; /* a folder; NULL: an archive, or none */
	char *text;	     /* the Dockerfile; owned */
	size_t len;
	struct strv images;	  /* as the Dockerfile has them */
	struct strv secret_words; /* for buildah */
	int secrets_fd;		  /* an archive of them, in memory; -1: none */
	char cache[64];		  /* the volume; "": there is none */
	int cache_lock;		  /* -1: not held */
	uint64_t cache_max;
};

/* Reads the Dockerfile; of "-" all of standard input goes to the desk. */
int build_input(struct build_args *a, const char *path, struct err *e);
/* What the Dockerfile names: pulled when it is missing, and laid out on the
 * desk. */
int build_images(struct build_args *a, struct err *e);
/* Packs the secrets, for the box's standard input. */
int build_secrets(struct build_args *a, struct err *e);
/* One that another build uses is done without. */
int build_cache_open(struct build_args *a, struct err *e);
/* Keeps to what vial.conf says of all of them. */
void build_cache_close(struct build_args *a);
/* Returns 0 with the archive in out, or 1 when the build failed, which has
 * been said. */
int build_in_vm(struct build_args *a, int out, struct err *e);
/* The archive becomes an image with the names that were asked for. */
int build_result(struct build_args *a, int in, struct digest *id,
		 struct err *e);
