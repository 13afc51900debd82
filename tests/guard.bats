#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The guard itself: without it the other tests would prove little.

load helpers

@test "guard: the kernel refuses vsock sockets to a program and its children" {
	run -0 guard sh -c "$PYTHON -" <<-END
		import errno, socket
		for make in socket.socket, socket.socketpair:
		    for kind in range(1, 6):
		        try:
		            make(socket.AF_VSOCK, kind)
		        except OSError as e:
		            print(errno.errorcode[e.errno])
	END
	[ "$(sort -u <<<"$output")" = EAFNOSUPPORT ]
	[ "${#lines[@]}" = 10 ]
}

@test "guard: no vsock device can be opened, the rest of /dev can" {
	# An open outside of the guard would reach the host's own device.
	run -0 guard "$PYTHON" - <<-END
		import errno, os
		for path in '/dev/vsock', '/dev/vhost-vsock':
		    for mode in os.O_RDONLY, os.O_RDWR, os.O_PATH | os.O_DIRECTORY:
		        try:
		            print(os.open(path, mode))
		        except OSError as e:
		            print('no', path)
		for path in '/dev/null', '/dev/zero', '/dev/urandom':
		    os.close(os.open(path, os.O_RDONLY))
		print(os.openpty() and 'terminals')
	END
	[ "$(sort -u <<<"$output")" = $'no /dev/vhost-vsock\nno /dev/vsock\nterminals' ]
}

@test "guard: io_uring, which can make sockets too, is not there" {
	run -0 guard "$PYTHON" - <<-END
		import ctypes, errno
		libc = ctypes.CDLL(None, use_errno=True)
		print(libc.syscall(425, 1, 0), errno.errorcode[ctypes.get_errno()])
	END
	[ "$output" = "-1 ENOSYS" ]
}

@test "guard: where io_uring is allowed, vsock is not" {
	cat >try.py <<-END
		import ctypes, errno, socket, sys
		libc = ctypes.CDLL(None, use_errno=True)
		libc.syscall(425, 1, 0)
		print(errno.errorcode[ctypes.get_errno()])
		if len(sys.argv) > 1:
		    socket.socket(socket.AF_VSOCK)
	END
	here=$("$PYTHON" try.py)
	run -1 guard --io-uring "$PYTHON" try.py vsock
	[ "${lines[0]}" = "$here" ]
	[[ $output == *"Address family not supported by protocol"* ]]
}

@test "guard: a 64-bit program finds no way out through 32-bit system calls" {
	[ "$(uname -m)" = x86_64 ] || skip "this machine has one ABI"
	# push rbx; mov ebx, SYS_SOCKET; mov eax, 102 (socketcall); int 0x80; pop rbx; ret
	run guard "$PYTHON" - <<-END
		import ctypes, errno, mmap
		page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
		page.write(bytes.fromhex('53 bb01000000 b866000000 cd80 5b c3'))
		code = ctypes.addressof(ctypes.c_char.from_buffer(page))
		print(errno.errorcode[-ctypes.CFUNCTYPE(ctypes.c_int)(code)()])
	END
	[ "$status" != 139 ] || skip "this kernel has no 32-bit system calls"
	[ "$output" = ENOSYS ]
}

@test "guard: other sockets are as they were" {
	run -0 guard "$PYTHON" - <<-END
		import socket
		a, b = socket.socketpair()
		s = socket.create_server(('127.0.0.1', 0))
		c = socket.create_connection(s.getsockname())
		print(a.send(b'x'), b.recv(1), c.send(b'y'), s.accept()[0].recv(1))
	END
	[ "$output" = "1 b'x' 1 b'y'" ]
}

@test "guard: works for a user who is not root" {
	requires_root
	requires setpriv
	# The tree and bats' directories may not be for all to read.
	local place nobody=(setpriv --reuid=nobody --regid=nogroup --clear-groups)
	place=$(mktemp -d)
	chmod 755 "$place"
	cp "$BUILD/tests/novsock" "$place"
	cd /
	run "${nobody[@]}" "$place/novsock" "$PYTHON" - <<-END
		import os, socket
		print(os.getuid() != 0)
		for forbidden in (lambda: socket.socket(socket.AF_VSOCK),
		                  lambda: open('/dev/vsock'), lambda: open('/dev/vhost-vsock')):
		    try:
		        print(forbidden())
		    except OSError:
		        pass
	END
	rm -r "$place"
	[ "$status" = 0 ]
	[ "$output" = True ]
}

@test "guard: becomes the command, and its status is the command's" {
	start guard sh -c 'echo $$; exit 7' >pid
	ends_with 7
	[ "$(cat pid)" = "$pid" ]
	PATH=/usr/bin:/bin run -127 --separate-stderr guard no-such-command
	[ "$stderr" = "novsock: no-such-command: No such file or directory" ]
	run -126 --separate-stderr guard /
	[ "$stderr" = "novsock: /: Permission denied" ]
	run -125 --separate-stderr guard
	[[ $stderr == usage:* ]]
}
