/* SPDX-License-Identifier: MIT */
/* The calls about sockets and descriptors that we interpose: see shim.h. */
#include "shim.h"

#include "conf.h"
#include "core/sys.h"
#include "dev.h"
#include "epmap.h"
#include "next.h"
#include "opt.h"
#include "ready.h"
#include "sock.h"
#include "user.h"
#include "vsock_table.h"

#include <fcntl.h>
#include <stdarg.h>
#include <string.h>

#include <linux/sockios.h>

/* After libc's call has failed with EINVAL, ours: success hides that. */
static int second_try(int r, int saved)
{
	if (r >= 0)
		errno = saved;
	return ret_errno(r == SOCK_FOREIGN ? -EINVAL : r);
}

/* May we read the family of an address that the kernel has just refused? It
 * reads no address that is too long. */
static bool is_vsock(const struct sockaddr *addr, socklen_t len)
{
	return len >= sizeof(sa_family_t) &&
	       len <= sizeof(struct sockaddr_storage) && addr &&
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
	int saved = errno, r = SOCK_FOREIGN;

	if (hinted(fd))
		r = sock_bind(fd, addr, len);
	if (r != SOCK_FOREIGN)
		return ret_errno(r);
	r = NEXT(bind)(fd, addr, len);
	if (r < 0 && errno == EINVAL && is_vsock(addr, len))
		return second_try(sock_bind(fd, addr, len), saved);
	return r;
}

EXPORT int listen(int fd, int backlog)
{
	int r = SOCK_FOREIGN;

	if (hinted(fd))
		r = sock_listen(fd, backlog);
	return r == SOCK_FOREIGN ? NEXT(listen)(fd, backlog) : ret_errno(r);
}

EXPORT int connect(int fd, const struct sockaddr *addr, socklen_t len)
{
	int saved = errno, r = SOCK_FOREIGN;

	if (hinted(fd))
		r = sock_connect(fd, addr, len);
	if (r != SOCK_FOREIGN)
		return ret_errno(r);
	r = NEXT(connect)(fd, addr, len);
	if (r < 0 && errno == EINVAL && is_vsock(addr, len))
		return second_try(sock_connect(fd, addr, len), saved);
	return r;
}

/* --- accepting ----------------------------------------------------------- */

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
	struct sockaddr_un un = { .sun_family = AF_UNSPEC };
	socklen_t n = sizeof(un);
	bool sandbox = gate_is_open(GATE_SANDBOX);
	struct sockaddr_vm vm;
	int r, bad = 0;
	bool own;

	/* In a sandbox nobody is asked: the client's name tells enough. */
	own = !addr || is_ours(fd) || (sandbox && hint_suspect(fd));
	r = own ? plain_accept(fd, (struct sockaddr *)&un, &n, flags)
		: plain_accept(fd, addr, len, flags);
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

typedef int name_fn(int fd, struct sockaddr *addr, socklen_t *len);

