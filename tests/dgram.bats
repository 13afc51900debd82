#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# SOCK_DGRAM, as vsock(7) describes it: connectionless, best effort.

load helpers

# prelude for each program: both names are what the errors below are called by.
setup() {
	test_setup
	cat >dgram.py <<-'END'
		import errno, os, select, socket, struct, subprocess, sys, time
		ANY = socket.VMADDR_CID_ANY
		def dgram(cid=None, port=None):
		    s = socket.socket(socket.AF_VSOCK, socket.SOCK_DGRAM)
		    if port is not None:
		        s.bind((cid, port))
		    return s
		def name(f, *args):
		    try:
		        return f(*args)
		    except OSError as e:
		        return errno.errorcode[e.errno]
		def waiting(s, t=0):
		    return bool(select.select([s], [], [], t)[0])
	END
	export PYTHONPATH=$PWD
}

@test "a datagram arrives whole, with its sender's address, and can be answered" {
	run -0 py <<-END
		from dgram import *
		a, b = dgram(ANY, 5000), dgram(ANY, 5001)
		print(a.sendto(b'hello', (1, 5001)), a.sendto(b'again', (2, 5001)))
		data, peer = b.recvfrom(100)
		print(data, peer)
		print(b.recvfrom(2))
		b.sendto(b'answer', peer)
		print(a.recvfrom(100))
	END
	same - <(echo "$output") <<-END
		5 5
		b'hello' (1, 5000)
		(b'ag', (1, 5000))
		(b'answer', (1, 5001))
	END
}

@test "host and guest exchange datagrams" {
	start py CID=3 >log <<-END
		from dgram import *
		s = dgram(ANY, 5000)
		data, peer = s.recvfrom(100)
		print(data, peer[0])
		s.sendto(data.upper(), peer)
	END
	wait_for test -S v/3/5000.dgram
	run -0 py CID=2 <<-END
		from dgram import *
		s = dgram()
		s.sendto(b'ping', (3, 5000))
		print(s.recvfrom(100), s.getsockname()[0] == ANY)
	END
	[ "$output" = "(b'PING', (3, 5000)) True" ]
	ends_with 0
	[ "$(<log)" = "b'ping' 2" ]
}

@test "a port that nobody holds answers EHOSTUNREACH, one out of reach ENODEV" {
	run -0 py <<-END
		from dgram import *
		s, gone, stream = dgram(), dgram(ANY, 5000), socket.socket(socket.AF_VSOCK)
		gone.close()
		stream.bind((ANY, 5002))
		stream.listen()
		for to in (1, 5000), (1, 5001), (1, 5002), (77, 5000), (0, 5000):
		    print(name(s.sendto, b'x', to))
	END
	[ "${lines[*]}" = "EHOSTUNREACH EHOSTUNREACH EHOSTUNREACH EHOSTUNREACH ENODEV" ]
	run -0 py CID=1 <<-END
		from dgram import *
		print(name(dgram().sendto, b'x', (3, 5000)))
	END
	[ "$output" = ENODEV ]
}

@test "a full queue drops, and a sender never waits" {
	run -0 py <<-END
		from dgram import *
		a, b = dgram(ANY, 5000), dgram(ANY, 5001)
		a.connect((1, 5001))
		n = 5000
		ways = [lambda d: a.sendto(d, (1, 5001)), a.send, lambda d: os.write(a.fileno(), d),
		    lambda d: a.sendmsg([d]), lambda d: os.writev(a.fileno(), [d])]
		for i in range(n):
		    assert ways[i % len(ways)](b'%d' % i) == len(b'%d' % i)
		got = []
		while waiting(b):
		    got.append(int(b.recv(100)))
		print(got == list(range(len(got))), 0 < len(got) < n)
		a.send(b'later')
		print(b.recv(100))
	END
	[ "${lines[*]}" = "True True b'later'" ]
}

@test "connect sets the default peer, before there is one, and through exec" {
	run -0 py <<-END
		from dgram import *
		a = dgram()
		print(name(a.send, b'x'), name(a.getpeername))
		print(name(a.connect, (2, 5001)), a.getpeername(), a.getsockname()[1] >= 1024)
		print(name(a.send, b'x'))
		b = dgram(ANY, 5001)
		print(a.send(b'one'), a.sendmsg([b'tw', b'o']), os.write(a.fileno(), b'three'))
		print([b.recv(100) for i in range(3)])
		b.close()
		b = dgram(ANY, 5001)
		os.set_inheritable(a.fileno(), True)
		os.system('echo four >&%d' % a.fileno())
		os.system('$PYTHON -c "import os; os.write(%d, bytes([5]))"' % a.fileno())
		os.system('$PYTHON -c "import socket; s = socket.socket(fileno=%d); s.send(bytes([6])); print(s.getpeername())"' % a.fileno())
		print([b.recv(100) for i in range(3)])
		a.connect((1, 5002))
		print(name(a.send, b'x'), a.sendto(b'seven', (1, 5001)), b.recv(100))
		import ctypes
		print(ctypes.CDLL(None).connect(a.fileno(), bytes(16), 16), name(a.getpeername), name(a.send, b'x'))
	END
	same - <(echo "$output") <<-END
		EINVAL ENOTCONN
		None (2, 5001) True
		EHOSTUNREACH
		3 3 5
		[b'one', b'two', b'three']
		(2, 5001)
		[b'four\n', b'\x05', b'\x06']
		EHOSTUNREACH 5 b'seven'
		0 ENOTCONN EINVAL
	END
}

