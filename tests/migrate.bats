#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# vsockshim migrate: the machine has another CID, its programs notice what they
# would on a VM that was migrated, and nothing else.

load helpers

# migrate ARGUMENT...: the command, under the guard.
migrate() {
	guard "$BUILD/vsockshim" migrate "$@"
}

ls_rows() {
	guard "$BUILD/vsockshim" ls | sed 1d | tr -s ' ' | sed 's/^ //; s/([0-9]*)//g' | cut -d ' ' -f "$1"
}

# What the programs below begin with.
prelude() {
	cat <<-'END'
		import ctypes, errno, fcntl, os, select, socket, struct, sys
		ANY, STREAM, SEQ = socket.VMADDR_CID_ANY, socket.SOCK_STREAM, socket.SOCK_SEQPACKET
		def vsock(*address, type=STREAM):
		    s = socket.socket(socket.AF_VSOCK, type)
		    if address:
		        s.bind(address)
		    return s
		def listening(*address, type=STREAM):
		    s = vsock(*address, type=type)
		    s.listen()
		    return s
		def connected(*address, type=STREAM):
		    s = vsock(type=type)
		    s.connect(address)
		    return s
		def tries(call, *args):
		    try:
		        return call(*args)
		    except OSError as e:
		        return errno.errorcode[e.errno]
		def mask(s):
		    p = select.poll()
		    p.register(s, 0xffff)
		    return hex(dict(p.poll(0)).get(s.fileno(), 0))
		def events(s):
		    with select.epoll() as p:
		        p.register(s, select.EPOLLIN | select.EPOLLRDHUP)
		        return [hex(e) for _, e in p.poll(0)]
		def own_cid():
		    with open('/dev/vsock') as f:
		        return struct.unpack('I', fcntl.ioctl(f, 0x7b9, b'1234'))[0]
		def error(s):
		    return s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
		def impatient(cid, port):
		    s = vsock()
		    assert ctypes.CDLL(None).setsockopt(s.fileno(), socket.AF_VSOCK, 6, struct.pack('ll', 0, 100000), 16) == 0
		    return tries(s.connect, (cid, port))
		def waits(what):
		    open(what + '.waits', 'w').close()
		    p = select.poll()
		    while not os.path.exists(what):
		        p.poll(20)
	END
}

# program CID NAME: from standard input; what it prints is in NAME.out. It is run
# by the command in $as.
as=()
program() {
	{
		prelude
		cat
	} >"$2.py"
	start shim CID="$1" "${as[@]}" "$PYTHON" -u "$2.py" >"$2.out" 2>"$2.log"
}

@test "a listener answers at the new CID, which its program finds in /dev/vsock" {
	program 3 server <<-'END'
		any, own, one = listening(ANY, 1234), listening(3, 1235), listening(1, 1236)
		print(own_cid())
		waits('moved')
		print(own_cid(), any.getsockname() == (ANY, 1234), own.getsockname(), one.getsockname())
		for s in any, own:
		    c, peer = s.accept()
		    print(peer[0], c.getsockname(), c.recv(10))
		print(vsock(7, 1237).getsockname(), tries(vsock, 3, 1238), tries(vsock, 7, 1235))
		print(connected(7, 1234).getpeername(), connected(1, 1236).getpeername(), impatient(3, 1234))
	END
	wait_for test -e moved.waits
	run -0 migrate 3 7
	[ "$output" = "machine 3 is machine 7; 0 connections reset" ]
	touch moved
	py CID=2 <<-END
		$(prelude)
		for port in 1234, 1235:
		    s = connected(7, port)
		    assert s.getpeername() == (7, port)
		    s.send(b'hello')
		assert tries(connected, 3, 1234) == tries(connected, 9, 1234) == 'ENODEV'
		assert tries(lambda: connected(3, 1234, type=SEQ)) == 'ESOCKTNOSUPPORT'
	END
	py CID=4 <<-END
		$(prelude)
		assert impatient(3, 1234) == impatient(9, 1234) == 'ETIMEDOUT'
	END
	ends_with 0
	same server.out - <<-'END'
		3
		7 True (7, 1235) (1, 1236)
		2 (7, 1234) b'hello'
		2 (7, 1235) b'hello'
		(7, 1237) EADDRNOTAVAIL EADDRINUSE
		(7, 1234) (1, 1236) ETIMEDOUT
	END
}

