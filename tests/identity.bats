#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# A socket stays what it is, whichever process holds it under whatever number.

load helpers

# echo_server: a preloaded server on port 1234 that gives back what it gets.
echo_server() {
	start py <<-END
		import socket, threading
		s = socket.socket(socket.AF_VSOCK)
		s.bind((socket.VMADDR_CID_ANY, 1234))
		s.listen(20)
		def serve(c):
		    while data := c.recv(65536):
		        c.sendall(data)
		while True:
		    threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
	END
	wait_listen 2:1234
}

@test "a duplicate of a socket is the same socket, also when the first is closed" {
	py >got <<-END
		import fcntl, os, socket
		s = socket.socket(socket.AF_VSOCK)
		s.bind((1, 1234))
		t = socket.socket(fileno=os.dup(s.fileno()))
		s.close()
		t.listen(1)
		c = socket.socket(socket.AF_VSOCK)
		c.bind((1, 7000))
		c.connect((1, 1234))
		d = socket.socket(fileno=fcntl.fcntl(c, fcntl.F_DUPFD_CLOEXEC, 50))
		e = socket.socket(fileno=os.dup2(c.fileno(), 60))
		c.close()
		a, peer = t.accept()
		print(peer, t.getsockname(), a.getsockname())
		for s in d, e:
		    print(s.family.name, s.type.name, s.proto, s.getsockname(), s.getpeername())
		print(e.send(b'x'), a.recv(1))
	END
	same got - <<-END
		(1, 7000) (1, 1234) (1, 1234)
		AF_VSOCK SOCK_STREAM 0 (1, 7000) (1, 1234)
		AF_VSOCK SOCK_STREAM 0 (1, 7000) (1, 1234)
		1 b'x'
	END
}

@test "a listener outlives what its forked children do" {
	py >got <<-END
		import os, socket, sys
		s = socket.socket(socket.AF_VSOCK)
		s.bind((1, 1234))
		s.listen(9)
		path = os.environ['VSOCKSHIM_DIR'] + '/2/1234@1.vsock'
		for ending in ('s.close()', 'os._exit(0)', 'sys.exit(0)', 's.detach(); os.close(fd)',
		               "os.execvp('true', ['true'])", "os.kill(os.getpid(), 9)",
		               "os.dup2(0, fd)", "os.closerange(3, 100)"):
		    pid = os.fork()
		    if not pid:
		        fd = s.fileno()
		        exec(ending)
		        os._exit(0)
		    os.waitpid(pid, 0)
		    c = socket.socket(socket.AF_VSOCK)
		    c.connect((1, 1234))
		    print(os.path.exists(path), s.accept()[0].getsockname(), flush=True)
	END
	same got <(for _ in {1..8}; do echo "True (1, 1234)"; done)
}

@test "a connection outlives a forked child's close, and ends with the last holder" {
	py >got <<-END
		import os, socket
		s = socket.socket(socket.AF_VSOCK)
		s.bind((1, 1234))
		s.listen(9)
		c = socket.socket(socket.AF_VSOCK)
		c.connect((1, 1234))
		a, peer = s.accept()
		r, w = os.pipe()
		pid = os.fork()
		if not pid:
		    os.close(w)
		    os.read(r, 1)
		    print('child', c.getpeername(), c.send(b'from the child'), flush=True)
		    os._exit(0)
		os.close(r)
		c.close()
		a.setblocking(False)
		try:
		    a.recv(1)
		except BlockingIOError:
		    print('still open', flush=True)
		a.setblocking(True)
		os.close(w)
		print(a.recv(100), a.recv(100))
	END
	same got - <<-END
		still open
		child (1, 1234) 14
		b'from the child' b''
	END
}

@test "a program that vfork and exec start has the socket that it inherits" {
	echo_server
	run -0 shim "$PROG/spawns" vfork 1 1234 "$PROG/names" 0
	[[ $output =~ ^"local 4294967295:"[0-9]+" peer 1:1234"$ ]]
}

@test "a program that fork and exec start has the socket that it inherits" {
	echo_server
	run -0 shim "$PROG/spawns" fork 1 1234 "$PROG/names" 0
	[[ $output =~ ^"local 4294967295:"[0-9]+" peer 1:1234"$ ]]
}

@test "a program that posix_spawn starts has the socket that it inherits" {
	echo_server
	run -0 shim "$PROG/spawns" posix_spawn 1 1234 "$PROG/names" 0
	[[ $output =~ ^"local 4294967295:"[0-9]+" peer 1:1234"$ ]]
}

