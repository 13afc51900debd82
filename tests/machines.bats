#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Machines: who reaches whom, under which addresses, and what an absent one is.

load helpers

setup() {
	test_setup
	requires socat
}

# serve CID [NAME=VALUE]...: machine CID answers on port 1234 with what it sees;
# its socket is bound to the CID $bound, if that is set.
serve() {
	start shim CID="$1" "${@:2}" socat "VSOCK-LISTEN:1234,fork${bound:+,bind=$bound}" \
		SYSTEM:'echo $SOCAT_SOCKADDR $SOCAT_SOCKPORT sees $SOCAT_PEERADDR $SOCAT_PEERPORT'
}

# ask CID PEER [NAME=VALUE]...: as machine CID, from port 7000, asks port 1234.
ask() {
	shim CID="$1" "${@:3}" socat -u VSOCK-CONNECT:"$2":1234,bind=4294967295:7000 - 2>&1
}

@test "a guest reaches its host, and each sees the other's CID" {
	serve 2
	wait_listen 2:1234
	run -0 ask 3 2
	[ "$output" = "2 1234 sees 3 7000" ]
}

@test "a host reaches its guest, and each sees the other's CID" {
	serve 3
	wait_listen 3:1234
	run -0 ask 2 3
	[ "$output" = "3 1234 sees 2 7000" ]
}

@test "two guests reach each other" {
	serve 4
	wait_listen 4:1234
	run -0 ask 3 4
	[ "$output" = "4 1234 sees 3 7000" ]
}

@test "without VSOCKSHIM_CID a program is on the host" {
	start shim socat VSOCK-LISTEN:1234 EXEC:'echo host'
	wait_listen 2:1234
	run -0 ask 3 2
	[ "$output" = host ]
}

@test "every CID below 4294967295 can be a guest's" {
	serve 4294967294
	wait_listen 4294967294:1234
	run -0 ask 2 4294967294
	[ "$output" = "4294967294 1234 sees 2 7000" ]
}

@test "CID 1 stays on the machine" {
	serve 2
	serve 3
	wait_listen 2:1234
	wait_listen 3:1234
	run -0 ask 2 1
	[ "$output" = "1 1234 sees 1 7000" ]
	run -0 ask 3 1
	[ "$output" = "1 1234 sees 1 7000" ]
	run -1 ask 4 1
	[[ $output == *"Connection reset by peer" ]]
}

@test "a machine's own CID stays on it and comes from CID 1" {
	serve 2
	serve 3
	wait_listen 2:1234
	wait_listen 3:1234
	run -0 ask 2 2
	[ "$output" = "2 1234 sees 1 7000" ]
	run -0 ask 3 3
	[ "$output" = "3 1234 sees 1 7000" ]
}

@test "the loopback-only machine reaches itself and nobody else" {
	serve 1
	serve 3
	wait_listen 1:1234
	wait_listen 3:1234
	run -0 ask 1 1
	[ "$output" = "1 1234 sees 1 7000" ]
	run -0 ask 1 2
	[ "$output" = "2 1234 sees 1 7000" ]
	run -1 ask 1 3
	[[ $output == *"No such device" ]]
}

@test "a guest's socket that is bound to its own CID is not reached through CID 1" {
	bound=3 serve 3
	wait_listen 3:1234
	run -0 ask 2 3
	[ "$output" = "3 1234 sees 2 7000" ]
	run -0 ask 3 3
	[ "$output" = "3 1234 sees 1 7000" ]
	run -1 ask 3 1
	[[ $output == *"Connection reset by peer" ]]
}

@test "a host's socket that is bound to CID 1 is not reached by a guest" {
	bound=1 serve 2
	wait_listen 2:1234
	run -0 ask 2 1
	[ "$output" = "1 1234 sees 1 7000" ]
	run -1 ask 3 2
	[[ $output == *"Connection reset by peer" ]]
}

@test "one port serves two CIDs of a machine apart" {
	start shim socat VSOCK-LISTEN:1234,bind=1,fork EXEC:'echo inside'
	start shim socat VSOCK-LISTEN:1234,bind=2,fork EXEC:'echo outside'
	wait_for ask 2 1
	wait_for ask 2 2
	run -0 ask 2 1
	[ "$output" = inside ]
	run -0 ask 3 2
	[ "$output" = outside ]
}

@test "two directories never meet" {
	mkdir -m 700 other
	serve 3
	wait_listen 3:1234
	run -0 ask 2 3
	run -1 ask 2 3 VSOCKSHIM_DIR="$PWD/other"
	[[ $output == *"No such device" ]]
	run -1 ask 3 1 VSOCKSHIM_DIR="$PWD/other"
	[[ $output == *"Connection reset by peer" ]]
}

