#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What connect() does that takes two machines or time. The facts of one machine
# are in tests/oracle.

load helpers

# dial CID: a Python program from standard input, as machine CID, behind some
# words that it can use.
dial() {
	cat >dial.py <<-END
		import ctypes, errno, os, select, socket, struct, time
		def vsock(timeout=0):
		    s = socket.socket(socket.AF_VSOCK)
		    if timeout: # SO_VM_SOCKETS_CONNECT_TIMEOUT; Python's own call knows numbers only
		        tv = struct.pack('ll', 0, int(timeout * 1e6))
		        assert ctypes.CDLL(None).setsockopt(s.fileno(), socket.AF_VSOCK, 6, tv, 16) == 0
		    return s
		def error(call, *args):
		    try:
		        call(*args)
		        return 'ok'
		    except OSError as e:
		        return errno.errorcode[e.errno]
		def so_error(s):
		    return s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
		def poll(s, seconds):
		    p = select.poll()
		    p.register(s, select.POLLIN | select.POLLOUT | select.POLLRDHUP)
		    return [hex(e) for fd, e in p.poll(seconds * 1000)]
		def took(least, most, start):
		    return least <= time.monotonic() - start < most
	END
	cat >>dial.py
	shim "CID=$1" "$PYTHON" -u dial.py
}

@test "a blocking connect to a guest that never answers ends after 2 seconds" {
	dial 3 >got <<-END
		s = vsock()
		start = time.monotonic()
		print(error(s.connect, (9, 1)), took(2, 3.5, start))
	END
	[ "$(cat got)" = "ETIMEDOUT True" ]
}

@test "the connect timeout of a socket is its own" {
	dial 3 >got <<-END
		s = vsock(0.3)
		start = time.monotonic()
		print(error(s.connect, (9, 1)), took(0.3, 1.5, start))
		start = time.monotonic()
		print(error(s.connect, (9, 1)), took(0.3, 1.5, start))
	END
	same got <(printf '%s\n' 'ETIMEDOUT True' 'ETIMEDOUT True')
}

@test "a signal ends a blocking connect with EINTR, and the next starts anew" {
	run -0 shim CID=3 "$PROG/interrupted" 9 1
	read -r first1 ms1 <<<"${lines[0]}"
	read -r first2 ms2 <<<"${lines[2]}"
	[ "$first1 ${lines[1]} $first2" = "EINTR signals 1 ETIMEDOUT" ]
	((ms1 >= 190 && ms1 < 1500))
	((ms2 >= 1990 && ms2 < 3500))
}

@test "a non-blocking connect that nobody answers shows nothing until it times out" {
	dial 3 >got <<-END
		s = vsock(0.5)
		s.setblocking(False)
		start = time.monotonic()
		print(error(s.connect, (9, 1)))
		print(error(s.connect, (9, 1)), error(s.send, b'x'), error(s.recv, 1), error(s.getpeername))
		print(poll(s, 0.1), so_error(s), select.select([s], [s], [s], 0))
		print(poll(s, 5), took(0.5, 2, start))
		print(so_error(s), so_error(s), poll(s, 0))
		print(error(s.connect, (9, 1)))
	END
	same got - <<-END
		EINPROGRESS
		EALREADY ENOTCONN ENOTCONN ENOTCONN
		[] 0 ([], [], [])
		['0xc'] True
		110 0 ['0x4']
		EINPROGRESS
	END
}

@test "epoll shows a connect that timed out once its time has come" {
	for edge in 0 select.EPOLLET; do
		dial 3 >got <<-END
			e = select.epoll()
			s = vsock(0.5)
			s.setblocking(False)
			e.register(s, select.EPOLLIN | select.EPOLLOUT | $edge)
			first = e.poll(0) # a fresh socket is writable
			start = time.monotonic()
			s.connect_ex((9, 1))
			print([hex(m) for fd, m in first], e.poll(0.1))
			print([hex(m) for fd, m in e.poll(5)], took(0.5, 2, start), so_error(s))
		END
		same got - <<-END
			['0x4'] []
			['0xc'] True 110
		END
	done
}

@test "select shows a connect that timed out as writable" {
	dial 3 >got <<-END
		s = vsock(0.5)
		s.setblocking(False)
		s.connect_ex((9, 1))
		start = time.monotonic()
		print(select.select([], [s], [], 5)[1] == [s], took(0.3, 2, start), so_error(s))
	END
	[ "$(cat got)" = "True True 110" ]
}

@test "after a time-out the same socket reaches a guest that came later" {
	requires socat
	dial 3 >got <<-END
		s = vsock(0.2)
		print(error(s.connect, (9, 1234)))
		if not os.fork():
		    os.environ['VSOCKSHIM_CID'] = '9'
		    os.execvp('socat', ['socat', 'VSOCK-LISTEN:1234', 'EXEC:echo at last'])
		deadline = time.monotonic() + 10
		while error(s.connect, (9, 1234)) != 'ok' and time.monotonic() < deadline:
		    pass
		print(s.getpeername(), s.recv(100))
	END
	same got - <<-END
		ETIMEDOUT
		(9, 1234) b'at last\n'
	END
}

@test "a host's connect to an absent guest has bound it, and shows nothing" {
	dial 2 >got <<-END
		s = vsock()
		print(error(s.connect, (9, 1)), s.getsockname()[1] == socket.VMADDR_PORT_ANY)
		s.setblocking(False)
		print(error(s.connect, (9, 1)), poll(s, 0))
	END
	same got - <<-END
		ENODEV False
		ENODEV []
	END
}

@test "CID 0 is no device to a host, and never answers a guest" {
	dial 2 <<<"print(error(vsock().connect, (0, 1)))" >got
	dial 3 <<<"print(error(vsock(0.2).connect, (0, 1)))" >>got
	same got <(printf '%s\n' ENODEV ETIMEDOUT)
}

@test "a refused connect to another machine leaves the socket usable" {
	requires socat
	start shim CID=9 socat VSOCK-LISTEN:1234 EXEC:'echo here'
	wait_listen 9:1234
	dial 2 >got <<-END
		s = vsock()
		print(error(s.connect, (9, 999)), error(s.connect, (9, 1234)), s.recv(100))
	END
	[ "$(cat got)" = "ECONNRESET ok b'here\n'" ]
}

@test "a full backlog on another machine refuses at once" {
	start py CID=9 <<-END
		import signal, socket
		s = socket.socket(socket.AF_VSOCK)
		s.bind((socket.VMADDR_CID_ANY, 1234))
		s.listen(2)
		signal.pause()
	END
	wait_listen 9:1234
	dial 2 >got <<-END
		start = time.monotonic()
		clients = [vsock() for _ in range(5)]
		print([error(s.connect, (9, 1234)) for s in clients], took(0, 1, start))
		late = vsock()
		late.setblocking(False)
		print(error(late.connect, (9, 1234)), poll(late, 5), so_error(late))
	END
	same got - <<-END
		['ok', 'ok', 'ok', 'ECONNRESET', 'ECONNRESET'] True
		EINPROGRESS ['0xc'] 104
	END
}
