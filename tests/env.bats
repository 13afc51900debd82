#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# VSOCKSHIM_DEBUG, VSOCKSHIM_LOG and VSOCKSHIM_DGRAM.

load helpers

# Uses vsock, says "used" on standard error, and uses it again; as its child.
uses="
import os, socket, sys
socket.socket(socket.AF_VSOCK)
os.write(2, b'used\n')
socket.socket(socket.AF_VSOCK)
if not os.fork():
    socket.socket(socket.AF_VSOCK)
    os._exit(0)
os.wait()
"

first_line() {
	echo "vsockshim: directory $1, CID $2, transport unix"
}

@test "with VSOCKSHIM_DEBUG the first use of vsock says once where it is" {
	for what in all addr,rdv; do
		run -0 --separate-stderr shim CID=3 VSOCKSHIM_DEBUG=$what "$PYTHON" -c "$uses"
		[ -z "$output" ]
		[ "$stderr" = "$(first_line "$PWD/v" 3)"$'\nused' ]
	done
	unset VSOCKSHIM_DIR
	run -0 --separate-stderr shim VSOCKSHIM_DEBUG=all XDG_RUNTIME_DIR="$PWD" "$PYTHON" -c "$uses"
	[ "$stderr" = "$(first_line "$PWD/vsockshim" 2)"$'\nused' ]
}

@test "without VSOCKSHIM_DEBUG nothing is said, nor of a program that uses no vsock" {
	for debug in -uVSOCKSHIM_DEBUG VSOCKSHIM_DEBUG=; do
		run -0 --separate-stderr shim VSOCKSHIM_LOG="$PWD/log" env $debug "$PYTHON" -c "$uses"
		[ "$stderr" = used ]
	done
	run -0 --separate-stderr shim VSOCKSHIM_DEBUG=all VSOCKSHIM_LOG="$PWD/log" \
		"$PYTHON" -c 'import socket; socket.socket()'
	[ -z "$stderr" ]
	[ ! -e log ]
}

@test "the first line comes before what is wrong with the directory" {
	run -0 --separate-stderr shim VSOCKSHIM_DEBUG=all VSOCKSHIM_DIR=v "$PYTHON" -c "
import socket
try: socket.socket(socket.AF_VSOCK)
except OSError: pass"
	[ "${stderr_lines[0]}" = "$(first_line v 2)" ]
	[[ ${stderr_lines[1]} == "vsockshim: VSOCKSHIM_DIR=v: is not an absolute path; "* ]]
	[ ${#stderr_lines[@]} = 2 ]
}

@test "with VSOCKSHIM_LOG the line is appended to that file, which many may share" {
	for cid in 2 3; do
		run -0 --separate-stderr shim CID=$cid VSOCKSHIM_DEBUG=all VSOCKSHIM_LOG="$PWD/log" \
			"$PYTHON" -c "$uses"
		[ "$stderr" = used ]
	done
	same log <(first_line "$PWD/v" 2; first_line "$PWD/v" 3)
}

@test "a VSOCKSHIM_LOG that cannot be written to is named, and standard error used" {
	run -0 --separate-stderr shim VSOCKSHIM_DEBUG=all VSOCKSHIM_LOG="$PWD/none/log" "$PYTHON" -c "$uses"
	[[ ${stderr_lines[0]} == "vsockshim: VSOCKSHIM_LOG=$PWD/none/log: "*"takes a file"* ]]
	[ "${stderr_lines[1]}" = "$(first_line "$PWD/v" 2)" ]
	[ "${stderr_lines[2]}" = used ]
}

@test "a VSOCKSHIM_LOG that is a pipe without a reader does not stop the program" {
	mkfifo log
	run -0 --separate-stderr shim VSOCKSHIM_DEBUG=all VSOCKSHIM_LOG="$PWD/log" "$PYTHON" -c "$uses"
	[[ ${stderr_lines[0]} == "vsockshim: VSOCKSHIM_LOG=$PWD/log: "* ]]
}

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
		[ "$stderr" = "vsockshim: VSOCKSHIM_DGRAM=$value: takes on or off (on is used)"$'\nused' ]
	done
	for value in on off; do
		run -0 --separate-stderr shim VSOCKSHIM_DGRAM=$value "$PYTHON" -c "$uses"
		[ "$stderr" = used ]
	done
}
