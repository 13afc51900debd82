/* SPDX-License-Identifier: MIT */
/* The near end of a connection: see local.h. */
#include "bridge/local.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* What goes with a message that was sent with MSG_EOR: any descriptor, of which
 * the receiver gets a copy and closes it. Lives as long as the process. */
static int eor_mark = -1;

/* Where bytes go that nobody wants. */
static uint8_t waste[65536];

int local_start(void)
{
	if (eor_mark < 0)
		eor_mark = eventfd(0, EFD_CLOEXEC);
	return eor_mark < 0 ? -errno : 0;
}

void local_init(struct local *l, int fd, bool seqpacket)
{
	*l = (struct local){ .fd = fd, .seqpacket = seqpacket };
}

/*
 * Sets how much the program's side takes, and returns that. AF_UNIX has room
 * when a quarter is in use at most; in the rest goes a window, with what each
 * buffer costs. SO_SNDBUF is twice what it is set to.
 */
static uint32_t set_size(const struct local *l, uint32_t window)
{
	int size = (int)(window / 4 * 3 + 4096);
	socklen_t len = sizeof(size);

	if (setsockopt(l->fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)))
		setsockopt(l->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	(void)getsockopt(l->fd, SOL_SOCKET, SO_SNDBUF, &size, &len);
	return (uint32_t)size;
}

/* A message of up to SO_SNDBUF - 32 bytes (unix_dgram_sendmsg()). */
uint32_t local_window(const struct local *l, uint64_t want)
{
	uint32_t size;

	if (want > LOCAL_WINDOW_MAX)
		want = LOCAL_WINDOW_MAX;
	if (!l->seqpacket)
		return (uint32_t)want;
	size = set_size(l, (uint32_t)want);
	return size - 32 < want ? size - 32 : (uint32_t)want;
}

void local_set_window(struct local *l, uint32_t window)
{
	(void)set_size(l, window);
	queue_init(&l->queue, window, l->seqpacket);
}

bool local_has_room(const struct local *l)
{
	struct pollfd p = { .fd = l->fd, .events = POLLOUT };

	return poll(&p, 1, 0) == 1;
}

/* A receive that says ECONNRESET once of a program that died with data unread,
 * and goes on with what it sent. */
static ssize_t receive(const struct local *l, struct msghdr *msg, int flags)
{
	ssize_t n;

	for (int i = 0; i < 2; i++) {
		n = recvmsg(l->fd, msg, flags | MSG_DONTWAIT);
		if (n >= 0 || errno != ECONNRESET)
			break;
	}
	if (n < 0 && errno == ECONNRESET)
		return 0;
	return n < 0 ? -errno : n;
}

