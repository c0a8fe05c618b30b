#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# cp - files between a box and here: into and out of a box that runs, one that
# was never started, and one that has ended; docker's rules about names.

# shellcheck disable=SC2016,SC2154,SC2030,SC2031 # some is expanded in the guest; run sets variables; a test is a subshell
load common

setup() { common_setup; }
teardown() {
	vial rm -f jo >/dev/null 2>&1 || true
	common_teardown
}

running() { vial run -d --name jo "$IMAGE" sleep 1000 >/dev/null; }
inside() { vial exec jo sh -c "$1"; }
status_of() { vial ps -a --filter name=jo --format '{{.Status}}'; }

make_tree()
{
	mkdir -p tree/sub/deeper tree/modes
	echo plain >tree/plain
	ln tree/plain tree/sub/hard
	ln -s plain tree/link
	ln -s sub tree/dirlink
	ln -s /etc/hosts tree/abs
	ln -s nowhere tree/dangling
	for m in 400 644 700 755 777; do
		echo "$m" >tree/modes/$m
		chmod "$m" "tree/modes/$m"
	done
	"$E/tool" noise 9 300000 >tree/sub/deeper/random
	truncate -s 5M tree/sparse
	printf end >>tree/sparse
	touch -d '2001-02-03 04:05:06' tree/plain
	touch -h -d '2002-03-04 05:06:07' tree/link
	touch -d '2003-04-05 06:07:08' tree/sub/deeper
}

# One line for each name below DIR: type, mode, links, name, time, target.
list()	# DIR
{
	(cd "$1" && find . -mindepth 1 ! -type l \
		-printf '%y %m %n %P %T@ %s\n' -o -printf '%y %P %l\n' |
		sed 's/\.[0-9]* / /' | grep -v '^d' | sort)
	(cd "$1" && find . -mindepth 1 -type d -printf '%m %P\n' | sort)
}

@test "cp: a tree goes into a running box and comes out as it was" {
	make_tree
	running
	vrun -0 vial cp tree jo:/in
	[ -z "$output$stderr" ]
	vrun -0 inside 'cd /in && stat -c "%a %h %Y %u:%g" plain sub/hard &&
		for l in link abs dangling; do readlink $l; done && stat -c %s sparse &&
		sha256sum <sub/deeper/random'
	want="644 2 $(stat -c %Y tree/plain) 0:0"
	[ "${lines[0]}" = "$want" ]
	[ "${lines[1]}" = "$want" ]
	[ "${lines[2]} ${lines[3]} ${lines[4]}" = "plain /etc/hosts nowhere" ]
	[ "${lines[5]}" = $((5 * 1048576 + 3)) ]
	[ "${lines[6]}" = "$(sha256sum <tree/sub/deeper/random)" ]
	vrun -0 vial cp jo:/in out
	[ -z "$output$stderr" ]
	diff -r --no-dereference tree out
	list tree >want
	list out >got
	diff want got
	# Again, over what is there.
	vrun -0 vial cp jo:/in/. out
	diff -r --no-dereference tree out
	vrun -0 vial cp tree/. jo:/in
	# A box that is used goes on.
	[[ $(status_of) == Up* ]]
	vrun -0 vial rm -f jo
	nothing_left
}

@test "cp: into a box that was never started, and out of one that has ended" {
	mkdir -p src/.git
	echo one >src/one
	echo dot >src/.git/config
	printf '#!/bin/sh\ncat /build/one /build/.git/config; echo made >/log\nexit 3\n' \
		>cmd
	chmod 755 cmd
	vrun -0 vial create --name jo "$IMAGE" /gcl-cmd
	id=$output
	vrun -0 vial cp src/. "$id:/build"
	[ -z "$output$stderr" ]
	[[ $(status_of) == Created ]]
	vrun -0 vial cp cmd "${id:0:12}:/gcl-cmd"
	vial cp jo:/build/one - >one.tar
	[ "$(tar -xOf one.tar)" = one ]
	vrun -0 vial cp jo:/build back
	diff -r src back
	[[ $(status_of) == Created ]]
	vrun -3 vial start -a jo
	[ "$output" = $'one\ndot' ]
	vrun -0 vial logs jo
	was=$output
	vrun -0 vial cp jo:/log .
	[ "$(cat log)" = made ]
	# It has ended as it had before.
	[[ $(status_of) == 'Exited (3)'* ]]
	vrun -0 vial logs jo
	[ "$output" = "$was" ]
	# And again: what was copied into it is there in its second life.
	echo two >one
	vrun -0 vial cp one jo:/build/one
	[[ $(status_of) == 'Exited (3)'* ]]
	vrun -3 vial start -a jo
	[ "$output" = $'two\ndot' ]
	vrun -0 vial rm jo
	nothing_left
}

