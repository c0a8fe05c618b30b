#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# run - what `vial run` promises about one command: its exit status, its
# streams, its surroundings, and a clear word where it cannot be run.

# shellcheck disable=SC2016,SC2030,SC2031,SC2154 # some is expanded in the guest; run sets variables; a test is a subshell
load common

setup() { common_setup; }
teardown() { common_teardown; }

# ---- exit status ----

@test "run: the exit status is the command's, and nothing is said" {
	vrun -0 box true
	[ -z "$output$stderr" ]
	vrun -1 box false
	[ -z "$output$stderr" ]
	vrun -77 box sh -c 'exit 77'
	vrun -255 box sh -c 'exit 255'
	nothing_left
}

@test "run: not found is 127, in docker's words" {
	vrun -127 box no-such-command
	one_line 'exec: "no-such-command": executable file not found in $PATH'
	vrun -127 box /no/such/file
	one_line 'exec: "/no/such/file": no such file or directory'
	nothing_left
}

@test "run: not executable is 126, in docker's words" {
	vrun -126 box /usr/lib/not-executable
	one_line 'exec: "/usr/lib/not-executable": permission denied'
	vrun -126 box /etc
	one_line '"/etc"'
	printf 'not a program\n' >data
	chmod 755 data
	vrun -126 box --copy-in ./data:/data -- /data
	one_line 'exec: "/data": exec format error'
	vrun -127 box /usr/lib/no-interpreter
	nothing_left
}

@test "run: ended by a signal is 128+n" {
	vrun -137 box sh -c 'kill -9 $$'
	one_line SIGKILL
	vrun -143 box sh -c 'kill -TERM $$'
	one_line SIGTERM
	vrun -139 box sh -c 'kill -SEGV $$'
	one_line SIGSEGV
	nothing_left
}

@test "run: a signal to vial reaches the command" {
	start out run --rm "$IMAGE" sh -c \
		'trap "echo got TERM; exit 9" TERM; echo up; while :; do sleep 0.1; done'
	wait_for 60 grep -q up out
	kill -TERM "$pid"	# timeout hands it on
	status=0
	wait "$pid" || status=$?
	cat out out.err
	[ "$status" -eq 9 ]
	[ "$(tail -n 1 out)" = "got TERM" ]
	nothing_left
}

@test "run: a time-out is 124, also when TERM is ignored" {
	vrun -124 box --timeout 1 -- sleep 1000
	one_line 'timed out after 1 s'
	vrun -124 box --timeout 1 --stop-timeout 1 -- \
		sh -c 'trap "" TERM; echo on; sleep 1000 & wait; sleep 1000'
	[ "$output" = on ]
	one_line 'timed out'
	# What it left behind does not keep it alive.
	vrun -124 box --timeout 1 --stop-timeout 1 -- \
		sh -c 'trap "" TERM; (sleep 1000 &) ; sleep 1000'
	nothing_left
}

@test "run: a time-out gives TERM first" {
	vrun -124 box --timeout 1 -- \
		sh -c 'trap "echo bye; exit 3" TERM; while :; do sleep 0.1; done'
	[ "$output" = bye ]
}

# ---- vial's own errors: 125, one line that names the thing ----

refused()	# WORD... -- ARGUMENT...
{
	local words=()
	while [[ $1 != -- ]]; do
		words+=("$1")
		shift
	done
	shift
	vrun -125 vial run --rm "$@"
	[ -z "$output" ]
	one_line "${words[@]}"
}

