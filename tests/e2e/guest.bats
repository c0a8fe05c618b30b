#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# guest - machines that end, hang or lie. Each gets one clear line, status
# 125 (or the command's own), and leaves nothing.
#
# prog/toy.c is a kernel that misbehaves, prog/fake.c an agent that does.

# shellcheck disable=SC2016,SC2030,SC2031,SC2154 # some is expanded in the guest; run sets variables; a test is a subshell
load common

setup() { common_setup; }
teardown() { common_teardown; }

@test "guest: a panic is told as such, with the end of the console" {
	# What is on its way out dies with the guest, so it is let out first.
	start out run --rm --name job "$IMAGE" sh -c 'echo before; sleep 1000'
	wait_for 100 grep -q before out
	vrun vial exec job sh -c 'echo c >/proc/sysrq-trigger'
	status=0
	wait "$pid" || status=$?
	[ "$status" -eq 125 ]
	stderr=$(cat out.err)
	one_line 'panicked: sysrq triggered crash'
	grep -q '^  | .*sysrq_handle_crash' <<<"$stderr"
	nothing_left
}

@test "guest: its console can be read afterwards, until it is removed" {
	vrun -125 vial run --name crashed "$IMAGE" \
		sh -c 'echo c >/proc/sysrq-trigger; sleep 100'
	one_line panicked
	grep -q 'vial logs --console' <<<"$stderr"
	vrun -0 vial logs --console crashed
	[[ $output == *"Kernel panic"* ]]
	vrun -0 vial ps -a
	[[ $output == *"Exited (125)"*crashed* ]]
	[ -z "$(our_pids)" ]
	vrun -0 vial ps
	[ "${#lines[@]}" -eq 1 ]
	vrun -0 vial rm crashed
	vrun -1 vial logs --console crashed
	one_line crashed
	nothing_left
}

@test "guest: a reboot and a power-off from inside" {
	vrun -125 box --privileged -- \
		sh -c 'echo bye; sleep 1; reboot -f; sleep 100'
	[ "$output" = bye ]
	one_line reboot
	vrun -125 box --privileged -- \
		sh -c 'echo bye; sleep 1; poweroff -f; sleep 100'
	[ "$output" = bye ]
	one_line 'switched itself off'
	nothing_left
}

@test "guest: the agent is killed" {
	# A signal does nothing to the first process ...
	vrun -0 box sh -c 'kill -9 1; kill -TERM 1; kill -INT 1; kill -SEGV 1
		sleep 1; echo alive'
	[ "$output" = alive ]
	# ... but its memory can be written.
	vrun -125 box --privileged -- sh -c 'echo before; tool poke 1
		while :; do echo more; sleep 0.1; done'
	one_line panicked
	[[ $stderr == *"Attempted to kill init"* ]]
	nothing_left
}

@test "guest: out of memory is said, with what to do about it" {
	vrun -137 box -m 128m --json r.json -- tool eat 500
	one_line 'out of memory' --memory 128m
	jq -e '.reason == "out-of-memory"' r.json
	# A child of the command, whose status the shell hands on.
	vrun -137 box -m 128m -- sh -c 'tool eat 500; exit $?'
	one_line 'out of memory'
	# A job that survives it has its own status, and nothing is said.
	vrun -0 box -m 128m -- sh -c 'tool eat 500 2>/dev/null; echo on'
	[ "$output" = on ]
	nothing_left
}

@test "guest: memory above 4 GiB is not set aside for devices that are not there" {
	total=$(awk '/^MemTotal/ { print $2 }' /proc/meminfo)
	[ "$total" -gt $((5 << 20)) ] || skip "a host of less than 5 GiB"
	vrun -0 box -m 4608m -- awk '/^MemTotal/ { print $2 }' /proc/meminfo
	# Page tables and the kernel take 98 MiB of it.
	[ "$output" -gt $(((4608 - 130) << 10)) ]
}