@test "stock programs go on at the new CID" {
	start shim CID=3 socat -t20 VSOCK-LISTEN:1234,fork EXEC:'tr a-z A-Z'
	wait_listen 3:1234
	migrate 3 7
	run -0 shim CID=2 socat -t20 - VSOCK-CONNECT:7:1234 <<<hello
	[ "$output" = HELLO ]
	run -1 shim CID=2 socat -t20 - VSOCK-CONNECT:3:1234 </dev/null
	[[ $output == *"No such device"* ]]
	run -0 shim CID=4 socat -t20 - VSOCK-CONNECT:7:1234 <<<hello
	[ "$output" = HELLO ]
}

@test "who begins with the old CID is on the machine with the new one" {
	start shim CID=3 socat -u VSOCK-LISTEN:1234 OPEN:got,creat
	wait_listen 3:1234
	migrate 3 7
	py CID=3 <<-END
		$(prelude)
		assert own_cid() == 7
		assert listening(ANY, 2000) and tries(listening, 3, 2001) == 'EADDRNOTAVAIL'
		connected(1, 1234).send(b'mine')
	END
	ends_with 0
	[ "$(cat got)" = mine ]
	[ "$(readlink v/3)" = moved-to-7 ]
	run -0 guard "$BUILD/vsockshim" doctor --cid 3
	[[ $output == *"CID 3: that machine has migrated, and is 7 now"* ]]
	[[ $output == *"CID 7: a guest; "* ]]
	# until the link is removed
	rm v/3
	py CID=3 <<-END
		$(prelude)
		assert own_cid() == 3
	END
}

@test "connections with other machines are reset, those within the machine are not" {
	program 3 guest <<-'END'
		s, q, kept = listening(ANY, 1234), listening(ANY, 1235, type=SEQ), listening(ANY, 1236)
		near = connected(3, 1236)
		far, _ = kept.accept()
		reader, idle = s.accept()[0], s.accept()[0]
		message = q.accept()[0]
		idle.setblocking(False)
		idle.send(b'sent')
		waits('accepted')
		print(tries(reader.recv, 10), mask(reader), tries(reader.recv, 10), error(reader), error(reader), mask(reader))
		print(mask(idle), events(idle), tries(idle.send, b'x'), tries(idle.recv, 10), error(idle), mask(idle), tries(idle.connect, (2, 1)))
		print(mask(message), tries(message.recv, 10), tries(message.send, b'x'), tries(message.recvmsg, 10), tries(os.read, message.fileno(), 10))
		print(idle.getpeername()[0], tries(idle.shutdown, 2), mask(idle))
		near.send(b'kept')
		print(far.recv(10), mask(near))
	END
	wait_listen 3:1236
	program 2 host <<-'END'
		reader, idle, message = connected(3, 1234), connected(3, 1234), connected(3, 1235, type=SEQ)
		idle.send(b'unread')
		idle.setblocking(False)
		waits('ready')
		print(tries(reader.recv, 10), mask(reader), tries(reader.recv, 10), error(reader), reader.recv(10), mask(reader))
		print(mask(idle), events(idle), idle.recv(10), tries(idle.recv, 10), tries(idle.send, b'x'), tries(idle.send, b'x'), error(idle))
		print(mask(message), tries(message.recv, 10), tries(message.send, b'x'), error(message), idle.getpeername())
	END
	wait_for test -e ready.waits
	wait_for test -e accepted.waits
	run -0 migrate 3 7
	[ "$output" = "machine 3 is machine 7; 3 connections reset" ]
	same <(ls_rows 1-3,7 | sed 's/:.*//' | sort | uniq -c | sed 's/^ *//') - <<-'END'
		1 2 seqpacket CLOSING 7
		1 2 stream CLOSING 7
		1 2 stream ESTAB 7
		1 7 seqpacket CLOSING 2
		1 7 seqpacket LISTEN *
		2 7 stream CLOSING 2
		1 7 stream ESTAB 1
		1 7 stream ESTAB 3
		2 7 stream LISTEN *
	END
	[ "$(migrate 7 9)" = "machine 7 is machine 9; 0 connections reset" ]
	touch ready accepted
	ends_with 0
	wait "${pids[0]}"
	same guest.out - <<-'END'
		ECONNRESET 0x10c ENOTCONN 104 0 0x104
		0x10c ['0x8'] ENOTCONN ENOTCONN 104 0x104 EISCONN
		0x10c ECONNRESET ENOTCONN ENOTCONN ENOTCONN
		2 None 0x2051
		b'kept' 0x104
	END
	same host.out - <<-'END'
		ECONNRESET 0x214d ECONNRESET 104 b'' 0x2145
		0x214d ['0x2009'] b'sent' ECONNRESET ECONNRESET EPIPE 0
		0x214d ECONNRESET EPIPE 104 (3, 1234)
	END
}

