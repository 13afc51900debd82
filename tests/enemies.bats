#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Who may write to the directory, or connect, and means no good: what he makes is
# refused, or shown for what it is. (Directories that are not to be used:
# badinput.bats; links, and files of others: there and in corners.bats; what says
# nothing or garbage to a gateway: unit/test_bridge.c.)

load helpers

setup() {
	test_setup
	export VSOCKSHIM_CID=3
}

# A directory of many, where machine 3 is root's, and two of its users.
of_many() {
	requires_root
	chmod 755 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/test" .
	chmod 1777 v
	py <<-END
		import socket
		socket.socket(socket.AF_VSOCK).bind((3, 5000))
	END
}

# as USER guard|shim: a Python program from standard input, by that user. (The
# preload is where he may not be.)
as() {
	"$2" "$PYTHON" -u -c "
import errno, os, socket, sys, time
os.setgroups([])
os.setresgid(65534, 65534, 65534)
os.setresuid($1, $1, $1)
ANY = socket.VMADDR_CID_ANY
def unix(type=socket.SOCK_STREAM):
    return socket.socket(socket.AF_UNIX, type)
def vsock(type=socket.SOCK_STREAM):
    return socket.socket(socket.AF_VSOCK, type)
def attempt(call, *args):
    try: print(call(*args))
    except OSError as e: print(errno.errorcode[e.errno])
exec(sys.stdin.read())"
}

@test "in a directory of many, another user's port is in use, also when he is gone" {
	of_many
	start as 65533 guard <<-END
		os.umask(0)
		live, stale = unix(), unix()
		live.bind('v/3/1234.vsock')
		stale.bind('v/3/1235.vsock')
		stale.close()
		# and those that come next
		n = int.from_bytes(open('v/3/ports', 'rb').read(24)[20:], 'little')
		for i in range(5):
		    unix().bind(f'v/3/{(n + i) % 2**32}.vsock')
		os.mkdir('v/3/1236.vsock')
		time.sleep(60)
	END
	wait_for test -e v/3/1236.vsock
	as 65534 shim >got <<-END
		for port in 1234, 1235, 1236:
		    attempt(vsock().bind, (ANY, port))
		attempt(vsock().bind, (ANY, socket.VMADDR_PORT_ANY))
	END
	same got <(printf '%s\n' EADDRINUSE EADDRINUSE EADDRINUSE None)
}

@test "in a directory of many, a port below 1024 is nobody's who may not have it" {
	of_many
	start py <<-END
		import socket, time
		d = socket.socket(socket.AF_VSOCK, socket.SOCK_DGRAM)
		d.bind((socket.VMADDR_CID_ANY, 80))
		l = [socket.socket(socket.AF_VSOCK) for _ in range(2)]
		for s, port in zip(l, (80, 1234)):
		    s.bind((socket.VMADDR_CID_ANY, port))
		    s.listen()
		time.sleep(60)
	END
	start as 65533 guard <<-END
		l = unix(), unix(), unix(socket.SOCK_DGRAM)
		for s, name in zip(l, ('22.vsock', '2345.vsock', '22.dgram')):
		    s.bind('v/3/' + name)
		    os.chmod('v/3/' + name, 0o777)
		l[0].listen()
		l[1].listen()
		open('v/3/enemy', 'w')
		time.sleep(60)
	END
	wait_listen 3:80
	wait_listen 3:1234
	wait_for test -e v/3/enemy
	as 65534 shim >got <<-END
		for port in 80, 1234, 22, 2345:
		    attempt(vsock().connect, (3, port))
		for port in 80, 22:
		    attempt(vsock(socket.SOCK_DGRAM).sendto, b'x', (3, port))
	END
	same got <(printf '%s\n' None None ECONNRESET None 1 EHOSTUNREACH)
}

@test "in a directory of many, who says that he has a port below 1024 is believed if he may" {
	of_many
	start as 65534 shim >got <<-END
		l = vsock()
		l.bind((ANY, 1234))
		l.listen()
		for i in range(4):
		    s, peer = l.accept()
		    print(peer, s.getpeername() == peer)
		    s.close()
	END
	wait_listen 3:1234
	mkdir 7
	chmod 1777 7
	for who in 65533 0; do
		as $who guard <<-END
			for name in '\0vsock1/$who.$$/7/22/3', './7/22.vsock':
			    s = unix()
			    s.bind(name)
			    s.connect('v/3/1234.vsock')
			    s.recv(1)
		END
		rm 7/22.vsock
	done
	ends_with 0
	same got - <<-END
		(2, 4294967295) True
		(2, 4294967295) True
		(7, 22) True
		(7, 22) True
	END
}

@test "in a directory of many, a gateway of another user's is none, but his" {
	of_many
	requires setpriv
	cp "$BUILD/tests/tools/gateway" .
	start guard setpriv --reuid 65533 --regid 65534 --clear-groups ./gateway "$PWD/v" 3 >gateway.out
	wait_for grep -q ready gateway.out
	as 65534 shim >got <<-END
		attempt(vsock().connect, (2, 1))
	END
	as 65533 shim >>got <<-END
		attempt(vsock().connect, (2, 1))
	END
	same got <(printf '%s\n' ENODEV None)
}

