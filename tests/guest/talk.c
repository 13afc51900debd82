/* SPDX-License-Identifier: MIT */
/* clang-format off */
/*
 * A plain AF_VSOCK program, which runs on the kernel's vsock and under the shim
 * alike. Prints what went wrong, and exits with 1.
 *
 *	talk sink TYPE PORT BYTES	accepts one, and checks what it sends
 *	talk source TYPE CID PORT BYTES	connects, says so, and sends that
 *	talk echo TYPE PORT N		echoes to N connections at once
 *	talk many TYPE CID PORT N	has N connections at once, each gets its echo
 *	talk many TYPE CID PORT N full	and prints how one more fails
 *	talk round TYPE CID PORT N	N round trips of 64 bytes, timed
 *	talk errno TYPE CID PORT	how connect(2) fails, by its name
 *	talk poll TYPE CID PORT		the same of a non-blocking one, by poll(2)
 *	talk eor PORT			accepts one; the sizes of its messages
 *	talk send-eor CID PORT		sends such
 *
 * Who accepts says first that he is listening. TYPE is stream or seqpacket.
 */
/* clang-format on */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#define CHUNK 65536u
#define MAX   1024

static int fail(const char *what)
{
	printf("talk: %s: %s\n", what, strerrorname_np(errno));
	exit(1);
}

static int type;

static struct sockaddr_vm address(const char *cid, const char *port)
{
	struct sockaddr_vm a = { .svm_family = AF_VSOCK };

	a.svm_cid = (unsigned int)strtoul(cid, NULL, 10);
	a.svm_port = (unsigned int)strtoul(port, NULL, 10);
	return a;
}

static int listen_on(const char *port, int backlog)
{
	struct sockaddr_vm a = address("4294967295", port);
	int fd = socket(AF_VSOCK, type, 0);

	if (fd < 0 || bind(fd, (void *)&a, sizeof(a)) < 0 ||
	    listen(fd, backlog) < 0)
		fail("listen");
	puts("listening");
	return fd;
}

static int connect_to(const char *cid, const char *port, int flags)
{
	struct sockaddr_vm a = address(cid, port);
	int fd = socket(AF_VSOCK, type | flags, 0);

	if (fd < 0)
		fail("socket");
	if (connect(fd, (void *)&a, sizeof(a)) < 0 && errno != EINPROGRESS) {
		close(fd);
		return -1;
	}
	return fd;
}

/* What comes at @at, in words of eight bytes. */
static void fill(uint64_t *buf, uint64_t at)
{
	for (uint64_t i = 0; i < CHUNK / 8; i++)
		buf[i] = (at / 8 + i) * UINT64_C(0x9e3779b97f4a7c15);
}

static uint64_t have[CHUNK / 8], want[CHUNK / 8];

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int sink(const char *port, uint64_t bytes)
{
	struct sockaddr_vm peer = { 0 };
	socklen_t len = sizeof(peer);
	int l = listen_on(port, 1), fd = accept(l, (void *)&peer, &len);
	double begin = seconds();
	uint64_t at = 0;
	size_t n = 0;
	ssize_t r;

	if (fd < 0)
		fail("accept");
	printf("accepted from CID %u\n", peer.svm_cid);
	while ((r = read(fd, (char *)have + n, CHUNK - n)) > 0) {
		n += (size_t)r;
		if (n < CHUNK && at + n < bytes)
			continue;
		fill(want, at);
		if (memcmp(have, want, n) != 0) {
			printf("talk: other bytes than were sent, near %llu\n",
			       (unsigned long long)at);
			return 1;
		}
		at += n;
		n = 0;
	}
	if (r < 0)
		fail("read");
	if (at != bytes)
		printf("talk: %llu bytes came\n", (unsigned long long)at);
	printf("%.1f MiB/s\n", (double)at / 1048576 / (seconds() - begin));
	return at != bytes;
}

static int source(const char *cid, const char *port, uint64_t bytes)
{
	int fd = connect_to(cid, port, 0);

	if (fd < 0)
		fail("connect");
	puts("connected");
	for (uint64_t at = 0; at < bytes; at += CHUNK) {
		size_t n = bytes - at < CHUNK ? bytes - at : CHUNK;

		fill(have, at);
		for (size_t done = 0; done < n;) {
			ssize_t r = write(fd, (char *)have + done, n - done);

			if (r < 0)
				fail("write");
			done += (size_t)r;
		}
	}
	return 0;
}

