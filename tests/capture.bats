#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# vsockshim capture: what tshark reads of what programs do, and what programs see.

# shellcheck disable=SC2030,SC2031 # a test is a subshell, and has its own

load helpers

# capture ARGUMENT...: in the background; what it says is in capture.log.
capture() {
	start guard "${by[@]}" "$BUILD/vsockshim" capture "$@" 2>capture.log
	capture=$pid
	wait_for grep -q '^vsockshim: capturing' capture.log
}

# finish [SIGNAL]: ends it, and sees that nothing of it is left.
finish() {
	kill "-${1:-TERM}" "$capture"
	ended
}

ended() {
	wait "$capture"
	run ! compgen -G "$VSOCKSHIM_DIR/*/gateway*"
}

# fields FILE FIELD...: of each packet, as tshark reads them.
fields() {
	local options=() field

	for field in "${@:2}"; do
		options+=(-e "vsock.$field")
	done
	tshark -r "$1" -T fields -E separator=' ' "${options[@]}" 2>tshark.log
	run ! grep -v 'Running as user' tshark.log
}

# packets FILE: operation, flags and addresses of each, a client's port that nobody
# chose being "p".
packets() {
	fields "$1" virtio.op virtio.flags src_cid src_port dst_cid dst_port |
		awk '
			BEGIN { split("REQUEST RESPONSE RST SHUTDOWN RW CREDIT_UPDATE", op) }
			function port(p) { return p < 10000 ? p : "p" }
			{
				sub(/^0x0*/, "", $2)
				printf "%s %d %s:%s>%s:%s\n", op[$1], $2, $3, port($4), $5, port($6)
			}'
}

# sent FILE PORT TYPE, received FILE PORT TYPE: the bytes that were sent from, or to,
# that port; a line for each message of type 2 (SEQPACKET).
sent() {
	fields "$1" virtio.op src_port virtio.type virtio.flags payload | bytes "${@:2}"
}
received() {
	fields "$1" virtio.op dst_port virtio.type virtio.flags payload | bytes "${@:2}"
}
bytes() {
	awk -v port="$1" -v type="$2" '
		$1 == 5 && $2 == port && $3 == type {
			gsub(":", "", $5)
			printf "%s%s", $5, $4 ~ /0$/ ? "" : "\n"
		}'
}

# serve CID PORT TYPE < PROGRAM: in the background, a Python program in which s is
# what it has accepted; waits until it listens.
serve() {
	local cid=$1 port=$2 type=$3

	{
		cat <<-END
			import os, socket, sys
			l = socket.socket(socket.AF_VSOCK, socket.$type)
			l.bind((socket.VMADDR_CID_ANY, $port))
			l.listen()
			s, peer = l.accept()
		END
		cat
	} >"serve$port.py"
	start shim "CID=$cid" "$PYTHON" -u "serve$port.py" >"serve$port.out" 2>"serve$port.log"
	wait_listen "$cid:$port"
}

# fails STATUS TEXT ARGUMENT...: with one line that contains it.
fails() {
	run "-$1" --separate-stderr guard "$BUILD/vsockshim" capture "${@:3}"
	[ -z "$output" ]
	[[ ${stderr_lines[0]} == vsockshim:*"$2"* ]]
	[ "${#stderr_lines[@]}" = 1 ]
}

@test "capture: what it takes" {
	local call of=()

	fails 2 'takes -w FILE'
	fails 2 'takes -w FILE' -w x more
	fails 2 '--cid 0: takes 1, 2 or 3 to' -w x --cid 0
	fails 2 "unrecognized option '--no'" --no
	fails 2 '--dir: is empty' -w x --dir ''
	fails 1 'nowhere/x: No such file or directory' -w nowhere/x
	fails 1 'No space left on device' -w /dev/full
	run -1 guard strace -qq -o trace -e 'inject=/^ftruncate:error=EIO' "$BUILD/vsockshim" capture -w x
	[ "$output" = "vsockshim: x: Input/output error" ]
	for call in inotify_init1 epoll_ctl socket; do
		[ $call != socket ] || of=(--cid 3)
		run -1 guard strace -qq -o trace -e "inject=$call:error=ENOSPC" \
			"$BUILD/vsockshim" capture -w x "${of[@]}"
		[[ $output == 'vsockshim: '*'No space left on device' ]]
	done
	chmod 777 v
	fails 1 'is world-writable' -w x
	run guard "$PYTHON" -c 'import pty, sys; pty.spawn(sys.argv[1:])' \
		"$BUILD/vsockshim" capture -w - </dev/null
	[[ $output == "vsockshim: -w -: is a terminal"* ]]
}

