#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# clients_jenkins - docker-workflow of Jenkins (DockerClient.java,
# WithContainerStep.java): docker.image(...).inside { ... }, call by call.

# shellcheck disable=SC2016,SC2154 # expanded in the guest; run sets variables
load clients

setup() { clients_setup; }
teardown() { clients_teardown; }

@test "jenkins: the version, as its pattern reads it" {
	drun -v
	[[ $output =~ ^Docker\ version\ ([0-9]+)\.([0-9]+)\.[0-9]+,\ build ]]
	# --workdir of exec is used from 17.12 on.
	[ "${BASH_REMATCH[1]}" -ge 18 ]
	drun --version
	[[ $output == "Docker version "* ]]
}
