/* SPDX-License-Identifier: MIT */
/* connect(), blocking: addresses, routes, states, and trying again. */
#include "oracle.h"

static struct sockaddr *with(unsigned int cid, unsigned short family,
			     unsigned char flags)
{
	struct sockaddr_vm *a = (struct sockaddr_vm *)vm(cid, 5000);

	a->svm_family = family;
	a->svm_flags = flags;
	return (struct sockaddr *)a;
}

static void validation(void)
{
	int file = (int)MUST(open("/dev/null", O_RDWR));
	struct sockaddr *gone = (struct sockaddr *)nowhere;
	struct sockaddr *null = (struct sockaddr *)nil;

	FACT_FRESH("len_0", connect(fresh, vm(1, 5999), 0));
	FACT_FRESH("len_15", connect(fresh, vm(1, 5999), 15));
	FACT_FRESH("len_129", connect(fresh, vm(1, 5999), 129));
	FACT_FRESH("len_negative", connect(fresh, vm(1, 5999), (socklen_t)-1));
	FACT_FRESH("null_len_16", connect(fresh, null, 16));
	FACT_FRESH("null_len_0", connect(fresh, null, 0));
	FACT_FRESH("unreadable_len_16", connect(fresh, gone, 16));
	FACT_FRESH("unreadable_len_15", connect(fresh, gone, 15));
	FACT_FRESH("unreadable_len_129", connect(fresh, gone, 129));
	FACT_FRESH("family_unspec", connect(fresh, with(1, AF_UNSPEC, 0), 16));
	FACT_FRESH("family_inet", connect(fresh, with(1, AF_INET, 0), 16));
	FACT_FRESH("family_unix", connect(fresh, with(1, AF_UNIX, 0), 16));
	FACT_FRESH("flags_2", connect(fresh, with(1, AF_VSOCK, 2), 16));
	FACT_FRESH("flags_2_cid_99", connect(fresh, with(99, AF_VSOCK, 2), 16));
	FACT("badf", connect(-1, vm(1, 5999), 16));
	FACT("badf_null", connect(-1, null, 16));
	FACT("badf_len_129", connect(-1, vm(1, 5999), 129));
	FACT("notsock", connect(file, vm(1, 5999), 16));
	FACT("notsock_null", connect(file, null, 16));
	FACT("notsock_len_129", connect(file, vm(1, 5999), 129));
	FACT("notsock_family_inet", connect(file, with(1, AF_INET, 0), 16));
	close(file);
}

static void routes(void)
{
	int l = listener(ANY, 5000, 8), s, a;

	FACT_FRESH("cid_1", connect(fresh, vm(1, 5000), 16));
	FACT_FRESH("cid_2", connect(fresh, vm(2, 5000), 16));
	FACT_FRESH("cid_0", connect(fresh, vm(0, 5000), 16));
	FACT_FRESH("cid_3", connect(fresh, vm(3, 5000), 16));
	FACT_FRESH("cid_max", connect(fresh, vm(ANY - 1, 5000), 16));
	FACT_FRESH("cid_any", connect(fresh, vm(ANY, 5000), 16));
	FACT_FRESH("to_host", connect(fresh, with(1, AF_VSOCK, 1), 16));
	FACT_FRESH("to_host_cid_2", connect(fresh, with(2, AF_VSOCK, 1), 16));
	FACT_FRESH("to_host_cid_3", connect(fresh, with(3, AF_VSOCK, 1), 16));
	close(l);

	FACT_FRESH("refused", connect(fresh, vm(1, 5000), 16));
	FACT_FRESH("refused_cid_2", connect(fresh, vm(2, 5000), 16));
	FACT_FRESH("port_any", connect(fresh, vm(1, PORT_ANY), 16));
	FACT_FRESH("port_0", connect(fresh, vm(1, 0), 16));
	FACT_FRESH("cid_3_port_any", connect(fresh, vm(3, PORT_ANY), 16));
	s = bound(ANY, 5000);
	FACT_FRESH("bound_not_listening", connect(fresh, vm(1, 5000), 16));
	close(s);

	/* A listener at one address is not found by another. */
	l = listener(1, 5000, 8);
	FACT_FRESH("own_listener", connect(fresh, vm(1, 5000), 16));
	FACT_FRESH("own_listener_by_2", connect(fresh, vm(2, 5000), 16));
	close(l);

	l = listener(ANY, 5000, 8);
	s = vsock();
	FACT("alias", connect(s, vm(2, 5000), 16));
	FACT_ADDR("alias_sockname", getsockname(s, ADDR));
	FACT_ADDR("alias_peername", getpeername(s, ADDR));
	a = FACT_FD_ADDR("alias_accept", accept(l, ADDR));
	FACT_ADDR("alias_accepted_sockname", getsockname(a, ADDR));
	FACT_ADDR("alias_accepted_peername", getpeername(a, ADDR));
	close(a);
	close(s);
	close(l);
}

static void states(void)
{
	struct conn p = connection();
	struct sockaddr *null = (struct sockaddr *)nil;
	int s;

	FACT("connected", connect(p.c, vm(1, 5999), 16));
	FACT("connected_accepted", connect(p.a, vm(1, 5999), 16));
	FACT("connected_cid_99", connect(p.c, vm(99, 5999), 16));
	FACT("connected_unspec", connect(p.c, with(1, AF_UNSPEC, 0), 16));
	FACT("connected_len_15", connect(p.c, vm(1, 5999), 15));
	FACT("connected_len_0", connect(p.c, vm(1, 5999), 0));
	FACT("connected_len_129", connect(p.c, vm(1, 5999), 129));
	FACT("connected_null", connect(p.c, null, 16));
	MUST(shutdown(p.c, SHUT_WR));
	FACT("after_shutdown", connect(p.c, vm(1, 5999), 16));
	FACT("after_shutdown_len_15", connect(p.c, vm(1, 5999), 15));
	close(p.a);
	FACT("after_peer_closed_too", connect(p.c, vm(1, 5999), 16));
	close(p.c);

	s = listener(ANY, 5000, 8);
	FACT("listening", connect(s, vm(1, 5999), 16));
	FACT("listening_self", connect(s, vm(1, 5000), 16));
	FACT("listening_cid_99", connect(s, vm(99, 5999), 16));
	FACT("listening_len_15", connect(s, vm(1, 5999), 15));
	close(s);
}

