/* SPDX-License-Identifier: MIT */
/*
 * Makes a sequence of calls of a seed. Nothing that a call returns is known
 * here: a rough model says what should be there, so that most calls meet a
 * socket in a state in which they are of interest, and that none waits for
 * long.
 *
 * What is known to differ is left out, here and nowhere else: each place asks
 * for it by its name, under which the file "differences" has the reason.
 */
#include "fuzz.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define OBJECTS 128
#define NONE	(-1)
#define QUEUE	16
#define N(a)	((int)(sizeof(a) / sizeof((a)[0])))

/* --- what differs -----------------------------------------------------------
 */

enum known {
	KNOWN_WINDOW,
	KNOWN_SMALL_WINDOW,
	KNOWN_WRITE_EOR,
	KNOWN_UNREAD_END,
	KNOWN_ACCEPTED_END,
	KNOWN_FIONREAD_SHUT,
	KNOWN_LISTENER_OPTIONS,
	KNOWN_OTHER_PROCESS,
	KNOWN_EXEC_POLL,
	KNOWN_DUPLICATE,
	KNOWN_EPOLL_DUPLICATE,
	KNOWN_CLIENT_LISTENS,
	KNOWN_REFUSED_PORT,
	KNOWN_LINGERING_PORT,
	KNOWN_BAD_BUFFER,
	KNOWN_DEVICE,
	KNOWN_EDGE,
	KNOWN_REVERSED,
	KNOWN_ALIAS,
	KNOWN_ZEROCOPY,
	N_KNOWN
};

static const char *const known_names[N_KNOWN] = {
	[KNOWN_WINDOW] = "window",
	[KNOWN_SMALL_WINDOW] = "small-window",
	[KNOWN_WRITE_EOR] = "write-eor",
	[KNOWN_UNREAD_END] = "unread-end",
	[KNOWN_ACCEPTED_END] = "accepted-end",
	[KNOWN_FIONREAD_SHUT] = "fionread-shut",
	[KNOWN_LISTENER_OPTIONS] = "listener-options",
	[KNOWN_OTHER_PROCESS] = "other-process",
	[KNOWN_EXEC_POLL] = "exec-poll",
	[KNOWN_DUPLICATE] = "duplicate",
	[KNOWN_EPOLL_DUPLICATE] = "epoll-duplicate",
	[KNOWN_CLIENT_LISTENS] = "client-listens",
	[KNOWN_REFUSED_PORT] = "refused-port",
	[KNOWN_LINGERING_PORT] = "lingering-port",
	[KNOWN_BAD_BUFFER] = "bad-buffer",
	[KNOWN_DEVICE] = "device",
	[KNOWN_EDGE] = "edge",
	[KNOWN_REVERSED] = "reversed",
	[KNOWN_ALIAS] = "alias",
	[KNOWN_ZEROCOPY] = "zerocopy",
};

static int tried = NONE;

bool gen_try(const char *name)
{
	for (int i = 0; i < N_KNOWN; i++) {
		if (!strcmp(known_names[i], name)) {
			tried = i;
			return true;
		}
	}
	return false;
}

void gen_list(void)
{
	for (int i = 0; i < N_KNOWN; i++)
		puts(known_names[i]);
}

/* Is it to be left out? */
static bool known(enum known what)
{
	return (int)what != tried;
}

/* --- the model -------------------------------------------------------------
 */

/* What the socket behind a descriptor should be. */
enum state { FRESH, LISTENING, CONNECTED, FAILED, DEVICE, PLAIN };

struct object {
	enum state state;
	bool seq; /* SOCK_SEQPACKET */
	bool nonblock;
	bool bound, by_connect; /* by connect(2) */
	bool unnamed;		/* KNOWN_CLIENT_LISTENS */
	bool accepted;
	bool shut_rd, shut_wr;
	bool zerocopy;
	bool gone;     /* no descriptor is left */
	int cid, port; /* a letter, or the number of an ephemeral one */
	int refs[2];   /* of each process */
	int peer;      /* with CONNECTED */
	int unread;    /* bytes to read, ... */
	int sends;     /* how often something was sent, ... */
	int cost;      /* and what they cost the sender */
	int queue[QUEUE], queued, backlog; /* connections to accept */
};

struct gen {
	uint64_t state;
	struct seq *seq;
	struct object object[OBJECTS];
	int n_objects, n_ephemeral;
	int slot[2][SLOTS];
	bool cloexec[2][SLOTS];
	bool used[LETTERS];	   /* somebody was bound there */
	bool lingering[LETTERS];   /* KNOWN_LINGERING_PORT */
	bool registered[2][SLOTS]; /* with the epoll of each process */
	bool second;		   /* there is a second process, ... */
	bool unmet; /* KNOWN_EXEC_POLL: it has met no socket as yet */
	struct {
		int calls;	      /* it sleeps that long, at least */
		bool object[OBJECTS]; /* on these */
		int acceptor, d; /* in accept(2) of that object, into slot d */
	} sleep;

	/* What sort of sequence it is. */
	unsigned int length;
	bool two;     /* has a second process */
	bool moves;   /* sockets move: exec, SCM_RIGHTS */
	bool packets; /* most sockets are SOCK_SEQPACKET */
	bool writes;  /* KNOWN_WRITE_EOR: are they looked at, or written */
	bool sizes;   /* KNOWN_SMALL_WINDOW: sizes are set, or data is sent */
	bool loose;   /* more of what makes little sense */
	bool edges;   /* epoll is edge-triggered */
};

/* --- chance --------------------------------------------------------------- */

