#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# many - one box, a lot of commands, and a lot from one of them.
#
#   VIAL_E2E_LONG=1  10 GiB from it, not 64 MiB: ten minutes in a lab, which
#                    should have one CPU for that (LAB_CPUS=1)

# shellcheck disable=SC2016,SC2030,SC2031,SC2154 # some is expanded in the guest; run sets variables; a test is a subshell
load clients

setup() { clients_setup; }
teardown() { clients_teardown; }

# A fifo that its main process keeps open, so that a byte put into it waits.
start_many()
{
	vrun -0 vial run -d --name many -m 512m "$IMAGE" \
		sh -c 'mkfifo /go; exec 9<>/go; sleep 100000'
	is_id "$output"
	wait_for 60 vial exec many test -p /go
}

@test "many: 200 commands at once, 200 right answers" {
	count=${VIAL_E2E_EXECS:-200}
	start_many
	pids=()
	for i in $(seq "$count"); do
		(
			status=0
			"$VIAL" exec -i -e "N=$i" many sh -c 'read -r line
				echo "up $line"
				dd if=/go bs=1 count=1 2>/dev/null >&2
				echo "$N $((N * N))"
				echo "err $N" >&2
				exit $((N % 251))' <<<"in $i" \
				>"out.$i" 2>"err.$i" || status=$?
			echo $status >"status.$i"
		) 3>&- &
		pids+=($!)
	done
	# All of them run before the first may end.
	wait_for "$PATIENCE" sh -c '[ "$(cat out.* | grep -c "^up")" -eq '"$count"' ]'
	[ "$(find . -name 'status.*' | wc -l)" -eq 0 ]
	vrun -0 vial exec many sh -c "head -c $count /dev/zero >/go"
	wait "${pids[@]}"
	wrong=0
	for i in $(seq "$count"); do
		if [[ $(<"out.$i") != "up in $i"$'\n'"$i $((i * i))" ||
			$(<"err.$i") != "err $i" ||
			$(<"status.$i") -ne $((i % 251)) ]]; then
			echo "$i:" "$(<"out.$i")" "$(<"err.$i")" \
				"$(<"status.$i")"
			wrong=$((wrong + 1))
		fi
	done
	[ $wrong -eq 0 ]
	# And nothing of them is left in there.
	vrun -0 vial exec many sh -c 'ps | grep -c "[d]d if=/go"; true'
	[ "$output" = 0 ]
	vrun -0 vial rm -f many
	nothing_left
}

# Memory of a process, its guest's apart, is what it has at most mapped: every
# byte that queues up somewhere must be in there.
peak_kb() { awk '/^VmPeak/ { print $2 }' "/proc/$1/status"; }

@test "many: a long output is whole, and nobody's memory grows with it" {
	bytes=${VIAL_E2E_BYTES:-$((64 << 20))}
	[[ -z ${VIAL_E2E_LONG:-} ]] || bytes=$((10 << 30))
	start_many
	vmm=$(monitor_pid "$output")
	# One that fills all buffers there are.
	vial exec many tool noise 1 4000000 | "$E/tool" same 1 4000000
	low=$(peak_kb "$vmm")
	"$VIAL" exec many tool noise 7 "$bytes" \
		> >("$E/tool" same 7 "$bytes" >seen; echo $? >same) 3>&- &
	pid=$!
	client=0
	while [ ! -e same ]; do
		now=$(awk '/^VmHWM/ { print $2 }' "/proc/$pid/status" \
			2>/dev/null) || true
		client=${now:-$client}
		sleep 1
	done
	wait $pid
	echo "$(cat seen) bytes are as they should be"
	[ "$(cat same)" = 0 ]
	high=$(peak_kb "$vmm")
	echo "monitor: $low to $high kB; client: $client kB"
	[ $((high - low)) -le 1024 ]
	[ "$client" -le 16384 ]
	vrun -0 vial rm -f many
	nothing_left
}

@test "many: commands one after the other leave nothing in the box" {
	start_many
	vrun -0 vial exec many sh -c 'ls /proc | grep -c "^[0-9]"'
	first=$output
	for i in $(seq 30); do
		[ "$(vial exec many echo "$i")" = "$i" ]
	done
	# A client that is killed takes its command along.
	for i in 1 2 3 4 5; do
		bg out exec many sh -c 'echo up; sleep 1000'
		wait_for 60 grep -q up out
		kill -9 "$pid"
		bg_end out
	done
	wait_for 30 sh -c '[ "$("$@")" -le '"$first"' ]' - \
		"$VIAL" exec many sh -c 'ls /proc | grep -c "^[0-9]"'
	vrun -0 vial rm -f many
	nothing_left
}
