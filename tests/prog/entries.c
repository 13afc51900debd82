/* SPDX-License-Identifier: MIT */
/* entries WHAT: rarer names under which libc offers the calls that we serve. */
#include "vsock.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/wait.h>

#define DEVICE "/dev/vsock"

/* What programs call that were built with a glibc before 2.33. */
int __xstat(int version, const char *path, struct stat *st);
int __lxstat(int version, const char *path, struct stat *st);
int __fxstat(int version, int fd, struct stat *st);
int __fxstatat(int version, int fd, const char *path, struct stat *st,
	       int flags);
int __xstat64(int version, const char *path, struct stat64 *st);
int __lxstat64(int version, const char *path, struct stat64 *st);
int __fxstat64(int version, int fd, struct stat64 *st);
int __fxstatat64(int version, int fd, const char *path, struct stat64 *st,
		 int flags);
/* _STAT_VER, which headers have no more. */
#if defined(__x86_64__)
#define STAT_VER 1
#elif defined(__i386__)
#define STAT_VER 3
#else
#define STAT_VER 0
#endif

static void say_stat(const char *what, int r, mode_t mode, dev_t rdev)
{
	if (r < 0)
		say(what, r);
	else
		printf("%s %o %u\n", what, mode, major(rdev));
}

#define STAT(type, call)                                                       \
	do {                                                                   \
		struct type st = { .st_mode = 0 };                             \
		int got = call;                                                \
                                                                               \
		say_stat(#call, got, st.st_mode, st.st_rdev);                  \
	} while (0)

static void stats(void)
{
	int fd = open(DEVICE, O_RDONLY), at = AT_FDCWD, r;
	char *volatile bad = (char *)16;
	struct statx sx = { 0 };

	STAT(stat, stat(DEVICE, &st));
	STAT(stat, lstat(DEVICE, &st));
	STAT(stat, fstat(fd, &st));
	STAT(stat, fstatat(at, DEVICE, &st, 0));
	STAT(stat, fstatat(fd, "", &st, AT_EMPTY_PATH));
	STAT(stat64, stat64(DEVICE, &st));
	STAT(stat64, lstat64(DEVICE, &st));
	STAT(stat64, fstat64(fd, &st));
	STAT(stat64, fstatat64(at, DEVICE, &st, AT_SYMLINK_NOFOLLOW));
	STAT(stat64, fstatat64(fd, "", &st, AT_EMPTY_PATH));
	STAT(stat, __xstat(STAT_VER, DEVICE, &st));
	STAT(stat, __lxstat(STAT_VER, DEVICE, &st));
	STAT(stat, __fxstat(STAT_VER, fd, &st));
	STAT(stat, __fxstatat(STAT_VER, at, DEVICE, &st, 0));
	STAT(stat64, __xstat64(STAT_VER, DEVICE, &st));
	STAT(stat64, __lxstat64(STAT_VER, DEVICE, &st));
	STAT(stat64, __fxstat64(STAT_VER, fd, &st));
	STAT(stat64, __fxstatat64(STAT_VER, at, DEVICE, &st, 0));
	r = statx(at, DEVICE, 0, STATX_BASIC_STATS, &sx);
	say_stat("statx", r, sx.stx_mode, makedev(sx.stx_rdev_major, 0));
	r = statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &sx);
	say_stat("statx fd", r, sx.stx_mode, makedev(sx.stx_rdev_major, 0));
	STAT(stat, stat(bad, &st));
	STAT(stat, stat("/dev/vsockets", &st));
	say("isfdtype S_IFCHR", isfdtype(fd, S_IFCHR));
	say("isfdtype S_IFSOCK", isfdtype(fd, S_IFSOCK));
	fd = vsock_socket(0);
	say("socket S_IFSOCK", isfdtype(fd, S_IFSOCK));
}

