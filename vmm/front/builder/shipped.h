/* SPDX-License-Identifier: Apache-2.0 */
/* shipped.h - images that come with vial, so that none has to be fetched.
 *
 * "vial/NAME:TAG" is the OCI archive images/NAME-TAG.oci.tar beside vial's
 * other parts. It goes into the store as every archive does, on first use. No
 * registry is asked for names that begin so: what another put there would be
 * taken for ours. Written out, docker.io/vial/NAME is a registry's. */
#pragma once

#include "base/err.h"

#include <stdbool.h>

/* Whether what a user calls an image is one of vial's own. */
bool shipped_is(const char *text);
/* Brings it into the store. -ENOENT: it is not installed, and what to do. */
int shipped_load(const char *text, struct err *e);
