/* SPDX-License-Identifier: MIT */
/*
 * What 32-bit programs call whose times have 64 bits: the same as the others
 * do, with times that end in 2^31 seconds. We are built with times of 32 bits.
 */
#include "shim.h"

#include "next.h"
#include "user.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>

#if HAVE_TIME64

struct timeval64 {
	int64_t tv_sec, tv_usec;
};

struct timespec64 {
	int64_t tv_sec;
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	int32_t : 32;
#endif
	int32_t tv_nsec;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	int32_t : 32;
#endif
};

int __select64(int nfds, fd_set *in, fd_set *out, fd_set *ex,
	       struct timeval64 *tv);
int __pselect64(int nfds, fd_set *in, fd_set *out, fd_set *ex,
		const struct timespec64 *ts, const sigset_t *mask);
int __ppoll64(struct pollfd *fds, nfds_t n, const struct timespec64 *ts,
	      const sigset_t *mask);
int __epoll_pwait2_time64(int epfd, struct epoll_event *ev, int max,
			  const struct timespec64 *ts, const sigset_t *mask);
int __recvmmsg64(int fd, struct mmsghdr *vec, unsigned int n, int flags,
		 struct timespec64 *timeout);

static time_t seconds(int64_t s)
{
	return s < 0 ? -1 : s > INT32_MAX ? INT32_MAX : (time_t)s;
}

static struct timespec *shorter(const struct timespec64 *ts,
				struct timespec *ret)
{
	if (!ts)
		return NULL;
	ret->tv_sec = seconds(ts->tv_sec);
	ret->tv_nsec = ts->tv_nsec;
	return ret;
}

EXPORT int __select64(int nfds, fd_set *in, fd_set *out, fd_set *ex,
		      struct timeval64 *tv)
{
	struct timeval t;
	int r;

	if (!tv)
		return select(nfds, in, out, ex, NULL);
	t.tv_sec = seconds(tv->tv_sec);
	t.tv_usec = (int32_t)tv->tv_usec; /* so does libc */
	r = select(nfds, in, out, ex, &t);
	tv->tv_sec = t.tv_sec;
	tv->tv_usec = t.tv_usec;
	return r;
}

EXPORT int __pselect64(int nfds, fd_set *in, fd_set *out, fd_set *ex,
		       const struct timespec64 *ts, const sigset_t *mask)
{
	struct timespec t;

	return pselect(nfds, in, out, ex, shorter(ts, &t), mask);
}

EXPORT int __ppoll64(struct pollfd *fds, nfds_t n, const struct timespec64 *ts,
		     const sigset_t *mask)
{
	struct timespec t;

	return ppoll(fds, n, shorter(ts, &t), mask);
}

EXPORT int __epoll_pwait2_time64(int epfd, struct epoll_event *ev, int max,
				 const struct timespec64 *ts,
				 const sigset_t *mask)
{
	struct timespec t;

	return epoll_pwait2(epfd, ev, max, shorter(ts, &t), mask);
}

EXPORT int __recvmmsg64(int fd, struct mmsghdr *vec, unsigned int n, int flags,
			struct timespec64 *timeout)
{
	struct timespec t;
	int r;

	if (timeout && is_ours(fd) &&
	    !user_readable(fd, timeout, sizeof(*timeout)))
		return (int)ret_errno(-EFAULT);
	r = recvmmsg(fd, vec, n, flags, shorter(timeout, &t));
	if (timeout && r >= 0) {
		timeout->tv_sec = t.tv_sec;
		timeout->tv_nsec = (int32_t)t.tv_nsec;
	}
	return r;
}

#endif
