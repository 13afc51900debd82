/* SPDX-License-Identifier: MIT */
/* Where a host's and a guest's connect() goes, and what it finds there. */
#include "pair.h"

/* Is there anybody who could answer? */
static bool silent(enum side side, unsigned int cid)
{
	return side == GUEST && (cid == 0 || cid > 3);
}

/* Nobody listens on port 5000 of any machine. */
static void nobody(enum side side, const char *name, unsigned int cid)
{
	int s = vsock();

	about("%s_%s", name_of(side), name);
	if (silent(side, cid))
		set_connect_timeout(s, 100);
	FACT(id("connect"), connect(s, vm(cid, 5000), 16));
	FACT_MASK(id("mask"), s);
	FACT_SO_ERROR(id("error"), s);
	FACT_ADDR(id("sockname"), getsockname(s, ADDR));
	FACT_ADDR(id("peername"), getpeername(s, ADDR));
	FACT(id("again"), connect(s, vm(cid, 5000), 16));
	close(s);

	s = vsock();
	if (silent(side, cid))
		set_connect_timeout(s, 100);
	set_nonblock(s, true);
	if (FACT(id("nonblock"), connect(s, vm(cid, 5000), 16)) < 0 &&
	    errno == EINPROGRESS)
		AWAIT_MASK(s, POLLERR);
	FACT_MASK(id("nonblock_mask"), s);
	FACT_SO_ERROR(id("nonblock_error"), s);
	FACT_SO_ERROR(id("nonblock_no_error"), s);
	FACT_MASK(id("nonblock_mask_after"), s);
	FACT(id("nonblock_again"), connect(s, vm(cid, 5000), 16));
	close(s);
}

static void closed_ports(enum side side)
{
	AT (side) {
		nobody(side, "to_0", 0);
		nobody(side, "to_1", 1);
		nobody(side, "to_2", 2);
		nobody(side, "to_3", 3);
		nobody(side, "to_4", 4);
		nobody(side, "to_max", ANY - 1);
		nobody(side, "to_any", ANY);
	}
}

/* Everybody listens on port 5000: who is found? */
static void find(enum side side, unsigned int cid, bool flag, int listening)
{
	struct sockaddr *a;
	int s = -1, i;

	about("%s_finds_%u%s", name_of(side), cid, flag ? "_flag" : "");
	AT (side) {
		s = vsock();
		if (silent(side, cid))
			set_connect_timeout(s, 100);
		a = flag ? to_host(vm(cid, 5000)) : vm(cid, 5000);
		FACT(id("connect"), connect(s, a, 16));
		FACT_ADDR(id("peername"), getpeername(s, ADDR));
	}
	for (i = HOST; i <= GUEST; i++) {
		AT (i) {
			int c = accept(listening, NULL, NULL);

			if (c < 0)
				continue;
			say(id("found"), "the %s accepts", name_of(i));
			FACT_ADDR(id("accepted_sockname"),
				  getsockname(c, ADDR));
			FACT_ADDR(id("accepted_peername"),
				  getpeername(c, ADDR));
			close(c);
		}
	}
	AT (side)
		close(s);
}

static void open_ports(void)
{
	unsigned int cid;
	int l = -1;

	AT (HOST)
		l = listener(ANY, 5000, 8);
	AT (GUEST)
		l = listener(ANY, 5000, 8);
	set_nonblock(l, true);
	for (cid = 0; cid <= 4; cid++) {
		find(HOST, cid, false, l);
		find(HOST, cid, true, l);
		find(GUEST, cid, false, l);
		find(GUEST, cid, true, l);
	}
	AT (HOST)
		close(l);
	AT (GUEST)
		close(l);
}

/* The type is asked about where the guest is known. */
static void types(const char *way)
{
	int other = TYPE == SOCK_STREAM ? SOCK_SEQPACKET : SOCK_STREAM;
	int l = -1, s;

	about("%s_other_type", way);
	AT (to) {
		l = (int)MUST(socket(AF_VSOCK, other, 0));
		MUST(bind(l, vm(ANY, 5000), 16));
		MUST(listen(l, 8));
	}
	AT (from) {
		s = vsock();
		FACT(id("connect"), connect(s, there(5000), 16));
		close(s);
	}
	AT (to) {
		set_nonblock(l, true);
		FACT(id("accept"), accept(l, NULL, NULL));
		close(l);
	}
}

static void times(void)
{
	long start;
	int s;

	about("time");
	AT (GUEST) {
		s = stream();
		start = now_ms();
		FACT(id("sibling"), connect(s, vm(4, 5000), 16));
		say(id("sibling_took"), "2 s: %d",
		    passed(start, 2000) && !passed(start, PATIENCE_MS));
		set_connect_timeout(s, PATIENCE_MS);
		start = now_ms();
		FACT(id("closed"), connect(s, vm(2, 5000), 16));
		say(id("closed_took"), "no time: %d",
		    now_ms() - start < PATIENCE_MS / 2);
		close(s);
	}
	AT (HOST) {
		s = vsock();
		start = now_ms();
		FACT(id("host_closed"), connect(s, vm(3, 5000), 16));
		FACT(id("host_absent"), connect(s, vm(4, 5000), 16));
		say(id("host_took"), "no time: %d",
		    now_ms() - start < PATIENCE_MS / 2);
		close(s);
	}
}

/* A socket whose connect() failed is as good as new. */
static void retries(void)
{
	int l = -1, s = -1;

	about("retry");
	AT (HOST)
		l = listener(ANY, 5000, 8);
	AT (GUEST) {
		s = vsock();
		set_connect_timeout(s, 100);
		FACT(id("guest_nobody"), connect(s, vm(4, 5000), 16));
		set_connect_timeout(s, PATIENCE_MS);
		FACT(id("guest_closed"), connect(s, vm(2, 5999), 16));
		FACT(id("guest_at_last"), connect(s, vm(2, 5000), 16));
		FACT_ADDR(id("guest_peername"), getpeername(s, ADDR));
	}
	AT (HOST) {
		close(FACT_FD_ADDR(id("host_accept"), accept(l, ADDR)));
		close(l);
	}
	AT (GUEST) {
		close(s);
		l = listener(ANY, 5000, 8);
	}
	AT (HOST) {
		s = vsock();
		FACT(id("host_nobody"), connect(s, vm(4, 5000), 16));
		FACT(id("host_closed"), connect(s, vm(3, 5999), 16));
		FACT(id("host_at_last"), connect(s, vm(3, 5000), 16));
		FACT_ADDR(id("host_peername"), getpeername(s, ADDR));
	}
	AT (GUEST) {
		close(FACT_FD_ADDR(id("guest_accept"), accept(l, ADDR)));
		close(l);
	}
	AT (HOST)
		close(s);
}

int main(int argc, char **argv)
{
	pair_start(argc, argv);
	closed_ports(HOST);
	closed_ports(GUEST);
	open_ports();
	BOTH_WAYS(types);
	if (TYPE == SOCK_STREAM)
		times();
	retries();
	return pair_end();
}
