/* SPDX-License-Identifier: MIT */
/*
 * bridge/conn: each transition of one connection, in both roles and of both
 * types, against a peer that is written out packet by packet.
 */
#include "bridge/conn.h"

#include "tests/unit/tap.h"

#include <errno.h>
#include <string.h>

#define WINDOW 262144u
#define T0     1000u

static const struct packet_addr here = { 3, 5000 }, there = { 2, 1234 };

/* What the peer says; its credit counters are the test's. */
static uint32_t peer_buf = WINDOW, peer_fwd;

static struct packet say(uint16_t op, uint32_t len, uint32_t flags)
{
	return (struct packet){ .src = there,
				.dst = here,
				.len = len,
				.type = PACKET_STREAM,
				.op = op,
				.flags = flags,
				.buf_alloc = peer_buf,
				.fwd_cnt = peer_fwd };
}

static unsigned hear(struct conn *c, uint16_t op, uint32_t len, uint32_t flags)
{
	struct packet p = say(op, len, flags);

	p.type = c->type;
	return conn_receive(c, &p, T0);
}

/* Is @op the one packet that is due? Then it is taken. */
static bool sends(struct conn *c, uint16_t op, struct packet *p)
{
	struct packet other;

	return conn_next(c, p) && p->op == op && p->src.cid == here.cid &&
	       p->src.port == here.port && p->dst.cid == there.cid &&
	       p->dst.port == there.port && p->type == c->type && !p->len &&
	       !conn_due(c) && !conn_next(c, &other);
}

static bool silent(struct conn *c)
{
	struct packet p;

	return !conn_due(c) && !conn_next(c, &p);
}

static bool is_over(struct conn *c, int error)
{
	return c->state == CONN_OVER && conn_error(c) == error &&
	       conn_deadline(c) == CONN_NEVER && conn_room(c) == 0;
}

/* An open connection of each role. */
static void opened(struct conn *c, uint16_t type, bool initiator)
{
	struct packet p = say(PACKET_REQUEST, 0, 0);

	peer_buf = WINDOW;
	peer_fwd = 0;
	p.type = type;
	if (initiator) {
		conn_connect(c, here, there, type, WINDOW, T0, 2000);
		conn_next(c, &p);
		hear(c, PACKET_RESPONSE, 0, 0);
	} else {
		conn_requested(c, &p, WINDOW);
		conn_accept(c);
		conn_next(c, &p);
	}
}

/* --- coming up -------------------------------------------------------------
 */

