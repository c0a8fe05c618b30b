/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/stats.h"

#include "agent/cgroup.h"
#include "base/auto.h"
#include "base/fd.h"

#include <fcntl.h>
#include <stdlib.h>
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

	return at ? strtoull(at + strlen(name), NULL, 10) * 1024 : 0;
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
 * softirq steal. The guest's own time is the first seven but the idle two. */
static void stats_cpu(Vial__Agent__StatsReply *s)
{
	char text[256], *at = text + strlen("cpu ");
	long hz = sysconf(_SC_CLK_TCK);
	uint64_t ticks = 0;

	if (!stats_file("/proc/stat", text, sizeof(text)) || hz <= 0)
		return;
	for (int i = 0; i < 7; i++) {
		uint64_t t = strtoull(at, &at, 10);

		if (i != 3 && i != 4)
			ticks += t;
	}
	s->cpu_us = ticks * 1000000 / (uint64_t)hz;
}

/* "0.00 0.00 0.00 running/all last": threads, the kernel's included. */
static void stats_processes(Vial__Agent__StatsReply *s)
{
	char text[128];
	const char *slash;

	if (!stats_file("/proc/loadavg", text, sizeof(text)))
		return;
	slash = strchr(text, '/');
	if (slash)
		s->processes = (uint32_t)strtoul(slash + 1, NULL, 10);
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
