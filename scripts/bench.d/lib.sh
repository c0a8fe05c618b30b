# SPDX-License-Identifier: Apache-2.0
#
# lib.sh - what every measurement of the bench uses; sourced.
#
# From the environment: B, the build directory; OUT, where results go; RUNS.
# Results are lines in $OUT/results.tsv, of three kinds, tabs between:
#
#     value METRIC SIDE NUMBER      SIDE is vial or a peer
#     skip  METRIC WHY              cannot run here
#     fail  METRIC WHY              vial failed
# shellcheck shell=bash disable=SC2034 # used by those who source it

bench=$B/bench
work=${BENCH_WORK:-/tmp/bench.$$}
kernel=$(readlink -f "$B/vmlinux")
image=$bench/bench.ext4

value() { printf 'value\t%s\t%s\t%s\n' "$1" "$2" "$3" >>"$OUT/results.tsv"; }
skip()
{
	printf 'skip\t%s\t%s\n' "$1" "$2" >>"$OUT/results.tsv"
	echo "bench: $1: skipped: $2" >&2
}
fail()
{
	printf 'fail\t%s\t%s\n' "$1" "$2" >>"$OUT/results.tsv"
	echo "bench: $1: FAILED: $2" >&2
}
say() { echo "bench: $*" >&2; }

# QEMU at its leanest, and as it comes.
lean=acpi=off,x-option-roms=off,pit=off,pic=off,isa-serial=on,rtc=off
qemu_args()	# MACHINE-OPTIONS
{
	qemu=(qemu-system-x86_64 -M "microvm${1:+,$1}" -accel kvm -cpu host
		-m 256 -smp 1 -nodefaults -no-user-config -display none
		-no-reboot -serial stdio -kernel "$kernel")
}
guest_line="console=ttyS0 quiet reboot=t 8250.nr_uarts=1"

# A copy in memory, so that both sides start from the same page cache.
stage() { mkdir -p "$work" && cp --sparse=always "$1" "$work/$2"; }

crun_bundle()	# DIR ARGUMENT...: a bundle of the image's root
{
	local dir=$1
	shift
	mkdir -p "$dir"
	[[ -e $work/root ]] || cp -a "$bench/root" "$work/root"
	jq --arg root "$work/root" '.process.terminal = false |
		.process.args = $ARGS.positional | .root.path = $root |
		.root.readonly = false' --args "$@" \
		<"$bench/config.json" >"$dir/config.json"
}

# Why crun cannot run here, or nothing.
crun_why()
{
	command -v crun >/dev/null || { echo "crun is not installed"; return; }
	crun_bundle "$work/try" /bin/true
	crun run --bundle "$work/try" "bench-try-$$" >"$work/try.log" 2>&1 ||
		echo "crun run: $(head -n 1 "$work/try.log")"
}

# podman with a store of its own in $work, so that it sees nothing else and
# leaves nothing; no network, no journal, no systemd.
podman_why=
podman_box()	# NAME: one that runs, of the image's root. podman, podman_why.
{
	podman=("$(command -v podman)" --root "$work/podman"
		--runroot "$work/podman.run" --storage-driver vfs
		--cgroup-manager cgroupfs --events-backend none)
	if [[ -z ${podman[0]} ]]; then
		podman_why="podman is not installed"
		return 1
	fi
	[[ -e $work/root ]] || cp -a "$bench/root" "$work/root"
	"${podman[@]}" run -d --network none --name "$1" \
		--rootfs "$work/root" sleep 100000 </dev/null \
		>"$work/podman.log" 2>&1 && return
	podman_why=$(tail -n 1 "$work/podman.log")
	return 1
}

podman_end()
{
	[[ -z ${podman[*]:-} ]] || "${podman[@]}" rm -af -t 0 </dev/null \
		>/dev/null 2>&1 || true
}

# Processes that end after their clients may still write there.
clear_work()
{
	local i
	for i in 1 2 3 4 5; do
		rm -rf "$work" 2>/dev/null && return
		sleep 1
	done
	echo "bench: $work is left" >&2
}

# nI.example.test, each with an address of its own out of 11.0.0.0/16.
many_names()	# COUNT: for dnsmasq's configuration
{
	seq 0 $(($1 - 1)) | awk '{ printf "host-record=n%d.example.test,11.0.%d.%d,3600\n",
		$1, $1 / 250, $1 % 250 + 1 }'
}

# 1,000 entries, the last of which allows those names.
long_list() { seq -f 'm%g.example.test:443' 999; echo "*.example.test:$1"; }	# PORT
