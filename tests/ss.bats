#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# ss --vsock of iproute2, run under the shim: the sockets of its machine. It asks by
# netlink, and no such question may get to the kernel, which may have vsock.

load helpers
load holder

# ss MACHINE [OPTION...]: what it prints, spaces squeezed, under strace, which sees
# what gets to the kernel.
ss() {
	local cid=$1
	shift
	requires strace
	run -0 guard strace -f -qq -o trace -e trace=network -E LD_PRELOAD="$PRELOAD" \
		-E VSOCKSHIM_CID="$cid" ss --vsock -H "$@"
	grep -q NETLINK_SOCK_DIAG trace
	! grep -q 'AF_VSOCK' trace || return
	output=$(tr -s ' ' <<<"$output" | sed 's/ *$//')
}

# shows LINE...: that, in any order.
shows() {
	same <(sort <<<"$output") <(printf '%s\n' "$@" | sort)
}

@test "ss --vsock shows listeners and what is only bound, by -l and -a" {
	holder 3 <<-END
		b = vsock(1, 2070)
		b.listen(7)
		a = vsock(ANY, 2060, type=socket.SOCK_SEQPACKET)
		a.listen(3)
		d = vsock(3, 2070, type=socket.SOCK_DGRAM)
		s = vsock(ANY, 2080)
	END
	ss 3 -l
	shows 'v_str LISTEN 0 0 1:2070 *:*' '??? LISTEN 0 0 *:2060 *:*' \
		'v_dgr UNCONN 0 0 3:2070 *:*' 'v_str UNCONN 0 0 *:2080 *:*'
	ss 3 state listening
	shows 'v_str 0 0 1:2070 *:*' '??? 0 0 *:2060 *:*'
	ss 3
	[ -z "$output" ]
}

@test "ss --vsock shows both ends of connections, as their programs see them" {
	holder 3 <<-END
		$(both_ends)
		far = vsock(ANY, 1235)
		far.listen()
	END
	holder 2 <<-END
		c = vsock(ANY, 2099)
		c.connect((3, 1235))
		print(*(word(v) for v in c.getsockname()), file=open('far', 'w'), sep=':')
	END
	ss 3
	cut -d' ' -f5,6 <<<"$output" | sort >have
	same have <(sort told)
	[ "$(wc -l <have)" = 8 ]
	ss 2
	shows "v_str ESTAB 0 0 *:2099 3:1235"
}

@test "ss --vsock shows who waits, whose peer has gone, and whose listener has" {
	holder 3 <<-END
		s = vsock(ANY, 1234)
		s.listen(9)
		waits = vsock(ANY, 2002)
		waits.connect((3, 1234))
		gone = vsock(ANY, 1235)
		gone.listen()
		left = [vsock(ANY, 2003), vsock(ANY, 2004)]
		for c in left:
		    c.connect((1, 1235))
		left[1].close()
		left += [gone.accept()[0]]
		gone.close()
	END
	ss 3
	shows 'v_str ESTAB 0 0 *:2002 3:1234' 'v_str ESTAB 0 0 *:2003 1:1235' \
		'v_str ESTAB 0 0 1:1235 1:2003'
	holder 3 <<-END
		s = vsock(ANY, 1236)
		s.listen()
		c = vsock(ANY, 2005)
		c.connect((1, 1236))
		s.accept()[0].close()
	END
	ss 3 -a
	grep -qx 'v_str CLOSING 0 0 \*:2005 \*:\*' <<<"$output"
}

