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
