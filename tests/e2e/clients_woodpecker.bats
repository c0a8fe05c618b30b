#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# clients_woodpecker - the steps of a workflow as Woodpecker's docker back end
# makes them (StartStep, TailStep, WaitStep, DestroyStep), by command line.
#
# Not played: NetworkCreate, NetworkConnect and NetworkRemove, ImagePull.

# shellcheck disable=SC2016,SC2154 # expanded in the guest; run sets variables
load clients

setup() { clients_setup; }
teardown() { clients_teardown; }

# As it hands over a script: in the environment, which the shell unpacks.
step()	# NAME SCRIPT
{
	docker create --name "wp_$1" --label wp=1 --volume wp_0_default:/w \
		--workdir /w -e CI=woodpecker \
		-e CI_SCRIPT="$(base64 -w 0 <<<"$2")" --entrypoint /bin/sh \
		"$IMAGE" -c 'echo $CI_SCRIPT | base64 -d | /bin/sh -e'
}

@test "woodpecker: a workflow of two steps and a service" {
	drun info --format '{{.OSType}}/{{.Architecture}}'
	[[ $output == linux/* ]]
	# SetupWorkflow
	drun volume create wp_0_default
	# A detached step: a service.
	svc=$(docker create --name wp_svc --label wp=1 "$IMAGE" \
		sh -c 'echo service; sleep 1000')
	drun start "$svc"
	# StartStep
	id=$(step clone 'echo cloned >file; echo one; echo two >&2')
	drun start "$id"
	# TailStep, which follows until the end
	drun logs -f "$id"
	[ "$output" = one ]
	[ "$stderr" = two ]
	# WaitStep
	drun wait "$id"
	[ "$output" = 0 ]
	drun inspect -f '{{.State.Status}} {{.State.ExitCode}} {{.State.OOMKilled}}' \
		"$id"
	[ "$output" = 'exited 0 false' ]
	# DestroyStep: kill what runs, take its volumes along.
	run docker kill "$id"
	[ "$status" -eq 1 ]
	drun rm -f -v "$id"
	# The second one fails; it finds what the first one left.
	id=$(step build 'cat file; sleep 2; exit 9')
	drun start "$id"
	drun wait "$id"
	[ "$output" = 9 ]
	drun logs "$id"
	[ "$output" = cloned ]
	drun ps -a --filter label=wp=1 --format '{{.Names}} {{.State}}'
	grep -qx 'wp_build exited' <<<"$output"
	grep -qx 'wp_svc running' <<<"$output"
	# DestroyWorkflow
	drun kill wp_svc
	[ "$output" = wp_svc ]
	drun rm -f -v wp_svc wp_build
	drun volume rm wp_0_default
	[ -z "$(docker ps -aq)" ]
	nothing_left
}

@test "woodpecker: out of memory is told" {
	id=$(docker create --name wp_oom --memory 128m "$IMAGE" tool eat 500)
	drun start "$id"
	drun wait "$id"
	[ "$output" = 137 ]
	drun inspect -f '{{.State.ExitCode}} {{.State.OOMKilled}}' "$id"
	[ "$output" = '137 true' ]
	drun rm -f -v "$id"
	nothing_left
}

@test "woodpecker: a workflow that is cancelled while it is followed" {
	docker volume create wp_0_default >/dev/null
	id=$(step long 'echo up; sleep 1000')
	drun start "$id"
	bg out logs -f "$id"
	tail_pid=$pid
	bg waited wait "$id"
	wait_pid=$pid
	wait_for 60 grep -q up out
	drun stop --time=1 "$id"
	pid=$tail_pid
	bg_end out
	[ "$status" -eq 0 ]
	pid=$wait_pid
	bg_end waited
	[ "$status" -eq 0 ]
	[ "$(cat waited)" = 137 ] || [ "$(cat waited)" = 143 ]
	drun rm -f -v "$id"
	drun volume rm wp_0_default
	nothing_left
}
