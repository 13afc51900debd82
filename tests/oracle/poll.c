/* SPDX-License-Identifier: MIT */
/* poll(): the exact mask of a STREAM socket in every state it can have. */
#include "oracle.h"

static void unconnected(void)
{
	int s = vsock(), c, d;

	FACT_MASK("fresh", s);
	MUST(bind(s, vm(ANY, 5000), 16));
	FACT_MASK("bound", s);
	MUST(listen(s, 8));
	FACT_MASK("listening", s);
	c = client(1, 5000);
	FACT_MASK_AT("pending", s, POLLIN);
	d = client(1, 5000);
	close(MUST(accept(s, NULL, NULL)));
	FACT_MASK("one_accepted_one_pending", s);
	close(MUST(accept(s, NULL, NULL)));
	FACT_MASK("all_accepted", s);
	close(c);
	close(d);
	close(s);

	s = vsock();
	MUST_FAIL(connect(s, vm(99, 5000), 16));
	FACT_MASK("nodev", s);
	close(s);
	s = vsock();
	MUST_FAIL(connect(s, vm(1, 5999), 16));
	so_error(s); /* older kernels leave it there */
	FACT_MASK("refused", s);
	close(s);
	s = refused_client();
	FACT_MASK("refused_nonblock", s);
	so_error(s);
	FACT_MASK("refused_nonblock_error_read", s);
	close(s);
}

static void connected(void)
{
	struct conn p = connection();
	static char data[CREDIT];

	FACT_MASK("idle", p.c);
	FACT_MASK("idle_accepted", p.a);
	MUST(send(p.c, "abc", 3, 0));
	FACT_MASK_AT("data", p.a, POLLIN);
	MUST(recv(p.a, data, 2, 0));
	FACT_MASK("data_left", p.a); /* of a message, there is none */
	recv(p.a, data, 2, MSG_DONTWAIT);
	FACT_MASK("data_read", p.a);
	MUST_FAIL(recv(p.a, data, 2, MSG_DONTWAIT));
	FACT_MASK("after_eagain", p.a);

	MUST(send(p.c, data, sizeof(data), 0));
	FACT_MASK("window_full", p.c);
	await_bytes(p.a, CREDIT - 1);
	MUST(recv(p.a, data, sizeof(data), MSG_DONTWAIT));
	FACT_MASK_AT("window_open", p.c, POLLOUT);
	disconnect(p);
}

/* The masks of both ends after one shutdown() each, or none (-1). */
static void shut(const char *id, int how, int peer_how)
{
	struct conn p = connection();
	char name[64];

	if (how >= 0)
		MUST(shutdown(p.c, how));
	if (peer_how >= 0)
		MUST(shutdown(p.a, peer_how));
	/* SHUT_RD alone shows nothing at the peer: its sends tell. */
	if (how == SHUT_RD)
		AWAIT(send(p.a, "x", 1, MSG_NOSIGNAL) < 0);
	else if (how >= 0)
		AWAIT_MASK(p.a, POLLRDHUP);
	if (peer_how == SHUT_RD)
		AWAIT(send(p.c, "x", 1, MSG_NOSIGNAL) < 0);
	else if (peer_how >= 0)
		AWAIT_MASK(p.c, POLLRDHUP);
	snprintf(name, sizeof(name), "%s_self", id);
	FACT_MASK(name, p.c);
	snprintf(name, sizeof(name), "%s_peer", id);
	FACT_MASK(name, p.a);
	disconnect(p);
}

static void closed(const char *id, int how, bool with_data)
{
	struct conn p = connection();
	char name[64], byte;

	if (with_data)
		MUST(send(p.a, "x", 1, 0));
	if (how >= 0)
		MUST(shutdown(p.c, how));
	close(p.a);
	AWAIT_MASK(p.c, POLLRDHUP);
	FACT_MASK(id, p.c);
	snprintf(name, sizeof(name), "%s_read", id);
	while (recv(p.c, &byte, 1, MSG_DONTWAIT) > 0)
		;
	FACT_MASK(name, p.c);
	close(p.c);
}

static void shut_down(void)
{
	shut("rd", SHUT_RD, -1);
	shut("wr", SHUT_WR, -1);
	shut("rdwr", SHUT_RDWR, -1);
	shut("wr_wr", SHUT_WR, SHUT_WR);
	shut("rd_rd", SHUT_RD, SHUT_RD);
	closed("peer_closed", -1, false);
	closed("peer_closed_data", -1, true);
	closed("wr_peer_closed", SHUT_WR, false);
	closed("wr_peer_closed_data", SHUT_WR, true);
	closed("rd_peer_closed", SHUT_RD, false);
	closed("rdwr_peer_closed", SHUT_RDWR, false);
}

static void wr_with_data(void)
{
	struct conn p = connection();

	MUST(send(p.a, "x", 1, 0));
	await_bytes(p.c, 1);
	MUST(shutdown(p.c, SHUT_WR));
	FACT_MASK("wr_data", p.c);
	disconnect(p);
}

