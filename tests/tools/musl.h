/* SPDX-License-Identifier: MIT */
/*
 * What test programs call and musl has not, as they find it in glibc: included
 * first into all of them in a build with musl-gcc.
 */
#ifndef TESTS_TOOLS_MUSL_H
#define TESTS_TOOLS_MUSL_H

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <linux/fs.h>
#include <linux/stat.h>

#define RTLD_DEEPBIND 0

/* Seen by name in the text of a call, as those that are no macros in glibc. */
enum {
	was_oob = MSG_OOB,
	was_dontwait = MSG_DONTWAIT,
	was_nosignal = MSG_NOSIGNAL,
};
#undef MSG_OOB
#undef MSG_DONTWAIT
#undef MSG_NOSIGNAL
#undef SHUT_RD
#undef SHUT_WR
#undef SHUT_RDWR
enum {
	SHUT_RD,
	SHUT_WR,
	SHUT_RDWR,
	MSG_OOB = was_oob,
	MSG_DONTWAIT = was_dontwait,
	MSG_NOSIGNAL = was_nosignal,
};

static inline int close_range(unsigned int first, unsigned int last, int flags)
{
	return (int)syscall(SYS_close_range, first, last, flags);
}

static inline void closefrom(int first)
{
	close_range((unsigned int)first, ~0U, 0);
}

static inline int epoll_pwait2(int epfd, struct epoll_event *ev, int max,
			       const struct timespec *ts, const sigset_t *mask)
{
	return (int)syscall(SYS_epoll_pwait2, epfd, ev, max, ts, mask,
			    _NSIG / 8);
}

static inline ssize_t preadv2(int fd, const struct iovec *iov, int n,
			      off_t offset, int flags)
{
	return syscall(SYS_preadv2, fd, iov, n, offset, 0, flags);
}

static inline ssize_t pwritev2(int fd, const struct iovec *iov, int n,
			       off_t offset, int flags)
{
	return syscall(SYS_pwritev2, fd, iov, n, offset, 0, flags);
}

static inline int statx(int fd, const char *path, int flags, unsigned int mask,
			struct statx *st)
{
	return (int)syscall(SYS_statx, fd, path, flags, mask, st);
}

static inline const char *sigabbrev_np(int sig)
{
	return sig == SIGSEGV ? "SEGV" : sig == SIGABRT ? "ABRT" : NULL;
}

static inline const char *strerrorname_np(int err)
{
	switch (err) {
#define E(name)                                                                \
	case name:                                                             \
		return #name
		E(EACCES);
		E(EADDRINUSE);
		E(EADDRNOTAVAIL);
		E(EAFNOSUPPORT);
		E(EAGAIN);
		E(EALREADY);
		E(EBADF);
		E(EBUSY);
		E(ECHILD);
		E(ECONNABORTED);
		E(ECONNREFUSED);
		E(ECONNRESET);
		E(EDESTADDRREQ);
		E(EDOM);
		E(EDQUOT);
		E(EEXIST);
		E(EFAULT);
		E(EFBIG);
		E(EHOSTUNREACH);
		E(EINPROGRESS);
		E(EINTR);
		E(EINVAL);
		E(EIO);
		E(EISCONN);
		E(EISDIR);
		E(ELOOP);
		E(EMFILE);
		E(EMSGSIZE);
		E(ENAMETOOLONG);
		E(ENETUNREACH);
		E(ENFILE);
		E(ENOBUFS);
		E(ENODATA);
		E(ENODEV);
		E(ENOENT);
		E(ENOMEM);
		E(ENOPROTOOPT);
		E(ENOSPC);
		E(ENOSYS);
		E(ENOTCONN);
		E(ENOTDIR);
		E(ENOTSOCK);
		E(ENOTTY);
		E(ENXIO);
		E(EOPNOTSUPP);
		E(EPERM);
		E(EPIPE);
		E(EPROTO);
		E(EPROTONOSUPPORT);
		E(EPROTOTYPE);
		E(ERANGE);
		E(EROFS);
		E(ESOCKTNOSUPPORT);
		E(ESPIPE);
		E(ETIMEDOUT);
		E(EXFULL);
#undef E
	default:
		return "an error without a name";
	}
}

#endif
