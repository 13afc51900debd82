/* SPDX-License-Identifier: MIT */
/* The halves of a connection between two machines, shut down in every order. */
#include "pair.h"

static const char *how_name(int how)
{
	return how == SHUT_RD ? "rd" : how == SHUT_WR ? "wr" : "rdwr";
}

/* What one end can still do, in one line. */
static void look(const char *when)
{
	char sent[64], text[64] = "";
	char name[16];
	const char *last;
	ssize_t n;

	snprintf(name, sizeof(name), "SO_ERROR %s", so_error(end));
	errno = 0;
	snprintf(sent, sizeof(sent), "%s",
		 outcome(send(end, when, 2, MSG_NOSIGNAL), false));
	while ((n = recv(end, text + strlen(text), 8, MSG_DONTWAIT)) > 0)
		;
	last = n < 0 ? strerrorname_np(errno) : "0";
	say(id(when), "%s, send = %s, recv \"%s\" then %s, getpeername %s, %s",
	    name, sent, text, last,
	    getpeername(end, (struct sockaddr *)&got, &got_len) < 0
		    ? strerrorname_np(errno)
		    : "0",
	    mask_text(mask_of(end)));
}

/* @side shuts @how, then the other side @then. */
static void halves(enum side side, int how, int then)
{
	about("%s_%s_%s_then_%s", from == GUEST ? "up" : "down",
	      side == from ? "client" : "accepted", how_name(how),
	      how_name(then));
	connect_both();
	AT (side)
		MUST(send(end, "abc", 3, 0));
	AT (!side)
		MUST(send(end, "def", 3, 0));
	AT (side) {
		FACT(id("shutdown"), shutdown(end, how));
		look("1st");
	}
	AT (!side)
		look("2nd");
	AT (side)
		look("3rd");
	AT (!side) {
		FACT(id("peer_shutdown"), shutdown(end, then));
		look("4th");
	}
	AT (side) {
		look("5th");
		FACT(id("shutdown_again"), shutdown(end, SHUT_RDWR));
	}
	AT (!side)
		look("6th");
	close_both();
}

static void all_halves(const char *way)
{
	static const int hows[] = { SHUT_RD, SHUT_WR, SHUT_RDWR };
	size_t i, k;

	(void)way;
	for (i = 0; i < 3; i++) {
		for (k = 0; k < 3; k++) {
			halves(from, hows[i], hows[k]);
			halves(to, hows[i], hows[k]);
		}
	}
}

/* The peer closed before. */
static void peer_gone(enum side side)
{
	about("%s_%s_after_close", from == GUEST ? "up" : "down",
	      side == from ? "client" : "accepted");
	connect_both();
	AT (!side) {
		MUST(send(end, "abc", 3, 0));
		close(end);
	}
	AT (side)
		FACT(id("shutdown_wr"), shutdown(end, SHUT_WR));
	round_trip(side);
	AT (side) {
		look("then");
		FACT(id("shutdown_rdwr"), shutdown(end, SHUT_RDWR));
		look("last");
		close(end);
	}
}

/* The usual end of a client: it says so, then reads to the end. */
static void usual(const char *way)
{
	about("%s_usual", way);
	connect_both();
	AT (from) {
		MUST(send(end, "question", 8, 0));
		FACT(id("shutdown"), shutdown(end, SHUT_WR));
	}
	AT (to) {
		fact_read(id("question"), end);
		FACT_MASK(id("mask"), end);
		FACT(id("answer"), send(end, "answer", 6, MSG_NOSIGNAL));
		close(end);
	}
	AT (from) {
		fact_read(id("answered"), end);
		FACT_MASK(id("client_mask"), end);
		FACT_SO_ERROR(id("client_error"), end);
		close(end);
	}
	peer_gone(from);
	peer_gone(to);
}

int main(int argc, char **argv)
{
	pair_start(argc, argv);
	BOTH_WAYS(all_halves);
	BOTH_WAYS(usual);
	return pair_end();
}