@test "run: 125 for a bad command line" {
	refused --no-such-flag -- --no-such-flag "$IMAGE" true
	refused IMAGE -- 
	refused command -- "$IMAGE"
	refused --memory 1m -- -m 1m "$IMAGE" true
	refused --memory 9999t -- -m 9999t "$IMAGE" true
	refused --memory lots -- -m lots "$IMAGE" true
	refused --cpus 0 -- --cpus 0 "$IMAGE" true
	refused --cpus 33 -- --cpus 33 "$IMAGE" true
	refused --cpus many -- --cpus many "$IMAGE" true
	refused --timeout soon -- --timeout soon "$IMAGE" true
	refused --workdir relative -- -w relative "$IMAGE" true
	refused --env =x -- -e =x "$IMAGE" true
	refused --env-file no-file -- --env-file no-file "$IMAGE" true
	refused --copy-in no-dir -- --copy-in ./no-dir:/x "$IMAGE" true
	refused --volume relative -- -v ./:relative "$IMAGE" true
	refused --artifact relative -- --artifact relative "$IMAGE" true
	refused --name 'a/b' -- --name a/b "$IMAGE" true
	refused --ulimit nonsense -- --ulimit nonsense=1 "$IMAGE" true
	refused TTY -- -it "$IMAGE" true
	nothing_left
}

@test "run: more memory than the host has is refused" {
	refused --memory host -- -m 1023g "$IMAGE" true
	nothing_left
}

@test "run: 125 for a bad image" {
	refused nowhere.ext4 -- --pull never nowhere.ext4 true
	leftovers >"$before"	# the store was made to look there
	refused /nowhere.ext4 'No such file' -- /nowhere.ext4 true
	head -c 4M /dev/zero >zeros.ext4
	refused zeros.ext4 'not an ext4' -- zeros.ext4 true
	: >empty.ext4
	refused empty.ext4 'not an ext4' -- empty.ext4 true
	head -c 1M "$IMAGE" >short.ext4
	refused short.ext4 truncated -- short.ext4 true
	refused /etc -- /etc true
	mkfifo pipe.ext4
	refused pipe.ext4 -- ./pipe.ext4 true
	nothing_left
}

@test "run: an image whose inside is damaged" {
	cp --sparse=always "$IMAGE" bad.ext4
	# The group descriptors and what follows, but not the superblock.
	dd if=/dev/zero of=bad.ext4 bs=4096 seek=1 count=1000 \
		conv=notrunc status=none
	vrun -125 vial run --rm bad.ext4 true
	one_line bad.ext4
	nothing_left
}

@test "run: 125 for a bad kernel" {
	refused nokernel -- --kernel nokernel "$IMAGE" true
	: >empty
	refused empty -- --kernel empty "$IMAGE" true
	head -c 1M /dev/zero >zeros
	refused zeros -- --kernel zeros "$IMAGE" true
	head -c 3M "$B/vmlinux" >short
	refused kernel -- --kernel short "$IMAGE" true
	head -c 100 "$B/vmlinux" >tiny
	refused tiny -- --kernel tiny "$IMAGE" true
	head -c 1M "$(dirname "$(readlink -f "$B/vmlinux")")/bzImage" >shortbz
	refused kernel -- --kernel shortbz "$IMAGE" true
	parts vmlinux none
	refused vmlinux --kernel -- "$IMAGE" true
	nothing_left
}

@test "run: 125 for a bad initramfs" {
	parts initramfs.cpio none
	refused initramfs -- "$IMAGE" true
	: >empty
	parts initramfs.cpio "$PWD/empty"
	refused initramfs empty -- "$IMAGE" true
	nothing_left
}

@test "run: 125 for a truncated initramfs, before a guest is started" {
	head -c 200000 "$B/initramfs.cpio" >short
	parts initramfs.cpio "$PWD/short"
	vrun -125 vial run --rm "$IMAGE" true
	one_line initramfs.cpio truncated
	nothing_left
}

@test "run: an initramfs without an agent is a guest that panics" {
	echo nothing >nothing
	echo nothing | cpio -o -H newc --quiet >none
	parts initramfs.cpio "$PWD/none"
	refused panicked -- "$IMAGE" true
	nothing_left
}

@test "run: a missing monitor" {
	parts vial-vmm none
	refused vial-vmm -- "$IMAGE" true
	nothing_left
}

# ---- what the command is given ----

