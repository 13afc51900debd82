/* SPDX-License-Identifier: MIT */
/*
 * The calls that move data: see shim.h. What succeeds passes through; what is
 * odd about a call (no bytes, an address, a flag, a SOCK_DGRAM) is sock.c's.
 */
#include "shim.h"

#include "next.h"
#include "pending.h"
#include "ready.h"
#include "sock.h"
#include "trace.h"
#include "user.h"
#include "vdiag.h"
#include "zerocopy.h"

#include <limits.h>
#include <string.h>

/*
 * What @call returns, made once more if it has failed and @again is true of it,
 * which may say saved: errno as it was before.
 */
#define TWICE(call, again)                                                     \
	({                                                                     \
		int saved = errno;                                             \
		__auto_type ret = call;                                        \
                                                                               \
		if (ret < 0 && (again))                                        \
			ret = call;                                            \
		ret;                                                           \
	})

/* --- receiving ----------------------------------------------------------- */

/*
 * A receive failed. True: try once more, as the error is none to a vsock; then
 * success must hide it, so errno is what it was before (@saved).
 */
static bool recv_again(int fd, int saved)
{
	int err = errno;

	if ((err != ECONNRESET && err != EINVAL) || !hint_suspect(fd))
		return false;
	err = sock_recv_failed(fd, err);
	errno = err ? err : saved;
	return !err;
}

/* A receive of @n bytes met the end, if it returned 0: @r, or as it failed. */
static ssize_t recv_ended(int fd, ssize_t r, size_t n, int flags)
{
	if (r != 0 || n == 0 || !may_be_reset() || !hint_suspect(fd))
		return r;
	return ret_errno(-sock_recv_ended(fd, flags));
}

static bool recv_is_odd(int fd, size_t len, int flags)
{
	if (len == 0 || flags & (MSG_OOB | MSG_ERRQUEUE))
		return is_ours(fd);
	/* More than is ever queued, which may be less than the default? */
	if (flags & MSG_WAITALL &&
	    (len >= VSOCK_BUFFER_SIZE || gate_is_open(GATE_RECORD)))
		return is_ours(fd);
	return len >= VSOCK_BUFFER_SIZE && hinted(fd) &&
	       hint_get(fd) & HINT_ODD;
}

/* True: the call is answered, with *@ret. */
static bool recv_odd(int fd, size_t len, int flags, ssize_t *ret)
{
	int r;

	if (!recv_is_odd(fd, len, flags))
		return false;
	r = sock_recv_check(fd, len, flags);
	*ret = r < 0 ? ret_errno(r) : 0;
	return r != 0;
}

/* A list of AF_VSOCK's sockets? True: the call is answered, with *@ret. */
static bool recv_list(int fd, struct msghdr *msg, int flags, ssize_t *ret)
{
	if (!vdiag_asked(fd))
		return false;
	*ret = vdiag_receive(fd, msg, flags);
	if (*ret == SOCK_FOREIGN)
		return false;
	*ret = ret_errno(*ret);
	return true;
}

static bool recv_list_bytes(int fd, void *buf, size_t n, int flags,
			    ssize_t *ret)
{
	struct iovec iov = { .iov_base = buf, .iov_len = n };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	return recv_list(fd, &msg, flags, ret);
}

/* Neither recv_list() nor recv_odd() has an answer, and nobody is told. */
static inline bool recv_is_usual(size_t n, int flags)
{
	return USUALLY(n && n < VSOCK_BUFFER_SIZE) &&
	       USUALLY(!(flags & (MSG_OOB | MSG_ERRQUEUE))) &&
	       USUALLY(gate_quiet()) &&
	       (!(flags & MSG_WAITALL) || !gate_is_open(GATE_RECORD));
}

/* The end of a receive that returned @r, no data. */
OWN_FRAME static ssize_t recv_no_data(int fd, void *buf, size_t n, int flags,
				      ssize_t r, int saved)
{
	if (r < 0 && recv_again(fd, saved))
		r = NEXT(recv)(fd, buf, n, flags);
	return recv_ended(fd, r, n, flags);
}

OWN_FRAME static ssize_t read_unusual(int fd, void *buf, size_t n)
{
	int saved = errno;
	ssize_t r;

	if (recv_list_bytes(fd, buf, n, 0, &r))
		return r;
	r = NEXT(read)(fd, buf, n);
	if (r <= 0)
		r = recv_no_data(fd, buf, n, 0, r, saved);
	TRACE(DATA, fd, r, "read(%f, ..., %z)", n);
	return r;
}

