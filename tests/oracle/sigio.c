/* SPDX-License-Identifier: MIT */
/* O_ASYNC: what raises SIGIO. */
#include "async.h"

static char data[CREDIT];

static void connected(void)
{
	struct conn p = connection();

	async(p.a);
	say("getown", "%d", fcntl(p.a, F_GETOWN) == getpid());
	say("getfl", "%#lx", MUST(fcntl(p.a, F_GETFL)));
	fact_sigio("idle");
	MUST(send(p.c, "a", 1, 0));
	fact_sigio("data");
	MUST(send(p.c, "b", 1, 0));
	fact_sigio("more_data");
	MUST(shutdown(p.a, SHUT_WR));
	fact_sigio("shut_wr");
	disconnect(p);

	p = connection();
	async(p.c);
	MUST(send(p.c, data, CREDIT, 0));
	MUST_FAIL(send(p.c, data, 1, MSG_DONTWAIT));
	fact_sigio("full");
	disconnect(p);
}

static void connecting(void)
{
	int l = listener(ANY, 5000, 8), s;

	async(l);
	close(client(1, 5000));
	fact_sigio("listener");
	MUST(fcntl(l, F_SETFL, 0));
	s = vsock();
	set_nonblock(s, true);
	async(s);
	MUST_FAIL(connect(s, vm(1, 5000), 16));
	AWAIT_MASK(s, POLLOUT);
	fact_sigio("connected");
	close(s);
	close(l);
}

int main(void)
{
	oracle_start();
	settle();
	signal(SIGIO, on_sigio);
	connected();
	connecting();
	return 0;
}