@test "preloaded itself, it resets them as without" {
	program 3 guest <<-'END'
		c, _ = listening(ANY, 1234).accept()
		c.send(b'sent')
		waits('end')
		print(tries(c.recv, 10), tries(c.recv, 10))
	END
	wait_listen 3:1234
	program 2 host <<-'END'
		c = connected(3, 1234)
		select.select([c], [], [])
		waits('over')
		print(tries(c.recv, 10), tries(c.send, b'x'), tries(c.send, b'x'))
	END
	wait_for test -e over.waits
	run -0 shim "$BUILD/vsockshim" migrate 3 7
	[ "$output" = "machine 3 is machine 7; 1 connection reset" ]
	touch end over
	ends_with 0
	wait "${pids[0]}"
	same guest.out - <<<'ECONNRESET ENOTCONN'
	same host.out - <<<"b'sent' ECONNRESET EPIPE"
}

@test "a call that waits is woken, on both ends" {
	program 3 reader <<-'END'
		c, _ = listening(ANY, 1234).accept()
		open('accepted', 'w').close()
		print(tries(c.recv, 10))
	END
	wait_listen 3:1234
	program 2 poller <<-'END'
		s = connected(3, 1234)
		open('up', 'w').close()
		p = select.epoll()
		p.register(s, select.EPOLLIN | select.EPOLLET)
		print([hex(e) for _, e in p.poll(10)])
	END
	wait_for test -e up
	wait_for test -e accepted
	migrate 3 7
	ends_with 0
	wait "${pids[0]}"
	[ "$(cat reader.out)" = ECONNRESET ]
	[ "$(cat poller.out)" = "['0x9']" ]
}

@test "a machine migrates again, and back" {
	start shim CID=3 socat -t20 VSOCK-LISTEN:1234,fork EXEC:'tr a-z A-Z'
	wait_listen 3:1234
	for move in '3 7' '7 9' '9 3' '3 9'; do
		# shellcheck disable=SC2086 # two words
		migrate $move
		run -0 shim CID=2 socat -t20 - "VSOCK-CONNECT:${move#* }:1234" <<<"$move x"
		[ "$output" = "$move X" ]
		for cid in 3 7 9; do
			[ "$cid" = "${move#* }" ] ||
				run -1 shim CID=2 socat -t20 - "VSOCK-CONNECT:$cid:1234" </dev/null
		done
	done
	py CID=7 <<-END
		$(prelude)
		assert own_cid() == 9
	END
}

