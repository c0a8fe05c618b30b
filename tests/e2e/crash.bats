#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# crash - the store after a death at every step: strace kills a command at its
# first, second, third... call of each system call that changes or locks
# something, until one run has come to its end. What making a disk leaves is
# crash_disk's.
# e2e: no VM

# shellcheck disable=SC2154,SC2317 # run sets variables; called by name
load common

setup_file()
{
	cd "$BATS_FILE_TMPDIR" || return
	mkdir tree
	head -c 200000 /dev/urandom >tree/data
	tar -C tree -cf layer.tar .
	umoci init --layout layout
	umoci new --image layout:x
	umoci raw add-layer --image layout:x layer.tar
	tar -C layout -cf a.tar oci-layout index.json blobs
	"$BATS_TEST_DIRNAME/prog/registry.py" layout log >ports 3>&- &
	echo $! >pid
	wait_for 60 test -s ports
}

teardown_file() { kill "$(cat "$BATS_FILE_TMPDIR/pid")" || true; }

setup()
{
	export F=$BATS_FILE_TMPDIR
	export VIAL_RUNDIR=$BATS_TEST_TMPDIR/run
	export VIAL_DATADIR=$BATS_TEST_TMPDIR/data
	# That it is missing is a failure: scripts/packages has it.
	! command -v strace >/dev/null || strace -o /dev/null true ||
		skip 'strace may not trace here'
	cd "$BATS_TEST_TMPDIR" || return
}

# Manifest, configuration, one layer.
WHOLE=3

blobs() { find "$VIAL_DATADIR/images/blobs" -type f | wc -l; }

clean()
{
	[ -z "$(ls "$VIAL_DATADIR/images/tmp")" ]
	[ -z "$(find "$VIAL_DATADIR/images/disks" -name '*.ext4')" ]
}

# The store holds the image whole, or nothing of it: said by the list, by the
# content (saving verifies it), and by what is there once gc has been.
consistent()
{
	local id
	id=$(vial images -q)
	[[ -z $id ]] || vial save "$id" | tar -t >/dev/null
	vial image prune -f >/dev/null
	vial system df >usage
	grep -q "^Images  *$([[ -n $id ]] && echo 1 || echo '0  *0  *0B') " usage
	[ "$(vial images -q)" = "$id" ]
	[ "$(blobs)" -eq "$([[ -n $id ]] && echo $WHOLE || echo 0)" ]
	clean
}

# die_at CALL N COMMAND...: vial, dead at the Nth, or its helper and vial with an
# error; false when it ended by itself.
die_at()
{
	local call=$1 n=$2 status=0
	shift 2
	# A shell between, which says "Killed" to nobody.
	timeout -k 5 60 bash -c '"$@"; exit $?' - \
		strace -f -qq -o /dev/null -e "trace=$call" \
		-e "inject=$call:signal=KILL:when=$n" \
		"$VIAL" "$@" >/dev/null 2>&1 || status=$?
	case $status in
	0)		return 1 ;;
	1|125|137)	return 0 ;;
	esac
	echo "no death: $status"
	exit 1
}

# every BEFORE AFTER COMMAND... -- CALL...: dies at each; BEFORE makes what it
# works on, AFTER looks at what a second try made.
every()
{
	local before=$1 after=$2 cmd=() call n deaths=0
	shift 2
	while [[ $1 != -- ]]; do
		cmd+=("$1")
		shift
	done
	shift
	for call; do
		for ((n = 1; ; n++)); do
			echo "a death at $call $n"
			$before
			die_at "$call" "$n" "${cmd[@]}" || break
			deaths=$((deaths + 1))
			# Plain lines: in a condition nothing would fail.
			consistent
			$before
			vial "${cmd[@]}" >/dev/null
			$after
		done
		echo "$call: $((n - 1)) deaths"
	done
	[ "$deaths" -ge 20 ]
}

nothing()
{
	vial rmi -f a:1 >/dev/null 2>&1
	vial image prune -f >/dev/null
	[ "$(blobs)" -eq 0 ]
}

one()
{
	vial images -q a:1 | grep -q . || vial load -qi "$F/a.tar" -t a:1
}

there()
{
	[ -n "$(vial images -q)" ]
	[ "$(blobs)" -eq $WHOLE ]
	clean
}

gone()
{
	[ -z "$(vial images -q)" ]
	[ "$(blobs)" -eq 0 ]
	clean
}

two_names()
{
	[ "$(vial images --format '{{.Repository}}' | sort | xargs)" = 'a b' ]
	vial untag b:2 >/dev/null
	there
}

@test "crash: load, at every step" {
	every nothing there load -qi "$F/a.tar" -t a:1 -- \
		mkdirat openat flock write fsync renameat unlinkat
}

@test "crash: pull, at every step" {
	read -r port _ <"$F/ports"
	name=127.0.0.1:$port/good/x:1
	nothing() { vial rmi -f "$name" >/dev/null 2>&1; }
	every nothing there pull -q "$name" -- flock write fsync renameat unlinkat
}

@test "crash: rmi and the gc behind it, at every step" {
	every one gone rmi a:1 -- openat flock fsync renameat unlinkat
}

@test "crash: tag, at every step" {
	every one two_names tag a:1 b:2 -- openat flock write fsync renameat
}
