/* SPDX-License-Identifier: MIT */
/* upper PORT: answers who connects to that vsock port with what he sends, in
 * upper case. Plain AF_VSOCK: it knows nothing of vsockshim. */
#include <ctype.h>
#include <linux/vm_sockets.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void serve(int fd)
{
	char buf[4096];
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		for (ssize_t i = 0; i < n; i++)
			buf[i] = (char)toupper((unsigned char)buf[i]);
		if (write(fd, buf, (size_t)n) != n)
			break;
	}
	close(fd);
}

int main(int argc, char **argv)
{
	struct sockaddr_vm vm = { .svm_family = AF_VSOCK,
				  .svm_cid = VMADDR_CID_ANY };
	int listener = socket(AF_VSOCK, SOCK_STREAM, 0), fd;

	vm.svm_port = argc > 1 ? (unsigned int)atoi(argv[1]) : 1234;
	if (listener < 0 ||
	    bind(listener, (struct sockaddr *)&vm, sizeof(vm)) < 0 ||
	    listen(listener, 16) < 0) {
		perror("upper");
		return 1;
	}
	while ((fd = accept(listener, NULL, NULL)) >= 0)
		serve(fd);
	perror("accept");
	return 1;
}
