/* SPDX-License-Identifier: MIT */
/*
 * A connection and the program's socket: see link.h.
 *
 * Theory of operation. epoll tells of edges, so a link remembers that its
 * socket may be readable or writable until a call has said that it is not. What
 * can go on is in one list and gets one packet's worth at a time: nobody
 * starves others.
 *
 * 1. Bytes are read from a program only when the peer has given credit for them
 *    and the ring has a buffer: they are never held here.
 * 2. Bytes from a peer are held, at most what it was given credit for, until
 *    the program's socket takes them. They are consumed when the program has
 *    read most of what is there, so that its socket has room for the next
 *    window; only for so little, as in a dialogue, nobody asks.
 * 3. What ends on one side ends on the other after what came before it.
 * 4. The machine's `ports` knows a link from before its program has it until
 *    it ends in order; so what is cut off is seen to be. (ports.h)
 * 5. A link is freed by links_turn() only, when no event can name it any more.
 */
#include "bridge/link.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* Who takes data wakes us each time that it reads, if we listen to that: so
 * only when something waits for room, or nothing was sent for so many ms. It
 * tells of a shutdown, too. Nor do we listen to one who sends more than can go
 * out. */
#define REST_MS 50

#define DEFAULT_WINDOW 262144u /* VIRTIO_VSOCK_DEFAULT_BUF_SIZE */

/* A message goes in so many packets at most. */
#define MAX_PIECES WIRE_BUFS

void links_init(struct links *ls, struct machine *m, struct vhost *device,
		struct table *table, int epoll)
{
	*ls = (struct links){
		.machine = m, .device = device, .table = table, .epoll = epoll
	};
	ls->last = &ls->first;
	ls->last_starving = &ls->starving;
	ls->last_young = &ls->young;
}

static void go_on(struct links *ls, struct link *l)
{
	if (l->queued)
		return;
	l->queued = true;
	l->next = NULL;
	*ls->last = l;
	ls->last = &l->next;
}

bool links_busy(const struct links *ls)
{
	return ls->first;
}

/* They have waited for longer than who can go on. */
void links_room(struct links *ls)
{
	if (!ls->starving)
		return;
	*ls->last_starving = ls->first;
	if (!ls->first)
		ls->last = ls->last_starving;
	ls->first = ls->starving;
	ls->starving = NULL;
	ls->last_starving = &ls->starving;
}

static void starve(struct links *ls, struct link *l)
{
	l->queued = true;
	l->next = NULL;
	*ls->last_starving = l;
	ls->last_starving = &l->next;
}

static int watch(struct links *ls, struct link *l, int op)
{
	struct epoll_event e = { .events = EPOLLRDHUP | EPOLLET |
					   (l->listening ? EPOLLIN : 0) |
					   (l->armed ? EPOLLOUT : 0),
				 .data.ptr = l };

	return epoll_ctl(ls->epoll, op, l->local.fd, &e);
}

static void listen_to(struct links *ls, struct link *l, bool on)
{
	if (l->listening == on)
		return;
	l->listening = on;
	(void)watch(ls, l, EPOLL_CTL_MOD);
}

/* Is armed, whether it was or not, when some time has passed. */
static void rest(struct links *ls, struct link *l)
{
	if (l->resting)
		return;
	l->resting = true;
	l->next_resting = ls->resting;
	if (!ls->resting)
		ls->arm_at = ls->now + REST_MS;
	ls->resting = l;
}

/* Does anything wait for the program to read? */
static bool waits_for_room(const struct link *l)
{
	return l->flow && conn_unread(&l->flow->conn);
}

/* The program was sent something: is it to tell when it reads? */
static void arm(struct links *ls, struct link *l)
{
	bool waits = waits_for_room(l);

	if (l->armed != waits) {
		l->armed = waits;
		(void)watch(ls, l, EPOLL_CTL_MOD);
	}
	if (!waits)
		rest(ls, l);
}

static void arm_rested(struct links *ls)
{
	struct link *l, *next;

	if (!ls->resting || ls->now < ls->arm_at)
		return;
	for (l = ls->resting; l; l = next) {
		next = l->next_resting;
		l->resting = false;
		if (l->state != LINK_DEAD) {
			l->armed = true;
			(void)watch(ls, l, EPOLL_CTL_MOD);
		} else if (!l->queued && !l->young) {
			free(l);
		}
	}
	ls->resting = NULL;
}

