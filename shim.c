/* SPDX-License-Identifier: MIT */
/* The calls about sockets and descriptors that we interpose: see shim.h. */
#include "shim.h"

#include "conf.h"
#include "core/sys.h"
#include "dev.h"
#include "epmap.h"
#include "next.h"
#include "opt.h"
#include "pending.h"
#include "ready.h"
#include "say.h"
#include "sock.h"
#include "trace.h"
#include "user.h"
#include "vsock_table.h"

#include <fcntl.h>
#include <stdarg.h>
#include <string.h>

#include <linux/netlink.h>
#include <linux/sockios.h>

/* After libc's call has failed with EINVAL, ours: success hides that. */
static int second_try(int r, int saved)
{
	if (r >= 0)
		errno = saved;
	return ret_errno(r == SOCK_FOREIGN ? -EINVAL : r);
}

/* libc's call has failed as it does where AF_UNIX does not know better: for a
 * socket that is met here first? */
static bool may_be_ours(int fd, int r)
{
	return r < 0 && errno == EINVAL && is_ours(fd);
}

/* --- making sockets ------------------------------------------------------ */

EXPORT int socket(int domain, int type, int protocol)
{
	int fd;

	if (domain == AF_VSOCK) {
		fd = (int)ret_errno(sock_socket(type, protocol));
		TRACE(SOCKET, TRACE_ANY, fd, "socket(AF_VSOCK, %t, %d)", type,
		      protocol);
		return fd;
	}
	fd = NEXT(socket)(domain, type, protocol);
	if (fd >= 0)
		hint_set(fd,
			 domain == AF_NETLINK && protocol == NETLINK_SOCK_DIAG
				 ? HINT_PLAIN | HINT_DIAG
				 : HINT_PLAIN);
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
	if (fd >= 0)
		sys_kernel.close(fd);
	r = (int)ret_errno(fd < 0 ? fd : -EOPNOTSUPP);
	TRACE(SOCKET, TRACE_ANY, r, "socketpair(AF_VSOCK, %t, %d)", type,
	      protocol);
	return r;
}

EXPORT int bind(int fd, const struct sockaddr *addr, socklen_t len)
{
	int saved = errno, r = SOCK_FOREIGN;

	if (hinted(fd))
		r = sock_bind(fd, addr, len);
	if (r != SOCK_FOREIGN) {
		r = (int)ret_errno(r);
	} else {
		r = NEXT(bind)(fd, addr, len);
		if (may_be_ours(fd, r))
			r = second_try(sock_bind(fd, addr, len), saved);
	}
	TRACE(SOCKET, fd, r, "bind(%f, %a)", addr, len);
	return r;
}

EXPORT int listen(int fd, int backlog)
{
	int saved = errno, r = SOCK_FOREIGN;

	if (hinted(fd))
		r = sock_listen(fd, backlog);
	if (r != SOCK_FOREIGN) {
		r = (int)ret_errno(r);
	} else {
		r = NEXT(listen)(fd, backlog);
		if (may_be_ours(fd, r))
			r = second_try(sock_listen(fd, backlog), saved);
	}
	TRACE(SOCKET, fd, r, "listen(%f, %d)", backlog);
	return r;
}

EXPORT int connect(int fd, const struct sockaddr *addr, socklen_t len)
{
	int saved = errno, r = SOCK_FOREIGN;

	if (hinted(fd))
		r = sock_connect(fd, addr, len);
	if (r != SOCK_FOREIGN) {
		r = (int)ret_errno(r);
	} else {
		r = NEXT(connect)(fd, addr, len);
		if (may_be_ours(fd, r))
			r = second_try(sock_connect(fd, addr, len), saved);
	}
	TRACE(SOCKET, fd, r, "connect(%f, %a)", addr, len);
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
	struct sockaddr_vm vm = { .svm_family = AF_UNSPEC };
	bool sandbox = gate_is_open(GATE_SANDBOX);
	int r, bad = 0;
	bool own;

	/* In a sandbox nobody is asked: the client's name tells enough. */
	own = !addr || is_ours(fd) || (sandbox && hint_suspect(fd));
	r = own ? plain_accept(fd, (struct sockaddr *)&un, &n, flags)
		: plain_accept(fd, addr, len, flags);
	if (r < 0)
		goto out;
	if (un.sun_family != AF_UNIX || !sock_accepted(r, fd, &un, n, &vm)) {
		hint_set(r, HINT_PLAIN);
		if (own && addr) /* a wrong hint */
			bad = user_put_addr(r, addr, len, &un, n);
	} else if (addr) {
		bad = user_put_addr(r, addr, len, &vm, sizeof(vm));
	}
	if (bad) { /* the kernel, too, has taken the connection by now */
		sys_kernel.close(r);
		r = (int)ret_errno(bad);
	}
out:
	TRACE(SOCKET, fd, r, "%s(%f%v%T)", flags ? "accept4" : "accept", &vm,
	      flags);
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
	struct sockaddr_vm vm = { .svm_family = AF_UNSPEC };
	int r = SOCK_FOREIGN;

	if (hint_suspect(fd))
		r = sock_name(fd, peer, &vm);
	if (r == SOCK_FOREIGN)
		return next(fd, addr, len);
	if (r == 0)
		r = user_put_addr(fd, addr, len, &vm, sizeof(vm));
	r = (int)ret_errno(r);
	TRACE(SOCKET, fd, r, "%s(%f%v)", peer ? "getpeername" : "getsockname",
	      &vm);
	return r;
}