static int get_name(int fd, bool peer, struct sockaddr *addr, socklen_t *len,
		    name_fn *next)
{
	struct sockaddr_vm vm;
	int r = SOCK_FOREIGN;

	if (hint_suspect(fd))
		r = sock_name(fd, peer, &vm);
	if (r == SOCK_FOREIGN)
		return next(fd, addr, len);
	if (r == 0)
		r = user_put_addr(fd, addr, len, &vm, sizeof(vm));
	return ret_errno(r);
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

/* SO_ERROR of a suspect: what the kernel said may not be what vsock says. */
static int get_error(int fd, void *val, socklen_t *len)
{
	int err = 0, r = NEXT(getsockopt)(fd, SOL_SOCKET, SO_ERROR, val, len);
	struct ident id;

	if (r < 0 && errno == EFAULT && may_have_failed(fd) &&
	    user_readable(fd, len, sizeof(*len)))
		(void)sock_error(fd); /* it is cleared all the same */
	if (r < 0)
		return r;
	memcpy(&err, val, *len < sizeof(err) ? *len : sizeof(err));
	if (err == 0 && may_have_failed(fd))
		err = sock_error(fd);
	else if (err == ECONNRESET && ident_socket(fd, &id))
		err = 0; /* the peer died unread: no error to a vsock */
	memcpy(val, &err, *len < sizeof(err) ? *len : sizeof(err));
	return r;
}

/* An option of a level that AF_VSOCK has never heard of, and AF_UNIX refused:
 * @r, or -1 with another errno. */
static int other_level(int fd, int level, int r)
{
	struct ident id;

	if (r < 0 && errno == EOPNOTSUPP && level != SOL_SOCKET &&
	    hint_suspect(fd))
		errno = ident_socket(fd, &id) && !id.dgram ? ENOPROTOOPT
							   : EOPNOTSUPP;
	return r;
}

EXPORT int getsockopt(int fd, int level, int name, void *val, socklen_t *len)
{
	int r = SOCK_FOREIGN;
	socklen_t room;

	if (opt_differs(level, name) && hint_suspect(fd)) {
		if (level == SOL_SOCKET && name == SO_ERROR)
			return get_error(fd, val, len);
		r = opt_get(fd, level, name, val, len);
	}
	if (r != SOCK_FOREIGN)
		return ret_errno(r);
	r = other_level(fd, level, NEXT(getsockopt)(fd, level, name, val, len));
	if (r < 0 && errno == ENOPROTOOPT && level != SOL_SOCKET &&
	    hinted(fd)) { /* the length is looked at first */
		r = user_room(fd, len, &room);
		return ret_errno(r < 0 ? r : -ENOPROTOOPT);
	}
	return r;
}

EXPORT int setsockopt(int fd, int level, int name, const void *val,
		      socklen_t len)
{
	int r = SOCK_FOREIGN;

	if (opt_differs(level, name) && hint_suspect(fd))
		r = opt_set(fd, level, name, val, len);
	if (r != SOCK_FOREIGN)
		return ret_errno(r);
	return other_level(fd, level,
			   NEXT(setsockopt)(fd, level, name, val, len));
}

/* A program that has not met AF_VSOCK asks many files for FIONREAD. */
static bool is_asked(int fd, unsigned long request)
{
	return hinted(fd) ||
	       ((request != FIONREAD || gate_is_open(GATE_USED)) &&
		is_ours(fd));
}

EXPORT int ioctl(int fd, unsigned long request, ...)
{
	int r = SOCK_FOREIGN;
	va_list ap;
	void *arg;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);

	if (request == IOCTL_VM_SOCKETS_GET_LOCAL_CID)
		r = dev_local_cid(fd, arg);
	else if (opt_ioctl_differs(request) && is_asked(fd, request))
		r = opt_ioctl(fd, request, arg);
	return r == SOCK_FOREIGN ? NEXT(ioctl)(fd, request, arg) : ret_errno(r);
}

EXPORT int prctl(int option, ...)
{
	unsigned long arg[4];
	va_list ap;
	int r;

	va_start(ap, option);
	for (int i = 0; i < 4; i++)
		arg[i] = va_arg(ap, unsigned long);
	va_end(ap);
	r = NEXT(prctl)(option, arg[0], arg[1], arg[2], arg[3]);
	return option == PR_SET_SECCOMP ? (int)sandboxed(r) : r;
}

/* libc's own asks by an ioctl of its own. */
EXPORT int sockatmark(int fd)
{
	int mark, r = SOCK_FOREIGN;

	if (is_ours(fd))
		r = opt_ioctl(fd, SIOCATMARK, &mark);
	return r == SOCK_FOREIGN ? NEXT(sockatmark)(fd) : (int)ret_errno(r);
}

/* --- descriptors --------------------------------------------------------- */

