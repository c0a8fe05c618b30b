#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# e2e: no VM
#
# egress_tools - programs that people use, behind a list: git, curl, apt, dig;
# and root in the guest, who tries to get around it.
# The policy is the one that vial-netd enforces; what stands for the guest is a
# network namespace, and so do a host and the internet. All of it is made in
# namespaces of the test's own and ends with them.

# shellcheck disable=SC2154,SC2016 # run sets variables
load common
load offer

setup()
{
	[ "$(id -u)" -eq 0 ] || skip "makes network namespaces"
	unshare -n true || skip "no network namespaces here"
	common_setup
}

teardown() { common_teardown; }

# world LIST SCRIPT: runs the script as the guest. The log is egress.log, what
# was used is in used.list.
world()
{
	cat >world.sh <<-'W'
	set -e
	mount -t tmpfs none /run
	mkdir -p /run/netns
	for ns in guest box inet; do ip netns add $ns; done
	link() { ip link add "$1" netns "$2" type veth peer name "$3" netns "$4"; }
	link g0 guest vial0 box
	link up0 box b0 inet
	ip -n guest link set g0 address 02:00:00:00:00:01
	add() { ip -n "$1" addr add "$3" dev "$2"; ip -n "$1" link set "$2" up; }
	for ns in guest box inet; do ip -n $ns link set lo up; done
	add guest g0 10.0.2.15/24
	add box vial0 10.0.2.2/24
	add box up0 198.51.100.7/24
	for a in 198.51.100.2/24 198.51.100.3/24 169.254.169.254/32; do
		add inet b0 $a
	done
	ip -n guest route add default via 10.0.2.2
	ip -n box route add default via 198.51.100.2
	ip -n inet route add 10.0.2.0/24 via 198.51.100.7
	ip netns exec box sysctl -qw net.ipv4.ip_forward=1
	# Whom the resolver asks is asked from here.
	ip link add h0 type veth peer name h0 netns inet
	ip addr add 192.0.2.1/24 dev h0
	ip link set h0 up
	add inet h0 192.0.2.2/24
	at() { ip netns exec inet "$@" 3>&- & }
	at busybox httpd -f -p 80 -h www
	cd www
	at openssl s_server -quiet -WWW -accept 443 -cert cert -key ../key
	cd ..
	at dnsmasq -k -C /dev/null --no-resolv --no-hosts --bind-interfaces \
		--listen-address=192.0.2.2 --pid-file= --user=root \
		--host-record=web.test,198.51.100.2,600 \
		--host-record=other.test,198.51.100.3,600 \
		--host-record=evil.test,169.254.169.254,600 \
		--host-record=short.test,198.51.100.3,1 \
		$(printf -- '--host-record=many.test,203.0.113.%d ' {1..250})
	echo nameserver 192.0.2.2 >resolv.conf
	# shellcheck disable=SC2086 # words
	"$E/egress" /run/netns/box 02:00:00:00:00:01 10.0.2.15 10.0.2.2 \
		resolv.conf egress.log used.list $LIST >ready &
	pid=$!
	until grep -q ready ready && timeout 5 ip netns exec inet \
		busybox nc 198.51.100.2 443 </dev/null >/dev/null; do sleep 0.1; done
	echo nameserver 10.0.2.2 >resolv.guest
	mount --bind resolv.guest /etc/resolv.conf
	ip netns exec guest bash -c "$SCRIPT" || echo "status $?"
	kill $pid
	wait $pid
	W
	E=$E LIST=$1 SCRIPT=$2 timeout -k 5 120 unshare --net --mount \
		--propagation private --pid --fork --kill-child --mount-proc \
		bash world.sh
}