@test "capture: of a directory that is new, preloaded itself" {
	start shim "$BUILD/vsockshim" capture -w x.pcapng --dir new 2>capture.log
	capture=$pid
	wait_for grep -q "capturing $PWD/new" capture.log
	[ "$(stat -c %a new)" = 700 ]
	run ! grep -q libvsockshim "/proc/$capture/maps"
	finish
}

@test "capture: what is no machine, or another's, is said and left alone" {
	mkdir v/{7,8}
	touch v/5
	start "$PYTHON" -c '
import socket
held = [socket.socket(socket.AF_UNIX, t) for t in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET)]
held[0].bind("v/8/gateway")
held[1].bind("v/7/gateway.seqpacket")
for s in held: s.listen(0)
full = socket.socket(socket.AF_UNIX)
full.connect("v/8/gateway")
print("ready", flush=True)
full.recv(1)' >out
	wait_for grep -q ready out
	capture -w x.pcapng
	sort capture.log >got
	same got - <<-END
		vsockshim: $VSOCKSHIM_DIR: CID 5 is not captured: Not a directory
		vsockshim: CID 7 has a gateway already, and is not captured
		vsockshim: CID 8 has a gateway already, and is not captured
		vsockshim: capturing $VSOCKSHIM_DIR
	END
	kill "$capture"
	wait "$capture"
}

# as PROGRAM: a Python expression in hexadecimal.
hex() {
	"$PYTHON" -c "print(($1).hex())"
}

@test "capture: connect, data, ends: packet by packet, and byte by byte" {
	local type name

	mkdir v/{2,3}
	capture -w x.pcapng
	for type in 1 2; do
		name=([1]=SOCK_STREAM [2]=SOCK_SEQPACKET)
		serve 3 1234 "${name[type]}" <<-END
			while piece := s.recv(100000):
			    s.send(piece.swapcase())
			s.shutdown(socket.SHUT_WR)
			assert s.recv(1) == b''
		END
		py CID=2 <<-END
			import socket
			s = socket.socket(socket.AF_VSOCK, socket.${name[type]})
			s.connect((3, 1234))
			s.send(b'Hello')
			assert s.recv(100) == b'hELLO'
			s.send(b'x' * 70000)
			n = 0
			while n < 70000:
			    n += len(s.recv(70000))
			s.shutdown(socket.SHUT_WR)
			assert s.recv(1) == b''
		END
		ends_with 0
	done
	finish
	packets x.pcapng | grep -v '^RW\|CREDIT_UPDATE' >got
	printf '%s\n' 'REQUEST 0 2:p>3:1234' 'RESPONSE 0 3:1234>2:p' 'SHUTDOWN 2 2:p>3:1234' \
		'SHUTDOWN 3 3:1234>2:p' 'RST 0 2:p>3:1234' >want
	same got <(cat want want)
	[ "$(received x.pcapng 1234 1)" = "$(hex "b'Hello' + b'x' * 70000")" ]
	[ "$(sent x.pcapng 1234 1)" = "$(hex "b'hELLO' + b'X' * 70000")" ]
	same <(received x.pcapng 1234 2) <(hex "b'Hello'" && hex "b'x' * 70000")
	same <(sent x.pcapng 1234 2) <(hex "b'hELLO'" && hex "b'X' * 70000")
}

