#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# diff - what a box has changed of its image, as docker says it: a box that
# runs, one that has ended, one that never ran.

# shellcheck disable=SC2016,SC2154 # expanded in the guest; run sets variables
load common

setup() {
	common_setup
	# The folder of all volumes stays, as that of the boxes does.
	mkdir -m 700 "$VIAL_DATADIR" "$VIAL_DATADIR/volumes"
	leftovers >"$before"
}
teardown() {
	vial rm -f jo >/dev/null 2>&1 || true
	common_teardown
}

# The image has this below /etc and /bin.
changes='echo x:x:99:99::/: >>/etc/passwd; chmod 600 /etc/group
	mkdir -p /new/deep; echo a >/new/deep/file; ln -s /etc/passwd /new/link
	mknod /new/null c 1 3; rm /bin/ls; touch "/new/two words"
	chown 5:6 /srv; chmod 711 /root'

want='C /bin
D /bin/ls
C /etc
C /etc/group
C /etc/passwd
A /new
A /new/deep
A /new/deep/file
A /new/link
A /new/null
A /new/two words
C /root
C /srv'

@test "diff: a box that runs, and the same when it has ended" {
	vrun -0 vial run -d --name jo --privileged --tmpfs /tmp -v vol:/vol \
		--mount type=tmpfs,target=/srv/over "$IMAGE" sh -c 'sleep 1000'
	vrun -0 vial exec jo sh -c "mkdir -p /srv && $changes"
	# What is mounted is nobody's change, nor what every box gets.
	vrun -0 vial exec jo sh -c 'echo 1 >/tmp/x; echo 2 >/vol/y;
		echo 3 >/srv/over/z; echo 4 >/dev/shm/w; echo h >>/etc/hosts'
	vrun -0 vial diff jo
	running=$output
	vrun -0 vial exec jo true
	vrun -0 vial stop -t 1 jo
	was=$(vial inspect -f '{{.State.FinishedAt}} {{.State.ExitCode}}' jo)
	vrun -0 vial diff jo
	[ "$output" = "$running" ]
	[ "$(vial inspect -f '{{.State.FinishedAt}} {{.State.ExitCode}}' jo)" = \
		"$was" ]
	[ "$(vial ps -aq | wc -l)" -eq 1 ]
	vrun -0 vial rm -v jo
	vrun -0 vial volume rm vol
	nothing_left
	grep -vE ' /(srv/over|srv|vol|tmp)$' <<<"$running" >got
	grep -v ' /srv$' <<<"$want" | diff - got
	grep -qx 'A /vol' <<<"$running"
}

@test "diff: a box that goes when it ends" {
	vrun -0 vial run -d --rm --name jo "$IMAGE" sleep 1000
	vrun -0 vial diff jo
	[ -z "$output" ]
	vrun -0 vial exec jo sh -c 'echo 1 >/one; rm /bin/ls'
	vrun -0 vial diff jo
	[ "$output" = $'C /bin\nD /bin/ls\nA /one' ]
	vrun -0 vial commit jo of/rm
	vrun -0 vial rmi of/rm
	vrun -0 vial rm -f jo
	rm -rf "$VIAL_DATADIR/images"
	nothing_left
}

@test "diff: nothing, and what cannot be asked" {
	vrun -0 vial create --name jo "$IMAGE" true
	vrun -0 vial diff jo
	[ -z "$output$stderr" ]
	echo in >file
	vrun -0 vial cp file jo:/file
	vrun -0 vial container diff jo
	[ "$output" = "A /file" ]
	vrun -125 vial diff
	vrun -125 vial diff jo jo
	vrun -1 vial diff nobody
	one_line nobody
	vrun -0 vial rm jo
	vrun -0 vial run -d --name jo "$IMAGE" sleep 1000
	vrun -0 vial diff jo
	[ -z "$output$stderr" ]
	vrun -0 vial exec jo sh -c 'echo 1 >/one'
	vrun -0 vial pause jo
	vrun -0 vial diff jo
	[ "$output" = "A /one" ]
	vrun -0 vial inspect -f '{{.State.Status}}' jo
	[ "$output" = paused ]
	vrun -0 vial unpause jo
	vrun -0 vial exec jo sh -c 'echo 2 >/two'
	vrun -0 vial rm -f jo
	nothing_left
}
