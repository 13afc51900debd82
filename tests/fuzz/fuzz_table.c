/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: bridge/table, and with it packet and conn. The input is a series
 * of packets, as bytes or in short, and of what the owner of the connections
 * does meanwhile. Whatever it is: limits hold, what comes out is well-formed,
 * no RST answers a RST, and the owner hears nothing that makes no sense.
 */
#include "bridge/table.h"

#include <stdlib.h>
#include <string.h>

#define OWN    42u
#define OTHER  2u
#define WINDOW 4096u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct table_limits limits = { 4, 16384, 512, 3 };

struct input {
	const uint8_t *p;
	size_t n;
};

/* What the owner knows of a flow. */
struct owner {
	bool asked, ended, sends_no_more, deaf;
	uint32_t unread;
};

static struct {
	struct table *t;
	uint64_t now;
	struct owner owners[4]; /* no more than connections */
	struct flow *flows[4];
} w;

static void must(bool good)
{
	if (!good)
		abort();
}

static uint8_t byte(struct input *in)
{
	if (!in->n)
		return 0;
	in->n--;
	return *in->p++;
}

static void adopt(struct flow *flow, bool asked)
{
	int i = 0;

	while (w.flows[i])
		must(++i < 4);
	w.flows[i] = flow;
	w.owners[i] = (struct owner){ .asked = asked };
	flow->owner = &w.owners[i];
}

static void forget(struct owner *o)
{
	w.flows[o - w.owners] = NULL;
}

/* --- what the table says
 * ------------------------------------------------------ */

static void hear(struct flow *flow, unsigned events, const struct packet *p)
{
	struct owner *o = flow->owner;

	must(!o->ended);
	must(!(events & CONN_CONNECTED) || !o->asked);
	must(!(events & CONN_REFUSED) || (events & CONN_ENDED));
	if (events & CONN_DATA) {
		must(p->op == PACKET_RW && !o->sends_no_more && !o->deaf);
		must(p->len || (p->flags & PACKET_EOM));
		o->unread += p->len;
	}
	must(o->unread == conn_unread(&flow->conn) &&
	     o->unread <= flow->conn.buf_alloc);
	o->sends_no_more |= !!(events & CONN_PEER_SEND);
	o->ended |= !!(events & CONN_ENDED);
	must(o->ended == (flow->conn.state == CONN_OVER));
}

static void receive(const struct packet *p)
{
	unsigned events;
	struct flow *flow;
	struct packet out;
	bool may = table_may_receive(w.t);
	uint64_t unanswered = table_counters(w.t)->unanswered;

	if (p->op == PACKET_RST) /* so that what follows is an answer */
		while (table_next(w.t, &out))
			;
	events = table_receive(w.t, p, WINDOW, w.now, &flow);
	must(p->op != PACKET_RST || !table_next(w.t, &out));
	must(!may || unanswered == table_counters(w.t)->unanswered);
	must(flow || !events);
	if (events == CONN_ASKED)
		adopt(flow, true);
	else if (flow)
		hear(flow, events, p);
}

static void pull(void)
{
	uint8_t bytes[PACKET_HDR];
	struct packet p, again;

	if (!table_next(w.t, &p))
		return;
	must(p.src.cid == OWN && p.op > PACKET_INVALID && p.op < PACKET_N_OPS &&
	     p.op != PACKET_RW && !p.len);
	packet_write(&p, bytes);
	must(packet_parse(bytes, sizeof(bytes), &again) == 0 &&
	     memcmp(&p, &again, sizeof(p)) == 0);
}

/* --- what the input says
 * -------------------------------------------------------- */

/* A packet as it is, with whatever length it says. */
static void bytes_come(struct input *in)
{
	uint8_t bytes[PACKET_HDR];
	struct packet p;
	size_t n;

	for (n = 0; n < sizeof(bytes) && in->n; n++)
		bytes[n] = byte(in);
	if (packet_parse(bytes, n == sizeof(bytes) ? 70000 : n, &p) < 0)
		table_malformed(w.t);
	else
		receive(&p);
}

