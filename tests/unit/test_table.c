/* SPDX-License-Identifier: MIT */
/*
 * bridge/table: whose a packet is, what is answered to one that is nobody's,
 * and each limit, at it and one past it.
 */
#include "bridge/table.h"

#include "tests/unit/tap.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/vm_sockets.h>

#define OWN    42u
#define WINDOW 262144u

static struct table *t;
static uint64_t now = 1000;

static const struct packet_addr host = { 2, 1234 };

static struct packet say(uint16_t op, uint32_t from_port, uint32_t to_port)
{
	return (struct packet){ .src = { 2, from_port },
				.dst = { OWN, to_port },
				.type = PACKET_STREAM,
				.op = op,
				.buf_alloc = WINDOW };
}

static unsigned receive(const struct packet *p, struct flow **flow)
{
	return table_receive(t, p, WINDOW, now, flow);
}

static unsigned hear(uint16_t op, uint32_t from_port, uint32_t to_port,
		     struct flow **flow)
{
	struct packet p = say(op, from_port, to_port);

	return receive(&p, flow);
}

/* The one packet that is due is @op, to @port of the host from @from. */
static bool sends(uint16_t op, uint32_t from, uint32_t port)
{
	struct packet p, other;

	return table_next(t, &p) && p.op == op && p.src.cid == OWN &&
	       p.src.port == from && p.dst.cid == 2 && p.dst.port == port &&
	       !table_next(t, &other);
}

static bool silent(void)
{
	struct packet p;

	return !table_next(t, &p);
}

/* Is @name the only count that went up, by one? */
static struct table_counters before;
#define COUNTS(name)                                                           \
	(before.name++, memcmp(&before, table_counters(t), sizeof(before)) == 0)

static void renew(const struct table_limits *limits)
{
	table_free(t);
	t = table_new(OWN, limits);
	before = *table_counters(t);
}

static struct flow *connected(uint32_t port)
{
	struct flow *flow, *other;
	struct packet p;

	table_connect(t, PACKET_STREAM, port, host, WINDOW, now, 2000, NULL,
		      &flow);
	table_next(t, &p);
	hear(PACKET_RESPONSE, host.port, port, &other);
	return flow;
}

static struct flow *accepted(uint32_t from_port, uint32_t port)
{
	struct packet p;
	struct flow *flow;

	if (hear(PACKET_REQUEST, from_port, port, &flow) != CONN_ASKED)
		return NULL;
	conn_accept(&flow->conn);
	table_update(t, flow);
	table_next(t, &p);
	return flow;
}

/* --- nobody's packets
 * --------------------------------------------------------- */

static void strays(void)
{
	struct flow *flow = (struct flow *)&now;
	struct packet p;

	renew(NULL);
	for (uint16_t op = 0; op < 10; op++) {
		if (op == PACKET_REQUEST || op == PACKET_RST)
			continue;
		ok(hear(op, 7, 8, &flow) == 0 && !flow &&
			   sends(PACKET_RST, 8, 7) &&
			   (packet_op_known(op) ? COUNTS(no_connection)
						: COUNTS(unknown_op)),
		   "a %s of no connection: a RST", packet_op_name(op));
	}
	ok(hear(PACKET_RST, 7, 8, &flow) == 0 && silent() && COUNTS(stray_rst),
	   "a RST of no connection: never a RST");

	p = say(PACKET_REQUEST, 7, 8);
	p.type = 3;
	ok(receive(&p, &flow) == 0 && !flow && COUNTS(unknown_type) &&
		   table_next(t, &p) && p.op == PACKET_RST && p.type == 3 &&
		   silent(),
	   "an unknown type: a RST of that type");
	p = say(PACKET_RST, 7, 8);
	p.type = 0;
	ok(receive(&p, &flow) == 0 && silent() && COUNTS(unknown_type),
	   "but not to a RST");

	p = say(PACKET_REQUEST, 7, 8);
	p.dst.cid = OWN + 1;
	ok(receive(&p, &flow) == 0 && !flow && silent() && COUNTS(misaddressed),
	   "a packet for another machine is dropped");
	p = say(PACKET_REQUEST, 7, 8);
	p.src.cid = OWN;
	ok(receive(&p, &flow) == 0 && silent() && COUNTS(misaddressed),
	   "so is one from ourselves");
	p.src.cid = VMADDR_CID_ANY;
	ok(receive(&p, &flow) == 0 && silent() && COUNTS(misaddressed),
	   "or from any");
	table_malformed(t);
	ok(COUNTS(malformed) && table_connections(t) == 0,
	   "what is no packet is counted");
	table_set_cid(t, OWN + 1);
	ok(hear(PACKET_RW, 7, 8, &flow) == 0 && silent() &&
		   COUNTS(misaddressed),
	   "a machine may get another CID");
}

