/* SPDX-License-Identifier: MIT */
/* core/route: the kernel's routing table, profile by profile. */
#include "core/route.h"

#include "tests/unit/tap.h"

#define ANY VMADDR_CID_ANY

static const char *const words[] = { "local", "another machine", "no device",
				     "no such guest", "silence" };

static void goes(uint32_t own, uint32_t cid, uint8_t flags, enum route want,
		 uint32_t machine)
{
	uint32_t to;
	enum route got = route_connect(own, cid, flags, &to);

	ok(got == want && (got > ROUTE_PEER || to == machine),
	   "from %u to %u with flags %u: %s", own, cid, flags, words[want]);
}

int main(void)
{
	/* L: only the loopback transport */
	goes(1, 1, 0, ROUTE_LOCAL, 1);
	goes(1, 2, 0, ROUTE_LOCAL, 1);
	goes(1, 2, 1, ROUTE_LOCAL, 1);
	goes(1, 0, 0, ROUTE_NODEV, 0);
	goes(1, 3, 0, ROUTE_NODEV, 0);
	goes(1, ANY, 0, ROUTE_NODEV, 0);
	/* H: a host */
	goes(2, 1, 0, ROUTE_LOCAL, 2);
	goes(2, 2, 0, ROUTE_LOCAL, 2);
	goes(2, 3, 0, ROUTE_PEER, 3);
	goes(2, 3, 1, ROUTE_NODEV, 0);
	goes(2, 0, 0, ROUTE_NODEV, 0);
	goes(2, ANY, 0, ROUTE_ABSENT, 0);
	goes(2, ANY, 1, ROUTE_NODEV, 0);
	/* G: a guest */
	goes(3, 1, 0, ROUTE_LOCAL, 3);
	goes(3, 3, 0, ROUTE_LOCAL, 3);
	goes(3, 2, 0, ROUTE_PEER, 2);
	goes(3, 2, 1, ROUTE_PEER, 2);
	goes(3, 4, 0, ROUTE_PEER, 4);
	goes(3, 0, 0, ROUTE_SILENT, 0);
	goes(3, ANY, 0, ROUTE_SILENT, 0);

	ok(route_absent(2, 3) == ROUTE_ABSENT, "a host knows its guests");
	ok(route_absent(3, 2) == ROUTE_PEER, "a guest always has its host");
	ok(route_absent(3, 4) == ROUTE_SILENT, "a guest's siblings are unseen");

	ok(route_may_bind(3, 3) && route_may_bind(3, 1) &&
		   route_may_bind(3, ANY),
	   "a guest binds to its CID, to 1 and to any");
	ok(!route_may_bind(3, 2) && !route_may_bind(1, 2) &&
		   !route_may_bind(2, 0) && !route_may_bind(2, 3),
	   "nobody binds to another's");
	ok(route_source(3, ROUTE_LOCAL) == 1 &&
		   route_source(3, ROUTE_PEER) == 3,
	   "loopback's source is CID 1, else the own CID");
	return done();
}
