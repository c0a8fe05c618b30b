/* SPDX-License-Identifier: Apache-2.0 */
/* imagedisk.h - the image of a command line: pulled when it is missing (or as
 * --pull says), with a line of progress while its layers are unpacked. */
#pragma once

#include "spec/spec.h"

/* rootdisk_find(). */
int imagedisk_find(struct spec *s, struct err *e);