static uint64_t next(struct gen *g) /* splitmix64 */
{
	uint64_t z = g->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static int below(struct gen *g, int n)
{
	return (int)(next(g) % (unsigned int)n);
}

static bool percent(struct gen *g, int n)
{
	return below(g, 100) < n;
}

/* One of several numbers. */
#define ONE_OF(g, ...)                                                         \
	one_of(g, (const int[]){ __VA_ARGS__ },                                \
	       N(((const int[]){ __VA_ARGS__ })))
static int one_of(struct gen *g, const int *from, int n)
{
	return from[below(g, n)];
}

/* --- objects and slots ------------------------------------------------------
 */

static struct object *object_of(struct gen *g, int who, int s)
{
	int i = g->slot[who][s];

	return i == NONE ? NULL : &g->object[i];
}

static int refs(const struct object *o)
{
	return o ? o->refs[0] + o->refs[1] : 0;
}

static bool is_socket(const struct object *o)
{
	return o && o->state != DEVICE && o->state != PLAIN;
}

static const struct object *peer_of(struct gen *g, const struct object *o)
{
	return o && o->state == CONNECTED ? &g->object[o->peer] : NULL;
}

/* Nothing more will come of the peer. */
static bool has_ended(struct gen *g, const struct object *o)
{
	const struct object *p = peer_of(g, o);

	return p && (p->gone || p->shut_wr);
}

/* Is it as when it was made? */
static bool is_open(struct gen *g, const struct object *o)
{
	const struct object *p = peer_of(g, o);

	return p && !p->gone && !p->shut_rd && !p->shut_wr && !o->shut_rd &&
	       !o->shut_wr;
}

/* Did it end, in a way of which AF_UNIX does not tell all? */
static bool is_unclear_end(struct gen *g, const struct object *o)
{
	return peer_of(g, o) && !is_open(g, o) && known(KNOWN_UNREAD_END);
}

/* Does the second process sleep on it? */
static bool is_slept_on(const struct gen *g, const struct object *o)
{
	return o && g->sleep.object[o - g->object];
}

static void end_sleep(struct gen *g)
{
	memset(&g->sleep, 0, sizeof(g->sleep));
	g->sleep.acceptor = NONE;
}

static int new_object(struct gen *g, enum state state, bool seq)
{
	g->object[g->n_objects] =
		(struct object){ .state = state, .seq = seq, .peer = NONE };
	return g->n_objects++;
}

static bool is_full(const struct gen *g)
{
	return g->n_objects + 2 > OBJECTS;
}

static void object_gone(struct gen *g, int i)
{
	struct object *o = &g->object[i];
	const struct object *p = peer_of(g, o);

	o->gone = true;
	if (p && !p->gone && !o->accepted && o->port < LETTERS && p->sends)
		g->lingering[o->port] = true;
	for (int q = 0; q < o->queued; q++)
		g->object[o->queue[q]].gone = true;
	o->queued = 0;
}

static void put_in(struct gen *g, int who, int s, int i, bool cloexec)
{
	g->slot[who][s] = i;
	g->cloexec[who][s] = cloexec;
	g->object[i].refs[who]++;
}

static void take_out(struct gen *g, int who, int s)
{
	int i = g->slot[who][s];

	if (i == NONE)
		return;
	g->slot[who][s] = NONE;
	g->registered[who][s] = false;
	g->object[i].refs[who]--;
	if (!refs(&g->object[i]))
		object_gone(g, i);
}

static int free_slot(struct gen *g, int who)
{
	int first = below(g, SLOTS);

	for (int i = 0; i < SLOTS; i++)
		if (g->slot[who][(first + i) % SLOTS] == NONE &&
		    !(who && g->sleep.acceptor != NONE &&
		      g->sleep.d == (first + i) % SLOTS))
			return (first + i) % SLOTS;
	return NONE;
}

typedef bool want_fn(struct gen *g, const struct object *o);

static int find(struct gen *g, int who, want_fn *want)
{
	int first = below(g, SLOTS);

	for (int i = 0; i < SLOTS; i++) {
		int s = (first + i) % SLOTS;
		const struct object *o = object_of(g, who, s);

		if (o && want(g, o))
			return s;
	}
	return NONE;
}

static bool any(struct gen *g, const struct object *o)
{
	(void)g, (void)o;
	return true;
}

static bool is_any_socket(struct gen *g, const struct object *o)
{
	(void)g;
	return is_socket(o);
}

static bool is_fresh(struct gen *g, const struct object *o)
{
	(void)g;
	return o->state == FRESH;
}

static bool is_unbound(struct gen *g, const struct object *o)
{
	(void)g;
	return o->state == FRESH && !o->bound;
}

static bool is_bound(struct gen *g, const struct object *o)
{
	(void)g;
	return o->state == FRESH && o->bound;
}

static bool is_listening(struct gen *g, const struct object *o)
{
	(void)g;
	return o->state == LISTENING;
}

static bool is_waited_for(struct gen *g, const struct object *o)
{
	(void)g;
	return o->state == LISTENING && o->queued;
}

static bool is_connected(struct gen *g, const struct object *o)
{
	(void)g;
	return o->state == CONNECTED;
}

static bool has_data(struct gen *g, const struct object *o)
{
	(void)g;
	return o->state == CONNECTED && o->unread;
}

/* Usually a slot that is wanted, else any. */
static int choose(struct gen *g, int who, want_fn *want)
{
	int s = NONE;

	if (percent(g, g->loose ? 60 : 92))
		s = find(g, who, want);
	if (s == NONE && percent(g, g->loose ? 85 : 97))
		s = find(g, who, any);
	return s == NONE ? below(g, SLOTS) : s;
}

/* --- calls that make sockets, and connect them ------------------------------
 */

static struct op *emit(struct gen *g, int kind, int who, int s)
{
	static struct op none;
	struct op *o = &none;

	if (who || kind >= OP_FORK || kind == OP_PASS)
		end_sleep(g);
	if (g->seq->n < g->length)
		o = &g->seq->op[g->seq->n++];
	*o = (struct op){ .kind = (uint8_t)kind,
			  .who = (uint8_t)who,
			  .s = (uint8_t)s };
	return o;
}

static int bad_memory(struct gen *g)
{
	return !percent(g, g->loose ? 15 : 3) ? MEMORY_GOOD : ONE_OF(g, 1, 2);
}

/* The slot of the new socket, or NONE. */
static int gen_socket_of(struct gen *g, int who, bool seq)
{
	int d = free_slot(g, who), i;
	struct op *o;

	if (d == NONE || is_full(g))
		return NONE;
	o = emit(g, OP_SOCKET, who, 0);
	o->d = (uint8_t)d;
	o->a[0] = seq ? SOCK_SEQPACKET : SOCK_STREAM;
	o->a[0] |= percent(g, 35) ? SOCK_NONBLOCK : 0;
	o->a[0] |= percent(g, 20) ? SOCK_CLOEXEC : 0;
	o->a[1] = percent(g, 5) ? AF_VSOCK : 0;
	if (percent(g, g->loose ? 15 : 2)) {
		o->a[0] = ONE_OF(g, SOCK_DGRAM, SOCK_RAW, SOCK_RDM, 0, 10, 11,
				 SOCK_STREAM | 0x10, SOCK_STREAM | 0x10000000,
				 SOCK_SEQPACKET | SOCK_NONBLOCK);
		o->a[1] = ONE_OF(g, 0, AF_VSOCK, 1, 6, -1);
		return NONE;
	}
	i = new_object(g, FRESH, seq);
	g->object[i].nonblock = o->a[0] & SOCK_NONBLOCK;
	put_in(g, who, d, i, o->a[0] & SOCK_CLOEXEC);
	return d;
}

static bool some_type(struct gen *g)
{
	return g->packets != percent(g, 10);
}

static void gen_socket(struct gen *g, int who)
{
	gen_socket_of(g, who, some_type(g));
}

static void gen_pair(struct gen *g, int who)
{
	struct op *o = emit(g, OP_PAIR, who, 0);

	o->a[0] = ONE_OF(g, SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM, SOCK_RAW);
	o->a[1] = ONE_OF(g, 0, AF_VSOCK, 1);
}

static void gen_stranger(struct gen *g, int who)
{
	int d = free_slot(g, who);
	bool device = percent(g, 50);
	struct op *o;

	if (d == NONE || is_full(g))
		return;
	o = emit(g, device ? OP_DEVICE : OP_PLAIN, who, 0);
	o->d = (uint8_t)d;
	o->a[0] = ONE_OF(g, O_RDONLY, O_RDWR, O_RDWR | O_CLOEXEC,
			 O_RDWR | O_NONBLOCK);
	put_in(g, who, d, new_object(g, device ? DEVICE : PLAIN, false),
	       device && o->a[0] & O_CLOEXEC);
}

static int some_form(struct gen *g)
{
	return percent(g, g->loose ? 30 : 6) ? below(g, N_FORMS) : FORM_PLAIN;
}

/* The port that a call means: a letter, or the number of an ephemeral one. */
static int meant(struct gen *g, int who, int port)
{
	const struct object *o;

	if (port < LETTERS)
		return port;
	if (port == PORT_EPHEMERAL)
		return NONE;
	o = object_of(g, who, port - PORT_OF);
	return !is_socket(o) ? PORT_A : o->bound ? o->port : NONE;
}

static bool is_taken(struct gen *g, int cid, int port)
{
	for (int i = 0; i < g->n_objects; i++) {
		const struct object *o = &g->object[i];

		if (!o->gone && o->bound && !o->accepted && o->port == port &&
		    (o->cid == CID_ANY || cid == CID_ANY || o->cid == cid))
			return true;
	}
	return false;
}

/* Is it the port of a client that is not connected? */
static bool is_refused(struct gen *g, int port)
{
	for (int i = 0; i < g->n_objects; i++) {
		const struct object *o = &g->object[i];

		if (o->by_connect && o->port == port && o->state != CONNECTED)
			return true;
	}
	return false;
}

static void gen_bind_slot(struct gen *g, int who, int s)
{
	struct object *ob = object_of(g, who, s);
	struct op *o = emit(g, OP_BIND, who, s);
	int port;

	o->a[0] = percent(g, 55)   ? CID_ANY
		  : percent(g, 80) ? CID_1
				   : below(g, N_CIDS);
	o->a[1] = percent(g, 75)   ? below(g, LETTERS)
		  : percent(g, 80) ? PORT_EPHEMERAL
				   : PORT_OF + below(g, SLOTS);
	o->a[2] = some_form(g);
	port = meant(g, who, o->a[1]);
	if ((known(KNOWN_LINGERING_PORT) && port != NONE && port < LETTERS &&
	     g->lingering[port]) ||
	    (known(KNOWN_REFUSED_PORT) && is_refused(g, port))) {
		o->a[1] = PORT_EPHEMERAL;
		port = NONE;
	}
	if (!is_socket(ob) || ob->bound || o->a[2] > FORM_GOOD ||
	    o->a[0] > CID_1 || (port != NONE && is_taken(g, o->a[0], port)))
		return;
	ob->bound = true;
	ob->cid = o->a[0];
	ob->port = port == NONE ? LETTERS + g->n_ephemeral++ : port;
	if (ob->port < LETTERS)
		g->used[ob->port] = true;
}

static void gen_bind(struct gen *g, int who)
{
	gen_bind_slot(g, who, choose(g, who, is_unbound));
}

static void gen_listen_slot(struct gen *g, int who, int s)
{
	struct object *ob = object_of(g, who, s);
	struct op *o;

	if (ob && ob->unnamed && known(KNOWN_CLIENT_LISTENS))
		return;
	o = emit(g, OP_LISTEN, who, s);
	o->a[0] = ONE_OF(g, 0, 1, 2, 8, 8, 8, -1, INT_MAX);
	if (!ob || !ob->bound || (ob->state != FRESH && ob->state != LISTENING))
		return;
	ob->state = LISTENING;
	ob->backlog = o->a[0];
}

static void gen_listen(struct gen *g, int who)
{
	gen_listen_slot(g, who, choose(g, who, is_bound));
}

/* Who answers at that address? @exists: is it one where somebody was seen? */
static struct object *answers(struct gen *g, int cid, int port, bool *exists)
{
	*exists = port != NONE && port < LETTERS && g->used[port];
	for (int i = 0; i < g->n_objects; i++) {
		struct object *o = &g->object[i];

		if (!o->bound || o->accepted || o->port != port)
			continue;
		*exists = true;
		if (!o->gone && o->state == LISTENING &&
		    (o->cid == CID_ANY || o->cid == cid))
			return o;
	}
	return NULL;
}

static void connect_them(struct gen *g, int c, struct object *l)
{
	int i = new_object(g, CONNECTED, l->seq);
	struct object *a = &g->object[i];

	a->accepted = true;
	a->peer = c;
	a->bound = true;
	a->port = l->port;
	g->object[c].state = CONNECTED;
	g->object[c].peer = i;
	if (g->sleep.acceptor == l - g->object) {
		put_in(g, 1, g->sleep.d, i, false);
		end_sleep(g);
		return;
	}
	l->queue[l->queued++] = i;
}

/* Is a client at @to connected to @from? */
static bool is_reversed(struct gen *g, int from, int to)
{
	for (int i = 0; i < g->n_objects; i++) {
		const struct object *o = &g->object[i];

		if (o->state == CONNECTED && !o->accepted && o->port == to &&
		    g->object[o->peer].port == from)
			return true;
	}
	return false;
}

static void gen_connect_slot(struct gen *g, int who, int s, int cid, int port)
{
	struct object *ob = object_of(g, who, s), *l;
	struct op *o;
	bool exists;

	/* Whether a sleeper sees the error before connect(2) takes it is open.
	 */
	if (is_slept_on(g, ob) && !ob->nonblock)
		return;
	if (ob && ob->bound && is_reversed(g, ob->port, meant(g, who, port)) &&
	    known(KNOWN_REVERSED))
		port = PORT_A;
	o = emit(g, OP_CONNECT, who, s);
	o->a[0] = cid;
	o->a[1] = port;
	o->a[2] = some_form(g);
	if ((o->a[2] == FORM_TO_HOST || o->a[2] == FORM_RESERVED) &&
	    (refs(ob) > 1 || g->moves) && known(KNOWN_OTHER_PROCESS))
		o->a[2] = FORM_PLAIN;
	if (!ob || ob->state != FRESH || o->a[2] > FORM_GOOD ||
	    (cid != CID_1 && cid != CID_2))
		return;
	l = answers(g, cid, meant(g, who, port), &exists);
	if (!ob->bound) {
		ob->bound = ob->by_connect = true;
		ob->cid = CID_ANY;
		ob->port = LETTERS + g->n_ephemeral++;
	}
	ob->unnamed |= ob->by_connect && exists;
	if (l && l->seq == ob->seq && l->queued < QUEUE &&
	    (l->backlog < 0 || l->queued <= l->backlog) && !is_full(g))
		connect_them(g, g->slot[who][s], l);
	else if (ob->nonblock)
		ob->state = FAILED;
}

static void gen_connect(struct gen *g, int who)
{
	int s = choose(g, who, is_fresh), cid = CID_1, port = below(g, LETTERS);

	/* Most often to somebody. */
	for (int i = 0; i < g->n_objects && percent(g, 90); i++) {
		const struct object *o = &g->object[i];

		if (o->state == LISTENING && !o->gone && o->port < LETTERS) {
			port = o->port;
			break;
		}
	}
	if (percent(g, 15))
		port = PORT_OF + below(g, SLOTS);
	else if (percent(g, 3))
		port = PORT_EPHEMERAL;
	if (percent(g, 25))
		cid = percent(g, 70) ? CID_2 : below(g, N_CIDS);
	gen_connect_slot(g, who, s, cid, port);
}

static void gen_accept_slot(struct gen *g, int who, int s)
{
	struct object *ob = object_of(g, who, s);
	int d = free_slot(g, who), i;
	struct op *o;

	if (d == NONE || d == s)
		return;
	/* Nobody waits long, but each costs some time. */
	if (ob && ob->state == LISTENING && !ob->queued && !ob->nonblock &&
	    (is_slept_on(g, ob) || percent(g, 80)))
		return;
	o = emit(g, OP_ACCEPT, who, s);
	o->d = (uint8_t)d;
	o->a[0] = percent(g, 50)   ? -1
		  : percent(g, 10) ? ONE_OF(g, 1, 0x4000, SOCK_DGRAM)
				   : ONE_OF(g, 0, SOCK_NONBLOCK, SOCK_CLOEXEC,
					    SOCK_NONBLOCK | SOCK_CLOEXEC);
	o->a[1] = percent(g, 40)   ? ROOM_NONE
		  : percent(g, 70) ? ROOM_FULL
				   : below(g, N_ROOMS);
	if (!ob || ob->state != LISTENING || !ob->queued ||
	    (o->a[0] > 0 && o->a[0] & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)))
		return;
	i = ob->queue[0];
	memmove(ob->queue, ob->queue + 1,
		(size_t)--ob->queued * sizeof(*ob->queue));
	if (o->a[1] >= ROOM_NEGATIVE) {
		object_gone(g, i);
		return;
	}
	g->object[i].nonblock = o->a[0] > 0 && o->a[0] & SOCK_NONBLOCK;
	put_in(g, who, d, i, o->a[0] > 0 && o->a[0] & SOCK_CLOEXEC);
}

