/* SPDX-License-Identifier: MIT */
/*
 * All connections of one machine. See table.h.
 *
 * Theory of operation
 *
 *   1. A connection is found by our port and the peer's address, whatever its
 * type is, as Linux does. One key, at most one connection.
 *   2. A REQUEST for a connection that the peer has ended begins another one;
 * the old one, if it has still an owner, is in the list and no more in the map.
 *   3. A flow is freed when its owner has dropped it, it is over, and nothing
 * of it is due.
 *   4. held is, summed over all flows, the window or a floor if that is more;
 * with a floor for each flow that may still come it never exceeds the budget.
 *   5. deadline is not later than any flow's.
 */
#include "bridge/table.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h> /* older kernels' vm_sockets.h leaves that to us */

#include <linux/vm_sockets.h>

#define HASH_NONFATAL_OOM 1
#define HASH_FUNCTION	  HASH_FNV /* clang has no warning about it */
#include <uthash.h>
#include <utlist.h>

struct key {
	uint32_t port; /* ours */
	uint32_t peer_cid, peer_port;
};

struct entry {
	struct flow flow; /* the first: a flow is an entry */
	struct key key;
	uint32_t held;
	bool found;   /* it is in the map */
	bool dropped; /* it has no owner */
	bool queued;
	struct entry *prev, *next; /* all of them */
	struct entry *queue_prev, *queue_next;
	UT_hash_handle hh;
};

struct table {
	uint32_t cid;
	struct table_limits limits;
	struct table_counters counters;
	struct entry *map;
	struct entry *all;
	struct entry *queue; /* with something due, in turn */
	uint32_t n;
	uint32_t held;
	uint64_t deadline;
	uint32_t first, n_answers; /* a queue in a circle */
	struct packet answers[];
};

const struct table_limits table_default_limits = {
	.connections = 1024,
	.credit = 64u << 20,
	.floor = 16u << 10,
	.answers = 256,
};

struct table *table_new(uint32_t cid, const struct table_limits *limits)
{
	struct table *t;

	if (!limits)
		limits = &table_default_limits;
	if (!limits->answers || !limits->floor ||
	    (uint64_t)limits->connections * limits->floor > limits->credit)
		return NULL;
	t = calloc(1, sizeof(*t) + limits->answers * sizeof(*t->answers));
	if (!t)
		return NULL;
	t->cid = cid;
	t->limits = *limits;
	t->deadline = CONN_NEVER;
	return t;
}

static void lose(struct table *t, struct entry *e)
{
	if (e->found)
		HASH_DEL(t->map, e);
	e->found = false;
}

static void unqueue(struct table *t, struct entry *e)
{
	if (e->queued)
		DL_DELETE2(t->queue, e, queue_prev, queue_next);
	e->queued = false;
}

static void destroy(struct table *t, struct entry *e)
{
	lose(t, e);
	unqueue(t, e);
	DL_DELETE(t->all, e);
	t->n--;
	t->held -= e->held;
	free(e);
}

void table_free(struct table *t)
{
	if (!t)
		return;
	while (t->all)
		destroy(t, t->all);
	free(t);
}

void table_set_cid(struct table *t, uint32_t cid)
{
	t->cid = cid;
}

/* --- packets that wait -----------------------------------------------------
 */

static void answer(struct table *t, const struct packet *p)
{
	uint32_t size = t->limits.answers;

	if (t->n_answers == size) {
		t->counters.unanswered++;
		return;
	}
	t->answers[(t->first + t->n_answers) % size] = *p;
	t->n_answers++;
}

static void answer_rst(struct table *t, const struct packet *p)
{
	struct packet rst = packet_rst(p);

	if (p->op != PACKET_RST)
		answer(t, &rst);
}

bool table_may_receive(const struct table *t)
{
	return t->n_answers < t->limits.answers;
}

/* Puts @e where it belongs now; frees it if that is nowhere. */
static void settle(struct table *t, struct entry *e)
{
	uint64_t deadline = conn_deadline(&e->flow.conn);

	if (conn_due(&e->flow.conn)) {
		if (!e->queued)
			DL_APPEND2(t->queue, e, queue_prev, queue_next);
		e->queued = true;
	} else {
		unqueue(t, e);
		if (e->dropped && e->flow.conn.state == CONN_OVER) {
			destroy(t, e);
			return;
		}
	}
	if (deadline < t->deadline)
		t->deadline = deadline;
}

