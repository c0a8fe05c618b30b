#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# egress - what a guest may reach, with root in the guest on the other side. In
# the world (world.bash) are more servers than in others: a cloud's metadata
# address, and somebody's private network.

# shellcheck disable=SC2030,SC2031,SC2154,SC2016 # run sets variables
load common
load world

TWO=198.51.100.3 META=169.254.169.254 LAN=192.168.77.1
# More than any datagram holds; none of them answers.
many=(203.0.113.{1..250})
# shellcheck disable=SC2034 # world.bash's
WORLD_DNS=("--address=/lan.test/$LAN" "--host-record=short.test,$TWO,15"
	"--host-record=page.test,$OUT,600"
	"--cname=www.test,short.test" "--txt-record=text.test,words"
	"${many[@]/#/--host-record=many.test,}")

world_more()
{
	local a
	for a in $TWO/24 $META/32 $LAN/32; do
		ip -n vt-world addr add "$a" dev vt0
		world_run busybox httpd -f -p "${a%/*}:80" \
			-h "$BATS_FILE_TMPDIR/www"
	done
	ip netns exec vt-user busybox httpd -f -p "$IN:80" \
		-h "$BATS_FILE_TMPDIR/www" 3>&- &
	echo $! >>"$BATS_FILE_TMPDIR/pids"
}

# What the guest's scripts have: get prints the page or says no, at once or
# never (what is dropped would take the whole time).
get='get() {
	timeout 8 wget -qO- "http://$1/hello" 2>/dev/null && return
	[ $? -ge 124 ] && echo "late $1" || echo "no $1"
}
'
guest()	# [OPTION...] SCRIPT: a box that ends with its script
{
	net run --rm "${@:1:$#-1}" "$IMAGE" sh -c "$get${!#}"
}
inside()	# BOX SCRIPT
{
	net exec "$1" sh -c "$get$2"
}
# The lines of the log that jq selects, and of them what it prints.
logged() { jq -r "select($1) | $2" egress.log; }

hello='hello from the world'

@test "egress: the public internet and nothing else" {
	vrun -0 guest --network nat --egress-log egress.log "
		get web.test; get $OUT; get $META; get $LAN; get $IN
		get lan.test
		get \$(ip route | awk '/default/ { print \$3 }')
		for a in $OUT6 $IN6 $NEAR6 fd00::1 64:ff9b::a00:1 \
			\$(ip -6 route | awk '/default/ { print \$3 }'); do
			get [\$a]
		done"
	cat egress.log
	[ "${lines[0]}" = "$hello" ]
	[ "${lines[1]}" = "$hello" ]
	[ "${lines[2]}" = "no $META" ]
	[ "${lines[3]}" = "no $LAN" ]
	[ "${lines[4]}" = "no $IN" ]
	[ "${lines[5]}" = "no lan.test" ]
	[[ ${lines[6]} == "no 10."* ]]
	[ "${lines[7]}" = "$hello" ]
	for i in 8 9 10 11 12; do
		[[ ${lines[i]} == "no ["* ]]
	done
	[ "$(logged '.event == "name" and .name == "lan.test"' \
		'.removed[0] // empty' | sort -u)" = $LAN ]
	[ "$(logged '.event == "refused"' .address | head -n 3)" = \
		"$META"$'\n'"$LAN"$'\n'"$IN" ]
	[ "$(logged '.event == "connection"' '.port' | sort -u)" = 80 ]
	all_gone
}

