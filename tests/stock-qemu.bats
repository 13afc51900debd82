#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# QEMU's guest agent, as Debian ships it, in a "guest" with CID 3.

load helpers

setup() {
	test_setup
	requires /usr/sbin/qemu-ga socat
	mkdir state
}

# Says the request, and leaves when it was answered.
converse() {
	echo "$1"
	wait_for grep -qs return answer
}

# ask REQUEST: as the host does.
ask() {
	rm -f answer
	converse "$1" | shim socat -t5 - VSOCK-CONNECT:3:1024 >answer
	cat answer
}

# The agent serves one host after the other.
pings() {
	[ "$(ask '{"execute":"guest-ping"}')" = '{"return": {}}' ]
	[ "$(ask '{"execute":"guest-sync","arguments":{"id":77}}')" = '{"return": 77}' ]
}

@test "qemu-ga: answers its host" {
	local agent=(/usr/sbin/qemu-ga -m vsock-listen -p 4294967295:1024 -t state -f state/pid)
	fails_without_preload "${agent[@]}"
	start shim CID=3 "${agent[@]}"
	wait_listen 3:1024
	pings
}

@test "qemu-ga: answers its host on a socket that was passed to it" {
	requires systemd-socket-activate
	start shim CID=3 systemd-socket-activate -E LD_PRELOAD -E ASAN_OPTIONS \
		-E VSOCKSHIM_DIR -E VSOCKSHIM_CID -l vsock::1024 /usr/sbin/qemu-ga -m vsock-listen -t state
	wait_listen 3:1024
	pings
}

@test "qemu-ga: cannot listen on a CID that is another machine's" {
	run -1 shim CID=3 /usr/sbin/qemu-ga -m vsock-listen -p 7:1024 -t state -f state/pid
	[[ $output == *"Failed to bind socket: Cannot assign requested address"* ]]
}
