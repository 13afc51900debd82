#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Settings and directories that are not to be used: one line says why, and
# AF_VSOCK is as on a kernel without it.

load helpers

# no_vsock NAME=VALUE WHAT: socket() says what a kernel without vsock says, and
# one line names the variable and the value, has WHAT to say of it, and says
# what it takes.
no_vsock() {
	local value=${1#*=}

	py "$1" >got 2>err.log <<-END
		import errno, os, socket
		for make in (lambda: socket.socket(socket.AF_VSOCK),) * 2 + (lambda: os.open('/dev/vsock', 0),):
		    try:
		        make()
		    except OSError as e:
		        print(errno.errorcode[e.errno])
		print(socket.socket().family.name)
	END
	same got <(printf '%s\n' EAFNOSUPPORT EAFNOSUPPORT ENOENT AF_INET)
	[ "$(wc -l <err.log)" = 1 ]
	[[ $(cat err.log) == "vsockshim: ${1%%=*}=${value:0:100}"*takes* ]]
	grep -E -e "$2" err.log
}

# others_may_look: root's test directory can be searched by other users.
others_may_look() {
	[ "$(id -u)" != 0 ] ||
		chmod 755 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/test" .
}

@test "a bad VSOCKSHIM_CID is named in one line, and there is no vsock" {
	for cid in 0 -1 4294967295 4294967296 3x x3 '' ' 3' 03 0x3 +3; do
		no_vsock VSOCKSHIM_CID="$cid" 4294967294
	done
}

@test "a VSOCKSHIM_DIR that is not absolute is named, and there is no vsock" {
	no_vsock VSOCKSHIM_DIR=v absolute
	no_vsock VSOCKSHIM_DIR=./v absolute
	no_vsock VSOCKSHIM_DIR= absolute
}

@test "a VSOCKSHIM_DIR that others could write is named, and there is no vsock" {
	mkdir world group
	chmod 777 world
	chmod 770 group
	no_vsock VSOCKSHIM_DIR="$PWD/world" 'world-writable'
	no_vsock VSOCKSHIM_DIR="$PWD/group" 'group'
	rmdir world group # nothing was made in them
}

@test "a VSOCKSHIM_DIR of another user is named, and there is no vsock" {
	requires_root
	mkdir -m 700 theirs
	chown nobody theirs
	no_vsock VSOCKSHIM_DIR="$PWD/theirs" 'another user'
}

@test "a VSOCKSHIM_DIR that is no directory is named, and there is no vsock" {
	touch file
	no_vsock VSOCKSHIM_DIR="$PWD/file" 'not a directory'
	no_vsock VSOCKSHIM_DIR="$PWD/file/v" 'Not a directory'
	ln -s nowhere dangling
	no_vsock VSOCKSHIM_DIR="$PWD/dangling" 'No such file or directory'
}

@test "a VSOCKSHIM_DIR that cannot be made is named, and there is no vsock" {
	no_vsock VSOCKSHIM_DIR=/proc/nowhere 'No such file or directory'
}

@test "a VSOCKSHIM_DIR of any length works, up to what the kernel takes" {
	local dir
	for length in 90 107 108 4095; do
		((length > ${#PWD} + 1)) || continue
		dir=$(path_of $length)
		(umask 077 && mkdir -p "${dir%/*}")
		py VSOCKSHIM_DIR="$dir" <<-END
			import socket
			l, c = socket.socket(socket.AF_VSOCK), socket.socket(socket.AF_VSOCK)
			l.bind((1, 1234))
			l.listen()
			c.connect((1, 1234))
			assert l.accept()[1][0] == 1
		END
		[ -d "$dir" ]
	done
	for length in 4096 20000; do
		no_vsock VSOCKSHIM_DIR="$(path_of $length)" 'is too long'
	done
	no_vsock VSOCKSHIM_DIR="$PWD/$(printf '%0300d' 0)" 'name too long'
}

# unwritable NAME=VALUE: what a user sees who is not root.
unwritable() {
	py "$1" 2>err.log <<-END
		import errno, os, socket
		if os.getuid() == 0:
		    os.setuid(65534)
		for make in (lambda: socket.socket(socket.AF_VSOCK),) * 2 + (lambda: os.open('/dev/vsock', 0),):
		    try:
		        make()
		    except OSError as e:
		        print(errno.errorcode[e.errno])
	END
}

@test "a VSOCKSHIM_DIR that may not be written to is named, and there is no vsock" {
	others_may_look
	mkdir -m 555 readable
	mkdir -m 0 closed
	for dir in readable closed closed/v readable/v; do
		unwritable VSOCKSHIM_DIR="$PWD/$dir" >got
		same got <(printf '%s\n' EAFNOSUPPORT EAFNOSUPPORT ENOENT)
		[ "$(wc -l <err.log)" = 1 ]
		[[ $(cat err.log) == "vsockshim: VSOCKSHIM_DIR=$PWD/$dir: Permission denied; takes "* ]]
	done
}

@test "a program that may not write to the directory keeps what it inherits, without a word" {
	others_may_look
	cat >child.py <<-END
		import socket
		l = socket.socket(fileno=9)
		c, peer = l.accept()
		print(l.getsockname(), c.getsockname(), peer[0], c.recv(9))
		print(open('err.log').read(), end='')
		try:
		    socket.socket(socket.AF_VSOCK)
		except OSError as e:
		    print(e.strerror)
	END
	cp "$LIB" lib.so # the tree may be for its owner only
	PRELOAD=${PRELOAD/"$LIB"/$PWD/lib.so} py VSOCKSHIM_DIR="$PWD/v" >got 2>err.log <<-END
		import os, socket
		l, c = socket.socket(socket.AF_VSOCK), socket.socket(socket.AF_VSOCK)
		l.bind((socket.VMADDR_CID_ANY, 1234))
		l.listen()
		c.connect((1, 1234))
		c.sendall(b'hello')
		os.dup2(l.fileno(), 9, inheritable=True)
		os.chmod('v', 0o500)
		os.chmod('v/2', 0)
		if os.getuid() == 0:
		    os.setuid(65534)
		os.execv('$PYTHON', ['$PYTHON', 'child.py'])
	END
	chmod 700 v v/2
	same got - <<-END
		(4294967295, 1234) (1, 1234) 1 b'hello'
		Address family not supported by protocol
	END
	[[ $(cat err.log) == "vsockshim: VSOCKSHIM_DIR=$PWD/v: Permission denied; takes "* ]]
}

@test "what is wrong with the default directory is said of it" {
	unset VSOCKSHIM_DIR
	mkdir xdg xdg/vsockshim
	chmod 777 xdg/vsockshim
	py XDG_RUNTIME_DIR="$PWD/xdg" 2>err.log <<-END
		import socket
		try: socket.socket(socket.AF_VSOCK)
		except OSError as e: assert e.errno == 97
	END
	[ "$(wc -l <err.log)" = 1 ]
	[[ $(cat err.log) == "vsockshim: VSOCKSHIM_DIR is not set, its default $PWD/xdg/vsockshim: is world-writable "*"; takes "* ]]
	py XDG_RUNTIME_DIR="$(path_of 4090)" 2>err.log <<-END
		import socket
		try: socket.socket(socket.AF_VSOCK)
		except OSError as e: assert e.errno == 97
	END
	[[ $(cat err.log) == "vsockshim: XDG_RUNTIME_DIR=$PWD/"*"is too long: takes "* ]]
}

@test "a value that would be two lines is said in one" {
	py VSOCKSHIM_DIR=$'no\n\e[1mpath\x7f' 2>err.log <<-END
		import socket
		try: socket.socket(socket.AF_VSOCK)
		except OSError as e: assert e.errno == 97
	END
	[ "$(wc -l <err.log)" = 1 ]
	[[ $(cat err.log) == "vsockshim: VSOCKSHIM_DIR=no??[1mpath?: is not an absolute path; takes "* ]]
}

@test "what is said to a standard error that nobody reads does not end the program" {
	py CID=x >got <<-END
		import os
		r, w = os.pipe()
		os.dup2(w, 2)
		os.close(r)
		os.execv('$PYTHON', ['$PYTHON', '-c', '''
		import signal, socket
		signal.signal(signal.SIGPIPE, signal.SIG_DFL)
		for family in socket.AF_VSOCK, socket.AF_INET:
		    try: print(socket.socket(family).family.name)
		    except OSError as e: print(e.errno)
		print(signal.sigpending())
		'''])
	END
	same got <(printf '%s\n' 97 AF_INET 'set()')
}

# The program of two tests: its directory is gone when it wants to bind and connect.
lose_directory() {
	py 2>err.log <<-END
		import errno, os, shutil, socket
		s = socket.socket(socket.AF_VSOCK)
		if $1: # what was standard error is now a file of the program's
		    os.close(2)
		    f = open('mine', 'w')
		    assert f.fileno() == 2
		shutil.rmtree('v')
		os.symlink('nowhere', 'v')
		for _ in range(3):
		    try:
		        s.bind((1, 1234))
		    except OSError as e:
		        print(errno.errorcode[e.errno])
		before = len(os.listdir('/proc/self/fd'))
		for address in (1, 1234), (9, 1234):
		    try:
		        socket.socket(socket.AF_VSOCK).connect(address)
		    except OSError as e:
		        print(errno.errorcode[e.errno])
		print(len(os.listdir('/proc/self/fd')) - before)
	END
}

@test "a directory that goes away is named in one line; no bind has memory, no connect anybody" {
	lose_directory False >got
	same got <(printf '%s\n' ENOMEM ENOMEM ENOMEM ECONNRESET ENODEV 0)
	[ "$(wc -l <err.log)" = 1 ]
	grep "VSOCKSHIM_DIR.*$VSOCKSHIM_DIR.*takes" err.log
}

@test "what we have to say never lands in a file of the program's" {
	lose_directory True >got
	same got <(printf '%s\n' ENOMEM ENOMEM ENOMEM ECONNRESET ENODEV 0)
	[ ! -s mine ]
}

@test "nor in one that took the number of standard error before vsock was used" {
	for way in 'os.close(2)' 'os.dup2(os.open("other", os.O_CREAT | os.O_RDWR), 2)'; do
		rm -f other
		run -0 py CID=none <<-END
			import os, socket
			$way
			if os.path.exists("other") or os.open("other", os.O_CREAT | os.O_RDWR) == 2:
			    try: socket.socket(socket.AF_VSOCK)
			    except OSError as e: print(e.errno)
		END
		[ "$output" = 97 ]
		[ ! -s other ]
	done
}

@test "a bad setting is nothing to a program that uses no vsock" {
	run -0 --separate-stderr shim CID=0 VSOCKSHIM_DIR=v \
		"$PYTHON" -c 'import socket; print(socket.socket().family.name)'
	[ "$output" = AF_INET ]
	[ -z "$stderr" ]
}

# A listener of our user's that is none of the directory's: links lead to it.
victim='
import os, socket
victim = socket.socket(socket.AF_UNIX)
victim.bind("victim")
victim.listen()
victim.setblocking(False)
def unharmed():
    try: victim.accept()
    except BlockingIOError: return True
def attempt(call, *args):
    try: print(call(*args))
    except OSError as e: print(e.strerror)
s = socket.socket(socket.AF_VSOCK)
'

@test "a connect does not follow a symbolic link in place of a socket" {
	for mode in 700 2770 1777; do
		rm -rf v victim
		mkdir v
		chmod $mode v
		py CID=3 >got 2>err.log <<-END
			$victim
			os.symlink('../../victim', 'v/3/1234.vsock')
			os.symlink('nowhere', 'v/3/1235.vsock')
			for port in 1234, 1235:
			    attempt(s.connect, (1, port))
			assert unharmed()
		END
		same got <(printf '%s\n' 'No such device' 'No such device')
		[ "$(wc -l <err.log)" = 1 ]
		[[ $(cat err.log) == "vsockshim: VSOCKSHIM_DIR=$PWD/v: holds a symbolic link in place of a socket; takes "* ]]
	done
}

@test "in a directory of many, a link that takes the place of a socket is not followed" {
	for mode in 2770 1777; do
		rm -rf v victim
		mkdir v
		chmod $mode v
		py CID=3 >got <<-END
			$victim
			l = socket.socket(socket.AF_VSOCK)
			l.bind((3, 1234))
			l.listen()
			s.connect((3, 1234))
			os.unlink('v/3/1234@3.vsock')
			os.symlink('../../victim', 'v/3/1234@3.vsock')
			attempt(socket.socket(socket.AF_VSOCK).connect, (3, 1234))
			assert unharmed()
		END
		[ "$(cat got)" = "No such device" ]
	done
}

@test "in a directory of many, a datagram does not follow a link either" {
	for mode in 2770 1777; do
		rm -rf v victim
		mkdir v
		chmod $mode v
		py CID=3 >got <<-END
			import os, socket
			victim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
			victim.bind('victim')
			s, r = (socket.socket(socket.AF_VSOCK, socket.SOCK_DGRAM) for _ in range(2))
			r.bind((3, 1235))
			os.symlink('../../victim', 'v/3/1234.dgram')
			s.sendto(b'hello', (3, 1235))
			print(r.recv(9))
			try: s.sendto(b'hello', (3, 1234))
			except OSError as e: print(e.strerror)
			try: print(victim.recv(9, socket.MSG_DONTWAIT))
			except BlockingIOError: print('nothing')
		END
		same got <(printf '%s\n' "b'hello'" 'No such device' nothing)
	done
}

@test "a port whose path is a symbolic link to a socket is in use" {
	py CID=3 >got <<-END
		$victim
		os.symlink('../../victim', 'v/3/1234.vsock')
		os.symlink('nowhere', 'v/3/1235.vsock')
		attempt(s.bind, (3, 1234))
		attempt(s.bind, (socket.VMADDR_CID_ANY, 1235))
		assert unharmed() and os.path.islink('v/3/1234.vsock')
	END
	same got <(printf '%s\n' 'Address already in use' 'Address already in use')
}