EXPORT ssize_t read(int fd, void *buf, size_t n)
{
	__typeof__(&read) next = next_known(NEXT_read);
	ssize_t r;
	int saved;

	if (!USUALLY(next))
		return read_unusual(fd, buf, n);
	if (hint_plain(fd))
		return next(fd, buf, n);
	if (!USUALLY(gate_quiet()))
		return read_unusual(fd, buf, n);
	saved = next_errno();
	r = next(fd, buf, n);
	return USUALLY(r > 0) ? r : recv_no_data(fd, buf, n, 0, r, saved);
}

OWN_FRAME static bool recv_list_iov(int fd, const struct iovec *iov, int n,
				    int flags, ssize_t *ret)
{
	struct msghdr msg = { .msg_iov = (struct iovec *)iov,
			      .msg_iovlen = (size_t)n };

	return recv_list(fd, &msg, flags, ret);
}

/* The same for a vector: one of no bytes never gets to a socket. */
static ssize_t readv_ended(int fd, ssize_t r, const struct iovec *iov, int n,
			   int flags)
{
	const struct msghdr msg = { .msg_iov = (struct iovec *)iov,
				    .msg_iovlen = (size_t)n };

	return r == 0 && n > 0 ? recv_ended(fd, r, user_iov_bytes(&msg), flags)
			       : r;
}

EXPORT_UNLESS_PLAIN(ssize_t, readv, (int fd, const struct iovec *iov, int n),
		    fd, iov, n)
{
	ssize_t r;

	if (recv_list_iov(fd, iov, n, 0, &r))
		return r;
	r = TWICE(NEXT(readv)(fd, iov, n), recv_again(fd, saved));
	r = readv_ended(fd, r, iov, n, 0);
	TRACE(DATA, fd, r, "readv(%f, ..., %d)", n);
	return r;
}

/* A socket has no offset but -1, its own: any other is ESPIPE. */

#ifdef RWF_NOWAIT /* libc has preadv2(3) */
#ifdef __GLIBC__
#define NEXT_PREADV2  NEXT(preadv64v2)
#define NEXT_PWRITEV2 NEXT(pwritev64v2)
#else
#define NEXT_PREADV2  NEXT(preadv2)
#define NEXT_PWRITEV2 NEXT(pwritev2)
#endif

/* What of these flags a socket looks at, as recv(2) and send(2) have it. */
static int msg_flags(int flags)
{
	return flags & RWF_NOWAIT ? MSG_DONTWAIT : 0;
}

static ssize_t preadv2_any(int fd, const struct iovec *iov, int n,
			   off64_t offset, int flags)
{
	ssize_t r;

	if (offset == -1 && recv_list_iov(fd, iov, n, msg_flags(flags), &r))
		return r;
	r = TWICE(NEXT_PREADV2(fd, iov, n, offset, flags),
		  recv_again(fd, saved));
	r = readv_ended(fd, r, iov, n, msg_flags(flags));
	TRACE(DATA, fd, r, "preadv2(%f, ..., %d)", n);
	return r;
}

EXPORT ssize_t preadv2(int fd, const struct iovec *iov, int n, off_t offset,
		       int flags)
{
	return preadv2_any(fd, iov, n, offset, flags);
}

#ifdef __GLIBC__
EXPORT ssize_t preadv64v2(int fd, const struct iovec *iov, int n,
			  off64_t offset, int flags)
{
	return preadv2_any(fd, iov, n, offset, flags);
}
#endif
#endif

OWN_FRAME static ssize_t recv_any(int fd, void *buf, size_t n, int flags)
{
	int saved = errno;
	ssize_t r;

	if (recv_list_bytes(fd, buf, n, flags, &r) ||
	    recv_odd(fd, n, flags, &r))
		return r;
	r = NEXT(recv)(fd, buf, n, flags);
	return r > 0 ? r : recv_no_data(fd, buf, n, flags, r, saved);
}

OWN_FRAME static ssize_t recv_unusual(int fd, void *buf, size_t n, int flags)
{
	ssize_t r = recv_any(fd, buf, n, flags);

	TRACE(DATA, fd, r, "recv(%f, ..., %z, %m)", n, flags);
	return r;
}

EXPORT ssize_t recv(int fd, void *buf, size_t n, int flags)
{
	__typeof__(&recv) next = next_known(NEXT_recv);
	ssize_t r;
	int saved;

	if (!USUALLY(next))
		return recv_unusual(fd, buf, n, flags);
	if (hint_plain(fd))
		return next(fd, buf, n, flags);
	if (!recv_is_usual(n, flags))
		return recv_unusual(fd, buf, n, flags);
	saved = next_errno();
	r = next(fd, buf, n, flags);
	return USUALLY(r > 0) ? r : recv_no_data(fd, buf, n, flags, r, saved);
}

