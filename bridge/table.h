/* SPDX-License-Identifier: MIT */
/*
 * All connections of one machine on one device: finds whose a packet is,
 * answers those that are nobody's, and keeps every limit there is. Knows
 * nothing of rings, sockets or clocks. Each connection is a struct flow: the
 * protocol's state (conn.h) and a pointer of the owner's.
 *
 * One turn of the owner's loop:
 *
 *   while a packet is there and table_may_receive():  table_receive(), then act
 *   on local events: conn_data(), conn_consumed(), conn_shutdown() ..., and
 * after whatever changed a flow's conn: table_update() while (table_expire())
 * act while there is room for a packet and table_next():  send it wait until
 * table_deadline() at most
 */
#ifndef BRIDGE_TABLE_H
#define BRIDGE_TABLE_H

#include "bridge/conn.h"
#include "bridge/packet.h"

#include <stdbool.h>
#include <stdint.h>

/* --- limits: all of them -------------------------------------------------- */

struct table_limits {
	uint32_t connections; /* at once; one that only waits for the peer's RST
			       * makes room for another, though */
	uint32_t credit;      /* bytes of receive windows in all */
	uint32_t floor;	      /* bytes of window that each gets at least */
	uint32_t answers;     /* RST of no connection that wait to be sent */
};

/*
 * 1,024 connections, 64 MiB, 16 KiB, 256.
 *
 * A window is what was asked for, but at most the floor and a sixteenth of what
 * is left once a floor is set aside for each connection that may still come. So
 * 189 have Linux's 256 KiB, 214 have 64 KiB, and the last one of 1,024
 * has 16 KiB; no one connection has more than 3 MiB. connections x floor must
 * not exceed credit.
 */
extern const struct table_limits table_default_limits;

/* --- what peers did wrong, and what went over a limit --------------------- */

/* Counted since table_new(). Each name is what a log line is to call it. */
#define TABLE_COUNTERS(X)                                                      \
	X(malformed)	 /* not a packet: table_malformed(); dropped */        \
	X(misaddressed)	 /* to another CID, or from none; dropped */           \
	X(unknown_type)	 /* RST */                                             \
	X(unknown_op)	 /* RST, or ignored on a connection that is open */    \
	X(wrong_type)	 /* STREAM for a SEQPACKET connection or so; RST */    \
	X(no_connection) /* RST */                                             \
	X(stray_rst)	 /* RST of no connection: harmless; dropped */         \
	X(over_limit)	 /* REQUEST past the last connection; RST */           \
	X(overrun)	 /* more data than credit; RST */                      \
	X(bad_fwd_cnt)	 /* consumed what was not sent; RST */                 \
	X(late_data)	 /* after a SHUTDOWN; RST */                           \
	X(bad_answer)	 /* to a REQUEST; RST */                               \
	X(unexpected)	 /* known op that makes no sense now; ignored */       \
	X(unanswered) /* RST that there was no room for; see table_may_receive \
		       */

#define X(name) uint64_t name;
struct table_counters {
	TABLE_COUNTERS(X)
};
#undef X

/* --- the table ------------------------------------------------------------ */

struct table;

struct flow {
	struct conn conn; /* call conn_*() on it, then table_update() */
	void *owner;	  /* the table does not look at it */
};

/*
 * A table for the machine with @cid. @limits is copied, NULL: the default.
 * Returns NULL if there is no memory, or if the limits contradict each other.
 */
struct table *table_new(uint32_t cid, const struct table_limits *limits);

/* Frees the table and every flow, without a packet. NULL is fine. */
void table_free(struct table *t);

/* The CID changed (VHOST_VSOCK_SET_GUEST_CID, a transport reset). Connections
 * that exist are to be abandoned by the owner before. */
void table_set_cid(struct table *t, uint32_t cid);

/*
 * Begins a connection from our @port to @peer; see conn_connect(). @owner is
 * put into the flow. Returns 0, -EADDRINUSE if there is one with these
 * addresses, -ENOBUFS past the limit of connections, -ENOMEM.
 */
int table_connect(struct table *t, uint16_t type, uint32_t port,
		  struct packet_addr peer, uint32_t window, uint64_t now,
		  uint64_t timeout, void *owner, struct flow **ret_flow);

/*
 * Takes a packet that packet_parse() liked. Returns a set of enum conn_event
 * and whose they are; 0 and NULL if there is nothing for an owner to do: the
 * packet was nobody's and has been answered, or the flow has no owner left. Of
 * CONN_BAD_* bits it has made its count already.
 *
 * CONN_ASKED comes with a new flow, whose window is @window cut to the budget,
 * and whose owner is NULL: answer it with conn_accept() or conn_refuse() and
 * table_update(), give it an owner, and table_drop() it in the end.
 */
unsigned table_receive(struct table *t, const struct packet *p, uint32_t window,
		       uint64_t now, struct flow **ret_flow);

/*
 * Is there room for an answer? What a peer can make us keep is bounded
 * (5.10.6.1). A packet that is handed in all the same may get none, which is
 * counted; one that is left in its ring waits, and so may the peer, for us.
 */
bool table_may_receive(const struct table *t);

/* Counts a packet that packet_parse() refused; it has no answer. */
void table_malformed(struct table *t);

/* To be called after each series of conn_*() calls on @flow: its packets and
 * timers are taken note of. */
void table_update(struct table *t, struct flow *flow);

/*
 * The owner is done with @flow and may not touch it again. One that is neither
 * over nor closing is reset. One that is closing goes on by itself until the
 * peer's RST or its timer; what it had of the credit budget is free at once.
 */
void table_drop(struct table *t, struct flow *flow);

/* The next control packet of any connection, and RST for none; false if there
 * is none. Call it until then: each packet is to be sent, in this order. */
bool table_next(struct table *t, struct packet *ret_packet);

/* When table_expire() is to be called, or CONN_NEVER. May be early. */
uint64_t table_deadline(const struct table *t);

/* Lets timers run. Returns events (of conn_expire()) of one flow with an owner;
 * 0 when there are no more. */
unsigned table_expire(struct table *t, uint64_t now, struct flow **ret_flow);

/* Each flow that was not dropped: table_each(t, NULL), then with the last one,
 * which may have been dropped only after its successor was asked for. */
struct flow *table_each(const struct table *t, const struct flow *last);

/* Connections that count against the limit, and bytes of window granted. */
uint32_t table_connections(const struct table *t);
uint32_t table_granted(const struct table *t);

const struct table_counters *table_counters(const struct table *t);

#endif
