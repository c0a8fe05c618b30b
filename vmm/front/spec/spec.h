/* SPDX-License-Identifier: Apache-2.0 */
/* spec.h - what the user wants, validated once, without side effects.
 *
 * A front end (command line, OCI, CI) fills it by calling the setters below
 * with the user's text, then spec_check(). Setters take void * because they
 * stand in option tables; it is always a struct spec. Each refuses nonsense
 * at once, with a reason that does not name the option: the caller adds it. */
#pragma once

#include "base/err.h"
#include "spec/parse.h"
#include "spec/mounts.h"
#include "spec/ports.h"
#include "spec/strv.h"

#include <stdbool.h>
#include <stdint.h>

#define SPEC_RAM_MIN	 (64ull << 20)
#define SPEC_RAM_DEFAULT (512ull << 20)
#define SPEC_RAM_MAX	 (1ull << 40)
#define SPEC_CPUS_MAX	 32
#define SPEC_NAME_MAX	 63
#define SPEC_LOG_BYTES	 (64ull << 20)
#define SPEC_LOG_FILES	 2
#define SPEC_HEALTH_MS	 30000

/* Something copied between host and guest. */
struct spec_copy {
	char *host;
	char *guest;	/* absolute */
};

struct spec_copies {
	struct spec_copy *v;
	size_t n;
};

/* What a box may take of the host (box/limits.h). 0 or NULL: no limit. */
struct limits {
	uint64_t cpu_milli; /* thousandths of a CPU; not set for whole ones,
			       of which the guest has no more anyway */
	const char *cpuset; /* "0-3,6" */
	uint64_t disk_bps, disk_iops, console_bps;
	uint64_t net_rx_bps, net_tx_bps;
	uint64_t disk_bytes; /* what the root disk has room for; 0: as the
				image says */
};

/* What is asked again and again whether the command does its work. */
struct spec_health {
	const char *cmd; /* for the guest's sh; NULL: the box is not checked */
	uint64_t interval_ms, timeout_ms, start_period_ms;
	unsigned retries;
	bool none;
};

/* The command's output as it is kept (box/log.h). */
struct spec_log {
	const char *driver; /* NULL: by the kind of run; "none", "local" */
	uint64_t max_bytes; /* of one file */
	unsigned files;
};

