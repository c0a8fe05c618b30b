/* SPDX-License-Identifier: Apache-2.0 */
/* box_opts.h - what `vial run` and `vial create` have in common: everything a
 * box is made of. All fill a struct spec. */
#pragma once

#include "cli/cmd.h"
#include "spec/spec.h"

/* clang-format off */
#define BOX_OPTS                                                               \
	OPT_GROUP("The command"),                                              \
	OPT_STR(0, "entrypoint", struct spec, entrypoint, "PROGRAM",           \
		"Put PROGRAM in front of the command ('' for none)"),          \
	OPT_LIST('e', "env", spec_env, "NAME[=VALUE]",                         \
		 "Set a variable, or hand on the one that is set here"),       \
	OPT_LIST(0, "env-file", spec_env_file, "FILE",                         \
		 "Variables from a file, one a line"),                         \
	OPT_SET('u', "user", spec_user, "USER[:GROUP]",                        \
		"Run as this user of the guest (default: root)"),              \
	OPT_LIST(0, "group-add", spec_group, "GROUP", "A further group"),      \
	OPT_SET('w', "workdir", spec_cwd, "DIR",                               \
		"Working directory, made when missing (default: /)"),          \
	OPT_FLAG('i', "interactive", struct spec, interactive,                 \
		 "Hand standard input to the command"),                        \
	OPT_FLAG('t', "tty", struct spec, tty, "Give it a terminal"),          \
	OPT_FLAG(0, "init", struct spec, init,                                 \
		 "Reap what the command leaves behind (always done)"),         \
	OPT_SET(0, "timeout", spec_timeout, "TIME",                            \
		"End the command after TIME (10, 90s, 1h30m): status 124"),    \
	OPT_SET(0, "stop-signal", spec_stop_signal, "SIGNAL",                  \
		"What 'vial stop' sends (default: TERM)"),                     \
	OPT_SET(0, "stop-timeout", spec_stop_timeout, "TIME",                  \
		"From that signal to KILL (default: 10s)"),                    \
	OPT_GROUP("The machine"),                                              \
	OPT_SET(0, "cpus", spec_cpus, "N",                                     \
		"CPUs, also a part of one (default: the host's, at most 8)"),  \
	OPT_SET(0, "cpu-quota", spec_cpu_quota, "N",                           \
		"The same in microseconds of each --cpu-period"),              \
	OPT_SET(0, "cpu-period", spec_cpu_period, "N",                         \
		"Which is 100000 by itself"),                                  \
	OPT_SET(0, "cpuset-cpus", spec_cpuset, "LIST",                         \
		"Only on these CPUs of the host, such as 0-3,6"),              \
	OPT_SET('m', "memory", spec_memory, "SIZE",                            \
		"Memory, such as 256m or 2g (default: 512m)"),                 \
	OPT_SET(0, "pids-limit", spec_pids, "N",                               \
		"Processes and threads at most (-1: no limit)"),               \
	OPT_LIST(0, "ulimit", spec_ulimit, "NAME=SOFT[:HARD]",                 \
		 "A resource limit, such as nofile=1024"),                     \
	OPT_SET(0, "shm-size", spec_shm, "SIZE",                               \
		"Size of /dev/shm (default: 64m)"),                            \
	OPT_SET(0, "platform", spec_platform, "OS/ARCH",                       \
		"Of an image for several; it must be one the host runs"),      \
	OPT_SET(0, "pull", spec_pull, "WHEN",                                  \
		"Ask a registry for IMAGE: always, never or when it is "       \
		"missing"),                                                    \
	OPT_LIST(0, "storage-opt", spec_storage_opt, "size=SIZE",              \
		 "Room on its disk (default: the image's)"),                   \
	OPT_SET(0, "disk-bps", spec_disk_bps, "SIZE",                          \
		"Bytes a second the disk reads and writes at most"),           \
	OPT_SET(0, "disk-iops", spec_disk_iops, "N",                           \
		"The same in operations"),                                     \
	OPT_SET(0, "console-bps", spec_console_bps, "SIZE",                    \
		"Bytes a second of the kernel's console that are kept"),       \
	OPT_SET(0, "net-rx-bps", spec_net_rx_bps, "SIZE",                      \
		"Bytes a second each interface receives at most"),             \
	OPT_SET(0, "net-tx-bps", spec_net_tx_bps, "SIZE",                      \
		"And sends"),                                                  \
	OPT_STR(0, "kernel", struct spec, kernel, "FILE",                      \
		"Boot this kernel (vmlinux or bzImage)"),                      \
	OPT_GROUP("Files"),                                                    \
	OPT_LIST('v', "volume", spec_volume, "[HOST:]GUEST[:ro]",              \
		 "Share a path of the host, or use a volume (NAME:GUEST)"),    \
	OPT_LIST(0, "mount", spec_mount, "KEY=VALUE[,...]",                   \
		 "The same in words: type=bind|volume|tmpfs, source=, "        \
		 "target=, readonly"),                                         \
	OPT_LIST(0, "tmpfs", spec_tmpfs, "GUEST[:OPTIONS]",                    \
		 "A file system in the guest's memory"),                       \
	OPT_LIST(0, "volumes-from", spec_volumes_from, "BOX[:ro]",             \
		 "The shared paths and volumes of another box"),               \
	OPT_LIST(0, "copy-in", spec_copy_in, "HOST:GUEST",                     \
		 "Copy a file or directory in before the command starts"),     \
	OPT_LIST(0, "copy-out", spec_artifact, "GUEST[:DIR]",                  \
		 "Bring a path out when the command has ended, into DIR (.)"), \
	OPT_LIST(0, "artifact", spec_artifact, "GUEST[:DIR]", "The same"),     \
	OPT_FLAG(0, "read-only", struct spec, read_only,                       \
		 "Mount the root file system read-only"),                      \
	OPT_GROUP("Rights, inside the guest"),                                 \
	OPT_LIST(0, "cap-add", spec_cap_add, "NAME", "Give it a capability"),  \
	OPT_LIST(0, "cap-drop", spec_cap_drop, "NAME", "Take a capability"),   \
	OPT_FLAG(0, "privileged", struct spec, privileged,                     \
		 "All capabilities in the guest; none outside"),               \
	OPT_LIST(0, "security-opt", spec_security, "OPTION",                   \
		 "no-new-privileges"),                                         \
	OPT_LIST(0, "sysctl", spec_sysctl, "NAME=VALUE",                       \
		 "Set a kernel parameter of the guest"),                       \
	OPT_GROUP("Names"),                                                    \
	OPT_SET(0, "name", spec_name, "NAME", "Name of the box"),              \
	OPT_SET('h', "hostname", spec_hostname, "NAME",                        \
		"Host name in the guest (default: the box's id)"),             \
	OPT_SET(0, "domainname", spec_domainname, "NAME",                      \
		"NIS domain name in the guest"),                               \
	OPT_LIST(0, "add-host", spec_host, "NAME:ADDRESS",                     \
		 "A line for /etc/hosts"),                                     \
	OPT_LIST('l', "label", spec_label, "NAME[=VALUE]", "Mark the box"),    \
	OPT_LIST(0, "label-file", spec_label_file, "FILE",                     \
		 "Labels from a file, one a line"),                            \
	OPT_LIST(0, "annotation", spec_annotation, "NAME=VALUE",               \
		 "A mark for other tools"),                                    \
	OPT_STR(0, "cidfile", struct spec, cidfile, "FILE",                    \
		"Write the id of the box to FILE"),                            \
	OPT_GROUP("Network"),                                                  \
	OPT_SET(0, "network", spec_network, "MODE",                            \
		"nat (root), user (no rights), none, or a network's name"),                \
	OPT_SET(0, "net", spec_network, "MODE", "The same"),                   \
	OPT_SET(0, "ip", spec_ip, "ADDRESS",                                   \
		"Its address, in a network that has a name"),                  \
	OPT_LIST(0, "network-alias", spec_alias, "NAME",                       \
		 "A further name by which the others there know it"),          \
	OPT_LIST('p', "publish", spec_publish, "[[ADDRESS:]HOST:]PORT",        \
		 "A port of the host that leads to the guest's"),              \
	OPT_FLAG('P', "publish-all", struct spec, publish_all,                 \
		 "Every exposed port, on one of the host that is free"),       \
	OPT_LIST(0, "expose", spec_expose, "PORT",                             \
		 "A port that --publish-all publishes"),                       \
	OPT_LIST(0, "forward", spec_forward, "HOST:GUEST",                     \
		 "A unix socket of the host in the guest; guest:GUEST:HOST, "  \
		 "the reverse; ssh, your ssh-agent"),                          \
	OPT_LIST(0, "egress", spec_egress, "LIST",                             \
		 "What it may reach: all, none, record[=FILE], names and "     \
		 "addresses, or @FILE"),                                       \
	OPT_SET(0, "egress-log", spec_egress_log, "FILE",                      \
		"Names it asked and connections it made, as JSON lines"),      \
	OPT_LIST(0, "dns", spec_dns, "ADDRESS",                                \
		 "Ask this server for names, not the host's"),                 \
	OPT_LIST(0, "dns-search", spec_dns_search, "NAME",                     \
		 "Where names without a dot are looked for"),                  \
	OPT_LIST(0, "dns-opt", spec_dns_option, "OPTION", "The same as"        \
		 " --dns-option"),                                             \
	OPT_LIST(0, "dns-option", spec_dns_option, "OPTION",                   \
		 "An option of resolv.conf(5)"),                               \
	OPT_GROUP("Its life"),                                                 \
	OPT_FLAG(0, "rm", struct spec, rm,                                     \
		 "Keep nothing of the box when it ends"),                      \
	OPT_LIST('a', "attach", spec_attach, "STREAM",                         \
		 "Only STDIN, STDOUT or STDERR"),                              \
	OPT_SET(0, "log-driver", spec_log_driver, "DRIVER",                    \
		"none: keep no output for 'vial logs'"),                       \
	OPT_LIST(0, "log-opt", spec_log_opt, "NAME=VALUE",                     \
		 "max-size=SIZE (64m), max-file=N (2)"),                       \
	OPT_SET(0, "health-cmd", spec_health_cmd, "COMMAND",                   \
		"Whether it does its work, asked again and again"),            \
	OPT_SET(0, "health-interval", spec_health_interval, "TIME",            \
		"Between two of them (30s)"),                                  \
	OPT_SET(0, "health-timeout", spec_health_timeout, "TIME",              \
		"How long one may take (30s)"),                                \
	OPT_SET(0, "health-start-period", spec_health_start, "TIME",           \
		"Failures that do not count at first (0s)"),                   \
	OPT_SET(0, "health-retries", spec_health_retries, "N",                 \
		"Failures in a row that make it unhealthy (3)"),               \
	OPT_FLAG(0, "no-healthcheck", struct spec, health.none,                \
		 "No check"),                                                  \
	OPT_FLAG('D', "debug", struct spec, debug,                             \
		 "Keep the monitor's and the kernel's messages in the logs"),  \
	OPT_SET(0, "log-level", spec_log_level, "LEVEL",                       \
		"error, warn, info or debug"),                                 \
	OPT_GROUP("Of no meaning here"),                                       \
	OPT_IGNORED(0, "memory-swap", "SIZE", "-1",                            \
		    "the guest has no swap"),                                  \
	OPT_IGNORED(0, "memory-swappiness", "N", NULL,                         \
		    "the guest has no swap"),                                  \
	OPT_IGNORED(0, "memory-reservation", "SIZE", NULL,                     \
		    "a guest has its own memory"),                             \
	OPT_IGNORED(0, "kernel-memory", "SIZE", NULL,                          \
		    "a guest has a kernel of its own"),                        \
	OPT_IGNORED(0, "cpu-shares", "N", NULL,                                \
		    "a guest has CPUs of its own"),                            \
	OPT_IGNORED(0, "cpuset-mems", "LIST", "",			       \
		    "a guest has memory of its own"),			       \
	OPT_IGNORED(0, "cpu-rt-period", "N", "0",			       \
		    "a guest has CPUs of its own"),			       \
	OPT_IGNORED(0, "cpu-rt-runtime", "N", "0",			       \
		    "a guest has CPUs of its own"),			       \
	OPT_IGNORED(0, "blkio-weight", "N", "0",			       \
		    "a box has a disk of its own"),			       \
	OPT_IGNORED(0, "cgroup-parent", "PATH", "",			       \
		    "a guest has groups of its own"),			       \
	OPT_IGNORED(0, "oom-kill-disable", NULL, NULL,			       \
		    "a guest has memory of its own"),			       \
	OPT_IGNORED(0, "oom-score-adj", "N", "0",			       \
		    "a guest has memory of its own"),			       \
	OPT_IGNORED(0, "health-start-interval", "TIME", "0|0s",		       \
		    "--health-interval holds from the start"),		       \
	OPT_IGNORED(0, "volume-driver", "NAME", "local|",		       \
		    "volumes are disks of this host"),			       \
	OPT_IGNORED(0, "disable-content-trust", NULL, "true",		       \
		    "digests are checked, signatures are not"),		       \
	OPT_REFUSED(0, "device-cgroup-rule", "RULE", NULL,		       \
		    "a guest has none of the host's devices"),		       \
	OPT_JUDGED(0, "restart", spec_restart, "POLICY", "no",                 \
		   "nobody starts a box again by itself"),                     \
	OPT_IGNORED(0, "ipc", "MODE", "private|shareable|none|",               \
		    "a box shares no kernel"),                                 \
	OPT_IGNORED(0, "pid", "MODE", "",                                      \
		    "a box shares no kernel"),                                 \
	OPT_IGNORED(0, "uts", "MODE", "",                                      \
		    "a box shares no kernel"),                                 \
	OPT_IGNORED(0, "userns", "MODE", "",                                   \
		    "a box shares no kernel"),                                 \
	OPT_IGNORED(0, "cgroupns", "MODE", "private",                          \
		    "a box shares no kernel"),                                 \
	OPT_IGNORED(0, "runtime", "NAME", "vial",                              \
		    "there is one runtime"),                                   \
	OPT_IGNORED(0, "mac-address", "ADDRESS", NULL,                         \
		    "there is no network yet"),                                \
	OPT_REFUSED(0, "gpus", "LIST", "", "a guest has none of the "          \
		    "host's devices"),                                         \
	OPT_REFUSED(0, "device-read-bps", "PATH:RATE", NULL,                   \
		    "a box has a disk of its own: use --disk-bps"),            \
	OPT_REFUSED(0, "device-write-bps", "PATH:RATE", NULL,                  \
		    "a box has a disk of its own: use --disk-bps"),            \
	OPT_REFUSED(0, "device-read-iops", "PATH:RATE", NULL,                  \
		    "a box has a disk of its own: use --disk-iops"),           \
	OPT_REFUSED(0, "device-write-iops", "PATH:RATE", NULL,                 \
		    "a box has a disk of its own: use --disk-iops"),           \
	OPT_REFUSED(0, "device", "DEVICE", NULL, "a guest has none of the "    \
		    "host's devices")
/* clang-format on */
