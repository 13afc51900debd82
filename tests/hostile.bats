#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What preload shims are known to fail in: the tests that tests/failures needs
# and no other file has.

# shellcheck disable=SC2030,SC2031,SC2153 # a test is a subshell, and has its own
load helpers

# prints COMMAND...: it ends well, and says what standard input says.
prints() {
	shim "$@" >got
	same got -
}

# compiled OUTPUT OPTION...: from standard input. The preload is none of the
# compiler's business.
compiled() {
	"${CC:-cc}" -std=gnu11 -D_GNU_SOURCE -o "$1" -x c - "${@:2}"
}

# One connection, from its beginning to its end, in a program with more preloaded
# than us, or built in another way.
exchange() {
	prints "$@" pair <<-END
		carries 1
		back 1
	END
}

@test "every way to fail has its tests" {
	cd "$ROOT/tests"
	same <(seq 29) <(sed -n 's/^\([0-9]*\) ..*/\1/p' failures)
	run -0 awk '
	/^#/ || /^$/ { next }
	/^\t/ { tests++; next }
	mode && !tests { print mode }
	{ mode = $1; tests = 0 }
	END { if (!tests) print mode }' failures
	[ -z "$output" ]
	run -0 comm -13 <(sed -n 's/^@test "\(.*\)" {$/\1/p' ./*.bats | sort) \
		<(sed -n 's/^\t//p' failures | sort -u)
	[ -z "$output" ]
	# but for what no preload reaches a countermeasure is taken out of each
	same <(seq 29 | grep -vx 15) <(sed -n 's/^\([0-9]*\) [^ ]*: .*/\1/p' mutants | sort -nu)
}

@test "what takes the number that fclose closed is itself" {
	prints "$PROG/hostile" fclose-reuse <<-END
		same number 1
		poll 1
		hup 1
		accept ENOTSOCK
		bind 0
	END
}

@test "a program that closes all descriptors loses none of ours, and goes on" {
	prints "$PROG/hostile" close-all <<-END
		hidden 0
		close_range 0
		listen EBADF
		number 3
		carries 1
	END
}

@test "a child of vfork that closes all sockets leaves them to its parent" {
	prints "$PROG/hostile" vfork-close <<-END
		getpeername 0
		family 40
		carries 1
		connect 0
		accepts 1
	END
}

@test "a socket keeps through connect what was set, registered and duplicated before" {
	prints "$PROG/hostile" kept <<-END
		connect EINPROGRESS
		epoll_wait 1
		data 7
		timeout 3
		non-blocking 1
		close-on-exec 1
		duplicate 1
	END
}

@test "a socket has the lowest number that is free, and is a socket" {
	prints "$PROG/hostile" numbers <<-END
		socket 1
		accept 1
		is a socket 1
		dup 1
	END
}

@test "however little room there is for an address, no byte beyond is written" {
	prints "$PROG/hostile" rooms <<-END
		right 32
	END
}

@test "what AF_UNIX has and AF_VSOCK has not is not there" {
	prints "$PROG/hostile" only-unix <<-END
		bad descriptor 1
		sendmsg 1
		recvmsg 2
		control 0
		descriptors 0
		pid 0
		recvmsg 1
		control 0
		MSG_OOB EOPNOTSUPP
	END
}

@test "a blocking send sends all, however long" {
	prints "$PROG/hostile" long-send <<-END
		send 8388608
		write 8388608
	END
}

# Sockets in every state, there and back.
@test "a socket in any state passes to another process and back" {
	py >got <<-END
		import os, select, socket
		ANY = socket.VMADDR_CID_ANY
		def vsock():
		    return socket.socket(socket.AF_VSOCK)
		unbound, bound, listener, connecting = vsock(), vsock(), vsock(), vsock()
		bound.bind((ANY, 1111))
		listener.bind((ANY, 1234))
		listener.listen(4)
		connecting.setblocking(False)
		connecting.connect_ex((1, 1234))
		sockets = unbound, bound, listener, connecting
		here, there = socket.socketpair()
		if not os.fork():
		    for s in sockets:
		        os.close(s.detach())
		    fds = socket.recv_fds(there, 1, 9)[1]
		    s = [socket.socket(fileno=f) for f in fds]
		    print([int(x.family) for x in s], [x.getsockname()[1] in (1111, 1234, 2**32 - 1) for x in s[:3]])
		    s[0].bind((ANY, 2222))
		    s[1].listen(1)
		    print(select.select([], [s[3]], [], 5)[1] == [s[3]], s[3].getpeername())
		    s[3].send(b'x')
		    made = vsock()
		    made.connect((1, 1234))
		    socket.send_fds(there, [b'x'], [x.fileno() for x in s + [made]])
		    os._exit(0)
		socket.send_fds(here, [b'x'], [s.fileno() for s in sockets])
		for s in sockets:
		    os.close(s.detach())
		fds = socket.recv_fds(here, 1, 9)[1]
		unbound, bound, listener, connecting, made = (socket.socket(fileno=f) for f in fds)
		print(unbound.getsockname(), bound.getsockname(), listener.getsockname())
		a, peer = listener.accept()
		print(peer == (1, connecting.getsockname()[1]), a.recv(1))
		a, peer = listener.accept()
		print(peer == (1, made.getsockname()[1]), made.getpeername())
		c = vsock()
		c.connect((1, 1111))
		print(bound.accept()[0].getsockname())
	END
	same got - <<-END
		[40, 40, 40, 40] [True, True, True]
		True (1, 1234)
		(4294967295, 2222) (4294967295, 1111) (4294967295, 1234)
		True b'x'
		True (1, 1234)
		(1, 1111)
	END
}

@test "an AF_UNIX listener that a program inherits is one, also beside vsock" {
	cat >child.py <<-END
		import ctypes, os, socket
		v = socket.socket(fileno=8)
		u = socket.socket(fileno=9)
		print(v.family.name)
		c = socket.socket(socket.AF_UNIX)
		c.bind('client')
		c.connect('listening')
		a = socket.socket(fileno=ctypes.CDLL(None).accept(9, None, None))
		print(u.family.name, u.getsockname(), a.family.name, a.getpeername(), a.getsockname())
	END
	py >got <<-END
		import os, socket
		u = socket.socket(socket.AF_UNIX)
		u.bind('listening')
		u.listen(1)
		v = socket.socket(socket.AF_VSOCK)
		v.bind((1, 1234))
		os.dup2(v.fileno(), 8, inheritable=True)
		os.dup2(u.fileno(), 9, inheritable=True)
		os.execv('$PYTHON', ['$PYTHON', 'child.py'])
	END
	same got - <<-END
		AF_VSOCK
		AF_UNIX listening AF_UNIX client listening
	END
}

@test "in a directory of many, no ports file of another user's is used, nor a link to one" {
	requires_root
	mkdir -p all/2
	chmod 1777 all all/2
	exchange "$PROG/hostile"
	cp v/2/ports .
	ln -s ../../ports all/2
	chown -h 65534 all/2/ports
	for _ in link file; do
		run -1 --separate-stderr shim VSOCKSHIM_DIR="$PWD/all" "$PROG/hostile" pair
		# what it says of a link is the kernel's to choose
		[[ $stderr == "vsockshim: VSOCKSHIM_DIR=$PWD/all: "*"socket: Address family not supported by protocol" ]]
		cp --remove-destination ports all/2
		chown 65534 all/2/ports
	done
}

@test "a child that is forked while a lock is held does not wait for it" {
	prints "$PROG/hostile" fork-locked <<-END
		hung 0
		failed 0
	END
}

@test "a thread that is cancelled in accept or connect leaves nothing behind" {
	# by its name, and by a descriptor of it
	for dir in "$VSOCKSHIM_DIR" "$(path_of 300)"; do
		mkdir -p "$dir" && chmod 700 "$dir"
		prints CID=3 VSOCKSHIM_DIR="$dir" "$PROG/hostile" cancelled <<-END
			cancelled 150
			SO_SNDTIMEO kept 150
			leaked 0
			carries 1
			back 1
		END
	done
}

@test "connects and accepts amid a storm of signals are all made, once" {
	prints "$PROG/hostile" storm <<-END
		accept EINTR
		connect EINTR
		connected 500
		accepted 500
		right 500
	END
}

@test "64 threads make, connect, use and close sockets at once" {
	seconds=${LONG:+30}
	prints "$PROG/hostile" threads 64 "${seconds:-2}" <<-END
		worked 64
		failed 0
		leaked 0
	END
}

# Rounds: some for make check, all of them with LONG=1.
@test "a server or client that is killed takes nobody's port, path or data with it" {
	rounds=${LONG:+1000} seed=${SEED:-$RANDOM}
	echo "SEED=$seed" # seen if it fails
	prints "$PROG/crashes" kill "${rounds:=200}" "$seed" <<-END
		ended well $rounds
		bound at once $rounds
		reached $rounds
		at most 40 paths 1
		paths 3
	END
}

@test "of two processes that bind one port at once exactly one gets it" {
	rounds=${LONG:+10000}
	prints "$PROG/crashes" race "${rounds:=1000}" <<-END
		one wins $rounds
		wrong 0
	END
}

# --- other libraries in the same program -----------------------------------

# Uses vsock before any constructor of ours could have run, and has a malloc that
# does at each call.
early() {
	compiled early.so -shared -fPIC <<-'END'
		#include <sys/socket.h>
		#include <stdlib.h>
		#include <string.h>
		#include <unistd.h>
		#include <linux/vm_sockets.h>
		extern void *__libc_malloc(size_t);
		static int fd = -1;
		static int busy;
		void *malloc(size_t n)
		{
			unsigned long long v = 4096 + n % 4096 * 2;
			if (fd >= 0 && !busy) {
				busy = 1;
				setsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_BUFFER_SIZE, &v, sizeof(v));
				busy = 0;
			}
			return __libc_malloc(n);
		}
		__attribute__((constructor)) static void begin(void)
		{
			struct sockaddr_vm a = { .svm_family = AF_VSOCK,
				.svm_cid = VMADDR_CID_ANY, .svm_port = 999999 };
			struct sockaddr_vm b = a;
			int l = socket(AF_VSOCK, SOCK_STREAM, 0), c = socket(AF_VSOCK, SOCK_STREAM, 0);
			b.svm_cid = 1;
			if (bind(l, (void *)&a, sizeof(a)) == 0 && listen(l, 1) == 0 &&
			    connect(c, (void *)&b, sizeof(b)) == 0 && accept(l, NULL, NULL) >= 0 &&
			    write(1, "early\n", 6)) {
				unsigned long long v = 4096;
				fd = c; /* from now on */
				setsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_BUFFER_SIZE, &v, sizeof(v));
			}
		}
	END
}

