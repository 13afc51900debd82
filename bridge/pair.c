/* SPDX-License-Identifier: MIT */
/*
 * A client and whom it dialled: see pair.h.
 *
 * Theory of operation.
 *
 * 1. From a side is read only when the other has taken what was read before:
 *    AF_UNIX's own windows do the rest, and a connection costs one packet of
 *    memory at most, or one message.
 * 2. What ends on one side ends on the other after what came before it.
 * 3. epoll tells of edges, so a side remembers that it may be readable or
 *    writable until a call has said that it is not.
 * 4. A pair is freed by pairs_turn() only, when no event can name it any more.
 */
#include "bridge/pair.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>
#include <utlist.h>

#define PIECES	 16 /* of one side, in one turn */
#define RETRY_MS 1  /* of a full backlog, or of no descriptor */

/* Of a side whose program did not say: VIRTIO_VSOCK_DEFAULT_BUF_SIZE. */
#define WINDOW 262144u

/* What is just read: all that a message may be. */
static uint8_t room[LOCAL_WINDOW_MAX];

static int watch(struct pairs *ps, struct side *s)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP |
					   EPOLLET,
				 .data.ptr = &s->source };

	return epoll_ctl(ps->epoll, EPOLL_CTL_ADD, s->local.fd, &e);
}

static void go_on(struct pairs *ps, struct pair *p)
{
	if (p->queued)
		return;
	p->queued = true;
	p->next_ready = NULL;
	*ps->last_ready = p;
	ps->last_ready = &p->next_ready;
}

/* --- what is told --------------------------------------------------------- */

static void note(struct pairs *ps, struct side *from, uint16_t op,
		 uint32_t flags, const void *payload, uint32_t n)
{
	struct packet p = {
		.src = from->addr,
		.dst = from->other->addr,
		.len = n,
		.type = from->local.seqpacket ? PACKET_SEQPACKET
					      : PACKET_STREAM,
		.op = op,
		.flags = flags,
		.buf_alloc = from->window,
		.fwd_cnt = from->taken,
	};

	from->told = from->taken;
	if (ps->error == 0)
		ps->error = ps->tell(&p, payload);
}

static void note_data(struct pairs *ps, struct side *from, size_t n, bool eor)
{
	bool seqpacket = from->local.seqpacket;
	uint32_t len, flags;

	for (size_t at = 0; at < n; at += len) {
		len = n - at < PACKET_MAX_PAYLOAD ? (uint32_t)(n - at)
						  : PACKET_MAX_PAYLOAD;
		flags = 0;
		if (seqpacket && at + len == n)
			flags = PACKET_EOM | (eor ? PACKET_EOR : 0);
		note(ps, from, PACKET_RW, flags, room + at, len);
	}
}

static void shut(struct pairs *ps, struct side *s, uint32_t how)
{
	if ((s->shut | how) == s->shut)
		return;
	s->shut |= how;
	note(ps, s, PACKET_SHUTDOWN, s->shut, NULL, 0);
}

/* --- the end of a pair ---------------------------------------------------- */

static void end(struct pairs *ps, struct pair *p, void (*how)(struct local *l))
{
	if (p->state == PAIR_OPEN)
		DL_DELETE(ps->open, p);
	else
		DL_DELETE(ps->young, p);
	p->state = PAIR_DEAD;
	how(&p->client.local);
	if (p->server.local.fd >= 0)
		how(&p->server.local);
	go_on(ps, p);
}

/* The hello stays unread, which says ECONNRESET. */
static void refuse(struct pairs *ps, struct pair *p, int error)
{
	if (error == ETIMEDOUT)
		local_refuse(&p->client.local, error);
	else
		note(ps, &p->server, PACKET_RST, 0, NULL, 0);
	end(ps, p, local_abort);
}

/* --- data ----------------------------------------------------------------- */

/* Its program receives no more: the other's sends fail. */
static void deafen(struct pairs *ps, struct side *s)
{
	shut(ps, s, PACKET_SHUT_RCV);
	queue_drop(&s->local.queue, s->local.queue.n);
	s->other->out_over = true;
	local_refuse_output(&s->other->local);
}

/* What came of a send: bytes that the program has now, or -errno. */
static void took(struct pairs *ps, struct side *s, ssize_t n)
{
	if (n > 0) {
		s->taken += (uint32_t)n;
		if (s->taken - s->told >= s->window / 2)
			note(ps, s, PACKET_CREDIT_UPDATE, 0, NULL, 0);
	} else if (n == -EPIPE) {
		deafen(ps, s);
	} else if (n < 0) {
		note(ps, s, PACKET_RST, 0, NULL, 0);
		end(ps, s->pair, local_close);
	}
	s->writable = s->local.queue.n == 0;
}

/* What can be read now, into room: as local_fetch(). */
static ssize_t fetch(struct side *s, bool *eor)
{
	struct iovec iov = { room, PACKET_MAX_PAYLOAD };
	ssize_t n;

	if (s->local.seqpacket) {
		n = local_peek(&s->local);
		if (n <= 0)
			return n;
		if ((size_t)n > sizeof(room))
			return -EMSGSIZE;
		iov.iov_len = (size_t)n;
	}
	return local_fetch(&s->local, &iov, 1, eor);
}

