#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# wrong - what is asked for wrongly, and users who leave in the middle: said as
# docker says it, with its exit status, and nothing half-made is left.

# shellcheck disable=SC2016,SC2086,SC2154 # some is expanded in the guest; run sets variables
load common

setup() { common_setup; }

teardown()
{
	[[ -z ${VIAL_RUNDIR:-} ]] || "$VIAL" ps -aq 2>/dev/null |
		xargs -r timeout 60 "$VIAL" rm -f >/dev/null 2>&1 </dev/null
	common_teardown
}

is() { [[ $(vial inspect -f '{{.State.Status}}' "$1") == "$2" ]]; }

# refused STATUS WORD... -- COMMAND...: with one line that has the words.
refused()
{
	local want=$1 words=()
	shift
	while [[ $1 != -- ]]; do
		words+=("$1")
		shift
	done
	shift
	vrun "-$want" vial "$@" </dev/null
	one_line "${words[@]}"
}

on_term()
{
	timeout --foreground -k 5 "$PATIENCE" "$E/term" "$@"
}

# Whether a command of the box has this word in its line.
runs() { vial exec "$1" ps -o args | grep -qF -- "$2"; }
runs_not() { ! runs "$@"; }

@test "wrong: words that nobody knows, and the nearest one" {
	refused 125 start -- strat job
	refused 125 '--memory?' -- run --memroy 1g "$IMAGE" true
	refused 125 '--detach?' -- exec --detahc job true
	refused 125 '--format?' -- ps --fromat x
	refused 125 '--all' -- ps --al
	refused 125 'unknown flag: --zzz' -- stop --zzz job
	refused 125 "'x' in -x" -- rm -x job
	refused 125 'needs an argument: --name' -- create --name
	refused 125 "cannot specify both --restart and --rm" -- \
		run --rm --restart always "$IMAGE" true
	refused 125 "invalid restart policy 'maybe'" -- \
		create --restart maybe "$IMAGE" true
	refused 125 "'nothing' must be true or false" -- run --rm=nothing "$IMAGE" x
	refused 125 "'vial rm' needs a BOX" -- rm
	refused 125 "'vial exec' needs a BOX" -- exec job
	refused 125 needs -- rename job
	refused 125 nosuchsignal -- kill -s nosuchsignal job
	refused 125 IMAGE -- create
	refused 125 'no command' -- create "$IMAGE"
	vrun -0 vial ps -aq
	[ -z "$output" ]
	nothing_left
}

@test "wrong: options that contradict each other" {
	refused 125 --attach --detach -- run -d -a stdout "$IMAGE" true
	refused 125 --no-healthcheck -- create --no-healthcheck \
		--health-cmd true "$IMAGE" true
	refused 125 --detach --json -- run -d --json out "$IMAGE" true
	refused 125 --quiet --debug -- run -q -D "$IMAGE" true
	refused 125 "two mounts on '/x'" -- run -v "$PWD:/x" --tmpfs /x/ \
		"$IMAGE" true
	refused 125 ctrl-1 -- run --detach-keys ctrl-1 "$IMAGE" true
	refused 125 ctrl-1 -- start --detach-keys ctrl-1 -a job
	refused 125 'not a TTY' -- run -it "$IMAGE" true
	refused 125 'not a TTY' -- exec -it job true
	refused 125 'cannot start and attach multiple' -- start -a one two
	refused 125 between -- cp one:/x two:/x
	refused 125 soon -- stop -t soon job
	: >there
	refused 1 there -- create --cidfile there "$IMAGE" true
	refused 125 there -- run --rm --cidfile there "$IMAGE" true
	[ ! -e out ]
	vrun -0 vial ps -aq
	[ -z "$output" ]
	nothing_left
}

@test "wrong: names that exist, names that cannot be, and short ids" {
	vrun -0 vial create --name job -it "$IMAGE" true
	id=$output
	refused 1 Conflict '"job"' "${id:0:12}" -- create --name job "$IMAGE" true
	refused 125 Conflict -- run -d --name job "$IMAGE" true
	refused 125 Conflict -- run --rm --name job "$IMAGE" true
	refused 125 'Invalid box name' -- create --name 'a b' "$IMAGE" true
	refused 1 'Invalid box name' -- rename job /x
	vrun -0 vial create --name other "$IMAGE" true
	refused 1 Conflict -- rename job other
	refused 1 'No such box: nobody' -- rename nobody somebody
	# Boxes until two ids begin alike, which is so for 17 at the latest.
	ids=$(vial ps -aq --no-trunc)
	while twice=$(cut -c1 <<<"$ids" | sort | uniq -d | head -n 1)
		[ -z "$twice" ]; do
		ids+=$'\n'$(vial create "$IMAGE" true)
	done
	refused 1 "'$twice' begins the id of" -- rm "$twice"
	refused 1 "'$twice' begins the id of" -- start "$twice"
	vrun -0 vial rm "$id"
	[ "$output" = "$id" ]
	# A name goes before the beginning of an id.
	first=$(grep -v "^$id" <<<"$ids" | head -n 1)
	vrun -0 vial rename other "${first:0:8}"
	vrun -0 vial inspect -f '{{.Name}}' "${first:0:8}"
	[ "$output" = "/${first:0:8}" ]
	vrun -0 vial prune -f
	nothing_left
}