struct spec {
	const char *image;	/* as the user wrote it; the front end's */
	const char *image_path;	/* where that is; NULL: image itself */
	const char *platform;	/* OS/ARCH; NULL: the host's */
	const char *pull;	/* "always", "never"; else: when missing */
	const char *image_id;	/* "sha256:..."; NULL: a file of the host */
	struct strv argv;	/* entrypoint and command */
	struct strv env;
	struct strv groups;
	const char *cwd, *user, *hostname, *name, *kernel, *json;
	const char *entrypoint;	/* NULL: not given */
	unsigned nentrypoint;	/* words of the image's, first in argv */
	struct rlimit_arg *rlimits;
	size_t nrlimits;
	struct spec_copies in;	/* --copy-in: before the command */
	struct spec_copies out;	/* --copy-out: after it */
	struct spec_mounts mounts;
	struct strv volumes_from; /* BOX[:ro]; create.h makes them mounts */
	unsigned cpus;		/* 0: as many as we may use, at most 8 */
	struct limits limits;
	uint64_t cpu_quota_us, cpu_period_us;	/* 0: not given; they make cpus */
	uint64_t ram_bytes;
	uint64_t shm_bytes;	/* 0: the agent's default */
	uint64_t timeout_ms;	/* 0: none */
	uint64_t grace_ms;	/* between TERM and KILL */
	bool interactive, tty, rm, quiet, debug;
	struct strv labels, annotations;	/* NAME=VALUE */
	struct strv cap_add, cap_drop;		/* the agent judges the names */
	struct strv hosts;			/* NAME:ADDRESS */
	const char *network;	/* a mode or a name; NULL: the default */
	const char *ip;		/* of a network with a name; NULL: any */
	struct strv services;	/* IMAGE[,KEY=VALUE]...; cli/service.h */
	const char *service_logs;
	struct strv aliases;	/* by which others of that network know it */
	struct strv dns, dns_search, dns_options;
	struct strv egress;	/* words (net/policy.h); none: the default */
	/* Files of the host, absolute; at most one each. */
	struct strv egress_log, egress_record;
	struct strv forwards;	/* unix sockets, as spec/forward.h has them */
	struct spec_ports publish; /* ports of the host that lead here */
	struct spec_ports expose;  /* what publish_all makes of them */
	struct strv sysctls;			/* NAME=VALUE */
	bool privileged, no_new_privs, read_only, init, publish_all;
	uint64_t pids_limit;			/* 0: none */
	const char *stop_signal;		/* NULL: TERM */
	uint64_t stop_timeout_ms;
	struct spec_log log;
	struct spec_health health;
	const char *restart;			/* NULL: none; only judged */
	const char *cidfile;
	const char *detach_keys;		/* NULL: ctrl-p,ctrl-q */
	bool detach, no_sig_proxy;
	struct strv attach;	/* STDIN, STDOUT, STDERR; none: all */
	void *held;		/* json_t the strings of a loaded spec live in */
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
int spec_cpu_quota(void *spec, const char *text, struct err *e);
int spec_cpu_period(void *spec, const char *text, struct err *e);
/* Once both are known. */
int spec_cpu_share(struct spec *s, struct err *e);
int spec_cpuset(void *spec, const char *text, struct err *e);
int spec_disk_bps(void *spec, const char *text, struct err *e);
int spec_storage_opt(void *spec, const char *text, struct err *e);
int spec_disk_iops(void *spec, const char *text, struct err *e);
int spec_console_bps(void *spec, const char *text, struct err *e);
int spec_net_rx_bps(void *spec, const char *text, struct err *e);
int spec_net_tx_bps(void *spec, const char *text, struct err *e);
int spec_memory(void *spec, const char *text, struct err *e);
int spec_shm(void *spec, const char *text, struct err *e);
int spec_timeout(void *spec, const char *text, struct err *e);
int spec_ulimit(void *spec, const char *text, struct err *e);
int spec_volume(void *spec, const char *text, struct err *e);
int spec_mount(void *spec, const char *text, struct err *e);
int spec_tmpfs(void *spec, const char *text, struct err *e);
int spec_volumes_from(void *spec, const char *text, struct err *e);
int spec_copy_in(void *spec, const char *text, struct err *e);
int spec_artifact(void *spec, const char *text, struct err *e);
int spec_log_level(void *spec, const char *text, struct err *e);

int spec_label(void *spec, const char *text, struct err *e);
int spec_label_file(void *spec, const char *path, struct err *e);
int spec_annotation(void *spec, const char *text, struct err *e);
int spec_cap_add(void *spec, const char *text, struct err *e);
int spec_cap_drop(void *spec, const char *text, struct err *e);
int spec_domainname(void *spec, const char *text, struct err *e);
int spec_host(void *spec, const char *text, struct err *e);
int spec_network(void *spec, const char *text, struct err *e);
int spec_ip(void *spec, const char *text, struct err *e);
int spec_service(void *spec, const char *text, struct err *e);
int spec_alias(void *spec, const char *text, struct err *e);
int spec_publish(void *spec, const char *text, struct err *e);
int spec_expose(void *spec, const char *text, struct err *e);
int spec_forward(void *spec, const char *text, struct err *e);
int spec_egress(void *spec, const char *text, struct err *e);
int spec_egress_log(void *spec, const char *path, struct err *e);
int spec_dns(void *spec, const char *text, struct err *e);
int spec_dns_search(void *spec, const char *text, struct err *e);
int spec_dns_option(void *spec, const char *text, struct err *e);
int spec_sysctl(void *spec, const char *text, struct err *e);
int spec_security(void *spec, const char *text, struct err *e);
int spec_pids(void *spec, const char *text, struct err *e);
int spec_platform(void *spec, const char *text, struct err *e);
int spec_pull(void *spec, const char *text, struct err *e);
int spec_stop_signal(void *spec, const char *text, struct err *e);
int spec_stop_timeout(void *spec, const char *text, struct err *e);
int spec_restart(void *spec, const char *text, struct err *e);
int spec_attach(void *spec, const char *text, struct err *e);
int spec_log_driver(void *spec, const char *text, struct err *e);
int spec_log_opt(void *spec, const char *text, struct err *e);
int spec_health_cmd(void *spec, const char *text, struct err *e);
int spec_health_interval(void *spec, const char *text, struct err *e);
int spec_health_timeout(void *spec, const char *text, struct err *e);
int spec_health_start(void *spec, const char *text, struct err *e);
int spec_health_retries(void *spec, const char *text, struct err *e);
int spec_no_proxy(void *spec, const char *text, struct err *e);

/* IMAGE and COMMAND..., then everything that concerns more than one option.
 * Nothing has been created or opened when it refuses. */
int spec_command(struct spec *s, int argc, char **argv, struct err *e);
int spec_check(const struct spec *s, struct err *e);

/* The list of --egress as a whole, and what it is good for. */
int spec_egress_check(const struct spec *s, struct err *e);

/* A copy of c, with the host's paths as they are from here. */
int spec_copies_absolute(struct spec_copies *out, const struct spec_copies *c,
			 struct err *e);
void spec_copies_fini(struct spec_copies *c);

/* May be a box's name: [a-zA-Z0-9][a-zA-Z0-9_.-]+ */
bool spec_name_valid(const char *name);
