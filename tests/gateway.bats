#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# A machine that has a gateway: what its programs see of connects that others
# answer, and when they like. The gateway here (tests/tools/gateway.c) answers by
# the port that is dialled; bridges are tests/bridge*.

load helpers

setup() {
	test_setup
	start_gateway
}

start_gateway() {
	start guard "$BUILD/tests/tools/gateway" "$VSOCKSHIM_DIR" 3 >gateway.out
	gateway=$pid
	wait_for grep -q ready gateway.out
}

# dial: a Python program from standard input, on machine 3, behind
# some words that it can use. Both types, or those in $types: each test runs it for
# either.
dial() {
	local type

	cat >body.py
	for type in ${types-STREAM SEQPACKET}; do
		{
			cat <<-END
				import ctypes, errno, os, select, socket, struct, time
				TYPE = socket.SOCK_$type
				def limit(s, timeout):
				    tv = struct.pack('ll', 0, int(timeout * 1e6))
				    assert ctypes.CDLL(None).setsockopt(s.fileno(), socket.AF_VSOCK, 6, tv, 16) == 0
				def vsock(timeout=0):
				    s = socket.socket(socket.AF_VSOCK, TYPE)
				    if timeout:
				        limit(s, timeout)
				    return s
				def nonblocking():
				    s = vsock()
				    s.setblocking(False)
				    return s
				def error(call, *args):
				    try:
				        return call(*args) or 'ok'
				    except OSError as e:
				        return errno.errorcode[e.errno]
				def so_error(s):
				    return errno.errorcode.get(s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), 'none')
				ALL = select.POLLIN | select.POLLOUT | select.POLLRDHUP | select.POLLPRI
				def mask(s, ms=0):
				    p = select.poll()
				    p.register(s, ALL)
				    return [hex(e) for fd, e in p.poll(ms)]
			END
			cat body.py
		} >dial.py
		shim CID=3 "$PYTHON" -u dial.py
	done
}

twice() {
	cat "$@" "$@"
}

@test "gateway: a blocking connect, its names, and what both sides send" {
	dial >got <<-END
		s = vsock()
		print(error(s.connect, (2, 1)), s.getpeername(), s.getsockname()[0])
		for i in range(3):
		    s.sendall(b'x' * 1000)
		    n = 0
		    while n < 1000:
		        n += len(s.recv(4096))
		s.shutdown(socket.SHUT_WR)
		print(n, s.recv(1))
	END
	printf '%s\n' 'ok (2, 1) 4294967295' "1000 b''" >want
	same got <(twice want)
	grep -Eq '^4294967295:[0-9]+ -> 2:1 type 1 flags 0 window 262144 timeout 2000$' \
		gateway.out
	grep -Eq '^4294967295:[0-9]+ -> 2:1 type 5 ' gateway.out
}

@test "gateway: refused, timed out, gone; and the socket tries again" {
	dial >got <<-END
		s = vsock()
		port = 0
		for to in 2, 3, 7, 2, 1:
		    print(to, error(s.connect, (2, to)), so_error(s))
		    if port:
		        assert s.getsockname()[1] == port
		    port = s.getsockname()[1]
		s.send(b'abc')
		print(s.recv(9), s.getpeername())
	END
	printf '%s\n' '2 ECONNRESET none' '3 ETIMEDOUT none' '7 ECONNRESET none' \
		'2 ECONNRESET none' '1 ok none' "b'abc' (2, 1)" >want
	same got <(twice want)
}

@test "gateway: a bound client keeps its port through a refusal" {
	dial >got <<-END
		s = vsock()
		s.bind((socket.VMADDR_CID_ANY, 5000))
		print(error(s.connect, (2, 2)), s.getsockname())
		t = vsock()
		print(error(t.bind, (socket.VMADDR_CID_ANY, 5000)))
		print(error(s.connect, (2, 1)), s.getsockname(), s.getpeername())
	END
	printf '%s\n' 'ECONNRESET (4294967295, 5000)' EADDRINUSE \
		'ok (4294967295, 5000) (2, 1)' >want
	same got <(twice want)
}

