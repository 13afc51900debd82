/* SPDX-License-Identifier: MIT */
/*
 * bridge/table against itself: two machines, some connections between them, and
 * a seeded scheduler that splits, delays and reorders what may be: packets of
 * different connections, and when anybody sends, consumes, closes. Each byte
 * and each message end is checked; nobody may wait for ever, overrun credit, or
 * remain.
 *
 * test_flows [FIRST [N]]: the seeds FIRST (1) to FIRST + N (3000).
 */
#include "bridge/table.h"

#include "tests/unit/tap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LANES 4		  /* connections at a time */
#define PAIRS (2 * LANES) /* each lane is used twice */
#define DEPTH 8192	  /* packets on their way in one lane */
#define STEPS 2000000

/* --- randomness ------------------------------------------------------------
 */

static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static uint64_t rng;

static uint32_t below(uint32_t n)
{
	return (uint32_t)(next_random(&rng) % n);
}

static bool one_in(uint32_t n)
{
	return below(n) == 0;
}

/* --- the world -------------------------------------------------------------
 */

/* What one end is to send: a length, and where messages end in it. */
struct text {
	uint64_t seed;
	uint32_t total, longest;
};

/* A place in a text, of its sender or its receiver. */
struct place {
	uint64_t state;
	uint32_t at, message; /* where the current message ends */
	bool eor;
};

struct end {
	struct text text;
	struct place out, in;
	struct flow *flow;
	uint32_t complete; /* what came up to the last message end */
	uint32_t consumed;
	bool connected, peer_sends_no_more, peer_takes_no_more, ended;
	bool shut, gone; /* gone: it holds no flow any more, or never will */
};

struct pair {
	struct end end[2]; /* of machine 0 and 1 */
	uint16_t type;
	uint32_t window[2];
	int initiator;
	bool started, refuse, rude;
};

struct on_its_way {
	struct packet packet;
	uint32_t from; /* of data: where in the text */
};

static struct {
	struct table *table[2];
	struct pair pair[PAIRS];
	struct {
		struct on_its_way q[DEPTH];
		uint32_t first, n;
	} lane[2][LANES]; /* by receiver */
	uint64_t now;
	const char *wrong;
} w;

static const uint32_t cids[2] = { 3, 2 };

static void check(bool good, const char *what)
{
	if (!good && !w.wrong)
		w.wrong = what;
}

static void go_to_next_message(struct place *p, const struct text *t)
{
	uint32_t left = t->total - p->message;
	uint32_t n = 1 + (uint32_t)(next_random(&p->state) % t->longest);

	p->message += n < left ? n : left;
	p->eor = next_random(&p->state) % 4 == 0;
}

static void begin_text(struct place *p, const struct text *t)
{
	*p = (struct place){ .state = t->seed };
	go_to_next_message(p, t);
}

/* What flags a packet has that ends at p->at, which then is past it. */
static uint32_t flags_at(struct place *p, const struct text *t, uint16_t type)
{
	uint32_t flags;

	if (type == PACKET_STREAM || p->at != p->message)
		return 0;
	flags = PACKET_EOM | (p->eor ? PACKET_EOR : 0);
	go_to_next_message(p, t);
	return flags;
}

/* --- packets on their way ---------------------------------------------------
 */

static void put(int to, const struct packet *p, uint32_t from)
{
	uint32_t port = cids[to] == p->dst.cid ? p->dst.port : 0;
	uint32_t lane = port % LANES;

	check(p->dst.cid == cids[to] && p->src.cid == cids[!to],
	      "a packet goes astray");
	check(w.lane[to][lane].n < DEPTH, "a lane is full");
	if (w.wrong)
		return;
	w.lane[to][lane]
		.q[(w.lane[to][lane].first + w.lane[to][lane].n++) % DEPTH] =
		(struct on_its_way){ *p, from };
}

static struct end *end_of(struct flow *flow)
{
	return flow->owner;
}

static void drop(int side, struct end *e)
{
	table_drop(w.table[side], e->flow);
	e->flow = NULL;
	e->gone = true;
}

static bool polite(const struct pair *p)
{
	return !p->rude && !p->refuse;
}

