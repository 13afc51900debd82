#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# vsockshim bridge, as far as it comes without a device. Never this machine's own:
# VSOCKSHIM_VHOST is a file of the test's. With one: tests/guest.

load helpers

setup() {
	test_setup
	export VSOCKSHIM_VHOST=$PWD/device
	by=()
}

# bridge ARGUMENT...: the command, under the guard.
bridge() {
	guard "${by[@]}" "$BUILD/vsockshim" bridge "$@"
}

# fails STATUS TEXT ARGUMENT...: with one line that contains it, and no gateway.
fails() {
	run "-$1" --separate-stderr bridge "${@:3}"
	[ -z "$output" ]
	[[ ${stderr_lines[0]} == vsockshim:*"$2"* ]]
	[ "${#stderr_lines[@]}" = 1 ]
	run ! compgen -G "$VSOCKSHIM_DIR/*/gateway*"
}

@test "bridge: what it takes" {
	fails 2 'takes one kind, vhost'
	fails 2 'takes one kind, vhost' --cid 3
	fails 2 'takes one kind, vhost' qemu --cid 3
	fails 2 'takes one kind, vhost' vhost more --cid 3
	fails 2 'takes --cid' vhost
	for cid in 1 2 x 03 4294967295 -1; do
		fails 2 "--cid $cid: takes 3 to 4294967294" vhost --cid "$cid"
	done
	fails 2 '--linger 1.5: takes seconds' vhost --cid 3 --linger 1.5
	fails 2 '--ready-fd 99: takes an open descriptor' vhost --cid 3 --ready-fd 99
	fails 2 "unrecognized option '--no'" vhost --cid 3 --no
	fails 2 '--dir: is empty' vhost --cid 3 --dir ''
}

@test "bridge: what is wrong with the device" {
	fails 1 "$PWD/device, CID 3: there is no such device" vhost --cid 3
	fails 1 '/dev/null, CID 3: is not a vhost-vsock device' vhost --cid 3 --device /dev/null
	: >device
	fails 1 'is not a vhost-vsock device' vhost --cid 3
	rm device
	mkfifo device
	fails 1 'is not a vhost-vsock device' vhost --cid 3
	rm device
	mkdir device
	fails 1 'cannot be opened' vhost --cid 3
}

@test "bridge: a device that one may not open" {
	# root may, but for his capabilities
	[ "$(id -u)" != 0 ] || by=(setpriv --bounding-set=-all --inh-caps=-all)
	: >device
	chmod 0 device
	fails 1 'you may not read and write it' vhost --cid 3
}

@test "bridge: what is wrong with the directory" {
	chmod 777 v
	fails 1 'is world-writable' vhost --cid 3
	fails 1 'No such file or directory' vhost --cid 3 --dir nowhere/at/all
	VSOCKSHIM_DIR=relative fails 2 'is not an absolute path' vhost --cid 3
}

@test "bridge: a machine that has one is left alone, whatever the device" {
	start guard "$BUILD/tests/tools/gateway" "$VSOCKSHIM_DIR" 3 >gateway.out
	wait_for grep -q ready gateway.out
	run -1 --separate-stderr bridge vhost --cid 3
	# shellcheck disable=SC2154 # bats sets it
	[ "$stderr" = "vsockshim: $VSOCKSHIM_DIR: CID 3 has a gateway already" ]
	[ -S v/3/gateway ]
}

@test "bridge: preloaded, it goes on without; it may be told where to say that it serves" {
	run -1 --separate-stderr shim "$BUILD/vsockshim" bridge vhost --cid 3 --ready-fd 1
	[ -z "$output" ]
	[[ $stderr == "vsockshim: "*"$PWD/device, CID 3: there is no such device; modprobe "* ]]
}