static void connecting(uint16_t type)
{
	struct conn c;
	struct packet p;

	peer_fwd = 0;
	conn_connect(&c, here, there, type, 1000, T0, 2000);
	ok(c.state == CONN_CONNECTING && conn_room(&c) == 0,
	   "type %u: while it connects nothing may be sent", type);
	ok(hear(&c, PACKET_RST, 0, 0) == CONN_BAD_OP &&
		   c.state == CONN_CONNECTING,
	   "what comes before the REQUEST is out is no answer to it");
	ok(sends(&c, PACKET_REQUEST, &p) && p.buf_alloc == 1000 &&
		   p.fwd_cnt == 0,
	   "a REQUEST is due, with our window");
	ok(hear(&c, PACKET_INVALID, 0, 0) == CONN_BAD_OP &&
		   c.state == CONN_CONNECTING,
	   "operation 0 is not looked at, as in Linux");
	ok(hear(&c, PACKET_RESPONSE, 0, 0) == CONN_CONNECTED &&
		   c.state == CONN_OPEN && conn_room(&c) == peer_buf &&
		   conn_deadline(&c) == CONN_NEVER && silent(&c),
	   "a RESPONSE opens it, with the peer's credit");

	conn_connect(&c, here, there, type, 1000, T0, 2000);
	conn_next(&c, &p);
	ok(hear(&c, PACKET_RST, 0, 0) == (CONN_REFUSED | CONN_ENDED) &&
		   is_over(&c, ECONNRESET) && silent(&c),
	   "a RST refuses it, and is not answered");

	conn_connect(&c, here, there, type, 1000, T0, 2000);
	conn_next(&c, &p);
	ok(conn_deadline(&c) == T0 + 2000 && !conn_expire(&c, T0 + 1999) &&
		   conn_expire(&c, T0 + 2000) == (CONN_REFUSED | CONN_ENDED) &&
		   is_over(&c, ETIMEDOUT) && silent(&c),
	   "silence is ETIMEDOUT, without a word");
	ok(hear(&c, PACKET_RESPONSE, 0, 0) == 0 && silent(&c),
	   "the RESPONSE that comes then changes nothing");

	for (uint16_t op = 0; op < 10; op++) {
		if (op == PACKET_INVALID || op == PACKET_RESPONSE ||
		    op == PACKET_RST)
			continue;
		conn_connect(&c, here, there, type, 1000, T0, 2000);
		conn_next(&c, &p);
		ok(hear(&c, op, 0,
			3) == (CONN_BAD_ANSWER | CONN_REFUSED | CONN_ENDED) &&
			   is_over(&c, EPROTO) && sends(&c, PACKET_RST, &p),
		   "%s is no answer: EPROTO and a RST", packet_op_name(op));
	}
	peer_fwd = 1;
	conn_connect(&c, here, there, type, 1000, T0, 2000);
	conn_next(&c, &p);
	ok(hear(&c, PACKET_RESPONSE, 0, 0) & CONN_BAD_ANSWER,
	   "nor is a RESPONSE that consumed what was not sent");
	peer_fwd = 0;

	conn_connect(&c, here, there, type, 1000, T0, 2000);
	ok(conn_shutdown(&c, PACKET_SHUT_BOTH, T0) == CONN_ENDED &&
		   silent(&c) && is_over(&c, ECONNABORTED),
	   "close(2) takes a REQUEST back that is not out");
	conn_connect(&c, here, there, type, 1000, T0, 2000);
	conn_shutdown(&c, PACKET_SHUT_SEND, T0);
	conn_next(&c, &p);
	ok(silent(&c) && hear(&c, PACKET_RESPONSE, 0, 0) == CONN_CONNECTED &&
		   sends(&c, PACKET_SHUTDOWN, &p) &&
		   p.flags == PACKET_SHUT_SEND && conn_room(&c) == 0,
	   "shut before it is open: a SHUTDOWN once it is");
}

static void requested(uint16_t type)
{
	struct packet p, request = say(PACKET_REQUEST, 0, 0);
	struct conn c;

	request.type = type;
	request.buf_alloc = 77;
	conn_requested(&c, &request, 1000);
	ok(c.state == CONN_REQUESTED && silent(&c) && conn_room(&c) == 0 &&
		   conn_deadline(&c) == CONN_NEVER && c.type == type,
	   "type %u: a REQUEST waits for the owner", type);
	conn_accept(&c);
	ok(c.state == CONN_OPEN && conn_room(&c) == 0,
	   "accepted, nothing may be sent before the RESPONSE");
	ok(sends(&c, PACKET_RESPONSE, &p) && p.buf_alloc == 1000 &&
		   conn_room(&c) == 77,
	   "which goes out with our window");
	conn_refuse(&c);
	ok(c.state == CONN_OPEN && silent(&c), "it can not be refused twice");

	conn_requested(&c, &request, 1000);
	conn_refuse(&c);
	ok(sends(&c, PACKET_RST, &p) && is_over(&c, ECONNREFUSED),
	   "refused, there is a RST");

	conn_requested(&c, &request, 1000);
	ok(hear(&c, PACKET_RST, 0, 0) == CONN_ENDED &&
		   is_over(&c, ECONNRESET) && silent(&c),
	   "the peer takes it back");
	conn_accept(&c);
	ok(is_over(&c, ECONNRESET) && silent(&c), "and accept is too late");

	conn_requested(&c, &request, 1000);
	ok(hear(&c, PACKET_REQUEST, 0, 0) == 0 &&
		   hear(&c, PACKET_CREDIT_UPDATE, 0, 0) == 0 &&
		   hear(&c, PACKET_CREDIT_REQUEST, 0, 0) == CONN_BAD_OP &&
		   hear(&c, PACKET_RESPONSE, 0, 0) == CONN_BAD_OP &&
		   hear(&c, PACKET_SHUTDOWN, 0, PACKET_SHUT_RCV) ==
			   CONN_PEER_RCV &&
		   silent(&c) && c.state == CONN_REQUESTED,
	   "another REQUEST is the same one");
	ok(hear(&c, PACKET_RW, 1, 0) == (CONN_BAD_ANSWER | CONN_ENDED) &&
		   sends(&c, PACKET_RST, &p) && is_over(&c, EPROTO),
	   "data before the RESPONSE: a RST");

	conn_requested(&c, &request, 1000);
	ok(hear(&c, PACKET_SHUTDOWN, 0, PACKET_SHUT_BOTH) ==
			   (CONN_PEER_RCV | CONN_PEER_SEND | CONN_ENDED) &&
		   sends(&c, PACKET_RST, &p) && is_over(&c, 0),
	   "a SHUTDOWN before it: a RST");
	conn_requested(&c, &request, 1000);
	ok(conn_shutdown(&c, PACKET_SHUT_BOTH, T0) == CONN_ENDED &&
		   sends(&c, PACKET_RST, &p),
	   "close(2) before it: a RST");
	conn_requested(&c, &request, 1000);
	conn_shutdown(&c, PACKET_SHUT_SEND, T0);
	conn_accept(&c);
	ok(conn_next(&c, &p) && p.op == PACKET_RESPONSE && conn_next(&c, &p) &&
		   p.op == PACKET_SHUTDOWN && p.flags == PACKET_SHUT_SEND,
	   "shut, then accepted: RESPONSE, SHUTDOWN");
}

