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
		        tv = struct.pack('ll', int(timeout), int(timeout % 1 * 1e6))
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
		print(error(s.connect, (9, 1)), took(2, 30, start))
	END
	[ "$(cat got)" = "ETIMEDOUT True" ]
}

@test "the connect timeout of a socket is its own" {
	dial 3 >got <<-END
		s = vsock(0.3)
		start = time.monotonic()
		print(error(s.connect, (9, 1)), took(0.3, 1.9, start))
		start = time.monotonic()
		print(error(s.connect, (9, 1)), took(0.3, 1.9, start))
	END
	same got <(printf '%s\n' 'ETIMEDOUT True' 'ETIMEDOUT True')
}

@test "a signal ends a blocking connect with EINTR, and the next starts anew" {
	run -0 shim CID=3 "$PROG/interrupted" 9 1
	read -r first1 ms1 <<<"${lines[0]}"
	read -r first2 ms2 <<<"${lines[2]}"
	[ "$first1 ${lines[1]} $first2" = "EINTR signals ETIMEDOUT" ]
	((ms1 >= 190 && ms1 < 1990))
	((ms2 >= 1990 && ms2 < 30000))
}

@test "a non-blocking connect that nobody answers shows nothing until it times out" {
	dial 3 >got <<-END
		s = vsock(1.5)
		s.setblocking(False)
		start = time.monotonic()
		print(error(s.connect, (9, 1)))
		print(error(s.connect, (9, 1)), error(s.send, b'x'), error(s.recv, 1), error(s.getpeername))
		print(poll(s, 0.1), so_error(s), select.select([s], [s], [s], 0))
		print(poll(s, 20), took(1.5, 30, start))
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
			s = vsock(1.5)
			s.setblocking(False)
			e.register(s, select.EPOLLIN | select.EPOLLOUT | $edge)
			first = e.poll(0) # a fresh socket is writable
			start = time.monotonic()
			s.connect_ex((9, 1))
			print([hex(m) for fd, m in first], e.poll(0.1))
			print([hex(m) for fd, m in e.poll(20)], took(1.5, 30, start), so_error(s))
		END
		same got - <<-END
			['0x4'] []
			['0xc'] True 110
		END
	done
}

@test "a duplicate shows a connect that timed out, also when the first is closed" {
	dial 3 >got <<-END
		e = select.epoll()
		s = vsock(0.3)
		s.setblocking(False)
		s.connect_ex((9, 1))
		s.dup().close()
		twin = s.dup() # by the same number again
		s.close()
		e.register(twin, select.EPOLLOUT)
		print([hex(m) for fd, m in e.poll(9)], so_error(twin))
	END
	[ "$(cat got)" = "['0xc'] 110" ]
}

@test "a connect that waits in vain ends at once in another process, which is passed its socket" {
	dial 3 >got <<-END
		here, there = socket.socketpair()
		if not os.fork(): # before there is a connect
		    s = socket.socket(fileno=socket.recv_fds(there, 1, 1)[1][0])
		    print(s.family.name, poll(s, 30), so_error(s), so_error(s), error(s.getpeername))
		    os._exit(0)
		s = vsock(10)
		s.setblocking(False)
		start = time.monotonic()
		print(error(s.connect, (9, 1)), poll(s, 0), flush=True)
		socket.send_fds(here, [b'x'], [s.fileno()])
		s.close()
		os.wait()
		print(took(0, 10, start))
	END
	same got - <<-END
		EINPROGRESS []
		AF_VSOCK ['0xc'] 110 0 ENOTCONN
		True
	END
}

@test "each attempt to connect has its own time" {
	dial 3 >got <<-END
		s = vsock(0.4)
		s.setblocking(False)
		s.connect_ex((9, 1))
		s.setblocking(True)
		print(error(s.connect, (9, 1)))
		s.setblocking(False)
		start = time.monotonic()
		print(error(s.connect, (9, 1)), poll(s, 20), took(0.4, 30, start), so_error(s))
	END
	printf '%s\n' ETIMEDOUT "EINPROGRESS ['0xc'] True 110" | same got -
}

@test "a connect that waits in vain leaves alone who has its number by then" {
	dial 3 >got <<-END
		import threading
		exec(open(os.environ['ROOT'] + '/tests/prog/libc.py').read())
		l = vsock()
		l.bind((1, 1234))
		l.listen()
		for again in False, True:
		    s = vsock(2)
		    s.setblocking(False)
		    if again:
		        s.connect_ex((9, 1))
		    os.set_blocking(s.fileno(), True)
		    fd = s.detach()
		    to = struct.pack('HHII4x', 40, 0, 1, 9)
		    t = threading.Thread(target=lambda: print(call('connect', fd, to, 16)))
		    t.start()
		    until_asleep(t)
		    os.close(fd)
		    s = vsock()
		    assert s.fileno() == fd
		    s.connect((1, 1234))
		    t.join()
		    print(so_error(s), poll(s, 0), s.getpeername(), error(s.connect, (1, 1234)))
		    s.close()
	END
	for _ in 1 2; do
		printf '%s\n' ETIMEDOUT "0 ['0x4'] (1, 1234) EISCONN"
	done | same got -
}

