#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# commit - what a box has changed of its image becomes a layer: the same tree
# again, and an image that skopeo and podman take.

# shellcheck disable=SC2154,SC2016 # run sets variables; words for the guest
load common

# One store and one base image for the file.
setup_file()
{
	export F=$BATS_FILE_TMPDIR
	export VIAL_DATADIR=$F/data VIAL_RUNDIR=$F/run
	cd "$F" || return
	make_tree || return
	vial import -c 'CMD ["/bin/sh"]' -c 'ENV A=base' -c 'LABEL l=base' \
		-c 'EXPOSE 80' root.tar base:1 >/dev/null
}

setup()
{
	common_setup
	export VIAL_DATADIR=$F/data
	leftovers >"$before"
}

teardown() { common_teardown; }

make_tree()
{
	mkdir -p root/{bin,etc,tmp,gone/deep,tofile,stay}
	cp /bin/busybox root/bin/
	for a in sh ls cat stat find sort sha256sum echo sed xargs readlink \
		true sleep mv rm mkdir ln chmod chown mknod mkfifo touch dd \
		truncate grep; do
		ln -s busybox "root/bin/$a"
	done
	echo motd >root/etc/motd
	echo x | tee root/gone/deep/f root/gone/g root/tofile/f \
		root/tofolder root/stay/linked >root/stay/touched
	echo cap >root/stay/ping
	mknod root/stay/null c 1 3
	python3 - <<-'END'
	import os
	os.setxattr("root/stay/ping", "security.capability",
	            bytes([1, 0, 0, 2, 0, 0x20] + [0] * 14))
	END
	find root -exec touch -h -d @1000000000 {} +
	tar -C root --xattrs --xattrs-include='*' --format=pax \
		--numeric-owner --sort=name -cf root.tar .
}

LIST='cd /; find . -xdev ! -path "./proc*" ! -path "./sys*" ! -path "./dev*" \
	! -path "./etc/host*" ! -path ./etc/resolv.conf ! -path ./etc \
	! -path . -print0 | xargs -0 stat -c "%N %F %a %u %g %h %Y %t:%T" |
	sed "s/ regular empty file/ regular file/
	s/ directory \([0-9]* [0-9]* [0-9]*\) [0-9]*/ directory \1/" | sort
find . -xdev -type f ! -path "./proc*" ! -path "./sys*" ! -path \
	"./dev*" ! -path "./etc/*" -print0 | xargs -0 sha256sum | sort'

CHANGE='set -e
rm -r gone tofile && echo now >tofile
rm tofolder && mkdir tofolder && echo in >tofolder/in
ln stay/linked stay/again
mv stay/ping stay/pong
chmod 4711 stay/touched && chown 5:6 stay/touched
mkdir -p "new/d e" && echo n >"new/d e/f" && mkfifo new/fifo
ln -s /nowhere new/sym && mknod new/blk b 7 9
truncate -s 20M new/sparse && echo end >>new/sparse
chmod 1777 new && : >new/empty
echo more >>etc/motd'

@test "commit: the same tree, and what is said of it" {
	vial run --name job -e B=2 -w /stay -l mine=1 base:1 \
		/bin/sh -c "cd /; $CHANGE; $LIST" >want
	[ "$(wc -l <want)" -gt 40 ]
	export SOURCE_DATE_EPOCH=1577934245
	vrun -0 vial commit -a me -m why -c 'CMD ["/bin/cat", "/etc/motd"]' \
		-c 'LABEL more=2' job you/new:1
	[[ $output =~ ^sha256:[0-9a-f]{64}$ ]]
	id=$output
	unset SOURCE_DATE_EPOCH
	vial run --rm you/new:1 /bin/sh -c "$LIST" >got
	diff want got
	vrun -0 vial run --rm you/new:1
	[ "$output" = $'motd\nmore' ]
	disk=$(find "$VIAL_DATADIR/images/disks" -name '*.ext4' -newer want |
		head -n 1)
	/sbin/debugfs -R 'ea_get -x /stay/pong security.capability' "$disk" |
		grep '01 00 00 02 00 20'
	[ "$(du -m "$disk" | cut -f1)" -lt 20 ]
	vrun -0 vial image inspect you/new:1
	jq -e --arg id "$id" '.[0] | .Id == $id and .Author == "me" and
		.Comment == "why" and (.RootFS.Layers | length) == 2 and
		.Created == "2020-01-02T03:04:05Z" and
		(.Config | .Cmd == ["/bin/cat", "/etc/motd"] and
		.WorkingDir == "/stay" and (.Env | contains(["A=base", "B=2"]))
		and .Labels == {l: "base", mine: "1", more: "2"} and
		(.ExposedPorts | keys) == ["80/tcp"])' <<<"$output"
	vrun -0 vial history --no-trunc you/new:1
	[[ ${lines[1]} == *' /bin/sh -c cd /; '*' why'* ]]
	[[ ${lines[2]} == '<missing> '*'vial import'* ]]
	# One without a name, and, with nothing new, without a layer.
	vial create --name still you/new:1 >/dev/null
	vrun -0 vial commit still
	other=$output
	vrun -0 vial images -f dangling=true -q --no-trunc
	[ "$output" = "$other" ]
	vrun -0 vial image inspect -f '{{len .RootFS.Layers}}' "$other"
	[ "$output" = 2 ]
	vial rm job still
	vial rmi "$other"
	[ -z "$(ls "$VIAL_DATADIR/images/tmp")" ]
}

