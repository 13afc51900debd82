/* SPDX-License-Identifier: MIT */
/* O_ASYNC: whether ends, refusals and room in the window raise SIGIO. */
#include "async.h"

static char data[CREDIT];

int main(void)
{
	struct conn p;
	int s;

	oracle_start();
	settle();
	signal(SIGIO, on_sigio);
	p = connection();
	async(p.a);
	MUST(shutdown(p.c, SHUT_WR));
	fact_sigio("peer_shut_wr");
	close(p.c);
	fact_sigio("peer_shut_wr_closed");
	close(p.a);

	p = connection();
	async(p.a);
	close(p.c);
	fact_sigio("peer_closed");
	close(p.a);

	p = connection();
	async(p.c);
	MUST(send(p.c, data, CREDIT, 0));
	MUST_FAIL(send(p.c, data, 1, MSG_DONTWAIT));
	while (recv(p.a, data, CREDIT, MSG_DONTWAIT) > 0)
		;
	fact_sigio("space");
	disconnect(p);

	s = vsock();
	set_nonblock(s, true);
	async(s);
	MUST_FAIL(connect(s, vm(1, 5999), 16));
	AWAIT_MASK(s, POLLERR);
	fact_sigio("refused");
	close(s);
	return 0;
}