@test "egress: without rights it is the same" {
	vrun -0 guest --network user --egress-log egress.log "
		get web.test; get $META; get $LAN; get $IN; get 10.0.2.2
		get 10.0.3.2"
	cat egress.log
	[ "$output" = "$hello
no $META
no $LAN
no $IN
no 10.0.2.2
no 10.0.3.2" ]
	# The page and the heads of its packets.
	[ "$(logged '.event == "connection" and .name == "web.test"' \
		'.received > 300 and .sent > 100 and .port == 80')" = true ]
	all_gone
}

@test "egress: a list of names, for as long as their answers live" {
	vrun -0 net run -d --name job --network nat --egress-log egress.log \
		--egress page.test:80,www.test/tcp,lan.test,many.test,text.test \
		--egress "*.sub.test:443 $META:81" "$IMAGE" sleep 1000
	# By address only what a name has opened before.
	vrun -0 inside job "
		get $OUT; get $TWO; get page.test; get www.test; get $OUT
		get $TWO; get $META; get lan.test; get $LAN; get other.test
		timeout 8 nc -w 3 $OUT 81 </dev/null || echo no port"
	[ "$output" = "no $OUT
no $TWO
$hello
$hello
$hello
$hello
no $META
no lan.test
no $LAN
no other.test
no port" ]
	# Names that are not in the list do not exist; others are not asked
	# behind the resolver's back.
	vrun -0 inside job "
		nslookup other.test 2>&1 | grep -o NXDOMAIN | head -n 1
		timeout 8 nslookup page.test $OUT >/dev/null 2>&1; echo \$?
		nslookup -type=txt text.test | grep -o words
		ping -c 1 -W 1 many.test | grep -o '(203\.0\.113' | head -n 1"
	[ "${lines[0]}" = NXDOMAIN ]
	[ "${lines[1]}" = 1 ]
	[ "${lines[2]}" = words ]
	# 250 addresses do not fit a datagram, so it came by TCP.
	[ "${lines[3]}" = '(203.0.113' ]
	[ "$(logged '.name == "many.test"' '.addresses // [] | length' |
		sort -nu | tail -n 1)" = 64 ]
	# The answer for short.test lives for a moment.
	wait_for 60 sh -c "! '$VIAL' exec job timeout 8 \
		wget -qO- http://$TWO/hello"
	vrun -0 inside job "get $OUT; get $TWO; get www.test"
	[ "$output" = "$hello
no $TWO
$hello" ]
	cat egress.log
	[ "$(logged '.event == "name" and .verdict == "refused"' .name |
		sort -u)" = other.test ]
	[ "$(logged '.event == "refused" and .port == 53' .protocol |
		sort -u)" = udp ]
	vrun -0 net rm -f job
	[ -n "$(logged '.event == "connection" and .name == "www.test"' \
		'.port')" ]
	all_gone
}

@test "egress: private addresses that the list names" {
	vrun -0 guest --network nat --egress "[$OUT6]:80,six.test:81" "
		get six.test; get [$OUT6]; get $OUT
		timeout 8 nc -w 3 $OUT6 82 </dev/null || echo no port"
	[ "$output" = "$hello
$hello
no $OUT
no port" ]
	vrun -0 guest --network nat --egress "all,$LAN:80/tcp" "
		get $LAN; get lan.test; get web.test; get $META"
	[ "$output" = "$hello
$hello
$hello
no $META" ]
	all_gone
}

@test "egress: nothing, as the default of this host" {
	printf '[network]\nmode = "nat"\negress = "none"\n' >vial.conf
	VIAL_CONF=$PWD/vial.conf vrun -0 guest "
		get web.test; get $OUT; get $META; ping -c 1 -W 3 $OUT | grep -c from
		true"
	[ "$output" = "no web.test
no $OUT
no $META
0" ]
	all_gone
}

@test "egress: root in the guest pretends to be somebody else" {
	vrun -0 net run -d --name other --network nat "$IMAGE" sh -c "
		mkdir /www && echo mine >/www/hello &&
		exec httpd -f -p 80 -h /www"
	vrun -0 inside other "ip -4 -o addr show dev eth0 |
		sed 's/.* inet \([0-9.]*\).*/\1/'"
	other=$output
	vrun -0 guest --privileged --network nat --egress-log egress.log "
		me=\$(ip -4 -o addr show dev eth0 | sed 's/.* inet \([^ ]*\).*/\1/')
		gw=\$(ip route | awk '/default/ { print \$3 }')
		get $OUT
		get $other
		# Its address, claimed and used: nobody answers.
		for a in $other $IN; do
			ip addr add \$a/32 dev eth0
			ip route add $OUT via \$gw src \$a
			timeout 3 wget -qO- http://$OUT/hello || echo no source
			ip route del $OUT; ip addr del \$a/32 dev eth0
		done
		get $OUT
		# The gateway's.
		arping -U -c 2 -w 3 -I eth0 -s \$gw \$gw >/dev/null 2>&1
		arping -A -c 2 -w 3 -I eth0 -s \$gw \$gw >/dev/null 2>&1
		# By a way of its own to what is closed.
		ip route add $META via \$gw; ip route add $LAN via \$gw
		get $META; get $LAN
		# By IPv6, as somebody else and as a router.
		ip addr add $IN6/128 dev eth0; sleep 2
		ip route add $OUT6 via \$(ip -6 route |
			awk '/default/ { print \$3 }') dev eth0 src $IN6
		timeout 3 wget -qO- http://[$OUT6]/hello || echo no source
		ip route del $OUT6; ip addr del $IN6/128 dev eth0
		get [$OUT6]
		# Another card.
		ip link set eth0 address 02:11:22:33:44:55
		timeout 5 wget -qO- http://$OUT/hello || echo no card"
	[ "$output" = "$hello
no $other
no source
no source
$hello
no $META
no $LAN
no source
$hello
no card" ]
	vrun -0 inside other "get $OUT; get 127.0.0.1"
	[ "$output" = "$hello"$'\nmine' ]
	vrun -0 net rm -f other
	all_gone
}

@test "egress: what a run used is the list of the next" {
	script="get web.test; get $TWO; get web.test; nslookup -type=txt text.test |
		grep -c words; get none.test"
	vrun -0 guest --network nat --egress record=needed.list "$script"
	first=$output
	cat needed.list
	[ "$(grep -v '^#' needed.list)" = "$TWO:80/tcp
text.test:0
web.test:80/tcp" ]
	vrun -0 guest --network user --egress @needed.list "$script
		get $OUT; get www.test; timeout 5 nc -w 3 $OUT 81 || echo no port"
	[ "$output" = "$first
$hello
no www.test
no port" ]
	all_gone
}

@test "egress: lists and files that are none" {
	vrun -125 net run --rm --network nat --egress web..test "$IMAGE" true
	one_line --egress web..test
	vrun -125 net run --rm --network nat --egress @none "$IMAGE" true
	one_line --egress none 'No such file'
	vrun -125 net run --rm --network nat --egress none,all "$IMAGE" true
	one_line --egress none
	vrun -125 net run --rm --network none --egress all "$IMAGE" true
	one_line --network none
	vrun -125 net run --rm --network nat --egress-log /none/x "$IMAGE" true
	one_line --egress-log /none/x
	all_gone
}
