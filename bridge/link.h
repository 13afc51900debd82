/* SPDX-License-Identifier: MIT */
/*
 * A link joins a connection of the device (conn.h, in its table) to the AF_UNIX
 * socket of a program (local.h). Here credit becomes reading and writing, a
 * half close on one side one on the other, and an end on one side an end on
 * both.
 *
 * Nothing here waits. What cannot go on is woken by an event of the socket, a
 * packet, or room in the device's ring.
 */
#ifndef BRIDGE_LINK_H
#define BRIDGE_LINK_H

#include "bridge/local.h"
#include "bridge/table.h"
#include "bridge/wire.h"
#include "core/rdv.h"

enum link_state {
	LINK_HELLO,   /* a client came; its hello has to */
	LINK_ASKING,  /* the peer has been asked */
	LINK_OPENING, /* it said yes; the client is to learn of it */
	LINK_OPEN,
	LINK_ENDED, /* the connection is over; the program has not read all */
	LINK_DEAD,  /* waits to be freed */
};

struct link {
	struct local local;
	struct flow *flow; /* NULL: not yet, or no more */
	enum link_state state;
	bool queued;	/* in the list of what can go on */
	bool listening; /* events tell that the program has sent something */
	bool armed;	/* events tell that it made room, or shut down */
	bool resting;	/* in the list of those who are to be armed again */
	bool readable;	/* the program may have sent something */
	bool writable;	/* it may have made room, or shut down */
	bool ending;	/* it sends no more than what is there */
	bool hung_up;	/* its end is closed, or shut down both ways */
	bool deaf;	/* it receives no more */
	bool out_ended; /* nothing more goes to the peer */
	bool in_ended;	/* nothing more comes from it */
	bool young;	/* in the list of those who came last */
	uint64_t known; /* by that in the machine's ports; 0: not there */
	uint32_t ahead; /* bytes consumed since it was seen to have room */
	uint64_t hello_by;
	struct link *next, *next_resting, *next_young;
};

/* All links of a machine. */
struct links {
	struct machine *machine;
	struct vhost *device;
	struct table *table;
	int epoll;
	uint64_t now;	  /* ms; the loop sets it before anything else */
	unsigned int n;	  /* that are not dead */
	uint64_t refused; /* clients, past the limit of connections */
	uint64_t lost;	  /* connections: no memory, or a message too long */
	/* what can go on, and what needs room in the ring, both in order */
	struct link *first, **last, *starving, **last_starving;
	struct link *resting;
	uint64_t arm_at; /* when these are armed */
	/* whose hello has a deadline, by that; some have said it */
	struct link *young, **last_young;
};

/* Begins without any. @ls->epoll is the caller's. */
void links_init(struct links *ls, struct machine *m, struct vhost *device,
		struct table *table, int epoll);

/* A client has connected to a gateway: @fd, non-blocking. Its hello has to be
 * there within LINK_HELLO_MS. */
#define LINK_HELLO_MS 5000
void links_client(struct links *ls, int fd, bool seqpacket);

/* For want of descriptors: the client that has said nothing for longest goes,
 * if that is LINK_SILENT_MS. False: there is none. */
#define LINK_SILENT_MS 100
bool links_make_room(struct links *ls);

/* What epoll says of a link: EPOLL*. */
void links_event(struct links *ls, struct link *l, uint32_t events);

/* A packet from the device. */
void links_packet(struct links *ls, const struct packet *p,
		  const uint8_t *payload);

/* Lets each of those that can go on do so, once, and timers run. */
void links_turn(struct links *ls);

/* Can something go on at once? */
bool links_busy(const struct links *ls);

/* When links_turn() is to be called, though nothing happens; or CONN_NEVER. */
uint64_t links_deadline(const struct links *ls);

/* The ring has room again. */
void links_room(struct links *ls);

/* The device is gone: so is everything. */
void links_end(struct links *ls);

#endif
