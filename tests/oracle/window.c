/* SPDX-License-Identifier: MIT */
/* The window: how much a connection holds unread, and when it opens again. */
#include "oracle.h"

static char data[2 * CREDIT], sink[2 * CREDIT];

static void set_size(int s, int option, uint64_t value)
{
	MUST(setsockopt(s, AF_VSOCK, option, &value, sizeof(value)));
}

/* Sends pieces until the window is full. */
static long fill(int s, size_t piece)
{
	long total = 0;
	ssize_t n;

	while ((n = send(s, data, piece, MSG_DONTWAIT)) > 0)
		total += n;
	return total;
}

static void drain(int s, ssize_t n)
{
	while (n > 0)
		n -= MUST(recv(s, sink, (size_t)n, 0));
}

/* However small the pieces, it is bytes that count. */
static void pieces(void)
{
	static const size_t sizes[] = {
		1, 100, 512, 4096, 16384, 65536, 100000
	};
	unsigned int i;
	char id[32];

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct conn p = connection();
		long total = fill(p.c, sizes[i]);

		snprintf(id, sizeof(id), "pieces_%zu", sizes[i]);
		say(id, "%ld bytes, then %s, poll shows %s", total,
		    strerrorname_np(errno), mask_text(mask_of(p.c)));
		settle();
		snprintf(id, sizeof(id), "pieces_%zu_arrived", sizes[i]);
		say(id, "%d",
		    recv(p.a, sink, sizeof(sink), MSG_DONTWAIT) == total);
		disconnect(p);
	}
}

/* A reader tells of what it read when that is worth it. */
static void opens(void)
{
	static const int upto[] = { 1,	    4096,   65536,  131072,
				    196607, 196608, 196609, 262144 };
	struct conn p = connection();
	unsigned int i;
	int read = 0;
	char id[32];

	MUST(send(p.c, data, CREDIT, 0));
	settle();
	for (i = 0; i < sizeof(upto) / sizeof(upto[0]); i++) {
		drain(p.a, upto[i] - read);
		read = upto[i];
		settle();
		snprintf(id, sizeof(id), "read_%d", read);
		FACT_MASK(id, p.c);
	}
	FACT("read_all_fill", fill(p.c, 65536));
	disconnect(p);

	/* Whatever the reader sends tells it, too. */
	p = connection();
	MUST(send(p.c, data, CREDIT, 0));
	settle();
	drain(p.a, 65536);
	MUST(send(p.a, "x", 1, 0));
	await_bytes(p.c, 1);
	FACT_MASK("answer", p.c);
	FACT("answer_fill", fill(p.c, 65536));
	disconnect(p);

	/* A wish for more than is there is one for the sender to go on. */
	p = connection();
	MUST(send(p.c, data, CREDIT, 0));
	settle();
	drain(p.a, 65536);
	MUST(setsockopt(p.a, SOL_SOCKET, SO_RCVLOWAT, &(int){ 196609 }, 4));
	settle();
	FACT_MASK("lowat", p.c);
	FACT("lowat_fill", fill(p.c, 65536));
	settle();
	FACT_MASK("lowat_reader", p.a);
	disconnect(p);
}

/* The smaller of the two ends' buffers counts. */
static void buffers(void)
{
	static const struct {
		const char *id;
		unsigned int own, peer;
	} pairs[] = {
		{ "own_65536", 65536, 2097152 },
		{ "own_100000", 100000, CREDIT },
		{ "peer_65536", CREDIT, 65536 },
		{ "both_524288", 524288, 524288 },
		{ "own_524288", 524288, CREDIT },
		{ "peer_524288", CREDIT, 524288 },
	};
	unsigned int i;

	for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		int l = listener(ANY, 5000, 1), c = vsock(), a;
		long total;

		set_size(l, SO_VM_SOCKETS_BUFFER_MAX_SIZE, 2097152);
		set_size(l, SO_VM_SOCKETS_BUFFER_SIZE, pairs[i].peer);
		set_size(c, SO_VM_SOCKETS_BUFFER_MAX_SIZE, 2097152);
		set_size(c, SO_VM_SOCKETS_BUFFER_SIZE, pairs[i].own);
		MUST(connect(c, vm(1, 5000), 16));
		a = (int)MUST(accept(l, NULL, NULL));
		total = fill(c, 16384);
		say(pairs[i].id, "%ld bytes, then %s", total,
		    strerrorname_np(errno));
		close(a);
		close(c);
		close(l);
	}
}

/* A buffer that grows while the window is full. */
static void grows(void)
{
	struct conn p = connection();

	set_size(p.c, SO_VM_SOCKETS_BUFFER_MAX_SIZE, 524288);
	set_size(p.c, SO_VM_SOCKETS_BUFFER_SIZE, 524288);
	settle();
	say("grow_before", "%ld", fill(p.c, 65536));
	set_size(p.a, SO_VM_SOCKETS_BUFFER_MAX_SIZE, 524288);
	set_size(p.a, SO_VM_SOCKETS_BUFFER_SIZE, 524288);
	settle();
	FACT_MASK("grown", p.c);
	say("grown_fill", "%ld", fill(p.c, 65536));
	disconnect(p);
}

/* What recv() can be asked to wait for follows the buffer. */
static void waitall(void)
{
	struct conn p = connection();
	int value = 70000;

	set_size(p.a, SO_VM_SOCKETS_BUFFER_SIZE, 70000);
	FACT("waitall_70000",
	     recv(p.a, sink, 70000, MSG_WAITALL | MSG_DONTWAIT));
	FACT("waitall_69999",
	     recv(p.a, sink, 69999, MSG_WAITALL | MSG_DONTWAIT));
	FACT("lowat_70000",
	     setsockopt(p.a, SOL_SOCKET, SO_RCVLOWAT, &value, sizeof(value)));
	value++;
	FACT("lowat_70001",
	     setsockopt(p.a, SOL_SOCKET, SO_RCVLOWAT, &value, sizeof(value)));
	disconnect(p);
}

int main(void)
{
	oracle_start();
	pieces();
	opens();
	buffers();
	grows();
	waitall();
	return 0;
}
