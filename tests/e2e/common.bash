# SPDX-License-Identifier: Apache-2.0
#
# common.bash - what all end-to-end tests share.
#
# Every test has a runtime and a data directory of its own, so tests neither
# see each other's boxes nor those of whoever runs them. A command that may
# hang goes through vial(), which bounds it. Background processes get 3>&-,
# or bats waits for them, and are ended by their pid.
# shellcheck shell=bash disable=SC2154 # run sets status, output, stderr

bats_require_minimum_version 1.5.0

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
B=${B:-build}
[[ $B == /* ]] || B=$TOP/$B
VIAL=$B/vial
E=$B/e2e
IMAGE=$E/test.ext4
# Seconds for one command; the lab is slow, and slower beside other work.
# No network but for those who ask for one.
export VIAL_CONF=$TOP/tests/e2e/vial.conf
PATIENCE=${VIAL_E2E_PATIENCE:-300}
export VIAL_ANSWER_TIMEOUT=${PATIENCE}s

common_setup()
{
	export VIAL_RUNDIR=$BATS_TEST_TMPDIR/run
	export VIAL_DATADIR=$BATS_TEST_TMPDIR/data
	unset VIAL_KERNEL_ARGS VIAL_BOOT_TIMEOUT VIAL_LIBDIR
	mkdir -p "$BATS_TEST_TMPDIR/work"
	cd "$BATS_TEST_TMPDIR/work" || return
	before=$BATS_TEST_TMPDIR/before
	leftovers >"$before"
}

common_teardown()
{
	local pid
	for pid in $(our_pids); do
		kill -9 "$pid" 2>/dev/null || true
	done
	return 0
}

# ---- running ----

vial()
{
	timeout -k 5 "$PATIENCE" "$VIAL" "$@"
}

# box [OPTION... --] COMMAND...: in the test image, leaving nothing.
box()
{
	local opts=()
	if [[ $1 == -* ]]; then
		while [[ $1 != -- ]]; do
			opts+=("$1")
			shift
		done
		shift
	fi
	vial run --rm "${opts[@]}" "$IMAGE" "$@"
}

# All of what a failed assertion should show. bats prints it then.
show()
{
	echo "status ${status:-?}"
	echo "stdout: ${output:0:2000}"
	echo "stderr: ${stderr:-}"
}

# vrun [-STATUS] COMMAND...: `run` with streams apart, and shown.
vrun()
{
	local want=()
	if [[ $1 =~ ^-[0-9]+$ ]]; then
		want=("$1")
		shift
	fi
	# A test has one line for all its commands, so each is shown.
	run "${want[@]}" --separate-stderr "$@" || {
		show
		return 1
	}
	show
}

# One line on stderr that begins with "vial: " and contains each word.
one_line()
{
	local text=$stderr word
	[[ $(grep -c '^vial: ' <<<"$text") -eq 1 ]] || {
		echo "not one line of vial's"
		return 1
	}
	text=$(grep '^vial: ' <<<"$text")
	for word in "$@"; do
		[[ $text == *"$word"* ]] || {
			echo "'$word' is missing in: $text"
			return 1
		}
	done
}

# wait_for SECONDS COMMAND...: until it succeeds, or failure.
wait_for()
{
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		if [[ $SECONDS -ge $end ]]; then
			echo "waited in vain for: $*"
			return 1
		fi
		sleep 0.1
	done
}

# start OUT ARGUMENT...: vial in the background, stdout to OUT, stderr to
# OUT.err. $pid is timeout's, which hands signals on; SIGKILL it cannot.
start()
{
	local out=$1
	shift
	timeout -k 5 "$PATIENCE" "$VIAL" "$@" >"$out" 2>"$out.err" \
		</dev/null 3>&- &
	pid=$!
}

# with_mounts COMMAND...: as root of namespaces of its own, where it may mount,
# and where the mounts end with it.
with_mounts()
{
	timeout -k 5 "$PATIENCE" unshare --user --map-root-user --mount \
		--propagation private "$@"
}

# ---- what there is ----

# The processes of this test's boxes, a pid a line: client, shim, monitor.
our_pids() { "$E/tool" pids "$VIAL_RUNDIR"; }

monitor_pid() { "$E/tool" monitor "$1"; }	# ID

# Everything a box could leave: processes and files of this test's, and all of
# the machine's mounts, namespaces and control groups where nothing else runs.
leftovers()
{
	"$E/tool" left "$VIAL_RUNDIR" "$VIAL_DATADIR" ${VIAL_IN_LAB:+all}
}

# Fails, with the difference, unless all is as it was before the test. The
# last processes of a box may take a moment to be gone.
nothing_left()
{
	local end=$((SECONDS + 15))
	while [[ $SECONDS -lt $end ]]; do
		leftovers >"$BATS_TEST_TMPDIR/after"
		if cmp -s "$before" "$BATS_TEST_TMPDIR/after"; then
			return 0
		fi
		sleep 0.2
	done
	echo "left behind:"
	diff "$before" "$BATS_TEST_TMPDIR/after"
}

# ---- parts that are not the usual ones ----

# parts [initramfs FILE] ...: a copy of vial in ./parts whose parts are links
# to the usual ones, but for those named. VIAL is that copy from then on.
parts()
{
	local dir=$PWD/parts
	rm -rf "$dir"
	mkdir "$dir"
	cp "$B/vial" "$dir/vial"
	ln -s "$B/vial-vmm" "$B/vmlinux" "$B/initramfs.cpio" \
		"$B/builder.cpio" "$B/vial-fetch" "$B/vial-netd" "$dir/"
	while [[ $# -ge 2 ]]; do
		rm -f "$dir/$1"
		[[ $2 == none ]] || ln -s "$2" "$dir/$1"
		shift 2
	done
	VIAL=$dir/vial
}

# A kernel that misbehaves in one of its ways.
toy()
{
	local how=$1
	shift
	VIAL_KERNEL_ARGS="quiet toy=$how" \
		vial run --kernel "$E/toy" "$@" "$IMAGE" true
}