@test "gateway: a socket that was refused keeps its options" {
	dial >got <<-END
		import fcntl, signal, subprocess, sys
		SOL = socket.SOL_SOCKET
		libc = ctypes.CDLL(None)
		def linger(s): # Python has no bytes for a vsock
		    got = ctypes.create_string_buffer(8)
		    assert libc.getsockopt(s.fileno(), SOL, socket.SO_LINGER, got, ctypes.byref(ctypes.c_int(8))) == 0
		    return got.raw
		def options(s):
		    return ([s.getsockopt(SOL, o) for o in (socket.SO_SNDBUF, socket.SO_RCVBUF,
		             socket.SO_KEEPALIVE, socket.SO_REUSEADDR, socket.SO_PRIORITY, socket.SO_RCVLOWAT)],
		            linger(s), s.gettimeout(),
		            [fcntl.fcntl(s, f) for f in (fcntl.F_GETFD, fcntl.F_GETFL, fcntl.F_GETOWN, fcntl.F_GETSIG)])
		s = vsock()
		fresh = options(s)
		assert libc.setsockopt(s.fileno(), SOL, socket.SO_LINGER, struct.pack('ii', 1, 7), 8) == 0
		for o, v in ((socket.SO_SNDBUF, 50000), (socket.SO_RCVBUF, 60000), (socket.SO_KEEPALIVE, 1),
		             (socket.SO_REUSEADDR, 1), (socket.SO_PRIORITY, 3), (socket.SO_RCVLOWAT, 2)):
		    s.setsockopt(SOL, o, v)
		fcntl.fcntl(s, fcntl.F_SETOWN, os.getpid())
		fcntl.fcntl(s, fcntl.F_SETSIG, signal.SIGURG)
		fcntl.fcntl(s, fcntl.F_SETFL, os.O_ASYNC)
		want = options(s)
		print(error(s.connect, (2, 2)), options(s) == want or options(s), options(s) != fresh)
		# of a program that knows no more than the socket does
		size = struct.pack('Q', 100000)
		s = vsock()
		assert libc.setsockopt(s.fileno(), socket.AF_VSOCK, 0, size, 8) == 0
		child = '''
		import socket, struct, sys
		s = socket.socket(fileno=int(sys.argv[1]))
		for i in range(2):
		    print(s.connect_ex((2, 2)), s.getsockopt(socket.AF_VSOCK, 0), flush=True)
		'''
		subprocess.run([sys.executable, '-c', child, str(s.fileno())], pass_fds=[s.fileno()])
	END
	printf '%s\n' 'ECONNRESET True True' '104 100000' '104 100000' >want
	same got <(twice want)
}

@test "gateway: with whatever buffer size, nobody is connected before the answer" {
	dial >got <<-END
		def sized(size):
		    s = vsock()
		    for option in 1, 2, 0:
		        assert ctypes.CDLL(None).setsockopt(s.fileno(), socket.AF_VSOCK, option, struct.pack('Q', size), 8) == 0
		    return s
		for size in 1, 128, 1920, 4096, 5461, 8192, 16384, 262144, 1 << 20, 8 << 20:
		    assert error(sized(size).connect, (2, 1)) == 'ok', size
		    assert error(sized(size).connect, (2, 2)) == 'ECONNRESET', size
		    s = sized(size)
		    s.setblocking(False)
		    assert error(s.connect, (2, 4)) == 'EINPROGRESS', size
		    assert mask(s) == [], size
	END
}

