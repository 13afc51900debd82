/* SPDX-License-Identifier: MIT */
/* SO_RCVLOWAT: who is woken by how much. */
#include "oracle.h"

#include <sys/epoll.h>
#include <sys/select.h>

static char buf[64];

static struct conn wanting(int value)
{
	struct conn p = connection();

	MUST(setsockopt(p.a, SOL_SOCKET, SO_RCVLOWAT, &value, sizeof(value)));
	return p;
}

static void fact_poll(const char *id, int fd, short events, int timeout)
{
	struct pollfd q = { .fd = fd, .events = events };
	int r = poll(&q, 1, timeout);

	say(id, "poll() = %d %s", r, mask_text((unsigned short)q.revents));
}

static void fact_epoll(const char *id, int ep, int timeout)
{
	struct epoll_event e = { 0 };
	int r = epoll_wait(ep, &e, 1, timeout);

	say(id, "epoll_wait() = %d %s", r, mask_text(e.events));
}

static int watching(int fd, uint32_t events)
{
	struct epoll_event e = { .events = events };
	int ep = (int)MUST(epoll_create1(0));

	MUST(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e));
	return ep;
}

static void pollers(void)
{
	struct conn p = wanting(10);
	struct timeval soon = { 0, 50000 };
	fd_set r;

	MUST(send(p.c, "abcde", 5, 0));
	settle();
	fact_poll("below", p.a, POLLIN, 50);
	fact_poll("below_rdnorm", p.a, POLLRDNORM, 0);
	fact_poll("below_in_out", p.a, POLLIN | POLLOUT, 50);
	FD_ZERO(&r);
	FD_SET(p.a, &r);
	FACT("below_select", select(p.a + 1, &r, NULL, NULL, &soon));
	BESIDE_CHILD(MUST(send(p.c, "fghij", 5, 0)),
		     fact_poll("reached", p.a, POLLIN, DEADLINE_MS));
	MUST(recv(p.a, buf, 5, 0));
	fact_poll("read_below", p.a, POLLIN, 0);
	BESIDE_CHILD(MUST(shutdown(p.c, SHUT_WR)),
		     fact_poll("end", p.a, POLLIN, DEADLINE_MS));
	disconnect(p);

	/* Nobody wakes for one byte, then for all. */
	p = wanting(3);
	BESIDE_CHILD(
		{
			MUST(send(p.c, "a", 1, 0));
			MUST(send(p.c, "b", 1, 0));
			MUST(send(p.c, "c", 1, 0));
		},
		fact_poll("one_by_one", p.a, POLLIN, DEADLINE_MS));
	FACT("one_by_one_recv", recv(p.a, buf, sizeof(buf), 0));
	disconnect(p);
}

static void epolls(const char *how, uint32_t flags)
{
	struct conn p = wanting(10);
	int ep = watching(p.a, EPOLLIN | EPOLLRDHUP | flags);
	char id[64];

#define ID(what) (snprintf(id, sizeof(id), "%s_%s", how, what), id)
	MUST(send(p.c, "abcde", 5, 0));
	settle();
	fact_epoll(ID("below"), ep, 50);
	MUST(send(p.c, "fghij", 5, 0));
	fact_epoll(ID("reached"), ep, DEADLINE_MS);
	fact_epoll(ID("reached_again"), ep, 0);
	MUST(recv(p.a, buf, 8, 0));
	fact_epoll(ID("read_below"), ep, 0);
	MUST(shutdown(p.c, SHUT_WR));
	AWAIT_MASK(p.a, POLLRDHUP);
	fact_epoll(ID("end"), ep, DEADLINE_MS);
	close(ep);
	disconnect(p);
}

/* Set while data waits: what was ready is no more, and again. */
static void changes(void)
{
	struct conn p = wanting(1);
	int value = 10, ep;

	MUST(send(p.c, "abcde", 5, 0));
	settle();
	ep = watching(p.a, EPOLLIN);
	FACT_MASK("change_1", p.a);
	fact_epoll("change_1_epoll", ep, 0);
	MUST(setsockopt(p.a, SOL_SOCKET, SO_RCVLOWAT, &value, sizeof(value)));
	FACT_MASK("change_10", p.a);
	fact_epoll("change_10_epoll", ep, 0);
	value = 5;
	MUST(setsockopt(p.a, SOL_SOCKET, SO_RCVLOWAT, &value, sizeof(value)));
	FACT_MASK("change_5", p.a);
	value = 10;
	MUST(setsockopt(p.a, SOL_SOCKET, SO_RCVLOWAT, &value, sizeof(value)));
	FACT("change_recv_dontwait", recv(p.a, buf, 4, MSG_DONTWAIT));
	close(ep);
	disconnect(p);
}

/* recv() itself waits for so much, if there is room for it. */
static void readers(void)
{
	struct conn p = wanting(6);

	MUST(send(p.c, "abc", 3, 0));
	settle();
	BESIDE_CHILD(MUST(send(p.c, "defg", 4, 0)),
		     FACT("recv", recv(p.a, buf, sizeof(buf), 0)));
	settle();
	recv(p.a, buf, sizeof(buf), MSG_DONTWAIT); /* a message more */
	MUST(send(p.c, "abc", 3, 0));
	settle();
	FACT("recv_room_3", recv(p.a, buf, 3, 0));
	MUST(send(p.c, "abc", 3, 0));
	settle();
	FACT("recv_dontwait", recv(p.a, buf, sizeof(buf), MSG_DONTWAIT));
	FACT("recv_peek_none",
	     recv(p.a, buf, sizeof(buf), MSG_PEEK | MSG_DONTWAIT));
	MUST(send(p.c, "abc", 3, 0));
	settle();
	FACT("recv_peek", recv(p.a, buf, sizeof(buf), MSG_PEEK));
	MUST(shutdown(p.c, SHUT_WR));
	AWAIT_MASK(p.a, POLLRDHUP);
	FACT("recv_end", recv(p.a, buf, sizeof(buf), 0));
	FACT("recv_end_again", recv(p.a, buf, sizeof(buf), 0));
	disconnect(p);
}

int main(void)
{
	oracle_start();
	pollers();
	epolls("level", 0);
	epolls("edge", EPOLLET);
	changes();
	readers();
	return 0;
}
