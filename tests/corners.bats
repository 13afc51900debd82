#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What once went wrong in rare uses, and must not again.

load helpers

# prints COMMAND...: it ends well, and says what standard input says.
prints() {
	shim "$@" >got
	same got -
}

@test "a program reads an inherited connection to its end, also if the peer died" {
	prints "$PROG/inherits" bereaved <<-END
		read 2
		read 0
	END
}

@test "a program learns once why the connect failed that it inherits" {
	prints "$PROG/inherits" failed <<-END
		connect EINPROGRESS
		SO_ERROR ECONNRESET
		SO_ERROR none
	END
}

@test "a program cannot shut down the listener that it inherits" {
	prints "$PROG/inherits" listener <<-END
		shutdown ENOTCONN
		connect 0
	END
}

@test "recvfrom on an inherited connection names nobody" {
	prints "$PROG/inherits" recvfrom <<-END
		write 1
		recvfrom 1
		length 0
	END
}

@test "an inherited connection does not tell who its peer is" {
	prints "$PROG/inherits" peercred <<-END
		write 1
		getsockopt 0
		pid 0
	END
}

@test "poll on an inherited socket that is not connected waits out its time" {
	prints "$PROG/inherits" poll <<-END
		poll 0
		in time
	END
}

@test "ppoll on an inherited socket that is not connected waits for the signal" {
	prints "$PROG/inherits" ppoll <<-END
		ppoll EINTR
		in time
	END
}

@test "a buffer size that was set before an exec holds after it" {
	prints "$PROG/inherits" sizes <<-END
		connect 0
		accepted 65536 takes 65536
		connected 65536 takes 65536
	END
}

@test "a socket that arrives on the number of a TCP socket is a vsock socket" {
	prints "$PROG/inherits" message <<-END
		sendmsg 1
		recvmsg 1
		the same number
		poll 0
		domain 40
	END
}

@test "epoll_wait returns in time, whatever is registered with EPOLLEXCLUSIVE" {
	[ "$(shim "$PROG/epolls" exclusive)" = "in time" ]
}

@test "epoll shows the end of a pipe that took a vsock socket's number and data" {
	prints "$PROG/epolls" reused <<-END
		epoll_wait 1
		events 0x10 data 1
	END
}

@test "epoll shows the end of a pipe that took only a vsock socket's data" {
	prints "$PROG/epolls" reused-data <<-END
		epoll_wait 1
		events 0x10 data 1
	END
}

@test "the smallest stack that a thread can have is enough" {
	[ "$(shim "$PROG/corners" small-thread)" = bound ]
}

@test "a signal handler's stack of 8 KiB is enough" {
	[ "$(shim "$PROG/corners" small-handler)" = bound ]
}

@test "a socket that two threads shut down at once is shut down both ways" {
	[ "$(shim "$PROG/corners" shutdowns)" = "wrong 0" ]
}

@test "a thread that is cancelled in poll leaves no descriptor" {
	prints "$PROG/corners" cancelled <<-END
		cancelled 50
		leaked 0
	END
}

@test "a read that finds the end leaves errno alone, also if the peer died" {
	prints "$PROG/corners" bereaved <<-END
		read 2
		read 0
		errno as it was
	END
}

@test "a vsock socket has no file behind it" {
	prints "$PROG/corners" unix-file <<-END
		ioctl ENOTTY
		leaked 0
	END
}

@test "recvmsg of no bytes says that there is no name, control or flag" {
	prints "$PROG/corners" no-bytes <<-END
		recvmsg 0
		namelen 0 controllen 0 flags 0
	END
}

@test "a bad pointer is an error, not the program's end" {
	errors=$(printf '%s EFAULT\n' getsockname 'bind 16' 'bind 200' recvmsg sendmsg)
	errors=${errors/200 EFAULT/200 EINVAL}
	prints "$PROG/corners" pointers <<-END
		TCP, before any vsock
		$errors
		vsock
		$errors
		connect ECONNRESET
		connect EFAULT
		vsock, connected
		$errors
		TCP
		$errors
	END
}

@test "a socket whose connect failed can listen, unless it was non-blocking" {
	prints "$PROG/corners" listen <<-END
		connect EINPROGRESS
		listen EINVAL
		connect ECONNRESET
		connect to it 0
	END
}

