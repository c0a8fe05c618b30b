#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# network - what a box reaches and who reaches it, by nat and by user. Two
# network namespaces stand for the world (world.bash).

# shellcheck disable=SC2154,SC2016 # run sets variables; templates have no shell's
load common
load world

@test "network: a rate for each way" {
	vrun -0 net run --name slow --network nat --cpus 2 --net-rx-bps 1m \
		--net-tx-bps 10m "$IMAGE" sh -ec "
		begin=\$(date +%s)
		wget -qO- http://$OUT/large | sha256sum
		echo \$((\$(date +%s) - begin))
		ls -d /sys/class/net/eth0/queues/rx-* | wc -l"
	[ "${lines[0]}" = "$(sha256sum <"$BATS_FILE_TMPDIR/www/large")" ]
	# Three megabytes, of which the first is free.
	[ "${lines[1]}" -ge 1 ]
	# A rate has one pair of queues.
	[ "${lines[2]}" = 1 ]
	vrun -0 net inspect -f '{{.HostConfig.NetRxBps}} {{.HostConfig.NetTxBps}}' slow
	[ "$output" = '1048576 10485760' ]
	net rm slow >/dev/null
	vrun -125 net run --rm --net-tx-bps fast "$IMAGE" true
	one_line fast
	all_gone
}

@test "network: none is none" {
	vrun -0 net run --rm --network none "$IMAGE" \
		sh -c 'ls /sys/class/net; ip route'
	[ "$output" = lo ]
	all_gone
}

