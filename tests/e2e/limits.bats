#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# limits - what a box may take of the host's CPUs and disks, and that the
# control group that keeps it goes with the box, however the box ends.

# shellcheck disable=SC2154 # run sets variables; commands share a shell here
load common

setup() { common_setup; }
teardown() { common_teardown; }

GROUPS_DIR=/sys/fs/cgroup/vial

part()	# NAME
{
	local p
	for p in $(our_pids); do
		if [[ $(cat "/proc/$p/comm" 2>/dev/null) == "$1" ]]; then
			echo "$p"
		fi
	done
}

no_group() { [ ! -e "$GROUPS_DIR" ]; }
nobody() { [ -z "$(our_pids)" ]; }
throttled() { grep -q 'nr_throttled [1-9]' "$1/cpu.stat"; }

@test "limits: a part of a CPU is kept by a group that goes with the box" {
	start out run --rm --cpus 0.5 "$IMAGE" \
		sh -c 'nproc; while :; do :; done'
	wait_for 100 grep -q '^1$' out
	vmm=$(part vial-vmm)
	group=/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$vmm/cgroup")
	echo "group $group"
	[[ $group == "$GROUPS_DIR"/* ]]
	[ "$(cat "$group/cpu.max")" = "50000 100000" ]
	# beside it a thread of KVM's, which has no choice
	grep -qx "$vmm" "$group/cgroup.procs"
	wait_for 60 throttled "$group"
	kill -TERM "$pid"
	wait "$pid" || true
	wait_for 60 no_group
}

@test "limits: whole CPUs need no group" {
	start out run --rm --cpus 2 "$IMAGE" sh -c 'nproc; sleep 1000'
	wait_for 100 grep -q '^2$' out
	run ! grep -q vial "/proc/$(part vial-vmm)/cgroup"
	kill -TERM "$pid"
	wait "$pid" || true
}

@test "limits: the group goes after a crash of all that looked after it" {
	start out run --cpus 0.5 --name crashed "$IMAGE" sh -c 'echo up; sleep 1000'
	wait_for 100 grep -q up out
	[ -d "$GROUPS_DIR" ]
	# shellcheck disable=SC2046 # pids
	kill -9 $(our_pids)
	wait "$pid" || true
	wait_for 60 nobody
	vrun -0 vial ps -a
	[[ $output == *crashed* ]]
	wait_for 10 no_group
	vrun -0 vial rm crashed
}

@test "limits: --cpuset-cpus" {
	start out run --rm --cpuset-cpus 0 "$IMAGE" sh -c 'nproc; sleep 1000'
	wait_for 100 grep -q '^1$' out
	[ "$(sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' \
		"/proc/$(part vial-vmm)/status")" = 0 ]
	kill -TERM "$pid"
	wait "$pid" || true
	vrun -125 box --cpuset-cpus 900 -- true
	one_line --cpuset-cpus "requested 900, available: 0"
	vrun -125 box --cpuset-cpus 0- -- true
	one_line "0-"
}

@test "limits: a disk with a rate" {
	begin=$SECONDS
	vrun -0 box --disk-bps 1m -- sh -c \
		'dd if=/dev/zero of=/f bs=1048576 count=8 && sync && wc -c </f'
	[[ $output == *8388608* ]]
	# a second's worth is free
	[ $((SECONDS - begin)) -ge 6 ]
	vrun -125 box --disk-iops many -- true
	one_line many
	vrun -125 box --device-read-bps /dev/sda:1m -- true
	[[ $stderr == *--disk-bps* ]]
}

@test "limits: what was asked for is what the guest has, and what inspect says" {
	vial run -d --name many --cpus 1.5 -m 300m --pids-limit 40 \
		--ulimit nofile=100:200 --ulimit core=0 --shm-size 32m \
		--disk-bps 64m --disk-iops 5000 --storage-opt size=3g \
		"$IMAGE" sh -c 'while :; do sleep 1; done' >/dev/null
	in=(exec many sh -c)
	vrun -0 vial "${in[@]}" 'nproc; ulimit -n; ulimit -Hn; ulimit -c
		df -k /dev/shm | awk "END { print \$2 }"
		df -k / | awk "END { print \$2 }"
		awk "/^MemTotal/ { print \$2 }" /proc/meminfo'
	[ "${lines[0]}" = 2 ]
	[ "${lines[1]} ${lines[2]} ${lines[3]}" = '100 200 0' ]
	[ "${lines[4]}" = 32768 ]
	[ "${lines[5]}" -gt 2800000 ]
	[ "${lines[5]}" -le 3145728 ]
	[ "${lines[6]}" -gt 200000 ]
	[ "${lines[6]}" -le 307200 ]
	# All commands of the box together.
	vrun vial "${in[@]}" 'i=0; while [ $i -lt 60 ]; do sleep 3 & i=$((i+1)); done'
	[ "$status" -ne 0 ]
	[[ $stderr == *[Ff]ork* || $stderr == *temporarily* ]]
	vmm=$(vial inspect -f '{{.State.Pid}}' many)
	group=/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$vmm/cgroup")
	[ "$(cat "$group/cpu.max")" = "150000 100000" ]
	vial inspect many | jq -e '.[0].HostConfig | .NanoCpus == 1500000000 and
		.Memory == 314572800 and .PidsLimit == 40 and
		.ShmSize == 33554432 and .IOMaximumBandwidth == 67108864 and
		.IOMaximumIOps == 5000 and .StorageOpt.size == "3221225472" and
		(.Ulimits | map(select(.Name == "nofile")) |
			.[0].Hard == 200 and .[0].Soft == 100)'
	# Its disk is as large the next time.
	wait_for 30 vial exec many sh -c 'echo kept >/f; sync'
	vial stop -t 0 many
	vial start many
	vrun -0 vial "${in[@]}" 'cat /f; df -k / | awk "END { print \$2 }"'
	[ "${lines[0]}" = kept ]
	[ "${lines[1]}" -gt 2800000 ]
	vial rm -f many
	wait_for 30 no_group
	vrun -0 box --storage-opt size=1m -- true
	one_line 'size=1048576' 'the image has'
	vrun -125 box --storage-opt huge -- true
	one_line 'size=SIZE'
}

@test "limits: an out-of-memory kill is told with the process that died" {
	vrun -137 vial run --name hungry -m 128m "$IMAGE" tool eat 500
	one_line 'out of memory' 'tool[' '--memory'
	vrun -0 vial inspect -f '{{.State.OOMKilled}} {{.State.ExitCode}} {{.State.Error}}' hungry
	[[ $output == 'true 137 out of memory: tool['*'] was killed'* ]]
	vrun -0 vial events --since 1h --until 0s --filter event=oom \
		--format '{{.Actor.Attributes.name}}'
	[ "$output" = hungry ]
	vial rm hungry
}
