/* SPDX-License-Identifier: MIT */
/* getsockname() and getpeername(), in all states and with all buffers. */
#include "oracle.h"

static void states(void)
{
	int s = vsock(), l, a;

	FACT_ADDR("fresh_sock", getsockname(s, ADDR));
	FACT_ADDR("fresh_peer", getpeername(s, ADDR));
	MUST(bind(s, vm(1, 5000), 16));
	FACT_ADDR("bound_sock", getsockname(s, ADDR));
	FACT_ADDR("bound_peer", getpeername(s, ADDR));
	close(s);

	l = listener(ANY, 5000, 8);
	FACT_ADDR("listener_sock", getsockname(l, ADDR));
	FACT_ADDR("listener_peer", getpeername(l, ADDR));
	s = client(1, 5000);
	FACT_ADDR("client_sock", getsockname(s, ADDR));
	FACT_ADDR("client_peer", getpeername(s, ADDR));
	a = FACT_FD_ADDR("accept", accept(l, ADDR));
	FACT_ADDR("accepted_sock", getsockname(a, ADDR));
	FACT_ADDR("accepted_peer", getpeername(a, ADDR));
	FACT_ADDR("listener_sock_after", getsockname(l, ADDR));
	close(l);
	FACT_ADDR("listener_closed_sock", getsockname(a, ADDR));
	FACT_ADDR("listener_closed_peer", getpeername(s, ADDR));

	close(a);
	AWAIT_MASK(s, POLLRDHUP);
	FACT_ADDR("peer_closed_sock", getsockname(s, ADDR));
	FACT_ADDR("peer_closed_peer", getpeername(s, ADDR));
	MUST(shutdown(s, SHUT_WR));
	FACT_ADDR("shut_wr_sock", getsockname(s, ADDR));
	FACT_ADDR("shut_wr_peer", getpeername(s, ADDR));
	close(s);
}

static void accepted_side(void)
{
	struct conn p = connection();

	close(p.c);
	AWAIT_MASK(p.a, POLLRDHUP);
	FACT_ADDR("client_closed_sock", getsockname(p.a, ADDR));
	FACT_ADDR("client_closed_peer", getpeername(p.a, ADDR));
	MUST(shutdown(p.a, SHUT_RD));
	FACT_ADDR("accepted_shut_rd_sock", getsockname(p.a, ADDR));
	FACT_ADDR("accepted_shut_rd_peer", getpeername(p.a, ADDR));
	close(p.a);
}

/* A client that chose its own address. */
static void bound_clients(void)
{
	int l = listener(ANY, 5000, 8), s, a;

	s = bound(ANY, 5001);
	MUST(connect(s, vm(1, 5000), 16));
	FACT_ADDR("any_client_sock", getsockname(s, ADDR));
	a = FACT_FD_ADDR("any_client_accept", accept(l, ADDR));
	FACT_ADDR("any_client_accepted_sock", getsockname(a, ADDR));
	close(a);
	close(s);

	s = bound(1, 5002);
	MUST(connect(s, vm(1, 5000), 16));
	FACT_ADDR("own_client_sock", getsockname(s, ADDR));
	a = FACT_FD_ADDR("own_client_accept", accept(l, ADDR));
	FACT_ADDR("own_client_accepted_sock", getsockname(a, ADDR));
	close(a);
	close(s);

	s = bound(1, 5003);
	MUST(connect(s, vm(2, 5000), 16));
	FACT_ADDR("own_client_by_2_sock", getsockname(s, ADDR));
	FACT_ADDR("own_client_by_2_peer", getpeername(s, ADDR));
	a = FACT_FD_ADDR("own_client_by_2_accept", accept(l, ADDR));
	FACT_ADDR("own_client_by_2_accepted_sock", getsockname(a, ADDR));
	close(a);
	close(s);
	close(l);

	l = listener(1, 5000, 8);
	s = client(1, 5000);
	FACT_ADDR("own_listener_sock", getsockname(l, ADDR));
	a = FACT_FD_ADDR("own_listener_accept", accept(l, ADDR));
	FACT_ADDR("own_listener_accepted_sock", getsockname(a, ADDR));
	close(a);
	close(s);
	close(l);
}

