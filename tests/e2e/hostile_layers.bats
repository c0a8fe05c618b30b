#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# hostile_layers - images whose layers attack who unpacks them (the second table
# of prog/hostile.py): loaded, as nobody on the host looks into a layer, and
# refused by the builder VM: one line, exit status 125, no disk kept.

# shellcheck disable=SC2154 # run sets variables
load common

setup() { common_setup; }
teardown() { common_teardown; }

# A builder's disk is bounded by the image's, its memory by the VM's; the host
# holds no more of a layer than a buffer.
MEMORY_KIB=4000000

# refused NAME WORDS: as the table has it.
refused()
{
	local words
	echo "case $1"
	vial load -qi "cases/$1.tar" -t bad:1
	vrun -125 bash -c "ulimit -Sv $MEMORY_KIB
		exec timeout 120 '$VIAL' run --rm bad:1 2>&1 >/dev/null"
	stderr=$output
	IFS='|' read -ra words <<<"$2"
	one_line 'image bad:1' 'layer 1 of 1' "${words[@]}"
	run ! grep -qP '[\x00-\x08\x0b-\x1f\x7f]' <<<"$stderr"
	[ -z "$(find "$VIAL_DATADIR/images/disks" -name '*.ext4')" ]
	[ -z "$(ls "$VIAL_DATADIR/images/tmp")" ]
	vial rmi bad:1 >/dev/null
	[ -z "$(find "$VIAL_DATADIR/images/blobs" -type f)" ]
}

# cases FIRST LAST: the lines of the table.
cases()
{
	"$BATS_TEST_DIRNAME/prog/hostile.py" layers cases >table
	# The store as it is when an image has been in it.
	vial load -qi cases/not-tar.tar -t bad:1
	vial rmi bad:1 >/dev/null
	leftovers >"$before"
	while IFS=$'\t' read -r name words; do
		refused "$name" "$words" </dev/null
	done < <(sed -n "$1,$2p" table)
	rm -f "$VIAL_DATADIR"/images/disks/*.lock
	nothing_left
}

@test "hostile_layers: paths and links that lead out" { cases 1 6; }
@test "hostile_layers: what cannot be, and sizes that lie" {
	cases 7 99
	[ "$(wc -l <table)" -ge 11 ]
}