static void gen_accept(struct gen *g, int who)
{
	gen_accept_slot(
		g, who,
		choose(g, who, percent(g, 80) ? is_waited_for : is_listening));
}

/* Several calls that belong together. */

static void gen_listener(struct gen *g, int who)
{
	int s = gen_socket_of(g, who, some_type(g));

	if (s == NONE)
		return;
	gen_bind_slot(g, who, s);
	gen_listen_slot(g, who, s);
}

static void gen_connection(struct gen *g, int who)
{
	int l = find(g, who, is_listening), s;
	const struct object *ob;

	if (l == NONE)
		gen_listener(g, who);
	l = find(g, who, is_listening);
	if (l == NONE)
		return;
	ob = object_of(g, who, l);
	s = gen_socket_of(g, who, ob->seq);
	if (s == NONE)
		return;
	gen_connect_slot(g, who, s,
			 ob->cid == CID_ANY && percent(g, 30) ? CID_2 : CID_1,
			 ob->port < LETTERS ? ob->port : PORT_OF + l);
	if (percent(g, 85))
		gen_accept_slot(g, who, l);
}

/* --- data ------------------------------------------------------------------
 */

static int send_flags(struct gen *g, const struct object *ob)
{
	int flags = 0;

	flags |= percent(g, 40) ? MSG_DONTWAIT : 0;
	flags |= percent(g, 40) ? MSG_NOSIGNAL : 0;
	flags |= percent(g, ob && ob->seq ? 30 : 5) ? MSG_EOR : 0;
	flags |= percent(g, 3) ? MSG_OOB : 0;
	flags |= percent(g, 5) ? MSG_MORE : 0;
	flags |= percent(g, 2) ? MSG_DONTROUTE : 0;
	if (percent(g, 5) && !(ob && ob->zerocopy && known(KNOWN_ZEROCOPY)))
		flags |= MSG_ZEROCOPY;
	return flags;
}

