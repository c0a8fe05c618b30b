/* SPDX-License-Identifier: Apache-2.0 */
/* vial info: this host and its boxes, with docker's field names. */
#include "base/auto.h"
#include "cli/cmd.h"
#include "cli/human.h"
#include "cli/tmpl.h"
#include "box/state.h"
#include "box/where.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

struct info {
	const char *format;
};

static const struct opt opts[] = {
	OPT_STR('f', "format", struct info, format, "TEMPLATE",
		"A Go template, or 'json': as docker would answer it"),
	OPT_END
};

/* NAME="value" of os-release(5). */
static const char *os_release(const char *name, char value[128])
{
	FILE *f = fopen("/etc/os-release", "re");
	size_t len = strlen(name);
	char line[256];

	*value = '\0';
	while (f && fgets(line, sizeof(line), f)) {
		const char *from = line + len + 1;

		if (strncmp(line, name, len) != 0 || line[len] != '=')
			continue;
		from += *from == '"';
		snprintf(value, 128, "%.*s", (int)strcspn(from, "\"\n"), from);
		break;
	}
	if (f)
		fclose(f);
	return value;
}

static int add_boxes(json_t *o, struct err *e)
{
	autofree struct box_info *all = NULL;
	int n = state_list(&all, e), running = 0, paused = 0;

	if (n < 0)
		return n;
	for (int i = 0; i < n; i++) {
		running += state_is(&all[i], "running");
		paused += state_is(&all[i], "paused");
	}
	json_object_set_new(o, "Containers", json_integer(n));
	json_object_set_new(o, "ContainersRunning", json_integer(running));
	json_object_set_new(o, "ContainersPaused", json_integer(paused));
	json_object_set_new(o, "ContainersStopped",
			    json_integer(n - running - paused));
	return 0;
}

static int add_host(json_t *o, struct err *e)
{
	char os[128], version[128], data[PATH_MAX], now[HUMAN_MAX];
	int64_t ms = state_now();
	struct sysinfo memory;
	struct utsname u;
	json_t *more;
	autoclose int fd = where_data(data, e);

	if (fd < 0)
		return fd;
	if (uname(&u) < 0 || sysinfo(&memory) < 0)
		return err_sys(e, "look at the host");
	more = json_pack("{s:s s:s s:s s:s s:s s:s s:s s:i s:I s:s s:s}",
			 "KernelVersion", u.release, "OperatingSystem",
			 os_release("PRETTY_NAME", os), "OSVersion",
			 os_release("VERSION_ID", version), "OSType", "linux",
			 "Architecture", u.machine, "Name", u.nodename, "ID",
			 u.nodename, "NCPU", (int)sysconf(_SC_NPROCESSORS_ONLN),
			 "MemTotal",
			 (json_int_t)memory.totalram * memory.mem_unit,
			 "DockerRootDir", data, "SystemTime",
			 human_rfc3339(ms / 1000, 0, now));
	json_object_update(o, more);
	json_decref(more);
	return 0;
}

/* What is the same everywhere. */
static json_t *fixed(void)
{
	json_t *o = json_pack(
		"{s:s s:s s:s s:s s:s s:s s:{s:{s:s}} s:{s:s} s:[s] s:[] s:n "
		"s:b s:b s:b s:b}",
		"ServerVersion", CMD_DOCKER_VERSION, "Driver", "ext4",
		"LoggingDriver", "local", "CgroupDriver", "cgroupfs",
		"CgroupVersion", "2", "DefaultRuntime", "vial", "Runtimes",
		"vial", "path", "vial-vmm", "Swarm", "LocalNodeState",
		"inactive", "SecurityOptions", "name=seccomp,profile=default",
		"Labels", "Warnings", "MemoryLimit", 1, "PidsLimit", 1,
		"SwapLimit", 0, "ExperimentalBuild", 0);

	if (o)
		json_object_set_new(o, "Plugins",
				    json_pack("{s:[s] s:[s] s:n s:[s s]}",
					      "Volume", "local", "Network",
					      "none", "Authorization", "Log",
					      "local", "none"));
	if (o && geteuid() != 0)
		json_array_append_new(json_object_get(o, "SecurityOptions"),
				      json_string("name=rootless"));
	return o;
}

static void print(const json_t *o)
{
	static const char *const lines[][2] = {
		{ " Containers", "Containers" },
		{ "  Running", "ContainersRunning" },
		{ "  Paused", "ContainersPaused" },
		{ "  Stopped", "ContainersStopped" },
		{ " Server Version", "ServerVersion" },
		{ " Storage Driver", "Driver" },
		{ " Logging Driver", "LoggingDriver" },
		{ " Default Runtime", "DefaultRuntime" },
		{ " Kernel Version", "KernelVersion" },
		{ " Operating System", "OperatingSystem" },
		{ " OSType", "OSType" },
		{ " Architecture", "Architecture" },
		{ " CPUs", "NCPU" },
		{ " Total Memory", "MemTotal" },
		{ " Name", "Name" },
		{ " Docker Root Dir", "DockerRootDir" },
	};
	char size[HUMAN_MAX];

	printf("Client: vial %s\n\nServer:\n", VIAL_VERSION);
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		const json_t *v = json_object_get(o, lines[i][1]);
		uint64_t n = (uint64_t)json_integer_value(v);

		if (json_is_string(v))
			printf("%s: %s\n", lines[i][0], json_string_value(v));
		else if (strcmp(lines[i][1], "MemTotal") == 0)
			printf("%s: %s\n", lines[i][0], human_bytes(n, size));
		else
			printf("%s: %llu\n", lines[i][0],
			       (unsigned long long)n);
	}
}

static int info_main(const struct cmd *c, int argc, char **argv)
{
	struct info in = { 0 };
	struct err e = { 0 };
	int status, r = 0;
	json_t *o;

	if (cmd_parse(c, argc, argv, &in, &status) < 0)
		return status;
	o = fixed();
	if (!o)
		err_set(&e, ENOMEM, "out of memory");
	if (!o || add_boxes(o, &e) < 0 || add_host(o, &e) < 0) {
		json_decref(o);
		return cmd_error(&e);
	}
	if (!in.format)
		print(o);
	else
		r = tmpl_print(stdout,
			       strcmp(in.format, "json") == 0 ? "{{json .}}"
							      : in.format,
			       o, &e);
	json_decref(o);
	if (r < 0)
		return cmd_error(&e);
	return fflush(stdout) == 0 ? 0 : CMD_ERROR;
}

const struct cmd cmd_info = {
	.name = "info",
	.usage = "[OPTIONS]",
	.summary = "Say what this host is and how many boxes it has.",
	.opts = opts,
	.example = "vial info -f '{{.OSType}}/{{.Architecture}}'\n",
	.run = info_main,
};
