/* SPDX-License-Identifier: MIT */
/* names FD...: prints both addresses of vsock sockets that it inherited. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/vm_sockets.h>

typedef int get_name(int fd, struct sockaddr *addr, socklen_t *len);

static void print(const char *what, get_name *get, int fd)
{
	struct sockaddr_storage any = { 0 };
	struct sockaddr_vm vm;
	socklen_t len = sizeof(any);

	if (get(fd, (struct sockaddr *)&any, &len)) {
		printf("%s %s", what, strerrorname_np(errno));
		return;
	}
	memcpy(&vm, &any, sizeof(vm));
	if (vm.svm_family != AF_VSOCK)
		printf("%s family %d", what, vm.svm_family);
	else
		printf("%s %u:%u", what, vm.svm_cid, vm.svm_port);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		print("local", getsockname, atoi(argv[i]));
		print(" peer", getpeername, atoi(argv[i]));
		putchar('\n');
	}
	return 0;
}
