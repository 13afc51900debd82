/* SPDX-License-Identifier: MIT */
/* Memory that a program hands in: see user.h. */
#include "user.h"

#include "core/sys.h"

#include <errno.h>
#include <string.h>

#define PAGE(p) ((uintptr_t)(p) & ~(uintptr_t)4095)

static const struct sys *const sys = &sys_kernel;

/* The pages that were last found to be good. */
static uintptr_t readable, writable;

/* The last of @n bytes; in integers, as the program's pointer may be any. */
static uintptr_t last_byte(const void *p, size_t n)
{
	return (uintptr_t)p + n - 1;
}

/* Is all of @p..@p+@n in the page that was found to be good? */
static bool known(const uintptr_t *page, const void *p, size_t n)
{
	return PAGE(p) == __atomic_load_n(page, __ATOMIC_RELAXED) &&
	       PAGE(last_byte(p, n)) == PAGE(p);
}

bool user_readable(int fd, const void *p, size_t n)
{
	uintptr_t last = last_byte(p, n);

	if (n == 0 || known(&readable, p, n))
		return true;
	/* Too short for any address, but read before that is seen. */
	if (sys->connect(fd, p, 1) == -EFAULT ||
	    sys->connect(fd, (const void *)last, 1) == -EFAULT)
		return false;
	__atomic_store_n(&readable, PAGE(last), __ATOMIC_RELAXED);
	return true;
}

bool user_writable(int fd, void *p, size_t n)
{
	uintptr_t last = last_byte(p, n);
	socklen_t one = 1;

	if (n == 0 || known(&writable, p, n))
		return true;
	if (sys->getsockopt(fd, SOL_SOCKET, SO_TYPE, p, &one) < 0 ||
	    sys->getsockopt(fd, SOL_SOCKET, SO_TYPE, (void *)last, &one) < 0)
		return false;
	__atomic_store_n(&writable, PAGE(last), __ATOMIC_RELAXED);
	return true;
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

	if (r == 0)
		r = put(fd, addr, room, from, size);
	if (r == 0)
		*len = size;
	return r;
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
