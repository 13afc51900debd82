/* SPDX-License-Identifier: MIT */
/*
 * The functions that we interpose, and nothing else: each finds out whether
 * the call concerns AF_VSOCK, has sock.c, opt.c, ready.c or dev.c answer it,
 * or goes on to libc's own. errno is touched only by a call that fails.
 */
#include "conf.h"
#include "dev.h"
#include "epmap.h"
#include "hint.h"
#include "next.h"
#include "opt.h"
#include "ready.h"
#include "sock.h"
#include "user.h"
#include "vsock_table.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

/* -errno to libc's way. */
static int ret_errno(int r)
{
	if (r >= 0)
		return r;
	errno = -r;
	return -1;
}

/* The same after libc's call has failed with EINVAL; success hides that. */
static int second_try(int r, int saved)
{
	if (r >= 0)
		errno = saved;
	return ret_errno(r == SOCK_FOREIGN ? -EINVAL : r);
}

static bool hinted(int fd)
{
	return gate_is_open(GATE_USED) && hint_get(fd) & HINT_OURS;
}

/* Worth asking the kernel about @fd: it may be ours without a hint. */
static bool maybe(int fd)
{
	return fd >= 0 && gate_is_open(GATE_USED);
}

/* May we read the family of an address that the kernel has just refused? */
static bool is_vsock(const struct sockaddr *addr, socklen_t len)
{
	return (int)len >= (int)sizeof(sa_family_t) && addr &&
	       addr->sa_family == AF_VSOCK;
}

/* --- making sockets ------------------------------------------------------ */

EXPORT int socket(int domain, int type, int protocol)
{
	int fd;

	if (domain == AF_VSOCK)
		return ret_errno(sock_socket(type, protocol));
	fd = NEXT(socket)(domain, type, protocol);
	if (fd >= 0)
		hint_set(fd, HINT_PLAIN);
	return fd;
}

EXPORT int socketpair(int domain, int type, int protocol, int fds[2])
{
	int fd, r;

	if (domain != AF_VSOCK) {
		r = NEXT(socketpair)(domain, type, protocol, fds);
		if (r == 0) {
			hint_set(fds[0], HINT_PLAIN);
			hint_set(fds[1], HINT_PLAIN);
		}
		return r;
	}
	fd = sock_socket(type, protocol);
	if (fd < 0)
		return ret_errno(fd);
	sys_kernel.close(fd);
	return ret_errno(-EOPNOTSUPP);
}

EXPORT int bind(int fd, const struct sockaddr *addr, socklen_t len)
{
	int saved, r = SOCK_FOREIGN;

	if (hinted(fd))
		r = sock_bind(fd, addr, len);
	if (r != SOCK_FOREIGN)
		return ret_errno(r);
	saved = errno;
	r = NEXT(bind)(fd, addr, len);
	/* AF_UNIX has read the address, and knows no such family. */
	if (r < 0 && errno == EINVAL && is_vsock(addr, len)) {
		r = sock_bind(fd, addr, len);
		return second_try(r, saved);
	}
	return r;
}

EXPORT int listen(int fd, int backlog)
{
	int saved = errno, r = NEXT(listen)(fd, backlog);

	if (r == 0 && hinted(fd))
		hint_set(fd, hint_get(fd) & ~(unsigned int)HINT_FRESH);
	if (r < 0 && errno == EINVAL && maybe(fd)) {
		r = sock_listen(fd, backlog);
		return second_try(r, saved);
	}
	return r;
}

EXPORT int connect(int fd, const struct sockaddr *addr, socklen_t len)
{
	int saved, r = SOCK_FOREIGN;

	if (hinted(fd))
		r = sock_connect(fd, addr, len);
	if (r != SOCK_FOREIGN)
		return ret_errno(r);
	saved = errno;
	r = NEXT(connect)(fd, addr, len);
	if (r < 0 && errno == EINVAL && is_vsock(addr, len)) {
		r = sock_connect(fd, addr, len);
		return second_try(r, saved);
	}
	return r;
}

/* --- accepting ----------------------------------------------------------- */

typedef int name_fn(int fd, struct sockaddr *addr, socklen_t *len);

static int plain_accept(int fd, struct sockaddr *addr, socklen_t *len,
			int flags)
{
	return flags ? NEXT(accept4)(fd, addr, len, flags)
		     : NEXT(accept)(fd, addr, len);
}

