#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# VSOCKSHIM_TRANSPORT: what a program sees of a bridge that is started for it. No
# device is opened here: a command that plays the bridge lies beside a copy of the
# library. Real devices are in tests/guest.

load helpers

setup() {
	test_setup
	mkdir beside
	cp "$LIB" beside
	PRELOAD=${PRELOAD/"$LIB"/$PWD/beside/libvsockshim.so}
	echo a device >device
	export VSOCKSHIM_TRANSPORT=vhost VSOCKSHIM_VHOST=$PWD/device VSOCKSHIM_CID=3
}

teardown() {
	[ ! -e played ] || xargs -r kill -KILL <played || true # it blocks the rest
}

# play TEXT...: the bridge does TEXT, in the background; "serve" is a gateway.
play() {
	cat >beside/vsockshim <<-END
		#!/bin/bash
		# $0 bridge vhost --cid N --dir DIR ...
		echo "\$*" >>$PWD/calls
		env | sort >$PWD/env
		ls -l /proc/self/fd | sed '1d; s/.* \([0-9]* -> \)/\1/' >$PWD/fds
		serve() {
			rm -f $PWD/gateway.out
			setsid "$BUILD/tests/novsock" "$BUILD/tests/tools/gateway" "\$6" "\$4" \
				>$PWD/gateway.out 2>$PWD/gateway.err &
			echo \$! >>$PWD/played
			until grep -qs ready $PWD/gateway.out; do sleep 0.01; done
			echo >&2
		}
		$*
	END
	chmod +x beside/vsockshim
}

@test "transport: the bridge is started once, and nothing of it shows" {
	play 'serve "$@"'
	py <<-END >got
		import os, signal, socket
		chld = []
		signal.signal(signal.SIGCHLD, lambda *a: chld.append(a))
		before = set(os.listdir('/proc/self/fd'))
		for i in range(3):
		    s = socket.socket(socket.AF_VSOCK)
		    s.connect((2, 1))
		    s.send(b'abc')
		    print(s.recv(9), s.getpeername())
		    s.close()
		try:
		    os.waitpid(-1, os.WNOHANG)
		except ChildProcessError:
		    print('no child')
		print(chld, before == set(os.listdir('/proc/self/fd')))
	END
	same got <(printf '%s\n' "b'abc' (2, 1)" "b'abc' (2, 1)" "b'abc' (2, 1)" \
		'no child' '[] True')
	# shellcheck disable=SC2153 # helpers.bash sets it
	same calls <(echo "bridge vhost --cid 3 --dir $VSOCKSHIM_DIR --device $PWD/device --linger 5 --on-demand")
	run ! grep -q "VSOCKSHIM\|LD_PRELOAD" env
	# another program finds it there
	py <<-END
		import socket
		socket.socket(socket.AF_VSOCK).connect((2, 1))
	END
	[ "$(wc -l <calls)" = 1 ]
}

@test "transport: nor does a program that adopts orphans get it for a child" {
	play 'serve "$@"'
	py <<-END >got
		import ctypes, os, socket
		prctl = ctypes.CDLL(None).prctl
		adopts = ctypes.c_int()
		assert prctl(36, 1) == 0 # PR_SET_CHILD_SUBREAPER
		s = socket.socket(socket.AF_VSOCK)
		s.connect((2, 1))
		assert prctl(37, ctypes.byref(adopts)) == 0 and adopts.value == 1
		try:
		    os.waitpid(-1, os.WNOHANG)
		except ChildProcessError:
		    print('no child')
	END
	[ "$(cat got)" = 'no child' ]
}

@test "transport: of programs that begin at once one starts the bridge" {
	play 'serve "$@"'
	for _ in 1 2 3 4 5 6 7 8; do
		start py <<-END
			import socket
			s = socket.socket(socket.AF_VSOCK)
			s.connect((2, 1))
			s.send(b'abc')
			assert s.recv(9) == b'abc'
		END
	done
	for p in "${pids[@]}"; do
		wait "$p"
	done
	[ "$(wc -l <calls)" = 1 ]
}

