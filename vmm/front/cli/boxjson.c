/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/boxjson.h"

#include "base/auto.h"
#include "cli/human.h"
#include "cli/portrow.h"
#include "box/boxnet.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#define NS_PER_MS 1000000
#define NS_PER_CPU 1000000000

/* As docker names them, by Linux's numbers. */
static const char *const rlimit_names[] = {
	"cpu",	    "fsize",  "data",	 "stack",  "core",  "rss",
	"nproc",    "nofile", "memlock", "as",	   "locks", "sigpending",
	"msgqueue", "nice",   "rtprio",	 "rttime",
};

#define DEFAULT_PATH                                                           \
	"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static json_t *list(const struct strv *v, size_t from)
{
	json_t *a = json_array();

	for (size_t i = from; i < v->n; i++)
		json_array_append_new(a, json_string(v->v[i]));
	return a;
}

/* What nobody asked for is null in docker's answers. */
static json_t *asked(const struct strv *v)
{
	return v->n > 0 ? list(v, 0) : json_null();
}

json_t *boxjson_labels(const struct strv *labels)
{
	json_t *o = json_object();

	for (size_t i = 0; i < labels->n; i++) {
		const char *eq = strchr(labels->v[i], '=');
		size_t len = eq ? (size_t)(eq - labels->v[i])
				: strlen(labels->v[i]);

		json_object_setn_new(o, labels->v[i], len,
				     json_string(eq ? eq + 1 : ""));
	}
	return o;
}

static json_t *stamp(int64_t ms)
{
	char buf[HUMAN_MAX];

	return json_string(human_rfc3339(
		ms / 1000, (uint32_t)(ms % 1000) * NS_PER_MS, buf));
}

static const char *text(const char *s)
{
	return s ? s : "";
}

/* ---- State ---- */

static json_t *health(const struct box_info *info)
{
	return json_pack("{s:s s:i s:[]}", "Status",
			 *info->health ? info->health : "starting",
			 "FailingStreak", (int)info->health_failures, "Log");
}

static json_t *state(const struct box_info *info, const struct spec *s)
{
	bool paused = state_is(info, "paused");
	bool running = state_is(info, "running") || paused;
	json_t *o = json_pack("{s:s s:b s:b s:b s:b s:b s:i s:i s:s s:o s:o}",
			      "Status", info->status, "Running", (int)running,
			      "Paused", (int)paused, "Restarting", 0,
			      "OOMKilled", (int)info->oom_killed, "Dead", 0,
			      "Pid", running ? info->pid : 0, "ExitCode",
			      info->exit_status, "Error", info->reason,
			      "StartedAt", stamp(info->started), "FinishedAt",
			      stamp(info->finished));

	if (*info->health || (s->health.cmd && !s->health.none))
		json_object_set_new(o, "Health", health(info));
	return o;
}

/* ---- Mounts ---- */

/* A spec that was read from a box keeps the whole of what it was read from,
 * and so the mounts in the words of spec/mounts.h. */
static const json_t *mounts_of(const struct spec *s)
{
	return json_object_get(s->held, "mounts");
}

static const char *get(const json_t *o, const char *key)
{
	return text(json_string_value(json_object_get(o, key)));
}

json_t *boxjson_mounts(const struct spec *s)
{
	const json_t *all = mounts_of(s);
	json_t *a = json_array();

	for (size_t i = 0; i < json_array_size(all); i++) {
		const json_t *m = json_array_get(all, i);
		const char *type = get(m, "type");
		json_t *o = json_pack("{s:s}", "Type", type);

		if (strcmp(type, "volume") == 0)
			json_object_set_new(o, "Name",
					    json_string(get(m, "source")));
		json_object_set_new(o, "Source", json_string(get(m, "source")));
		json_object_set_new(o, "Destination",
				    json_string(get(m, "target")));
		json_object_set_new(o, "Mode", json_string(get(m, "options")));
		json_object_set_new(o, "RW",
				    json_boolean(!json_is_true(
					    json_object_get(m, "readonly"))));
		json_object_set_new(o, "Propagation", json_string(""));
		json_array_append_new(a, o);
	}
	/* No mounts in the guest, but where its files are from. */
	for (size_t i = 0; i < s->in.n; i++)
		json_array_append_new(
			a, json_pack("{s:s s:s s:s s:s s:b s:s}", "Type",
				     "copy", "Source", s->in.v[i].host,
				     "Destination", s->in.v[i].guest, "Mode",
				     "", "RW", 1, "Propagation", ""));
	return a;
}

