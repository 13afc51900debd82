#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# systemd's programs, as Debian ships them, without a systemd that runs.

load helpers

# What a program that systemd-socket-activate starts is given of its environment.
keep=(-E LD_PRELOAD -E VSOCKSHIM_DIR -E ASAN_OPTIONS)

setup() {
	test_setup
	requires systemd-socket-activate
}

# activate CID ARGUMENT...: systemd-socket-activate in the background.
activate() {
	fails_without_preload systemd-socket-activate "${@:2}"
	start shim CID="$1" systemd-socket-activate "${@:2}" 2>server.log
}

@test "systemd: a program is given the two sockets it was activated for" {
	cat >t.py <<-END
		import os, socket
		print(os.environ['LISTEN_FDS'], os.environ['LISTEN_PID'] == str(os.getpid()))
		for fd in 3, 4:
		    s = socket.socket(fileno=fd)
		    c, peer = s.accept()
		    print(s.family.name, s.getsockname(), c.getsockname(), peer)
		    c.sendall(c.recv(100).upper())
		    c.close()
	END
	activate 2 -l vsock:1:5000 -l vsock::5001 "${keep[@]}" "$PYTHON" t.py >got
	wait_listen 2:5001
	run -0 shim socat -t20 - VSOCK-CONNECT:1:5000,bind=1:7000 <<<one
	[ "$output" = ONE ]
	run -0 shim socat -t20 - VSOCK-CONNECT:2:5001,bind=1:7001 <<<two
	[ "$output" = TWO ]
	ends_with 0
	same got - <<-END
		2 True
		AF_VSOCK (1, 5000) (1, 5000) (1, 7000)
		AF_VSOCK (4294967295, 5001) (2, 5001) (1, 7001)
	END
	grep -x 'Listening on vsock:1:5000 as 3\.' server.log
	grep -x 'Listening on vsock::5001 as 4\.' server.log
}

@test "systemd: each connection to a guest starts a program that has it as descriptor 3" {
	activate 3 -a -l vsock::5003 "${keep[@]}" -E VSOCKSHIM_CID "$PROG/names" 3 >got
	wait_listen 3:5003
	shim socat -u VSOCK-CONNECT:3:5003,bind=2:7000 -
	shim CID=3 socat -u VSOCK-CONNECT:1:5003,bind=1:7001 -
	same got - <<-END
		local 3:5003 peer 2:7000
		local 1:5003 peer 1:7001
	END
	grep -x 'Listening on vsock::5003 as 3\.' server.log
	grep -x 'Connection from vsock:2:7000 to vsock:3:5003' server.log
	grep -x 'Connection from vsock:1:7001 to vsock:1:5003' server.log
}

@test "systemd: with --inetd the connection is standard input and output" {
	activate 2 --inetd -a -l vsock::5002 "${keep[@]}" tr a-z A-Z
	wait_listen 2:5002
	run -0 shim socat -t20 - VSOCK-CONNECT:1:5002,bind=1:7000 <<<inetd
	[ "$output" = INETD ]
	grep -x 'Connection from vsock:1:7000 to vsock:1:5002' server.log
}

@test "systemd: a program that was not given the preload still has the connection" {
	activate 2 --inetd -a -l vsock::5002 tr a-z A-Z
	wait_listen 2:5002
	run -0 shim socat -t20 - VSOCK-CONNECT:1:5002 <<<inetd
	[ "$output" = INETD ]
}

@test "systemd: what a program sees of its socket is the preload's doing" {
	activate 2 --inetd -a -l vsock::5002 "${keep[@]}" "$PROG/names" 0
	activate 2 --inetd -a -l vsock::5003 "$PROG/names" 0
	wait_listen 2:5002
	wait_listen 2:5003
	run -0 shim socat -u VSOCK-CONNECT:1:5002,bind=1:7000 -
	[ "$output" = "local 1:5002 peer 1:7000" ]
	run -0 shim socat -u VSOCK-CONNECT:1:5003 -
	[ "$output" = "local family 1 peer family 1" ]
}