/* One that has a chance to be somebody's. */
static void packet_comes(struct input *in)
{
	uint8_t op = byte(in), ports = byte(in), credit = byte(in);
	struct flow *flow = w.flows[ports % 4];
	struct packet p = {
		.src = { OTHER, (ports >> 2) % 4 },
		.dst = { OWN, (ports >> 4) % 4 },
		.type = op & 0x80 ? PACKET_SEQPACKET : PACKET_STREAM,
		.op = op & 0xf,
		.len = op & 0x40 ? byte(in) * 16u : 0,
		.flags = (op >> 4) & 3,
		.buf_alloc = credit * 64u,
	};

	if (flow && (ports & 0x80)) {
		p.src = flow->conn.peer;
		p.dst = flow->conn.local;
		p.type = flow->conn.type;
		p.fwd_cnt = flow->conn.tx_cnt - credit % 8;
	}
	receive(&p);
}

static void data_goes(struct flow *flow, uint8_t arg)
{
	uint32_t room = conn_room(&flow->conn), n = 1 + arg * 16u;
	struct packet p;

	if (room) {
		n = n < room ? n : room;
		conn_data(&flow->conn, n, PACKET_EOM, &p);
		must(p.op == PACKET_RW && p.len == n);
	}
}

static void ends(struct owner *o, unsigned events)
{
	must(!events || (events == CONN_ENDED && !o->ended));
	o->ended |= events != 0;
}

static void owner_acts(struct input *in)
{
	uint8_t what = byte(in), arg = byte(in);
	struct flow *flow = w.flows[what % 4];
	struct owner *o;
	uint32_t n;

	if (!flow)
		return;
	o = flow->owner;
	switch ((what >> 2) % 8) {
	case 0:
		conn_accept(&flow->conn);
		break;
	case 1:
		o->ended |= flow->conn.state == CONN_REQUESTED;
		conn_refuse(&flow->conn);
		break;
	case 2:
		data_goes(flow, arg);
		break;
	case 3:
		n = arg * 32u < o->unread ? arg * 32u : o->unread;
		o->unread -= n;
		ends(o, conn_consumed(&flow->conn, n, w.now));
		break;
	case 4:
		ends(o, conn_shutdown(&flow->conn, arg % 4, w.now));
		o->unread = conn_unread(&flow->conn);
		o->deaf |= arg & PACKET_SHUT_RCV;
		break;
	case 5:
		o->ended |= flow->conn.state != CONN_OVER;
		conn_reset(&flow->conn, arg);
		break;
	case 6:
		conn_abandon(&flow->conn, arg);
		break;
	default:
		forget(o);
		table_drop(w.t, flow);
		return;
	}
	table_update(w.t, flow);
}

static void owner_connects(struct input *in)
{
	uint8_t ports = byte(in), type = byte(in);
	struct packet_addr peer = { OTHER, (ports >> 2) % 4 };
	struct flow *flow;

	if (table_connect(w.t, type & 1 ? PACKET_SEQPACKET : PACKET_STREAM,
			  (ports >> 4) % 4, peer, type * 64u, w.now, 100, NULL,
			  &flow) == 0)
		adopt(flow, false);
}

static void time_passes(struct input *in)
{
	struct flow *flow;
	unsigned events;

	w.now += byte(in) * 64u;
	while ((events = table_expire(w.t, w.now, &flow)))
		hear(flow, events, NULL);
	must(table_deadline(w.t) > w.now);
}

static void step(struct input *in)
{
	switch (byte(in) % 8) {
	case 0:
		bytes_come(in);
		break;
	case 1:
	case 2:
	case 3:
		packet_comes(in);
		break;
	case 4:
		owner_acts(in);
		break;
	case 5:
		owner_connects(in);
		break;
	case 6:
		time_passes(in);
		break;
	default:
		pull();
	}
	must(table_connections(w.t) <= limits.connections &&
	     table_granted(w.t) <= limits.credit);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	struct packet p;

	w.t = table_new(OWN, &limits);
	w.now = 1;
	memset(w.flows, 0, sizeof(w.flows));
	if (!w.t)
		abort();
	while (in.n)
		step(&in);
	/* All go, and time does the rest. */
	for (int i = 0; i < 4; i++)
		if (w.flows[i])
			table_drop(w.t, w.flows[i]);
	while (table_next(w.t, &p))
		;
	time_passes(&(struct input){ (const uint8_t[]){ 255 }, 1 });
	while (table_next(w.t, &p))
		;
	must(table_connections(w.t) == 0 && table_granted(w.t) == 0);
	table_free(w.t);
	return 0;
}
