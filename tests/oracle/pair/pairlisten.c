/* SPDX-License-Identifier: MIT */
/* Listeners on each of a machine's CIDs, and who reaches them under which. */
#include "pair.h"

/* Machine @side dials @cid; the listener is on machine @at, if not refused. */
static void dial(const char *name, enum side side, unsigned int cid,
		 enum side at, int listening)
{
	char text[64];
	int s = -1, a;

	strcpy(text, prefix);
	about("%s_%s", text, name);
	AT (side) {
		s = vsock();
		FACT(id("connect"), connect(s, vm(cid, 5000), 16));
	}
	AT (at) {
		set_nonblock(listening, true);
		a = FACT_FD_ADDR(id("accept"), accept(listening, ADDR));
		if (a >= 0) {
			FACT_ADDR(id("sockname"), getsockname(a, ADDR));
			close(a);
		}
	}
	AT (side)
		close(s);
	about("%s", text);
}

static void dial_all(enum side at, int l)
{
	dial("by_1", at, 1, at, l);
	dial("by_own", at, cid_of(at), at, l);
	dial("from_other", !at, cid_of(at), at, l);
}

static void listeners(enum side at)
{
	int l = -1, m = -1;

	about("%s_any", name_of(at));
	AT (at)
		l = listener(ANY, 5000, 8);
	dial_all(at, l);
	AT (at)
		close(l);

	about("%s_1", name_of(at));
	AT (at)
		l = listener(1, 5000, 8);
	dial_all(at, l);

	about("%s_both_1", name_of(at));
	AT (at)
		m = listener(cid_of(at), 5000, 8);
	dial_all(at, l);
	about("%s_both_own", name_of(at));
	dial_all(at, m);
	AT (at)
		close(l);

	about("%s_own", name_of(at));
	dial_all(at, m);
	AT (at)
		close(m);

	/* Bound, but nobody listens. */
	about("%s_bound", name_of(at));
	AT (at)
		l = bound(ANY, 5000);
	AT (!at)
		FACT_FRESH(id("connect"),
			   connect(fresh, vm(cid_of(at), 5000), 16));
	AT (at) {
		MUST(listen(l, 1));
		close(l);
	}
}

/* The backlog is full: who comes then is refused, and may come again. */
static void backlog(const char *way)
{
	int l = -1, s[4] = { -1, -1, -1, -1 };

	about("%s_backlog", way);
	AT (to)
		l = listener(ANY, 5000, 1);
	AT (from) {
		for (int i = 0; i < 4; i++)
			s[i] = vsock();
		FACT(id("first"), connect(s[0], there(5000), 16));
		FACT(id("second"), connect(s[1], there(5000), 16));
		FACT(id("third"), connect(s[2], there(5000), 16));
		set_nonblock(s[3], true);
		FACT(id("fourth"), connect(s[3], there(5000), 16));
		FACT_MASK_AT(id("fourth_mask"), s[3], POLLERR);
		FACT_SO_ERROR(id("fourth_error"), s[3]);
	}
	AT (to) {
		close(FACT_FD(id("accept"), accept(l, NULL, NULL)));
	}
	AT (from) {
		FACT(id("third_again"), connect(s[2], there(5000), 16));
		FACT(id("first_recv"), recv(s[0], prefix, 1, 0));
	}
	AT (to) {
		set_nonblock(l, true);
		close(FACT_FD(id("accept_second"), accept(l, NULL, NULL)));
		close(FACT_FD(id("accept_third"), accept(l, NULL, NULL)));
		FACT_FD(id("accept_no_more"), accept(l, NULL, NULL));
		close(l);
	}
	AT (from) {
		for (int i = 0; i < 4; i++)
			close(s[i]);
	}
}

int main(int argc, char **argv)
{
	pair_start(argc, argv);
	listeners(HOST);
	listeners(GUEST);
	BOTH_WAYS(backlog);
	return pair_end();
}