/* How much @p will get, in so many sends. */
static int send_size(struct gen *g, struct object *p, int times)
{
	int size = percent(g, 85) ? ONE_OF(g, 1, 2, 3, 8, 100, 300)
				  : ONE_OF(g, 0, 0, 1000, 5000);
	int cost = times * (1300 + 2 * size);

	if (g->sizes && known(KNOWN_SMALL_WINDOW))
		return 0;
	if (p && p->cost + cost > 60000 && known(KNOWN_WINDOW))
		return 0;
	if (p && size) {
		p->cost += cost;
		p->unread += times * size;
		p->sends += times;
	}
	return size;
}

static bool is_write(int kind)
{
	return kind == OP_WRITE || kind == OP_WRITEV || kind == OP_PWRITEV2;
}

static void gen_send_slot(struct gen *g, int who, int s)
{
	struct object *ob = object_of(g, who, s);
	struct object *p = (struct object *)peer_of(g, ob);
	int times = 1, kind;
	struct op *o;

	kind = ONE_OF(g, OP_SEND, OP_SEND, OP_SEND, OP_SENDTO, OP_WRITE,
		      OP_WRITE, OP_SENDMSG, OP_SENDMSG, OP_WRITEV, OP_PWRITEV2,
		      OP_SENDMMSG, OP_SENDMMSG, OP_SENDFILE, OP_SPLICE_IN);
	if (is_write(kind) && ob && ob->seq && !g->writes &&
	    known(KNOWN_WRITE_EOR))
		kind = OP_SEND;
	if (kind == OP_SENDTO && is_unclear_end(g, ob))
		kind = OP_SEND;
	if (kind == OP_SENDMMSG) /* who sleeps may wake after the first */
		times = below(g, is_slept_on(g, p) ? 2 : 4);
	o = emit(g, kind, who, s);
	o->a[0] = send_size(g, p, times);
	if (!is_write(kind) && kind < OP_SENDFILE)
		o->a[1] = send_flags(g, ob);
	switch (kind) {
	case OP_SENDTO:
		o->a[3] = below(g, N_CIDS);
		o->a[4] = below(g, LETTERS);
		__attribute__((fallthrough));
	case OP_SEND:
	case OP_WRITE:
		o->a[2] = bad_memory(g);
		break;
	case OP_PWRITEV2:
		o->a[1] = percent(g, 20) ? RWF_NOWAIT : 0;
		o->a[2] = percent(g, 60) ? below(g, N_VECTORS) : VECTOR_ONE;
		o->a[3] = percent(g, 80) ? -1 : 0;
		break;
	case OP_SENDMSG:
		o->a[3] = percent(g, 15) ? ONE_OF(g, 8, 20, 24, 40) : 0;
		__attribute__((fallthrough));
	case OP_WRITEV:
		o->a[2] = percent(g, 60) ? below(g, N_VECTORS) : VECTOR_ONE;
		break;
	case OP_SENDMMSG:
		o->a[2] = times;
		break;
	default:
		break;
	}
}

