#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# build - Dockerfiles, by buildah in a VM; the results run.

# shellcheck disable=SC2154,SC2016 # run sets variables; words for the guest
load common
load registry
load world

# One store, one world and one registry for the file: vial/buildah is unpacked once.
setup_file()
{
	export F=$BATS_FILE_TMPDIR
	export VIAL_DATADIR=$F/data VIAL_RUNDIR=$F/run
	mkdir -p "$F/ctx/sub" "$F/reg"
	world_up
	cd "$F/reg" || return
	registry_layout
	registry_bad
	cat pids >>"$F/pids"
	cd "$F/ctx" || return
	cp /bin/busybox bb
	echo no | tee drop.log sub/drop.log >keep.log
	echo yes >sub/file
	printf '**/*.log\n!keep.log\n.git\n' >.dockerignore
	cat >Dockerfile <<-'END'
		ARG FIRST=scratch
		FROM $FIRST AS tools
		COPY bb /bin/busybox
		RUN ["/bin/busybox", "--install", "-s", "/bin"]
		ENV A=1 PATH=/bin

		FROM tools AS mid
		ARG WHO=nobody
		RUN echo "$WHO $A" >/who && chmod 4711 /who

		FROM tools
		COPY --from=mid /who /who
		COPY . /ctx
		WORKDIR /ctx
		HEALTHCHECK CMD true
		ENTRYPOINT ["/bin/sh", "-c"]
		CMD ["cat /who; stat -c %a /who; find . | sort; echo $A"]
	END
}

teardown_file() { world_down; }

setup()
{
	common_setup
	export VIAL_DATADIR=$F/data
	leftovers >"$before"
}

teardown() { common_teardown; }

blobs() { find "$VIAL_DATADIR/images/blobs" -type f | wc -l; }