@test "a constructor and a malloc that use vsock find it there" {
	early
	for preload in "$PRELOAD:./early.so" "./early.so:$PRELOAD"; do
		prints LD_PRELOAD="$preload" "$BUILD/tests/prog/hostile" pair <<-END
			early
			carries 1
			back 1
		END
	done
}

@test "a program with AddressSanitizer or ThreadSanitizer in it has vsock" {
	for sanitizer in address thread; do
		${CC:-cc} -std=gnu11 -D_GNU_SOURCE -w -I"$ROOT" -fsanitize=$sanitizer \
			-o sanitized "$ROOT/tests/prog/hostile.c" -pthread
		runtime=$(ldd sanitized | awk '/lib[at]san/ { print $3 }')
		for preload in "$runtime:$PRELOAD" "$PRELOAD"; do
			exchange LD_PRELOAD="$preload" \
				ASAN_OPTIONS=verify_asan_link_order=0 ./sanitized
		done
	done
}

@test "programs have vsock that are linked with LTO, as PIE and not as PIE" {
	for flags in '-flto -O2' '-fPIE -pie' '-fno-pie -no-pie' '-Wl,-z,now'; do
		# shellcheck disable=SC2086 # several
		${CC:-cc} -std=gnu11 -D_GNU_SOURCE -w $flags -I"$ROOT" \
			-o linked "$ROOT/tests/prog/hostile.c" -pthread
		exchange ./linked
	done
}

