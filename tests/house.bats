#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What helps those who build: packages that are missing, and the order of layers.

load helpers

# fake UID COMMAND...: a place where these are all the commands there are, an id that
# tells this user id and an apt-get that only says what it was told.
fake() {
	local cmd

	mkdir bin
	for cmd in "${@:2}"; do
		ln -s "$(command -v "$cmd")" "bin/$cmd"
	done
	printf '#!/bin/sh\necho %s\n' "$1" >bin/id
	printf '#!/bin/sh\necho "apt-get $*"\n' >bin/apt-get
	chmod +x bin/id bin/apt-get
}

deps() {
	env PATH="$PWD/bin" /bin/bash "$ROOT/tools/deps" "$@" 3>&-
}

@test "what is there is not installed, and not spoken of" {
	fake 0 sort gcc make socat
	run -0 deps demo
	[ "$output" = "" ]
}

@test "what is missing is installed by root, and named" {
	fake 0 sort gcc make
	run -0 deps demo
	[ "${lines[0]}" = "Missing: socat. Installing with apt-get." ]
	[ "${lines[1]}" = "apt-get update -q" ]
	[ "${lines[2]}" = "apt-get install -y --no-install-recommends socat" ]
}

@test "without rights the exact line is printed" {
	fake 1000 sort gcc make
	run -1 deps demo
	[ "${lines[0]}" = "Missing: socat. As root on Debian:" ]
	[ "${lines[1]}" = "    apt-get install -y --no-install-recommends socat" ]
}

@test "without apt the exact line is printed" {
	fake 0 sort gcc make
	rm bin/apt-get
	run -1 deps demo
	[ "${lines[1]}" = "    apt-get install -y --no-install-recommends socat" ]
}

@test "an install that fails is an error" {
	fake 0 sort gcc make false
	ln -sf false bin/apt-get
	run -1 deps demo
}

@test "an include from a higher layer is found" {
	printf '%s\n' low middle high >LAYERS
	echo '#include "low.h"' >middle.c
	run -0 "$ROOT/tools/layers" LAYERS middle.c
	[ "$output" = "" ]
	echo '#include "high.h"' >>middle.c
	run -1 "$ROOT/tools/layers" LAYERS middle.c
	[ "$output" = "middle.c:2: high is of a higher layer" ]
	echo >stranger.c
	run -1 "$ROOT/tools/layers" LAYERS stranger.c
	[ "$output" = "stranger: not in LAYERS" ]
}

@test "the benchmark tells what it measured" {
	local rows=(connect pingpong-64 bulk-1 seq-messages dgram poll epoll tcp-accept
		tcp-sendmsg tcp-getsockname memory)

	run -0 "$ROOT/bench/run" --json --rounds 1 --slices 1 --ms 1 "${rows[@]}"
	same <("$PYTHON" -c 'import json, sys
for row in json.load(sys.stdin)["rows"]:
    if row["subject"] > 0:
        print(row["row"])' <<<"$output") <(printf '%s\n' "${rows[@]}")
}

@test "the benchmark fails on bytes that are not what was sent" {
	cat >corrupt.c <<-END
		#include <sys/socket.h>
		#include <sys/syscall.h>
		#include <unistd.h>
		ssize_t recv(int fd, void *buf, size_t n, int flags)
		{
			ssize_t r = syscall(SYS_recvfrom, fd, buf, n, flags, 0, 0);
			if (r > 9)
				((char *)buf)[9] ^= 1;
			return r;
		}
	END
	mkdir other
	ln -s "$BUILD/tests" "$BUILD/bench" other
	"${CC:-cc}" -D_GNU_SOURCE -shared -fPIC -o other/libvsockshim.so corrupt.c
	BUILD=$PWD/other run -1 "$ROOT/bench/run" --quick unix-pingpong
}

@test "what is installed works where it was installed" {
	run -0 make -s -C "$ROOT" BUILD="$BUILD" DESTDIR="$PWD/root" PREFIX=/usr install
	run -0 find root -type f
	[ "$(sort <<<"$output")" = "root/usr/bin/vsockshim
root/usr/lib/vsockshim/libvsockshim.so
root/usr/share/man/man1/vsockshim.1
root/usr/share/man/man7/vsockshim.7" ]
	# shellcheck disable=SC2016 # for the shell below
	run -0 root/usr/bin/vsockshim run sh -c 'echo "$LD_PRELOAD"'
	[ "$output" = "$PWD/root/usr/lib/vsockshim/libvsockshim.so" ]
}
