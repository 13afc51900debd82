/* SPDX-License-Identifier: MIT */
/*
 * Cheap reasons to look at a socket, or not to: process-wide gates, and some
 * bits for each descriptor number. A hint is never the truth. It survives a
 * close that we did not see, and a child of vfork writes into its parent's; so
 * it only decides whether to ask the kernel, and whoever finds it wrong drops
 * it.
 */
#ifndef HINT_H
#define HINT_H

#include "core/util.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* What this process has done so far. */
enum gate {
	GATE_USED = 1,	 /* it has, or was seen to have inherited, a socket */
	GATE_ODD = 2,	 /* some socket is not in the state that poll shows */
	GATE_FAILED = 4, /* some non-blocking connect failed or is pending */
	GATE_RECORD = 8, /* some socket has a record in vsock_table */
	GATE_INHERITED = 16, /* some socket was not made here */
	GATE_SANDBOX = 32,   /* a seccomp filter may end us for a question */
	GATE_ERRQ = 64,	     /* some socket has errors that AF_UNIX shows not */
	GATE_RESET = 128,    /* some connection was not ended by its peer */
	GATE_DIAG = 256, /* it has asked for a list of sockets, see vdiag.c */
	GATE_UNTRACED = 512, /* VSOCKSHIM_DEBUG was read, and asks for nothing
			      */
};

enum hint {
	HINT_OURS = 1,	/* an emulated socket */
	HINT_MADE = 2,	/* made by this process, so on its machine */
	HINT_PATH = 4,	/* bound to a path, which close(2) may have to remove */
	HINT_FRESH = 8, /* neither connected nor listening as yet */
	HINT_ODD = 16,	/* shut down, failed, or with an SO_RCVLOWAT */
	HINT_PLAIN = 32,   /* made here, or asked: not an emulated socket */
	HINT_MUTED = 64,   /* edge-triggered by us in some epoll, see ready.c */
	HINT_SEQ = 128,	   /* SOCK_SEQPACKET */
	HINT_DGRAM = 256,  /* SOCK_DGRAM */
	HINT_DIAG = 512,   /* plain, and a NETLINK_SOCK_DIAG: see vdiag.c */
	HINT_ASKED = 1024, /* ... that was asked for AF_VSOCK's sockets */
	HINT_LOOK = HINT_FRESH | HINT_ODD | HINT_MUTED, /* evidence or not */
};

#define HINT_FDS (1u << 20)

/* Side by side, as each call looks at both: of low numbers, one cache line. */
struct hint_state {
	unsigned int gates;	 /* enum gate */
	uint16_t bits[HINT_FDS]; /* enum hint */
};

extern struct hint_state hint_state;

static inline bool gate_is_open(enum gate g)
{
	return __atomic_load_n(&hint_state.gates, __ATOMIC_RELAXED) & g;
}

/* Is a call that moves data nobody's concern but the socket's? */
static inline bool gate_quiet(void)
{
	return (__atomic_load_n(&hint_state.gates, __ATOMIC_RELAXED) &
		(GATE_DIAG | GATE_UNTRACED)) == GATE_UNTRACED;
}

static inline void gate_open(enum gate g)
{
	if ((__atomic_load_n(&hint_state.gates, __ATOMIC_RELAXED) & g) != g)
		__atomic_or_fetch(&hint_state.gates, g, __ATOMIC_RELAXED);
}

static inline unsigned int hint_type(int type)
{
	return type == SOCK_SEQPACKET ? HINT_SEQ
	       : type == SOCK_DGRAM   ? HINT_DGRAM
				      : 0;
}

/* Beyond the table every descriptor is worth a look. */
static inline unsigned int hint_get(int fd)
{
	if (!USUALLY((unsigned int)fd < HINT_FDS))
		return fd < 0 ? 0
			      : HINT_OURS | HINT_LOOK | HINT_PATH | HINT_SEQ |
					HINT_DGRAM;
	return __atomic_load_n(&hint_state.bits[fd], __ATOMIC_RELAXED);
}

static inline void hint_set(int fd, unsigned int bits)
{
	if ((unsigned int)fd < HINT_FDS)
		__atomic_store_n(&hint_state.bits[fd], (uint16_t)bits,
				 __ATOMIC_RELAXED);
}

/* Is it, or might it be, ours? Then the kernel is to be asked, once. */
static inline bool hint_suspect(int fd)
{
	return fd >= 0 && !(hint_get(fd) & HINT_PLAIN);
}

/* Known to be neither ours nor of a kind that we answer for? */
static inline bool hint_plain(int fd)
{
	return (hint_get(fd) & (HINT_OURS | HINT_PLAIN | HINT_DIAG)) ==
	       HINT_PLAIN;
}

static inline void hint_add(int fd, unsigned int bits)
{
	if ((unsigned int)fd < HINT_FDS)
		__atomic_or_fetch(&hint_state.bits[fd], (uint16_t)bits,
				  __ATOMIC_RELAXED);
}

static inline void hint_drop(int fd, unsigned int bits)
{
	if ((unsigned int)fd < HINT_FDS)
		__atomic_and_fetch(&hint_state.bits[fd], (uint16_t)~bits,
				   __ATOMIC_RELAXED);
}

#endif
