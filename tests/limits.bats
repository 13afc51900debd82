#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What a preload cannot do is refused cleanly, not done by halves.

load helpers

# A static copy of one of the programs in tests/prog.
static() {
	${CC:-cc} -std=gnu11 -D_GNU_SOURCE -static -o "$1" "$ROOT/tests/prog/$1.c" ||
		skip "no static libc here"
}

@test "a static program has no vsock" {
	static spawns
	run -1 shim ./spawns fork 1 1234 true
	[ "$output" = "socket: Address family not supported by protocol" ]
}

@test "a static program can read and write the connection that it inherits" {
	requires socat
	static names
	start shim socat VSOCK-LISTEN:1234 EXEC:./names\ 0,nofork
	wait_listen 2:1234
	run -0 shim socat -u VSOCK-CONNECT:1:1234 -
	[ "$output" = "local family 1 peer family 1" ]
}

@test "a program that is started without the preload has no vsock" {
	run -0 shim "$PYTHON" - <<-END
		import os, subprocess, sys
		probe = 'import socket\ntry: socket.socket(socket.AF_VSOCK)\nexcept OSError as e: print(e.errno)'
		subprocess.run([sys.executable, '-c', probe], env={})
	END
	[ "$output" = 97 ]
}
