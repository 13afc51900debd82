#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Threads, forks and signal handlers in a program that uses vsock.

load helpers

@test "a thread that is blocked in accept, connect or recv stops nobody else" {
	py CID=3 >got <<-END
		import ctypes, socket, struct, threading
		def vsock(port=None):
		    s = socket.socket(socket.AF_VSOCK)
		    if port:
		        s.bind((1, port))
		        s.listen(1)
		    return s
		def swallow(call, *args):
		    try:
		        call(*args)
		    except OSError:
		        pass
		idle = vsock(1111)
		silent, reader = vsock(), vsock()
		tv = struct.pack('ll', 50, 0) # SO_VM_SOCKETS_CONNECT_TIMEOUT
		assert ctypes.CDLL(None).setsockopt(silent.fileno(), socket.AF_VSOCK, 6, tv, 16) == 0
		reader.connect((1, 1111))
		quiet, peer = idle.accept()
		blocked = [threading.Thread(target=swallow, args=args, daemon=True) for args in (
		    (idle.accept,), (silent.connect, (9, 1)), (reader.recv, 1))]
		for t in blocked:
		    t.start()
		for i in range(200):
		    s, c = vsock(1234), vsock()
		    c.connect((1, 1234))
		    a, peer = s.accept()
		    assert a.send(b'x') == 1 and c.recv(1) == b'x'
		    for x in a, c, s:
		        x.close()
		print([t.is_alive() for t in blocked])
	END
	[ "$(cat got)" = "[True, True, True]" ]
}

@test "a child that is forked amid other threads' calls can use vsock" {
	py >got <<-END
		import os, socket, threading
		stop = False
		def exchange():
		    s, c = (socket.socket(socket.AF_VSOCK) for _ in range(2))
		    s.bind((1, socket.VMADDR_PORT_ANY))
		    s.listen(1)
		    c.connect(s.getsockname())
		    s.accept()[0].send(b'x')
		    assert c.recv(1) == b'x'
		def churn():
		    while not stop:
		        exchange()
		threads = [threading.Thread(target=churn) for _ in range(3)]
		for t in threads:
		    t.start()
		statuses = set()
		for i in range(60):
		    pid = os.fork()
		    if not pid:
		        exchange()
		        os._exit(7)
		    statuses.add(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
		stop = True
		for t in threads:
		    t.join()
		print(statuses)
	END
	[ "$(cat got)" = "{7}" ]
}

@test "a signal handler may use vsock amid a call of the program's" {
	run -0 shim "$PROG/handler"
	[ "$output" = ok ]
}

@test "fifty processes that bind at once get fifty ports" {
	py >got <<-END
		import os, socket
		ports, answer = os.pipe()
		start, starter = os.pipe()
		end, ender = os.pipe()
		for _ in range(50):
		    if not os.fork():
		        os.close(starter)
		        os.close(ender)
		        os.read(start, 1) # nothing comes: all start at its end
		        s = socket.socket(socket.AF_VSOCK)
		        s.bind((socket.VMADDR_CID_ANY, socket.VMADDR_PORT_ANY))
		        os.write(answer, b'%d\n' % s.getsockname()[1])
		        os.close(answer)
		        os.read(end, 1) # keeps the port until all have one
		        os._exit(0)
		os.close(starter)
		os.close(answer)
		with os.fdopen(ports) as f:
		    print(len(set(f)))
	END
	[ "$(cat got)" = 50 ]
}
