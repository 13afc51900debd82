/* SPDX-License-Identifier: MIT */
/*
 * Calls that hardly any program makes, but that are vsock's or the device's all
 * the same: rare waits|idle|again|numbers|opens|dups|messages|pace|
 * errors|bereaved|sizes|without-machine|passed|stranger|send|writev|pwritev2|
 * pwritev64v2. Prints what they say.
 */
#include "tests/prog/vsock.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include <linux/seccomp.h>

/* libc's, behind macros of its headers or without any. */
int __dup2(int fd, int to);
int __open_2(const char *path, int flags);
int __openat_2(int dir, const char *path, int flags);
int __openat64_2(int dir, const char *path, int flags);
ssize_t __read_chk(int fd, void *buf, size_t n, size_t room);
ssize_t __recvfrom_chk(int fd, void *buf, size_t n, size_t room, int flags,
		       struct sockaddr *addr, socklen_t *len);

static int family(int fd)
{
	int v = -1;
	socklen_t len = sizeof(v);

	getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &v, &len);
	return v;
}

/* On one that failed to connect, and on one with data. */
static void waits(void)
{
	const struct timespec little = { .tv_nsec = 1000000 };
	int ep = epoll_create1(0), fd = vsock_socket(0), peer;
	struct epoll_event ev = { .events = EPOLLIN }, got;
	struct timeval tv = { .tv_usec = 1000 };
	struct pollfd p = { .events = POLLIN };
	fd_set in;

	vsock_connect(fd, 9999);
	for (int i = 0; i < 2; i++) {
		epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
		p.fd = fd;
		say("poll", poll(&p, 1, 1));
		say("ppoll", ppoll(&p, 1, &little, NULL));
		FD_ZERO(&in);
		FD_SET(fd, &in);
		say("select", select(fd + 1, &in, NULL, NULL, &tv));
		FD_SET(fd, &in);
		say("pselect", pselect(fd + 1, &in, NULL, NULL, &little, NULL));
		say("epoll_wait", epoll_wait(ep, &got, 1, 1));
		say("epoll_pwait", epoll_pwait(ep, &got, 1, 1, NULL));
		say("epoll_pwait2", epoll_pwait2(ep, &got, 1, &little, NULL));
		close(fd);
		vsock_pair(&fd, &peer);
		if (write(peer, "x", 1) != 1)
			die("write");
	}
}

/* A connect that nobody answers for a minute. */
static int connecting(void)
{
	const struct timeval minute = { .tv_sec = 60 };
	struct sockaddr_vm addr = vsock_addr(99, 4);
	int fd = vsock_socket(SOCK_NONBLOCK);

	if (setsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT, &minute,
		       sizeof(minute)) ||
	    connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0 ||
	    errno != EINPROGRESS)
		die("connect");
	return fd;
}

#define IDLE_MS 300

static int wait_by(int call, struct pollfd *p, int n)
{
	const struct timespec ts = { .tv_nsec = IDLE_MS * 1000000 };
	struct timeval tv = { .tv_usec = IDLE_MS * 1000 };
	int ep = epoll_create1(0);
	struct epoll_event ev;
	fd_set in, out, ex;

	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_ZERO(&ex);
	for (int i = 0; i < n; i++) {
		ev.events = (uint32_t)p[i].events;
		ev.data.fd = call == 4 ? p[i].fd : 7; /* or one for all */
		epoll_ctl(ep, EPOLL_CTL_ADD, p[i].fd, &ev);
		if (p[i].events & POLLIN)
			FD_SET(p[i].fd, &in);
		if (p[i].events & POLLOUT)
			FD_SET(p[i].fd, &out);
		if (p[i].events & POLLPRI)
			FD_SET(p[i].fd, &ex);
	}
	switch (call) {
	case 0:
		return poll(p, (nfds_t)n, IDLE_MS);
	case 1:
		return ppoll(p, (nfds_t)n, &ts, NULL);
	case 2:
		return select(FD_SETSIZE, &in, &out, &ex, &tv);
	case 3:
		return pselect(FD_SETSIZE, &in, &out, &ex, &ts, NULL);
	case 4:
		return epoll_wait(ep, &ev, 1, IDLE_MS);
	case 5:
		return epoll_pwait(ep, &ev, 1, IDLE_MS, NULL);
	default:
		return epoll_pwait2(ep, &ev, 1, &ts, NULL);
	}
}

