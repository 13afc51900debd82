#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What hardly any program does, and what hardly any kernel lacks.

load helpers

# rare COMMAND: it prints what standard input says.
rare() {
	shim "$PROG/rare" "$1" >got
	same got -
}

@test "every call that waits says of a vsock socket what poll says" {
	fails_without_preload "$PROG/rare" waits
	rare waits < <(for ready in 0 1; do
		printf "%s $ready\n" poll ppoll select pselect epoll_wait epoll_pwait epoll_pwait2
	done)
}

@test "who waits for what has nothing to show takes no processor time, whichever call it is" {
	VSOCKSHIM_CID=3 rare idle < <(printf '%s 0\n' poll ppoll select pselect epoll_wait \
		epoll_pwait epoll_pwait2)
}

@test "who waits for what has nothing to show waits, also twice and without descriptors" {
	rare again <<-END
		twice 0
		exceptional 0
		bad EBADF
		few 0
		open EMFILE
		freopen EMFILE
	END
}

@test "an error queue is told of once to who asks for edges, until it was read" {
	rare errors <<-END
		send 1
		told 1
		again 0
		queue 0
		read 0
		send 1
		told 1
		again 0
		queue 0
		read 0
		control 1
	END
}

@test "of many error queues in one epoll each is told of" {
	py >got <<-END
		import select, socket
		l = socket.socket(socket.AF_VSOCK)
		l.bind((1, 1234))
		l.listen(50)
		ep, some = select.epoll(), {}
		for _ in range(40):
		    c = socket.socket(socket.AF_VSOCK)
		    c.connect((1, 1234))
		    c.setsockopt(socket.SOL_SOCKET, 60, 1) # SO_ZEROCOPY
		    some[c.fileno()] = c, l.accept()[0]
		    ep.register(c, select.EPOLLPRI)
		for c, _ in some.values():
		    c.send(b'x', 0x4000000) # MSG_ZEROCOPY
		assert select.select([c], [], [], 9)[0] == [c]
		while some:
		    events = ep.poll(9, 7)
		    assert 0 < len(events) <= 7, len(some)
		    for fd, event in events:
		        assert event == select.EPOLLERR
		        some[fd][0].recvmsg(0, 100, socket.MSG_ERRQUEUE)
		        some.pop(fd)[1].close()
		print(select.select([l], [c], [], 0) == ([], [c], []))
	END
	[ "$(cat got)" = True ]
}

@test "every call that receives tells of a peer that died unread as AF_VSOCK does" {
	rare bereaved <<-END
		SO_ERROR 0
		is 0
		recv 2
		recv 0
		recvfrom 2
		recvfrom 0
		recvmsg 2
		recvmsg 0
		recvmmsg 1
		len 2
		recvmmsg 1
		len 0
		readv 2
		readv 0
		preadv2 2
		preadv2 0
		preadv64v2 2
		preadv64v2 0
		__read_chk 2
		__read_chk 0
		sendfile EPIPE
		sendfile64 EPIPE
	END
}

@test "a vsock socket that recvmmsg brings is one, whatever its number was" {
	rare passed <<-END
		sendmsg 0
		recvmmsg 1
		there 1
		family 40
	END
}

@test "a socket of another kind that is inherited has its own errors" {
	py >got <<-END
		import socket, subprocess
		for family in socket.AF_UNIX, socket.AF_INET:
		    s = socket.socket(family)
		    s.setblocking(False)
		    if family == socket.AF_INET: # nobody listens
		        other = socket.socket()
		        other.bind(('127.0.0.1', 0))
		        s.connect_ex(other.getsockname())
		    subprocess.run(['$PROG/rare', 'stranger'], stdin=s, check=True)
	END
	same got - <<-END
		SO_ERROR 0
		is 0
		family 1
		SO_ERROR 0
		is 111
		family 2
	END
}