static ssize_t recv_list_from(int fd, void *buf, size_t n, int flags,
			      struct sockaddr *addr, socklen_t *len)
{
	struct iovec iov = { .iov_base = buf, .iov_len = n };
	struct msghdr msg = { .msg_name = addr,
			      .msg_namelen = *len,
			      .msg_iov = &iov,
			      .msg_iovlen = 1 };
	ssize_t r;

	if (!recv_list(fd, &msg, flags, &r))
		return NEXT(recvfrom)(fd, buf, n, flags, addr, len);
	if (r >= 0)
		*len = msg.msg_namelen;
	return r;
}

/*
 * An address of our own costs nothing, and keeps from the program's what
 * AF_UNIX writes there: a path.
 */
static ssize_t recvfrom_ours(int fd, void *buf, size_t n, int flags,
			     struct sockaddr *addr, socklen_t *len,
			     struct sockaddr_vm *ret_from)
{
	struct sockaddr_un from = { .sun_family = AF_UNIX };
	struct msghdr name = { .msg_name = &from };
	socklen_t size = sizeof(from), room;
	int saved = errno, bad;
	ssize_t r;

	if (recv_odd(fd, n, flags, &r)) {
		size = 0;
	} else {
		r = NEXT(recvfrom)(fd, buf, n, flags, (struct sockaddr *)&from,
				   &size);
		if (r < 0 && recv_again(fd, saved)) {
			size = 0;
			r = NEXT(recv)(fd, buf, n, flags);
		}
		r = recv_ended(fd, r, n, flags);
	}
	if (r < 0)
		return r;
	name.msg_namelen = size;
	(void)sock_received(fd, &name, &from);
	if (name.msg_namelen) {
		memcpy(ret_from, &from, sizeof(*ret_from));
		bad = user_put_addr(fd, addr, len, &from, name.msg_namelen);
	} else {
		bad = user_room(fd, len, &room);
		if (!bad)
			*len = 0;
	}
	return bad ? ret_errno(bad) : r;
}

EXPORT_UNLESS_PLAIN(ssize_t, recvfrom,
		    (int fd, void *buf, size_t n, int flags,
		     struct sockaddr *addr, socklen_t *len),
		    fd, buf, n, flags, addr, len)
{
	struct sockaddr_vm from = { .svm_family = AF_UNSPEC };
	ssize_t r;

	if (!addr)
		r = recv_any(fd, buf, n, flags);
	else if (vdiag_asked(fd) && user_readable(fd, len, sizeof(*len)))
		r = recv_list_from(fd, buf, n, flags, addr, len);
	else if (!is_ours(fd))
		r = NEXT(recvfrom)(fd, buf, n, flags, addr, len);
	else
		r = recvfrom_ours(fd, buf, n, flags, addr, len, &from);
	TRACE(DATA, fd, r, "recvfrom(%f, ..., %z, %m%v)", n, flags, &from);
	return r;
}

/* Its bytes; of what the kernel will refuse, one. */
static size_t iov_bytes(int fd, const struct msghdr *msg)
{
	size_t size = msg->msg_iovlen * sizeof(*msg->msg_iov);

	if (msg->msg_iovlen > UIO_MAXIOV ||
	    !user_readable(fd, msg->msg_iov, size))
		return 1;
	return user_iov_bytes(msg);
}

/* Descriptors that arrived are what they are, whatever their numbers were. */
static void forget_received(struct msghdr *msg)
{
	struct cmsghdr *c;
	size_t n;
	int fd;

	for (c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(fd);
		for (size_t i = 0; i < n; i++) {
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
			hint_set(fd, 0);
		}
	}
}

/* What of @got, received in the place of @msg, is the program's to see. */
static void give_received(int fd, struct msghdr *msg, struct msghdr *got,
			  struct sockaddr_un *from)
{
	bool ours = sock_received(fd, got, from);
	socklen_t n = got->msg_namelen;

	if (n > msg->msg_namelen)
		n = msg->msg_namelen;
	if (msg->msg_name && n)
		memcpy(msg->msg_name, from, n);
	msg->msg_namelen = got->msg_namelen;
	msg->msg_controllen = got->msg_controllen;
	msg->msg_flags = got->msg_flags;
	if (!ours && msg->msg_controllen)
		forget_received(msg);
}

