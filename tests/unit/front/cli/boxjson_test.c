/* SPDX-License-Identifier: Apache-2.0 */
/* A box as docker's inspect shows it. */
#include "cli/boxjson.h"
#include "cli/tmpl.h"

#include "base/auto.h"
#include "spec/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct box_info info;
static struct spec spec;
static struct err e;
static json_t *held;

/* As it comes from a box's config.json. */
static void load(const char *text)
{
	held = json_loads(text, 0, NULL);
	assert_non_null(held);
	assert_int_equal(spec_from_json(&spec, held, &e), 0);
}

static struct netinfo net;

static int start(void **state)
{
	(void)state;
	info = (struct box_info){ .created = 1700000000123,
				  .started = 1700000001000,
				  .pid = 77,
				  .name = "job",
				  .status = "running",
				  .image = "/images/a.ext4" };
	memset(info.id, 'a', BOX_ID_LEN);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	spec_fini(&spec);
	json_decref(held);
	return 0;
}

static void gives(const char *template, const char *want)
{
	json_t *o = boxjson(&info, &spec, "/boxes/a");
	struct tmpl *t = tmpl_new(template, &e);
	autofree char *text = NULL;

	assert_non_null(o);
	if (net.prefix)
		boxjson_network(o, &spec, &net);
	assert_non_null(t);
	if (tmpl_text(t, o, &text, &e) < 0)
		fail_msg("%s: %s", template, e.msg);
	assert_string_equal(text, want);
	tmpl_free(t);
	json_decref(o);
}

static void least(void **state)
{
	(void)state;
	load("{\"image\": \"a.ext4\", \"argv\": [\"sh\", \"-c\", \"true\"]}");
	gives("{{.Id}}", info.id);
	gives("{{.Name}} {{.Path}} {{.Args}}", "/job sh [-c true]");
	gives("{{.Created}}", "2023-11-14T22:13:20.123Z");
	gives("{{.State.Status}} {{.State.Running}} {{.State.Pid}}",
	      "running true 77");
	gives("{{.State.FinishedAt}}", "0001-01-01T00:00:00Z");
	gives("{{if .State.Health}}checked{{end}}", "");
	gives("{{if .Config.Healthcheck}}checked{{end}}", "");
	gives("{{.Config.Image}} {{.Config.Cmd}} {{.Config.Entrypoint}}",
	      "a.ext4 [sh -c true] <no value>");
	gives("{{.Config.Hostname}}", "aaaaaaaaaaaa");
	gives("{{json .HostConfig.Binds}} {{json .HostConfig.CapAdd}}",
	      "null null");
	gives("{{json .HostConfig.SecurityOpt}} {{json .HostConfig.PidsLimit}}",
	      "null null");
	gives("{{len .Mounts}} {{.NetworkSettings.IPAddress}}", "0 ");
	gives("{{range $k, $v := .NetworkSettings.Networks}}{{$k}}{{end}}", "");
	gives("{{.Config.StopSignal}}", "SIGTERM");
	gives("{{.LogPath}}", "/boxes/a/log");
}

