/* SPDX-License-Identifier: MIT */
/*
 * syscall(2) by number: of the system calls that a program makes through libc,
 * those that make, name or use a vsock socket become ours; all others go on to
 * libc as they are, as it may be another library's function that makes them.
 * What a program makes by itself nothing in a process reaches.
 */
#include "shim.h"

#include "core/util.h"
#include "dev.h"
#include "next.h"

#include <stdarg.h>
#include <sys/syscall.h>

#include <linux/seccomp.h>

#define FD     ((int)a[0])
#define I(n)   ((int)a[n])
#define P(n)   ((void *)a[n])
#define N(n)   ((size_t)a[n])
#define LEN(n) ((socklen_t)a[n])

/* Its first argument is a descriptor, and below it is a case of its own. */
static bool on_socket(long nr)
{
	switch (nr) {
	case SYS_bind:
	case SYS_listen:
	case SYS_connect:
#ifdef SYS_accept
	case SYS_accept:
#endif
	case SYS_accept4:
	case SYS_getsockname:
	case SYS_getpeername:
	case SYS_getsockopt:
	case SYS_setsockopt:
	case SYS_shutdown:
	case SYS_sendto:
	case SYS_sendmsg:
	case SYS_sendmmsg:
	case SYS_recvfrom:
	case SYS_recvmsg:
#if __SIZEOF_LONG__ == 8 /* else its timeout is not libc's */
	case SYS_recvmmsg:
#endif
	case SYS_ioctl:
	case SYS_read:
	case SYS_write:
		return true;
	default:
		return false;
	}
}

static long ours(long nr, const long *a)
{
	switch (nr) {
	case SYS_bind:
		return bind(FD, P(1), LEN(2));
	case SYS_listen:
		return listen(FD, I(1));
	case SYS_connect:
		return connect(FD, P(1), LEN(2));
#ifdef SYS_accept
	case SYS_accept:
		return accept(FD, P(1), P(2));
#endif
	case SYS_accept4:
		return accept4(FD, P(1), P(2), I(3));
	case SYS_getsockname:
		return getsockname(FD, P(1), P(2));
	case SYS_getpeername:
		return getpeername(FD, P(1), P(2));
	case SYS_getsockopt:
		return getsockopt(FD, I(1), I(2), P(3), P(4));
	case SYS_setsockopt:
		return setsockopt(FD, I(1), I(2), P(3), LEN(4));
	case SYS_shutdown:
		return shutdown(FD, I(1));
	case SYS_sendto:
		return sendto(FD, P(1), N(2), I(3), P(4), LEN(5));
	case SYS_sendmsg:
		return sendmsg(FD, P(1), I(2));
	case SYS_sendmmsg:
		return sendmmsg(FD, P(1), (unsigned int)a[2], I(3));
	case SYS_recvfrom:
		return recvfrom(FD, P(1), N(2), I(3), P(4), P(5));
	case SYS_recvmsg:
		return recvmsg(FD, P(1), I(2));
#if __SIZEOF_LONG__ == 8
	case SYS_recvmmsg:
		return recvmmsg(FD, P(1), (unsigned int)a[2], I(3), P(4));
#endif
	case SYS_ioctl:
		return ioctl(FD, (ioctl_request)a[1], P(2));
	case SYS_read:
		return read(FD, P(1), N(2));
	default: /* SYS_write */
		return write(FD, P(1), N(2));
	}
}

EXPORT long syscall(long nr, ...)
{
	long a[6], r;
	va_list ap;

	va_start(ap, nr);
	for (size_t i = 0; i < ARRAY_SIZE(a); i++)
		a[i] = va_arg(ap, long);
	va_end(ap);

	switch (nr) {
	case SYS_socket:
		if (I(0) == AF_VSOCK)
			return socket(I(0), I(1), I(2));
		break;
	case SYS_socketpair:
		if (I(0) == AF_VSOCK)
			return socketpair(I(0), I(1), I(2), P(3));
		break;
#ifdef SYS_open
	case SYS_open:
		if (dev_is_path(P(0)))
			return open(P(0), I(1), (mode_t)a[2]);
		break;
#endif
	case SYS_openat:
		if (dev_is_path(P(1)))
			return openat(FD, P(1), I(2), (mode_t)a[3]);
		break;
	case SYS_seccomp:
		r = NEXT(syscall)(nr, a[0], a[1], a[2]);
		return a[0] <= SECCOMP_SET_MODE_FILTER && r >= 0 ? sandboxed(r)
								 : r;
	default:
		if (on_socket(nr) && is_ours(FD))
			return ours(nr, a);
	}
	return NEXT(syscall)(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
}
