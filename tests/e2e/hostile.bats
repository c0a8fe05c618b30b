#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# hostile - archives that lie (the table of prog/hostile.py): one line that says
# what is wrong, exit status 1, nothing kept, and bounded memory and disk while
# it happens. A registry's lies are pull's, those of layers hostile_layers'.
# e2e: no VM

# shellcheck disable=SC2154 # run sets variables
load common

setup()
{
	export VIAL_RUNDIR=$BATS_TEST_TMPDIR/run
	export VIAL_DATADIR=$BATS_TEST_TMPDIR/data
	cd "$BATS_TEST_TMPDIR" || return
}

# Address space: the program itself, a document and what is made of one.
MEMORY_KIB=200000
# A file that is written: the largest of the archives, and no more.
FILE_KIB=120000

# refused NAME WORDS: as the table has it.
refused()
{
	local words
	echo "case $1"
	vrun -1 bash -c "ulimit -Sv $MEMORY_KIB; ulimit -f $FILE_KIB
		exec timeout 60 '$VIAL' load -qi 'cases/$1.tar'"
	IFS='|' read -ra words <<<"$2"
	one_line "cases/$1.tar" "${words[@]}"
	# One line, and nothing in it that a terminal would act on.
	[ "$(wc -l <<<"$stderr")" -eq 1 ]
	[ "${#stderr}" -lt 400 ]
	run ! grep -qP '[\x00-\x08\x0b-\x1f\x7f]' <<<"$stderr"
	[ "$(find "$VIAL_DATADIR/images/blobs" -type f | wc -l)" -eq 0 ]
	[ -z "$(ls "$VIAL_DATADIR/images/tmp")" ]
}

@test "hostile: archives, forty ways" {
	"$BATS_TEST_DIRNAME/prog/hostile.py" load cases >table
	[ "$(wc -l <table)" -ge 40 ]
	while IFS=$'\t' read -r name words; do
		refused "$name" "$words"
		rm "cases/$name.tar"
	done <table
	vrun -0 vial images -aq
	[ -z "$output" ]
}
