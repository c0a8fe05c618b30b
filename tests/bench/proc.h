/* SPDX-License-Identifier: Apache-2.0 */
/* proc.h - what a process that runs a guest costs. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

struct proc_cost {
	uint64_t cpu_us;	/* all threads */
	uint64_t main_us;	/* of it the first thread: not the guest's CPU */
	uint64_t pss_kib;	/* without the guest's memory */
	uint64_t private_kib;	/* of it pages nobody else has */
	uint64_t ram_kib;	/* of the guest's memory, what is there */
};

/* CPU time so far: cpu_us and main_us. 0, or -errno. */
int proc_cpu(pid_t pid, struct proc_cost *c);
/* Memory: the rest. A mapping of at least half of ram_mib is the guest's. 0,
 * or -errno: -EACCES where the process does not let itself be looked at. */
int proc_mem(pid_t pid, uint64_t ram_mib, struct proc_cost *c);
