#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# vsockshim doctor: what works here, and what would keep the library out of a
# command, as that comes to be.

load helpers

# doctor ARGUMENT...: the command, under the guard.
as=("$BUILD/vsockshim")
doctor() {
	guard "${as[@]}" doctor "$@"
}

# wrong TEXT ARGUMENT...: it ends with 1, and one line says NO and the text.
wrong() {
	run -1 --separate-stderr doctor "${@:2}"
	[ -z "$stderr" ]
	[ "$(grep -c '^NO  ' <<<"$output")" = 1 ]
	[[ $(grep '^NO  ' <<<"$output") == "NO  $1"* ]]
}

# compile NAME OPTION...: a program.
compile() {
	${CC:-cc} -w -o "$@" -x c - <<<"${source-}int main(void) { return 0; }"
}

@test "doctor finds all well, and says where it is" {
	run -0 --separate-stderr doctor --cid 3
	[ -z "$stderr" ]
	[[ $output == *"ok  kernel: Linux "*"ok  library: $LIB"* ]]
	[[ $output == *"ok  directory: $VSOCKSHIM_DIR"$'\n'* ]]
	[[ $output == *"ok  CID 3: a guest; reaches itself at 1 and 3, "* ]]
	run -0 doctor
	[[ $output == *"ok  CID 2 (the default): the host; "* ]]
}

@test "doctor makes nothing" {
	run -0 doctor --dir absent
	[[ $output == *"ok  directory: $PWD/absent; the first program makes it"* ]]
	[ ! -e absent ]
	[ -z "$(ls v)" ]
}

@test "doctor opens no device, and makes no vsock socket" {
	requires strace
	run -0 strace -f -qq -e trace=open,openat,socket -o trace "$BUILD/vsockshim" doctor true
	grep -q AF_UNIX trace
	run ! grep -E 'vsock"|VSOCK' trace
}

@test "doctor names the machines and ports of the directory" {
	start shim CID=3 "$PYTHON" -c 'if 1:
		import socket, time
		s = socket.socket(socket.AF_VSOCK)
		s.bind((socket.VMADDR_CID_ANY, 1234))
		s.listen()
		time.sleep(60)'
	wait_listen 3:1234
	touch "v/3/$(printf '%0200d' 0)" # no socket has such a name
	run -0 doctor
	[[ $output == *"    machine 3: ports 1234"* ]]
}

@test "doctor says what is wrong with the directory, the CID and the transport" {
	touch file
	wrong "directory: $PWD/file: is not a directory" --dir file
	mkdir -m 777 open
	chmod 777 open
	wrong "directory: $PWD/open: is world-writable" --dir open
	wrong "directory: $PWD/a/b: cannot be made in $PWD/a: No such file" --dir a/b
	VSOCKSHIM_DIR=here wrong 'directory: here: is not an absolute path'
	VSOCKSHIM_CID=0 wrong 'VSOCKSHIM_CID=0: takes 1 '
	VSOCKSHIM_TRANSPORT=tcp wrong 'VSOCKSHIM_TRANSPORT=tcp: takes unix'
	VSOCKSHIM_TRANSPORT=vhost VSOCKSHIM_VHOST=$PWD/none \
		wrong "$PWD/none: No such file or directory"
}

@test "doctor says what is on, and what is wrong with it" {
	run -0 doctor
	[[ $output != *VSOCKSHIM_D* && $output != *VSOCKSHIM_LOG* ]]
	touch log
	for log in '' log new "$PWD/new"; do
		VSOCKSHIM_DGRAM=off VSOCKSHIM_DEBUG=poll,data VSOCKSHIM_LOG=$log run -0 doctor
		[[ $output == *"    VSOCKSHIM_DGRAM=off: SOCK_DGRAM is ENODEV"* ]]
		[[ $output == *"    VSOCKSHIM_DEBUG=poll,data: programs tell of their calls"* ]]
		[ ! -e new ]
	done
	for debug in al socket,date socket,all,options; do
		VSOCKSHIM_DEBUG=$debug wrong "VSOCKSHIM_DEBUG=$debug: takes all, or some of socket, "
	done
	VSOCKSHIM_DGRAM=no wrong 'VSOCKSHIM_DGRAM=no: takes on or off'
	VSOCKSHIM_LOG=$PWD/none/log wrong "VSOCKSHIM_LOG=$PWD/none/log: cannot be appended to: No such file"
}

