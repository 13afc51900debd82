/* SPDX-License-Identifier: MIT */
/*
 * NETLINK_SOCK_DIAG for AF_VSOCK, as ss(8) asks for it: the sockets of this
 * machine (net/vmw_vsock/diag.c).
 *
 * A request never gets to the kernel's own vsock. It becomes one for AF_UNIX's
 * sockets, so that the kernel answers on the program's own descriptor: part by
 * part, and poll, epoll and a blocking receive are as ever. What is received is
 * made AF_VSOCK's, message by message; a part in which nothing is left is not
 * shown. Which request that was is kept in the netlink socket, as the tag of
 * ident.h is in others.
 */
#ifndef VDIAG_H
#define VDIAG_H

#include "hint.h"

#include <sys/socket.h>

/* Sends @msg on @fd, if that is such a request. What the call does, or -errno;
 * SOCK_FOREIGN: it is none, and nothing was done. */
ssize_t vdiag_send(int fd, const struct msghdr *msg, int flags);

/* Is there a request that was not answered to its end? */
static inline bool vdiag_asked(int fd)
{
	return gate_is_open(GATE_DIAG) && hint_get(fd) & HINT_ASKED;
}

/* Receives on @fd, then. The same. */
ssize_t vdiag_receive(int fd, struct msghdr *msg, int flags);

#endif