static void gen_send(struct gen *g, int who)
{
	gen_send_slot(g, who,
		      choose(g, who, percent(g, 70) ? is_open : is_connected));
}

static int recv_flags(struct gen *g, const struct object *ob, bool waits)
{
	int flags = 0;

	flags |= is_slept_on(g, ob) || percent(g, waits ? 96 : 30)
			 ? MSG_DONTWAIT
			 : 0;
	flags |= percent(g, 15) ? MSG_PEEK : 0;
	flags |= percent(g, 15) ? MSG_TRUNC : 0;
	if (percent(g, 4) && (flags & MSG_DONTWAIT || percent(g, 20)) &&
	    !(g->sizes && known(KNOWN_SMALL_WINDOW)))
		flags |= MSG_WAITALL;
	if (percent(g, 3) && !is_unclear_end(g, ob))
		flags |= MSG_OOB;
	flags |= percent(g, 3) ? MSG_ERRQUEUE : 0;
	return flags;
}

static int recv_size(struct gen *g, const struct object *ob, int kind)
{
	int size = percent(g, 97)
			   ? ONE_OF(g, 0, 1, 2, 5, 64, 200, 400, 400, 10000)
			   : 262144;

	if (kind == OP_SPLICE_OUT && size > 400)
		size = 400; /* a kernel has a page for it, or more */
	if (size > 10000 && (kind == OP_RECVMMSG || is_unclear_end(g, ob)))
		size = 64;
	return size;
}

/* Those that take no flags wait. */
static bool has_no_flags(int kind)
{
	return kind == OP_READ || kind == OP_READV || kind == OP_PREADV2 ||
	       kind == OP_SPLICE_OUT;
}

static void gen_recv(struct gen *g, int who)
{
	int s = choose(g, who, percent(g, 60) ? has_data : is_connected);
	struct object *ob = object_of(g, who, s);
	bool waits = ob && ob->state == CONNECTED && !ob->nonblock &&
		     !ob->shut_rd && !ob->unread && !has_ended(g, ob);
	int kind;
	struct op *o;

	kind = ONE_OF(g, OP_RECV, OP_RECV, OP_RECV, OP_RECVFROM, OP_READ,
		      OP_READ, OP_RECVMSG, OP_RECVMSG, OP_RECVMSG, OP_READV,
		      OP_PREADV2, OP_RECVMMSG, OP_SPLICE_OUT);
	if (has_no_flags(kind) &&
	    (is_slept_on(g, ob) || (waits && percent(g, 95))))
		kind = OP_RECV;
	if ((kind == OP_RECVMSG || kind == OP_RECVMMSG) && ob && ob->seq &&
	    g->writes && known(KNOWN_WRITE_EOR))
		kind = OP_RECV;
	o = emit(g, kind, who, s);
	o->a[0] = recv_size(g, ob, kind);
	if (!has_no_flags(kind))
		o->a[1] = recv_flags(g, ob, waits || kind == OP_RECVMMSG);
	switch (kind) {
	case OP_RECVFROM:
		o->a[3] = percent(g, 70) ? ROOM_FULL : below(g, N_ROOMS);
		__attribute__((fallthrough));
	case OP_RECV:
	case OP_READ:
		o->a[2] = bad_memory(g);
		break;
	case OP_RECVMSG:
		o->a[3] = below(g, 4);
		o->a[1] |= percent(g, 10) ? MSG_CMSG_CLOEXEC : 0;
		o->a[2] = percent(g, 40) ? below(g, N_VECTORS) : VECTOR_ONE;
		break;
	case OP_PREADV2:
		o->a[1] = percent(g, 20) ? RWF_NOWAIT : 0;
		o->a[3] = percent(g, 80) ? -1 : 0;
		__attribute__((fallthrough));
	case OP_READV:
		o->a[2] = percent(g, 40) ? below(g, N_VECTORS) : VECTOR_ONE;
		break;
	case OP_RECVMMSG:
		o->a[2] = below(g, 4);
		o->a[1] |= percent(g, 30) ? MSG_WAITFORONE : 0;
		o->a[3] = percent(g, 20);
		break;
	default:
		break;
	}
	if (o->a[2] == VECTOR_BAD_SECOND && ob && ob->sends > 1 &&
	    known(KNOWN_BAD_BUFFER))
		o->a[2] = VECTOR_ONE;
	if (!ob || o->a[1] & MSG_PEEK)
		return;
	ob->unread -= o->a[0] < ob->unread ? o->a[0] : ob->unread;
	if (!ob->unread)
		ob->cost = 0;
}

