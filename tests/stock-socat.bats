#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# socat, as Debian ships it, on both ends.

load helpers

setup() {
	test_setup
	requires socat
}

# serve ADDRESS...: a socat in the background that listens on port 1234.
serve() {
	fails_without_preload socat "$@"
	start shim socat -d -d -t20 "$@" 2>server.log
	wait_listen 2:1234
}

# The last line that socat's log has of an error.
complaint() {
	sed -n 's/.* E //p' "$1" | tail -n 1
}

@test "socat: what a client sends is answered by a program that the server runs" {
	serve VSOCK-LISTEN:1234 EXEC:'tr a-z A-Z'
	run -0 shim socat -t20 - VSOCK-CONNECT:2:1234 <<<hello
	[ "$output" = HELLO ]
}

@test "socat: a client without the preload fails for want of the address family" {
	fails_without_preload socat - VSOCK-CONNECT:2:1234
}

@test "socat: both logs name the same two addresses" {
	serve VSOCK-LISTEN:1234 -
	shim socat -d -d -u - VSOCK-CONNECT:2:1234 <<<x 2>client.log
	wait "$pid"
	port=$(sed -n 's/.*local address AF=40 cid:4294967295 port:\([0-9]*\)$/\1/p' client.log)
	[ "$port" -ge 1024 ]
	grep "accepting connection from AF=40 cid:1 port:$port on AF=40 cid:2 port:1234" server.log
}

@test "socat: fork serves ten clients at once" {
	serve VSOCK-LISTEN:1234,fork EXEC:cat
	for i in {1..10}; do
		seq "$i" 20000 >"in.$i"
		start shim socat -t20 - VSOCK-CONNECT:1:1234 <"in.$i" >"out.$i"
	done
	wait "${pids[@]:1}"
	for i in {1..10}; do
		cmp "in.$i" "out.$i"
	done
}

@test "socat: EXEC with nofork hands the connection itself to the program" {
	serve VSOCK-LISTEN:1234 EXEC:"$PROG/names 0",nofork
	run -0 shim socat - VSOCK-CONNECT:1:1234,bind=1:7000
	[ "$output" = "local 1:1234 peer 1:7000" ]
}

@test "socat: EXEC with nofork and a program that knows nothing of sockets" {
	serve VSOCK-LISTEN:1234 EXEC:'tr a-z A-Z',nofork
	run -0 shim socat -t20 - VSOCK-CONNECT:1:1234 <<<hello
	[ "$output" = HELLO ]
}

@test "socat: SYSTEM sees both addresses in its environment" {
	serve VSOCK-LISTEN:1234,fork SYSTEM:'env | grep ^SOCAT_.*SOCK.*= ; env | grep ^SOCAT_PEER'
	run -0 shim socat -u VSOCK-CONNECT:1:1234,bind=1:7000 -
	sort >got <<<"$output"
	same got - <<-END
		SOCAT_PEERADDR=1
		SOCAT_PEERPORT=7000
		SOCAT_SOCKADDR=1
		SOCAT_SOCKPORT=1234
	END
}

@test "socat: a server bound to CID 1 is reached through CID 1 only" {
	serve VSOCK-LISTEN:1234,bind=1 EXEC:'echo here'
	run -1 shim socat -u VSOCK-CONNECT:2:1234 -
	[[ $output == *"Connection reset by peer"* ]]
	run -0 shim socat -u VSOCK-CONNECT:1:1234 -
	[ "$output" = here ]
}

@test "socat: a client is bound to a CID and a port, and connects within its time" {
	local port=7000
	[ "$(id -u)" != 0 ] || port=600
	serve -u VSOCK-LISTEN:1234,bind=1 CREATE:got
	shim socat -u - "VSOCK-CONNECT:1:1234,bind=1:$port,connect-timeout=2" <<<hello
	wait "$pid"
	[ "$(cat got)" = hello ]
	grep "accepting connection from AF=40 cid:1 port:$port on AF=40 cid:1 port:1234" server.log
}

@test "socat: a port below 1024 needs the right to it" {
	local without=()
	[ "$(id -u)" != 0 ] || without=(setpriv --bounding-set=-net_bind_service)
	for address in VSOCK-LISTEN:600 VSOCK-CONNECT:1:1234,bind=1:600; do
		run -1 shim "${without[@]}" socat - "$address"
		[[ $output == *" E bind("?", {AF=40 cid:"*" port:600}, 16): Permission denied" ]]
	done
}

@test "socat: a server cannot bind a CID that is another machine's" {
	run -1 shim socat VSOCK-LISTEN:1234,bind=7 -
	[[ $output == *"bind("*"Cannot assign requested address"* ]]
}

@test "socat: two servers cannot listen on one port" {
	serve VSOCK-LISTEN:1234 -
	run -1 shim socat VSOCK-LISTEN:1234,reuseaddr -
	[[ $output == *"bind("*"Address already in use"* ]]
}

@test "socat: nobody listening is answered by a reset" {
	run -1 shim socat - VSOCK-CONNECT:1:9999
	[[ $output == *" E connect("?", AF=40 cid:1 port:9999, 16): Connection reset by peer" ]]
	fails_without_preload socat - VSOCK-CONNECT:1:9999
}

@test "socat: a CID that nobody has is no such device" {
	run -1 shim socat - VSOCK-CONNECT:77:9999
	[[ $output == *" E connect("?", AF=40 cid:77 port:9999, 16): No such device" ]]
	fails_without_preload socat - VSOCK-CONNECT:77:9999
}

