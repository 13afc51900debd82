#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Python's other event loops, as Debian ships them.

load helpers

# What each of them says of 20 clients that talk to one server at once, and of a
# client that finds nobody.
readonly RIGHT='20 of 20 echoes are right
ConnectionResetError 104'

@test "trio: serves 20 clients with 300 kB each at once" {
	cat >t.py <<-END
		import os, trio
		from trio import socket
		async def send(s, data):
		    while data:
		        data = data[await s.send(data):]
		async def receive(s):
		    while data := await s.recv(65536):
		        yield data
		async def echo(s):
		    async for data in receive(s):
		        await send(s, data)
		    s.close()
		async def client(results):
		    s = socket.socket(socket.AF_VSOCK)
		    await s.connect((1, 1234))
		    data = os.urandom(300000)
		    async def say():
		        await send(s, data)
		        s.shutdown(socket.SHUT_WR)
		    async with trio.open_nursery() as nursery:
		        nursery.start_soon(say)
		        answer = b''.join([part async for part in receive(s)])
		    results.append(answer == data)
		async def main():
		    listener = socket.socket(socket.AF_VSOCK)
		    await listener.bind((socket.VMADDR_CID_ANY, 1234))
		    listener.listen(20)
		    results = []
		    async with trio.open_nursery() as nursery:
		        for _ in range(20):
		            nursery.start_soon(client, results)
		        for _ in range(20):
		            nursery.start_soon(echo, (await listener.accept())[0])
		    print(sum(results), 'of', len(results), 'echoes are right')
		    try:
		        await socket.socket(socket.AF_VSOCK).connect((1, 9999))
		    except OSError as e:
		        print(type(e).__name__, e.errno)
		trio.run(main)
	END
	fails_without_preload "$PYTHON" t.py
	shim "$PYTHON" t.py >got
	same got - <<<"$RIGHT"
}

# green PATCH: a program of threads, which the statement makes green ones.
green() {
	cat >t.py <<-END
		$1
		import os, socket, threading
		def echo(s):
		    while data := s.recv(65536):
		        s.sendall(data)
		    s.close()
		def client(results):
		    s = socket.socket(socket.AF_VSOCK)
		    s.connect((1, 1234))
		    data = os.urandom(300000)
		    def say():
		        s.sendall(data)
		        s.shutdown(socket.SHUT_WR)
		    threading.Thread(target=say).start()
		    results.append(s.makefile('rb').read() == data)
		listener = socket.socket(socket.AF_VSOCK)
		listener.bind((socket.VMADDR_CID_ANY, 1234))
		listener.listen(20)
		results = []
		clients = [threading.Thread(target=client, args=(results,)) for _ in range(20)]
		for c in clients:
		    c.start()
		for c in clients:
		    threading.Thread(target=echo, args=(listener.accept()[0],)).start()
		for c in clients:
		    c.join()
		print(sum(results), 'of', len(results), 'echoes are right')
		try:
		    socket.socket(socket.AF_VSOCK).connect((1, 9999))
		except OSError as e:
		    print(type(e).__name__, e.errno)
	END
	fails_without_preload "$PYTHON" t.py
	shim "$PYTHON" t.py >got
	same got - <<<"$RIGHT"
}

@test "gevent: serves 20 clients with 300 kB each at once" {
	green 'from gevent import monkey; monkey.patch_all()'
}

@test "eventlet: serves 20 clients with 300 kB each at once" {
	green 'import eventlet; eventlet.monkey_patch()'
}

@test "uvloop: wants TCP of every stream, and is told that there is none" {
	cat >t.py <<-END
		import asyncio, socket, uvloop
		async def main():
		    s = socket.socket(socket.AF_VSOCK)
		    s.bind((socket.VMADDR_CID_ANY, 1234))
		    s.listen(1)
		    c = socket.socket(socket.AF_VSOCK)
		    c.connect((1, 1234))
		    await asyncio.open_connection(sock=c)
		uvloop.install()
		asyncio.run(main())
	END
	fails_without_preload "$PYTHON" t.py
	run -1 shim "$PYTHON" t.py
	[[ $output == *$'\nOSError: [Errno 92] Protocol not available' ]]
}