void table_update(struct table *t, struct flow *flow)
{
	settle(t, (struct entry *)flow);
}

bool table_next(struct table *t, struct packet *ret_packet)
{
	struct entry *e = t->queue;

	if (t->n_answers) {
		*ret_packet = t->answers[t->first];
		t->first = (t->first + 1) % t->limits.answers;
		t->n_answers--;
		return true;
	}
	if (!e)
		return false;
	conn_next(&e->flow.conn, ret_packet);
	unqueue(t, e); /* the others first */
	settle(t, e);
	return true;
}

/* --- flows come ------------------------------------------------------------
 */

static struct entry *find(struct table *t, uint32_t port,
			  struct packet_addr peer)
{
	struct key key = { port, peer.cid, peer.port };
	struct entry *e;

	HASH_FIND(hh, t->map, &key, sizeof(key), e); // NOLINT: read by bytes
	return e;
}

/* The window of one connection more. */
static uint32_t window(const struct table *t, uint32_t asked)
{
	const struct table_limits *l = &t->limits;
	uint32_t spare =
		l->credit - t->held - l->floor * (l->connections - t->n);
	uint32_t most = l->floor + spare / 16;

	return asked < most ? asked : most;
}

/* Adds a flow whose conn has its addresses and its window. */
static int add(struct table *t, const struct conn *c, struct entry **ret_entry)
{
	struct entry *e = calloc(1, sizeof(*e));

	if (!e)
		return -ENOMEM;
	e->flow.conn = *c;
	e->key = (struct key){ c->local.port, c->peer.cid, c->peer.port };
	HASH_ADD(hh, t->map, key, sizeof(e->key), e);
	if (!e->hh.tbl) { /* uthash had no memory */
		free(e);
		return -ENOMEM;
	}
	e->found = true;
	e->held =
		c->buf_alloc > t->limits.floor ? c->buf_alloc : t->limits.floor;
	t->held += e->held;
	t->n++;
	DL_APPEND(t->all, e);
	*ret_entry = e;
	return 0;
}

/* One without an owner goes now, by a RST: for that there has to be room. */
static void expel(struct table *t, struct entry *e)
{
	struct packet rst;

	conn_reset(&e->flow.conn, 0);
	while (conn_next(&e->flow.conn, &rst))
		answer(t, &rst);
	destroy(t, e);
}

/* Is there room for one more? The oldest that only waits for its end makes it:
 * to the peer that is as if the wait was over. */
static bool has_room(struct table *t)
{
	struct entry *e = NULL;

	if (t->n == t->limits.connections && table_may_receive(t))
		DL_SEARCH_SCALAR(t->all, e, dropped, true);
	if (e)
		expel(t, e);
	return t->n < t->limits.connections;
}

int table_connect(struct table *t, uint16_t type, uint32_t port,
		  struct packet_addr peer, uint32_t asked, uint64_t now,
		  uint64_t timeout, void *owner, struct flow **ret_flow)
{
	struct entry *e = find(t, port, peer);
	struct conn c;
	int r;

	if (e && e->dropped && e->flow.conn.state == CONN_OVER &&
	    table_may_receive(t)) {
		expel(t, e);
		e = NULL;
	}
	if (e)
		return -EADDRINUSE;
	if (!has_room(t))
		return -ENOBUFS;
	conn_connect(&c, (struct packet_addr){ t->cid, port }, peer, type,
		     window(t, asked), now, timeout);
	r = add(t, &c, &e);
	if (r < 0)
		return r;
	e->flow.owner = owner;
	*ret_flow = &e->flow;
	settle(t, e);
	return 0;
}

static struct entry *requested(struct table *t, const struct packet *p,
			       uint32_t asked)
{
	struct entry *e;
	struct conn c;

	if (has_room(t)) {
		conn_requested(&c, p, window(t, asked));
		if (add(t, &c, &e) == 0)
			return e;
	}
	t->counters.over_limit++;
	answer_rst(t, p);
	return NULL;
}

/* --- packets come ----------------------------------------------------------
 */

void table_malformed(struct table *t)
{
	t->counters.malformed++;
}

