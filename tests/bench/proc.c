/* SPDX-License-Identifier: Apache-2.0 */
#include "proc.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

/* CPU time to the nanosecond; stat counts in ticks. */
static uint64_t thread_us(pid_t pid, long tid)
{
	unsigned long long ns = 0;
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%ld/schedstat", (int)pid,
		 tid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	if (fscanf(f, "%llu", &ns) != 1)
		ns = 0;
	fclose(f);
	return ns / 1000;
}

int proc_cpu(pid_t pid, struct proc_cost *c)
{
	char path[64];
	struct dirent *d;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	dir = opendir(path);
	if (!dir)
		return -errno;
	c->cpu_us = 0;
	c->main_us = thread_us(pid, pid);
	while ((d = readdir(dir)) != NULL)
		if (isdigit((unsigned char)d->d_name[0]))
			c->cpu_us += thread_us(pid, atol(d->d_name));
	closedir(dir);
	return 0;
}

int proc_mem(pid_t pid, uint64_t ram_mib, struct proc_cost *c)
{
	char line[512], path[64];
	unsigned long long kib;
	bool ram = false;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/smaps", (int)pid);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	c->pss_kib = c->private_kib = c->ram_kib = 0;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "Size: %llu", &kib) == 1)
			ram = kib >= ram_mib * 512;
		else if (sscanf(line, "Pss: %llu", &kib) == 1)
			*(ram ? &c->ram_kib : &c->pss_kib) += kib;
		else if (!ram && sscanf(line, "Private_Clean: %llu", &kib) == 1)
			c->private_kib += kib;
		else if (!ram && sscanf(line, "Private_Dirty: %llu", &kib) == 1)
			c->private_kib += kib;
	}
	fclose(f);
	return 0;
}
