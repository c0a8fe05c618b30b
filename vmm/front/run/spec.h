/* SPDX-License-Identifier: Apache-2.0 */
/* spec.h - what the user wants, validated once, without side effects.
 *
 * A front end (command line, OCI, CI) fills it by calling the setters below
 * with the user's text, then spec_check(). Setters take void * because they
 * stand in option tables; it is always a struct spec. Each refuses nonsense
 * at once, with a reason that does not name the option: the caller adds it. */
#pragma once

#include "base/err.h"
#include "run/parse.h"
#include "run/strv.h"

#include <stdbool.h>
#include <stdint.h>

#define SPEC_RAM_MIN	 (64ull << 20)
#define SPEC_RAM_DEFAULT (512ull << 20)
#define SPEC_RAM_MAX	 (1ull << 40)
#define SPEC_CPUS_MAX	 32
#define SPEC_NAME_MAX	 63

/* Something copied between host and guest. */
struct spec_copy {
	char *host;
	char *guest;	/* absolute */
};

struct spec_copies {
	struct spec_copy *v;
	size_t n;
};

struct spec {
	const char *image;	/* as the user wrote it; the front end's */
	struct strv argv;	/* entrypoint and command */
	struct strv env;
	struct strv groups;
	const char *cwd, *user, *hostname, *name, *kernel, *json;
	const char *entrypoint;	/* NULL: not given */
	struct rlimit_arg *rlimits;
	size_t nrlimits;
	struct spec_copies in;	/* -v: before the command */
	struct spec_copies out;	/* --artifact: after it */
	unsigned cpus;		/* 0: as many as we may use, at most 8 */
	uint64_t ram_bytes;
	uint64_t shm_bytes;	/* 0: the agent's default */
	uint64_t timeout_ms;	/* 0: none */
	uint64_t grace_ms;	/* between TERM and KILL */
	bool interactive, tty, rm, quiet, debug;
};

void spec_init(struct spec *s);
void spec_fini(struct spec *s);

int spec_env(void *spec, const char *text, struct err *e);
int spec_env_file(void *spec, const char *path, struct err *e);
int spec_cwd(void *spec, const char *text, struct err *e);
int spec_user(void *spec, const char *text, struct err *e);
int spec_group(void *spec, const char *text, struct err *e);
int spec_name(void *spec, const char *text, struct err *e);
int spec_hostname(void *spec, const char *text, struct err *e);
int spec_cpus(void *spec, const char *text, struct err *e);
int spec_memory(void *spec, const char *text, struct err *e);
int spec_shm(void *spec, const char *text, struct err *e);
int spec_timeout(void *spec, const char *text, struct err *e);
int spec_grace(void *spec, const char *text, struct err *e);
int spec_ulimit(void *spec, const char *text, struct err *e);
int spec_volume(void *spec, const char *text, struct err *e);
int spec_artifact(void *spec, const char *text, struct err *e);
int spec_log_level(void *spec, const char *text, struct err *e);

/* IMAGE and COMMAND..., then everything that concerns more than one option.
 * Nothing has been created or opened when it refuses. */
int spec_command(struct spec *s, int argc, char **argv, struct err *e);
int spec_check(const struct spec *s, struct err *e);

/* May be a box's name: [a-zA-Z0-9][a-zA-Z0-9_.-]+ */
bool spec_name_valid(const char *name);