/* --- data and its credit ----------------------------------------------------
 */

static void sending(uint16_t type, bool initiator)
{
	struct packet p;
	struct conn c;

	opened(&c, type, initiator);
	ok(conn_room(&c) == WINDOW, "type %u, %s: credit is what the peer has",
	   type, initiator ? "initiator" : "responder");
	conn_data(&c, 65536, PACKET_EOM, &p);
	ok(p.op == PACKET_RW && p.len == 65536 && p.flags == PACKET_EOM &&
		   p.src.port == here.port && p.dst.port == there.port &&
		   p.type == type && p.buf_alloc == WINDOW,
	   "a packet with data");
	ok(conn_room(&c) == WINDOW - 65536, "takes its credit");
	conn_data(&c, WINDOW - 65536, 0, &p);
	ok(conn_room(&c) == 0, "all of it");
	peer_fwd = 1000;
	ok(hear(&c, PACKET_CREDIT_UPDATE, 0, 0) == CONN_ROOM &&
		   conn_room(&c) == 1000,
	   "what the peer consumed may be sent again");
	ok(hear(&c, PACKET_CREDIT_UPDATE, 0, 0) == 0, "said once, heard once");
	peer_fwd = 999;
	ok(hear(&c, PACKET_CREDIT_UPDATE, 0, 0) == 0 && conn_room(&c) == 1000,
	   "an older count is not taken");
	peer_fwd = 1000;
	peer_buf = WINDOW - 1500;
	ok(hear(&c, PACKET_CREDIT_UPDATE, 0, 0) == 0 && conn_room(&c) == 0,
	   "a buffer that shrank below what is out: no credit, none owed");
	peer_buf = 0;
	ok(hear(&c, PACKET_CREDIT_UPDATE, 0, 0) == 0 && conn_room(&c) == 0,
	   "nor in a buffer of no bytes");
	peer_buf = WINDOW;
	ok(hear(&c, PACKET_RW, 5, PACKET_EOM) == (CONN_DATA | CONN_ROOM) &&
		   conn_room(&c) == 1000,
	   "data tells credit, too");
	peer_fwd = WINDOW;
	ok(hear(&c, PACKET_CREDIT_UPDATE, 0, 0) == CONN_ROOM &&
		   conn_room(&c) == WINDOW,
	   "all consumed, all free");
	peer_fwd = WINDOW + 1;
	ok(hear(&c, PACKET_CREDIT_UPDATE, 0, 0) ==
			   (CONN_BAD_FWD_CNT | CONN_ENDED) &&
		   sends(&c, PACKET_RST, &p) && is_over(&c, EPROTO),
	   "consumed what was never sent: a RST");

	opened(&c, type, initiator);
	peer_buf = UINT32_MAX;
	hear(&c, PACKET_CREDIT_UPDATE, 0, 0);
	ok(conn_room(&c) == INT32_MAX, "never are 2 GiB out");
}

