/* SPDX-License-Identifier: MIT */
/*
 * What the programs under test are linked with where they are 32-bit ones of
 * x86: socket() and socketpair() by the system calls of these names. libc's go
 * through socketcall(2), in which the guard cannot see what they ask for. Not
 * by libc's syscall() either, which is ours when we are preloaded.
 */
#include <errno.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#ifdef __i386__
static int call(int nr, int a, int b, int c, int *d)
{
	int r;

	__asm__ volatile("int $0x80"
			 : "=a"(r)
			 : "a"(nr), "b"(a), "c"(b), "d"(c), "S"(d)
			 : "memory");
	if (r >= 0)
		return r;
	errno = -r;
	return -1;
}

int socket(int domain, int type, int protocol)
{
	return call(SYS_socket, domain, type, protocol, NULL);
}

int socketpair(int domain, int type, int protocol, int fds[2])
{
	return call(SYS_socketpair, domain, type, protocol, fds);
}
#endif