static void all_of_it(void **state)
{
	(void)state;
	load("{\"image\": \"a\", \"argv\": [\"/in\", \"x\"],"
	     "\"entrypoint\": \"/in\", \"env\": [\"A=b\", \"C=\"],"
	     "\"user\": \"1:2\", \"cwd\": \"/w\", \"hostname\": \"h\","
	     "\"labels\": [\"k=v=w\", \"bare\"], \"cap_add\": [\"ALL\"],"
	     "\"ram_bytes\": 1073741824, \"cpus\": 2, \"pids_limit\": 9,"
	     "\"no_new_privs\": true, \"read_only\": true, \"rm\": true,"
	     "\"sysctls\": [\"a.b=1\"], \"rlimits\": [[7, 10, -1]],"
	     "\"stop_signal\": \"INT\", \"stop_timeout_ms\": 3000,"
	     "\"interactive\": true, \"tty\": true,"
	     "\"health_cmd\": \"ok\", \"health_interval_ms\": 5,"
	     "\"mounts\": [{\"type\": \"bind\", \"source\": \"/s\","
	     "\"target\": \"/t\", \"readonly\": true}, {\"type\": \"volume\","
	     "\"source\": \"cache\", \"target\": \"/c\"}, {\"type\": \"tmpfs\","
	     "\"target\": \"/tmp\", \"options\": \"size=1m\"}]}");
	gives("{{.Config.Entrypoint}} {{.Config.Cmd}}", "[/in] [x]");
	gives("{{range .Config.Env}}{{println .}}{{end}}",
	      "A=b\nC=\n"
	      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n");
	gives("{{.Config.User}} {{.Config.WorkingDir}} {{.Config.Hostname}}",
	      "1:2 /w h");
	gives("{{.Config.Labels.k}} {{json .Config.Labels.bare}}", "v=w \"\"");
	gives("{{.Config.StopSignal}} {{.Config.StopTimeout}}", "INT 3");
	gives("{{.Config.AttachStdin}} {{.Config.OpenStdin}} {{.Config.Tty}}",
	      "true true true");
	gives("{{.Config.Healthcheck.Test}} {{.Config.Healthcheck.Interval}}",
	      "[CMD-SHELL ok] 5000000");
	gives("{{.State.Health.Status}}", "starting");
	gives("{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}} "
	      "{{.HostConfig.PidsLimit}}",
	      "1073741824 2000000000 9");
	gives("{{.HostConfig.CapAdd}} {{.HostConfig.SecurityOpt}}",
	      "[ALL] [no-new-privileges]");
	gives("{{.HostConfig.AutoRemove}} {{.HostConfig.ReadonlyRootfs}}",
	      "true true");
	gives("{{range .HostConfig.Ulimits}}{{.Name}} {{.Soft}} {{.Hard}}"
	      "{{end}}",
	      "nofile 10 -1");
	gives("{{json .HostConfig.Sysctls}}", "{\"a.b\":\"1\"}");
	gives("{{.HostConfig.Binds}}", "[/s:/t:ro cache:/c]");
	gives("{{range .Mounts}}{{.Type}} {{.Destination}} {{.RW}};{{end}}",
	      "bind /t false;volume /c true;tmpfs /tmp true;");
}

static void limits(void **state)
{
	(void)state;
	load("{\"image\": \"a\", \"argv\": [\"x\"], \"cpus\": 2,"
	     "\"cpu_milli\": 1500, \"cpuset\": \"0-1\", \"disk_bps\": 1000,"
	     "\"disk_iops\": 7, \"disk_bytes\": 2097152}");
	gives("{{.HostConfig.NanoCpus}} {{.HostConfig.CpusetCpus}}",
	      "1500000000 0-1");
	gives("{{.HostConfig.IOMaximumBandwidth}} "
	      "{{.HostConfig.IOMaximumIOps}} {{.HostConfig.StorageOpt.size}}",
	      "1000 7 2097152");
}

static void states(void **state)
{
	(void)state;
	load("{\"image\": \"a\", \"argv\": [\"x\"]}");
	snprintf(info.status, sizeof(info.status), "paused");
	gives("{{.State.Running}} {{.State.Paused}}", "true true");
	snprintf(info.health, sizeof(info.health), "unhealthy");
	info.health_failures = 3;
	gives("{{.State.Health.Status}} {{.State.Health.FailingStreak}}",
	      "unhealthy 3");
	snprintf(info.status, sizeof(info.status), "exited");
	info.exit_status = 137;
	info.oom_killed = true;
	gives("{{.State.Running}} {{.State.Pid}} {{.State.ExitCode}} "
	      "{{.State.OOMKilled}}",
	      "false 0 137 true");
}

/* What a box on a network has, and the ports the host has of it. */
static void network(void **state)
{
	(void)state;
	load("{\"image\":\"a\",\"argv\":[\"true\"]}");
	net = (struct netinfo){ .mode = "nat",
				.guest = { 10, 213, 0, 3 },
				.gateway = { 10, 213, 0, 2 },
				.prefix = 31,
				.mac = { 2, 1, 2, 3, 4, 5 } };
	assert_int_equal(spec_ports_add(&net.ports, "8080:80", &e), 0);
	assert_int_equal(spec_ports_expose(&spec.expose, "53/udp", &e), 0);
	gives("{{.NetworkSettings.IPAddress}} {{.NetworkSettings.MacAddress}}",
	      "10.213.0.3 02:01:02:03:04:05");
	gives("{{range $k, $v := .NetworkSettings.Networks}}{{$k}} "
	      "{{$v.Gateway}}{{end}}",
	      "nat 10.213.0.2");
	gives("{{(index (index .NetworkSettings.Ports \"80/tcp\") 0).HostPort}}",
	      "8080");
	gives("{{range $p, $b := .NetworkSettings.Ports}}{{$p}} {{end}}",
	      "53/udp 80/tcp ");
	gives("{{.NetworkSettings.GlobalIPv6Address}}"
	      "{{.NetworkSettings.GlobalIPv6PrefixLen}}",
	      "0");
	net.guest6[0] = 0xfd;
	net.guest6[15] = 7;
	net.prefix6 = 127;
	net.late[2] = (struct netinfo_late){ .network = "ci",
					     .address = { 10, 214, 0, 3 },
					     .prefix = 24 };
	gives("{{.NetworkSettings.GlobalIPv6Address}} "
	      "{{.NetworkSettings.Networks.ci.IPAddress}} "
	      "{{.NetworkSettings.Networks.nat.GlobalIPv6PrefixLen}}",
	      "fd00::7 10.214.0.3 127");
	netinfo_fini(&net);
	net = (struct netinfo){ .prefix = 0 };
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(least, start, stop),
		cmocka_unit_test_setup_teardown(all_of_it, start, stop),
		cmocka_unit_test_setup_teardown(limits, start, stop),
		cmocka_unit_test_setup_teardown(states, start, stop),
		cmocka_unit_test_setup_teardown(network, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
