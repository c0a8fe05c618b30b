/* SPDX-License-Identifier: Apache-2.0 */
/* proc.h - one process, as /proc tells of it.
 *
 * Names and arguments are their owner's to choose: what is not printable is
 * replaced, lengths are bounded, and a process may go away between any two
 * reads. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct proc {
	pid_t pid, ppid, session;
	uid_t uid; /* effective */
	char state;
	char comm[64];
	bool kernel; /* a thread of the kernel's own */
	unsigned threads;
	unsigned tty; /* device number, 0: none */
	uint64_t cpu_us;
	uint64_t start_us; /* after boot */
	uint64_t vsz_bytes, rss_bytes;
};

/* False when it is gone. */
bool proc_read(pid_t pid, struct proc *p);
/* A file of its folder as text, cut at room; NULs become spaces and what cannot
 * be printed '?', line ends too unless lines. False: none, or not ours. */
bool proc_text(pid_t pid, const char *name, bool lines, char *out, size_t room);
/* Every process in order of its number; until fn says false. */
void proc_each(bool (*fn)(const struct proc *p, void *arg), void *arg);