@test "capture: programs see what they see without it" {
	local how way by=()

	# as most users run it
	[ "$(id -u)" != 0 ] || by=(setpriv --bounding-set=-net_admin)
	# machine, and what ways.py takes
	local ways=('2 3 3 1' '3 2 2' '3 4 4 5' '3 3 3 1' '1 1 2' '2 9 5')

	mkdir v/{1,2,3,4,9}
	for how in direct captured; do
		[ $how = direct ] || capture -w x.pcapng
		for way in "${ways[@]}"; do
			# shellcheck disable=SC2086 # words
			shim "CID=${way%% *}" "$PYTHON" -u "$ROOT/tests/prog/ways.py" ${way#* } >>$how 2>&1
		done
	done
	finish
	same direct captured
	[ "$(grep -c 'EPIPE$' direct)" = 10 ]
}

@test "capture: all calls that move data" {
	mkdir v/{2,3}
	capture -w x.pcapng
	serve 3 1234 SOCK_STREAM <<-END
		while s.recv(100000): pass
	END
	"$PYTHON" -c 'print("0123456789abcde\n" * 6250, end="")' >data
	guard --io-uring env VSOCKSHIM_CID=2 LD_PRELOAD="$PRELOAD" "$PROG/moves" 3 1234 data >log
	ends_with 0
	finish
	same log <(printf '%s\n' write writev send sendmsg sendfile splice io_uring)
	for ((i = 0; i < 7; i++)); do
		cat data
	done >want
	"$PYTHON" -c 'import sys; sys.stdout.buffer.write(bytes.fromhex(sys.stdin.read()))' \
		>got < <(received x.pcapng 1234 1)
	cmp got want
}

@test "capture: refused, and nobody there" {
	mkdir v/{2,3}
	capture -w x.pcapng
	py CID=3 <<-END
		import socket, struct, ctypes
		def fails(cid, port, type):
		    s = socket.socket(socket.AF_VSOCK, type)
		    ctypes.CDLL(None).setsockopt(s.fileno(), socket.AF_VSOCK, 6, struct.pack('ll', 0, 9000), 16)
		    try: s.connect((cid, port))
		    except OSError: return
		    assert False
		fails(2, 77, socket.SOCK_STREAM)
		fails(1, 78, socket.SOCK_SEQPACKET)
		fails(9, 79, socket.SOCK_STREAM)
	END
	finish
	packets x.pcapng >got
	printf '%s\n' 'REQUEST 0 3:p>2:77' 'RST 0 2:77>3:p' 'REQUEST 0 1:p>1:78' 'RST 0 1:78>1:p' \
		'REQUEST 0 3:p>9:79' >want
	same got want
}

@test "capture: the file is a pcapng, of nanoseconds and vsockmon's headers" {
	mkdir v/{2,3}
	capture -w x.pcapng
	serve 3 1234 SOCK_STREAM <<<'s.recv(9)'
	shim CID=2 socat -u - VSOCK-CONNECT:3:1234 <<<12345
	ends_with 0
	finish
	[ "$(stat -c %a x.pcapng)" = 600 ]
	"$PYTHON" - <<-END
		import struct, time
		data = open('x.pcapng', 'rb').read()
		blocks = []
		while data:
		    kind, size = struct.unpack('II', data[:8])
		    assert size % 4 == 0 and struct.unpack('I', data[size - 4:size])[0] == size
		    blocks.append((kind, data[8:size - 4]))
		    data = data[size:]
		assert [kind for kind, _ in blocks[:2]] == [0x0a0d0d0a, 1]
		assert struct.unpack('IHHq', blocks[0][1][:16]) == (0x1a2b3c4d, 1, 0, -1)
		assert struct.unpack('HHI', blocks[1][1][:8]) == (271, 0, 0)
		assert struct.pack('HHB', 9, 1, 9) in blocks[1][1]
		for kind, body in blocks[2:]:
		    interface, high, low, size, whole = struct.unpack('5I', body[:20])
		    assert (kind, interface, size) == (6, 0, whole)
		    assert abs((high << 32 | low) / 1e9 - time.time()) < 60
		    packet = body[20:20 + size]
		    monitor = struct.unpack('<QQIIHHHH', packet[:32])
		    virtio = struct.unpack('<QQIIIHHIII', packet[32:76])
		    assert monitor[:4] == virtio[:4] and monitor[5:] == (2, 44, 0)
		    assert monitor[4] == [None, 1, 1, 2, 2, 4, 3][virtio[6]]
		    assert virtio[4] == len(packet) - 76
		    assert virtio[8] in (0, 262144)
	END
}

@test "capture: a machine that is new, and one among others" {
	start shim CID=3 socat -t20 VSOCK-LISTEN:1234,fork EXEC:cat
	wait_listen 3:1234
	ln -s moved-to-3 v/8
	capture -w x.pcapng
	for cid in 2 4 5; do
		[ "$(shim CID=$cid socat -t20 - VSOCK-CONNECT:3:1234 <<<hello)" = hello ]
	done
	finish
	[ "$(wc -l <capture.log)" = 2 ]
	packets x.pcapng | grep REQUEST >got
	same got <(printf 'REQUEST 0 %s:p>3:1234\n' 2 4 5)

	capture -w y.pcapng --cid 4
	for cid in 2 4 5; do
		[ "$(shim CID=$cid socat -t20 - VSOCK-CONNECT:3:1234 <<<hello)" = hello ]
	done
	finish INT
	[ "$(packets y.pcapng | grep REQUEST)" = 'REQUEST 0 4:p>3:1234' ]
}

@test "capture: a machine that was removed, and is new again" {
	start shim CID=3 socat -t20 VSOCK-LISTEN:1234,fork EXEC:cat
	wait_listen 3:1234
	capture -w x.pcapng
	for _ in 1 2 3; do
		[ "$(shim CID=2 socat -t20 - VSOCK-CONNECT:3:1234 <<<hello)" = hello ]
		rm -rf v/2
	done
	finish
	[ "$(packets x.pcapng | grep -c 'REQUEST 0 2:p>3:1234')" = 3 ]
}

@test "capture: when it ends what was sent arrives, and its connections are over" {
	mkdir v/{2,3}
	capture -w x.pcapng
	serve 3 1234 SOCK_STREAM <<-END
		s.send(b'hello')
		open('sent', 'w').close()
		print(s.recv(9), s.recv(9))
	END
	server=$pid
	start py CID=2 >client <<-END
		import os, socket, time
		s = socket.socket(socket.AF_VSOCK)
		s.connect((3, 1234))
		s.send(b'12345')
		while not os.path.exists('sent'): time.sleep(.01)
		print('ready', flush=True)
		while not os.path.exists('go'): time.sleep(.01)
		print(s.recv(9), s.recv(9))
		try: s.send(b'x')
		except OSError as e: print(e.errno)
	END
	wait_for grep -q ready client
	finish
	touch go
	ends_with 0
	same client <(printf '%s\n' ready "b'hello' b''" 32)
	wait "$server"
	[ "$(cat serve1234.out)" = "b'12345' b''" ]
	[ "$(received x.pcapng 1234 1)$(sent x.pcapng 1234 1)" = "$(hex "b'12345hello'")" ]
	grep -q '^vsockshim: [0-9]* packets of 1 connections$' capture.log
}

@test "capture: killed, it leaves a file that can be read, and programs connect" {
	mkdir v/{2,3}
	capture -w x.pcapng
	start shim CID=3 socat -t20 VSOCK-LISTEN:1234,fork EXEC:cat
	wait_listen 3:1234
	[ "$(shim CID=2 socat -t20 - VSOCK-CONNECT:3:1234 <<<hello)" = hello ]
	kill -KILL "$capture"
	wait "$capture" || true
	[ -S v/2/gateway ]
	[ "$(shim CID=2 socat -t20 - VSOCK-CONNECT:3:1234 <<<hello)" = hello ]
	[ "$(shim CID=3 socat -t20 - VSOCK-CONNECT:3:1234 <<<hello)" = hello ]
	[ "$(sent x.pcapng 1234 1)" = "$(hex "b'hello\\n'")" ]
	# and the next one is not disturbed by what it left
	capture -w x.pcapng
	[ "$(shim CID=2 socat -t20 - VSOCK-CONNECT:3:1234 <<<again)" = again ]
	finish
	[ "$(sent x.pcapng 1234 1)" = "$(hex "b'again\\n'")" ]
}

@test "capture: an end is one, whoever had the client's port when a bridge was killed" {
	start guard "$BUILD/tests/tools/gateway" "$VSOCKSHIM_DIR" 3 >gateway.out
	wait_for grep -q ready gateway.out
	GATEWAY=$pid py CID=3 >client <<-END
		import os, signal, socket
		s = socket.socket(socket.AF_VSOCK)
		s.bind((socket.VMADDR_CID_ANY, 5001))
		s.connect((2, 9))
		os.killpg(int(os.environ['GATEWAY']), signal.SIGKILL)
		try: s.recv(9)
		except ConnectionResetError: print('reset')
	END
	ends_with 137
	capture -w x.pcapng
	serve 2 1234 SOCK_STREAM <<-END
		s.send(b'hello')
	END
	py CID=3 >>client <<-END
		import socket
		s = socket.socket(socket.AF_VSOCK)
		s.bind((socket.VMADDR_CID_ANY, 5001))
		s.connect((2, 1234))
		print(s.recv(9), s.recv(9))
	END
	finish
	same client <(printf '%s\n' reset "b'hello' b''")
}

@test "capture: not of a machine that has a gateway, nor of what is captured already" {
	start guard "$BUILD/tests/tools/gateway" "$VSOCKSHIM_DIR" 3 >gateway.out
	wait_for grep -q ready gateway.out
	run -1 --separate-stderr guard "$BUILD/vsockshim" capture -w x --cid 3
	# shellcheck disable=SC2154 # bats sets it
	[ "$stderr" = "vsockshim: CID 3 has a gateway already, and is not captured: process $(pgrep -o -s "$pid" -x gateway), $BUILD/tests/tools/gateway $VSOCKSHIM_DIR 3" ]
	mkdir v/4
	capture -w x
	grep -q '^vsockshim: CID 3 has a gateway already' capture.log
	[ -S v/3/gateway ] && [ -S v/4/gateway ]
	echo earlier >y
	run -1 --separate-stderr guard "$BUILD/vsockshim" capture -w y
	[ "$stderr" = "vsockshim: $VSOCKSHIM_DIR: is captured already" ]
	run -1 --separate-stderr guard "$BUILD/vsockshim" capture -w y --cid 4
	[[ "$stderr" == "vsockshim: CID 4 has a gateway already, and is not captured: process $(pgrep -s "$capture" -x vsockshim), "*' capture -w x' ]]
	[ "$(cat y)" = earlier ]
	kill "$capture"
	wait "$capture"
	[ -S v/3/gateway ]
	[ ! -e v/4/gateway ]
}

@test "capture: to standard output, live" {
	mkdir v/{2,3}
	mkfifo pipe
	tshark -l -r pipe -T fields -e vsock.virtio.op >ops 2>tshark.log 3>&- &
	tshark=$!
	start guard "$BUILD/vsockshim" capture -w - >pipe 2>capture.log
	capture=$pid
	wait_for grep -q capturing capture.log
	serve 3 1234 SOCK_STREAM <<<'s.recv(9)'
	shim CID=2 socat -u - VSOCK-CONNECT:3:1234 <<<12345
	wait_for grep -qx 3 ops
	same <(uniq ops) <(printf '%s\n' 1 2 5 4 3) # shut one way, then both, or at once
	# nobody reads any more
	kill -KILL "$tshark"
	wait "$tshark" || true
	start shim CID=3 socat -t20 VSOCK-LISTEN:1235,fork EXEC:cat
	wait_listen 3:1235
	run shim CID=2 socat -u - VSOCK-CONNECT:3:1235 <<<12345
	pid=$capture
	ends_with 1
	grep -qx 'vsockshim: standard output: Broken pipe' capture.log
	[ "$(shim CID=2 socat -t20 - VSOCK-CONNECT:3:1235 <<<hello)" = hello ]
}

# client [CID]: on that machine, a Python program from standard input, that can stop the
# capture.
client() {
	{
		cat <<-END
			import ctypes, errno, os, select, signal, socket, struct, time
			def until(what):
			    while not what(): time.sleep(.01)
			def stop():
			    os.kill($capture, signal.SIGSTOP)
			    until(lambda: ') T ' in open('/proc/$capture/stat').read())
			def go_on():
			    os.kill($capture, signal.SIGCONT)
			def descriptors():
			    return len(os.listdir('/proc/$capture/fd'))
			def begin(cid, port, type=socket.SOCK_STREAM):
			    s = socket.socket(socket.AF_VSOCK, type)
			    tv = struct.pack('ll', 50, 0)
			    ctypes.CDLL(None).setsockopt(s.fileno(), socket.AF_VSOCK, 6, tv, len(tv))
			    s.setblocking(False)
			    s.connect_ex((cid, port))
			    return s
			def end(s):
			    select.select([], [s], [])
			    s.setblocking(True)
			    return errno.errorcode.get(s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), 'ok')
			def connected(*where):
			    s = begin(3, *where)
			    assert end(s) == 'ok'
			    return s
		END
		cat
	} | py "CID=${1-2}"
}

