#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# clients_buildkite - Buildkite's docker plugin (commands/run.sh): one `docker
# run` with every option it can be told to pass on, and a signal to it.
#
# Not played: pull, network ls and create, --publish, --device and --gpus.

# shellcheck disable=SC2016,SC2154 # expanded in the guest; run sets variables
load clients

setup() { clients_setup; }
teardown() { clients_teardown; }

@test "buildkite: the usual step" {
	mkdir -p co
	echo hi >co/file
	export BUILDKITE_BUILD_NUMBER=42
	drun run -i --rm --init --volume "$PWD/co:/workdir" \
		--workdir /workdir --env BUILDKITE_JOB_ID=j1 \
		--env BUILDKITE_BUILD_NUMBER \
		--label com.buildkite.job-id=j1 \
		"$IMAGE" /bin/sh -e -c \
		'cat file; echo "$BUILDKITE_JOB_ID $BUILDKITE_BUILD_NUMBER"
		echo finished >result'
	[ "$output" = $'hi\nj1 42' ]
	[ "$(cat co/result)" = finished ]
	nothing_left
}

@test "buildkite: all of its flags" {
	mkdir -p co
	printf 'FROM_FILE=f\n# a comment\nNO_VALUE\n' >vars
	NO_VALUE=inherited drun run -i --rm --init --stop-timeout 5 \
		--tmpfs /scratch --volume "$PWD/co:/workdir" \
		--sysctl net.ipv4.ip_forward=1 --cap-add NET_ADMIN \
		--cap-drop MKNOD --security-opt no-new-privileges \
		--ulimit nofile=1024:2048 --workdir /workdir -u 1000:1000 \
		--group-add 50 --userns host --env A=1 --env-file vars \
		--add-host db:10.1.2.3 --network none \
		--platform linux/amd64 --pid host --ipc host \
		--log-driver none --shm-size 32m --cpus 1 \
		--memory 256m --memory-swap 256m --entrypoint /bin/sh \
		--label com.buildkite.job-id=j2 "$IMAGE" -e -c '
		id -u; id -G; ulimit -n; ulimit -Hn; echo "$A$FROM_FILE$NO_VALUE"
		awk "\$2 == \"/scratch\" { print \$3 }" /proc/mounts
		cat /proc/sys/net/ipv4/ip_forward
		awk "\$2 == \"db\" { print \$1 }" /etc/hosts
		awk "/^NoNewPrivs/ { print \$2 }" /proc/self/status
		df -m /dev/shm | awk "END { print \$2 }"'
	want=(1000 "1000 50" 1024 2048 1finherited tmpfs 1 10.1.2.3 1 32)
	[ "$output" = "$(printf '%s\n' "${want[@]}")" ]
	nothing_left
}

@test "buildkite: privileged is so inside alone" {
	drun run -i --rm --privileged "$IMAGE" sh -c \
		'mount -t tmpfs none /mnt && echo yes'
	[ "$output" = yes ]
	drun run -i --rm "$IMAGE" sh -c 'mount -t tmpfs none /mnt || echo no'
	[ "$output" = no ]
	nothing_left
}

@test "buildkite: SIGTERM reaches the job, and its status comes back" {
	bg out run -i --rm --init --label com.buildkite.job-id=j3 "$IMAGE" \
		sh -c 'trap "echo stopping; exit 7" TERM
		echo up; while :; do sleep 0.2; done'
	wait_for 100 grep -q up out
	kill -TERM "$pid"
	bg_end out
	[ "$status" -eq 7 ]
	grep -q stopping out
	nothing_left
}

@test "buildkite: SIGTERM to one that does not listen" {
	bg out run -i --rm --init "$IMAGE" sh -c 'echo up; sleep 1000; echo no'
	wait_for 100 grep -q up out
	kill -TERM "$pid"
	bg_end out
	# With an init the signal is the command's end.
	[ "$status" -eq 143 ]
	nothing_left
}

@test "buildkite: the exit status of a step" {
	for want in 0 42; do
		drun -$want run --rm "$IMAGE" sh -c "exit $want"
	done
	drun -127 run --rm "$IMAGE" no-such-program
	drun -126 run --rm "$IMAGE" /etc/passwd
	drun -125 run --rm --no-such-flag "$IMAGE" true
	drun -125 run --rm ./no/such/image true
	nothing_left
}
