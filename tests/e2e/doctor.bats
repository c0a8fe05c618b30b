#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# doctor - vial doctor, version and help: what a newcomer types first.

# shellcheck disable=SC2154,SC2016 # some is expanded in the guest; run sets variables
load common

setup() { common_setup; }
teardown() { common_teardown; }

@test "doctor: this host can run boxes, and the measure says so" {
	vrun -0 vial doctor
	[[ $output == *"This host can run boxes."* ]]
	run ! grep -q '^\[fail\]' <<<"$output"
	vrun -0 vial doctor --kvm
	[ "${#lines[@]}" -eq 1 ]
	vrun -0 vial doctor -q
	[ -z "$output$stderr" ]
	vrun -0 vial doctor --json
	jq -e '.able == true and (.checks | length) >= 3 and
		all(.checks[]; (.name | length) > 0 and
			(.level | IN("ok", "warn", "fail")))' <<<"$output"
}

@test "doctor: without /dev/kvm, and one that is none" {
	vrun -1 with_mounts sh -c 'mkdir dev && mount -t tmpfs none dev &&
		for n in null zero urandom; do
			touch dev/$n && mount --bind /dev/$n dev/$n
		done && mount --rbind dev /dev && exec "$@"' - "$VIAL" doctor
	grep -q '^\[fail\].*/dev/kvm' <<<"$output"
	grep -q -- '-> ' <<<"$output"
	[[ $output == *"cannot run boxes"* ]]
	vrun -1 with_mounts sh -c 'mount --bind /dev/null /dev/kvm && exec "$@"' - \
		"$VIAL" doctor --json
	jq -e '.able == false and any(.checks[]; .level == "fail" and
		(.remedy | length) > 0)' <<<"$output"
	vrun -125 with_mounts sh -c 'mount --bind /dev/null /dev/kvm && exec "$@"' - \
		"$VIAL" run --rm "$IMAGE" true
	one_line kvm
	nothing_left
}

@test "doctor: no permission on /dev/kvm" {
	: >kvm
	chmod 0 kvm
	# Root of a namespace, but without the right to pass by permissions.
	vrun -1 with_mounts sh -c 'mount --bind kvm /dev/kvm &&
		exec setpriv --bounding-set -all --inh-caps -all "$@"' - \
		"$VIAL" doctor
	grep -q '^\[fail\].*/dev/kvm.*[Pp]ermission' <<<"$output"
	vrun -125 with_mounts sh -c 'mount --bind kvm /dev/kvm &&
		exec setpriv --bounding-set -all --inh-caps -all "$@"' - \
		"$VIAL" run --rm "$IMAGE" true
	one_line /dev/kvm permission
	nothing_left
}

@test "doctor: a part that is missing is named" {
	for part in vmlinux initramfs.cpio vial-vmm builder.cpio; do
		parts $part none
		vrun -1 vial doctor
		grep -q "^\[fail\].*$part" <<<"$output"
		grep -q -- '-> ' <<<"$output"
	done
	# Boxes run without these.
	for part in vial-fetch vial-netd; do
		parts $part none
		vrun -0 vial doctor
		grep -q "^\[warn\].*$part" <<<"$output"
		[[ $output == *"This host can run boxes."* ]]
	done
}

@test "doctor: version and help" {
	vrun -0 vial version
	[[ $output =~ [0-9]+\.[0-9]+\.[0-9]+ ]]
	vrun -0 vial --version
	vrun -0 vial help
	for word in run ps logs rm doctor version help; do
		grep -q "^  $word " <<<"$output"
		[ $word = help ] && continue
		"$VIAL" "$word" --help >help.txt
		grep -q "vial $word" help.txt
		"$VIAL" help "$word" | cmp - help.txt
	done
	vrun -0 vial help status
	vrun -0 vial help images
	vrun -125 vial help nonsense
	vrun -125 vial rnu
	[[ $stderr == *run* ]]
	# No command is a mistake, said on stderr.
	run --separate-stderr vial
	[ "$status" -ne 0 ] || [ -n "$output" ]
	vrun -125 vial run
	one_line IMAGE
}

@test "doctor: ps, logs and rm of boxes that have ended" {
	vrun -0 vial ps
	[ "${#lines[@]}" -eq 1 ]
	vrun -3 vial run --name done-box "$IMAGE" sh -c 'exit 3'
	[ -z "$output$stderr" ]
	vrun -0 vial ps
	[ "${#lines[@]}" -eq 1 ]
	vrun -0 vial ps -a
	[[ ${lines[1]} == *"Exited (3)"*done-box ]]
	id=$(vial ps -aq)
	vrun -125 vial run --name done-box "$IMAGE" true
	one_line Conflict
	vrun -0 vial logs --console "$id"
	vrun -0 vial logs --monitor "${id:0:4}"
	vrun -0 vial logs "$id"
	vrun -1 vial logs --console nobody
	one_line nobody
	vrun -0 vial rm done-box
	vrun -1 vial rm done-box
	one_line done-box
	vrun -0 vial rm -f done-box
	nothing_left
	# A kernel that is asked for its messages.
	vrun -0 vial run -D --name loud "$IMAGE" true
	vrun -0 vial logs --monitor loud
	vial rm loud
	nothing_left
}

@test "doctor: a runtime directory that others may write to is refused" {
	mkdir -p "$VIAL_RUNDIR"
	chmod 777 "$VIAL_RUNDIR"
	vrun -125 vial run --rm "$IMAGE" true
	one_line "$VIAL_RUNDIR" 'chmod 700'
	chmod 700 "$VIAL_RUNDIR"
}