/*
 * Where it costs nothing, that is for a socket of ours and where no address is
 * asked for, accepts with an address of our own: it says whether the client is
 * one of ours, however small the program's buffer is.
 */
static int accept_any(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
	bool own = hinted(fd) || !addr;
	struct sockaddr_un un = { .sun_family = AF_UNSPEC };
	socklen_t n = sizeof(un);
	struct sockaddr_vm vm;
	int r, bad = 0;

	if (own) {
		r = plain_accept(fd, (struct sockaddr *)&un, &n, flags);
	} else {
		r = plain_accept(fd, addr, len, flags);
		if (r >= 0 && addr->sa_family == AF_UNIX && hint_unknown(fd))
			ident_peer(r, &un, &n);
	}
	if (r < 0)
		return r;
	if (un.sun_family != AF_UNIX || !sock_accepted(r, fd, &un, n, &vm)) {
		hint_set(r, HINT_PLAIN);
		if (own && addr) /* a wrong hint */
			bad = user_put_addr(r, addr, len, &un, n);
	} else if (addr) {
		bad = user_put_addr(r, addr, len, &vm, sizeof(vm));
	}
	if (bad) { /* the kernel, too, has taken the connection by now */
		sys_kernel.close(r);
		return ret_errno(bad);
	}
	return r;
}

EXPORT int accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
	return accept_any(fd, addr, len, flags);
}

EXPORT int accept(int fd, struct sockaddr *addr, socklen_t *len)
{
	return accept_any(fd, addr, len, 0);
}

/* --- names --------------------------------------------------------------- */

/* Ours, or EFAULT and EINVAL as the kernel checks them. */
static int vsock_name(int fd, bool peer, struct sockaddr *addr, socklen_t *len)
{
	struct sockaddr_vm vm;
	int r = sock_name(fd, peer, &vm);

	return r < 0 ? r : user_put_addr(fd, addr, len, &vm, sizeof(vm));
}

/* Does an AF_UNIX name that libc returned leave it open whose socket it is? */
static bool name_unclear(int fd, const struct sockaddr *addr, socklen_t room,
			 socklen_t len)
{
	if (room < sizeof(sa_family_t) || addr->sa_family != AF_UNIX)
		return false;
	if (len > sizeof(sa_family_t) && len <= room &&
	    name_decode((const struct sockaddr_un *)addr, len).kind !=
		    NAME_NONE)
		return true;
	return hint_unknown(fd);
}

static int get_name(int fd, bool peer, struct sockaddr *addr, socklen_t *len,
		    name_fn *next)
{
	socklen_t room = len ? *len : 0, full;
	int r = SOCK_FOREIGN;

	if (fd >= 0 && !(hint_get(fd) & HINT_PLAIN))
		r = vsock_name(fd, peer, addr, len);
	if (r != SOCK_FOREIGN)
		return ret_errno(r);
	r = next(fd, addr, len);
	if (r == 0 && len && name_unclear(fd, addr, room, *len)) {
		full = *len;
		*len = room;
		r = vsock_name(fd, peer, addr, len);
		if (r != SOCK_FOREIGN)
			return ret_errno(r);
		*len = full;
		return 0;
	}
	return r;
}

EXPORT int getsockname(int fd, struct sockaddr *addr, socklen_t *len)
{
	return get_name(fd, false, addr, len, NEXT(getsockname));
}

EXPORT int getpeername(int fd, struct sockaddr *addr, socklen_t *len)
{
	return get_name(fd, true, addr, len, NEXT(getpeername));
}

/* --- options ------------------------------------------------------------- */

static int get_error(int fd, void *val, socklen_t *len)
{
	int r = NEXT(getsockopt)(fd, SOL_SOCKET, SO_ERROR, val, len);
	struct ident id;
	int err = 0;

	if (r == 0)
		memcpy(&err, val, *len < sizeof(err) ? *len : sizeof(err));
	if (r == 0 && err == 0 && gate_is_open(GATE_FAILED))
		err = sock_error(fd);
	else if (r == 0 && err == ECONNRESET && maybe(fd) &&
		 ident_socket(fd, &id))
		err = 0; /* the peer died unread: no error to a vsock */
	if (r == 0)
		memcpy(val, &err, *len < sizeof(err) ? *len : sizeof(err));
	return r;
}

