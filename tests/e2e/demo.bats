#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# demo - the job of scripts/demo: real sources, a real compiler.

# shellcheck disable=SC2154 # run sets variables
load common

setup() { common_setup; }
teardown() { common_teardown; }

@test "demo: bzip2 is built and tested in a box, and its library comes out" {
	mkdir out
	vrun -0 vial run --rm --name bzip2-e2e --cpus 2 -m 512m \
		--copy-in "$E/bzip2:/src" -w /src --artifact "/src/libbz2.so.1.0.4:$PWD/out" \
		--json result.json "$(readlink -f "$E/debian-gcc.ext4")" \
		make test
	[[ $output == *"cmp sample3.tst sample3.ref"* ]]
	nm -D --defined-only out/libbz2.so.1.0.4 | grep -q ' BZ2_bzCompress$'
	jq -e '.exit_status == 0 and .volumes[0].error == null and
		.artifacts[0].entries == 1 and .times_ms.command > 0' result.json
	vrun -0 "$TOP/scripts/demo-table" result.json
	[[ $output == *total* ]]
	nothing_left
}

@test "demo: a build that fails fails the job, with its log" {
	mkdir src
	printf 'all: a.o\n' >src/Makefile
	printf 'int main(void) { return nothing; }\n' >src/a.c
	vrun -2 vial run --rm -m 512m --copy-in "$PWD/src:/src" -w /src \
		"$(readlink -f "$E/debian-gcc.ext4")" make
	[[ $stderr == *"undeclared"* ]]
	nothing_left
}