static void lowat(void)
{
	struct conn p = connection();
	int value = 10;
	char data[16];

	MUST(setsockopt(p.a, SOL_SOCKET, SO_RCVLOWAT, &value, sizeof(value)));
	MUST(send(p.c, "abcde", 5, 0));
	await_bytes(p.a, 5);
	FACT_MASK("lowat_below", p.a);
	MUST(send(p.c, "fghij", 5, 0));
	FACT_MASK_AT("lowat_reached", p.a, POLLIN);
	MUST(recv(p.a, data, 1, 0));
	FACT_MASK("lowat_below_again", p.a);
	close(p.c);
	FACT_MASK_AT("lowat_end", p.a, POLLRDHUP);
	close(p.a);
}

#define FACT_POLL(id, fd_, events_, timeout)                                   \
	do {                                                                   \
		struct pollfd q_ = { .fd = fd_,                                \
				     .events = events_,                        \
				     .revents = -1 };                          \
		int r_ = poll(&q_, 1, timeout);                                \
		say(id, "poll(%s, %s) = %d %s", #fd_, #events_, r_,            \
		    mask_text((unsigned short)q_.revents));                    \
	} while (0)

static void subsets(void)
{
	struct conn p = connection();
	struct pollfd three[3];
	int s = vsock(), r;

	FACT_POLL("fresh_none", s, 0, 0);
	FACT_POLL("fresh_in", s, POLLIN, 0);
	FACT_POLL("fresh_out", s, POLLOUT, 0);
	FACT_POLL("fresh_in_out", s, POLLIN | POLLOUT, 0);
	FACT_POLL("idle_in", p.c, POLLIN, 0);
	FACT_POLL("idle_in_timeout", p.c, POLLIN, 50);
	FACT_POLL("idle_out", p.c, POLLOUT, 0);
	FACT_POLL("idle_pri", p.c, POLLPRI, 0);
	FACT_POLL("badf", 999, POLLIN, 0);
	FACT_POLL("negative", -1, POLLIN, 0);
	close(p.a);
	AWAIT_MASK(p.c, POLLRDHUP);
	FACT_POLL("peer_closed_none", p.c, 0, 0);
	FACT_POLL("peer_closed_none_timeout", p.c, 0, 50);
	FACT_POLL("peer_closed_in", p.c, POLLIN, -1);
	FACT_POLL("peer_closed_rdhup", p.c, POLLRDHUP, -1);
	FACT_POLL("peer_closed_out", p.c, POLLOUT, -1);
	FACT_POLL("peer_closed_pri", p.c, POLLPRI, 0);
	MUST(shutdown(p.c, SHUT_WR));
	FACT_POLL("wr_peer_closed_none", p.c, 0, -1);
	FACT_POLL("wr_peer_closed_out", p.c, POLLOUT, -1);

	three[0] = (struct pollfd){ .fd = p.c, .events = POLLIN };
	three[1] = (struct pollfd){ .fd = -1, .events = POLLIN };
	three[2] = (struct pollfd){ .fd = s, .events = POLLIN | POLLOUT };
	r = poll(three, 3, -1);
	say("three", "%d", r);
	say("three_0", "%s", mask_text((unsigned short)three[0].revents));
	say("three_1", "%s", mask_text((unsigned short)three[1].revents));
	say("three_2", "%s", mask_text((unsigned short)three[2].revents));
	close(s);
	close(p.c);

	s = refused_client();
	FACT_POLL("refused_none", s, 0, -1);
	FACT_POLL("refused_in", s, POLLIN, -1);
	FACT_POLL("refused_out", s, POLLOUT, -1);
	close(s);
}

/* Those who sleep are woken. */
static void wakeups(void)
{
	int l = listener(ANY, 5000, 8), s;
	struct timespec second = { 1, 0 };
	struct pollfd q;
	struct conn p;

	BESIDE_CHILD(client(1, 5000),
		     FACT_POLL("wakes_for_connection", l, POLLIN, DEADLINE_MS));
	close(MUST(accept(l, NULL, NULL)));

	s = vsock();
	set_nonblock(s, true);
	MUST_FAIL(connect(s, vm(1, 5000), 16));
	FACT_POLL("wakes_for_connected", s, POLLOUT, DEADLINE_MS);
	close(s);
	s = vsock();
	set_nonblock(s, true);
	MUST_FAIL(connect(s, vm(1, 5999), 16));
	FACT_POLL("wakes_for_refused", s, POLLOUT, DEADLINE_MS);
	close(s);
	close(l);

	p = connection();
	BESIDE_CHILD(MUST(send(p.c, "x", 1, 0)),
		     FACT_POLL("wakes_for_data", p.a, POLLIN, DEADLINE_MS));
	BESIDE_CHILD(MUST(shutdown(p.c, SHUT_RDWR)),
		     FACT_POLL("wakes_for_end", p.a, POLLRDHUP, DEADLINE_MS));
	q = (struct pollfd){ .fd = p.a, .events = POLLIN };
	FACT("ppoll", ppoll(&q, 1, &second, NULL));
	say("ppoll_mask", "%s", mask_text((unsigned short)q.revents));
	disconnect(p);
}

int main(void)
{
	oracle_start();
	unconnected();
	connected();
	shut_down();
	wr_with_data();
	lowat();
	subsets();
	wakeups();
	return 0;
}
