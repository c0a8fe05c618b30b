#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# soak - whatever is done, and whoever is killed in the middle of it, `ps -a`
# tells the truth and nothing is left at the end.
#
#   SOAK_OPS=30      operations
#   SOAK_SEED=1      another order of them, and of deaths
#   SOAK_JOURNAL=F   what is done and what comes of it, to be read meanwhile

# shellcheck disable=SC2016,SC2154 # expanded in the guest; run sets variables
load clients

setup() {
	clients_setup
	# Once in some hundred guests one does not come up in the emulated host;
	# that is an end like others, and none that a client waits for for ever.
	export VIAL_BOOT_TIMEOUT=60s VIAL_ANSWER_TIMEOUT=60s
}
teardown() { clients_teardown; }

names=(ant bee cat)

# A box that is on its way up or down has a monitor for a moment, and then the
# list says something else.
settled()	# ID STATE
{
	[[ -z $(monitor_pid "$1") ]] ||
		[[ $(vial inspect -f '{{.State.Status}}' "$1") != "$2" ]]
}

# What the list says of each box is so: one that runs has a monitor and answers,
# one that does not has none.
truth()
{
	local id name state vmm
	vial ps -a --no-trunc --format '{{.ID}} {{.Names}} {{.State}}' \
		>list || return 1
	while read -r id name state; do
		vmm=$(monitor_pid "$id" | head -n 1)
		case $state in
		running)
			[[ -n $vmm && $(vial exec "$id" echo here) == here ]] ||
				# It may have ended while we looked.
				[[ $(vial inspect -f '{{.State.Status}}' "$id") \
					!= running ]] || {
				echo "$name is said to run"
				return 1
			} ;;
		paused)	[[ -n $vmm ]] || {
				echo "$name is said to be paused"
				return 1
			} ;;
		created|exited)
			wait_for 60 settled "$id" "$state" || {
				echo "$name is said to be $state, and runs"
				return 1
			} ;;
		*)	echo "$name is $state?"
			return 1 ;;
		esac
	done <list
	[[ -z $(cut -d' ' -f2 list | sort | uniq -d) ]] || {
		echo "two boxes of one name"
		return 1
	}
	# No monitor whose box is not listed.
	for vmm in $(our_pids); do
		[[ $(cat "/proc/$vmm/comm" 2>/dev/null) == vial-vmm ]] || continue
		id=$(tr '\0' ' ' <"/proc/$vmm/cmdline" | awk '{ print $2 }')
		grep -q "^$id" list || wait_for 10 test ! -e "/proc/$vmm" || {
			echo "the monitor of $id has no box"
			return 1
		}
	done
	echo "  truth: $(wc -l <list) boxes" >>journal
}

# One operation, as a client that may be killed.
operation()
{
	local name=${names[RANDOM % ${#names[@]}]}
	case $((RANDOM % 17)) in
	0)	set -- create --name "$name" "$IMAGE" sleep 1000 ;;
	1|2)	set -- run -d --name "$name" "$IMAGE" sleep 1000 ;;
	3)	set -- run -d --rm --name "$name" "$IMAGE" sleep 1000 ;;
	4)	set -- run -d --name "$name" -v "$PWD/shared:/s" "$IMAGE" \
			sh -c 'cat /s/file; sleep 1000' ;;
	5)	set -- run --rm --name "$name" "$IMAGE" sh -c 'sleep 1; exit 3' ;;
	6|7)	set -- start "$name" ;;
	8)	set -- stop -t 1 "$name" ;;
	9)	set -- kill "$name" ;;
	10)	set -- exec "$name" sh -c 'echo answer' ;;
	11)	set -- restart -t 0 "$name" ;;
	12)	set -- rm -f "$name" ;;
	13)	set -- cp "$PWD/shared/file" "$name:/file" ;;
	14)	set -- rename "$name" "${names[RANDOM % ${#names[@]}]}" ;;
	15)	set -- pause "$name" ;;
	16)	set -- unpause "$name" ;;
	esac
	echo "$*" >>journal
	"$VIAL" "$@" >op.out 2>op.err </dev/null 3>&- &
	pid=$!
}

# Somebody dies: the client at work, or one of all that there are.
murder()
{
	local who pids
	who=$((RANDOM % 3))
	sleep "$((RANDOM % 2)).$((RANDOM % 9 + 1))"
	if [[ $who -eq 0 ]]; then
		echo "  kill the client" >>journal
		kill -9 "$pid" 2>/dev/null || true
		return 0
	fi
	mapfile -t pids < <(our_pids)
	[[ ${#pids[@]} -gt 0 ]] || return 0
	who=${pids[RANDOM % ${#pids[@]}]}
	echo "  kill $(cat "/proc/$who/comm" 2>/dev/null) $who" >>journal
	kill -9 "$who" 2>/dev/null || true
	return 0
}

# It ends in time, by itself or killed by us; no fault of its own. A copy may
# wait for a boot, an answer and the end, each as long as it may take.
ended()
{
	local end=$((SECONDS + 200))
	while kill -0 "$pid" 2>/dev/null; do
		if [[ $SECONDS -ge $end ]]; then
			echo "this hangs:"
			kill -9 "$pid"
			return 1
		fi
		sleep 0.05
	done
	status=0
	wait "$pid" || status=$?
	echo "  status $status $(head -n 1 op.err)" >>journal
	case $status in
	134|135|136|139|159)
		echo "this crashed:"
		return 1 ;;
	esac
}

@test "soak: random operations, random deaths" {
	count=${SOAK_OPS:-30}
	seed=${SOAK_SEED:-1}
	echo "seed $seed"
	RANDOM=$seed
	mkdir shared
	echo data >shared/file
	[[ -z ${SOAK_JOURNAL:-} ]] || ln -s "$SOAK_JOURNAL" journal
	: >journal
	for i in $(seq "$count"); do
		echo -n "$SECONDS s: $i " >>journal
		operation
		[ $((RANDOM % 3)) -ne 0 ] || murder
		if ! ended || { [ $((i % 10)) -eq 0 ] && ! truth; }; then
			tail -n 60 journal
			vial ps -a
			tail -n 5 "$VIAL_RUNDIR"/boxes/*/{console,vmm}.log \
				"$VIAL_DATADIR"/boxes/*/{console,vmm}.log || true
			false
		fi
	done
	cat journal
	truth
	ids=$(vial ps -aq)
	# shellcheck disable=SC2086 # words
	[ -z "$ids" ] || vrun -0 vial rm -f $ids
	vrun -0 vial ps -aq
	[ -z "$output" ]
	rm -r shared
	nothing_left
	# And all is well.
	vrun -0 box echo fine
	[ "$output" = fine ]
}
