#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# clients_jenkins - docker-workflow of Jenkins (DockerClient.java,
# WithContainerStep.java): docker.image(...).inside { ... }, call by call.
#
# Not played: pull, build, tag and push; inspect of an image, which is a file here.

# shellcheck disable=SC2016,SC2154 # expanded in the guest; run sets variables
load clients

setup() { clients_setup; }
teardown() { clients_teardown; }

inside()
{
	ws=$PWD/ws
	mkdir -p "$ws" "$ws@tmp"
	chmod 777 "$ws" "$ws@tmp"
	docker run -t -d -u 1000:1000 -w "$ws" -v "$ws:$ws:rw,z" \
		-v "$ws@tmp:$ws@tmp:rw,z" -e BUILD_ID=12 -e 'JOB=a b' \
		-e TOKEN=t "$IMAGE" cat
}

@test "jenkins: the version, as its pattern reads it" {
	drun -v
	[[ $output =~ ^Docker\ version\ ([0-9]+)\.([0-9]+)\.[0-9]+,\ build ]]
	# --workdir of exec is used from 17.12 on.
	[ "${BASH_REMATCH[1]}" -ge 18 ]
	drun --version
	[[ $output == "Docker version "* ]]
}

@test "jenkins: inside" {
	cid=$(inside)
	is_id "$cid"
	# The one program must be the one it asked for, or it warns.
	drun top "$cid" -eo pid,comm
	grep -qE '^ *[0-9]+ +cat$' <<<"$output"
	# A shell step: its environment is put before the command.
	drun exec --env BUILD_ID=13 --env 'WHO=x y' --workdir "$PWD/ws" \
		"$cid" sh -c 'echo "$BUILD_ID|$JOB|$WHO|$PWD|$(id -u):$(id -g)"'
	[ "$output" = "13|a b|x y|$PWD/ws|1000:1000" ]
	# As it does for versions without --workdir.
	drun exec "$cid" env BUILD_ID=14 sh -c 'echo "$BUILD_ID"'
	[ "$output" = 14 ]
	drun exec "$cid" ps -o pid,comm
	grep -q ' cat$' <<<"$output"
	drun inspect -f '{{.State.Running}}' "$cid"
	[ "$output" = true ]
	drun stop --time=1 "$cid"
	[ "$output" = "$cid" ]
	drun rm -f --volumes "$cid"
	[ "$output" = "$cid" ]
	nothing_left
}

@test "jenkins: the durable task, started and asked for" {
	cid=$(inside)
	# Left to itself by a shell that ends at once; the result is a file.
	drun exec --env JENKINS_SERVER_COOKIE=x "$cid" sh -c \
		"(echo \$\$ >pid; sh -c 'sleep 2; exit 3' >log 2>&1; \
echo \$? >result.tmp; mv result.tmp result; wait) >/dev/null 2>&1 &"
	wait_for 60 test -e ws/result
	[ "$(cat ws/result)" = 3 ]
	docker rm -f --volumes "$cid"
	nothing_left
}

@test "jenkins: a build that is aborted" {
	cid=$(inside)
	docker exec -d --env JENKINS_SERVER_COOKIE=durable-1 "$cid" sleep 1000
	wait_for 30 runs_in "$cid" 'sleep 1000'
	# Its own list of processes, then a signal for those that are meant.
	drun exec "$cid" ps -o pid,args
	victim=$(awk '$2 == "sleep" { print $1; exit }' <<<"$output")
	[ -n "$victim" ]
	drun exec "$cid" kill "$victim"
	wait_for 30 gone_from "$cid" 'sleep 1000'
	drun stop --time=1 "$cid"
	drun rm -f --volumes "$cid"
	nothing_left
}

@test "jenkins: sidecars: withRun, logs, port" {
	drun run -d -e A=1 "$IMAGE" sh -c 'echo "A is $A"; sleep 1000'
	is_id "$output"
	cid=$output
	drun inspect -f . "$cid"
	[ "$output" = . ]
	drun port "$cid"
	wait_for 30 sh -c '"$@" | grep -q "A is 1"' - "$DOCKER" logs "$cid"
	drun stop --time=1 "$cid"
	drun rm -f --volumes "$cid"
	nothing_left
}