uint64_t links_deadline(const struct links *ls)
{
	uint64_t at = table_deadline(ls->table);

	if (ls->resting && ls->arm_at < at)
		at = ls->arm_at;
	return ls->young && ls->young->hello_by < at ? ls->young->hello_by : at;
}

static struct link *add(struct links *ls, int fd, bool seqpacket)
{
	struct link *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	local_init(&l->local, fd, seqpacket);
	l->listening = l->armed = true;
	if (watch(ls, l, EPOLL_CTL_ADD) < 0) {
		free(l);
		return NULL;
	}
	ls->n++;
	return l;
}

/* Before the program can meet the end. */
static void forget(struct links *ls, struct link *l)
{
	if (l->known)
		ports_drop_link(ls->machine->ports, l->known);
	l->known = 0;
}

/* The link is done with, in whatever way its socket is to end. */
static void end(struct links *ls, struct link *l,
		void (*how)(struct local *local))
{
	if (l->state == LINK_DEAD)
		return;
	if (l->flow)
		table_drop(ls->table, l->flow);
	l->flow = NULL;
	forget(ls, l);
	how(&l->local);
	l->state = LINK_DEAD;
	ls->n--;
	go_on(ls, l);
}

/* The same, and the program is to see that this is not the peer's doing. */
static void cut(struct links *ls, struct link *l,
		void (*how)(struct local *local))
{
	l->known = 0;
	end(ls, l, how);
}

static void refuse(struct links *ls, struct link *l, int error)
{
	/* A hello stays unread, which says ECONNRESET. What is written may be
	 * taken for data by who reads without having asked. */
	if (error == ETIMEDOUT)
		local_refuse(&l->local, error);
	end(ls, l, local_abort);
}

/* No bytes go to the program any more. */
static unsigned int drop_input(struct links *ls, struct link *l)
{
	struct conn *c = &l->flow->conn;
	uint32_t unread = conn_unread(c);

	queue_drop(&l->local.queue, l->local.queue.n);
	l->deaf = true;
	return unread ? conn_consumed(c, unread, ls->now) : 0;
}

/* Nor, perhaps, from it. */
static unsigned int shut(struct links *ls, struct link *l, unsigned int how)
{
	struct conn *c = &l->flow->conn;
	unsigned int events = 0;

	if (how & PACKET_SHUT_RCV)
		events = drop_input(ls, l);
	if (how & PACKET_SHUT_SEND)
		l->out_ended = true;
	if (!(events & CONN_ENDED))
		events |= conn_shutdown(c, how, ls->now);
	return events;
}

/* The peer has sent all, and the program taken it. */
static void finish_input(struct links *ls, struct link *l)
{
	if (!l->in_ended || l->local.queue.n || l->local.hello)
		return;
	forget(ls, l);
	local_end_of_input(&l->local);
}

/* What a call of the connection's says that happened. */
static void happened(struct links *ls, struct link *l, unsigned int events)
{
	if (events & CONN_REFUSED) {
		refuse(ls, l, conn_error(&l->flow->conn));
		return;
	}
	if (events & CONN_CONNECTED) {
		l->state = LINK_OPENING;
		l->known = ports_link(l->flow->conn.local.port);
		ports_add_link(ls->machine->ports, l->known);
	}
	if (events & (CONN_PEER_RCV | CONN_ENDED)) {
		l->out_ended = true;
		local_refuse_output(&l->local);
	}
	if (events & (CONN_PEER_SEND | CONN_ENDED)) {
		l->in_ended = true;
		finish_input(ls, l);
	}
	if (events & CONN_ENDED)
		l->state = LINK_ENDED;
	if (events & (CONN_CONNECTED | CONN_ROOM | CONN_ENDED))
		go_on(ls, l);
}

static void lose(struct links *ls, struct link *l, int error)
{
	ls->lost++;
	conn_reset(&l->flow->conn, error);
	cut(ls, l, local_close);
}

/* What the program's socket took. */
static unsigned int consume(struct links *ls, struct link *l)
{
	struct conn *c = &l->flow->conn;
	uint32_t taken = conn_unread(c) - l->local.queue.n;

	if (taken == 0)
		return 0;
	l->ahead += taken;
	if (l->ahead > c->buf_alloc / 16) {
		if (!local_has_room(&l->local)) {
			l->ahead -= taken;
			return 0;
		}
		l->ahead = 0;
	}
	return conn_consumed(c, taken, ls->now);
}

