#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# copy - --copy-in and --artifact: trees go in and come out as they are, and
# nothing is written but where it was asked for, whoever made the archive.

# shellcheck disable=SC2016,SC2154,SC2030,SC2031 # some is expanded in the guest; run sets variables; a test is a subshell
load common

setup() { common_setup; }
teardown() { common_teardown; }

# A tree with everything a tree may have, in ./tree.
make_tree()
{
	mkdir -p tree/sub/deeper tree/empty 'tree/with space' tree/modes
	echo plain >tree/plain
	printf 'no newline' >'tree/with space/a  b'
	: >tree/nothing
	echo odd >$'tree/new\nline'
	echo odd >$'tree/b\xe4d-utf8'
	echo odd >'tree/-rf'
	echo odd >"tree/ütf8"
	echo odd >"tree/$(head -c 200 /dev/zero | tr '\0' n)"
	ln -s plain tree/link
	ln -s ../plain tree/sub/up
	ln -s sub tree/dirlink
	ln -s /etc/hosts tree/abs
	ln -s nowhere tree/dangling
	ln tree/plain tree/sub/hard
	for m in 400 444 600 644 700 755 777; do
		echo "$m" >tree/modes/$m
		chmod "$m" "tree/modes/$m"
	done
	chmod 1777 tree/empty
	"$E/tool" noise 9 300000 >tree/sub/deeper/random
	truncate -s 5M tree/sparse
	printf end >>tree/sparse
	touch -d '2001-02-03 04:05:06' tree/plain
	touch -h -d '2002-03-04 05:06:07' tree/link
	touch -d '2003-04-05 06:07:08' tree/sub/deeper tree/empty
}

# One line for each name below DIR: type, mode, links, size, time, target.
list()	# DIR
{
	(cd "$1" && find . -mindepth 1 -printf '%y %m %n %T@ %l ' -print0 |
		sed -z 's/\.[0-9]* / /' | tr '\0\n' '\n?' | sort -k 5)
}

sums() { (cd "$1" && find . -type f -print0 | sort -z | xargs -0 sha256sum); }

@test "copy: a tree goes in and comes out as it was" {
	make_tree
	mkdir out
	umask 0	# nothing is taken off the modes that come out
	vrun -0 vial run --rm --copy-in "$PWD/tree:/deep/er/src" -w /deep/er/src \
		--artifact "/deep/er/src:$PWD/out" "$IMAGE" sh -c '
		stat -c "%a %h %Y" plain sub/hard empty
		stat -c "%Y" sub/deeper
		for l in link sub/up dirlink abs dangling; do readlink $l; done
		cat "with space/a  b"; echo
		sha256sum <sub/deeper/random
		stat -c %s sparse; tail -c 3 sparse; echo
		find . | wc -l'
	[ "${lines[0]}" = "644 2 $(stat -c %Y tree/plain)" ]
	[ "${lines[1]}" = "${lines[0]}" ]
	[ "${lines[2]}" = "1777 2 $(stat -c %Y tree/empty)" ]
	[ "${lines[3]}" = "$(stat -c %Y tree/sub/deeper)" ]
	[ "${lines[4]} ${lines[5]} ${lines[6]} ${lines[7]} ${lines[8]}" = \
		"plain ../plain sub /etc/hosts nowhere" ]
	[ "${lines[9]}" = "no newline" ]
	[ "${lines[10]}" = "$(sha256sum <tree/sub/deeper/random)" ]
	[ "${lines[11]} ${lines[12]}" = "$((5 * 1048576 + 3)) end" ]
	[ "${lines[13]}" = "$(find tree | wc -l)" ]
	# The link that leads out of the tree is left out, and that is said.
	one_line 'left out' 'src/abs'
	[ ! -e out/src/abs ]
	[ ! -L out/src/abs ]
	rm tree/abs
	chmod 0777 tree/empty		# no sticky bit comes out
	touch -d '2003-04-05 06:07:08' tree/empty
	sums tree >want
	sums out/src >got
	diff want got
	# Times to the second, as tar has them.
	list tree >want
	list out/src >got
	diff want got
	nothing_left
}

@test "copy: files in, and a mount point that is there already" {
	echo one >one
	mkdir dir
	echo two >dir/two
	vrun -0 vial run --rm --copy-in ./one:/etc/renamed \
		--copy-in "$PWD/dir:/home" \
		--copy-in ./one:/top "$IMAGE" sh -c '
		cat /etc/renamed /home/two /top
		ls /home /etc/passwd'
	[ "${lines[*]}" = "one two one /etc/passwd  /home: alice bob two" ] ||
		[ "${lines[*]}" = "one two one /etc/passwd /home: alice bob two" ]
	# What is changed inside stays inside.
	vrun -0 vial run --rm --copy-in "$PWD/dir:/src" "$IMAGE" \
		sh -c 'echo changed >/src/two; echo new >/src/new'
	[ "$(cat dir/*)" = two ]
}

@test "copy: what cannot be read stops the run, and says what" {
	mkdir dir
	echo secret >dir/secret
	chmod 0 dir/secret
	# Root, too, must not get past the mode.
	vrun -125 with_mounts setpriv --inh-caps -all \
		--bounding-set -dac_override,-dac_read_search \
		"$VIAL" run --rm --copy-in "$PWD/dir:/src" "$IMAGE" true
	one_line secret 'Permission denied'
	nothing_left
}