# exports LIBRARY: all of the list, and nothing else.
exports() {
	same <(nm -D --defined-only "$1" | awk '{ print $3 }' | sort) \
		<(sed -n 's/^\t\t\([a-z_0-9]*\);$/\1/p' "$ROOT/shim.map" | sort)
}

@test "what the library exports is the list of what it interposes" {
	exports "$LIB"
}

@test "a library that is built with -flto exports the same, and works" {
	make -s -C "$ROOT" BUILD="$PWD/lto" CFLAGS='-O2 -flto' "$PWD/lto/libvsockshim.so"
	exports lto/libvsockshim.so
	exchange LD_PRELOAD="$PWD/lto/libvsockshim.so" "$BUILD/tests/prog/hostile"
}

# stacked LIBRARY NAME=VALUE...: before us and after us. (Of one that it cannot load
# the loader only warns.)
stacked() {
	for preload in "$1:$PRELOAD" "$PRELOAD:$1"; do
		exchange "${@:2}" LD_PRELOAD="$preload" "$PROG/hostile"
		shim "${@:2}" LD_PRELOAD="$preload" cat /proc/self/maps >maps
		grep -F "/${1##*/}" maps
	done
}

@test "jemalloc, eatmydata and fakeroot may be preloaded before and after us" {
	stacked libjemalloc.so.2
	stacked libeatmydata.so
	for preload in "libfakeroot-sysv.so:$PRELOAD" "$PRELOAD:libfakeroot-sysv.so"; do
		guard fakeroot -- env LD_PRELOAD="$preload" sh -euc '
			[ "$(id -u)" = 0 ] && grep -q libfakeroot /proc/self/maps && exec "$1" pair' sh "$PROG/hostile" >got
		same got <(printf '%s\n' 'carries 1' 'back 1')
	done
}

