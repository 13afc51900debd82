#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# vsockshim ls: every socket of a directory, with the addresses that its program
# sees, and nobody else's.

load helpers
load holder

# vsockshim ARGUMENT...: the command, under the guard.
vsockshim() {
	guard "$BUILD/vsockshim" "$@"
}

# shows LINE...: the table without its head, spaces and processes squeezed.
shows() {
	run -0 --separate-stderr vsockshim ls
	sed 1d <<<"$output" | tr -s ' ' | sed 's/^ //; s/([0-9]*)//g' >have
	printf '%s\n' "$@" | same have -
}

@test "ls shows listeners, datagram sockets and what is only bound, by machine and port" {
	holder 4 <<-END
		print(os.getpid(), file=open('pid', 'w'))
		b = vsock(1, 2070)
		b.listen(7)
		a = vsock(ANY, 2060, type=socket.SOCK_SEQPACKET)
		a.listen(3)
	END
	holder 3 <<-END
		d = vsock(3, 2070, type=socket.SOCK_DGRAM)
		d.sendto(b'hello', (3, 2070))
		s = vsock(ANY, 2080)
	END
	shows '3 dgram UNCONN 5 0 3:2070 *:* python3' \
		'3 stream UNCONN 0 0 *:2080 *:* python3' \
		'4 seqpacket LISTEN 0 3 *:2060 *:* python3' \
		'4 stream LISTEN 0 7 1:2070 *:* python3'
	run -0 vsockshim ls --cid 4
	[ "$(grep -c "python3($(<pid))\$" <<<"$output")" = 2 ]
	run -0 vsockshim ls --cid 5
	[ "${#lines[@]}" = 1 ]
}

@test "ls shows both ends of connections as their programs see them" {
	holder 3 <<-END
		$(both_ends)
	END
	holder 2 <<-END
		s = vsock(ANY, 2099)
		s.listen()
		c = vsock()
		c.connect((3, 1234))
		tell(c)
	END
	run -0 vsockshim ls
	tr -s ' ' <<<"$output" | sed 's/^ //' | awk '$3 == "ESTAB" { print $6, $7 }' | sort >have
	same have <(sort told)
	[ "$(wc -l <have)" = 9 ]
}

@test "ls shows what waits to be read, to be accepted, and what the peer has left" {
	holder 3 <<-END
		s = vsock(ANY, 1234)
		s.listen(9)
		c = vsock(ANY, 2001)
		c.connect((1, 1234))
		a = s.accept()[0]
		c.send(b'four')
		waits = vsock(ANY, 2002)
		waits.connect((3, 1234))
		bound = vsock(ANY, 2003)
	END
	shows '3 stream LISTEN 1 9 *:1234 *:* python3' \
		'3 stream ESTAB 4 0 1:1234 1:2001 python3' \
		'3 stream ESTAB 0 4 *:2001 1:1234 python3' \
		'3 stream ESTAB 0 0 *:2002 3:1234 python3' \
		'3 stream UNCONN 0 0 *:2003 *:* python3'
	kill -KILL -- "-$pid"
	wait "$pid" || true
	holder 3 <<-END
		s = vsock(ANY, 1234)
		s.listen()
		c = vsock(ANY, 2001)
		c.connect((1, 1234))
		s.accept()[0].close()
	END
	shows '3 stream LISTEN 0 128 *:1234 *:* python3' \
		'3 stream CLOSING 0 0 *:2001 ?:? python3'
}

@test "ls shows connections whose listener has gone" {
	holder 3 <<-END
		s = vsock(ANY, 1234)
		s.listen()
		c = vsock(ANY, 2001)
		c.connect((1, 1234))
		a = s.accept()[0]
		high = vsock(ANY, 3000)
		high.listen()
		low = vsock(ANY, 2002)
		low.connect((1, 3000))
		b = high.accept()[0]
		s.close()
		high.close()
	END
	shows '3 stream ESTAB 0 0 1:1234 1:2001 python3' '3 stream ESTAB 0 0 *:2001 1:1234 python3' \
		'3 stream ESTAB 0 0 *:2002 1:3000 python3' '3 stream ESTAB 0 0 1:3000 1:2002 python3'
}

@test "ls shows a connection with a machine that has no ports file" {
	mkdir v/4
	holder 3 <<-END
		s = vsock(ANY, 1234)
		s.listen()
		c = socket.socket(socket.AF_UNIX)
		c.bind('v/4/2001.vsock')
		c.connect('v/3/1234.vsock')
		a = s.accept()[0]
	END
	shows '3 stream LISTEN 0 128 *:1234 *:* python3' '3 stream ESTAB 0 0 3:1234 4:2001 python3' \
		'4 stream ESTAB 0 0 *:2001 3:1234 python3'
}