static void give(struct pairs *ps, struct side *s, size_t n, bool eor)
{
	struct local *l = &s->local;

	if (l->seqpacket && n > s->fits)
		s->fits = local_window(l, n);
	took(ps, s, local_deliver(l, room, (uint32_t)n, true, eor));
}

/* From one side to the other. True if there may be more. */
static bool move(struct pairs *ps, struct side *from)
{
	struct side *to = from->other;
	struct pair *p = from->pair;
	bool eor = false;
	ssize_t n;

	for (int i = 0; i < PIECES && p->state == PAIR_OPEN; i++) {
		if (to->local.queue.n && to->writable)
			took(ps, to, local_flush(&to->local));
		if (p->state != PAIR_OPEN || to->local.queue.n ||
		    from->out_over || !from->readable)
			return false;
		n = fetch(from, &eor);
		if (n > 0) {
			note_data(ps, from, (size_t)n, eor);
			give(ps, to, (size_t)n, eor);
		} else if (n == 0) {
			from->out_over = true;
			shut(ps, from,
			     local_is_gone(&from->local) ? PACKET_SHUT_BOTH
							 : PACKET_SHUT_SEND);
		} else if (n == -EAGAIN) {
			from->readable = false;
		} else if (n != -EINTR) {
			took(ps, to, n);
		}
	}
	return p->state == PAIR_OPEN;
}

/* What the one has ended is to end for the other. */
static void pass_ends(struct pairs *ps, struct side *s)
{
	struct side *o = s->other;

	if (s->out_over && s->shut != PACKET_SHUT_BOTH &&
	    local_is_gone(&s->local))
		shut(ps, s, PACKET_SHUT_BOTH);
	if (s->shut & PACKET_SHUT_SEND && !o->in_over &&
	    o->local.queue.n == 0) {
		o->in_over = true;
		local_end_of_input(&o->local);
	}
	if (s->woken && s->local.queue.n == 0 && !s->in_over &&
	    !(s->shut & PACKET_SHUT_RCV) && local_is_deaf(&s->local) &&
	    !local_is_gone(&s->local))
		deafen(ps, s);
	s->woken = false;
}

static void carry(struct pairs *ps, struct pair *p)
{
	struct side *c = &p->client, *s = &p->server, *first;
	bool more = move(ps, c);

	if (p->state == PAIR_OPEN)
		more |= move(ps, s);
	if (p->state != PAIR_OPEN)
		return;
	first = c->shut == PACKET_SHUT_BOTH ? c : s;
	if (first->shut != PACKET_SHUT_BOTH) {
		pass_ends(ps, c);
		pass_ends(ps, s);
		first = c->shut == PACKET_SHUT_BOTH ? c : s;
	}
	if (first->shut == PACKET_SHUT_BOTH &&
	    first->other->local.queue.n == 0) {
		note(ps, first->other, PACKET_RST, 0, NULL, 0);
		end(ps, p, local_close);
	} else if (more) {
		go_on(ps, p);
	}
}

/* --- the beginning of a pair ---------------------------------------------- */

static void opened(struct pairs *ps, struct pair *p)
{
	struct side *s = &p->server;

	if (watch(ps, s) < 0) {
		refuse(ps, p, ECONNRESET);
		return;
	}
	s->window = WINDOW;
	note(ps, s, PACKET_RESPONSE, 0, NULL, 0);
	p->state = PAIR_OPENING;
	p->at = PAIR_NEVER;
	ps->connections++;
	go_on(ps, p);
}

static void dial(struct pairs *ps, struct pair *p)
{
	bool seqpacket = p->client.local.seqpacket;
	uint64_t until = p->retry;
	int fd, error;

	fd = socket(AF_UNIX,
		    (seqpacket ? SOCK_SEQPACKET : SOCK_STREAM) | SOCK_NONBLOCK |
			    SOCK_CLOEXEC,
		    0);
	error = fd < 0 ? -errno
		       : rdv_relay(p->machine, fd, ps->id++,
				   p->client.addr.port, &p->to);
	if (error == -EMFILE || error == -ENFILE) {
		/* when others end there may be one */
		error = -EAGAIN;
		until = p->answer;
	}
	if (error == 0) {
		local_init(&p->server.local, fd, seqpacket);
		local_set_window(&p->server.local, p->client.local.queue.size);
		opened(ps, p);
		return;
	}
	if (fd >= 0)
		close(fd);
	if (error == -ETIMEDOUT) {
		p->state = PAIR_SILENT;
		p->at = p->answer;
	} else if (error == -EAGAIN && ps->now < until) {
		p->at = ps->now + RETRY_MS;
	} else {
		refuse(ps, p, ECONNRESET);
	}
}

