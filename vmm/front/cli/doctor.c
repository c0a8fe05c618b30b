/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cmd.h"
static const struct opt opts[] = { OPT_END };
static int doctor_main(const struct cmd *c, int argc, char **argv)
{
	(void)c;
	(void)argc;
	(void)argv;
	return 1;
}
const struct cmd cmd_doctor = { .name = "doctor",
				.usage = "",
				.summary = "Check whether this host is able.",
				.opts = opts,
				.run = doctor_main };
