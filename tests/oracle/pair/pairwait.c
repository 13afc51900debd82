/* SPDX-License-Identifier: MIT */
/* A guest's connect() that nobody answers: what it shows while it is pending,
 * and what becomes of it. */
#include "pair.h"

#include <sys/epoll.h>
#include <sys/select.h>

/* A connect() to nobody takes so long: as short as it can be, and long enough
 * for all that is asked meanwhile of an emulated machine. */
#define SHORT_MS 700
#define LONG_MS	 3000

static char buf[8];

static int pending(long ms)
{
	int s = vsock();

	set_connect_timeout(s, ms);
	set_nonblock(s, true);
	MUST_FAIL(connect(s, vm(4, 5000), 16));
	return s;
}

static void while_pending(void)
{
	int s = pending(LONG_MS), t;

	FACT_MASK("mask", s);
	FACT_SO_ERROR("error", s);
	FACT("again", connect(s, vm(4, 5000), 16));
	FACT("another", connect(s, vm(2, 5000), 16));
	FACT("bad_address", connect(s, vm(4, 5000), 15));
	FACT("send", send(s, "x", 1, MSG_NOSIGNAL));
	FACT("recv", recv(s, buf, 1, 0));
	FACT("bind", bind(s, vm(ANY, 5001), 16));
	FACT("listen", listen(s, 1));
	FACT("accept", accept(s, NULL, NULL));
	FACT_ADDR("sockname", getsockname(s, ADDR));
	FACT_ADDR("peername", getpeername(s, ADDR));
	t = FACT_FD("dup", dup(s));
	FACT_MASK_AT("mask_then", s, POLLERR);
	FACT_MASK("mask_dup", t);
	FACT("send_then", send(s, "x", 1, MSG_NOSIGNAL));
	FACT("recv_then", recv(s, buf, 1, 0));
	FACT_SO_ERROR("error_then", s);
	FACT_SO_ERROR("error_dup", t);
	FACT_MASK("mask_after", s);
	FACT("again_after", connect(s, vm(2, 5999), 16));
	AWAIT_MASK(s, POLLERR);
	FACT_SO_ERROR("again_error", s);
	close(s);
	close(t);
}

/* Blocking calls on a socket whose connect() is pending. */
static void blocking(void)
{
	long start = now_ms();
	int s = pending(LONG_MS / 2);

	/* Whose time is over first. */
	set_connect_timeout(s, PATIENCE_MS);
	set_nonblock(s, false);
	FACT("block", connect(s, vm(2, 5999), 16));
	say("block_took", "the time of the first: %d",
	    passed(start, LONG_MS / 2) && now_ms() - start < PATIENCE_MS / 2);
	FACT_MASK("block_mask", s);
	FACT_SO_ERROR("block_error", s);
	FACT("block_again", connect(s, vm(2, 5999), 16));
	close(s);
}

/* It is over, and nobody has asked how. */
static void unread(void)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP };
	int s = pending(SHORT_MS), ep, n, c, a;

	AWAIT_MASK(s, POLLERR);
	FACT("unread_again", connect(s, vm(4, 5000), 16));
	FACT_MASK("unread_again_mask", s);
	FACT_SO_ERROR("unread_again_error", s);
	AWAIT_MASK(s, POLLERR);
	FACT_SO_ERROR("unread_again_error_then", s);
	close(s);

	s = pending(SHORT_MS);
	AWAIT_MASK(s, POLLERR);
	set_nonblock(s, false);
	FACT("unread_block", connect(s, vm(2, 5999), 16));
	FACT_SO_ERROR("unread_block_error", s);
	close(s);

	s = pending(SHORT_MS);
	AWAIT_MASK(s, POLLERR);
	FACT("unread_listen", listen(s, 1));
	FACT_MASK("unread_listen_mask", s);
	ep = (int)MUST(epoll_create1(0));
	MUST(epoll_ctl(ep, EPOLL_CTL_ADD, s, &e));
	n = epoll_wait(ep, &e, 1, 5000);
	say("unread_listen_epoll", "%d: %s", n, mask_text(e.events));
	c = vsock();
	FACT("unread_listen_connect", connect(c, vm(1, port_of(s)), 16));
	AWAIT_MASK(s, POLLIN);
	a = FACT_FD("unread_listen_accept", accept(s, NULL, NULL));
	close(a);
	close(c);
	FACT_SO_ERROR("unread_listen_error", s);
	FACT_MASK("unread_listen_mask_after", s);
	FACT("unread_listen_epoll_after", epoll_wait(ep, &e, 1, 0));
	close(s);
	close(ep);
}

/* It is over, and nobody has looked at it. */
static void unseen(void)
{
	int s[4];

	for (int i = 0; i < 4; i++)
		s[i] = pending(SHORT_MS);
	poll(NULL, 0, LONG_MS);
	FACT("unseen_listen", listen(s[0], 1));
	FACT_MASK("unseen_listen_mask", s[0]);
	FACT_SO_ERROR("unseen_listen_error", s[0]);
	FACT("unseen_shut", shutdown(s[1], SHUT_WR));
	FACT_MASK("unseen_shut_mask", s[1]);
	FACT_SO_ERROR("unseen_shut_error", s[1]);
	FACT("unseen_bad_address", connect(s[2], vm(4, 5000), 15));
	FACT_MASK("unseen_bad_address_mask", s[2]);
	FACT_SO_ERROR("unseen_bad_address_error", s[2]);
	FACT("unseen_send", send(s[3], "x", 1, MSG_NOSIGNAL));
	FACT_SO_ERROR("unseen_send_error", s[3]);
	for (int i = 0; i < 4; i++)
		close(s[i]);
}

