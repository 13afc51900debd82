/* SPDX-License-Identifier: MIT */
/*
 * A pair is two AF_UNIX sockets: one from a client, by a gateway, and one that
 * was connected for it to whom it dialled. What is read from the one is told
 * of, as the packets that virtio would have sent, and sent to the other.
 * Nothing here waits.
 */
#ifndef BRIDGE_PAIR_H
#define BRIDGE_PAIR_H

#include "bridge/local.h"
#include "bridge/packet.h"
#include "core/rdv.h"

/* What epoll's data points to: the first member of all that is watched. */
enum source { SOURCE_STOP, SOURCE_DIRECTORY, SOURCE_GATEWAY, SOURCE_SIDE };

struct side {
	enum source source;
	struct pair *pair;
	struct side *other;
	struct local local; /* its fd: -1 if there is none */
	struct packet_addr addr;
	uint32_t window;
	uint32_t taken; /* bytes of the other's, modulo 2^32, */
	uint32_t told;	/* ... as its last packet said */
	uint32_t fits;	/* SEQPACKET: so long a message can be sent to it */
	uint32_t shut;	/* PACKET_SHUT_*, as its packets said */
	bool readable, writable;
	bool woken;    /* it may have shut its receiving */
	bool out_over; /* nothing more is read from it */
	bool in_over;  /* it knows that nothing more comes */
};

enum pair_state {
	PAIR_HELLO,   /* a client came; its hello has to */
	PAIR_ASKING,  /* a full backlog, or no descriptor: again soon */
	PAIR_SILENT,  /* nobody will ever answer */
	PAIR_OPENING, /* the client is to learn that it is connected */
	PAIR_OPEN,
	PAIR_DEAD, /* waits to be freed */
};

struct pair {
	struct machine *machine;
	struct side client, server;
	enum pair_state state;
	bool queued; /* in the list of what can go on */
	struct sockaddr_vm to;
	uint64_t at;	 /* when it goes on, though nothing happens; or NEVER */
	uint64_t retry;	 /* a full backlog until then, */
	uint64_t answer; /* ... and no answer until then */
	struct pair *next_ready;
	struct pair *prev, *next; /* in pairs.young or pairs.open */
};

/* All of a relay. */
struct pairs {
	int epoll;
	uint64_t now; /* ms; the loop sets it before anything else */
	int error;    /* what tell() said */
	int (*tell)(const struct packet *p, const void *payload);
	uint64_t id;		   /* of the next one */
	uint64_t connections;	   /* that somebody accepted */
	struct pair *young, *open; /* all, before and since they are OPEN */
	struct pair *ready, **last_ready;
};

#define PAIR_NEVER UINT64_MAX

/* Begins without any. @epoll is the caller's. 0, or -errno. */
int pairs_init(struct pairs *ps, int epoll,
	       int (*tell)(const struct packet *p, const void *payload));

/* A client of @m has connected to its gateway: @fd, non-blocking. Its hello has
 * to be there within PAIR_HELLO_MS. */
#define PAIR_HELLO_MS 5000
void pairs_client(struct pairs *ps, struct machine *m, int fd, bool seqpacket);

/* What epoll says of a side: EPOLL*. */
void pairs_event(struct pairs *ps, struct side *s, uint32_t events);

/* Lets each of those that can go on do so, once, and timers run. True if
 * something can go on at once. */
bool pairs_turn(struct pairs *ps);

/* When pairs_turn() is to be called, though nothing happens; or PAIR_NEVER. */
uint64_t pairs_deadline(const struct pairs *ps);

/* Ends all of them, and frees what there is. */
void pairs_end(struct pairs *ps);

#endif
