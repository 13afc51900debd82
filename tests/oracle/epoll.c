/* SPDX-License-Identifier: MIT */
/* epoll: level and edge, one-shot, and fds registered before they connect. */
#include "oracle.h"

#include <sys/epoll.h>

/* What one fd, alone in its epoll, reports now, or within the time given. */
static void wait_fact(const char *id, int ep, int timeout)
{
	struct epoll_event e[2] = { { 0 } };
	int n = epoll_wait(ep, e, 2, timeout);

	if (n < 1)
		say(id, "epoll_wait() = %d", n);
	else
		say(id, "epoll_wait() = %d %s data %llx", n,
		    mask_text(e[0].events), (unsigned long long)e[0].data.u64);
}

#define SOON	  1000
#define COOKIE	  0xfeedface12345678ULL
#define ALL_EPOLL (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI)

static int watching(int fd, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.u64 = COOKIE };
	int ep = (int)MUST(epoll_create1(EPOLL_CLOEXEC));

	MUST(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e));
	return ep;
}

/* One fact by an epoll of its own. */
static void now(const char *id, int fd, uint32_t events)
{
	int ep = watching(fd, events);

	wait_fact(id, ep, 0);
	close(ep);
}

static void states(void)
{
	int s = vsock();
	struct conn p;

	now("fresh", s, ALL_EPOLL);
	now("fresh_none", s, 0);
	now("fresh_in", s, EPOLLIN);
	MUST(bind(s, vm(ANY, 5000), 16));
	now("bound", s, ALL_EPOLL);
	MUST(listen(s, 8));
	now("listening", s, ALL_EPOLL);
	close(s);
	s = refused_client();
	now("refused", s, ALL_EPOLL);
	now("refused_none", s, 0);
	now("refused_in", s, EPOLLIN);
	close(s);

	p = connection();
	now("idle", p.c, ALL_EPOLL);
	now("idle_none", p.c, 0);
	MUST(send(p.c, "x", 1, 0));
	await_bytes(p.a, 1);
	now("data", p.a, ALL_EPOLL);
	now("data_in", p.a, EPOLLIN);
	MUST(shutdown(p.c, SHUT_WR));
	now("wr_self", p.c, ALL_EPOLL);
	now("wr_self_none", p.c, 0);
	AWAIT_MASK(p.a, POLLRDHUP);
	now("wr_peer", p.a, ALL_EPOLL);
	now("wr_peer_none", p.a, 0);
	close(p.a);
	AWAIT_MASK(p.c, POLLRDHUP);
	now("wr_peer_closed", p.c, ALL_EPOLL);
	now("wr_peer_closed_none", p.c, 0);
	now("wr_peer_closed_out", p.c, EPOLLOUT);
	close(p.c);

	p = connection();
	close(p.a);
	AWAIT_MASK(p.c, POLLRDHUP);
	now("peer_closed", p.c, ALL_EPOLL);
	now("peer_closed_none", p.c, 0);
	now("peer_closed_none_et", p.c, EPOLLET);
	now("peer_closed_in", p.c, EPOLLIN);
	now("peer_closed_out", p.c, EPOLLOUT);
	now("peer_closed_rdhup", p.c, EPOLLRDHUP);
	now("peer_closed_pri", p.c, EPOLLPRI);
	close(p.c);
}

/* Registered first, connected later: as asyncio, libuv and Tokio do it. */
static void early(const char *how, uint32_t flags, unsigned int port)
{
	int l = listener(ANY, 5000, 8), s = vsock(), ep, a;
	char id[64];

#define ID(what) (snprintf(id, sizeof(id), "%s_%s", how, what), id)
	set_nonblock(s, true);
	ep = watching(s, EPOLLIN | EPOLLOUT | EPOLLRDHUP | flags);
	wait_fact(ID("before"), ep, 0);
	FACT(ID("connect"), connect(s, vm(1, port), 16));
	AWAIT_MASK(s, POLLOUT);
	wait_fact(ID("connected"), ep, SOON);
	wait_fact(ID("connected_again"), ep, 0);
	if (port == 5000) {
		a = (int)MUST(accept(l, NULL, NULL));
		MUST(send(a, "x", 1, 0));
		await_bytes(s, 1);
		wait_fact(ID("data"), ep, SOON);
		wait_fact(ID("data_again"), ep, 0);
		close(a);
		AWAIT_MASK(s, POLLRDHUP);
		wait_fact(ID("end"), ep, SOON);
		wait_fact(ID("end_again"), ep, 0);
	}
	close(ep);
	close(s);
	close(l);
}

/* An epoll that only wants to hear of errors. */
static void silent(void)
{
	struct conn p = connection();
	int ep = watching(p.c, 0);

	wait_fact("silent_idle", ep, 0);
	MUST(send(p.a, "x", 1, 0));
	await_bytes(p.c, 1);
	wait_fact("silent_data", ep, 0);
	close(p.a);
	AWAIT_MASK(p.c, POLLRDHUP);
	wait_fact("silent_peer_closed", ep, 0);
	wait_fact("silent_peer_closed_timeout", ep, 50);
	MUST(shutdown(p.c, SHUT_WR));
	wait_fact("silent_hup", ep, SOON);
	wait_fact("silent_hup_again", ep, SOON);
	close(ep);
	close(p.c);
}