@test "ss --vsock shows connections by a bridge, and to a plain AF_UNIX client" {
	start guard "$BUILD/tests/tools/gateway" "$VSOCKSHIM_DIR" 3 >gateway.out
	wait_for grep -q ready gateway.out
	gateway=$pid
	holder 3 <<-END
		c = vsock(ANY, 2001)
		c.connect((2, 1))
		s = vsock(ANY, 1234)
		s.listen()
		far = vsock()
		far.connect((9, 1234)) # the gateway comes back, as 2:77
		plain = socket.socket(socket.AF_UNIX)
		plain.connect('v/3/1234.vsock')
		a = [s.accept()[0], s.accept()[0]]
	END
	ss 3
	# shellcheck disable=SC2001 # a bracket expression
	sed 's/\*:[0-9]* 9:/auto 9:/' <<<"$output" | sort | same <(printf '%s\n' \
		'v_str ESTAB 0 0 *:2001 *:*' 'v_str ESTAB 0 0 3:1234 2:*' \
		'v_str ESTAB 0 0 3:1234 2:77' 'v_str ESTAB 0 0 auto 9:*') -
	kill -STOP "$gateway" # whoever asks, waits
	holder 3 <<-END
		c = vsock(ANY, 2002)
		c.setblocking(False)
		c.connect_ex((2, 1))
	END
	ss 3 state syn-sent
	shows 'v_str 0 0 *:2002 *:*'
}

@test "ss --vsock -p shows processes" {
	holder 3 <<-END
		s = vsock(ANY, 1234)
		s.listen()
	END
	ss 3 -lp
	[[ $output == *' *:1234 *:* users:(("python3",pid='[0-9]*,fd=[0-9]*'))' ]]
}

@test "ss --vsock shows its own machine's, and nobody's of another directory" {
	mkdir -m 700 other
	for dir in v other; do
		for cid in 3 4; do
			VSOCKSHIM_DIR=$PWD/$dir holder "$cid" <<-END
				s = vsock(ANY, 1230 + $cid)
				s.listen()
				c = vsock(ANY, 2000 + len('$dir'))
				c.connect(($cid, 1230 + $cid))
				auto = vsock()
				auto.connect(($cid, 1230 + $cid))
			END
		done
	done
	ss 3 -a
	[ "${#lines[@]}" = 3 ]
	grep -qx 'v_str LISTEN 0 0 \*:1233 \*:\*' <<<"$output"
	grep -qx 'v_str ESTAB 0 0 \*:2001 3:1233' <<<"$output"
	ss 5 -a
	[ -z "$output" ]
}

@test "ss --vsock shows a machine that has migrated, asked for by either CID" {
	holder 3 <<-END
		s = vsock(ANY, 1234)
		s.listen()
		c = vsock(ANY, 2001)
		c.connect((1, 1234))
		a = s.accept()[0]
		b = vsock(3, 2002)
	END
	guard "$BUILD/vsockshim" migrate 3 7
	for cid in 3 7; do
		ss $cid -a
		shows 'v_str LISTEN 0 0 *:1234 *:*' 'v_str ESTAB 0 0 *:2001 1:1234' \
			'v_str ESTAB 0 0 1:1234 1:2001' 'v_str UNCONN 0 0 7:2002 *:*'
	done
}

@test "ss --vsock shows a directory whose path is long" {
	VSOCKSHIM_DIR=$(path_of 300)
	mkdir -p "$VSOCKSHIM_DIR"
	chmod 700 "$VSOCKSHIM_DIR"
	holder 3 <<-END
		s = vsock(ANY, 1234)
		s.listen()
		c = vsock(ANY, 2001)
		c.connect((1, 1234))
		a = s.accept()[0]
	END
	ss 3 -a
	shows 'v_str LISTEN 0 0 *:1234 *:*' 'v_str ESTAB 0 0 *:2001 1:1234' \
		'v_str ESTAB 0 0 1:1234 1:2001'
}