@test "every call that sends says that the peer has died, also if that wakes it" {
	py >got <<-'END'
		import os, socket, sys, threading, time
		exec(open(os.environ['ROOT'] + '/tests/prog/libc.py').read())
		x = ctypes.create_string_buffer(1)
		vec, msg = ctypes.byref(iov(x)), ctypes.byref(mmsg(x))
		own, one, file = ctypes.c_int64(-1), ctypes.c_size_t(1), os.open(sys.executable, os.O_RDONLY)
		pipe, SOCK = os.pipe(), object()
		os.write(pipe[1], b'x')
		listener = socket.socket(socket.AF_VSOCK)
		listener.bind((1, 1234))
		listener.listen()
		def send(how, args):
		    print(how, call(how, *args))
		def tries(how, *args):
		    c = socket.socket(socket.AF_VSOCK)
		    c.connect((1, 1234))
		    peer = listener.accept()[0]
		    try:
		        while True: c.send(bytes(65536), socket.MSG_DONTWAIT)
		    except BlockingIOError: pass
		    t = threading.Thread(target=send, args=(how, [c.fileno() if a is SOCK else a for a in args]))
		    t.start()
		    end, looks = time.monotonic() + 20, 0
		    while t.is_alive() and looks < 5 and time.monotonic() < end: # until it sleeps; it need not
		        time.sleep(0.01)
		        try:
		            with open(f'/proc/self/task/{t.native_id}/stat') as f:
		                looks = looks + 1 if f.read().rsplit(') ')[1][0] == 'S' else 0
		        except FileNotFoundError: pass
		    peer.close()
		    t.join()
		tries('write', SOCK, b'x', 1)
		tries('writev', SOCK, vec, 1)
		tries('pwritev2', SOCK, vec, 1, own, 0)
		tries('pwritev64v2', SOCK, vec, 1, own, 0)
		tries('send', SOCK, b'x', 1, 0)
		tries('sendto', SOCK, b'x', 1, 0, None, 0)
		tries('sendmsg', SOCK, msg, 0)
		tries('sendmmsg', SOCK, msg, 1, 0)
		tries('sendfile', SOCK, file, None, one)
		tries('sendfile64', SOCK, file, None, one)
		tries('splice', pipe[0], None, SOCK, None, one, 0)
	END
	# A page is queued at once there, whether there is room or not.
	[[ $(uname -r) == 6.1.* ]] || page=EPIPE
	same got <(printf '%s EPIPE\n' write writev pwritev2 pwritev64v2 send sendto sendmsg sendmmsg
		printf "%s ${page-1}\n" sendfile sendfile64 splice)
}

@test "an inherited datagram socket sends at once, whichever call it is by" {
	py >got <<-END
		import socket, subprocess
		s, r = (socket.socket(socket.AF_VSOCK, socket.SOCK_DGRAM) for _ in range(2))
		r.bind((socket.VMADDR_CID_ANY, 1234))
		s.connect((2, 1234))
		for call in 'send', 'writev', 'pwritev2', 'pwritev64v2':
		    subprocess.run(['$PROG/rare', call], stdin=s, check=True)
		    print(r.recv(9), flush=True)
		    if call == 'pwritev2': print(r.recv(9), flush=True)
	END
	same got - <<-END
		send 5
		b'hello'
		writev 5
		b'hello'
		pwritev2 5
		again 5
		b'hello'
		b'hello'
		pwritev64v2 5
		b'hello'
	END
}

@test "a datagram to any CID stays, and one of a plain AF_UNIX program is a stranger's" {
	py CID=3 >got <<-END
		import os, socket
		r = socket.socket(socket.AF_VSOCK, socket.SOCK_DGRAM)
		r.bind((socket.VMADDR_CID_ANY, 1234))
		r.sendto(b'own', (socket.VMADDR_CID_ANY, 1234))
		print(r.recvfrom(9))
		u = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
		u.bind('u')
		u.sendto(b'theirs', 'v/3/1234.dgram')
		print(r.recvfrom(9))
	END
	same got - <<-END
		(b'own', (1, 1234))
		(b'theirs', (2, 4294967295))
	END
}

@test "syscall(2) by the older numbers serves vsock and its device, and leaves others alone" {
	rare numbers <<-END
		accept 1
		family 40
		read 2
		read 0
		openat 1
		openat 1
		open 1
		open 1
		socket 1
		seccomp 0
		socketpair 0
		socketpair EOPNOTSUPP
		getpid 1
		splice EAGAIN
	END
}

@test "/dev/vsock opens by the names that libc's headers use, and into a stream" {
	rare opens <<-END
		__open_2 1
		__open_2 1
		__openat_2 1
		__openat_2 ENOENT
		__openat64_2 1
		__openat64_2 ENOENT
		O_DIRECTORY ENOTDIR
		getsockopt ENOTSOCK
		getsockopt ENOTSOCK
		setsockopt ENOTSOCK
		fstatat EFAULT
		fopen 1
		fopen EINVAL
		freopen 1
		freopen EINVAL
		freopen 1
	END
}

@test "a duplicate is a vsock socket, also by libc's own name and as standard error" {
	rare dups <<-END
		__dup2 50
		family 40
		to itself 1
		family 40
		dup3 50
		to standard error 2
		family 40
	END
}

@test "recvmmsg keeps to its time, and tells what is left of it" {
	[[ $(uname -r) == 6.1.* ]] || nowait=1 # RWF_NOWAIT is for no socket there
	rare messages <<-END
		recvmmsg, no time 1
		recvmmsg, a wrong one EINVAL
		recvmmsg, some 2
		less 1
		recvmmsg, MSG_WAITFORONE 2
		__recvfrom_chk 1
		len 0
		killed by 6
		write ${nowait-EOPNOTSUPP}
		shutdown 0
		send EPIPE
	END
}