static ssize_t recvmsg_ours(int fd, struct msghdr *msg, int flags)
{
	struct sockaddr_un from = { .sun_family = AF_UNIX };
	struct msghdr got = *msg;
	struct ident id;
	ssize_t r;

	if (flags & MSG_ERRQUEUE && ident_socket(fd, &id) && !id.dgram) {
		r = zerocopy_receive(fd, msg);
		if (r == 0)
			msg->msg_flags |= flags & MSG_CMSG_CLOEXEC;
		return ret_errno(r);
	}
	if (recv_odd(fd, iov_bytes(fd, msg), flags, &r)) {
		if (r == 0) {
			msg->msg_namelen = 0;
			msg->msg_controllen = 0;
			msg->msg_flags = flags & MSG_CMSG_CLOEXEC;
		}
		return r;
	}
	if (got.msg_name && (int)got.msg_namelen < 0)
		return ret_errno(-EINVAL);
	if (got.msg_name) {
		got.msg_name = &from;
		got.msg_namelen = sizeof(from);
	}
	r = TWICE(NEXT(recvmsg)(fd, &got, flags), recv_again(fd, saved));
	r = recv_ended(fd, r, 1, flags);
	if (r >= 0)
		give_received(fd, msg, &got, &from);
	return r;
}

static ssize_t recvmsg_theirs(int fd, struct msghdr *msg, int flags)
{
	ssize_t r;

	if (recv_list(fd, msg, flags, &r))
		return r;
	r = NEXT(recvmsg)(fd, msg, flags);
	if (r >= 0 && msg->msg_controllen)
		forget_received(msg);
	return r;
}

EXPORT ssize_t recvmsg(int fd, struct msghdr *msg, int flags)
{
	ssize_t r = is_ours(fd) && user_readable(fd, msg, sizeof(*msg))
			    ? recvmsg_ours(fd, msg, flags)
			    : recvmsg_theirs(fd, msg, flags);

	TRACE(DATA, fd, r, "recvmsg(%f, ..., %m)", flags);
	return r;
}

/* Each message by itself, as the kernel does it (do_recvmmsg()). */
static int recv_each(int fd, struct mmsghdr *vec, unsigned int n, int flags,
		     struct timespec *timeout)
{
	uint64_t end = ready_end_ts(timeout);
	int saved = errno;
	unsigned int i;
	ssize_t r;

	if (timeout && (timeout->tv_sec < 0 || timeout->tv_nsec < 0 ||
			timeout->tv_nsec > 999999999))
		return (int)ret_errno(-EINVAL);
	for (i = 0; i < n; i++) {
		struct msghdr *msg = &vec[i].msg_hdr;
		int one = flags & ~MSG_WAITFORONE;

		r = is_ours(fd) ? recvmsg_ours(fd, msg, one)
				: recvmsg_theirs(fd, msg, one);
		if (r < 0 && i == 0)
			return -1;
		if (r < 0)
			break;
		vec[i].msg_len = (unsigned int)r;
		if (flags & MSG_WAITFORONE)
			flags |= MSG_DONTWAIT;
		if (ready_over(end)) {
			i++;
			break;
		}
	}
	if (timeout)
		ready_left_ts(end, timeout);
	errno = saved;
	return (int)i;
}

/* Nothing about it that the kernel would do otherwise? */
static bool plain_messages(int fd, const struct mmsghdr *vec, unsigned int n,
			   int flags)
{
	for (unsigned int i = 0; i < n; i++)
		if (vec[i].msg_hdr.msg_name || vec[i].msg_hdr.msg_control ||
		    recv_is_odd(fd, iov_bytes(fd, &vec[i].msg_hdr), flags))
			return false;
	return true;
}

static int recvmmsg_any(int fd, struct mmsghdr *vec, unsigned int n, int flags,
			struct timespec *timeout)
{
	size_t size = (size_t)n * sizeof(*vec);
	int r = 0;

	if (!(flags & MSG_ERRQUEUE) && may_have_failed(fd) && is_ours(fd))
		r = -sock_error(fd);
	if (r < 0)
		return (int)ret_errno(r);
	if ((is_ours(fd) || vdiag_asked(fd)) && size / sizeof(*vec) == n &&
	    user_readable(fd, vec, size) &&
	    (!timeout || user_readable(fd, timeout, sizeof(*timeout))) &&
	    (!is_ours(fd) || !plain_messages(fd, vec, n, flags)))
		return recv_each(fd, vec, n, flags, timeout);
	r = TWICE(NEXT(recvmmsg)(fd, vec, n, flags, timeout),
		  recv_again(fd, saved));
	if (r > 0 && recv_ended(fd, vec[0].msg_len, 1, flags) < 0)
		return -1;
	for (int i = 0; i < r; i++) {
		struct msghdr *msg = &vec[i].msg_hdr;

		if (msg->msg_controllen || msg->msg_flags & MSG_CTRUNC)
			if (!hinted(fd) || !sock_received(fd, msg, NULL))
				forget_received(msg);
	}
	return r;
}