EXPORT int shutdown(int fd, int how)
{
	int r = SOCK_FOREIGN;

	if (is_ours(fd))
		r = sock_shutdown(fd, how);
	return r == SOCK_FOREIGN ? NEXT(shutdown)(fd, how) : ret_errno(r);
}

EXPORT int close(int fd)
{
	struct name name;
	bool path = hinted(fd) && sock_closing(fd, &name);
	int r;

	/* The next of this number may be anything; a hint that it is ours may
	 * stay, as a child of vfork closes its parent's. */
	if (gate_is_open(GATE_USED) && !hinted(fd) && fd >= 0)
		hint_set(fd, 0);
	if (fd == STDERR_FILENO)
		conf_note_stderr();
	r = NEXT(close)(fd);
	if (path) {
		int saved = errno;

		sock_closed(&name);
		errno = saved;
	}
	return r;
}

/*
 * A duplicate of ours is ours; of another, it is to be asked about. That a
 * number is said to be ours stays: a child of vfork dups in its parent's
 * memory.
 */
static int dup_hint(int from, int to)
{
	if (to < 0 || from == to)
		return to;
	if (hinted(from))
		hint_set(to, hint_get(from));
	else if (!hinted(to))
		hint_set(to, 0);
	return to;
}

EXPORT int dup(int fd)
{
	return dup_hint(fd, NEXT(dup)(fd));
}

EXPORT int dup2(int fd, int to)
{
	if (to == STDERR_FILENO)
		conf_note_stderr();
	return dup_hint(fd, NEXT(dup2)(fd, to));
}

int __dup2(int fd, int to);

EXPORT int __dup2(int fd, int to)
{
	return dup2(fd, to);
}

EXPORT int dup3(int fd, int to, int flags)
{
	if (to == STDERR_FILENO)
		conf_note_stderr();
	return dup_hint(fd, NEXT(dup3)(fd, to, flags));
}

EXPORT int fcntl(int fd, int cmd, ...)
{
	va_list ap;
	void *arg;
	int r;

	va_start(ap, cmd);
	arg = va_arg(ap, void *);
	va_end(ap);
	r = NEXT(fcntl)(fd, cmd, arg);
	return cmd == F_DUPFD || cmd == F_DUPFD_CLOEXEC ? dup_hint(fd, r) : r;
}

EXPORT int fcntl64(int fd, int cmd, ...)
{
	va_list ap;
	void *arg;
	int r;

	va_start(ap, cmd);
	arg = va_arg(ap, void *);
	va_end(ap);
	r = NEXT(fcntl64)(fd, cmd, arg);
	return cmd == F_DUPFD || cmd == F_DUPFD_CLOEXEC ? dup_hint(fd, r) : r;
}

/* A number of a stranger's making: whatever it was here before. */
EXPORT int pidfd_getfd(int pidfd, int fd, unsigned int flags)
{
	int r = NEXT(pidfd_getfd)(pidfd, fd, flags);

	if (r >= 0)
		hint_set(r, 0);
	return r;
}

ALIAS(__connect, connect);
ALIAS(__close, close);
ALIAS(__fcntl, fcntl);

/* --- readiness ----------------------------------------------------------- */

/* Each wait that is masked to nothing goes on until its end. Before a process
 * has used AF_VSOCK the clock is not read; a first such wait begins anew. */

static const struct timespec no_time;

static int poll_any(struct pollfd *fds, nfds_t n, int timeout)
{
	bool used = gate_is_open(GATE_USED);
	uint64_t end = used ? ready_end_ms(timeout) : 0;
	bool now = gate_is_open(GATE_ERRQ) && ready_now_poll(fds, n);
	int r = NEXT(poll)(fds, n, now ? 0 : timeout);

	if (r >= 0 && (now || ready_doubt_poll(fds, n)))
		return ret_errno(ready_poll(
			fds, n, used ? end : ready_end_ms(timeout), NULL));
	return r;
}

EXPORT int poll(struct pollfd *fds, nfds_t n, int timeout)
{
	return poll_any(fds, n, timeout);
}

