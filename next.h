/* SPDX-License-Identifier: MIT */
/*
 * libc's own functions, behind the names that shim.c takes. Each is looked up
 * at its first use and never before: a program pays for what it calls.
 */
#ifndef NEXT_H
#define NEXT_H

#include "core/util.h"

#include <asm/socket.h> /* of which musl's own has a part */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>
#if __has_include(<sys/pidfd.h>)
#include <sys/pidfd.h>
#endif

/*
 * libc is glibc or musl. Of the names below musl lacks some; those are not
 * interposed there. Its names for large files are other names of the same
 * functions, and in its headers macros. Here is what its prototypes differ in,
 * and what 32-bit programs have only with glibc: names for times of 64 bits.
 */
#ifdef __GLIBC__
#define HAVE_TIME64 (__TIMESIZE == 32)
typedef unsigned long ioctl_request;
typedef int mmsg_flags;
#else
#define HAVE_TIME64 0
#ifndef SO_RCVTIMEO_OLD
#define SO_RCVTIMEO_OLD 20
#define SO_SNDTIMEO_OLD 21
#endif
typedef int ioctl_request;
typedef unsigned int mmsg_flags;
#endif

/* First what programs call most. */
#define NEXT_NAMES(X)                                                          \
	X(read)                                                                \
	X(write)                                                               \
	X(recv)                                                                \
	X(send)                                                                \
	X(recvmsg)                                                             \
	X(sendmsg)                                                             \
	X(poll)                                                                \
	X(epoll_wait)                                                          \
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
	X(ppoll)                                                               \
	X(preadv2)                                                             \
	X(preadv64v2)                                                          \
	X(pselect)                                                             \
	X(pwritev2)                                                            \
	X(pwritev64v2)                                                         \
	X(readv)                                                               \
	X(recvfrom)                                                            \
	X(recvmmsg)                                                            \
	X(select)                                                              \
	X(sendfile)                                                            \
	X(sendfile64)                                                          \
	X(sendmmsg)                                                            \
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

#if HAVE_TIME64
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

/* In one cache line with the first names. */
struct next_state {
	ptrdiff_t errno_at; /* from the thread pointer */
	void *found[NEXT_COUNT];
};

extern struct next_state next_state;
void *next_find(enum next_id id);

/* NULL until its first use. */
static inline void *next_known(enum next_id id)
{
	return __atomic_load_n(&next_state.found[id], __ATOMIC_ACQUIRE);
}

/*
 * errno, once a name is known: libc's own way to it, a call, would be the half
 * of what we add to calls that move data. In each thread it is at the same
 * distance, as libc is there from the start and has it in static TLS.
 */
static inline int next_errno(void)
{
	return *(
		int *)((char *)__builtin_thread_pointer() +
		       __atomic_load_n(&next_state.errno_at, __ATOMIC_RELAXED));
}

static inline void *next_get(enum next_id id)
{
	void *p = next_known(id);

	return p ? p : next_find(id);
}

/* NEXT(close)(fd) calls the close() that the program would call without us. */
#define NEXT(name) ((__typeof__(&(name)))next_get(NEXT_##name))

#endif
