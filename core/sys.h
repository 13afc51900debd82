/* SPDX-License-Identifier: MIT */
/*
 * The one door to the kernel. Whoever uses core/ hands it in: the shim and
 * ordinary programs pass sys_kernel, a test passes one that fails on demand.
 *
 * Each member returns what the system call returns, or -errno; none of them
 * touches errno, allocates, or is a cancellation point.
 */
#ifndef CORE_SYS_H
#define CORE_SYS_H

#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>

struct sys {
	/* sockets */
	int (*socket)(int family, int type, int protocol);
	int (*socketpair)(int family, int type, int protocol, int fds[2]);
	int (*bind)(int fd, const void *addr, socklen_t len);
	int (*connect)(int fd, const void *addr, socklen_t len);
	int (*listen)(int fd, int backlog);
	int (*getsockname)(int fd, void *addr, socklen_t *len);
	int (*getpeername)(int fd, void *addr, socklen_t *len);
	int (*getsockopt)(int fd, int level, int name, void *val,
			  socklen_t *len);
	int (*setsockopt)(int fd, int level, int name, const void *val,
			  socklen_t len);
	ssize_t (*sendmsg)(int fd, const struct msghdr *msg, int flags);
	/* descriptors */
	int (*open)(const char *path, int flags, mode_t mode);
	int (*close)(int fd);
	ssize_t (*read)(int fd, void *buf, size_t n);
	ssize_t (*write)(int fd, const void *buf, size_t n);
	int (*fcntl)(int fd, int cmd, long arg);
	int (*eventfd)(void);
	int (*flock)(int fd, int op);
	int (*fstat)(int fd, struct stat *st);
	int (*fchmod)(int fd, mode_t mode);
	int64_t (*lseek)(int fd, int64_t offset, int whence);
	ssize_t (*getdents)(int fd, void *buf, size_t n); /* getdents64(2) */
	/* paths */
	int (*stat)(const char *path, struct stat *st);
	int (*lstat)(const char *path, struct stat *st);
	int (*mkdir)(const char *path, mode_t mode);
	int (*unlink)(const char *path);
	ssize_t (*readlink)(const char *path, char *buf, size_t n);
	int (*chmod)(const char *path, mode_t mode);
	/* the rest */
	int (*map)(int fd, size_t len, void **ret_addr); /* shared, or fd -1 */
	int (*random)(void *buf, size_t n);
	int (*procmask)(int how, const sigset_t *set, sigset_t *old);
	int (*sigpending)(sigset_t *ret);
	int (*clock)(struct timespec *ret); /* CLOCK_MONOTONIC */
	int (*sleep)(const struct timespec *ts);
	int (*sigtimedwait)(const sigset_t *set, const struct timespec *ts);
	uid_t (*geteuid)(void);
	pid_t (*gettid)(void);
	int (*capget)(void *head, void *data); /* <linux/capability.h> */
};

extern const struct sys sys_kernel;

#endif
