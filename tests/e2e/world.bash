# SPDX-License-Identifier: Apache-2.0
#
# world.bash - two network namespaces that stand for the world: in one are the
# user and vial, behind a default route is the other with servers. Who loads
# this has its hooks too, and its all_gone().
# shellcheck shell=bash disable=SC2034,SC2154 # used by those who load it

IN=198.51.100.1 OUT=198.51.100.2
# pasta or passt, with avx2 or without. pgrep complains of longer patterns.
PASTA='pas(ta|st).*'
IN6=2001:db8:77::1 NEAR6=2001:db8:77::2 OUT6=2001:db8:88::2

world_run() { ip netns exec vt-world "$@" 3>&- & echo $! >>"$BATS_FILE_TMPDIR/pids"; }

# Links, a name server that knows web.test and, by IPv6 alone, six.test (and
# what the options WORLD_DNS of dnsmasq have), and a web server.
world_up()
{
	local a
	[ "$(id -u)" -eq 0 ] || return 0
	ip netns add vt-user
	ip netns add vt-world
	ip link add vt0 netns vt-user type veth peer name vt0 netns vt-world
	ip -n vt-user addr add $IN/24 dev vt0
	ip -n vt-world addr add $OUT/24 dev vt0
	ip -n vt-user addr add $IN6/64 dev vt0 nodad
	ip -n vt-world addr add $NEAR6/64 dev vt0 nodad
	ip -n vt-world addr add $OUT6/128 dev lo nodad
	for ns in vt-user vt-world; do
		ip -n $ns link set lo up
		ip -n $ns link set vt0 up
	done
	ip -n vt-user route add default via $OUT
	ip -n vt-user route add default via $NEAR6
	ip netns exec vt-user sysctl -qw net.ipv4.ip_forward=1 \
		net.ipv6.conf.all.forwarding=1
	mkdir -p "$BATS_FILE_TMPDIR/www" /etc/netns/vt-user
	echo "nameserver $OUT" >/etc/netns/vt-user/resolv.conf
	echo "hello from the world" >"$BATS_FILE_TMPDIR/www/hello"
	"$E/tool" noise 5 3000000 >"$BATS_FILE_TMPDIR/www/large"
	world_run busybox httpd -f -p $OUT:80 -h "$BATS_FILE_TMPDIR/www"
	for a in $NEAR6 $OUT6; do
		world_run busybox httpd -f -p "[$a]:80" \
			-h "$BATS_FILE_TMPDIR/www"
	done
	world_run dnsmasq -k -C /dev/null --no-resolv --no-hosts \
		--bind-interfaces --listen-address=$OUT --pid-file= \
		--user=root --address=/web.test/$OUT \
		--address=/six.test/$OUT6 "${WORLD_DNS[@]}"
	ip netns exec vt-user busybox httpd -f -p 127.0.0.1:80 \
		-h "$BATS_FILE_TMPDIR/www" 3>&- &
	echo $! >>"$BATS_FILE_TMPDIR/pids"
	world_more
}

# What a file of tests adds to it.
world_more() { :; }

world_down()
{
	[ "$(id -u)" -eq 0 ] || return 0
	while read -r p; do kill "$p" || true; done <"$BATS_FILE_TMPDIR/pids"
	ip netns del vt-user
	ip netns del vt-world
	rm -rf /etc/netns/vt-user
}

setup_file() { world_up; }
teardown_file() { world_down; }
setup() { world_setup; }
teardown() { common_teardown; }

world_setup()
{
	[ "$(id -u)" -eq 0 ] || skip "makes network namespaces"
	common_setup
	world_state >"$BATS_TEST_TMPDIR/world"
}

# Of the box, and of the user's network.
all_gone()
{
	nothing_left
	wait_for 15 as_it_was
}
as_it_was() { diff "$BATS_TEST_TMPDIR/world" <(world_state); }

# What a box could leave in the user's network, beside what leftovers() sees.
world_state()
{
	ip -n vt-user -o link | cut -d: -f2
	ip netns
	ip netns exec vt-user nft list ruleset
	pgrep -x vial-netd || true
	pastas || true
}

# Those of the user, and what serves the boxes that there are.
pastas()
{
	# shellcheck disable=SC2016 # the inner shell's
	ip netns exec vt-user sh -c 'exec pgrep --ns $$ --nslist net -x "$1"' \
		sh "$PASTA"
}
netds() { pgrep -x vial-netd -P "$(our_pids | paste -sd,)" || true; }

# vial, as the user behind the route.
net() { timeout -k 5 "$PATIENCE" ip netns exec vt-user "$VIAL" "$@"; }
user() { timeout 60 ip netns exec vt-user "$@"; }
world() { timeout 60 ip netns exec vt-world "$@"; }
