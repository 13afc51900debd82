#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What is interposed, against what libc has to offer: exports.list names what was
# left out, and a name that a new libc adds is found here.

load helpers

setup() {
	test_setup
	libc=$(ldd "$LIB" | awk '$1 == "libc.so.6" { print $3 }')
	names "$libc" >libc.names
	names "$LIB" >our.names
	listed all >left.out
}

# What LIBRARY exports to programs, without libc's own business.
names() {
	nm -D --defined-only --with-symbol-versions "$1" | awk '
		$3 !~ /@GLIBC_PRIVATE$/ { sub("@.*", "", $3); print $3 }' | sort -u
}

# The names of exports.list; with "all" those that only 32-bit libcs have, too.
listed() {
	awk -v all="${1-}" '
		/^[-#]|^  |^$/ { wide = 0; next }
		{
			for (i = 1; i <= NF; i++)
				if ($i == "32:") wide = 1
				else if (!wide || all) print $i
		}' "$BATS_TEST_DIRNAME/exports.list" | sort
}

# The families that we touch, in all their spellings.
family() {
	grep -E 'sock|accept|connect|listen|peername|shutdown|send|recv|poll|select|ioctl|fcntl|close|open|splice|syscall|access|getfd|fdtype|xattr|(^|_)(bind|creat(64|$)|dup|p?read|p?write)|stat(x|at|64|_time64)*$' |
		grep -Ev '^(__)?pthread_|^_thread_db_'
}

# Which names on standard input does nobody account for?
unaccounted() {
	sort -u | comm -23 - <(sort -u our.names left.out)
}

# What the headers declare: all of those that are about sockets and descriptors,
# and whatever takes a number or a path, or makes a stream, of the others.
declared() {
	gcc -D_GNU_SOURCE -xc -fsyntax-only -aux-info declarations - <<-END
		#include <fcntl.h>
		#include <poll.h>
		#include <stdio.h>
		#include <sys/epoll.h>
		#include <sys/ioctl.h>
		#include <sys/select.h>
		#include <sys/sendfile.h>
		#include <sys/socket.h>
		#include <sys/stat.h>
		#include <sys/uio.h>
		#include <sys/xattr.h>
		#include <unistd.h>
		#if __has_include(<sys/pidfd.h>)
		#include <sys/pidfd.h>
		#endif
	END
	grep -E '(fcntl|poll|epoll|ioctl|select|sendfile|socket|stat|uio|xattr|pidfd)[a-z-]*\.h:|FILE \*[a-z0-9_]+ \(|\((int|const char \*)[,)]' \
		declarations | sed -nE 's/^[^(]* \*\/ extern [^(]*[ *]([a-z0-9_]+) \(.*/\1/p'
}

@test "a name of libc's that might concern us is interposed, or listed with the reason" {
	[ "$(wc -l <libc.names)" -gt 2000 ]
	[ "$(family <libc.names | wc -l)" -gt 200 ]
	run -0 unaccounted < <(family <libc.names)
	[ "$output" = "" ]
}

@test "so is a function of libc's headers" {
	declared | sort -u | comm -12 - libc.names >header.names
	[ "$(wc -l <header.names)" -gt 200 ]
	run -0 unaccounted <header.names
	[ "$output" = "" ]
}

@test "a name that a new libc adds is found" {
	run -0 unaccounted < <(family <<<$'openat2\n__sendmsg_chk\nsendmsg\nstrcpy')
	[ "$output" = $'__sendmsg_chk\nopenat2' ]
}

@test "what is interposed, and what is listed, is libc's, and not both" {
	local all=''

	run -0 comm -23 our.names libc.names
	[ "$output" = "" ]
	if readelf -h "$LIB" | grep -q ELF32; then
		all=all
	fi
	run -0 comm -23 <(listed $all) libc.names
	[ "$output" = "" ]
	run -0 comm -12 left.out our.names
	[ "$output" = "" ]
	run -0 uniq -d left.out
	[ "$output" = "" ]
}
