#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# networks - several boxes that know each other (vial network), in the world of
# world.bash.

# shellcheck disable=SC2154,SC2016 # run sets variables; templates have no shell's
load common
load world

setup()
{
	world_setup
	# The folder stays when the last of them goes.
	mkdir -p "$VIAL_DATADIR/networks"
	leftovers >"$before"
}

@test "networks: made, listed, refused, removed" {
	vrun -0 net network create --label a=b ci
	[ ${#output} -eq 64 ]
	id=$output
	vrun -1 net network create ci
	one_line 'already exists'
	vrun -0 net network create --internal --subnet 10.99.0.0/24 inner
	for subnet in 10.99.0.0/16 198.51.100.0/25 10.1.2.3/24 nonsense 10.0.0.0/31; do
		vrun -1 net network create --subnet "$subnet" other
		one_line "$subnet"
	done
	for name in host nat a .x 'a b'; do
		vrun -1 net network create "$name"
		one_line "$name"
	done
	vrun -0 net network ls
	[[ ${lines[0]} == NETWORK*NAME*DRIVER*SCOPE ]]
	[[ ${lines[1]} == "${id:0:12}"*ci*bridge*local ]]
	vrun -0 net network ls -q --filter name=inner --no-trunc
	[ ${#output} -eq 64 ]
	vrun -0 net network inspect -f '{{.Internal}} {{(index .IPAM.Config 0).Subnet}}' inner
	[ "$output" = 'true 10.99.0.0/24' ]
	vrun -0 net network inspect -f '{{.Labels.a}}' "${id:0:8}"
	[ "$output" = b ]
	vrun -1 net network inspect nothing
	[ "$stderr" = 'Error: No such network: nothing' ]
	vrun -125 net run --rm --network nothing "$IMAGE" true
	one_line 'No such network: nothing'
	vrun -0 net network rm inner
	vrun -0 net network prune
	[ "$output" = $'Deleted Networks:\nci' ]
	vrun -0 net network ls -q
	[ -z "$output" ]
}

@test "networks: boxes find each other by name, and the world" {
	vrun -0 net network create ci
	vrun -0 net run -d --name db --network ci --network-alias postgres \
		-p 8080:80 "$IMAGE" sh -c \
		'mkdir /w; echo from db >/w/x; exec httpd -f -p 80 -h /w'
	vrun -0 net inspect -f '{{.NetworkSettings.Networks.ci.IPAddress}}' db
	db=$output
	[[ $db == 10.214.*.2 ]]
	vrun -0 net run --rm --network ci --ip "${db%.*}.77" "$IMAGE" sh -ec "
		ip -4 -o addr show dev eth0 | awk '{ print \$4 }'
		for h in db postgres $db; do
			i=0
			until wget -qO- http://\$h/x; do
				i=\$((i + 1)); [ \$i -lt 50 ]; sleep 0.2
			done
		done
		wget -qO- http://web.test/hello
		timeout 5 wget -qO- http://$IN:8080/x || echo no
		nslookup other.ci >/dev/null 2>&1 || echo unknown"
	[ "$output" = "${db%.*}.77/32
from db
from db
from db
hello from the world
no
unknown" ]
	for at in "world $IN" "world [$IN6]" 'user [::1]'; do
		vrun -0 "${at% *}" busybox wget -qO- "http://${at#* }:8080/x"
		[ "$output" = 'from db' ]
	done
	vrun -0 net network inspect -f '{{range .Containers}}{{.Name}} {{.IPv4Address}}{{end}}' ci
	[ "$output" = "db $db/24" ]
	# One that is not on it does not reach it, and the name is nobody's.
	vrun -0 net run --rm --network nat "$IMAGE" sh -c "
		timeout 5 wget -qO- http://$db/x || echo no
		nslookup db >/dev/null 2>&1 || echo unknown"
	[ "$output" = $'no\nunknown' ]
	# With db, by another's word; the address is taken.
	vrun -0 net run --rm --network container:db "$IMAGE" \
		wget -qO- http://db/x
	[ "$output" = 'from db' ]
	vrun -125 net run --rm --network ci --ip "$db" "$IMAGE" true
	one_line 'already in use'
	vrun -1 net network rm ci
	one_line 'active endpoints' db
	vrun -1 net network disconnect ci db
	one_line 'box db' 'was started on'
	vrun -0 net create --name later "$IMAGE" wget -qO- http://db/x
	vrun -0 net network connect ci later
	vrun -0 net start -a later
	[ "$output" = 'from db' ]
	vrun -0 net network disconnect ci later
	vrun -1 net network disconnect ci later
	one_line 'not on network ci'
	vrun -0 net rm later
	vrun -0 net rm -f db
	vrun -0 net network rm ci
	all_gone
}

# Of the test below: job is on ci, with this address.
joined()
{
	vrun -0 net exec db sh -c \
		'wget -qO- http://worker/x; wget -qO- http://job/x'
	[ "$output" = $'from job\nfrom job' ]
	vrun -0 net exec job wget -qO- http://web.test/hello
	[ "$output" = 'hello from the world' ]
	vrun -1 net network connect ci job
	one_line 'box job' 'already'
	vrun -0 net inspect -f '{{with .NetworkSettings.Networks.ci}}{{.IPAddress}} {{.IPPrefixLen}} {{.Gateway}} {{.MacAddress}}{{end}}' job
	[[ $output == "$1 24 ${1%.*}.1 06:"* ]]
	vrun -0 net exec job cat /sys/class/net/eth1/address
	[[ $output == 06:* ]]
	vrun -0 net network inspect -f '{{range .Containers}}{{.Name}} {{.MacAddress}} {{end}}' ci
	[[ $output == *'job 06:'* && $output == *'db 02:'* ]]
	# It leads to that network alone, and for nobody else.
	vrun -0 net exec job sh -c "
		n=${1%.*}
		ip route add $OUT via \$n.1 dev eth1
		timeout 5 wget -qO- http://$OUT/hello || echo no
		ip route del $OUT
		ip addr add \$n.99/32 dev eth1
		ping -c 1 -W 2 -I \$n.99 \$n.2 >/dev/null || echo no
		ping -c 1 -W 2 -I $1 \$n.2 >/dev/null && echo yes
		ip addr del \$n.99/32 dev eth1
		a=\$(cat /sys/class/net/eth1/address)
		ip link set eth1 address 06:00:00:00:00:99
		ping -c 1 -W 2 -I $1 \$n.2 >/dev/null || echo no
		ip link set eth1 address \$a
		ping -c 1 -W 2 -I $1 \$n.2 >/dev/null && echo yes"
	[ "$output" = $'no\nno\nyes\nno\nyes' ]
}

left()
{
	vrun -0 net exec job sh -c "
		nslookup db >/dev/null 2>&1 || echo unknown
		timeout 5 wget -qO- http://${1%.*}.2/x || echo no
		wget -qO- http://web.test/hello"
	[ "$output" = $'unknown\nno\nhello from the world' ]
	vrun -0 net exec db sh -c "
		nslookup worker >/dev/null 2>&1 || echo unknown
		timeout 5 wget -qO- http://$1/x || echo no"
	[ "$output" = $'unknown\nno' ]
}

@test "networks: joined and left while the box runs" {
	local web='mkdir /w; echo from $(hostname) >/w/x; exec httpd -f -p 80 -h /w'
	vrun -0 net network create ci
	vrun -0 net run -d --name db --hostname db --network ci "$IMAGE" \
		sh -c "$web"
	vrun -0 net run -d --name job --hostname job --network nat --privileged \
		--egress-log egress.log "$IMAGE" sh -c "$web"
	vrun -0 net exec job sh -c 'nslookup db >/dev/null 2>&1 || echo unknown'
	[ "$output" = unknown ]
	for i in 1 2 3 4 5 6 7 8 9 10; do
		vrun -0 net network connect --alias worker ci job
		vrun -0 net exec job sh -c "
			ip -4 -o addr show dev eth1 | awk '{ print \$4 }'
			[ $i -gt 2 ] || wget -qO- http://db/x"
		[[ ${lines[0]} == 10.214.*.3/24 ]]
		job=${lines[0]%/*}
		[ "$i" -gt 2 ] || [ "${lines[1]}" = 'from db' ]
		[ "$i" -gt 1 ] || joined "$job"
		vrun -0 net network disconnect ci job
		vrun -0 net exec job sh -c 'ip link show dev eth1 2>/dev/null || echo gone'
		[ "$output" = gone ]
		[ "$i" -gt 1 ] || left "$job"
	done
	vrun -1 net network disconnect ci job
	one_line 'box job' 'not on network ci'
	# A guest that does not do its part: it has no interface, or a dead one.
	vrun -0 net exec job mount -t tmpfs none /sys
	vrun -1 net network connect ci job
	one_line 'box job' 'the guest refuses' /sys
	vrun -0 net network inspect -f '{{range .Containers}}{{.Name}}{{end}}' ci
	[ "$output" = db ]
	vrun -0 net exec job umount /sys
	vrun -0 net network connect ci job
	vrun -0 net exec job mount -t tmpfs none /sys
	vrun -0 net network disconnect ci job
	vrun -0 net exec job sh -c "umount /sys; cat /sys/class/net/eth1/carrier
		timeout 3 wget -qO- http://${job%.*}.2/x || echo no"
	[ "$output" = $'0\nno' ]
	# Whoever is on it when it ends leaves nothing either.
	vrun -0 net network connect ci job
	vrun -0 net exec job wget -qO- http://db/x
	[ "$output" = 'from db' ]
	vrun -1 net network rm ci
	one_line 'active endpoints'
	vrun -0 net rm -f job db
	grep -q "\"${job%.*}.2\"" egress.log
	vrun -0 net network rm ci
	nothing_left
	wait_for 15 as_it_was
}

@test "networks: an internal one leads nowhere else" {
	vrun -0 net network create --internal inner
	vrun -0 net run -d --name one --network inner "$IMAGE" sh -c \
		'mkdir /w; echo from a >/w/x; exec httpd -f -p 80 -h /w'
	vrun -0 net run --rm --network inner "$IMAGE" sh -c "
		i=0
		until wget -qO- http://one/x || [ \$((i += 1)) -ge 50 ]; do
			sleep 0.2
		done
		timeout 5 wget -qO- http://$OUT/hello || echo no"
	[ "$output" = $'from a\nno' ]
	vrun -0 net rm -f one
	vrun -0 net network rm inner
	all_gone
}

@test "networks: a service is ready before its job, and gone with it" {
	web="$IMAGE,alias=web,command=busybox httpd -f -vv -p 80 -h /etc"
	web+=",health-cmd=busybox wget -qO- http://127.0.0.1/hosts,health-interval=1s"
	vrun -0 net run --rm --service "$web" --service-logs . "$IMAGE" \
		wget -qO- http://web/hosts
	[[ $output == *localhost* ]]
	grep -q response web.log
	vrun -125 net run --rm --service \
		"$IMAGE,command=sleep 100,health-cmd=false,health-retries=1,health-interval=1s" \
		"$IMAGE" true
	one_line '--service test' 'health check'
	vrun -125 net run --rm --service "$IMAGE,nonsense=1" "$IMAGE" true
	one_line nonsense
	# Its client is killed: the service goes as well.
	timeout 200 ip netns exec vt-user "$VIAL" run --rm --service "$web" \
		"$IMAGE" sleep 100 >/dev/null 2>&1 3>&- &
	pid=$!
	wait_for 60 sh -c "'$VIAL' ps --format '{{.Command}}' | grep -q 'sleep 100'"
	# ip becomes vial.
	kill -9 "$(pgrep -P "$pid")"
	wait "$pid" || true
	vrun -0 net ps -aq
	vrun -0 net network prune
	all_gone
}
