#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Where something is scarce, or there is much of it.

load helpers

# prints COMMAND...: it ends well, and says what standard input says.
prints() {
	shim "$@" >got
	same got -
}

# refusing OPTIONS: the directory is a file system of its own, with these options.
refusing() {
	requires_root
	# shellcheck disable=SC2016 # for the shell there
	guard unshare --mount sh -euc 'mount -t tmpfs -o "mode=700,$1" none v
		shift
		exec env "$@"' sh "$1" LD_PRELOAD="$PRELOAD" "$PROG/resources" "${2:-refused}" 2>err.log
}

# said WHY: one line, with the directory and the reason.
said() {
	[ "$(wc -l <err.log)" = 1 ]
	grep -F "vsockshim: VSOCKSHIM_DIR=$VSOCKSHIM_DIR: $1;" err.log
}

@test "select sees descriptors beyond an fd_set" {
	prints "$PROG/resources" select <<-END
		select 1
		readable 1
		select 0
	END
}

@test "with few descriptors left each call says EMFILE or does it, and leaks none" {
	prints "$PROG/resources" emfile <<-END
		bad 0
		worked 9
		left 0
	END
}

@test "with none left an option or a message's end that needs one fails, and data go" {
	py >got <<-END
		import errno, resource, socket
		def told(call, *args):
		    try:
		        return call(*args)
		    except OSError as e:
		        return errno.errorcode[e.errno]
		def pair(kind):
		    l, c = (socket.socket(socket.AF_VSOCK, kind) for _ in range(2))
		    l.bind((1, 1234))
		    l.listen()
		    c.connect((1, 1234))
		    return c, l.accept()[0]
		s, peer = pair(socket.SOCK_STREAM)
		message, receiver = pair(socket.SOCK_SEQPACKET)
		s.setsockopt(socket.SOL_SOCKET, 60, 1) # SO_ZEROCOPY
		resource.setrlimit(resource.RLIMIT_NOFILE, (3, 1000))
		print(told(s.setsockopt, socket.SOL_SOCKET, socket.SO_SNDBUF, 5000))
		for what in 29, 63: # SO_TIMESTAMP
		    print(told(s.setsockopt, socket.SOL_SOCKET, what, 1), told(s.getsockopt, socket.SOL_SOCKET, what))
		print(told(message.send, b'x', socket.MSG_EOR), told(message.send, b'x'), receiver.recv(9))
		# how much of control data may be there is not looked up
		print(told(s.sendmsg, [b'x'], [(0, 0, bytes(100))], 0x4000000), peer.recv(9))
	END
	same got - <<-END
		EMFILE
		EMFILE EMFILE
		EMFILE EMFILE
		ENOBUFS 1 b'x'
		1 b'x'
	END
}

@test "control data that leave no room for a completion are ENOMEM, and too many ENOBUFS" {
	local most=/proc/sys/net/core/optmem_max

	[ -e $most ] || skip "no $most in this network namespace"
	py >got <<-END
		import errno, socket
		l, s = socket.socket(socket.AF_VSOCK), socket.socket(socket.AF_VSOCK)
		l.bind((1, 1234))
		l.listen()
		s.connect((1, 1234))
		s.setsockopt(socket.SOL_SOCKET, 60, 1) # SO_ZEROCOPY
		for n in $(<$most) - 300, $(<$most):
		    try:
		        s.sendmsg([b'x'], [(0, 0, bytes(n))], 0x4000000)
		    except OSError as e:
		        print(errno.errorcode[e.errno])
	END
	same got <(printf '%s\n' ENOMEM ENOBUFS)
}

@test "a directory may be on another file system" {
	refusing size=1m meets >got
	same got - <<-END
		bind 0
		connect 0
		sendto 1
		left 0
	END
	[ ! -s err.log ]
}

@test "in a full directory bind is ENOMEM and connect ENODEV, and one line says why" {
	for options in size=20k nr_inodes=2; do
		refusing $options >got
		same got - <<-END
			socket 0
			bind ENOMEM
			bind ENOMEM
			connect ENODEV
			left 0
		END
		said "No space left on device"
	done
}

@test "a directory that was full serves again when there is room" {
	refusing nr_inodes=12 full >got
	same got - <<-END
		full ENOMEM
		bind 0
	END
	said "No space left on device"
}

@test "a limit to the size of files does not end a program, and one line says why there is no vsock" {
	# limited: what it prints and says, which is no file
	limited() {
		# shellcheck disable=SC2016 # for the shell there
		shim sh -c 'ulimit -f 0 && exec "$@"' sh "$PROG/resources" refused 2>&1 | cat
	}
	limited >err.log
	grep -qx 'socket EAFNOSUPPORT' err.log
	sed -i '/^[a-z]* [A-Z0-9]*$/d' err.log
	said "File too large"
	# it is no matter once the machine's file is there
	shim "$PROG/resources" refused >want
	limited >got
	same want got
}