/* What the program made of input: bytes that it took, or -errno. */
static void delivered(struct links *ls, struct link *l, ssize_t n)
{
	unsigned int events;

	if (n >= 0) {
		events = consume(ls, l);
		finish_input(ls, l);
	} else if (n == -EPIPE) {
		events = shut(ls, l, PACKET_SHUT_RCV);
	} else {
		lose(ls, l, (int)-n);
		return;
	}
	arm(ls, l);
	happened(ls, l, events);
}

/* --- from the program to the peer ---------------------------------------- */

static void send_piece(struct links *ls, struct link *l, int id, uint32_t n,
		       uint32_t flags)
{
	struct packet p;

	conn_data(&l->flow->conn, n, flags, &p);
	wire_send(ls->device, id, &p);
}

/* 1: sent something, there may be more; 0: the program sends no more; -EAGAIN:
 * it has nothing now; -ENOSPC: no credit; -ENOBUFS: no room in the ring. */
static int pull_stream(struct links *ls, struct link *l)
{
	uint32_t room = conn_room(&l->flow->conn);
	struct iovec iov;
	ssize_t n;
	bool eor;
	int id;

	if (room == 0)
		return l->ending && local_at_end(&l->local) ? 0 : -ENOSPC;
	id = wire_get(ls->device, &iov);
	if (id < 0)
		return -ENOBUFS;
	if (iov.iov_len > room)
		iov.iov_len = room;
	n = local_fetch(&l->local, &iov, 1, &eor);
	if (n <= 0) {
		wire_drop(ls->device, id);
		return (int)n;
	}
	send_piece(ls, l, id, (uint32_t)n, 0);
	/* That was all, unless descriptors parted it from the rest. */
	l->readable = (size_t)n == iov.iov_len || eor || l->ending;
	return 1;
}

/* As that; -EMSGSIZE: a message that the peer can never take. */
static int pull_message(struct links *ls, struct link *l)
{
	struct conn *c = &l->flow->conn;
	ssize_t len = local_peek(&l->local), n;
	struct iovec iov[MAX_PIECES];
	int ids[MAX_PIECES], pieces, id;
	bool eor;

	if (len <= 0)
		return (int)len;
	pieces = (int)((len + PACKET_MAX_PAYLOAD - 1) / PACKET_MAX_PAYLOAD);
	if ((uint64_t)len > conn_longest(c) || pieces > MAX_PIECES)
		return -EMSGSIZE;
	if ((uint64_t)len > conn_room(c))
		return -ENOSPC;
	if (wire_room(ls->device) < (unsigned int)pieces)
		return -ENOBUFS;
	for (int i = 0; i < pieces; i++)
		ids[i] = wire_get(ls->device, &iov[i]);
	n = local_fetch(&l->local, iov, pieces, &eor);
	for (int i = 0; i < pieces; i++) {
		id = ids[i];
		len = n < PACKET_MAX_PAYLOAD ? n : PACKET_MAX_PAYLOAD;
		n -= len;
		if (len <= 0)
			wire_drop(ls->device, id);
		else if (n > 0)
			send_piece(ls, l, id, (uint32_t)len, 0);
		else
			send_piece(ls, l, id, (uint32_t)len,
				   PACKET_EOM | (eor ? PACKET_EOR : 0));
	}
	return 1;
}

/* Has the program closed? What it sent before goes first. */
static bool gone(struct link *l)
{
	l->hung_up = l->hung_up || local_is_gone(&l->local);
	return l->hung_up;
}

/* The program sends no more, and may be gone: so may we. */
static void out_ended(struct links *ls, struct link *l)
{
	unsigned int how = PACKET_SHUT_SEND;

	if (gone(l))
		how = PACKET_SHUT_BOTH;
	happened(ls, l, shut(ls, l, how));
	if (how == PACKET_SHUT_BOTH)
		end(ls, l, local_close);
}

static void pull(struct links *ls, struct link *l)
{
	int r;

	if (!l->readable)
		return;
	r = l->local.seqpacket ? pull_message(ls, l) : pull_stream(ls, l);
	switch (r) {
	case 1:
	case -EINTR:
		if (l->readable)
			go_on(ls, l);
		else
			listen_to(ls, l, true);
		break;
	case 0:
		out_ended(ls, l);
		break;
	case -EAGAIN:
		l->readable = false;
		listen_to(ls, l, true);
		break;
	case -ENOBUFS:
		starve(ls, l);
		break;
	case -ENOSPC:
		if (l->hung_up)
			conn_orphan(&l->flow->conn, ls->now);
		/* What it did not read, it never will. */
		if (l->hung_up && !l->deaf)
			happened(ls, l, shut(ls, l, PACKET_SHUT_RCV));
		/* Nothing will tell that it is out: our own RESPONSE, which
		 * gives room, or what was just shut. */
		if (conn_due(&l->flow->conn))
			starve(ls, l);
		break;
	default:
		lose(ls, l, -r);
	}
}

