#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Python's socket and asyncio modules, as Debian ships them.

load helpers

@test "python: asyncio serves 20 clients with 300 kB each at once" {
	local echo=("$PYTHON" "$ROOT/tests/prog/asyncio_echo.py" vsock 20 300000)
	fails_without_preload "${echo[@]}"
	run -0 shim "${echo[@]}"
	[ "$output" = "20 of 20 echoes are right" ]
}

@test "python: asyncio sees a refused connection as ConnectionResetError" {
	cat >t.py <<-END
		import asyncio, socket
		async def dial(cid):
		    s = socket.socket(socket.AF_VSOCK)
		    s.setblocking(False)
		    try:
		        await asyncio.get_running_loop().sock_connect(s, (cid, 9999))
		    except OSError as e:
		        print(type(e).__name__, e.errno)
		async def main():
		    await dial(1)
		    await dial(77)
		asyncio.run(main())
	END
	fails_without_preload "$PYTHON" t.py
	shim "$PYTHON" t.py >got
	same got - <<-END
		ConnectionResetError 104
		OSError 19
	END
}

@test "python: blocking sockets tell both addresses and carry data both ways" {
	cat >server.py <<-END
		import socket
		s = socket.socket(socket.AF_VSOCK)
		s.bind((socket.VMADDR_CID_ANY, 1234))
		s.listen(1)
		c, peer = s.accept()
		print('server', s.getsockname(), c.getsockname(), peer == c.getpeername(), peer[0])
		print('server got', c.recv(100), c.send(b'pong'), c.recv(100))
		print('server port', peer[1])
	END
	cat >client.py <<-END
		import socket
		c = socket.socket(socket.AF_VSOCK)
		print('client', c.getsockname())
		c.connect((2, 1234))
		print('client', c.getpeername(), c.getsockname()[0])
		print('client got', c.send(b'ping'), c.recv(100))
		print('client port', c.getsockname()[1])
	END
	fails_without_preload "$PYTHON" server.py
	fails_without_preload "$PYTHON" client.py
	start shim "$PYTHON" -u server.py >server.got
	wait_listen 2:1234
	shim "$PYTHON" client.py >client.got
	wait "$pid"
	same <(grep -v port client.got) - <<-END
		client (4294967295, 4294967295)
		client (2, 1234) 4294967295
		client got 4 b'pong'
	END
	same <(grep -v port server.got) - <<-END
		server (4294967295, 1234) (2, 1234) True 1
		server got b'ping' 4 b''
	END
	[ "$(sed -n 's/.*port //p' server.got)" = "$(sed -n 's/.*port //p' client.got)" ]
}

@test "python: a non-blocking connect is in progress, then writable, then connected" {
	cat >t.py <<-END
		import errno, select, socket
		s = socket.socket(socket.AF_VSOCK)
		s.bind((1, 1234))
		s.listen(1)
		c = socket.socket(socket.AF_VSOCK)
		c.setblocking(False)
		print(errno.errorcode[c.connect_ex((1, 1234))])
		print(select.select([], [c], [], 10)[1] == [c])
		print(c.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
		print(errno.errorcode[c.connect_ex((1, 1234))])
		s.setblocking(False)
		a, peer = s.accept()
		try:
		    a.setblocking(False)
		    a.recv(1)
		except BlockingIOError:
		    print('nothing to read')
		try:
		    s.accept()
		except BlockingIOError:
		    print('nobody to accept')
		print(a.send(b'x'), select.select([c], [], [], 10)[0] == [c], c.recv(9))
	END
	fails_without_preload "$PYTHON" t.py
	shim "$PYTHON" t.py >got
	same got - <<-END
		EINPROGRESS
		True
		0
		EISCONN
		nothing to read
		nobody to accept
		1 True b'x'
	END
}

@test "python: a refused non-blocking connect shows ERR and OUT and its error once" {
	py >got <<-END
		import errno, select, socket
		c = socket.socket(socket.AF_VSOCK)
		c.setblocking(False)
		print(errno.errorcode[c.connect_ex((1, 9999))])
		p = select.poll()
		p.register(c, select.POLLIN | select.POLLOUT)
		print(p.poll(10000)[0][1] == select.POLLERR | select.POLLOUT)
		print([c.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) for _ in (1, 2)])
		print(errno.errorcode[c.connect_ex((1, 9999))])
	END
	same got - <<-END
		EINPROGRESS
		True
		[104, 0]
		EALREADY
	END
}

@test "python: a socket with a timeout connects, accepts, and times out reading" {
	cat >t.py <<-END
		import socket, time
		s = socket.socket(socket.AF_VSOCK)
		s.bind((socket.VMADDR_CID_ANY, socket.VMADDR_PORT_ANY))
		s.listen(1)
		s.settimeout(0.2)
		c = socket.socket(socket.AF_VSOCK)
		c.settimeout(0.2)
		def times_out(call):
		    start = time.monotonic()
		    try:
		        call()
		    except TimeoutError as e:
		        print(e, 0.2 <= time.monotonic() - start < 20)
		times_out(s.accept)
		c.connect((1, s.getsockname()[1]))
		times_out(lambda: c.recv(1))
		print(s.accept()[1] == (1, c.getsockname()[1]))
	END
	fails_without_preload "$PYTHON" t.py
	shim "$PYTHON" t.py >got
	same got - <<-END
		timed out True
		timed out True
		True
	END
}

@test "python: refused and unknown destinations raise the kernel's errors" {
	cat >t.py <<-END
		import socket
		c = socket.socket(socket.AF_VSOCK)
		for cid in 1, 77, 1, 0:
		    try:
		        c.connect((cid, 9999))
		    except OSError as e:
		        print(repr(e))
	END
	fails_without_preload "$PYTHON" t.py
	shim "$PYTHON" t.py >got
	same got - <<-END
		ConnectionResetError(104, 'Connection reset by peer')
		OSError(19, 'No such device')
		ConnectionResetError(104, 'Connection reset by peer')
		OSError(19, 'No such device')
	END
}