@test "ss --vsock shows hundreds, each once" {
	holder 3 <<-END
		s = vsock(ANY, 1234)
		s.listen(400)
		sockets = []
		for i in range(300):
		    c = vsock()
		    c.connect((1, 1234))
		    sockets += [c, s.accept()[0], vsock(ANY, 2000 + i)]
	END
	# the kernel leaves one out if another of AF_UNIX ends between two parts of its list
	tries=0
	until ss 3 -a && [ "${#lines[@]}" = 901 ]; do
		((++tries < 5))
	done
	[ "$(cut -d' ' -f5,6 <<<"$output" | sort -u | wc -l)" = 901 ]
	[ "$(grep -c '^v_str ESTAB 0 0 1:1234 1:' <<<"$output")" = 300 ]
	[ "$(grep -c '^v_str ESTAB .* 1:1234$' <<<"$output")" = 300 ]
}

@test "ss --vsock makes nothing, and is quiet where there is no vsock" {
	# more than one part that has nothing for it
	start guard "$PYTHON" -c 'import socket, time
pairs = [socket.socketpair() for i in range(300)]
open("ready", "w").close()
time.sleep(60)'
	wait_for test -e ready
	ss 3 -a
	[ -z "$output" ]
	[ -z "$(ls v)" ]
	VSOCKSHIM_DIR=$PWD/absent ss 3 -a
	[ ! -e absent ]
	ss nonsense -a
	[[ $output == "vsockshim: VSOCKSHIM_CID=nonsense: "* ]]
	[ "${#lines[@]}" = 1 ]
}

@test "a list asked for by a duplicate, or with a wrong pointer, is as from a kernel" {
	holder 3 <<-END
		s = vsock(ANY, 1234)
		s.listen()
	END
	run -0 py CID=3 <<-END
		import ctypes, errno, os, select, socket, struct
		libc = ctypes.CDLL(None, use_errno=True)
		def ask(fd, seq):
		    os.write(fd, struct.pack('=IHHII 2BHIII8x', 40, 20, 0x301, seq, 0, 40, 0, 0, ~0 & 0xffffffff, 0, 0))
		n = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 4)
		e = select.epoll()
		e.register(n, select.EPOLLIN)
		d = os.dup(n.fileno())
		ask(d, 1)
		print(len(e.poll(0)), len(os.read(d, 65536)), os.read(d, 65536)[4], e.poll(0))
		n.setblocking(False)
		ask(n.fileno(), 2)
		print(libc.recv(n.fileno(), ctypes.c_void_p(1), 4096, 0), errno.errorcode[ctypes.get_errno()])
		print(n.recv(100)[4])
		# one that asks for AF_UNIX's gets these
		n.send(struct.pack('=IHHII 2BHIII8x', 40, 20, 0x301, 3, 0, 1, 0, 0, 0x400, 0, 1))
		print(n.recv(65536)[16])
	END
	same <(printf '%s\n' '1 48 3 []' '-1 EFAULT' 3 1) - <<<"$output"
}

# What the programs below begin with: ask() makes a request.
prelude() {
	cat <<-'END'
		import os, socket, struct
		exec(open(os.environ['ROOT'] + '/tests/prog/libc.py').read())
		def ask(seq=1, family=40, room=0):
		    return struct.pack(f'=IHHII 2BHIII8x {room}x', 40 + room, 20, 0x301, seq, 0, family, 0, 0, ~0 & 0xffffffff, 0, 1)
		n = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 4)
		n.setblocking(False)
		fd, off = n.fileno(), ctypes.c_int64
		buf = ctypes.create_string_buffer(4096)
	END
}