@test "systemd: addresses that cannot be bound are refused as by a kernel" {
	activate 2 -l vsock::5000 true
	wait_listen 2:5000
	run -1 shim systemd-socket-activate -l vsock:1:5000 true
	[ "${lines[0]}" = "Failed to listen on vsock:1:5000: Address already in use" ]
	run -1 shim systemd-socket-activate -l vsock:7:5001 true
	[ "${lines[0]}" = "Failed to listen on vsock:7:5001: Cannot assign requested address" ]
}

@test "systemd: datagrams are no such device where there are none" {
	fails_without_preload systemd-socket-activate --datagram -l vsock::5005 true
	run -1 shim VSOCKSHIM_DGRAM=off systemd-socket-activate --datagram -l vsock::5005 true
	[ "${lines[0]}" = "Failed to listen on vsock::5005: No such device" ]
}

# Neither depends on us: these programs do not come to make a socket.
@test "systemd: what version 252 does not know of vsock fails as ever" {
	run -1 shim systemd-socket-activate --seqpacket -l vsock::5004 true
	[ "${lines[0]}" = "socket_address_print(): Invalid argument" ]
	run -1 shim NOTIFY_SOCKET=vsock:1:6003 systemd-notify --ready
	[ "$output" = "Failed to notify init system: Invalid argument" ]
}

# proxy PORT ARGUMENT...: to exchange.py as a TCP server, at its own port. It sends
# the file down and keeps what it gets as up.got; a client does so the other way.
# Neither closes before it has all: the proxy knows no half-closed connection.
proxy() {
	local port=$1
	shift
	head -c 5M /dev/urandom >up
	head -c 5M /dev/urandom >down
	cat >exchange.py <<-END
		import socket, sys, threading
		if sys.argv[1] == 'server':
		    listener = socket.create_server(('127.0.0.1', 0))
		    print(listener.getsockname()[1])
		    s, files = listener.accept()[0], ('down', 'up')
		else:
		    s, files = socket.socket(socket.AF_VSOCK), ('up', 'down')
		    s.connect((2, int(sys.argv[2])))
		data, got = open(files[0], 'rb').read(), b''
		sender = threading.Thread(target=s.sendall, args=(data,))
		sender.start()
		while len(got) < len(data) and (part := s.recv(1 << 16)):
		    got += part
		sender.join()
		open(files[1] + '.got', 'wb').write(got)
	END
	start guard "$PYTHON" -u exchange.py server >tcp.port
	wait_for test -s tcp.port
	activate 2 -l vsock::"$port" "$@" \
		/lib/systemd/systemd-socket-proxyd 127.0.0.1:"$(cat tcp.port)"
	wait_listen 2:"$port"
}

@test "systemd: 5 MiB pass through a proxy to TCP unchanged, both ways at once" {
	proxy 8000 "${keep[@]}"
	shim "$PYTHON" exchange.py client 8000
	wait "${pids[0]}"
	cmp up up.got
	cmp down down.got
}

@test "systemd: 5 MiB pass through a proxy that was not given the preload" {
	proxy 8000
	shim "$PYTHON" exchange.py client 8000
	wait "${pids[0]}"
	cmp up up.got
	cmp down down.got
}

@test "systemd: a guest's journal is received by the host" {
	local remote=(/lib/systemd/systemd-journal-remote --split-mode=none
		--listen-raw=vsock:4294967295:6001 -o "$PWD/j/x.journal")
	requires "${remote[0]}"
	mkdir j
	fails_without_preload "${remote[@]}"
	start shim "${remote[@]}"
	wait_listen 2:6001
	for i in 1 2; do
		cat <<-END
			__REALTIME_TIMESTAMP=170000000000000$i
			__MONOTONIC_TIMESTAMP=100000$i
			_BOOT_ID=0123456789abcdef0123456789abcdef
			PRIORITY=6
			MESSAGE=message $i of the guest

		END
	done | shim CID=3 socat -u - VSOCK-CONNECT:2:6001
	received() {
		journalctl --file j/x.journal -o cat >got && [ "$(wc -l <got)" = 2 ]
	}
	wait_for received
	same got - <<-END
		message 1 of the guest
		message 2 of the guest
	END
}
