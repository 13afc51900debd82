/* SPDX-License-Identifier: MIT */
/* Memory that a program hands in: see user.h. */
#include "user.h"

#include "core/sys.h"
#include "hint.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#define PAGE_BYTES 4096 /* or more: then we ask too often */
#define PAGE(p)	   ((uintptr_t)(p) & ~(uintptr_t)(PAGE_BYTES - 1))

static const struct sys *const sys = &sys_kernel;

/* The last of @n bytes; in integers, as the program's pointer may be any. */
static uintptr_t last_byte(const void *p, size_t n)
{
	return (uintptr_t)p + n - 1;
}

/*
 * In our callers' frames, where most addresses are: on the page of this frame
 * or on the next, which the program has used to get here.
 */
static bool on_stack(const void *p, size_t n)
{
	uintptr_t here = PAGE(__builtin_frame_address(0));

	return (uintptr_t)p >= here && last_byte(p, n) >= here &&
	       last_byte(p, n) < here + 2 * PAGE_BYTES;
}

bool user_readable(int fd, const void *p, size_t n)
{
	uintptr_t last = last_byte(p, n);

	if (n == 0 || on_stack(p, n) || gate_is_open(GATE_SANDBOX))
		return true;
	/* Too short for any address, but read before that is seen. */
	return sys->connect(fd, p, 1) != -EFAULT &&
	       (PAGE(last) == PAGE(p) ||
		sys->connect(fd, (const void *)last, 1) != -EFAULT);
}

size_t user_iov_bytes(const struct msghdr *msg)
{
	size_t n = 0;

	for (size_t i = 0; i < (size_t)msg->msg_iovlen; i++) {
		size_t len = msg->msg_iov[i].iov_len;

		n = len < SSIZE_MAX - n ? n + len : SSIZE_MAX;
	}
	return n;
}

bool user_writable(int fd, void *p, size_t n)
{
	uintptr_t last = last_byte(p, n);
	socklen_t one = 1;

	if (n == 0 || on_stack(p, n) || gate_is_open(GATE_SANDBOX))
		return true;
	return sys->getsockopt(fd, SOL_SOCKET, SO_TYPE, p, &one) == 0 &&
	       (PAGE(last) == PAGE(p) ||
		sys->getsockopt(fd, SOL_SOCKET, SO_TYPE, (void *)last, &one) ==
			0);
}

int user_room(int fd, socklen_t *len, socklen_t *ret)
{
	if (!user_readable(fd, len, sizeof(*len)))
		return -EFAULT;
	*ret = *len;
	if (!user_writable(fd, len, sizeof(*len)))
		return -EFAULT;
	*len = *ret;
	return (int)*ret < 0 ? -EINVAL : 0;
}

static int put(int fd, void *to, socklen_t room, const void *from,
	       socklen_t size)
{
	if (room > size)
		room = size;
	if (!user_writable(fd, to, room))
		return -EFAULT;
	if (room)
		memcpy(to, from, room);
	return 0;
}

int user_put_addr(int fd, void *addr, socklen_t *len, const void *from,
		  socklen_t size)
{
	socklen_t room;
	int r = user_room(fd, len, &room);

	if (r < 0)
		return r;
	*len = size; /* told even if the address cannot be copied */
	return put(fd, addr, room, from, size);
}

int user_put_option(int fd, void *val, socklen_t *len, const void *from,
		    socklen_t size)
{
	socklen_t room;
	int r = user_room(fd, len, &room);

	if (r == 0)
		r = put(fd, val, room, from, size);
	if (r == 0 && room > size)
		*len = size;
	return r;
}