@test "libfaketime may be preloaded before and after us, and works" {
	lib=(/usr/lib/*/faketime/libfaketime.so.1)
	stacked "${lib[0]}" FAKETIME='2001-02-03 04:05:06'
	for preload in "${lib[0]}:$PRELOAD" "$PRELOAD:${lib[0]}"; do
		run -0 shim LD_PRELOAD="$preload" FAKETIME='2001-02-03 04:05:06' date +%Y
		[ "$output" = 2001 ]
	done
}

# A connect's timeout, as SO_RCVTIMEO's, is the kernel's; poll's is libfaketime's.
@test "a clock that libfaketime stops or speeds up ends no wait late, and no connect early" {
	lib=(/usr/lib/*/faketime/libfaketime.so.1)
	cat >waits.py <<-END
		import ctypes, errno, os, select, socket, struct
		SO_VM_SOCKETS_CONNECT_TIMEOUT, SO_RCVTIMEO = 6, 20
		def vsock(timeout):
		    s = socket.socket(socket.AF_VSOCK)
		    limit(s, socket.AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT, timeout)
		    return s
		def limit(s, level, option, seconds):
		    tv = struct.pack('ll', int(seconds), int(seconds % 1 * 1e6))
		    assert ctypes.CDLL(None).setsockopt(s.fileno(), level, option, tv, 16) == 0
		def timed(least, call, *args):
		    start = os.times().elapsed # libfaketime leaves that alone
		    try:
		        r = call(*args)
		    except OSError as e:
		        r = errno.errorcode[e.errno]
		    print(r, least <= os.times().elapsed - start < 30)
		def shows(timeout, kind, wait):
		    s, p = vsock(timeout), kind()
		    s.setblocking(False)
		    s.connect_ex((9, 1))
		    p.register(s, select.POLLOUT)
		    return [mask for fd, mask in p.poll(wait)]
		timed(0.18, vsock(0.2).connect, (9, 1))
		l, c = vsock(1), vsock(1)
		l.bind((socket.VMADDR_CID_ANY, 1234))
		l.listen()
		c.connect((1, 1234))
		limit(c, socket.SOL_SOCKET, SO_RCVTIMEO, 0.2)
		timed(0.18, c.recv, 1)
		timed(0.08, shows, 0.1, select.poll, 4000)
		timed(0.08, shows, 0.1, select.epoll, 4)
		timed(0.01, shows, 20, select.poll, 300)
		timed(0.01, shows, 20, select.epoll, 0.3)
	END
	for time in '2001-02-03 04:05:06' '+0 x10'; do
		for preload in "${lib[0]}:$PRELOAD" "$PRELOAD:${lib[0]}"; do
			prints CID=3 LD_PRELOAD="$preload" FAKETIME="$time" "$PYTHON" -u waits.py <<-END
				ETIMEDOUT True
				EAGAIN True
				[12] True
				[12] True
				[] True
				[] True
			END
		done
	done
}

