/* SPDX-License-Identifier: MIT */
/*
 * What a descriptor is, from the kernel's socket itself: its tag and its
 * names. True in any process that holds the socket.
 *
 * The tag is the 64-bit SO_MAX_PACING_RATE, which an AF_UNIX socket keeps and
 * does not use. A socket that accept(2) made has none until there is something
 * to say; its listener's name is its own, and tells.
 */
#ifndef IDENT_H
#define IDENT_H

#include "core/name.h"

#include <stdbool.h>
#include <stdint.h>

enum tag {
	TAG_SHUT_RD = 1 << 0, /* sk_shutdown's RCV_SHUTDOWN, SEND_SHUTDOWN */
	TAG_SHUT_WR = 1 << 1,
	TAG_SHUT = TAG_SHUT_RD | TAG_SHUT_WR,
	TAG_NAMED = 1 << 2,    /* has a name, or had: look before connect */
	TAG_PORT = 1 << 3,     /* bound to a port, without a name as yet */
	TAG_ACCEPTED = 1 << 4, /* made by accept(2) */
	TAG_FAILED = 1 << 5,  /* a non-blocking connect failed: SS_CONNECTING */
	TAG_PENDING = 1 << 6, /* ... waits for an answer that will not come */
	TAG_ECONNRESET = 1 << 7, /* sk_err: */
	TAG_ETIMEDOUT = 1 << 8,
	TAG_EPROTO = TAG_ECONNRESET | TAG_ETIMEDOUT,
	TAG_ERR = TAG_EPROTO,
	TAG_DIALLED_1 = 1 << 9,	   /* the client dialled CID 1, ... */
	TAG_DIALLED_2 = 1 << 10,   /* CID 2, ... */
	TAG_DIALLED_OWN = 1 << 15, /* its machine's; none: as the name says */
	TAG_DIALLED = TAG_DIALLED_1 | TAG_DIALLED_2 | TAG_DIALLED_OWN,
	TAG_SNDTIMEO = 1 << 11, /* the program set SO_SNDTIMEO */
	TAG_SIZED = 1 << 13,	/* SO_SNDBUF tells SO_VM_SOCKETS_BUFFER_SIZE */
	TAG_DEVICE = 1 << 12,	/* not a socket to its program: /dev/vsock */
	TAG_RDONLY = 1 << 14,	/* the device, opened to read */
	TAG_SENT =
		1 << 14, /* a socket in TCP_SYN_SENT, which waits for nothing */
};

struct ident {
	unsigned int tag; /* enum tag */
	uint32_t port;	  /* with TAG_PORT; of a SOCK_DGRAM, its peer's */
	bool dgram;	  /* a SOCK_DGRAM */
};

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

/* Names, NAME_NONE if there is none or none of ours. */
struct name ident_name(int fd, struct sockaddr_un *un);
struct name ident_peer(int fd, struct sockaddr_un *un, socklen_t *len);

/* Has it a peer, be it gone? As AF_UNIX sees it. */
bool ident_connected(int fd);

/* A number that names the socket, and no other ever: the key of vsock_table. */
uint64_t ident_key(int fd);

#endif
