#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The rarer names under which libc offers what we serve, and /dev/vsock by path.

load helpers

# says WHAT: the program says of it what standard input says.
says() {
	shim CID=3 "$PROG/entries" "$1" >got
	same got -
}

@test "/dev/vsock is a character device for everybody, by every stat there is" {
	says stats <<-END
		stat(DEVICE, &st) 20666 10
		lstat(DEVICE, &st) 20666 10
		fstat(fd, &st) 20666 10
		fstatat(at, DEVICE, &st, 0) 20666 10
		fstatat(fd, "", &st, AT_EMPTY_PATH) 20666 10
		stat64(DEVICE, &st) 20666 10
		lstat64(DEVICE, &st) 20666 10
		fstat64(fd, &st) 20666 10
		fstatat64(at, DEVICE, &st, AT_SYMLINK_NOFOLLOW) 20666 10
		fstatat64(fd, "", &st, AT_EMPTY_PATH) 20666 10
		__xstat(STAT_VER, DEVICE, &st) 20666 10
		__lxstat(STAT_VER, DEVICE, &st) 20666 10
		__fxstat(STAT_VER, fd, &st) 20666 10
		__fxstatat(STAT_VER, at, DEVICE, &st, 0) 20666 10
		__xstat64(STAT_VER, DEVICE, &st) 20666 10
		__lxstat64(STAT_VER, DEVICE, &st) 20666 10
		__fxstat64(STAT_VER, fd, &st) 20666 10
		__fxstatat64(STAT_VER, at, DEVICE, &st, 0) 20666 10
		statx 20666 10
		statx fd 20666 10
		stat(bad, &st) EFAULT
		stat("/dev/vsockets", &st) ENOENT
		isfdtype S_IFCHR 1
		isfdtype S_IFSOCK 0
		socket S_IFSOCK 1
	END
}

@test "/dev/vsock may be read and written, by every access there is" {
	says accesses <<-END
		access F_OK 0
		access R_OK | W_OK 0
		access X_OK EACCES
		access 8 EINVAL
		access bad EFAULT
		eaccess 0
		euidaccess 0
		faccessat 0
		faccessat AT_EACCESS 0
		faccessat bad flags EINVAL
	END
}

@test "/dev/vsock tells the CID however it was opened; a socket does not" {
	says opens <<-END
		open 3
		open64 3
		openat 3
		openat64 3
		creat 3
		creat64 3
		fopen 3
		fopen64 3
		freopen 3
		freopen: same descriptor 1
		freopen64 another ENOTTY
		freopen64 3
		syscall 3
		a socket ENOTTY
		no descriptor EBADF
		/dev/null ENOTTY
	END
}

@test "libc's syscall() serves vsock sockets by number" {
	says numbers <<-END
		bind 0
		listen 0
		setsockopt 0
		connect 0
		accept4 1
		getsockname 0
		port 5000
		getpeername 0
		port 5000
		getsockopt 0
		SO_DOMAIN 40
		sendto 2
		sendto MSG_OOB EOPNOTSUPP
		sendmsg 16
		sendmmsg 1
		recvfrom 2
		its address 0
		recvmsg 16
		recvmmsg 1
		write 3
		ioctl 0
		FIONREAD 3
		shutdown 0
		getpeername ENOTCONN
		socketpair EOPNOTSUPP
		getpid 1
	END
}

@test "a connection's end and a fresh socket's errors are AF_VSOCK's by every call" {
	says ends <<-END
		preadv2 1
		preadv2 1
		preadv2 0
		preadv2 at 0 ESPIPE
		preadv64v2 1
		preadv64v2 1
		preadv64v2 0
		splice 2
		splice 0
		splice 0
		splice at 0 EINVAL
		splice fresh ENOTCONN
		splice to fresh ENOTCONN
		sendfile to fresh ENOTCONN
		sendfile64 to fresh ENOTCONN
		pwritev2 to fresh ENOTCONN
		pwritev64v2 to fresh ENOTCONN
		sockatmark ENOTTY
	END
}

@test "a socket that pidfd_getfd takes from another process is a vsock socket" {
	says taken <<-END
		getsockname 0
		port 5000
	END
}

@test "without a machine there is no /dev/vsock" {
	run -0 shim CID=none "$PROG/entries" accesses
	[ "${lines[1]}" = "access F_OK ENOENT" ]
	run -1 shim CID=none "$PROG/entries" stats
	[ "${lines[1]}" = "stat(DEVICE, &st) ENOENT" ]
}
