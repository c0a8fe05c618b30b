#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# network_real - what jobs do with a network, by nat and by user: git, apt, a
# download by TLS, and a PostgreSQL beside the job. The world is world.bash's.

# shellcheck disable=SC2154,SC2016 # run sets variables; scripts are the guest's
load common
load world
load offer

REAL=$E/debian-net.ext4

world_more()
{
	cd "$BATS_FILE_TMPDIR" || return
	offer
	cd www || return
	world_run openssl s_server -quiet -WWW -accept 443 \
		-cert cert -key ../key
}

# git clone, apt-get and a download whose certificate is checked.
uses()	# MODE
{
	vrun -0 net run --rm --network "$1" -m 1g \
		--copy-in "$BATS_FILE_TMPDIR/www/cert:/cert.pem" "$REAL" sh -ec '
		git clone -q http://web.test/tree.git tree
		cat tree/file
		rm -rf /etc/apt/sources.list.d/*
		echo "deb [trusted=yes] http://web.test/debian ./" \
			>/etc/apt/sources.list
		apt-get -qq update
		apt-get -qq install vial-probe >/dev/null 2>&1
		dpkg-query -W vial-probe
		get() {
			printf "GET /hello HTTP/1.0\\r\\n\\r\\n" |
				openssl s_client -quiet -verify_return_error \
				-connect web.test:443 "$@" 2>/dev/null
		}
		get | grep -q hello && exit 1
		get -CAfile /cert.pem -verify_hostname web.test | tail -n 1'
	[ "$output" = $'source\nvial-probe\t1\nhello from the world' ]
	all_gone
}

@test "network_real: nat: git, apt and TLS" { uses nat; }

@test "network_real: user: git, apt and TLS" { uses user; }

@test "network_real: a job uses the PostgreSQL beside it" {
	mkdir -p "$VIAL_DATADIR/networks"
	leftovers >"$before"
	db="$REAL,alias=db,memory=512m"
	db+=",command=pg_ctlcluster 15 main start --foreground"
	db+=",health-cmd=pg_isready -q -h 127.0.0.1"
	db+=",health-interval=2s,health-retries=60"
	vrun -0 net run --rm --service "$db" --service-logs . "$REAL" sh -ec '
		q="psql -qtA -h db -U postgres"
		$q -c "create table t as select generate_series(1, 1000) as n"
		$q -c "select sum(n), count(*) from t"'
	[ "$output" = '500500|1000' ]
	grep -q 'ready to accept connections' db.log
	all_gone
}