# Out by address and by name, in by published ports, and who says what of it.
reaches()	# MODE CPUS
{
	vrun -0 net run -d --name job --network "$1" --cpus "$2" \
		-p 8080:80 -p 127.0.0.1::53 \
		-p 5353:5353/udp -p '[::1]:8090:80' -p "[$IN6]:5454:5353/udp" \
		--expose 9 "$IMAGE" sh -c '
		mkdir /w; echo from the guest >/w/x; cd /w; tool udp 5353 &
		httpd -p 53 -h /w; exec httpd -f -p 80 -h /w'
	vrun -0 net exec job sh -ec "
		cat /etc/resolv.conf
		wget -qO- http://$OUT/hello
		wget -qO- http://web.test/hello
		wget -qO- http://web.test/large | sha256sum
		wget -qO- http://six.test/hello
		wget -qO- 'http://[$OUT6]/large' | sha256sum"
	[[ ${lines[0]} == 'nameserver 10.'* ]]
	[ "${lines[1]}" = 'hello from the world' ]
	[ "${lines[2]}" = 'hello from the world' ]
	[ "${lines[3]}" = "$(sha256sum <"$BATS_FILE_TMPDIR/www/large")" ]
	[ "${lines[4]}" = 'hello from the world' ]
	[ "${lines[5]}" = "${lines[3]}" ]
	# A pair of queues for each CPU.
	vrun -0 net exec job sh -c 'ls -d /sys/class/net/eth0/queues/rx-* | wc -l'
	[ "$output" = "$2" ]
	vmm=$(net inspect -f '{{.State.Pid}}' job)
	# A disk's workers come and go.
	cat /proc/"$vmm"/task/*/status >sealed 2>/dev/null || true
	[ "$(grep -c '^Seccomp:.*2$' sealed)" -ge $(($2 * 2)) ]
	! grep '^Seccomp:.*[01]$' sealed || false
	vrun -0 net inspect -f '{{.NetworkSettings.GlobalIPv6Address}}' job
	[[ $output == fd76:6961:6c00:*::7 ]]
	vrun -0 net port job 53
	[[ $output == 127.0.0.1:* ]]
	port=$output
	wait_for 30 user busybox wget -qO- "http://$port/x"
	for at in "user $IN:8080" "user 127.0.0.1:8080" "world $IN:8080" \
		"user $port" "user [::1]:8080" "user [$IN6]:8080" \
		"world [$IN6]:8080" "user [::1]:8090"; do
		vrun -0 "${at% *}" busybox wget -qO- "http://${at#* }/x"
		[ "$output" = 'from the guest' ]
	done
	for at in "$IN:${port#*:}" "[$IN6]:8090"; do
		vrun world timeout 10 busybox wget -qO- "http://$at/x"
		[ "$status" -ne 0 ]
	done
	for at in "user 127.0.0.1 5353" "user ::1 5353" "world $IN 5353" \
		"world $IN6 5353" "world $IN6 5454"; do
		read -r who a port <<<"$at"
		vrun -0 "$who" "$E/tool" ask "$a" "$port" "$at"
		[ "$output" = "got $at" ]
	done
	vrun -0 net port job
	[[ $output == *$'80/tcp -> 0.0.0.0:8080\n80/tcp -> [::]:8080\n80/tcp -> [::1]:8090\n'*'5353/udp -> 0.0.0.0:5353'* ]]
	vrun -0 net ps --format '{{.Ports}}'
	[[ $output == *'0.0.0.0:8080->80/tcp'*'[::]:8080->80/tcp'*'9/tcp' ]]
	vrun -0 net inspect -f '{{range $k, $v := .NetworkSettings.Networks}}{{$k}} {{$v.IPAddress}} {{end}}{{(index (index .NetworkSettings.Ports "80/tcp") 0).HostPort}} {{(index (index .NetworkSettings.Ports "80/tcp") 2).HostIp}}' job
	[[ $output == "$1 10."*' 8080 ::' ]]
	# Taken is taken, and said before anything starts.
	vrun -125 net run --rm --network "$1" -p 8080:80 "$IMAGE" true
	one_line 'port 0.0.0.0:8080/tcp' 'in use'
	vrun -125 net run --rm --network "$1" -p 8090:80 "$IMAGE" true
	one_line 'port [::]:8090/tcp' 'in use'
	vrun -0 net stats --no-stream --format '{{.NetIO}}' job
	[[ $output == [3-9]*MB\ /\ *B ]]
	vrun -0 net restart -t 1 job
	vrun -0 net exec job wget -qO- http://web.test/hello
	[ "$output" = 'hello from the world' ]
	vrun -0 net rm -f job
	all_gone
}

@test "network: nat reaches servers, and is reached by published ports" {
	reaches nat 2
}

@test "network: user reaches servers, and is reached by published ports" {
	reaches user 1
}

@test "network: a box without IPv6 is reached by it" {
	ip -n vt-user -6 route del default
	for mode in nat user; do
		vrun -0 net run -d --name job --network $mode -p 8080:80 \
			-p 5353:5353/udp "$IMAGE" sh -c '
			mkdir /w; tool noise 5 3000000 >/w/x
			tool udp 5353 & exec httpd -f -p 80 -h /w'
		vrun -0 net inspect -f \
			'{{.NetworkSettings.GlobalIPv6Address}}' job
		[ -z "$output" ]
		wait_for 30 user busybox wget -qO /dev/null 'http://[::1]:8080/x'
		vrun -0 world sh -c \
			"busybox wget -qO- 'http://[$IN6]:8080/x' | sha256sum"
		[ "$output" = "$(sha256sum <"$BATS_FILE_TMPDIR/www/large")" ]
		vrun -0 world "$E/tool" ask "$IN6" 5353 "$mode"
		[ "$output" = "got $mode" ]
		vrun -0 user "$E/tool" ask ::1 5353 "$mode"
		[ "$output" = "got $mode" ]
		vrun -0 net rm -f job
	done
	ip -n vt-user -6 route add default via "$NEAR6"
	all_gone
}

@test "network: the loopback of the host is the host's" {
	for mode in user nat; do
		vrun -0 net run --rm --network $mode "$IMAGE" sh -c '
			gw=$(ip route | sed -n "s/default via \([^ ]*\).*/\1/p")
			for a in $gw 127.0.0.1; do
				timeout 5 wget -qO- http://$a/hello || echo no
			done'
		[ "$output" = $'no\nno' ]
	done
	all_gone
}