@test "copy: no space for it in the guest" {
	mkdir dir
	"$E/tool" noise 1 70000000 >dir/big
	vrun -125 vial run --rm --copy-in "$PWD/dir:/src" "$IMAGE" true
	one_line /src 'No space left'
	nothing_left
}

@test "copy: no space for an artifact here" {
	mkdir small
	# shellcheck disable=SC2016 # expanded inside
	vrun -0 with_mounts sh -c 'mount -t tmpfs -o size=1m none small &&
		"$@"; s=$?; ls -la small >&2; exit $s' - \
		"$VIAL" run --rm --artifact "/big:$PWD/small" --json r.json \
		"$IMAGE" sh -c 'tool noise 1 3000000 >/big'
	one_line 'artifact /big' 'No space left'
	jq -e '.artifacts[0].error != null' r.json
	nothing_left
}

@test "copy: artifacts come out also when the command failed" {
	mkdir out
	vrun -3 vial run --rm --artifact "/report.txt:$PWD/out" \
		--artifact "/dir:$PWD/new" --artifact /here "$IMAGE" sh -c '
		echo bad >/report.txt; mkdir -p /dir/sub; echo x >/dir/sub/f
		echo here >/here; chmod 755 /report.txt; exit 3'
	[ -z "$stderr" ]
	[ "$(cat out/report.txt)" = bad ]
	[ "$(stat -c %a out/report.txt)" = 755 ]
	[ "$(cat new/dir/sub/f)" = x ]
	[ "$(cat here)" = here ]
	# After a time-out, too.
	vrun -124 vial run --rm --timeout 1 --artifact "/log:$PWD/out" "$IMAGE" \
		sh -c 'echo so far >/log; sleep 1000'
	[ "$(cat out/log)" = "so far" ]
}

@test "copy: an artifact that is not there is said, the status is kept" {
	vrun -4 vial run --rm --artifact "/no/such:$PWD" --json r.json "$IMAGE" \
		sh -c 'exit 4'
	one_line /no/such 'No such file'
	jq -e '.exit_status == 4 and .artifacts[0].error != null' r.json
	vrun -0 vial run --rm --artifact "/etc/hostname:$PWD" \
		--artifact "/proc/self:$PWD" "$IMAGE" true
	[ "$status" -eq 0 ]
}

@test "copy: an artifact over what is there already" {
	mkdir -p out/d
	echo old >out/f
	echo old >out/d/old
	ln -s "$PWD/victim" out/l
	echo victim >victim
	vrun -0 vial run --rm --artifact "/f:$PWD/out" --artifact "/d:$PWD/out" \
		--artifact "/l:$PWD/out" "$IMAGE" sh -c '
		echo new >/f; mkdir /d; echo new >/d/new; echo new >/l'
	[ "$(cat out/f)" = new ]
	[ "$(cat out/d/old out/d/new)" = $'old\nnew' ]
	# A link of ours is not written through.
	[ "$(cat victim)" = victim ]
}

@test "copy: a guest that makes links and devices in its artifact" {
	mkdir out
	echo victim >victim
	vrun -0 vial run --rm --artifact "/out:$PWD/out" "$IMAGE" sh -c '
		mkdir -p /out/sub; cd /out
		ln -s / root; ln -s .. up; ln -s ../../.. more; ln -s sub in
		ln -s "'"$PWD"'/victim" v
		mknod null c 1 3; mkfifo pipe
		echo fine >sub/f; chmod 6755 sub/f'
	[ "$(cd out/out && find . | sort | tr '\n' ' ')" = \
		". ./in ./sub ./sub/f " ]
	[ "$(stat -c %a out/out/sub/f)" = 755 ]
	one_line 'left out'
	[ "$(ls)" = $'out\nvictim' ]
}

@test "copy: a lying agent writes nothing outside of the target" {
	parts initramfs.cpio "$E/fake.cpio"
	mkdir -p safe
	rm -f /tmp/vial-escaped
	args=()
	for how in good up dots abs other link swap chain hard hardabs suid dev \
		short noise; do
		# A directory around each target, so that ".." is ours, too.
		mkdir -p "safe/$how/in"
		echo victim >"safe/$how/victim"
		args+=(--artifact "/$how/out:$PWD/safe/$how/in")
	done
	VIAL_KERNEL_ARGS="quiet fake=tar" vrun -0 vial run --rm --cpus 1 \
		-m 64m "${args[@]}" --json r.json "$IMAGE" true
	find safe -printf '%y %m %n %p %l\n'
	[ ! -e /tmp/vial-escaped ]
	[ -z "$(find safe -name escaped ! -path 'safe/*/in/*')" ]
	[ "$(sort -u safe/*/victim)" = victim ]
	[ "$(stat -c %h safe/*/victim /etc/passwd | sort -u)" = 1 ]
	[ -z "$(find safe/*/in -perm /7000)" ]
	[ -z "$(find safe/*/in ! -type f ! -type d ! -type l)" ]
	# Only links that stay inside.
	[ -z "$(find safe/*/in -type l -lname '*..*')" ]
	[ "$(cat safe/good/in/out/f)" = fine ]
	run ! grep /good/ <<<"$stderr"
	for how in up dots abs other hard hardabs short noise; do
		grep -q "^vial: artifact /$how/out: " <<<"$stderr"
		jq -e --arg p "/$how/out" \
			'.artifacts[] | select(.guest == $p) | .error' r.json
	done
	nothing_left
}
