/* SPDX-License-Identifier: MIT */
/* moves CID PORT FILE: connects and sends FILE, by each of the ways that there
 * are; prints their names. */
#include "vsock.h"

#include <fcntl.h>
#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>

#define RW (PROT_READ | PROT_WRITE)

static int sock, file;
static char *data;
static size_t size;

static ssize_t by_write(size_t at)
{
	return write(sock, data + at, size - at);
}

static ssize_t by_writev(size_t at)
{
	struct iovec iov[2] = { { data + at, 1 },
				{ data + at + 1, size - at - 1 } };

	return writev(sock, iov, 2);
}

static ssize_t by_send(size_t at)
{
	return send(sock, data + at, size - at, 0);
}

static ssize_t by_sendmsg(size_t at)
{
	struct iovec iov = { data + at, size - at };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	return sendmsg(sock, &msg, 0);
}

static ssize_t by_sendfile(size_t at)
{
	off_t offset = (off_t)at;

	return sendfile(sock, file, &offset, size - at);
}

static ssize_t by_splice(size_t at)
{
	loff_t offset = (loff_t)at;
	ssize_t n, moved = 0;
	int fds[2];

	if (pipe(fds) < 0)
		return -1;
	n = splice(file, &offset, fds[1], NULL, size - at, 0);
	while (moved < n)
		moved += splice(fds[0], NULL, sock, NULL, (size_t)(n - moved),
				0);
	close(fds[0]);
	close(fds[1]);
	return n;
}

static void *map(int fd, size_t len, int rights, off_t what)
{
	void *p = mmap(NULL, len, rights, MAP_SHARED | MAP_POPULATE, fd, what);

	if (p == MAP_FAILED)
		die("mmap");
	return p;
}

static ssize_t by_io_uring(size_t at)
{
	struct io_uring_params p = { .flags = 0 };
	int ring = (int)syscall(SYS_io_uring_setup, 1, &p);
	struct io_uring_sqe *sqe;
	struct io_uring_cqe *cqe;
	char *sq, *cq;
	ssize_t n;

	if (ring < 0)
		die("io_uring_setup");
	sq = map(ring, p.sq_off.array + sizeof(unsigned), RW,
		 IORING_OFF_SQ_RING);
	cq = map(ring, p.cq_off.cqes + p.cq_entries * sizeof(*cqe), RW,
		 IORING_OFF_CQ_RING);
	sqe = map(ring, sizeof(*sqe), RW, IORING_OFF_SQES);
	*sqe = (struct io_uring_sqe){ .opcode = IORING_OP_SEND,
				      .fd = sock,
				      .addr = (unsigned long)(data + at),
				      .len = (unsigned)(size - at) };
	*(unsigned *)(sq + p.sq_off.array) = 0;
	__atomic_store_n((unsigned *)(sq + p.sq_off.tail), 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS,
		    NULL, 0) < 0)
		die("io_uring_enter");
	cqe = (struct io_uring_cqe *)(cq + p.cq_off.cqes);
	n = cqe->res;
	close(ring);
	if (n < 0)
		errno = (int)-n;
	return n;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		ssize_t (*move)(size_t at);
	} ways[] = { { "write", by_write },	  { "writev", by_writev },
		     { "send", by_send },	  { "sendmsg", by_sendmsg },
		     { "sendfile", by_sendfile }, { "splice", by_splice },
		     { "io_uring", by_io_uring } };
	struct sockaddr_vm to;
	struct stat st;
	ssize_t n;

	if (argc != 4)
		return 2;
	to = vsock_addr((unsigned)atoi(argv[1]), (unsigned)atoi(argv[2]));
	sock = vsock_socket(0);
	file = open(argv[3], O_RDONLY);
	if (file < 0 || fstat(file, &st) < 0)
		die(argv[3]);
	size = (size_t)st.st_size;
	data = map(file, size, PROT_READ, 0);
	if (connect(sock, (struct sockaddr *)&to, sizeof(to)) < 0)
		die("connect");
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		for (size_t at = 0; at < size; at += (size_t)n) {
			n = ways[i].move(at);
			if (n <= 0)
				die(ways[i].name);
		}
		puts(ways[i].name);
	}
	return 0;
}