EXPORT int recvmmsg(int fd, struct mmsghdr *vec, unsigned int n,
		    mmsg_flags flags, struct timespec *timeout)
{
	int r = recvmmsg_any(fd, vec, n, (int)flags, timeout);

	TRACE(DATA, fd, r, "recvmmsg(%f, ..., %z, %m)", (size_t)n, flags);
	return r;
}

/* --- sending ------------------------------------------------------------- */

/* A send failed with an error of which AF_VSOCK may think otherwise? */
static bool send_is_doubtful(int fd)
{
	int err = errno;

	return (err == ECONNRESET || err == EFAULT || err == EMSGSIZE ||
		err == EISCONN || err == ENOTCONN ||
		(err == EPIPE && may_be_reset())) &&
	       hint_suspect(fd);
}

/* The same for a send, to @addr if that is not NULL. */
static bool send_again(int fd, int flags, const struct sockaddr *addr,
		       socklen_t len, int saved)
{
	int err = errno;

	if (!send_is_doubtful(fd))
		return false;
	err = sock_send_failed(fd, err, flags, addr, len);
	errno = err ? err : saved;
	return !err;
}

/* A send failed as on AF_UNIX: for a SOCK_DGRAM that is met here first? */
static bool found_dgram(int fd, int saved)
{
	if ((errno != ENOTCONN && errno != EINVAL) || hinted(fd) ||
	    !is_ours(fd) || !(hint_get(fd) & HINT_DGRAM))
		return false;
	errno = saved;
	return true;
}

static bool send_is_odd(int fd, size_t len, int flags, socklen_t addr)
{
	bool odd = flags & (MSG_OOB | MSG_EOR | MSG_ZEROCOPY);
	/* Then one that is met here first is asked about, for its type. */
	bool ours = (odd || !len) && is_ours(fd);
	unsigned int hints = hint_get(fd);

	if (odd && !(hints & HINT_DIAG))
		return ours;
	return hints & (HINT_DGRAM | HINT_DIAG) ||
	       (hints & HINT_SEQ && (!len || addr));
}

/* True: the call is answered, with *@ret. */
static bool send_odd(int fd, const struct msghdr *msg, int flags, ssize_t *ret)
{
	*ret = hint_get(fd) & HINT_DIAG ? vdiag_send(fd, msg, flags)
					: sock_send_odd(fd, msg, flags);
	if (*ret == SOCK_FOREIGN)
		return false;
	*ret = ret_errno(*ret);
	return true;
}

/* send_is_odd() says no, and nobody is told. */
static inline bool send_is_usual(int fd, size_t n, int flags)
{
	return USUALLY(n) &&
	       USUALLY(!(flags & (MSG_OOB | MSG_EOR | MSG_ZEROCOPY))) &&
	       USUALLY(!(hint_get(fd) & (HINT_DGRAM | HINT_DIAG))) &&
	       USUALLY(gate_quiet());
}

/* The same for one buffer. */
OWN_FRAME static bool send_odd_bytes(int fd, const void *buf, size_t n,
				     int flags, ssize_t *ret)
{
	struct iovec iov = { .iov_base = (void *)buf, .iov_len = n };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	return send_is_odd(fd, n, flags, 0) && send_odd(fd, &msg, flags, ret);
}

/* And for a vector; one that cannot be read is the kernel's to refuse, and one
 * of no bytes never gets to a socket. */
static bool send_odd_iov(int fd, const struct iovec *iov, int n, int flags,
			 ssize_t *ret)
{
	struct msghdr msg = { .msg_iov = (struct iovec *)iov,
			      .msg_iovlen = (size_t)n };

	return hint_get(fd) & (HINT_DGRAM | HINT_DIAG) && n >= 0 &&
	       n <= UIO_MAXIOV &&
	       user_readable(fd, iov, (size_t)n * sizeof(*iov)) &&
	       user_iov_bytes(&msg) && send_odd(fd, &msg, flags, ret);
}

OWN_FRAME static ssize_t send_failed(int fd, const void *buf, size_t n,
				     int flags, int saved)
{
	ssize_t r;

	if (found_dgram(fd, saved) && send_odd_bytes(fd, buf, n, flags, &r))
		return r;
	return send_again(fd, flags, NULL, 0, saved)
		       ? NEXT(send)(fd, buf, n, flags)
		       : -1;
}

OWN_FRAME static ssize_t send_unusual(int fd, const void *buf, size_t n,
				      int flags)
{
	int saved = errno;
	ssize_t r;

	if (!send_odd_bytes(fd, buf, n, flags, &r)) {
		r = NEXT(send)(fd, buf, n, flags);
		if (r < 0)
			r = send_failed(fd, buf, n, flags, saved);
	}
	TRACE(DATA, fd, r, "send(%f, ..., %z, %m)", n, flags);
	return r;
}

