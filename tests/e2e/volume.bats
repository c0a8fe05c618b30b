#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# volume - disks that outlive boxes: what a box writes the next one reads, one
# writer at a time, and nobody loses what a box may want again.

# shellcheck disable=SC2154,SC2016 # run sets variables; commands share a shell here, templates none
load common

# The folders of volumes and images stay where there was one.
setup()
{
	common_setup
	vial volume ls -q
	vial image prune -f
	leftovers >"$before"
}

teardown() { common_teardown; }

# What the words print, in one line.
is()	# WANT WORDS...
{
	local want=$1
	shift
	vrun -0 vial "$@"
	[ "$(xargs <<<"$output")" = "$want" ] || {
		echo "wanted: $want"
		return 1
	}
}

# A box that has said "up" and stays: hold NAME OPTION...
hold()
{
	local name=$1
	shift
	vial run -d --name "$name" "$@" "$IMAGE" \
		sh -c 'echo up; exec sleep 1000' >/dev/null
	wait_for 60 said_up "$name"
}

said_up() { vial logs "$1" | grep -q up; }

@test "volume: create, ls, inspect, prune, rm in docker's words" {
	is cache volume create -o size=64m --label job=42 --label a cache
	is cache volume create cache
	is cache volume create --name cache --opt size=1g
	[[ $stderr == *'was there already and has 64MiB'* ]]
	vrun -0 vial volume create
	made=$output
	[[ $made =~ ^[0-9a-f]{64}$ ]]
	vrun -0 vial volume ls
	[ "${lines[0]}" = 'DRIVER    VOLUME NAME' ]
	[ "${#lines[@]}" -eq 3 ]
	grep -qx 'local     cache' <<<"$output"
	is cache volume ls -q --filter label=job=42
	is "$made" volume ls -q --filter 'label!=a'
	is cache volume ls -qf name=cac
	is '' volume ls -q --filter dangling=false
	is 'cache local 42 0' volume list --filter name=cache \
		--format '{{.Name}} {{.Driver}} {{.Label "job"}} {{.Links}}'
	vial volume ls --format json | jq -es 'length == 2 and
		all(.Scope == "local" and .Links == "0")'
	vrun -0 vial volume inspect cache
	jq -e '.[0] | .Name == "cache" and .Driver == "local" and
		.Labels == {"job": "42", "a": ""} and .Scope == "local" and
		.Options.size == "64m" and .Status.Size == 67108864 and
		(.CreatedAt | test("^20.*Z$"))' <<<"$output"
	vrun -1 vial volume inspect nobody
	[ "$output" = '[]' ]
	[ "$stderr" = 'Error: No such volume: nobody' ]
	vrun -0 vial volume prune </dev/null
	[[ $output == WARNING* ]]
	vrun -0 vial volume prune -f
	[ "${lines[0]}" = 'Deleted Volumes:' ]
	[ "${lines[1]}" = "$made" ]
	is cache volume ls -q
	is 'Total reclaimed space: 0B' volume prune -af --filter label=job=43
	is cache volume rm cache
	vrun -1 vial volume rm cache
	one_line 'No such volume: cache'
	is cache volume rm -f cache
	vrun -125 vial volume create -o type=nfs x
	one_line 'invalid option: "type"'
	vrun -1 vial volume create ../x
	one_line 'invalid characters'
	vrun -1 vial volume create -o size=1m small
	one_line '16 MiB'
	vrun -125 vial volume remov x
	one_line remov
	is '' volume ls -q
	nothing_left
}

@test "volume: what was written is there for the next box, and it grows" {
	vial volume create -o size=64m data
	vrun -0 box -v data:/d -- sh -c 'echo one >/d/f; df -k /d | tail -n 1'
	small=$(awk '{ print $2 }' <<<"$output")
	[ "$small" -lt 65536 ]
	is data volume grow data 1g
	vrun -1 vial volume grow data 128m
	one_line 'do not shrink'
	vrun -0 box --mount type=volume,source=data,target=/e,readonly -- \
		sh -c 'cat /e/f; echo x 2>/dev/null >/e/f || echo refused'
	[ "$output" = $'one\nrefused' ]
	# An empty one gets what the image has there.
	vrun -0 box -v data:/d -v new:/etc -- sh -c 'cat /d/f
		df -k /d | tail -n 1; head -c 80000000 /dev/zero >/d/g; ls /etc'
	[ "${lines[0]}" = one ]
	[ "$(awk '{ print $2 }' <<<"${lines[1]}")" -gt 900000 ]
	[[ $output == *passwd* ]]
	vrun -0 vial volume inspect -f '{{.Status.Used}}' data
	[ "$output" -ge 80000000 ]
	vrun -0 box -v new:/n:ro --mount type=volume,src=new2,dst=/etc,volume-nocopy \
		-- sh -c 'ls /n; ls -A /etc | grep -c passwd || true'
	[[ $output == *passwd* ]]
	[ "${lines[-1]}" = 0 ]
	vrun -0 vial volume prune -af
	[ "${#lines[@]}" -ge 5 ]
	nothing_left
}

