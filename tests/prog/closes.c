/* SPDX-License-Identifier: MIT */
/*
 * closes HOW PORT: listens on PORT, lets go of the socket in the way HOW, which
 * no close() of this program's own is part of, and prints what a second bind
 * of the same port says, and what the number of the old descriptor is now.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int try_bind(int fd, unsigned port)
{
	struct sockaddr_vm addr = {
		.svm_family = AF_VSOCK,
		.svm_cid = VMADDR_CID_ANY,
		.svm_port = port,
	};

	return bind(fd, (struct sockaddr *)&addr, sizeof(addr));
}

static void with_close(int fd)
{
	close(fd);
}

static void with_fclose(int fd)
{
	fclose(fdopen(fd, "r+"));
}

static void with_close_range(int fd)
{
	close_range((unsigned)fd, ~0U, 0);
}

static void with_closefrom(int fd)
{
	closefrom(fd);
}

static void with_syscall(int fd)
{
	syscall(SYS_close, fd);
}

static void with_dup2(int fd)
{
	int tcp = socket(AF_INET, SOCK_STREAM, 0);

	dup2(tcp, fd);
	close(tcp);
}

static void with_dup3(int fd)
{
	int null = open("/dev/null", O_RDWR);

	dup3(null, fd, O_CLOEXEC);
	close(null);
}

static const struct {
	const char *name;
	void (*let_go)(int fd);
} ways[] = {
	{ "close", with_close },
	{ "fclose", with_fclose },
	{ "close_range", with_close_range },
	{ "closefrom", with_closefrom },
	{ "syscall", with_syscall },
	{ "dup2", with_dup2 },
	{ "dup3", with_dup3 },
};

/* What sits on the number now, in the words of getsockname. */
static void print_old(int fd)
{
	struct sockaddr_storage name = { 0 };
	socklen_t len = sizeof(name);

	if (getsockname(fd, (struct sockaddr *)&name, &len))
		printf("old %s\n", strerrorname_np(errno));
	else
		printf("old family %d length %u\n", name.ss_family, len);
}

int main(int argc, char **argv)
{
	unsigned port = argc > 2 ? (unsigned)atoi(argv[2]) : 0;
	int again, fd = socket(AF_VSOCK, SOCK_STREAM, 0);

	if (fd < 0)
		die("socket");
	if (try_bind(fd, port) || listen(fd, 1))
		die("listen");
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		if (argc > 1 && !strcmp(argv[1], ways[i].name))
			ways[i].let_go(fd);
	print_old(fd);
	again = socket(AF_VSOCK, SOCK_STREAM, 0);
	printf("bind %s\n",
	       try_bind(again, port) ? strerrorname_np(errno) : "ok");
	return 0;
}
