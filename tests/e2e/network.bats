#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# network - what a box reaches. Two network namespaces stand for the world: in
# one are the user and vial, behind a default route is the other with servers.

# shellcheck disable=SC2154,SC2016 # run sets variables; templates have no shell's
load common

IN=198.51.100.1 OUT=198.51.100.2

# The world: links, a name server that knows one name, and a web server.
setup_file()
{
	[ "$(id -u)" -eq 0 ] || return 0
	ip netns add vt-user
	ip netns add vt-world
	ip link add vt0 netns vt-user type veth peer name vt0 netns vt-world
	ip -n vt-user addr add $IN/24 dev vt0
	ip -n vt-world addr add $OUT/24 dev vt0
	for ns in vt-user vt-world; do
		ip -n $ns link set lo up
		ip -n $ns link set vt0 up
	done
	ip -n vt-user route add default via $OUT
	mkdir -p "$BATS_FILE_TMPDIR/www" /etc/netns/vt-user
	echo "nameserver $OUT" >/etc/netns/vt-user/resolv.conf
	echo "hello from the world" >"$BATS_FILE_TMPDIR/www/hello"
	"$E/tool" noise 5 3000000 >"$BATS_FILE_TMPDIR/www/large"
	ip netns exec vt-world busybox httpd -f -p $OUT:80 \
		-h "$BATS_FILE_TMPDIR/www" 3>&- &
	echo $! >"$BATS_FILE_TMPDIR/pids"
	ip netns exec vt-user busybox httpd -f -p 127.0.0.1:80 \
		-h "$BATS_FILE_TMPDIR/www" 3>&- &
	echo $! >>"$BATS_FILE_TMPDIR/pids"
	ip netns exec vt-world dnsmasq -k -C /dev/null --no-resolv --no-hosts \
		--bind-interfaces --listen-address=$OUT --pid-file= \
		--user=root --address=/web.test/$OUT 3>&- &
	echo $! >>"$BATS_FILE_TMPDIR/pids"
}

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

# vial, as the user behind the route.
net() { timeout -k 5 "$PATIENCE" ip netns exec vt-user "$VIAL" "$@"; }

@test "network: none is none" {
	vrun -0 net run --rm "$IMAGE" sh -c 'ls /sys/class/net; ip route'
	[ "$output" = lo ]
	vrun -0 net run --rm --network none "$IMAGE" ls /sys/class/net
	[ "$output" = lo ]
	nothing_left
}

@test "network: user reaches servers by address and by name" {
	vrun -0 net run --rm --network user "$IMAGE" sh -ec "
		ip -4 -o addr show dev eth0 | awk '{ print \$4 }'
		cat /etc/resolv.conf
		wget -qO- http://$OUT/hello
		wget -qO- http://web.test/hello
		wget -qO- http://web.test/large | sha256sum"
	[ "${lines[0]}" = 10.0.2.15/24 ]
	[ "${lines[1]}" = 'nameserver 10.0.2.3' ]
	[ "${lines[2]}" = 'hello from the world' ]
	[ "${lines[3]}" = 'hello from the world' ]
	[ "${lines[4]}" = "$(sha256sum <"$BATS_FILE_TMPDIR/www/large")" ]
	nothing_left
}

@test "network: the loopback of the host is the host's" {
	vrun -0 net run --rm --network user "$IMAGE" sh -c '
		for a in 10.0.2.2 127.0.0.1; do
			timeout 5 wget -qO- http://$a/hello || echo no
		done'
	[ "$output" = $'no\nno' ]
	nothing_left
}

@test "network: names are asked where the options say" {
	# By the box's resolver: the first answers nobody, the second does.
	vrun -0 net run --rm --network user --dns 192.0.2.7 --dns $OUT \
		--dns-search a.test --dns-search b.test --dns-option ndots:2 \
		"$IMAGE" sh -c 'cat /etc/resolv.conf
		wget -qO- http://web.test/hello'
	[ "$output" = 'nameserver 10.0.2.3
search a.test b.test
options ndots:2
hello from the world' ]
	vrun -125 net run --rm --dns nonsense "$IMAGE" true
	one_line nonsense
	vrun -125 net run --rm --network host "$IMAGE" true
	one_line host
	nothing_left
}

@test "network: a guest cannot take another's hardware address" {
	vrun -0 net run --rm --privileged --network user "$IMAGE" sh -c "
		wget -qO- http://$OUT/hello
		ip link set eth0 address 02:11:22:33:44:55
		timeout 5 wget -qO- http://$OUT/hello || echo no"
	[ "$output" = $'hello from the world\nno' ]
	nothing_left
}

@test "network: a box that lives, started again, and counted" {
	vrun -0 net run -d --name job --network user "$IMAGE" sleep 1000
	vrun -0 net exec job wget -qO /dev/null "http://$OUT/large"
	vrun -0 net stats --no-stream --format '{{.NetIO}}' job
	[[ $output == [3-9]*MB\ /\ *B ]]
	vrun -0 net restart -t 1 job
	vrun -0 net exec job wget -qO- http://web.test/hello
	[ "$output" = 'hello from the world' ]
	vrun -0 net inspect -f '{{.HostConfig.NetworkMode}}' job
	[ "$output" = user ]
	# Its back end dies: the box lives on without a carrier.
	kill -9 "$(pgrep -x passt.avx2 || pgrep -x pasta)"
	wait_for 20 sh -c "'$VIAL' exec job cat /sys/class/net/eth0/carrier |
		grep -q 0"
	vrun -0 net rm -f job
	nothing_left
}

@test "network: no way out is said" {
	run --separate-stderr timeout 300 unshare -n "$VIAL" run --rm \
		--network user "$IMAGE" true
	show
	[ "$status" -eq 125 ]
	one_line 'network user: pasta:'
	nothing_left
}
