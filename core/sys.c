/* SPDX-License-Identifier: MIT */
/*
 * The door to this process's own kernel: bare system calls. Not through libc,
 * because in a preloaded library libc's names are ours, set errno and may be
 * cancelled.
 */
#include "core/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#if defined(__x86_64__)
static long call6(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long r;

	__asm__ volatile("syscall"
			 : "=a"(r)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8),
			   "r"(r9)
			 : "rcx", "r11", "memory");
	return r;
}
#elif defined(__aarch64__)
static long call6(long nr, long a, long b, long c, long d, long e, long f)
{
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc 0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory");
	return x0;
}
#elif defined(__i386__)
/* The sixth argument goes into ebp, which may be the frame's. */
static long call6(long nr, long a, long b, long c, long d, long e, long f)
{
	const long last[] = { nr, f };
	long r;

	__asm__ volatile("pushl %%ebp\n\t"
			 "movl 4(%%eax), %%ebp\n\t"
			 "movl (%%eax), %%eax\n\t"
			 "int $0x80\n\t"
			 "popl %%ebp"
			 : "=a"(r)
			 : "a"(last), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e)
			 : "memory");
	return r;
}
#else
static long call6(long nr, long a, long b, long c, long d, long e, long f)
{
	int saved = errno;
	long r = syscall(nr, a, b, c, d, e, f);

	if (r < 0) {
		r = -errno;
		errno = saved;
	}
	return r;
}
#endif

#define CALL(nr, a, b, c) call6(nr, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define CALL4(nr, a, b, c, d)                                                  \
	call6(nr, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define CALL5(nr, a, b, c, d, e)                                               \
	call6(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)

static int k_socket(int family, int type, int protocol)
{
	return (int)CALL(SYS_socket, family, type, protocol);
}

static int k_socketpair(int family, int type, int protocol, int fds[2])
{
	return (int)CALL4(SYS_socketpair, family, type, protocol, fds);
}

static int k_bind(int fd, const void *addr, socklen_t len)
{
	return (int)CALL(SYS_bind, fd, addr, len);
}

static int k_connect(int fd, const void *addr, socklen_t len)
{
	return (int)CALL(SYS_connect, fd, addr, len);
}

static int k_listen(int fd, int backlog)
{
	return (int)CALL(SYS_listen, fd, backlog, 0);
}

static int k_getsockname(int fd, void *addr, socklen_t *len)
{
	return (int)CALL(SYS_getsockname, fd, addr, len);
}

static int k_getpeername(int fd, void *addr, socklen_t *len)
{
	return (int)CALL(SYS_getpeername, fd, addr, len);
}

static int k_getsockopt(int fd, int level, int name, void *val, socklen_t *len)
{
	return (int)CALL5(SYS_getsockopt, fd, level, name, val, len);
}

static int k_setsockopt(int fd, int level, int name, const void *val,
			socklen_t len)
{
	return (int)CALL5(SYS_setsockopt, fd, level, name, val, len);
}

static ssize_t k_sendmsg(int fd, const struct msghdr *msg, int flags)
{
	return CALL(SYS_sendmsg, fd, msg, flags);
}

static int k_open(const char *path, int flags, mode_t mode)
{
	return (int)CALL4(SYS_openat, AT_FDCWD, path, flags, mode);
}

static int k_close(int fd)
{
	return (int)CALL(SYS_close, fd, 0, 0);
}

static ssize_t k_read(int fd, void *buf, size_t n)
{
	return CALL(SYS_read, fd, buf, n);
}

static ssize_t k_write(int fd, const void *buf, size_t n)
{
	return CALL(SYS_write, fd, buf, n);
}

static int k_fcntl(int fd, int cmd, long arg)
{
#ifdef SYS_fcntl64 /* knows F_OFD_SETLK, where it is another */
	return (int)CALL(SYS_fcntl64, fd, cmd, arg);
#else
	return (int)CALL(SYS_fcntl, fd, cmd, arg);
#endif
}

static int k_eventfd(void)
{
	return (int)CALL(SYS_eventfd2, 0, O_CLOEXEC, 0);
}

static int k_flock(int fd, int op)
{
	return (int)CALL(SYS_flock, fd, op, 0);
}

#if defined(__x86_64__) || defined(__aarch64__)
static int k_fstat(int fd, struct stat *st)
{
	return (int)CALL(SYS_fstat, fd, st, 0);
}

static int k_stat(const char *path, struct stat *st)
{
	return (int)CALL4(SYS_newfstatat, AT_FDCWD, path, st, 0);
}

static int k_lstat(const char *path, struct stat *st)
{
	return (int)CALL4(SYS_newfstatat, AT_FDCWD, path, st,
			  AT_SYMLINK_NOFOLLOW);
}
#else /* struct stat is not what the kernel writes */
static int k_statx(int fd, const char *path, int flags, struct stat *ret)
{
	struct statx sx;
	int r = (int)CALL5(SYS_statx, fd, path, flags, STATX_BASIC_STATS, &sx);

	if (r < 0)
		return r;
	*ret = (struct stat){
		.st_dev = makedev(sx.stx_dev_major, sx.stx_dev_minor),
		.st_ino = (ino_t)sx.stx_ino,
		.st_mode = sx.stx_mode,
		.st_nlink = sx.stx_nlink,
		.st_uid = sx.stx_uid,
		.st_gid = sx.stx_gid,
		.st_size = (off_t)sx.stx_size,
	};
	return 0;
}

static int k_fstat(int fd, struct stat *st)
{
	return k_statx(fd, "", AT_EMPTY_PATH, st);
}

static int k_stat(const char *path, struct stat *st)
{
	return k_statx(AT_FDCWD, path, 0, st);
}

static int k_lstat(const char *path, struct stat *st)
{
	return k_statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, st);
}
#endif