@test "cp: a brief box keeps what is copied before its start" {
	echo text >f
	vrun -0 vial create --rm --name jo "$IMAGE" cat /f
	vrun -0 vial cp f jo:/f
	vrun -0 vial start -a jo
	[ "$output" = text ]
	nothing_left
}

@test "cp: the rules about names, into a box" {
	mkdir -p d/sub
	echo f >f
	echo x >d/x
	running
	inside 'mkdir /dir; echo old >/file; ln -s dir /ldir; ln -s file /lfile
		ln -s gone /lgone; mkfifo /fifo'
	# A file: into a folder, over a file, to a name, through links.
	vrun -0 vial cp f jo:/dir
	vrun -0 vial cp f jo:/dir/
	vrun -0 vial cp f jo:/file
	vrun -0 vial cp f jo:new
	vrun -0 vial cp f jo:/ldir
	vrun -0 vial cp f jo:/lgone
	vrun -0 inside 'cat /dir/f /file /new /gone; readlink /ldir; readlink /lgone'
	[ "$output" = $'f\nf\nf\nf\ndir\ngone' ]
	# A folder: into one, to a name, what is in it.
	vrun -0 vial cp d jo:/dir
	vrun -0 vial cp d jo:/made/
	vrun -0 vial cp d/. jo:/made2
	vrun -0 vial cp d/. jo:/ldir
	vrun -0 inside 'cd / && find dir made made2 | sort | tr "\n" " "'
	[ "$output" = "dir dir/d dir/d/sub dir/d/x dir/f dir/sub dir/x made made/sub made/x made2 made2/sub made2/x " ]
	# What cannot be.
	vrun -1 vial cp d jo:/file
	one_line 'cannot copy directory'
	vrun -1 vial cp f jo:/nodir/
	one_line 'no such directory'
	vrun -1 vial cp f jo:/no/such/name
	one_line 'Could not find the file /no/such in box jo'
	vrun -1 vial cp f jo:/fifo
	one_line 'must be a directory or a regular file'
	inside 'mkdir -p /dir/g; echo >/dir/h'
	cp f g
	mkdir h
	vrun -1 vial cp g jo:/dir
	one_line 'cannot overwrite directory'
	vrun -1 vial cp h jo:/dir
	one_line 'cannot overwrite non-directory'
	vrun -1 vial cp nothing jo:/dir
	one_line nothing 'No such file'
	vrun -1 vial cp f nobody:/dir
	one_line nobody
	vrun -125 vial cp f g
	vrun -125 vial cp jo:/f jo:/g
	vrun -125 vial cp f
	# Links of ours: as they are, or what they lead to.
	ln -s f l
	vrun -0 vial cp l jo:/l1
	vrun -0 vial cp -L l jo:/l2
	vrun -0 inside 'readlink /l1; cat /l2'
	[ "$output" = $'f\nf' ]
	# Names with a colon are ours when they begin with a dot.
	echo colon >a:b
	vrun -0 vial cp ./a:b jo:/colon
	vrun -0 inside 'cat /colon'
	[ "$output" = colon ]
}

@test "cp: the rules about names, out of a box" {
	running
	inside 'mkdir -p /d/sub; echo f >/f; echo x >/d/x; ln -s f /l
		ln -s d /ld; mknod /d/null c 1 3; chmod 6755 /d/x'
	mkdir dir
	echo old >file
	ln -s dir ldir
	ln -s gone lgone
	vrun -0 vial cp jo:/f dir
	vrun -0 vial cp jo:f file
	vrun -0 vial cp jo:/f new
	vrun -0 vial cp jo:/f ldir/
	vrun -0 vial cp jo:/f lgone
	[ "$(cat dir/f file new gone)" = $'f\nf\nf\nf' ]
	[ -L ldir ]
	[ -L lgone ]
	vrun -0 vial cp jo:/d dir
	one_line 'left out' null
	vrun -0 vial cp -q jo:/d made
	[ -z "$stderr" ]
	vrun -0 vial cp -q jo:/d/. made2
	vrun -0 vial cp -q jo:/d/. dir
	[ "$(find dir made made2 | sort | tr '\n' ' ')" = \
		"dir dir/d dir/d/sub dir/d/x dir/f dir/sub dir/x made made/sub made/x made2 made2/sub made2/x " ]
	# Rights that are somebody's do not come out.
	[ "$(stat -c %a made/x)" = 755 ]
	vrun -1 vial cp jo:/d file
	one_line 'cannot copy directory'
	vrun -1 vial cp jo:/f nodir/
	one_line 'no such directory'
	vrun -1 vial cp jo:/f no/such/name
	one_line 'invalid output path' 'does not exist'
	vrun -1 vial cp jo:/nothing here
	one_line 'Could not find the file /nothing in box jo'
	[ ! -e here ]
	rm -r dir/f
	mkdir dir/f
	vrun -1 vial cp jo:/f dir
	one_line 'cannot overwrite directory'
	vrun -0 vial cp jo:/l l1
	vrun -0 vial cp -L jo:/l l2
	[ "$(readlink l1)" = f ]
	[ "$(cat l2)" = f ]
	[ ! -L l2 ]
	vrun -0 vial cp -q jo:/ld/ through
	[ -f through/x ]
	# A link of ours inside the target is not gone through.
	mkdir -p t/d victim
	ln -s "$PWD/victim" t/d/sub
	inside 'echo bad >/d/sub/bad'
	vrun -1 vial cp jo:/d t
	[ -z "$(ls victim)" ]
}