static void wrapping(void)
{
	struct packet p;
	struct conn c;

	opened(&c, PACKET_STREAM, true);
	c.tx_cnt = c.peer_fwd_cnt = peer_fwd = UINT32_MAX - 99;
	c.rx_cnt = c.fwd_cnt = c.told = UINT32_MAX - 99;
	conn_data(&c, 1000, 0, &p);
	ok(conn_room(&c) == WINDOW - 1000 && p.fwd_cnt == UINT32_MAX - 99,
	   "counters wrap: what is out");
	peer_fwd = 400;
	ok(hear(&c, PACKET_RW, WINDOW, 0) == (CONN_DATA | CONN_ROOM) &&
		   conn_room(&c) == WINDOW - 500 && conn_unread(&c) == WINDOW,
	   "what came, and what the peer consumed");
	ok(conn_consumed(&c, 200, T0) == 0 && conn_unread(&c) == WINDOW - 200 &&
		   hear(&c, PACKET_CREDIT_REQUEST, 0, 0) == 0 &&
		   sends(&c, PACKET_CREDIT_UPDATE, &p) && p.fwd_cnt == 100,
	   "what we consumed");
	ok(hear(&c, PACKET_RW, 201, 0) & CONN_BAD_OVERRUN,
	   "and what is too much");
}

/* As many packets of one byte as may be. */
static unsigned dribble(struct conn *c)
{
	struct packet p;
	unsigned n;

	for (n = 0; conn_room(c) && n < 1000000; n++)
		conn_data(c, 1, PACKET_EOM, &p);
	return n;
}

static void few_packets_are_out(uint16_t type)
{
	struct packet p;
	struct conn c;
	unsigned n, more;

	opened(&c, type, true);
	n = dribble(&c);
	ok(n == WINDOW / CONN_PACKET_COST,
	   "type %u: %u packets of one byte may be out", type, n);
	ok(sends(&c, PACKET_CREDIT_REQUEST, &p), "the peer was asked halfway");
	ok(conn_deadline(&c) <= T0 && conn_expire(&c, T0) == 0 &&
		   sends(&c, PACKET_CREDIT_REQUEST, &p) &&
		   conn_deadline(&c) == T0 + 10,
	   "and is at once when no more may be out");
	ok(conn_expire(&c, T0 + 10) == 0 &&
		   sends(&c, PACKET_CREDIT_REQUEST, &p) &&
		   conn_deadline(&c) == T0 + 30,
	   "and again, later and later");
	for (int i = 0; i < 20; i++) {
		conn_expire(&c, conn_deadline(&c));
		conn_next(&c, &p);
	}
	ok(conn_deadline(&c) - T0 < 20000, "a second at most");
	peer_fwd = 100;
	ok(hear(&c, PACKET_CREDIT_UPDATE, 0, 0) == CONN_ROOM &&
		   conn_room(&c) == WINDOW - (n - 100) &&
		   conn_deadline(&c) == CONN_NEVER,
	   "some were consumed");
	more = dribble(&c);
	ok(more <= 100 && more > 80, "about so many more may go: %u", more);
	peer_buf = 8192;
	peer_fwd = n + more;
	hear(&c, PACKET_CREDIT_UPDATE, 0, 0);
	n = dribble(&c);
	ok(n == 8, "to a peer with 8 KiB: %u", n);
	conn_next(&c, &p);
	conn_shutdown(&c, PACKET_SHUT_SEND, T0);
	ok(conn_deadline(&c) == CONN_NEVER, "who sends no more does not ask");

	opened(&c, type, true);
	peer_buf = 1u << 30;
	hear(&c, PACKET_CREDIT_UPDATE, 0, 0);
	n = dribble(&c);
	ok(n == 1000000, "to a peer with 1 GiB: any number");
	for (uint32_t i = 1; i <= n; i++) {
		peer_fwd = i;
		hear(&c, PACKET_CREDIT_UPDATE, 0, 0);
	}
	ok(conn_room(&c) == 1u << 30, "all of which can be consumed");
}