static void accesses(void)
{
	char *volatile bad = (char *)16;

	say("access F_OK", access(DEVICE, F_OK));
	say("access R_OK | W_OK", access(DEVICE, R_OK | W_OK));
	say("access X_OK", access(DEVICE, X_OK));
	say("access 8", access(DEVICE, 8));
	say("access bad", access(bad, F_OK));
	say("eaccess", eaccess(DEVICE, R_OK));
	say("euidaccess", euidaccess(DEVICE, R_OK));
	say("faccessat", faccessat(AT_FDCWD, DEVICE, R_OK, 0));
	say("faccessat AT_EACCESS",
	    faccessat(AT_FDCWD, DEVICE, R_OK, AT_EACCESS));
	say("faccessat bad flags", faccessat(AT_FDCWD, DEVICE, R_OK, 1 << 30));
}

static void say_cid(const char *what, int fd)
{
	unsigned int cid = 0;

	if (ioctl(fd, IOCTL_VM_SOCKETS_GET_LOCAL_CID, &cid) < 0)
		say(what, -1);
	else
		say(what, cid);
}

static void say_stream_cid(const char *what, FILE *f)
{
	if (!f)
		say(what, -1);
	else
		say_cid(what, fileno(f));
}

static void opens(void)
{
	FILE *f = fopen("/dev/null", "r");
	int fd = f ? fileno(f) : -1;

	say_cid("open", open(DEVICE, O_RDWR));
	say_cid("open64", open64(DEVICE, O_RDWR));
	say_cid("openat", openat(AT_FDCWD, DEVICE, O_RDWR));
	say_cid("openat64", openat64(AT_FDCWD, DEVICE, O_RDWR));
	say_cid("creat", creat(DEVICE, 0600));
	say_cid("creat64", creat64(DEVICE, 0600));
	say_stream_cid("fopen", fopen(DEVICE, "r"));
	say_stream_cid("fopen64", fopen64(DEVICE, "r+e"));
	f = freopen(DEVICE, "r", f);
	say_stream_cid("freopen", f);
	say("freopen: same descriptor", f && fileno(f) == fd);
	f = freopen64("/dev/null", "r", f);
	say_stream_cid("freopen64 another", f);
	say_stream_cid("freopen64", freopen64(DEVICE, "w", f));
	say_cid("syscall", (int)syscall(SYS_openat, AT_FDCWD, DEVICE, O_RDWR));
	say_cid("a socket", vsock_socket(0));
	say_cid("no descriptor", -1);
	say_cid("/dev/null", open("/dev/null", O_RDONLY));
}