static void edges(void)
{
	struct conn p = connection();
	int ep = watching(p.a, EPOLLIN | EPOLLRDHUP | EPOLLET);
	struct epoll_event e = { .events = EPOLLIN | EPOLLET };
	char buf[8];

	wait_fact("edge_idle", ep, 0);
	MUST(send(p.c, "ab", 2, 0));
	wait_fact("edge_data", ep, SOON);
	wait_fact("edge_data_again", ep, 0);
	MUST(recv(p.a, buf, 1, 0));
	wait_fact("edge_part_read", ep, 0);
	MUST(send(p.c, "c", 1, 0));
	wait_fact("edge_more_data", ep, SOON);
	MUST(recv(p.a, buf, sizeof(buf), 0));
	wait_fact("edge_all_read", ep, 0);
	MUST(send(p.c, "d", 1, 0));
	wait_fact("edge_new_data", ep, SOON);
	MUST(epoll_ctl(ep, EPOLL_CTL_MOD, p.a, &e));
	wait_fact("edge_modified", ep, 0);
	wait_fact("edge_modified_again", ep, 0);
	close(p.c);
	AWAIT_MASK(p.a, POLLRDHUP);
	wait_fact("edge_end", ep, SOON);
	wait_fact("edge_end_again", ep, 0);
	close(ep);
	close(p.a);
}

static void writers(void)
{
	struct conn p = connection();
	static char data[CREDIT];
	int ep;

	MUST(send(p.c, data, sizeof(data), 0));
	ep = watching(p.c, EPOLLOUT | EPOLLET);
	wait_fact("writer_full", ep, 0);
	await_bytes(p.a, CREDIT - 1);
	MUST(recv(p.a, data, sizeof(data), MSG_DONTWAIT));
	wait_fact("writer_open", ep, SOON);
	disconnect(p);
	close(ep);
}

static void listeners(void)
{
	int l = listener(ANY, 5000, 8), ep = watching(l, EPOLLIN | EPOLLET), c,
	    d;

	wait_fact("listener_idle", ep, 0);
	c = client(1, 5000);
	wait_fact("listener_pending", ep, SOON);
	wait_fact("listener_pending_again", ep, 0);
	d = client(1, 5000);
	wait_fact("listener_another", ep, SOON);
	close(ep);
	ep = watching(l, EPOLLIN);
	wait_fact("listener_level", ep, 0);
	close(MUST(accept(l, NULL, NULL)));
	wait_fact("listener_level_one_left", ep, 0);
	close(MUST(accept(l, NULL, NULL)));
	wait_fact("listener_level_none_left", ep, 0);
	close(ep);
	ep = watching(l, EPOLLIN | EPOLLEXCLUSIVE);
	close(client(1, 5000));
	wait_fact("listener_exclusive", ep, SOON);
	close(ep);
	close(c);
	close(d);
	close(l);
}

static void control(void)
{
	struct conn p = connection();
	struct epoll_event e = { .events = EPOLLIN | EPOLLONESHOT,
				 .data.u64 = COOKIE };
	int ep = (int)MUST(epoll_create1(0)), copy;

	MUST(send(p.c, "x", 1, 0));
	await_bytes(p.a, 1);
	FACT("add", epoll_ctl(ep, EPOLL_CTL_ADD, p.a, &e));
	FACT("add_again", epoll_ctl(ep, EPOLL_CTL_ADD, p.a, &e));
	wait_fact("oneshot", ep, 0);
	wait_fact("oneshot_again", ep, 0);
	FACT("mod", epoll_ctl(ep, EPOLL_CTL_MOD, p.a, &e));
	wait_fact("oneshot_rearmed", ep, 0);
	e.events = EPOLLOUT;
	MUST(epoll_ctl(ep, EPOLL_CTL_MOD, p.a, &e));
	wait_fact("mod_out", ep, 0);
	e.events = EPOLLIN | EPOLLRDNORM | EPOLLRDBAND | EPOLLWRNORM |
		   EPOLLWRBAND | EPOLLMSG;
	MUST(epoll_ctl(ep, EPOLL_CTL_MOD, p.a, &e));
	wait_fact("mod_all_bands", ep, 0);
	FACT("del", epoll_ctl(ep, EPOLL_CTL_DEL, p.a, NULL));
	FACT("del_again", epoll_ctl(ep, EPOLL_CTL_DEL, p.a, NULL));
	FACT("mod_absent", epoll_ctl(ep, EPOLL_CTL_MOD, p.a, &e));
	wait_fact("none_left", ep, 0);

	/* It is the socket that is watched: a copy keeps it there. */
	e.events = EPOLLIN;
	MUST(epoll_ctl(ep, EPOLL_CTL_ADD, p.a, &e));
	copy = (int)MUST(dup(p.a));
	close(p.a);
	wait_fact("closed_with_dup", ep, 0);
	close(copy);
	wait_fact("closed", ep, 0);
	close(ep);
	close(p.c);
}

static void pwaits(void)
{
	struct conn p = connection();
	struct timespec none = { 0, 0 };
	struct epoll_event e[1];
	int ep = watching(p.c, EPOLLIN | EPOLLOUT);

	FACT("pwait", epoll_pwait(ep, e, 1, 0, NULL));
	say("pwait_mask", "%s", mask_text(e[0].events));
	FACT("pwait2", epoll_pwait2(ep, e, 1, &none, NULL));
	say("pwait2_mask", "%s", mask_text(e[0].events));
	close(ep);
	disconnect(p);
}

int main(void)
{
	oracle_start();
	states();
	early("early_level", 0, 5000);
	early("early_edge", EPOLLET, 5000);
	early("early_level_refused", 0, 5999);
	early("early_edge_refused", EPOLLET, 5999);
	silent();
	edges();
	writers();
	listeners();
	control();
	pwaits();
	return 0;
}