@test "in a read-only directory there is no vsock, and one line says why" {
	refusing ro >got
	[ "$(head -n 1 got)" = "socket EAFNOSUPPORT" ]
	said "Read-only file system"
}

# Mounted over, as a file system that is mapped cannot be made so.
@test "in a directory that becomes read-only bind is ENOMEM, and who listens is reached" {
	requires_root
	shim unshare --mount "$PYTHON" -u - >got 2>err.log <<-END
		import errno, os, socket
		def there():
		    return os.listdir('/proc/self/fd'), os.listdir('v/2')
		def told(call, address):
		    try:
		        print(call(address))
		    except OSError as e:
		        print(errno.errorcode[e.errno])
		bound, listener, first, second = (socket.socket(socket.AF_VSOCK) for _ in range(4))
		listener.bind((1, 1234))
		listener.listen()
		os.system('mount --bind v v && mount -o remount,bind,ro v')
		before = there()
		told(bound.bind, (1, 1235))
		told(bound.bind, (1, socket.VMADDR_PORT_ANY))
		told(first.connect, (1, 1235))
		told(second.connect, (1, 1234))
		print(there() == before)
	END
	same got <(printf '%s\n' ENOMEM ENOMEM ECONNRESET None True)
	said "Read-only file system"
}

# may_fail COMMAND: the system calls that strace is to let fail, a line each, and how
# many of them a program makes that does nothing: the loader's. None that never fails,
# nor libc's own.
may_fail() {
	local what

	for what in nothing "$1"; do
		guard strace -qq -o trace -E LD_PRELOAD="$PRELOAD" "$PROG/resources" "$what" >/dev/null || true
		sed -n 's/^\([a-z0-9_]*\)(.*/\1/p' trace >"$what"
	done
	sort -u "$1" |
		grep -E 'sock|name|stat|seek|^(accept|bind|capget|connect|eventfd|fchmod|fcntl|ftruncate|getdents|listen|mkdir|open|recv|send|unlink)' |
		while read -r call; do
			echo "$call $(grep -cx "$call" nothing)"
		done
}

# each_fails ERRNO COMMAND [NAME=VALUE]: a run for each of its system calls, in which
# that one fails. Each ends, and leaves no descriptor. said has what else they printed,
# stale the paths that a call left that failed. (What close(2) cannot remove stays, as
# after kill -9.)
each_fails() {
	local call k error=$1

	shift
	may_fail "$1" >calls
	while read -r call k <&9; do
		while :; do
			k=$((k + 1))
			rm -rf v/2
			guard strace -qq -o trace -e "trace=$call" -e "inject=$call:error=$error:when=$k" \
				-E LD_PRELOAD="$PRELOAD" ${2:+-E "$2"} "$PROG/resources" "$1" >out 2>err.log
			grep -qx 'left 0' out
			[[ $call == unlink* ]] || [ "$(<out)" = 'left 0' ] || find v -type s ! -name 'gateway*' -printf "$call %P\n" >>stale
			grep -q INJECTED trace || break
			sed "s/^/$call /" out >>said
		done
	done 9<calls
}

# Not looked at is what comes of options and names of a socket that cannot be asked for:
# that happens in no kernel, and then a socket is not known to be one of ours.
@test "each system call of a connection and of a datagram fails: an errno, and nothing is left" {
	each_fails ENOMEM failing
	[ "$(grep -c ' left 0$' said)" -gt 100 ]
	[ ! -s stale ]
	sed -n '/^getsockopt \| left 0/!s/^[a-z0-9_]* //p' said | sort -u >got
	same got - <<-END
		accept ENOMEM
		bind EADDRINUSE
		bind ENOMEM
		connect ENOMEM
		listen ENOMEM
		recv ENOMEM
		recvfrom ENOMEM
		send ENOMEM
		sendto ENOMEM
		socket EAFNOSUPPORT
		socket ENOMEM
	END
}

@test "each system call of a connect by a gateway fails, after one that was refused" {
	start guard "$BUILD/tests/tools/gateway" "$VSOCKSHIM_DIR" 3 >gateway.out
	wait_for grep -q ready gateway.out
	each_fails ENFILE failing-gateway VSOCKSHIM_CID=3
	[ "$(grep -c ' left 0$' said)" -gt 50 ]
	[ ! -s stale ]
	sed '/^getsockopt \|^setsockopt \|^getpeername \| left 0/d; s/^[a-z0-9_]* //' said >got
	# with it nobody is connected before the answer, but it may come that soon
	run -1 grep -v ' window 262144 ' <(tail -n +2 gateway.out)
	run -1 grep -vx 'refused ECONNRESET\|\(connect\|recv\|send\|socket\) ENFILE' got
}