@test "guest: a full disk is the command's own affair" {
	vrun -1 box dd if=/dev/zero of=/big bs=1M count=200
	[[ $stderr == *"No space left on device"* ]]
	nothing_left
}

@test "guest: triple fault, reset, panic register, power-off register" {
	vrun -125 toy triple --rm
	one_line crashed
	vrun -125 toy reset --rm
	one_line restarted
	vrun -125 toy panic --rm
	one_line panicked
	[[ $stderr == *"  | toy: here"* ]]
	vrun -125 toy off --rm
	one_line 'switched itself off'
	nothing_left
}

@test "guest: one that never answers" {
	export VIAL_BOOT_TIMEOUT=3
	vrun -125 toy spin --rm --cpus 1
	one_line 'did not answer' VIAL_BOOT_TIMEOUT
	vrun -125 toy sleep --rm --cpus 2
	one_line 'did not answer'
	nothing_left
}

@test "guest: a console flood stays bounded and does no harm" {
	# Every byte is an exit, 40 us in the lab: a megabyte would take a
	# minute. VIAL_E2E_FLOOD=400 (pages) goes past the bound.
	pages=${VIAL_E2E_FLOOD:-16}
	vrun -125 toy "flood:$pages" --name flood
	one_line 'switched itself off'
	log=$VIAL_DATADIR/boxes/$(vial ps -aq --no-trunc)/console.log
	[ "$(stat -c %s "$log")" -le 1048576 ]
	[ "$(stat -c %s "$log")" -ge $((pages < 128 ? pages * 4096 : 524288)) ]
	# It is the newer part that is kept.
	vrun -0 vial logs --console flood
	[ "${lines[-1]}" = "toy: flood is over" ]
	vial rm flood
	# While a command runs: its own streams stay clean and complete.
	vrun -0 box --privileged -- sh -c 'echo on >/proc/sys/kernel/printk_devkmsg
		echo 8 >/proc/sys/kernel/printk
		(yes "<2>flood flood flood flood" | head -c 50000 |
			dd of=/dev/kmsg bs=500 2>/dev/null) &
		tool noise 7 1000000 | sha256sum; wait'
	[ "$output" = "$("$E/tool" noise 7 1000000 | sha256sum)" ]
	[ -z "$stderr" ]
	nothing_left
}

@test "guest: nonsense in virtio registers and rings" {
	# The machine goes on to its own end whatever the devices were told.
	for seed in 1 2 3; do
		for how in poke walk; do
			vrun -125 toy $how:$seed --name box --cpus 1
			[[ $stderr == "vial: the guest switched itself off"* ]]
			vial logs --console box | tee log
			grep -q "toy: $how done" log
			vial logs --monitor box | tee -a log
			grep -q broken log
			# Lines that a guest causes are limited.
			[ "$(wc -l <log)" -lt 200 ]
			vial rm box
		done
	done
	nothing_left
}

# Agents that break the rules.
fake()	# MODE OPTION...
{
	local mode=$1
	shift
	VIAL_KERNEL_ARGS="quiet fake=$mode" \
		vial run --rm --cpus 1 -m 64m "$@" "$IMAGE" true
}

@test "guest: agents that break the protocol, say nothing, or never let go" {
	parts initramfs.cpio "$E/fake.cpio"
	# These are waited for, so all at once.
	export VIAL_BOOT_TIMEOUT=25
	pids=()
	for how in noready silent chatter lie; do
		fake $how >"$how.out" 2>"$how.err" 3>&- &
		pids+=($!)
	done
	for how in garbage huge cut early close vanish; do
		vrun -125 fake $how
		one_line
	done
	[[ $stderr == *"switched itself off"* ]]
	for how in noready silent chatter lie; do
		status=0
		wait "${pids[0]}" || status=$?
		pids=("${pids[@]:1}")
		stderr=$(cat $how.err)
		echo "$how: $status $stderr"
		[ "$status" -eq 125 ]
		if [ $how = lie ]; then
			one_line 'keeps its output open'
		else
			one_line 'did not answer'
		fi
	done
	nothing_left
}
