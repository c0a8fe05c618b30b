# SPDX-License-Identifier: Apache-2.0
#
# clients.bash - what the tests of docker's callers share.
#
# Each clients_*.bats plays one program that runs `docker` on a machine, call
# by call, with its own words and in its own order. The image is an ext4 file.
# shellcheck shell=bash disable=SC2154 # common_setup sets before

# shellcheck source=tests/e2e/common.bash
load common

clients_setup()
{
	common_setup
	mkdir -p "$BATS_TEST_TMPDIR/bin"
	ln -s "$VIAL" "$BATS_TEST_TMPDIR/bin/docker"
	DOCKER=$BATS_TEST_TMPDIR/bin/docker
	# The folder of all volumes stays, as that of the boxes does.
	mkdir -m 700 "$VIAL_DATADIR" "$VIAL_DATADIR/volumes"
	leftovers >"$before"
}

# What a test made and did not remove is removed with all it holds.
clients_teardown()
{
	[[ -z ${VIAL_RUNDIR:-} ]] || "$VIAL" ps -aq 2>/dev/null |
		xargs -r timeout 60 "$VIAL" rm -f >/dev/null 2>&1 </dev/null
	common_teardown
}

docker()
{
	timeout -k 5 "$PATIENCE" "$DOCKER" "$@"
}

# drun [-STATUS] ARGUMENT...: docker with its streams apart, and shown.
drun()
{
	local want=-0
	if [[ $1 =~ ^-[0-9]+$ ]]; then
		want=$1
		shift
	fi
	vrun "$want" docker "$@"
}

# What `create` and `run -d` print: 64 hex digits, one line, and nothing else.
is_id()
{
	[[ $1 =~ ^[0-9a-f]{64}$ ]] || {
		echo "no id: '$1'"
		return 1
	}
}

# bg OUT ARGUMENT...: docker itself in the background as $pid, so that a signal
# reaches the client; stdin is empty.
bg()
{
	local out=$1
	shift
	"$DOCKER" "$@" >"$out" 2>"$out.err" </dev/null 3>&- &
	pid=$!
}

# The status of what bg started.
bg_end()
{
	status=0
	wait "$pid" || status=$?
	echo "status $status"
	head -c 2000 "$1" "$1.err"
}

# Whether a command of the box has this word in its line.
runs_in() { docker exec "$1" ps -o args | grep -qF -- "$2"; }
gone_from() { ! runs_in "$@"; }