@test "build: stages, COPY, RUN, arguments, .dockerignore; the result runs" {
	vrun -0 vial build -t you/app:1 -t two --build-arg WHO=me \
		--label l=v --iidfile id "$F/ctx"
	[[ ${lines[0]} == "Successfully built "* ]]
	[ "${lines[1]}" = 'Successfully tagged you/app:1' ]
	[ "${lines[2]}" = 'Successfully tagged two:latest' ]
	[[ $stderr == *'STEP'*'COPY --from=mid /who /who'* ]]
	id=$(cat id)
	[[ $id == sha256:${lines[0]##* }* ]]
	vrun -0 vial run --rm two
	[ "$output" = 'me 1
4711
.
./.dockerignore
./Dockerfile
./bb
./keep.log
./sub
./sub/file
1' ]
	vrun -0 vial image inspect you/app:1
	jq -e --arg id "$id" '.[0] | .Id == $id and (.RepoTags | length) == 2
		and (.Config | .Labels.l == "v" and .WorkingDir == "/ctx" and
		.Healthcheck.Test == ["CMD-SHELL", "true"])' <<<"$output"
	vrun -0 vial history --no-trunc two
	[[ $output == *'ENTRYPOINT ["/bin/sh", "-c"]'* ]]
	[ -z "$(find "$VIAL_DATADIR"/{builds,images/tmp} -mindepth 1)" ]
}

@test "build: the next one of the folder finds the steps" {
	vrun -0 vial image inspect -f '{{.Id}} {{len .RootFS.Layers}}' two
	id=$output
	[ "${id#* }" -eq 4 ]
	vrun -0 vial build -t two --build-arg WHO=me --label l=v "$F/ctx"
	[ "$(grep -c '^--> Using cache' <<<"$stderr")" -gt 5 ]
	vrun -0 vial image inspect -f '{{.Id}} {{len .RootFS.Layers}}' two
	[ "$output" = "$id" ]
	# What has changed is done anew, and what is behind it.
	echo changed >"$F/ctx/sub/file"
	vrun -0 vial build -t three --build-arg WHO=me --label l=v "$F/ctx"
	[[ $stderr == *'Using cache'*'COPY . /ctx'* ]]
	[[ ${stderr#*COPY . /ctx} != *'Using cache'* ]]
	vrun -0 vial run --rm three 'cat sub/file'
	[ "$output" = changed ]
	vrun -0 vial volume ls -q
	[[ $output =~ ^vial-build-[0-9a-f]{16}$ ]]
	vial rmi three
}

@test "build: secrets are seen, and not kept; no cache" {
	printf hidden >s
	export FROM_ENV=also
	vrun -0 vial build -q --no-cache -t three --secret id=s,src=s \
		--secret id=e,env=FROM_ENV - <<-'END'
		FROM two
		RUN --mount=type=secret,id=s --mount=type=secret,id=e \
			cat /run/secrets/s /run/secrets/e | tr a-z A-Z >/seen
	END
	vrun -0 vial run --rm three 'cat /seen; ls -A /run/secrets 2>&1'
	[[ $output == HIDDENALSO* && $output != *$'\ns'* ]]
	vial rmi three
	vrun -0 vial volume ls -q
	[ "${#lines[@]}" -eq 1 ]
	vrun -1 vial build --secret id=s,src=none - <<<'FROM two'
	one_line none
	vrun -1 vial build --secret id=s,how=x - <<<'FROM two'
	one_line how
	vrun -1 vial build --secret id=s,env=NOT_THERE - <<<'FROM two'
	one_line NOT_THERE
}

@test "build: a base from a registry, and RUN with a network" {
	read -r bad _ <"$F/reg/ports"
	vrun -0 vial build -q -t of/reg - <<-END
		FROM 127.0.0.1:$bad/good/x:1
		COPY --from=two /bin/busybox /busybox
	END
	vrun -0 vial run --rm of/reg /busybox stat -c %s /data
	[ "$output" = 400000 ]
	vrun -0 net build -q --network nat -t got - <<-'END'
		FROM two
		RUN wget -q -O /got http://web.test/hello
	END
	vrun -0 vial run --rm got 'cat /got'
	[ "$output" = 'hello from the world' ]
	vial rmi got of/reg
}

@test "build: from standard input, on an image of the store, quietly" {
	n=$(blobs)
	vrun -0 vial build -q - <<-'END'
		FROM you/app:1
		RUN echo more >>/who
	END
	[[ $output =~ ^sha256:[0-9a-f]{64}$ ]]
	[ -z "$stderr" ]
	id=$output
	vrun -0 vial images -q --no-trunc -f dangling=true
	[ "$output" = "$id" ]
	vrun -0 vial run --rm "$id" 'cat /who'
	[ "$output" = $'me 1\nmore' ]
	# What both have, the store has once, and packed.
	[ "$(blobs)" -eq $((n + 3)) ]
	vial rmi "$id"
}

@test "build: a failure is said and nothing is kept" {
	n=$(blobs)
	vrun -1 vial build -t bad - <<-'END'
		FROM two
		RUN echo some words; exit 3
	END
	[[ $stderr == *'some words'*'exit status 3'* ]]
	[ -z "$output" ]
	[ "$(blobs)" -eq "$n" ]
	vrun -1 vial image inspect bad
	vrun -1 vial build --pull nowhere
	one_line nowhere
	for c in https://example.com/x.tar.gz git@example.com:a/b; do
		vrun -1 vial build "$c"
		one_line "$c" 'git clone'
	done
	mkdir empty
	vrun -1 vial build empty
	one_line 'no Dockerfile'
	head -c 1048576 /dev/zero | tr '\0' '#' >long
	vrun -1 vial build - <long
	one_line 'a megabyte or more'
	vrun -1 vial build --platform linux/s390x empty
	one_line linux/s390x
	vrun -125 vial build
	vrun -125 vial build -t Bad empty
	[ -z "$(find "$VIAL_DATADIR"/{builds,images/tmp} -mindepth 1)" ]
	[ -z "$(our_pids)" ]
}

@test "build: a context that is an archive, up to a stage" {
	tar -C "$F/ctx" -czf ctx.tar.gz .
	vrun -0 vial build -q --target tools -t stage - <ctx.tar.gz
	vrun -0 vial image inspect stage
	jq -e '.[0].Config | (.Env | contains(["A=1"])) and
		(.Entrypoint | length) == 0 and .Healthcheck == null' <<<"$output"
}