@test "socat: connect-timeout changes nothing where somebody listens" {
	serve VSOCK-LISTEN:1234 EXEC:'tr a-z A-Z'
	run -0 shim socat -t20 - VSOCK-CONNECT:1:1234,connect-timeout=5 <<<hello
	[ "$output" = HELLO ]
}

@test "socat: connect-timeout changes nothing where nobody listens" {
	run -1 shim socat - VSOCK-CONNECT:1:9999,connect-timeout=5
	[[ $output == *"Connection reset by peer" ]]
}

@test "socat: connect-timeout ends a connect to a guest that never answers" {
	local start took
	for _ in {1..5}; do # one that nothing else delays is enough
		start=${EPOCHREALTIME/./}
		run -1 shim CID=3 socat - VSOCK-CONNECT:9:1234,connect-timeout=0.3
		took=$((${EPOCHREALTIME/./} - start))
		[[ $output == *"Connection timed out" ]]
		((took >= 300000))
		((took >= 1900000)) || break # the kernel's own would be 2 s
	done
	((took < 1900000))
}

@test "socat: 64 MiB of random bytes arrive unchanged, both ways at once" {
	head -c 64M /dev/urandom >up
	head -c 64M /dev/urandom >down
	serve -b65536 -t30 VSOCK-LISTEN:1234 'OPEN:down,rdonly!!CREATE:up.got'
	shim socat -b65536 -t30 'OPEN:up,rdonly!!CREATE:down.got' VSOCK-CONNECT:1:1234
	wait "$pid"
	cmp up up.got
	cmp down down.got
	rm up up.got down down.got
}

@test "socat: a client that has said all still hears the answer" {
	# wc answers only after the end of its input
	serve VSOCK-LISTEN:1234 EXEC:'wc -c'
	run -0 shim socat -t20 - VSOCK-CONNECT:1:1234 <<<12345
	[ "$output" -eq 6 ]
}

@test "socat: children that gave up root serve two clients at a time" {
	requires_root
	serve VSOCK-LISTEN:1234,fork,max-children=2,su=nobody SYSTEM:'id -un; cat'
	for i in 1 2 3; do
		start shim socat -u VSOCK-CONNECT:1:1234 - >"out.$i"
		[ "$i" = 3 ] || wait_for grep -qx nobody "out.$i"
	done
	wait_for grep 'maxchildren are active, waiting' server.log
	[ ! -s out.3 ]
	kill "${pids[1]}"
	wait_for grep -qx nobody out.3
}

@test "socat: a child that gave up root connects on, where the directory lets it" {
	requires_root
	# The tree and bats' directories may not be for all to read.
	chmod 1777 v
	chmod 755 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/test" .
	PRELOAD=${PRELOAD/"$LIB"/$PWD/lib.so}
	cp "$LIB" lib.so
	serve VSOCK-LISTEN:1234,fork,su=nobody EXEC:'socat -t20 - VSOCK-CONNECT\:1\:1235'
	start shim socat -d -d -t20 VSOCK-LISTEN:1235 EXEC:'tr a-z A-Z'
	wait_listen 2:1235
	run -0 shim socat -t20 - VSOCK-CONNECT:1:1234 <<<hello
	[ "$output" = HELLO ]
}

# The generic addresses take a sockaddr_vm after its family, in hexadecimal:
# reserved, port 1234, CID, zero.
readonly ANY=x0000d2040000ffffffff00000000
readonly LOCAL=x0000d20400000100000000000000

@test "socat: SEQPACKET sockets by the generic addresses, a message at a time" {
	serve -u -b8 SOCKET-LISTEN:40:0:$ANY,so-type=5 CREATE:got
	shim socat -u - SOCKET-CONNECT:40:0:$LOCAL,so-type=5 <<<'too long for eight'
	wait "$pid"
	[ "$(cat got)" = "too long" ]
}

@test "socat: a stream to a SEQPACKET listener is reset, and the other way round" {
	serve SOCKET-LISTEN:40:0:$ANY,so-type=5 -
	run -1 shim socat - VSOCK-CONNECT:1:1234
	[[ $output == *" E connect("?", AF=40 cid:1 port:1234, 16): Connection reset by peer" ]]
	start shim socat VSOCK-LISTEN:1235 -
	wait_listen 2:1235
	run -1 shim socat - SOCKET-CONNECT:40:0:${LOCAL/d204/d304},so-type=5
	[[ $output == *" E connect("?", AF=40 cid:1 port:1235, 16): Connection reset by peer" ]]
}

# Says hello, and leaves when it was answered: datagrams have no end.
greet() {
	echo hello
	wait_for grep -qs hello got
}

@test "socat: datagrams by the generic addresses, answered to who sent them" {
	local server=(socat -t20 "SOCKET-RECVFROM:40:2:0:$ANY" EXEC:cat)
	fails_without_preload "${server[@]}"
	run -1 shim VSOCKSHIM_DGRAM=off "${server[@]}"
	[[ $output == *" E socket(40, 2, 0): No such device" ]]
	start shim "${server[@]}"
	wait_for test -S v/2/1234.dgram
	greet | shim socat -t0.1 - SOCKET-SENDTO:40:2:0:$LOCAL >got
	[ "$(cat got)" = hello ]
}