static void messages_go(void)
{
	unsigned stuck = 0, large = 0;
	struct packet p;
	struct conn c;

	opened(&c, PACKET_SEQPACKET, true);
	ok(conn_longest(&c) == WINDOW,
	   "a message may be as long as the buffer");
	dribble(&c);
	ok(conn_room(&c) == 0, "after many small ones it has to wait");
	peer_fwd = c.tx_cnt;
	hear(&c, PACKET_CREDIT_UPDATE, 0, 0);
	ok(conn_room(&c) == WINDOW, "until all of them are consumed");

	/* In pieces of any size, after any number of small ones. */
	for (uint32_t small = 0; small < 200; small++) {
		opened(&c, PACKET_SEQPACKET, true);
		for (uint32_t i = 0; i < small; i++)
			conn_data(&c, 1, PACKET_EOM, &p);
		stuck += conn_room(&c) != WINDOW - small;
		for (uint32_t i = small; i < 5000; i++)
			conn_data(&c, 1, i == 4999 ? PACKET_EOM : 0, &p);
		large += conn_room(&c);
		peer_fwd = 4999;
		hear(&c, PACKET_CREDIT_UPDATE, 0, 0);
		peer_fwd = 5000;
		hear(&c, PACKET_CREDIT_UPDATE, 0, 0);
		stuck += conn_room(&c) != WINDOW;
	}
	ok(!stuck && !large, "its packets are counted, and all forgotten");
}

static void receiving(uint16_t type, bool initiator)
{
	struct packet p;
	struct conn c;
	uint32_t n = 0;

	opened(&c, type, initiator);
	ok(hear(&c, PACKET_RW, 100, PACKET_EOM) == CONN_DATA &&
		   conn_unread(&c) == 100 && silent(&c),
	   "type %u, %s: data came", type,
	   initiator ? "initiator" : "responder");
	ok(conn_consumed(&c, 60, T0) == 0 && conn_unread(&c) == 40 &&
		   silent(&c) && conn_deadline(&c) == T0 + CONN_CREDIT_MS,
	   "little credit waits");
	conn_consumed(&c, 40, T0 + 5);
	ok(conn_deadline(&c) == T0 + CONN_CREDIT_MS, "not longer for more");
	conn_data(&c, 1, PACKET_EOM, &p);
	ok(p.fwd_cnt == 100 && silent(&c) && conn_deadline(&c) == CONN_NEVER,
	   "the next packet takes it along");
	hear(&c, PACKET_RW, 10, PACKET_EOM);
	conn_consumed(&c, 10, T0);
	ok(!conn_expire(&c, T0 + CONN_CREDIT_MS - 1) && silent(&c) &&
		   !conn_expire(&c, T0 + CONN_CREDIT_MS) &&
		   sends(&c, PACKET_CREDIT_UPDATE, &p) && p.fwd_cnt == 110 &&
		   conn_deadline(&c) == CONN_NEVER,
	   "else it is told after a while");
	ok(hear(&c, PACKET_CREDIT_REQUEST, 0, 0) == 0 &&
		   sends(&c, PACKET_CREDIT_UPDATE, &p) &&
		   p.buf_alloc == WINDOW && p.fwd_cnt == 110,
	   "and when the peer asks");

	hear(&c, PACKET_RW, WINDOW / 2 - 1, 0);
	conn_consumed(&c, WINDOW / 2 - 1, T0);
	ok(silent(&c), "a peer with half of its credit is not told");
	hear(&c, PACKET_RW, 1, 0);
	conn_consumed(&c, 1, T0);
	ok(sends(&c, PACKET_CREDIT_UPDATE, &p), "one with less is, at once");

	while (n < WINDOW && hear(&c, PACKET_RW, 65536, 0) == CONN_DATA)
		n += 65536;
	ok(n == WINDOW && conn_unread(&c) == WINDOW, "a window full of data");
	conn_consumed(&c, 32767, T0);
	ok(silent(&c), "a peer without credit is not told of each byte");
	conn_consumed(&c, 1, T0);
	ok(sends(&c, PACKET_CREDIT_UPDATE, &p), "but at once of 32 KiB");
	conn_consumed(&c, WINDOW - 32768 - 1000, T0);
	conn_next(&c, &p);
	ok(hear(&c, PACKET_RW, WINDOW - 1000, 0) == CONN_DATA &&
		   conn_unread(&c) == WINDOW,
	   "it may send that much");
	ok(hear(&c, PACKET_RW, 1, 0) == (CONN_BAD_OVERRUN | CONN_ENDED) &&
		   is_over(&c, ENOBUFS) && sends(&c, PACKET_RST, &p) &&
		   conn_unread(&c) == WINDOW,
	   "and no byte more: a RST, and what came before is there");
	ok(conn_consumed(&c, WINDOW, T0) == 0 && silent(&c),
	   "to be consumed without a word");

	opened(&c, type, initiator);
	ok(hear(&c, PACKET_RW, UINT32_MAX, 0) & CONN_BAD_OVERRUN,
	   "nor 4 GiB at once");
}