@test "volume: one writer or many readers, and nothing in use goes" {
	hold writer -v data:/d
	vrun -125 box -v data:/d -- true
	one_line 'volume data' 'in use - [writer]' ':ro'
	vrun -125 box -v data:/d:ro -- true
	is writer ps --format '{{.Names}}'
	vrun -1 vial volume rm data
	one_line 'volume is in use' writer
	vrun -1 vial volume grow data 20g
	one_line 'volume is in use'
	is 'true writer' volume inspect \
		-f '{{.Status.Busy}} {{index .Status.Boxes 0}}' data
	is 'Total reclaimed space: 0B' volume prune -af
	# What it wrote and did not sync is there after it.
	vial exec writer sh -c 'echo unsynced >/d/u'
	vial rm -f writer
	hold reader -v data:/d:ro
	vrun -0 box -v data:/d:ro -- cat /d/u
	[ "$output" = unsynced ]
	vrun -125 box -v data:/d -- true
	one_line 'in use - [reader]'
	# A box that has ended may be started again.
	vial stop -t 0 reader
	vrun -1 vial volume rm -f data
	one_line 'volume is in use' reader
	vial rm reader
	is data volume rm data
	nothing_left
}

@test "volume: those without a name go with rm -v, and with brief boxes" {
	vial create --name one -v /a -v named:/n "$IMAGE" true
	vrun -0 vial volume ls -q
	[ "${#lines[@]}" -eq 2 ]
	vial create --name two --volumes-from one "$IMAGE" true
	vial rm -v one
	vrun -0 vial volume ls -q
	[ "${#lines[@]}" -eq 2 ]
	is 'Total reclaimed space: 0B' volume prune -f
	vial start -a two
	vial rm --volumes two
	is named volume ls -q
	box -v /a -- sh -c 'echo x >/a/x'
	is named volume ls -q
	vial volume rm named
	nothing_left
}

@test "volume: what was synced outlives a monitor that is killed" {
	vial run -d --name job -v data:/d "$IMAGE" sh -c \
		'echo safe >/d/f; sync; echo up; exec sleep 1000' >/dev/null
	wait_for 60 said_up job
	kill -9 "$(vial inspect -f '{{.State.Pid}}' job)"
	vial wait job
	# The journal holds it, which one that only reads has to read, too.
	vrun -0 box -v data:/d:ro -- cat /d/f
	[ "$output" = safe ]
	vrun -0 box -v data:/d -- sh -c 'cat /d/f; echo more >>/d/f'
	[ "$output" = safe ]
	vrun -0 box -v data:/d:ro -- cat /d/f
	[ "$output" = $'safe\nmore' ]
	vial rm job
	vial volume rm data
	nothing_left
}

@test "volume: system df counts what there is, prune takes what nobody uses" {
	vial run -d --rm --name live -v live:/d "$IMAGE" sh -c \
		'head -c 30000000 /dev/zero >/big; sync; echo up; sleep 1000' \
		>/dev/null
	vial create --name idle --label keep=no -v /a -v named:/n "$IMAGE" true
	wait_for 60 said_up live
	is '2 1' system df --format '{{if eq .Type "Containers"}}{{.TotalCount}} {{.Active}}{{end}}'
	is '3 3' system df --format '{{if eq .Type "Local Volumes"}}{{.TotalCount}} {{.Active}}{{end}}'
	# What a brief box writes has no name, and is there nevertheless.
	vrun -0 vial system df -v
	grep -qE '^[0-9a-f]{12} .* (3[0-9]|[4-9][0-9])(\.[0-9]+)?MB .* live$' <<<"$output"
	grep -qE '^named +1 +[0-9.]+MB$' <<<"$output"
	vial system df -v --format json | jq -e '(.Containers | length) == 2 and
		(.Volumes | length) == 3'
	is 'live running' ps --format '{{.Names}} {{.State}}'
	is '2 1 1 linux' info -f '{{.Containers}} {{.ContainersRunning}} {{.ContainersStopped}} {{.OSType}}'
	is live container ls --format '{{.Names}}'
	is idle container list -a --filter status=created --format '{{.Names}}'
	vrun -125 vial system prune --volumes --filter until=1h
	one_line '"until" filter'
	is 'Total reclaimed space: 0B' system prune -f --filter until=24h
	is 'Total reclaimed space: 0B' system prune -f --filter label=keep=yes
	vrun -0 vial system prune -f --volumes
	[ "$(grep -c . <<<"$output")" -eq 5 ]
	is 'live named' volume ls -q
	vrun -0 vial system prune -a -f --volumes
	is live volume ls -q
	vial rm -f live
	vrun -0 vial volume prune -a -f
	vrun -0 vial system df --format json
	jq -es 'all(.TotalCount == "0" and .Size == "0B")' <<<"$output"
	nothing_left
}
