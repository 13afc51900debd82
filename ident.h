/* SPDX-License-Identifier: MIT */
/*
 * What a descriptor is, from the kernel's socket itself: its tag (core/tag.h)
 * and its names. True in any process that holds the socket.
 */
#ifndef IDENT_H
#define IDENT_H

#include "core/name.h"
#include "core/tag.h"

/*
 * Is @fd an emulated socket (or /dev/vsock)? Two system calls at most, and
 * three more for one that is met for the first time. Drops a wrong hint, and
 * opens the gates for a socket that was inherited.
 */
bool ident(int fd, struct ident *ret);

/*
 * The same for calls that move data or wait. Under a seccomp filter, which may
 * end the program for a question of ours, hints answer; what nobody knows is
 * then none of ours, and a socket has no tag, but for one that is odd.
 */
bool ident_quiet(int fd, struct ident *ret);

/* Is it a socket of ours, not the device? */
bool ident_socket(int fd, struct ident *ret);

/* Are tags in SO_LINGER? Then that option is not the program's. */
bool ident_small(void);

/* SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM: as the kernel says. */
int ident_type(int fd);

/* Gives a new socket its tag. 0, or -errno. */
int ident_write(int fd, bool dgram, unsigned int tag);

/*
 * Clears and sets bits of the tag of a socket of ours; with TAG_PORT among
 * them, the port is @port. Threads that change other bits do not lose theirs;
 * processes that do so in the same instant may. 0, or -errno.
 */
int ident_change(int fd, unsigned int clear, unsigned int set, uint32_t port);

/* Its transport is gone: as of a migration of the own machine. */
void ident_reset(int fd);

/* Names, as of today (conf_name()); NAME_NONE if there is none or none of ours.
 */
struct name ident_name(int fd, struct sockaddr_un *un);
struct name ident_peer(int fd, struct sockaddr_un *un, socklen_t *len);

/* Has it a peer, be it gone? As AF_UNIX sees it. */
bool ident_connected(int fd);

/* Has its peer gone, and all that it sent been read? Or both ways are shut. */
bool ident_finished(int fd);

bool ident_listens(int fd);

/* A number that names the socket, and no other ever: the key of vsock_table. */
uint64_t ident_key(int fd);

#endif