@test "gateway: a non-blocking connect shows nothing until it is answered" {
	dial >got <<-END
		go = os.environ['VSOCKSHIM_DIR'] + '/go'
		s = nonblocking()
		ep = select.epoll()
		ep.register(s, select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET)
		ep.poll(0)
		lt = select.epoll()
		lt.register(s, select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP)
		print(error(s.connect, (2, 6)), mask(s), ep.poll(0), lt.poll(0),
		      select.select([s], [s], [s], 0))
		print(error(s.connect, (2, 6)), error(s.getpeername), so_error(s))
		open(go, 'w').close()
		print(mask(s, 9000), [hex(e) for _, e in ep.poll(9)], [hex(e) for _, e in lt.poll(9)])
		print(so_error(s), error(s.connect, (2, 6)), s.getpeername(), mask(s))
		s.send(b'abc')
		while '0x5' not in mask(s, 9000):
		    pass
		print(s.recv(9))
		os.unlink(go)
	END
	printf '%s\n' 'EINPROGRESS [] [] [] ([], [], [])' 'EALREADY ENOTCONN none' \
		"['0x4'] ['0x4'] ['0x4']" "none EISCONN (2, 6) ['0x4']" \
		"b'abc'" >want
	same got <(twice want)
}

@test "gateway: a non-blocking connect that is refused" {
	dial >got <<-END
		for to, name in (2, 'ECONNRESET'), (7, 'ECONNRESET'):
		    s = nonblocking()
		    ep = select.epoll()
		    ep.register(s, select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP)
		    assert error(s.connect, (2, to)) == 'EINPROGRESS'
		    while True:
		        e = ep.poll(9)
		        if e:
		            break
		    print([hex(e) for _, e in e], mask(s), error(s.connect, (2, 1)), error(s.getpeername))
		    print(so_error(s) == name, so_error(s), mask(s), [hex(e) for _, e in ep.poll(0)])
		    s.setblocking(True)
		    vt = socket.socket(socket.AF_VSOCK)
	END
	printf '%s\n' "['0xc'] ['0xc'] EALREADY ENOTCONN" \
		"True none ['0x4'] ['0x4']" >want
	same got <(twice want want)
}

@test "gateway: a non-blocking connect that times out is over, and the socket as new" {
	dial >got <<-END
		def late():
		    s = nonblocking()
		    assert error(s.connect, (2, 3)) == 'EINPROGRESS'
		    assert mask(s, 9000) == ['0xc']
		    return s
		s = late()
		print(so_error(s), mask(s), error(s.shutdown, socket.SHUT_WR))
		print(error(s.connect, (2, 1)), mask(s, 9000), so_error(s), error(s.connect, (2, 1)))
		s = late() # with the error unread
		print(ctypes.CDLL(None).connect(s.fileno(), bytes(16), 15), error(s.shutdown, socket.SHUT_WR), mask(s))
		print(error(s.connect, (2, 3)), mask(s, 9000), so_error(s))
		s = late()
		s.setblocking(True)
		print(error(s.connect, (2, 1)), s.getpeername(), so_error(s))
		s = late()
		print(error(s.listen), mask(s), so_error(s), mask(s))
	END
	cat >want <<-END
		ETIMEDOUT ['0x4'] ENOTCONN
		EINPROGRESS ['0x4'] none EISCONN
		-1 ENOTCONN ['0xc']
		EINPROGRESS ['0xc'] ETIMEDOUT
		ok (2, 1) none
		ok ['0x8'] ETIMEDOUT []
	END
	same got <(twice want)
}

@test "gateway: a connect that waits leaves alone who has its number by then" {
	dial >got <<-END
		import signal, threading
		exec(open(os.environ['ROOT'] + '/tests/prog/libc.py').read())
		signal.signal(signal.SIGUSR1, lambda *args: None)
		s = vsock()
		fd = s.detach()
		to = struct.pack('HHII4x', 40, 0, 4, 2)
		t = threading.Thread(target=lambda: print(call('connect', fd, to, 16)))
		t.start()
		until_asleep(t)
		os.close(fd)
		s = vsock()
		assert s.fileno() == fd
		s.connect((2, 1))
		signal.pthread_kill(t.ident, signal.SIGUSR1)
		t.join()
		s.send(b'still here')
		print(s.recv(99), s.getpeername())
	END
	printf '%s\n' EINTR "b'still here' (2, 1)" >want
	same got <(twice want)
}

