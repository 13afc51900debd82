#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What helps those who build: packages that are missing, the order of layers, lists of
# tests.

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

@test "each test that is excepted somewhere is there" {
	cd "$ROOT/tests" || return
	run -0 comm -13 <(sed -n 's/^@test "\(.*\)" {$/\1/p' ./*.bats | sort) \
		<(grep -hv '^#' ./*-exceptions | sort -u)
	[ -z "$output" ]
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
	local rows=(connect pingpong-64 pingpong-64k bulk-1 seq-messages dgram poll epoll tcp-accept
		tcp-sendmsg tcp-getsockname memory)

	run -0 "$ROOT/bench/run" --json --rounds 1 --slices 1 --ms 1 "${rows[@]}"
	same <("$PYTHON" -c 'import json, sys
for row in json.load(sys.stdin)["rows"]:
    if row["subject"] > 0:
        print(row["row"])' <<<"$output") <(printf '%s\n' "${rows[@]}")
}

@test "with --check the benchmark fails where a row is short, or is not measured" {
	local bench=$ROOT/bench/run

	cat >fat.c <<-END
		#include <string.h>
		static char fat[1 << 20];
		__attribute__((constructor)) static void eat(void) { memset(fat, 1, sizeof(fat)); }
	END
	"${CC:-cc}" -shared -fPIC -o fat.so fat.c
	run -0 "$bench" --check --selftest memory memory-open
	run -0 "$bench" --lib "$PWD/fat.so:$LIB" memory
	[[ $output == *" short"* ]]
	run -1 "$bench" --check --lib "$PWD/fat.so:$LIB" memory
	run -1 "$bench" --check --json --lib "$PWD/fat.so:$LIB" memory
	ulimit -n 1000
	run -0 "$bench" --selftest memory-open
	[[ $output == *"not measured: no 10,100 descriptors here"* ]]
	run -1 "$bench" --check --selftest memory memory-open
}

@test "the benchmark fails on bytes that are altered, dropped or doubled, however they come" {
	local bench=("$ROOT/bench/run" --rounds 1 --slices 1 --ms 1 --lib "$PWD/spoil.so:$LIB")
	local rows=(pingpong bulk seq-messages dgram) how row

	cat >spoil.c <<-END
		#include <dlfcn.h>
		#include <stdlib.h>
		#include <string.h>
		#include <sys/socket.h>
		#include <unistd.h>
		#define NEXT(f) ((__typeof__(f) *)dlsym(RTLD_NEXT, #f))
		static int how(const char *it)
		{
			return getenv("SPOIL") && !strcmp(getenv("SPOIL"), it);
		}
		static size_t room(size_t n)
		{
			return n - (n > 9 && how("double"));
		}
		static ssize_t spoil(char *buf, ssize_t n)
		{
			if (n > 9 && how("alter"))
				buf[9] ^= 1;
			if (n > 9 && how("drop"))
				memmove(buf + 8, buf + 9, (size_t)n-- - 9);
			if (n > 9 && how("double"))
				memmove(buf + 9, buf + 8, (size_t)n++ - 8);
			return n;
		}
		ssize_t read(int fd, void *buf, size_t n)
		{
			return spoil(buf, NEXT(read)(fd, buf, room(n)));
		}
		ssize_t recv(int fd, void *buf, size_t n, int flags)
		{
			return spoil(buf, NEXT(recv)(fd, buf, room(n), flags));
		}
		ssize_t recvfrom(int fd, void *buf, size_t n, int flags, __SOCKADDR_ARG from, socklen_t *len)
		{
			return spoil(buf, NEXT(recvfrom)(fd, buf, room(n), flags, from, len));
		}
	END
	"${CC:-cc}" -D_GNU_SOURCE -shared -fPIC -o spoil.so spoil.c
	run -0 "${bench[@]}" "${rows[@]}"
	for how in alter drop double; do
		for row in "${rows[@]}"; do
			SPOIL=$how run -1 "${bench[@]}" "$row"
			[[ $output =~ "arrived altered"|"recv: "[0-9]+" bytes"|"recvfrom: not the message" ]]
		done
	done
}

@test "the graphs have a line for each way to compare" {
	requires gnuplot
	PLOTS=$PWD run -0 "$ROOT/bench/plot" --rounds 1 --slices 1 --ms 1
	run -0 "$PYTHON" - <<-END
		import xml.etree.ElementTree as tree
		svg = '{http://www.w3.org/2000/svg}'
		for name in 'throughput', 'latency':
		    for line in tree.parse(name + '.svg').iter(svg + 'g'):
		        if line.get('id', '').startswith('gnuplot_plot'):
		            drawn = max(line.find('.//' + svg + 'path').get('d').split('M'), key=len)
		            print(name, ''.join(line.itertext()).split()[-1], drawn.count(',') > 10)
	END
	same - <<<"$output" <(for name in throughput latency; do
		printf "$name %s True\n" AF_UNIX vsockshim socket_wrapper TCP
	done)
}

@test "what is installed works where it was installed" {
	run -0 make -s -C "$ROOT" BUILD="$BUILD" DESTDIR="$PWD/root" PREFIX=/usr install
	run -0 find root -type f
	[ "$(sort <<<"$output")" = "root/usr/bin/vsockshim
root/usr/lib/vsockshim/libvsockshim.so
root/usr/share/bash-completion/completions/vsockshim
root/usr/share/man/man1/vsockshim.1
root/usr/share/man/man7/vsockshim.7
root/usr/share/zsh/site-functions/_vsockshim" ]
	# shellcheck disable=SC2016 # for the shell below
	run -0 root/usr/bin/vsockshim run sh -c 'echo "$LD_PRELOAD"'
	[ "$output" = "$PWD/root/usr/lib/vsockshim/libvsockshim.so" ]
}

# name_of_lib: what the loader takes $LIB for.
name_of_lib() {
	"$(readelf -l "$BUILD/vsockshim" | sed -n 's/.*program interpreter: \(.*\)]/\1/p')" --help |
		sed -n '/(system search path)/{ s|^ */||; s| .*||; p; q }'
}

