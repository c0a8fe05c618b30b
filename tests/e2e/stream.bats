#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# stream - that no byte is lost, added or changed on its way through.
#
# VIAL_E2E_BYTES says how much goes through stdin and back through stdout. The
# default suits the lab; the whole gigabyte that was promised:
#
#     make e2e-bins && VIAL_E2E_BYTES=1073741824 VIAL_E2E_PATIENCE=3000 \
#         scripts/with-kvm bats -f round tests/e2e/stream.bats

# shellcheck disable=SC2154,SC2030,SC2031 # run sets variables; a test is a subshell
load common

setup() { common_setup; }
teardown() { common_teardown; }

bytes=${VIAL_E2E_BYTES:-67108864}

@test "stream: random bytes make the round trip with the same sha256" {
	"$E/tool" noise 1 "$bytes" | sha256sum >want
	"$E/tool" noise 1 "$bytes" | vial run --rm -i "$IMAGE" cat 2>err |
		tee >(wc -c >count) | sha256sum >got
	status=("${PIPESTATUS[@]}")
	cat want got err
	[ "${status[*]}" = "0 0 0 0" ]
	cmp want got
	[ ! -s err ]
	wait_for 10 grep -qx "$bytes" count
}

@test "stream: all 256 byte values, and output without a newline" {
	for i in $(seq 0 255); do
		printf "%b" "\\x$(printf %02x "$i")"
	done >all
	vial run --rm -i "$IMAGE" cat <all >got
	cmp all got
	vial run --rm "$IMAGE" printf 'no newline' >got
	[ "$(od -An -c got | tr -d ' \n')" = nonewline ]
}

@test "stream: both streams at once, whole and apart" {
	# 1.2 million lines, about 84 MB, to two readers.
	count=${VIAL_E2E_LINES:-600000}
	status=0
	vial run --rm "$IMAGE" tool both "$count" \
		2> >("$E/tool" check err "$count" >err.count 2>&1) \
		> >("$E/tool" check out "$count" >out.count 2>&1) || status=$?
	wait_for 60 test -s out.count -a -s err.count
	cat out.count err.count
	[ "$status" -eq 0 ]
	[[ $(cat out.count) =~ ^[0-9]+$ ]]
	[ "$(cat out.count)" = "$(cat err.count)" ]
}

@test "stream: a slow reader slows the command, and gets everything" {
	vial run --rm "$IMAGE" sh -c 'tool noise 2 3000000; echo end >&2' \
		2>err | "$E/tool" slow 20 2000000 >got
	status=("${PIPESTATUS[@]}")
	[ "${status[*]}" = "0 0" ]
	[ "$(cat got)" = 3000000 ]
	[ "$(cat err)" = end ]
	# And one that first sleeps.
	vial run --rm "$IMAGE" tool noise 3 2000000 |
		{ sleep 5; wc -c; } >got
	[ "$(cat got)" = 2000000 ]
}

@test "stream: a slow command takes its input at its pace" {
	"$E/tool" noise 4 3000000 |
		vial run --rm -i "$IMAGE" tool slow 20 2000000 >got
	[ "$(cat got)" = 3000000 ]
}

@test "stream: a reader that leaves ends the command by SIGPIPE" {
	vial run --rm "$IMAGE" yes 2>err | head -n 1 >got
	status=("${PIPESTATUS[@]}")
	cat err
	[ "$(cat got)" = y ]
	[ "${status[0]}" -eq 141 ]
	[ ! -s err ]
	nothing_left
}

@test "stream: a command that does not read its input" {
	"$E/tool" noise 5 5000000 2>/dev/null |
		vial run --rm -i "$IMAGE" sh -c 'exec <&-; echo did not' >got
	[ "${PIPESTATUS[1]}" -eq 0 ]
	[ "$(cat got)" = "did not" ]
	# Half of it.
	"$E/tool" noise 5 5000000 2>/dev/null |
		vial run --rm -i "$IMAGE" head -c 1000000 | wc -c >got
	[ "$(cat got)" = 1000000 ]
	nothing_left
}

@test "stream: closed stdin, stdout and stderr of vial's own" {
	vial run --rm -i "$IMAGE" wc -c <&- >got
	[ "$(cat got)" = 0 ]
	status=0
	vial run --rm "$IMAGE" sh -c 'echo out; echo err >&2; exit 4' \
		>&- 2>err || status=$?
	cat err
	[ "$status" -eq 4 ] || [ "$status" -eq 125 ]
	status=0
	vial run --rm "$IMAGE" sh -c 'echo out; exit 5' >got 2>&- || status=$?
	[ "$status" -eq 5 ]
	[ "$(cat got)" = out ]
	nothing_left
}

@test "stream: a full disk under stdout is said" {
	status=0
	vial run --rm "$IMAGE" sh -c 'yes | head -c 1000000' >/dev/full \
		2>err || status=$?
	cat err
	[ "$status" -eq 125 ] || [ "$status" -eq 141 ]
	grep -q 'No space left on device' err
	nothing_left
}

@test "stream: files, append mode and sockets as streams" {
	"$E/tool" noise 6 1000000 >in
	echo first >log
	vial run --rm -i "$IMAGE" cat <in >>log
	{ echo first; cat in; } | cmp - log
	vial run --rm -i "$IMAGE" sh -c 'echo out; echo err >&2' <in >log 2>&1
	[ "$(sort log)" = $'err\nout' ]
}