@test "an inherited socket receives with the sender's address" {
	run -0 py <<-END
		from dgram import *
		a, b = dgram(ANY, 5000), dgram(ANY, 5001)
		for i in range(2): a.sendto(b'x', (1, 5001))
		b.set_inheritable(True)
		sys.stdout.flush()
		os.system('$PYTHON -c "import socket; s = socket.socket(fileno=%d); print(int(s.family), int(s.type), s.getsockname()[1], s.recvfrom(9), s.recvmsg(9)[3])"' % b.fileno())
	END
	[ "$output" = "40 2 5001 (b'x', (1, 5000)) (1, 5000)" ]
}

@test "ports are another space than those of connections, with the same rules" {
	run -0 py <<-END
		from dgram import *
		stream = socket.socket(socket.AF_VSOCK)
		stream.bind((ANY, 5000))
		a = dgram(ANY, 5000)
		for b in (ANY, 5000), (1, 5000), (2, 5000), (3, 5001), (0, 5001):
		    print(name(dgram, *b))
		print(name(a.bind, (ANY, 5002)))
		one, own = dgram(1, 5003), dgram(2, 5003)
		one.sendto(b'x', (2, 5003))
		print(own.recvfrom(9), name(one.sendto, b'x', (1, 5004)))
		a.close()
		dgram(ANY, 5000)
	END
	same - <(echo "$output") <<-END
		EADDRINUSE
		EADDRINUSE
		EADDRINUSE
		EADDRNOTAVAIL
		EADDRNOTAVAIL
		EINVAL
		(b'x', (1, 5003)) EHOSTUNREACH
	END
	[ ! -e v/2/5000.dgram ]
}

@test "what is no call for datagrams fails as the kernel's would" {
	run -0 py <<-END
		from dgram import *
		s = dgram(ANY, 5000)
		t = socket.socket(socket.AF_VSOCK, socket.SOCK_DGRAM)
		print(name(s.listen, 1), name(s.accept), name(t.shutdown, 1), name(t.send, b'x'))
		print(name(s.getsockopt, 40, 0), name(s.setsockopt, 40, 0, 9), name(s.setsockopt, 6, 1, 1))
		print(name(s.sendto, b'x', socket.MSG_OOB, (1, 5000)), name(s.recv, 9, socket.MSG_OOB | socket.MSG_DONTWAIT))
		print(name(s.recv, 9, socket.MSG_ERRQUEUE), name(s.recv, 9, socket.MSG_DONTWAIT))
		print(name(s.sendto, bytes(1 << 20), (1, 5000)))
		print(s.getsockopt(1, socket.SO_TYPE), s.getsockopt(1, socket.SO_DOMAIN))
		print(name(socket.socketpair, socket.AF_VSOCK, socket.SOCK_DGRAM))
		s.connect((1, 5000))
		print(name(s.shutdown, 1), name(s.getpeername), name(s.sendto, b'x', (1, 5000)))
	END
	same - <(echo "$output") <<-END
		ENOTSUP ENOTSUP ENOTCONN EINVAL
		ENOTSUP ENOTSUP ENOTSUP
		ENOTSUP ENOTSUP
		ENOTSUP EAGAIN
		EMSGSIZE
		2 40
		ENOTSUP
		None ENOTCONN EPIPE
	END
}

@test "empty, truncated and peeked datagrams, and several at once" {
	run -0 py <<-END
		from dgram import *
		a, b = dgram(ANY, 5000), dgram(ANY, 5001)
		a.sendto(b'', (1, 5001))
		a.sendto(b'abcdef', (1, 5001))
		print(waiting(b, 5), b.recvfrom(9))
		print(b.recv(3, socket.MSG_PEEK), b.recv_into(bytearray(3), 3, socket.MSG_TRUNC | socket.MSG_PEEK), b.recvmsg(3)[::2])
		print(name(b.recv, 9, socket.MSG_DONTWAIT))
		a.sendmsg([b'x'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack('i', 0))], 0, (1, 5001))
		print(b.recvmsg(9, 100))
		# one that a program without the library asked for its sender
		subprocess.run([sys.executable, '-c', 'import socket; socket.socket(fileno=0).setsockopt(1, socket.SO_PASSCRED, 1)'],
		               stdin=b, env={}, check=True)
		a.sendto(b'y', (1, 5001))
		print(b.recvmsg(9, 100))
	END
	same - <(echo "$output") <<-END
		True (b'', (1, 5000))
		b'abc' 6 (b'abc', 32)
		EAGAIN
		(b'x', [], 0, (1, 5000))
		(b'y', [], 0, (1, 5000))
	END
}