/* --- whose a packet is
 * ---------------------------------------------------------- */

static void finding(void)
{
	struct flow *a, *b, *c, *flow;
	struct packet p;

	renew(NULL);
	a = accepted(7, 80);
	b = accepted(8, 80);
	c = connected(80);
	ok(a && b && c && table_connections(t) == 3,
	   "three connections of one port");
	ok(a->conn.local.port == 80 && a->conn.peer.port == 7 &&
		   a->conn.local.cid == OWN && a->conn.peer.cid == 2,
	   "each with its addresses");
	hear(PACKET_CREDIT_REQUEST, 8, 80, &flow);
	ok(flow == b && sends(PACKET_CREDIT_UPDATE, 80, 8),
	   "the second one's packet");
	hear(PACKET_CREDIT_REQUEST, 1234, 80, &flow);
	ok(flow == c && sends(PACKET_CREDIT_UPDATE, 80, 1234),
	   "the third one's");
	p = say(PACKET_CREDIT_REQUEST, 7, 80);
	p.src.cid = 3;
	ok(receive(&p, &flow) == 0 && !flow && COUNTS(no_connection) &&
		   table_next(t, &p) && p.dst.cid == 3,
	   "not from another CID");
	p = say(PACKET_RW, 7, 80);
	p.type = PACKET_SEQPACKET;
	p.len = 1;
	ok(receive(&p, &flow) == 0 && !flow && COUNTS(wrong_type) &&
		   sends(PACKET_RST, 80, 7) && a->conn.state == CONN_OPEN,
	   "of another type: a RST, and the connection does not notice");
	p.op = PACKET_REQUEST;
	ok(receive(&p, &flow) == 0 && COUNTS(wrong_type) &&
		   sends(PACKET_RST, 80, 7),
	   "a port has no second type");
	ok(hear(PACKET_REQUEST, 7, 80, &flow) == CONN_BAD_OP && flow == a &&
		   silent() && COUNTS(unexpected),
	   "a REQUEST of one that is open is not looked at");
	ok(hear(9, 7, 80, &flow) == CONN_BAD_OP && COUNTS(unknown_op),
	   "nor is an unknown operation");
	ok(table_connect(t, PACKET_STREAM, 80, (struct packet_addr){ 2, 7 }, 1,
			 now, 1, NULL, &flow) == -EADDRINUSE,
	   "the same addresses again: EADDRINUSE");

	ok(table_each(t, NULL) == a && table_each(t, a) == b &&
		   table_each(t, b) == c && !table_each(t, c),
	   "all are found one by one");
	table_drop(t, b);
	ok(sends(PACKET_RST, 80, 8) && table_connections(t) == 2 &&
		   table_each(t, a) == c,
	   "one is dropped: a RST, and it is gone");
	ok(hear(PACKET_RW, 8, 80, &flow) == 0 && sends(PACKET_RST, 80, 8) &&
		   COUNTS(no_connection),
	   "its packets are nobody's");
}

/* Each thing that ends a connection is counted under its name. */
static void faults(void)
{
	struct flow *flow, *a;
	struct packet p;

	renew(NULL);
	a = accepted(1, 80);
	p = say(PACKET_RW, 1, 80);
	p.len = WINDOW + 1;
	ok(receive(&p, &flow) == (CONN_BAD_OVERRUN | CONN_ENDED) && flow == a &&
		   sends(PACKET_RST, 80, 1) && COUNTS(overrun),
	   "an overrun");
	ok(receive(&p, &flow) == 0 && !flow && sends(PACKET_RST, 80, 1) &&
		   COUNTS(no_connection),
	   "more of it is nobody's, although its owner has it still");
	ok(hear(PACKET_RST, 1, 80, &flow) == 0 && silent() && COUNTS(stray_rst),
	   "and a RST is none either");
	table_drop(t, a);
	accepted(1, 80);
	p = say(PACKET_CREDIT_UPDATE, 1, 80);
	p.fwd_cnt = 1;
	ok(receive(&p, &flow) == (CONN_BAD_FWD_CNT | CONN_ENDED) &&
		   sends(PACKET_RST, 80, 1) && COUNTS(bad_fwd_cnt),
	   "a lie about what was consumed");
	accepted(2, 80);
	p = say(PACKET_SHUTDOWN, 2, 80);
	p.flags = PACKET_SHUT_SEND;
	receive(&p, &flow);
	p.op = PACKET_RW;
	p.len = 1;
	ok(receive(&p, &flow) == (CONN_BAD_LATE | CONN_ENDED) &&
		   sends(PACKET_RST, 80, 2) && COUNTS(late_data),
	   "late data");
	table_connect(t, PACKET_STREAM, 81, host, 1, now, 2000, NULL, &flow);
	table_next(t, &p);
	ok(hear(PACKET_RW, 1234, 81, &flow) ==
			   (CONN_BAD_ANSWER | CONN_REFUSED | CONN_ENDED) &&
		   sends(PACKET_RST, 81, 1234) && COUNTS(bad_answer),
	   "a bad answer");
}