static int ppoll_any(struct pollfd *fds, nfds_t n, const struct timespec *ts,
		     const sigset_t *mask)
{
	bool used = gate_is_open(GATE_USED);
	uint64_t end = used ? ready_end_ts(ts) : 0;
	bool now = gate_is_open(GATE_ERRQ) && ready_now_poll(fds, n);
	int r = NEXT(ppoll)(fds, n, now ? &no_time : ts, mask);

	if (r >= 0 && (now || ready_doubt_poll(fds, n)))
		return ret_errno(ready_poll(
			fds, n, used ? end : ready_end_ts(ts), mask));
	return r;
}

EXPORT int ppoll(struct pollfd *fds, nfds_t n, const struct timespec *ts,
		 const sigset_t *mask)
{
	return ppoll_any(fds, n, ts, mask);
}

/* What a program asks of select(2), which overwrites it. */
struct asked {
	fd_set *in, *out, *ex;
	fd_set was_in, was_out, was_ex;
};

/* Copies the used part: a set is as long as @nfds says. */
static void copy_set(fd_set *to, const fd_set *from, int nfds)
{
	if (from && to)
		memcpy(to, from,
		       ((size_t)nfds + NFDBITS - 1) / NFDBITS *
			       sizeof(fd_mask));
}

/* Is there something to doubt? Then keeps the question. More than an fd_set's
 * worth of descriptors is left as the kernel says it. */
static bool keep_asked(int nfds, struct asked *a)
{
	if (!gate_is_open(GATE_USED) || nfds < 0 || nfds > FD_SETSIZE ||
	    !ready_doubt_select(nfds, a->in, a->out, a->ex))
		return false;
	copy_set(&a->was_in, a->in, nfds);
	copy_set(&a->was_out, a->out, nfds);
	copy_set(&a->was_ex, a->ex, nfds);
	return true;
}

static int answer_again(int nfds, struct asked *a, uint64_t end,
			const sigset_t *mask)
{
	copy_set(a->in, &a->was_in, nfds);
	copy_set(a->out, &a->was_out, nfds);
	copy_set(a->ex, &a->was_ex, nfds);
	return ret_errno(ready_select(nfds, a->in, a->out, a->ex, end, mask));
}

EXPORT int select(int nfds, fd_set *in, fd_set *out, fd_set *ex,
		  struct timeval *tv)
{
	struct asked a = { .in = in, .out = out, .ex = ex };
	struct timespec ts;
	uint64_t end;
	int r = 1;

	if (!keep_asked(nfds, &a))
		return NEXT(select)(nfds, in, out, ex, tv);
	if (tv) {
		ts.tv_sec = tv->tv_sec + tv->tv_usec / 1000000;
		ts.tv_nsec = tv->tv_usec % 1000000 * 1000;
	}
	end = ready_end_ts(tv ? &ts : NULL);
	if (!ready_now_select(nfds, in, out))
		r = NEXT(select)(nfds, in, out, ex, tv);
	if (r <= 0)
		return r;
	r = answer_again(nfds, &a, end, NULL);
	if (tv)
		ready_left(end, tv);
	return r;
}

EXPORT int pselect(int nfds, fd_set *in, fd_set *out, fd_set *ex,
		   const struct timespec *ts, const sigset_t *mask)
{
	struct asked a = { .in = in, .out = out, .ex = ex };
	uint64_t end;
	int r = 1;

	if (!keep_asked(nfds, &a))
		return NEXT(pselect)(nfds, in, out, ex, ts, mask);
	end = ready_end_ts(ts);
	if (!ready_now_select(nfds, in, out))
		r = NEXT(pselect)(nfds, in, out, ex, ts, mask);
	return r <= 0 ? r : answer_again(nfds, &a, end, mask);
}

