#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# list - what there is and what it does: ps, inspect, top, stats, events,
# prune, on boxes that all tests of this file share.

# shellcheck disable=SC2154,SC2016,SC2086,SC2116 # echo folds blanks; run sets variables; templates have no shell's
load common

setup_file()
{
	export SHARED=$BATS_FILE_TMPDIR
	export VIAL_RUNDIR=$SHARED/run VIAL_DATADIR=$SHARED/data
	date +%s >"$SHARED/since"
	vial create --name idle --label a=b --label job=42 -e A=1 -w /tmp \
		"$IMAGE" sh -c 'echo a long line of words' >"$SHARED/idle"
	vial run --name done-box "$IMAGE" sh -c 'exit 3' || true
	vial run -d -t --name live --label job=43 "$IMAGE" cat >"$SHARED/live"
}

teardown_file()
{
	VIAL_RUNDIR=$SHARED/run VIAL_DATADIR=$SHARED/data
	export VIAL_RUNDIR VIAL_DATADIR
	vial rm -f live idle done-box || true
}

setup()
{
	VIAL_RUNDIR=$SHARED/run
	VIAL_DATADIR=$SHARED/data
	live=$(cat "$SHARED/live")
	idle=$(cat "$SHARED/idle")
}

# What comes of a ps, in one line.
ps_is()
{
	local want=$1
	shift
	vrun -0 vial ps "$@"
	[ "$(echo $output)" = "$want" ] || {
		echo "wanted: $want"
		return 1
	}
}