@test "cp: a tar stream in and out" {
	make_tree
	running
	tar -C tree --owner=12 --group=34 -cf tree.tar .
	inside 'mkdir /t'
	vrun -0 vial cp - jo:/t <tree.tar
	vrun -0 inside 'stat -c %u:%g /t/plain; cat /t/link'
	[ "$output" = $'12:34\nplain' ]
	vial cp jo:/t/sub - >sub.tar
	vrun -0 tar -tf sub.tar
	[ "$output" = $'sub/\nsub/deeper/\nsub/deeper/random\nsub/hard' ] ||
		[ "$(sort <<<"$output")" = \
			$'sub/\nsub/deeper/\nsub/deeper/random\nsub/hard' ]
	vial cp jo:/t/. - | tar -C "$(mkdir out; echo out)" -xf -
	diff -r --no-dereference tree out
	vrun -1 vial cp - jo:/t/plain <tree.tar
	one_line 'must be a directory'
	vrun -1 vial cp - jo:/nothing <tree.tar
	one_line 'must be a directory'
	# Cut in the middle: said, and the box goes on.
	head -c 200000 tree.tar >cut.tar
	vrun -1 vial cp - jo:/t <cut.tar
	one_line
	echo nonsense | vrun -1 vial cp - jo:/t
	: | vrun -1 vial cp - jo:/t
	# Who reads it may have had enough.
	vial cp jo:/t - 2>err | head -c 1000 | wc -c >count
	[ "$(cat count)" -eq 1000 ]
	vrun -0 inside 'echo fine'
}

@test "cp: owners, with -a and without" {
	running
	inside 'adduser -D -u 1234 joe 2>/dev/null; echo x >/x
		chown 1234:1234 /x'
	echo f >f
	if [ "$(id -u)" -eq 0 ]; then
		chown 4321:4321 f
	fi
	vrun -0 vial cp f jo:/plain
	vrun -0 vial cp -a f jo:/owned
	vrun -0 inside 'stat -c %u:%g /plain /owned'
	[ "$output" = "0:0"$'\n'"$(stat -c %u:%g f)" ]
	vrun -0 vial cp jo:/x x1
	vrun -0 vial cp -a jo:/x x2
	[ "$(stat -c %u x1)" = "$(id -u)" ]
	if [ "$(id -u)" -eq 0 ]; then
		[ "$(stat -c %u:%g x2)" = 1234:1234 ]
	fi
}

@test "cp: no space, there and here" {
	running
	"$E/tool" noise 1 70000000 >big
	vrun -1 vial cp big jo:/big
	one_line 'No space left'
	vrun -0 inside 'rm -f /big; tool noise 1 3000000 >/three; echo fine'
	[ "$output" = fine ]
	mkdir small
	vrun -1 with_mounts sh -c 'mount -t tmpfs -o size=1m none small &&
		"$@"' - "$VIAL" cp jo:/three small
	one_line 'No space left'
	vrun -0 inside 'echo fine'
}

@test "cp: a paused box, a killed one, and a lying agent" {
	running
	echo f >f
	vrun -0 vial pause jo
	vrun -1 vial cp f jo:/f
	one_line paused
	# A guest that does not answer is given up.
	vrun -0 vial unpause jo
	vmm=$(monitor_pid "$(vial inspect -f '{{.Id}}' jo)")
	kill -STOP "$vmm"
	VIAL_ANSWER_TIMEOUT=2s vrun -1 vial cp f jo:/f
	kill -CONT "$vmm"
	one_line 'has not answered for 2 s'
	vrun -0 vial cp f jo:/f
	vrun -0 vial rm -f jo
	# Killed while it is visited: nothing runs on, and it is as it was.
	vrun -0 vial create --name jo "$IMAGE" cat /f
	"$E/tool" noise 1 30000000 >big
	mkfifo pipe
	exec 9<>pipe
	start out cp - jo:/ <pipe 9>&-
	wait_for 60 sh -c "test -S '$VIAL_DATADIR'/boxes/*/vsock.sock"
	kill -9 "$(pgrep -P "$pid" vial)"
	exec 9>&-
	wait_for 15 sh -c "[ -z \"\$('$E/tool' pids '$VIAL_RUNDIR')\" ]"
	[[ $(status_of) == Created ]]
	vrun -0 vial cp f jo:/f
	vrun -0 vial start -a jo
	[ "$output" = f ]
}