int local_hello(struct local *l, struct hello *ret)
{
	struct iovec iov = { ret, sizeof(*ret) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct hello h;
	ssize_t n;
	int there, r;

	n = receive(l, &msg, MSG_PEEK);
	if (n <= 0)
		return n < 0 ? (int)n : -EPROTO;
	r = hello_parse(ret, (size_t)n, &h);
	if (r < 0)
		return r;
	*ret = h;
	if ((h.type == SOCK_SEQPACKET) != l->seqpacket)
		return -EPROTO;
	/* A refusal must not meet a client that still sends. */
	if (!l->seqpacket &&
	    (ioctl(l->fd, FIONREAD, &there) < 0 || (uint32_t)there < h.size))
		return -EAGAIN;
	l->hello = h.size;
	return 0;
}

int local_connected(struct local *l)
{
	struct iovec iov = { waste, sizeof(waste) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	while (l->hello) {
		if (l->hello < iov.iov_len)
			iov.iov_len = l->hello;
		n = receive(l, &msg, 0);
		if (n < 0)
			return (int)n;
		/* Of a message, what is not read is gone. */
		l->hello -= l->seqpacket || n == 0 ? l->hello : (uint32_t)n;
	}
	return 0;
}

void local_refuse(const struct local *l, int error)
{
	struct hello_refusal r;

	hello_refuse(&r, error);
	(void)send(l->fd, &r, sizeof(r), MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* One send; how many bytes it took: 0 if there is no room. */
static ssize_t send_some(const struct local *l, struct iovec *iov, int n_iov,
			 bool eor)
{
	union {
		struct cmsghdr c;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { .c = { .cmsg_len = CMSG_LEN(sizeof(int)),
			     .cmsg_level = SOL_SOCKET,
			     .cmsg_type = SCM_RIGHTS } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = (size_t)n_iov };
	ssize_t n;

	if (eor) {
		memcpy(CMSG_DATA(&control.c), &eor_mark, sizeof(eor_mark));
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
	}
	do {
		n = sendmsg(l->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
		/* Too many marks are on their way: better without. */
		if (n < 0 && errno == ETOOMANYREFS && msg.msg_controllen)
			msg.msg_controllen = 0;
		else if (n >= 0 || errno != EINTR)
			break;
	} while (true);
	if (n >= 0)
		return n;
	if (errno == EAGAIN)
		return 0;
	return errno == ECONNRESET ? -EPIPE : -errno;
}

ssize_t local_flush(struct local *l)
{
	struct iovec iov[2];
	ssize_t n, sum = 0;
	int pieces;
	bool eor;

	do {
		if (l->hello || queue_head(&l->queue, iov, &pieces, &eor) == 0)
			return sum;
		n = send_some(l, iov, pieces, eor);
		if (n < 0)
			return n;
		queue_drop(&l->queue, (uint32_t)n);
		sum += n;
	} while (n > 0);
	return sum;
}

/* What came is a message's end, and may have no bytes of its own. */
static ssize_t deliver_message(struct local *l, const void *data, uint32_t n,
			       bool end, bool eor)
{
	struct iovec iov = { (void *)data, n };
	ssize_t sent;
	int r;

	if (end && l->queue.n == 0 && n > 0 && !l->hello) {
		sent = send_some(l, &iov, 1, eor);
		if (sent != 0)
			return sent;
	}
	r = queue_put(&l->queue, data, n);
	if (r < 0)
		return r;
	if (end && l->queue.n)
		queue_end(&l->queue, eor);
	return end ? local_flush(l) : 0;
}

ssize_t local_deliver(struct local *l, const void *data, uint32_t n, bool end,
		      bool eor)
{
	struct iovec iov = { (void *)data, n };
	ssize_t sent = 0;
	int r;

	if (l->seqpacket)
		return deliver_message(l, data, n, end, eor);
	if (l->queue.n == 0 && !l->hello)
		sent = send_some(l, &iov, 1, false);
	if (sent < 0 || (size_t)sent == n)
		return sent;
	r = queue_put(&l->queue, (const uint8_t *)data + sent,
		      n - (uint32_t)sent);
	return r < 0 ? r : sent;
}

/* A send of no bytes: AF_UNIX looks at the socket, and does nothing. (With
 * bytes that cannot be read it would get memory and give it back, of which
 * epoll tells as of room: each look would be the reason for the next.) */
bool local_is_deaf(const struct local *l)
{
	return !l->seqpacket &&
	       send(l->fd, "", 0, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 &&
	       errno == EPIPE;
}

bool local_is_gone(const struct local *l)
{
	struct pollfd p = { .fd = l->fd };

	return poll(&p, 1, 0) == 1 && p.revents & (POLLHUP | POLLERR);
}

/* A message of no bytes looks like the end. The shim sends none. */
static bool closed(const struct local *l)
{
	struct pollfd p = { .fd = l->fd, .events = POLLRDHUP };

	return poll(&p, 1, 0) == 1 && p.revents & (POLLRDHUP | POLLHUP);
}

bool local_at_end(const struct local *l)
{
	char c;
	struct iovec iov = { &c, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	return receive(l, &msg, MSG_PEEK) == 0;
}

ssize_t local_peek(const struct local *l)
{
	/* An iovec of no bytes: with none at all qemu-user asks nobody. */
	struct iovec none = { .iov_len = 0 };
	struct msghdr msg = { .msg_iov = &none, .msg_iovlen = 1 };
	ssize_t n = receive(l, &msg, MSG_PEEK | MSG_TRUNC);

	if (n != 0 || closed(l))
		return n;
	n = receive(l, &msg, 0);
	return n < 0 ? n : -EINTR;
}

ssize_t local_fetch(const struct local *l, struct iovec *iov, int n,
		    bool *ret_eor)
{
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = (size_t)n };
	ssize_t got = receive(l, &msg, 0);

	/* There is no room for descriptors: the kernel says that some came. */
	*ret_eor = got > 0 && msg.msg_flags & MSG_CTRUNC;
	return got;
}

void local_end_of_input(const struct local *l)
{
	shutdown(l->fd, SHUT_WR);
}

void local_refuse_output(const struct local *l)
{
	shutdown(l->fd, SHUT_RD);
}

void local_abort(struct local *l)
{
	close(l->fd);
	queue_fini(&l->queue);
	l->fd = -1;
}

void local_close(struct local *l)
{
	struct iovec iov = { waste, sizeof(waste) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	/* What AF_UNIX is closed with unread is a reset. A hello stays. */
	if (l->hello == 0) {
		shutdown(l->fd, SHUT_RDWR);
		while (receive(l, &msg, 0) > 0)
			;
	}
	local_abort(l);
}