@test "ls marks what nobody holds any more, and what another namespace does" {
	holder 3 <<-END
		s = vsock(ANY, 1234)
		s.listen()
	END
	kill -KILL -- "-$pid"
	wait "$pid" || true
	shows '3 - STALE 0 0 *:1234 *:* -'
	[ -S v/3/1234.vsock ]
	if [ "$(id -u)" = 0 ]; then
		holder 3 <<-END
			s = vsock(ANY, 1235)
		END
		run -0 guard unshare --net "$BUILD/vsockshim" ls
		[[ $output == *OTHER-NS*" *:1235 "* ]]
	fi
}

@test "ls shows processes that share a socket, and no other directory's sockets" {
	mkdir -m 700 other
	holder 3 <<-END
		s = vsock(ANY, 1234)
		s.listen()
		if os.fork() == 0:
		    time.sleep(60)
		c = vsock()
		c.connect((1, 1234))
	END
	VSOCKSHIM_DIR=$PWD/other holder 3 <<-END
		s = vsock(ANY, 1234)
		s.listen()
		c = vsock()
		c.connect((1, 1234))
	END
	run -0 vsockshim ls
	[ "${#lines[@]}" = 3 ]
	[[ ${lines[1]} =~ python3\([0-9]+\),python3\([0-9]+\)$ ]]
	run -0 vsockshim ls --dir other
	[ "${#lines[@]}" = 3 ]
	[[ $output != *,* ]]
}

@test "ls finds a directory whose path is long, and by another name" {
	local long

	long=$(path_of 300)
	mkdir -p "$long"
	chmod 700 "$long"
	VSOCKSHIM_DIR=$long holder 3 <<-END
		s = vsock(ANY, 1234)
		s.listen()
		gone = vsock(ANY, 1235)
		gone.listen()
		c = vsock()
		c.connect((3, 1235))
		a = gone.accept()[0]
		gone.close()
	END
	ln -s "$long" alias
	for dir in "$long" alias; do
		run -0 vsockshim ls --dir "$dir"
		[[ ${lines[1]} == *LISTEN*" *:1234 "* ]]
		[ "$(grep -c ESTAB <<<"$output")" = 2 ]
	done
	kill -KILL -- "-$pid"
	wait "$pid" || true
	run -0 vsockshim ls --dir alias
	[[ ${lines[1]} == *STALE*" *:1234 "* ]]
}

@test "ls shows a bridge's gateways, who has asked them, and for whom it connects" {
	start guard "$BUILD/tests/tools/gateway" "$VSOCKSHIM_DIR" 3 >gateway.out
	wait_for grep -q ready gateway.out
	holder 3 <<-END
		c = vsock(ANY, 2001)
		c.connect((2, 1))
		l = vsock(ANY, 51000)
		l.listen()
		d = vsock(ANY, 2002)
		d.connect((2, 51000))
		a = l.accept()
	END
	run -0 vsockshim ls
	tr -s ' ' <<<"$output" | cut -d' ' -f3,4,7,8 >have
	grep -qx 'stream LISTEN 3:gateway \*:\*' have
	grep -qx 'seqpacket LISTEN 3:gateway \*:\*' have
	grep -qx 'stream ESTAB 3:gateway 3:2001' have
	grep -qx 'stream ESTAB \*:2001 .*:?' have
	grep -qx 'stream ESTAB \*:77 3:51000' have
	grep -qx 'stream ESTAB 3:51000 2:77' have
}

@test "ls --json is JSON, with the members that vsockshim(1) names" {
	holder 3 <<-END
		s = vsock(ANY, 1234)
		s.listen(9)
		c = vsock(ANY, 2001)
		c.connect((1, 1234))
	END
	run -0 vsockshim ls --json
	"$PYTHON" - "$output" <<-END
		import json, sys
		s, c = json.loads(sys.argv[1])
		(p,) = s.pop('processes')
		assert p['name'] == 'python3' and p['pid'] > 1, p
		assert s == {'cid': 3, 'type': 'stream', 'state': 'LISTEN', 'recv_q': 1, 'send_q': 9,
		             'local': {'cid': 4294967295, 'port': 1234}, 'peer': None}, s
		assert c['peer'] == {'cid': 1, 'port': 1234}, c
	END
	run -0 vsockshim ls --json --cid 7
	[ "$output" = "[]" ]
}

@test "ls aligns its columns" {
	holder 3 <<-END
		s = vsock(ANY, 1234)
		s.listen()
		t = vsock(ANY, 4294967294)
	END
	run -0 vsockshim ls
	[ "$(awk '{ print match($0, /PROCESS|python3/) }' <<<"$output" | sort -u | wc -l)" = 1 ]
}

