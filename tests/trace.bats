#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# VSOCKSHIM_DEBUG and VSOCKSHIM_LOG.

load helpers

head='vsockshim\[[0-9]+(/[0-9]+)?\] [0-9]{10,}\.[0-9]{6} '

# The lines of standard input that are ours, without process and time.
lines() {
	sed -nE "s|^$head||p"
}

# traced CATEGORIES COMMAND...: on machine 3; its trace is in the file trace, and
# nothing else is.
traced() {
	shim CID=3 VSOCKSHIM_DEBUG="$1" VSOCKSHIM_LOG="$PWD/log" "${@:2}"
	lines <log >trace
	[ "$(wc -l <log)" = "$(wc -l <trace)" ]
}

# The first line of a trace of a process that makes a socket, or looks at one's end.
place() {
	echo "directory ${2-$PWD/v}, CID ${1:-3}, transport unix"
}

# Uses vsock, says "used" on standard error, and uses it again; as its child.
uses="
import os, socket, sys
socket.socket(socket.AF_VSOCK).close()
os.write(2, b'used\n')
socket.socket(socket.AF_VSOCK).close()
if not os.fork():
    socket.socket(socket.AF_VSOCK).close()
    os._exit(0)
os.wait()
"

@test "the trace of category socket has what makes, names, connects and closes" {
	traced socket "$PROG/trace" socket
	same trace - <<-END
		$(place)
		socket(AF_VSOCK, SOCK_STREAM, 0) = 3
		bind(3, *:1234) = 0
		listen(3, 9) = 0
		socket(AF_VSOCK, SOCK_STREAM, 0) = 4
		bind(4, 1:5678) = 0
		connect(4, 1:1234) = 0
		accept(3, 1:5678) = 5
		connect(4, 1:1234) = -1 EISCONN
		getsockname(3, *:1234) = 0
		getpeername(4, 1:1234) = 0
		getpeername(3) = -1 ENOTCONN
		shutdown(4, SHUT_WR) = 0
		shutdown(4, 7) = -1 EINVAL
		dup(4) = 6
		dup2(4, 6) = 6
		dup3(4, 6, SOCK_CLOEXEC) = 6
		close(6) = 0
		close(5) = 0
		close(4) = 0
		bind(3, 1:1234) = -1 EINVAL
		accept4(3, SOCK_CLOEXEC) = -1 EAGAIN
		socket(AF_VSOCK, SOCK_SEQPACKET|SOCK_CLOEXEC|SOCK_NONBLOCK, 0) = 4
		connect(4, 1:999) = -1 EINPROGRESS
		connect(4, family 2, 16) = -1 EALREADY
		connect(4, family 2, 4) = -1 EALREADY
		connect(4, NULL) = -1 EFAULT
		connect(4, 0x10, 16) = -1 EFAULT
		socket(AF_VSOCK, SOCK_RAW, 7) = -1 EPROTONOSUPPORT
		socketpair(AF_VSOCK, SOCK_STREAM, 0) = -1 EOPNOTSUPP
		open("/dev/vsock", O_RDONLY|O_CLOEXEC) = 5
		close(5) = 0
	END
}

@test "the trace of category data has what is sent and received" {
	traced data "$PROG/trace" data
	same trace - <<-END
		$(place)
		write(4, ..., 6) = 6
		read(5, ..., 4) = 4
		read(5, ..., 64) = 2
		writev(4, ..., 1) = 3
		readv(5, ..., 1) = 3
		pwritev2(4, ..., 1) = 3
		preadv2(5, ..., 1) = 3
		send(4, ..., 3, MSG_NOSIGNAL|MSG_MORE) = 3
		recv(5, ..., 3, MSG_PEEK|0x200) = 3
		recvfrom(5, ..., 3, MSG_WAITALL) = 3
		recv(5, ..., 3, MSG_DONTWAIT) = -1 EAGAIN
		sendmsg(4, ..., 0) = 3
		recvmsg(5, ..., 0) = 3
		sendmmsg(4, ..., 2, 0) = 2
		recvmmsg(5, ..., 2, MSG_WAITFORONE) = 2
		sendto(4, ..., 3, 0, 1:1234) = -1 EISCONN
		splice(6, 4, 5) = 5
		splice(5, 7, 5) = 5
		sendfile(4, 8, 8) = 8
		send(4, ..., 1, MSG_NOSIGNAL) = -1 EPIPE
		read(5, ..., 8) = 8
		read(5, ..., 8) = 0
		sendto(9, ..., 2, 0, 1:9999) = 2
		recvfrom(9, ..., 8, 0, 1:9999) = 2
	END
}