@test "doctor of a command that the library reaches" {
	run -0 doctor -- cat --dir
	[[ ${lines[-1]} == "ok  /"*"/cat: the library will be in it" ]]
	printf '#! /bin/sh -e\n' >script
	printf '#!/usr/bin/env -S sh -u\n' >other
	chmod +x script other
	for command in ./script ./other; do
		run -0 doctor "$command"
		[[ ${lines[-2]} == "    $command: a script, which "*"/sh runs" ]]
		[[ ${lines[-1]} == "ok  /"*"/sh: the library will be in it" ]]
	done
}

@test "doctor of a command that is not there, or not to be run" {
	wrong 'no-such-command: is not found in PATH' no-such-command
	wrong './none: No such file or directory' ./none
	printf '#!/no/such/shell\n' >script
	chmod +x script
	wrong '/no/such/shell: No such file or directory' ./script
}

@test "doctor of a static program, Go, musl, another architecture" {
	compile static -static || skip "no static libc here"
	wrong './static: is linked statically: ' ./static
	printf '#!%s/static\n' "$PWD" >script
	chmod +x script
	wrong "$PWD/static: is linked statically: " ./script
	source='__asm__(".pushsection .note.go.buildid,\"a\",@note; .align 4; .long 4, 4, 1;"
		".ascii \"Go\\0\\0\", \"abcd\"; .popsection");' compile go
	wrong './go: is Go, ' ./go
	compile musl -Wl,--dynamic-linker=/lib/ld-musl-x86_64.so.1
	wrong './musl: is linked with musl' ./musl
	compile foreign
	printf '\363' | dd of=foreign bs=1 seek=18 conv=notrunc status=none # RISC-V
	wrong './foreign: is of another architecture' ./foreign
}

@test "doctor of a program with raised privileges" {
	requires_root
	requires setcap
	compile raised
	chown 65533 raised
	chmod u+s raised
	wrong './raised: runs with raised privileges' ./raised
	chown 0:65533 raised
	chmod u-s,g+s raised
	wrong './raised: runs with raised privileges' ./raised
	compile able
	setcap cap_net_raw=ep able
	run -0 doctor ./able
	cp "$BUILD/vsockshim" .
	chmod 755 .
	run -1 guard setpriv --reuid 65533 --regid 65533 --clear-groups ./vsockshim doctor ./able
	[[ ${lines[-1]} == 'NO  ./able: runs with raised privileges'* ]]
}

@test "doctor of what others may use, and this user may not" {
	local as=(./vsockshim)

	cp "$BUILD/vsockshim" "$LIB" .
	touch device
	cp /bin/true secret
	chmod 0 device
	chmod 111 secret
	chmod 500 v
	if [ "$(id -u)" = 0 ]; then
		requires setpriv
		as=(setpriv --reuid 65533 --regid 65533 --clear-groups ./vsockshim)
		chmod 755 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/test" .
		chown 65533 v
	fi
	wrong "directory: $VSOCKSHIM_DIR: Permission denied; who makes sockets must write to it"
	chmod 700 v
	VSOCKSHIM_TRANSPORT=vhost VSOCKSHIM_VHOST=$PWD/device \
		wrong "$PWD/device: Permission denied; a bridge must read and write it"
	run -0 doctor ./secret # whose file he may not read
	[[ ${lines[-1]} == "ok  ./secret: the library will be in it" ]]
}

@test "doctor says whether a seccomp filter is on" {
	run doctor
	[[ $output == *$'\n    seccomp: a filter is on, '* ]] # the guard's
	run "$BUILD/vsockshim" doctor
	[[ $output == *'seccomp: '* || $(</proc/self/status) == *$'\nSeccomp:\t0\n'* ]]
	[[ $output != *'seccomp: '* || $(</proc/self/status) == *$'\nSeccomp:\t2\n'* ]]
}

