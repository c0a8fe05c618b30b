#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# clients_gitlab - gitlab-ci-local (src/job.ts): the calls of a job, with files
# copied into a container that was never started, and one started twice.
#
# Not played: network create, connect and rm, and image inspect of its services.

# shellcheck disable=SC2016,SC2154 # expanded in the guest; run sets variables
load clients

setup() { clients_setup; }
teardown() { clients_teardown; }

@test "gitlab: which user the image has" {
	drun run --rm --entrypoint sh "$IMAGE" -c 'echo "$(id -u):$(id -g)"'
	[ "$output" = 0:0 ]
	nothing_left
}

@test "gitlab: volumes, and files for them" {
	drun volume create gcl-build
	[ "$output" = gcl-build ]
	drun volume create gcl-tmp
	mkdir -p src/sub
	echo one >src/one
	echo '#!/bin/sh' >src/sub/run
	chmod 755 src/sub/run
	ln -s one src/link
	cid=$(docker create --user=0:0 --volume=gcl-build:/gcl-builds \
		--volume=gcl-tmp:/tmp/gcl "$IMAGE" sh -c \
		'chown 1000:1000 -R /gcl-builds/ && chmod a+rw -R /gcl-builds')
	is_id "$cid"
	# Never started yet.
	drun cp src/. "$cid":/gcl-builds
	drun start --attach "$cid"
	[ -z "$output" ]
	drun rm -vf "$cid"
	# A second container finds them in the volume.
	drun run --rm --volume=gcl-build:/gcl-builds "$IMAGE" sh -c 'cd /gcl-builds
		cat one; stat -c "%u %a" sub/run; readlink link'
	[ "${lines[0]}" = one ]
	[[ ${lines[1]} == "1000 7"* ]]
	[ "${lines[2]}" = one ]
	drun volume rm gcl-build gcl-tmp
	nothing_left
}

@test "gitlab: script and after_script in one container" {
	docker volume create gcl-build >/dev/null
	cid=$(docker create --interactive --user 0:0 --ulimit nofile=1024 \
		--shm-size=32m --memory=256m --kernel-memory=64m --cpus 1 \
		--network bridge --add-host=db:10.0.0.1 \
		--volume gcl-build:/gcl-builds --workdir /gcl-builds \
		-e 'CI_JOB_NAME=a job' -e 'TWO=1 2' --entrypoint '' \
		"$IMAGE" sh -c 'if [ -x /usr/local/bin/bash ]; then
	exec /usr/local/bin/bash
else
	exec sh
fi')
	is_id "$cid"
	printf '%s\n' 'set -e' 'echo "$CI_JOB_NAME|$TWO|$PWD"' \
		'echo kept >file; echo layer >/layer' \
		'ulimit -n; grep -c db /etc/hosts' 'exit 0' >cmd
	chmod 755 cmd
	drun cp cmd "$cid":/gcl-cmd
	run --separate-stderr docker start --attach -i "$cid" <<<'. /gcl-cmd'
	show
	[ "$status" -eq 0 ]
	[ "$output" = $'a job|1 2|/gcl-builds\n1024\n1' ]
	# The same one again: its own disk is as it was.
	echo 'cat file /layer; exit 5' >after
	drun cp after "$cid":/gcl-cmd
	run --separate-stderr docker start --attach -i "$cid" <<<'. /gcl-cmd'
	show
	[ "$status" -eq 5 ]
	[ "$output" = $'kept\nlayer' ]
	drun inspect -f '{{.State.Status}} {{.State.ExitCode}}' "$cid"
	[ "$output" = 'exited 5' ]
	# Artifacts come out of the stopped one.
	drun cp "$cid":/layer out
	[ "$(cat out)" = layer ]
	drun rm -vf "$cid"
	drun volume rm gcl-build
	nothing_left
}

@test "gitlab: artifacts, through a helper that packs them" {
	docker volume create gcl-build >/dev/null
	docker run --rm --volume=gcl-build:/b "$IMAGE" \
		sh -c 'mkdir -p /b/art/sub; echo 1 >/b/art/a; echo 2 >/b/art/sub/b'
	cid=$(docker create -i --volume gcl-build:/gcl-builds "$IMAGE" \
		sh -c 'cd /gcl-builds && cp -r art /tmp/artifacts')
	docker start --attach "$cid"
	mkdir -p out
	drun cp "$cid":/tmp/artifacts/. out
	[ "$(cat out/a out/sub/b)" = $'1\n2' ]
	drun rm -vf "$cid"
	drun volume rm gcl-build
	nothing_left
}

@test "gitlab: a service beside it" {
	cid=$(docker create --network bridge --name gcl-svc "$IMAGE" \
		sh -c 'echo ready; sleep 1000')
	drun start "$cid"
	[ "$output" = "$cid" ]
	wait_for 60 sh -c '"$@" | grep -q ready' - "$DOCKER" logs "$cid"
	drun rm -vf "$cid"
	nothing_left
}

@test "gitlab: several at once, and one that is not there" {
	a=$(docker create "$IMAGE" true)
	b=$(docker create "$IMAGE" true)
	drun rm -vf "$a" "$b"
	[ "$output" = "$a"$'\n'"$b" ]
	# Docker's rm -f of what is gone says so and is content.
	drun rm -vf "$a"
	[ -z "$output" ]
	[[ $stderr == *"No such"* ]]
	nothing_left
}
