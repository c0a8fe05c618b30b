#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# registries - registries.conf, interruptions, what stalls and lies: on the
# registry with bad habits (prog/registry.py).
# e2e: no VM

# shellcheck disable=SC2154 # run sets variables
load common
load registry

setup_file()
{
	cd "$BATS_FILE_TMPDIR" || return
	registry_layout
	registry_bad
}

teardown_file() { registry_end; }

setup()
{
	registry_setup
	conf=$HOME/.config/containers/registries.conf
	mkdir -p "${conf%/*}"
	export VIAL_CONF=$BATS_TEST_TMPDIR/vial.conf
	printf '[registry]\ntimeout = 2\ntries = 2\n' >"$VIAL_CONF"
}

mirror() # LOCATION [LINE...]
{
	printf '[[registry.mirror]]\nlocation = "%s"\n' "$1"
	shift
	printf '%s\n' "$@"
}

@test "registries: mirrors are asked in their order, then the registry" {
	reg=127.0.0.1:$bad
	{
		printf '[[registry]]\nprefix = "some.example/team"\n'
		printf 'location = "%s/good"\n' "$reg"
		mirror 127.0.0.1:1/none
		mirror "$reg/lying"
		mirror "$reg/noblobs"
	} >"$conf"
	vrun -0 vial pull some.example/team/x:1
	[[ $output == *"newer image for some.example/team/x:1"* ]]
	[[ ${stderr_lines[0]} == 'vial: mirror 127.0.0.1:1: '* ]]
	[[ ${stderr_lines[1]} == "vial: mirror $reg: "*'it is sha256:'* ]]
	[[ ${stderr_lines[2]} == "vial: mirror $reg: "*'blob unknown'* ]]
	grep -q 'GET /v2/good/x/manifests/1 ' "$log"
	run ! grep -q 'GET /v2/team/' "$log"
	vrun -0 vial images --format '{{.Repository}}:{{.Tag}}'
	[ "$output" = some.example/team/x:1 ]
	# The digest is what one is given, whoever gives it.
	: >"$log"
	vrun -0 vial pull "some.example/team/y@$digest"
	grep -q "GET /v2/lying/y/manifests/$digest " "$log"
	# A mirror for digests only.
	{
		printf '[[registry]]\nlocation = "%s/good"\n' "$reg"
		mirror "$reg/html" 'pull-from-mirror = "digest-only"'
	} >"$conf"
	: >"$log"
	vrun -0 vial pull "$reg/good/z:1"
	[ -z "$stderr" ]
	run ! grep -q /html/ "$log"
	# The last word is the registry's.
	{
		printf '[[registry]]\nlocation = "%s/old"\n' "$reg"
		mirror "$reg/html"
	} >"$conf"
	vrun -1 vial pull "$reg/old/x"
	[[ ${stderr_lines[0]} == *'no JSON'* ]]
	[[ ${stderr_lines[1]} == *"$reg/old/x"*'schema version 1'* ]]
}

@test "registries: short names, blocked ones, and a file that is none" {
	reg=127.0.0.1:$bad
	printf '[aliases]\n"thing" = "%s/good/other"\n' "$reg" >"$conf"
	vrun -0 vial pull -q thing:5
	[ "$output" = "$reg/good/other:5" ]
	vrun -0 vial image inspect -f '{{index .RepoTags 0}}' thing:5
	[ "$output" = "$reg/good/other:5" ]
	vrun -1 vial image inspect other:5
	printf 'unqualified-search-registries = ["%s", "%s"]\n' \
		"127.0.0.1:1" "$reg" >"$conf"
	vrun -0 vial pull -q good/one
	[ "$output" = "$reg/good/one:latest" ]
	[[ $stderr == 'vial: 127.0.0.1:1: '*"; asking $reg" ]]
	vrun -0 vial rmi good/one
	printf '[[registry]]\nprefix = "*.example"\nblocked = true\n' >"$conf"
	vrun -1 vial pull some.example/x
	one_line 'some.example is blocked by registries.conf'
	vrun -1 vial login -u me --password-stdin some.example <<<x
	one_line blocked
	printf '[[registry]]\nlocation = 7\n' >"$conf"
	vrun -1 vial pull some.example/x
	one_line "$conf" location
	printf '[registry]\ntries = 0\n' >"$VIAL_CONF"
	vrun -1 vial pull some.example/x
	one_line tries
}

partials() { find "$VIAL_DATADIR/images/partial" -type f -size +0; }

@test "registries: what was interrupted goes on in another vial" {
	name=127.0.0.1:$bad/slow/x
	printf '[registry]\ntimeout = 60\n' >"$VIAL_CONF"
	start out pull "$name"
	# shellcheck disable=SC2317 # wait_for calls it
	came() { [ "$(partials | xargs -r stat -c %s)" = 100000 ]; }
	wait_for 60 came
	# vial-fetch dies with it.
	pkill -9 -P "$pid" -x vial
	wait "$pid" || true
	[ -n "$(partials)" ]
	: >"$log"
	vrun -0 vial pull "$name"
	[ -z "$(partials)" ]
	grep -q ' bytes=100000- ' "$log"
	vrun -0 vial image inspect "$name"
	# What was left is wrong, of the first byte on: it is noticed.
	layer=$(cd "$VIAL_DATADIR/images/blobs/sha256" && find . -size +100k)
	vial rmi "$name"
	[ "$(find "$VIAL_DATADIR/images/blobs" -type f | wc -l)" -eq 0 ]
	head -c 300000 /dev/zero >"$VIAL_DATADIR/images/partial/sha256-${layer#./}"
	: >"$log"
	vrun -0 vial pull "$name"
	grep -q ' bytes=300000- ' "$log"
	[ -z "$(partials)" ]
}

@test "registries: one that stalls is left" {
	vrun -1 vial pull "127.0.0.1:$bad/stalls/x"
	one_line "127.0.0.1:$bad/stalls/x"
	vrun -125 vial run --rm "127.0.0.1:$bad/stalls/x" true
	[[ $stderr == *"vial: 127.0.0.1:$bad/stalls/x"* ]]
}

@test "registries: vial-fetch may do what it needs and no more" {
	name=127.0.0.1:$bad/slow/confined
	start out pull "$name"
	# shellcheck disable=SC2317 # wait_for calls it
	came() { [ -n "$(partials)" ]; }
	wait_for 60 came
	fetch=$(pgrep -f "vial-fetch pull .*$name")
	grep -qE '^NoNewPrivs:\s*1' "/proc/$fetch/status"
	grep -qE '^Seccomp:\s*2' "/proc/$fetch/status"
	kill "$pid"
	wait "$pid" || true
}
