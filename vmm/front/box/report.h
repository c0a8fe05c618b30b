/* SPDX-License-Identifier: Apache-2.0 */
/* report.h - how a run ended: the exit status, the reason in words, and the
 * same for machines. */
#pragma once

#include "base/err.h"
#include "proto/agent.pb-c.h"
#include "spec/spec.h"
#include "box/state.h"

#include <stdbool.h>
#include <stdint.h>

#define STATUS_TIMEOUT	124
#define STATUS_VIAL	125
#define STATUS_NO_EXEC	126
#define STATUS_NO_FILE	127
#define STATUS_SIGNAL	128	/* plus its number */

enum report_reason {
	REPORT_EXITED,		/* the command, by itself */
	REPORT_SIGNAL,		/* the command, by a signal */
	REPORT_TIMEOUT,
	REPORT_OOM,		/* the guest's kernel killed it */
	REPORT_NOT_STARTED,	/* the command could not be */
	REPORT_INTERRUPTED,	/* the client was told to end */
	REPORT_STOPPED,		/* the box was, from outside */
	REPORT_GUEST,		/* the machine ended under the command */
	REPORT_ERROR,		/* vial could not do its part */
	REPORT_NREASONS
};

/* When things happened, CLOCK_MONOTONIC microseconds; 0: they did not. */
enum report_time {
	TIME_BEGIN,		/* vial run began */
	TIME_READY,		/* the box's directory and sockets are there */
	TIME_RUNNING,		/* the monitor runs the guest */
	TIME_SETUP,		/* the agent has its root disk */
	TIME_COPIED_IN,
	TIME_STARTED,		/* the command runs */
	TIME_FIRST_OUTPUT,
	TIME_EXITED,		/* and all its output was written */
	TIME_COPIED_OUT,
	TIME_END,
	TIME_N
};

struct report_copy {
	uint64_t entries, bytes;
	char error[256];	/* "": it went well */
};

struct report {
	enum report_reason reason;
	int status;		/* of vial run */
	char message[400];	/* one line; "": nothing to be said */
	bool show_console;	/* its end may explain */
	char *console;		/* the end of it; NULL: there is none */
	char warning[256]; /* what else went wrong in the box; one line */
	bool have_exit;		/* the command's own end is known: */
	unsigned exit_status, exit_signal;
	bool core, timed_out, oom_killed, streams_cut;
	char oom_victim[64];	/* "name[pid]", "" */
	uint64_t command_user_us, command_system_us, command_rss_bytes;
	uint64_t command_wall_us;
	uint64_t guest_boot_us;	/* the guest's own count */
	uint64_t guest_mem_peak_bytes, guest_mem_total_bytes;
	uint64_t monitor_start_us, monitor_cpu_us, monitor_rss_bytes;
	unsigned cpus;
	uint64_t ram_bytes;
	uint64_t at[TIME_N];
	struct report_copy *in, *out;	/* as many as the spec has */
	struct box_info box;		/* id "" when none was made */
};

int report_init(struct report *r, const struct spec *s, struct err *e);
void report_fini(struct report *r);

/* The end in words and numbers. The first call counts, later ones are
 * ignored: what follows from the end does not explain it. */
void report_end(struct report *r, enum report_reason why, int status,
		const char *fmt, ...) __attribute__((format(printf, 4, 5)));
bool report_ended(const struct report *r);
/* Keeps what the agent says of the command's end; report_exited() makes it the
 * end of the run. */
void report_take_exit(struct report *r, const Vial__Agent__Exited *x);
void report_exited(struct report *r, const struct spec *s);
/* The command did not start. */
void report_failed(struct report *r, const Vial__Agent__Failed *f,
		   const struct spec *s);

void report_mark(struct report *r, enum report_time t);
const char *report_reason_name(enum report_reason why);

/* One JSON object and a newline. */
int report_json(const struct report *r, const struct spec *s, int fd,
		struct err *e);

/* text with everything that could steer a terminal made visible; at most
 * lines lines from its end, each behind prefix. */
void report_print_tail(int fd, const char *text, unsigned lines,
		       const char *prefix);
/* The same for one line, in place. */
void report_clean(char *text);

/* Adds what the kernel said when it panicked, if the console has it. */
void report_panic(struct report *r);
/* Looks for errors of the box's disk in what the monitor has logged. */
void report_disk(struct report *r, const char *log);
/* What is said on standard error: the reason, and the end of the console when
 * that may explain it and nobody can ask for it later. */
void report_print(const struct report *r, int fd, bool kept);