@test "gateway: a window beyond net.core.wmem_max is as large as that lets it be" {
	requires setpriv
	[ "$(id -u)" != 0 ] || drop='--bounding-set=-net_admin'
	cat >large.py <<-END
		import ctypes, socket
		for kind in socket.SOCK_STREAM, socket.SOCK_SEQPACKET:
		    s = socket.socket(socket.AF_VSOCK, kind)
		    for name in 2, 0: # SO_VM_SOCKETS_BUFFER_MAX_SIZE, SO_VM_SOCKETS_BUFFER_SIZE
		        s.setsockopt(socket.AF_VSOCK, name, 1 << 24)
		    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 60000)
		    s.connect_ex((2, 2)) # after that it is another AF_UNIX socket
		    s.connect((2, 1))
		    s.send(b'x')
		    print(s.recv(9), s.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF))
	END
	# shellcheck disable=SC2086 # or nothing
	shim CID=3 setpriv ${drop-} "$PYTHON" large.py >got
	same got <(printf '%s\n' "b'x' 120000" "b'x' 120000")
}

@test "gateway: who reads before he looks finds an end, and then that it was refused" {
	dial >got <<-END
		s = nonblocking()
		print(error(s.connect, (2, 7)))
		got = 'EAGAIN'
		while got == 'EAGAIN':
		    got = error(s.recv, 9)
		print(got, so_error(s), so_error(s), error(s.getpeername))
	END
	printf '%s\n' EINPROGRESS 'ok ECONNRESET none ENOTCONN' >want
	same got <(twice want)
}

@test "gateway: a failed non-blocking connect, then a blocking one, then it works" {
	dial >got <<-END
		s = nonblocking()
		assert error(s.connect, (2, 2)) == 'EINPROGRESS'
		mask(s, 9000)
		s.setblocking(True)
		print(error(s.connect, (2, 1)))
		print(error(s.connect, (2, 1)), s.getpeername())
	END
	printf '%s\n' ECONNRESET 'ok (2, 1)' >want
	same got <(twice want)
}

@test "gateway: who waits for an answer takes no processor time, whichever call it is" {
	shim CID=3 "$PROG/rare" idle >got
	same got <(printf '%s 0\n' poll ppoll select pselect epoll_wait epoll_pwait epoll_pwait2)
	grep -q -- '-> 99:4 .* timeout 60000$' gateway.out
}

@test "gateway: one that does not answer is given up, also by a signal" {
	dial >got <<-END
		import signal
		s = vsock(0.2)
		start = time.monotonic()
		print(error(s.connect, (2, 4)), 0.2 <= time.monotonic() - start < 20)
		def stop(*args):
		    raise InterruptedError
		signal.signal(signal.SIGALRM, stop)
		s = vsock()
		try:
		    signal.setitimer(signal.ITIMER_REAL, 0.1)
		    s.connect((2, 4))
		except InterruptedError:
		    print('interrupted')
		print(error(s.connect, (2, 1)))
	END
	printf '%s\n' 'ETIMEDOUT True' interrupted ok >want
	same got <(twice want)
	[ "$(grep -c -- '-> 2:4 .* timeout 200$' gateway.out)" = 2 ]
}

