/* SPDX-License-Identifier: Apache-2.0 */
#include "run/visit.h"

#include "box/create.h"
#include "run/run_priv.h"

#include <errno.h>
#include <stdio.h>

/* ---- the side of the run ---- */

static bool is_setup(const struct run *r)
{
	return r->setup;
}

static bool is_over(const struct run_visit *v)
{
	const struct run *r = v->run;

	return r->cut || r->monitor_gone;
}

void run_visited(struct run *r)
{
	const struct run_visit v = { .loop = &r->loop,
				     .boxdir = r->launch.box.dir,
				     .over = is_over,
				     .run = r };

	run_wait(r, is_setup);
	if (!r->setup || is_over(&v))
		return;
	r->how->visit(r->how->arg, &v);
	if (is_over(&v))
		return;
	/* The guest's own end is what is wanted next. */
	report_end(r->report, REPORT_EXITED, 0, "%s", "");
	run_power_off(r);
	if (r->monitor_gone)
		return;
	r->report->reason = REPORT_ERROR;
	snprintf(r->report->message, sizeof(r->report->message),
		 "the guest did not switch itself off: what was written to its "
		 "disk may be incomplete");
}

/* ---- the client's ---- */

int visit_box(struct box *b, struct box_info *info,
	      void (*visit)(void *arg, const struct run_visit *v), void *arg,
	      struct err *e)
{
	const struct run_how how = {
		.box = b, .info = info, .visit = visit, .arg = arg
	};
	struct report report;
	struct spec s;
	int r = state_take(b, info, e);

	if (r != 0)
		return r;
	/* It is not for us to remove it, and what we leave is to stay. */
	info->brief = false;
	r = box_load(b, &s, e);
	if (r == 0)
		r = report_init(&report, &s, e);
	if (r == 0) {
		run_box(&s, &report, &how);
		if (report.reason != REPORT_EXITED)
			r = err_set(e, EIO, "%s", report.message);
		report_fini(&report);
	}
	spec_fini(&s);
	return r;
}
