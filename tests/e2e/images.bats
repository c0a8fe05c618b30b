#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# images - the store of images: load, images, inspect, history, tag, rmi, prune,
# on archives that are made here by hand.
# e2e: no VM

# shellcheck disable=SC2154,SC2016 # run sets variables; templates
load common

setup()
{
	export VIAL_RUNDIR=$BATS_TEST_TMPDIR/run
	export VIAL_DATADIR=$BATS_TEST_TMPDIR/data
	mkdir -p "$BATS_TEST_TMPDIR/work"
	cd "$BATS_TEST_TMPDIR/work" || return
}

sum() { sha256sum "$@" | cut -c1-64; }

# image NAME [CONTENT [LABEL]]: what docker save would write, as NAME.tar.
image()
{
	local name=$1 dir
	dir=$(mktemp -d -p .)
	mkdir -p "$dir/tree/bin" "$dir/out/l"
	echo "${2:-content}" >"$dir/tree/bin/prog"
	tar -C "$dir/tree" --owner=0 --group=0 --mtime=@0 -cf \
		"$dir/out/l/layer.tar" .
	jq -nc --arg d "sha256:$(sum "$dir/out/l/layer.tar")" \
		--arg l "${3:-none}" '{os: "linux", architecture: "amd64",
		created: "2020-01-02T03:04:05Z", config: {Env: ["A=b"],
		Entrypoint: ["/bin/prog"], User: "1000", Labels: {kind: $l}},
		rootfs: {type: "layers", diff_ids: [$d]}, history: [
		{created: "2020-01-02T03:04:05Z", created_by: "COPY tree /"},
		{created: "2020-01-02T03:04:05Z", created_by: "USER\t1000",
		empty_layer: true}]}' >"$dir/out/config.json"
	jq -nc --arg n "$name" '[{Config: "config.json", RepoTags: [$n],
		Layers: ["l/layer.tar"]}]' >"$dir/out/manifest.json"
	tar -C "$dir/out" -cf "${name//[:\/]/-}.tar" \
		manifest.json config.json l/layer.tar
	id=sha256:$(sum "$dir/out/config.json")
	layer=sha256:$(sum "$dir/out/l/layer.tar")
}

blobs() { find "$VIAL_DATADIR/images/blobs" -type f | wc -l; }

@test "images: load from a file and by a pipe, packed in every way" {
	image you/ci:1
	vrun -0 vial load -i you-ci-1.tar
	[ "$output" = 'Loaded image: you/ci:1' ]
	gzip -k you-ci-1.tar
	zstd -q you-ci-1.tar
	xz -k you-ci-1.tar
	for f in you-ci-1.tar you-ci-1.tar.*; do
		vial rmi you/ci:1
		[ "$(blobs)" -eq 0 ]
		vial load <"$f" >out
		[ "$(cat out)" = 'Loaded image: you/ci:1' ]
		[ "$(blobs)" -eq 3 ]
	done
	vrun -0 vial load -qi you-ci-1.tar
	[ -z "$output" ]
	vrun -0 vial load -i you-ci-1.tar -t registry.example:5000/a/b
	[ "$output" = 'Loaded image: registry.example:5000/a/b:latest' ]
	vrun -0 vial images -q
	[ "$output" = "${id:7:12}" ]
	[ -z "$(ls "$VIAL_DATADIR/images/tmp")" ]
}