EXPORT int epoll_ctl(int epfd, int op, int fd, struct epoll_event *ev)
{
	int r = NEXT(epoll_ctl)(epfd, op, fd, ev);
	struct epmap_entry e = { .epfd = epfd, .fd = fd };
	struct ident id;

	if (r < 0 || !gate_is_open(GATE_USED) || !hint_suspect(fd))
		return r;
	if (op == EPOLL_CTL_DEL) {
		epmap_remove(epfd, fd);
	} else if (hinted(fd) || ident_quiet(fd, &id)) {
		e.events = ev->events;
		e.data = ev->data.u64;
		epmap_set(&e);
	}
	return r;
}

EXPORT int epoll_wait(int epfd, struct epoll_event *ev, int max, int timeout)
{
	bool used = gate_is_open(GATE_USED);
	uint64_t end = used ? ready_end_ms(timeout) : 0;
	int r = 0;

	/* With connects pending the wait is cut into pieces; an error queue
	 * may be not empty. */
	if (!gate_is_open(GATE_FAILED | GATE_ERRQ) || max <= 0) {
		r = NEXT(epoll_wait)(epfd, ev, max, timeout);
		if (r <= 0 || !ready_doubt_epoll(epfd, ev, r))
			return r;
	}
	return ret_errno(ready_epoll(epfd, ev, max, r,
				     used ? end : ready_end_ms(timeout), NULL));
}

EXPORT int epoll_pwait(int epfd, struct epoll_event *ev, int max, int timeout,
		       const sigset_t *mask)
{
	bool used = gate_is_open(GATE_USED);
	uint64_t end = used ? ready_end_ms(timeout) : 0;
	int r = 0;

	if (!gate_is_open(GATE_FAILED | GATE_ERRQ) || max <= 0) {
		r = NEXT(epoll_pwait)(epfd, ev, max, timeout, mask);
		if (r <= 0 || !ready_doubt_epoll(epfd, ev, r))
			return r;
	}
	return ret_errno(ready_epoll(epfd, ev, max, r,
				     used ? end : ready_end_ms(timeout), mask));
}

EXPORT int epoll_pwait2(int epfd, struct epoll_event *ev, int max,
			const struct timespec *ts, const sigset_t *mask)
{
	bool used = gate_is_open(GATE_USED);
	uint64_t end = used ? ready_end_ts(ts) : 0;
	int r = 0;

	if (!gate_is_open(GATE_FAILED | GATE_ERRQ) || max <= 0) {
		r = NEXT(epoll_pwait2)(epfd, ev, max, ts, mask);
		if (r <= 0 || !ready_doubt_epoll(epfd, ev, r))
			return r;
	}
	return ret_errno(ready_epoll(epfd, ev, max, r,
				     used ? end : ready_end_ts(ts), mask));
}

ALIAS(__poll, poll);
ALIAS(__select, select);

#if __TIMESIZE == 32 /* where times have 64 bits: see shim_time64.c */
ALIAS(__fcntl_time64, fcntl64);
ALIAS(__getsockopt64, getsockopt) __THROW;
ALIAS(__ioctl_time64, ioctl) __THROW;
ALIAS(__setsockopt64, setsockopt) __THROW;
#endif

/* --- what a fortified program calls instead ------------------------------ */

/* libc's own ends the program if @room is too small for what was asked. */

int __poll_chk(struct pollfd *fds, nfds_t n, int timeout, size_t room);
int __ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *ts,
		const sigset_t *mask, size_t room);

EXPORT int __poll_chk(struct pollfd *fds, nfds_t n, int timeout, size_t room)
{
	return room / sizeof(*fds) < n ? NEXT(__poll_chk)(fds, n, timeout, room)
				       : poll_any(fds, n, timeout);
}

EXPORT int __ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *ts,
		       const sigset_t *mask, size_t room)
{
	return room / sizeof(*fds) < n
		       ? NEXT(__ppoll_chk)(fds, n, ts, mask, room)
		       : ppoll_any(fds, n, ts, mask);
}
