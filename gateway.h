/* SPDX-License-Identifier: MIT */
/*
 * Connections with other machines by a gateway (core/hello.h). Until it answers
 * the socket has TAG_PENDING and a peer that is a gateway; who looks moves the
 * tag on. TAG_PORT then is the port that was dialled.
 */
#ifndef GATEWAY_H
#define GATEWAY_H

#include "ident.h"

enum gateway {
	GATEWAY_NONE,  /* the connect is none by a gateway */
	GATEWAY_WAITS, /* no answer as yet */
	GATEWAY_OVER,  /* connected, or TAG_FAILED and an error */
};

/* How does the connect of @fd stand, whose tag @id says TAG_PENDING? */
enum gateway gateway_look(int fd, struct ident *id);

/* The connect of @fd, GATEWAY_WAITS, has timed out. */
void gateway_give_up(int fd);

/*
 * Waits for the answer until @end (CLOCK_MONOTONIC in ns). 0: connected; the
 * errno of a refusal; -ETIMEDOUT; -EINTR.
 */
int gateway_wait(int fd, struct ident *id, uint64_t end);

/*
 * The connection of @fd, whose tag @id is, has met an end: if its bridge did
 * not end it but was killed, or has lost its device, and all that came by then
 * has been read, that is a reset, and @id says so.
 */
void gateway_settle(int fd, struct ident *id);

/*
 * What was refused has a dead peer, and AF_UNIX connects a socket once: puts a
 * fresh one in its place, with its options and, as a number, its port. Only
 * that descriptor, not its duplicates, and in no epoll. 0, or -errno.
 */
int gateway_renew(int fd);

#endif
