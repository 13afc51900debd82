/* SPDX-License-Identifier: MIT */
/*
 * One emulated socket: what the calls of shim.c mean on it. Each function
 * returns what the call does, or -errno as the kernel's function named with it
 * would give; SOCK_FOREIGN if @fd is none of ours, and nothing was done.
 */
#ifndef SOCK_H
#define SOCK_H

#include "core/addr.h"
#include "ident.h"
#include "vsock_table.h"

#include <sys/un.h>

#define SOCK_FOREIGN (-4096)

/* socket(AF_VSOCK): __sock_create() and vsock_create() */
int sock_socket(int type, int protocol);
/* bind(2): vsock_bind() */
int sock_bind(int fd, const void *addr, socklen_t len);
/* The same to a path of the own machine: __vsock_bind() */
int sock_bind_to(int fd, const struct ident *id, const struct vaddr *want);
/* listen(2): vsock_listen() */
int sock_listen(int fd, int backlog);
/* connect(2): vsock_connect() */
int sock_connect(int fd, const void *addr, socklen_t len);

/*
 * @fd was accepted from @listener, and @un is what accept(2) returned as its
 * address. If it is ours, makes it so, and *@ret is the address to show.
 * False: leave it alone.
 */
bool sock_accepted(int fd, int listener, const struct sockaddr_un *un,
		   socklen_t len, struct sockaddr_vm *ret);

/* getsockname(2), getpeername(2): vsock_getname() */
int sock_name(int fd, bool peer, struct sockaddr_vm *ret);

/* shutdown(2): vsock_shutdown() */
int sock_shutdown(int fd, int how);

/*
 * close(2): before it, sock_closing() says whether a path is to be looked at
 * afterwards, by sock_closed().
 */
bool sock_closing(int fd, struct name *ret);
void sock_closed(const struct name *name);

/*
 * What a receive that failed with ECONNRESET or EINVAL (@err) should do: 0 for
 * trying once more, else the errno to show (vsock_connectible_recvmsg()).
 */
int sock_recv_failed(int fd, int err);

/*
 * What a receive that met the end should do, where the connection may have been
 * reset: the errno to show, or 0.
 */
int sock_recv_ended(int fd, int flags);

/*
 * A receive of no bytes, or with flags that AF_UNIX knows otherwise: 0 for
 * going on, 1 for "returns 0", or -errno.
 */
int sock_recv_check(int fd, size_t len, int flags);

/*
 * A send with something odd about it: no bytes, an address, MSG_OOB, MSG_EOR,
 * or on a SOCK_DGRAM. What it returns, or -errno; SOCK_FOREIGN for going on.
 * @msg is known to be readable, but for the data.
 */
ssize_t sock_send_odd(int fd, const struct msghdr *msg, int flags);

/*
 * What recvmsg(2) wrote into @msg, with its name in @from: makes it what
 * AF_VSOCK says (vsock_connectible_recvmsg()). False if @fd is none of ours.
 */
bool sock_received(int fd, struct msghdr *msg, struct sockaddr_un *from);

/*
 * What a send that failed with @err, to @addr if that is not NULL, should do:
 * 0 for trying once more, else the errno to show
 * (vsock_connectible_sendmsg()).
 */
int sock_send_failed(int fd, int err, int flags, const struct sockaddr *addr,
		     socklen_t len);

/* SO_ERROR: the pending errno, which it clears, or 0 */
int sock_error(int fd);

/* SO_SNDBUF, so that a sender's window is exactly @size bytes. */
void sock_window(int fd, uint64_t size);

/* The option values of @fd: of its record, or what the socket tells itself. */
void sock_record(int fd, const struct ident *id, struct vsock_rec *rec);
/* Keeps them as its record. 0, or -ENOMEM. */
int sock_keep_record(int fd, struct vsock_rec *rec);

#endif
