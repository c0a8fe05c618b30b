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
	# Nobody wants it any more.
	head -c 300000 /dev/zero >"$VIAL_DATADIR/images/partial/sha256-${layer#./}"
	vrun -0 vial image prune -f
	[[ $output == *'reclaimed space: 30'* ]]
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

@test "registries: a bar for each layer on a terminal, lines for a pipe" {
	# shellcheck disable=SC2016 # python's
	cat >term.py <<-'END'
	import fcntl, os, pty, struct, sys, termios
	pid, fd = pty.fork()
	if pid == 0:
	    fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))
	    os.environ["TERM"] = "xterm"
	    os.execv(sys.argv[1], sys.argv[1:])
	while True:
	    try:
	        data = os.read(fd, 65536)
	    except OSError:
	        break
	    sys.stdout.buffer.write(data)
	sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
	END
	printf '[registry]\ntimeout = 2\n' >"$VIAL_CONF"
	name=127.0.0.1:$bad/slow
	# It stops for two seconds, then goes on.
	timeout 60 python3 term.py "$VIAL" pull "$name/bars" >out
	id=$(cd "$VIAL_DATADIR/images/blobs/sha256" && find . -size +100k)
	id=${id:2:12}
	tr '\r' '\n' <out >lines
	grep -qP "^\e\[K$id: Downloading \[=+> +\]  100kB/400\.\dkB$" lines
	grep -qP "^\e\[K$id: Pull complete$" lines
	grep -qF $'\e[1A' out
	vrun -0 vial pull "$name/lines"
	[ "${lines[1]}" = "$id: Already exists" ]
	[[ $output != *$'\e'* ]]
	timeout 60 python3 term.py "$VIAL" pull -q "$name/quiet" >out
	[ "$(tr -d '\r' <out)" = "$name/quiet:latest" ]
}

@test "registries: which one of an image for several" {
	local top=$BATS_FILE_TMPDIR oci=application/vnd.oci.image
	jq -c '.architecture = "arm64" | .variant = "v8"' "$top/config.json" \
		>config.json
	(cd "$top" && registry_put "$OLDPWD/config.json")
	jq -c --argjson c "$(registry_describe config.json \
		$oci.config.v1+json)" '.config = $c' "$top/manifest.json" \
		>manifest.json
	(cd "$top" && registry_put "$OLDPWD/manifest.json")
	mkdir -p "$top/layout/made"
	jq -nc --argjson a "$(registry_describe manifest.json \
		$oci.manifest.v1+json)" --arg o $oci \
		--argjson b "$(registry_describe "$top/manifest.json" \
		$oci.manifest.v1+json)" '{schemaVersion: 2,
		mediaType: ($o + ".index.v1+json"), manifests: [
		($a + {platform: {os: "linux", architecture: "arm64",
		variant: "v8"}}), ($b + {platform: {os: "linux",
		architecture: "amd64"}})]}' >"$top/layout/made/multi"
	name=127.0.0.1:$bad/made/multi/x
	arch() { vial image inspect -f '{{.Os}}/{{.Architecture}}' "$name"; }
	for p in linux/arm64 arm64 linux/arm64/v8 linux/aarch64; do
		vrun -0 vial pull --platform "$p" "$name"
		[ "$(arch)" = linux/arm64 ]
	done
	vrun -125 vial run --pull never "$name" true
	one_line linux/arm64 linux/amd64
	vrun -1 vial pull --platform linux/riscv64 "$name"
	one_line 'nothing for linux/riscv64'
	vrun -0 vial pull "$name"
	[ "$(arch)" = linux/amd64 ]
	# Both names of the one are in the registry's words: the list's.
	vrun -0 vial image inspect -f '{{index .RepoDigests 0}}' "$name"
	[ "$output" = "127.0.0.1:$bad/made/multi/x@sha256:$(sha256sum \
		"$top/layout/made/multi" | cut -c1-64)" ]
}

@test "registries: several pull the same at once, and some are killed" {
	local name=127.0.0.1:$bad/drops/x pids=() i
	printf '[registry]\ntimeout = 20\n' >"$VIAL_CONF"
	for round in 1 2 3; do
		pids=()
		for i in 1 2 3 4; do
			start "out$i" pull "$name:$round"
			pids+=("$pid")
		done
		sleep "0.0$round"
		pkill -9 -P "${pids[0]}" -x vial || true
		wait "${pids[0]}" || true
		for i in 1 2 3; do
			wait "${pids[i]}" || {
				cat "out$((i + 1)).err"
				return 1
			}
		done
		[ "$(find "$VIAL_DATADIR/images/blobs" -type f | wc -l)" -eq 3 ]
		vrun -0 vial rmi "$name:$round"
	done
	vrun -0 vial image prune -f
	[ -z "$(find "$VIAL_DATADIR"/images/{blobs,tmp,partial} -type f)" ]
}