everything='
	export HOME=$PWD/home GIT_TERMINAL_PROMPT=0
	mkdir home; cd home
	git clone -q http://web.test/tree.git; cat tree/file
	curl -sS http://web.test/cert >cert
	curl -sS --cacert cert https://web.test/hello
	echo deb [trusted=yes] http://web.test/debian ./ >list
	mkdir -p l/lists/partial c/archives/partial
	apt="-qq -o Dir::Etc::SourceList=$PWD/list -o Dir::Etc::SourceParts=-
		-o Dir::State=$PWD/l -o Dir::Cache=$PWD/c
		-o APT::Sandbox::User=root -o Dir::State::Status=/dev/null"
	apt-get $apt update
	apt-get $apt download vial-probe; ls *.deb
	curl -sS -m 5 http://other.test/hello 2>&1
	dig other.test | grep -oE "NXDOMAIN|EDE: 15"
	dig +short evil.test; dig +tcp +short web.test
	curl -sS -m 5 http://198.51.100.3/hello 2>&1 | cut -c1-43
	curl -sS -m 5 http://169.254.169.254/hello 2>&1 | cut -c1-46'

@test "egress: git, curl, apt and dig behind a list, and by what they recorded" {
	offer
	vrun -0 world "web.test:80/tcp web.test:443/tcp evil.test" "$everything"
	cat egress.log
	want='source
hello from the world
vial-probe_1_all.deb
curl: (6) Could not resolve host: other.test
NXDOMAIN
EDE: 15
198.51.100.2
curl: (7) Failed to connect to 198.51.100.3
curl: (7) Failed to connect to 169.254.169.254'
	[ "$output" = "$want" ]
	[ "$(jq -r 'select(.event == "connection") | "\(.name) \(.port)"' \
		egress.log | sort -u)" = $'web.test 443\nweb.test 80' ]
	[ "$(jq -r 'select(.event == "refused") | .address' egress.log |
		sort -u)" = $'169.254.169.254\n198.51.100.3' ]
	[ "$(jq -r 'select(.name == "evil.test" and .removed) | .removed[]' \
		egress.log)" = 169.254.169.254 ]
	[ "$(grep -v '^#' used.list)" = $'evil.test:0\nweb.test:443/tcp\nweb.test:80/tcp' ]
	rm -r home
	vrun -0 world "$(grep -v '^#' used.list | tr '\n' ' ')" "$everything"
	[ "$output" = "$want" ]
}

hostile='
	page() { curl -s -m 5 "$@" http://198.51.100.2/hello || echo "no $?"; }
	dig +short web.test; page
	# Open for as long as the answer lives, and a little.
	dig +short short.test
	curl -s -m 5 http://198.51.100.3/hello
	dig many.test | grep -c "203\.0\.113"
	# Nobody else is asked.
	dig +time=3 +tries=1 @198.51.100.2 web.test | grep -c "timed out"
	# Questions that are none, more than anybody reads.
	for i in $(seq 3000); do echo nonsense; done >/dev/udp/10.0.2.2/53
	for i in $(seq 3000); do echo >/dev/udp/10.0.2.2/53; done
	printf "\377\377\377\377nonsense" >/dev/tcp/10.0.2.2/53
	# What comes from somebody else goes nowhere: 28 is a time-out.
	ip addr add 10.0.2.99/24 dev g0; page --interface 10.0.2.99 -m 2
	ip addr add 198.51.100.7/32 dev g0; page --interface 198.51.100.7 -m 2
	ip addr flush dev g0; ip addr add 10.0.2.15/24 dev g0
	ip route add default via 10.0.2.2
	for i in 1 2 3; do busybox arping -q -U -c 1 -I g0 -s 10.0.2.2 10.0.2.2
	done
	ip link set g0 down; ip link set g0 address 02:00:00:00:00:02
	ip link set g0 up; ip route add default via 10.0.2.2; page -m 2
	ip link set g0 down; ip link set g0 address 02:00:00:00:00:01
	ip link set g0 up; ip route add default via 10.0.2.2
	page; dig +tries=9 +short web.test
	curl -s -m 5 http://198.51.100.3/hello || echo "no $?"'

@test "egress: root in the guest tries to get around the list" {
	offer
	vrun -0 world "web.test short.test many.test" "$hostile"
	[ "$output" = '198.51.100.2
hello from the world
198.51.100.3
hello from the world
64
0
no 28
no 28
no 28
hello from the world
198.51.100.2
no 7' ]
}
