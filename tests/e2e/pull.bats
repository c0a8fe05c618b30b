#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# pull - images from registries: Debian's docker-registry, to which skopeo has
# pushed, and one with bad habits (prog/registry.py).
# e2e: no VM

# shellcheck disable=SC2154,SC2016 # run sets variables; templates
load common
load registry

setup_file()
{
	cd "$BATS_FILE_TMPDIR" || return
	registry_layout
	registry_bad
	command -v docker-registry >/dev/null || return 0
	port=$((20000 + $$ % 10000))
	registry_real $port "http: {addr: \"127.0.0.1:$port\"}"
	echo $port >real
}

teardown_file() { registry_end; }

setup() { registry_setup; }

blobs() { find "$VIAL_DATADIR/images/blobs" -type f | wc -l; }

nothing_kept()
{
	[ "$(blobs)" -eq 0 ]
	[ -z "$(ls "$VIAL_DATADIR/images/tmp")" ]
	vrun -0 vial images -q
	[ -z "$output" ]
}

@test "pull: what docker's callers read" {
	name=127.0.0.1:$bad/good/x
	vrun -0 vial pull "$name:1"
	[ "${lines[0]}" = '1: Pulling from good/x' ]
	[[ ${lines[1]} =~ ^[0-9a-f]{12}": Pull complete"$ ]]
	[ "${lines[2]}" = "Digest: $digest" ]
	[ "${lines[3]}" = "Status: Downloaded newer image for $name:1" ]
	[ "${lines[4]}" = "$name:1" ]
	vrun -0 vial pull "$name:1"
	[[ ${lines[1]} == *': Already exists' ]]
	[ "${lines[3]}" = "Status: Image is up to date for $name:1" ]
	vrun -0 vial pull -q "$name"
	[ "$output" = "$name:latest" ]
	vrun -0 vial image pull "$name@$digest"
	vrun -0 vial image inspect -f '{{json .RepoDigests}}' "$name@$digest"
	[ "$output" = "[\"$name@$digest\"]" ]
	vrun -0 vial images --digests --format '{{.Tag}} {{.Digest}}' "$name"
	[[ $output == *"1 $digest"* ]]
	vrun -1 vial pull "$name@sha256:$(printf %064d 0)"
	one_line 'blob unknown'
	vrun -1 vial pull "Bad Name"
	one_line 'invalid reference format'
	vrun -1 vial pull --platform linux/nonsense/a/b "$name"
	one_line platform
	vrun -125 vial pull
}

@test "pull: a real registry; what skopeo pushed, docker's lists too" {
	command -v skopeo >/dev/null && command -v docker-registry >/dev/null ||
		skip 'needs skopeo and docker-registry'
	name=127.0.0.1:$(cat "$BATS_FILE_TMPDIR/real")/team/x
	skopeo copy -q --insecure-policy --dest-tls-verify=false \
		"oci:$BATS_FILE_TMPDIR/layout" "docker://$name:oci"
	skopeo copy -q --insecure-policy --dest-tls-verify=false -f v2s2 \
		"oci:$BATS_FILE_TMPDIR/layout" "docker://$name:docker"
	for tag in oci docker; do
		vrun -0 vial pull "$name:$tag"
	done
	vrun -0 vial images --format '{{.ID}}' "$name"
	[ "${#lines[@]}" -eq 2 ]
	vial rmi "$name:oci" "$name:docker"
	vrun -0 vial pull --all-tags "$name"
	vrun -0 vial images --format '{{.Tag}}' "$name"
	[ "$(sort <<<"$output")" = $'docker\noci' ]
	vrun -1 vial pull "$name:none"
	one_line "$name:none" 'manifest unknown'
	# What was pulled is a layout that skopeo reads.
	vial save --format oci-archive -o a.tar "$name:oci"
	skopeo inspect "oci-archive:a.tar" | jq -e '.Env == ["A=b"]'
}

