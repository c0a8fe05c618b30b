#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# term - terminals: -i and -t, sizes, keys, and how a terminal is given back.
#
# prog/term.c plays the user: it makes a terminal, runs vial on it, types and
# waits for what it should see.

# shellcheck disable=SC2016,SC2154 # some is expanded in the guest; run sets variables
load common

setup() { common_setup; }
teardown() { common_teardown; }

# on_term SCRIPT COMMAND...
on_term()
{
	# timeout would take the command out of the terminal's foreground.
	timeout --foreground -k 5 "$PATIENCE" "$E/term" "$@"
}

@test "term: -it is a terminal of the window's size, also when that changes" {
	vrun -7 on_term 'size 33 111
		expect now 33 111
		size 44 55
		expect changed 44 55
		send quit\rquit\r
		expect done' \
		"$VIAL" run --rm -it "$IMAGE" sh -c '
			trap "echo changed \$(stty size)" WINCH
			tty; echo $TERM; echo now $(stty size)
			until [ "$line" = quit ]; do read -r line; done
			echo done; exit 7'
	[[ $output == *"/dev/pts/"* ]]
	nothing_left
}

@test "term: control-C is the guest's, and the terminal comes back" {
	vrun -0 on_term 'expect ready
		send \x03
		expect interrupted
		send some words\r
		expect <some words>
		send \x04
		expect end of file' \
		sh -c "stty -g >before; '$VIAL' run --rm -it '$IMAGE' sh -c '
			trap \"echo interrupted\" INT
			echo ready
			until read -r l; do :; done
			echo \"<\$l>\"
			cat; echo end of file'; stty -g >after"
	cmp before after
}

@test "term: the terminal comes back when vial is ended by a signal" {
	vrun -0 on_term 'expect ready
		do kill -TERM $(cat pid)
		expect was 143' \
		sh -c "stty -g >before
			sh -c 'echo \$\$ >pid; exec \"\$@\"' - '$VIAL' run --rm -it \
				'$IMAGE' sh -c 'stty -a; echo ready; sleep 1000'
			echo was \$?
			stty -g >after"
	cmp before after
	nothing_left
}

@test "term: -t without -i, and stdout and stderr are one" {
	vrun -0 on_term 'expect one
		expect two' \
		"$VIAL" run --rm -t "$IMAGE" sh -c 'echo one; echo two >&2; tty'
	[[ $output == *"/dev/pts/"* ]]
	# Without a terminal of the user's there is still one in the guest.
	vrun -0 vial run --rm -t "$IMAGE" sh -c 'test -t 1 && echo terminal'
	[ "$output" = $'terminal\r' ]
}

@test "term: a terminal that hangs up ends the command" {
	vrun on_term 'expect ready
		hangup' \
		"$VIAL" run --rm -it "$IMAGE" sh -c 'echo ready; sleep 1000'
	[ "$status" -ne 0 ]
	[ "$status" -ne 98 ]
	nothing_left
}

@test "term: -i hands stdin over, its end too; without -i there is none" {
	vrun -0 sh -c "printf 'a\nb' | '$VIAL' run --rm -i '$IMAGE' wc -c"
	[ "$output" = 3 ]
	vrun -0 sh -c "printf 'a\nb' | '$VIAL' run --rm '$IMAGE' wc -c"
	[ "$output" = 0 ]
	vrun -0 sh -c "'$VIAL' run --rm -i '$IMAGE' cat </dev/null"
	[ -z "$output" ]
	# The rest of stdin is not taken by a command that needs none of it:
	# what vial has not read stays for the next one.
	vrun -0 sh -c "printf 'for the next\n' |
		{ '$VIAL' run --rm '$IMAGE' true; cat; }"
	[ "$output" = "for the next" ]
}
