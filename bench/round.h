/* SPDX-License-Identifier: MIT */
/* What the two ends of a round have, and the jobs that they do with it. */
#ifndef ROUND_H
#define ROUND_H

#include "bench.h"

#include <linux/vm_sockets.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#define WORDS (MAX_SIZE / sizeof(uint64_t))

/* Shared by client and server. */
struct shared {
	_Atomic uint64_t done;
	_Atomic bool stop;
	/* Where a server of TCP listens: on any port that is free. */
	_Atomic uint16_t tcp_port;
};

union addr {
	struct sockaddr sa;
	struct sockaddr_un un;
	struct sockaddr_vm vm;
	struct sockaddr_in in;
};

/*
 * The client leads. It counts what it did in `sent`, the server what it saw
 * and verified in `done`; the clock stops only when the two are equal.
 */
struct end {
	struct shared *sh;
	const struct round_opts *o;
	union addr addr;
	socklen_t addr_len;
	/* The connections that live as long as the round. */
	int fds[MAX_CONNS];
	uint64_t sent;
	/* What is sent or expected, what arrived. */
	uint64_t pattern[WORDS];
	uint64_t got[WORDS];
};

struct job {
	const char *name;
	/* Steps between two looks at the clock. */
	unsigned int batch;
	void (*start)(struct end *e);
	/* In which the server has no part, it counts in `done` itself. */
	void (*step)(struct end *e);
	/* Instead of steps: one figure. */
	struct figure (*measure)(struct end *e);
	void (*stop)(struct end *e);
	/* Returns when the client has stopped. NULL: there is no server. */
	void (*serve)(struct end *e, int listener);
};

/* Up to one without a name. */
extern const struct job moving_jobs[], asking_jobs[];

/* Dies of failure; else returns @r. */
int check(int r, const char *what);

/* The address of @port, to bind to or as seen by a peer. Returns its length. */
socklen_t set_addr(const struct end *e, union addr *ret, bool peer,
		   unsigned int port);

/* These die of failure. */
int make_socket(struct end *e);
int dial(struct end *e);
int answer(struct end *e, int listener);
void write_all(int fd, const void *buf, size_t size);
/* False: the stream is at its end. */
bool read_all(int fd, void *buf, size_t size);
/* Is what was got message @seq, in the round's size? */
void verify(struct end *e, uint64_t seq);

#endif