/* What AF_UNIX shows of sockets, and AF_VSOCK does not, costs no time. */
static void idle(void)
{
	static const char *const calls[] = { "poll",	    "ppoll",
					     "select",	    "pselect",
					     "epoll_wait",  "epoll_pwait",
					     "epoll_pwait2" };
	struct pollfd p[] = { { .events = POLLIN },  /* fresh */
			      { .events = 0 },	     /* peer closed */
			      { .events = POLLPRI }, /* the same */
			      { .events = POLLOUT }, /* shut */
			      { .events = POLLIN | POLLOUT } };
	int peer;

	vsock_pair(&p[1].fd, &peer);
	close(peer);
	p[2].fd = p[1].fd;
	vsock_pair(&p[3].fd, &peer);
	shutdown(p[3].fd, SHUT_WR);
	p[4].fd = connecting();
	for (int i = 0; i < 7; i++) {
		clock_t used = clock();

		p[0].fd = vsock_socket(0);
		say(calls[i], wait_by(i, p, 5));
		used = (clock() - used) / (CLOCKS_PER_SEC / 1000);
		if (used > IDLE_MS / 3)
			say("ms of processor time", used);
	}
}

/* What has nothing to show, twice; and without a descriptor to spare. */
static void again(void)
{
	int fd = vsock_socket(0);
	struct pollfd p[3] = { { fd, POLLIN, 0 },
			       { fd, POLLIN, 0 },
			       { -1, POLLIN, 0 } };
	struct rlimit few = { .rlim_cur = (rlim_t)fd + 1 };
	struct timeval tv = { .tv_usec = 20000 };
	fd_set in, ex;

	vsock_connect(fd, 9999);
	say("twice", poll(p, 3, 20));
	FD_ZERO(&in);
	FD_SET(fd, &in);
	ex = in;
	say("exceptional", select(fd + 1, &in, NULL, &ex, &tv));
	FD_SET(fd, &in);
	FD_SET(fd + 9, &in);
	say("bad", select(fd + 10, &in, NULL, NULL, &tv));
	few.rlim_max = few.rlim_cur;
	setrlimit(RLIMIT_NOFILE, &few);
	say("few", poll(p, 1, 20));
	say("open", open("/dev/vsock", O_RDONLY));
	say("freopen", freopen("/dev/vsock", "r", stdin) ? 0 : -1);
}

#ifndef SYS_accept /* by socketcall(2) there */
#define SYS_accept -1
#define NO_ACCEPT  1
#endif
#ifndef SYS_open
#define SYS_open -1
#endif

static long by_number_accept(int fd, struct sockaddr_vm *addr, socklen_t *len)
{
#ifdef NO_ACCEPT
	return accept(fd, (struct sockaddr *)addr, len);
#else
	return syscall(SYS_accept, fd, addr, len);
#endif
}

/* What the shim knows nothing of, with as many arguments as there are. */
static void by_other_numbers(void)
{
	int fds[4];

	say("getpid", syscall(SYS_getpid) == getpid());
	if (pipe(fds) || pipe(fds + 2))
		die("pipe");
	say("splice", syscall(SYS_splice, fds[0], NULL, fds[3], NULL, 1,
			      SPLICE_F_NONBLOCK));
}

static void numbers(void)
{
	int listener = vsock_listen(1234), fd = vsock_socket(0), pair[2];
	unsigned action = SECCOMP_RET_ALLOW;
	struct sockaddr_vm addr;
	socklen_t len = sizeof(addr);
	char buf[9];

	vsock_connect(fd, 1234);
	say("accept", by_number_accept(listener, &addr, &len) >= 0);
	say("family", addr.svm_family);
	fd = vsock_bereaved();
	say("read", syscall(SYS_read, fd, buf, 9));
	say("read", syscall(SYS_read, fd, buf, 9));
	fd = (int)syscall(SYS_openat, AT_FDCWD, "/dev/vsock", O_RDONLY);
	say("openat", fd >= 0);
	say("openat", syscall(SYS_openat, AT_FDCWD, "/dev/null", 0) > fd);
	if (SYS_open < 0)
		fd = open("/dev/vsock", 0);
	else
		fd = (int)syscall(SYS_open, "/dev/vsock", O_RDONLY);
	say("open", fd >= 0);
	say("open", SYS_open < 0 || syscall(SYS_open, "/dev/null", 0) > fd);
#ifdef SYS_socket
	say("socket", syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0) > 0);