/* A connection and what goes over it, all by number. */
static void numbers(void)
{
	struct sockaddr_vm any = vsock_addr(VMADDR_CID_ANY, 5000);
	struct sockaddr_vm to = vsock_addr(VMADDR_CID_LOCAL, 5000), addr;
	char buf[16] = "";
	struct iovec iov = { buf, sizeof(buf) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct mmsghdr mm = { .msg_hdr = msg };
	socklen_t len = sizeof(addr), n = sizeof(int);
	struct timeval tv = { .tv_sec = 9 };
	int fds[2], type = 0;
	long l, c, a;

	l = syscall(SYS_socket, AF_VSOCK, SOCK_STREAM, 0);
	say("bind", syscall(SYS_bind, l, &any, sizeof(any)));
	say("listen", syscall(SYS_listen, l, 1));
	c = syscall(SYS_socket, AF_VSOCK, SOCK_STREAM, 0);
	say("setsockopt",
	    syscall(SYS_setsockopt, c, AF_VSOCK,
		    SO_VM_SOCKETS_CONNECT_TIMEOUT_OLD, &tv, sizeof(tv)));
	say("connect", syscall(SYS_connect, c, &to, sizeof(to)));
	a = syscall(SYS_accept4, l, &addr, &len, SOCK_CLOEXEC);
	say("accept4", addr.svm_cid);
	say("getsockname", syscall(SYS_getsockname, a, &addr, &len));
	say("port", addr.svm_port);
	say("getpeername", syscall(SYS_getpeername, c, &addr, &len));
	say("port", addr.svm_port);
	say("getsockopt",
	    syscall(SYS_getsockopt, c, SOL_SOCKET, SO_DOMAIN, &type, &n));
	say("SO_DOMAIN", type);
	say("sendto", syscall(SYS_sendto, c, "ab", 2, 0, NULL, 0));
	say("sendto MSG_OOB", syscall(SYS_sendto, c, "a", 1, MSG_OOB, NULL, 0));
	say("sendmsg", syscall(SYS_sendmsg, c, &msg, 0));
	say("sendmmsg", syscall(SYS_sendmmsg, c, &mm, 1, 0));
	len = 7;
	say("recvfrom", syscall(SYS_recvfrom, a, buf, 2, 0, &addr, &len));
	say("its address", len);
	say("recvmsg", syscall(SYS_recvmsg, a, &msg, 0));
	say("recvmmsg", syscall(SYS_recvmmsg, a, &mm, 1, 0, NULL));
	say("write", syscall(SYS_write, c, "abc", 3));
	say("ioctl", syscall(SYS_ioctl, a, FIONREAD, &type));
	say("FIONREAD", type);
	say("shutdown", syscall(SYS_shutdown, c, SHUT_WR));
	say("getpeername", syscall(SYS_getpeername, c, &addr, &len));
	say("socketpair",
	    syscall(SYS_socketpair, AF_VSOCK, SOCK_STREAM, 0, fds));
	say("getpid", syscall(SYS_getpid) == getpid());
}

/* A connection whose peer died unread gives no error, by whatever call. */
static void ends(void)
{
	char buf[8];
	struct iovec iov = { buf, 1 };
	int fd, file = open("/proc/self/exe", O_RDONLY), fds[2];
	loff_t offset = 0;

	if (pipe(fds))
		die("pipe");
	fd = vsock_bereaved();
	say("preadv2", preadv2(fd, &iov, 1, -1, 0));
	say("preadv2", preadv2(fd, &iov, 1, -1, 0));
	say("preadv2", preadv2(fd, &iov, 1, -1, 0));
	say("preadv2 at 0", preadv2(fd, &iov, 1, 0, 0));
	fd = vsock_bereaved();
	say("preadv64v2", preadv64v2(fd, &iov, 1, -1, 0));
	say("preadv64v2", preadv64v2(fd, &iov, 1, -1, 0));
	say("preadv64v2", preadv64v2(fd, &iov, 1, -1, 0));
	fd = vsock_bereaved();
	say("splice", splice(fd, NULL, fds[1], NULL, 8, 0));
	say("splice", splice(fd, NULL, fds[1], NULL, 8, 0));
	say("splice", splice(fd, NULL, fds[1], NULL, 8, 0));
	say("splice at 0", splice(fd, &offset, fds[1], NULL, 8, 0));
	fd = vsock_socket(0);
	say("splice fresh", splice(fd, NULL, fds[1], NULL, 8, 0));
	say("splice to fresh", splice(fds[0], NULL, fd, NULL, 8, 0));
	say("sendfile to fresh", sendfile(fd, file, NULL, 1));
	say("sendfile64 to fresh", sendfile64(fd, file, NULL, 1));
	say("pwritev2 to fresh", pwritev2(fd, &iov, 1, -1, 0));
	say("pwritev64v2 to fresh", pwritev64v2(fd, &iov, 1, -1, 0));
	say("sockatmark", sockatmark(fd));
}

/* A socket of another process's is a vsock socket here, too. */
static void taken(void)
{
	int plain = socket(AF_UNIX, SOCK_STREAM, 0), fd, status;
	struct sockaddr_vm addr;
	socklen_t len = sizeof(addr);
	int listener, ready[2];
	pid_t pid;

	if (pipe(ready))
		die("pipe");
	pid = fork();
	if (pid == 0) {
		listener = vsock_listen(5000);
		dup2(listener, 100);
		write(ready[1], "x", 1);
		pause();
	}
	read(ready[0], &(char){ 0 }, 1);
	close(plain); /* its number is the next */
	fd = pidfd_getfd(pidfd_open(pid, 0), 100, 0);
	say("getsockname", getsockname(fd, (struct sockaddr *)&addr, &len));
	say("port", addr.svm_port);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
}

static const struct command commands[] = {
	{ "stats", stats },	{ "accesses", accesses }, { "opens", opens },
	{ "numbers", numbers }, { "ends", ends },	  { "taken", taken },
	{ NULL, NULL },
};

int main(int argc, char **argv)
{
	return run_command(commands, argc > 1 ? argv[1] : NULL);
}