/* --- the same addresses again
 * ---------------------------------------------------- */

static void again(void)
{
	struct packet p, end = say(PACKET_SHUTDOWN, 7, 80);
	struct flow *a, *b, *flow;

	end.flags = PACKET_SHUT_BOTH;
	renew(NULL);
	a = accepted(7, 80);
	p = say(PACKET_RW, 7, 80);
	p.len = 10;
	receive(&p, &flow);
	receive(&end, &flow);
	ok(flow == a && silent() && a->conn.state == CONN_OPEN,
	   "ended by the peer, but data is unread");
	b = accepted(7, 80);
	ok(b && b != a && table_connections(t) == 2,
	   "the peer may use its port again");
	ok(hear(PACKET_CREDIT_REQUEST, 7, 80, &flow) == 0 && flow == b &&
		   sends(PACKET_CREDIT_UPDATE, 80, 7),
	   "packets are the new one's");
	ok(conn_consumed(&a->conn, 10, now) == CONN_ENDED &&
		   (table_update(t, a), silent()),
	   "the old one can be read, and no RST hits the new one");
	table_drop(t, a);
	ok(table_connections(t) == 1 && b->conn.state == CONN_OPEN,
	   "and goes in silence");

	/* A RST that is due would hit the new one. */
	receive(&end, &flow);
	ok(b->conn.state == CONN_OVER && conn_due(&b->conn),
	   "ended, and a RST is due");
	a = accepted(7, 80);
	ok(a && silent() && a->conn.state == CONN_OPEN,
	   "a REQUEST before it is sent: it never will be");
	table_drop(t, b);
	table_drop(t, a);
	ok(hear(PACKET_REQUEST, 7, 80, &flow) == CONN_ASKED && silent() &&
		   table_connections(t) == 1,
	   "the same if nobody owns it any more");
	table_drop(t, flow);
	ok(sends(PACKET_RST, 80, 7) && table_connections(t) == 0,
	   "an owner who drops a REQUEST refuses it");

	/* We may, too, after our own RST. */
	a = connected(5000);
	table_drop(t, a);
	ok(table_connect(t, PACKET_STREAM, 5000, host, 1, now, 2000, NULL,
			 &b) == 0 &&
		   table_next(t, &p) && p.op == PACKET_RST &&
		   sends(PACKET_REQUEST, 5000, 1234),
	   "our port again: RST, then REQUEST");
}

/* --- the end
 * ------------------------------------------------------------------- */

static void closing(void)
{
	struct flow *a, *flow;

	renew(NULL);
	a = connected(5000);
	conn_shutdown(&a->conn, PACKET_SHUT_BOTH, now);
	table_drop(t, a);
	ok(sends(PACKET_SHUTDOWN, 5000, 1234) && table_connections(t) == 1 &&
		   !table_each(t, NULL),
	   "closed and dropped: it waits for its RST alone");
	ok(table_granted(t) == table_default_limits.floor,
	   "its window is free for others");
	ok(table_connect(t, PACKET_STREAM, 5000, host, 1, now, 2000, NULL,
			 &flow) == -EADDRINUSE,
	   "its addresses are in use until then");
	ok(hear(PACKET_CREDIT_REQUEST, 1234, 5000, &flow) == 0 && !flow &&
		   sends(PACKET_CREDIT_UPDATE, 5000, 1234),
	   "it is nobody's, but answers");
	ok(hear(PACKET_RST, 1234, 5000, &flow) == 0 && !flow &&
		   table_connections(t) == 0 && table_granted(t) == 0,
	   "the RST ends it");

	a = connected(5000);
	conn_shutdown(&a->conn, PACKET_SHUT_BOTH, now);
	table_drop(t, a);
	sends(PACKET_SHUTDOWN, 5000, 1234);
	ok(table_deadline(t) <= now + CONN_CLOSE_MS &&
		   !table_expire(t, now + CONN_CLOSE_MS - 1, &flow) &&
		   table_deadline(t) == now + CONN_CLOSE_MS && silent(),
	   "it waits eight seconds");
	ok(!table_expire(t, now + CONN_CLOSE_MS, &flow) && !flow &&
		   sends(PACKET_RST, 5000, 1234) && table_connections(t) == 0 &&
		   table_deadline(t) == CONN_NEVER,
	   "and then sends one");
}

