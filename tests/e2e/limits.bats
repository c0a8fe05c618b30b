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
