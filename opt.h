/* SPDX-License-Identifier: MIT */
/*
 * Socket options and ioctls of an emulated socket, where AF_UNIX answers
 * otherwise than AF_VSOCK. Each returns 0 or -errno, or SOCK_FOREIGN if the
 * call is to go on to libc: not ours, or answered alike.
 */
#ifndef OPT_H
#define OPT_H

#include <stdbool.h>
#include <sys/socket.h>

/* May AF_VSOCK answer this option otherwise? Else there is nothing to ask. */
bool opt_differs(int level, int name);

/* vsock_connectible_getsockopt(), vsock_connectible_setsockopt() */
int opt_get(int fd, int level, int name, void *val, socklen_t *len);
int opt_set(int fd, int level, int name, const void *val, socklen_t len);

/* May AF_VSOCK answer this request otherwise? */
bool opt_ioctl_differs(unsigned long request);

/* vsock_do_ioctl() */
int opt_ioctl(int fd, unsigned long request, void *arg);

#endif