/* SOURCE:TARGET[:ro], as -v had it. */
static json_t *binds(const struct spec *s)
{
	const json_t *all = mounts_of(s);
	json_t *a = json_array();

	for (size_t i = 0; i < json_array_size(all); i++) {
		const json_t *m = json_array_get(all, i);
		bool ro = json_is_true(json_object_get(m, "readonly"));

		if (!*get(m, "source"))
			continue;
		json_array_append_new(
			a, json_sprintf("%s:%s%s", get(m, "source"),
					get(m, "target"), ro ? ":ro" : ""));
	}
	if (json_array_size(a) > 0)
		return a;
	json_decref(a);
	return json_null();
}

/* ---- HostConfig ---- */

/* Unlimited is -1 there, and here all ones. */
static json_t *ulimits(const struct spec *s)
{
	json_t *a = json_array();

	for (size_t i = 0; i < s->nrlimits; i++) {
		const struct rlimit_arg *r = &s->rlimits[i];
		const char *name = r->resource < ARRAY_LEN(rlimit_names)
					 ? rlimit_names[r->resource]
					 : "?";

		json_array_append_new(a,
				      json_pack("{s:s s:I s:I}", "Name", name,
						"Hard", (json_int_t)r->hard,
						"Soft", (json_int_t)r->soft));
	}
	return a;
}

static json_t *log_config(const struct spec *s)
{
	const char *driver = s->log.driver ? s->log.driver
			   : s->rm	   ? "none"
					   : "local";

	return json_pack(
		"{s:s s:{s:o s:o}}", "Type", driver, "Config", "max-size",
		json_sprintf("%llu", (unsigned long long)s->log.max_bytes),
		"max-file", json_sprintf("%u", s->log.files));
}

static json_int_t nano_cpus(const struct spec *s)
{
	return s->limits.cpu_milli
		     ? (json_int_t)s->limits.cpu_milli * (NS_PER_CPU / 1000)
		     : (json_int_t)s->cpus * NS_PER_CPU;
}

/* Of the host's CPUs, disks and network. docker has the first three fields. */
static void put_limits(json_t *o, const struct limits *l)
{
	json_t *more = json_pack("{s:s s:I s:I s:I s:I}", "CpusetCpus",
				 text(l->cpuset), "IOMaximumBandwidth",
				 (json_int_t)l->disk_bps, "IOMaximumIOps",
				 (json_int_t)l->disk_iops, "NetRxBps",
				 (json_int_t)l->net_rx_bps, "NetTxBps",
				 (json_int_t)l->net_tx_bps);

	json_object_update(o, more);
	json_decref(more);
	json_object_set_new(
		o, "StorageOpt",
		l->disk_bytes
			? json_pack("{s:o}", "size",
				    json_sprintf("%llu", (unsigned long long)
								 l->disk_bytes))
			: json_null());
}