@test "a client that is bound shows the new CID, and its name is freed" {
	program 3 client <<-'END'
		bound, datagram = vsock(3, 2000), vsock(ANY, 2001, type=socket.SOCK_DGRAM)
		waits('moved')
		bound.connect((2, 1234))
		datagram.sendto(b'hello', (2, 1235))
		print(bound.getsockname(), bound.recv(10))
		bound.close()
		print(vsock(7, 2000).getsockname())
	END
	wait_for test -e moved.waits
	program 2 host <<-'END'
		d, s = vsock(ANY, 1235, type=socket.SOCK_DGRAM), listening(ANY, 1234)
		c, peer = s.accept()
		print(peer, c.getpeername(), d.recvfrom(10))
		c.send(b'hello')
	END
	wait_listen 2:1234
	migrate 3 7
	touch moved
	ends_with 0
	wait "${pids[0]}"
	[ "$(cat host.out)" = "(7, 2000) (7, 2000) (b'hello', (7, 2001))" ]
	same client.out - <<-'END'
		(7, 2000) b'hello'
		(7, 2000)
	END
}

@test "ls shows the sockets at the new CID" {
	program 3 server <<-'END'
		s, t = listening(ANY, 1234), listening(3, 1235)
		c = connected(1, 1234)
		waits('end')
	END
	wait_for test -e end.waits
	migrate 3 7
	same <(ls_rows 1-3,6- | sed 's/[*]:[0-9]* 1:/*:* 1:/') - <<-'END'
		7 stream LISTEN *:1234 *:* python3
		7 stream LISTEN 7:1235 *:* python3
		7 stream ESTAB *:* 1:1234 python3
	END
}

@test "binds and a migration at once: each port is bound where the machine is" {
	program 3 binder <<-'END'
		held = [vsock(ANY, socket.VMADDR_PORT_ANY)]
		open('up', 'w').close()
		while own_cid() != 9 or len(held) < 50:
		    held.append(vsock(ANY, socket.VMADDR_PORT_ANY))
		    if len(held) > 100:
		        held.pop(0).close()
		for s in held:
		    assert os.path.exists('v/9/%d.vsock' % s.getsockname()[1])
	END
	wait_for test -e up
	for cid in 4 5 6 7 8 9; do
		migrate "$((cid - 1))" "$cid"
	done
	ends_with 0
}

@test "what goes on within the machine as it migrates does not notice" {
	program 3 server <<-'END'
		s = listening(ANY, 1234)
		while True:
		    s.accept()[0].send(b'x')
	END
	wait_listen 3:1234
	program 3 client <<-'END'
		d = vsock(ANY, 1235, type=socket.SOCK_DGRAM)
		open('up', 'w').close()
		while not os.path.exists('end'):
		    for _ in range(20):
		        assert connected(1, 1234).recv(1) == b'x'
		        assert d.sendto(b'x', (1, 1235)) == 1 and d.recv(9) == b'x'
	END
	wait_for test -e up
	for cid in {4..20}; do
		migrate "$((cid - 1))" "$cid"
	done
	touch end
	ends_with 0
}

@test "a connection that ends by itself meanwhile is none that was not reset" {
	program 3 server <<-'END'
		s = listening(ANY, 1234)
		while True:
		    s.accept()
	END
	wait_listen 3:1234
	for client in one two; do
		program 2 $client <<-END
			open('$client.up', 'w').close()
			while not os.path.exists('end'):
			    for cid in 3, 4:
			        tries(connected, cid, 1234)
		END
		wait_for test -e $client.up
	done
	for _ in {1..8}; do
		migrate 3 4
		migrate 4 3
	done
	touch end
	ends_with 0
}

