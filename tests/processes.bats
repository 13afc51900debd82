#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Daemons, jails, and programs in between that have no preload.

load helpers

# What a client of port 1234 is told.
client() {
	py <<-END
		import socket
		c = socket.socket(socket.AF_VSOCK)
		c.connect((1, 1234))
		print(c.recv(100).decode(), end='')
	END
}

# What a server in Python begins with: a daemon has no teardown.
serve='
import ctypes, os, signal, socket, sys
signal.alarm(50)
def listener(port=1234):
    s = socket.socket(socket.AF_VSOCK)
    s.bind((socket.VMADDR_CID_ANY, port))
    s.listen(5)
    return s
def serve_one(s, text):
    c, peer = s.accept()
    c.sendall(f"{text}, {c.getsockname()}, {peer[0]} {c.getpeername() == peer}\n".encode())
    c.close()
'

@test "a daemon serves the socket that its first process made" {
	py <<-END
		$serve
		s = listener()
		with open('first', 'w') as f:
		    f.write(str(os.getpid()))
		if ctypes.CDLL(None).daemon(1, 0):
		    raise OSError('daemon')
		serve_one(s, 'daemon %d' % (os.getpid() != int(open('first').read())))
		s.close()
		open('ended', 'w').close()
	END
	[ -S v/2/1234.vsock ]
	[ "$(client)" = "daemon 1, (1, 1234), 1 True" ]
	wait_for test -e ended
	[ ! -e v/2/1234.vsock ]
}

@test "a grandchild serves on when its parents have exited, and then its port is free" {
	py <<-END
		$serve
		s = listener()
		if os.fork():
		    sys.exit()
		os.setsid()
		if os.fork():
		    sys.exit()
		null = os.open('/dev/null', os.O_RDWR)
		for fd in 0, 1, 2:
		    os.dup2(null, fd)
		os.chdir('/')
		serve_one(s, 'grandchild')
		serve_one(s, 'again')
	END
	[ "$(client)" = "grandchild, (1, 1234), 1 True" ]
	[ "$(client)" = "again, (1, 1234), 1 True" ]
	py <<-END
		$serve
		import errno, time
		for _ in range(3000): # until the last process has gone
		    try:
		        listener()
		        break
		    except OSError as e:
		        assert e.errno == errno.EADDRINUSE, e
		        time.sleep(0.01)
		else:
		    sys.exit('somebody still has it')
	END
}

@test "sockets come back from programs that have no preload as they were" {
	cat >plain.py <<-END
		import os, socket, sys
		here = socket.socket(fileno=7)
		fds = socket.recv_fds(here, 1, 9)[1]
		s = [socket.socket(fileno=f) for f in fds]
		s[1].send(b'from the plain one')
		socket.send_fds(here, [x.family.name.encode()  for x in s], fds)
	END
	py >got <<-END
		$serve
		s = listener()
		c = socket.socket(socket.AF_VSOCK)
		c.bind((1, 7000))
		c.connect((1, 1234))
		a, peer = s.accept()
		fresh = socket.socket(socket.AF_VSOCK)
		here, there = socket.socketpair()
		if not os.fork():
		    os.dup2(there.fileno(), 7, inheritable=True)
		    os.execve('$PYTHON', ['$PYTHON', 'plain.py'], {})
		socket.send_fds(here, [b'x'], [x.fileno() for x in (s, c, a, fresh)])
		for x in s, c, a, fresh:
		    x.close()
		families, fds, flags, address = socket.recv_fds(here, 100, 9)
		print(families)
		s, c, a, fresh = (socket.socket(fileno=f) for f in fds)
		print(s.getsockname(), c.getsockname(), c.getpeername(), a.getpeername(), fresh.getsockname())
		print(a.recv(100), fresh.connect_ex((1, 1234)), s.accept()[1] == (1, fresh.getsockname()[1]))
	END
	same got - <<-END
		b'AF_UNIXAF_UNIXAF_UNIXAF_UNIX'
		(4294967295, 1234) (1, 7000) (1, 1234) (1, 7000) (4294967295, 4294967295)
		b'from the plain one' 0 True
	END
}

@test "sockets pass through a program in between that has no preload, by exec" {
	py >got <<-END
		$serve
		s = listener()
		c = socket.socket(socket.AF_VSOCK)
		c.bind((1, 7000))
		c.connect((1, 1234))
		os.dup2(s.fileno(), 8, inheritable=True)
		os.dup2(c.fileno(), 9, inheritable=True)
		os.environ['LATER'] = os.environ.pop('LD_PRELOAD')
		os.execv('/bin/sh', ['sh', '-c', 'LD_PRELOAD=\$LATER exec "\$0" 8 9', '$PROG/names'])
	END
	same got - <<-END
		local 4294967295:1234 peer ENOTCONN
		local 1:7000 peer 1:1234
	END
}

@test "in a jail a program keeps the sockets that it has, and makes none that are half" {
	requires_root
	mkdir jail
	start py >got 2>err.log <<-END
		$serve
		s = listener()
		c = socket.socket(socket.AF_VSOCK)
		os.chroot('jail')
		os.chdir('/')
		serve_one(s, 'jailed')
		for call in (lambda: socket.socket(socket.AF_VSOCK).bind((1, 5555)), lambda: c.connect((1, 4321))):
		    try:
		        call()
		        print('done')
		    except OSError as e:
		        print(type(e).__name__, e.errno)
		print(socket.socket(socket.AF_VSOCK).getsockname(), s.getsockname())
		s.close()
	END
	wait_listen 2:1234
	[ "$(client)" = "jailed, (1, 1234), 1 True" ]
	wait "$pid"
	same got - <<-END
		OSError 12
		ConnectionResetError 104
		(4294967295, 4294967295) (4294967295, 1234)
	END
	# what it could not remove is nobody's
	py <<-END
		$serve
		listener()
	END
}

@test "a working directory that changes, or goes, is nothing to sockets" {
	py >got <<-END
		$serve
		os.mkdir('gone')
		os.chdir('gone')
		os.rmdir('../gone')
		s = listener()
		c = socket.socket(socket.AF_VSOCK)
		c.connect((1, 1234))
		os.chdir('/')
		serve_one(s, 'here')
		print(c.recv(100).decode(), end='')
	END
	[ "$(cat got)" = "here, (1, 1234), 1 True" ]
}

@test "programs in two network namespaces meet in one directory" {
	requires_root
	start py <<-END
		$serve
		s = listener()
		while True:
		    serve_one(s, 'outside')
	END
	wait_listen 2:1234
	echo 'import socket
c = socket.socket(socket.AF_VSOCK)
c.connect((1, 1234))
print(c.getpeername(), c.recv(100).decode(), end="")' >client.py
	run -0 shim unshare --net "$PYTHON" client.py
	[ "$output" = "(1, 1234) outside, (1, 1234), 1 True" ]
}