@test "run: arguments and environment arrive byte for byte" {
	vrun -0 box printf '<%s>' '' 'a b' $'line\nfeed' $'\x01\xff' '$HOME' \
		'*' -x --rm
	[ "$output" = $'<><a b><line\nfeed><\x01\xff><$HOME><*><-x><--rm>' ]
	printf '%s\n' '# no' '' 'FILE=1' 'BOTH=file' 'QUOTE="q"' HANDED >vars
	HANDED=on vrun -0 box -e "A=x y=z" -e EMPTY= -e HANDED -e UNSET_HERE \
		--env-file vars -e BOTH=flag -- env
	for line in 'A=x y=z' EMPTY= HANDED=on FILE=1 BOTH=flag 'QUOTE="q"' \
		HOME=/root; do
		grep -qxF "$line" <<<"$output"
	done
	run ! grep -q '^UNSET_HERE' <<<"$output"
	run ! grep -q '^VIAL' <<<"$output"
}

@test "run: big arguments and a big environment" {
	big=$(head -c 100000 /dev/zero | tr '\0' v)
	many=()
	for i in $(seq 500); do
		many+=(-e "VAR_$i=$i-${big:0:200}")
	done
	vrun -0 vial run --rm "${many[@]}" -e "BIG=$big" "$IMAGE" \
		sh -c 'echo "${#BIG} $VAR_500 $#"; env | grep -c ^VAR_' sh \
		"${big:0:90000}" $(seq 1000)
	[ "${lines[0]}" = "100000 500-${big:0:200} 1001" ]
	[ "${lines[1]}" = 500 ]
}

@test "run: working directory, user, groups, entry point, host name" {
	vrun -0 box -w /new/deep -- sh -c 'pwd; id -u'
	[ "$output" = $'/new/deep\n0' ]
	vrun -0 box -u alice -- sh -c 'id -un; id -gn; id -Gn; echo $HOME; pwd'
	[ "${lines[0]} ${lines[1]}" = "alice alice" ]
	[ "$(tr ' ' '\n' <<<"${lines[2]}" | sort | tr '\n' ' ')" = \
		"alice disk staff users " ]
	[ "${lines[3]}" = /home/alice ]
	vrun -0 box -u 4321 -- sh -c 'id -u; id -g'
	[ "$output" = $'4321\n0' ]
	vrun -0 box -u bob:staff --group-add 77 -- sh -c 'id -u; id -g; id -G'
	[ "${lines[0]} ${lines[1]}" = "1001 50" ]
	[[ " ${lines[2]} " == *" 77 "* ]]
	vrun -125 box -u nobody-here -- true
	one_line nobody-here
	vrun -125 box -u alice:no-group -- true
	one_line no-group
	vrun -0 box --entrypoint echo -- one two
	[ "$output" = "one two" ]
	vrun -0 box -h ci-box.example -- sh -c 'hostname; echo $HOSTNAME'
	[ "$output" = $'ci-box.example\nci-box.example' ]
	vrun -126 box -w /etc/passwd -- true
	one_line /etc/passwd
	nothing_left
}

@test "run: CPUs, memory, limits" {
	vrun -0 box --cpus 4 -m 300m --ulimit nofile=123:456 --shm-size 8m -- \
		sh -c 'nproc; awk "/MemTotal/ { print \$2 }" /proc/meminfo;
			ulimit -Sn; ulimit -Hn;
			df -k /dev/shm | tail -n 1 | awk "{ print \$2 }"'
	[ "${lines[0]}" = 4 ]
	[ "${lines[1]}" -gt $((250 * 1024)) ]
	[ "${lines[1]}" -le $((300 * 1024)) ]
	[ "${lines[2]} ${lines[3]} ${lines[4]}" = "123 456 8192" ]
}

