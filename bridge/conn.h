/* SPDX-License-Identifier: MIT */
/*
 * One virtio-vsock connection (virtio 1.2, 5.10.6): its state, its credit in
 * both directions, and its timers. Knows nothing of rings, sockets, vhost,
 * clocks or memory: the owner hands in packets, what happened at the local
 * socket and the time, and pulls packets. Payload bytes never pass through
 * here, only their number. What the specification leaves open is as Linux does
 * it (virtio_transport_common.c), as seen from the other end.
 *
 * `now` is in milliseconds of any clock that never goes back.
 *
 * The life of a connection:
 *
 *   conn_connect()    CONNECTING --RESPONSE--> OPEN
 *   conn_requested()  REQUESTED --conn_accept()--> OPEN
 *   OPEN --both ways shut by us--> CLOSING --RST or 8 s--> OVER
 *   any --RST, a refusal, a timeout, a violation, conn_reset()--> OVER
 *
 * OVER may still have one packet to send, a RST (conn_due()). Packets must go
 * out in the order in which conn_data() and conn_next() gave them.
 */
#ifndef BRIDGE_CONN_H
#define BRIDGE_CONN_H

#include "bridge/packet.h"

#include <stdbool.h>
#include <stdint.h>

/* How long an orderly close waits for the peer's RST (VSOCK_CLOSE_TIMEOUT). */
#define CONN_CLOSE_MS 8000
/* How long bytes of a program that has closed wait for the peer to make room.
 * Linux has none that its peer has no room for; its TCP gives such up after
 * some minutes, too. */
#define CONN_ORPHAN_MS 300000
/* How long small credit waits for a packet that takes it along. */
#define CONN_CREDIT_MS 20

/* No more packets are to be out than this fits into the peer's buffer. Newer
 * kernels (6.12.92, 7.1) charge a queued packet with 576 bytes at least, and
 * reset a connection that has more of them than fit into its buffer, however
 * small they are. */
#define CONN_PACKET_COST 1024

#define CONN_NEVER UINT64_MAX /* of conn_deadline(): no timer runs */

enum conn_state {
	CONN_CONNECTING, /* we asked, the peer has not answered */
	CONN_REQUESTED,	 /* the peer asked, the owner has not answered */
	CONN_OPEN,	 /* data may flow, each way until it is shut */
	CONN_CLOSING,	 /* both ways shut by us: waits for the peer's RST */
	CONN_OVER,
};

/* What happened; conn_receive() and conn_expire() return a set of them. */
enum conn_event {
	/* The peer asks for a connection (table_receive() only): answer with
	 * conn_accept() or conn_refuse(), now or later. */
	CONN_ASKED = 1 << 0,
	/* The peer accepted: data may be sent. */
	CONN_CONNECTED = 1 << 1,
	/* What we asked for will not be: conn_error(). With CONN_ENDED. */
	CONN_REFUSED = 1 << 2,
	/* The packet's payload was accepted: packet.len bytes, at least one
	 * unless flags say that a message ends. Owner keeps them until they are
	 * delivered, then conn_consumed(). Without this event payload is to be
	 * dropped. */
	CONN_DATA = 1 << 3,
	/* Credit grew: conn_room() may say more than before. */
	CONN_ROOM = 1 << 4,
	/* The peer takes no more: what is not sent yet never will be. */
	CONN_PEER_RCV = 1 << 5,
	/* The peer sends no more: EOF once what came is delivered. */
	CONN_PEER_SEND = 1 << 6,
	/* It is over, in whatever way: conn_error(). What came before is still
	 * to be delivered. Comes once; nothing comes after it. */
	CONN_ENDED = 1 << 7,

	/* What the peer did wrong. The first four end the connection with a
	 * RST; the last is ignored, as Linux does. */
	CONN_BAD_OVERRUN = 1 << 8, /* more data than buf_alloc allows */
	CONN_BAD_FWD_CNT = 1 << 9, /* consumed what was never sent */
	CONN_BAD_LATE = 1 << 10,   /* data after its SHUTDOWN of sending */
	CONN_BAD_ANSWER = 1 << 11, /* to a REQUEST: neither RESPONSE nor RST; or
				    * data before our RESPONSE */
	CONN_BAD_OP = 1 << 12,	   /* an operation that is unknown or makes no
				    * sense now, or an empty message */
};

/* Private, but for the first four members and buf_alloc, which may be read. In
 * the caller's storage: there is nothing to free. */
struct conn {
	struct packet_addr local, peer;
	uint16_t type;	   /* enum packet_type */
	uint8_t state;	   /* enum conn_state */
	uint8_t due;	   /* control packets that are to go out, a bit each */
	uint8_t shut;	   /* PACKET_SHUT_* of us, */
	uint8_t peer_shut; /* ... and of the peer */
	bool in_message;   /* SEQPACKET: a message has begun to come */
	int error;

	/* free-running counters of payload bytes, modulo 2^32 */
	uint32_t buf_alloc;	 /* our receive buffer, as granted */
	uint32_t rx_cnt;	 /* came */
	uint32_t fwd_cnt;	 /* of them, consumed */
	uint32_t told;		 /* fwd_cnt as the peer knows it */
	uint32_t peer_buf_alloc; /* the same of the other direction */
	uint32_t tx_cnt;
	uint32_t peer_fwd_cnt;

	/* Packets that the peer has not consumed: a queue in a circle of runs
	 * of them, each with the value of tx_cnt after its last. */
	struct {
		uint32_t end, n;
	} sent[64];
	uint32_t n_sent; /* packets in all of them */
	uint16_t first, n_runs;
	uint16_t ask_ms; /* until credit is asked for again */
	bool told_over;	 /* CONN_ENDED was returned */

