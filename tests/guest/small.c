/* SPDX-License-Identifier: MIT */
/*
 * A plain AF_VSOCK program: many small messages to one who reads late. A
 * receiver's kernel may say nothing of what was read while its buffer has room
 *for many bytes, and may reset who has too many packets in it.
 *
 *	small sink TYPE PORT N		accepts one, and checks its N messages
 *	small source TYPE CID PORT N	connects, and sends them
 */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

static int fail(const char *what)
{
	printf("small: %s: %s\n", what, strerrorname_np(errno));
	return 1;
}

static int sink(int fd, uint32_t n)
{
	uint32_t got;

	/* The sender has filled what there is by now, or the test is weaker. */
	poll(NULL, 0, 500);
	for (uint32_t i = 0; i < n; i++) {
		if (recv(fd, &got, sizeof(got), MSG_WAITALL) != sizeof(got))
			return fail("recv");
		if (got != i) {
			printf("small: %u came for %u\n", got, i);
			return 1;
		}
	}
	return recv(fd, &got, 1, 0) == 0 ? 0 : fail("end");
}

static int source(int fd, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (send(fd, &i, sizeof(i), 0) != sizeof(i))
			return fail("send");
	return 0;
}

int main(int argc, char **argv)
{
	bool sinks = argc == 5 && strcmp(argv[1], "sink") == 0;
	struct sockaddr_vm a = { .svm_family = AF_VSOCK };
	uint32_t n;
	int fd;

	if (!sinks && argc != 6)
		return 2;
	fd = socket(AF_VSOCK,
		    strcmp(argv[2], "stream") == 0 ? SOCK_STREAM
						   : SOCK_SEQPACKET,
		    0);
	a.svm_cid = sinks ? VMADDR_CID_ANY
			  : (unsigned int)strtoul(argv[3], NULL, 10);
	a.svm_port = (unsigned int)strtoul(argv[sinks ? 3 : 4], NULL, 10);
	n = (uint32_t)strtoul(argv[sinks ? 4 : 5], NULL, 10);
	if (!sinks)
		return connect(fd, (void *)&a, sizeof(a)) < 0 ? fail("connect")
							      : source(fd, n);
	if (bind(fd, (void *)&a, sizeof(a)) < 0 || listen(fd, 1) < 0)
		return fail("listen");
	puts("listening");
	fflush(stdout);
	fd = accept(fd, NULL, NULL);
	return fd < 0 ? fail("accept") : sink(fd, n);
}
