/* SPDX-License-Identifier: MIT */
/*
 * The tag of an emulated socket: what neither its names nor the kernel's state
 * tell. Header only, pure.
 *
 * It is the 64-bit SO_MAX_PACING_RATE, which an AF_UNIX socket keeps and does
 * not use: which kind of tag, enum tag, and a port. A socket that accept(2)
 * made has none until there is something to say; its listener's name is its
 * own, and tells.
 */
#ifndef CORE_TAG_H
#define CORE_TAG_H

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
	TAG_TOLD = 1 << 14, /* one that was reset: a call that blocked was told
			     */
	/* With TAG_FAILED: a gateway's answer did not come in time, and the
	 * socket is SS_UNCONNECTED. */
	TAG_LATE = 1 << 14,
};

static inline bool tag_late(unsigned int tag)
{
	return (tag & (TAG_FAILED | TAG_LATE)) == (TAG_FAILED | TAG_LATE);
}

/* A migration has ended the connection: of whose machine? Or its bridge has
 * gone: RESET_OWN. */
enum reset { RESET_NONE, RESET_OWN, RESET_PEER };

struct ident {
	unsigned int tag; /* enum tag */
	uint32_t port;	  /* with TAG_PORT; of a SOCK_DGRAM, its peer's */
	bool dgram;	  /* a SOCK_DGRAM */
	enum reset reset;
};

/* The upper 16 bits: "VS"; of a SOCK_DGRAM "VD", of what was reset "VR", "VP".
 */
#define TAG_STREAM     UINT64_C(0x5653)
#define TAG_DGRAM      UINT64_C(0x5644)
#define TAG_RESET_OWN  UINT64_C(0x5652)
#define TAG_RESET_PEER UINT64_C(0x5650)

/* False: it is no tag. */
static inline bool tag_unpack(uint64_t v, struct ident *ret)
{
	uint64_t kind = v >> 48;

	*ret = (struct ident){
		.tag = v >> 32 & 0xffff,
		.port = (uint32_t)v,
		.dgram = kind == TAG_DGRAM,
		.reset = kind == TAG_RESET_OWN	  ? RESET_OWN
			 : kind == TAG_RESET_PEER ? RESET_PEER
						  : RESET_NONE,
	};
	return kind == TAG_STREAM || kind == TAG_DGRAM || ret->reset;
}

static inline uint64_t tag_pack(const struct ident *id)
{
	uint64_t kind = id->dgram		  ? TAG_DGRAM
			: id->reset == RESET_OWN  ? TAG_RESET_OWN
			: id->reset == RESET_PEER ? TAG_RESET_PEER
						  : TAG_STREAM;

	return kind << 48 | (uint64_t)id->tag << 32 | id->port;
}

#endif