static void take_events(int side, struct end *e, const struct pair *pair,
			unsigned events, const struct on_its_way *o)
{
	const struct end *other = &pair->end[!side];

	if (polite(pair))
		check(!(events & ~(unsigned)(CONN_CONNECTED | CONN_DATA |
					     CONN_ROOM | CONN_PEER_RCV |
					     CONN_PEER_SEND | CONN_ENDED)),
		      "somebody breaks a rule");
	check(!(events & (CONN_BAD_OVERRUN | CONN_BAD_FWD_CNT)),
	      "credit is overrun");
	if (events & CONN_CONNECTED)
		e->connected = true;
	if (events & CONN_DATA) {
		check(o->from == e->in.at, "bytes are lost or out of order");
		e->in.at += o->packet.len;
		check(e->in.at <= other->text.total,
		      "more comes than was sent");
		check(pair->type == PACKET_STREAM || e->in.at <= e->in.message,
		      "two messages are one");
		check(flags_at(&e->in, &other->text, pair->type) ==
			      o->packet.flags,
		      "a message ends elsewhere");
		if (pair->type == PACKET_STREAM || o->packet.flags)
			e->complete = e->in.at;
		check(e->in.at - e->consumed <= pair->window[side],
		      "more is unread than there is room for");
	}
	if (events & CONN_PEER_SEND) {
		e->peer_sends_no_more = true;
		check(!polite(pair) || e->in.at == other->text.total,
		      "the end comes before the last byte");
	}
	if (events & CONN_PEER_RCV) {
		e->peer_takes_no_more = true;
		check(!polite(pair) || e->out.at == e->text.total,
		      "the peer takes no more too soon");
	}
	if (events & CONN_ENDED) {
		check(!e->ended, "it ends twice");
		e->ended = true;
		check(!polite(pair) || (e->in.at == other->text.total &&
					e->out.at == e->text.total &&
					conn_error(&e->flow->conn) == 0),
		      "it ends too soon");
	}
}

/* A packet that was longest in its lane arrives at @side. */
static void deliver(int side, uint32_t lane)
{
	struct on_its_way o = w.lane[side][lane].q[w.lane[side][lane].first];
	struct pair *pair = &w.pair[lane];
	struct flow *flow;
	unsigned events;

	if (!table_may_receive(w.table[side]))
		return;
	w.lane[side][lane].first = (w.lane[side][lane].first + 1) % DEPTH;
	w.lane[side][lane].n--;
	if (w.pair[lane + LANES].started)
		pair = &w.pair[lane + LANES];
	events = table_receive(w.table[side], &o.packet, pair->window[side],
			       w.now, &flow);
	if (events == CONN_ASKED) {
		struct end *e = &pair->end[side];

		check(pair->initiator != side && !e->flow && !e->gone,
		      "nobody asked");
		if (w.wrong)
			return;
		e->flow = flow;
		flow->owner = e;
		check(flow->conn.buf_alloc == pair->window[side],
		      "a window is not granted");
		return;
	}
	if (!flow)
		return;
	pair = end_of(flow) == &w.pair[lane].end[side] ? &w.pair[lane]
						       : &w.pair[lane + LANES];
	take_events(side, end_of(flow), pair, events, &o);
}

static void pull(int side, uint32_t n)
{
	struct packet p;

	for (; n && table_next(w.table[side], &p); n--)
		put(!side, &p, 0);
}

/* --- what the two programs do ------------------------------------------------
 */

static void answer(int side, struct end *e, const struct pair *pair)
{
	if (e->flow->conn.state != CONN_REQUESTED)
		return;
	if (pair->refuse) {
		conn_refuse(&e->flow->conn);
		drop(side, e);
	} else {
		conn_accept(&e->flow->conn);
		e->connected = true;
		table_update(w.table[side], e->flow);
	}
}

static void send_packet(int side, struct end *e, const struct pair *pair,
			uint32_t n)
{
	uint32_t from = e->out.at;
	struct packet p;

	e->out.at += n;
	conn_data(&e->flow->conn, n, flags_at(&e->out, &e->text, pair->type),
		  &p);
	put(!side, &p, from);
}

/* Some bytes, or a whole message. */
static void send_some(int side, struct end *e, const struct pair *pair)
{
	uint32_t room = conn_room(&e->flow->conn), rest, n;

	if (e->out.at == e->text.total) {
		if (!e->shut &&
		    conn_shutdown(&e->flow->conn, PACKET_SHUT_SEND, w.now))
			e->ended = true;
		e->shut = true;
	} else if (pair->type == PACKET_STREAM && room) {
		n = 1 + below(one_in(8) ? 1 : 3000);
		rest = e->text.total - e->out.at;
		n = n < rest ? n : rest;
		send_packet(side, e, pair, n < room ? n : room);
	} else if (pair->type == PACKET_SEQPACKET &&
		   room >= e->out.message - e->out.at) {
		for (rest = e->out.message - e->out.at; rest; rest -= n) {
			n = 1 + below(3000);
			n = n < rest ? n : rest;
			send_packet(side, e, pair, n);
		}
	}
	table_update(w.table[side], e->flow);
}