@test "it can be written to at any time, until that is shut down" {
	run -0 py <<-END
		from dgram import *
		p = select.poll()
		s = dgram(ANY, 5000)
		p.register(s, 0xfff)
		print(hex(p.poll(0)[0][1]))
		s.sendto(b'x', (1, 5000))
		print(hex(p.poll(0)[0][1]))
		name(s.shutdown, 1)
		print(hex(p.poll(0)[0][1]))
	END
	[ "${lines[*]}" = "0x304 0x345 0x41" ]
}

@test "a datagram has SO_SNDBUF less 32 bytes at most, and as many may be unread" {
	run -0 py <<-END
		from dgram import *
		p = select.poll()
		s, b = dgram(ANY, 5000), dgram(ANY, 5001)
		p.register(s, select.POLLOUT)
		n = s.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) - 32
		print(name(s.sendto, bytes(n + 1), (1, 5001)), s.sendto(bytes(n), (1, 5001)) == n)
		print(p.poll(0), len(b.recv(n)) == n, len(p.poll(0)))
	END
	[ "$output" = $'EMSGSIZE True\n[] True 1' ]
}

@test "who does not read any more gets nothing, and no sender learns of it" {
	run -0 py <<-END
		from dgram import *
		reader, s = dgram(ANY, 5000), dgram(ANY, 5001)
		print(name(reader.shutdown, socket.SHUT_RD), name(s.sendto, b'x', (1, 5000)))
	END
	[ "$output" = "ENOTCONN 1" ]
}

@test "sendmmsg and recvmmsg carry addresses" {
	run -0 shim "$PROG/corners" datagrams
	same - <(echo "$output") <<-END
		sendmmsg 2
		recvmmsg 2
		1:5000 one 16
		0:5000 two 16
		recvmmsg EAGAIN
	END
}

@test "a killed holder's port is free at once, and its path goes" {
	start py <<-END
		from dgram import *
		s = dgram(ANY, 5000)
		s.recv(1)
	END
	wait_for test -S v/2/5000.dgram
	kill -KILL "$pid"
	wait "$pid" || :
	py <<-END
		from dgram import *
		assert name(dgram().sendto, b'x', (1, 5000)) == 'EHOSTUNREACH'
		dgram(ANY, 5000)
	END
	[ ! -e v/2/5000.dgram ]
}

@test "VSOCKSHIM_DGRAM=off: ENODEV, as on a kernel whose transports have none" {
	run -0 py VSOCKSHIM_DGRAM=off <<-END
		from dgram import *
		print(name(dgram), name(socket.socketpair, socket.AF_VSOCK, socket.SOCK_DGRAM))
	END
	[ "$output" = "ENODEV ENODEV" ]
}

@test "an exchange by datagram costs no call more than the program's" {
	cat >t.py <<-END
		from dgram import *
		a, b = dgram(ANY, 5000), dgram(ANY, 5001)
		null = os.open('/dev/null', 0)
		for i in range(2): # the first time, symbols are resolved
		    if i: os.lseek(null, 4321, 0)
		    a.sendto(b'x', (1, 5001))
		    b.recvfrom(9)
		os.lseek(null, 4321, 0)
	END
	guard strace -qq -o trace.1 -E LD_PRELOAD="$LIB" "$PYTHON" t.py
	same <(sed '1,/^lseek([0-9]*, 4321/d; /^lseek([0-9]*, 4321/,$d; s/(.*//' trace.1) - <<-END
		sendmsg
		recvfrom
	END
}

@test "a datagram is sent on a hint's word, and asked after when that was wrong" {
	run -0 py <<-'END'
		from dgram import *
		import ctypes, signal
		signal.signal(signal.SIGPIPE, signal.SIG_IGN)
		a, b = dgram(ANY, 5000), dgram(ANY, 5001)
		def send(): print(name(a.sendto, b'x', (1, 5001)))
		send()
		if os.fork() == 0:
		    name(a.shutdown, 1)
		    os._exit(0)
		os.wait()
		send()
		# Closed by whom we do not see, and another file has its number.
		c = dgram(ANY, 5002)
		c.sendto(b'x', (1, 5001))
		libc = ctypes.CDLL(None)
		libc.fdopen.restype = ctypes.c_void_p
		libc.fclose(ctypes.c_void_p(libc.fdopen(c.fileno(), b'r+')))
		assert c.fileno() in os.pipe()
		print(name(c.sendto, b'x', (1, 5001)))
	END
	same - <(echo "$output") <<-END
		1
		EPIPE
		ENOTSOCK
	END
}
