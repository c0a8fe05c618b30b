#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# image - boxes from images of the store: layers unpacked in a builder VM, and
# what an image says of how it is run. skopeo and umoci are the other side.

# shellcheck disable=SC2154,SC2016 # run sets variables; words for the guest
load common

# One store for the file: an image's disk is made once.
setup_file()
{
	export F=$BATS_FILE_TMPDIR
	export VIAL_DATADIR=$F/data VIAL_RUNDIR=$F/run
	cd "$F" || return
	make_tree || return
	make_image tree:1 '{"Cmd": ["/bin/sh"]}' l1.tar l2.tar &&
		make_image conf:1 "$CONF" l1.tar || return
	skopeo copy -q --insecure-policy docker-archive:tree-1.tar \
		oci:gzip:tree || return
	skopeo copy -q --insecure-policy --dest-compress-format zstd \
		docker-archive:tree-1.tar oci:zstd:tree || return
	vial load -qi conf-1.tar
}

setup()
{
	common_setup
	export VIAL_DATADIR=$F/data
	leftovers >"$before"
}

teardown() { common_teardown; }

CONF='{"Entrypoint": ["/bin/sh", "-c", "echo \"$@\"; id; pwd; echo $A $B", "e"],
	"Cmd": ["from", "image"], "Env": ["A=1", "B=2", "PATH=/bin"],
	"User": "alice", "WorkingDir": "/made/here", "StopSignal": "SIGINT",
	"Volumes": {"/vol": {}}, "Labels": {"l": "image"},
	"Healthcheck": {"Test": ["CMD", "true"], "Interval": 7000000000}}'

sum() { sha256sum "$@" | cut -c1-64; }

pack()	# DIR TAR
{
	tar -C "$1" --xattrs --xattrs-include='*' --format=pax --sparse \
		--numeric-owner --sort=name -cf "$2" .
}

# Two layers with all there is in archives, in l1 and l2.
make_tree()
{
	local long
	long=$(printf 'n%.0s' {1..180})
	mkdir -p l1/{bin,etc,gone/deep,opaque/deep,swap,stay,old} l2
	cp /bin/busybox l1/bin/
	for a in sh ls cat stat find sort sha256sum id pwd echo sed xargs \
		readlink true sleep; do
		ln -s busybox "l1/bin/$a"
	done
	echo 'root:x:0:0::/:/bin/sh
alice:x:1000:1000::/:/bin/sh' >l1/etc/passwd
	echo 'root:x:0:
alice:x:1000:
disk:x:6:alice' >l1/etc/group
	echo motd >l1/etc/motd
	ln l1/etc/motd l1/stay/hard
	ln -s ../../../../etc/shadow l1/stay/up
	ln -s /bin l1/stay/abs
	mkdir -p "l1/stay/$long/$long"
	echo x >"l1/stay/$long/$long/$long"
	printf x >"l1/stay/"$'new\nline \xc3\xa9'
	mkfifo l1/stay/fifo
	mknod l1/stay/null c 1 3
	mknod l1/stay/loop b 7 300
	truncate -s 50M l1/stay/sparse
	echo end >>l1/stay/sparse
	echo cap >l1/stay/ping
	touch l1/{gone/deep/f,opaque/deep/f,swap/f,old/f}
	echo file >l1/tofolder
	chown -h 1000:100 l1/stay/up l1/etc/motd
	chown 1000:1000 l1/stay/ping
	chmod 4755 l1/stay/ping
	chmod 1777 l1/stay
	chmod 0 l1/old
	python3 - <<-'END'
	import os
	os.setxattr("l1/stay/ping", "security.capability",
	            bytes([1, 0, 0, 2, 0, 0x20] + [0] * 14))
	END
	mkdir -p l2/{opaque,tofolder}
	touch l2/.wh.gone l2/opaque/.wh..wh..opq l2/opaque/new
	echo file >l2/swap
	echo in >l2/tofolder/in
	mkdir l2/old
	ln -s stay l2/tostay
	find l1 l2 -exec touch -h -d @1000000000 {} +
	pack l1 l1.tar
	pack l2 l2.tar
}