@test "all sockets are listed while others come and go" {
	start py CID=3 <<-END
		import resource, socket, time
		limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
		resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
		some = []
		for port in range(5000, 6500):
		    s = socket.socket(socket.AF_VSOCK)
		    s.bind((3, port))
		    some.append(s)
		some[0].listen()
		while True: time.sleep(9)
	END
	wait_listen 3:5000
	for _ in 1 2; do
		start guard "$PYTHON" -c 'import socket
while True:
    for i in range(200):
        s = [socket.socket(socket.AF_UNIX) for _ in range(20)]
        for x in s: x.bind("")
        del s'
	done
	for _ in {1..20}; do
		n=$("$BUILD/vsockshim" ls | grep -c ' 3  stream')
		[ "$n" = 1500 ] || echo "$n" >>short
	done
	[ ! -e short ] || { cat short; false; }
}

@test "ls makes nothing, and says what is wrong" {
	run -1 guard strace -qq -o trace -e inject=socket:error=EPROTONOSUPPORT "$BUILD/vsockshim" ls
	[ "$output" = "vsockshim: the kernel does not list its sockets (NETLINK_SOCK_DIAG, module unix_diag): Protocol not supported" ]
	run -1 --separate-stderr vsockshim ls --dir absent
	[[ $stderr == "vsockshim: $PWD/absent: No such file or directory; --dir "* ]]
	[ ! -e absent ]
	run -0 vsockshim ls
	[ "${#lines[@]}" = 1 ]
	[ -z "$(ls v)" ]
	run -2 --separate-stderr vsockshim ls --cid 0
	[ "$stderr" = "vsockshim: --cid 0: takes 1, 2 or 3 to 4294967294" ]
	run -2 --separate-stderr vsockshim ls 3
	[[ $stderr == "vsockshim: ls: takes no argument but options: 3; "* ]]
	VSOCKSHIM_DIR=here run -2 vsockshim ls
	run -1 --separate-stderr guard sh -c '"$BUILD/vsockshim" ls >/dev/full'
	[[ $stderr == vsockshim:*"No space left on device"* ]]
}

@test "ls --json says what is not known, is a gateway, or has an odd name" {
	start guard "$BUILD/tests/tools/gateway" "$VSOCKSHIM_DIR" 3 >gateway.out
	wait_for grep -q ready gateway.out
	gateway=$pid
	kill -STOP "$gateway" # whoever asks, waits
	holder 3 <<-END
		open('/proc/self/comm', 'w').write('a"b\\\\\\\\c')
		c = vsock(ANY, 2001)
		c.setblocking(False)
		c.connect_ex((2, 1))
		far = vsock()
		far.setblocking(False)
		far.connect_ex((9, 1))
		vsock(ANY, 2002).detach()
	END
	"$PYTHON" -c "import socket; socket.socket(socket.AF_UNIX).bind('v/3/2003.vsock')"
	run -0 vsockshim ls
	[[ $output == *" SYN-SENT "* ]]
	run -0 vsockshim ls --json
	"$PYTHON" - "$output" <<-END
		import json, sys
		rows = json.loads(sys.argv[1])
		by = lambda port: next(r for r in rows if r['local']['port'] == port)
		assert by('gateway')['local'] == {'cid': 3, 'port': 'gateway'}
		assert by(2001)['state'] == 'SYN-SENT' and by(2001)['peer'] is None
		assert {'cid': 9, 'port': None} in [r['peer'] for r in rows]
		assert by(2002)['processes'][0]['name'] == 'a"b\\\\\\\\c', by(2002)
		assert by(2003)['state'] == 'STALE' and by(2003)['type'] is None
	END
	kill -KILL "$gateway"
	wait "$gateway" || true
	run -0 vsockshim ls
	[[ $(tr -s ' ' <<<"$output") == *"3 - STALE 0 0 3:gateway "* ]]
}

@test "ls passes over what is none of the directory's" {
	holder 3 <<-END
		s = vsock(ANY, 1234)
	END
	mkdir v/5 # without ports
	touch v/5/1.vsock v/3/nothing "v/3/$(printf '%0200d' 0)"
	mkdir v/x
	start guard "$PYTHON" -c "if 1:
	import ctypes, os, socket, struct, time
	own = os.urandom(8).hex()
	s = [socket.socket(socket.AF_UNIX) for _ in range(4)]
	longest = struct.pack('H108s', socket.AF_UNIX, b'v' * 108) # without a NUL
	assert ctypes.CDLL(None).bind(s[3].fileno(), longest, 110) == 0
	s[0].bind('\0vsock1/%s/3/5000/3' % own)
	s[1].bind('\0vsock1/%s/5/5000/5' % own)
	s[2].bind('v/5/6.vsock')
	open('ready', 'w')
	time.sleep(60)"
	wait_for test -e ready
	shows '3 stream UNCONN 0 0 *:1234 *:* python3' '5 stream UNCONN 0 0 *:6 *:* python3'
}