	uint64_t timer;	 /* connecting, orphaned, closing */
	uint64_t credit; /* when small credit is told */
	uint64_t ask;	 /* when credit is asked for */
};

/*
 * Begins a connection from @local to @peer, of enum packet_type @type. @window:
 * bytes that the peer may send before they are consumed
 * (SO_VM_SOCKETS_BUFFER_SIZE; at least 1). @timeout: ms until ETIMEDOUT. A
 * REQUEST is due.
 */
void conn_connect(struct conn *c, struct packet_addr local,
		  struct packet_addr peer, uint16_t type, uint32_t window,
		  uint64_t now, uint64_t timeout);

/* Begins one that the peer asked for by @request, a REQUEST. Nothing is due:
 * the owner decides, as late as it likes. */
void conn_requested(struct conn *c, const struct packet *request,
		    uint32_t window);

/* The answer to CONN_ASKED: a RESPONSE, or a RST (conn OVER, ECONNREFUSED) is
 * due. Only in CONN_REQUESTED; else (the peer took it back) they do nothing. */
void conn_accept(struct conn *c);
void conn_refuse(struct conn *c);

/*
 * Takes a packet from the peer; the caller has found that it is this
 * connection's, by addresses and type. Returns a set of enum conn_event. A
 * packet for one that is OVER says nothing and is answered by nothing: see
 * table.h.
 */
unsigned conn_receive(struct conn *c, const struct packet *p, uint64_t now);

/*
 * How many bytes may be sent now, in any number of packets: credit of the peer,
 * and 0 if sending was shut by either side, before the connection is open and
 * its RESPONSE is out, or while many small packets are out (CONN_PACKET_COST).
 * CONN_ROOM tells of more. All packets of a SEQPACKET message are to go out
 * when there is room for the whole of it: the peer consumes no part of one.
 */
uint32_t conn_room(const struct conn *c);

/* The longest SEQPACKET message that the peer can take. A longer one (the local
 * socket took it: the kernel would have said EMSGSIZE) can never be sent. */
uint32_t conn_longest(const struct conn *c);

/*
 * The header of @len bytes of payload, at least 1, that go out now, as
 * conn_room() has said. @flags: for SEQPACKET PACKET_EOM, and PACKET_EOR, with
 * the last packet of a message; else 0. Takes credit along that was to be told.
 */
void conn_data(struct conn *c, uint32_t len, uint32_t flags,
	       struct packet *ret_packet);

/*
 * The local socket took @n bytes of what CONN_DATA brought. The peer is told
 * with the next packet; by one of its own at once when it has used half of its
 * credit (Linux: all but 64 KiB; but then a fast sender stalls until it hears
 * of more), else after CONN_CREDIT_MS. When the peer has shut both ways and all
 * that it sent is consumed, the connection ends with a RST, as Linux answers an
 * orderly close. Returns CONN_ENDED then, else 0. @n is at most conn_unread(c).
 */
unsigned conn_consumed(struct conn *c, uint32_t n, uint64_t now);

/*
 * The local socket receives, sends, or does both no more: PACKET_SHUT_*, added
 * to what was shut before. Call it for SEND when all data has gone through
 * conn_data(), for RCV at once. A SHUTDOWN is due. Data that still comes after
 * RCV is consumed here: no CONN_DATA. So is what is unread, which the owner
 * drops without a conn_consumed(). With both shut the connection is CLOSING: it
 * ends by the peer's RST, or by ours after CONN_CLOSE_MS, or at once if the
 * peer has shut both. Before it is open (close(2) during connect(2)) it is
 * dropped without a word, as Linux does; a RESPONSE that comes later is for
 * nobody. In CONN_REQUESTED: as conn_refuse(). Returns CONN_ENDED if it is over
 * by this, else 0.
 */
unsigned conn_shutdown(struct conn *c, unsigned how, uint64_t now);

/* The local socket is gone, with data left for which there is no room: called
 * each time that this is found. CONN_ENDED and a RST after CONN_ORPHAN_MS. */
void conn_orphan(struct conn *c, uint64_t now);

/* Ends it now, with a RST unless the peer does not know of it (CONN_CONNECTING)
 * or it is over already. @error: what conn_error() is to say. */
void conn_reset(struct conn *c, int error);

/* It is over without a packet: its device is gone, or the peer has begun
 * another connection with the same addresses. */
void conn_abandon(struct conn *c, int error);

/* When conn_expire() is to be called next, or CONN_NEVER. */
uint64_t conn_deadline(const struct conn *c);

/* Lets timers that are due run. Returns CONN_REFUSED | CONN_ENDED (ETIMEDOUT),
 * CONN_ENDED (no RST came, or no room), or 0. */
unsigned conn_expire(struct conn *c, uint64_t now);

/* Is there a control packet to send? */
bool conn_due(const struct conn *c);

/* The next control packet that is due; false if there is none. */
bool conn_next(struct conn *c, struct packet *ret_packet);

/*
 * Why it is over, as the sk_err of Linux: 0 after an end that programs see as
 * EOF and EPIPE (orderly, or a RST while it was open); ECONNRESET: refused;
 * ETIMEDOUT; EPROTO: the peer's answer was nonsense, or it broke another rule;
 * ENOBUFS: it overran our buffer; or what conn_reset() was given. 0 before.
 */
int conn_error(const struct conn *c);

/* Bytes that came and are not consumed: what the owner holds, at most the
 * window. */
uint32_t conn_unread(const struct conn *c);

#endif
