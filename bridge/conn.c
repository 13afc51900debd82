/* SPDX-License-Identifier: MIT */
/*
 * One virtio-vsock connection. See conn.h.
 *
 * Theory of operation
 *
 * Counters are free-running and wrap; only differences of them are looked at.
 *
 *   1. rx_cnt - fwd_cnt, what came and was not consumed, never exceeds
 * buf_alloc.
 *   2. told is a value that fwd_cnt had: what the peer may still send is
 *      buf_alloc - (rx_cnt - told), as far as it has heard.
 *   3. tx_cnt - peer_fwd_cnt, what is out, is below 2^31, and was within the
 *      peer's buf_alloc when it was sent. The peer may lower that later: credit
 * is then 0, never negative.
 *   4. peer_fwd_cnt only moves towards tx_cnt. A value behind it is old and
 *      ignored; one beyond tx_cnt is a lie.
 *   5. What is due is a bit for each kind of packet: what a peer can make us
 * owe is bounded.
 *   6. Each packet carries buf_alloc and fwd_cnt, so any of them tells credit.
 */
#include "bridge/conn.h"

#include "core/util.h"

#include <assert.h>
#include <errno.h>

/* Packets that are due, in the order in which they go out. */
enum {
	DUE_RST = 1 << 0, /* and then nothing else */
	DUE_REQUEST = 1 << 1,
	DUE_RESPONSE = 1 << 2,
	DUE_CREDIT_UPDATE = 1 << 3,
	DUE_CREDIT_REQUEST = 1 << 4,
	DUE_SHUTDOWN = 1 << 5,
};

#define NEWS	   32768u /* consumed bytes that a stalled peer is told of */
#define ASK_MIN_MS 10	  /* between two CREDIT_REQUEST, at first */
#define ASK_MAX_MS 1000