# make_image NAME CONFIG LAYER...: as docker save has it.
make_image()
{
	local name=$1 config=$2 dir ids=() names=()
	shift 2
	dir=$(mktemp -d -p .)
	for l; do
		cp "$l" "$dir/"
		names+=("${l##*/}")
		ids+=("sha256:$(sum "$l")")
	done
	jq -nc --argjson c "$config" '{os: "linux", architecture: "amd64",
		created: "2020-01-02T03:04:05Z", config: $c, rootfs: {type:
		"layers", diff_ids: $ARGS.positional}}' \
		--args "${ids[@]}" >"$dir/config.json"
	jq -nc --arg n "$name" '[{Config: "config.json", RepoTags: [$n],
		Layers: $ARGS.positional}]' --args "${names[@]}" \
		>"$dir/manifest.json"
	tar -C "$dir" -cf "${name//[:\/]/-}.tar" manifest.json config.json \
		"${names[@]}"
	id=sha256:$(sum "$dir/config.json")
}

# What is at ., with everything that can be seen of it, and in order.
LIST='find . -xdev ! -path "./proc*" ! -path "./sys*" ! -path "./dev*" \
	! -path "./etc/host*" ! -path ./etc ! -path . -print0 | xargs -0 \
	stat -c "%N %F %a %u %g %h %Y %t:%T" | sed "s/ regular empty file/ \
regular file/; s/ directory \([0-9]* [0-9]* [0-9]*\) [0-9]*/ directory \1/" |
	sort
find . -xdev -type f ! -path "./proc*" ! -path "./sys*" ! -path \
	"./dev*" ! -path "./etc/host*" -print0 | xargs -0 sha256sum | sort'

disks() { find "$VIAL_DATADIR/images/disks" -name '*.ext4' | wc -l; }

@test "image: the same tree as umoci's, from gzip and from zstd layers" {
	umoci unpack --image "$F/gzip:tree" ref >/dev/null
	(cd ref/rootfs && "$F/l1/bin/busybox" sh -c "PATH=$F/l1/bin; $LIST") \
		>want
	[ "$(wc -l <want)" -gt 50 ]
	n=$(disks)
	for kind in gzip zstd; do
		vial load -qi "$F/$kind" -t "$kind"
		vial run --rm "$kind" /bin/sh -c "$LIST" >"$kind.got"
		diff want "$kind.got"
	done
	# Of the same layers, however they are packed: one disk.
	[ "$(disks)" -eq $((n + 1)) ]
	disk=$(find "$VIAL_DATADIR/images/disks" -name '*.ext4' \
		-newer ref/rootfs | head -n 1)
	/sbin/e2fsck -fn "$disk"
	/sbin/debugfs -R 'ea_get -x /stay/ping security.capability' "$disk" |
		grep '01 00 00 02 00 20'
	[ "$(du -m "$disk" | cut -f1)" -lt 20 ]
}

@test "image: entrypoint, command, environment, user, groups, directory" {
	vrun -0 vial run --rm conf:1
	[ "${lines[0]}" = 'from image' ]
	[[ ${lines[1]} == 'uid=1000(alice) gid=1000(alice) groups='*'6(disk)'* ]]
	[ "${lines[2]}" = /made/here ]
	[ "${lines[3]}" = '1 2' ]
	[ -z "$stderr" ]
	leftovers >"$before"
	vrun -0 vial run --rm -e B=mine -w /etc -u 0 docker.io/library/conf:1 own
	[ "${lines[0]}" = own ]
	[[ ${lines[1]} == 'uid=0(root) '* ]]
	[ "${lines[2]}" = /etc ]
	[ "${lines[3]}" = '1 mine' ]
	vrun -0 vial run --rm --entrypoint /bin/echo conf:1 just this
	[ "$output" = 'just this' ]
	nothing_left
}

