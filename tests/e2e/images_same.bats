#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# images_same - images of other people's tools (prog/same-images): the tree that
# a box shows is the one podman makes of the same archive, entry by entry
# (prog/tree.c): type, mode, owner, links, date, size, content, target, device
# numbers, extended attributes.

# shellcheck disable=SC2154 # run sets variables
load common

# One store each for the file. podman's is on a disk of its own, so that it may
# use overlayfs there: without, it copies all of the tree for each layer.
setup_file()
{
	export F=$BATS_FILE_TMPDIR
	export VIAL_DATADIR=$F/data
	PODMAN="podman --root $F/podman/root --runroot $F/podman/run
		--storage-driver overlay --cgroup-manager cgroupfs
		--events-backend none"
	export PODMAN
	mkdir -p "$F/podman" "$F/tool"
	cp "$E/tree" "$F/tool/"
	lacking && return 0
	truncate -s 1G "$F/disk"
	/sbin/mke2fs -q -F -t ext4 -O ^has_journal "$F/disk"
	mount -o loop "$F/disk" "$F/podman"
}

# podman makes no device nodes for others.
lacking() { [ "$(id -u)" -ne 0 ] || ! command -v podman >/dev/null; }

teardown_file()
{
	lacking && return 0
	# shellcheck disable=SC2086 # words
	$PODMAN image umount -a >/dev/null || true
	umount -l "$F/podman"/root/overlay "$F/podman" || true
}

setup()
{
	common_setup
	export VIAL_DATADIR=$F/data
	! lacking || skip 'needs podman, and root for it'
}

teardown() { common_teardown; }

# What one of the two makes itself for a box, where the image has nothing: the
# places it mounts on. A folder that gets one of these gets a new date, and so
# does one that no archive names. A root that none names has podman's mode there.
MADE='^/(\.same|proc|sys|dev|run|etc|etc/hosts|etc/hostname|etc/resolv\.conf)$'

# plain: the list without what is not the image's.
plain()
{
	awk -F '\t' -v OFS='\t' -v made="$MADE" '
		$1 ~ made { next }
		$1 == "/" { $7 = "now"; sub(/^555$/, "755", $3) }
		$7 > 1790000000 { $7 = "now" }
		{ print }'
}

# reference NAME: the list of the tree as podman unpacks it. With VIAL_E2E_LONG
# for each image; else what has been listed is not unpacked again from another
# form (special), and a hundred layers, for each of which it starts a process,
# are umoci's.
reference()
{
	local ref=oci-archive:$E/same/$1.tar id
	case ${VIAL_E2E_LONG:-}$1 in
	hundred)
		mkdir layout
		tar -C layout -xf "$E/same/$1.tar"
		umoci unpack --image layout:x ref >/dev/null
		"$E/tree" ref/rootfs
		return ;;
	index | docker)
		cat "$F/special" && return ;;
	esac
	[[ $1 != docker ]] || ref=docker-archive:$E/same/$1.tar
	# shellcheck disable=SC2086 # words
	id=$($PODMAN pull -q "$ref")
	# shellcheck disable=SC2086
	"$E/tree" "$($PODMAN image mount "$id")"
}

# same NAME LINES: a box of it shows what the reference does, and that is enough.
same()
{
	vial load -qi "$E/same/$1.tar" -t "same/$1"
	reference "$1" >"$1.other" 3>&- &
	pid=$!
	vrun -0 vial run --rm --privileged -u 0 -w / -v "$F/tool:/.same:ro" \
		--entrypoint /.same/tree "same/$1"
	printf '%s\n' "$output" >"$1.vial"
	wait "$pid"
	[[ $1 != special ]] || cp "$1.other" "$F/special"
	[ "$(wc -l <"$1.other")" -ge "$2" ]
	plain <"$1.other" >"$1.want"
	plain <"$1.vial" >"$1.got"
	diff "$1.want" "$1.got"
}

@test "images_same: scratch and one static program, by buildah" { same scratch 2; }
@test "images_same: a user that is not root, by buildah" { same user 10; }
@test "images_same: layers that umoci found out" { same umoci 10; }
@test "images_same: packages unpacked by mmdebstrap" { same debian 200; }
@test "images_same: a hundred layers" { same hundred 30; }
@test "images_same: whiteouts, and what replaces what" { same whiteout 20; }
@test "images_same: capabilities, devices, links, odd names" { same special 30; }
@test "images_same: zstd layers, by skopeo" { same zstd 30; }
@test "images_same: a list for several CPUs" { same index 30; }
@test "images_same: docker's archive, by skopeo" { same docker 30; }

@test "images_same: a container of podman's shows it as a box does" {
	vial load -qi "$E/same/user.tar" -t same/user
	# shellcheck disable=SC2086 # words
	id=$($PODMAN pull -q "oci-archive:$E/same/user.tar")
	# shellcheck disable=SC2086
	$PODMAN run --rm --network none --privileged -u 0 -w / \
		-v "$F/tool:/.same:ro" --entrypoint /.same/tree "$id" >one
	vial run --rm --privileged -u 0 -w / -v "$F/tool:/.same:ro" \
		--entrypoint /.same/tree same/user >two
	# What podman adds, and a box has from elsewhere or not at all.
	plain <one | grep -vP '^/(etc/(group|passwd|mtab)|run/\.containerenv)\t' \
		>want
	plain <two >got
	diff want got
}