/* --- from the peer to the program ---------------------------------------- */

static void push(struct links *ls, struct link *l)
{
	if (!l->writable)
		return;
	l->writable = false;
	if (waits_for_room(l))
		delivered(ls, l, local_flush(&l->local));
	else if (!l->in_ended && !l->deaf && local_is_deaf(&l->local) &&
		 !gone(l))
		delivered(ls, l, -EPIPE);
}

/* --- the life of a link --------------------------------------------------- */

static void ask(struct links *ls, struct link *l, const struct hello *h)
{
	struct packet_addr to = { h->to.cid, h->to.port };
	uint32_t window = local_window(&l->local, h->window);
	int r;

	if (l->local.seqpacket && !ls->device->seqpacket) {
		refuse(ls, l, ESOCKTNOSUPPORT);
		return;
	}
	r = table_connect(ls->table,
			  l->local.seqpacket ? PACKET_SEQPACKET : PACKET_STREAM,
			  h->from.port, to, window, ls->now, h->timeout_ms, l,
			  &l->flow);
	if (r == -ENOBUFS)
		ls->refused++;
	if (r < 0) {
		refuse(ls, l, r == -EADDRINUSE ? EADDRINUSE : ENOMEM);
		return;
	}
	local_set_window(&l->local, l->flow->conn.buf_alloc);
	l->state = LINK_ASKING;
}

static void take_hello(struct links *ls, struct link *l)
{
	struct hello h;
	int r = local_hello(&l->local, &h);

	/* The host would believe us. */
	if (r == 0 && !rdv_believes(ls->machine, l->local.fd, h.from.port))
		r = -EPERM;
	if (r == 0)
		ask(ls, l, &h);
	else if (r != -EAGAIN || l->hung_up)
		end(ls, l, local_abort);
}

static void open_up(struct links *ls, struct link *l)
{
	if (local_connected(&l->local) < 0)
		return;
	l->state = LINK_OPEN;
	l->readable = l->writable = true;
	finish_input(ls, l);
	go_on(ls, l);
}

/* The connection is over; what came before is the program's. */
static void run_out(struct links *ls, struct link *l)
{
	if (l->local.hello && local_connected(&l->local) < 0 && !l->hung_up)
		return;
	if (l->hung_up || local_flush(&l->local) < 0 || l->local.queue.n == 0)
		end(ls, l, local_close);
}

static void step(struct links *ls, struct link *l)
{
	switch (l->state) {
	case LINK_HELLO:
		take_hello(ls, l);
		break;
	case LINK_ASKING:
		if (l->hung_up) {
			conn_shutdown(&l->flow->conn, PACKET_SHUT_BOTH,
				      ls->now);
			end(ls, l, local_abort);
		}
		break;
	case LINK_OPENING:
		open_up(ls, l);
		break;
	case LINK_OPEN:
		push(ls, l);
		if (l->state != LINK_OPEN)
			break;
		if (!l->out_ended)
			pull(ls, l);
		else if (l->hung_up) {
			(void)shut(ls, l, PACKET_SHUT_BOTH);
			end(ls, l, local_close);
		}
		break;
	case LINK_ENDED:
		run_out(ls, l);
		break;
	case LINK_DEAD:
		if (!l->resting && !l->young)
			free(l);
		return;
	}
	if (l->flow)
		table_update(ls->table, l->flow);
}

/* The oldest of those that were to say hello. Has it gone for want of that? */
static bool grow_up(struct links *ls)
{
	struct link *l = ls->young;
	bool silent = l->state == LINK_HELLO;

	ls->young = l->next_young;
	if (!ls->young)
		ls->last_young = &ls->young;
	l->young = false;
	if (silent)
		refuse(ls, l, ETIMEDOUT);
	else if (l->state == LINK_DEAD)
		go_on(ls, l);
	return silent;
}

/* Who says nothing is not waited for. */
static void end_silent(struct links *ls)
{
	while (ls->young && (ls->young->state != LINK_HELLO ||
			     ls->now >= ls->young->hello_by))
		(void)grow_up(ls);
}

bool links_make_room(struct links *ls)
{
	uint64_t by = ls->now + LINK_HELLO_MS - LINK_SILENT_MS;

	while (ls->young &&
	       (ls->young->state != LINK_HELLO || ls->young->hello_by <= by))
		if (grow_up(ls))
			return true;
	return false;
}