static void shut(void)
{
	int s = pending(LONG_MS / 2);

	FACT("shut", shutdown(s, SHUT_WR));
	FACT_MASK("shut_mask", s);
	FACT("shut_again", connect(s, vm(4, 5000), 16));
	FACT("shut_recv", recv(s, buf, 1, MSG_DONTWAIT));
	FACT("shut_send", send(s, buf, 1, MSG_DONTWAIT | MSG_NOSIGNAL));
	FACT_MASK_AT("shut_mask_then", s, POLLERR);
	FACT_SO_ERROR("shut_error_then", s);
	close(s);

	s = pending(LONG_MS / 2);
	FACT("shut_rd", shutdown(s, SHUT_RD));
	FACT_MASK("shut_rd_mask", s);
	FACT("shut_rd_recv", recv(s, buf, 1, MSG_DONTWAIT));
	FACT("shut_rd_then_wr", shutdown(s, SHUT_WR));
	FACT_MASK("shut_rdwr_mask", s);
	FACT("shut_rdwr_recv", recv(s, buf, 1, MSG_DONTWAIT));
	FACT("shut_rdwr_send", send(s, buf, 1, MSG_DONTWAIT | MSG_NOSIGNAL));
	FACT_SO_ERROR("shut_rdwr_error", s);
	close(s);
}

static void waits(void)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP };
	struct timeval tv = { 5, 0 };
	struct pollfd p;
	fd_set in, out, odd;
	int ep, s, n;

	s = pending(SHORT_MS);
	p = (struct pollfd){ .fd = s, .events = ALL_EVENTS };
	FACT("poll_0", poll(&p, 1, 0));
	FACT("poll", poll(&p, 1, 5000));
	say("poll_mask", "%s", mask_text((unsigned short)p.revents));
	close(s);

	s = pending(SHORT_MS);
	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_ZERO(&odd);
	FD_SET(s, &in);
	FD_SET(s, &out);
	FD_SET(s, &odd);
	FACT("select", select(s + 1, &in, &out, &odd, &tv));
	say("select_sets", "in %d, out %d, odd %d", !!FD_ISSET(s, &in),
	    !!FD_ISSET(s, &out), !!FD_ISSET(s, &odd));
	close(s);

	for (int edge = 0; edge <= 1; edge++) {
		ep = (int)MUST(epoll_create1(0));
		s = vsock();
		set_nonblock(s, true);
		set_connect_timeout(s, SHORT_MS);
		e.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP |
			   (edge ? (unsigned int)EPOLLET : 0);
		MUST(epoll_ctl(ep, EPOLL_CTL_ADD, s, &e));
		n = epoll_wait(ep, &e, 1, 0);
		say(edge ? "epollet_fresh" : "epoll_fresh", "%d: %s", n,
		    n > 0 ? mask_text(e.events) : "");
		MUST_FAIL(connect(s, vm(4, 5000), 16));
		say(edge ? "epollet_pending" : "epoll_pending", "%d",
		    epoll_wait(ep, &e, 1, 0));
		n = epoll_wait(ep, &e, 1, 5000);
		say(edge ? "epollet" : "epoll", "%d: %s", n,
		    n > 0 ? mask_text(e.events) : "");
		say(edge ? "epollet_again" : "epoll_again", "%d",
		    epoll_wait(ep, &e, 1, 0));
		close(s);
		close(ep);
	}
}

/* When is the time set that counts, and what is no time at all? */
static void timeouts(void)
{
	long start = now_ms();
	int s = pending(SHORT_MS);
	struct pollfd p = { .fd = s, .events = ALL_EVENTS };

	set_connect_timeout(s, PATIENCE_MS);
	MUST(poll(&p, 1, PATIENCE_MS));
	say("later_took", "the first time: %d",
	    now_ms() - start < PATIENCE_MS / 2);
	close(s);

	start = now_ms();
	s = vsock();
	set_connect_timeout(s, SHORT_MS);
	FACT("short", connect(s, vm(4, 5000), 16));
	say("short_took", "its time: %d",
	    passed(start, SHORT_MS) && now_ms() - start < PATIENCE_MS / 2);
	set_timeout(s, SO_SNDTIMEO, 1);
	start = now_ms();
	FACT("sndtimeo", connect(s, vm(4, 5000), 16));
	say("sndtimeo_took", "its time: %d", passed(start, SHORT_MS));
	close(s);

	s = vsock();
	FACT_INTERRUPTED("signal", 0, connect(s, vm(4, 5000), 16));
	FACT_MASK("signal_mask", s);
	FACT_SO_ERROR("signal_error", s);
	FACT_INTERRUPTED("signal_restart", SA_RESTART,
			 connect(s, vm(4, 5000), 16));
	FACT("signal_then", connect(s, vm(2, 5999), 16));
	close(s);
}

/* Somebody else's end of it: a child, and who closes. */
static void shared(void)
{
	int s = pending(LONG_MS / 2);

	IN_CHILD(FACT_MASK("child_mask", s));
	IN_CHILD({
		AWAIT_MASK(s, POLLERR);
		FACT_SO_ERROR("child_error", s);
	});
	FACT_MASK("child_then_mask", s);
	FACT_SO_ERROR("child_then_error", s);
	close(s);

	s = pending(60000);
	FACT("close", close(s));
	FACT_FRESH("close_then", connect(fresh, vm(2, 5999), 16));
}

int main(int argc, char **argv)
{
	pair_start(argc, argv);
	AT (GUEST) {
		while_pending();
		blocking();
		unread();
		unseen();
		shut();
		waits();
		timeouts();
		shared();
	}
	return pair_end();
}
