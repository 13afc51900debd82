/* SPDX-License-Identifier: MIT */
/* A guest whose kernel has no loopback transport, and what it says of CID 1 and
 * of its own. It runs on the guest alone. */
#include "../oracle.h"

static void dial(const char *name, unsigned int cid)
{
	char id[64];
	long start;
	int s = vsock();

	set_connect_timeout(s, 300);
	start = now_ms();
	FACT(name, connect(s, vm(cid, 5000), 16));
	snprintf(id, sizeof(id), "%s_took", name);
	say(id, "its time: %d", passed(start, 300));
	snprintf(id, sizeof(id), "%s_error", name);
	FACT_SO_ERROR(id, s);
	close(s);
}

int main(void)
{
	int s, l;

	oracle_start();
	s = vsock();
	FACT("bind_1", bind(s, vm(1, 5000), 16));
	FACT("bind_own", bind(s, vm(3, 5000), 16));
	close(s);
	l = listener(ANY, 5000, 8);
	dial("cid_1", 1);
	dial("own", 3);
	s = vsock();
	set_nonblock(s, true);
	set_connect_timeout(s, 300);
	FACT("nonblock", connect(s, vm(1, 5000), 16));
	FACT_MASK("nonblock_mask", s);
	AWAIT_MASK(s, POLLERR);
	FACT_MASK("nonblock_later_mask", s);
	FACT_SO_ERROR("nonblock_error", s);
	close(s);
	close(l);
	return 0;
}
