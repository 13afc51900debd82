/* SPDX-License-Identifier: MIT */
/*
 * Memory that a program hands in. A pointer that does not hold is EFAULT to
 * the program, as from the kernel, and not a crash in our code: the kernel is
 * asked, by calls on the program's own socket @fd that can only fail or be
 * overwritten; not about the callers' stack frames, nor under a seccomp filter.
 */
#ifndef USER_H
#define USER_H

#include <stdbool.h>
#include <sys/socket.h>

bool user_readable(int fd, const void *p, size_t n);

/* The bytes that @msg, whose iovec is known to be readable, has room for; of
 * more than there can be, SSIZE_MAX. */
size_t user_iov_bytes(const struct msghdr *msg);

/* Spoils the first and the last byte. */
bool user_writable(int fd, void *p, size_t n);

/* Reads the value-result length behind @len: 0, -EFAULT, or -EINVAL if < 0. */
int user_room(int fd, socklen_t *len, socklen_t *ret);

/*
 * Gives an address out as the kernel does (move_addr_to_user()): as much as
 * there is room, and its full length. 0, -EFAULT, -EINVAL.
 */
int user_put_addr(int fd, void *addr, socklen_t *len, const void *from,
		  socklen_t size);

/* A socket option (sk_getsockopt()): as much as there is room, and that. */
int user_put_option(int fd, void *val, socklen_t *len, const void *from,
		    socklen_t size);

#endif