@test "pull: all tags of a name, page by page" {
	name=127.0.0.1:$bad/good/x
	vrun -0 vial pull -a "$name"
	[[ $output == '1: Pulling from good/x'*'2: Pulling'*'3: Pulling'* ]]
	[ "$(grep -c '^Digest: ' <<<"$output")" -eq 3 ]
	[[ $output == *"Status: Downloaded newer image for $name"$'\n'"$name" ]]
	vrun -0 vial images --format '{{.Tag}}' "$name"
	[ "$(sort <<<"$output")" = $'1\n2\n3' ]
	vrun -0 vial pull -qa "$name"
	[ "$output" = "$name" ]
	# A list that says it goes on elsewhere goes on here.
	vrun -0 vial pull -qa "127.0.0.1:$bad/away/x"
	vrun -0 vial images --format '{{.Tag}}' "127.0.0.1:$bad/away/x"
	[ "$(sort <<<"$output")" = $'1\n2\n3' ]
	vrun -1 vial pull -a "$name:1"
	one_line "tag can't be used"
	vrun -1 vial pull -a "127.0.0.1:$bad/lists/x"
	one_line 'no tag'
	vrun -1 vial pull -a "127.0.0.1:$bad/none/x"
	one_line 'has no tags'
	vrun -1 vial pull -a "127.0.0.1:$bad/turns/x"
	one_line 'without an end'
}

@test "pull: what lies, or is none, leaves nothing" {
	check() # NAME WORD...
	{
		local name=$1
		shift
		vrun -1 vial pull "127.0.0.1:$bad/$name/x"
		one_line "$@"
		nothing_kept
	}
	check html 'no JSON'
	check circle redirect
	check old 'schema version 1'
	check huge 'larger than'
	check lying 'it is sha256:' 'not sha256:'
	check longer bytes
	check swapped 'the manifest is sha256:' "not $digest"
	vrun -1 vial pull 127.0.0.1:1/x
	nothing_kept
}

@test "pull: a connection that drops is taken up where it was" {
	vrun -0 vial pull "127.0.0.1:$bad/drops/x"
	[ "$(grep -c ' bytes=' "$log")" -ge 3 ]
	grep -q ' bytes=300000- ' "$log"
	vrun -0 vial pull "127.0.0.1:$bad/busy/x"
	vial rmi "127.0.0.1:$bad/drops/x" "127.0.0.1:$bad/busy/x"
	vrun -0 vial pull "127.0.0.1:$bad/anew/x"
}

@test "pull: logins, and where they are not sent" {
	vrun -1 vial pull "127.0.0.1:$bad/basic/x"
	one_line 'vial login'
	mkdir "$HOME/.docker"
	auth() { jq -n --arg h "127.0.0.1:$bad" --arg a \
		"$(printf %s "$1" | base64)" '{auths: {($h): {auth: $a}}}'; }
	auth me:wrong >"$HOME/.docker/config.json"
	vrun -1 vial pull "127.0.0.1:$bad/basic/x"
	one_line denied
	auth me:secret >"$HOME/.docker/config.json"
	vrun -0 vial pull "127.0.0.1:$bad/basic/x"
	vial rmi "127.0.0.1:$bad/basic/x"
	# A helper comes first.
	mkdir bin
	cat >bin/docker-credential-test <<-'END'
	#!/bin/sh
	read -r host
	echo "$1 $host" >asked
	echo '{"Username": "me", "Secret": "secret"}'
	END
	chmod +x bin/docker-credential-test
	auth me:wrong | jq '.credsStore = "test"' >"$HOME/.docker/config.json"
	PATH=$PWD/bin:$PATH vrun -0 vial pull "127.0.0.1:$bad/basic/x"
	[ "$(cat asked)" = "get 127.0.0.1:$bad" ]
	vial rmi "127.0.0.1:$bad/basic/x"
	# A token, for which one logs in; it stays with the registry.
	auth me:secret >"$HOME/.docker/config.json"
	: >"$log"
	vrun -0 vial pull "127.0.0.1:$bad/token/x"
	grep -q "^$bad GET /token?service=us&scope=repository%3Atoken%2Fx%3Apull&account=me - Basic " "$log"
	grep -q "^$bad GET /v2/token/x/blobs/.* Bearer t0k$" "$log"
	grep -q "^$other GET /v2/token/x/blobs/.* -$" "$log"
	run ! grep -q "^$other .*Bearer" "$log"
	printf '[[registry]]\nlocation = "127.0.0.1:%s"\nblocked = true\n' \
		"$bad" >"$HOME/registries.conf"
	mkdir -p "$HOME/.config/containers"
	mv "$HOME/registries.conf" "$HOME/.config/containers/"
	vrun -1 vial pull "127.0.0.1:$bad/good/x"
	one_line blocked
}