@test "capture: many messages at once, and a client that ends while it is sent to" {
	mkdir v/{2,3}
	capture -w x.pcapng
	serve 3 1234 SOCK_SEQPACKET <<-END
		s.recv(100000)
		while m := s.recv(99): print(m.decode())
	END
	client <<-END
		s = connected(1234, socket.SOCK_SEQPACKET)
		s.send(b'x' * 100000) # there is room for all of the others then
		stop()
		for i in range(100): s.send(b'%d' % i)
		go_on()
	END
	ends_with 0
	same serve1234.out <(seq 0 99)
	serve 3 1235 SOCK_STREAM <<-END
		s.recv(1)
		open('received', 'w').close()
		while not os.path.exists('stopped'): pass
		s.send(b'late')
		open('sent', 'w').close()
		print(s.recv(9))
	END
	client <<-END
		s = connected(1235)
		s.send(b'x')
		until(lambda: os.path.exists('received'))
		stop()
		open('stopped', 'w').close()
		until(lambda: os.path.exists('sent'))
		s.close()
		go_on()
	END
	ends_with 0
	[ "$(cat serve1235.out)" = "b''" ]
	finish
	[ "$(packets x.pcapng | tail -n 1)" = 'RST 0 3:1235>2:p' ]
}

@test "capture: a server that ends with more on its way than it has room for" {
	mkdir v/{2,3}
	capture -w x.pcapng
	serve 3 1234 SOCK_STREAM <<-END
		while not os.path.exists('full'): pass
	END
	client <<-END
		s = connected(1234)
		s.setblocking(False)
		while select.select([], [s], [], .3)[1]: s.send(b'x' * 10000)
		open('full', 'w').close()
		try:
		    while True: select.select([], [s], []), s.send(b'x')
		except OSError as e:
		    assert e.errno == errno.EPIPE, e
	END
	ends_with 0
	finish
	# of both ways at once, or of one after the other
	packets x.pcapng | grep -v 'RW\|CREDIT\|SHUTDOWN 1 ' | tail -n +3 >got
	same got <(printf '%s\n' 'SHUTDOWN 3 3:1234>2:p' 'RST 0 2:p>3:1234')
}