@test "stream: what the command left behind ends with it, as in a container" {
	# A daemon that keeps stdout open past the end does not keep the box.
	vrun -0 box sh -c '(sleep 1000; echo late) & echo early'
	[ "$output" = early ]
}

# ---- unix sockets (--forward) ----

# A server of the host's at ./host.sock.
host_server()
{
	"$E/tool" echo "$PWD/host.sock" >server.out 2>&1 3>&- &
	server=$!
	wait_for 20 grep -q up server.out
}

part()	# NAME
{
	local p
	for p in $(our_pids); do
		if [[ $(cat "/proc/$p/comm" 2>/dev/null) == "$1" ]]; then
			echo "$p"
		fi
	done
}

served() { echo hi | "$E/tool" call g | grep -q hi; }
nobody() { [ -z "$(our_pids)" ]; }

@test "stream: the host's sockets in a guest, and an ssh-agent" {
	host_server
	timeout 300 ssh-agent -D -a "$PWD/agent.sock" >/dev/null 3>&- &
	local agent=$!
	export SSH_AUTH_SOCK=$PWD/agent.sock
	wait_for 20 test -S agent.sock
	ssh-keygen -q -N '' -t ed25519 -C one -f key
	ssh-add -q key
	"$E/tool" noise 9 3000000 | sha256sum >want
	# A hundred at once, each with bytes of its own, half-closed; the last
	# one's bytes are still on their way when the command ends.
	vrun -0 vial run --rm --forward ./host.sock:/run/a/b.sock \
		--forward ssh -v /usr:/h:ro --user 1000 "$IMAGE" sh -c '
		echo hello | tool call /run/a/b.sock
		tool many 100 100000 /run/a/b.sock
		tool noise 9 3000000 | tool call /run/a/b.sock |
			head -c 3000000 | sha256sum
		L=/h/lib/x86_64-linux-gnu
		$L/ld-linux-x86-64.so.2 --library-path $L /h/bin/ssh-add -l'
	kill "$server" "$agent"
	[ "${lines[0]} ${lines[1]}" = "hello bye" ]
	[ "${lines[2]}" = "100 right" ]
	[ "${lines[3]}" = "$(cat want)" ]
	[[ ${lines[4]} == *" one (ED25519)" ]]
	nothing_left
}

@test "stream: what a command wrote to a socket arrives, though it has ended" {
	"$E/tool" sink "$PWD/sink.sock" >server.out 2>&1 3>&- &
	wait_for 20 grep -q up server.out
	vrun -0 box --forward ./sink.sock:/run/sink -- \
		sh -c 'tool noise 4 5000000 | tool say /run/sink'
	wait "$!"
	"$E/tool" noise 4 5000000 | cmp - <(tail -c +4 server.out)
}

@test "stream: a guest's socket on the host, until its end, whatever that is" {
	host_server
	vrun -0 vial create --name back --forward guest:/srv/g:"$PWD/g" \
		--forward "$PWD/host.sock:/run/h" "$IMAGE" tool echo /srv/g
	[ ! -e g ]
	for death in stop kill; do
		vrun -0 vial start back
		[ "$(stat -c %a g)" = 600 ]
		wait_for 60 served
		[ "$(echo hi | "$E/tool" call g)" = $'hi\nbye' ]
		vrun -0 timeout 100 "$E/tool" many 100 50000 g
		[ "$output" = "100 right" ]
		# From what comes later, too; and it is nobody else's place.
		vrun -0 vial exec back sh -c 'echo ex | tool call /run/h'
		[ "$output" = $'ex\nbye' ]
		vrun -125 vial run --rm --forward guest:/x:./g "$IMAGE" true
		one_line "$PWD/g: is in use"
		if [ $death = stop ]; then
			vrun -0 vial stop -t 0 back
		else
			kill -9 "$(part vial-keeper)"
		fi
		wait_for 20 test ! -e g
	done
	vrun -0 vial start back
	# The worst: nobody is left to remove it. The next one takes it back.
	our_pids | xargs kill -9
	wait_for 20 nobody
	[ -S g ]
	vrun -0 vial start back
	wait_for 60 served
	vrun -0 vial rm -f back
	[ ! -e g ]
	kill "$server"
	nothing_left
}

@test "stream: sockets that cannot be had are told of at once" {
	host_server
	: >file
	vrun -125 box --forward ./no.sock:/run/a -- true
	one_line --forward "$PWD/no.sock" "No such file"
	vrun -125 box --forward ./file:/run/a -- true
	one_line "is no socket"
	SSH_AUTH_SOCK='' vrun -125 box --forward ssh -- true
	one_line ssh-agent
	vrun -125 box --forward guest:/run/a:./no/g -- true
	one_line "No such file"
	vrun -125 box --forward guest:/run/a:./file -- true
	one_line "is in use"
	vrun -125 box --forward ./host.sock:/proc/a -- true
	one_line "in the guest: /proc/a"
	# Nobody there yet, or any more: an end of file, and one word of it.
	kill "$server"
	wait "$server" || true
	vrun -0 box --forward ./host.sock:/run/a -- \
		sh -c 'for i in 1 2 3; do tool call /run/a </dev/null; done'
	one_line "host.sock: Connection refused"
}