@test "pull: login and logout" {
	reg=127.0.0.1:$bad
	file=$HOME/.docker/config.json
	vrun -1 vial login -u me --password-stdin "$reg" <<<wrong
	one_line "$reg" 'incorrect username or password'
	[ ! -e "$file" ]
	vrun -0 vial login -u me --password-stdin "$reg" <<<secret
	[ "$output" = 'Login Succeeded' ]
	[ "$(stat -c %a "$file")" = 600 ]
	jq -e --arg h "$reg" '.auths[$h].auth == ("me:secret" | @base64)' "$file"
	vrun -0 vial pull "$reg/basic/x"
	# What else is in the file stays.
	jq '.other = 1' "$file" >new && cat new >"$file"
	vrun -0 vial logout "$reg"
	[ "$output" = "Removing login credentials for $reg" ]
	jq -e '.other == 1 and .auths == {}' "$file"
	vrun -1 vial logout "$reg"
	one_line 'Not logged in'
	vrun -0 vial login -u me -p secret "http://$reg/"
	[[ $stderr == *insecure* ]]
	vrun -125 vial login --password-stdin "$reg" <<<x
	one_line --username
	vrun -1 vial login "$reg" </dev/null
	one_line --password-stdin
	# A helper keeps it, and the file does not.
	mkdir bin
	cat >bin/docker-credential-test <<-'END'
	#!/bin/sh
	echo "$1" >>verbs
	cat >"input-$1"
	END
	chmod +x bin/docker-credential-test
	echo '{"credsStore": "test"}' >"$file"
	PATH=$PWD/bin:$PATH vrun -0 vial login -u me --password-stdin "$reg" <<<secret
	jq -e --arg h "$reg" '. == {ServerURL: $h, Username: "me",
		Secret: "secret"}' input-store
	PATH=$PWD/bin:$PATH vrun -0 vial logout "$reg"
	[ "$(cat input-erase)" = "$reg" ]
	jq -e '. == {credsStore: "test"}' "$file"
	echo 'no json' >"$file"
	vrun -1 vial login -u me --password-stdin "$reg" <<<secret
	one_line "$file"
}

@test "pull: what is pushed comes back the same" {
	command -v skopeo >/dev/null && command -v docker-registry >/dev/null ||
		skip 'needs skopeo and docker-registry'
	reg=127.0.0.1:$(cat "$BATS_FILE_TMPDIR/real")
	vial load -qi "$BATS_FILE_TMPDIR/layout" -t "$reg/pushed/x:1"
	vrun -0 vial push "$reg/pushed/x:1"
	[ "${lines[0]}" = "The push refers to repository [$reg/pushed/x]" ]
	[[ ${lines[1]} =~ ^[0-9a-f]{12}": Pushed"$ ]]
	[[ ${lines[2]} =~ ^"1: digest: $digest size: "[0-9]+$ ]]
	vrun -0 vial push "$reg/pushed/x:1"
	[[ ${lines[1]} == *': Layer already exists' ]]
	vial tag "$reg/pushed/x:1" "$reg/pushed/x:2"
	vrun -0 vial push -q "$reg/pushed/x:2"
	[ "$output" = "$reg/pushed/x:2" ]
	skopeo inspect --tls-verify=false "docker://$reg/pushed/x:2" |
		jq -e --arg d "$digest" '.Digest == $d and .Env == ["A=b"] and
			(.RepoTags | sort) == ["1", "2"]'
	vial tag "$reg/pushed/x:1" "$reg/pushed/y:a"
	vial tag "$reg/pushed/x:1" "$reg/pushed/y:b"
	vrun -0 vial push -a "$reg/pushed/y"
	[[ $output == *$'\n'"a: digest: $digest "*$'\n'"b: digest: $digest "* ]]
	vrun -1 vial push -a "$reg/pushed/y:a"
	one_line "tag can't be used"
	vrun -1 vial push -a "$reg/pushed/none"
	one_line 'does not exist locally'
	vial rmi "$reg"/pushed/y:{a,b}
	vial rmi "$reg/pushed/x:1" "$reg/pushed/x:2"
	vrun -0 vial pull "$reg/pushed/x:1"
	[ "${lines[2]}" = "Digest: $digest" ]
	vrun -1 vial push "$reg/pushed/none"
	one_line 'does not exist locally'
	vial tag "$reg/pushed/x:1" "127.0.0.1:$bad/basic/x:1"
	vrun -1 vial push "127.0.0.1:$bad/basic/x:1"
	one_line "127.0.0.1:$bad/basic/x:1"
}