/* --- the rest --------------------------------------------------------------
 */

static void gen_shutdown_slot(struct gen *g, int who, int s)
{
	struct object *ob = object_of(g, who, s);
	const struct object *p = peer_of(g, ob);
	struct op *o;

	if (is_socket(ob) && refs(ob) > 1 && known(KNOWN_DUPLICATE))
		return;
	if (p && ob->accepted && (p->gone || (p->shut_rd && p->shut_wr)) &&
	    known(KNOWN_ACCEPTED_END))
		return;
	if (p && ob->accepted && ob->shut_rd && ob->shut_wr &&
	    known(KNOWN_ALIAS))
		return;
	o = emit(g, OP_SHUTDOWN, who, s);
	o->a[0] = percent(g, 94) ? below(g, 3) : ONE_OF(g, 3, -1, 77);
	if (!ob || ob->state == FRESH || ob->state == LISTENING ||
	    o->a[0] < 0 || o->a[0] > 2)
		return;
	ob->shut_rd |= o->a[0] != SHUT_WR;
	ob->shut_wr |= o->a[0] != SHUT_RD;
}

static void gen_shutdown(struct gen *g, int who)
{
	gen_shutdown_slot(g, who, choose(g, who, is_connected));
}

/* May the descriptor in slot @s go? */
static bool may_close(struct gen *g, int who, int s)
{
	return !(g->registered[who][s] && refs(object_of(g, who, s)) > 1 &&
		 known(KNOWN_EPOLL_DUPLICATE));
}

static void gen_close_slot(struct gen *g, int who, int s)
{
	if (!may_close(g, who, s))
		return;
	emit(g, OP_CLOSE, who, s)->a[0] =
		percent(g, 75) ? 0 : below(g, N_CLOSES);
	take_out(g, who, s);
}

static void gen_close(struct gen *g, int who)
{
	gen_close_slot(g, who, choose(g, who, any));
}

static void gen_dup(struct gen *g, int who)
{
	int s = choose(g, who, any), d = free_slot(g, who);
	int kind = ONE_OF(g, OP_DUP, OP_DUPFD, OP_DUP2), i;

	if (kind == OP_DUP2)
		d = find(g, who, any);
	i = g->slot[who][s];
	if (d == NONE || d == s || i == NONE || !may_close(g, who, d))
		return;
	emit(g, kind, who, s)->d = (uint8_t)d;
	if (i == g->slot[who][d])
		return;
	take_out(g, who, d);
	put_in(g, who, d, i, kind == OP_DUPFD);
}

/* The second process makes itself known to a socket. */
static void gen_meet(struct gen *g)
{
	int s = find(g, 1, is_any_socket);

	if (!g->unmet || s == NONE || !known(KNOWN_EXEC_POLL))
		return;
	emit(g, OP_SOCKNAME, 1, s)->a[0] = ROOM_FULL;
	g->unmet = false;
}

static void gen_pass(struct gen *g, int who)
{
	int s = choose(g, who, any), d = free_slot(g, !who);
	int i = g->slot[who][s];

	if (!g->second || !g->moves || d == NONE || i == NONE)
		return;
	emit(g, OP_PASS, who, s)->d = (uint8_t)d;
	put_in(g, !who, d, i, false);
	gen_meet(g);
}

static void gen_name(struct gen *g, int who)
{
	int kind = percent(g, 50) ? OP_SOCKNAME : OP_PEERNAME;
	struct op *o = emit(g, kind, who, choose(g, who, any));

	o->a[0] = percent(g, 70) ? ROOM_FULL : 1 + below(g, N_ROOMS - 1);
}

static int some_option(struct gen *g)
{
	return percent(g, 40) ? below(g, OPT_COMMON + 1) : below(g, n_options);
}

static void gen_getopt(struct gen *g, int who)
{
	struct op *o = emit(g, OP_GETOPT, who, choose(g, who, any));

	o->a[0] = percent(g, 25) ? OPT_ERROR : some_option(g);
	o->a[1] = percent(g, 85) ? 0 : below(g, 5);
	o->a[2] = bad_memory(g);
}

/* May that option of that socket be set? */
static bool may_set(struct gen *g, const struct object *ob, int option)
{
	if (g->sizes != (option <= OPT_BUFFER_MAX) &&
	    (option <= OPT_BUFFER_MAX || option == OPT_RCVLOWAT) &&
	    known(KNOWN_SMALL_WINDOW))
		return false;
	if (option <= OPT_RECORDS && ob && ob->state == LISTENING &&
	    ob->queued && known(KNOWN_LISTENER_OPTIONS))
		return false;
	if (option <= OPT_RECORDS && (refs(ob) > 1 || g->moves) &&
	    known(KNOWN_OTHER_PROCESS))
		return false;
	return !(option == OPT_RCVLOWAT && refs(ob) > 1 &&
		 known(KNOWN_DUPLICATE));
}

static void gen_setopt(struct gen *g, int who)
{
	int s = choose(g, who, any), option = some_option(g);
	struct object *ob = object_of(g, who, s);
	struct op *o;

	if (!may_set(g, ob, option))
		return;
	o = emit(g, OP_SETOPT, who, s);
	o->a[0] = option;
	o->a[1] = percent(g, 85) ? 0 : below(g, 5);
	o->a[2] = below(g, n_values);
	if (option == OPT_RCVTIMEO) /* not one that is long */
		o->a[2] = ONE_OF(g, 0, 1, 3, 4, 5);
	o->a[3] = bad_memory(g);
	if (option <= OPT_BUFFER_MAX && known(KNOWN_SMALL_WINDOW) &&
	    o->a[2] < 2)
		o->a[2] = 2;
	if (option == OPT_ZEROCOPY && ob)
		ob->zerocopy = true;
}

