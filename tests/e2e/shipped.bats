#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# shipped - the images that come with vial: made twice, and brought into the
# store without a registry. Running one is images_same's.
# e2e: no VM

# shellcheck disable=SC2154 # run sets variables
load common

setup()
{
	export VIAL_RUNDIR=$BATS_TEST_TMPDIR/run
	export VIAL_DATADIR=$BATS_TEST_TMPDIR/data
}

@test "shipped: the same inputs make the same bytes" {
	# In a cache of its own, so that both are made here and now.
	export VIAL_CACHE=$BATS_TEST_TMPDIR/cache
	first=$("$TOP/rootfs/images/oci" busybox)
	cp "$first" "$BATS_TEST_TMPDIR/first.tar"
	vrun -0 env TZ=Asia/Tokyo bash -c \
		"umask 077; sleep 1; '$TOP/rootfs/images/oci' --again busybox"
	[[ $stderr == *'the same bytes: sha256:'* ]]
	# Another machine's, as far as it is one: another day's file dates.
	rm -rf "$VIAL_CACHE"
	cmp "$("$TOP/rootfs/images/oci" busybox)" "$BATS_TEST_TMPDIR/first.tar"
	cmp "$E/../images/busybox-latest.oci.tar" "$BATS_TEST_TMPDIR/first.tar"
}

@test "shipped: no registry is asked for vial's own" {
	vrun -0 vial pull vial/busybox
	[ "$output" = 'Loaded image: vial/busybox' ]
	vrun -0 vial images --format '{{.Repository}}:{{.Tag}}'
	[ "$output" = vial/busybox:latest ]
	vrun -0 vial image inspect -f '{{.Created}} {{json .Config.Cmd}}' vial/busybox
	[ "$output" = '2023-11-14T22:13:20Z ["sh"]' ]
	id=$(vial images -q)
	vrun -0 vial pull -q vial/busybox:latest
	[ "$output" = vial/busybox:latest ]
	[ "$(vial images -q)" = "$id" ]
	vrun -1 vial pull vial/none:1
	one_line images/none-1.oci.tar 'make images'
	vrun -125 vial run --rm vial/none true
	one_line images/none-latest.oci.tar 'make images'
}