@test "of more connects than can be pending the others have timed out at once" {
	dial 3 >got <<-END
		some = [vsock(20) for _ in range(300)]
		for s in some:
		    s.setblocking(False)
		    assert error(s.connect, (9, 1)) == 'EINPROGRESS'
		print(sum(poll(s, 0) == ['0xc'] and so_error(s) == errno.ETIMEDOUT for s in some))
	END
	[ "$(cat got)" = 44 ]
}

@test "what the kernel refuses of a wait it refuses also while a connect is pending" {
	dial 3 >got <<-END
		libc = ctypes.CDLL(None, use_errno=True)
		s = vsock()
		s.setblocking(False)
		s.connect_ex((9, 1))
		fds = struct.pack('ihh', s.fileno(), select.POLLOUT, 0)
		e = select.epoll()
		e.register(s)
		room = ctypes.create_string_buffer(12)
		def call(how, *args):
		    r = getattr(libc, how)(*args)
		    print(how, r, errno.errorcode[ctypes.get_errno()])
		for ts in struct.pack('ll', -1, 0), struct.pack('ll', 0, 1000000000):
		    call('ppoll', fds, 1, ts, None)
		    call('pselect', 0, None, None, None, ts, None)
		    call('epoll_pwait2', e.fileno(), room, 1, ts, None)
		call('select', 0, None, None, None, struct.pack('ll', -1, 0))
	END
	{
		for _ in 1 2; do
			printf '%s -1 EINVAL\n' ppoll pselect epoll_pwait2
		done
		echo select -1 EINVAL
	} | same got -
}

@test "a list of descriptors that has no end is refused also while a connect is pending" {
	dial 3 >got <<-END
		libc = ctypes.CDLL(None, use_errno=True)
		s = vsock()
		s.setblocking(False)
		s.connect_ex((9, 1))
		fds = struct.pack('ihh', s.fileno(), select.POLLOUT, 0)
		print(libc.poll(fds, ctypes.c_ulong(-1), 0), errno.errorcode[ctypes.get_errno()])
	END
	[ "$(cat got)" = "-1 EINVAL" ]
}

@test "select shows a connect that timed out as writable" {
	dial 3 >got <<-END
		s = vsock(0.5)
		s.setblocking(False)
		start = time.monotonic()
		s.connect_ex((9, 1))
		print(select.select([], [s], [], 20)[1] == [s], took(0.5, 30, start), so_error(s))
		print(select.select([s], [s], [], 0) == ([], [s], []))
		# beside TCP's out-of-band data
		l = socket.create_server(('127.0.0.1', 0))
		t = socket.create_connection(l.getsockname())
		l.accept()[0].send(b'x', socket.MSG_OOB)
		select.select([], [], [t])
		print(select.select([s], [s], [s, t], 0) == ([], [s], [t]))
	END
	printf '%s\n' "True True 110" True True | same got -
}

@test "in a sandbox of its own a program's connect times out, too" {
	dial 3 >got <<-END
		libc = ctypes.CDLL(None)
		class program(ctypes.Structure):
		    _fields_ = [('n', ctypes.c_ushort), ('allows', ctypes.c_char_p)]
		allow = program(1, struct.pack('HBBI', 6, 0, 0, 0x7fff0000))
		print(libc.prctl(38, 1, 0, 0, 0), libc.prctl(22, 2, ctypes.byref(allow), 0, 0))
		s = vsock(1.5)
		s.setblocking(False)
		start = time.monotonic()
		s.connect_ex((9, 1))
		print(poll(s, 0), poll(s, 20), took(1.5, 30, start), so_error(s))
	END
	same got - <<-END
		0 0
		[] ['0xc'] True 110
	END
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
		# a server can have tried that, too
		s = vsock()
		s.bind((socket.VMADDR_CID_ANY, 1234))
		print(error(s.connect, (9, 1)), poll(s, 0))
		s.listen()
		c = vsock()
		c.connect((1, 1234))
		print(poll(s, 9))
	END
	same got - <<-END
		ENODEV False
		ENODEV []
		ENODEV []
		['0x1']
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
		print([error(s.connect, (9, 1234)) for s in clients], took(0, 20, start))
		late = vsock()
		late.setblocking(False)
		print(error(late.connect, (9, 1234)), poll(late, 5), so_error(late))
	END
	same got - <<-END
		['ok', 'ok', 'ok', 'ECONNRESET', 'ECONNRESET'] True
		EINPROGRESS ['0xc'] 104
	END
}

@test "a connect that waits for room has another SO_SNDTIMEO meanwhile" {
	dial 2 >got <<-END
		import threading
		l = vsock()
		l.bind((1, 1234))
		l.listen(0)
		first, s = vsock(), vsock()
		first.connect((1, 1234))
		tv = (ctypes.c_long * 2)()
		def sndtimeo():
		    ctypes.CDLL(None).getsockopt(s.fileno(), socket.SOL_SOCKET, socket.SO_SNDTIMEO,
		        tv, ctypes.byref(ctypes.c_int(16)))
		    return tuple(tv)
		seen, end = set(), time.monotonic() + 20
		while (0, 20000) not in seen and time.monotonic() < end:
		    t = threading.Thread(target=error, args=(s.connect, (1, 1234)))
		    t.start()
		    while t.is_alive():
		        seen.add(sndtimeo())
		print((0, 20000) in seen, sndtimeo())
	END
	[ "$(cat got)" = 'True (0, 0)' ]
}