@test "the trace of category option has options and what they are set to" {
	traced option "$PROG/trace" option
	same trace - <<-END
		$(place)
		setsockopt(4, AF_VSOCK, SO_VM_SOCKETS_BUFFER_SIZE, 65536) = 0
		getsockopt(4, AF_VSOCK, SO_VM_SOCKETS_BUFFER_SIZE, 65536) = 0
		setsockopt(4, AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT, 1.500000) = 0
		setsockopt(4, AF_VSOCK, 99, 1) = -1 ENOPROTOOPT
		setsockopt(4, AF_VSOCK, SO_VM_SOCKETS_BUFFER_SIZE, 1) = -1 EINVAL
		setsockopt(4, SOL_SOCKET, SO_RCVTIMEO, 1.500000) = 0
		setsockopt(4, SOL_SOCKET, SO_RCVTIMEO, 1.500000) = -1 EINVAL
		setsockopt(4, SOL_SOCKET, SO_REUSEADDR, 1) = 0
		setsockopt(4, SOL_SOCKET, SO_REUSEADDR, 0x10) = -1 EFAULT
		getsockopt(4, SOL_SOCKET, SO_ERROR, 0) = 0
		getsockopt(4, SOL_SOCKET, SO_TYPE, SOCK_SEQPACKET) = 0
		getsockopt(4, 6, 1) = -1 ENOPROTOOPT
		fcntl(4, F_SETFD, 1) = 0
		fcntl(4, F_GETFD) = 1
		fcntl(4, F_SETFL, O_RDONLY|O_NONBLOCK) = 0
		fcntl(4, F_GETFL) = 2050
		ioctl(5, FIONREAD, 5) = 0
		ioctl(4, SIOCOUTQ, 0) = 0
		ioctl(4, 0x8904) = 0
		ioctl(4, IOCTL_VM_SOCKETS_GET_LOCAL_CID) = -1 ENOTTY
		ioctl(6, IOCTL_VM_SOCKETS_GET_LOCAL_CID, 3) = 0
		getsockopt(7, SOL_SOCKET, SO_ERROR, ECONNRESET) = 0
	END
}

@test "the trace of category poll has what is waited for, and what came" {
	traced poll "$PROG/trace" poll </dev/null
	same trace - <<-END
		$(place)
		poll([{4, POLLIN|POLLOUT, POLLOUT}, {5, POLLIN, 0}], 3, 0) = 2
		poll([{5, POLLIN, 0}], 1, 0) = 0
		ppoll([{5, POLLIN, 0}], 1, 1) = 0
		select([{4, out, out}, {5, in, 0}], 6) = 2
		epoll_ctl(9, EPOLL_CTL_ADD, 5, EPOLLIN|EPOLLET) = 0
		epoll_ctl(9, EPOLL_CTL_ADD, 5, EPOLLIN|EPOLLET) = -1 EEXIST
		epoll_wait(9, [{5, EPOLLIN}], 1, -1) = 1
		pselect([{5, in, in}], 6) = 2
		epoll_pwait(9, [{5, EPOLLIN}], 1, -1) = 1
		poll([{5, POLLIN, POLLIN}], 1, -1) = 1
		ppoll([{5, POLLIN, POLLIN}], 1, -1) = 1
		epoll_ctl(9, EPOLL_CTL_MOD, 5, EPOLLIN) = 0
		epoll_pwait2(9, [{5, EPOLLIN}], 2, -1) = 2
		epoll_ctl(9, EPOLL_CTL_DEL, 5, 0) = 0
	END
}