@test "capture: a message that is longer than a relay takes ends the connection" {
	requires_root # for such a window
	mkdir v/{2,3}
	capture -w x.pcapng
	serve 3 1234 SOCK_SEQPACKET <<-END
		print(s.recv(9), s.recv(9))
	END
	client <<-END
		s = connected(1234, socket.SOCK_SEQPACKET)
		for option in 2, 0: s.setsockopt(socket.AF_VSOCK, option, 8 << 20)
		s.send(b'hello')
		def sent():
		    try: return s.send(b'x' * ((4 << 20) + 1))
		    except OSError as e: assert e.errno == errno.ENOBUFS, e # so much in one piece
		until(sent)
		assert s.recv(9) == b''
	END
	ends_with 0
	[ "$(cat serve1234.out)" = "b'hello' b''" ]
	finish
	[ "$(packets x.pcapng | tail -n 1)" = 'RST 0 3:1234>2:p' ]
	same <(received x.pcapng 1234 2) <(hex "b'hello'")
}

@test "capture: who does not say whom to connect to" {
	mkdir v/2
	capture -w x.pcapng
	client <<-END
		before = descriptors()
		mute, half = [socket.socket(socket.AF_UNIX) for _ in range(2)]
		start = time.monotonic()
		def late(): return time.monotonic() - start > 4 # mute is told so after 5 seconds
		mute.connect('v/2/gateway')
		until(lambda: descriptors() == before + 1)
		half.connect('v/2/gateway')
		half.send(b'\xf5vsock')
		until(lambda: descriptors() == before + 2 or late())
		half.close()
		until(lambda: descriptors() <= before + 1)
		early = select.select([mute], [], [], 0)[0]
		assert not early or late()
		assert mute.recv(99)[12:] == b'n\\0\\0\\0'
		assert mute.recv(99) == b''
	END
	finish
	[ -z "$(packets x.pcapng)" ]
}