@test "images: what docker's callers read" {
	image debian:12
	image team/tool:x other other
	vial load -qi debian-12.tar
	vial load -qi team-tool-x.tar
	vrun -0 vial images
	[[ ${lines[0]} =~ ^"REPOSITORY "\ +"TAG "\ +"IMAGE ID "\ +"CREATED "\ +SIZE$ ]]
	[[ ${lines[1]} =~ ^"debian "\ +"12 "\ +[0-9a-f]{12}\ +[0-9]+" years ago "\ +10.2kB$ ]]
	[[ ${lines[2]} =~ ^"team/tool "\ +"x "\ +"${id:7:12} " ]]
	vrun -0 vial images --format '{{.Repository}}:{{.Tag}}'
	[ "$output" = $'debian:12\nteam/tool:x' ]
	vrun -0 vial image ls --no-trunc -q team/tool
	[ "$output" = "$id" ]
	for f in 'reference=deb*' 'reference=*:12' label=kind=none; do
		vrun -0 vial images -f "$f" --format '{{.Repository}}'
		[ "$output" = debian ]
	done
	vrun -0 vial images --format json team/tool
	jq -e '.Repository == "team/tool" and .Tag == "x"' <<<"$output"
	vrun -125 vial images -f nonsense=1
	for name in team/tool:x docker.io/team/tool:x "$id" "${id:7:12}"; do
		vrun -0 vial image inspect "$name"
		jq -e --arg id "$id" --arg l "$layer" 'length == 1 and
			(.[0] | .Id == $id and .RepoTags == ["team/tool:x"] and
			.RepoDigests == [] and .Config.User == "1000" and
			.Config.Cmd == null and .Config.Labels.kind == "other" and
			.Os == "linux" and .Architecture == "amd64" and
			.Created == "2020-01-02T03:04:05Z" and .Size == 10240 and
			.RootFS == {Type: "layers", Layers: [$l]})' <<<"$output"
	done
	vrun -0 vial image inspect -f '{{range .Config.Env}}{{println .}}{{end}}' \
		debian:12
	[ "${lines[0]}" = A=b ]
	vrun -1 vial image inspect debian:12 nosuch
	[ "$stderr" = 'Error: No such image: nosuch' ]
	jq -e 'length == 1' <<<"$output"
	vrun -0 vial history debian:12
	[[ ${lines[0]} =~ ^"IMAGE "\ +"CREATED "\ +"CREATED BY "\ +"SIZE "\ +COMMENT$ ]]
	[[ ${lines[1]} == *' USER 1000 '*' 0B '* ]]
	[[ ${lines[2]} == '<missing> '*' COPY tree / '*' 10.2kB '* ]]
	vrun -1 vial history nosuch
}

@test "images: names come and go, an image goes with its last one" {
	image one:1
	first=$id
	vial load -qi one-1.tar
	vrun -0 vial tag one:1 localhost:5000/two
	vrun -0 vial image tag "${first:7:12}" three:x
	vrun -1 vial tag nosuch x
	[[ $stderr == *'No such image: nosuch'* ]]
	vrun -1 vial tag one:1 'Bad Name'
	one_line 'invalid reference format'
	vrun -0 vial rmi one:1
	[ "$output" = 'Untagged: one:1' ]
	# Several names: by its ID only when one insists.
	vrun -1 vial rmi "${first:7:12}"
	one_line conflict '2 names'
	vrun -0 vial untag three:x
	[ "$output" = 'Untagged: three:x' ]
	vrun -0 vial rmi localhost:5000/two
	[ "${lines[0]}" = 'Untagged: localhost:5000/two:latest' ]
	[ "${lines[1]}" = "Deleted: $first" ]
	[ "$(blobs)" -eq 0 ]
	vrun -1 vial rmi one:1
	[ "$stderr" = 'Error: No such image: one:1' ]
	vrun -0 vial rmi -f one:1
	# The name moves on: the old image has none and is pruned.
	vial load -qi one-1.tar
	image one:1 new
	vial load -qi one-1.tar
	vrun -0 vial images -f dangling=true --format '{{.Repository}} {{.ID}}'
	[ "$output" = "<none> ${first:7:12}" ]
	vrun -0 vial image prune -f
	[[ $output == *"deleted: $first"* && $output == *'Total reclaimed space: '* ]]
	vrun -0 vial images -q
	[ "$output" = "${id:7:12}" ]
	# Untagged, it is there without a name until somebody prunes.
	vial untag one:1
	vrun -0 vial image prune -f
	[ "$(blobs)" -eq 0 ]
	vrun -0 vial images -aq
	[ -z "$output" ]
}