@test "gateway: one that does not answer a non-blocking connect is given up" {
	dial >got <<-END
		for _ in range(300): # more than can be pending; but these are answered
		    s = nonblocking()
		    assert error(s.connect, (2, 1)) == 'EINPROGRESS'
		    assert mask(s, 9000) == ['0x4'] and so_error(s) == 'none'
		answered = vsock(0.9)
		answered.setblocking(False)
		answered.connect_ex((2, 1)) # looked at when its time is over
		some = [vsock(0.9) for _ in range(3)]
		ep, lt = select.epoll(), select.epoll()
		start = time.monotonic()
		for s in some:
		    s.setblocking(False)
		    ep.register(s, select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET)
		    ep.poll(0)
		    lt.register(s, select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP)
		    assert error(s.connect, (2, 4)) == 'EINPROGRESS'
		print(mask(some[0]), ep.poll(0), lt.poll(0), so_error(some[1]))
		print(mask(some[0], 9000), 0.1 <= time.monotonic() - start < 20)
		print({hex(e) for _, e in ep.poll(9)}, {hex(e) for _, e in lt.poll(9)})
		s = vsock(0.1)
		s.setblocking(False)
		s.connect_ex((2, 4))
		print(select.select([s], [s], [], 9) == ([s], [s], []), so_error(s))
		s = vsock(0.1)
		s.setblocking(False)
		s.connect_ex((2, 4))
		twin = s.dup()
		s.close()
		print(mask(twin, 9000), so_error(twin))
		s = vsock(0.1)
		s.setblocking(False)
		s.connect_ex((2, 4))
		while mask(s) == []: # no wait
		    assert time.monotonic() < start + 20
		print(so_error(s))
		print(mask(answered), so_error(answered), answered.getpeername())
		for s in some:
		    print(so_error(s), mask(s), error(s.getpeername))
		    s.setblocking(True)
		    print(error(s.connect, (2, 1)), error(s.connect, (2, 1)), s.getpeername())
	END
	{
		printf '%s\n' '[] [] [] none' "['0xc'] True" "{'0xc'} {'0xc'}" 'True ETIMEDOUT' \
			"['0xc'] ETIMEDOUT" ETIMEDOUT "['0x4'] none (2, 1)"
		for _ in {1..3}; do
			printf '%s\n' "ETIMEDOUT ['0x4'] ENOTCONN" "ok EISCONN (2, 1)"
		done
	} >want
	same got <(twice want)
}

@test "gateway: data and an end that come at once, read or not" {
	dial >got <<-END
		s = vsock()
		s.connect((2, 5))
		print(s.recv(9), s.recv(9), s.getpeername())
		s = nonblocking()
		s.connect_ex((2, 5))
		while not any(int(e, 0) & 0x2000 for e in mask(s, 9000)):
		    pass
		print(so_error(s), mask(s), s.recv(9), s.recv(9), s.getpeername())
		s = vsock()
		s.connect((2, 8))
		s.send(b'abc')
		print(s.recv(9), s.recv(9), s.recv(9))
	END
	printf '%s\n' "b'bye' b'' (2, 5)" "none ['0x2005'] b'bye' b'' (2, 5)" \
		"b'bye' b'' b''" >want
	same got <(twice want)
}

@test "gateway: the state of a connect goes through fork and exec" {
	dial >got <<-END
		import subprocess, sys
		go = os.environ['VSOCKSHIM_DIR'] + '/go'
		s = nonblocking()
		s.connect_ex((2, 6))
		child = '''
		import select, socket, sys
		s = socket.socket(fileno=int(sys.argv[1]))
		p = select.poll()
		p.register(s, select.POLLIN | select.POLLOUT)
		print(p.poll(0))
		open(sys.argv[2], 'w').close()
		print([hex(e) for fd, e in p.poll(9000)], s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), s.getpeername())
		'''
		print(subprocess.run([sys.executable, '-c', child, str(s.fileno()), go], pass_fds=[s.fileno()],
		                     stdout=subprocess.PIPE, text=True).stdout, end='')
		os.unlink(go)
		print(s.getpeername())
	END
	printf '%s\n' '[]' "['0x4'] 0 (2, 6)" '(2, 6)' >want
	same got <(twice want)
}

