/* SPDX-License-Identifier: MIT */
/* An error that waits on a connection: recvmmsg() leaves one, when it has some
 * messages and then fails. */
#include "oracle.h"

static char buf[64];

/* At p.a an error waits, and 5 bytes: the last that were sent. */
static struct conn failed(void)
{
	struct conn p = connection();
	struct iovec v[2] = { { buf, 5 }, { nil, 5 } };
	struct mmsghdr m[2] = {
		{ .msg_hdr = { .msg_iov = &v[0], .msg_iovlen = 1 } },
		{ .msg_hdr = { .msg_iov = &v[1], .msg_iovlen = 1 } }
	};
	int i;

	for (i = 0; i < (TYPE == SOCK_STREAM ? 2 : 3); i++)
		MUST(send(p.c, "abcde", 5, 0));
	settle();
	if (MUST(recvmmsg(p.a, m, 2, MSG_DONTWAIT, NULL)) != 1)
		exit(3);
	return p;
}

int main(void)
{
	struct conn p;

	oracle_start();
	settle();
	p = failed();
	FACT("recv", recv(p.a, buf, sizeof(buf), MSG_DONTWAIT));
	FACT("recv_next", recv(p.a, buf, sizeof(buf), MSG_DONTWAIT));
	FACT("recv_again", recv(p.a, buf, sizeof(buf), MSG_DONTWAIT));
	FACT_SO_ERROR("recv_error", p.a);
	FACT("recv_then", recv(p.a, buf, sizeof(buf), MSG_DONTWAIT));
	disconnect(p);

	p = failed();
	FACT("send", send(p.a, "x", 1, 0));
	FACT("send_again", send(p.a, "x", 1, 0));
	FACT_SO_ERROR("send_error", p.a);
	disconnect(p);

	p = failed();
	FACT_ADDR("peername", getpeername(p.a, ADDR));
	FACT("connect", connect(p.a, vm(1, 5000), 16));
	FACT_MASK("mask", p.a);
	FACT("shutdown", shutdown(p.a, SHUT_WR));
	FACT_MASK("shutdown_mask", p.a);
	FACT("shutdown_send", send(p.a, "x", 1, MSG_NOSIGNAL));
	FACT("shutdown_send_again", send(p.a, "x", 1, MSG_NOSIGNAL));
	FACT_SO_ERROR("shutdown_error", p.a);
	disconnect(p);

	p = failed();
	close(p.c);
	settle();
	FACT_MASK("closed_mask", p.a);
	FACT_SO_ERROR("closed_error", p.a);
	FACT_SO_ERROR("closed_error_again", p.a);
	close(p.a);
	return 0;
}
