/* SPDX-License-Identifier: MIT */
/* What the four ends of a connection between two machines are called. */
#include "pair.h"

static void names(const char *way)
{
	unsigned int port = 0;
	int l = -1, s = -1;

	about("%s", way);
	AT (to)
		l = listener(ANY, 5000, 8);
	AT (from) {
		s = vsock();
		FACT(id("connect"), connect(s, there(5000), 16));
		FACT_ADDR(id("client_sockname"), getsockname(s, ADDR));
		FACT_ADDR(id("client_peername"), getpeername(s, ADDR));
		port = port_of(s);
		MUST(send(s, &port, sizeof(port), 0));
	}
	AT (to) {
		s = FACT_FD_ADDR(id("accept"), accept(l, ADDR));
		FACT_ADDR(id("accepted_sockname"), getsockname(s, ADDR));
		FACT_ADDR(id("accepted_peername"), getpeername(s, ADDR));
		MUST(recv(s, &port, sizeof(port), 0));
		say(id("clients_port"), "is the client's own: %d",
		    port == got.vm.svm_port);
		close(l);
		close(s);
	}
	AT (from) {
		FACT_ADDR(id("closed_sockname"), getsockname(s, ADDR));
		FACT_ADDR(id("closed_peername"), getpeername(s, ADDR));
		close(s);
	}
}

/* The client was bound before, to a port of its choice. */
static void bound_client(const char *way)
{
	int l = -1, s = -1;

	about("%s_bound", way);
	AT (to)
		l = listener(ANY, 5000, 8);
	AT (from) {
		s = bound(ANY, 5001);
		FACT(id("connect"), connect(s, there(5000), 16));
		FACT_ADDR(id("client_sockname"), getsockname(s, ADDR));
	}
	AT (to) {
		s = FACT_FD_ADDR(id("accept"), accept(l, ADDR));
		FACT_ADDR(id("accepted_peername"), getpeername(s, ADDR));
	}
	close(s);
	AT (to)
		close(l);
}

/* What connect() was told, byte for byte. */
static void odd_address(const char *way)
{
	struct sockaddr_vm a;
	int l = -1, s = -1;

	about("%s_odd", way);
	AT (to)
		l = listener(ANY, 5000, 8);
	AT (from) {
		s = vsock();
		memcpy(&a, there(5000), sizeof(a));
		a.svm_reserved1 = 0x1234;
		memset(a.svm_zero, 0x56, sizeof(a.svm_zero));
		FACT(id("connect"), connect(s, (struct sockaddr *)&a, 16));
		FACT_ADDR(id("client_peername"), getpeername(s, ADDR));
	}
	AT (to) {
		close(s);
		s = FACT_FD_ADDR(id("accept"), accept(l, ADDR));
		FACT_ADDR(id("accepted_sockname"), getsockname(s, ADDR));
		close(l);
	}
	close(s);
}

/* Two connections at once do not share a name. */
static void two_clients(const char *way)
{
	int l = -1, s[2] = { -1, -1 };

	about("%s_two", way);
	AT (to)
		l = listener(ANY, 5000, 8);
	AT (from) {
		s[0] = client(cid_of(to), 5000);
		s[1] = client(cid_of(to), 5000);
		FACT_ADDR(id("first"), getsockname(s[0], ADDR));
		FACT_ADDR(id("second"), getsockname(s[1], ADDR));
		say(id("ports"), "the second is the next: %d",
		    port_of(s[1]) == port_of(s[0]) + 1);
	}
	AT (to) {
		s[0] = FACT_FD_ADDR(id("accept_first"), accept(l, ADDR));
		s[1] = FACT_FD_ADDR(id("accept_second"), accept(l, ADDR));
		close(l);
	}
	close(s[0]);
	close(s[1]);
}

int main(int argc, char **argv)
{
	pair_start(argc, argv);
	BOTH_WAYS(names);
	BOTH_WAYS(bound_client);
	BOTH_WAYS(odd_address);
	BOTH_WAYS(two_clients);
	return pair_end();
}