void links_turn(struct links *ls)
{
	struct link *l = ls->first, *next;
	struct flow *flow;
	unsigned int events;

	ls->first = NULL;
	ls->last = &ls->first;
	for (; l; l = next) {
		next = l->next;
		l->queued = false;
		step(ls, l);
	}
	arm_rested(ls);
	end_silent(ls);
	while ((events = table_expire(ls->table, ls->now, &flow))) {
		l = flow->owner;
		happened(ls, l, events);
		if (l->flow)
			table_update(ls->table, l->flow);
	}
}

void links_client(struct links *ls, int fd, bool seqpacket)
{
	struct link *l = add(ls, fd, seqpacket);

	if (!l) {
		close(fd);
		return;
	}
	l->young = true;
	l->hello_by = ls->now + LINK_HELLO_MS;
	*ls->last_young = l;
	ls->last_young = &l->next_young;
}

void links_event(struct links *ls, struct link *l, uint32_t events)
{
	if (l->state == LINK_DEAD)
		return;
	/* That is known, and waits for something else. */
	if (events & EPOLLIN && l->readable && l->state == LINK_OPEN)
		listen_to(ls, l, false);
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		l->readable = true;
	/* That of a shutdown comes alone; with another, it is asked for later.
	 */
	if (events & EPOLLOUT && events & EPOLLIN && !waits_for_room(l))
		rest(ls, l);
	else if (events & EPOLLOUT)
		l->writable = true;
	if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		l->ending = true;
	if (events & EPOLLHUP) {
		l->hung_up = true;
		forget(ls, l); /* nobody meets its end; its port is free */
	}
	go_on(ls, l);
}

/* The peer asks: whoever listens on that port answers at once. */
static bool bring(struct links *ls, struct flow *flow)
{
	const struct conn *c = &flow->conn;
	struct vaddr from = { c->peer.cid, c->peer.port };
	bool seqpacket = c->type == PACKET_SEQPACKET;
	struct link *l = NULL;
	uint64_t known;
	int fd;

	if (ls->machine->sys->random(&known, sizeof(known)) < 0)
		return false;
	known |= 1; /* 0 is none */
	fd = socket(AF_UNIX,
		    (seqpacket ? SOCK_SEQPACKET : SOCK_STREAM) | SOCK_NONBLOCK |
			    SOCK_CLOEXEC,
		    0);
	if (fd < 0)
		return false;
	ports_add_link(ls->machine->ports, known);
	if (rdv_deliver(ls->machine, fd, known, &from, c->local.port) == 0)
		l = add(ls, fd, seqpacket);
	if (!l) {
		ports_drop_link(ls->machine->ports, known);
		close(fd);
		return false;
	}
	l->known = known;
	local_set_window(&l->local, c->buf_alloc);
	l->flow = flow;
	flow->owner = l;
	l->state = LINK_OPEN;
	return true;
}

static void asked(struct links *ls, struct flow *flow)
{
	if (bring(ls, flow)) {
		conn_accept(&flow->conn);
		table_update(ls->table, flow);
		return;
	}
	conn_refuse(&flow->conn);
	table_update(ls->table, flow);
	table_drop(ls->table, flow);
}

void links_packet(struct links *ls, const struct packet *p,
		  const uint8_t *payload)
{
	struct flow *flow;
	unsigned int events =
		table_receive(ls->table, p, DEFAULT_WINDOW, ls->now, &flow);
	struct link *l;

	if (!events)
		return;
	if (events & CONN_ASKED) {
		asked(ls, flow);
		return;
	}
	l = flow->owner;
	if (events & CONN_DATA)
		delivered(ls, l,
			  local_deliver(&l->local, payload, p->len,
					p->flags & PACKET_EOM,
					p->flags & PACKET_EOR));
	if (l->state != LINK_DEAD)
		happened(ls, l, events);
	if (l->flow)
		table_update(ls->table, l->flow);
}

void links_end(struct links *ls)
{
	struct flow *flow, *next;
	struct link *l;

	for (flow = table_each(ls->table, NULL); flow; flow = next) {
		next = table_each(ls->table, flow);
		l = flow->owner;
		conn_abandon(&flow->conn, ECONNRESET);
		if (l->state == LINK_ASKING)
			refuse(ls, l, ECONNRESET);
		else
			cut(ls, l, local_abort);
	}
	links_room(ls);
	ls->arm_at = 0;
	links_turn(ls);
}
