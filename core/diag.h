/* SPDX-License-Identifier: MIT */
/*
 * How the kernel tells of its AF_UNIX sockets (NETLINK_SOCK_DIAG, unix_diag):
 * questions, and answers read. Pure: bytes in, bytes out.
 */
#ifndef CORE_DIAG_H
#define CORE_DIAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>

/* Linux's numbers for the states of any socket. */
enum {
	DIAG_ESTABLISHED = 1,
	DIAG_SYN_SENT = 2,
	DIAG_CLOSED = 7,
	DIAG_LISTENS = 10,
	DIAG_CLOSING = 11,
};

#define DIAG_ALL UINT32_MAX

struct diag_question {
	struct nlmsghdr head;
	struct unix_diag_req req;
};

/* About all sockets whose state is in @states: UDIAG_SHOW_* @show. */
struct diag_question diag_about_all(uint32_t states, uint32_t show);

/* About the one with @inode. */
struct diag_question diag_about(uint32_t inode, uint32_t show);

struct diag {
	uint32_t inode, peer; /* 0: no peer, or it is gone, or has none yet */
	uint32_t cookie[2];
	uint8_t type, state, shut;
	uint32_t recv_q, send_q; /* of who listens: waiting, and how many may */
	uint32_t file;		 /* the inode that it is bound to, and ... */
	dev_t dev;		 /* its filesystem */
	struct sockaddr_un un;
	socklen_t len;		 /* 0: no name */
	const uint32_t *waiting; /* the inodes of clients that wait, */
	size_t n_waiting;	 /* in the answer itself */
};

/* Reads one answer. False: it is none. */
bool diag_read(const struct nlmsghdr *h, struct diag *ret);

#endif