# A kernel lets the second listen, too: see vsockshim(7).
@test "a socket that cannot be reached does not listen" {
	prints "$PROG/corners" listen-owned <<-END
		connect EINPROGRESS
		listen EINVAL
		connect ECONNRESET
		listen EINVAL
	END
}

@test "a program that is compiled with _FORTIFY_SOURCE is served as any other" {
	cat >fortified.c <<-END
		#include "tests/prog/vsock.h"
		#include <poll.h>
		int main(int argc, char **argv)
		{
			/* of a size that the compiler knows, used to one it does not */
			struct pollfd p[4] = {{ .fd = vsock_socket(0), .events = POLLIN }};
			char buf[8];
			int fd = vsock_bereaved();
			say("poll", poll(p, argc, 0));
			say("ppoll", ppoll(p, argc, &(struct timespec){0}, NULL));
			say("read", read(fd, buf, argc * 2));
			say("read", read(fd, buf, argc));
			fd = vsock_bereaved();
			say("recv", recv(fd, buf, argc * 2, 0));
			say("recv", recv(fd, buf, argc, 0));
		}
	END
	"${CC:-cc}" -O2 -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -D_GNU_SOURCE \
		-I"$ROOT" -o fortified fortified.c
	for name in poll ppoll read recv; do
		nm -D fortified | grep -w "U __${name}_chk"
	done
	prints ./fortified <<-END
		poll 0
		ppoll 0
		read 2
		read 0
		recv 2
		recv 0
	END
}

paths() {
	find "$VSOCKSHIM_DIR" -name '*.vsock' | wc -l
}

long_dir() {
	VSOCKSHIM_DIR=$PWD/$(printf '%0120d' 0)
	mkdir -m 700 "$VSOCKSHIM_DIR"
}

@test "in a directory of a long name, nothing is left of the sockets that were closed" {
	long_dir
	py <<-END
		import os, socket
		for _ in range(20):
		    s = socket.socket(socket.AF_VSOCK)
		    s.bind((socket.VMADDR_CID_ANY, socket.VMADDR_PORT_ANY))
		    found = os.listdir(os.environ['VSOCKSHIM_DIR'] + '/2')
		    assert f'{s.getsockname()[1]}.vsock' in found, found
		    s.close()
	END
	[ "$(paths)" = 0 ]
}

@test "in a directory of a long name, what killed programs left is removed" {
	long_dir
	py <<-END
		import os, signal, socket
		def bind():
		    s = socket.socket(socket.AF_VSOCK)
		    s.bind((socket.VMADDR_CID_ANY, socket.VMADDR_PORT_ANY))
		    return s
		for _ in range(50):
		    if not os.fork():
		        s = bind()
		        os.kill(os.getpid(), signal.SIGKILL)
		    assert os.WTERMSIG(os.wait()[1]) == signal.SIGKILL
		for _ in range(10):
		    bind().close()
	END
	[ "$(paths)" -lt 20 ]
}

# refused COMMAND: after another user ran it in a directory that all may write
# to, root has no vsock there, one line says so, and root's file is unharmed.
refused() {
	requires_root
	requires setpriv
	chmod 755 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/test" .
	rm -rf all
	mkdir all
	chmod 1777 all
	echo "root's own" >victim
	(cd all && setpriv --reuid 65534 --regid 65534 --clear-groups sh -euc "$1")
	py VSOCKSHIM_DIR="$PWD/all" >got 2>err.log <<-END
		import errno, socket
		try:
		    s = socket.socket(socket.AF_VSOCK)
		    s.bind((1, 1234))
		except OSError as e:
		    print(errno.errorcode[e.errno])
	END
	[ "$(cat got)" = EAFNOSUPPORT ]
	[ "$(wc -l <err.log)" = 1 ]
	grep -F "VSOCKSHIM_DIR=$PWD/all" err.log
	[ "$(cat victim)" = "root's own" ]
}

@test "no other user can make us write to a file by a symbolic link to it" {
	refused 'mkdir -m 777 2 && ln -s ../../victim 2/ports'
}

@test "no other user can lead us to another directory by a symbolic link to it" {
	mkdir -p own/2
	refused 'ln -s ../own 2'
	[ -z "$(find own -type f -o -type s)" ]
}

@test "no other user can give us a file of ports" {
	refused 'mkdir -m 777 2 && head -c 100000 /dev/zero >2/ports && chmod 666 2/ports'
}

