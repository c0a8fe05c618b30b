/* SPDX-License-Identifier: Apache-2.0 */
/* vial version: what is installed. */
#include "base/auto.h"
#include "cli/cmd.h"
#include "cli/tmpl.h"
#include "guest/guest.h"
#include "box/where.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#define PLAN_GENERATION 1

struct version {
	bool brief;
	const char *format;
};

static const struct opt opts[] = {
	OPT_FLAG('s', "short", struct version, brief, "Only the number"),
	OPT_STR('f', "format", struct version, format, "TEMPLATE",
		"A Go template, or 'json': as docker would answer it"),
	OPT_END
};

static void print_part(const char *what, enum where_part part)
{
	char path[PATH_MAX];
	struct err e;

	printf("%-12s%s\n", what,
	       where_part(part, path, &e) < 0 ? "not found" : path);
}

/* docker has a client and a server, and callers ask either for what they may
 * do; here both are this program. In a template the name is APIVersion, in
 * JSON it is ApiVersion. */
static json_t *side(const struct utsname *u)
{
	return json_pack("{s:s s:s s:s s:s s:s s:s s:[{s:s s:s}]}", "Version",
			 CMD_DOCKER_VERSION, "APIVersion", CMD_DOCKER_API,
			 "ApiVersion", CMD_DOCKER_API, "Os", "linux", "Arch",
			 VIAL_OCI_ARCH, "KernelVersion", u->release,
			 "Components", "Name", "vial", "Version", VIAL_VERSION);
}

static int print_format(const char *format, struct err *e)
{
	struct utsname u;
	json_t *v;
	int r;

	if (uname(&u) < 0)
		return err_sys(e, "uname");
	v = json_pack("{s:o s:o}", "Client", side(&u), "Server", side(&u));
	if (!v)
		return err_set(e, ENOMEM, "out of memory");
	if (strcmp(format, "json") == 0)
		format = "{{json .}}";
	r = tmpl_print(stdout, format, v, e);
	json_decref(v);
	return r;
}

static int version_main(const struct cmd *c, int argc, char **argv)
{
	struct version v = { 0 };
	int status;

	if (cmd_parse(c, argc, argv, &v, &status) < 0)
		return status;
	if (v.format) {
		struct err e;

		return print_format(v.format, &e) < 0 ? cmd_fail(&e) : 0;
	}
	if (v.brief) {
		printf("%s\n", VIAL_VERSION);
		return 0;
	}
	printf("%-12s%s\n", "vial", VIAL_VERSION);
	printf("%-12splan %d, agent %d\n", "protocol", PLAN_GENERATION,
	       GUEST_GENERATION);
	print_part("monitor", WHERE_VMM);
	print_part("initramfs", WHERE_INITRAMFS);
	print_part("builder", WHERE_BUILDER);
	print_part("kernel", WHERE_KERNEL);
	return 0;
}

const struct cmd cmd_version = {
	.name = "version",
	.usage = "[OPTIONS]",
	.summary = "Say what is installed.",
	.opts = opts,
	.example = "vial version -f '{{.Server.Version}}'\n",
	.run = version_main,
};