@test "images: what is damaged or lies leaves nothing" {
	image a:1
	mkdir x
	tar -C x -xf a-1.tar
	good=$(sum x/l/layer.tar)
	printf x >>x/l/layer.tar
	tar -C x -cf lying.tar .
	vrun -1 vial load -i lying.tar
	one_line "sha256:$good" "sha256:$(sum x/l/layer.tar)"
	rm x/l/layer.tar
	tar -C x -cf lacking.tar .
	vrun -1 vial load -i lacking.tar
	one_line l/layer.tar missing
	head -c 9000 a-1.tar >short.tar
	vrun -1 vial load -i short.tar
	one_line 'ends in the middle'
	gzip -c a-1.tar | head -c 300 >short.tar.gz
	vrun -1 vial load -i short.tar.gz
	one_line damaged
	: >empty
	vrun -1 vial load -i empty
	one_line empty
	vrun -1 vial load -i none
	one_line none 'No such file'
	mkdir -p evil
	echo >evil/f
	tar -P --transform 's,^evil/f,../../f,' -cf evil.tar evil/f
	vrun -1 vial load -i evil.tar
	one_line ../../f
	ln -s /etc/passwd evil/manifest.json
	tar -C evil -cf link.tar manifest.json
	vrun -1 vial load -i link.tar
	one_line /etc/passwd
	[ "$(blobs)" -eq 0 ]
	[ -z "$(ls "$VIAL_DATADIR/images/tmp")" ]
	vrun -0 vial images -q
	[ -z "$output" ]
}

@test "images: a full disk is said, and nothing is kept" {
	image a:1 "$(head -c 3000000 /dev/zero | tr '\0' x)"
	mkdir -p small
	vrun -1 with_mounts sh -c 'mount -t tmpfs -o size=1m none small &&
		VIAL_DATADIR=$PWD/small "$@"; r=$?
		find small/images/blobs small/images/tmp -type f; exit $r' - \
		"$VIAL" load -i a-1.tar
	one_line 'No space left'
	[ -z "$output" ]
}

@test "images: loads that are killed leave nothing, others win" {
	image a:1 "$(head -c 3000000 /dev/zero | tr '\0' x)"
	for i in 1 2 3 4 5 6; do
		"$VIAL" load -qi a-1.tar 3>&- &
		p=$!
		# Somewhere in the middle of it, or before or behind.
		sleep "0.0$i"
		kill -9 $p || true
		wait $p || true
	done
	vial load -qi a-1.tar 3>&- &
	p=$!
	vial load -qi a-1.tar 3>&- &
	q=$!
	vial load -qi a-1.tar
	wait $p
	wait $q
	vrun -0 vial image prune -f
	[ "$(blobs)" -eq 3 ]
	[ -z "$(ls "$VIAL_DATADIR/images/tmp")" ]
	vrun -0 vial images -q
	[ "$output" = "${id:7:12}" ]
}