@test "image: what a box of it shows; an image that is not there" {
	id=$(vial image inspect -f '{{.Id}}' conf:1)
	vial create --name shown -l l=mine conf:1 >/dev/null
	vrun -0 vial ps -a --format '{{.Image}}'
	[ "$output" = conf:1 ]
	vrun -0 vial inspect -f '{{.Image}} {{.Config.Image}} {{json .Config.Entrypoint}}' shown
	[[ $output == "$id conf:1 [\"/bin/sh\",\"-c\","*',"e"]' ]]
	vrun -0 vial inspect -f '{{json .Config.Cmd}} {{.Config.User}} {{.Config.StopSignal}} {{json .Config.Labels}}' shown
	[ "$output" = '["from","image"] alice SIGINT {"l":"mine"}' ]
	vrun -0 vial inspect -f '{{json .Config.Healthcheck.Interval}} {{(index .Mounts 0).Destination}}' shown
	[ "$output" = '7000000000 /vol' ]
	vial rm -v shown
	vrun -125 vial run --rm --pull never never/heard:of true
	one_line "Unable to find image 'never/heard:of' locally"
	vrun -125 vial run --rm localhost:1/never true
	[ "${stderr_lines[0]}" = \
		"Unable to find image 'localhost:1/never:latest' locally" ]
	one_line localhost:1
	vrun -125 vial run --rm --pull never never true
	one_line "Unable to find image 'never:latest' locally"
	vrun -125 vial run --rm Never/Heard true
	one_line 'invalid reference format'
	nothing_left
}

@test "image: a box that is kept outlives its image" {
	make_image brief:1 '{"Cmd": ["/bin/cat", "/etc/motd"]}' "$F/l2.tar" \
		"$F/l1.tar"
	vial load -qi brief-1.tar
	n=$(disks)
	vial create --name kept brief:1 >/dev/null
	[ "$(disks)" -eq $((n + 1)) ]
	vial rmi -f brief:1 >/dev/null
	[ "$(disks)" -eq "$n" ]
	vrun -0 vial start -a kept
	[ "$output" = motd ]
	vial rm kept
}

# refuse WORD...: an image of the layer bad.tar ends so, and nothing is kept.
refuse()
{
	make_image bad:1 '{"Cmd": ["/bin/true"]}' bad.tar
	leftovers >"$before"
	vial load -qi bad-1.tar
	vrun -125 vial run --rm bad:1
	one_line 'image bad:1' 'layer 1 of 1' "$@"
	[ -z "$(ls "$VIAL_DATADIR/images/tmp")" ]
	vial rmi bad:1 >/dev/null
	nothing_left
}

@test "image: layers that climb out or are cut off keep nothing" {
	mkdir d
	echo x >d/f
	tar -C d --transform='s,^f,../../f,' -Pcf bad.tar f
	refuse "'../../f' leads out of the image"
	head -c 20000 "$F/l1.tar" >bad.tar
	refuse runcated
	head -c 100000 /dev/zero | tr '\0' x >bad.tar
	refuse 'tar archive'
}

@test "builder: a layer that is not what the image says; a disk too small" {
	export VIAL_LIBDIR=$B
	zeros=$(printf '0%.0s' {1..64})
	gzip -k -c "$F/l1.tar" >l1.gz
	vrun -1 "$E/builder" disk $((64 << 20)) "$F/l2.tar" \
		"sha256:$(sum "$F/l2.tar")" l1.gz "sha256:$zeros"
	[ "$stderr" = "builder: layer 2 of 2: its content is sha256:$(sum \
		"$F/l1.tar"), not sha256:$zeros as the image says" ]
	head -c 40M /dev/urandom >big
	tar -cf big.tar big
	vrun -1 "$E/builder" disk $((32 << 20)) big.tar "sha256:$(sum big.tar)"
	[[ $stderr == "builder: layer 1 of 1: 'big': No space left on device"* ]]
	[ "$(find "$VIAL_RUNDIR" -name 'builder-*' | wc -l)" -eq 0 ]
}