@test "run: the guest has what a container has" {
	vrun -0 box sh -c '
		set -e
		m() { awk -v p="$1" "\$2 == p { print \$3 }" /proc/mounts |
			tail -n 1; }
		echo "$(m /proc) $(m /sys) $(m /dev/pts) $(m /dev/shm)"
		echo "$(m /dev/mqueue) $(m /sys/fs/cgroup) $(m /)"
		for f in null zero full random urandom tty ptmx; do
			[ -c /dev/$f ] || echo "no /dev/$f"
		done
		echo a >/dev/stdout; echo b >/dev/stderr; echo c >/dev/fd/1
		[ -e /sys/fs/cgroup/cgroup.procs ]
		[ -w / ]
		[ "$(stat -c %a /tmp)" = 1777 ]
		[ "$(ulimit -Sn)" -ge 1024 ]
		echo shm >/dev/shm/x; cat /dev/shm/x
		ip link show lo | grep -q LOOPBACK
		head -c 16 /dev/urandom >/dev/null
		[ $(date +%s) -gt 1600000000 ]
		hostname'
	[ "${lines[0]}" = "proc sysfs devpts tmpfs" ]
	[ "${lines[1]}" = "mqueue cgroup2 ext4" ]
	[ "${lines[2]} ${lines[3]} ${lines[4]}" = "a c shm" ]
	[ "$stderr" = b ]
	[[ ${lines[5]} =~ ^[0-9a-f]{12}$ ]]
}

@test "run: the loopback works" {
	vrun -0 box sh -c '
		(echo hello | nc -l -p 7777 >/dev/null) &
		for i in 1 2 3 4 5 6 7 8 9; do
			nc 127.0.0.1 7777 </dev/null && exit 0
			sleep 0.2
		done; exit 1'
	[ "$output" = hello ]
}

@test "run: what is written is gone with the box" {
	sum=$(sha256sum <"$IMAGE")
	vrun -0 box sh -c 'head -c 5000000 /dev/urandom >/big; rm -r /home; sync'
	vrun -0 box sh -c 'ls -d /home; ls /big 2>/dev/null || echo gone'
	[ "$output" = $'/home\ngone' ]
	[ "$(sha256sum <"$IMAGE")" = "$sum" ]
	nothing_left
}

@test "run: a bzImage boots, and a guest with 32 CPUs" {
	bz=$(dirname "$(readlink -f "$B/vmlinux")")/bzImage
	vrun -0 box --kernel "$bz" --cpus 1 -- uname -r
	[[ $output == *-vial ]]
	# 32 vCPUs on few CPUs take their time in emulation: see that they
	# are offered, where there are as many.
	if [ "$(nproc)" -ge 8 ]; then
		vrun -0 box --cpus 32 -- nproc
		[ "$output" = 32 ]
	fi
}

@test "run: more memory than fits below the gap" {
	[ "$(awk '/^MemTotal/ { print int($2 / 1024) }' /proc/meminfo)" -gt \
		4200 ] || skip "this host has less than 4200 MiB"
	vrun -0 box -m 4g -- sh -c 'awk "/MemTotal/ { print \$2 }" /proc/meminfo'
	[ "$output" -gt $((3900 * 1024)) ]
}

# ---- names ----

@test "run: --name, its conflict, -q and --json" {
	start out run --rm --name one "$IMAGE" sh -c 'echo up; sleep 1000'
	wait_for 60 grep -q up out
	vrun -0 vial ps
	[[ ${lines[1]} == *" one" ]]
	vrun -125 vial run --rm --name one "$IMAGE" true
	one_line Conflict one
	vrun -125 vial run --rm -q --name one "$IMAGE" true
	[ -z "$stderr" ]
	vrun -0 vial rm -f one
	status=0
	wait "$pid" || status=$?
	[ "$status" -eq 137 ]
	grep -q '^vial: .*stopped' out.err
	vrun -127 box -q -- no-such-command
	[ -z "$stderr" ]
	vrun -3 box --json r.json -- sh -c 'echo x; exit 3'
	[ "$output" = x ]
	jq -e '.exit_status == 3 and .command_exit_status == 3 and
		.reason == "exited" and .times_ms.total > 0 and
		.times_ms.boot > 0 and .resources.monitor_max_rss_bytes > 0 and
		.resources.guest_memory_peak_bytes > 0' r.json
	vrun -127 box --json r.json -- no-such-command
	jq -e '.exit_status == 127 and .reason == "not-started" and
		.command_exit_status == null and (.message | length) > 0' r.json
	nothing_left
}