@test "a program that takes its parent's place keeps every kind of socket" {
	py >got <<-END
		import os, socket
		fresh, bound, listener, client = (socket.socket(socket.AF_VSOCK) for _ in range(4))
		bound.bind((socket.VMADDR_CID_ANY, 1111))
		listener.bind((1, 1234))
		listener.listen(1)
		client.bind((socket.VMADDR_CID_ANY, 7000))
		client.connect((1, 1234))
		accepted, peer = listener.accept()
		for n, s in enumerate((fresh, bound, listener, client, accepted)):
		    os.dup2(s.fileno(), 20 + n, inheritable=True)
		os.execv('$PROG/names', ['names', '20', '21', '22', '23', '24'])
	END
	same got - <<-END
		local 4294967295:4294967295 peer ENOTCONN
		local 4294967295:1111 peer ENOTCONN
		local 1:1234 peer ENOTCONN
		local 4294967295:7000 peer 1:1234
		local 1:1234 peer 1:7000
	END
}

@test "a listener can be inherited, as by socket activation" {
	cat >child.py <<-END
		import socket
		s = socket.socket(fileno=9)
		print(s.family.name, s.type.name, s.getsockname(), s.getsockopt(1, socket.SO_ACCEPTCONN))
		c, peer = s.accept()
		print(c.getsockname(), peer)
		c.sendall(b'from the child')
	END
	start py >got <<-END
		import os, socket
		s = socket.socket(socket.AF_VSOCK)
		s.bind((socket.VMADDR_CID_ANY, 1234))
		s.listen(1)
		os.dup2(s.fileno(), 9, inheritable=True)
		os.execv('$PYTHON', ['$PYTHON', 'child.py'])
	END
	wait_listen 2:1234
	py >client.got <<-END
		import socket
		c = socket.socket(socket.AF_VSOCK)
		c.bind((1, 7000))
		c.connect((1, 1234))
		print(c.recv(100))
	END
	wait "$pid"
	[ "$(cat client.got)" = "b'from the child'" ]
	same got - <<-END
		AF_VSOCK SOCK_STREAM (4294967295, 1234) 1
		(1, 1234) (1, 7000)
	END
}

@test "sockets that arrive by SCM_RIGHTS are what they were" {
	start py >got <<-END
		import os, socket
		u = socket.socket(socket.AF_UNIX)
		u.bind('new')
		u.listen(1)
		os.rename('new', 'passing')
		fds = socket.recv_fds(u.accept()[0], 1, 9)[1]
		listener, client, accepted, refused, half = (socket.socket(fileno=f) for f in fds)
		print(listener.family.name, listener.getsockname())
		print(client.getsockname(), client.getpeername())
		print(accepted.getsockname(), accepted.getpeername())
		print(accepted.recv(100), accepted.send(b'y'), client.recv(1))
		print([refused.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) for _ in (1, 2)])
		try:
		    half.getpeername()
		except OSError as e:
		    print(e)
		late = socket.socket(socket.AF_VSOCK)
		late.connect((1, 1234))
		print(listener.accept()[1] == (1, late.getsockname()[1]))
	END
	wait_for test -S passing
	py <<-END
		import select, socket
		listener, client, refused, half = (socket.socket(socket.AF_VSOCK) for _ in range(4))
		listener.bind((1, 1234))
		listener.listen(4)
		client.bind((1, 7000))
		client.connect((1, 1234))
		client.send(b'x')
		accepted, peer = listener.accept()
		half.connect((1, 1234))
		half.shutdown(socket.SHUT_WR)
		listener.accept()
		refused.setblocking(False)
		refused.connect_ex((1, 9999))
		select.select([], [refused], [], 5)
		u = socket.socket(socket.AF_UNIX)
		u.connect('passing')
		socket.send_fds(u, [b'x'], [s.fileno() for s in (listener, client, accepted, refused, half)])
	END
	wait "$pid"
	same got - <<-END
		AF_VSOCK (1, 1234)
		(1, 7000) (1, 1234)
		(1, 1234) (1, 7000)
		b'x' 1 b'y'
		[104, 0]
		[Errno 107] Transport endpoint is not connected
		True
	END
}

@test "however a socket is closed, its port is free at once" {
	for way in close fclose close_range closefrom syscall; do
		run -0 shim "$PROG/closes" $way 1234
		[ "$output" = $'old EBADF\nbind ok' ]
	done
}

@test "what takes the number of a vsock socket is no vsock socket" {
	run -0 shim "$PROG/closes" dup2 1234
	[ "$output" = $'old family 2 length 16\nbind ok' ]
	run -0 shim "$PROG/closes" dup3 1234
	[ "$output" = $'old ENOTSOCK\nbind ok' ]
}

