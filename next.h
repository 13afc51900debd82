/* SPDX-License-Identifier: MIT */
/*
 * libc's own functions, behind the names that shim.c takes. Each is looked up
 * at its first use and never before: a program pays for what it calls.
 */
#ifndef NEXT_H
#define NEXT_H

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define NEXT_NAMES(X)                                                          \
	X(socket)                                                              \
	X(socketpair)                                                          \
	X(bind)                                                                \
	X(listen)                                                              \
	X(accept)                                                              \
	X(accept4)                                                             \
	X(connect)                                                             \
	X(getsockname)                                                         \
	X(getpeername)                                                         \
	X(getsockopt)                                                          \
	X(setsockopt)                                                          \
	X(shutdown)                                                            \
	X(close)                                                               \
	X(ioctl)                                                               \
	X(open)                                                                \
	X(open64)                                                              \
	X(openat)                                                              \
	X(openat64)                                                            \
	X(fopen)                                                               \
	X(fopen64)                                                             \
	X(write)                                                               \
	X(writev)                                                              \
	X(read)                                                                \
	X(readv)                                                               \
	X(recv)                                                                \
	X(recvfrom)                                                            \
	X(recvmsg)                                                             \
	X(send)                                                                \
	X(sendto)                                                              \
	X(sendmsg)                                                             \
	X(poll)                                                                \
	X(ppoll)                                                               \
	X(select)                                                              \
	X(pselect)                                                             \
	X(dup)                                                                 \
	X(dup2)                                                                \
	X(dup3)                                                                \
	X(__read_chk)                                                          \
	X(__recv_chk)                                                          \
	X(__recvfrom_chk)                                                      \
	X(__poll_chk)                                                          \
	X(__ppoll_chk)                                                         \
	X(__open_2)                                                            \
	X(__open64_2)                                                          \
	X(__openat_2)                                                          \
	X(__openat64_2)                                                        \
	X(fcntl)                                                               \
	X(fcntl64)                                                             \
	X(epoll_ctl)                                                           \
	X(epoll_wait)                                                          \
	X(epoll_pwait)                                                         \
	X(epoll_pwait2)

enum next_id {
#define X(name) NEXT_##name,
	NEXT_NAMES(X)
#undef X
		NEXT_COUNT
};

extern void *next_found[NEXT_COUNT];
void *next_find(enum next_id id);

static inline void *next_get(enum next_id id)
{
	void *p = __atomic_load_n(&next_found[id], __ATOMIC_RELAXED);

	return p ? p : next_find(id);
}

/* NEXT(close)(fd) calls the close() that the program would call without us. */
#define NEXT(name) ((__typeof__(&(name)))next_get(NEXT_##name))

#endif
