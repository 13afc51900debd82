/* SPDX-License-Identifier: MIT */
/* A host's connect() to a guest that is there, and has no driver for vsock as
 * yet. It runs on the host alone. */
#include "../oracle.h"

static void dial(const char *name, int type)
{
	char id[64];
	long start;
	int s;

	s = (int)MUST(socket(AF_VSOCK, type, 0));
	start = now_ms();
	FACT(name, connect(s, vm(3, 5000), 16));
	snprintf(id, sizeof(id), "%s_took", name);
	say(id, "2 s: %d", passed(start, 2000));
	snprintf(id, sizeof(id), "%s_mask", name);
	FACT_MASK(id, s);
	snprintf(id, sizeof(id), "%s_error", name);
	FACT_SO_ERROR(id, s);
	snprintf(id, sizeof(id), "%s_sockname", name);
	FACT_ADDR(id, getsockname(s, ADDR));
	snprintf(id, sizeof(id), "%s_then_closed", name);
	FACT(id, connect(s, vm(1, 5000), 16));
	close(s);

	s = (int)MUST(socket(AF_VSOCK, type | SOCK_NONBLOCK, 0));
	set_connect_timeout(s, 200);
	snprintf(id, sizeof(id), "%s_nonblock", name);
	if (FACT(id, connect(s, vm(3, 5000), 16)) < 0 && errno == EINPROGRESS)
		AWAIT_MASK(s, POLLERR);
	snprintf(id, sizeof(id), "%s_nonblock_mask", name);
	FACT_MASK(id, s);
	snprintf(id, sizeof(id), "%s_nonblock_error", name);
	FACT_SO_ERROR(id, s);
	close(s);
}

int main(void)
{
	oracle_start();
	dial("stream", SOCK_STREAM);
	dial("seqpacket", SOCK_SEQPACKET);
	return 0;
}