EXPORT ssize_t send(int fd, const void *buf, size_t n, int flags)
{
	__typeof__(&send) next = next_known(NEXT_send);
	ssize_t r;
	int saved;

	if (!USUALLY(next))
		return send_unusual(fd, buf, n, flags);
	if (hint_plain(fd))
		return next(fd, buf, n, flags);
	if (!send_is_usual(fd, n, flags))
		return send_unusual(fd, buf, n, flags);
	saved = next_errno();
	r = next(fd, buf, n, flags);
	return USUALLY(r >= 0) ? r : send_failed(fd, buf, n, flags, saved);
}

static ssize_t sendto_any(int fd, const void *buf, size_t n, int flags,
			  const struct sockaddr *addr, socklen_t len)
{
	struct iovec iov = { .iov_base = (void *)buf, .iov_len = n };
	struct msghdr msg = { .msg_name = (void *)addr,
			      .msg_namelen = len,
			      .msg_iov = &iov,
			      .msg_iovlen = 1 };
	int saved = errno;
	ssize_t r;

	/* AF_UNIX looks at the address of a SOCK_DGRAM. */
	if (addr && len)
		(void)is_ours(fd);
	if (send_is_odd(fd, n, flags, addr ? len : 0)) {
		if (len > sizeof(struct sockaddr_storage) && addr)
			return ret_errno(-EINVAL);
		if (addr && !(hint_get(fd) & HINT_DIAG) &&
		    !user_readable(fd, addr, len))
			return ret_errno(-EFAULT);
		if (send_odd(fd, &msg, flags, &r))
			return r;
	}
	r = NEXT(sendto)(fd, buf, n, flags, addr, len);
	if (r < 0 && found_dgram(fd, saved) && send_odd(fd, &msg, flags, &r))
		return r;
	return r < 0 && send_again(fd, flags, addr, len, saved)
		       ? NEXT(sendto)(fd, buf, n, flags, addr, len)
		       : r;
}

EXPORT_UNLESS_PLAIN(ssize_t, sendto,
		    (int fd, const void *buf, size_t n, int flags,
		     const struct sockaddr *addr, socklen_t len),
		    fd, buf, n, flags, addr, len)
{
	ssize_t r = sendto_any(fd, buf, n, flags, addr, len);

	TRACE(DATA, fd, r, "sendto(%f, ..., %z, %m%A)", n, flags, addr, len);
	return r;
}

/* Can all be read that the kernel copies before the data? */
static bool readable_parts(int fd, const struct msghdr *msg)
{
	return msg->msg_iovlen <= UIO_MAXIOV &&
	       user_readable(fd, msg->msg_iov,
			     msg->msg_iovlen * sizeof(*msg->msg_iov)) &&
	       (!msg->msg_name ||
		user_readable(fd, msg->msg_name, msg->msg_namelen));
}

static ssize_t sendmsg_ours(int fd, const struct msghdr *msg, int flags)
{
	struct msghdr bare = *msg;
	struct ident id;
	ssize_t r;

	/* AF_VSOCK takes any ancillary data, and delivers none. */
	if (msg->msg_controllen && ident_socket(fd, &id)) {
		if (msg->msg_controllen > INT_MAX)
			return ret_errno(-ENOBUFS);
		if (!user_readable(fd, msg->msg_control, msg->msg_controllen))
			return ret_errno(-EFAULT);
		bare.msg_control = NULL;
		bare.msg_controllen = 0;
	}
	if (send_is_odd(fd, 0, flags, 0) && readable_parts(fd, msg) &&
	    send_is_odd(fd, user_iov_bytes(msg), flags,
			msg->msg_name ? msg->msg_namelen : 0) &&
	    send_odd(fd, msg, flags, &r))
		return r;
	/* EFAULT about the message itself stays so. */
	return TWICE(NEXT(sendmsg)(fd, &bare, flags),
		     readable_parts(fd, msg) &&
			     send_again(fd, flags, NULL, 0, saved));
}

static ssize_t sendmsg_theirs(int fd, const struct msghdr *msg, int flags)
{
	ssize_t r;

	return hint_get(fd) & HINT_DIAG && send_odd(fd, msg, flags, &r)
		       ? r
		       : NEXT(sendmsg)(fd, msg, flags);
}

