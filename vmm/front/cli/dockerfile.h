/* SPDX-License-Identifier: Apache-2.0 */
/* dockerfile.h - a line of a Dockerfile that changes how an image is run, as
 * import and commit take it with --change. */
#pragma once

#include "base/err.h"

#include <jansson.h>

/* Changes config, the "config" of an image's configuration. Known: CMD,
 * ENTRYPOINT, ENV, EXPOSE, LABEL, STOPSIGNAL, USER, VOLUME, WORKDIR. */
int dockerfile_line(json_t *config, const char *line, struct err *e);