EXPORT int getsockopt(int fd, int level, int name, void *val, socklen_t *len)
{
	int r = SOCK_FOREIGN;

	if (level == SOL_SOCKET && name == SO_ERROR && gate_is_open(GATE_USED))
		return get_error(fd, val, len);
	if (opt_differs(level, name) && (maybe(fd) || level == AF_VSOCK))
		r = opt_get(fd, level, name, val, len);
	if (r != SOCK_FOREIGN)
		return ret_errno(r);
	r = NEXT(getsockopt)(fd, level, name, val, len);
	if (r == 0 && level == SOL_SOCKET && name == SO_DOMAIN &&
	    *len == sizeof(int) && hint_unknown(fd)) {
		int domain;

		memcpy(&domain, val, sizeof(domain));
		if (domain == AF_UNIX)
			opt_get(fd, level, name, val, len);
	}
	if (r < 0 && errno == EOPNOTSUPP && maybe(fd) && level != SOL_SOCKET) {
		struct ident id;

		errno = ident_socket(fd, &id) ? ENOPROTOOPT : EOPNOTSUPP;
	}
	return r;
}

EXPORT int setsockopt(int fd, int level, int name, const void *val,
		      socklen_t len)
{
	int r = SOCK_FOREIGN;

	if (opt_differs(level, name) && (maybe(fd) || level == AF_VSOCK))
		r = opt_set(fd, level, name, val, len);
	if (r != SOCK_FOREIGN)
		return ret_errno(r);
	r = NEXT(setsockopt)(fd, level, name, val, len);
	if (r < 0 && errno == EOPNOTSUPP && maybe(fd) && level != SOL_SOCKET) {
		struct ident id;

		errno = ident_socket(fd, &id) ? ENOPROTOOPT : EOPNOTSUPP;
	}
	return r;
}

EXPORT int ioctl(int fd, unsigned long request, ...)
{
	int r, ours;
	va_list ap;
	void *arg;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);

	if (request == IOCTL_VM_SOCKETS_GET_LOCAL_CID) {
		r = dev_local_cid(fd, arg);
		if (r != SOCK_FOREIGN)
			return ret_errno(r);
	}
	r = NEXT(ioctl)(fd, request, arg);
	if (maybe(fd) && hint_get(fd) & HINT_OURS) {
		ours = opt_ioctl(fd, request, arg, r);
		if (ours != SOCK_FOREIGN)
			return ret_errno(ours);
	}
	return r;
}

/* --- the end ------------------------------------------------------------- */

EXPORT int shutdown(int fd, int how)
{
	int r = SOCK_FOREIGN;

	if (maybe(fd))
		r = sock_shutdown(fd, how);
	return r == SOCK_FOREIGN ? NEXT(shutdown)(fd, how) : ret_errno(r);
}

EXPORT int close(int fd)
{
	struct sockaddr_un un;
	bool path = hinted(fd) && sock_closing(fd, &un);
	int r = NEXT(close)(fd);

	if (path) {
		int saved = errno;

		sock_closed(&un);
		errno = saved;
	}
	return r;
}

/* --- data: success passes through ---------------------------------------- */

/* A receive failed: once more, or with which errno? True: once more. */
static bool recv_again(int fd)
{
	int err;

	if (!gate_is_open(GATE_USED))
		return false;
	err = sock_recv_failed(fd, errno);
	if (err)
		errno = err;
	return !err;
}

/* True: the call is answered, with *@ret. */
static bool recv_odd(int fd, size_t len, int flags, ssize_t *ret)
{
	int r;

	if (len != 0 && !(flags & (MSG_OOB | MSG_ERRQUEUE | MSG_WAITALL)) &&
	    (len < VSOCK_BUFFER_SIZE || !(hint_get(fd) & HINT_ODD)))
		return false;
	if (!gate_is_open(GATE_USED))
		return false;
	r = sock_recv_check(fd, len, flags);
	*ret = r < 0 ? ret_errno(r) : 0;
	return r != 0;
}

EXPORT ssize_t read(int fd, void *buf, size_t n)
{
	ssize_t r = NEXT(read)(fd, buf, n);

	if (r < 0 && (errno == ECONNRESET || errno == EINVAL) && recv_again(fd))
		return NEXT(read)(fd, buf, n);
	return r;
}

EXPORT ssize_t readv(int fd, const struct iovec *iov, int n)
{
	ssize_t r = NEXT(readv)(fd, iov, n);

	if (r < 0 && (errno == ECONNRESET || errno == EINVAL) && recv_again(fd))
		return NEXT(readv)(fd, iov, n);
	return r;
}