@test "a list that a line has no room for ends with ..., and the call is whole" {
	traced poll "$PROG/trace" long
	grep -v '^epoll_ctl' trace | sed -E 's/\{1[0-9]+, ([^}]*)\}, //g' | same - <(
		place
		printf '%s\n' 'poll([...], 100, 0) = 100' 'select([...], 200) = 100' 'epoll_wait(9, [...], 100, 0) = 100'
	)
	[ "$(awk '{ print length }' log | sort -n | tail -n 1)" -gt 800 ]
}

@test "categories add up, and all is all of them" {
	for what in socket data option poll; do
		traced "$what" "$PROG/trace" data
		mv trace "$what.trace"
		rm log
	done
	for what in all socket,poll,data,option,transport; do
		traced "$what" "$PROG/trace" data
		grep -hv ^directory ./*.trace | sort >want
		grep -v ^directory trace | sort | same - want
		rm log
	done
	[ "$(wc -l <want)" -ge 30 ]
	traced socket,data "$PROG/trace" data
	grep -v ^directory trace | sort | same - <(grep -hv ^directory socket.trace data.trace | sort)
}

@test "a category that there is not is named with those that there are, the others count" {
	for what in sokcet,data data,sokcet 'sokcet,data,'; do
		run -0 --separate-stderr shim VSOCKSHIM_DEBUG=$what VSOCKSHIM_LOG="$PWD/log" "$PROG/trace" data
		[ "$stderr" = "vsockshim: VSOCKSHIM_DEBUG=sokcet: is no category; takes all, or some of socket, data, option, poll and transport, with commas in between" ]
		[ "$(lines <log | grep -c '^write(')" = 1 ]
		[ "$(lines <log | grep -c '^socket(')" = 0 ]
		rm log
	done
	run -0 --separate-stderr shim VSOCKSHIM_DEBUG=sokcet "$PYTHON" -c 'import socket; socket.socket()'
	[ -z "$stderr" ]
}

@test "without VSOCKSHIM_LOG a trace is on standard error, between the program's lines" {
	run -0 --separate-stderr shim CID=3 VSOCKSHIM_DEBUG=socket "$PYTHON" -c "$uses"
	[ -z "$output" ]
	sed -E "s|^$head||" <<<"$stderr" | same - <(
		place
		printf '%s\n' 'socket(AF_VSOCK, SOCK_STREAM|SOCK_CLOEXEC, 0) = 3' \
			'close(3) = 0' used 'socket(AF_VSOCK, SOCK_STREAM|SOCK_CLOEXEC, 0) = 3' \
			'close(3) = 0' 'socket(AF_VSOCK, SOCK_STREAM|SOCK_CLOEXEC, 0) = 3' 'close(3) = 0')
	unset VSOCKSHIM_DIR
	run -0 --separate-stderr shim VSOCKSHIM_DEBUG=transport XDG_RUNTIME_DIR="$PWD" "$PYTHON" -c "$uses"
	[ "$(lines <<<"$stderr")" = "$(place 2 "$PWD/vsockshim")" ]
}

@test "without VSOCKSHIM_DEBUG nothing is said, nor of a program that uses no vsock" {
	for debug in -uVSOCKSHIM_DEBUG VSOCKSHIM_DEBUG=; do
		run -0 --separate-stderr shim VSOCKSHIM_LOG="$PWD/log" env $debug "$PYTHON" -c "$uses"
		[ "$stderr" = used ]
	done
	run -0 --separate-stderr shim VSOCKSHIM_DEBUG=all VSOCKSHIM_LOG="$PWD/log" \
		"$PYTHON" -c 'import socket; socket.socket().close()'
	[ -z "$stderr" ]
	[ ! -e log ]
}

@test "the first line comes before what is wrong with the directory" {
	run -0 --separate-stderr shim VSOCKSHIM_DEBUG=socket VSOCKSHIM_DIR=v "$PYTHON" -c "
import socket
try: socket.socket(socket.AF_VSOCK)
except OSError: pass"
	[ "$(lines <<<"${stderr_lines[0]}")" = "$(place 2 v)" ]
	[[ ${stderr_lines[1]} == "vsockshim: VSOCKSHIM_DIR=v: is not an absolute path; "* ]]
	[ "$(lines <<<"${stderr_lines[2]}")" = "socket(AF_VSOCK, SOCK_STREAM|SOCK_CLOEXEC, 0) = -1 EAFNOSUPPORT" ]
	[ ${#stderr_lines[@]} = 3 ]
}

@test "a VSOCKSHIM_LOG that cannot be written to is named once, and standard error used" {
	run -0 --separate-stderr shim VSOCKSHIM_DEBUG=data VSOCKSHIM_LOG="$PWD/none/log" "$PROG/trace" data
	[[ ${stderr_lines[0]} == "vsockshim: VSOCKSHIM_LOG=$PWD/none/log: "*"takes a file"* ]]
	[ "$(lines <<<"$stderr" | head -n 2)" = "$(place 2)"$'\nwrite(4, ..., 6) = 6' ]
	[ "$(grep -c 'takes a file' <<<"$stderr")" = 1 ]
}

@test "a VSOCKSHIM_LOG that is a pipe without a reader does not stop the program" {
	mkfifo log
	run -0 --separate-stderr shim VSOCKSHIM_DEBUG=all VSOCKSHIM_LOG="$PWD/log" "$PYTHON" -c "$uses"
	[[ ${stderr_lines[0]} == "vsockshim: VSOCKSHIM_LOG=$PWD/log: "* ]]
}

@test "a VSOCKSHIM_LOG that may not grow does not end the program" {
	traced socket "$PROG/corners" small-thread # the machine's file is there
	size=$(wc -c <log)
	# shellcheck disable=SC2016 # for the shell there
	[ "$(shim CID=3 VSOCKSHIM_DEBUG=all VSOCKSHIM_LOG="$PWD/log" sh -c 'ulimit -f 0
		exec "$@"' sh "$PROG/corners" small-thread)" = bound ]
	[ "$(wc -c <log)" = "$size" ]
}

@test "an empty VSOCKSHIM_LOG is none" {
	run -0 --separate-stderr shim VSOCKSHIM_DEBUG=socket VSOCKSHIM_LOG= "$PYTHON" -c "$uses"
	[ "$(lines <<<"${stderr_lines[0]}")" = "$(place 2)" ]
}

@test "a trace goes on by VSOCKSHIM_LOG where standard error is closed, else it ends" {
	py VSOCKSHIM_DEBUG=all >got 2>said <<-END
		import os, socket
		socket.socket(socket.AF_VSOCK)
		os.close(2)
		assert os.open('file', os.O_WRONLY | os.O_CREAT) == 2
		socket.socket(socket.AF_VSOCK)
		print(os.stat('file').st_size)
	END
	[ "$(cat got)" = 0 ]
	[ "$(grep -c 'socket(AF_VSOCK' said)" = 1 ]
	py VSOCKSHIM_DEBUG=all VSOCKSHIM_LOG="$PWD/log" <<-END
		import os, socket
		os.close(2)
		socket.socket(socket.AF_VSOCK)
	END
	[ "$(lines <log | grep -c '^socket(AF_VSOCK')" = 1 ]
}

@test "a program that only inherited a socket is traced from its first call" {
	py VSOCKSHIM_DEBUG=data VSOCKSHIM_LOG="$PWD/log" >got <<-END
		import os, socket, subprocess
		s, c = (socket.socket(socket.AF_VSOCK) for _ in range(2))
		s.bind((1, 1234))
		s.listen(1)
		c.connect((1, 1234))
		a, peer = s.accept()
		c.send(b'hello')
		c.shutdown(socket.SHUT_WR)
		child = subprocess.Popen(['cat'], stdin=a)
		child.wait()
		print('\\n%d' % child.pid)
	END
	grep -F "vsockshim[$(tail -n 1 got)] " log | lines >trace
	same trace - <<-END
		read(0, ..., 131072) = 5
		$(place 2)
		read(0, ..., 131072) = 0
	END
}

@test "a program that sets a seccomp filter is traced until then, and lives" {
	traced all "$PROG/data" filtered-messages >got
	[ "$(cat got)" = lived ]
	[[ $(tail -n 1 trace) == "readv("*", ..., 1) = 8" ]] # the last before it
	[ "$(grep -c ^readv trace)" = 1 ]
	shim "$PROG/data" bystanders >want
	shim VSOCKSHIM_DEBUG=all VSOCKSHIM_LOG="$PWD/log" "$PROG/data" bystanders >got
	same want got
}

@test "lines of many threads and processes do not mix" {
	traced socket "$PROG/trace" many
	[ "$(grep -cx 'getsockname(3, \*:\*) = 0' trace)" = 3200 ]
	# each process has nine threads; only one is told by its process alone
	[ "$(sed 's/ .*//' log | sort -u | wc -l)" = 33 ]
}

