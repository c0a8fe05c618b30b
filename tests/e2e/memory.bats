#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# memory - what the guest no longer uses goes back to the host.

# shellcheck disable=SC2154 # run sets variables
load common

setup() { common_setup; }
teardown() { common_teardown; }

# rss FIELD: of the one monitor that runs, MiB.
rss()
{
	local p
	for p in $(our_pids); do
		if [[ $(cat "/proc/$p/comm" 2>/dev/null) == vial-vmm ]]; then
			awk -v f="$1:" '$1 == f { print int($2 / 1024) }' \
				"/proc/$p/status"
		fi
	done
}

rss_below() { [ "$(rss VmRSS)" -lt "$1" ]; }

@test "memory: 200 MiB that a command used and freed come back" {
	start out run --rm -m 512m "$IMAGE" \
		sh -c 'tool eat 200; echo freed; sleep 1000'
	wait_for 100 grep -q freed out
	peak=$(rss VmHWM)
	echo "peak $peak MiB, now $(rss VmRSS) MiB"
	[ "$peak" -ge 200 ]
	wait_for 60 rss_below $((peak - 150))
	echo "# $peak MiB, then $(rss VmRSS) MiB" >&3
	# stats knows what the guest uses now, and how much it gave back.
	vrun -0 vial stats --no-stream --format '{{json .}}'
	used=$(jq -r .MemUsage <<<"$output")
	back=$(jq -r .MemReturned <<<"$output")
	[[ $used =~ ^([0-9]+)(\.[0-9]+)?MiB\ /\ 512MiB$ ]]
	[ "${BASH_REMATCH[1]}" -lt 150 ]
	[[ $back =~ ^([0-9]+)(\.[0-9]+)?(M|G)iB$ ]]
	[[ ${BASH_REMATCH[3]} == G || ${BASH_REMATCH[1]} -ge 150 ]]
	kill -TERM "$pid"
	wait "$pid" || true
}