@test "of two migrations at once one is done" {
	py CID=3 <<<'open("/dev/vsock")'
	for cid in 7 8; do
		(migrate 3 "$cid" >"$cid.out" 2>&1 && touch "$cid.done") 3>&- &
		migrations+=($!)
	done
	wait "${migrations[@]}" || true
	[ "$(echo ?.done)" = 7.done ] || [ "$(echo ?.done)" = 8.done ]
	[ "$(find v -mindepth 1 -type d | wc -l)" = 1 ]
	grep -hx "vsockshim: machine 3 has migrated: it is [78]" ./*.out
}

@test "an end that another user holds is not reset, and a line says so" {
	requires_root
	chmod 1777 v
	chmod 755 "$BATS_TEST_TMPDIR"
	program 3 server <<-'END'
		c, _ = listening(ANY, 1234).accept()
		os.setuid(65533)
		open('up', 'w').close()
		print(tries(c.recv, 10))
	END
	chmod 777 .
	wait_listen 3:1234
	as=(setpriv --bounding-set=-all --inh-caps=-all)
	program 2 client <<-'END'
		s = connected(3, 1234)
		waits('moved')
		print(tries(s.recv, 10))
	END
	wait_for test -e up
	wait_for test -e moved.waits
	run -1 guard "${as[@]}" "$BUILD/vsockshim" migrate 3 7
	[[ $output == *"machine 7, port 1234: a connection is not reset there: its process is hidden; that takes the right to trace it, "* ]]
	touch moved
	ends_with 0
	[ "$(cat client.out)" = ECONNRESET ]
	wait "${pids[0]}"
	[ "$(cat server.out)" = "b''" ]
}

@test "what cannot migrate stays, and a line says why" {
	shim CID=3 true
	py CID=3 <<<'open("/dev/vsock")'
	py CID=4 <<<'open("/dev/vsock")'
	for words in '' 3 '3 7 8' '3 2' '1 7' '3 3' '3 x' '3 4294967295' '--no 3 7'; do
		# shellcheck disable=SC2086 # words
		run -2 migrate $words
		[ "${#lines[@]}" -ge 1 ]
	done
	run -1 migrate 3 4
	[ "$output" = "vsockshim: machine 3 cannot become 4: $VSOCKSHIM_DIR/4: File exists; remove that if nothing runs on it" ]
	run -1 migrate 5 7
	[[ $output == "vsockshim: there is no machine 5: "* ]]
	[ ! -e v/5 ]
	run -1 migrate --dir "$PWD/none" 3 7
	[ "$output" = "vsockshim: $PWD/none: No such file or directory" ]
	ln -s nowhere v/8
	run -1 migrate 3 8
	[[ $output == *"/8: File exists; "* ]]
	migrate 3 7
	run -1 migrate 3 9
	[ "$output" = "vsockshim: machine 3 has migrated: it is 7" ]
	start guard "$BUILD/tests/tools/gateway" "$VSOCKSHIM_DIR" 4 >gateway.out
	wait_for grep -q ready gateway.out
	run -1 migrate 4 9
	[[ $output == "vsockshim: machine 4 has a gateway: "* ]]
	[ -d v/4 ] && [ ! -e v/9 ]
	kill -KILL -- "-$pid"
	wait "$pid" || true
	run -0 migrate 4 9
}

@test "while all machines are captured none migrates" {
	py CID=3 <<<'open("/dev/vsock")'
	start guard "$BUILD/vsockshim" capture -w x.pcapng 2>capture.log
	wait_for grep -q '^vsockshim: capturing' capture.log
	run -1 migrate 3 7
	[ "$output" = "vsockshim: $VSOCKSHIM_DIR: a capture of all its machines runs, or another migration; end that first" ]
	[ -d v/3 ]
}

# failing CALL:error=E ARGUMENT...: migrate, whose call fails.
failing() {
	guard strace -qq -o trace -e "trace=${1%%:*}" -e "inject=$1" "$BUILD/vsockshim" migrate "${@:2}"
}

@test "a step that fails leaves the machine where it was, or a line says what is missing" {
	py CID=3 <<<'open("/dev/vsock")'
	run -1 failing flock:error=EIO:when=2 3 7
	[ "$output" = "vsockshim: $VSOCKSHIM_DIR/3: its lock: Input/output error" ]
	run -1 failing /^renameat:error=EACCES 3 7
	[ "$output" = "vsockshim: $VSOCKSHIM_DIR/3: Permission denied" ]
	py CID=3 <<-END
		$(prelude)
		assert own_cid() == 3 and vsock(3, 1234).getsockname() == (3, 1234)
	END
	run -1 failing symlinkat:error=ENOSPC 3 7
	[ "${lines[0]}" = "vsockshim: $VSOCKSHIM_DIR/3: No space left on device; who begins with CID 3 is not on machine 7" ]
	[ "${lines[1]}" = "machine 3 is machine 7; 0 connections reset" ]
	[ "$(ls v)" = 7 ]
}

@test "what is in the way of a part is named, and the rest migrates" {
	program 3 server <<-'END'
		s = listening(3, 1234)
		waits('end')
	END
	wait_for test -e end.waits
	mkdir -p 'v/3/1234@7.vsock' v/5/ports
	touch "v/3/$(printf %0200d 0)"
	run -1 migrate 3 7
	[ "${lines[0]}" = "vsockshim: machine 5: not told of it: Is a directory" ]
	[ "${lines[1]}" = "vsockshim: $VSOCKSHIM_DIR/7/1234@3.vsock: Is a directory" ]
	[ "${lines[2]}" = "machine 3 is machine 7; 0 connections reset" ]
	touch v/8
	run -1 migrate 8 9
	[ "$output" = "vsockshim: $VSOCKSHIM_DIR/8: Not a directory" ]
}

@test "a connection that cannot be reset stays, and a line says why" {
	program 3 server <<-'END'
		c, _ = listening(ANY, 1234).accept()
		waits('accepted')
	END
	wait_listen 3:1234
	program 2 client <<-'END'
		s = connected(3, 1234)
		waits('end')
	END
	wait_for test -e end.waits
	wait_for test -e accepted.waits
	run -1 failing sendto:error=EAFNOSUPPORT 3 4
	[[ $output == *"vsockshim: its connections are not reset: the kernel does not list sockets "*"machine 3 is machine 4; 0 connections reset" ]]
	run -1 failing pidfd_getfd:error=EPERM 4 5
	[[ $output == *"vsockshim: machine 5, port 1234: a connection of python3("*") is not reset there: Operation not permitted; that takes the right to trace it, "* ]]
	[[ $output == *"vsockshim: machine 2, port "*"machine 4 is machine 5; 0 connections reset" ]]
	run -1 guard "$BUILD/tests/nosockopt" 47 "$BUILD/vsockshim" migrate 5 6
	[ "$(grep -c 'is not reset there: Protocol not available$' <<<"$output")" = 2 ]
}

@test "another directory's connections stay" {
	mkdir -m 700 v/w # below this one, even if only its name tells
	as=(env VSOCKSHIM_DIR="$PWD/v/w")
	program 3 server <<-'END'
		l = listening(ANY, 1234)
		c, _ = l.accept()
		l.close()
		open('up', 'w').close()
		print(tries(c.recv, 10))
	END
	wait_listen 3:1234 "$PWD/v/w"
	program 2 client <<-'END'
		s = connected(3, 1234)
		waits('moved')
		s.send(b'kept')
	END
	wait_for test -e up
	wait_for test -e moved.waits
	py CID=3 <<<'open("/dev/vsock")'
	[ "$(migrate 3 7)" = "machine 3 is machine 7; 0 connections reset" ]
	touch moved
	ends_with 0
	wait "${pids[0]}"
	[ "$(cat server.out)" = "b'kept'" ]
}

@test "a connection is reset though its listener has gone, however the directory is spelled" {
	local long

	long=$(path_of 300)
	mkdir -p "$long"
	chmod 700 "$long"
	ln -s v alias
	for dirs in "$long $long" "$PWD/v alias"; do
		as=(env VSOCKSHIM_DIR="${dirs% *}")
		program 3 server <<-'END'
			l = listening(ANY, 1234)
			c, _ = l.accept()
			l.close()
			open('up', 'w').close()
			print(tries(c.recv, 10))
		END
		wait_listen 3:1234 "${dirs% *}"
		program 2 client <<-'END'
			s = connected(3, 1234)
			waits('moved')
			print(tries(s.recv, 10))
		END
		wait_for test -e up
		wait_for test -e moved.waits
		[ "$(migrate --dir "${dirs#* }" 3 7)" = "machine 3 is machine 7; 1 connection reset" ]
		touch moved
		ends_with 0
		wait "${pids[-2]}"
		[ "$(cat server.out client.out)" = $'ECONNRESET\nECONNRESET' ]
		rm up moved moved.waits
	done
}

@test "every call that sends or receives tells of a reset, and then that there is no connection" {
	program 2 host <<-'END'
		s = listening(ANY, 1234)
		waits('over')
	END
	wait_listen 2:1234
	program 3 guest <<-'END'
		exec(open(os.environ['ROOT'] + '/tests/prog/libc.py').read())
		x = ctypes.create_string_buffer(1)
		vec, msg, own = ctypes.byref(iov(x)), ctypes.byref(mmsg(x)), ctypes.c_int64(-1)
		pipe, file, one = os.pipe(), os.open(sys.executable, os.O_RDONLY), ctypes.c_size_t(1)
		os.write(pipe[1], b'x')
		SOCK = object()
		calls = [
		    ('read', SOCK, x, 1), ('__read_chk', SOCK, x, 1, 1), ('readv', SOCK, vec, 1),
		    ('preadv2', SOCK, vec, 1, own, 0), ('preadv64v2', SOCK, vec, 1, own, 0),
		    ('preadv2', SOCK, vec, 1, own, os.RWF_NOWAIT),
		    ('recv', SOCK, x, 1, 0), ('recv', SOCK, x, 1, socket.MSG_DONTWAIT),
		    ('recvfrom', SOCK, x, 1, 0, None, None), ('recvmsg', SOCK, msg, 0),
		    ('recvmmsg', SOCK, msg, 1, 0, None), ('splice', SOCK, None, pipe[1], None, one, 0),
		    ('write', SOCK, x, 1), ('writev', SOCK, vec, 1),
		    ('pwritev2', SOCK, vec, 1, own, 0), ('pwritev64v2', SOCK, vec, 1, own, 0),
		    ('send', SOCK, x, 1, 0), ('send', SOCK, x, 1, socket.MSG_DONTWAIT),
		    ('sendto', SOCK, x, 1, 0, None, 0), ('sendmsg', SOCK, msg, 0),
		    ('sendmmsg', SOCK, msg, 1, 0), ('sendfile', SOCK, file, None, one),
		    ('sendfile64', SOCK, file, None, one), ('splice', pipe[0], None, SOCK, None, one, 0)]
		ends = [connected(2, 1234) for _ in calls]
		waits('ready')
		print(os.read(0, 9)) # no socket: its end is one
		for s, (how, *args) in zip(ends, calls):
		    args = [s.fileno() if a is SOCK else a for a in args]
		    print(how, call(how, *args), call(how, *args))
	END
	wait_for test -e ready.waits
	migrate 3 7
	touch ready
	ends_with 0
	[[ $(uname -r) == 6.1.* ]] || nowait=ENOTCONN # RWF_NOWAIT is for no socket there
	same guest.out <(echo "b''"
		for call in read __read_chk readv preadv2 preadv64v2; do
			echo $call ECONNRESET ENOTCONN
		done
		echo preadv2 "${nowait=ENOTSUP}" "$nowait"
		echo recv ECONNRESET ENOTCONN
		echo recv ENOTCONN ENOTCONN
		for call in recvfrom recvmsg; do
			echo $call ECONNRESET ENOTCONN
		done
		echo recvmmsg ECONNRESET ECONNRESET # it asks for SO_ERROR first
		for call in splice write writev pwritev2 pwritev64v2 send; do
			echo $call ECONNRESET ENOTCONN
		done
		echo send ENOTCONN ENOTCONN
		for call in sendto sendmsg sendmmsg sendfile sendfile64 splice; do
			echo $call ECONNRESET ENOTCONN
		done)
}
