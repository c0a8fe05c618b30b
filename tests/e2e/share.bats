#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# share - -v, --mount and --tmpfs: folders of the host that are live in the
# guest, with nothing beside or above them, read-only where it was said.

# shellcheck disable=SC2016,SC2154,SC2030,SC2031 # some is expanded in the guest; run sets variables; a test is a subshell
load common

setup() { common_setup; }
teardown() { common_teardown; }

# Processes of a name that began in this test.
servers()
{
	local p
	for p in /proc/[0-9]*; do
		if [[ $(cat "$p/comm" 2>/dev/null) == virtiofsd &&
			$(stat -c %Y "$p" 2>/dev/null) -ge $began ]]; then
			echo "${p#/proc/}"
		fi
	done
}

part()	# NAME
{
	local p
	for p in $(our_pids); do
		if [[ $(cat "/proc/$p/comm" 2>/dev/null) == "$1" ]]; then
			echo "$p"
		fi
	done
}

@test "share: both sides see what the other writes, at once" {
	mkdir dir
	echo from-host >dir/one
	start out run --rm -v "$PWD/dir:/deep/er/work" -w /deep/er/work \
		"$IMAGE" sh -c '
		cat one; echo from-guest >two; echo up
		while [ ! -e stop ]; do sleep 0.2; done; cat stop'
	wait_for 100 grep -q up out
	[ "$(cat dir/two)" = from-guest ]
	echo bye >dir/stop.new
	mv dir/stop.new dir/stop
	wait "$pid"
	cat out.err
	[ "$(cat out)" = $'from-host\nup\nbye' ]
	nothing_left
}

@test "share: a tree is worked on as on a disk" {
	mkdir dir
	vrun -0 vial run --rm -v ./dir:/w -w /w "$IMAGE" sh -c '
		set -e
		mkdir -p src/a src/b
		for i in 1 2 3 4 5 6 7 8 9; do
			echo $i >src/a/f$i; ln -s ../a/f$i src/b/l$i; done
		ln src/a/f1 hard; chmod 755 src/a/f2; chmod 4711 src/a/f3
		tar c src | tar x -C src/b
		mv src/a/f9 src/b/moved; rm src/a/f8
		cat src/b/l1 src/b/src/a/f8
		dd if=/dev/zero of=big bs=64k count=40 2>/dev/null
		truncate -s 1000 big
		stat -c "%a %h %s" src/a/f2 src/a/f3 hard big
		cp hard copy; cmp hard copy; find . -type f | wc -l
		rm -rf src/b'
	[ "${lines[0]}" = 1 ]
	[ "${lines[1]}" = 8 ]
	[ "${lines[2]}" = "755 1 2" ]
	[ "${lines[3]}" = "4711 1 2" ]
	[ "${lines[4]}" = "644 2 2" ]
	[ "${lines[5]}" = "644 1 1000" ]
	[ ! -e dir/src/b ]
	[ "$(stat -c %s dir/big)" -eq 1000 ]
	nothing_left
}

@test "share: read-only is the host's word, whatever the guest does" {
	mkdir dir other
	echo safe >dir/file
	vrun -0 vial run --rm --privileged -v "$PWD/dir:/ro:ro" \
		--mount "type=bind,source=$PWD/other,target=/rw" "$IMAGE" sh -c '
		echo x >/ro/new && echo wrote
		mount -o remount,rw /ro; echo x >/ro/file && echo wrote
		rm /ro/file && echo wrote
		mkdir /all; mount -t virtiofs vial /all
		for d in /all /all/*; do
			[ -e $d/file ] && echo x >$d/file && echo wrote
			[ -e $d/file ] && chmod 777 $d/file && echo wrote
		done
		echo done; echo fine >/rw/file'
	[ "$output" = "done" ]
	[ "$(cat dir/file)" = safe ]
	[ ! -e dir/new ]
	[ "$(stat -c %a dir/file)" = 644 ]
	[ "$(cat other/file)" = fine ]
	nothing_left
}

@test "share: a file comes without its neighbours" {
	mkdir dir
	echo mine >dir/file
	echo secret >dir/secret
	vrun -0 vial run --rm --privileged -v "$PWD/dir/file:/etc/mine" \
		"$IMAGE" sh -c '
		cat /etc/mine; echo more >>/etc/mine
		mkdir /all; mount -t virtiofs vial /all
		find /all -name "secret*"; cat /all/../secret /all/*/../secret
		cat /all/0; true'
	[ "$output" = $'mine\nmine\nmore' ]
	[ "$(cat dir/file)" = $'mine\nmore' ]
	nothing_left
}

@test "share: links of a folder lead nowhere on the host" {
	mkdir dir
	ln -s "$PWD/secret" dir/abs
	ln -s ../secret dir/up
	echo secret >secret
	vrun -0 vial run --rm -v ./dir:/w "$IMAGE" sh -c '
		cat /w/abs /w/up /w/../secret; ls -A /w | sort'
	[ "$output" = $'abs\nup' ]
	nothing_left
}

@test "share: mounts within mounts, from above to below" {
	mkdir outer inner
	echo inner >inner/file
	vrun -0 vial run --rm -v ./inner:/w/deep/er --tmpfs /w/deep:size=1m \
		-v ./outer:/w "$IMAGE" sh -c '
		echo o >/w/o; echo t >/w/deep/t; cat /w/deep/er/file
		awk "\$2 ~ /^.w/ { print \$2, \$3 }" /proc/mounts'
	[ "$output" = $'inner\n/w virtiofs\n/w/deep tmpfs\n/w/deep/er virtiofs' ]
	[ -e outer/o ]
	[ ! -e outer/deep/t ]
	nothing_left
}