static void small_windows(void)
{
	struct packet p, request = say(PACKET_REQUEST, 0, 0);
	struct conn c;

	peer_fwd = 0;
	conn_requested(&c, &request, 0);
	conn_accept(&c);
	conn_next(&c, &p);
	ok(p.buf_alloc == 1 && hear(&c, PACKET_RW, 1, 0) == CONN_DATA &&
		   !conn_consumed(&c, 1, T0) &&
		   sends(&c, PACKET_CREDIT_UPDATE, &p),
	   "a window of one byte works");
	conn_requested(&c, &request, 16384);
	conn_accept(&c);
	conn_next(&c, &p);
	hear(&c, PACKET_RW, 8192, 0);
	ok(!conn_consumed(&c, 4096, T0) && sends(&c, PACKET_CREDIT_UPDATE, &p),
	   "one of 16 KiB is told of when half is gone");
	hear(&c, PACKET_RW, 16384 - 4096, 0);
	conn_consumed(&c, 4095, T0);
	conn_next(&c, &p);
	ok(conn_consumed(&c, conn_unread(&c), T0) == 0 && conn_due(&c),
	   "and when nothing is left to consume");
}

static void messages(void)
{
	struct conn c;

	opened(&c, PACKET_SEQPACKET, true);
	ok(hear(&c, PACKET_RW, 0, PACKET_EOM) == CONN_BAD_OP,
	   "there are no empty messages");
	ok(hear(&c, PACKET_RW, 10, 0) == CONN_DATA &&
		   hear(&c, PACKET_RW, 0, 0) == CONN_BAD_OP &&
		   hear(&c, PACKET_RW, 0, PACKET_EOM | PACKET_EOR) == CONN_DATA,
	   "but an empty packet may end one");
	ok(hear(&c, PACKET_RW, 0, PACKET_EOM) == CONN_BAD_OP,
	   "which is then over");
	ok(hear(&c, PACKET_RW, 10, PACKET_EOM) == CONN_DATA &&
		   hear(&c, PACKET_RW, 0, PACKET_EOM) == CONN_BAD_OP,
	   "as is one of one packet");
	opened(&c, PACKET_STREAM, true);
	ok(hear(&c, PACKET_RW, 10, 0) == CONN_DATA &&
		   hear(&c, PACKET_RW, 0, PACKET_EOM) == CONN_BAD_OP,
	   "a stream has no ends");
}

/* --- the end ----------------------------------------------------------------
 */

