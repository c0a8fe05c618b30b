#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# leftovers - who ever is killed, whenever: no process, file, mount,
# namespace or control group stays.

# shellcheck disable=SC2154,SC2030,SC2031 # run sets variables; a test is a subshell
load common

setup() { common_setup; }
teardown() { common_teardown; }

# The parts of a running box: client, shim, monitor; by name, from our_pids.
part()	# NAME
{
	local p
	for p in $(our_pids); do
		if [[ $(cat "/proc/$p/comm" 2>/dev/null) == "$1" ]]; then
			echo "$p"
		fi
	done
}

client() { part vial; }

start_box()
{
	start out run --rm "$IMAGE" sh -c 'echo up; sleep 1000'
	wait_for 100 grep -q up out
	[ "$(client | wc -l)" -eq 1 ]
	[ "$(part vial-shim | wc -l)" -eq 1 ]
	[ "$(part vial-vmm | wc -l)" -eq 1 ]
}

end_box() { status=0; wait "$pid" || status=$?; cat out.err; }

@test "leftovers: after each signal that ends the client" {
	for sig in INT TERM HUP KILL; do
		start_box
		kill -$sig "$(client)"
		end_box
		[ "$status" -eq $((128 + $(kill -l $sig))) ]
		nothing_left
	done
}

@test "leftovers: the monitor is killed" {
	start_box
	kill -9 "$(part vial-vmm)"
	end_box
	[ "$status" -eq 125 ]
	grep -q '^vial: the monitor was killed by signal 9' out.err
	nothing_left
}

@test "leftovers: the shim is killed" {
	start_box
	kill -9 "$(part vial-shim)"
	end_box
	[ "$status" -eq 125 ]
	grep -q '^vial: ' out.err
	nothing_left
}

@test "leftovers: client and shim are killed at once" {
	start_box
	kill -9 "$(client)" "$(part vial-shim)"
	end_box
	wait_for 20 test -z "$(our_pids)"
	# The directory is swept by whoever comes next.
	vial ps >/dev/null
	nothing_left
}

@test "leftovers: all three are killed at once" {
	start_box
	# shellcheck disable=SC2046 # three words
	kill -9 $(client) $(part vial-shim) $(part vial-vmm)
	end_box
	vrun -0 vial ps -a
	[ "${#lines[@]}" -eq 1 ]
	nothing_left
}

@test "leftovers: the second control-C does not wait" {
	start out run --rm "$IMAGE" \
		sh -c 'trap "echo heard" INT; echo up; while :; do sleep 0.2; done'
	wait_for 100 grep -q up out
	c=$(client)
	kill -INT "$c"
	wait_for 20 grep -q heard out
	kill -INT "$c"
	end_box
	[ "$status" -eq 137 ]
	nothing_left
}

# VIAL_CYCLES=50: the whole of these two; a few are run each time.
@test "leftovers: killed clients leave nothing, without any sweep" {
	# Moments from right after the start to well after the guest is up.
	RANDOM=20
	for i in $(seq "${VIAL_CYCLES:-8}"); do
		ms=$((RANDOM % (i % 2 ? 300 : 3000)))
		"$VIAL" run --rm "$IMAGE" sleep 1000 >/dev/null 2>&1 \
			</dev/null 3>&- &
		pid=$!
		sleep "$(printf '%d.%03d' $((ms / 1000)) $((ms % 1000)))"
		kill -9 "$pid" || true
		wait "$pid" || true
	done
	nothing_left
}

@test "leftovers: somebody of each box killed at a random moment" {
	RANDOM=50
	for i in $(seq "${VIAL_CYCLES:-16}"); do
		ms=$((RANDOM % 2000))
		who=$((RANDOM % 4))
		"$VIAL" run --rm "$IMAGE" sleep 1000 >/dev/null 2>&1 \
			</dev/null 3>&- &
		pid=$!
		sleep "$(printf '%d.%03d' $((ms / 1000)) $((ms % 1000)))"
		# From the client down, or all of them.
		# shellcheck disable=SC2046 # a list of pids
		case $who in
		0)	kill -9 "$pid" ;;
		1)	kill -9 $(part vial-shim) 2>/dev/null ;;
		2)	kill -9 $(part vial-vmm) 2>/dev/null ;;
		3)	kill -9 $(our_pids) 2>/dev/null ;;
		esac || true
		# Who was spared ends by itself, or at a word from the user.
		sleep 0.1
		kill -TERM "$pid" 2>/dev/null || true
		wait "$pid" || true
	done
	vrun -0 vial ps -a
	[ "${#lines[@]}" -eq 1 ]
	nothing_left
}