EXPORT_UNLESS_PLAIN(ssize_t, sendmsg,
		    (int fd, const struct msghdr *msg, int flags), fd, msg,
		    flags)
{
	bool ours = is_ours(fd) && user_readable(fd, msg, sizeof(*msg));
	ssize_t r = ours ? sendmsg_ours(fd, msg, flags)
			 : sendmsg_theirs(fd, msg, flags);

	TRACE(DATA, fd, r, "sendmsg(%f, ..., %m%A)", flags,
	      ours ? msg->msg_name : NULL, ours ? msg->msg_namelen : 0);
	return r;
}

/* Each message by itself, as the kernel does it (__sys_sendmmsg()). */
static int send_each(int fd, struct mmsghdr *vec, unsigned int n, int flags)
{
	int saved = errno;
	unsigned int i;

	for (i = 0; i < n; i++) {
		const struct msghdr *msg = &vec[i].msg_hdr;
		ssize_t r = is_ours(fd) ? sendmsg_ours(fd, msg, flags)
					: sendmsg_theirs(fd, msg, flags);

		if (r < 0 && i == 0)
			return -1;
		if (r < 0)
			break;
		vec[i].msg_len = (unsigned int)r;
		/* Nothing may follow a part. */
		if ((size_t)r < user_iov_bytes(msg)) {
			i++;
			break;
		}
	}
	errno = saved;
	return (int)i;
}

/* Nothing about it that the kernel would do otherwise? */
static bool plain_sends(int fd, const struct mmsghdr *vec, unsigned int n,
			int flags)
{
	for (unsigned int i = 0; i < n; i++) {
		const struct msghdr *msg = &vec[i].msg_hdr;

		if (msg->msg_controllen ||
		    (send_is_odd(fd, 0, flags, 0) &&
		     (msg->msg_name ||
		      send_is_odd(fd, iov_bytes(fd, msg), flags, 0))))
			return false;
	}
	return true;
}

static int sendmmsg_any(int fd, struct mmsghdr *vec, unsigned int n, int flags)
{
	if (n > UIO_MAXIOV)
		n = UIO_MAXIOV;
	if ((!is_ours(fd) && !(hint_get(fd) & HINT_DIAG)) || !n ||
	    !user_readable(fd, vec, n * sizeof(*vec)))
		return NEXT(sendmmsg)(fd, vec, n, flags);
	if (!is_ours(fd) || !plain_sends(fd, vec, n, flags))
		return send_each(fd, vec, n, flags);
	return TWICE(NEXT(sendmmsg)(fd, vec, n, flags),
		     readable_parts(fd, &vec[0].msg_hdr) &&
			     send_again(fd, flags, NULL, 0, saved));
}

EXPORT int sendmmsg(int fd, struct mmsghdr *vec, unsigned int n,
		    mmsg_flags flags)
{
	int r = sendmmsg_any(fd, vec, n, (int)flags);

	TRACE(DATA, fd, r, "sendmmsg(%f, ..., %z, %m)", (size_t)n, flags);
	return r;
}

OWN_FRAME static ssize_t write_unusual(int fd, const void *buf, size_t n)
{
	int saved = errno;
	ssize_t r;

	if (!send_odd_bytes(fd, buf, n, 0, &r)) {
		r = NEXT(write)(fd, buf, n);
		if (r < 0)
			r = send_failed(fd, buf, n, 0, saved);
	}
	TRACE(DATA, fd, r, "write(%f, ..., %z)", n);
	return r;
}

EXPORT ssize_t write(int fd, const void *buf, size_t n)
{
	__typeof__(&write) next = next_known(NEXT_write);
	ssize_t r;
	int saved;

	if (!USUALLY(next))
		return write_unusual(fd, buf, n);
	if (hint_plain(fd))
		return next(fd, buf, n);
	if (!send_is_usual(fd, n, 0))
		return write_unusual(fd, buf, n);
	saved = next_errno();
	r = next(fd, buf, n);
	return USUALLY(r >= 0) ? r : send_failed(fd, buf, n, 0, saved);
}

/* May a failed write of a vector be looked into? */
static bool writev_again(int fd, const struct iovec *iov, int n, int saved)
{
	return send_is_doubtful(fd) && n > 0 &&
	       user_readable(fd, iov, (size_t)n * sizeof(*iov)) &&
	       send_again(fd, 0, NULL, 0, saved);
}

static ssize_t writev_any(int fd, const struct iovec *iov, int n)
{
	int saved = errno;
	ssize_t r;

	if (send_odd_iov(fd, iov, n, 0, &r))
		return r;
	r = NEXT(writev)(fd, iov, n);
	if (r < 0 && found_dgram(fd, saved) && send_odd_iov(fd, iov, n, 0, &r))
		return r;
	return r < 0 && writev_again(fd, iov, n, saved)
		       ? NEXT(writev)(fd, iov, n)
		       : r;
}

