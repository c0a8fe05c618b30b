#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# crash_disk - vial dies while the disk of an image is made in a VM: at each
# call that changes the store, and in the middle of unpacking; so does the VM's
# monitor. The store's other commands are crash's.

# shellcheck disable=SC2154 # run sets variables
load common

setup()
{
	common_setup
	vial load -qi "$B/images/busybox-latest.oci.tar" -t a:1
	leftovers >"$before"
}

teardown() { common_teardown; }

disks() { find "$VIAL_DATADIR/images/disks" -name '*.ext4'; }
nobody() { [ -z "$(our_pids)" ]; }

# The builder's monitor: sets vmm.
vmm_runs()
{
	for vmm in $(our_pids); do
		[[ $(cat "/proc/$vmm/comm") != vial-vmm ]] || return 0
	done
	return 1
}

# What the dead left: no process, nothing half-made once the next command has
# been, and a disk that is whole or none.
consistent()
{
	local disk
	wait_for 30 nobody
	vial image prune -f >/dev/null
	[ -z "$(ls "$VIAL_DATADIR/images/tmp")" ]
	[ "$(vial images -q | wc -l)" -eq 1 ]
	disk=$(disks)
	[[ -z $disk ]] || /sbin/e2fsck -fn "$disk" >/dev/null
	rm -f "$disk"
}

run_again()
{
	vrun -0 vial run --rm a:1 echo alive
	[ "$output" = alive ]
	[ "$(disks | wc -l)" -eq 1 ]
	rm -f "$(disks)"
	rm -f "$VIAL_DATADIR"/images/disks/*.lock
	nothing_left
}

@test "crash_disk: vial, at every change of the store" {
	deaths=0
	for call in fsync renameat; do
		for ((n = 1; ; n++)); do
			echo "a death at $call $n"
			code=0
			timeout -k 5 60 bash -c '"$@"; exit $?' - \
				strace -qq -o /dev/null -e "trace=$call" \
				-e "inject=$call:signal=KILL:when=$n" \
				"$VIAL" run --rm a:1 true >/dev/null 2>&1 ||
				code=$?
			[ "$code" -ne 0 ] || break
			[ "$code" -eq 137 ]
			deaths=$((deaths + 1))
			consistent
		done
		rm -f "$(disks)"
	done
	[ "$deaths" -ge 3 ]
	run_again
}

@test "crash_disk: vial, and the monitor, in the middle" {
	for ms in 300 900 1600; do
		"$VIAL" run --rm a:1 true >/dev/null 2>&1 3>&- &
		pid=$!
		sleep "$((ms / 1000)).$((ms % 1000))"
		kill -9 "$pid" || true
		wait "$pid" || true
		consistent
	done
	"$VIAL" run --rm a:1 true >out 2>err 3>&- &
	pid=$!
	wait_for 30 vmm_runs
	kill -9 "$vmm"
	code=0
	wait "$pid" || code=$?
	cat err
	[ "$code" -eq 125 ]
	grep -q '^vial: image a:1: ' err
	[ -z "$(disks)" ]
	consistent
	run_again
}