@test "transport: threads that begin at once, too" {
	play 'serve "$@"'
	py <<-END
		import socket, threading
		def use():
		    s = socket.socket(socket.AF_VSOCK)
		    s.connect((2, 1))
		t = [threading.Thread(target=use) for i in range(8)]
		for x in t: x.start()
		for x in t: x.join()
	END
	[ "$(wc -l <calls)" = 1 ]
}

@test "transport: a bridge that was killed is started again" {
	play 'serve "$@"'
	py <<-END >got
		import errno, os, signal, socket, time
		def lives(pid):
		    try:
		        return open(f'/proc/{pid}/stat').read().split()[2] != 'Z'
		    except OSError:
		        return False
		def kill():
		    pid = int(open('played').read().split()[-1])
		    os.kill(pid, signal.SIGKILL)
		    while lives(pid):
		        time.sleep(0.01)
		s = socket.socket(socket.AF_VSOCK)
		s.connect((2, 1))
		kill()
		t = socket.socket(socket.AF_VSOCK)
		t.connect((2, 1))
		print(t.getpeername())
		kill()
		l = socket.socket(socket.AF_VSOCK)
		l.bind((socket.VMADDR_CID_ANY, 9000))
		l.listen(8)
		t = socket.socket(socket.AF_VSOCK)
		t.connect((2, 9000))
		print(l.accept()[1])
	END
	same got <(printf '%s\n' '(2, 1)' '(2, 77)')
	[ "$(wc -l <calls)" = 3 ]
}

@test "transport: without a device connects are ENODEV, and one line says why" {
	play 'echo "vsockshim: no such device, for some reason" >&2; exit 1'
	run --separate-stderr py <<-END
		import errno, socket
		for i in range(3):
		    s = socket.socket(socket.AF_VSOCK)
		    print(errno.errorcode[s.connect_ex((2, 1))])
		l = socket.socket(socket.AF_VSOCK)
		l.bind((socket.VMADDR_CID_ANY, 9000))
		l.listen(8)
		s.connect((3, 9000))
		s.close()
		print(l.accept()[1][0])
	END
	[ "$output" = $'ENODEV\nENODEV\nENODEV\n1' ]
	[ "$stderr" = 'vsockshim: no such device, for some reason' ]
}

@test "transport: the command itself says what is wrong with the device" {
	ln -s "$BUILD/vsockshim" beside
	run --separate-stderr py <<-END
		import errno, socket
		print(errno.errorcode[socket.socket(socket.AF_VSOCK).connect_ex((2, 1))])
	END
	[ "$output" = ENODEV ]
	[[ $stderr == "vsockshim: $PWD/device, CID 3: "* ]]
	rm beside/vsockshim
	run --separate-stderr py <<-END
		import errno, socket
		print(errno.errorcode[socket.socket(socket.AF_VSOCK).connect_ex((2, 1))])
	END
	[ "$output" = ENODEV ]
	[ "$stderr" = 'vsockshim: the vsockshim command is not beside the library' ]
}

@test "transport: a bridge that serves is found to, whoever else has its pipe" {
	play 'sleep 30 & echo $! >>'"$PWD"'/played; serve "$@"'
	run --separate-stderr py <<-END
		import socket, time
		start = time.monotonic()
		print(socket.socket(socket.AF_VSOCK).connect_ex((2, 1)), time.monotonic() - start < 4)
	END
	[ "$output" = '0 True' ]
	[ "$stderr" = '' ]
}

@test "transport: a program without standard descriptors has a bridge, too" {
	play 'serve "$@"'
	shim "$PYTHON" -c "if 1:
		import socket
		s = socket.socket(socket.AF_VSOCK)
		s.connect((2, 1))
		s.send(b'abc')
		open('got', 'w').write(f'{s.fileno()} {s.recv(9)}')" <&- >&- 2>&-
	[ "$(cat got)" = "0 b'abc'" ]
	[ "$(head -1 fds)" = '0 -> /dev/null' ]
}

@test "transport: a bridge that does not begin is given up" {
	play 'sleep 30 & echo $! >>'"$PWD"'/played'
	run --separate-stderr py <<-END
		import errno, socket
		print(errno.errorcode[socket.socket(socket.AF_VSOCK).connect_ex((2, 1))])
	END
	[ "$output" = ENODEV ]
	[ "$stderr" = 'vsockshim: the bridge does not begin' ]
}