static uint32_t min_u32(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static void begin(struct conn *c, struct packet_addr local,
		  struct packet_addr peer, uint16_t type, uint32_t window)
{
	*c = (struct conn){
		.local = local,
		.peer = peer,
		.type = type,
		.buf_alloc = window ? window : 1,
		.timer = CONN_NEVER,
		.credit = CONN_NEVER,
		.ask = CONN_NEVER,
	};
}

void conn_connect(struct conn *c, struct packet_addr local,
		  struct packet_addr peer, uint16_t type, uint32_t window,
		  uint64_t now, uint64_t timeout)
{
	begin(c, local, peer, type, window);
	c->state = CONN_CONNECTING;
	c->due = DUE_REQUEST;
	c->timer = now + timeout;
}

void conn_requested(struct conn *c, const struct packet *request,
		    uint32_t window)
{
	begin(c, request->dst, request->src, request->type, window);
	c->state = CONN_REQUESTED;
	c->peer_buf_alloc = request->buf_alloc;
}

/* It is over; @due: DUE_RST or 0. The caller returns CONN_ENDED. */
static void end(struct conn *c, unsigned due, int error)
{
	c->state = CONN_OVER;
	c->due = (uint8_t)due;
	c->error = error;
	c->told_over = true;
	c->timer = c->credit = c->ask = CONN_NEVER;
}

static void open_up(struct conn *c)
{
	c->state = CONN_OPEN;
	c->timer = CONN_NEVER;
	if (c->shut)
		c->due |= DUE_SHUTDOWN;
}

void conn_accept(struct conn *c)
{
	if (c->state != CONN_REQUESTED)
		return;
	c->due |= DUE_RESPONSE;
	open_up(c);
}

void conn_refuse(struct conn *c)
{
	if (c->state == CONN_REQUESTED)
		end(c, DUE_RST, ECONNREFUSED);
}

/* --- what we send --------------------------------------------------------- */

/* How many packets may be out before another one. */
static uint32_t max_sent(const struct conn *c)
{
	uint32_t n = c->peer_buf_alloc / CONN_PACKET_COST;

	return n ? n : 1;
}

/* How many packets make a run: so many that there is room for more runs. */
static uint32_t run_length(const struct conn *c)
{
	return max_sent(c) / (ARRAY_SIZE(c->sent) / 2) + 1;
}

static uint32_t credit(const struct conn *c)
{
	uint32_t out = c->tx_cnt - c->peer_fwd_cnt;
	uint32_t max = min_u32(c->peer_buf_alloc, INT32_MAX);

	return max > out ? max - out : 0;
}

uint32_t conn_room(const struct conn *c)
{
	if (c->state != CONN_OPEN || (c->shut & PACKET_SHUT_SEND) ||
	    (c->peer_shut & PACKET_SHUT_RCV) || (c->due & DUE_RESPONSE) ||
	    c->n_sent >= max_sent(c))
		return 0;
	return credit(c);
}

uint32_t conn_longest(const struct conn *c)
{
	return c->peer_buf_alloc;
}

static void header(struct conn *c, uint16_t op, uint32_t flags,
		   struct packet *ret_packet)
{
	*ret_packet = (struct packet){
		.src = c->local,
		.dst = c->peer,
		.type = c->type,
		.op = op,
		.flags = flags,
		.buf_alloc = c->buf_alloc,
		.fwd_cnt = c->fwd_cnt,
	};
	c->told = c->fwd_cnt;
	c->due &= (uint8_t)~DUE_CREDIT_UPDATE;
	c->credit = CONN_NEVER;
}

/*
 * Where no packet more may be out, the peer is asked what it consumed: kernels
 * before 6.7 say nothing of it while their buffer has room for many bytes.
 */
static void watch_sent(struct conn *c)
{
	bool full = c->n_sent >= max_sent(c) && !(c->shut & PACKET_SHUT_SEND) &&
		    !(c->peer_shut & PACKET_SHUT_RCV);

	if (!full) {
		c->ask = CONN_NEVER;
	} else if (c->ask == CONN_NEVER) {
		c->ask = 0; /* at once */
		c->ask_ms = ASK_MIN_MS;
	}
}

static void note_sent(struct conn *c)
{
	const uint32_t size = ARRAY_SIZE(c->sent);
	uint32_t last = (c->first + c->n_runs - 1u) % size;

	if (!c->n_runs ||
	    (c->sent[last].n >= run_length(c) && c->n_runs < size)) {
		last = (c->first + c->n_runs) % size;
		c->n_runs++;
		c->sent[last].n = 0;
	}
	c->sent[last].end = c->tx_cnt;
	c->sent[last].n++;
	c->n_sent++;
	if (c->n_sent == max_sent(c) / 2)
		c->due |= DUE_CREDIT_REQUEST;
	watch_sent(c);
}

static void forget_sent(struct conn *c)
{
	while (c->n_runs &&
	       (int32_t)(c->peer_fwd_cnt - c->sent[c->first].end) >= 0) {
		c->n_sent -= c->sent[c->first].n;
		c->first = (uint16_t)((c->first + 1) % ARRAY_SIZE(c->sent));
		c->n_runs--;
	}
	watch_sent(c);
}

void conn_data(struct conn *c, uint32_t len, uint32_t flags,
	       struct packet *ret_packet)
{
	assert(c->state == CONN_OPEN && len && len <= credit(c));
	header(c, PACKET_RW, flags, ret_packet);
	ret_packet->len = len;
	c->tx_cnt += len;
	note_sent(c);
}

bool conn_due(const struct conn *c)
{
	return c->due != 0;
}

bool conn_next(struct conn *c, struct packet *ret_packet)
{
	static const uint16_t ops[] = {
		PACKET_RST,	      PACKET_REQUEST,	     PACKET_RESPONSE,
		PACKET_CREDIT_UPDATE, PACKET_CREDIT_REQUEST, PACKET_SHUTDOWN
	};

	for (size_t i = 0; i < ARRAY_SIZE(ops); i++) {
		if (!(c->due & 1u << i))
			continue;
		c->due &= (uint8_t) ~(1u << i);
		header(c, ops[i], ops[i] == PACKET_SHUTDOWN ? c->shut : 0,
		       ret_packet);
		return true;
	}
	return false;
}

/* --- what the local socket does ------------------------------------------- */

uint32_t conn_unread(const struct conn *c)
{
	return c->rx_cnt - c->fwd_cnt;
}

/* Is the peer to be told of what was consumed, now or later? */
static void consider_credit(struct conn *c, uint64_t now)
{
	uint32_t news = c->fwd_cnt - c->told;
	uint32_t half = c->buf_alloc / 2 + 1;
	uint32_t used = c->rx_cnt - c->told; /* for what the peer knows */
	uint32_t left = c->buf_alloc - min_u32(c->buf_alloc, used);

	if (!news || (c->peer_shut & PACKET_SHUT_SEND))
		return;
	if (left < half && news >= min_u32(NEWS, half / 2))
		c->due |= DUE_CREDIT_UPDATE;
	else if (c->credit == CONN_NEVER)
		c->credit = now + CONN_CREDIT_MS;
}

static unsigned if_untold(struct conn *c)
{
	bool untold = c->state == CONN_OVER && !c->told_over;

	c->told_over |= untold;
	return untold ? CONN_ENDED : 0;
}

unsigned conn_consumed(struct conn *c, uint32_t n, uint64_t now)
{
	assert(n <= conn_unread(c));
	c->fwd_cnt += n;
	if (c->state == CONN_OVER)
		return if_untold(c);
	if (c->peer_shut == PACKET_SHUT_BOTH && !conn_unread(c)) {
		end(c, DUE_RST, 0);
		return CONN_ENDED;
	}
	consider_credit(c, now);
	return 0;
}

unsigned conn_shutdown(struct conn *c, unsigned how, uint64_t now)
{
	if (c->state == CONN_OVER)
		return if_untold(c);
	if ((c->shut | how) == c->shut)
		return 0;
	c->shut |= (uint8_t)how;
	watch_sent(c);
	if (c->shut == PACKET_SHUT_BOTH) {
		if (c->state == CONN_CONNECTING) {
			end(c, 0, ECONNABORTED);
			return CONN_ENDED;
		}
		if (c->state == CONN_REQUESTED ||
		    c->peer_shut == PACKET_SHUT_BOTH) {
			end(c, DUE_RST, 0);
			return CONN_ENDED;
		}
		c->state = CONN_CLOSING;
		c->timer = now + CONN_CLOSE_MS;
	}
	if (c->state == CONN_OPEN || c->state == CONN_CLOSING)
		c->due |= DUE_SHUTDOWN;
	if (c->shut & PACKET_SHUT_RCV)
		return conn_consumed(c, conn_unread(c), now);
	return 0;
}

void conn_orphan(struct conn *c, uint64_t now)
{
	if (c->state == CONN_OPEN)
		c->timer = now + CONN_ORPHAN_MS;
}

void conn_reset(struct conn *c, int error)
{
	if (c->state != CONN_OVER)
		end(c, c->state == CONN_CONNECTING ? 0 : DUE_RST, error);
}

void conn_abandon(struct conn *c, int error)
{
	bool told = c->state == CONN_OVER && c->told_over;

	end(c, 0, c->state == CONN_OVER ? c->error : error);
	c->told_over = told;
}

/* --- what the peer does --------------------------------------------------- */

static unsigned violation(struct conn *c, unsigned what, int error)
{
	end(c, DUE_RST, error);
	return what | CONN_ENDED;
}

/* What every packet tells. False if it is a lie. */
static bool take_credit(struct conn *c, const struct packet *p)
{
	uint32_t step = p->fwd_cnt - c->peer_fwd_cnt;

	c->peer_buf_alloc = p->buf_alloc;
	if (step <= c->tx_cnt - c->peer_fwd_cnt)
		c->peer_fwd_cnt = p->fwd_cnt;
	else if ((int32_t)step >= 0)
		return false;
	forget_sent(c);
	return true;
}

static unsigned receive_connecting(struct conn *c, const struct packet *p)
{
	if (c->due & DUE_REQUEST) /* it can not be an answer */
		return CONN_BAD_OP;
	switch (p->op) {
	case PACKET_RESPONSE:
		if (!take_credit(c, p))
			break;
		open_up(c);
		return CONN_CONNECTED;
	case PACKET_INVALID:
		return CONN_BAD_OP;
	case PACKET_RST:
		end(c, 0, ECONNRESET);
		return CONN_REFUSED | CONN_ENDED;
	}
	return violation(c, CONN_BAD_ANSWER, EPROTO) | CONN_REFUSED;
}

static unsigned receive_data(struct conn *c, const struct packet *p,
			     uint64_t now)
{
	bool seqpacket = c->type == PACKET_SEQPACKET;
	bool message_ends = seqpacket && (p->flags & PACKET_EOM);

	if (c->peer_shut & PACKET_SHUT_SEND)
		return violation(c, CONN_BAD_LATE, EPROTO);
	if (p->len > c->buf_alloc - conn_unread(c))
		return violation(c, CONN_BAD_OVERRUN, ENOBUFS);
	/* Empty messages do not exist, but one may end with an empty packet. */
	if (!p->len && !(message_ends && c->in_message))
		return CONN_BAD_OP;
	c->in_message = seqpacket && !message_ends;
	c->rx_cnt += p->len;
	if (!(c->shut & PACKET_SHUT_RCV))
		return CONN_DATA;
	c->fwd_cnt += p->len;
	consider_credit(c, now);
	return 0;
}

static unsigned receive_shutdown(struct conn *c, const struct packet *p)
{
	unsigned news = p->flags & PACKET_SHUT_BOTH & ~(unsigned)c->peer_shut;
	unsigned events = (news & PACKET_SHUT_RCV ? CONN_PEER_RCV : 0) |
			  (news & PACKET_SHUT_SEND ? CONN_PEER_SEND : 0);

	c->peer_shut |= (uint8_t)news;
	watch_sent(c);
	if (c->peer_shut == PACKET_SHUT_BOTH && !conn_unread(c)) {
		end(c, DUE_RST, 0);
		events |= CONN_ENDED;
	}
	return events;
}

unsigned conn_receive(struct conn *c, const struct packet *p, uint64_t now)
{
	uint32_t room = conn_room(c);
	unsigned events = 0;

	if (c->state == CONN_OVER)
		return 0;
	if (c->state == CONN_CONNECTING)
		return receive_connecting(c, p);
	/* Not all who send RST know our counters. */
	if (p->op == PACKET_RST) {
		end(c, 0, c->state == CONN_REQUESTED ? ECONNRESET : 0);
		return CONN_ENDED;
	}
	if (!take_credit(c, p))
		return violation(c, CONN_BAD_FWD_CNT, EPROTO);

	switch (p->op) {
	case PACKET_RW:
		if (c->state == CONN_REQUESTED)
			return violation(c, CONN_BAD_ANSWER, EPROTO);
		events = receive_data(c, p, now);
		break;
	case PACKET_SHUTDOWN:
		events = receive_shutdown(c, p);
		break;
	case PACKET_CREDIT_REQUEST:
		if (c->state == CONN_REQUESTED)
			return CONN_BAD_OP;
		c->due |= DUE_CREDIT_UPDATE;
		break;
	case PACKET_CREDIT_UPDATE:
		break;
	case PACKET_REQUEST: /* once more: the first is still to be answered */
		events = c->state == CONN_REQUESTED ? 0 : CONN_BAD_OP;
		break;
	default:
		events = CONN_BAD_OP;
	}
	if (conn_room(c) > room)
		events |= CONN_ROOM;
	return events;
}

/* --- time ----------------------------------------------------------------- */

uint64_t conn_deadline(const struct conn *c)
{
	uint64_t first = c->timer;

	if (c->credit < first)
		first = c->credit;
	if (c->ask < first)
		first = c->ask;
	return first;
}

unsigned conn_expire(struct conn *c, uint64_t now)
{
	if (now >= c->timer) {
		if (c->state == CONN_CONNECTING) {
			end(c, 0, ETIMEDOUT);
			return CONN_REFUSED | CONN_ENDED;
		}
		end(c, DUE_RST, 0);
		return CONN_ENDED;
	}
	if (now >= c->credit) {
		c->due |= DUE_CREDIT_UPDATE;
		c->credit = CONN_NEVER;
	}
	if (now >= c->ask) {
		c->due |= DUE_CREDIT_REQUEST;
		c->ask = now + c->ask_ms;
		c->ask_ms = (uint16_t)min_u32(c->ask_ms * 2u, ASK_MAX_MS);
	}
	return 0;
}

int conn_error(const struct conn *c)
{
	return c->error;
}