@test "wrong: boxes in the wrong state" {
	vrun -0 vial create --name idle "$IMAGE" true
	for verb in pause unpause kill attach; do
		refused 1 idle 'not running' -- $verb idle
	done
	refused 1 idle 'not running' -- exec idle true
	refused 1 idle 'not running' -- top idle
	vrun -0 vial stop idle
	vrun -0 vial wait idle
	[ "$output" = 0 ]
	vrun -0 vial logs idle
	[ -z "$output$stderr" ]
	vrun -0 vial run -d --name busy "$IMAGE" sleep 1000
	refused 1 'stop it first' -- rm busy
	refused 1 'not paused' -- unpause busy
	vrun -0 vial start busy
	refused 1 nowhere -- cp busy:/nowhere .
	refused 127 no-such-program -- exec busy no-such-program
	vrun -0 vial pause busy
	refused 1 paused -- pause busy
	refused 1 paused -- exec busy true
	refused 1 paused -- attach busy
	refused 1 'stop it first' -- rm busy
	# What is there is done all the same, and the rest is said.
	vrun -1 vial stop -t 0 nobody busy
	[ "$output" = busy ]
	one_line 'No such box: nobody'
	is busy exited
	vrun -0 vial rm idle busy
	nothing_left
}

@test "wrong: streams that are closed, and readers that leave" {
	vrun -0 vial create --name job -i "$IMAGE" cat
	vrun -0 sh -c '"$@" start -ai job <&-' - "$VIAL"
	[ -z "$output" ]
	for verb in ps inspect\ job version help; do
		vrun -1 sh -c '"$@" >&-' - "$VIAL" $verb
		vrun -1 sh -c '"$@" >/dev/full' - "$VIAL" $verb
	done
	vrun -0 sh -c '"$@" ps -a <&- 2>&-' - "$VIAL"
	vrun -0 sh -c '"$@" rm job <&- >&- 2>&- || true' - "$VIAL"
	vrun -0 vial ps -aq
	[ -z "$output" ]
	vrun -0 vial run -d --name busy "$IMAGE" \
		sh -c 'i=0; while [ $i -lt 9999 ]; do echo "line $i"; i=$((i + 1)); done; sleep 1000'
	wait_for 60 sh -c '"$@" logs --tail 1 busy | grep -q 9998' - "$VIAL"
	# It ends with its reader, quietly.
	vrun -0 bash -c 'timeout 60 "$@" logs -f busy | head -n 1' - "$VIAL"
	[ "$output" = "line 0" ]
	[ -z "$stderr" ]
	vrun -0 bash -c 'timeout 60 "$@" exec busy yes | head -n 1' - "$VIAL"
	[ "$output" = y ]
	[ -z "$stderr" ]
	wait_for 30 runs_not busy yes
	vrun -0 bash -c 'timeout 60 "$@" cp busy:/bin - | head -c 512 | wc -c' - "$VIAL"
	[ "$output" = 512 ]
	vrun -0 sh -c 'timeout 60 "$@" exec -i busy cat <&-' - "$VIAL"
	[ -z "$output" ]
	vrun -0 vial rm -f busy
	nothing_left
}

