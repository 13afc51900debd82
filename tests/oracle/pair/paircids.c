/* SPDX-License-Identifier: MIT */
/* Which CIDs a host and a guest have. */
#include "pair.h"

static void cids(enum side side)
{
	unsigned int cid = 0, own = cid_of(side), other = cid_of(!side);
	struct sockaddr *a;
	int dev, s, t;

	about("%s", name_of(side));
	AT (side) {
		dev = (int)MUST(open("/dev/vsock", O_RDONLY));
		FACT(id("dev"),
		     ioctl(dev, IOCTL_VM_SOCKETS_GET_LOCAL_CID, &cid));
		say(id("dev_cid"), "/dev/vsock says %u", cid);
		close(dev);

		FACT_FRESH(id("bind_0"), bind(fresh, vm(0, 5000), 16));
		FACT_FRESH(id("bind_1"), bind(fresh, vm(1, 5000), 16));
		FACT_FRESH(id("bind_2"), bind(fresh, vm(2, 5000), 16));
		FACT_FRESH(id("bind_3"), bind(fresh, vm(3, 5000), 16));
		FACT_FRESH(id("bind_4"), bind(fresh, vm(4, 5000), 16));
		FACT_FRESH(id("bind_any"), bind(fresh, vm(ANY, 5000), 16));
		a = to_host(vm(ANY, 5000));
		s = vsock();
		FACT(id("bind_to_host"), bind(s, a, 16));
		FACT_ADDR(id("bind_to_host_sockname"), getsockname(s, ADDR));
		close(s);

		/* One port, and the machine's two CIDs. */
		s = bound(1, 5000);
		t = vsock();
		FACT(id("after_1_any"), bind(t, vm(ANY, 5000), 16));
		FACT(id("after_1_1"), bind(t, vm(1, 5000), 16));
		FACT(id("after_1_other"), bind(t, vm(other, 5000), 16));
		FACT(id("after_1_own"), bind(t, vm(own, 5000), 16));
		FACT_ADDR(id("after_1_own_sockname"), getsockname(t, ADDR));
		FACT_FRESH(id("after_both_any"),
			   bind(fresh, vm(ANY, 5000), 16));
		close(s);
		FACT_FRESH(id("after_own_any"), bind(fresh, vm(ANY, 5000), 16));
		FACT_FRESH(id("after_own_1"), bind(fresh, vm(1, 5000), 16));
		close(t);
		s = bound(ANY, 5000);
		FACT_FRESH(id("after_any_own"), bind(fresh, vm(own, 5000), 16));
		close(s);
		s = vsock();
		FACT(id("bind_own_any_port"), bind(s, vm(own, PORT_ANY), 16));
		FACT_ADDR(id("bind_own_any_port_sockname"),
			  getsockname(s, ADDR));
		close(s);
	}
}

int main(int argc, char **argv)
{
	pair_start(argc, argv);
	cids(HOST);
	cids(GUEST);
	return pair_end();
}