@test "capture: of a directory that is removed" {
	mkdir v/{2,3}
	capture -w x.pcapng
	serve 3 1234 SOCK_STREAM <<<'s.send(s.recv(9))'
	client <<-END
		import shutil
		s = connected(1234)
		stop()
		os.mkdir('v/4') # what it is told of
		shutil.rmtree('v')
		go_on()
		s.send(b'hello')
		assert s.recv(9) == b'hello'
	END
	ends_with 0
	finish
}

@test "capture: a full backlog, and who does not wait for an answer" {
	mkdir v/{3,4}
	capture -w x.pcapng
	start shim CID=3 "$PYTHON" -u -c '
import os, socket, time
l = socket.socket(socket.AF_VSOCK)
l.bind((socket.VMADDR_CID_ANY, 1234))
l.listen(1)
while not os.path.exists("accept"): time.sleep(.01)
while True: l.accept()'
	wait_listen 3:1234
	client 4 <<-END
		before = descriptors()
		some = [begin(3, 1234) for _ in range(5)]
		assert [end(s) for s in some] == ['ok', 'ok'] + ['ECONNRESET'] * 3
		open('accept', 'w').close()
		until(lambda: end(begin(3, 1234)) == 'ok')
		del some
		until(lambda: descriptors() == before)
		silent = [begin(9, 1) for _ in range(5)]
		until(lambda: descriptors() == before + 5)
		del silent
		until(lambda: descriptors() == before)
	END
	finish
}