@test "wrong: a second control-C, and clients that go" {
	vrun -0 vial run -d --name busy "$IMAGE" \
		sh -c 'trap "echo main told" INT; while :; do sleep 0.2; done'
	# The first one is the command's.
	"$VIAL" exec busy sh -c 'trap "echo told" INT; echo up
		while :; do sleep 0.2; done' >out 2>err </dev/null 3>&- &
	pid=$!
	wait_for 60 grep -q up out
	kill -INT $pid
	wait_for 30 grep -q told out
	kill -INT $pid
	status=0
	wait $pid || status=$?
	[ "$status" -eq 137 ]
	wait_for 30 runs_not busy 'echo up'
	# Nobody waits for a guest that does not answer to a signal.
	VIAL_ANSWER_TIMEOUT=12s "$VIAL" exec busy sh -c 'echo up; sleep 2345' \
		>out 2>err 3>&- &
	pid=$!
	wait_for 60 grep -q up out
	vmm=$(monitor_pid "$(vial inspect -f '{{.Id}}' busy)")
	kill -STOP "$vmm"
	kill -TERM $pid
	status=0
	wait $pid || status=$?
	[ "$status" -eq 125 ]
	VIAL_ANSWER_TIMEOUT=2s vrun -125 vial exec busy true
	kill -CONT "$vmm"
	one_line 'the guest does not answer'
	grep -q '^vial: the guest does not answer' err
	wait_for 30 runs_not busy 2345
	# A client that goes takes its command along, unless it need not wait.
	for sig in HUP KILL; do
		"$VIAL" exec busy sh -c 'echo up; sleep 4321' >out 3>&- &
		pid=$!
		wait_for 60 grep -q up out
		kill -$sig $pid
		wait $pid || true
		wait_for 30 runs_not busy 4321
	done
	vrun -0 vial exec -d busy sleep 1234
	wait_for 30 runs busy 1234
	# One that is attached does not.
	"$VIAL" attach busy >out </dev/null 3>&- &
	pid=$!
	sleep 1
	kill -INT $pid
	wait_for 30 grep -q 'main told' out
	kill -KILL $pid
	wait $pid || true
	is busy running
	runs busy 1234
	vrun -0 vial rm -f busy
	nothing_left
}

@test "wrong: a user who leaves a run, and comes back" {
	vrun -0 on_term 'expect ready
		send first\r
		expect <first>
		send \x10x\x10\x11
		expect left 0' \
		sh -c "stty -g >before
			'$VIAL' run --name job -it -v '$PWD:/w' '$IMAGE' sh -c '
				stty -echo; echo ready
				while read -r l; do echo \"<\$l>\"; done
				echo end >/w/file; exit 5'
			echo left \$?; stty -g >after"
	cmp before after
	is job running
	# What was typed in front of the keys is there, and a mount still is.
	vrun -0 on_term 'send y\r
		expect xy>
		send \x10\x11
		expect left 0' \
		sh -c "'$VIAL' attach job; echo left \$?"
	vrun -0 vial logs job
	[[ $output == *"<first>"*"xy>"* ]]
	vrun -5 on_term 'send last\r
		expect <last>
		send \x04
		do sleep 1' \
		"$VIAL" attach job
	is job exited
	[ "$(cat file)" = end ]
	# The same for one that is started again, and by other keys.
	vrun -0 on_term 'expect ready
		send \x10\x11z\r
		expect z>
		send abc
		expect left 0' \
		sh -c "'$VIAL' start --detach-keys a,b,c -ai job; echo left \$?"
	is job running
	vrun -0 vial rm -f job
	# And for one that leaves nothing, when it has ended.
	vrun -0 on_term 'expect ready
		send \x10\x11
		expect left 0' \
		sh -c "'$VIAL' run --rm --name brief -it '$IMAGE' \
			sh -c 'echo ready; sleep 1; echo bye; sleep 1000'
			echo left \$?"
	wait_for 60 sh -c '"$@" logs brief | grep -q bye' - "$VIAL"
	vrun -0 vial stop -t 0 brief
	nothing_left
}

@test "wrong: terminals that go away" {
	vrun -0 vial run -dit --name busy "$IMAGE" sh
	# An attached one leaves it, a command of exec's ends.
	vrun on_term 'send echo a\$((1))b\r
		expect a1b
		hangup' "$VIAL" attach --sig-proxy=false busy
	is busy running
	vrun on_term 'expect up
		hangup' "$VIAL" exec -it busy sh -c 'echo up; sleep 4321'
	wait_for 30 runs_not busy 4321
	is busy running
	vrun -0 vial rm -f busy
	# The process a shell knows is killed, or the one behind it is: both are
	# gone, and the box with them.
	for who in oldest newest; do
		vrun on_term "expect ready
			do kill -KILL \$(pgrep --$who -x vial)
			expect was" \
			sh -c "stty -g >before
				'$VIAL' run -it --name x$who '$IMAGE' \
					sh -c 'stty -a; echo ready; sleep 1000'
				echo was \$?"
		wait_for 30 is x$who exited
		vrun -0 vial rm x$who
	done
	[[ $output$stderr != *segfault* ]]
	nothing_left
}