# put FILE ALGORITHM: a blob of the layout; prints its digest.
put()
{
	local hex
	hex=$("$2sum" "$1" | cut -d' ' -f1)
	mkdir -p "layout/blobs/$2"
	cp "$1" "layout/blobs/$2/$hex"
	echo "$2:$hex"
}

@test "image: layers and contents that are known by sha512" {
	local diff layer conf man oci=application/vnd.oci.image
	gzip -nc "$F/l1.tar" >l1.tar.gz
	# Not one of the layout's own: that of what is inside.
	diff=sha512:$(sha512sum "$F/l1.tar" | cut -d' ' -f1)
	layer=$(put l1.tar.gz sha512)
	jq -nc --arg d "$diff" '{os: "linux", architecture: "amd64",
		rootfs: {type: "layers", diff_ids: [$d]}}' >conf
	conf=$(put conf sha256)
	jq -nc --arg l "$layer" --arg c "$conf" --arg o $oci \
		--argjson ls "$(stat -c %s l1.tar.gz)" \
		--argjson cs "$(stat -c %s conf)" '{schemaVersion: 2,
		mediaType: ($o + ".manifest.v1+json"), config: {digest: $c,
		size: $cs, mediaType: ($o + ".config.v1+json")}, layers: [{
		digest: $l, size: $ls,
		mediaType: ($o + ".layer.v1.tar+gzip")}]}' >manifest
	man=$(put manifest sha512)
	jq -nc --arg m "$man" --arg o $oci --argjson s "$(stat -c %s manifest)" \
		'{schemaVersion: 2, manifests: [{digest: $m, size: $s,
		mediaType: ($o + ".manifest.v1+json")}]}' >layout/index.json
	echo '{"imageLayoutVersion": "1.0.0"}' >layout/oci-layout
	vial load -qi layout -t sha512:1
	vrun -0 vial run --rm sha512:1 /bin/cat /etc/motd
	[ "$output" = motd ]
	# One that is not what it says.
	jq -c '.rootfs.diff_ids[0] |= sub("sha512:."; "sha512:x")' conf |
		sed 's/sha512:x/sha512:0/' >other
	cmp -s conf other && sed -i 's/sha512:0/sha512:1/' other
	conf=$(put other sha256)
	jq -c --arg c "$conf" --argjson s "$(stat -c %s other)" \
		'.config.digest = $c | .config.size = $s' manifest >other-manifest
	man=$(put other-manifest sha512)
	jq -c --arg m "$man" --argjson s "$(stat -c %s other-manifest)" \
		'.manifests[0].digest = $m | .manifests[0].size = $s' \
		layout/index.json >i && mv i layout/index.json
	vial load -qi layout -t sha512:2
	vrun -125 vial run --rm sha512:2 /bin/cat /etc/motd
	one_line 'its content is sha512:'
}

@test "image: run asks a registry when --pull says so" {
	"$BATS_TEST_DIRNAME/prog/registry.py" "$F/gzip" log >ports 3>&- &
	local registry=$!
	wait_for 60 test -s ports
	name=127.0.0.1:$(cut -d' ' -f1 ports)/good/x:1
	vrun -125 vial run --rm --pull never "$name" /bin/echo hi
	one_line 'Unable to find image'
	vrun -0 vial run --rm "$name" /bin/echo hi
	[ "$output" = hi ]
	[[ $stderr == *'Unable to find image'*'Downloaded newer image'* ]]
	: >log
	vrun -0 vial run --rm "$name" /bin/echo again
	[ "$output" = again ]
	[ ! -s log ]
	vrun -0 vial run --rm --pull always --platform linux/amd64 "$name" \
		/bin/echo always
	[ "$output" = always ]
	[[ $stderr == *'Image is up to date'* ]]
	kill $registry
	vrun -125 vial run --rm --pull always "$name" /bin/echo hi
	one_line "$name"
	vrun -0 vial run --rm --pull never "$name" /bin/echo never
	[ "$output" = never ]
	vial rmi "$name"
}
