#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# networks_user - several boxes that know each other, of somebody who is not
# root, in the world of world.bash.

# shellcheck disable=SC2154,SC2016 # run sets variables; templates have no shell's
load common
load world

# Of that user. What was built may lie where only root looks.
setup()
{
	world_setup
	chmod 711 "$BATS_TEST_TMPDIR" "$BATS_RUN_TMPDIR" 2>/dev/null || true
	# The lab's are its own; another host's stay as they are.
	[ -z "${VIAL_IN_LAB:-}" ] || chmod 666 /dev/kvm /dev/net/tun
	export VIAL_RUNDIR=$PWD/run VIAL_DATADIR=$PWD/data
	mkdir bin run data data/networks
	chmod 755 .
	cp -L "$B/vial" "$B/vial-vmm" "$B/vial-netd" "$B/vmlinux" \
		"$B/initramfs.cpio" bin/
	cp "$IMAGE" bin/image
	chmod -R a+rX bin
	chown -R 1000:1000 run data
	leftovers >"$before"
}

# vial, as that user, behind the same route.
usr()
{
	timeout -k 5 "$PATIENCE" ip netns exec vt-user setpriv --reuid 1000 \
		--regid 1000 --groups "1000,$(stat -c %g /dev/kvm)" \
		bin/vial "$@"
}

# The process of vial-netd that several boxes share.
shared()
{
	local p
	for p in $(our_pids); do
		if tr '\0' ' ' <"/proc/$p/cmdline" | grep -q "^vial-netd $1 "; then
			echo "$p"
		fi
	done
}

@test "networks_user: boxes find each other by name" {
	local web='mkdir /w; echo from $(hostname) >/w/x; exec httpd -f -p 80 -h /w'
	vrun -0 usr network create ci
	vrun -1 usr network create --subnet 10.0.3.0/24 bad
	one_line 10.0.2.0/23
	vrun -0 usr run -d --name db --hostname db --network ci \
		--network-alias postgres -p 8080:80 "$PWD/bin/image" sh -c "$web"
	vrun -0 usr inspect -f '{{.NetworkSettings.Networks.ci.IPAddress}}' db
	db=$output
	[[ $db == 10.214.*.2 ]]
	vrun -0 usr run -d --name job --hostname job --network user \
		"$PWD/bin/image" sh -c "$web"
	vrun -0 usr run --rm --network container:db --ip "${db%.*}.77" "$PWD/bin/image" \
		sh -ec "
		ip -4 -o addr show dev eth0 | awk '{ print \$4 }'
		for h in db postgres $db; do
			i=0
			until wget -qO- http://\$h/x; do
				i=\$((i + 1)); [ \$i -lt 50 ]; sleep 0.2
			done
		done
		wget -qO- http://web.test/hello
		timeout 5 wget -qO- http://$IN:8080/x || echo no
		nslookup job >/dev/null 2>&1 || echo unknown"
	[ "$output" = "${db%.*}.77/32
from db
from db
from db
hello from the world
no
unknown" ]
	# Published, to the world and to the host itself.
	for at in "world $IN" 'user 127.0.0.1' "world [$IN6]" 'user [::1]'; do
		vrun -0 "${at% *}" busybox wget -qO- "http://${at#* }:8080/x"
		[ "$output" = 'from db' ]
	done
	# Joined and left while it runs.
	for _ in 1 2; do
		vrun -0 usr network connect --alias worker ci job
		vrun -0 usr exec job wget -qO- http://postgres/x
		[ "$output" = 'from db' ]
		vrun -0 usr exec db wget -qO- http://worker/x
		[ "$output" = 'from job' ]
		vrun -0 usr network disconnect ci job
		vrun -0 usr exec job sh -c "
			nslookup db >/dev/null 2>&1 || echo unknown
			timeout 5 wget -qO- http://$db/x || echo no
			wget -qO- http://web.test/hello"
		[ "$output" = $'unknown\nno\nhello from the world' ]
	done
	vrun -1 usr network rm ci
	one_line 'active endpoints' db
	vrun -0 usr rm -f db job
	vrun -0 usr network prune
	[ "$output" = $'Deleted Networks:\nci' ]
	[ -z "$(ls run/net)" ]
	all_gone
}

@test "networks_user: a service, and whoever is killed" {
	web="$PWD/bin/image,alias=web,command=busybox httpd -f -vv -p 80 -h /etc"
	web+=",health-cmd=busybox wget -qO- http://127.0.0.1/hosts,health-interval=1s"
	# With a check of its own, and ready when its port answers.
	late="$PWD/bin/image,alias=late,expose=81,command=sh -c"
	late+=" sleep\${IFS}3;exec\${IFS}httpd\${IFS}-f\${IFS}-p\${IFS}81\${IFS}-h\${IFS}/etc"
	vrun -0 usr run --rm --service "$web" --service "$late" \
		"$PWD/bin/image" wget -qO- http://web/hosts http://late:81/hosts
	[ "$(grep -c localhost <<<"$output")" -ge 2 ]
	all_gone
	# What is shared is killed: the next ones find each other again.
	vrun -0 usr network create ci
	vrun -0 usr run -d --name one --network ci "$PWD/bin/image" sleep 1000
	for word in roof lan; do
		pid=$(shared $word)
		kill -9 "$pid"
	done
	vrun -0 usr run -d --name two --network ci "$PWD/bin/image" \
		busybox httpd -f -p 80 -h /etc
	vrun -0 usr run --rm --network ci "$PWD/bin/image" sh -c '
		i=0
		until wget -qO- http://two/hosts || [ $((i += 1)) -ge 50 ]; do
			sleep 0.2
		done'
	[[ $output == *localhost* ]]
	# All of it at once: the next one finds nothing in its way.
	for p in $(our_pids); do
		kill -9 "$p" || true
	done
	vrun -0 usr rm -f one two
	vrun -0 usr run --rm --network ci "$PWD/bin/image" \
		wget -qO- http://web.test/hello
	[ "$output" = 'hello from the world' ]
	vrun -0 usr network rm ci
	all_gone
}
