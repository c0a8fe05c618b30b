/* SPDX-License-Identifier: Apache-2.0 */
/* layertar.h - changes of a tree as a layer of an image.
 *
 * OCI image-spec layer.md: pax, ".wh.NAME" for what is gone, files with
 * several names once and then as links, extended attributes as
 * SCHILY.xattr, times in whole seconds as docker has them. Holes stay holes.
 * Sockets are left out. */
#pragma once

#include "agent/unpack/diff.h"

/* tree: the folder that d's paths are below, and that it was made of; it is
 * not written to by anybody. The archive goes to fd. */
int layertar_write(const struct diff *d, int tree, int fd, struct err *e);