static void we_close(uint16_t type, bool initiator)
{
	struct packet p;
	struct conn c;

	opened(&c, type, initiator);
	ok(conn_shutdown(&c, PACKET_SHUT_SEND, T0) == 0 &&
		   sends(&c, PACKET_SHUTDOWN, &p) &&
		   p.flags == PACKET_SHUT_SEND && c.state == CONN_OPEN &&
		   conn_room(&c) == 0 && conn_deadline(&c) == CONN_NEVER,
	   "type %u, %s: half closed for sending", type,
	   initiator ? "initiator" : "responder");
	ok(hear(&c, PACKET_RW, 10, PACKET_EOM) == CONN_DATA,
	   "data still comes");
	ok(conn_shutdown(&c, PACKET_SHUT_SEND, T0) == 0 && silent(&c),
	   "once is enough");
	ok(conn_shutdown(&c, PACKET_SHUT_RCV, T0) == 0 &&
		   sends(&c, PACKET_SHUTDOWN, &p) &&
		   p.flags == PACKET_SHUT_BOTH && c.state == CONN_CLOSING &&
		   conn_deadline(&c) == T0 + CONN_CLOSE_MS &&
		   conn_unread(&c) == 0,
	   "both ways: the peer's RST is waited for");
	ok(hear(&c, PACKET_RW, 10, PACKET_EOM) == 0 && conn_unread(&c) == 0,
	   "what was on its way is dropped");
	ok(hear(&c, PACKET_RST, 0, 0) == CONN_ENDED && is_over(&c, 0) &&
		   silent(&c),
	   "the peer's RST ends it");

	opened(&c, type, initiator);
	conn_shutdown(&c, PACKET_SHUT_RCV, T0);
	ok(sends(&c, PACKET_SHUTDOWN, &p) && p.flags == PACKET_SHUT_RCV &&
		   conn_room(&c) == WINDOW,
	   "half closed for receiving: sending goes on");
	ok(hear(&c, PACKET_RW, 200000, 0) == 0 &&
		   sends(&c, PACKET_CREDIT_UPDATE, &p) &&
		   hear(&c, PACKET_RW, 200000, PACKET_EOM) == 0,
	   "and what comes is consumed, with credit");

	opened(&c, type, initiator);
	conn_shutdown(&c, PACKET_SHUT_BOTH, T0);
	ok(sends(&c, PACKET_SHUTDOWN, &p) && p.flags == PACKET_SHUT_BOTH,
	   "closed at once");
	ok(hear(&c, PACKET_SHUTDOWN, 0, PACKET_SHUT_BOTH) ==
			   (CONN_PEER_RCV | CONN_PEER_SEND | CONN_ENDED) &&
		   sends(&c, PACKET_RST, &p) && is_over(&c, 0),
	   "by both ends at once");

	opened(&c, type, initiator);
	conn_shutdown(&c, PACKET_SHUT_BOTH, T0);
	conn_next(&c, &p);
	ok(conn_expire(&c, T0 + CONN_CLOSE_MS - 1) == 0 && silent(&c) &&
		   conn_expire(&c, T0 + CONN_CLOSE_MS) == CONN_ENDED &&
		   sends(&c, PACKET_RST, &p) && is_over(&c, 0),
	   "no RST came: ours after 8 s");
	ok(conn_expire(&c, T0 + 100000) == 0, "and that is all");

	opened(&c, type, initiator);
	conn_orphan(&c, T0);
	conn_orphan(&c, T0 + 1000);
	ok(conn_expire(&c, T0 + CONN_ORPHAN_MS) == 0 && silent(&c) &&
		   conn_expire(&c, T0 + 1000 + CONN_ORPHAN_MS) == CONN_ENDED &&
		   sends(&c, PACKET_RST, &p) && is_over(&c, 0),
	   "an orphan for which no room comes is given up");
	conn_orphan(&c, T0);
	ok(conn_deadline(&c) == CONN_NEVER, "once");
}

