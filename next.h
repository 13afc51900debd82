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
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

#define NEXT_NAMES(X)                                                          \
	X(accept)                                                              \
	X(accept4)                                                             \
	X(access)                                                              \
	X(bind)                                                                \
	X(close)                                                               \
	X(connect)                                                             \
	X(creat)                                                               \
	X(creat64)                                                             \
	X(dup)                                                                 \
	X(dup2)                                                                \
	X(dup3)                                                                \
	X(eaccess)                                                             \
	X(epoll_ctl)                                                           \
	X(epoll_pwait)                                                         \
	X(epoll_pwait2)                                                        \
	X(epoll_wait)                                                          \
	X(faccessat)                                                           \
	X(fcntl)                                                               \
	X(fcntl64)                                                             \
	X(fopen)                                                               \
	X(fopen64)                                                             \
	X(freopen)                                                             \
	X(freopen64)                                                           \
	X(fstat)                                                               \
	X(fstat64)                                                             \
	X(fstatat)                                                             \
	X(fstatat64)                                                           \
	X(getpeername)                                                         \
	X(getsockname)                                                         \
	X(getsockopt)                                                          \
	X(ioctl)                                                               \
	X(prctl)                                                               \
	X(isfdtype)                                                            \
	X(listen)                                                              \
	X(lstat)                                                               \
	X(lstat64)                                                             \
	X(open)                                                                \
	X(open64)                                                              \
	X(openat)                                                              \
	X(openat64)                                                            \
	X(pidfd_getfd)                                                         \
	X(poll)                                                                \
	X(ppoll)                                                               \
	X(preadv2)                                                             \
	X(preadv64v2)                                                          \
	X(pselect)                                                             \
	X(pwritev2)                                                            \
	X(pwritev64v2)                                                         \
	X(read)                                                                \
	X(readv)                                                               \
	X(recv)                                                                \
	X(recvfrom)                                                            \
	X(recvmmsg)                                                            \
	X(recvmsg)                                                             \
	X(select)                                                              \
	X(send)                                                                \
	X(sendfile)                                                            \
	X(sendfile64)                                                          \
	X(sendmmsg)                                                            \
	X(sendmsg)                                                             \
	X(sendto)                                                              \
	X(setsockopt)                                                          \
	X(shutdown)                                                            \
	X(sockatmark)                                                          \
	X(socket)                                                              \
	X(socketpair)                                                          \
	X(splice)                                                              \
	X(stat)                                                                \
	X(stat64)                                                              \
	X(statx)                                                               \
	X(syscall)                                                             \
	X(write)                                                               \
	X(writev)                                                              \
	X(__fxstat)                                                            \
	X(__fxstat64)                                                          \
	X(__fxstatat)                                                          \
	X(__fxstatat64)                                                        \
	X(__lxstat)                                                            \
	X(__lxstat64)                                                          \
	X(__open64_2)                                                          \
	X(__open_2)                                                            \
	X(__openat64_2)                                                        \
	X(__openat_2)                                                          \
	X(__poll_chk)                                                          \
	X(__ppoll_chk)                                                         \
	X(__read_chk)                                                          \
	X(__recv_chk)                                                          \
	X(__recvfrom_chk)                                                      \
	X(__xstat)                                                             \
	X(__xstat64)                                                           \
	NEXT_TIME64(X)

#if __TIMESIZE == 32
#define NEXT_TIME64(X)                                                         \
	X(__fstat64_time64)                                                    \
	X(__fstatat64_time64)                                                  \
	X(__lstat64_time64)                                                    \
	X(__stat64_time64)
#else
#define NEXT_TIME64(X)
#endif

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