# A pair of connected vsock sockets, for what follows in Python.
pair='
import fcntl, os, select, socket, subprocess, sys
def pair(before=lambda s: None):
    l = socket.socket(socket.AF_VSOCK)
    l.bind((socket.VMADDR_CID_ANY, socket.VMADDR_PORT_ANY))
    l.listen()
    c = socket.socket(socket.AF_VSOCK)
    before(c)
    c.connect((1, l.getsockname()[1]))
    return c, l.accept()[0]
'

@test "a socket that epoll saw before it was connected stays level-triggered" {
	run -0 shim "$PYTHON" - <<-END
		$pair
		e = select.epoll()
		def before(s):
		    e.register(s, select.EPOLLIN)
		    print(e.poll(0))
		c, a = pair(before)
		print(e.poll(0))
		a.send(b'abc')
		for i in range(3):
		    print([m for _, m in e.poll(0)], c.recv(1))
		print(e.poll(0))
	END
	[ "$output" = "[]
[]
[1] b'a'
[1] b'b'
[1] b'c'
[]" ]
}

@test "a one-shot registration that epoll saw before fires once" {
	run -0 shim "$PYTHON" - <<-END
		$pair
		e = select.epoll()
		def before(s):
		    e.register(s, select.EPOLLIN | select.EPOLLONESHOT)
		    print(e.poll(0))
		c, a = pair(before)
		a.send(b'abc')
		print([m for _, m in e.poll(0)], e.poll(0))
		a.send(b'more')
		a.close()
		print(e.poll(0))
		e.modify(c, select.EPOLLIN | select.EPOLLONESHOT)
		print([m for _, m in e.poll(0)], e.poll(0))
	END
	[ "$output" = "[]
[1] []
[]
[1] []" ]
}

@test "two sockets with one datum in an epoll are told apart" {
	prints "$PROG/epolls" datum <<-END
		events 0
	END
	prints "$PROG/epolls" later <<-END
		events 0
		events 1
		mask 1
		events 1
		mask 1
		events 0
		events 1
		mask 17
	END
}

@test "a duplicate is ours on a number that was another's, however it is made" {
	run -0 shim "$PYTHON" - <<-END
		import fcntl, os, socket
		a, b = socket.socket(), socket.socket()
		a.close()
		b.close()
		v = socket.socket(socket.AF_VSOCK)
		for d in (v.dup(), os.dup(v.fileno()), fcntl.fcntl(v, fcntl.F_DUPFD, 0)):
		    d = d if isinstance(d, socket.socket) else socket.socket(fileno=d)
		    print(int(d.family), d.getsockopt(socket.SOL_SOCKET, 39))
	END
	[ "$output" = "40 40
40 40
40 40" ]
}

@test "a child of vfork that dups over our number does not take it from its parent" {
	run -0 shim "$PYTHON" - <<-END
		import os, socket, subprocess
		v = socket.socket(socket.AF_VSOCK)
		os.dup2(v.fileno(), 0)
		a, b = socket.socketpair()
		subprocess.run(['true'], stdin=a)
		print(int(socket.socket(fileno=0).family))
	END
	[ "$output" = 40 ]
}

@test "a datagram's sender is told on a number that was ours" {
	run -0 shim "$PYTHON" - <<-END
		import fcntl, os, socket
		v = socket.socket(socket.AF_VSOCK)
		n = v.fileno()
		u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		u.bind(('127.0.0.1', 0))
		v.close()
		d = socket.socket(fileno=fcntl.fcntl(u, fcntl.F_DUPFD, n))
		for receive in (lambda: d.recvmsg(9)[3], lambda: d.recvfrom(9)[1]):
		    u.sendto(b'x', u.getsockname())
		    print(d.fileno() == n, receive() == u.getsockname())
	END
	[ "$output" = "True True
True True" ]
}

@test "an option that is set after exec leaves the others alone" {
	cat >child.py <<-END
		import socket, sys
		s = socket.socket(fileno=int(sys.argv[1]))
		s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 50000)
		print(s.getsockopt(socket.AF_VSOCK, 0))
	END
	run -0 shim "$PYTHON" - <<-END
		import os, socket, sys
		v = socket.socket(socket.AF_VSOCK)
		os.set_inheritable(v.fileno(), True)
		v.setsockopt(socket.AF_VSOCK, 0, 100000)
		os.execv(sys.executable, [sys.executable, 'child.py', str(v.fileno())])
	END
	[ "$output" = 100000 ]
}