@test "what is installed for two architectures is preloaded by a path for both" {
	local own at=$PWD/root

	own=usr/$(name_of_lib)/vsockshim
	preload() {
		# shellcheck disable=SC2016 # for the shell there
		run -0 guard root/usr/bin/vsockshim run sh -c 'echo "$LD_PRELOAD"; cat /proc/self/maps'
		[ "${lines[0]}" = "$1" ]
		[[ $output == *"$2"$'\n'* ]]
	}
	make -s -C "$ROOT" BUILD="$BUILD" DESTDIR="$at" PREFIX=/usr LIBDIR="/$own" install
	preload "$at/$own/libvsockshim.so" "$at/$own/libvsockshim.so"
	mkdir -p root/usr/lib32/vsockshim
	cp "$LIB" root/usr/lib32/vsockshim
	printf '\363' | dd of=root/usr/lib32/vsockshim/libvsockshim.so bs=1 seek=18 conv=notrunc status=none # RISC-V
	# shellcheck disable=SC2016 # the loader's
	preload "$at"'/usr/$LIB/vsockshim/libvsockshim.so' "$at/$own/libvsockshim.so"
	mkdir root/usr/lib0
	cp -r root/usr/lib32/vsockshim root/usr/lib0
	echo nothing >root/usr/lib0/vsockshim/libvsockshim.so
	run -0 guard root/usr/bin/vsockshim doctor true
	[[ $output == *"ok  library: $at"'/usr/$LIB/vsockshim/libvsockshim.so, of several architectures: '*"/true: the library will be in it" ]]
	# but not where this one's loader would not find it
	mkdir -p root/usr/lib64/vsockshim
	mv "root/$own/libvsockshim.so" root/usr/lib64/vsockshim
	preload "$at/usr/lib64/vsockshim/libvsockshim.so" "$at/usr/lib64/vsockshim/libvsockshim.so"
}

@test "uninstall removes what install made, and nothing else" {
	local at=(BUILD="$BUILD" DESTDIR="$PWD/root" PREFIX=/usr)

	make -s -C "$ROOT" "${at[@]}" install
	touch root/usr/bin/other
	run -0 make -s -C "$ROOT" "${at[@]}" uninstall
	run -0 find root -type f -o -name vsockshim
	[ "$output" = root/usr/bin/other ]
	make -s -C "$ROOT" "${at[@]}" uninstall # again is no error
}
