/* SPDX-License-Identifier: MIT */
/*
 * SOCK_DGRAM as vsock(7) describes it: connectionless, best effort. No virtio
 * kernel has it; where vsock(7) is silent, it does what net/vmw_vsock does with
 * the one transport that has (vsock_dgram_sendmsg() and its kin), and a full
 * queue drops, as everywhere.
 *
 * Every such socket that has sent is bound to a path, as it may be answered.
 * The default peer of connect(2) is kept in the socket, as the kernel's own
 * would keep only a peer that is there, and go with it.
 *
 * All return what the call does, or -errno.
 */
#ifndef DGRAM_H
#define DGRAM_H

#include "core/addr.h"
#include "ident.h"

#include <sys/un.h>

/* connect(2) to the @len bytes of address in @to: vsock_dgram_connect() */
int dgram_connect(int fd, const struct ident *id, const struct sockaddr_vm *to,
		  socklen_t len);

/* The default peer in *@ret; false if there is none. */
bool dgram_peer(int fd, const struct ident *id, struct sockaddr_vm *ret);

/*
 * Need a send of @msg not look at the tag? This process has bound the socket
 * and not shut it down, and @msg says where to: what else there is to know is
 * in the kernel's answer. Not true of a hint that is wrong, so an error must be
 * looked into.
 */
bool dgram_told(int fd, const struct msghdr *msg);

/* Sends @msg, whose parts but the data are known to be readable. Never waits.
 */
ssize_t dgram_send(int fd, const struct ident *id, const struct msghdr *msg,
		   int flags);

/* The sender that recvfrom(2) names @un. */
struct sockaddr_vm dgram_source(const struct sockaddr_un *un, socklen_t len);

#endif