@test "socket_wrapper may be preloaded after us, and works; before us it refuses vsock" {
	mkdir wrapped
	py LD_PRELOAD="$PRELOAD:libsocket_wrapper.so" SOCKET_WRAPPER_DIR="$PWD/wrapped" \
		SOCKET_WRAPPER_DEFAULT_IFACE=9 >got <<-END
		import os, socket
		def talk(s, c, address):
		    s.bind(address)
		    s.listen(1)
		    c.connect(s.getsockname())
		    a = s.accept()[0]
		    return a.send(b'x'), c.recv(1), a.getsockname()
		print(talk(socket.socket(), socket.socket(), ('127.0.0.9', 1234)), len(os.listdir('wrapped')) > 0)
		print(talk(socket.socket(socket.AF_VSOCK), socket.socket(socket.AF_VSOCK), (1, 1234)))
	END
	same got - <<-END
		(1, b'x', ('127.0.0.9', 1234)) True
		(1, b'x', (1, 1234))
	END
	run -1 shim LD_PRELOAD="libsocket_wrapper.so:$PRELOAD" SOCKET_WRAPPER_DIR="$PWD/wrapped" \
		"$BUILD/tests/prog/hostile" pair
	[ "$output" = "socket: Address family not supported by protocol" ]
	grep -q socket_wrapper "$ROOT/man/vsockshim.7"
}

@test "umockdev may be preloaded after us; before us it asks libc past us" {
	exchange LD_PRELOAD="$PRELOAD:libumockdev-preload.so.0" "$PROG/hostile"
	run -1 shim LD_PRELOAD="libumockdev-preload.so.0:$PRELOAD" "$BUILD/tests/prog/hostile" pair
	[ "$output" = "socket: Address family not supported by protocol" ]
	grep -q umockdev "$ROOT/man/vsockshim.7"
}

# --- what no preload can reach ----------------------------------------------

