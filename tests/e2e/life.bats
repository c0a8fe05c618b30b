#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# life - boxes that live: created, started, attached to, stopped, killed.

# shellcheck disable=SC2154,SC2016,SC2034 # some is expanded in the guest; run sets variables
load common

setup() { common_setup; }
teardown() { common_teardown; }

is() { [[ $(vial inspect -f '{{.State.Status}}' "$1") == "$2" ]]; }

@test "life: create, start twice on one disk, logs, rm" {
	vrun -0 vial create -i --name job "$IMAGE" \
		sh -c 'cat >>/kept; cat /kept; echo word >&2'
	id=$output
	[ ${#id} -eq 64 ]
	is job created
	vrun -0 vial logs job
	[ -z "$output$stderr" ]
	run --separate-stderr bash -c 'echo one | timeout 300 "$1" start -ai job' - "$VIAL"
	show
	[ "$status" -eq 0 ]
	[ "$output" = one ]
	[ "$stderr" = word ]
	run --separate-stderr bash -c 'echo two | timeout 300 "$1" start -a -i "$2"' - "$VIAL" "${id:0:6}"
	show
	[ "$output" = $'one\ntwo' ]
	vrun -0 vial logs job
	[ "$output" = $'one\none\ntwo' ]
	[ "$stderr" = $'word\nword' ]
	vrun -0 vial logs --tail 1 job
	[ "${#lines[@]}" -le 1 ]
	vrun -125 vial run --name job "$IMAGE" true
	one_line Conflict
	vrun -0 vial rm "$id"
	vrun -1 vial start job
	one_line job
	nothing_left
}

@test "life: detached, exec, attach, stop with its signal, wait" {
	vrun -0 vial run -d --name bg --stop-signal USR1 "$IMAGE" \
		sh -c 'trap "echo bye; exit 9" USR1; echo up; while :; do sleep 0.1; done'
	id=$output
	[ ${#id} -eq 64 ]
	vrun -0 vial exec bg echo inside
	[ "$output" = inside ]
	vrun -7 vial exec bg sh -c 'exit 7'
	vrun -127 vial exec bg no-such-program
	vrun -126 vial exec bg /etc
	run bash -c 'head -c 100000 /dev/urandom | tee in | timeout 300 "$1" exec -i bg cat >out' - "$VIAL"
	cmp in out
	timeout 300 "$VIAL" wait bg >wait.out 3>&- &
	waiter=$!
	timeout 300 "$VIAL" attach --no-stdin bg >attach.out 3>&- &
	attached=$!
	sleep 1
	vrun -0 vial stop -t 20 bg
	wait "$waiter"
	[ "$(cat wait.out)" = 9 ]
	status=0
	wait "$attached" || status=$?
	[ "$status" -eq 9 ]
	[ "$(cat attach.out)" = bye ]
	vrun -0 vial logs bg
	[ "$output" = $'up\nbye' ]
	is bg exited
	vrun -0 vial wait bg
	[ "$output" = 9 ]
	vrun -1 vial exec bg true
	vrun -1 vial kill bg
	vrun -0 vial stop bg
	vrun -0 vial rm bg
	nothing_left
}

@test "life: a command that cannot start, and one that ignores TERM" {
	vrun -127 vial run -d --rm "$IMAGE" no-such-program
	one_line no-such-program
	vrun -0 vial run -d --rm --name deaf "$IMAGE" \
		sh -c 'trap "" TERM; while :; do sleep 1; done'
	vrun -0 vial stop -t 1 deaf
	vrun -1 vial stop deaf
	nothing_left
}

@test "life: pause, unpause, rename, restart, kill" {
	vrun -0 vial run -d --name one "$IMAGE" sh -c 'echo start; exec sleep 1000'
	vrun -0 vial pause one
	is one paused
	vrun -1 vial pause one
	vrun -1 vial exec one true
	vrun -0 vial unpause one
	is one running
	vrun -0 vial rename one two
	vrun -1 vial rename two two
	vrun -1 vial kill one
	vrun -0 vial restart -t 1 two
	is two running
	vrun -0 vial logs two
	[ "$output" = $'start\nstart' ]
	vrun -0 vial kill two
	vrun -0 vial wait two
	[ "$output" = 137 ]
	vrun -1 vial rm no-such-box
	vrun -0 vial rm -f two no-such-box
	nothing_left
}

@test "life: keeper, shim and monitor killed: ps tells the truth" {
	for who in vial-keeper vial-shim vial-vmm all; do
		vrun -0 vial run -d --name "of-$who" "$IMAGE" sleep 1000
		for pid in $(our_pids) $(monitor_pid "$output"); do
			name=$(cat "/proc/$pid/comm" 2>/dev/null || true)
			[[ $who != all && $name != "$who"* ]] ||
				kill -9 "$pid" || true
		done
		wait_for 30 is "of-$who" exited
		vrun -0 vial ps -q
		[ -z "$output" ]
		# And it can be started again.
		vrun -0 vial start "of-$who"
		vrun -0 vial exec "of-$who" true
		vrun -0 vial rm -f "of-$who"
	done
	nothing_left
}

@test "life: two who start one box, and two of one name" {
	vrun -0 vial create --name twin "$IMAGE" sleep 1000
	timeout 300 "$VIAL" start twin >a 2>&1 3>&- &
	one=$!
	timeout 300 "$VIAL" start twin >b 2>&1 3>&- &
	two=$!
	wait "$one" || true
	wait "$two" || true
	is twin running
	grep -q . a b
	vrun -0 vial ps -q
	[ "${#lines[@]}" -eq 1 ]
	vrun -0 vial rm -f twin
	nothing_left
}

@test "life: health" {
	vrun -0 vial run -d --name ill --health-cmd 'test -e /well' \
		--health-interval 1s --health-retries 2 "$IMAGE" sleep 1000
	health() { [[ $(vial inspect -f '{{.State.Health.Status}}' ill) == "$1" ]]; }
	health starting
	wait_for 60 health unhealthy
	vrun -0 vial exec ill touch /well
	wait_for 60 health healthy
	vrun -0 vial rm -f ill
	nothing_left
}

@test "life: rights of the command are docker's" {
	vrun -0 vial run -d --name cap "$IMAGE" sleep 1000
	vrun -0 vial exec cap grep CapEff /proc/self/status
	[[ $output == *00000000a80425fb ]]
	vrun -0 vial exec --privileged cap grep CapEff /proc/self/status
	[[ $output != *00000000a80425fb ]]
	vrun -0 vial rm -f cap
	vrun -0 box --cap-drop ALL --cap-add CHOWN -- grep CapEff /proc/self/status
	[[ $output == *0000000000000001 ]]
	vrun -0 box --read-only -- sh -c 'touch /x 2>/dev/null || echo refused'
	[ "$output" = refused ]
	vrun -0 box --add-host db:10.0.0.7 -- grep db /etc/hosts
	[[ $output == 10.0.0.7*db* ]]
	vrun -0 box --sysctl kernel.shmmni=77 -- cat /proc/sys/kernel/shmmni
	[ "$output" = 77 ]
	nothing_left
}

@test "life: what hung when the time was up" {
	vrun -124 vial run --name slow --timeout 2 "$IMAGE" sh -c 'sleep 1000'
	vrun -0 vial logs --report slow
	[[ $output == *sleep* ]]
	# Where in the kernel, too.
	[[ $output == *"hrtimer_nanosleep+0x"* ]]
	vrun -0 vial rm slow
	nothing_left
}

@test "life: the log is bounded" {
	vrun -0 vial run --name loud --log-opt max-size=64k --log-opt max-file=2 \
		"$IMAGE" sh -c 'i=0; while [ $i -lt 20000 ]; do echo "line $i"; i=$((i+1)); done'
	[ "$(du -cb "$VIAL_DATADIR"/boxes/*/log* | awk 'END { print $1 }')" -le 200000 ]
	vrun -0 vial logs --tail 1 loud
	[ "$output" = "line 19999" ]
	vrun -0 vial rm loud
	nothing_left
}
