#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# egress - what a guest may reach, with root in the guest on the other side.
# Two network namespaces stand for the world, as in network.bats: one is the
# host's, behind its default route are servers, a cloud's metadata address and
# somebody's private network.

# shellcheck disable=SC2154,SC2016 # run sets variables; templates have no shell's
load common

IN=198.51.100.1 OUT=198.51.100.2 TWO=198.51.100.3
META=169.254.169.254 LAN=192.168.77.1

httpd()	# NAMESPACE ADDRESS
{
	ip netns exec "$1" busybox httpd -f -p "$2:80" \
		-h "$BATS_FILE_TMPDIR/www" 3>&- &
	echo $! >>"$BATS_FILE_TMPDIR/pids"
}

setup_file()
{
	local a
	[ "$(id -u)" -eq 0 ] || return 0
	: >"$BATS_FILE_TMPDIR/pids"
	ip netns add vt-user
	ip netns add vt-world
	ip link add vt0 netns vt-user type veth peer name vt0 netns vt-world
	ip -n vt-user addr add $IN/24 dev vt0
	for a in $OUT/24 $TWO/24 $META/32 $LAN/32; do
		ip -n vt-world addr add $a dev vt0
	done
	for ns in vt-user vt-world; do
		ip -n $ns link set lo up
		ip -n $ns link set vt0 up
	done
	ip -n vt-user route add default via $OUT
	ip netns exec vt-user sysctl -qw net.ipv4.ip_forward=1
	mkdir -p "$BATS_FILE_TMPDIR/www" /etc/netns/vt-user
	echo "nameserver $OUT" >/etc/netns/vt-user/resolv.conf
	echo "hello from the world" >"$BATS_FILE_TMPDIR/www/hello"
	"$E/tool" noise 5 300000 >"$BATS_FILE_TMPDIR/www/large"
	for a in $OUT $TWO $META $LAN; do httpd vt-world $a; done
	httpd vt-user $IN
	ip netns exec vt-world dnsmasq -k -C /dev/null --no-resolv --no-hosts \
		--bind-interfaces --listen-address=$OUT --pid-file= \
		--user=root --address=/web.test/$OUT --address=/lan.test/$LAN \
		--host-record=short.test,$TWO,1 --cname=www.test,short.test \
		--txt-record=text.test,words \
		"${many[@]/#/--host-record=many.test,}" 3>&- &
	echo $! >>"$BATS_FILE_TMPDIR/pids"
}

# More than any datagram holds; none answers.
many=(203.0.113.{1..250})

teardown_file()
{
	[ "$(id -u)" -eq 0 ] || return 0
	while read -r p; do kill "$p" || true; done <"$BATS_FILE_TMPDIR/pids"
	ip netns del vt-user
	ip netns del vt-world
	rm -rf /etc/netns/vt-user
}

setup()
{
	[ "$(id -u)" -eq 0 ] || skip "makes network namespaces"
	common_setup
}

teardown() { common_teardown; }

# vial, on the host of this world.
net() { timeout -k 5 "$PATIENCE" ip netns exec vt-user "$VIAL" "$@"; }
# A box that ends with its script, of which get is a part.
guest()	# [OPTION...] SCRIPT
{
	net run --rm "${@:1:$#-1}" "$IMAGE" sh -c '
		get() { wget -qO- "http://$1/hello" 2>/dev/null || echo "no $1"; }
		'"${!#}"
}
# The lines of the log that jq selects, and of them what it prints.
logged() { jq -r "select($1) | $2" egress.log; }

@test "egress: the public internet and nothing else" {
	vrun -0 guest --network nat --egress-log egress.log "
		get web.test; get $OUT; get $META; get $LAN; get $IN
		get lan.test
		r=\$(ip route | awk '/default/ { print \$3 }'); get \$r"
	cat egress.log
	[ "${lines[0]}" = 'hello from the world' ]
	[ "${lines[1]}" = 'hello from the world' ]
	[ "${lines[2]}" = "no $META" ]
	[ "${lines[3]}" = "no $LAN" ]
	[ "${lines[4]}" = "no $IN" ]
	[ "${lines[5]}" = "no lan.test" ]
	[[ ${lines[6]} == "no 10."* ]]
	[ "$(logged '.event == "name" and .name == "lan.test"' \
		'.removed[0] // empty' | sort -u)" = $LAN ]
	[ "$(logged '.event == "refused"' .address | head -n 3)" = \
		"$META"$'\n'"$LAN"$'\n'"$IN" ]
	[ "$(logged '.event == "connection"' '.port' | sort -u)" = 80 ]
	nothing_left
}
