/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/stats.h"

#include "agent/cgroup.h"
#include "base/auto.h"
#include "base/fd.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

static bool stats_file(const char *path, char *text, size_t room)
{
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : fd_read_full(fd, text, room - 1);

	text[n < 0 ? 0 : n] = '\0';
	return n > 0;
}

/* The number behind "name" in a list of "name   number kB". */
static uint64_t stats_kb(const char *text, const char *name)
{
	const char *at = strstr(text, name);
	uint64_t v = 0;

	if (at && sscanf(at + strlen(name), " %" SCNu64, &v) != 1)
		v = 0;
	return v * 1024;
}

static void stats_memory(Vial__Agent__StatsReply *s)
{
	char text[512];

	if (!stats_file("/proc/meminfo", text, sizeof(text)))
		return;
	s->mem_total_bytes = stats_kb(text, "MemTotal:");
	s->mem_available_bytes = stats_kb(text, "MemAvailable:");
}

/* First line of /proc/stat, in ticks: user nice system idle iowait irq
 * softirq. The guest's own time is all but the idle two. */
static void stats_cpu(Vial__Agent__StatsReply *s)
{
	uint64_t t[7];
	char text[256];
	long hz = sysconf(_SC_CLK_TCK);

	if (!stats_file("/proc/stat", text, sizeof(text)) || hz <= 0 ||
	    sscanf(text,
		   "cpu %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
		   " %" SCNu64 " %" SCNu64 " %" SCNu64,
		   &t[0], &t[1], &t[2], &t[3], &t[4], &t[5], &t[6]) != 7)
		return;
	s->cpu_us = (t[0] + t[1] + t[2] + t[5] + t[6]) * 1000000 / (uint64_t)hz;
}

static void stats_processes(Vial__Agent__StatsReply *s)
{
	char text[128];
	unsigned running, all;

	if (stats_file("/proc/loadavg", text, sizeof(text)) &&
	    sscanf(text, "%*f %*f %*f %u/%u", &running, &all) == 2)
		s->processes = all;
}

void stats_read(const struct cgroups *cs, Vial__Agent__StatsReply *s)
{
	struct statvfs fs;

	stats_memory(s);
	stats_cpu(s);
	stats_processes(s);
	if (statvfs("/", &fs) == 0) {
		s->disk_total_bytes = fs.f_blocks * fs.f_frsize;
		s->disk_free_bytes = fs.f_bavail * fs.f_frsize;
	}
	s->mem_peak_bytes = cgroups_peak(cs);
}