EXPORT_UNLESS_PLAIN(int, getsockname,
		    (int fd, struct sockaddr *addr, socklen_t *len), fd, addr,
		    len)
{
	return get_name(fd, false, addr, len, NEXT(getsockname));
}

EXPORT_UNLESS_PLAIN(int, getpeername,
		    (int fd, struct sockaddr *addr, socklen_t *len), fd, addr,
		    len)
{
	return get_name(fd, true, addr, len, NEXT(getpeername));
}

/* --- options ------------------------------------------------------------- */

/* SO_ERROR of a suspect: what the kernel said may not be what vsock says. */
static int get_error(int fd, void *val, socklen_t *len)
{
	struct ident id;
	int err = 0, r;

	/* What a gateway said is to be told from what AF_UNIX says. */
	if (!hinted(fd) || hint_get(fd) & HINT_ODD) {
		if (!ident(fd, &id))
			return NEXT(getsockopt)(fd, SOL_SOCKET, SO_ERROR, val,
						len);
		pending_settle(fd, &id);
	}
	r = NEXT(getsockopt)(fd, SOL_SOCKET, SO_ERROR, val, len);
	if (r < 0 && errno == EFAULT && may_have_failed(fd) &&
	    user_readable(fd, len, sizeof(*len)))
		(void)sock_error(fd); /* it is cleared all the same */
	if (r < 0)
		return r;
	memcpy(&err, val, *len < sizeof(err) ? *len : sizeof(err));
	if (err == ECONNRESET && ident_socket(fd, &id))
		err = 0; /* the peer died unread: no error to a vsock */
	if (err == 0 && may_have_failed(fd))
		err = sock_error(fd);
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

static int get_option(int fd, int level, int name, void *val, socklen_t *len)
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

EXPORT_UNLESS_PLAIN(int, getsockopt,
		    (int fd, int level, int name, void *val, socklen_t *len),
		    fd, level, name, val, len)
{
	int r = get_option(fd, level, name, val, len);

	TRACE(OPTION, fd, r, "getsockopt(%f, %o%O)", level, name, level, name,
	      r < 0 ? NULL : val, r < 0 ? 0 : *len);
	return r;
}

EXPORT_UNLESS_PLAIN(int, setsockopt,
		    (int fd, int level, int name, const void *val,
		     socklen_t len),
		    fd, level, name, val, len)
{
	int r = SOCK_FOREIGN;

	if (opt_differs(level, name) && hint_suspect(fd))
		r = opt_set(fd, level, name, val, len);
	r = r != SOCK_FOREIGN
		    ? (int)ret_errno(r)
		    : other_level(fd, level,
				  NEXT(setsockopt)(fd, level, name, val, len));
	TRACE(OPTION, fd, r, "setsockopt(%f, %o%O)", level, name, level, name,
	      val, len);
	return r;
}

/* A program that has not met AF_VSOCK asks many files for FIONREAD. */
static bool is_asked(int fd, unsigned long request)
{
	return hinted(fd) ||
	       ((request != FIONREAD || gate_is_open(GATE_USED)) &&
		is_ours(fd));
}

EXPORT int ioctl(int fd, ioctl_request request, ...)
{
	unsigned int nr = (unsigned int)request; /* the kernel sees no more */
	int r = SOCK_FOREIGN;
	va_list ap;
	void *arg;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);

	if (nr == IOCTL_VM_SOCKETS_GET_LOCAL_CID)
		r = dev_local_cid(fd, arg);
	else if (opt_ioctl_differs(nr) && is_asked(fd, nr))
		r = opt_ioctl(fd, nr, arg);
	r = r == SOCK_FOREIGN ? NEXT(ioctl)(fd, request, arg)
			      : (int)ret_errno(r);
	TRACE(OPTION, fd, r, "ioctl(%f, %i)", (unsigned long)nr,
	      r < 0 ? NULL : arg);
	return r;
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
	r = r == SOCK_FOREIGN ? NEXT(sockatmark)(fd) : (int)ret_errno(r);
	TRACE(OPTION, fd, r, "sockatmark(%f)");
	return r;
}