static void peer_closes(uint16_t type, bool initiator)
{
	struct packet p;
	struct conn c;

	opened(&c, type, initiator);
	ok(hear(&c, PACKET_SHUTDOWN, 0, PACKET_SHUT_SEND) == CONN_PEER_SEND &&
		   silent(&c) && conn_room(&c) == WINDOW &&
		   hear(&c, PACKET_SHUTDOWN, 0, PACKET_SHUT_SEND) == 0 &&
		   hear(&c, PACKET_SHUTDOWN, 0, 0) == 0,
	   "type %u, %s: the peer sends no more", type,
	   initiator ? "initiator" : "responder");
	ok(hear(&c, PACKET_RW, 1, 0) == (CONN_BAD_LATE | CONN_ENDED) &&
		   is_over(&c, EPROTO) && sends(&c, PACKET_RST, &p),
	   "and if it does: a RST");

	opened(&c, type, initiator);
	ok(hear(&c, PACKET_SHUTDOWN, 0, PACKET_SHUT_RCV) == CONN_PEER_RCV &&
		   conn_room(&c) == 0 && c.state == CONN_OPEN,
	   "the peer takes no more");
	ok(hear(&c, PACKET_RW, 10, PACKET_EOM) == CONN_DATA,
	   "it may still send");
	ok(hear(&c, PACKET_SHUTDOWN, 0, PACKET_SHUT_SEND) == CONN_PEER_SEND &&
		   c.state == CONN_OPEN && silent(&c) && conn_unread(&c) == 10,
	   "both ways, and data is unread: no RST yet");
	ok(conn_consumed(&c, 9, T0) == 0 && silent(&c) &&
		   conn_deadline(&c) == CONN_NEVER,
	   "a peer that sends no more needs no credit");
	ok(conn_consumed(&c, 1, T0) == CONN_ENDED && is_over(&c, 0) &&
		   sends(&c, PACKET_RST, &p),
	   "a RST when it was read");

	opened(&c, type, initiator);
	hear(&c, PACKET_RW, 10, PACKET_EOM);
	hear(&c, PACKET_SHUTDOWN, 0, PACKET_SHUT_BOTH);
	ok(conn_shutdown(&c, PACKET_SHUT_BOTH, T0) == CONN_ENDED &&
		   sends(&c, PACKET_RST, &p) && is_over(&c, 0),
	   "or when we close");

	opened(&c, type, initiator);
	ok(hear(&c, PACKET_SHUTDOWN, 0, PACKET_SHUT_BOTH) ==
			   (CONN_PEER_RCV | CONN_PEER_SEND | CONN_ENDED) &&
		   sends(&c, PACKET_RST, &p) && is_over(&c, 0),
	   "nothing is unread: a RST at once");
	ok(hear(&c, PACKET_RW, 10, 0) == 0 &&
		   conn_shutdown(&c, PACKET_SHUT_BOTH, T0) == 0 && silent(&c),
	   "and nothing more");

	opened(&c, type, initiator);
	c.tx_cnt = c.peer_fwd_cnt = 3000000000u;
	ok(hear(&c, PACKET_RST, 0, 0) == CONN_ENDED && is_over(&c, 0) &&
		   silent(&c),
	   "a RST ends it, whatever it says of credit; it is not answered");

	opened(&c, type, initiator);
	ok(hear(&c, PACKET_REQUEST, 0, 0) == CONN_BAD_OP &&
		   hear(&c, PACKET_RESPONSE, 0, 0) == CONN_BAD_OP &&
		   hear(&c, PACKET_INVALID, 0, 0) == CONN_BAD_OP &&
		   hear(&c, 8, 0, 0) == CONN_BAD_OP &&
		   hear(&c, UINT16_MAX, 0, 0) == CONN_BAD_OP && silent(&c) &&
		   c.state == CONN_OPEN,
	   "operations that make no sense are not looked at, as in Linux");
}

static void by_the_owner(void)
{
	struct packet p;
	struct conn c;

	opened(&c, PACKET_STREAM, true);
	conn_shutdown(&c, PACKET_SHUT_SEND, T0);
	conn_reset(&c, ENOMEM);
	ok(sends(&c, PACKET_RST, &p) && is_over(&c, ENOMEM),
	   "a reset: a RST and nothing else");
	conn_reset(&c, EPIPE);
	ok(is_over(&c, ENOMEM) && silent(&c), "once");
	conn_connect(&c, here, there, PACKET_STREAM, 1, T0, 1);
	conn_next(&c, &p);
	conn_reset(&c, ENOMEM);
	ok(silent(&c) && is_over(&c, ENOMEM),
	   "of one that the peer does not know: no word");
	opened(&c, PACKET_STREAM, true);
	hear(&c, PACKET_RW, 10, 0);
	conn_abandon(&c, ECONNRESET);
	ok(silent(&c) && is_over(&c, ECONNRESET), "abandoned: no word");
	ok(conn_consumed(&c, 10, T0) == CONN_ENDED &&
		   conn_shutdown(&c, PACKET_SHUT_BOTH, T0) == 0 && silent(&c),
	   "an owner that does not know hears of it, once");
	opened(&c, PACKET_STREAM, true);
	hear(&c, PACKET_SHUTDOWN, 0, PACKET_SHUT_BOTH);
	conn_abandon(&c, ECONNRESET);
	ok(silent(&c) && is_over(&c, 0) &&
		   conn_shutdown(&c, PACKET_SHUT_BOTH, T0) == 0,
	   "after its end: even the RST is not sent");
}

int main(void)
{
	for (uint16_t type = PACKET_STREAM; type <= PACKET_SEQPACKET; type++) {
		connecting(type);
		requested(type);
		for (int initiator = 0; initiator < 2; initiator++) {
			sending(type, initiator);
			receiving(type, initiator);
			we_close(type, initiator);
			peer_closes(type, initiator);
		}
	}
	wrapping();
	few_packets_are_out(PACKET_STREAM);
	few_packets_are_out(PACKET_SEQPACKET);
	messages_go();
	small_windows();
	messages();
	by_the_owner();
	return done();
}