static int echo(const char *port, int n)
{
	struct pollfd p[MAX];
	int l = listen_on(port, n), ended = 0;

	for (int i = 0; i < n; i++) {
		p[i] = (struct pollfd){ accept(l, NULL, NULL), POLLIN, 0 };
		if (p[i].fd < 0)
			fail("accept");
	}
	while (ended < n) {
		if (poll(p, (nfds_t)n, -1) < 0)
			fail("poll");
		for (int i = 0; i < n; i++) {
			char buf[1000];
			ssize_t r;

			if (!p[i].revents)
				continue;
			r = read(p[i].fd, buf, sizeof(buf));
			if (r < 0 ||
			    (r > 0 && write(p[i].fd, buf, (size_t)r) != r))
				fail("echo");
			if (r > 0)
				continue;
			close(p[i].fd);
			p[i].fd = -1;
			ended++;
		}
	}
	return 0;
}

/* @full: there is no room for one more. */
static int many(const char *cid, const char *port, int n, bool full)
{
	char word[32], got[32];
	int fds[MAX];

	for (int i = 0; i < n; i++) {
		fds[i] = connect_to(cid, port, 0);
		if (fds[i] < 0)
			fail("connect");
	}
	if (full && connect_to(cid, port, 0) < 0)
		puts(strerrorname_np(errno));
	for (int i = 0; i < n; i++) {
		snprintf(word, sizeof(word), "I am %d", i);
		if (write(fds[i], word, strlen(word)) < 0)
			fail("write");
	}
	for (int i = 0; i < n; i++) {
		ssize_t r = read(fds[i], got, sizeof(got));

		snprintf(word, sizeof(word), "I am %d", i);
		if (r != (ssize_t)strlen(word) ||
		    memcmp(got, word, (size_t)r)) {
			printf("talk: %d gets another's echo\n", i);
			return 1;
		}
	}
	return 0;
}

static int rounds(const char *cid, const char *port, int n)
{
	int fd = connect_to(cid, port, 0);
	double begin = seconds();
	char buf[64] = "";

	if (fd < 0)
		fail("connect");
	for (int i = 0; i < n; i++)
		if (write(fd, buf, sizeof(buf)) != sizeof(buf) ||
		    read(fd, buf, sizeof(buf)) != sizeof(buf))
			fail("round");
	printf("%.1f us a round trip\n", (seconds() - begin) / n * 1e6);
	return 0;
}

static int how_it_fails(const char *cid, const char *port)
{
	struct sockaddr_vm a = address(cid, port);
	int fd = socket(AF_VSOCK, type, 0);

	if (connect(fd, (void *)&a, sizeof(a)) == 0)
		puts("connected");
	else
		puts(strerrorname_np(errno));
	return 0;
}

static int by_poll(const char *cid, const char *port)
{
	int fd = connect_to(cid, port, SOCK_NONBLOCK), error;
	struct pollfd p = { fd, POLLOUT, 0 };
	socklen_t len = sizeof(error);

	if (fd < 0)
		fail("connect");
	if (poll(&p, 1, 5000) != 1)
		fail("poll");
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
	printf("EINPROGRESS, %s\n",
	       error ? strerrorname_np(error) : "connected");
	return 0;
}

static int eor(const char *port)
{
	int l = listen_on(port, 1), fd = accept(l, NULL, NULL);
	struct iovec iov = { have, CHUNK };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t r;

	while ((r = recvmsg(fd, &msg, 0)) > 0)
		printf("%zd%s ", r, msg.msg_flags & MSG_EOR ? " EOR" : "");
	puts("");
	return r != 0;
}

static int send_eor(const char *cid, const char *port)
{
	int fd = connect_to(cid, port, 0);

	if (fd < 0)
		fail("connect");
	if (send(fd, have, 10, 0) != 10 || send(fd, have, 20, MSG_EOR) != 20 ||
	    send(fd, have, 30, 0) != 30)
		fail("send");
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "";

	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdout, NULL, _IOLBF, 0);
	type = SOCK_SEQPACKET;
	if (strcmp(what, "eor") == 0)
		return eor(argv[2]);
	if (strcmp(what, "send-eor") == 0 && argc > 3)
		return send_eor(argv[2], argv[3]);
	if (argc > 2 && strcmp(argv[2], "stream") == 0)
		type = SOCK_STREAM;
	if (strcmp(what, "sink") == 0 && argc > 4)
		return sink(argv[3], strtoull(argv[4], NULL, 10));
	if (strcmp(what, "source") == 0 && argc > 5)
		return source(argv[3], argv[4], strtoull(argv[5], NULL, 10));
	if (strcmp(what, "echo") == 0 && argc > 4)
		return echo(argv[3], atoi(argv[4]));
	if (strcmp(what, "many") == 0 && argc > 5)
		return many(argv[3], argv[4], atoi(argv[5]), argc > 6);
	if (strcmp(what, "round") == 0 && argc > 5)
		return rounds(argv[3], argv[4], atoi(argv[5]));
	if (strcmp(what, "errno") == 0 && argc > 4)
		return how_it_fails(argv[3], argv[4]);
	if (strcmp(what, "poll") == 0 && argc > 4)
		return by_poll(argv[3], argv[4]);
	fputs("talk: see its source\n", stderr);
	return 2;
}