@test "python: the local CID is read from /dev/vsock" {
	cat >t.py <<-END
		import fcntl, struct
		with open('/dev/vsock', 'rb') as f:
		    print(struct.unpack('I', fcntl.ioctl(f, 0x7b9, bytes(4)))[0])
	END
	run ! guard "$PYTHON" t.py
	[ "$(shim "$PYTHON" t.py)" = 2 ]
	[ "$(shim CID=42 "$PYTHON" t.py)" = 42 ]
}

@test "python: CPython's own tests of vsock pass on a guest, none is skipped" {
	for tests in 'unittest -v test.test_socket.BasicVSOCKTest test.test_socket.ThreadedVSOCKSocketStreamTest' \
		'test -v test_socket -m *VSOCK*'; do
		read -ra command <<<"$tests"
		run -0 shim CID=3 TMPDIR="$PWD" "$PYTHON" -m "${command[@]}"
		[[ $output == *$'\nRan 5 tests in '*$'s\n\nOK'* ]]
		[[ $output != *skipped* ]]
	done
}

@test "python: a listener with a backlog of 5 holds 6 of 30 clients and resets the others" {
	cat >t.py <<-END
		import collections, errno, select, socket
		def client(blocking):
		    c = socket.socket(socket.AF_VSOCK)
		    c.setblocking(blocking)
		    error = c.connect_ex((1, 1234))
		    if error == errno.EINPROGRESS:
		        select.select([], [c], [])
		        error = c.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
		    return error, c
		s = socket.socket(socket.AF_VSOCK)
		s.bind((socket.VMADDR_CID_ANY, 1234))
		s.listen(5)
		for blocking in True, False:
		    clients = [client(blocking) for _ in range(30)]
		    print(collections.Counter(errno.errorcode.get(e, 'held') for e, c in clients))
		    for e, c in clients:
		        if not e:
		            a, peer = s.accept()
		            print(c.send(b'x'), a.recv(9), peer == (1, c.getsockname()[1]))
	END
	fails_without_preload "$PYTHON" t.py
	shim "$PYTHON" t.py >got
	{
		echo "Counter({'ECONNRESET': 24, 'held': 6})"
		printf "1 b'x' True\n%.0s" {1..6}
	} >once
	cat once once | same got -
}

@test "python: a socket object is made of a descriptor alone" {
	cat >t.py <<-END
		import os, socket
		for kind in socket.SOCK_STREAM, socket.SOCK_SEQPACKET:
		    s = socket.socket(socket.AF_VSOCK, kind)
		    s.bind((1, socket.VMADDR_PORT_ANY))
		    s.listen(1)
		    c = socket.socket(socket.AF_VSOCK, kind)
		    c.connect(s.getsockname())
		    for s in s, c, s.accept()[0]:
		        t = socket.socket(fileno=os.dup(s.fileno()))
		        print(t.family.name, t.type.name, t.proto, t.getsockname() == s.getsockname())
	END
	fails_without_preload "$PYTHON" t.py
	shim "$PYTHON" t.py >got
	for kind in SOCK_STREAM SOCK_SEQPACKET; do
		printf "AF_VSOCK $kind 0 True\n%.0s" 1 2 3
	done | same got -
}

@test "python: socketserver serves several clients at a time" {
	cat >server.py <<-END
		import socket, socketserver
		class Handler(socketserver.StreamRequestHandler):
		    def handle(self):
		        for line in self.rfile:
		            self.wfile.write(b'%d %b' % (self.client_address[0], line.upper()))
		class Server(socketserver.ThreadingTCPServer):
		    address_family = socket.AF_VSOCK
		Server((socket.VMADDR_CID_ANY, 1234), Handler).serve_forever()
	END
	fails_without_preload "$PYTHON" server.py
	start shim "$PYTHON" server.py
	wait_listen 2:1234
	py >got <<-END
		import socket
		clients = [socket.socket(socket.AF_VSOCK) for _ in range(3)]
		for c in clients:
		    c.connect((1, 1234))
		for c in reversed(clients):
		    c.send(b'hello\n')
		    print(c.makefile('rb').readline())
	END
	printf "b'1 HELLO\\\\n'\n%.0s" 1 2 3 | same got -
}

@test "python: http.server serves a directory" {
	mkdir www
	head -c 1M /dev/urandom >www/file
	cat >server.py <<-END
		import http.server, socket, sys
		class Server(http.server.ThreadingHTTPServer):
		    address_family = socket.AF_VSOCK
		    def server_bind(self): # its own looks up the name of a host
		        self.socket.bind(self.server_address)
		        self.server_name, self.server_port = self.socket.getsockname()
		def handler(*args):
		    http.server.SimpleHTTPRequestHandler(*args, directory='www')
		Server((socket.VMADDR_CID_ANY, 1234), handler).serve_forever()
	END
	fails_without_preload "$PYTHON" server.py
	start shim "$PYTHON" server.py 2>server.log
	wait_listen 2:1234
	py >got <<-END
		import http.client, socket
		class Connection(http.client.HTTPConnection):
		    def connect(self):
		        self.sock = socket.socket(socket.AF_VSOCK)
		        self.sock.connect((1, 1234))
		c = Connection('vm')
		for path in '/file', '/none':
		    c.request('GET', path)
		    r = c.getresponse()
		    print(r.status, r.read() == open('www/file', 'rb').read())
	END
	same got - <<-END
		200 True
		404 False
	END
	grep '^1 .*"GET /file HTTP/1.1" 200 -$' server.log
}