@test "images: what is saved is loaded again, the same each time" {
	image you/ci:1
	image other:2 more
	vial load -qi you-ci-1.tar
	vial load -qi other-2.tar
	vial tag other:2 third:3
	for format in docker-archive oci-archive; do
		vial save --format $format -o a.tar you/ci:1 other:2 third:3
		vial save --format $format you/ci:1 other:2 third:3 | cmp - a.tar
		vrun -0 vial images --format '{{.Repository}}:{{.Tag}} {{.ID}}'
		want=$output
		vial rmi you/ci:1 other:2 third:3
		[ "$(blobs)" -eq 0 ]
		vrun -0 vial load -i a.tar
		[ "$(sort <<<"$output")" = "Loaded image: other:2
Loaded image: third:3
Loaded image: you/ci:1" ]
		vrun -0 vial images --format '{{.Repository}}:{{.Tag}} {{.ID}}'
		[ "$output" = "$want" ]
	done
	# By its ID without a name; as a folder; nothing of what fails.
	vrun -0 vial save "${id:7:12}" -o id.tar
	tar -xOf id.tar manifest.json | jq -e '.[0].RepoTags == []'
	mkdir layout
	tar -C layout -xf a.tar
	vrun -0 vial load -i layout
	[ "${#lines[@]}" -eq 3 ]
	vrun -1 vial save -o none.tar nosuch
	[ ! -e none.tar ]
	[ "$(find . -name 'none*' | wc -l)" -eq 0 ]
	vrun -125 vial save --format nonsense you/ci:1
	layer=$(find "$VIAL_DATADIR/images/blobs" -size +4k | head -n 1)
	chmod u+w "$layer"
	printf x | dd of="$layer" bs=1 seek=20 conv=notrunc status=none
	vrun -1 vial save -o bad.tar you/ci:1 other:2
	one_line damaged "$(basename "$layer")"
	[ ! -e bad.tar ]
}

@test "images: import of a root file system" {
	mkdir -p root/bin
	echo x >root/bin/sh
	tar -C root --mtime=@0 -cf root.tar .
	export SOURCE_DATE_EPOCH=1577934245
	vrun -0 vial import -m 'by hand' -c 'CMD ["sh", "-l"]' \
		-c 'ENV A=1 B="2 3"' -c 'EXPOSE 80 53/udp' -c 'USER 1:2' \
		-c 'LABEL k=v' root.tar my/os:1
	[[ $output =~ ^sha256:[0-9a-f]{64}$ ]]
	id=$output
	zstd -qc root.tar | vial import -m 'by hand' -c 'CMD ["sh", "-l"]' \
		-c 'ENV A=1 B="2 3"' -c 'EXPOSE 80 53/udp' -c 'USER 1:2' \
		-c 'LABEL k=v' - my/os:1 >again
	[ "$(cat again)" = "$id" ]
	vrun -0 vial image inspect my/os:1
	jq -e --arg d "sha256:$(sum root.tar)" '.[0] | .RootFS.Layers == [$d] and
		.Created == "2020-01-02T03:04:05Z" and
		.Comment == "by hand" and (.Config | .Cmd == ["sh", "-l"] and
		.Env == ["A=1", "B=2 3"] and .User == "1:2" and
		.Labels == {k: "v"} and (.ExposedPorts | keys) ==
		["53/udp", "80/tcp"])' <<<"$output"
	echo nothing of the kind >text
	vrun -1 vial import text
	one_line 'no tar archive'
	vrun -1 vial import root
	one_line 'folder' 'tar -C'
	vrun -125 vial import -c 'RUN make' root.tar
	vrun -1 vial import root.tar Bad
	one_line lowercase
}

@test "images: those for other platforms are not run" {
	image here:1
	vial load -qi here-1.tar
	vrun -125 vial run --platform linux/s390x here:1 true
	one_line --platform linux/s390x 'this host'
	vrun -125 vial run --platform a/b/c/d here:1 true
	one_line --platform 'no platform'
	vrun -1 vial create --platform linux/s390x here:1 true
	one_line --platform linux/s390x 'this host'
	mkdir x
	tar -xf here-1.tar -C x
	jq -c '.architecture = "s390x"' x/config.json >config && mv config x/config.json
	tar -C x -cf other.tar .
	jq '.[0].RepoTags[0] = "there:1"' x/manifest.json >m && mv m x/manifest.json
	tar -C x -cf other.tar .
	vial load -qi other.tar
	vrun -125 vial run --pull never there:1 true
	one_line there:1 linux/s390x
	[ ! -e "$VIAL_RUNDIR/boxes" ] || [ -z "$(ls "$VIAL_RUNDIR/boxes")" ]
}

# The images there are, by name.
names() { vial images --format '{{.Repository}}' | sort | xargs; }

# was_used NAME SECONDS: so long ago, where it was never run.
was_used()
{
	local index=$VIAL_DATADIR/images/index.json
	jq --arg n "docker.io/library/$1:1" --arg t "$(($(date +%s) - $2))" \
		'(.manifests[].annotations | select(.
		["org.opencontainers.image.ref.name"] == $n)
		)["vial.image.added"] = $t' "$index" >index.new
	cp index.new "$index"
}