static void timers(void)
{
	struct flow *a, *b, *c, *flow;
	unsigned refused = CONN_REFUSED | CONN_ENDED;

	renew(NULL);
	ok(table_deadline(t) == CONN_NEVER && !table_expire(t, now, &flow),
	   "an empty table waits for nothing");
	table_connect(t, PACKET_STREAM, 1, host, 1, now, 3000, NULL, &a);
	table_connect(t, PACKET_STREAM, 2, host, 1, now, 1000, NULL, &b);
	table_connect(t, PACKET_STREAM, 3, host, 1, now, 1000, NULL, &c);
	while (!silent())
		;
	ok(table_deadline(t) == now + 1000, "the first timeout is next");
	ok(table_expire(t, now + 1000, &flow) == refused && flow == b &&
		   table_expire(t, now + 1000, &flow) == refused && flow == c &&
		   table_expire(t, now + 1000, &flow) == 0 && !flow,
	   "two run out at once, one by one");
	ok(table_deadline(t) == now + 3000 &&
		   table_expire(t, now + 5000, &flow) == refused && flow == a,
	   "and then the third");
	table_drop(t, a);
	table_drop(t, b);
	table_drop(t, c);
	ok(silent() && table_connections(t) == 0, "without a word");
}

static void turns(void)
{
	struct flow *flow;
	struct packet p;
	uint32_t ports[4];

	renew(NULL);
	for (uint32_t port = 1; port <= 2; port++) {
		hear(PACKET_REQUEST, 7, port, &flow);
		conn_accept(&flow->conn);
		conn_shutdown(&flow->conn, PACKET_SHUT_SEND, now);
		table_update(t, flow);
		table_update(t, flow);
	}
	hear(PACKET_RW, 9, 9, &flow);
	ok(table_next(t, &p) && p.op == PACKET_RST && p.dst.port == 9,
	   "answers go first");
	for (int i = 0; i < 4; i++)
		ports[i] = table_next(t, &p) ? p.src.port : 0;
	ok(ports[0] == 1 && ports[1] == 2 && ports[2] == 1 && ports[3] == 2 &&
		   silent(),
	   "then each connection in turn");
}

/* --- limits
 * -------------------------------------------------------------------- */

static void connections_are_limited(void)
{
	uint32_t max = table_default_limits.connections, n;
	struct flow *flow, *first = NULL;

	renew(NULL);
	for (n = 0; n < max; n++) {
		flow = accepted(n, 80);
		if (!flow)
			break;
		first = first ? first : flow;
	}
	ok(n == 1024 && table_connections(t) == 1024, "%u connections", n);
	ok(hear(PACKET_REQUEST, n, 80, &flow) == 0 && !flow &&
		   sends(PACKET_RST, 80, n) && COUNTS(over_limit) &&
		   table_connections(t) == 1024,
	   "one past the limit: a RST, and it is counted");
	ok(table_connect(t, PACKET_STREAM, 5, host, 1, now, 1, NULL, &flow) ==
			   -ENOBUFS &&
		   silent(),
	   "or ENOBUFS");
	ok(first->conn.state == CONN_OPEN &&
		   hear(PACKET_CREDIT_REQUEST, 0, 80, &flow) == 0 &&
		   flow == first && sends(PACKET_CREDIT_UPDATE, 80, 0),
	   "the others do not notice");
	conn_shutdown(&first->conn, PACKET_SHUT_BOTH, now);
	table_drop(t, first);
	ok(sends(PACKET_SHUTDOWN, 80, 0) && table_connections(t) == 1024,
	   "one that is closing counts");
	ok(hear(PACKET_REQUEST, n, 80, &flow) == CONN_ASKED &&
		   table_connections(t) == 1024 && sends(PACKET_RST, 80, 0),
	   "but goes when another comes");
	ok(hear(PACKET_REQUEST, n + 1, 80, &flow) == 0 &&
		   sends(PACKET_RST, 80, n + 1),
	   "which is then the last again");
	first = table_each(t, NULL);
	conn_shutdown(&first->conn, PACKET_SHUT_BOTH, now);
	table_drop(t, first);
	ok(table_connect(t, PACKET_STREAM, 5, host, 1, now, 1, NULL, &flow) ==
			   0 &&
		   table_connections(t) == 1024,
	   "or when we ask for another");
}

