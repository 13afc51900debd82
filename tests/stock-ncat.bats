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

@test "ncat: a server that runs a program tells it both addresses" {
	start shim ncat -v --vsock -l 1240 --sh-exec 'env | grep ^NCAT_ | sort' 2>server.log
	wait_listen 2:1240
	shim ncat --vsock --recv-only 1 1240 >got
	same got - <<-END
		NCAT_LOCAL_ADDR=1
		NCAT_LOCAL_PORT=1240
		NCAT_PROTO=TCP
		NCAT_REMOTE_ADDR=1
		NCAT_REMOTE_PORT=$(sed -n 's/.*Connection from 1:\([0-9]*\)\.$/\1/p' server.log)
	END
}

# Says the word, and leaves when it was answered: to --exec, a client that has
# said all is gone.
converse() {
	echo "$1"
	wait_for grep -qsx "$1" got
}

@test "ncat: -k serves one client after the other" {
	start shim ncat --vsock -l 1240 -k --sh-exec cat
	wait_listen 2:1240
	for word in one two three; do
		converse "$word" | shim ncat --vsock 1 1240 >got
		[ "$(cat got)" = "$word" ]
	done
}

@test "ncat: nobody listening is answered by a reset" {
	run -1 shim ncat -v --vsock 1 9999 </dev/null
	[[ $output == *"Ncat: Connection reset by peer."* ]]
}

@test "ncat: -u talks in datagrams" {
	start shim ncat -v -u --vsock -l 1240 --exec /bin/cat 2>server.log
	wait_for test -S v/2/1240.dgram
	converse hello | shim ncat -u --vsock 1 1240 >got
	[ "$(cat got)" = hello ]
	grep '^Ncat: Connection from 1\.$' server.log
}

@test "ncat: a machine without datagrams has no such device for -u" {
	run -1 shim VSOCKSHIM_DGRAM=off ncat -v -u --vsock 1 9999 </dev/null
	[[ $output == *"libnsock nsock_make_socket(): Socket trouble: No such device"* ]]
	run -2 shim VSOCKSHIM_DGRAM=off ncat -u --vsock -l 1240
	[[ $output == *"No such device"* ]]
}

@test "ncat: --broker, --chat and --ssl are not for vsock" {
	for option in --broker --chat --ssl; do
		for first in -l 1; do
			run -2 shim ncat --vsock "$option" "$first" 1240 </dev/null
			[[ $output == *" not supported when using vsock sockets. QUITTING." ]]
		done
	done
}

@test "ncat: talks to socat" {
	requires socat
	start shim socat -t20 VSOCK-LISTEN:1240 EXEC:'tr a-z A-Z'
	wait_listen 2:1240
	run -0 shim ncat --vsock 2 1240 <<<hello
	[ "$output" = HELLO ]
}