static void gen_ioctl(struct gen *g, int who)
{
	int s = choose(g, who, percent(g, 70) ? is_connected : any);
	int request = percent(g, 70) ? below(g, 3) : below(g, n_requests);
	struct object *ob = object_of(g, who, s);
	struct op *o;

	if (request == REQ_INQ && ob && ob->shut_rd &&
	    known(KNOWN_FIONREAD_SHUT))
		request = REQ_OUTQ;
	o = emit(g, OP_IOCTL, who, s);
	o->a[0] = request;
	o->a[1] = percent(g, 70);
	o->a[2] = bad_memory(g);
	if (request == REQ_NBIO && ob && o->a[2] == MEMORY_GOOD)
		ob->nonblock = o->a[1];
}

static void gen_file(struct gen *g, int who)
{
	int s = choose(g, who, any);
	struct object *ob = object_of(g, who, s);

	if (percent(g, 50)) {
		emit(g, OP_FILE, who, s)->a[0] = below(g, N_FILE_CALLS);
		return;
	}
	emit(g, OP_NONBLOCK, who, s)->a[0] = percent(g, 60);
	if (ob)
		ob->nonblock = g->seq->op[g->seq->n - 1].a[0];
}

/* A wait that ends at once, or one that might have to be mended. */
static int some_ms(struct gen *g)
{
	return percent(g, 10) ? 10 : 0;
}

static void gen_poll(struct gen *g, int who)
{
	struct op *o = emit(g, OP_POLL, who, 0);

	o->a[0] = 1 + below(g, (1 << SLOTS) - 1);
	o->a[1] = ONE_OF(g, 0, POLLIN, POLLOUT, POLLIN | POLLOUT, POLLRDHUP,
			 POLLIN | POLLRDHUP, POLLPRI, POLLWRBAND,
			 POLLRDNORM | POLLWRNORM, 0x3fff & ~POLLNVAL);
	o->a[2] = some_ms(g);
	o->a[3] = percent(g, 30);
}

static void gen_select(struct gen *g, int who)
{
	struct op *o = emit(g, OP_SELECT, who, 0);

	o->a[0] = below(g, 1 << SLOTS);
	o->a[1] = below(g, 1 << SLOTS);
	o->a[2] = some_ms(g);
	o->a[3] = percent(g, 30);
}

static void gen_epoll(struct gen *g, int who)
{
	int s = choose(g, who, any);
	const struct object *ob = object_of(g, who, s);
	struct op *o;

	if (percent(g, 45)) {
		o = emit(g, OP_EPOLL_WAIT, who, 0);
		o->a[0] = some_ms(g);
		o->a[1] = percent(g, 30);
		return;
	}
	if (ob && ob->state == DEVICE && known(KNOWN_DEVICE))
		return;
	o = emit(g,
		 !g->registered[who][s] || percent(g, 10) ? OP_EPOLL_ADD
		 : percent(g, 60)			  ? OP_EPOLL_MOD
							  : OP_EPOLL_DEL,
		 who, s);
	o->a[0] = ONE_OF(g, 0, EPOLLIN, EPOLLOUT, EPOLLIN | EPOLLOUT,
			 EPOLLRDHUP, EPOLLIN | EPOLLOUT | EPOLLRDHUP);
	o->a[0] |= percent(g, 10) ? EPOLLONESHOT : 0;
	o->a[0] |= g->edges ? (int)EPOLLET : 0;
	if (ob)
		g->registered[who][s] = o->kind != OP_EPOLL_DEL;
}

static void gen_process(struct gen *g)
{
	if (!g->second) {
		emit(g, OP_FORK, 0, 0);
		for (int s = 0; s < SLOTS; s++)
			if (g->slot[0][s] != NONE)
				put_in(g, 1, s, g->slot[0][s],
				       g->cloexec[0][s]);
		g->second = true;
		g->unmet = false;
	} else if (g->moves && percent(g, 50)) {
		emit(g, OP_EXEC, 0, 0);
		for (int s = 0; s < SLOTS; s++)
			if (g->cloexec[1][s])
				take_out(g, 1, s);
		memset(g->registered[1], 0, sizeof(g->registered[1]));
		g->unmet = true;
		gen_meet(g);
	} else if (percent(g, 40)) {
		emit(g, OP_KILL, 0, 0);
		for (int s = 0; s < SLOTS; s++)
			take_out(g, 1, s);
		g->second = false;
	}
}

/* May the call meet a descriptor that is no vsock socket? */
static bool for_strangers(const struct op *o, enum state state)
{
	switch (o->kind) {
	case OP_READ:
	case OP_WRITE:
		return o->a[0] && !o->a[2];
	case OP_SEND:
	case OP_RECV:
		return state == PLAIN && o->a[0] && !o->a[2] &&
		       !(o->a[1] & ~(MSG_DONTWAIT | MSG_NOSIGNAL | MSG_PEEK));
	case OP_BIND:
	case OP_CONNECT:
	case OP_LISTEN:
	case OP_PEERNAME:
	case OP_IOCTL:
		return state == DEVICE;
	case OP_ACCEPT:
		return false;
	default:
		return o->kind <= OP_PAIR || o->kind == OP_SHUTDOWN ||
		       o->kind == OP_CLOSE || o->kind == OP_SOCKNAME ||
		       o->kind == OP_NONBLOCK || o->kind >= OP_POLL;
	}
}

/* The first process does what may wake the second. */
static void gen_wake(struct gen *g)
{
	int first = below(g, g->n_objects), s, i;
	struct object *ob;

	for (i = 0; i < g->n_objects; i++)
		if (g->sleep.object[(first + i) % g->n_objects])
			break;
	if (i == g->n_objects)
		return;
	i = (first + i) % g->n_objects;
	ob = &g->object[i];
	if (!is_socket(ob))
		return;
	if (ob->state == LISTENING) {
		s = find(g, 0, is_fresh);
		if (s == NONE || percent(g, 50))
			s = gen_socket_of(g, 0, ob->seq);
		if (s != NONE && ob->port < LETTERS)
			gen_connect_slot(g, 0, s, CID_1, ob->port);
		return;
	}
	for (s = 0; s < SLOTS; s++)
		if (g->slot[0][s] == (ob->state == CONNECTED ? ob->peer : i))
			break;
	if (s == SLOTS)
		return;
	if (ob->state == FRESH)
		gen_connect_slot(g, 0, s, CID_1, below(g, LETTERS));
	else if (percent(g, 70))
		gen_send_slot(g, 0, s);
	else if (percent(g, 50))
		gen_shutdown_slot(g, 0, s);
	else
		gen_close_slot(g, 0, s);
}

