#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# VSOCKSHIM_DGRAM.

load helpers

uses="
import socket
socket.socket(socket.AF_VSOCK)
print('works')
"

@test "VSOCKSHIM_DGRAM=off answers as virtio kernels do" {
	run -0 shim VSOCKSHIM_DGRAM=off "$PYTHON" -c '
import socket
socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
try: socket.socket(socket.AF_VSOCK, socket.SOCK_DGRAM)
except OSError as e: print(e.strerror)'
	[ "$output" = "No such device" ]
}

@test "a bad VSOCKSHIM_DGRAM is named in one line, and is as on" {
	for value in '' yes 0 ON 'off '; do
		run -0 --separate-stderr shim VSOCKSHIM_DGRAM="$value" "$PYTHON" -c "$uses"
		[ "$output" = works ]
		[ "$stderr" = "vsockshim: VSOCKSHIM_DGRAM=$value: takes on or off (on is used)" ]
	done
	for value in on off; do
		run -0 --separate-stderr shim VSOCKSHIM_DGRAM=$value "$PYTHON" -c "$uses"
		[ -z "$stderr" ]
	done
}