@test "images: vial.conf says how old and how large" {
	export VIAL_CONF=$PWD/vial.conf
	: >vial.conf
	for i in one two three new; do
		image "$i:1" "$(head -c 300000 /dev/urandom | base64)"
	done
	for i in one two three; do
		vial load -qi "$i-1.tar"
	done
	was_used one 7200
	was_used two 5000
	printf '[images]\nmax-age = "1h30m"\n' >vial.conf
	vial load -qi new-1.tar
	[ "$(names)" = 'new three two' ]
	vial rmi new:1
	# Each is of 400 kB and more; what has just come stays.
	printf '[images]\nmax-size = "1000k"\n' >vial.conf
	was_used three 6000
	vial load -qi new-1.tar
	[ "$(names)" = 'new two' ]
	printf '[images]\nmax-size = "1k"\n' >vial.conf
	vial load -qi one-1.tar
	[ "$(names)" = 'new one' ]
	[ "$(blobs)" -eq 6 ]
	printf '[images]\nmax-size = 7\n' >vial.conf
	vrun -0 vial load -qi one-1.tar
	[[ $stderr == *'max-size is no string'* ]]
	printf '[images]\nmax-age = "long"\n' >vial.conf
	vrun -0 vial load -qi one-1.tar
	[[ $stderr == *'max-age'* ]]
}

@test "images: system df counts what is shared once" {
	image one:1
	image two:1 content other
	vial load -qi one-1.tar
	vial load -qi two-1.tar
	vial tag one:1 alias:1
	du=$(find "$VIAL_DATADIR/images"/{blobs,disks} -type f -printf '%b\n' |
		awk '{n += $1 * 512} END {printf "%.4g", n / 1000}')
	vrun -0 vial system df --format '{{.Type}} {{.TotalCount}} {{.Size}} {{.Reclaimable}}'
	[ "${lines[0]}" = "Images 2 ${du}kB ${du}kB (100%)" ]
	vrun -0 vial system df -v
	[[ ${lines[1]} == REPOSITORY*'SHARED SIZE'*'UNIQUE SIZE'* ]]
	vrun -0 vial system df -v --format '{{range .Images}}{{println .Repository .SharedSize .UniqueSize}}{{end}}'
	# The layer is shared; manifests and configurations are not.
	[ "${#lines[@]}" -ge 3 ]
	grep -qE '^one (12.29|16.38|20.48)kB (8.192|16.38)kB$' <<<"$output"
}

@test "images: filters by time, label and name" {
	image old:1 x first
	vial load -qi old-1.tar
	mkdir x
	tar -xf old-1.tar -C x
	jq -c '.created = "2021-01-02T03:04:05Z" |
		.config.Labels.kind = "second"' x/config.json >c
	mv c x/config.json
	jq -c '.[0].RepoTags = ["team/new:1"]' x/manifest.json >m
	mv m x/manifest.json
	tar -C x -cf new.tar .
	vial load -qi new.tar
	shown() { # WANT FILTER...
		local want=$1 args=()
		for f in "${@:2}"; do
			args+=(-f "$f")
		done
		vrun -0 vial images "${args[@]}" --format '{{.Repository}}'
		[ "$(xargs <<<"$output")" = "$want" ]
	}
	shown 'team/new old'
	shown old before=team/new:1
	shown team/new since=old:1
	shown '' before=old:1
	shown old until=2020-06-01
	shown team/new label=kind=second
	shown 'team/new old' label=kind
	shown team/new 'reference=*/new'
	shown team/new 'reference=*/*:1'
	shown old 'reference=old' label=kind=first
	shown 'team/new old' dangling=false
	shown '' dangling=true
	vial tag old:1 team/new:1
	shown '<none>' dangling=true
	vrun -1 vial images -f before=nosuch
	vrun -0 vial images -a --digests
	[[ ${lines[0]} == *' DIGEST '* ]]
}