static void retries(void)
{
	int s = vsock(), l, a;

	FACT("retry_refused", connect(s, vm(1, 5000), 16));
	FACT_MASK("retry_refused_mask", s);
	FACT_SO_ERROR("retry_refused_error", s);
	FACT_ADDR("retry_refused_sockname", getsockname(s, ADDR));
	FACT_ADDR("retry_refused_peername", getpeername(s, ADDR));
	FACT("retry_refused_again", connect(s, vm(1, 5000), 16));
	FACT_ADDR("retry_refused_again_sockname", getsockname(s, ADDR));
	FACT("retry_nodev", connect(s, vm(99, 5000), 16));
	FACT_ADDR("retry_nodev_peername", getpeername(s, ADDR));
	l = listener(ANY, 5000, 8);
	FACT("retry_ok", connect(s, vm(1, 5000), 16));
	FACT_ADDR("retry_ok_sockname", getsockname(s, ADDR));
	close(FACT_FD_ADDR("retry_ok_accept", accept(l, ADDR)));
	close(s);
	close(l);

	s = vsock();
	FACT("nodev", connect(s, vm(99, 5000), 16));
	FACT_ADDR("nodev_sockname", getsockname(s, ADDR));
	FACT_MASK("nodev_mask", s);
	FACT_SO_ERROR("nodev_error", s);
	l = listener(ANY, 5000, 8);
	FACT("nodev_then_ok", connect(s, vm(1, 5000), 16));
	close(s);
	close(l);

	/* What was dialled last counts, not what failed before. */
	s = vsock();
	FACT("by_2_refused", connect(s, vm(2, 5000), 16));
	settle(); /* a late packet of that would rename the next connection */
	l = listener(ANY, 5000, 8);
	FACT("by_2_then_by_1", connect(s, vm(1, 5000), 16));
	a = FACT_FD_ADDR("by_1_accept", accept(l, ADDR));
	FACT_ADDR("by_1_accepted", getsockname(a, ADDR));
	close(a);
	close(s);
	close(l);
	s = bound(1, 5001);
	FACT("by_1_refused", connect(s, vm(1, 5000), 16));
	settle();
	l = listener(ANY, 5000, 8);
	FACT("by_1_then_by_2", connect(s, vm(2, 5000), 16));
	a = FACT_FD_ADDR("by_2_accept", accept(l, ADDR));
	settle();
	FACT_ADDR("by_2_accepted", getsockname(a, ADDR));
	close(a);
	close(s);
	close(l);
}

static void odd_targets(void)
{
	int s = bound(ANY, 5000), l;
	struct conn p;

	set_connect_timeout(s, 100);
	FACT("self", connect(s, vm(1, 5000), 16));
	close(s);
	s = bound(1, 5010);
	set_nonblock(s, true);
	FACT("self_nonblock", connect(s, vm(1, 5010), 16));
	FACT_MASK_AT("self_nonblock_mask", s, POLLERR);
	FACT_SO_ERROR("self_nonblock_error", s);
	FACT("self_nonblock_again", connect(s, vm(1, 5010), 16));
	close(s);
	s = bound(ANY, 5011);
	MUST_FAIL(connect(s, vm(1, 5011), 16));
	l = listener(ANY, 5012, 8);
	FACT("self_then", connect(s, vm(1, 5012), 16));
	close(s);
	close(l);

	l = listener(ANY, 5000, 8);
	p.c = bound(ANY, 5001);
	MUST(connect(p.c, vm(1, 5000), 16));
	s = vsock();
	set_connect_timeout(s, 100);
	FACT("port_of_client", connect(s, vm(1, 5001), 16));
	FACT("port_of_client_unharmed", send(p.c, "x", 1, MSG_NOSIGNAL));
	close(s);
	close(p.c);
	close(l);
}

/* The types must match. */
static void types(void)
{
	int l = listener(ANY, 5000, 8), s, t;

	s = (int)MUST(socket(AF_VSOCK, SOCK_SEQPACKET, 0));
	FACT("seqpacket_to_stream", connect(s, vm(1, 5000), 16));
	set_nonblock(l, true);
	FACT("seqpacket_to_stream_accept", accept(l, NULL, NULL));
	close(s);
	close(l);
	l = (int)MUST(socket(AF_VSOCK, SOCK_SEQPACKET, 0));
	MUST(bind(l, vm(ANY, 5000), 16));
	MUST(listen(l, 8));
	s = vsock();
	FACT("stream_to_seqpacket", connect(s, vm(1, 5000), 16));
	close(l);
	l = listener(ANY, 5000, 8);
	FACT("stream_to_stream_after_all", connect(s, vm(1, 5000), 16));
	t = vsock();
	MUST(connect(t, vm(1, 5000), 16));
	say("clients_ports_differ", "%d", port_of(s) != port_of(t));
	close(t);
	close(s);
	close(l);
}

int main(void)
{
	oracle_start();
	validation();
	routes();
	states();
	retries();
	odd_targets();
	if (TYPE == SOCK_STREAM) /* else seqconn.c asks */
		types();
	return 0;
}
