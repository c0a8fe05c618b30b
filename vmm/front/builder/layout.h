/* SPDX-License-Identifier: Apache-2.0 */
/* layout.h - some images of the store as an OCI layout of their own, for a
 * machine that may see these and no others. Blobs are links: nothing is
 * copied. */
#pragma once

#include "base/err.h"
#include "image/store.h"
#include "spec/strv.h"

/* dir: an empty folder on the store's file system. names: images as users call
 * them. In it they are called as docker writes names out, a line each in the
 * file "names": "docker.io/library/debian:12". */
int layout_make(struct store *s, int dir, const struct strv *names,
		struct err *e);
