#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# clients_github - GitHub's runner without hooks (DockerCommandManager.cs,
# ContainerOperationProvider.cs, StepHost.cs): the calls of a job with a
# container, in its order.

# shellcheck disable=SC2016,SC2154 # expanded in the guest; run sets variables
load clients

setup() { clients_setup; }
teardown() { clients_teardown; }

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