@test "commit: skopeo and podman take it" {
	vial save --format oci-archive -o oci.tar you/new:1
	vrun -0 skopeo inspect oci-archive:oci.tar
	jq -e '(.Layers | length) == 2 and .Labels.mine == "1"' <<<"$output"
	vial save -o docker.tar you/new:1
	vrun -0 podman --root "$PWD/r" --runroot "$PWD/rr" \
		--storage-driver vfs load -q -i docker.tar
	[[ $output == *you/new:1* ]]
	tree=$(find r/vfs/dir -maxdepth 2 -name new | head -n 1)
	[ -p "$tree/fifo" ]
	[ -b "$tree/blk" ]
	[ ! -e "$tree/../gone" ]
	[ -f "$tree/../tofile" ]
	[ "$tree/../stay/linked" -ef "$tree/../stay/again" ]
	rm -rf r rr
}

@test "commit: a box that runs, paused meanwhile or not" {
	vial run -d --name live base:1 /bin/sh -c \
		'i=0; while :; do echo $i >>/tmp/count; i=$((i+1)); done' \
		>/dev/null
	vial exec live /bin/sh -c 'echo one >/etc/one'
	vrun -0 vial commit live live:1
	vrun -0 vial ps --format '{{.Status}}' -f name=live
	[[ $output == Up* && $output != *Paused* ]]
	vial exec live /bin/sh -c 'echo two >/etc/two'
	vrun -0 vial commit -p=false live live:2
	# It goes on.
	a=$(vial exec live /bin/sh -c 'stat -c %s /tmp/count')
	wait_for 20 sh -c "[ \$('$VIAL' exec live stat -c %s /tmp/count) -gt $a ]"
	# One that is paused stays so.
	vial exec live /bin/sh -c 'echo three >/etc/three'
	vial pause live
	vrun -0 vial commit live live:3
	vrun -0 vial ps --format '{{.Status}}' -f name=live
	[[ $output == *Paused* ]]
	vial unpause live
	vrun -0 vial exec live /bin/sh -c 'echo on >>/etc/three'
	vrun -0 vial run --rm live:3 /bin/cat /etc/two /etc/three
	[ "$output" = $'two\nthree' ]
	vrun -0 vial run --rm live:2 /bin/cat /etc/one /etc/two
	[ "$output" = $'one\ntwo' ]
	vial rm -f live
	[ -z "$(our_pids)" ]
}

@test "commit: what cannot be" {
	vrun -1 vial commit nosuch
	one_line nosuch
	vial create --name empty base:1 >/dev/null
	vrun -125 vial commit
	vrun -125 vial commit empty Bad/Name
	one_line lowercase
	vrun -125 vial commit -c 'RUN make' empty
	one_line RUN
	vrun -125 vial commit empty "a@sha256:$(printf '0%.0s' {1..64})"
	vial rm empty
	vial run --name odd base:1 /bin/sh -c 'echo x >/tmp/.wh.x'
	n=$(find "$VIAL_DATADIR/images/blobs" -type f | wc -l)
	vrun -1 vial commit odd
	one_line tmp/.wh.x 'no layer'
	[ "$(find "$VIAL_DATADIR/images/blobs" -type f | wc -l)" -eq "$n" ]
	[ -z "$(ls "$VIAL_DATADIR/images/tmp")" ]
	vial rm odd
	nothing_left
}
