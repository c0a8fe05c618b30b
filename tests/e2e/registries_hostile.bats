#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# registries_hostile - what a registry may answer: each a clear line and status
# 1, nothing kept, and never more than 64 MiB of memory.
# e2e: no VM

# shellcheck disable=SC2154 # run sets variables
load common
load registry

setup_file()
{
	cd "$BATS_FILE_TMPDIR" || return
	registry_layout
	mkdir layout/made
	registry_bad
}

teardown_file() { registry_end; }

setup()
{
	registry_setup
	export VIAL_CONF=$BATS_TEST_TMPDIR/vial.conf
	printf '[registry]\ntimeout = 2\ntries = 2\n' >"$VIAL_CONF"
	made=$BATS_FILE_TMPDIR/layout/made
	index=application/vnd.oci.image.index.v1+json
	manifest=application/vnd.oci.image.manifest.v1+json
}

# refused HABIT WORD...: pulling it fails in one line with these words.
refused()
{
	local name=127.0.0.1:$bad/$1/x
	shift
	# shellcheck disable=SC2016 # python's
	vrun -1 timeout -k 5 60 python3 -c 'import resource, subprocess, sys
r = subprocess.run(sys.argv[2:]).returncode
use = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
open(sys.argv[1], "w").write(str(use))
sys.exit(r)' peak "$VIAL" pull "$name"
	one_line "$name" "$@"
	# No control characters, whatever was sent.
	run ! grep -qP '[^\x20-\x7e]' <<<"$stderr"
	[ "$(cat peak)" -lt 65536 ] || {
		echo "$(cat peak) kB"
		return 1
	}
	[ "$(find "$VIAL_DATADIR/images/blobs" -type f | wc -l)" -eq 0 ]
	[ -z "$(ls "$VIAL_DATADIR/images/tmp")" ]
	vrun -0 vial images -q
	[ -z "$output" ]
}

nothing_partial() { [ -z "$(ls "$VIAL_DATADIR/images/partial")" ]; }

# made NAME: what is on stdin becomes the manifest of made/NAME.
made() { cat >"$made/$1"; }

# The good manifest, changed by a filter of jq.
changed() # NAME FILTER
{
	jq -c "$2" "$BATS_FILE_TMPDIR/manifest.json" | made "$1"
}

@test "hostile registry: HTML for a manifest" { refused html 'no JSON'; }
@test "hostile registry: redirects in circles" { refused circle redirects; }
@test "hostile registry: redirects to a file" { refused astray Protocol; }
@test "hostile registry: a manifest of 100 MiB" { refused huge 'larger than'; }
@test "hostile registry: schema 1" { refused old 'schema version 1'; }
@test "hostile registry: escapes in its words" { refused escapes 'says 400'; }
@test "hostile registry: 100 MiB of headers" { refused headers; }
@test "hostile registry: hangs up at once" { refused closes; }
@test "hostile registry: no HTTP" { refused garbage; }
@test "hostile registry: always busy" { refused always 'says 429'; }
@test "hostile registry: always broken" { refused fails 'says 503'; }
@test "hostile registry: silent" { refused stalls; }

@test "hostile registry: a layer that is another" {
	refused lying 'it is sha256:' 'not sha256:'
	nothing_partial
}

@test "hostile registry: a layer that is longer" {
	refused longer 'more than'
	nothing_partial
}

@test "hostile registry: a layer that does not end" {
	refused endless 'more than'
	nothing_partial
}

@test "hostile registry: the first bytes of a layer again and again" {
	refused short 'ends after 50 bytes'
}

@test "hostile registry: another range than was asked for" {
	refused other range
}

@test "hostile registry: a manifest that is not its digest" {
	refused swapped 'the manifest is sha256:' "not $digest"
}

@test "hostile registry: token services that are none" {
	refused asks/html 'no token'
	refused asks/huge 'larger than'
	refused asks/file https
	refused asks/long 'not known'
}