@test "leftovers: three boxes at once, and one of them killed" {
	for n in 1 2 3; do
		"$VIAL" run --rm --name "box$n" "$IMAGE" \
			sh -c 'echo up; sleep 1000' >"out$n" 2>&1 \
			</dev/null 3>&- &
		pids[n]=$!
	done
	for n in 1 2 3; do
		wait_for 100 grep -q up "out$n"
	done
	vrun -0 vial ps -q
	[ "${#lines[@]}" -eq 3 ]
	kill -9 "${pids[2]}"
	wait_for 20 sh -c "! '$VIAL' ps | grep -q box2"
	vrun -0 vial ps
	[[ $output == *box1* && $output == *box3* ]]
	vrun -1 vial rm box1
	one_line box1 runs
	vrun -0 vial rm -f box1 box3
	wait "${pids[1]}" "${pids[2]}" "${pids[3]}" || true
	nothing_left
}

@test "leftovers: copies that are cut off" {
	mkdir src out
	"$E/tool" noise 1 30000000 >src/big
	for ms in 500 1500 2500 3500; do
		"$VIAL" run --rm --copy-in "$PWD/src:/src" --artifact "/src:$PWD/out" \
			"$IMAGE" true >/dev/null 2>&1 </dev/null 3>&- &
		pid=$!
		sleep "$(printf '%d.%03d' $((ms / 1000)) $((ms % 1000)))"
		kill -9 "$pid" || true
		wait "$pid" || true
	done
	nothing_left
}

# ---- a host that has run out of something ----

@test "leftovers: no space for the box's disk" {
	mkdir small
	# shellcheck disable=SC2016 # expanded inside
	vrun -9 with_mounts sh -c '
		mount -t tmpfs -o size=4m none small &&
		VIAL_DATADIR=$PWD/small "$@"' - \
		"$VIAL" run --name full "$IMAGE" sh -c '
		dd if=/dev/urandom of=/big bs=1M count=20 2>/dev/null
		sync; dd if=/dev/urandom of=/more bs=64k count=1 conv=fsync ||
			exit 9'
	[[ $stderr == *"Input/output error"* || \
		$stderr == *"Read-only file system"* ]]
	# The reason is vial's to say: the guest can only see an I/O error.
	[[ $stderr == *"vial: "*"No space left on device"* ]]
	nothing_left
}

@test "leftovers: no space for the box's directory" {
	# shellcheck disable=SC2016 # expanded inside
	vrun -125 with_mounts sh -c '
		mkdir small && mount -t tmpfs -o size=64k none small &&
		head -c 100000 /dev/zero >small/full 2>/dev/null
		VIAL_RUNDIR=$PWD/small/run "$@"' - "$VIAL" run --rm "$IMAGE" true
	one_line 'No space left on device'
	nothing_left
}

@test "leftovers: a host without memory" {
	# Address space for the client, not for a guest.
	# shellcheck disable=SC2016 # expanded inside
	vrun -125 sh -c 'ulimit -v 600000; exec "$@"' - \
		timeout -k 5 "$PATIENCE" "$VIAL" run --rm -m 1g "$IMAGE" true
	one_line memory
	nothing_left
}

@test "leftovers: the host kills the monitor for memory" {
	[ "$(id -u)" -eq 0 ] || skip "makes a control group: needs root"
	cg=/sys/fs/cgroup/vial-e2e
	mkdir "$cg"
	echo 120M >"$cg/memory.max"
	[ ! -e "$cg/memory.swap.max" ] || echo 0 >"$cg/memory.swap.max"
	start out run --rm -m 512m "$IMAGE" \
		sh -c 'echo up; until [ -e /go ]; do sleep 0.1; done; tool eat 400'
	wait_for 100 grep -q up out
	# Only the monitor is in it, or the kernel might choose the client.
	part vial-vmm >"$cg/cgroup.procs"
	vial exec "$(vial ps -q)" touch /go
	end_box
	wait_for 20 rmdir "$cg"
	[ "$status" -eq 125 ]
	grep -q '^vial: the monitor was killed by signal 9' out.err
	nothing_left
}

@test "leftovers: a box that is removed while its directory is damaged" {
	start_box
	id=$(vial ps -q --no-trunc)
	echo '{ broken' >"$VIAL_RUNDIR/boxes/$id/state.json"
	vrun -0 vial ps -a
	[[ $output == *" Up "*" ${id:0:12}" ]]
	kill -TERM "$(client)"
	end_box
	[ "$status" -eq 143 ]
	nothing_left
	# And junk among the boxes is nobody's box.
	junk=$(printf '0123456789abcdef%.0s' 1 2 3 4)
	mkdir -p "$VIAL_RUNDIR/boxes/not-a-box" "$VIAL_RUNDIR/boxes/$junk"
	echo x >"$VIAL_RUNDIR/boxes/$junk/state.json"
	vrun -0 vial ps -a
	[ "${#lines[@]}" -eq 1 ]
	[ ! -e "$VIAL_RUNDIR/boxes/$junk" ]
	rmdir "$VIAL_RUNDIR/boxes/not-a-box"
}
