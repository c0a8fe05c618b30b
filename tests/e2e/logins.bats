#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# logins - Debian's docker-registry with passwords, tokens and certificates of
# a private authority; skopeo is the other side.
# e2e: no VM

# shellcheck disable=SC2154 # run sets variables
load common
load registry

# authority NAME; certificate NAME AUTHORITY [EXTENSION]
authority()
{
	openssl req -x509 -newkey rsa:2048 -nodes -keyout "$1.key" -out "$1.crt" \
		-subj "/CN=$1" -days 2 2>/dev/null
}

certificate()
{
	openssl req -newkey rsa:2048 -nodes -keyout "$1.key" -out "$1.csr" \
		-subj "/CN=$1" 2>/dev/null
	openssl x509 -req -in "$1.csr" -CA "$2.crt" -CAkey "$2.key" \
		-CAcreateserial -out "$1.crt" -days 2 -extfile \
		<(echo "${3:-basicConstraints=CA:FALSE}") 2>/dev/null
}

setup_file()
{
	command -v skopeo docker-registry openssl >/dev/null || return 0
	cd "$BATS_FILE_TMPDIR" || return
	registry_layout
	authority ca
	certificate server ca 'subjectAltName=IP:127.0.0.1'
	certificate me ca
	port=$((21000 + $$ % 10000))
	python3 -W ignore -c 'import crypt; print("me:" + crypt.crypt("secret",
		crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16)))' >htpasswd
	tls="certificate: $PWD/server.crt, key: $PWD/server.key"
	registry_real $port "http: {addr: \"127.0.0.1:$port\", tls: {$tls}}" \
		"auth: {htpasswd: {realm: x, path: $PWD/htpasswd}}"
	registry_real $((port + 1)) "http: {addr: \"127.0.0.1:$((port + 1))\",
		tls: {$tls, clientcas: [$PWD/ca.crt]}}"
	"$BATS_TEST_DIRNAME/prog/tokens.py" server.crt server.key tokens \
		>token-port 3>&- &
	echo $! >>pids
	wait_for 60 test -s token-port
	registry_real $((port + 2)) "http: {addr: \"127.0.0.1:$((port + 2))\"}" \
		"auth: {token: {realm: \"http://127.0.0.1:$(cat token-port)/\",
		service: us, issuer: tests, rootcertbundle: $PWD/ca.crt}}"
	echo $port >real
}

teardown_file() { [ ! -e "$BATS_FILE_TMPDIR/pids" ] || registry_end; }

setup()
{
	[ -e "$BATS_FILE_TMPDIR/real" ] ||
		skip 'needs skopeo, docker-registry and openssl'
	registry_setup
	export VIAL_CONF=$BATS_TEST_TMPDIR/vial.conf
	printf '[registry]\ntries = 1\n' >"$VIAL_CONF"
	dir=$BATS_FILE_TMPDIR
	port=$(cat "$dir/real")
	layout=$dir/layout
}

trust() # HOST: the authority of the tests
{
	mkdir -p "$HOME/.config/containers/certs.d/$1"
	cp "$dir/ca.crt" "$HOME/.config/containers/certs.d/$1/"
}

@test "logins: a password, over TLS with an authority of one's own" {
	reg=127.0.0.1:$port
	vial load -qi "$layout" -t "$reg/x:1"
	vrun -1 vial login -u me --password-stdin "$reg" <<<secret
	one_line "login to $reg" certificate
	trust "$reg"
	vrun -1 vial login -u me --password-stdin "$reg" <<<wrong
	one_line 'incorrect username or password'
	vrun -1 vial push "$reg/x:1"
	one_line "$reg/x:1" 'no basic auth credentials'
	vrun -0 vial login -u me --password-stdin "$reg" <<<secret
	vrun -0 vial push "$reg/x:1"
	vial rmi "$reg/x:1"
	vrun -0 vial pull "$reg/x:1"
	[[ $output == *"Digest: $digest"* ]]
	skopeo inspect --authfile "$HOME/.docker/config.json" --cert-dir \
		"$HOME/.config/containers/certs.d/$reg" "docker://$reg/x:1" |
		jq -e --arg d "$digest" '.Digest == $d'
	vrun -0 vial logout "$reg"
	vrun -1 vial pull "$reg/x:1"
	one_line 'vial login'
	# What podman and skopeo keep is read, too.
	export XDG_RUNTIME_DIR=$PWD/runtime
	mkdir -p runtime/containers
	skopeo login --authfile runtime/containers/auth.json --cert-dir \
		"$HOME/.config/containers/certs.d/$reg" -u me --password-stdin \
		"$reg" <<<secret
	vrun -0 vial pull "$reg/x:1"
	# insecure: any certificate will do.
	rm -r "$HOME/.config/containers/certs.d"
	vrun -1 vial pull "$reg/x:1"
	one_line "$reg/x:1" certificate
	printf '[[registry]]\nlocation = "%s"\ninsecure = true\n' "$reg" \
		>"$HOME/.config/containers/registries.conf"
	vrun -0 vial pull "$reg/x:1"
}

@test "logins: a certificate of the user" {
	reg=127.0.0.1:$((port + 1))
	certs=$HOME/.config/containers/certs.d/$reg
	vial load -qi "$layout" -t "$reg/x:1"
	trust "$reg"
	vrun -1 vial push "$reg/x:1"
	cp "$dir/me.crt" "$certs/client.cert"
	vrun -1 vial push "$reg/x:1"
	one_line client.key
	cp "$dir/me.key" "$certs/client.key"
	vrun -0 vial push "$reg/x:1"
	vrun -0 vial pull "$reg/x:1"
}

@test "logins: tokens, by password and by a token for tokens" {
	reg=127.0.0.1:$((port + 2))
	log=$dir/tokens
	: >"$log"
	vial load -qi "$layout" -t "$reg/team/x:1"
	vrun -1 vial push "$reg/team/x:1"
	one_line "$reg/team/x:1"
	vrun -1 vial login -u me --password-stdin "$reg" <<<wrong
	vrun -0 vial login -u me --password-stdin "$reg" <<<secret
	: >"$log"
	vrun -0 vial push "$reg/team/x:1"
	grep -q '^GET basic repository:team/x:.*push' "$log"
	vrun -0 vial pull "$reg/team/x:1"
	grep -q '^GET basic repository:team/x:pull$' "$log"
	jq -n --arg h "$reg" '{auths: {($h): {auth: "", identitytoken: "r3fresh"}}}' \
		>"$HOME/.docker/config.json"
	: >"$log"
	vial rmi "$reg/team/x:1"
	vrun -0 vial pull "$reg/team/x:1"
	[ "$(sort -u "$log")" = 'POST refresh repository:team/x:pull' ]
	# A helper that answers with one says so by the name.
	mkdir bin
	cat >bin/docker-credential-test <<-'END'
	#!/bin/sh
	echo '{"Username": "<token>", "Secret": "r3fresh"}'
	END
	chmod +x bin/docker-credential-test
	jq -n --arg h "$reg" '{credHelpers: {($h): "test"}}' \
		>"$HOME/.docker/config.json"
	: >"$log"
	PATH=$PWD/bin:$PATH vrun -0 vial pull "$reg/team/x:1"
	grep -q '^POST refresh ' "$log"
}
