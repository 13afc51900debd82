# SPDX-License-Identifier: MIT
# Tests of ./upper, which knows nothing of vsockshim; each in a directory of its own.

setup() {
	export VSOCKSHIM_DIR=$BATS_TEST_TMPDIR/vsock
	vsockshim run --cid 3 ./upper 1234 3>&- & # bats waits for who has its descriptor 3
	pid=$!
	vsockshim wait 3:1234
}

teardown() {
	kill "$pid"
}

# ask CID TEXT: as a program of the machine CID.
ask() {
	vsockshim run --cid "$1" socat -t9 - VSOCK-CONNECT:3:1234 <<<"$2"
}

@test "the host is answered" {
	run ask 2 hello
	[ "$output" = HELLO ]
}

@test "other guests are answered, too" {
	run ask 4 'hello from 4'
	[ "$output" = "HELLO FROM 4" ]
}

@test "one listener to a port" {
	run vsockshim run --cid 3 ./upper 1234
	[ "$status" = 1 ]
	[ "$output" = "upper: Address already in use" ]
}