@test "network: names are asked where the options say" {
	vrun -0 net run --rm --network nat --dns "$OUT" \
		--dns-search a.test --dns-search b.test --dns-option ndots:2 \
		"$IMAGE" sh -c 'cat /etc/resolv.conf; wget -qO- http://web.test/hello'
	[[ $output == 'nameserver 10.'*'
search a.test b.test
options ndots:2
hello from the world' ]]
	vrun -125 net run --rm --dns nonsense "$IMAGE" true
	one_line nonsense
	vrun -125 net run --rm --network host "$IMAGE" true
	one_line host
	all_gone
}

@test "network: the way out dies, and is there again" {
	local get="timeout 5 wget -qO- http://$OUT/hello || echo no" i
	vrun -0 net run -d --name job --network user -p 8080:80 "$IMAGE" \
		sh -c 'mkdir /w; echo inside >/w/x; exec httpd -f -p 80 -h /w'
	vrun -0 net exec job wget -qO- http://web.test/hello
	kill -9 "$(pastas)"
	wait_for 20 sh -c "'$VIAL' exec job sh -c '$get' | grep -q hello"
	wait_for 20 user busybox wget -qO- "http://$IN:8080/x"
	# What ends again and again is left alone, and the box lives on.
	for ((i = 0; i < 3; i++)); do
		wait_for 20 pastas
		kill -9 "$(pastas)"
		sleep 0.3
	done
	sleep 1
	[ -z "$(pastas)" ]
	vrun -0 net exec job sh -c "$get"
	[ "$output" = no ]
	vrun -0 net rm -f job
	all_gone
}

@test "network: what the host lacks is said" {
	run --separate-stderr timeout 300 unshare -n "$VIAL" run --rm \
		--network user "$IMAGE" true
	show
	[ "$status" -eq 125 ]
	one_line 'network user: pasta:'
	run --separate-stderr timeout 300 unshare -n "$VIAL" run --rm \
		--network nat "$IMAGE" true
	show
	[ "$status" -eq 125 ]
	one_line 'network nat:' 'sysctl net.ipv4.ip_forward=1'
	# Who asked for none in particular gets none, and a word.
	export VIAL_CONF=/dev/null
	run --separate-stderr timeout 300 unshare -n "$VIAL" run --rm \
		"$IMAGE" ls /sys/class/net
	show
	[ "$status" -eq 0 ]
	[ "$output" = lo ]
	one_line 'has no network' 'ip_forward'
	vrun -0 net run --rm "$IMAGE" sh -c 'ip -4 -o addr show dev eth0'
	[[ $output == *' 10.213.'* ]]
	all_gone
}

# As docker leaves it: what it does not know is dropped.
@test "network: who else drops what is forwarded is said" {
	local guest="timeout 3 wget -qO- http://$OUT/hello || echo no"
	user nft -f - <<-'RULES'
		table ip filter {
			chain FORWARD {
				type filter hook forward priority 0
				policy drop
			}
		}
	RULES
	world_state >"$BATS_TEST_TMPDIR/world"
	vrun net doctor
	[[ $output == *'rules drop what boxes send'*'filter FORWARD'* ]]
	[[ $output == *'iptables -I FORWARD -i vl+ -j ACCEPT'* ]]
	vrun -0 net run --rm --network nat "$IMAGE" sh -c "$guest"
	[ "$output" = no ]
	one_line 'network nat' 'filter drops' 'iptables -I FORWARD'
	user nft 'insert rule ip filter FORWARD iifname "vl*" accept;
		insert rule ip filter FORWARD oifname "vl*" accept'
	world_state >"$BATS_TEST_TMPDIR/world"
	vrun -0 net run --rm --network nat "$IMAGE" sh -c "$guest"
	[ "$output" = 'hello from the world' ]
	[ -z "$stderr" ]
	all_gone
	user nft delete table ip filter
}

# VIAL_CYCLES=200: the whole of it; a few are run each time.
@test "network: killed at any moment, nothing of it stays" {
	local i pids mode
	RANDOM=5
	for ((i = 0; i < ${VIAL_CYCLES:-6}; i++)); do
		mode=nat
		((i % 2)) && mode=user
		timeout 60 ip netns exec vt-user "$VIAL" run --rm --network $mode \
			-p 8080:80 "$IMAGE" sleep 30 >/dev/null 2>&1 3>&- &
		sleep "$((RANDOM % 3)).$((RANDOM % 10))"
		mapfile -t pids < <(our_pids; netds)
		[ "${#pids[@]}" -eq 0 ] ||
			kill -9 "${pids[RANDOM % ${#pids[@]}]}" || true
		for p in $(our_pids); do kill "$p" || true; done
		wait $! || true
	done
	# The next command takes away what a keeper and its shim left.
	vrun -0 net ps -a
	all_gone
}
