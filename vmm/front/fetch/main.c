/* SPDX-License-Identifier: Apache-2.0 */
/* vial-fetch - talks to registries, for vial.
 *
 *     vial-fetch pull DATADIR PLATFORM all|name NAME
 *
 * What people read goes to stdout; the reason of a failure to descriptor 3,
 * which vial reads, or to stderr when there is none. */
#include "base/fd.h"
#include "base/log.h"
#include "fetch/pull.h"

#include <curl/curl.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define REASON_FD 3

static int fail(const struct err *e, bool asked)
{
	if (!asked || fd_write_full(REASON_FD, e->msg, strlen(e->msg)) < 0)
		log_err("%s", e->msg);
	return 1;
}

static int pull(char **argv, struct err *e)
{
	struct pull p = { .datadir = argv[2],
			  .name = argv[5],
			  .quiet = strcmp(argv[4], "name") == 0 };

	if (platform_parse(*argv[3] ? argv[3] : NULL, &p.platform, e) < 0)
		return -e->code;
	return pull_image(&p, e);
}

int main(int argc, char **argv)
{
	/* Before another file gets that number. */
	bool asked = fd_set_cloexec(REASON_FD, true) == 0;
	struct err e = { 0 };

	log_init("vial", LOG_WARN);
	/* Helpers for credentials may be gone before they have read. */
	signal(SIGPIPE, SIG_IGN);
	if (argc != 6 || strcmp(argv[1], "pull") != 0) {
		fprintf(stderr, "vial-fetch is started by vial: vial pull\n");
		return 125;
	}
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0)
		err_set(&e, ENOMEM, "libcurl does not start");
	else if (pull(argv, &e) == 0)
		return fflush(stdout) == 0 ? 0 : 1;
	return fail(&e, asked);
}