/* --- descriptors --------------------------------------------------------- */

EXPORT int shutdown(int fd, int how)
{
	int r = SOCK_FOREIGN;

	if (is_ours(fd))
		r = sock_shutdown(fd, how);
	r = r == SOCK_FOREIGN ? NEXT(shutdown)(fd, how) : (int)ret_errno(r);
	TRACE(SOCKET, fd, r, "shutdown(%f, %h)", how);
	return r;
}

EXPORT int close(int fd)
{
	struct name name;
	bool path = hinted(fd) && sock_closing(fd, &name);
	bool told = trace_on(TRACE_SOCKET, fd); /* now, as it is still there */
	int r;

	/* The next of this number may be anything; a hint that it is ours, or
	 * netlink, may stay, as a child of vfork closes its parent's. */
	if (gate_is_open(GATE_USED) && !hinted(fd) && fd >= 0)
		hint_set(fd, hint_get(fd) & (HINT_DIAG | HINT_ASKED));
	if (fd == STDERR_FILENO)
		say_note_stderr();
	r = NEXT(close)(fd);
	if (path) {
		int saved = errno;

		sock_closed(&name);
		errno = saved;
	}
	if (told)
		trace_line(fd, r, "close(%f)");
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
	if (hint_get(from) & (HINT_OURS | HINT_DIAG)) {
		hint_set(to, hint_get(from));
		pending_dup(from, to);
	} else if (!hinted(to)) {
		hint_set(to, 0);
	}
	return to;
}

EXPORT int dup(int fd)
{
	int r = dup_hint(fd, NEXT(dup)(fd));

	TRACE(SOCKET, fd, r, "dup(%f)");
	return r;
}

EXPORT int dup2(int fd, int to)
{
	int r;

	if (to == STDERR_FILENO)
		say_note_stderr();
	r = dup_hint(fd, NEXT(dup2)(fd, to));
	TRACE(SOCKET, fd, r, "dup2(%f, %d)", to);
	return r;
}

int __dup2(int fd, int to);

EXPORT int __dup2(int fd, int to)
{
	return dup2(fd, to);
}

EXPORT int dup3(int fd, int to, int flags)
{
	int r;

	if (to == STDERR_FILENO)
		say_note_stderr();
	r = dup_hint(fd, NEXT(dup3)(fd, to, flags));
	TRACE(SOCKET, fd, r, "dup3(%f, %d%T)", to, flags);
	return r;
}

static int fcntl_done(int fd, int cmd, void *arg, int r)
{
	if (cmd == F_DUPFD || cmd == F_DUPFD_CLOEXEC)
		dup_hint(fd, r);
	TRACE(OPTION, fd, r, "fcntl(%f, %c)", cmd, (long)arg);
	return r;
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
	return fcntl_done(fd, cmd, arg, r);
}

#ifdef __GLIBC__
EXPORT int fcntl64(int fd, int cmd, ...)
{
	va_list ap;
	void *arg;
	int r;

	va_start(ap, cmd);
	arg = va_arg(ap, void *);
	va_end(ap);
	r = NEXT(fcntl64)(fd, cmd, arg);
	return fcntl_done(fd, cmd, arg, r);
}
#endif

#if __has_include(<sys/pidfd.h>)
/* A number of a stranger's making: whatever it was here before. */
EXPORT int pidfd_getfd(int pidfd, int fd, unsigned int flags)
{
	int r = NEXT(pidfd_getfd)(pidfd, fd, flags);

	if (r >= 0)
		hint_set(r, 0);
	return r;
}
#endif

ALIAS(__connect, connect);
ALIAS(__close, close);
ALIAS(__fcntl, fcntl);

/* --- readiness ----------------------------------------------------------- */

/* Each wait that is masked to nothing goes on until its end. Before a process
 * has used AF_VSOCK the clock is not read; a first such wait begins anew. */

static const struct timespec no_time;

/* What the kernel refuses it is to refuse. */
static bool is_time(const struct timespec *ts)
{
	return !ts || (ts->tv_sec >= 0 && ts->tv_nsec >= 0 &&
		       ts->tv_nsec < 1000000000);
}