@test "SO_MAX_PACING_RATE, where the tag is, is still the program's" {
	rare pace <<-END
		pace ffffffffffffffff ffffffff
		set 0
		pace 3e8 3e8
		set 0
		pace 10000000000 ffffffff
		set 0
		pace ffffffffffffffff ffffffff
		set 0
		pace 4d 4d
		short EINVAL
		timeout 0
		seconds 2
		length EFAULT
	END
}

@test "a program without a machine has sockets that it inherits, and no more" {
	py >got 2>err.log <<-END
		import os, socket, subprocess
		s = socket.socket(socket.AF_VSOCK)
		d = socket.socket(socket.AF_VSOCK, socket.SOCK_DGRAM)
		os.dup2(d.fileno(), 9)
		subprocess.run(['$PROG/rare', 'without-machine'], stdin=s, pass_fds=[9], check=True,
		               env=dict(os.environ, VSOCKSHIM_CID='none'))
	END
	same got - <<-END
		family 40
		bind EADDRNOTAVAIL
		connect ENODEV
		listen EINVAL
		sendto ENODEV
	END
	[ "$(wc -l <err.log)" = 1 ]
}

@test "a buffer size that was inherited is within its limits" {
	py >got <<-END
		import socket, subprocess
		for size in 5000, 1 << 20:
		    s = socket.socket(socket.AF_VSOCK)
		    s.setsockopt(socket.AF_VSOCK, socket.SO_VM_SOCKETS_BUFFER_MAX_SIZE, 1 << 22)
		    s.setsockopt(socket.AF_VSOCK, socket.SO_VM_SOCKETS_BUFFER_SIZE, size)
		    subprocess.run(['$PROG/rare', 'sizes'], stdin=s, check=True)
	END
	same got <(printf '%s\n' '5000 128 262144 ' '1048576 128 1048576 ')
}

@test "an epoll that is inherited with an idle socket shows of it what AF_VSOCK does" {
	py >got <<-END
		import os, select, socket
		s = socket.socket(socket.AF_VSOCK)
		try: s.connect((1, 9999))
		except ConnectionResetError: pass
		e = select.epoll(1)
		e.register(s, select.EPOLLIN)
		r, w = os.pipe()
		for fd in s.fileno(), e.fileno(), r:
		    os.set_inheritable(fd, True)
		os.execv('$PYTHON', ['$PYTHON', '-c', '''
		import select, socket
		s = socket.socket(fileno=%d)
		print(s.family.name)
		# an AF_UNIX socket that is not connected hangs up
		e = select.epoll.fromfd(%d)
		print(e.poll(0.01))
		# the hang-up of a pipe is its own
		e.register(%d, select.EPOLLIN)
		print(*(event for _, event in e.poll(9)))
		''' % (s.fileno(), e.fileno(), r)])
	END
	same got - <<-END
		AF_VSOCK
		[]
		16
	END
}

# on_lesser OPTION...: a Python program, on a kernel that lacks those of SOL_SOCKET.
on_lesser() {
	shim "$BUILD/tests/nosockopt" "$@" "$PYTHON" -u -
}

@test "on a kernel without SO_MAX_PACING_RATE and SO_COOKIE, sockets are what they are, after exec, too" {
	on_lesser 47 57 >got <<-END
		import os, socket, struct, sys
		def linger(): # which Python knows of no vsock socket
		    return struct.unpack('ii', raw.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8))
		l = socket.socket(socket.AF_VSOCK)
		l.bind((socket.VMADDR_CID_ANY, 1234))
		l.listen()
		c = socket.socket(socket.AF_VSOCK)
		try: c.connect((1, 9999))
		except ConnectionResetError: print('reset')
		raw = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, c.fileno())
		print(linger())
		raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 7))
		print(linger())
		raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 0, 9))
		print(linger())
		try: raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'1')
		except OSError as e: print(e.strerror)
		c.connect((1, 1234))
		a, peer = l.accept()
		print(peer[0], c.getpeername())
		c.sendall(b'hello')
		a.shutdown(socket.SHUT_WR)
		a.set_inheritable(True)
		os.execv('$PYTHON', ['$PYTHON', '-c', f'''
		import socket
		a = socket.socket(fileno={a.fileno()})
		print(a.family.name, a.getsockname(), a.recv(9))
		'''])
	END
	same got - <<-END
		reset
		(0, 0)
		(1, 7)
		(0, 7)
		Invalid argument
		1 (1, 1234)
		AF_VSOCK (1, 1234) b'hello'
	END
}

@test "on a kernel that keeps no tag at all there is no vsock, and one line says why" {
	on_lesser 47 13 >got 2>err.log <<-END
		import socket
		try: socket.socket(socket.AF_VSOCK)
		except OSError as e: print(e.strerror)
	END
	[ "$(cat got)" = "Address family not supported by protocol" ]
	[ "$(wc -l <err.log)" = 1 ]
	grep 'needs a kernel that keeps SO_MAX_PACING_RATE' err.log
}