static void credit_is_limited(void)
{
	const struct table_limits *l = &table_default_limits;
	uint32_t n, full = 0, enough = 0, least = UINT32_MAX, most = 0;
	uint64_t sum = 0;
	struct flow *flow;

	renew(NULL);
	for (n = 0; n < l->connections && (flow = accepted(n, 80)); n++) {
		full += flow->conn.buf_alloc == WINDOW;
		enough += flow->conn.buf_alloc >= 65536;
		sum += flow->conn.buf_alloc;
		if (flow->conn.buf_alloc < least)
			least = flow->conn.buf_alloc;
	}
	ok(full == 189 && enough == 214 && least >= l->floor,
	   "%u windows of 256 KiB, %u of 64 KiB, none below %u", full, enough,
	   least);
	ok(sum <= l->credit && table_granted(t) == sum,
	   "%llu KiB in all, of 64 MiB", (unsigned long long)sum >> 10);

	/* Who asks for all gets a part, and all get something. */
	renew(NULL);
	for (n = 0, sum = 0, least = UINT32_MAX; n < l->connections; n++) {
		if (table_connect(t, PACKET_STREAM, n, host, UINT32_MAX, now, 1,
				  NULL, &flow) < 0)
			break;
		sum += flow->conn.buf_alloc;
		if (flow->conn.buf_alloc > most)
			most = flow->conn.buf_alloc;
		if (flow->conn.buf_alloc < least)
			least = flow->conn.buf_alloc;
	}
	ok(n == l->connections && sum <= l->credit && most < 4u << 20 &&
		   least >= l->floor,
	   "asked for 4 GiB each: %u to %u", least, most);

	/* What is dropped is there again, in any order. */
	for (uint32_t i = 0; i < 3000; i++) {
		flow = table_each(t, NULL);
		for (n = i % 7; n && table_each(t, flow); n--)
			flow = table_each(t, flow);
		if (i % 3 == 0) {
			conn_reset(&flow->conn, 0);
			table_drop(t, flow);
		} else if (i < 1500 || i % 2) {
			table_drop(t, flow);
		}
		if (i % 2)
			table_connect(t, PACKET_STREAM, 10000 + i, host,
				      UINT32_MAX, now, 1, NULL, &flow);
		if (table_granted(t) > l->credit)
			break;
	}
	ok(table_granted(t) <= l->credit, "never more than there is");
	while ((flow = table_each(t, NULL)))
		table_drop(t, flow);
	while (!silent())
		;
	ok(table_granted(t) == 0 && table_connections(t) == 0,
	   "and all of it in the end");
	ok(table_connect(t, PACKET_STREAM, 1, host, 1, now, 1, NULL, &flow) ==
			   0 &&
		   flow->conn.buf_alloc == 1 && table_granted(t) == l->floor,
	   "who asks for little gets it, and holds a floor");
}

static void answers_are_limited(void)
{
	const struct table_limits l = { 2, 1 << 20, 1024, 3 };
	struct flow *flow;
	struct packet p;

	renew(&l);
	for (uint32_t i = 0; i < 3; i++) {
		ok(table_may_receive(t), "there is room for an answer");
		hear(PACKET_RW, i, 80, &flow);
	}
	before = *table_counters(t);
	ok(!table_may_receive(t), "the third was the last");
	hear(PACKET_RW, 3, 80, &flow);
	ok(table_counters(t)->unanswered == 1,
	   "who does not wait gets none, and is counted");
	for (uint32_t i = 0; i < 3; i++)
		ok(table_next(t, &p) && p.op == PACKET_RST && p.dst.port == i,
		   "they come in order");
	ok(silent() && table_may_receive(t), "and there is room again");

	ok(!table_new(OWN, &(struct table_limits){ 3, 100, 34, 1 }) &&
		   !table_new(OWN, &(struct table_limits){ 3, 100, 0, 1 }) &&
		   !table_new(OWN, &(struct table_limits){ 3, 100, 33, 0 }),
	   "limits that contradict each other are refused");
}

int main(void)
{
	strays();
	finding();
	faults();
	again();
	closing();
	timers();
	turns();
	connections_are_limited();
	credit_is_limited();
	answers_are_limited();
	table_free(t);
	table_free(NULL);
	return done();
}