static int poll_any(struct pollfd *fds, nfds_t n, int timeout)
{
	bool used = gate_is_open(GATE_USED);
	uint64_t end = used ? ready_end_ms(timeout) : 0;
	bool now =
		gate_is_open(GATE_FAILED | GATE_ERRQ) && ready_now_poll(fds, n);
	int r = NEXT(poll)(fds, n, now ? 0 : timeout);

	if (r >= 0 && (now || ready_doubt_poll(fds, n)))
		r = (int)ret_errno(ready_poll(
			fds, n, used ? end : ready_end_ms(timeout), NULL));
	if (trace_waited(r))
		trace_poll("poll", fds, n, timeout, r);
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
	bool now = gate_is_open(GATE_FAILED | GATE_ERRQ) && is_time(ts) &&
		   ready_now_poll(fds, n);
	int r = NEXT(ppoll)(fds, n, now ? &no_time : ts, mask);

	if (r >= 0 && (now || ready_doubt_poll(fds, n)))
		r = (int)ret_errno(ready_poll(
			fds, n, used ? end : ready_end_ts(ts), mask));
	if (trace_waited(r))
		trace_poll("ppoll", fds, n, trace_ms(ts), r);
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
	bool doubt;

	if (nfds < 0 || nfds > FD_SETSIZE)
		return false;
	doubt = gate_is_open(GATE_USED) &&
		ready_doubt_select(nfds, a->in, a->out, a->ex);
	if (!doubt && !trace_on(TRACE_POLL, TRACE_ANY))
		return false;
	copy_set(&a->was_in, a->in, nfds);
	copy_set(&a->was_out, a->out, nfds);
	copy_set(&a->was_ex, a->ex, nfds);
	return doubt;
}

static void trace_asked(const char *name, int nfds, const struct asked *a,
			int r)
{
	const struct trace_sets asked = { .in = a->in ? &a->was_in : NULL,
					  .out = a->out ? &a->was_out : NULL,
					  .ex = a->ex ? &a->was_ex : NULL },
				got = { a->in, a->out, a->ex };

	if (nfds >= 0 && nfds <= FD_SETSIZE)
		trace_select(name, nfds, &asked, &got, r);
}

static int answer_again(int nfds, struct asked *a, uint64_t end,
			const sigset_t *mask)
{
	copy_set(a->in, &a->was_in, nfds);
	copy_set(a->out, &a->was_out, nfds);
	copy_set(a->ex, &a->was_ex, nfds);
	return ret_errno(ready_select(nfds, a->in, a->out, a->ex, end, mask));
}

static int select_ours(int nfds, struct asked *a, struct timeval *tv)
{
	struct timespec ts;
	uint64_t end;
	int r = 1;

	if (tv) {
		ts.tv_sec = tv->tv_sec + tv->tv_usec / 1000000;
		ts.tv_nsec = tv->tv_usec % 1000000 * 1000;
	}
	end = ready_end_ts(tv ? &ts : NULL);
	if ((tv && (tv->tv_sec < 0 || tv->tv_usec < 0)) ||
	    !ready_now_select(nfds, a->in, a->out))
		r = NEXT(select)(nfds, a->in, a->out, a->ex, tv);
	if (r <= 0)
		return r;
	r = answer_again(nfds, a, end, NULL);
	if (tv)
		ready_left(end, tv);
	return r;
}

EXPORT int select(int nfds, fd_set *in, fd_set *out, fd_set *ex,
		  struct timeval *tv)
{
	struct asked a = { .in = in, .out = out, .ex = ex };
	int r = keep_asked(nfds, &a) ? select_ours(nfds, &a, tv)
				     : NEXT(select)(nfds, in, out, ex, tv);

	if (trace_waited(r))
		trace_asked("select", nfds, &a, r);
	return r;
}

static int pselect_ours(int nfds, struct asked *a, const struct timespec *ts,
			const sigset_t *mask)
{
	uint64_t end = ready_end_ts(ts);
	int r = 1;

	if (!is_time(ts) || !ready_now_select(nfds, a->in, a->out))
		r = NEXT(pselect)(nfds, a->in, a->out, a->ex, ts, mask);
	return r <= 0 ? r : answer_again(nfds, a, end, mask);
}

EXPORT int pselect(int nfds, fd_set *in, fd_set *out, fd_set *ex,
		   const struct timespec *ts, const sigset_t *mask)
{
	struct asked a = { .in = in, .out = out, .ex = ex };
	int r = keep_asked(nfds, &a)
			? pselect_ours(nfds, &a, ts, mask)
			: NEXT(pselect)(nfds, in, out, ex, ts, mask);

	if (trace_waited(r))
		trace_asked("pselect", nfds, &a, r);
	return r;
}

