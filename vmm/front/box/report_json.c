/* SPDX-License-Identifier: Apache-2.0 */
#include "box/report.h"

#include "base/auto.h"
#include "base/fd.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* Text as JSON takes it: bytes that are not UTF-8 are replaced. */
static json_t *text(const char *s)
{
	json_t *t = json_string(s);
	autofree char *copy = NULL;

	if (t)
		return t;
	copy = strdup(s);
	for (unsigned char *p = (unsigned char *)copy; p && *p; p++)
		if (*p >= 0x80)
			*p = '?';
	return copy ? json_string(copy) : NULL;
}

static json_t *number(uint64_t n)
{
	return json_integer((json_int_t)n);
}

/* Milliseconds from a to b with three digits; null when one is missing. */
static json_t *span(const struct report *r, enum report_time a,
		    enum report_time b)
{
	if (!r->at[a] || !r->at[b] || r->at[b] < r->at[a])
		return json_null();
	return json_real((double)(r->at[b] - r->at[a]) / 1000);
}

static json_t *times(const struct report *r)
{
	json_t *o = json_object();

	json_object_set_new(o, "prepare", span(r, TIME_BEGIN, TIME_READY));
	json_object_set_new(o, "monitor", span(r, TIME_READY, TIME_RUNNING));
	json_object_set_new(o, "boot", span(r, TIME_RUNNING, TIME_SETUP));
	json_object_set_new(o, "copy_in", span(r, TIME_SETUP, TIME_COPIED_IN));
	json_object_set_new(
		o, "start",
		span(r, r->at[TIME_COPIED_IN] ? TIME_COPIED_IN : TIME_SETUP,
		     TIME_STARTED));
	json_object_set_new(o, "command", span(r, TIME_STARTED, TIME_EXITED));
	json_object_set_new(o, "artifacts",
			    span(r, TIME_EXITED, TIME_COPIED_OUT));
	json_object_set_new(
		o, "end",
		span(r, r->at[TIME_COPIED_OUT] ? TIME_COPIED_OUT : TIME_EXITED,
		     TIME_END));
	json_object_set_new(o, "first_output",
			    span(r, TIME_BEGIN, TIME_FIRST_OUTPUT));
	json_object_set_new(o, "total", span(r, TIME_BEGIN, TIME_END));
	return o;
}

static json_t *resources(const struct report *r)
{
	json_t *o = json_object();

	json_object_set_new(o, "cpus", number(r->cpus));
	json_object_set_new(o, "memory_bytes", number(r->ram_bytes));
	json_object_set_new(o, "guest_memory_total_bytes",
			    number(r->guest_mem_total_bytes));
	json_object_set_new(o, "guest_memory_peak_bytes",
			    number(r->guest_mem_peak_bytes));
	json_object_set_new(o, "guest_boot_us", number(r->guest_boot_us));
	json_object_set_new(o, "command_user_us", number(r->command_user_us));
	json_object_set_new(o, "command_system_us",
			    number(r->command_system_us));
	json_object_set_new(o, "command_max_rss_bytes",
			    number(r->command_rss_bytes));
	json_object_set_new(o, "command_wall_us", number(r->command_wall_us));
	json_object_set_new(o, "monitor_start_us", number(r->monitor_start_us));
	json_object_set_new(o, "monitor_cpu_us", number(r->monitor_cpu_us));
	json_object_set_new(o, "monitor_max_rss_bytes",
			    number(r->monitor_rss_bytes));
	return o;
}

static json_t *copies(const struct spec_copies *c, const struct report_copy *v)
{
	json_t *list = json_array();

	for (size_t i = 0; i < c->n; i++) {
		json_t *o = json_object();

		json_object_set_new(o, "guest", text(c->v[i].guest));
		json_object_set_new(o, "host", text(c->v[i].host));
		json_object_set_new(o, "entries", number(v[i].entries));
		json_object_set_new(o, "bytes", number(v[i].bytes));
		json_object_set_new(o, "error",
				    *v[i].error ? text(v[i].error)
						: json_null());
		json_array_append_new(list, o);
	}
	return list;
}

static json_t *command(const struct spec *s)
{
	json_t *list = json_array();

	for (size_t i = 0; i < s->argv.n; i++)
		json_array_append_new(list, text(s->argv.v[i]));
	return list;
}

static json_t *whole(const struct report *r, const struct spec *s)
{
	json_t *o = json_object();

	json_object_set_new(o, "version", text(VIAL_VERSION));
	json_object_set_new(o, "id",
			    *r->box.id ? text(r->box.id) : json_null());
	json_object_set_new(o, "name",
			    *r->box.name ? text(r->box.name) : json_null());
	json_object_set_new(o, "image", text(s->image));
	json_object_set_new(o, "command", command(s));
	json_object_set_new(o, "exit_status", number((uint64_t)r->status));
	json_object_set_new(o, "reason", text(report_reason_name(r->reason)));
	json_object_set_new(o, "message", text(r->message));
	json_object_set_new(o, "warning",
			    *r->warning ? text(r->warning) : json_null());
	json_object_set_new(o, "command_exit_status",
			    r->have_exit && !r->exit_signal
				    ? number(r->exit_status)
				    : json_null());
	json_object_set_new(o, "command_signal",
			    r->have_exit && r->exit_signal
				    ? number(r->exit_signal)
				    : json_null());
	json_object_set_new(o, "streams_cut", json_boolean(r->streams_cut));
	json_object_set_new(o, "times_ms", times(r));
	json_object_set_new(o, "resources", resources(r));
	json_object_set_new(o, "volumes", copies(&s->in, r->in));
	json_object_set_new(o, "artifacts", copies(&s->out, r->out));
	return o;
}

int report_json(const struct report *r, const struct spec *s, int fd,
		struct err *e)
{
	json_t *o = whole(r, s);
	autofree char *line = json_dumps(o, JSON_REAL_PRECISION(9));
	int n;

	json_decref(o);
	if (!line)
		return err_set(e, ENOMEM, "out of memory");
	n = fd_write_full(fd, line, strlen(line));
	if (n == 0)
		n = fd_write_full(fd, "\n", 1);
	return n < 0 ? err_set(e, -n, "write the result: %s", strerror(-n)) : 0;
}