@test "gateway: a connect that waits goes on in a process that is passed its socket" {
	dial >got <<-END
		go = os.environ['VSOCKSHIM_DIR'] + '/go'
		here, there = socket.socketpair()
		if not os.fork(): # before there is a connect
		    s, never = (socket.socket(fileno=fd) for fd in socket.recv_fds(there, 1, 2)[1])
		    print(s.family.name, mask(s), so_error(s), error(s.getpeername), error(s.connect, (2, 6)))
		    open(go, 'w').close()
		    print(mask(s, 9000), so_error(s), s.getpeername(), s.send(b'abc'))
		    s.setblocking(True)
		    print(s.recv(9))
		    print(mask(never), so_error(never), error(never.connect, (2, 4)))
		    never.setblocking(True)
		    limit(never, 0.1)
		    print(error(never.connect, (2, 4)), mask(never))
		    os._exit(0)
		s, never = nonblocking(), nonblocking()
		print(error(s.connect, (2, 6)), error(never.connect, (2, 4)), flush=True)
		socket.send_fds(here, [b'x'], [s.fileno(), never.fileno()])
		s.close()
		never.close()
		os.wait()
		os.unlink(go)
	END
	cat >want <<-END
		EINPROGRESS EINPROGRESS
		AF_VSOCK [] none ENOTCONN EALREADY
		['0x4'] none (2, 6) 3
		b'abc'
		[] none EALREADY
		ETIMEDOUT ['0x4']
	END
	same got <(twice want)
}

@test "gateway: a listener accepts from another machine" {
	dial >got <<-END
		l = vsock()
		l.bind((socket.VMADDR_CID_ANY, 9000))
		l.listen(8)
		s = vsock()
		s.connect((2, 9000)) # the gateway turns it round
		a, who = l.accept()
		print(who, a.getsockname(), a.getpeername(), a.recv(9), a.recv(9))
	END
	printf '%s\n' "(2, 77) (3, 9000) (2, 77) b'hi' b''" >want
	same got <(twice want)
}

@test "gateway: the own machine needs none, and other machines' are not used" {
	dial >got <<-END
		l = vsock()
		l.bind((socket.VMADDR_CID_ANY, 9000))
		l.listen(8)
		for cid in 1, 3:
		    s = vsock()
		    print(error(s.connect, (cid, 9000)), s.getpeername())
		    print(error(vsock().connect, (cid, 9001)))
	END
	printf '%s\n' 'ok (1, 9000)' ECONNRESET 'ok (3, 9000)' ECONNRESET >want
	same got <(twice want)
	run ! grep -q -- "->" gateway.out
	py CID=4 <<-END >got
		import errno, socket
		print(errno.errorcode[socket.socket(socket.AF_VSOCK).connect_ex((2, 1))])
	END
	[ "$(cat got)" = ECONNRESET ]
}

@test "gateway: when it is gone connects say so, then go by paths; a new one serves" {
	kill -KILL "$gateway"
	wait "$gateway" || true
	dial >got <<-END
		print(error(vsock().connect, (2, 1)))
		print(error(vsock().connect, (2, 1)))
	END
	same got <(printf '%s\n' ENODEV ECONNRESET ECONNRESET ECONNRESET)
	start guard "$BUILD/tests/tools/gateway" "$VSOCKSHIM_DIR" 3 >gateway.out
	wait_for grep -q ready gateway.out
	dial >got <<-END
		print(error(vsock().connect, (2, 1)))
	END
	same got <(printf '%s\n' ok ok)
	kill "$pid"
	ends_with 0
	[ "$(ls "$VSOCKSHIM_DIR/3")" = ports ]
}

become='
import grp, os, pwd, socket
def become(user, groups=[]):
    os.setgroups(groups)
    os.setgid(groups[0] if groups else pwd.getpwnam(user).pw_gid)
    os.setuid(pwd.getpwnam(user).pw_uid)
'

