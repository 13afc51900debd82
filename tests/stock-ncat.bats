#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# ncat, as Debian ships it, on both ends.

load helpers

setup() {
	test_setup
	requires ncat
}

@test "ncat: a server prints what a client sends, and who it is" {
	fails_without_preload ncat -v --vsock -l 1240
	fails_without_preload ncat --vsock 1 1240
	start shim ncat -v --vsock -l 1240 >got 2>server.log
	wait_listen 2:1240
	shim ncat --vsock --send-only 1 1240 <<<hello
	wait "$pid"
	[ "$(cat got)" = hello ]
	grep 'Listening on 4294967295:1240' server.log
	grep 'Connection from 1:[0-9]*\.$' server.log
}

@test "ncat: a server that runs a program sends its output" {
	start shim ncat --vsock -l 1240 --exec '/bin/echo from the server'
	wait_listen 2:1240
	run -0 shim ncat --vsock --recv-only 1 1240
	[ "$output" = "from the server" ]
}

@test "ncat: nobody listening is answered by a reset" {
	run -1 shim ncat -v --vsock 1 9999 </dev/null
	[[ $output == *"Ncat: Connection reset by peer."* ]]
}

@test "ncat: talks to socat" {
	requires socat
	start shim socat VSOCK-LISTEN:1240 EXEC:'tr a-z A-Z'
	wait_listen 2:1240
	run -0 shim ncat --vsock 2 1240 <<<hello
	[ "$output" = HELLO ]
}