static void take_hello(struct pairs *ps, struct pair *p)
{
	struct side *c = &p->client, *s = &p->server;
	struct hello h;
	int error = local_hello(&c->local, &h);

	if (error == -EAGAIN) {
		if (local_is_gone(&c->local) || ps->now >= p->at)
			refuse(ps, p, ETIMEDOUT);
		return;
	}
	/* Who accepts would believe us. */
	if (error < 0 || !rdv_believes(p->machine, c->local.fd, h.from.port)) {
		end(ps, p, local_abort);
		return;
	}
	/* That of who had the port before, and whose bridge was killed. */
	if (p->machine->ports)
		ports_drop_link(p->machine->ports, ports_link(h.from.port));
	p->to = addr_vm(h.to.cid, h.to.port);
	p->to.svm_flags = (uint8_t)h.flags;
	c->addr.cid = rdv_source(p->machine, &p->to);
	c->addr.port = h.from.port;
	s->addr = (struct packet_addr){ h.to.cid, h.to.port };
	c->window = (uint32_t)hello_window(h.window);
	s->local.seqpacket = c->local.seqpacket;
	local_set_window(&c->local, c->local.seqpacket ? LOCAL_WINDOW_MAX
						       : PACKET_MAX_PAYLOAD);
	note(ps, c, PACKET_REQUEST, 0, NULL, 0);
	p->state = PAIR_ASKING;
	p->retry = ps->now + RDV_GRACE_MS;
	p->answer = ps->now + h.timeout_ms;
	dial(ps, p);
}

static void open_up(struct pairs *ps, struct pair *p)
{
	if (local_connected(&p->client.local) < 0) {
		refuse(ps, p, ECONNRESET);
		return;
	}
	DL_DELETE(ps->young, p);
	DL_APPEND(ps->open, p);
	p->state = PAIR_OPEN;
	p->client.readable = p->server.readable = true;
	go_on(ps, p);
}

static void step(struct pairs *ps, struct pair *p)
{
	switch (p->state) {
	case PAIR_HELLO:
		take_hello(ps, p);
		break;
	case PAIR_ASKING:
	case PAIR_SILENT:
		if (local_is_gone(&p->client.local))
			end(ps, p, local_abort);
		else if (ps->now < p->at)
			break;
		else if (p->state == PAIR_SILENT)
			refuse(ps, p, ETIMEDOUT);
		else
			dial(ps, p);
		break;
	case PAIR_OPENING:
		open_up(ps, p);
		break;
	case PAIR_OPEN:
		carry(ps, p);
		break;
	case PAIR_DEAD:
		free(p);
		break;
	}
}

int pairs_init(struct pairs *ps, int epoll,
	       int (*tell)(const struct packet *p, const void *payload))
{
	*ps = (struct pairs){ .epoll = epoll, .tell = tell };
	ps->last_ready = &ps->ready;
	return getrandom(&ps->id, sizeof(ps->id), 0) == (ssize_t)sizeof(ps->id)
		       ? local_start()
		       : -EIO;
}

void pairs_client(struct pairs *ps, struct machine *m, int fd, bool seqpacket)
{
	struct pair *p = calloc(1, sizeof(*p));

	if (!p) {
		close(fd);
		return;
	}
	p->machine = m;
	p->at = ps->now + PAIR_HELLO_MS;
	p->client.source = p->server.source = SOURCE_SIDE;
	p->client.pair = p->server.pair = p;
	p->client.other = &p->server;
	p->server.other = &p->client;
	local_init(&p->client.local, fd, seqpacket);
	p->server.local.fd = -1;
	DL_APPEND(ps->young, p);
	if (watch(ps, &p->client) < 0)
		end(ps, p, local_abort);
}

void pairs_event(struct pairs *ps, struct side *s, uint32_t events)
{
	if (events & ~(uint32_t)EPOLLOUT)
		s->readable = true;
	if (events & EPOLLOUT)
		s->writable = s->woken = true;
	go_on(ps, s->pair);
}

bool pairs_turn(struct pairs *ps)
{
	struct pair *p, *next;

	DL_FOREACH(ps->young, p)
	{
		if (ps->now >= p->at)
			go_on(ps, p);
	}
	p = ps->ready;
	ps->ready = NULL;
	ps->last_ready = &ps->ready;
	for (; p; p = next) {
		next = p->next_ready;
		p->queued = false;
		step(ps, p);
	}
	return ps->ready;
}

uint64_t pairs_deadline(const struct pairs *ps)
{
	uint64_t at = ps->ready ? 0 : PAIR_NEVER;
	const struct pair *p;

	DL_FOREACH(ps->young, p)
	{
		if (p->at < at)
			at = p->at;
	}
	return at;
}

void pairs_end(struct pairs *ps)
{
	struct pair *p, *next;

	DL_FOREACH_SAFE(ps->young, p, next)
	{
		if (p->state == PAIR_SILENT || p->state == PAIR_HELLO)
			refuse(ps, p, ETIMEDOUT);
		else
			end(ps, p, local_abort);
	}
	DL_FOREACH_SAFE(ps->open, p, next)
	{
		end(ps, p, local_close);
	}
	(void)pairs_turn(ps);
}