@test "list: ps as docker prints it" {
	vrun -0 vial ps
	[ "${#lines[@]}" -eq 2 ]
	[[ ${lines[0]} =~ ^"CONTAINER ID   IMAGE "\ +"COMMAND "\ +"CREATED "\ +"STATUS "\ +"PORTS "\ +NAMES$ ]]
	[[ ${lines[1]} =~ ^"${live:0:12}   test.ext4   \"cat\" ".*" ago ".*" Up ".*" live"$ ]]
	vrun -0 vial ps -a
	[ "${#lines[@]}" -eq 4 ]
	[[ ${lines[2]} == *'Exited (3) '*' done-box' ]]
	[[ ${lines[3]} == *'"sh -c '*…\"*' Created '*' idle' ]]
	ps_is "${live:0:12}" -q
	ps_is "$live" -q --no-trunc
	ps_is live -l --format '{{.Names}}'
	ps_is 'live done-box' -n 2 --format '{{.Names}}'
	vrun -0 vial ps -as
	[[ ${lines[0]} == *SIZE && ${lines[1]} == *'(virtual '* ]]
}

@test "list: ps with filters and formats" {
	ps_is idle -a --filter label=job=42 --format '{{.Names}}'
	ps_is 'live idle' -a --filter label=job --format '{{.Names}}'
	ps_is "$live" --all --quiet --no-trunc --filter label=job=43
	ps_is done-box --filter status=exited --format '{{.Names}}'
	ps_is 'done-box idle' --filter status=exited --filter status=created \
		--format '{{.Names}}'
	ps_is done-box -a --filter exited=3 --format '{{.Names}}'
	ps_is '' -a --filter exited=4 --format '{{.Names}}'
	ps_is 'live done-box' -a --filter since=idle --format '{{.Names}}'
	ps_is 'done-box idle' -a --filter before=live --format '{{.Names}}'
	ps_is done-box -a --filter 'name=^/done' --format '{{.Names}}'
	ps_is 'idle b created default' -a --filter id="${idle:0:9}" --format \
		'{{.Names}} {{.Label "a"}} {{.State}} {{.Networks}}'
	vrun -0 vial ps --all --filter id="$live" --filter status=running \
		--no-trunc --format '{{.ID}} {{.Status}}'
	[[ $output == "$live Up "* ]]
	vial ps -a --format json | jq -es 'length == 3 and
		.[2].Labels == "a=b,job=42" and .[1].State == "exited"'
	vrun -125 vial ps --filter nonsense=1
	one_line "invalid filter 'nonsense'"
	vrun -125 vial ps --format '{{.Nonsense'
	one_line template
}

@test "list: inspect as docker's callers read it" {
	vrun -0 vial inspect live idle
	jq -e --arg id "$live" '.[0] | .Id == $id and .Name == "/live" and
		.State.Running and .State.Pid > 1 and .State.ExitCode == 0 and
		.Config.Tty and .Path == "cat" and (.Mounts | length) == 0 and
		(.State.StartedAt > .Created)' <<<"$output"
	jq -e '.[1] | .State.Status == "created" and .Config.WorkingDir == "/tmp"
		and .Config.Env[0] == "A=1" and .Config.Labels.a == "b"' \
		<<<"$output"
	vrun -0 vial inspect -f '{{.State.ExitCode}} {{.State.Running}}' done-box
	[ "$output" = '3 false' ]
	vrun -0 vial inspect --format '{{range .Config.Env}}{{println .}}{{end}}' idle
	[[ $output == $'A=1\nPATH=/'* ]]
	vrun -0 vial inspect -f . live
	[ "$output" = . ]
	vrun -0 vial inspect -f '{{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}}' live
	[ "$output" = none ]
	vrun -1 vial inspect nobody
	[ "$output" = '[]' ]
	[ "$stderr" = 'Error: No such object: nobody' ]
	vrun -1 vial inspect -f '{{.Name}}' nobody live
	[ "$output" = /live ]
	vrun -0 vial volume create held
	vrun -0 vial inspect -f '{{.Name}}' live held
	[ "$output" = $'/live\nheld' ]
	vrun -1 vial inspect --type volume -f '{{.Name}}' live
	[ "$stderr" = 'Error: No such volume: live' ]
	vrun -1 vial inspect --type image held
	[ "$stderr" = 'Error: No such image: held' ]
	vrun -0 vial volume rm held
	vrun -1 vial inspect -f '{{.Nonsense}}' live
	one_line Nonsense
}

@test "list: top shows the guest's processes" {
	vrun -0 vial top "$live" -eo pid,comm
	[[ ${lines[0]} =~ ^PID\ +COMMAND$ ]]
	grep -qE '^[0-9]+ +cat$' <<<"$output"
	vrun -0 vial top live
	[[ $(echo ${lines[0]}) == 'UID PID PPID C STIME TTY TIME CMD' ]]
	grep -qE '^root .* pts/0 +00:00:00 +cat$' <<<"$output"
	vrun -0 vial top live aux
	[[ ${lines[0]} == USER*COMMAND ]]
	vrun -125 vial top live -eo pid,nonsense
	one_line nonsense
	vrun -125 vial top live --forest
	one_line forest
	vrun -1 vial top done-box
	one_line 'not running'
	vrun -1 vial top nobody
	one_line nobody
}

@test "list: stats, once and for programs" {
	vrun -0 vial stats --no-stream
	[[ ${lines[0]} =~ ^"CONTAINER ID   NAME "\ +"CPU % "\ +"MEM USAGE / LIMIT "\ +"MEM % "\ +"NET I/O "\ +"BLOCK I/O "\ +PIDS$ ]]
	[[ ${lines[1]} =~ ^"${live:0:12}"\ +live\ +[0-9.]+%\ +[0-9.]+MiB\ /\ 512MiB\ +[0-9.]+%\ +0B\ /\ 0B\ +.*[0-9]$ ]]
	[ "${#lines[@]}" -eq 2 ]
	vrun -0 vial stats --no-stream -a --no-trunc --format json
	jq -es --arg id "$live" 'length == 3 and .[0].ID == $id and
		(.[0].PIDs | tonumber) >= 1 and .[1].PIDs == "0"' <<<"$output"
	vrun -1 vial stats --no-stream nobody
	one_line nobody
}

@test "list: events, past and to come" {
	vrun -0 vial events --since "$(cat "$SHARED/since")" --until 0s \
		--format '{{.Action}} {{.Actor.Attributes.name}}'
	[ "$(echo $output)" = 'create idle create done-box start done-box die done-box create live start live' ]
	vrun -0 vial events --since 1h --until 0s --filter event=die
	[[ $output == *'Z container die '*' ('*'name=done-box, exitCode=3)' ]]
	start events events --format json
	watcher=$pid
	# It has begun once it has the directory's watch.
	wait_for 30 grep -qs inotify /proc/"$(pgrep -P "$watcher")"/fdinfo/*
	vial pause live
	vrun -0 vial stats --no-stream live
	vrun -1 vial top live
	one_line paused
	vial unpause live
	vial rename idle idler
	vial rename idler idle
	wait_for 30 grep -q '"oldName":"idler"' events
	kill "$watcher"
	wait "$watcher" || true
	[ "$(jq -r .Action events | xargs)" = 'pause unpause rename rename' ]
}

@test "list: prune takes what does not run" {
	vrun -0 vial prune </dev/null
	[[ $output == WARNING* ]]
	vrun -0 vial prune -f --filter until=24h
	[ "$output" = 'Total reclaimed space: 0B' ]
	vrun -0 vial prune -f --filter label=job=42
	[ "${lines[1]}" = "$idle" ]
	vrun -0 vial prune --force
	[ "${lines[0]}" = 'Deleted Containers:' ]
	ps_is live -a --format '{{.Names}}'
	vrun -0 vial rm -f live
	nothing=$(vial ps -aq)
	[ -z "$nothing" ]
	vrun -0 vial events --since 1h --until 0s --filter container=live \
		--format '{{.Action}}'
	[[ $(echo $output) == *' die destroy' ]]
}