static ssize_t recv_any(int fd, void *buf, size_t n, int flags)
{
	ssize_t r;

	if (recv_odd(fd, n, flags, &r))
		return r;
	r = NEXT(recv)(fd, buf, n, flags);
	if (r < 0 && (errno == ECONNRESET || errno == EINVAL) && recv_again(fd))
		return NEXT(recv)(fd, buf, n, flags);
	return r;
}

EXPORT ssize_t recv(int fd, void *buf, size_t n, int flags)
{
	return recv_any(fd, buf, n, flags);
}

/* Is it ours, so that a receive gives no address? */
static bool nameless(int fd)
{
	struct ident id;

	return hinted(fd) && ident_socket(fd, &id);
}

EXPORT ssize_t recvfrom(int fd, void *buf, size_t n, int flags,
			struct sockaddr *addr, socklen_t *len)
{
	socklen_t room;
	ssize_t r;
	int bad;

	if (addr && nameless(fd)) {
		r = recv_any(fd, buf, n, flags);
		bad = r < 0 ? 0 : user_room(fd, len, &room);
		if (r >= 0 && !bad)
			*len = 0;
		return bad ? ret_errno(bad) : r;
	}
	if (recv_odd(fd, n, flags, &r))
		return r;
	r = NEXT(recvfrom)(fd, buf, n, flags, addr, len);
	if (r < 0 && (errno == ECONNRESET || errno == EINVAL) && recv_again(fd))
		return NEXT(recvfrom)(fd, buf, n, flags, addr, len);
	return r;
}

static size_t iov_bytes(const struct msghdr *msg)
{
	size_t n = 0;

	for (size_t i = 0; msg->msg_iov && i < msg->msg_iovlen; i++)
		n += msg->msg_iov[i].iov_len;
	return n;
}

EXPORT ssize_t recvmsg(int fd, struct msghdr *msg, int flags)
{
	void *name = NULL;
	ssize_t r;

	if (msg && gate_is_open(GATE_USED)) {
		if (recv_odd(fd, iov_bytes(msg), flags, &r))
			return r;
		if (msg->msg_name && nameless(fd)) {
			name = msg->msg_name;
			msg->msg_name = NULL;
		}
	}
	r = NEXT(recvmsg)(fd, msg, flags);
	if (r < 0 && (errno == ECONNRESET || errno == EINVAL) && recv_again(fd))
		r = NEXT(recvmsg)(fd, msg, flags);
	if (name)
		msg->msg_name = name;
	if (name && r >= 0)
		msg->msg_namelen = 0;
	return r;
}

/* A send failed: once more, or with which errno? True: once more. */
static bool send_again(int fd, const struct sockaddr *addr, socklen_t len)
{
	int err = errno;

	if (!maybe(fd) || err == EAGAIN || err == EPIPE || err == EINTR)
		return false;
	err = sock_send_failed(fd, err, addr, len);
	if (err)
		errno = err;
	return !err;
}

/* MSG_OOB, which AF_UNIX can and AF_VSOCK cannot. */
static bool send_odd(int fd, int flags)
{
	struct ident id;

	if (!(flags & MSG_OOB) || !maybe(fd) || !ident_socket(fd, &id))
		return false;
	errno = EOPNOTSUPP;
	return true;
}

EXPORT ssize_t send(int fd, const void *buf, size_t n, int flags)
{
	ssize_t r;

	if (send_odd(fd, flags))
		return -1;
	r = NEXT(send)(fd, buf, n, flags);
	return r < 0 && send_again(fd, NULL, 0) ? NEXT(send)(fd, buf, n, flags)
						: r;
}

EXPORT ssize_t sendto(int fd, const void *buf, size_t n, int flags,
		      const struct sockaddr *addr, socklen_t len)
{
	ssize_t r;

	if (send_odd(fd, flags))
		return -1;
	r = NEXT(sendto)(fd, buf, n, flags, addr, len);
	return r < 0 && send_again(fd, addr, len)
		       ? NEXT(sendto)(fd, buf, n, flags, addr, len)
		       : r;
}

EXPORT ssize_t sendmsg(int fd, const struct msghdr *msg, int flags)
{
	struct msghdr bare;
	ssize_t r;

	if (send_odd(fd, flags))
		return -1;
	/* AF_VSOCK takes any ancillary data, and delivers none. */
	if (gate_is_open(GATE_USED) && msg && msg->msg_controllen &&
	    nameless(fd)) {
		bare = *msg;
		bare.msg_control = NULL;
		bare.msg_controllen = 0;
		msg = &bare;
	}
	r = NEXT(sendmsg)(fd, msg, flags);
	return r < 0 && send_again(fd, NULL, 0) ? NEXT(sendmsg)(fd, msg, flags)
						: r;
}