EXPORT_UNLESS_PLAIN(ssize_t, writev, (int fd, const struct iovec *iov, int n),
		    fd, iov, n)
{
	ssize_t r = writev_any(fd, iov, n);

	TRACE(DATA, fd, r, "writev(%f, ..., %d)", n);
	return r;
}

#ifdef RWF_NOWAIT
static ssize_t pwritev2_any(int fd, const struct iovec *iov, int n,
			    off64_t offset, int flags)
{
	bool odd = offset == -1 && !(flags & ~RWF_NOWAIT);
	int saved = errno, how = msg_flags(flags);
	ssize_t r;

	if (odd && send_odd_iov(fd, iov, n, how, &r))
		goto out;
	r = NEXT_PWRITEV2(fd, iov, n, offset, flags);
	if (r < 0 && odd && found_dgram(fd, saved) &&
	    send_odd_iov(fd, iov, n, how, &r))
		goto out;
	if (r < 0 && writev_again(fd, iov, n, saved))
		r = NEXT_PWRITEV2(fd, iov, n, offset, flags);
out:
	TRACE(DATA, fd, r, "pwritev2(%f, ..., %d)", n);
	return r;
}

EXPORT ssize_t pwritev2(int fd, const struct iovec *iov, int n, off_t offset,
			int flags)
{
	return pwritev2_any(fd, iov, n, offset, flags);
}

#ifdef __GLIBC__
EXPORT ssize_t pwritev64v2(int fd, const struct iovec *iov, int n,
			   off64_t offset, int flags)
{
	return pwritev2_any(fd, iov, n, offset, flags);
}
#endif
#endif

/* --- from descriptor to descriptor --------------------------------------- */

EXPORT ssize_t splice(int in, off64_t *in_offset, int out, off64_t *out_offset,
		      size_t n, unsigned int flags)
{
	ssize_t r = TWICE(
		NEXT(splice)(in, in_offset, out, out_offset, n, flags),
		recv_again(in, saved) || send_again(out, 0, NULL, 0, saved));

	r = recv_ended(in, r, n, 0);
	if (trace_on(TRACE_DATA, in) || trace_on(TRACE_DATA, out))
		trace_line(in, r, "splice(%f, %d, %z)", out, n);
	return r;
}

EXPORT ssize_t sendfile(int out, int in, off_t *offset, size_t n)
{
	ssize_t r = TWICE(NEXT(sendfile)(out, in, offset, n),
			  send_again(out, 0, NULL, 0, saved));

	TRACE(DATA, out, r, "sendfile(%f, %d, %z)", in, n);
	return r;
}

#ifdef __GLIBC__
EXPORT ssize_t sendfile64(int out, int in, off64_t *offset, size_t n)
{
	ssize_t r = TWICE(NEXT(sendfile64)(out, in, offset, n),
			  send_again(out, 0, NULL, 0, saved));

	TRACE(DATA, out, r, "sendfile(%f, %d, %z)", in, n);
	return r;
}
#else
ALIAS64(sendfile);
#endif

/* --- what a fortified program calls instead ------------------------------ */

/* libc's own ends the program if @room is too small for what was asked. */

ssize_t __read_chk(int fd, void *buf, size_t n, size_t room);
ssize_t __recv_chk(int fd, void *buf, size_t n, size_t room, int flags);
ssize_t __recvfrom_chk(int fd, void *buf, size_t n, size_t room, int flags,
		       struct sockaddr *addr, socklen_t *len);

EXPORT ssize_t __read_chk(int fd, void *buf, size_t n, size_t room)
{
	return n > room ? NEXT(__read_chk)(fd, buf, n, room) : read(fd, buf, n);
}

EXPORT ssize_t __recv_chk(int fd, void *buf, size_t n, size_t room, int flags)
{
	return n > room ? NEXT(__recv_chk)(fd, buf, n, room, flags)
			: recv(fd, buf, n, flags);
}

EXPORT ssize_t __recvfrom_chk(int fd, void *buf, size_t n, size_t room,
			      int flags, struct sockaddr *addr, socklen_t *len)
{
	return n > room ? NEXT(__recvfrom_chk)(fd, buf, n, room, flags, addr,
					       len)
			: recvfrom(fd, buf, n, flags, addr, len);
}

ALIAS(__read, read);
ALIAS(__write, write);
ALIAS(__send, send);

#if HAVE_TIME64 /* where times have 64 bits: see shim_time64.c */
ALIAS(__recvmsg64, recvmsg);
ALIAS(__sendmmsg64, sendmmsg);
ALIAS(__sendmsg64, sendmsg);
#endif