#else
	say("socket", 1);
#endif
	say("seccomp",
	    syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action));
#ifdef SYS_socketpair
	say("socketpair",
	    syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, pair));
	say("socketpair",
	    syscall(SYS_socketpair, AF_VSOCK, SOCK_STREAM, 0, pair));
#endif
	by_other_numbers();
}

static void opens(void)
{
	unsigned long long v = 0;
	socklen_t len = sizeof(v);
	struct stat st;
	int fd;
	FILE *f;

	say("__open_2", __open_2("/dev/vsock", O_RDONLY) >= 0);
	say("__open_2", __open_2("/dev/null", O_RDONLY) >= 0);
	say("__openat_2", __openat_2(AT_FDCWD, "/dev/vsock", O_RDONLY) >= 0);
	say("__openat_2", __openat_2(AT_FDCWD, "/none", O_RDONLY));
	say("__openat64_2",
	    __openat64_2(AT_FDCWD, "/dev/vsock", O_RDONLY) >= 0);
	say("__openat64_2", __openat64_2(AT_FDCWD, "/none", O_RDONLY));
	say("O_DIRECTORY", open("/dev/vsock", O_RDONLY | O_DIRECTORY));
	fd = open("/dev/vsock", O_RDONLY);
	say("getsockopt", getsockopt(fd, AF_VSOCK, 0, &v, &len));
	say("getsockopt", getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &v, &len));
	say("setsockopt", setsockopt(fd, AF_VSOCK, 0, &v, len));
	say("fstatat", fstatat(fd, (const char *)1, &st, 0));
	f = fopen("/dev/vsock", "r");
	say("fopen", !!f);
	say("fopen", fopen("/dev/vsock", "?") ? 0 : -1);
	f = freopen("/dev/vsock", "r", f);
	say("freopen", !!f);
	say("freopen", freopen("/dev/vsock", "?", f) ? 0 : -1);
	say("freopen", !!freopen("/dev/null", "w", stderr));
}

/* An error queue, edge-triggered: told of once, until it was read. */
static void errors(void)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET }, got;
	int ep = epoll_create1(0), one = 1, fd, peer;
	_Alignas(struct cmsghdr) char room[100] = "";
	struct iovec iov = { room, 1 };
	struct msghdr in = { .msg_control = room, .msg_controllen = 100 };
	struct msghdr out = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = room,
			      .msg_controllen = sizeof(room) };

	vsock_pair(&fd, &peer);
	setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one));
	epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
	for (int i = 0; i < 2; i++) {
		say("send", send(fd, "x", 1, MSG_ZEROCOPY));
		say("told", epoll_wait(ep, &got, 1, 1));
		say("again", epoll_wait(ep, &got, 1, 1));
		say("queue", recvmsg(fd, &in, MSG_ERRQUEUE));
		in.msg_controllen = 8; /* too little */
		say("read", epoll_wait(ep, &got, 1, 1));
	}
	*CMSG_FIRSTHDR(&out) = (struct cmsghdr){ .cmsg_len = sizeof(room) };
	say("control", sendmsg(fd, &out, MSG_ZEROCOPY));
}

static void dups(void)
{
	int fd = vsock_socket(0);

	say("__dup2", __dup2(fd, 50));
	say("family", family(50));
	say("to itself", dup2(fd, fd) == fd);
	say("family", family(fd));
	say("dup3", dup3(fd, 50, 0));
	say("to standard error", dup3(fd, STDERR_FILENO, 0));
	say("family", family(STDERR_FILENO));
}