@test "gateway: users of one group share it, and nobody else" {
	requires_root
	chmod 755 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/test" .
	mkdir shared
	chgrp games shared
	chmod 2770 shared
	umask 077
	start guard setpriv --reuid bin --regid games --clear-groups \
		"$BUILD/tests/tools/gateway" "$PWD/shared" 3 >gateway.out
	wait_for grep -q ready gateway.out
	py CID=3 VSOCKSHIM_DIR="$PWD/shared" >got <<-END
		$become
		become('daemon', [grp.getgrnam('games').gr_gid])
		s = socket.socket(socket.AF_VSOCK)
		s.connect((2, 1))
		s.send(b'abc')
		print(s.recv(9), s.getpeername())
		l = socket.socket(socket.AF_VSOCK)
		l.bind((socket.VMADDR_CID_ANY, 9000))
		l.listen(8)
		s = socket.socket(socket.AF_VSOCK)
		s.connect((2, 9000)) # the gateway turns it round
		print(l.accept()[1])
	END
	same got <(printf '%s\n' "b'abc' (2, 1)" '(2, 77)')
	py CID=3 VSOCKSHIM_DIR="$PWD/shared" >got 2>err.log <<-END
		$become
		become('nobody')
		try: socket.socket(socket.AF_VSOCK).connect((2, 1))
		except OSError as e: print(e.strerror)
	END
	[ "$(cat got)" = 'Address family not supported by protocol' ]
	grep -q 'Permission denied' err.log
}

@test "gateway: a connect that waits takes over from one that did not" {
	dial >got <<-END
		import threading
		go = os.environ['VSOCKSHIM_DIR'] + '/go'
		s = nonblocking()
		print(error(s.connect, (2, 6)), error(s.connect, (2, 6)))
		s.setblocking(True)
		threading.Timer(0.1, lambda: open(go, 'w').close()).start()
		print(error(s.connect, (2, 6)), s.getpeername())
		os.unlink(go)
	END
	printf '%s\n' 'EINPROGRESS EALREADY' 'ok (2, 6)' >want
	same got <(twice want)
}

@test "gateway: what it ended has ended, while another comes from the same port" {
	dial >got <<-END
		l = vsock()
		l.bind((socket.VMADDR_CID_ANY, 51000))
		l.listen()
		def accepted():
		    s = vsock()
		    s.connect((2, 51000))
		    return l.accept()
		old, peer = accepted()
		old.shutdown(socket.SHUT_WR)
		while not int(mask(old, 9000)[0], 0) & select.POLLHUP:
		    pass
		new, again = accepted()
		print(peer == again, old.recv(9), error(old.recv, 9))
	END
	[ "$(uniq -c got | tr -s ' ')" = " 2 True b'hi' ok" ]
}