static int k_fchmod(int fd, mode_t mode)
{
	return (int)CALL(SYS_fchmod, fd, mode, 0);
}

static int64_t k_lseek(int fd, int64_t offset, int whence)
{
#ifdef SYS__llseek
	int64_t pos;
	int r = (int)CALL5(SYS__llseek, fd, offset >> 32, offset, &pos, whence);

	return r < 0 ? r : pos;
#else
	return CALL(SYS_lseek, fd, offset, whence);
#endif
}

static ssize_t k_getdents(int fd, void *buf, size_t n)
{
	return CALL(SYS_getdents64, fd, buf, n);
}

static int k_mkdir(const char *path, mode_t mode)
{
	return (int)CALL(SYS_mkdirat, AT_FDCWD, path, mode);
}

static int k_unlink(const char *path)
{
	return (int)CALL(SYS_unlinkat, AT_FDCWD, path, 0);
}

static ssize_t k_readlink(const char *path, char *buf, size_t n)
{
	return CALL4(SYS_readlinkat, AT_FDCWD, path, buf, n);
}

static int k_chmod(const char *path, mode_t mode)
{
	return (int)CALL(SYS_fchmodat, AT_FDCWD, path, mode);
}

static int k_map(int fd, size_t len, void **ret_addr)
{
	int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
#ifdef SYS_mmap2
	long nr = SYS_mmap2;
#else
	long nr = SYS_mmap;
#endif
	long r = call6(nr, 0, (long)len, PROT_READ | PROT_WRITE, flags, fd, 0);

	if (r < 0 && r > -4096)
		return (int)r;
	*ret_addr = (void *)r;
	return 0;
}

static int k_random(void *buf, size_t n)
{
	return (int)CALL(SYS_getrandom, buf, n, 0);
}

static int k_procmask(int how, const sigset_t *set, sigset_t *old)
{
	return (int)CALL4(SYS_rt_sigprocmask, how, set, old, _NSIG / 8);
}

static int k_sigpending(sigset_t *ret)
{
	return (int)CALL(SYS_rt_sigpending, ret, _NSIG / 8, 0);
}

static int k_clock(struct timespec *ret)
{
#ifdef SYS_clock_gettime64
	if (sizeof(ret->tv_sec) > sizeof(long))
		return (int)CALL(SYS_clock_gettime64, CLOCK_MONOTONIC, ret, 0);
#endif
	return (int)CALL(SYS_clock_gettime, CLOCK_MONOTONIC, ret, 0);
}

static int k_sleep(const struct timespec *ts)
{
#ifdef SYS_clock_nanosleep_time64
	if (sizeof(ts->tv_sec) > sizeof(long))
		return (int)CALL4(SYS_clock_nanosleep_time64, CLOCK_MONOTONIC,
				  0, ts, NULL);
#endif
	return (int)CALL(SYS_nanosleep, ts, NULL, 0);
}

static int k_sigtimedwait(const sigset_t *set, const struct timespec *ts)
{
	/* The kernel's set has as many bits as there are signals. */
#ifdef SYS_rt_sigtimedwait_time64
	if (sizeof(ts->tv_sec) > sizeof(long))
		return (int)CALL4(SYS_rt_sigtimedwait_time64, set, NULL, ts,
				  _NSIG / 8);
#endif
	return (int)CALL4(SYS_rt_sigtimedwait, set, NULL, ts, _NSIG / 8);
}

static uid_t k_geteuid(void)
{
#ifdef SYS_geteuid32 /* the other is for 16 bits */
	return (uid_t)CALL(SYS_geteuid32, 0, 0, 0);
#else
	return (uid_t)CALL(SYS_geteuid, 0, 0, 0);
#endif
}

static pid_t k_gettid(void)
{
	return (pid_t)CALL(SYS_gettid, 0, 0, 0);
}

static int k_capget(void *head, void *data)
{
	return (int)CALL(SYS_capget, head, data, 0);
}

const struct sys sys_kernel = {
	.socket = k_socket,
	.socketpair = k_socketpair,
	.bind = k_bind,
	.connect = k_connect,
	.listen = k_listen,
	.getsockname = k_getsockname,
	.getpeername = k_getpeername,
	.getsockopt = k_getsockopt,
	.setsockopt = k_setsockopt,
	.sendmsg = k_sendmsg,
	.open = k_open,
	.close = k_close,
	.read = k_read,
	.write = k_write,
	.fcntl = k_fcntl,
	.eventfd = k_eventfd,
	.flock = k_flock,
	.fstat = k_fstat,
	.fchmod = k_fchmod,
	.lseek = k_lseek,
	.getdents = k_getdents,
	.stat = k_stat,
	.lstat = k_lstat,
	.mkdir = k_mkdir,
	.unlink = k_unlink,
	.readlink = k_readlink,
	.chmod = k_chmod,
	.map = k_map,
	.random = k_random,
	.procmask = k_procmask,
	.sigpending = k_sigpending,
	.clock = k_clock,
	.sleep = k_sleep,
	.sigtimedwait = k_sigtimedwait,
	.geteuid = k_geteuid,
	.gettid = k_gettid,
	.capget = k_capget,
};