# unreached COMMAND WHY: vsockshim run says why the preload does not reach it; and
# it gets the kernel's answer.
unreached() {
	run -1 --separate-stderr guard "$BUILD/vsockshim" run "$1" pair
	[ -z "$output" ]
	# shellcheck disable=SC2154 # bats sets it
	[ "$stderr" = "vsockshim: $1: $2; it has the kernel's vsock, if any
socket: Address family not supported by protocol" ]
}

@test "vsockshim run says that a static program is not reached" {
	${CC:-cc} -std=gnu11 -D_GNU_SOURCE -w -static -o hostile "$ROOT/tests/prog/hostile.c" -pthread ||
		skip "no static libc here"
	unreached ./hostile 'is linked statically: nothing can be preloaded'
	run -1 --separate-stderr guard env PATH="$PWD:$PATH" "$BUILD/vsockshim" run hostile pair
	[[ $stderr == "vsockshim: $PWD/hostile: is linked statically"* ]]
}

@test "vsockshim run says that a setuid or setcap program is not reached, nor its environment" {
	requires_root
	requires setpriv setcap
	chmod 755 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/test" .
	cp "$PROG/hostile" "$BUILD/vsockshim" "$LIB" .
	for raise in 'chmod 4755' 'setcap cap_net_bind_service=ep'; do
		chmod 755 hostile
		$raise hostile
		run -1 --separate-stderr guard setpriv --reuid 65534 --regid 65534 --clear-groups \
			./vsockshim run --dir "$PWD/none" ./hostile pair
		[[ $stderr == "vsockshim: ./hostile: runs with raised privileges"*$'\nsocket: Address family not supported by protocol' ]]
	done
}

@test "no environment is honoured in a setuid program that has us all the same" {
	requires_root
	requires setpriv
	cp "$LIB" .
	${CC:-cc} -std=gnu11 -D_GNU_SOURCE -w -o hostile "$ROOT/tests/prog/hostile.c" \
		./libvsockshim.so -Wl,-rpath,/tmp -pthread
	chmod 4755 hostile
	chmod 755 .
	# its default directory is in a /tmp of its own
	for dir in "VSOCKSHIM_DIR=$VSOCKSHIM_DIR" --unset=VSOCKSHIM_DIR; do
		guard unshare --mount sh -euc 'mount --bind . /tmp
			exec setpriv --reuid 65534 --regid 65534 --clear-groups env "$1" \
				XDG_RUNTIME_DIR=/tmp VSOCKSHIM_CID=bad VSOCKSHIM_DGRAM=bad \
				VSOCKSHIM_TRANSPORT=bad VSOCKSHIM_VHOST=bad VSOCKSHIM_DEBUG=all \
				VSOCKSHIM_LOG=/tmp/log /tmp/hostile pair' sh "$dir" >got 2>&1
		same got <(printf '%s\n' 'carries 1' 'back 1')
	done
	[ ! -e log ]
	[ ! -e vsockshim ]
	[ -d vsockshim-0/2 ]
}

@test "vsockshim run says nothing of what it reaches" {
	echo 'exec "$@"' >script
	chmod 755 script
	for command in "$PROG/hostile pair" "sh ./script $PROG/hostile pair"; do
		# shellcheck disable=SC2086 # several words
		run --separate-stderr guard "$BUILD/vsockshim" run $command
		[[ $stderr != *"kernel's vsock"* ]]
	done
	loader=$(ldd "$BUILD/vsockshim" | awk '/^\t\/.*ld-/ { print $1 }')
	run -0 --separate-stderr guard "$BUILD/vsockshim" run "$loader" "$BUILD/tests/prog/hostile" pair
	[ -z "$stderr" ]
}

@test "what a library that is loaded with RTLD_DEEPBIND asks the kernel answers" {
	compiled deep.so -shared -fPIC <<-END
		#include <sys/socket.h>
		#include <errno.h>
		#include <unistd.h>
		int probe(int fd)
		{
			int made = socket(AF_VSOCK, SOCK_STREAM, 0);
			return made < 0 && write(fd, "x", 1) == 1 ? -1 : made;
		}
	END
	prints "$BUILD/tests/prog/hostile" deepbind ./deep.so <<-END
		probe EAFNOSUPPORT
		read 1
	END
	grep -q RTLD_DEEPBIND "$ROOT/man/vsockshim.7"
}

@test "a raw system call makes no vsock socket; data it moves on those that libc made" {
	prints "$PROG/hostile" raw <<-END
		socket EAFNOSUPPORT
		write 1
		read 1
		is x 1
		close 0
		end 0
	END
	grep -q 'programs that make system calls by themselves' "$ROOT/man/vsockshim.7"
}

@test "io_uring moves the data of vsock sockets, and accepts; a bind or connect by it is EINVAL" {
	guard --io-uring env LD_PRELOAD="$PRELOAD" "$PROG/hostile" uring >got
	same got - <<-END
		send 1
		recv 1
		connect EINVAL
		libc's connect 0
		accepts 1
		as from 1
		getpeername 40
		carries 1
		bind EINVAL
		libc's bind 0
		connect 0
		accepts 1
	END
	grep -q io_uring "$ROOT/man/vsockshim.7"
}