@test "in a directory of many, nobody has a port below 1024 by way of a capture" {
	of_many
	start guard "$BUILD/vsockshim" capture -w x.pcapng 2>capture.log
	wait_for grep -q '^vsockshim: capturing' capture.log
	start as 65534 shim >got <<-END
		l = vsock()
		l.bind((ANY, 1234))
		l.listen()
		for i in range(2):
		    s, peer = l.accept()
		    print(peer)
		    s.send(b'x')
	END
	server=$pid
	wait_listen 3:1234
	for who in 65533 0; do
		as $who guard >>said <<-END
			import struct
			for port in 22, 2222:
			    s = unix()
			    s.connect('v/3/gateway')
			    s.send(struct.pack('8s8I2Q', b'\xf5vsock\r\n', 1, 56, 1, 0,
			                       2**32 - 1, port, 3, 1234, 262144, 2000))
			    attempt(s.recv, 1)
			    if $who == 0: break
		END
	done
	wait "$server"
	same got <(printf '%s\n' '(1, 2222)' '(1, 22)')
	same said <(printf '%s\n' ECONNRESET "b'x'" "b'x'")
}

@test "names that no socket can have are a stranger's" {
	start py >got <<-END
		import socket
		l = socket.socket(socket.AF_VSOCK)
		l.bind((socket.VMADDR_CID_ANY, 1234))
		l.listen()
		for i in range(5):
		    s, peer = l.accept()
		    print(peer, s.getpeername() == peer)
	END
	wait_listen 3:1234
	guard "$PYTHON" - <<-END
		import socket
		for cid, port in (0, 5), (2**32 - 1, 5), (7, 2**32 - 1), (2**32, 5), (7, 5):
		    s = socket.socket(socket.AF_UNIX)
		    s.bind(f'\0vsock1/$$/{cid}/{port}/3')
		    s.connect('v/3/1234.vsock')
	END
	ends_with 0
	same got - <<-END
		(2, 4294967295) True
		(2, 4294967295) True
		(2, 4294967295) True
		(2, 4294967295) True
		(7, 5) True
	END
}

@test "what is no socket in a socket's place is nobody's" {
	py >got <<-END
		import errno, os, socket
		ANY = socket.VMADDR_CID_ANY
		def attempt(call, *args):
		    try: print(call(*args))
		    except OSError as e: print(errno.errorcode[e.errno])
		socket.socket(socket.AF_VSOCK).bind((3, 5000))
		open('v/3/1234.vsock', 'w').write('mine')
		os.mkdir('v/3/1235.vsock')
		os.mkfifo('v/3/1236.vsock')
		for port in 1234, 1235, 1236:
		    attempt(socket.socket(socket.AF_VSOCK).connect, (1, port))
		    attempt(socket.socket(socket.AF_VSOCK).bind, (ANY, port))
	END
	same got - <<-END
		ECONNRESET
		EADDRINUSE
		ECONNRESET
		EADDRINUSE
		ECONNRESET
		EADDRINUSE
	END
	[ "$(cat v/3/1234.vsock)" = mine ]
}

@test "what is no directory, or no ports file, in its place is named in one line" {
	echo mine >mine
	for make in 'touch v/3' 'mkdir -p v/3/ports' 'mkdir v/3 && mkfifo v/3/ports' \
		'mkdir v/3 && ln -s /dev/zero v/3/ports' \
		'mkdir v/3 && ln mine v/3/ports' \
		'mkdir v/3 && head -c '{8,100000}' /dev/zero >v/3/ports'; do
		rm -rf v/3
		eval "$make"
		run -97 --separate-stderr py <<-END
			import socket, sys
			try: socket.socket(socket.AF_VSOCK)
			except OSError as e: sys.exit(e.errno)
		END
		# shellcheck disable=SC2154 # bats sets it
		[[ $stderr == "vsockshim: VSOCKSHIM_DIR=$PWD/v: "* ]]
		[[ $stderr != *$'\n'* ]]
	done
	[[ $stderr == *"a machine of another version of vsockshim (remove it when no program uses it);"* ]]
	[ "$(cat mine)" = mine ]
}

@test "clients that say nothing, come without end and go take nobody's place for long" {
	start py >server.log <<-END
		import asyncio, socket
		async def echo(reader, writer):
		    try:
		        while data := await reader.read(9):
		            writer.write(data)
		            await writer.drain()
		    except OSError:
		        pass
		    writer.close()
		async def main():
		    l = socket.socket(socket.AF_VSOCK)
		    l.bind((socket.VMADDR_CID_ANY, 1234))
		    await (await asyncio.start_server(echo, sock=l, backlog=16)).serve_forever()
		asyncio.run(main())
	END
	server=$pid
	wait_listen 3:1234
	start guard "$PYTHON" - <<-END
		import collections, socket
		last = collections.deque(maxlen=100)
		while True:
		    s = socket.socket(socket.AF_UNIX)
		    s.setblocking(False)
		    try: s.connect('v/3/1234.vsock')
		    except BlockingIOError: continue
		    last.append(s)
	END
	py >got <<-END
		import socket, time
		end = time.monotonic() + 30
		made = 0
		while made < 20 and time.monotonic() < end:
		    s = socket.socket(socket.AF_VSOCK)
		    try: s.connect((1, 1234))
		    except ConnectionResetError: continue
		    s.sendall(b'hello')
		    made += s.recv(9) == b'hello'
		    s.close()
		print(made)
	END
	[ "$(cat got)" = 20 ]
	kill -0 "$server"
}
