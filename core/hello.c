/* SPDX-License-Identifier: MIT */
/* What a client and a gateway say to each other: see hello.h. */
#include "core/hello.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>

static const uint8_t magic[8] = "\xf5vsock\r\n";
static const uint8_t magic_refusal[12] = "\xf5vsock-no\r\n";

/* The same bytes of padding, again and again. */
#define ZEROS 8192u
static const char zeros[ZEROS];

void hello_make(struct hello *h)
{
	memcpy(h->magic, magic, sizeof(magic));
	h->version = HELLO_VERSION;
	/* AF_UNIX shows POLLOUT up to a quarter of what it takes, see
	 * unix_writable(). */
	h->size = (uint32_t)(hello_window(h->window) / 4 + 4096);
}

uint64_t hello_window(uint64_t window)
{
	if (window < HELLO_WINDOW_MIN)
		return HELLO_WINDOW_MIN;
	return window > HELLO_WINDOW_MAX ? HELLO_WINDOW_MAX : window;
}

/* One message of a SOCK_SEQPACKET, so all at once. */
OWN_FRAME int hello_send(const struct sys *sys, int fd, const struct hello *h)
{
	struct iovec iov[2 + HELLO_MAX / ZEROS];
	struct msghdr msg = { .msg_iov = iov };
	size_t left = h->size - sizeof(*h);
	ssize_t r;

	iov[msg.msg_iovlen].iov_base = (void *)h;
	iov[msg.msg_iovlen++].iov_len = sizeof(*h);
	for (; left; left -= iov[msg.msg_iovlen++].iov_len) {
		iov[msg.msg_iovlen].iov_base = (void *)zeros;
		iov[msg.msg_iovlen].iov_len = left < ZEROS ? left : ZEROS;
	}
	r = sys->sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (r < 0)
		return (int)r;
	return (size_t)r == h->size ? 0 : -ENOBUFS;
}

int hello_parse(const void *buf, size_t n, struct hello *ret)
{
	memset(ret, 0, sizeof(*ret));
	memcpy(ret, buf, n < sizeof(*ret) ? n : sizeof(*ret));
	if (memcmp(ret->magic, magic, n < sizeof(magic) ? n : sizeof(magic)) !=
	    0)
		return -EPROTO;
	if (n < sizeof(*ret))
		return -EAGAIN;
	if (ret->version != HELLO_VERSION || ret->size < sizeof(*ret) ||
	    ret->size > HELLO_MAX ||
	    (ret->type != SOCK_STREAM && ret->type != SOCK_SEQPACKET))
		return -EPROTO;
	return 0;
}

void hello_refuse(struct hello_refusal *r, int error)
{
	memcpy(r->magic, magic_refusal, sizeof(magic_refusal));
	r->error = error;
}

int hello_refused(const void *buf, size_t n)
{
	struct hello_refusal r;

	if (n != sizeof(r))
		return 0;
	memcpy(&r, buf, n);
	return memcmp(r.magic, magic_refusal, sizeof(magic_refusal)) == 0
		       ? r.error
		       : 0;
}
