/* SPDX-License-Identifier: MIT */
/*
 * MSG_ZEROCOPY: AF_UNIX copies, and has no error queue. Here each such send is
 * counted, and completed at once: the buffer may be used again as soon as the
 * call returns. The queue is the process's own: it does not survive exec.
 */
#ifndef ZEROCOPY_H
#define ZEROCOPY_H

#include "vsock_table.h"

#include <stddef.h>
#include <sys/socket.h>

/* May a send with so much ancillary data be counted? 0; -ENOBUFS: that alone is
 * net.core.optmem_max (sock_kmalloc()); -ENOMEM: with the count it is more
 * (sock_omalloc()). */
int zerocopy_room(size_t controllen);

/* @n bytes were sent so on @fd, whose record is @rec. */
void zerocopy_sent(int fd, const struct vsock_rec *rec, size_t n);

/* Is there something on the error queue of @fd? */
bool zerocopy_pending(int fd);

/* recvmsg(MSG_ERRQUEUE): sock_recv_errqueue(). 0, or -EAGAIN. */
int zerocopy_receive(int fd, struct msghdr *msg);

#endif
