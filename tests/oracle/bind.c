/* SPDX-License-Identifier: MIT */
/* bind(): which addresses it takes, in which states, and what it checks first.
 */
#include "oracle.h"

#include <netinet/in.h>
#include <sys/un.h>

static struct sockaddr_vm raw;

/* An address whose every byte is the caller's business. */
static struct sockaddr *with(unsigned short family, unsigned char flags)
{
	raw = (struct sockaddr_vm){ .svm_family = family,
				    .svm_port = 5000,
				    .svm_cid = ANY,
				    .svm_flags = flags };
	return (struct sockaddr *)&raw;
}

static struct sockaddr *large(void)
{
	static union {
		struct sockaddr_vm vm;
		char bytes[256];
	} room;

	room.vm = *(struct sockaddr_vm *)vm(ANY, 5000);
	memset(room.bytes + sizeof(room.vm), 0xff,
	       sizeof(room) - sizeof(room.vm));
	return (struct sockaddr *)&room;
}

static struct sockaddr *odd(void)
{
	static char room[64];

	memcpy(room + 1, vm(ANY, 5000), sizeof(struct sockaddr_vm));
	return (struct sockaddr *)(room + 1);
}

/* 16 good bytes, then a page which cannot be read. */
static struct sockaddr *edge(void)
{
	memcpy(nowhere - 16, vm(ANY, 5000), 16);
	return (struct sockaddr *)(nowhere - 16);
}

static void lengths(void)
{
	FACT_FRESH("len_16", bind(fresh, vm(ANY, 5000), 16));
	FACT_FRESH("len_0", bind(fresh, vm(ANY, 5000), 0));
	FACT_FRESH("len_1", bind(fresh, vm(ANY, 5000), 1));
	FACT_FRESH("len_2", bind(fresh, vm(ANY, 5000), 2));
	FACT_FRESH("len_15", bind(fresh, vm(ANY, 5000), 15));
	FACT_FRESH("len_17", bind(fresh, large(), 17));
	FACT_FRESH("len_128", bind(fresh, large(), 128));
	FACT_FRESH("len_129", bind(fresh, large(), 129));
	FACT_FRESH("len_negative", bind(fresh, large(), (socklen_t)-1));
	FACT_FRESH("len_int_max", bind(fresh, large(), INT_MAX));
}

static void pointers(void)
{
	struct sockaddr *gone = (struct sockaddr *)nowhere;
	struct sockaddr *null = (struct sockaddr *)nil;

	FACT_FRESH("null_len_16", bind(fresh, null, 16));
	FACT_FRESH("null_len_0", bind(fresh, null, 0));
	FACT_FRESH("null_len_129", bind(fresh, null, 129));
	FACT_FRESH("unreadable_len_16", bind(fresh, gone, 16));
	FACT_FRESH("unreadable_len_15", bind(fresh, gone, 15));
	FACT_FRESH("unreadable_len_0", bind(fresh, gone, 0));
	FACT_FRESH("unreadable_len_129", bind(fresh, gone, 129));
	FACT_FRESH("edge_len_16", bind(fresh, edge(), 16));
	FACT_FRESH("edge_len_17", bind(fresh, edge(), 17));
	FACT_FRESH("misaligned", bind(fresh, odd(), 16));
}

static void contents(void)
{
	int s;

	FACT_FRESH("family_unspec", bind(fresh, with(AF_UNSPEC, 0), 16));
	FACT_FRESH("family_unix", bind(fresh, with(AF_UNIX, 0), 16));
	FACT_FRESH("family_inet", bind(fresh, with(AF_INET, 0), 16));
	FACT_FRESH("family_41", bind(fresh, with(41, 0), 16));
	FACT_FRESH("flags_2", bind(fresh, with(AF_VSOCK, 2), 16));
	FACT_FRESH("flags_3", bind(fresh, with(AF_VSOCK, 3), 16));
	FACT_FRESH("flags_128", bind(fresh, with(AF_VSOCK, 128), 16));

	s = vsock();
	FACT("flags_to_host", bind(s, with(AF_VSOCK, 1), 16));
	FACT_ADDR("flags_to_host_name", getsockname(s, ADDR));
	close(s);

	s = vsock();
	with(AF_VSOCK, 0);
	raw.svm_reserved1 = 0xbeef;
	memset(raw.svm_zero, 0xaa, sizeof(raw.svm_zero));
	FACT("padding", bind(s, (struct sockaddr *)&raw, 16));
	FACT_ADDR("padding_name", getsockname(s, ADDR));
	close(s);
}

static void cids(void)
{
	int s;

	FACT_FRESH("cid_any", bind(fresh, vm(ANY, 5000), 16));
	FACT_FRESH("cid_0", bind(fresh, vm(0, 5000), 16));
	FACT_FRESH("cid_1", bind(fresh, vm(1, 5000), 16));
	FACT_FRESH("cid_2", bind(fresh, vm(2, 5000), 16));
	FACT_FRESH("cid_3", bind(fresh, vm(3, 5000), 16));
	FACT_FRESH("cid_99", bind(fresh, vm(99, 5000), 16));
	FACT_FRESH("cid_max", bind(fresh, vm(ANY - 1, 5000), 16));
	FACT_FRESH("cid_99_port_any", bind(fresh, vm(99, PORT_ANY), 16));

	s = vsock();
	FACT("after_failure_first", bind(s, vm(99, 5000), 16));
	FACT_ADDR("after_failure_name", getsockname(s, ADDR));
	FACT("after_failure_again", bind(s, vm(1, 5000), 16));
	FACT_ADDR("after_failure_again_name", getsockname(s, ADDR));
	close(s);
}

static void states(void)
{
	struct conn p;
	int s = bound(ANY, 5000);

	FACT("again_same", bind(s, vm(ANY, 5000), 16));
	FACT("again_other_port", bind(s, vm(ANY, 5001), 16));
	FACT("again_port_any", bind(s, vm(ANY, PORT_ANY), 16));
	FACT("again_foreign_cid", bind(s, vm(99, 5001), 16));
	FACT("again_len_15", bind(s, vm(ANY, 5001), 15));
	FACT("again_null", bind(s, (struct sockaddr *)nil, 16));
	MUST(listen(s, 1));
	FACT("listening", bind(s, vm(ANY, 5001), 16));
	close(s);

	p = connection();
	FACT("connected", bind(p.c, vm(ANY, 5001), 16));
	FACT("accepted", bind(p.a, vm(ANY, 5001), 16));
	disconnect(p);

	s = vsock();
	FACT("refused_connect", connect(s, vm(1, 5999), 16));
	FACT("after_refused", bind(s, vm(ANY, 5001), 16));
	close(s);

	/* No such machine: found out before a port is chosen. */
	s = vsock();
	FACT("nodev_connect", connect(s, vm(99, 5999), 16));
	FACT("after_nodev", bind(s, vm(ANY, 5001), 16));
	close(s);
}

static void not_sockets(void)
{
	int file = (int)MUST(open("/dev/null", O_RDWR));
	struct sockaddr *null = (struct sockaddr *)nil;

	FACT("badf", bind(-1, vm(ANY, 5000), 16));
	FACT("badf_null", bind(-1, null, 129));
	FACT("notsock", bind(file, vm(ANY, 5000), 16));
	FACT("notsock_null", bind(file, null, 129));
}

int main(void)
{
	oracle_start();
	lengths();
	pointers();
	contents();
	cids();
	states();
	not_sockets();
	return 0;
}