@test "a list is asked for and answered by every call that sends and receives" {
	holder 3 <<-END
		s = vsock(ANY, 1234)
		s.listen()
	END
	run -0 py CID=3 <<-END
		$(prelude)
		asked = ctypes.create_string_buffer(ask(), 40)
		into, out, many = iov(buf), iov(asked), mmsg(asked)
		def send(how, *args):
		    print(how, call(how, fd, *args), n.recv(4096)[16], n.recv(99)[4])
		send('write', asked, 40)
		send('writev', ctypes.byref(out), 1)
		for how in 'pwritev2', 'pwritev64v2':
		    send(how, ctypes.byref(out), 1, off(-1), 0)
		    send(how, ctypes.byref(out), 1, off(-1), 8) # RWF_NOWAIT
		send('send', asked, 40, 0)
		send('sendto', asked, 40, 0, None, 0)
		send('sendmsg', ctypes.byref(many.msg), 0)
		send('sendmmsg', ctypes.byref(many), 1, 0)
		assert many.len == 40
		many = mmsg(buf)
		def receive(how, *args):
		    n.send(ask())
		    print(how, call(how, fd, *args), buf[16][0], n.recv(99)[4])
		    buf[16] = 0
		receive('read', buf, 4096)
		receive('__read_chk', buf, 4096, 4096)
		receive('readv', ctypes.byref(into), 1)
		for how in 'preadv2', 'preadv64v2':
		    receive(how, ctypes.byref(into), 1, off(-1), 0)
		    receive(how, ctypes.byref(into), 1, off(-1), 8)
		receive('recv', buf, 4096, 0)
		receive('recvfrom', buf, 4096, 0, None, None)
		receive('recvmsg', ctypes.byref(many.msg), 0)
		receive('recvmmsg', ctypes.byref(many), 1, 0, None)
		assert many.len == 48
	END
	same - <(for call in write writev pwritev2 pwritev2 pwritev64v2 pwritev64v2 send sendto sendmsg; do
		echo "$call 40 40 3"
	done
	echo sendmmsg 1 40 3
	for call in read __read_chk readv preadv2 preadv2 preadv64v2 preadv64v2 recv recvfrom recvmsg; do
		echo "$call 48 40 3"
	done
	echo recvmmsg 1 40 3) <<<"$output"
}

@test "a list that has ended, a request that fails, and one with more to it, are as from a kernel" {
	holder 3 <<-END
		s = vsock(ANY, 1234)
		s.listen()
	END
	run -0 py CID=3 <<-END
		$(prelude)
		def again(receive): # the list ends by a duplicate, which nobody tells us of
		    n.send(ask())
		    d = os.dup(fd)
		    os.read(d, 4096), os.read(d, 4096)
		    n.send(ask(family=1))
		    print(receive()[16])
		    while True:
		        try: n.recv(65536)
		        except BlockingIOError: break
		again(lambda: n.recv(4096))
		again(lambda: n.recvfrom(4096)[0])
		again(lambda: n.recvmsg(4096)[0])
		n.send(ask())
		print(call('recvmsg', fd, ctypes.c_void_p(1), 0), n.recv(4096)[16], n.recv(99)[4])
		n.send(ask(family=1)) # and before that was read, another
		n.send(ask(seq=2))
		print(n.recv(65536)[16])
		n = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 4)
		n.send(ask(seq=7, room=8))
		print(len(n.recv(4096)), n.recv(99)[4])
		try: n.sendto(ask(), (1 << 30, 0)) # to no kernel
		except OSError as e: print(errno.errorcode[e.errno] in ('ECONNREFUSED', 'EPERM'))
	END
	same <(printf '%s\n' 1 1 1 'EFAULT 40 3' 1 '48 3' True) - <<<"$output"
}

@test "a list is not mixed up with what another process sends, longer than any kernel does" {
	requires_root
	holder 3 <<-END
		s = vsock(ANY, 1234)
		s.listen()
	END
	run -0 py CID=3 <<-END
		$(prelude)
		n.send(ask())
		m = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 4)
		m.sendto(b'x' * 40000, n.getsockname())
		print(len(n.recv(65536)), n.recv(65536) == b'x' * 40000, n.recv(99)[4])
	END
	[ "$output" = '48 True 3' ]
}

@test "ss --vsock shows no listener and no client of a machine whose directory has gone" {
	holder 3 <<-END
		s = vsock(ANY, 1234)
		s.listen()
		c = vsock()
		c.connect((1, 1234))
	END
	ss 3 -a
	[ "${#lines[@]}" = 2 ]
	rm -r v/3
	ss 3 -a
	[ -z "$output" ]
	[ ! -e v/3 ]
}
