#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# OpenSSH, as Debian ships it, on both ends. Each session is the user's own.

load helpers

sshd=/usr/sbin/sshd

setup() {
	test_setup
	requires "$sshd" ssh
	[ "$(id -u)" != 0 ] || mkdir -p /run/sshd # as Debian's service does
	ssh-keygen -q -t ed25519 -N '' -f key
	cat >sshd.config <<-END
		HostKey $PWD/key
		AuthorizedKeysFile $PWD/key.pub
		StrictModes no
		UsePAM no
		LogLevel VERBOSE
	END
	cat >ssh.config <<-END
		User $(id -un)
		IdentityFile $PWD/key
		IdentitiesOnly yes
		BatchMode yes
		StrictHostKeyChecking no
		UserKnownHostsFile /dev/null
		LogLevel ERROR
	END
	cat >dial.py <<-END
		import socket
		s = socket.socket(socket.AF_VSOCK)
		s.connect((3, 2022))
	END
	cat dial.py - >fdpass.py <<-END
		socket.send_fds(socket.socket(fileno=1), [b'\0'], [s.fileno()])
	END
}

# A guest that has systemd start an sshd for each connection.
activated() {
	requires systemd-socket-activate
	start shim CID=3 systemd-socket-activate -E LD_PRELOAD -E VSOCKSHIM_DIR \
		-E VSOCKSHIM_CID -E ASAN_OPTIONS --inetd -a -l vsock::2022 \
		"$sshd" -i -e -f sshd.config 2>server.log
	wait_listen 3:2022
}

# A guest that has socat do so.
forked() {
	start shim CID=3 socat VSOCK-LISTEN:2022,fork \
		EXEC:"$sshd -i -e -f sshd.config",nofork 2>server.log
	wait_listen 3:2022
}

# through PROXYCOMMAND [ARGUMENT...]: the host has a session on the guest, in which
# nothing is known of addresses, nor of us.
through() {
	local ssh=(ssh -F ssh.config -o ProxyCommand="$1" "${@:2}" guest)

	fails_without_preload "${ssh[@]}" true
	run -0 shim "${ssh[@]}" 'echo "$SSH_CONNECTION"; env | grep -c -e LD_PRELOAD -e VSOCKSHIM; tr a-z A-Z' <<<hello
	[ "$output" = "UNKNOWN 65535 UNKNOWN 65535
0
HELLO" ]
	grep 'Connection from UNKNOWN port 65535 on UNKNOWN port 65535' server.log
}

@test "ssh: a session through socat" {
	activated
	through 'socat - VSOCK-CONNECT:3:2022'
}

@test "ssh: a session through ncat" {
	requires ncat
	activated
	through 'ncat --vsock 3 2022'
}

@test "ssh: a session over a connection that was passed to ssh" {
	activated
	through "$PYTHON fdpass.py" -o ProxyUseFdpass=yes
}

@test "ssh: a session with an sshd that socat started" {
	forked
	through 'socat - VSOCK-CONNECT:3:2022'
}

@test "ssh: a session with an sshd that socat started, over a passed connection" {
	forked
	through "$PYTHON fdpass.py" -o ProxyUseFdpass=yes
}

@test "ssh: 8 MiB go there and back unchanged" {
	head -c 8M /dev/urandom >data
	forked
	shim ssh -F ssh.config -o ProxyUseFdpass=yes -o ProxyCommand="$PYTHON fdpass.py" \
		guest cat <data >got
	cmp data got
}

@test "ssh: a session has vsock if sshd was told to give it the preload" {
	local ssh=(ssh -F ssh.config -o ProxyCommand='socat - VSOCK-CONNECT:3:2022'
		guest socat - VSOCK-CONNECT:1:9999)

	forked
	run -1 shim "${ssh[@]}"
	[[ $output == *"Address family not supported by protocol" ]]
	echo "SetEnv \"LD_PRELOAD=$PRELOAD\" VSOCKSHIM_DIR=$VSOCKSHIM_DIR \
		ASAN_OPTIONS=$ASAN_OPTIONS" >>sshd.config
	run -1 shim "${ssh[@]}"
	[[ $output == *"Connection reset by peer" ]]
}

# From a child that is killed for one system call too many.
@test "ssh: sshd learns of a client that went away before it was let in" {
	forked
	cat dial.py - >leave.py <<-END
		s.sendall(b'SSH-2.0-none\r\n')
		while len(s.recv(1, socket.MSG_PEEK)) and len(s.recv(9999)) < 200:
		    pass
	END
	shim "$PYTHON" leave.py
	wait_for grep 'Connection closed by UNKNOWN port 65535 \[preauth\]' server.log
}