static void consume(int side, struct end *e, const struct pair *pair)
{
	uint32_t n = e->complete - e->consumed;

	if (!n)
		return;
	if (pair->type == PACKET_STREAM)
		n = 1 + below(n);
	e->consumed += n;
	if (conn_consumed(&e->flow->conn, n, w.now)) {
		check(!e->ended, "it ends twice");
		e->ended = true;
	}
	table_update(w.table[side], e->flow);
}

static void leave(int side, struct end *e, const struct pair *pair)
{
	bool done = e->shut && e->peer_sends_no_more && e->consumed == e->in.at;

	if (pair->rude && (e->peer_takes_no_more || one_in(50)))
		done = true;
	if (e->ended && e->consumed == e->complete)
		done = true;
	if (!done)
		return;
	if (!pair->rude || one_in(2))
		conn_shutdown(&e->flow->conn, PACKET_SHUT_BOTH, w.now);
	drop(side, e);
}

/* One may stop to listen, and go on talking. */
static void be_deaf(int side, struct end *e, const struct pair *pair)
{
	if (!pair->rude || !one_in(100))
		return;
	if (conn_shutdown(&e->flow->conn, PACKET_SHUT_RCV, w.now))
		e->ended = true;
	e->consumed = e->complete = e->in.at;
	table_update(w.table[side], e->flow);
}

/* Is nothing of a connection that is over still to be said? */
static bool settled(uint32_t lane)
{
	uint32_t held = 0;

	pull(0, UINT32_MAX);
	pull(1, UINT32_MAX);
	for (int n = 0; n < PAIRS; n++)
		held += !!w.pair[n].end[0].flow + !!w.pair[n].end[1].flow;
	return !w.lane[0][lane].n && !w.lane[1][lane].n &&
	       held == table_connections(w.table[0]) +
			       table_connections(w.table[1]);
}

static void start(uint32_t n)
{
	struct pair *pair = &w.pair[n];
	int side = pair->initiator;
	struct end *e = &pair->end[side];
	struct packet_addr peer = { cids[!side], 9000 + n % LANES };

	if (n >= LANES) {
		struct pair *before = &w.pair[n - LANES];

		/* A port is used again as soon as it is free, or only when
		 * nothing of before is on its way. */
		if (!before->end[0].gone || !before->end[1].gone ||
		    (!pair->rude && !settled(n % LANES)))
			return;
	}
	if (table_connect(w.table[side], pair->type, 5000 + n % LANES, peer,
			  pair->window[side], w.now, 600000, e, &e->flow) == 0)
		pair->started = true;
}

static void act(void)
{
	uint32_t n = below(PAIRS);
	int side = (int)below(2);
	struct pair *pair;
	struct end *e;

	while (w.pair[n].end[side].gone && !one_in(8))
		n = below(PAIRS);
	pair = &w.pair[n];
	e = &pair->end[side];
	if (!pair->started) {
		start(n);
		return;
	}
	/* Whom nobody asks any more has nothing to do. */
	if (!e->flow && side != pair->initiator && pair->end[!side].gone &&
	    !w.lane[side][n % LANES].n)
		e->gone = true;
	if (!e->flow)
		return;
	switch (below(5)) {
	case 0:
		answer(side, e, pair);
		break;
	case 1:
		send_some(side, e, pair);
		break;
	case 2:
		consume(side, e, pair);
		break;
	case 3:
		be_deaf(side, e, pair);
		break;
	default:
		if (e->connected || e->ended)
			leave(side, e, pair);
	}
}

static void expire(int side)
{
	struct flow *flow;
	unsigned events;

	while ((events = table_expire(w.table[side], w.now, &flow))) {
		struct end *e = end_of(flow);
		uint32_t n = flow->conn.local.port % LANES;

		take_events(side, e,
			    e == &w.pair[n].end[side] ? &w.pair[n]
						      : &w.pair[n + LANES],
			    events, NULL);
	}
}

/* --- one seed
 * ----------------------------------------------------------------- */