@test "gateway: one that is killed resets its connections, but for what has ended before" {
	for types in STREAM SEQPACKET; do
		GATEWAY=$gateway dial <<-END
			import signal, subprocess, sys, threading
			exec(open(os.environ['ROOT'] + '/tests/prog/libc.py').read())
			def connected(port, blocking=True):
			    s = vsock()
			    s.connect((2, port))
			    s.setblocking(blocking)
			    return s
			def accepted(l):
			    connected(51000)
			    return l.accept()[0]
			def lines(s):
			    print(error(s.recv, 9), *mask(s), error(s.recv, 9), so_error(s), so_error(s), *mask(s), error(s.send, b'x'))
			def waiting(call):
			    said = []
			    t = threading.Thread(target=lambda: said.extend((error(call), error(call))))
			    t.start()
			    until_asleep(t)
			    return t, said
			def asked(ep, s=9):
			    return [hex(e) for fd, e in ep.poll(s)]
			l, near = vsock(), vsock()
			l.bind((socket.VMADDR_CID_ANY, 51000))
			l.listen()
			near.bind((socket.VMADDR_CID_ANY, 51001))
			near.listen()
			ended, half = connected(5), connected(8)
			half.send(b'x')
			for s in ended, half:
			    while not int(mask(s, 9000)[0], 0) & 0x2000:
			        pass
			own = vsock()
			own.connect((1, 51001))
			there = near.accept()[0]
			some = connected(1), connected(1, False), accepted(l), accepted(l)
			for s in some[1:]:
			    s.setblocking(False)
			some[0].send(b'unread')
			for s in some[0], some[2], some[3]:
			    while not int(mask(s, 9000)[0], 0) & select.POLLIN:
			        pass
			sender, polled, selected, shut, inherited = [connected(1) for _ in range(5)]
			twin = accepted(l)
			lt, et = select.epoll(), select.epoll()
			lt.register(polled, select.EPOLLIN)
			et.register(polled, select.EPOLLIN | select.EPOLLOUT | select.EPOLLET)
			et.poll(9)
			shut.shutdown(socket.SHUT_RD)
			blocked = accepted(l)
			assert blocked.recv(9) == b'hi'
			waiters = [waiting(lambda: blocked.recv(9))]
			full = connected(9, False)
			while error(full.send, b'x') != 'EAGAIN':
			    pass
			full.setblocking(True)
			waiters.append(waiting(lambda: full.send(b'x')))
			os.killpg(int(os.environ['GATEWAY']), signal.SIGKILL)
			for t, said in waiters:
			    t.join()
			    print('blocked', *said)
			for s in some + (sender, selected, shut, inherited, twin):
			    while not int((mask(s, 9000) or ['0'])[0], 0) & 0x200a:
			        pass
			print('ended', ended.recv(9), ended.recv(9), error(ended.send, b'x'), so_error(ended))
			print('half', half.recv(9), half.recv(9))
			print('client', *mask(some[0]), some[0].recv(9), end=' ')
			lines(some[0])
			print('not blocking', end=' ')
			lines(some[1])
			print('accepted', some[2].recv(9), end=' ')
			lines(some[2])
			print('names', some[0].getpeername(), some[2].getpeername(), error(some[0].connect, (2, 1)))
			print('sender', error(sender.send, b'x'), error(sender.send, b'x'))
			print('epoll', asked(lt), asked(et), asked(lt), so_error(polled), asked(lt, 0))
			print('select', [len(n) for n in select.select([selected], [selected], [], 9)], so_error(selected))
			while (said := error(shut.send, b'x')) == 1: # its mask does not tell
			    pass
			print('shut', shut.recv(9), said)
			child = """
			import os, socket, sys
			s, t = [socket.socket(fileno=int(a)) for a in sys.argv[1:]]
			print(s.getsockname()[1] > 0, t.recv(9), end=' ')
			for s in s, t:
			    try:
			        print(s.recv(9), end=' ')
			    except OSError as e:
			        print(e.errno, end=' ')
			"""
			print('inherited', subprocess.run([sys.executable, '-c', child, str(inherited.fileno()), str(twin.fileno())],
			                     pass_fds=[inherited.fileno(), twin.fileno()], stdout=subprocess.PIPE, text=True).stdout.strip())
			there.send(b'x')
			there.close()
			print('own', own.recv(9), own.recv(9))
			while (said := error(connected, 1)) == 'ECONNRESET': # it is not quite dead
			    pass
			print(said)
		END
		wait "$gateway" || true
		start_gateway
	done >got
	cat >want <<-'END'
		blocked ECONNRESET ENOTCONN
		blocked ECONNRESET ENOTCONN
		ended b'bye' b'' EPIPE none
		half b'bye' b''
		client 0x2005 b'unread' ECONNRESET 0xc ENOTCONN ECONNRESET none 0x4 ENOTCONN
		not blocking ENOTCONN 0xc ENOTCONN ECONNRESET none 0x4 ENOTCONN
		accepted b'hi' ENOTCONN 0xc ENOTCONN ECONNRESET none 0x4 ENOTCONN
		names (2, 1) (2, 77) EISCONN
		sender ECONNRESET ENOTCONN
		epoll ['0x8'] ['0xc'] ['0x8'] ECONNRESET []
		select [1, 1, 0] ECONNRESET
		shut b'' EPIPE
		inherited True b'hi' 104 104
		own b'x' b''
		ENODEV
	END
	same got <(twice want)
}