@test "share: a tmpfs has docker's flags, its size and its mode" {
	vrun -0 vial run --rm --tmpfs /a --tmpfs /b:exec,size=1m \
		--mount type=tmpfs,dst=/c,tmpfs-size=64k,tmpfs-mode=700 \
		"$IMAGE" sh -c '
		awk "\$2 ~ /^.[abc]\$/ { print \$2, \$4 }" /proc/mounts
		stat -c %a /a /c
		head -c 100000 /dev/zero >/c/x || echo full'
	[[ ${lines[0]} == "/a "*nosuid*nodev*noexec* ]]
	[[ ${lines[1]} == "/b "*size=1024k* && ${lines[1]} != *noexec* ]]
	[[ ${lines[2]} == "/c "*size=64k* ]]
	[ "${lines[3]}" = 1777 ]
	[ "${lines[4]}" = 700 ]
	[ "${lines[5]}" = full ]
	nothing_left
}

@test "share: a root that is read-only has shares that are not" {
	mkdir dir
	vrun -0 vial run --rm --read-only -v ./dir:/new/dir --tmpfs /tmp \
		"$IMAGE" sh -c 'echo x >/no; echo y >/new/dir/f; echo z >/tmp/f
		cat /tmp/f'
	[ "$output" = z ]
	[ "$(cat dir/f)" = y ]
	nothing_left
}

@test "share: what is missing is made for -v and refused for --mount" {
	vrun -0 vial run --rm -v ./new/dir:/w "$IMAGE" touch /w/f
	[ -e new/dir/f ]
	vrun -125 vial run --rm --mount "type=bind,src=$PWD/none,dst=/w" \
		"$IMAGE" true
	one_line "$PWD/none" 'No such file'
	echo x >file
	vrun -125 vial run --rm -v ./file:/tmp "$IMAGE" true
	one_line /tmp 'a directory'
	vrun -125 vial run --rm -v ./file:/bin/sh/x "$IMAGE" true
	one_line /bin/sh 'ot a directory'
	nothing_left
}

@test "share: a box that is started again has its shares again" {
	mkdir dir
	(cd dir && vial create --name again -v .:/w:rw "$IMAGE" \
		sh -c 'echo x >>/w/log')
	vial start -a again
	vial start -a again
	[ "$(cat dir/log)" = $'x\nx' ]
	vrun -0 vial run --rm --volumes-from again:ro "$IMAGE" sh -c '
		cat /w/log; echo y >/w/log || true'
	[ "$output" = $'x\nx' ]
	vial rm again
	nothing_left
}

@test "share: users of the guest are users of the host" {
	[ "$(id -u)" -eq 0 ] || skip "as root only"
	mkdir -m 777 dir
	vrun -0 vial run --rm -u 1234:2345 -v ./dir:/w "$IMAGE" \
		sh -c 'touch /w/f; stat -c "%u %g" /w/f'
	[ "$output" = "1234 2345" ]
	[ "$(stat -c '%u %g' dir/f)" = "1234 2345" ]
	nothing_left
}

@test "share: without root, root of the guest is the caller" {
	[ "$(id -u)" -eq 0 ] || skip "becomes somebody else: needs root"
	chmod 711 "$BATS_TEST_TMPDIR" "$BATS_RUN_TMPDIR" 2>/dev/null || true
	# The lab's is its own; another host's stays as it is.
	[ -z "${VIAL_IN_LAB:-}" ] || chmod 666 /dev/kvm
	mkdir dir run data
	chown 1000:1000 dir run data
	chmod 755 .
	# What was built may lie where only root looks.
	mkdir bin
	cp -L "$B/vial" "$B/vial-vmm" "$B/vmlinux" "$B/initramfs.cpio" bin/
	cp "$IMAGE" bin/image
	chmod -R a+rX bin
	vrun -0 setpriv --reuid 1000 --regid 1000 \
		--groups "1000,$(stat -c %g /dev/kvm)" env \
		VIAL_RUNDIR="$PWD/run" VIAL_DATADIR="$PWD/data" \
		timeout -k 5 "$PATIENCE" bin/vial run --rm -v "$PWD/dir:/w" \
		bin/image sh -c 'echo x >/w/f; stat -c "%u %g" /w/f'
	[ "$output" = "0 0" ]
	[ "$(stat -c '%u %g' dir/f)" = "1000 1000" ]
	rm -rf run data
	nothing_left
}

@test "share: whoever is killed, nothing of it stays" {
	mkdir dir
	began=$(date +%s)
	for who in vial vial-shim vial-vmm; do
		rm -f dir/up
		start out run --rm -v ./dir:/w "$IMAGE" \
			sh -c 'touch /w/up; sleep 1000'
		wait_for 100 test -e dir/up
		[ "$(servers | wc -l)" -eq 1 ]
		kill -9 "$(part "$who")"
		wait "$pid" || true
		wait_for 20 test -z "$(servers)"
		vial ps >/dev/null
		nothing_left
	done
}

@test "share: the server is killed, and the guest goes on" {
	mkdir dir
	began=$(date +%s)
	start out run --rm --name dead -v ./dir:/w "$IMAGE" sh -c '
		touch /w/up; while [ ! -e /stop ]; do sleep 0.2; done; echo alive'
	wait_for 100 test -e dir/up
	kill -9 "$(servers)"
	wait_for 20 sh -c "grep -q 'fs vial: lost: the back end has ended' \
		'$VIAL_RUNDIR'/boxes/*/vmm.log"
	vial exec dead touch /stop
	wait_for 60 grep -q alive out
	# A sync of what is lost may hang in there: it is not waited for.
	vial rm -f dead
	wait "$pid" || true
	nothing_left
}