EXPORT ssize_t write(int fd, const void *buf, size_t n)
{
	ssize_t r = NEXT(write)(fd, buf, n);

	return r < 0 && send_again(fd, NULL, 0) ? NEXT(write)(fd, buf, n) : r;
}

EXPORT ssize_t writev(int fd, const struct iovec *iov, int n)
{
	ssize_t r = NEXT(writev)(fd, iov, n);

	return r < 0 && send_again(fd, NULL, 0) ? NEXT(writev)(fd, iov, n) : r;
}

/* --- readiness ----------------------------------------------------------- */

/* The end of a wait matters only to a process that may have to wait again. */
static uint64_t end_ms(int timeout)
{
	return timeout > 0 && !gate_is_open(GATE_USED)
		       ? (uint64_t)timeout * 1000000
		       : ready_end_ms(timeout);
}

EXPORT int poll(struct pollfd *fds, nfds_t n, int timeout)
{
	uint64_t end = end_ms(timeout);
	int r = NEXT(poll)(fds, n, timeout);

	if (r > 0 && ready_doubt_poll(fds, n))
		return ret_errno(ready_poll(fds, n, end, NULL));
	return r;
}

EXPORT int ppoll(struct pollfd *fds, nfds_t n, const struct timespec *ts,
		 const sigset_t *mask)
{
	uint64_t end = gate_is_open(GATE_USED) ? ready_end_ts(ts) : 0;
	int r = NEXT(ppoll)(fds, n, ts, mask);

	if (r > 0 && ready_doubt_poll(fds, n))
		return ret_errno(ready_poll(fds, n, end, mask));
	return r;
}

/* What a program asked of select(2), which overwrites it. */
struct asked {
	fd_set in, out, ex;
};

static void ask(fd_set *to, const fd_set *from)
{
	if (from)
		*to = *from;
}

/* More than an fd_set's worth of descriptors is left as the kernel says it. */
static bool doubts_select(int nfds, const fd_set *in, const fd_set *out,
			  const fd_set *ex)
{
	return gate_is_open(GATE_USED) && nfds <= FD_SETSIZE &&
	       ready_doubt_select(nfds, in, out, ex);
}

EXPORT int select(int nfds, fd_set *in, fd_set *out, fd_set *ex,
		  struct timeval *tv)
{
	struct timespec ts;
	struct asked was;
	uint64_t end;
	int r;

	if (!doubts_select(nfds, in, out, ex))
		return NEXT(select)(nfds, in, out, ex, tv);
	if (tv) {
		ts.tv_sec = tv->tv_sec;
		ts.tv_nsec = tv->tv_usec * 1000;
	}
	end = ready_end_ts(tv ? &ts : NULL);
	ask(&was.in, in);
	ask(&was.out, out);
	ask(&was.ex, ex);
	r = NEXT(select)(nfds, in, out, ex, tv);
	if (r <= 0)
		return r;
	ask(in, in ? &was.in : NULL);
	ask(out, out ? &was.out : NULL);
	ask(ex, ex ? &was.ex : NULL);
	return ret_errno(ready_select(nfds, in, out, ex, end, NULL));
}

EXPORT int pselect(int nfds, fd_set *in, fd_set *out, fd_set *ex,
		   const struct timespec *ts, const sigset_t *mask)
{
	struct asked was;
	uint64_t end;
	int r;

	if (!doubts_select(nfds, in, out, ex))
		return NEXT(pselect)(nfds, in, out, ex, ts, mask);
	end = ready_end_ts(ts);
	ask(&was.in, in);
	ask(&was.out, out);
	ask(&was.ex, ex);
	r = NEXT(pselect)(nfds, in, out, ex, ts, mask);
	if (r <= 0)
		return r;
	ask(in, in ? &was.in : NULL);
	ask(out, out ? &was.out : NULL);
	ask(ex, ex ? &was.ex : NULL);
	return ret_errno(ready_select(nfds, in, out, ex, end, mask));
}

EXPORT int epoll_ctl(int epfd, int op, int fd, struct epoll_event *ev)
{
	int r = NEXT(epoll_ctl)(epfd, op, fd, ev);
	struct epmap_entry e = { .epfd = epfd, .fd = fd };

	if (r < 0 || !hinted(fd))
		return r;
	if (op == EPOLL_CTL_DEL) {
		epmap_remove(epfd, fd);
	} else {
		e.events = ev->events;
		e.data = ev->data.u64;
		epmap_set(&e);
	}
	return r;
}