static void count(struct table *t, const struct packet *p, unsigned events)
{
	struct table_counters *n = &t->counters;

	n->overrun += !!(events & CONN_BAD_OVERRUN);
	n->bad_fwd_cnt += !!(events & CONN_BAD_FWD_CNT);
	n->late_data += !!(events & CONN_BAD_LATE);
	n->bad_answer += !!(events & CONN_BAD_ANSWER);
	if (events & CONN_BAD_OP && packet_op_known(p->op))
		n->unexpected++;
	else if (events & CONN_BAD_OP)
		n->unknown_op++;
}

/* Of no connection. */
static struct entry *stray(struct table *t, const struct packet *p,
			   uint32_t asked)
{
	if (p->op == PACKET_REQUEST)
		return requested(t, p, asked);
	if (p->op == PACKET_RST)
		t->counters.stray_rst++;
	else if (packet_op_known(p->op))
		t->counters.no_connection++;
	else
		t->counters.unknown_op++;
	answer_rst(t, p);
	return NULL;
}

/* Has the peer ended it, so that its addresses may be used anew? */
static bool is_past(const struct conn *c)
{
	return c->state == CONN_OVER || c->peer_shut == PACKET_SHUT_BOTH;
}

unsigned table_receive(struct table *t, const struct packet *p, uint32_t asked,
		       uint64_t now, struct flow **ret_flow)
{
	struct entry *e;
	unsigned events;

	*ret_flow = NULL;
	if (p->dst.cid != t->cid || p->src.cid == t->cid ||
	    p->src.cid == VMADDR_CID_ANY) {
		t->counters.misaddressed++;
		return 0;
	}
	if (p->type != PACKET_STREAM && p->type != PACKET_SEQPACKET) {
		t->counters.unknown_type++;
		answer_rst(t, p);
		return 0;
	}

	e = find(t, p->dst.port, p->src);
	if (e && p->op == PACKET_REQUEST && is_past(&e->flow.conn)) {
		conn_abandon(&e->flow.conn, 0);
		lose(t, e);
		settle(t, e);
		e = NULL;
	}
	if (!e || e->flow.conn.state == CONN_OVER) {
		e = stray(t, p, asked);
		if (!e)
			return 0;
		*ret_flow = &e->flow;
		return CONN_ASKED;
	}
	if (p->type != e->flow.conn.type) {
		t->counters.wrong_type++;
		answer_rst(t, p);
		return 0;
	}

	events = conn_receive(&e->flow.conn, p, now);
	count(t, p, events);
	if (!e->dropped)
		*ret_flow = &e->flow;
	else
		events = 0;
	settle(t, e);
	return events;
}

/* --- flows go --------------------------------------------------------------
 */

void table_drop(struct table *t, struct flow *flow)
{
	struct entry *e = (struct entry *)flow;

	if (flow->conn.state != CONN_OVER && flow->conn.state != CONN_CLOSING)
		conn_reset(&flow->conn, 0);
	e->dropped = true;
	t->held -= e->held - t->limits.floor;
	e->held = t->limits.floor;
	settle(t, e);
}

uint64_t table_deadline(const struct table *t)
{
	return t->deadline;
}

unsigned table_expire(struct table *t, uint64_t now, struct flow **ret_flow)
{
	struct entry *e, *next;
	unsigned events;

	*ret_flow = NULL;
	if (now < t->deadline)
		return 0;
	DL_FOREACH_SAFE(t->all, e, next)
	{
		if (now < conn_deadline(&e->flow.conn))
			continue;
		events = conn_expire(&e->flow.conn, now);
		if (events && !e->dropped) {
			*ret_flow = &e->flow;
			settle(t, e);
			return events;
		}
		settle(t, e);
	}
	t->deadline = CONN_NEVER;
	DL_FOREACH(t->all, e)
	{
		uint64_t deadline = conn_deadline(&e->flow.conn);

		if (deadline < t->deadline)
			t->deadline = deadline;
	}
	return 0;
}

struct flow *table_each(const struct table *t, const struct flow *last)
{
	struct entry *e = last ? ((const struct entry *)last)->next : t->all;

	while (e && e->dropped)
		e = e->next;
	return e ? &e->flow : NULL;
}

uint32_t table_connections(const struct table *t)
{
	return t->n;
}

uint32_t table_granted(const struct table *t)
{
	return t->held;
}

const struct table_counters *table_counters(const struct table *t)
{
	return &t->counters;
}