static void remember(int epfd, int fd, const struct epoll_event *ev)
{
	struct epmap_entry e = { .epfd = epfd, .fd = fd };

	if (!is_ours(fd))
		return;
	e.events = ev->events;
	e.data = ev->data.u64;
	epmap_set(&e);
}

static int epoll_ctl_ours(int epfd, int op, int fd, struct epoll_event *ev)
{
	struct epmap_entry was;
	bool add = op == EPOLL_CTL_ADD && is_ours(fd) &&
		   user_readable(fd, ev, sizeof(*ev));
	bool known = add && epmap_get(epfd, fd, &was);
	int r;

	if (add) /* its first event may come before the call returns */
		remember(epfd, fd, ev);
	r = NEXT(epoll_ctl)(epfd, op, fd, ev);
	if (r < 0 && known)
		epmap_set(&was);
	else if (r < 0 ? add : op == EPOLL_CTL_DEL)
		epmap_remove(epfd, fd);
	else if (r >= 0 && !add)
		remember(epfd, fd, ev);
	return r;
}

EXPORT int epoll_ctl(int epfd, int op, int fd, struct epoll_event *ev)
{
	int r = gate_is_open(GATE_USED) && hint_suspect(fd)
			? epoll_ctl_ours(epfd, op, fd, ev)
			: NEXT(epoll_ctl)(epfd, op, fd, ev);

	TRACE(POLL, fd, r, "epoll_ctl(%d, %E, %f, %e)", epfd, op,
	      op == EPOLL_CTL_DEL || (r < 0 && errno == EFAULT) ? 0
								: ev->events);
	return r;
}

EXPORT int epoll_wait(int epfd, struct epoll_event *ev, int max, int timeout)
{
	bool used = gate_is_open(GATE_USED);
	uint64_t end = used ? ready_end_about(timeout) : 0;
	bool doubt = true;
	int r = 0;

	/* With connects pending the wait is cut into pieces; an error queue
	 * may be not empty. */
	if (!gate_is_open(GATE_FAILED | GATE_ERRQ) || max <= 0) {
		r = NEXT(epoll_wait)(epfd, ev, max, timeout);
		doubt = r > 0 && ready_doubt_epoll(epfd, ev, r);
	}
	if (doubt)
		r = (int)ret_errno(ready_epoll(
			epfd, ev, max, r,
			used && r ? end : ready_end_ms(timeout), NULL));
	if (trace_waited(r))
		trace_epoll("epoll_wait", epfd, ev, max, timeout, r);
	return r;
}

EXPORT int epoll_pwait(int epfd, struct epoll_event *ev, int max, int timeout,
		       const sigset_t *mask)
{
	bool used = gate_is_open(GATE_USED);
	uint64_t end = used ? ready_end_about(timeout) : 0;
	bool doubt = true;
	int r = 0;

	if (!gate_is_open(GATE_FAILED | GATE_ERRQ) || max <= 0) {
		r = NEXT(epoll_pwait)(epfd, ev, max, timeout, mask);
		doubt = r > 0 && ready_doubt_epoll(epfd, ev, r);
	}
	if (doubt)
		r = (int)ret_errno(ready_epoll(
			epfd, ev, max, r,
			used && r ? end : ready_end_ms(timeout), mask));
	if (trace_waited(r))
		trace_epoll("epoll_pwait", epfd, ev, max, timeout, r);
	return r;
}

#ifdef __GLIBC__
EXPORT int epoll_pwait2(int epfd, struct epoll_event *ev, int max,
			const struct timespec *ts, const sigset_t *mask)
{
	bool used = gate_is_open(GATE_USED);
	uint64_t end = used ? ready_end_ts(ts) : 0;
	bool doubt = true;
	int r = 0;

	if (!gate_is_open(GATE_FAILED | GATE_ERRQ) || max <= 0 ||
	    !is_time(ts)) {
		r = NEXT(epoll_pwait2)(epfd, ev, max, ts, mask);
		doubt = r > 0 && ready_doubt_epoll(epfd, ev, r);
	}
	if (doubt)
		r = (int)ret_errno(ready_epoll(
			epfd, ev, max, r, used ? end : ready_end_ts(ts), mask));
	if (trace_waited(r))
		trace_epoll("epoll_pwait2", epfd, ev, max, trace_ms(ts), r);
	return r;
}
#endif

ALIAS(__poll, poll);
ALIAS(__select, select);

#if HAVE_TIME64 /* where times have 64 bits: see shim_time64.c */
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