EXPORT int epoll_wait(int epfd, struct epoll_event *ev, int max, int timeout)
{
	uint64_t end = end_ms(timeout);
	int r;

	if (gate_is_open(GATE_FAILED) && max > 0)
		return ret_errno(ready_epoll(epfd, ev, max, 0, end, NULL));
	r = NEXT(epoll_wait)(epfd, ev, max, timeout);
	if (r > 0 && ready_doubt_epoll(ev, r))
		return ret_errno(ready_epoll(epfd, ev, max, r, end, NULL));
	return r;
}

EXPORT int epoll_pwait(int epfd, struct epoll_event *ev, int max, int timeout,
		       const sigset_t *mask)
{
	uint64_t end = end_ms(timeout);
	int r;

	if (gate_is_open(GATE_FAILED) && max > 0)
		return ret_errno(ready_epoll(epfd, ev, max, 0, end, mask));
	r = NEXT(epoll_pwait)(epfd, ev, max, timeout, mask);
	if (r > 0 && ready_doubt_epoll(ev, r))
		return ret_errno(ready_epoll(epfd, ev, max, r, end, mask));
	return r;
}

EXPORT int epoll_pwait2(int epfd, struct epoll_event *ev, int max,
			const struct timespec *ts, const sigset_t *mask)
{
	uint64_t end = gate_is_open(GATE_USED) ? ready_end_ts(ts) : 0;
	int r;

	if (gate_is_open(GATE_FAILED) && max > 0)
		return ret_errno(ready_epoll(epfd, ev, max, 0, end, mask));
	r = NEXT(epoll_pwait2)(epfd, ev, max, ts, mask);
	if (r > 0 && ready_doubt_epoll(ev, r))
		return ret_errno(ready_epoll(epfd, ev, max, r, end, mask));
	return r;
}

/* --- /dev/vsock ---------------------------------------------------------- */

/* The third argument of open(2), if it is there. */
#define MODE(flags, ap)                                                        \
	((flags) & (O_CREAT | __O_TMPFILE) ? va_arg(ap, mode_t) : 0)

EXPORT int open(const char *path, int flags, ...)
{
	mode_t mode;
	va_list ap;

	va_start(ap, flags);
	mode = MODE(flags, ap);
	va_end(ap);
	if (dev_is_path(path))
		return ret_errno(dev_open(flags));
	return NEXT(open)(path, flags, mode);
}

EXPORT int open64(const char *path, int flags, ...)
{
	mode_t mode;
	va_list ap;

	va_start(ap, flags);
	mode = MODE(flags, ap);
	va_end(ap);
	if (dev_is_path(path))
		return ret_errno(dev_open(flags));
	return NEXT(open64)(path, flags, mode);
}

EXPORT int openat(int dir, const char *path, int flags, ...)
{
	mode_t mode;
	va_list ap;

	va_start(ap, flags);
	mode = MODE(flags, ap);
	va_end(ap);
	if (dev_is_path(path))
		return ret_errno(dev_open(flags));
	return NEXT(openat)(dir, path, flags, mode);
}

EXPORT int openat64(int dir, const char *path, int flags, ...)
{
	mode_t mode;
	va_list ap;

	va_start(ap, flags);
	mode = MODE(flags, ap);
	va_end(ap);
	if (dev_is_path(path))
		return ret_errno(dev_open(flags));
	return NEXT(openat64)(dir, path, flags, mode);
}

static FILE *dev_stream(const char *mode)
{
	int flags = strchr(mode, '+') ? O_RDWR
		    : *mode == 'r'    ? O_RDONLY
				      : O_WRONLY;
	int fd = dev_open(flags | (strchr(mode, 'e') ? O_CLOEXEC : 0));
	FILE *f;

	if (fd < 0) {
		errno = -fd;
		return NULL;
	}
	f = fdopen(fd, mode);
	if (!f)
		sys_kernel.close(fd);
	return f;
}

EXPORT FILE *fopen(const char *path, const char *mode)
{
	return dev_is_path(path) ? dev_stream(mode) : NEXT(fopen)(path, mode);
}

EXPORT FILE *fopen64(const char *path, const char *mode)
{
	return dev_is_path(path) ? dev_stream(mode) : NEXT(fopen64)(path, mode);
}