static json_t *host_config(const struct spec *s)
{
	json_t *o = json_pack(
		"{s:o s:s s:o s:s s:o s:{s:s s:i} s:b s:o s:o s:o}", "Binds",
		binds(s), "ContainerIDFile", text(s->cidfile), "LogConfig",
		log_config(s), "NetworkMode", boxnet_mode(s), "PortBindings",
		portrow_bindings(s), "RestartPolicy", "Name", "no",
		"MaximumRetryCount", 0, "AutoRemove", (int)s->rm, "CapAdd",
		asked(&s->cap_add), "CapDrop", asked(&s->cap_drop),
		"ExtraHosts", asked(&s->hosts));
	json_t *more = json_pack(
		"{s:b s:b s:b s:o s:I s:o s:I s:I s:o s:o s:b s:o}",
		"Privileged", (int)s->privileged, "PublishAllPorts",
		(int)s->publish_all, "ReadonlyRootfs", (int)s->read_only,
		"SecurityOpt",
		s->no_new_privs ? json_pack("[s]", "no-new-privileges")
				: json_null(),
		"ShmSize",
		(json_int_t)(s->shm_bytes ? s->shm_bytes : 64u << 20),
		"Sysctls", boxjson_labels(&s->sysctls), "Memory",
		(json_int_t)s->ram_bytes, "NanoCpus", nano_cpus(s), "PidsLimit",
		s->pids_limit ? json_integer((json_int_t)s->pids_limit)
			      : json_null(),
		"Ulimits", ulimits(s), "Init", (int)s->init, "GroupAdd",
		asked(&s->groups));

	json_object_update(o, more);
	json_decref(more);
	put_limits(o, &s->limits);
	json_object_set_new(o, "Annotations", boxjson_labels(&s->annotations));
	json_object_set_new(o, "Runtime", json_string("vial"));
	return o;
}

/* ---- Config ---- */

static json_t *healthcheck(const struct spec_health *h)
{
	return json_pack("{s:[ss] s:I s:I s:I s:i}", "Test", "CMD-SHELL",
			 h->cmd, "Interval",
			 (json_int_t)h->interval_ms * NS_PER_MS, "Timeout",
			 (json_int_t)h->timeout_ms * NS_PER_MS, "StartPeriod",
			 (json_int_t)h->start_period_ms * NS_PER_MS, "Retries",
			 (int)h->retries);
}

static bool attached(const struct spec *s, const char *stream)
{
	bool in = strcmp(stream, "STDIN") == 0;

	if (s->detach || (in && !s->interactive))
		return false;
	for (size_t i = 0; i < s->attach.n; i++)
		if (strcasecmp(s->attach.v[i], stream) == 0)
			return true;
	return s->attach.n == 0;
}

/* Callers put folders in front of the PATH they read here, so the one that the
 * agent gives a command without any (agent/exec.c) is told, too. */
static json_t *environment(const struct spec *s)
{
	json_t *a = list(&s->env, 0);

	for (size_t i = 0; i < s->env.n; i++)
		if (strncmp(s->env.v[i], "PATH=", 5) == 0)
			return a;
	json_array_append_new(a, json_string("PATH=" DEFAULT_PATH));
	return a;
}

/* How many words of argv are the entrypoint: --entrypoint is one. */
static size_t entrypoint_words(const struct spec *s)
{
	if (!s->entrypoint)
		return MIN((size_t)s->nentrypoint, s->argv.n);
	return *s->entrypoint && s->argv.n > 0;
}

static json_t *entrypoint(const struct spec *s)
{
	const struct strv first = { s->argv.v, entrypoint_words(s) };

	return first.n ? list(&first, 0) : json_null();
}

static json_t *config(const struct box_info *info, const struct spec *s)
{
	char id[HUMAN_MAX];
	size_t from = entrypoint_words(s);
	json_t *cmd = s->argv.n > from ? list(&s->argv, from) : json_null();
	json_t *o = json_pack(
		"{s:s s:s s:s s:b s:b s:b s:o s:b s:b s:b s:o s:o s:s s:n "
		"s:s s:o s:o}",
		"Hostname", s->hostname ? s->hostname : human_id(info->id, id),
		"Domainname", "", "User", text(s->user), "AttachStdin",
		(int)attached(s, "STDIN"), "AttachStdout",
		(int)attached(s, "STDOUT"), "AttachStderr",
		(int)attached(s, "STDERR"), "ExposedPorts", portrow_exposed(s),
		"Tty", (int)s->tty, "OpenStdin", (int)s->interactive,
		"StdinOnce", (int)(s->interactive && !s->detach), "Env",
		environment(s), "Cmd", cmd, "Image", s->image, "Volumes",
		"WorkingDir", text(s->cwd), "Entrypoint", entrypoint(s),
		"Labels", boxjson_labels(&s->labels));

	json_object_set_new(o, "StopSignal",
			    json_string(s->stop_signal ? s->stop_signal
						       : "SIGTERM"));
	json_object_set_new(
		o, "StopTimeout",
		json_integer((json_int_t)s->stop_timeout_ms / 1000));
	if (s->health.cmd && !s->health.none)
		json_object_set_new(o, "Healthcheck", healthcheck(&s->health));
	return o;
}

