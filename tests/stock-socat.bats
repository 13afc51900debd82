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
	start shim socat -d -d "$@" 2>server.log
	wait_listen 2:1234
}

# The last line that socat's log has of an error.
complaint() {
	sed -n 's/.* E //p' "$1" | tail -n 1
}

@test "socat: what a client sends is answered by a program that the server runs" {
	serve VSOCK-LISTEN:1234 EXEC:'tr a-z A-Z'
	run -0 shim socat -t5 - VSOCK-CONNECT:2:1234 <<<hello
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
	run -0 shim socat -t5 - VSOCK-CONNECT:1:1234 <<<hello
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
	run -0 shim socat -t5 - VSOCK-CONNECT:1:1234,connect-timeout=5 <<<hello
	[ "$output" = HELLO ]
}

@test "socat: connect-timeout changes nothing where nobody listens" {
	run -1 shim socat - VSOCK-CONNECT:1:9999,connect-timeout=5
	[[ $output == *"Connection reset by peer" ]]
}

@test "socat: connect-timeout ends a connect to a guest that never answers" {
	local start=${EPOCHREALTIME/./}
	run -1 shim CID=3 socat - VSOCK-CONNECT:9:1234,connect-timeout=0.3
	local took=$((${EPOCHREALTIME/./} - start))
	[[ $output == *"Connection timed out" ]]
	((took >= 300000 && took < 1500000)) # the kernel's own would be 2 s
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
	run -0 shim socat -t10 - VSOCK-CONNECT:1:1234 <<<12345
	[ "$output" -eq 6 ]
}

@test "socat: a child that gave up root still talks to its client" {
	requires_root
	serve VSOCK-LISTEN:1234,fork,su=nobody EXEC:'id -un'
	run -0 shim socat -u VSOCK-CONNECT:1:1234 -
	[ "$output" = nobody ]
}