@test "a trace fits a signal handler's stack, and a thread's" {
	for what in small-handler small-thread; do
		[ "$(shim VSOCKSHIM_DEBUG=all VSOCKSHIM_LOG="$PWD/log" "$PROG/corners" $what)" = bound ]
	done
	# and with more to say
	[ "$(shim VSOCKSHIM_DEBUG=none,all VSOCKSHIM_LOG=none/log "$PROG/corners" small-handler 2>said)" = bound ]
	[ "$(grep -c '^vsockshim: ' said)" = 2 ]
	traced all "$PROG/handler" >got
	[ "$(cat got)" = ok ]
}

@test "a trace changes no answer" {
	for debug in '' all; do
		mkdir -m 700 "dir$debug"
		shim CID=2 VSOCKSHIM_DIR="$PWD/dir$debug" VSOCKSHIM_DEBUG=$debug \
			VSOCKSHIM_LOG="$PWD/log" "$PROG/errors" host >"got$debug"
	done
	same got gotall
	[ "$(lines <log | wc -l)" -ge 50 ]
}

@test "socat: the traces of both sides tell what happened" {
	requires socat
	export VSOCKSHIM_DEBUG=socket
	start shim CID=3 VSOCKSHIM_LOG="$PWD/server" socat -t20 VSOCK-LISTEN:1234 EXEC:cat
	wait_listen 3:1234
	shim CID=2 VSOCKSHIM_LOG="$PWD/client" socat -t20 - VSOCK-CONNECT:3:1234 <<<hello
	ends_with 0
	run -1 shim CID=2 VSOCKSHIM_LOG="$PWD/refused" socat - VSOCK-CONNECT:3:1235
	port=$(sed -n 's/.* accept([0-9]*, 2:\([0-9]*\)).*/\1/p' server)
	[ "$port" -ge 1024 ]
	# What a descriptor's number is depends on what bats has open.
	for who in server client refused; do
		lines <$who | sed -E "s/:$port\b/:PORT/; s/\([0-9]+/(FD/; s/^([a-z]+.* = )[1-9].*/\1FD/" >$who.story
	done
	same server.story - <<-END
		$(place 3)
		socket(AF_VSOCK, SOCK_STREAM, 0) = FD
		bind(FD, *:1234) = 0
		getsockname(FD, *:1234) = 0
		listen(FD, 5) = 0
		accept(FD, 2:PORT) = FD
		getpeername(FD, 2:PORT) = 0
		getsockname(FD, 3:1234) = 0
		close(FD) = 0
		shutdown(FD, SHUT_WR) = 0
		shutdown(FD, SHUT_RDWR) = 0
	END
	same client.story - <<-END
		$(place 2)
		socket(AF_VSOCK, SOCK_STREAM, 0) = FD
		connect(FD, 3:1234) = 0
		getsockname(FD, *:PORT) = 0
		shutdown(FD, SHUT_WR) = 0
		shutdown(FD, SHUT_RDWR) = 0
	END
	head -n 3 refused.story | same - <(
		place 2
		printf '%s\n' 'socket(AF_VSOCK, SOCK_STREAM, 0) = FD' 'connect(FD, 3:1235) = -1 ECONNRESET'
	)
}
