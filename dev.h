/* SPDX-License-Identifier: MIT */
/*
 * /dev/vsock: to its program a character device, below an AF_UNIX socket that
 * is tagged, so that it too survives dup, fork and exec.
 */
#ifndef DEV_H
#define DEV_H

#include <stdbool.h>

bool dev_is_path(const char *path);

/* Is there one? Not on a kernel without vsock. */
bool dev_exists(void);

/* Is @fd open on it? */
bool dev_is_open(int fd);

/* A descriptor, or -errno; -ENOENT as on a kernel without vsock. */
int dev_open(int flags);

/*
 * ioctl(IOCTL_VM_SOCKETS_GET_LOCAL_CID): stores the machine's CID. 0, -EFAULT,
 * or SOCK_FOREIGN if @fd is not the device (vsock_dev_do_ioctl()).
 */
int dev_local_cid(int fd, void *ret);

#endif
