#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# jail - what a running monitor has left, as seen from outside.

# shellcheck disable=SC2154 # run sets variables
load common

setup() { common_setup; }
teardown() { common_teardown; }

start_box()
{
	start out run --rm --cpus 2 "$IMAGE" sh -c 'echo up; sleep 1000'
	wait_for 100 grep -q up out || { cat out out.err; false; }
	id=$(vial ps -q --no-trunc)
	vmm=$(monitor_pid "$id")
}

@test "jail: no privileges, on every thread" {
	start_box
	threads=0
	for t in /proc/"$vmm"/task/*; do
		# A disk's workers come and go.
		cp "$t/status" task 2>/dev/null || continue
		grep -E '^(Name|NoNewPrivs|Cap|Seccomp)' task
		[ "$(awk '/^NoNewPrivs/ { print $2 }' task)" = 1 ]
		[ "$(awk '/^Seccomp:/ { print $2 }' task)" = 2 ]
		for set in Inh Prm Eff Bnd Amb; do
			[ "$(awk "/^Cap$set/ { print \$2 }" task)" = \
				0000000000000000 ]
		done
		threads=$((threads + 1))
	done
	# The loop and two vCPUs.
	[ "$threads" -ge 3 ]
	# Nobody's user and group, and no further groups.
	grep -E '^(Uid|Gid|Groups)' "/proc/$vmm/status"
	if [ "$(id -u)" -eq 0 ]; then
		[ "$(awk '/^Uid/ { print $2 }' "/proc/$vmm/status")" -gt 1000 ]
		[ -z "$(awk '/^Groups/ { print $2 }' "/proc/$vmm/status")" ]
	fi
	kill "$pid"
	wait "$pid" || true
	nothing_left
}

@test "jail: an empty root, namespaces of its own, no environment" {
	[ "$(id -u)" -eq 0 ] || skip "looks into another user's process"
	start_box
	ls -la "/proc/$vmm/root/"
	[ -z "$(ls -A "/proc/$vmm/root/")" ]
	[ "$(readlink "/proc/$vmm/cwd")" = / ]
	run ! touch "/proc/$vmm/root/x"
	for ns in mnt net ipc uts cgroup; do
		[ "$(readlink "/proc/$vmm/ns/$ns")" != \
			"$(readlink /proc/self/ns/$ns)" ]
	done
	[ -z "$(tr '\0' '\n' <"/proc/$vmm/environ")" ]
	grep -c . "/proc/$vmm/net/dev"
	# Only the loopback, and that is down.
	[ "$(tail -n +3 "/proc/$vmm/net/dev" | wc -l)" -le 1 ]
	kill "$pid"
	wait "$pid" || true
	nothing_left
}

@test "jail: only the descriptors it was given, and what it made of them" {
	[ "$(id -u)" -eq 0 ] || skip "looks into another user's process"
	start_box
	dir=$VIAL_RUNDIR/boxes/$id
	for f in /proc/"$vmm"/fd/*; do
		to=$(readlink "$f")
		echo "${f##*/} $to"
		case $to in
		/dev/null|/dev/kvm) ;;
		anon_inode:kvm-vm|anon_inode:kvm-vcpu:*|anon_inode:*eventfd*) ;;
		anon_inode:*eventpoll*|anon_inode:*timerfd*) ;;
		anon_inode:*signalfd*|anon_inode:*io_uring*) ;;
		anon_inode:kvm-vcpu-stats*|anon_inode:kvm-vm-stats*) ;;
		socket:*) ;;
		"$dir"/console.log|"$dir"/vmm.log|"$dir"/lock) ;;
		*vmlinux|*initramfs.cpio|*.ext4) ;;
		"$VIAL_DATADIR"/*' (deleted)') ;;
		*memfd:*) ;;
		*)	echo "not expected"
			return 1 ;;
		esac
	done
	# What can be written to: logs, lock, its own disk, sockets.
	for f in /proc/"$vmm"/fdinfo/*; do
		to=$(readlink "/proc/$vmm/fd/${f##*/}")
		flags=$(awk '/^flags/ { print $2 }' "$f")
		case $to in
		*vmlinux|*initramfs.cpio|*test.ext4)
			[ $((8#$flags & 3)) -eq 0 ] ;;
		esac
	done
	kill "$pid"
	wait "$pid" || true
	nothing_left
}

@test "jail: a call outside of the table ends it, visibly" {
	# A signal that asks for the handler's line: SIGSYS from outside is not
	# a call of its own, and must not be taken for one.
	start_box
	kill -SYS "$vmm"
	status=0
	wait "$pid" || status=$?
	cat out.err
	[ "$status" -eq 125 ]
	grep -q '^vial: the monitor ' out.err
	nothing_left
}
