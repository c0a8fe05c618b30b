/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/boxspec.h"

#include "base/log.h"
#include "cli/imagedisk.h"
#include "box/create.h"

int boxspec_take(struct spec *s, int argc, char **argv, bool *misused,
		 struct err *e)
{
	*misused = true;
	if (spec_command(s, argc, argv, e) < 0)
		return -e->code;
	*misused = false;
	if (imagedisk_find(s, e) < 0)
		return -e->code;
	if (s->publish_all && spec_ports_all(&s->publish, &s->expose, e) < 0)
		return err_wrap(e, "--publish-all");
	/* The image has its part in what contradicts what. */
	*misused = true;
	if (spec_check(s, e) < 0)
		return -e->code;
	*misused = false;
	if (s->restart)
		log_warn("--restart is ignored: nobody starts a box again by "
			 "itself");
	return box_volumes_from(s, e);
}