static void set_up(uint64_t seed)
{
	static const struct table_limits limits = {
		.connections = 2 * PAIRS,
		.credit = 64 << 20,
		.floor = 16,
		.answers = 3,
	};
	bool rude = seed % 2;

	memset(&w.pair, 0, sizeof(w.pair));
	rng = seed;
	w.now = 0;
	w.wrong = NULL;
	for (int i = 0; i < 2; i++) {
		w.table[i] = table_new(cids[i], &limits);
		for (int lane = 0; lane < LANES; lane++)
			w.lane[i][lane].n = 0;
	}
	for (uint32_t n = 0; n < PAIRS; n++) {
		struct pair *p = &w.pair[n];
		uint32_t longest = 1 + below(one_in(3) ? 20000 : 200);

		p->type = one_in(2) ? PACKET_STREAM : PACKET_SEQPACKET;
		p->initiator = (int)below(2);
		p->refuse = one_in(16);
		p->rude = rude && one_in(2);
		for (int i = 0; i < 2; i++) {
			struct end *e = &p->end[i];

			p->window[i] = longest + below(one_in(2) ? 70000 : 10);
			e->text = (struct text){ next_random(&rng),
						 below(one_in(2) ? 30000 : 300),
						 longest };
		}
		/* what is small takes a turn for little */
		for (int i = 0; i < 2; i++) {
			uint32_t *total = &p->end[i].text.total;
			uint32_t most =
				100 * (p->type == PACKET_STREAM ? p->window[!i]
								: longest);

			*total = *total < most ? *total : most;
		}
		for (int i = 0; i < 2; i++) {
			begin_text(&p->end[i].out, &p->end[i].text);
			begin_text(&p->end[i].in, &p->end[!i].text);
		}
	}
}

static bool all_gone(void)
{
	for (int n = 0; n < PAIRS; n++)
		if (!w.pair[n].end[0].gone || !w.pair[n].end[1].gone)
			return false;
	for (int side = 0; side < 2; side++)
		for (int lane = 0; lane < LANES; lane++)
			if (w.lane[side][lane].n)
				return false;
	return !table_connections(w.table[0]) && !table_connections(w.table[1]);
}

/* The sum of what must never be: of all of it, if all were polite. */
static uint64_t misbehaviour(const struct table *t, bool all)
{
	const struct table_counters *n = table_counters(t);
	uint64_t sum = n->malformed + n->misaddressed + n->unknown_type +
		       n->unknown_op + n->over_limit + n->overrun +
		       n->bad_fwd_cnt + n->late_data + n->unanswered;

	if (all)
		sum += n->wrong_type + n->no_connection + n->bad_answer +
		       n->unexpected;
	return sum;
}

/* For whoever has to find out why. */
static void dump(int side)
{
	const struct table_counters *n = table_counters(w.table[side]);

	for (int i = 0; i < PAIRS; i++) {
		const struct pair *p = &w.pair[i];
		const struct end *e = &p->end[side];

		if (!e->gone)
			printf("# side %d of pair %d, type %u, rude %d, refuse "
			       "%d: state %d, sent %u of %u, came %u, complete "
			       "%u, consumed %u\n",
			       side, i, p->type, p->rude, p->refuse,
			       e->flow ? e->flow->conn.state : -1, e->out.at,
			       e->text.total, e->in.at, e->complete,
			       e->consumed);
	}
#define X(name) printf("# " #name " %llu\n", (unsigned long long)n->name);
	TABLE_COUNTERS(X)
#undef X
}

static const char *run(uint64_t seed)
{
	int idle = 0;

	set_up(seed);
	for (int step = 0; !w.wrong && !all_gone(); step++) {
		int side = (int)below(2);
		uint32_t lane = below(LANES);

		check(step < STEPS, "it never ends");
		switch (below(8)) {
		case 0:
		case 1:
		case 2:
			if (w.lane[side][lane].n)
				deliver(side, lane);
			break;
		case 3:
			pull(side, 1 + below(4));
			break;
		case 4:
			/* mostly nothing; seconds if all wait for a timer */
			w.now += one_in(20) ? below(30) : 0;
			if (++idle % 4096 == 0)
				w.now += 1000;
			expire(side);
			break;
		default:
			act();
		}
	}
	for (int i = 0; i < 2; i++) {
		check(!misbehaviour(w.table[i], seed % 2 == 0),
		      "misbehaviour is counted");
		check(w.wrong || !table_granted(w.table[i]),
		      "credit remains granted");
		if (w.wrong)
			dump(i);
		table_free(w.table[i]);
	}
	for (int n = 0; n < PAIRS; n++)
		for (int i = 0; i < 2; i++)
			check(!polite(&w.pair[n]) ||
				      w.pair[n].end[i].consumed ==
					      w.pair[n].end[!i].text.total,
			      "not all arrived");
	return w.wrong;
}

int main(int argc, char **argv)
{
	uint64_t first = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
	uint64_t n = argc > 2 ? strtoull(argv[2], NULL, 0) : 3000;
	const char *wrong = NULL;
	uint64_t seed;

	for (seed = first; seed < first + n && !wrong; seed++)
		wrong = run(seed);
	ok(!wrong, "seeds from %llu: %s", (unsigned long long)first,
	   wrong ? wrong : "all arrives, and all ends");
	if (wrong)
		printf("# test_flows %llu 1\n", (unsigned long long)seed - 1);
	return done();
}