@test "capture: when it ends who waits for an answer gets one" {
	mkdir v/{3,4}
	start shim CID=3 socat -u VSOCK-LISTEN:1234,fork,backlog=100 STDOUT
	start py CID=3 <<-END
		import socket
		l = socket.socket(socket.AF_VSOCK)
		l.bind((socket.VMADDR_CID_ANY, 1235))
		l.listen(0)
		c = socket.socket(socket.AF_VSOCK)
		c.connect((1, 1235))
		print('full', file=open('full', 'w'))
		c.recv(1)
	END
	wait_listen 3:1234
	wait_for test -s full
	capture -w x.pcapng
	client 4 >out <<-END
		before = descriptors()
		silent = begin(9, 1)
		mute = socket.socket(socket.AF_UNIX)
		mute.connect('v/4/gateway')
		until(lambda: descriptors() == before + 2)
		stop()
		some = [begin(3, 1234) for _ in range(60)]
		late = begin(3, 1235)
		os.kill($capture, signal.SIGTERM)
		go_on()
		print(end(silent), {end(s) for s in some}, end(late), mute.recv(99)[12:])
	END
	ended
	[ "$(cat out)" = "ETIMEDOUT {'ok'} ECONNRESET b'n\\x00\\x00\\x00'" ]
}

@test "capture: with no descriptor left a client waits" {
	mkdir v/{2,3}
	serve 3 1234 SOCK_STREAM <<<'s.send(s.recv(9))'
	start guard prlimit --nofile=30 "$BUILD/vsockshim" capture -w x.pcapng 2>capture.log
	capture=$pid
	wait_for grep -q capturing capture.log
	client <<-END
		silent = [socket.socket(socket.AF_UNIX) for _ in range(40)]
		for s in silent: s.connect('v/2/gateway')
		until(lambda: descriptors() >= 30)
		s = begin(3, 1234)
		assert not select.select([], [s], [], .2)[1]
		del silent
		assert end(s) == 'ok'
		s.send(b'hello')
		assert s.recv(9) == b'hello'
	END
	finish
}