# Nothing there is a device.
@test "doctor of the kernel's own vsock, and of the usual device" {
	requires_root
	local loaded='/dev/vsock is there'

	: >none
	echo 'vsock 57344 2 vsock_loopback, Live 0x0' >modules
	[ ! -e /proc/modules ] || loaded='its module is loaded'
	guard unshare --mount sh -euc 'mount -t tmpfs tmpfs /dev
		modules() {
			[ ! -e /proc/modules ] || mount --bind "$1" /proc/modules
		}
		modules none
		"$0" doctor
		touch /dev/vsock /dev/vhost-vsock
		"$0" doctor
		modules modules
		"$0" doctor' "$BUILD/vsockshim" | sed -n '/own vsock\|need it/s/^    //p' >have
	same - have <<-END
		the kernel's own vsock: none, nor is it needed
		/dev/vhost-vsock: No such file or directory; only \`vsockshim bridge\` and VSOCKSHIM_TRANSPORT need it (module vhost_vsock)
		the kernel's own vsock: /dev/vsock is there; programs under the shim do not meet it
		/dev/vhost-vsock: a bridge to the kernel's own vsock can be run
		the kernel's own vsock: $loaded; programs under the shim do not meet it
		/dev/vhost-vsock: a bridge to the kernel's own vsock can be run
	END
}

@test "doctor of those that clear the environment" {
	mkdir bin
	ln -s /bin/true bin/sudo
	PATH=$PWD/bin:$PATH wrong "$PWD/bin/sudo: gives its command another environment" sudo id
	wrong '/usr/bin/env: clears the environment' /usr/bin/env -i id
	run -0 doctor /usr/bin/env id
}

@test "doctor: bad usage" {
	run -2 --separate-stderr doctor --cid 0
	[ "$stderr" = "vsockshim: --cid 0: takes 1, 2 or 3 to 4294967294" ]
	run -2 doctor --nonsense
}

@test "doctor of a kernel that makes no sockets, or keeps less" {
	run -1 guard strace -qq -o trace -e inject=socket:error=EMFILE "$BUILD/vsockshim" doctor
	[[ $output == *"NO  kernel: AF_UNIX sockets cannot be made: Too many open files"* ]]
	run -0 guard "$BUILD/tests/nosockopt" 47 57 "$BUILD/vsockshim" doctor
	[[ $output == *"ok  kernel: Linux "*"no SO_MAX_PACING_RATE (as gVisor): SO_LINGER is used"* ]]
	[[ $output == *"    kernel: no SO_COOKIE"* ]]
}

@test "doctor of a machine that is alone, of a device, and of a bridge" {
	start guard "$BUILD/tests/tools/gateway" "$VSOCKSHIM_DIR" 3 >gateway.out
	wait_for grep -q ready gateway.out
	VSOCKSHIM_VHOST=/dev/null VSOCKSHIM_TRANSPORT=auto run -0 doctor --cid 1
	[[ $output == *"ok  CID 1: reaches only itself, at 1 and 2"* ]]
	[[ $output == *"ok  /dev/null: a bridge to the kernel's own vsock can be run"* ]]
	[[ $output == *"    machine 3: ports gateway gateway"* ]]
	VSOCKSHIM_VHOST=/dev/null run -0 doctor
	[[ $output == *"    /dev/null: a bridge"* ]]
}

@test "doctor and run of a library that is not there, or not to be preloaded" {
	cp "$BUILD/vsockshim" .
	run -1 guard ./vsockshim doctor true
	[[ $output == *"NO  library: libvsockshim.so is not beside the vsockshim command"* ]]
	run -1 guard strace -qq -o trace -e trace=/^readlink -e inject=/^readlink:error=ENOENT "$BUILD/vsockshim" doctor true
	[[ $output == *"NO  library: libvsockshim.so is not beside the vsockshim command"* ]]
	run -126 guard ./vsockshim run true
	[[ $output == 'vsockshim: cannot find libvsockshim.so beside the vsockshim command; `make install` puts it there' ]]
	mkdir 'a b'
	cp "$BUILD/vsockshim" "$LIB" 'a b'
	run -1 guard 'a b/vsockshim' doctor true
	[[ $output == *"a b/libvsockshim.so: cannot be preloaded from a path with a space or a colon"* ]]
	run -126 guard 'a b/vsockshim' run true
	[[ $output == *"a b/libvsockshim.so: cannot be preloaded from a path with a space or a colon; install it elsewhere" ]]
}