static void messages(void)
{
	struct timespec now = { 0 }, wrong = { .tv_nsec = 1000000000 };
	struct timespec soon = { .tv_sec = 5 };
	struct sockaddr_storage from[2];
	char buf[2][9];
	struct iovec iov[2] = { { buf[0], 1 }, { buf[1], 1 } };
	struct mmsghdr vec[2] = {
		{ .msg_hdr = { .msg_iov = &iov[0], .msg_iovlen = 1 } },
		{ .msg_hdr = { .msg_iov = &iov[1], .msg_iovlen = 1 } },
	};
	socklen_t len = sizeof(from[0]);
	int fd, peer, status;

	vsock_pair(&fd, &peer);
	if (write(peer, "abcdefgh", 8) != 8)
		die("write");
	for (int i = 0; i < 2; i++) {
		vec[i].msg_hdr.msg_name = &from[i];
		vec[i].msg_hdr.msg_namelen = sizeof(from[i]);
	}
	say("recvmmsg, no time", recvmmsg(fd, vec, 2, 0, &now));
	say("recvmmsg, a wrong one", recvmmsg(fd, vec, 2, 0, &wrong));
	say("recvmmsg, some", recvmmsg(fd, vec, 2, 0, &soon));
	say("less", soon.tv_sec < 5);
	say("recvmmsg, MSG_WAITFORONE",
	    recvmmsg(fd, vec, 2, MSG_WAITFORONE, NULL));
	say("__recvfrom_chk",
	    __recvfrom_chk(fd, buf, 1, 9, 0, (void *)&from[0], &len));
	say("len", len);
	if (fork() == 0) /* complains by itself */
		__recvfrom_chk(fd, buf, 2, 1, 0, NULL, NULL);
	wait(&status);
	say("killed by", WTERMSIG(status));
	say("write", pwritev2(fd, &iov[0], 1, -1, RWF_NOWAIT));
	say("shutdown", shutdown(fd, SHUT_WR));
	say("send", send(fd, "x", 1, MSG_NOSIGNAL));
}

static void pace_is(int fd)
{
	unsigned long long all = 0;
	unsigned some = 0;
	socklen_t len = sizeof(all), short_len = sizeof(some);

	getsockopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, &all, &len);
	getsockopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, &some, &short_len);
	printf("pace %llx %x\n", all, some);
}

static void pace(void)
{
	static const socklen_t fixed = 8;
	static const unsigned long long values[] = { 1000, 1ull << 40, -1 };
	struct {
		long long sec, usec;
	} time;
	socklen_t len = sizeof(time);
	int fd = vsock_socket(0);
	unsigned v = 77;

	pace_is(fd);
	for (int i = 0; i < 3; i++) {
		say("set", setsockopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE,
				      &values[i], sizeof(values[i])));
		pace_is(fd);
	}
	say("set", setsockopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, &v, 4));
	pace_is(fd);
	say("short", setsockopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, &v, 2));
	say("timeout", getsockopt(fd, AF_VSOCK, 8, &time, &len));
	say("seconds", (long)time.sec);
	say("length", getsockopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, &time,
				 (socklen_t *)&fixed));
}

/* A socket that was inherited by a program whose VSOCKSHIM_CID is none. */
static void without_machine(void)
{
	struct sockaddr_vm addr = vsock_addr(VMADDR_CID_LOCAL, 1234);

	say("family", family(0));
	say("bind", vsock_bind(0, 1234));
	say("connect", connect(0, (void *)&addr, sizeof(addr)));
	say("listen", listen(0, 1));
	say("sendto", sendto(9, "x", 1, 0, (void *)&addr, sizeof(addr)));
}

/* A peer that died without having read: the data, then the end. */
static void bereaved(void)
{
	struct sockaddr_storage from;
	char buf[2];
	struct iovec iov = { buf, sizeof(buf) };
	struct mmsghdr one = { .msg_hdr = { .msg_iov = &iov,
					    .msg_iovlen = 1 } };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_name = &from,
			      .msg_namelen = sizeof(from) };
	socklen_t len = sizeof(from);
	int fd = vsock_bereaved(), error = 1, file;

	say("SO_ERROR", getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len));
	say("is", error);
	for (int i = 0; i < 2; i++)
		say("recv", recv(fd, buf, 2, 0));
	fd = vsock_bereaved();
	for (int i = 0; i < 2; i++) {
		len = sizeof(from);
		say("recvfrom", recvfrom(fd, buf, 2, 0, (void *)&from, &len));
	}
	fd = vsock_bereaved();
	for (int i = 0; i < 2; i++)
		say("recvmsg", recvmsg(fd, &msg, 0));
	fd = vsock_bereaved();
	for (int i = 0; i < 2; i++) {
		say("recvmmsg", recvmmsg(fd, &one, 1, 0, NULL));
		say("len", one.msg_len);
	}
	fd = vsock_bereaved();
	for (int i = 0; i < 2; i++)
		say("readv", readv(fd, &iov, 1));
	fd = vsock_bereaved();
	for (int i = 0; i < 2; i++)
		say("preadv2", preadv2(fd, &iov, 1, -1, 0));
	fd = vsock_bereaved();
	for (int i = 0; i < 2; i++)
		say("preadv64v2", preadv64v2(fd, &iov, 1, -1, 0));
	fd = vsock_bereaved();
	for (int i = 0; i < 2; i++)
		say("__read_chk", __read_chk(fd, buf, 2, 2));
	signal(SIGPIPE, SIG_IGN);
	file = open("/proc/self/exe", O_RDONLY);
	say("sendfile", sendfile(vsock_bereaved(), file, NULL, 2));
	say("sendfile64", sendfile64(vsock_bereaved(), file, NULL, 2));
}

