/* SPDX-License-Identifier: MIT */
/* How long a client's port stays taken when it has closed. */
#include "oracle.h"

static char buf[64];

/* A client at port 5001 that closes when the peer has not read what it sent. */
static int left_alone(bool with_data, int *listening)
{
	int c, a;

	settle(); /* what was before is gone, at both ends */
	c = bound(ANY, 5001);
	*listening = listener(ANY, 5000, 1);
	MUST(connect(c, vm(1, 5000), 16));
	a = (int)MUST(accept(*listening, NULL, NULL));
	if (with_data)
		MUST(send(c, "abc", 3, 0));
	settle();
	close(c);
	settle();
	return a;
}

int main(void)
{
	int a, l, s;
	long began;

	oracle_start();
	a = left_alone(false, &l);
	FACT_FRESH("nothing_unread", bind(fresh, vm(ANY, 5001), 16));
	close(a);
	close(l);

	a = left_alone(true, &l);
	FACT_FRESH("unread", bind(fresh, vm(ANY, 5001), 16));
	FACT_FRESH("unread_own_cid", bind(fresh, vm(1, 5001), 16));
	MUST(recv(a, buf, sizeof(buf), 0));
	settle();
	FACT_FRESH("read", bind(fresh, vm(ANY, 5001), 16));
	MUST(recv(a, buf, sizeof(buf), 0));
	settle();
	FACT_FRESH("read_to_end", bind(fresh, vm(ANY, 5001), 16));
	close(a);
	settle();
	FACT_FRESH("both_closed", bind(fresh, vm(ANY, 5001), 16));
	close(l);

	/* Nor does it wait for ever. */
	a = left_alone(true, &l);
	began = now_ms();
	s = vsock();
	while (bind(s, vm(ANY, 5001), 16) < 0 && now_ms() - began < 12000)
		nap();
	FACT_ADDR("later", getsockname(s, ADDR));
	say("later_waits", "%d", now_ms() - began > 4000);
	close(s);
	close(a);
	close(l);

	/* The end of the listener is the end of what waited there. */
	settle();
	l = listener(ANY, 5000, 1);
	a = bound(ANY, 5001);
	MUST(connect(a, vm(1, 5000), 16));
	MUST(send(a, "abc", 3, 0));
	settle();
	close(a);
	settle();
	FACT_FRESH("queued", bind(fresh, vm(ANY, 5001), 16));
	close(l);
	settle();
	FACT_FRESH("queue_closed", bind(fresh, vm(ANY, 5001), 16));
	return 0;
}