@test "hostile registry: lists in lists without end" {
	local last=$digest size
	size=$(stat -c %s "$BATS_FILE_TMPDIR/manifest.json")
	for i in 1 2 3 4 5 6; do
		jq -nc --arg d "$last" --arg t "$index" --argjson s "$size" \
			--arg m "$([ $i = 1 ] && echo "$manifest" ||
			echo "$index")" '{schemaVersion: 2, mediaType: $t,
			manifests: [{mediaType: $m, digest: $d, size: $s}]}' >l
		(cd "$BATS_FILE_TMPDIR" && registry_put "$OLDPWD/l")
		last=sha256:$(sha256sum l | cut -c1-64)
		size=$(stat -c %s l)
	done
	made deep <l
	refused made/deep 'lists of manifests in lists'
}

@test "hostile registry: a list that refers to itself, and one of 30000" {
	jq -nc --arg t "$index" --arg d "sha256:$(printf %064d 7)" '{
		schemaVersion: 2, mediaType: $t, manifests: [{mediaType: $t,
		digest: $d, size: 200}]}' | made self
	refused made/self 'blob unknown'
	jq -nc --arg t "$index" --arg d "$digest" --arg m "$manifest" '{
		schemaVersion: 2, mediaType: $t, manifests: [range(30000) |
		{mediaType: $m, digest: $d, size: 1}]}' | made many
	refused made/many
	jq -nc --arg t "$index" --arg d "$digest" --arg m "$manifest" '{
		schemaVersion: 2, mediaType: $t, manifests: [range(2000) |
		{mediaType: $m, digest: $d, size: 1}]}' | made less
	refused made/less manifests
	jq -nc --arg t "$index" --arg d "$digest" --arg m "$manifest" '{
		schemaVersion: 2, mediaType: $t, manifests: [{mediaType: $m,
		digest: $d, size: 1}]}' | made size
	refused made/size 'bytes, not 1'
}

@test "hostile registry: none for this platform" {
	jq -nc --arg t "$index" --arg d "$digest" --arg m "$manifest" '{
		schemaVersion: 2, mediaType: $t, manifests: [{mediaType: $m,
		digest: $d, size: 1, platform: {os: "plan9",
		architecture: "pdp11"}}]}' | made other
	refused made/other 'linux/amd64' 'plan9/pdp11'
}

@test "hostile registry: kinds of things that are no images" {
	changed config '.config.mediaType = "application/vnd.x.thing.v1+json"'
	refused made/config
	changed layer '.layers[0].mediaType = "text/html"'
	refused made/layer 'text/html'
	changed chart '.mediaType = "application/vnd.cncf.helm.chart.v1+json"'
	refused made/chart
	echo '{"schemaVersion": 2}' | made empty
	refused made/empty
	echo '[]' | jq -c '{schemaVersion: 3}' | made three
	refused made/three
}

@test "hostile registry: sizes and counts beyond reason" {
	changed negative '.layers[0].size = -1'
	refused made/negative size
	changed float '.layers[0].size = 1.5'
	refused made/float size
	changed large '.layers[0].size = 9000000000000000000'
	refused made/large
	changed layers '.layers = [range(600) as $i | .layers[0]]'
	refused made/layers
	changed none '.layers = []'
	refused made/none
	changed less '.layers[0].size -= 1'
	refused made/less 'more than'
	changed more '.layers[0].size += 1'
	refused made/more 'ends after'
}

@test "hostile registry: digests that are none" {
	changed upper '.layers[0].digest |= ascii_upcase'
	refused made/upper
	changed md5 '.layers[0].digest = "md5:d41d8cd98f00b204e9800998ecf8427e"'
	refused made/md5 'md5'
	changed climb '.layers[0].digest = "sha256:../../../../etc/passwd"'
	refused made/climb
	changed type '.layers[0].digest = 7'
	refused made/type digest
	sed 's/"schemaVersion"/"schemaVersion":2,"schemaVersion"/' \
		"$BATS_FILE_TMPDIR/manifest.json" | made twice
	refused made/twice
}

@test "hostile registry: at run the status is 125" {
	vrun -125 vial run --rm "127.0.0.1:$bad/html/x" true
	[[ $stderr == *'no JSON'* ]]
	vrun -1 vial create "127.0.0.1:$bad/old/x" true
	[[ $stderr == *'schema version 1'* ]]
}