/* A vsock socket arrives where a socket of another kind was. */
static void passed(void)
{
	union {
		struct cmsghdr c;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { .c = { .cmsg_len = CMSG_LEN(sizeof(int)),
			     .cmsg_level = SOL_SOCKET,
			     .cmsg_type = SCM_RIGHTS } };
	struct mmsghdr one = { .msg_hdr = { .msg_control = &control,
					    .msg_controllen =
						    sizeof(control) } };
	int fd = vsock_socket(0), pair[2], there;

	socketpair(AF_UNIX, SOCK_DGRAM, 0, pair);
	there = socket(AF_UNIX, SOCK_STREAM, 0);
	syscall(SYS_close, there); /* as fclose(3) does: unseen */
	memcpy(CMSG_DATA(&control.c), &fd, sizeof(fd));
	say("sendmsg", sendmsg(pair[0], &one.msg_hdr, 0));
	say("recvmmsg", recvmmsg(pair[1], &one, 1, 0, NULL));
	memcpy(&fd, CMSG_DATA(&control.c), sizeof(fd));
	say("there", fd == there);
	say("family", family(fd));
}

/* Standard input is a socket of another kind. */
static void stranger(void)
{
	int error = 1;
	socklen_t len = sizeof(error);

	say("SO_ERROR", getsockopt(0, SOL_SOCKET, SO_ERROR, &error, &len));
	say("is", error);
	say("family", family(0));
}

/* Standard input is a datagram socket that has a peer. */
static char text[] = "hello";
static struct iovec hello = { text, 5 };

static void by_send(void)
{
	say("send", send(0, hello.iov_base, hello.iov_len, 0));
}

static void by_writev(void)
{
	say("writev", writev(0, &hello, 1));
}

static void by_pwritev2(void)
{
	say("pwritev2", pwritev2(0, &hello, 1, -1, 0));
	say("again", pwritev2(0, &hello, 1, -1, RWF_NOWAIT));
}

/* What another process set is in the socket, and its limits with it. */
static void sizes(void)
{
	static const int names[] = { SO_VM_SOCKETS_BUFFER_SIZE,
				     SO_VM_SOCKETS_BUFFER_MIN_SIZE,
				     SO_VM_SOCKETS_BUFFER_MAX_SIZE };
	unsigned long long v;
	socklen_t len = sizeof(v);

	for (int i = 0; i < 3; i++)
		if (getsockopt(0, AF_VSOCK, names[i], &v, &len) == 0)
			printf("%llu ", v);
	printf("\n");
}

static void by_pwritev64v2(void)
{
	say("pwritev64v2", pwritev64v2(0, &hello, 1, -1, 0));
}

static const struct command commands[] = {
	{ "waits", waits },
	{ "idle", idle },
	{ "again", again },
	{ "numbers", numbers },
	{ "opens", opens },
	{ "dups", dups },
	{ "messages", messages },
	{ "pace", pace },
	{ "errors", errors },
	{ "bereaved", bereaved },
	{ "sizes", sizes },
	{ "passed", passed },
	{ "stranger", stranger },
	{ "send", by_send },
	{ "writev", by_writev },
	{ "pwritev2", by_pwritev2 },
	{ "pwritev64v2", by_pwritev64v2 },
	{ "without-machine", without_machine },
	{ NULL, NULL },
};

int main(int argc, char **argv)
{
	return run_command(commands, argc > 1 ? argv[1] : NULL);
}
