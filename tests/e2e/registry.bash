# SPDX-License-Identifier: Apache-2.0
#
# registry.bash - registries of the tests, and an image to put there.
# shellcheck shell=bash

# An image of one layer with 400 kB that cannot be compressed, as a layout.
registry_layout()
{
	mkdir -p tree layout/blobs/sha256
	head -c 400000 /dev/urandom >tree/data
	tar -C tree -cf layer.tar .
	jq -nc --arg d "sha256:$(sha256sum layer.tar | cut -c1-64)" '{os: "linux",
		architecture: "amd64", config: {Env: ["A=b"]},
		rootfs: {type: "layers", diff_ids: [$d]}}' >config.json
	gzip -n layer.tar
	registry_put layer.tar.gz
	registry_put config.json
	jq -nc --argjson l "$(registry_describe layer.tar.gz \
		application/vnd.oci.image.layer.v1.tar+gzip)" \
		--argjson c "$(registry_describe config.json \
		application/vnd.oci.image.config.v1+json)" \
		'{schemaVersion: 2, config: $c, layers: [$l]}' >manifest.json
	registry_put manifest.json
	jq -nc --argjson m "$(registry_describe manifest.json \
		application/vnd.oci.image.manifest.v1+json)" \
		'{schemaVersion: 2, manifests: [$m]}' >layout/index.json
	echo '{"imageLayoutVersion": "1.0.0"}' >layout/oci-layout
	sha256sum manifest.json | cut -c1-64 >digest
}

registry_put()
{
	cp "$1" "layout/blobs/sha256/$(sha256sum "$1" | cut -c1-64)"
}

registry_describe() # FILE TYPE
{
	jq -nc --arg d "sha256:$(sha256sum "$1" | cut -c1-64)" --arg t "$2" \
		--argjson s "$(stat -c %s "$1")" \
		'{mediaType: $t, digest: $d, size: $s}'
}

# The one with bad habits.
registry_bad()
{
	"$BATS_TEST_DIRNAME/prog/registry.py" layout log >ports 3>&- &
	echo $! >>pids
	wait_for 60 test -s ports
}

registry_listens() { jq -n 1 >"/dev/tcp/127.0.0.1/$1"; }

# registry_real PORT [YAML...]: Debian's, with more lines of its configuration.
registry_real()
{
	local port=$1
	shift
	cat >"conf-$port.yml" <<-END
	version: 0.1
	log: {level: error}
	storage: {filesystem: {rootdirectory: $PWD/registry-$port}}
	END
	printf '%s\n' "$@" >>"conf-$port.yml"
	docker-registry serve "conf-$port.yml" >"registry-$port.log" 2>&1 3>&- &
	echo $! >>pids
	wait_for 120 registry_listens "$port"
}

registry_end()
{
	local pid
	while read -r pid; do
		kill "$pid" || true
	done <"$BATS_FILE_TMPDIR/pids"
}

# For each test: a store and a home of its own. Sets bad, other, digest, log.
# shellcheck disable=SC2034 # they are the tests'
registry_setup()
{
	export VIAL_RUNDIR=$BATS_TEST_TMPDIR/run
	export VIAL_DATADIR=$BATS_TEST_TMPDIR/data
	export HOME=$BATS_TEST_TMPDIR/home
	unset REGISTRY_AUTH_FILE DOCKER_CONFIG XDG_RUNTIME_DIR XDG_CONFIG_HOME
	unset CONTAINERS_REGISTRIES_CONF
	mkdir -p "$HOME" "$BATS_TEST_TMPDIR/work"
	cd "$BATS_TEST_TMPDIR/work" || return
	[ ! -e "$BATS_FILE_TMPDIR/ports" ] ||
		read -r bad other <"$BATS_FILE_TMPDIR/ports"
	digest=sha256:$(cat "$BATS_FILE_TMPDIR/digest")
	log=$BATS_FILE_TMPDIR/log
	: >"$log"
}
