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
		        print(e, 0.2 <= time.monotonic() - start < 2)
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
