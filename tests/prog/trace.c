/* SPDX-License-Identifier: MIT */
/*
 * trace WHAT: calls of one category of VSOCKSHIM_DEBUG, always the same, on
 * descriptors that are always the same; or of many threads.
 */
#include "vsock.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include <linux/sockios.h>

static struct sockaddr_vm addr, peer;
static socklen_t len = sizeof(addr);
static char buf[64];

/* 3 listens on port 1234; 4 is connected to 5, from port 5678. */
static void pair(int type)
{
	int fd = socket(AF_VSOCK, type, 0), client;

	addr = vsock_addr(VMADDR_CID_ANY, 1234);
	if (bind(fd, (struct sockaddr *)&addr, len) || listen(fd, 9))
		die("listen");
	client = socket(AF_VSOCK, type, 0);
	addr = vsock_addr(VMADDR_CID_LOCAL, 5678);
	bind(client, (struct sockaddr *)&addr, len);
	addr = vsock_addr(VMADDR_CID_LOCAL, 1234);
	if (connect(client, (struct sockaddr *)&addr, len))
		die("connect");
	if (accept(fd, (struct sockaddr *)&peer, &len) != 5)
		die("accept");
}

static void sockets(void)
{
	int fds[2];

	pair(SOCK_STREAM);
	connect(4, (struct sockaddr *)&addr, len);
	getsockname(3, (struct sockaddr *)&peer, &len);
	getpeername(4, (struct sockaddr *)&peer, &len);
	getpeername(3, (struct sockaddr *)&peer, &len);
	shutdown(4, SHUT_WR);
	shutdown(4, 7);
	dup(4);
	dup2(4, 6);
	dup3(4, 6, O_CLOEXEC);
	close(6);
	close(5);
	close(4);
	bind(3, (struct sockaddr *)&addr, len);
	fcntl(3, F_SETFL, O_NONBLOCK);
	accept4(3, NULL, NULL, SOCK_CLOEXEC);
	socket(AF_VSOCK, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	addr.svm_port = 999;
	connect(4, (struct sockaddr *)&addr, len);
	addr.svm_cid = 77;
	addr.svm_port = VMADDR_PORT_ANY;
	addr.svm_family = AF_INET;
	connect(4, (struct sockaddr *)&addr, len);
	connect(4, (struct sockaddr *)&addr, 4);
	connect(4, NULL, len);
	connect(4, (struct sockaddr *)16, len);
	socket(AF_VSOCK, SOCK_RAW, 7);
	socketpair(AF_VSOCK, SOCK_STREAM, 0, fds);
	close(open("/dev/vsock", O_RDONLY | O_CLOEXEC));
	/* Not ours: no line. */
	socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
	dup(fds[0]);
	shutdown(fds[0], SHUT_RDWR);
	close(fds[0]);
}

static void data(void)
{
	struct iovec iov = { buf, 3 };
	struct mmsghdr many[2] = { 0 };
	int fd, fds[2];

	pair(SOCK_STREAM);
	many[0].msg_hdr = many[1].msg_hdr =
		(struct msghdr){ .msg_iov = &iov, .msg_iovlen = 1 };
	write(4, buf, 6);
	read(5, buf, 4);
	read(5, buf, sizeof(buf));
	writev(4, &iov, 1);
	readv(5, &iov, 1);
	pwritev2(4, &iov, 1, -1, 0);
	preadv2(5, &iov, 1, -1, 0);
	send(4, buf, 3, MSG_NOSIGNAL | MSG_MORE);
	recv(5, buf, 3, MSG_PEEK | 0x200); /* which has no name */
	recvfrom(5, buf, 3, MSG_WAITALL, NULL, NULL);
	recv(5, buf, 3, MSG_DONTWAIT);
	sendmsg(4, &many[0].msg_hdr, 0);
	recvmsg(5, &many[0].msg_hdr, 0);
	sendmmsg(4, many, 2, 0);
	recvmmsg(5, many, 2, MSG_WAITFORONE, NULL);
	sendto(4, buf, 3, 0, (struct sockaddr *)&addr, len);
	pipe(fds);
	write(fds[1], buf, 5);
	splice(fds[0], NULL, 4, NULL, 5, 0);
	splice(5, NULL, fds[1], NULL, 5, 0);
	fd = open("/proc/self/exe", O_RDONLY);
	sendfile(4, fd, NULL, 8);
	shutdown(4, SHUT_WR);
	send(4, buf, 1, MSG_NOSIGNAL);
	read(5, buf, 8);
	read(5, buf, 8);
	/* A datagram: to and from an address. */
	fd = socket(AF_VSOCK, SOCK_DGRAM, 0);
	addr = vsock_addr(VMADDR_CID_LOCAL, 9999);
	bind(fd, (struct sockaddr *)&addr, len);
	sendto(fd, buf, 2, 0, (struct sockaddr *)&addr, len);
	recvfrom(fd, buf, 8, 0, (struct sockaddr *)&peer, &len);
}

static void options(void)
{
	struct timeval tv = { 1, 500000 };
	int v = 1, fd, some[2] = { 1, 500000 };
	uint64_t size = 65536;
	socklen_t n;

	pair(SOCK_SEQPACKET);
	setsockopt(4, AF_VSOCK, SO_VM_SOCKETS_BUFFER_SIZE, &size, sizeof(size));
	n = sizeof(size);
	getsockopt(4, AF_VSOCK, SO_VM_SOCKETS_BUFFER_SIZE, &size, &n);
	setsockopt(4, AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT, &tv, sizeof(tv));
	setsockopt(4, AF_VSOCK, 99, &v, sizeof(v));
	setsockopt(4, AF_VSOCK, SO_VM_SOCKETS_BUFFER_SIZE, &v, sizeof(v));
	setsockopt(4, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(4, SOL_SOCKET, 66, some, sizeof(some)); /* too short */
	setsockopt(4, SOL_SOCKET, SO_REUSEADDR, &v, sizeof(v));
	setsockopt(4, SOL_SOCKET, SO_REUSEADDR, (void *)16, sizeof(v));
	n = sizeof(v);
	getsockopt(4, SOL_SOCKET, SO_ERROR, &v, &n);
	getsockopt(4, SOL_SOCKET, SO_TYPE, &v, &n);
	getsockopt(4, 6, 1, &v, &n);
	fcntl(4, F_SETFD, FD_CLOEXEC);
	fcntl(4, F_GETFD);
	fcntl(4, F_SETFL, O_NONBLOCK);
	fcntl(4, F_GETFL);
	write(4, buf, 5);
	ioctl(5, FIONREAD, &v);
	ioctl(4, SIOCOUTQ, &v);
	ioctl(4, SIOCGPGRP, &v);
	ioctl(4, IOCTL_VM_SOCKETS_GET_LOCAL_CID, &v);
	fd = open("/dev/vsock", O_RDONLY);
	ioctl(fd, IOCTL_VM_SOCKETS_GET_LOCAL_CID, &v);
	/* What a connect that failed leaves. */
	fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_NONBLOCK, 0);
	addr.svm_port = 1;
	connect(fd, (struct sockaddr *)&addr, len);
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &v, &n);
}