@test "capture: a pipe that nobody has opened is waited for, until it is to end" {
	mkfifo pipe
	start guard "$BUILD/vsockshim" capture -w pipe
	wait_for grep -q '(vsockshim) S' "/proc/$pid/stat"
	kill "$pid"
	ends_with 143
	[ -z "$(ls v)" ]
}

@test "capture: with one, two or three too few, too, where others may write" {
	mkdir v/{2,3}
	chmod 1777 v
	capture -w x.pcapng
	serve 3 1234 SOCK_STREAM <<<'while True: l.accept()'
	client <<-END
		import resource
		def limit(*to):
		    return resource.prlimit($capture, resource.RLIMIT_NOFILE, *to)
		soft, hard = limit()
		free = [n for n in range(99) if not os.path.exists(f'/proc/$capture/fd/{n}')]
		before = descriptors()
		for few in 0, 1, 2:
		    limit((free[few], hard))
		    s = begin(3, 1234)
		    assert not select.select([], [s], [], .2)[1]
		    limit((soft, hard))
		    assert end(s) == 'ok'
		    s.close()
		    until(lambda: descriptors() == before)
		limit((free[3], hard))
		assert end(begin(3, 1234)) == 'ok'
	END
	finish
}

@test "capture: to a pipe that nobody reads, until it is to end" {
	mkdir v/{2,3}
	mkfifo pipe
	exec 4<>pipe
	capture -w pipe
	serve 3 1234 SOCK_STREAM <<<'while s.recv(100000): pass'
	start client <<-END
		s = connected(1234)
		s.sendall(b'x' * 3000000)
	END
	wait_for "$PYTHON" -c '
import fcntl, struct, termios
n = fcntl.ioctl(4, termios.FIONREAD, b"1234")
exit(struct.unpack("i", n)[0] < 60000)'
	finish
	exec 4>&-
}

@test "capture: to a pipe that has no room all the same" {
	mkdir v/{2,3}
	mkfifo pipe
	start cat pipe >x.pcapng
	cat=$pid
	start guard strace -D -qq -o trace -P pipe -e inject=write:error=EAGAIN:when=1+2 \
		"$BUILD/vsockshim" capture -w pipe 2>capture.log
	capture=$pid
	wait_for grep -q '^vsockshim: capturing' capture.log
	serve 3 1234 SOCK_STREAM <<<'s.recv(9)'
	shim CID=2 socat -u - VSOCK-CONNECT:3:1234 <<<hello
	ends_with 0
	finish
	wait "$cat"
	grep -q EAGAIN trace
	[ "$(received x.pcapng 1234 1)" = "$(hex "b'hello\\n'")" ]
}
