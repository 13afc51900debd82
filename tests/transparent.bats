#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Programs and sockets that have nothing to do with vsock: as without us.

load helpers

requires_strace() {
	requires strace
	strace -qq -o /dev/null true || skip "strace may not trace here"
}

# traced COMMAND...: with the preloaded library $LIBRARY.
traced() {
	guard strace -ff -qq -o trace -E LD_PRELOAD="$LIBRARY" "$@"
}

# How often each system call was made, without what the loader does before the
# program starts: up to its last munmap, of its cache. Without $chance either,
# calls whose number depends on which of two processes is first.
calls() {
	awk -v chance="${chance-}" '
	/^execve\(.* = 0$/ { loading = 1; threads = 0; name["execve"]++; next }
	loading && /^(set_robust_list|rseq)\(/ { threads = 1 }
	loading { if (threads && /^munmap\(/) loading = 0; next }
	match($0, /^[a-z0-9_]+\(/) { name[substr($0, 1, RLENGTH - 1)]++ }
	END { for (n in name) if (n !~ "^(" chance ")$") print n, name[n] }' trace.* | sort
	rm trace.*
}

# costs_nothing: exchange(), which each test defines, makes the same calls with
# our library as with an empty one. One equal pair among a few runs is enough: a
# call of ours would be in every run.
costs_nothing() {
	local try

	requires_strace
	for try in 1 2 3 4 5 6; do
		LIBRARY=$BUILD/tests/libempty.so exchange
		calls >"without.$try"
		LIBRARY=$LIB exchange
		calls >"with.$try"
		[ "$(wc -l <"with.$try")" -ge 2 ]
		for without in without.*; do
			for with in with.*; do
				cmp -s "$without" "$with" && return
			done
		done
	done
	diff without.1 with.1
}

@test "a program that does nothing makes no call more" {
	exchange() { traced true; }
	costs_nothing
}

@test "a program that uses files makes no call more" {
	exchange() { traced ls -l / >/dev/null; }
	costs_nothing
}

@test "an asyncio exchange over TCP makes no call more" {
	exchange() { traced "$PYTHON" "$ROOT/tests/prog/asyncio_echo.py" tcp 1 1000 >/dev/null; }
	costs_nothing
}

@test "a socat exchange over TCP makes no call more" {
	requires socat
	chance='pselect6|recvfrom|rt_sigreturn|wait4' # socat asks whether a child died
	exchange() {
		start traced socat -d -d -t20 TCP-LISTEN:0,bind=127.0.0.1 EXEC:cat 2>server.log
		wait_for grep -q 'listening on' server.log
		echo hello | traced socat -t20 - "TCP:$(sed -n 's/.*listening on AF=2 //p' server.log)" >answer
		wait "$pid"
		[ "$(cat answer)" = hello ]
	}
	costs_nothing
}

@test "a socat exchange over AF_UNIX makes no call more" {
	requires socat
	chance='pselect6|recvfrom|rt_sigreturn|wait4' # socat asks whether a child died
	exchange() {
		start traced socat -d -d -t20 UNIX-LISTEN:socket EXEC:cat 2>server.log
		wait_for grep -q 'listening on' server.log
		echo hello | traced socat -t20 - UNIX:socket >answer
		wait "$pid"
		[ "$(cat answer)" = hello ]
	}
	costs_nothing
}

@test "ss of other families makes no call more" {
	requires ss
	chance='recvmsg|write|brk|mmap|munmap|mremap' # as many as there are sockets
	exchange() { traced ss -xtu >/dev/null; }
	costs_nothing
}

@test "ip, which asks by netlink, too, makes no call more" {
	requires ip
	exchange() { traced ip link >/dev/null; }
	costs_nothing
}

@test "a program that waits by epoll for pipes that end makes no call more" {
	exchange() { traced "$PROG/epolls" pipes >/dev/null; }
	costs_nothing
}

# marked TRACE: the calls between two lseeks, which the shim has no part in, by name and
# option.
marked() {
	sed -E '1,/^lseek\([0-9]+, 4321/d; /^lseek\([0-9]+, 4321/,$d
		s/^([a-z]+)\([0-9]+, (SOL_SOCKET, )?([A-Z_]+).*/\1(\3)/; t option
		s/^([a-z_]+)4?\(.*/\1/
		:option; s/_OLD\)/)/' "$1"
}

@test "reading and writing a vsock connection makes no call more than the program's" {
	requires_strace
	cat >t.py <<-END
		import os, select, socket
		s, c = (socket.socket(socket.AF_VSOCK) for _ in range(2))
		s.bind((1, 1234))
		s.listen(1)
		c.connect((1, 1234))
		a, peer = s.accept()
		p = select.poll()
		p.register(a, select.POLLIN)
		e = select.epoll()
		e.register(a, select.EPOLLIN)
		null = os.open('/dev/null', 0)
		for i in range(2): # the first time, symbols are resolved
		    if i: os.lseek(null, 4321, 0)
		    c.send(b'x')
		    os.write(c.fileno(), b'yz')
		    p.poll(0)
		    e.poll(0)
		    a.recv(1)
		    os.read(a.fileno(), 2)
		os.lseek(null, 4321, 0)
	END
	guard strace -qq -o trace.1 -E LD_PRELOAD="$LIB" "$PYTHON" t.py
	same <(marked trace.1) - <<-END
		sendto
		write
		poll
		epoll_wait
		recvfrom
		read
	END
}

@test "connect and accept make the calls that DESIGN.md lists, each with its reason" {
	requires_strace
	cat >t.py <<-END
		import os, socket, sys
		s = socket.socket(socket.AF_VSOCK)
		null = os.open('/dev/null', 0)
		if sys.argv[1] == 'server':
		    s.bind((socket.VMADDR_CID_ANY, 1234))
		    s.listen()
		for i in range(2):
		    if i: os.lseek(null, 4321, 0)
		    if sys.argv[1] == 'server':
		        os.close(s._accept()[0])
		    else:
		        with socket.socket(socket.AF_VSOCK) as c:
		            c.connect((1, 1234))
		os.lseek(null, 4321, 0)
	END
	watched() { guard strace -qq -o "$1" -E LD_PRELOAD="$LIB" "$PYTHON" t.py "$1"; }
	start watched server
	wait_listen 2:1234
	watched client
	ends_with 0
	for side in client server; do
		sed -nE "s/^\| ([^|]+) \| $side \|.*/\1/p" "$ROOT/DESIGN.md" >"$side.listed"
		[ "$(wc -l <"$side.listed")" -ge 3 ]
		same "$side.listed" <(marked "$side")
	done
}

@test "without VSOCKSHIM_DEBUG no call is made for a trace" {
	requires_strace
	for debug in '' all; do
		guard strace -f -qq -o trace -E LD_PRELOAD="$PRELOAD" -E VSOCKSHIM_DEBUG=$debug \
			-E VSOCKSHIM_LOG="$PWD/log" "$PROG/trace" socket
		grep -cE 'gettid|/log' trace >"calls.$debug" || true
	done
	[ "$(cat calls.)" = 0 ]
	[ "$(cat calls.all)" -ge 60 ]
}

@test "a program that never uses vsock makes the library resolve nothing" {
	for lib in "$BUILD/tests/libempty.so" "$LIB"; do
		LD_DEBUG=bindings LD_DEBUG_OUTPUT=bound run -0 env LD_PRELOAD="$lib" LD_BIND_NOW= true
		sed -n "s|.*binding file $lib .* symbol \([^ ]*\).*|\1|p" bound.* | sort >"$(basename "$lib").symbols"
		rm bound.*
	done
	same libempty.so.symbols libvsockshim.so.symbols
}

@test "sockets of other families are what they are without us" {
	guard "$PYTHON" "$ROOT/tests/prog/other_sockets.py" >without
	[ "$(wc -l <without)" -ge 20 ]
	shim "$PYTHON" "$ROOT/tests/prog/other_sockets.py" >with
	same without with
}

@test "sockets of other families are what they are, also in a program that uses vsock" {
	guard "$PYTHON" "$ROOT/tests/prog/other_sockets.py" >without
	shim "$PYTHON" "$ROOT/tests/prog/other_sockets.py" vsock >with
	same without with
}

# clone WAY: clones the repository origin, by git's own protocol over TCP, with both
# ends under guard or shim. In WAY.said is what they said and what came.
clone() {
	start "$1" socat -d -d TCP-LISTEN:0,bind=127.0.0.1 \
		EXEC:"git daemon --inetd --verbose --log-destination=stderr --export-all --base-path=$PWD" \
		2>"$1.log"
	wait_for grep -q 'listening on' "$1.log"
	"$1" git clone "git://$(sed -n 's/.*listening on AF=2 //p' "$1.log")/origin" "$1" >"$1.clone" 2>&1
	ends_with 0
	guard git -C "$1" fsck --full
	{
		cat "$1.clone"
		sed -n 's/^\[[0-9]*\] //p' "$1.log"
		guard git -C "$1" ls-files -s
	} | sed "s/'$1'/here/; s/127[0-9.:]*/there/" >"$1.said"
}

@test "a git clone over TCP says and brings what it does without us" {
	requires git socat
	export GIT_CONFIG_GLOBAL=/dev/null
	git init -q origin
	for n in {1..20}; do
		seq "$n" 7 100000 >"origin/$n"
	done
	git -C origin add .
	git -C origin -c user.name=n -c user.email=e commit -qm twenty
	clone guard
	clone shim
	[ "$(wc -l <guard.said)" = 24 ]
	same guard.said shim.said
}