/* ---- NetworkSettings ---- */

/* Those that it joined while it ran, each by an interface of its own. */
static void add_late(json_t *all, const struct netinfo *n)
{
	char address[NETINFO_TEXT], gateway[NETINFO_TEXT], mac[NETINFO_TEXT];

	for (size_t i = 0; i < NETINFO_LATE; i++) {
		const struct netinfo_late *l = &n->late[i];

		if (!*l->network)
			continue;
		json_object_set_new(
			all, l->network,
			json_pack("{s:s s:s s:i s:s s:[]}", "IPAddress",
				  netinfo_dotted(l->address, address),
				  "Gateway",
				  netinfo_dotted(l->gateway, gateway),
				  "IPPrefixLen", (int)l->prefix, "MacAddress",
				  netinfo_mac(l->mac, mac), "Aliases"));
	}
}

/* One without a network has no address; what docker's callers ask for is there
 * all the same. */
void boxjson_network(json_t *box, const struct spec *s, const struct netinfo *n)
{
	bool is = n->prefix > 0;
	char guest[NETINFO_TEXT] = "", gateway[NETINFO_TEXT] = "";
	char mac[NETINFO_TEXT] = "", guest6[NETINFO_TEXT] = "";
	char gateway6[NETINFO_TEXT] = "";
	json_t *one, *o, *all = json_object();

	if (is) {
		netinfo_dotted(n->guest, guest);
		netinfo_dotted(n->gateway, gateway);
		netinfo_mac(n->mac, mac);
		if (n->prefix6) {
			netinfo_colons(n->guest6, guest6);
			netinfo_colons(n->gateway6, gateway6);
		}
		one = json_pack("{s:s s:s s:i s:s s:s s:i s:s s:[]}",
				"IPAddress", guest, "Gateway", gateway,
				"IPPrefixLen", (int)n->prefix,
				"GlobalIPv6Address", guest6, "IPv6Gateway",
				gateway6, "GlobalIPv6PrefixLen",
				(int)n->prefix6, "MacAddress", mac, "Aliases");
		json_object_set_new(all, *n->network ? n->network : n->mode,
				    one);
		add_late(all, n);
	}
	o = json_pack("{s:s s:s s:i s:s s:s s:i s:s s:o s:o}", "IPAddress",
		      guest, "Gateway", gateway, "IPPrefixLen", (int)n->prefix,
		      "GlobalIPv6Address", guest6, "IPv6Gateway", gateway6,
		      "GlobalIPv6PrefixLen", (int)n->prefix6, "MacAddress", mac,
		      "Ports", is ? portrow_ports(&n->ports, s) : json_object(),
		      "Networks", all);
	json_object_set_new(box, "NetworkSettings", o);
}

/* ---- all of it ---- */

json_t *boxjson(const struct box_info *info, const struct spec *s,
		const char *dir)
{
	const struct netinfo none = { .prefix = 0 };
	json_t *name = json_sprintf("/%s", info->name);
	json_t *o = json_pack(
		"{s:s s:o s:s s:o s:o s:s s:o s:o s:i s:s s:s s:o s:o s:o}",
		"Id", info->id, "Created", stamp(info->created), "Path",
		s->argv.n ? s->argv.v[0] : "", "Args", list(&s->argv, 1),
		"State", state(info, s), "Image",
		s->image_id ? s->image_id : info->image, "LogPath",
		json_sprintf("%s/log", dir), "Name", name, "RestartCount", 0,
		"Driver", "ext4", "Platform", "linux", "HostConfig",
		host_config(s), "Mounts", boxjson_mounts(s), "Config",
		config(info, s));

	if (!o)
		return NULL;
	boxjson_network(o, s, &none);
	return o;
}