static void waits(void)
{
	struct pollfd fds[] = { { 4, POLLIN | POLLOUT, 0 },
				{ 0, POLLIN, 0 },
				{ 5, POLLIN, 0 } };
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET, .data.u32 = 9 };
	struct timespec ts = { 0, 1000000 };
	struct timeval tv = { 0, 0 };
	struct epoll_event other = { .events = EPOLLOUT, .data.u32 = 8 },
			   two[2];
	int epfd = epoll_create1(0), plain[2];
	fd_set in, out;

	/* It comes first, and is 3. */
	dup2(epfd, 9);
	close(epfd);
	pair(SOCK_STREAM);
	poll(fds, 3, 0);
	poll(fds + 1, 1, 0); /* not ours: no line */
	poll(fds + 2, 1, 0);
	ppoll(fds + 2, 1, &ts, NULL);
	FD_ZERO(&in);
	FD_SET(5, &in);
	FD_SET(0, &in);
	FD_ZERO(&out);
	FD_SET(4, &out);
	select(6, &in, &out, NULL, &tv);
	epoll_ctl(9, EPOLL_CTL_ADD, 5, &ev);
	epoll_ctl(9, EPOLL_CTL_ADD, 5, &ev);
	write(4, buf, 1);
	epoll_wait(9, &ev, 1, -1);
	FD_SET(5, &in);
	pselect(6, &in, NULL, NULL, &ts, NULL);
	close(4);
	epoll_pwait(9, &ev, 1, -1, NULL);
	poll(fds + 2, 1, -1);
	ppoll(fds + 2, 1, NULL, NULL);
	/* With one that is not ours. */
	pipe(plain);
	epoll_ctl(9, EPOLL_CTL_ADD, plain[1], &other);
	ev.events = EPOLLIN;
	epoll_ctl(9, EPOLL_CTL_MOD, 5, &ev);
	epoll_pwait2(9, two, 2, NULL, NULL);
	epoll_ctl(9, EPOLL_CTL_DEL, 5, NULL);
}

#define MANY 100

/* More than a line has room for. */
static void long_lists(void)
{
	struct epoll_event ev = { .events = EPOLLIN }, got[MANY];
	struct pollfd fds[MANY];
	int epfd = epoll_create1(0);
	struct timeval tv = { 0, 0 };
	fd_set in;

	dup2(epfd, 9);
	close(epfd);
	pair(SOCK_STREAM);
	FD_ZERO(&in);
	write(4, buf, 1);
	for (int i = 0; i < MANY; i++) {
		fds[i] = (struct pollfd){ dup2(5, 100 + i), POLLIN, 0 };
		FD_SET(fds[i].fd, &in);
		ev.data.fd = fds[i].fd;
		epoll_ctl(9, EPOLL_CTL_ADD, fds[i].fd, &ev);
	}
	poll(fds, MANY, 0);
	select(100 + MANY, &in, NULL, NULL, &tv);
	epoll_wait(9, got, MANY, 0);
}

static void *ask(void *arg)
{
	struct sockaddr_vm own;
	socklen_t n = sizeof(own);
	int fd = *(int *)arg;

	for (int i = 0; i < 100; i++)
		getsockname(fd, (struct sockaddr *)&own, &n);
	return NULL;
}

/* Four processes of eight threads: 3,200 calls. */
static void many(void)
{
	int fd = vsock_socket(0);
	pthread_t threads[8];

	fork();
	fork();
	for (int i = 0; i < 8; i++)
		if (pthread_create(&threads[i], NULL, ask, &fd))
			die("pthread_create");
	for (int i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
	while (wait(NULL) > 0)
		;
}

static const struct command commands[] = {
	{ "socket", sockets }, { "data", data },       { "option", options },
	{ "poll", waits },     { "long", long_lists }, { "many", many },
	{ NULL, NULL },
};

int main(int argc, char **argv)
{
	close_range(3, ~0U, 0);
	return run_command(commands, argc > 1 ? argv[1] : NULL);
}
