/* SPDX-License-Identifier: MIT */
/*
 * What a client and a gateway say to each other. A machine whose directory
 * holds a gateway (rdv.h) reaches all other machines through it: the client
 * connects there and sends one hello; the gateway looks at its head without
 * taking it, and answers for the far end by one of
 *
 *	taking all of it		the client is connected
 *	closing				connect(2) fails with ECONNRESET
 *	writing a refusal and closing	connect(2) fails with that errno; but
 *					who reads before he looks reads that
 *
 * It does the last, with ETIMEDOUT, to a client that said nothing for too long,
 * and may still say it.
 *
 * A bridge, unlike a relay, has the connection as a link in the machine's
 * `ports` (ports.h) from before it takes the hello until it ends it: so the
 * program sees a reset, and not the peer's end, if it dies in between.
 *
 * The hello is so long that until it is taken AF_UNIX shows the client nothing:
 * no POLLOUT, as on a socket that is connecting. It is native-endian: both ends
 * share a kernel. Pure, but for hello_send().
 */
#ifndef CORE_HELLO_H
#define CORE_HELLO_H

#include "core/addr.h"
#include "core/sys.h"
#include "core/util.h"

#define HELLO_VERSION 1

struct hello {
	uint8_t magic[8];
	uint32_t version; /* HELLO_VERSION */
	uint32_t size;	  /* of the whole hello, in bytes */
	uint32_t type;	  /* SOCK_STREAM, SOCK_SEQPACKET */
	uint32_t flags;	  /* svm_flags */
	struct vaddr from, to;
	aligned_u64 window;	/* the client's SO_VM_SOCKETS_BUFFER_SIZE */
	aligned_u64 timeout_ms; /* SO_VM_SOCKETS_CONNECT_TIMEOUT */
};

/* So much may a hello be. */
#define HELLO_MAX (1024 * 1024 + 4096)

/* While it waits the client's socket has a window that takes the hello, and
 * that the hello fills: the program's, cut to these. */
#define HELLO_WINDOW_MIN 16384u
#define HELLO_WINDOW_MAX (4u * 1024 * 1024)
uint64_t hello_window(uint64_t window);

/* Fills in magic, version, and size, which goes by the window. */
void hello_make(struct hello *h);

/* Sends it on @fd, which is connected to a gateway. 0, or -errno. */
int hello_send(const struct sys *sys, int fd, const struct hello *h);

/*
 * What a gateway finds at the head of a connection: the @n bytes at @buf. 0;
 * -EAGAIN: more has to come; -EPROTO: not a hello of ours.
 */
int hello_parse(const void *buf, size_t n, struct hello *ret);

/* The far end said no: @error is the errno that connect(2) fails with. */
struct hello_refusal {
	uint8_t magic[12];
	int32_t error;
};
void hello_refuse(struct hello_refusal *r, int error);

/* The errno in the @n bytes at @buf; 0 if they are no refusal. */
int hello_refused(const void *buf, size_t n);

#endif
