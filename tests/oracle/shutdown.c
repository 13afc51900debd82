/* SPDX-License-Identifier: MIT */
/* shutdown(): when it is allowed, and what each end can do after it. */
#include "oracle.h"

static char buf[64];

static void refused(void)
{
	int file = (int)MUST(open("/dev/null", O_RDWR)), s, l, c;

	FACT("badf", shutdown(-1, SHUT_RD));
	FACT("badf_bad_how", shutdown(-1, 3));
	FACT("notsock", shutdown(file, SHUT_RD));
	FACT_FRESH("fresh_rd", shutdown(fresh, SHUT_RD));
	FACT_FRESH("fresh_wr", shutdown(fresh, SHUT_WR));
	FACT_FRESH("fresh_rdwr", shutdown(fresh, SHUT_RDWR));
	FACT_FRESH("fresh_how_3", shutdown(fresh, 3));
	FACT_FRESH("fresh_how_negative", shutdown(fresh, -1));
	s = bound(ANY, 5000);
	FACT("bound", shutdown(s, SHUT_RDWR));
	FACT_MASK("bound_mask", s);
	FACT("bound_listen", listen(s, 8));
	l = s;
	FACT("listening", shutdown(l, SHUT_RDWR));
	FACT("listening_rd", shutdown(l, SHUT_RD));
	FACT("listening_how_3", shutdown(l, 3));
	c = vsock();
	FACT("listening_connect", connect(c, vm(1, 5000), 16));
	FACT_FD("listening_accept", accept(l, NULL, NULL));
	close(c);
	close(l);

	s = vsock();
	FACT("refused_connect", connect(s, vm(1, 5999), 16));
	FACT("refused", shutdown(s, SHUT_RDWR));
	close(s);
}

static void write_side(void)
{
	struct conn p = connection();

	MUST(send(p.c, "abc", 3, 0));
	FACT("wr", shutdown(p.c, SHUT_WR));
	FACT("wr_again", shutdown(p.c, SHUT_WR));
	FACT("wr_bad_how", shutdown(p.c, 3));
	FACT("wr_send", send(p.c, "x", 1, MSG_NOSIGNAL));
	FACT_MASK_AT("wr_peer_mask", p.a, POLLRDHUP);
	FACT("wr_peer_data", recv(p.a, buf, sizeof(buf), 0));
	FACT("wr_peer_end", recv(p.a, buf, sizeof(buf), 0));
	FACT("wr_peer_end_again", recv(p.a, buf, sizeof(buf), 0));
	FACT_SO_ERROR("wr_peer_error", p.a);
	FACT("wr_peer_send", send(p.a, "defg", 4, 0));
	FACT("wr_recv", recv(p.c, buf, sizeof(buf), 0));
	FACT_ADDR("wr_peer_peername", getpeername(p.a, ADDR));
	FACT("wr_peer_wr", shutdown(p.a, SHUT_WR));
	FACT_MASK_AT("wr_both_mask", p.c, POLLRDHUP);
	FACT_MASK("wr_both_peer_mask", p.a);
	FACT("wr_both_recv", recv(p.c, buf, sizeof(buf), 0));
	FACT("wr_both_peer_recv", recv(p.a, buf, sizeof(buf), 0));
	disconnect(p);

	/* The usual end of a client: shut, then read to the end. */
	p = connection();
	MUST(shutdown(p.c, SHUT_WR));
	AWAIT_MASK(p.a, POLLRDHUP);
	MUST(send(p.a, "reply", 5, 0));
	close(p.a);
	AWAIT_MASK(p.c, POLLRDHUP);
	FACT("wr_then_peer_closes_data", recv(p.c, buf, sizeof(buf), 0));
	FACT("wr_then_peer_closes_end", recv(p.c, buf, sizeof(buf), 0));
	FACT_MASK("wr_then_peer_closes_mask", p.c);
	FACT_SO_ERROR("wr_then_peer_closes_error", p.c);
	close(p.c);
}

static void read_side(void)
{
	struct conn p = connection();

	MUST(send(p.a, "abc", 3, 0));
	await_bytes(p.c, 3);
	FACT("rd", shutdown(p.c, SHUT_RD));
	FACT("rd_recv_queued", recv(p.c, buf, sizeof(buf), 0));
	FACT("rd_recv_dontwait", recv(p.c, buf, sizeof(buf), MSG_DONTWAIT));
	FACT_MASK("rd_mask", p.c);
	/* The peer learns it a moment later. */
	AWAIT(send(p.a, "x", 1, MSG_NOSIGNAL) < 0);
	FACT("rd_peer_send", send(p.a, "x", 1, MSG_NOSIGNAL));
	FACT_MASK("rd_peer_mask", p.a);
	FACT_SO_ERROR("rd_peer_error", p.a);
	FACT("rd_send", send(p.c, "defg", 4, 0));
	FACT("rd_peer_recv", recv(p.a, buf, sizeof(buf), 0));
	FACT("rd_then_wr", shutdown(p.c, SHUT_WR));
	FACT_MASK("rd_then_wr_mask", p.c);
	FACT_MASK_AT("rd_then_wr_peer_mask", p.a, POLLRDHUP);
	FACT("rd_then_wr_peer_recv", recv(p.a, buf, sizeof(buf), 0));
	disconnect(p);
}

static void both_sides(void)
{
	struct conn p = connection();

	MUST(send(p.c, "abc", 3, 0));
	FACT("rdwr", shutdown(p.c, SHUT_RDWR));
	FACT_MASK("rdwr_mask", p.c);
	FACT("rdwr_recv", recv(p.c, buf, sizeof(buf), 0));
	FACT("rdwr_send", send(p.c, "x", 1, MSG_NOSIGNAL));
	FACT_MASK_AT("rdwr_peer_mask", p.a, POLLRDHUP);
	FACT("rdwr_peer_send", send(p.a, "x", 1, MSG_NOSIGNAL));
	FACT("rdwr_peer_data", recv(p.a, buf, sizeof(buf), 0));
	FACT("rdwr_peer_end", recv(p.a, buf, sizeof(buf), 0));
	FACT_SO_ERROR("rdwr_peer_error", p.a);
	FACT("rdwr_again", shutdown(p.c, SHUT_RDWR));
	FACT("rdwr_peer_rdwr", shutdown(p.a, SHUT_RDWR));
	disconnect(p);
}

/* The peer is gone: still allowed. */
static void peer_gone(void)
{
	struct conn p = connection();

	close(p.a);
	AWAIT_MASK(p.c, POLLRDHUP);
	FACT("gone_wr", shutdown(p.c, SHUT_WR));
	FACT_MASK("gone_wr_mask", p.c);
	settle();
	FACT("gone_wr_recv", recv(p.c, buf, sizeof(buf), 0));
	FACT("gone_rdwr", shutdown(p.c, SHUT_RDWR));
	settle();
	FACT("gone_rdwr_recv", recv(p.c, buf, sizeof(buf), 0));
	close(p.c);

	/* An accepted socket then forgets that the end was orderly. */
	p = connection();
	close(p.c);
	AWAIT_MASK(p.a, POLLRDHUP);
	FACT("gone_client_recv", recv(p.a, buf, sizeof(buf), 0));
	FACT("gone_client_wr", shutdown(p.a, SHUT_WR));
	FACT("gone_client_wr_recv", recv(p.a, buf, sizeof(buf), 0));
	FACT_MASK("gone_client_wr_mask", p.a);
	close(p.a);
}

int main(void)
{
	oracle_start();
	refused();
	write_side();
	read_side();
	both_sides();
	peer_gone();
	return 0;
}