/* connect() keeps all 16 bytes that it was given. */
static void echo(void)
{
	int l = listener(ANY, 5000, 8), s = vsock(), a;
	struct sockaddr_vm odd = { .svm_family = AF_VSOCK,
				   .svm_reserved1 = 0xbeef,
				   .svm_port = 5000,
				   .svm_cid = 1,
				   .svm_flags = VMADDR_FLAG_TO_HOST,
				   .svm_zero = { 0xaa, 0xbb, 0xcc } };

	FACT("echo_connect", connect(s, (struct sockaddr *)&odd, 16));
	FACT_ADDR("echo_peer", getpeername(s, ADDR));
	FACT_ADDR("echo_sock", getsockname(s, ADDR));
	a = FACT_FD_ADDR("echo_accept", accept(l, ADDR));
	FACT_ADDR("echo_accepted_sock", getsockname(a, ADDR));
	FACT_ADDR("echo_accepted_peer", getpeername(a, ADDR));
	close(a);
	close(s);
	close(l);
}

static void buffers(void)
{
	struct conn p = connection();
	struct sockaddr *null = (struct sockaddr *)nil;
	struct sockaddr *gone = (struct sockaddr *)nowhere;
	socklen_t *no_len = (socklen_t *)nil;
	int file = (int)MUST(open("/dev/null", O_RDWR)), s = vsock();

	FACT_ADDR_LEN("sock_len_17", 17, getsockname(p.a, ADDR));
	FACT_ADDR_LEN("sock_len_16", 16, getsockname(p.a, ADDR));
	FACT_ADDR_LEN("sock_len_15", 15, getsockname(p.a, ADDR));
	FACT_ADDR_LEN("sock_len_8", 8, getsockname(p.a, ADDR));
	FACT_ADDR_LEN("sock_len_1", 1, getsockname(p.a, ADDR));
	FACT_ADDR_LEN("sock_len_0", 0, getsockname(p.a, ADDR));
	FACT_ADDR_LEN("peer_len_8", 8, getpeername(p.c, ADDR));
	FACT_ADDR_LEN("peer_len_0", 0, getpeername(p.c, ADDR));
	FACT_ADDR_LEN("sock_len_negative", (socklen_t)-1,
		      getsockname(p.a, ADDR));
	FACT_ADDR_LEN("peer_len_negative", (socklen_t)-1,
		      getpeername(p.c, ADDR));
	FACT_ADDR_LEN("peer_fresh_len_negative", (socklen_t)-1,
		      getpeername(s, ADDR));

	got_len = 16;
	FACT("sock_null", getsockname(p.a, null, &got_len));
	FACT("peer_null", getpeername(p.c, null, &got_len));
	FACT("sock_unwritable", getsockname(p.a, gone, &got_len));
	got_len = 0;
	FACT("sock_null_len_0", getsockname(p.a, null, &got_len));
	say("sock_null_len_0_len", "%u", got_len);
	FACT("sock_no_len", getsockname(p.a, (struct sockaddr *)&got, no_len));
	FACT("peer_no_len", getpeername(p.c, (struct sockaddr *)&got, no_len));
	FACT("peer_fresh_no_len", getpeername(s, null, no_len));
	FACT("sock_badf", getsockname(-1, null, no_len));
	FACT("peer_badf", getpeername(-1, null, no_len));
	FACT("sock_notsock", getsockname(file, null, no_len));
	FACT("peer_notsock", getpeername(file, null, no_len));
	close(file);
	close(s);
	disconnect(p);
}

int main(void)
{
	oracle_start();
	states();
	accepted_side();
	bound_clients();
	echo();
	buffers();
	return 0;
}
