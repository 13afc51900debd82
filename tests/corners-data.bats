#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What once went wrong with data that is moved in a rare way, and must not again.

load helpers

# prints COMMAND...: it ends well, and says what standard input says.
prints() {
	shim "$@" >got
	same got -
}

@test "a seccomp filter of the program's leaves its sockets as they are" {
	prints "$PROG/data" filtered <<-END
		sendto 1
		shutdown 0
		getsockname 1
		sendto 1
		connect 0
		send 1
		getpeername 1
		epoll_wait 1
		events 1
	END
}

@test "a descriptor that arrives on what was a vsock socket's number is not lost" {
	prints "$PROG/data" filtered-rights <<-END
		sendmsg 1
		recvmsg 1
		descriptor, flags 0
	END
}

@test "a filter that allows to move data has no more to allow" {
	[ "$(shim "$PROG/data" filtered-messages)" = lived ]
}

@test "nor on a socket that a program inherits, and that is none of ours" {
	prints "$PROG/data" bystanders <<-END
		poll lived
		select lived
		epoll_wait lived
		recv lived
		recvmsg lived
		recvmmsg lived
		sendmsg lived
		shutdown lived
	END
}

@test "a plain sender is told on a number that a vsock socket had" {
	prints "$PROG/data" plain-sender <<-END
		recvfrom 1
		from
		recvmsg 1
		from
	END
}

@test "a vector is as long as the program says" {
	prints "$PROG/data" vectors <<-END
		recvmmsg 1
		from 1:5000, length 16
		recvmmsg 1
		flags 0x80, namelen 0, controllen 0
		sendmmsg 1024
		recv EAGAIN
	END
}

@test "no message follows one of which only a part was sent" {
	prints "$PROG/data" part <<-END
		sendmmsg 1
		a part, behind it 0
		sendmmsg 1
		a part, behind it 0
	END
}

@test "threads that send the first datagrams of a socket both send" {
	[ "$(shim "$PROG/data" first-datagrams)" = "failed 0" ]
}

@test "lengths and pointers that cannot be are errors, or nothing" {
	prints "$PROG/data" odd-pointers <<-END
		sendmsg EINVAL
		recvmsg EINVAL
		send 1
		recvmsg 0
		controllen 0
		statx
	END
}

@test "a timeout of ages is not over at once" {
	prints VSOCKSHIM_CID=3 "$PROG/data" ages <<-END
		ppoll EINTR
		connect EINTR
	END
}

@test "a one-shot registration is told once of an error queue" {
	prints "$PROG/data" one-shot <<-END
		send 1
		epoll_wait 1 0x8
		epoll_wait 0 0
		epoll_wait 0 0
		epoll_wait 1 0x9
		epoll_wait 0 0
		recvmsg 0
		epoll_wait 1 0x1
		epoll_wait 0 0
	END
}

@test "an inherited socket's first send may be of no bytes" {
	run -0 py <<-END
		import socket, subprocess
		l, c = (socket.socket(socket.AF_VSOCK, socket.SOCK_SEQPACKET) for _ in range(2))
		l.bind((1, 1234))
		l.listen()
		c.connect((1, 1234))
		a = l.accept()[0]
		a.setblocking(False)
		for code in 'os.write(0, b"")', 'socket.socket(fileno=0).send(b"")':
		    subprocess.run(['$PYTHON', '-c', 'import os, socket; ' + code], stdin=c, check=True)
		    try: print(a.recv(9))
		    except BlockingIOError: print('nothing')
	END
	[ "$output" = "nothing
nothing" ]
}

@test "an inherited socket sends datagrams to its peer by sendto, too" {
	run -0 py <<-END
		import socket, subprocess
		a, b = (socket.socket(socket.AF_VSOCK, socket.SOCK_DGRAM) for _ in range(2))
		b.bind((1, 5001))
		a.connect((1, 5001))
		subprocess.run(['$PYTHON', '-c', 'import ctypes; print(ctypes.CDLL(None).sendto(0, b"x", 1, 0, None, 0))'], stdin=a)
		b.setblocking(False)
		print(b.recv(9))
	END
	[ "$output" = "1
b'x'" ]
}

@test "a vector of no bytes is no datagram" {
	run -0 py <<-END
		import os, socket
		a, b = (socket.socket(socket.AF_VSOCK, socket.SOCK_DGRAM) for _ in range(2))
		b.bind((1, 5001))
		b.setblocking(False)
		a.connect((1, 5001))
		print(os.writev(a.fileno(), [b'', b'']), os.write(a.fileno(), b''))
		print(b.recv(9))
		try: print(b.recv(9))
		except BlockingIOError: print('nothing')
	END
	[ "${lines[*]}" = "0 0 b'' nothing" ]
}

@test "a datagram to VMADDR_PORT_ANY is to nobody: EINVAL" {
	run -0 py <<-END
		import errno, socket
		s = socket.socket(socket.AF_VSOCK, socket.SOCK_DGRAM)
		s.connect((1, socket.VMADDR_PORT_ANY))
		for send in (lambda: s.sendto(b'x', (1, socket.VMADDR_PORT_ANY))), lambda: s.send(b'x'):
		    try: send()
		    except OSError as e: print(errno.errorcode[e.errno])
	END
	[ "${lines[*]}" = "EINVAL EINVAL" ]
}

@test "a datagram from another machine never seems to be one's own" {
	start py CID=2 >log <<-END
		import socket
		s = socket.socket(socket.AF_VSOCK, socket.SOCK_DGRAM)
		s.bind((socket.VMADDR_CID_ANY, 5001))
		print(s.recvfrom(9))
	END
	wait_for test -S v/2/5001.dgram
	py CID=3 <<-END
		import socket
		s = socket.socket(socket.AF_VSOCK, socket.SOCK_DGRAM)
		s.bind((1, 5000))
		s.sendto(b'x', (2, 5001))
	END
	ends_with 0
	[ "$(<log)" = "(b'x', (3, 5000))" ]
}

@test "data that are moved all at once, by the vector or after a select make no call more" {
	requires strace
	strace -qq -o /dev/null true || skip "strace may not trace here"
	# 32-bit programs call otherwise
	guard strace -qq -o trace -E LD_PRELOAD="$LIB" "$BUILD/tests/prog/data" calls
	same <(awk '/^_?l?l?seek\(-1, 4321/ { n++; next } n == 2 { sub(/\(.*/, ""); print }' trace) - <<-END
		sendto
		recvfrom
		sendmmsg
		recvmmsg
		sendmmsg
		recvmmsg
		writev
		readv
		pselect6
	END
}