@test "transport: a socket that came to a program without a machine still listens" {
	play 'serve "$@"'
	py <<-END >got
		import os, socket, subprocess, sys
		s = socket.socket(socket.AF_VSOCK)
		s.bind((socket.VMADDR_CID_ANY, 9000))
		child = '''
		import socket, sys
		socket.socket(40, 1, 0, int(sys.argv[1])).listen(1)
		print('listens')
		'''
		r = subprocess.run([sys.executable, '-c', child, str(s.fileno())], pass_fds=[s.fileno()],
		                   env=dict(os.environ, VSOCKSHIM_DIR=os.environ['VSOCKSHIM_VHOST']),
		                   stderr=subprocess.DEVNULL)
		print(r.returncode)
	END
	same got <(printf '%s\n' listens 0)
}

@test "transport: only a guest has a device" {
	for cid in 1 2; do
		run --separate-stderr py CID=$cid <<-END
			import errno, socket
			print(errno.errorcode[socket.socket(socket.AF_VSOCK).connect_ex((9, 1))])
		END
		[ "$output" = ENODEV ]
	done
	[ "$stderr" = "vsockshim: VSOCKSHIM_TRANSPORT=vhost: takes a guest's VSOCKSHIM_CID, 3 to 4294967294" ]
}

@test "transport: there are no datagrams by a device" {
	play 'serve "$@"'
	run --separate-stderr py VSOCKSHIM_DGRAM=on <<-END
		import errno, socket
		try:
		    socket.socket(socket.AF_VSOCK, socket.SOCK_DGRAM)
		except OSError as e:
		    print(errno.errorcode[e.errno])
	END
	[ "$output" = ENODEV ]
}

# The lines of a trace, without process and time.
trace() {
	sed -E 's/^vsockshim\[[0-9/]+\] [0-9.]+ //' <<<"$stderr"
}

@test "transport auto: the device if it can be opened, else paths, and the trace says which" {
	play 'serve "$@"'
	cat >connect.py <<-END
		import errno, socket
		print(socket.socket(socket.AF_VSOCK).connect_ex((2, 1)))
	END
	export VSOCKSHIM_TRANSPORT=auto VSOCKSHIM_DEBUG=transport
	run -0 --separate-stderr shim VSOCKSHIM_VHOST="$PWD/none" "$PYTHON" connect.py
	[ "$output" = 104 ]
	[ "$(trace)" = "directory $VSOCKSHIM_DIR, CID 3, transport auto
transport: paths, as $PWD/none cannot be opened: ENOENT" ]
	run -0 shim VSOCKSHIM_VHOST="$PWD/none" VSOCKSHIM_DEBUG= "$PYTHON" connect.py
	[ "$output" = 104 ]
	[ ! -e calls ]
	run -0 --separate-stderr shim "$PYTHON" connect.py
	[ "$output" = 0 ]
	[ "$(trace)" = "directory $VSOCKSHIM_DIR, CID 3, transport auto
transport: a bridge to $PWD/device, started now" ]
	[ "$(wc -l <calls)" = 1 ]
	run -0 --separate-stderr shim "$PYTHON" connect.py
	[ "$(trace)" = "directory $VSOCKSHIM_DIR, CID 3, transport auto
transport: a bridge, there already" ]
	run -0 --separate-stderr shim CID=2 "$PYTHON" -c 'import socket; [socket.socket(40) for _ in "12"]'
	[ "$(trace | sed 1d)" = "transport: paths, as only guests have a device" ]
}

@test "transport: a bad value is named, and is as unix" {
	run --separate-stderr shim VSOCKSHIM_TRANSPORT=tcp "$PYTHON" -c '
import socket
print(socket.socket(socket.AF_VSOCK).connect_ex((2, 1)))'
	[ "$output" = 104 ]
	[ "$stderr" = "vsockshim: VSOCKSHIM_TRANSPORT=tcp: takes unix, vhost or auto (unix is used)" ]
}
