#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# clients_github - GitHub's runner without hooks (DockerCommandManager.cs,
# ContainerOperationProvider.cs, StepHost.cs): the calls of a job with a
# container, in its order.
#
# Not played: network create, rm and prune, --network-alias of a network, login,
# pull and build.

# shellcheck disable=SC2016,SC2154 # expanded in the guest; run sets variables
load clients

setup() { clients_setup; }
teardown() { clients_teardown; }

label=0b1c2d
name=0123abcd_vialtest_ext4_4f2a1c

# Its words for the job's container. The values of -e K come from what it
# runs docker with.
create_job()
{
	mkdir -p w/_temp w/repo externals
	CI=true docker create --name $name --label $label \
		--workdir /__w/repo/repo --network bridge \
		-e "HOME=/github/home" -e GITHUB_ACTIONS=true -e CI \
		-v "$PWD/w":"/__w" -v "$PWD/externals":"/__e":ro \
		--entrypoint "tail" "$IMAGE" "-f" "/dev/null"
}

@test "github: the versions it asks for first" {
	drun version --format '{{.Server.APIVersion}}'
	[[ $output =~ ^1\.([0-9]+)$ ]]
	[ "${BASH_REMATCH[1]}" -ge 30 ]
	drun version --format '{{.Client.APIVersion}}'
	[[ $output =~ ^1\.[0-9]+$ ]]
	# No shell takes the quotes away: they are part of its template.
	drun version --format "'{{.Server.APIVersion}}'"
	[[ $output =~ ^\'1\.[0-9]+\'$ ]]
	drun --version
	[[ $output == "Docker version "* ]]
}

@test "github: nothing of an earlier job is there" {
	drun ps --all --quiet --no-trunc --filter "label=$label"
	[ -z "$output" ]
	[ -z "$stderr" ]
}

@test "github: create, start, and it runs" {
	drun ps --all --quiet --no-trunc --filter "label=$label"
	vrun -0 create_job
	is_id "$output"
	id=$output
	drun ps --all --quiet --no-trunc --filter "label=$label"
	[ "$output" = "$id" ]
	# Not yet.
	drun ps --all --filter "id=$id" --filter status=running --no-trunc \
		--format "{{.ID}} {{.Status}}"
	[ -z "$output" ]
	drun ps --all --filter "id=$id" --no-trunc \
		--format "{{.ID}} {{.Status}}"
	[ "$output" = "$id Created" ]
	drun start "$id"
	[ "$output" = "$id" ]
	drun ps --all --filter "id=$id" --filter status=running --no-trunc \
		--format "{{.ID}} {{.Status}}"
	[[ $output == "$id Up "* ]]
	drun port "$id"
	[ -z "$output" ]
	# Its PATH is looked for among these, one a line.
	drun inspect --format "{{range .Config.Env}}{{println .}}{{end}}" "$id"
	grep -qx 'CI=true' <<<"$output"
	grep -qx 'HOME=/github/home' <<<"$output"
	grep -qx 'GITHUB_ACTIONS=true' <<<"$output"
	grep -q '^PATH=' <<<"$output"
	drun rm --force "$id"
	[ "$output" = "$id" ]
	drun ps --all --quiet --no-trunc --filter "label=$label"
	[ -z "$output" ]
	nothing_left
}

@test "github: steps" {
	id=$(create_job)
	docker start "$id" >/dev/null
	# Which libc the image has: status 1, nothing found.
	drun -1 exec "$id" sh -c "cat /etc/*release | grep ^ID"
	# A step: the environment by name, its PATH by value, a script on disk.
	export INPUT_WHO='a b' GITHUB_REF=refs/heads/main
	drun exec -i --workdir /__w/repo/repo -e INPUT_WHO -e GITHUB_REF \
		-e CI=1 -e "PATH=/opt/tool:/bin:/sbin" "$id" \
		sh -e -c 'echo "$INPUT_WHO|$GITHUB_REF|$CI|$HOME|$PWD|$PATH"'
	[ "$output" = "a b|refs/heads/main|1|/github/home|/__w/repo/repo|\
/opt/tool:/bin:/sbin" ]
	# A name that is not set here is not set there.
	drun exec -i -e NOT_SET_HERE "$id" sh -c 'echo "${NOT_SET_HERE-unset}"'
	[ "$output" = unset ]
	# The status of a step is its own, and so are its streams.
	drun -7 exec -i "$id" sh -c 'echo out; echo err >&2; exit 7'
	[ "$output" = out ]
	[ "$stderr" = err ]
	drun -127 exec -i "$id" no-such-program
	drun -126 exec -i "$id" /etc/passwd
	# What a step leaves running does not hold up the next.
	drun exec -i "$id" sh -c 'sleep 1000 >/dev/null 2>&1 & echo $!'
	kept=$output
	drun exec -i "$id" sh -c "kill -0 $kept && echo there"
	[ "$output" = there ]
	docker rm --force "$id"
	nothing_left
}

@test "github: the workspace is one folder on both sides" {
	id=$(create_job)
	docker start "$id" >/dev/null
	echo 'echo "answer=$((6 * 7))" >>"$GITHUB_OUTPUT"' >w/_temp/step.sh
	: >w/_temp/output
	drun exec -i --workdir /__w/repo \
		-e GITHUB_OUTPUT=/__w/_temp/output "$id" \
		sh -e /__w/_temp/step.sh
	# The runner reads it on the host when the step has ended.
	[ "$(cat w/_temp/output)" = answer=42 ]
	drun -1 exec -i "$id" sh -c 'echo x >/__e/file'
	[[ $stderr == *"Read-only file system"* ]]
	docker rm --force "$id"
	nothing_left
}

@test "github: a service with a health check" {
	id=$(docker create --name svc --label $label --network bridge \
		--health-cmd "test -e /tmp/ready" --health-interval 1s \
		--health-timeout 5s --health-retries 30 \
		-e GITHUB_ACTIONS=true -e CI=true --entrypoint sh "$IMAGE" \
		-c 'echo starts; echo to-err >&2; sleep 3; touch /tmp/ready
			sleep 1000')
	is_id "$id"
	docker start "$id" >/dev/null
	format='{{if .Config.Healthcheck}}{{print .State.Health.Status}}{{end}}'
	drun inspect --format="$format" "$id"
	[[ $output == starting || $output == healthy ]]
	wait_for 100 sh -c '[ "$("$@")" = healthy ]' - \
		"$DOCKER" inspect --format="$format" "$id"
	drun logs --details "$id"
	[[ $output == *starts* ]]
	[[ $stderr == *to-err* ]]
	# And one without: nothing at all.
	other=$(docker create --name other "$IMAGE" true)
	drun inspect --format="$format" "$other"
	[ -z "$output" ]
	drun rm --force "$id"
	drun rm --force "$other"
	nothing_left
}

@test "github: an action in a container of its own" {
	mkdir -p w
	export INPUT_NAME='hello world'
	drun run --name action_1 --label $label --workdir /github/workspace \
		--rm -e INPUT_NAME -e HOME -e "GITHUB_ACTIONS"=true -e CI=true \
		-v "$PWD/w":"/github/workspace" "$IMAGE" \
		sh -c 'echo "$INPUT_NAME in $PWD"'
	[ "$output" = 'hello world in /github/workspace' ]
	drun -3 run --name action_2 --label $label \
		--workdir /github/workspace --rm --entrypoint "sh" \
		-e CI=true "$IMAGE" -c 'exit 3'
	drun ps --all --quiet --no-trunc --filter "label=$label"
	[ -z "$output" ]
	nothing_left
}

@test "github: a job that is cancelled" {
	id=$(create_job)
	docker start "$id" >/dev/null
	bg out exec -i "$id" sh -c 'trap "echo told; exit 9" INT
		echo up; while :; do sleep 0.2; done'
	wait_for 60 grep -q up out
	# It interrupts the client, and docker exec hands nothing on: the
	# client ends, and what it ran ends with it.
	kill -INT "$pid"
	bg_end out
	[ "$status" -ne 0 ]
	wait_for 30 gone_from "$id" 'echo told'
	drun rm --force "$id"
	nothing_left
}
