/* SPDX-License-Identifier: MIT */
/* Clients that are bound to a CID: the answers come to the transport's own. */
#include "pair.h"

static void dial(enum side side, unsigned int own, unsigned int cid)
{
	enum side at = cid == 1 ? side : cid == 2 ? HOST : GUEST;
	char byte = 'x';
	int l = -1, s = -1;

	about("%s_by_%u_to_%u", name_of(side), own, cid);
	AT (at)
		l = listener(ANY, 5000, 8);
	AT (side) {
		s = bound(own, 5001);
		/* Where an answer cannot be for us. */
		if (own != (at != side ? cid_of(side) : 1))
			set_connect_timeout(s, 100);
		FACT(id("connect"), connect(s, vm(cid, 5000), 16));
		FACT_MASK(id("mask"), s);
		FACT_ADDR(id("sockname"), getsockname(s, ADDR));
		FACT_ADDR(id("peername"), getpeername(s, ADDR));
	}
	AT (at) {
		int a;

		set_nonblock(l, true);
		a = FACT_FD_ADDR(id("accept"), accept(l, ADDR));
		if (a >= 0) {
			FACT_ADDR(id("accepted_sockname"),
				  getsockname(a, ADDR));
			FACT_ADDR(id("accepted_peername"),
				  getpeername(a, ADDR));
			FACT_MASK(id("accepted_mask"), a);
			FACT_SO_ERROR(id("accepted_error"), a);
			FACT(id("accepted_recv"),
			     recv(a, &byte, 1, MSG_DONTWAIT));
			FACT(id("accepted_send"),
			     send(a, "y", 1, MSG_NOSIGNAL));
		}
		close(a);
		FACT(id("accept_more"), accept(l, NULL, NULL));
		close(l);
	}
	AT (side) {
		settle();
		FACT(id("recv"), recv(s, &byte, 1, MSG_DONTWAIT));
		close(s);
	}
}

int main(int argc, char **argv)
{
	static const unsigned int cids[] = { 1, 2, 3 };
	enum side side;
	size_t i, k;

	pair_start(argc, argv);
	for (side = HOST; side <= GUEST; side++)
		for (i = 0; i < 3; i++)
			for (k = 0; k < 3; k++)
				if (cids[i] == 1 || cids[i] == cid_of(side))
					dial(side, cids[i], cids[k]);
	return pair_end();
}