/* The second process is to sleep: in a call that may have to, this time. */
static void gen_sleep(struct gen *g)
{
	int s, d,
		kind = ONE_OF(g, OP_RECV, OP_READ, OP_RECVMSG, OP_ACCEPT,
			      OP_ACCEPT, OP_POLL, OP_POLL, OP_SELECT,
			      OP_EPOLL_WAIT);
	struct object *ob;
	struct op *o;

	s = find(g, 1,
		 kind == OP_ACCEPT    ? is_listening
		 : kind < OP_SHUTDOWN ? is_connected
				      : any);
	d = free_slot(g, 1);
	ob = s == NONE ? NULL : object_of(g, 1, s);
	if (!is_socket(ob) || (kind == OP_ACCEPT && d == NONE))
		return;
	if (kind == OP_RECVMSG && g->writes && known(KNOWN_WRITE_EOR))
		kind = OP_RECV;
	o = emit(g, kind, 1, s);
	o->later = true;
	g->sleep.calls = 1 + below(g, 4);
	g->sleep.object[g->slot[1][s]] = true;
	switch (kind) {
	case OP_ACCEPT:
		o->d = (uint8_t)d;
		o->a[0] = -1;
		o->a[1] = percent(g, 50) ? ROOM_NONE : ROOM_FULL;
		if (ob->queued) {
			put_in(g, 1, d, ob->queue[0], false);
			memmove(ob->queue, ob->queue + 1,
				(size_t)--ob->queued * sizeof(*ob->queue));
		} else if (!ob->nonblock) {
			g->sleep.acceptor = g->slot[1][s];
			g->sleep.d = d;
		}
		break;
	case OP_EPOLL_WAIT:
		o->a[1] = percent(g, 30);
		for (int i = 0; i < SLOTS; i++)
			if (g->registered[1][i])
				g->sleep.object[g->slot[1][i]] = true;
		break;
	case OP_POLL:
	case OP_SELECT:
		o->a[0] = 1 << s | (1 + below(g, (1 << SLOTS) - 1));
		o->a[1] =
			kind == OP_POLL
				? ONE_OF(g, 0, POLLIN, POLLIN, POLLOUT,
					 POLLRDHUP, POLLIN | POLLRDHUP, POLLPRI)
				: percent(g, 30) * below(g, 1 << SLOTS);
		o->a[3] = percent(g, 30);
		for (int i = 0; i < SLOTS; i++)
			if (g->slot[1][i] != NONE)
				g->sleep.object[g->slot[1][i]] = true;
		break;
	default:
		o->a[0] = ONE_OF(g, 1, 5, 64, 400);
		if (kind != OP_READ && percent(g, 15))
			o->a[1] = ONE_OF(g, MSG_PEEK, MSG_WAITALL);
		break;
	}
}

static const struct {
	void (*make)(struct gen *g, int who);
	int weight;
} calls[] = {
	{ gen_send, 18 },    { gen_recv, 18 },	{ gen_connection, 8 },
	{ gen_connect, 7 },  { gen_accept, 6 }, { gen_listener, 3 },
	{ gen_socket, 4 },   { gen_bind, 5 },	{ gen_listen, 4 },
	{ gen_shutdown, 5 }, { gen_close, 5 },	{ gen_dup, 2 },
	{ gen_pass, 3 },     { gen_name, 4 },	{ gen_getopt, 6 },
	{ gen_setopt, 5 },   { gen_ioctl, 4 },	{ gen_file, 3 },
	{ gen_poll, 4 },     { gen_select, 2 }, { gen_pair, 1 },
	{ gen_stranger, 1 },
};

static void gen_call(struct gen *g, int who)
{
	__typeof__(g->sleep) sleep = g->sleep;
	unsigned int before = g->seq->n;
	enum state state[SLOTS];
	const struct op *o = &g->seq->op[before];
	int sum = 0, n, i;

	for (i = 0; i < SLOTS; i++)
		state[i] = object_of(g, who, i) ? object_of(g, who, i)->state
						: FRESH;
	for (i = 0; i < N(calls); i++)
		sum += calls[i].weight;
	n = below(g, sum);
	for (i = 0; n >= calls[i].weight; i++)
		n -= calls[i].weight;
	calls[i].make(g, who);
	if (g->seq->n == before + 1 && state[o->s] >= DEVICE &&
	    !for_strangers(o, state[o->s]) &&
	    (state[o->s] == PLAIN || known(KNOWN_DEVICE))) {
		g->seq->n = before; /* it wakes nobody */
		g->sleep = sleep;
	}
}

void generate(uint64_t seed, uint64_t number, struct seq *ret)
{
	static struct gen g;

	memset(&g, 0, sizeof(g));
	memset(g.slot, -1, sizeof(g.slot));
	end_sleep(&g);
	g.state = seed * UINT64_C(0xd1342543de82ef95) + number;
	next(&g);
	g.state ^= next(&g);
	g.seq = ret;
	ret->n = 0;
	ret->watched = percent(&g, 75);
	g.length = 20 + (unsigned int)below(&g, MAX_OPS - 19);
	g.two = percent(&g, 40);
	g.moves = g.two && percent(&g, 40);
	g.packets = percent(&g, 45);
	g.writes = percent(&g, 50);
	g.sizes = percent(&g, 15);
	g.loose = percent(&g, 25);
	g.edges = percent(&g, 20) && !known(KNOWN_EDGE);
	if (percent(&g, 85)) {
		gen_listener(&g, 0);
		gen_connection(&g, 0);
	}
	while (ret->n < g.length) {
		if (g.two && percent(&g, 5))
			gen_process(&g);
		else if (percent(&g, 5))
			gen_epoll(&g, g.second && !g.sleep.calls &&
					      percent(&g, 50));
		else if (g.second && !g.sleep.calls && percent(&g, 12))
			gen_sleep(&g);
		else if (g.sleep.calls && percent(&g, 50))
			gen_wake(&g);
		else
			gen_call(&g,
				 g.second && !g.sleep.calls && percent(&g, 45));
		if (g.sleep.calls)
			g.sleep.calls--;
	}
}