@test "two jobs with two directories serve the same port of the same CID" {
	mkdir -m 700 other
	start shim socat VSOCK-LISTEN:1234,fork EXEC:'echo one'
	start shim VSOCKSHIM_DIR="$PWD/other" socat VSOCK-LISTEN:1234,fork EXEC:'echo two'
	wait_listen 2:1234
	wait_listen 2:1234 "$PWD/other"
	run -0 shim CID=3 socat -u VSOCK-CONNECT:2:1234 -
	[ "$output" = one ]
	run -0 shim CID=3 VSOCKSHIM_DIR="$PWD/other" socat -u VSOCK-CONNECT:2:1234 -
	[ "$output" = two ]
}

@test "a directory with a path too long for an AF_UNIX address works" {
	long=$PWD/$(printf '%0200d' 0)
	mkdir -m 700 "$long"
	serve 3 VSOCKSHIM_DIR="$long"
	wait_for test -S "$long/3/1234.vsock"
	wait_for ask 2 3 VSOCKSHIM_DIR="$long"
	run -0 ask 2 3 VSOCKSHIM_DIR="$long"
	[ "$output" = "3 1234 sees 2 7000" ]
}

@test "a directory that is not there yet is made, for its user alone" {
	serve 3 VSOCKSHIM_DIR="$PWD/new"
	wait_listen 3:1234 "$PWD/new"
	[ "$(stat -c %a new)" = 700 ]
}

@test "a directory that is reached by two paths is one" {
	ln -s v link
	serve 3
	wait_listen 3:1234
	run -0 ask 2 3 VSOCKSHIM_DIR="$PWD/link"
	[ "$output" = "3 1234 sees 2 7000" ]
}

@test "a plain AF_UNIX client is served and shown as the host without a port" {
	serve 3
	wait_listen 3:1234
	run -0 guard socat -u UNIX-CONNECT:"$VSOCKSHIM_DIR/3/1234.vsock" -
	[ "$output" = "3 1234 sees 2 4294967295" ]
}

@test "a plain AF_UNIX server is a port of the machine whose directory it is in" {
	mkdir -m 700 v/3
	start guard socat UNIX-LISTEN:v/3/1234.vsock,fork EXEC:'echo plain'
	wait_listen 3:1234
	for cid in 2 3 4; do
		run -0 shim CID=$cid socat -u VSOCK-CONNECT:3:1234 -
		[ "$output" = plain ]
	done
	run -1 shim CID=3 socat VSOCK-LISTEN:1234 STDIO
	[[ $output == *"Address already in use" ]]
}

@test "to a host an absent guest is no such device" {
	run -1 ask 2 9
	[[ $output == *"No such device" ]]
}

@test "to a guest an absent guest never answers" {
	local start=${EPOCHREALTIME/./}
	run -1 ask 3 9
	local took=$((${EPOCHREALTIME/./} - start))
	[[ $output == *"Connection timed out" ]]
	((took >= 2000000 && took < 30000000)) # SO_VM_SOCKETS_CONNECT_TIMEOUT: 2 s
}

@test "to a guest its host is always there, and a closed port refuses" {
	run -1 ask 3 2
	[[ $output == *"Connection reset by peer" ]]
}

@test "without VSOCKSHIM_DIR machines meet in XDG_RUNTIME_DIR" {
	unset VSOCKSHIM_DIR
	mkdir -m 700 xdg
	export XDG_RUNTIME_DIR=$PWD/xdg
	serve 3
	wait_listen 3:1234 "$PWD/xdg/vsockshim"
	run -0 ask 2 3
	[ "$output" = "3 1234 sees 2 7000" ]
}

@test "users of one group meet in a directory that is set up for it" {
	requires_root
	chmod 755 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/test" .
	mkdir shared
	chgrp games shared
	chmod 2770 shared
	umask 077
	serve 3 VSOCKSHIM_DIR="$PWD/shared"
	wait_listen 3:1234 "$PWD/shared"
	py VSOCKSHIM_DIR="$PWD/shared" >got <<-END
		import grp, os, pwd, socket
		os.setgroups([])
		os.setgid(grp.getgrnam('games').gr_gid)
		os.setuid(pwd.getpwnam('daemon').pw_uid)
		s = socket.socket(socket.AF_VSOCK)
		s.bind((socket.VMADDR_CID_ANY, 7000))
		s.connect((3, 1234))
		print(s.recv(100))
	END
	[ "$(cat got)" = "b'3 1234 sees 2 7000\\n'" ]
}
