/* SPDX-License-Identifier: MIT */
/* What the programs here that have subcommands begin with. */
#ifndef TESTS_PROG_VSOCK_H
#define TESTS_PROG_VSOCK_H

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

struct command {
	const char *name;
	void (*run)(void);
};

static inline void die(const char *what)
{
	perror(what);
	exit(1);
}

/* One line: what a call returned, or its errno. */
static inline void say(const char *what, long result)
{
	if (result < 0)
		printf("%s %s\n", what, strerrorname_np(errno));
	else
		printf("%s %ld\n", what, result);
	fflush(stdout);
}

static inline struct sockaddr_vm vsock_addr(unsigned cid, unsigned port)
{
	return (struct sockaddr_vm){
		.svm_family = AF_VSOCK,
		.svm_cid = cid,
		.svm_port = port,
	};
}

static inline int vsock_socket(int flags)
{
	int fd = socket(AF_VSOCK, SOCK_STREAM | flags, 0);

	if (fd < 0)
		die("socket");
	return fd;
}

static inline int vsock_bind(int fd, unsigned port)
{
	struct sockaddr_vm addr = vsock_addr(VMADDR_CID_ANY, port);

	return bind(fd, (struct sockaddr *)&addr, sizeof(addr));
}

static inline int vsock_connect(int fd, unsigned port)
{
	struct sockaddr_vm addr = vsock_addr(VMADDR_CID_LOCAL, port);

	return connect(fd, (struct sockaddr *)&addr, sizeof(addr));
}

static inline unsigned vsock_port(int fd)
{
	struct sockaddr_vm addr;
	socklen_t len = sizeof(addr);

	if (getsockname(fd, (struct sockaddr *)&addr, &len))
		die("getsockname");
	return addr.svm_port;
}

static inline int vsock_listen(unsigned port)
{
	int fd = vsock_socket(0);

	if (vsock_bind(fd, port) || listen(fd, 9))
		die("listen");
	return fd;
}

/* Both ends of a connection. */
static inline void vsock_pair(int *client, int *accepted)
{
	int listener = vsock_listen(VMADDR_PORT_ANY);

	*client = vsock_socket(0);
	if (vsock_connect(*client, vsock_port(listener)))
		die("connect");
	*accepted = accept(listener, NULL, NULL);
	if (*accepted < 0)
		die("accept");
	close(listener);
}

/* As vsock_pair(), and the peer has died with a byte unread. */
static inline int vsock_bereaved(void)
{
	int peer, fd;

	vsock_pair(&peer, &fd);
	if (write(peer, "ab", 2) != 2 || write(fd, "x", 1) != 1)
		die("write");
	syscall(SYS_close, peer); /* as death does: no close(2) of libc's */
	return fd;
}

static inline long milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static inline int open_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	if (!dir)
		die("opendir");
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static inline int run_command(const struct command *commands, const char *name)
{
	for (; commands->name; commands++) {
		if (name && !strcmp(name, commands->name)) {
			commands->run();
			return 0;
		}
	}
	return 2;
}

#endif