@test "a socket that is not closed keeps its port" {
	run -0 shim "$PROG/closes" nothing 1234
	[ "$output" = $'old family 40 length 16\nbind EADDRINUSE' ]
}

@test "a number is reused by TCP, a pipe, a file and vsock again and again" {
	py >got <<-END
		import os, select, socket, tempfile
		def tcp():
		    s = socket.create_server(('127.0.0.1', 0))
		    c = socket.create_connection(s.getsockname())
		    a, peer = s.accept()
		    return c.getpeername() == s.getsockname() and peer == c.getsockname() and s.fileno()
		def vsock():
		    s = socket.socket(socket.AF_VSOCK)
		    s.bind((1, 1234))
		    s.listen(1)
		    c = socket.socket(socket.AF_VSOCK)
		    c.connect((1, 1234))
		    a, peer = s.accept()
		    return c.getpeername() == s.getsockname() and peer[0] == 1 and s.fileno()
		def pipe():
		    r, w = os.pipe()
		    os.close(w)
		    p = select.poll()
		    p.register(r, 0)
		    hup = p.poll(1000) == [(r, select.POLLHUP)] # ours would be masked
		    os.close(r)
		    return hup and r
		def file():
		    with open('got') as f:
		        return f.fileno()
		print({kind() for _ in range(50) for kind in (tcp, vsock, pipe, file)} == {file()})
	END
	[ "$(cat got)" = True ]
}

@test "a port whose holder was killed is free again, also before somebody asks" {
	start py <<-END
		import socket
		s = socket.socket(socket.AF_VSOCK)
		s.bind((1, 1234))
		s.listen(1)
		s.accept()
	END
	wait_listen 2:1234
	kill -KILL "$pid"
	wait "$pid" || true
	test -S v/2/1234@1.vsock # stale
	py >got <<-END
		import socket
		s, c = (socket.socket(socket.AF_VSOCK) for _ in range(2))
		try:
		    c.connect((1, 1234))
		except OSError as e:
		    print(e)
		s.bind((socket.VMADDR_CID_ANY, 1234))
		s.listen(1)
		c.connect((1, 1234))
		print(s.accept()[0].getsockname())
	END
	same got - <<-END
		[Errno 104] Connection reset by peer
		(1, 1234)
	END
	[ ! -e v/2/1234@1.vsock ]
}

@test "nothing is left of the sockets that a program closed" {
	py <<-END
		import socket
		for cid in 1, 2, socket.VMADDR_CID_ANY:
		    for port in 1234, socket.VMADDR_PORT_ANY:
		        s = socket.socket(socket.AF_VSOCK)
		        s.bind((cid, port))
		        s.listen(1)
		        c = socket.socket(socket.AF_VSOCK)
		        c.bind((1, 7000))
		        c.connect((cid if cid < 3 else 1, s.getsockname()[1]))
		        a, peer = s.accept()
		        for x in a, c, s:
		            x.close()
	END
	[ "$(ls v/2)" = ports ]
}

@test "an accepted connection outlives its listener, whose port is free" {
	py >got <<-END
		import socket
		def listener():
		    s = socket.socket(socket.AF_VSOCK)
		    s.bind((1, 1234))
		    s.listen(1)
		    return s
		s = listener()
		c = socket.socket(socket.AF_VSOCK)
		c.connect((1, 1234))
		a, peer = s.accept()
		s.close()
		t = listener()
		print(a.getsockname(), a.getpeername()[0], c.send(b'x'), a.recv(1))
	END
	[ "$(cat got)" = "(1, 1234) 1 1 b'x'" ]
}

@test "a program may make sockets for ever: nothing grows, nothing is left" {
	py >got <<-END
		import os, socket
		def use():
		    s, c = (socket.socket(socket.AF_VSOCK) for _ in range(2))
		    s.bind((1, socket.VMADDR_PORT_ANY))
		    s.listen(1)
		    s.setsockopt(socket.AF_VSOCK, 0, 100000)
		    c.setsockopt(socket.AF_VSOCK, 0, 100000)
		    c.connect(s.getsockname())
		    a, peer = s.accept()
		    a.setsockopt(socket.AF_VSOCK, 0, 200000)
		    for x in s, c, a:
		        os.close(x.detach())
		def measure():
		    with open('/proc/self/statm') as f:
		        return int(f.read().split()[1]), len(os.listdir('/proc/self/fd'))
		for _ in range(2000):
		    use()
		pages, fds = measure()
		for _ in range(5000):
		    use()
		more, fds2 = measure()
		print(more - pages < 50 or more - pages, fds2 - fds)
	END
	[ "$(cat got)" = "True 0" ]
	[ "$(ls v/2)" = ports ]
}
