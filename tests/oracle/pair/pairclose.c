/* SPDX-License-Identifier: MIT */
/* How a connection ends on one machine, and what the other sees of it. */
#include "pair.h"

#include <linux/sockios.h>

static char buf[64];

/* All that can be asked of the end that is left. */
static void survivor(void)
{
	int n = -1;

	FACT_MASK(id("mask"), end);
	FACT_SO_ERROR(id("error"), end);
	FACT(id("fionread"), ioctl(end, FIONREAD, &n));
	say(id("fionread_value"), "%d", n);
	FACT(id("send"), send(end, "x", 1, MSG_NOSIGNAL));
	FACT(id("recv"), recv(end, buf, sizeof(buf), 0));
	FACT(id("recv_again"), recv(end, buf, sizeof(buf), 0));
	FACT_MASK(id("mask_after"), end);
	sigpipes = 0;
	FACT(id("send_after"), send(end, "x", 1, 0));
	say(id("sigpipe"), "%d", (int)sigpipes);
	FACT_SO_ERROR(id("error_after"), end);
	FACT_ADDR(id("peername"), getpeername(end, ADDR));
	FACT(id("connect"), connect(end, vm(1, 5999), 16));
	FACT(id("shutdown"), shutdown(end, SHUT_RDWR));
	FACT(id("close"), close(end));
}

/* Dies with what it holds. */
static void killed(void)
{
	pid_t pid = (pid_t)MUST(fork());

	if (pid == 0)
		for (;;)
			pause();
	close(end);
	MUST(kill(pid, SIGKILL));
	MUST(waitpid(pid, NULL, 0));
}

enum how { CLOSE, KILL, LINGER, LINGER_0 };

static void end_it(enum how how)
{
	struct linger l = { 1, how == LINGER_0 ? 0 : 5 };
	long began = now_ms();

	switch (how) {
	case KILL:
		killed();
		break;
	case LINGER:
	case LINGER_0:
		MUST(setsockopt(end, SOL_SOCKET, SO_LINGER, &l, sizeof(l)));
		close(end);
		say(id("waits"), "%d", now_ms() - began > 3000);
		break;
	default:
		close(end);
	}
}

/* @side ends it, with what is said to the other (@said) and what it did not
 * read
 * (@unread). */
static void ends(enum side side, const char *how_name, enum how how,
		 const char *said, const char *unread)
{
	about("%s_%s_%s%s%s", from == GUEST ? "up" : "down",
	      side == from ? "client" : "accepted", how_name,
	      *said ? "_said" : "", *unread ? "_unread" : "");
	connect_both();
	if (*unread)
		AT (!side)
			MUST(send(end, unread, strlen(unread), 0));
	AT (side) {
		if (*said)
			MUST(send(end, said, strlen(said), 0));
		end_it(how);
	}
	AT (!side)
		survivor();
}

static void closed(const char *way)
{
	enum side side;

	(void)way;
	for (side = HOST; side <= GUEST; side++) {
		ends(side, "closes", CLOSE, "", "");
		ends(side, "closes", CLOSE, "abc", "");
		ends(side, "closes", CLOSE, "", "lost");
		ends(side, "closes", CLOSE, "abc", "lost");
		ends(side, "killed", KILL, "", "");
		ends(side, "killed", KILL, "abc", "lost");
		ends(side, "lingers", LINGER, "abc", "lost");
		ends(side, "aborts", LINGER_0, "abc", "");
	}
}

/* Nobody accepts, and the listener goes. */
static void never_accepted(const char *way)
{
	int l = -1;

	for (int sent = 0; sent <= 1; sent++) {
		about("%s_pending%s", way, sent ? "_sent" : "");
		AT (to)
			l = listener(ANY, 5000, 8);
		AT (from) {
			end = client(cid_of(to), 5000);
			if (sent)
				MUST(send(end, "lost", 4, 0));
		}
		AT (to)
			close(l);
		AT (from)
			survivor();
	}
}

/* The client went before anybody accepted. */
static void gone_client(const char *way)
{
	int l = -1;

	about("%s_gone", way);
	AT (to)
		l = listener(ANY, 5000, 8);
	AT (from) {
		end = client(cid_of(to), 5000);
		MUST(send(end, "abc", 3, 0));
		close(end);
	}
	AT (to) {
		FACT_MASK(id("listener"), l);
		end = FACT_FD_ADDR(id("accept"), accept(l, ADDR));
		close(l);
		survivor();
	}
}

/* Who sleeps in a call is woken. (Should the end come first, the answer is the
 * same.) */
static void sleeper(enum side side, const char *call)
{
	static char big[CREDIT];
	bool sends = strcmp(call, "send") == 0;
	pid_t pid = -1;

	about("%s_%s_sleeps_in", from == GUEST ? "up" : "down",
	      side == from ? "client" : "accepted");
	connect_both();
	AT (side) {
		if (sends)
			MUST(send(end, big, sizeof(big), 0));
		pid = (pid_t)MUST(fork());
		if (pid == 0) {
			long r = sends ? send(end, big, sizeof(big),
					      MSG_NOSIGNAL)
				       : recv(end, buf, sizeof(buf), 0);

			_exit(r < 0 ? errno : 0);
		}
		usleep(20000);
	}
	AT (!side)
		close(end);
	AT (side) {
		int status;

		MUST(waitpid(pid, &status, 0));
		status = WEXITSTATUS(status);
		say(id(call), "ends with %s",
		    status ? strerrorname_np(status) : "success");
		close(end);
	}
}

static void sleepers(const char *way)
{
	(void)way;
	sleeper(from, "recv");
	sleeper(to, "recv");
	sleeper(from, "send");
	sleeper(to, "send");
}

/* A name is free again as soon as its socket is gone. */
static void names(const char *way)
{
	int l = -1, s = -1;

	about("%s_name", way);
	AT (to)
		l = listener(ANY, 5000, 8);
	AT (from) {
		s = bound(ANY, 5001);
		FACT(id("connect"), connect(s, there(5000), 16));
	}
	AT (to) {
		end = FACT_FD_ADDR(id("accept"), accept(l, ADDR));
		close(l);
		FACT_FRESH(id("listener_bind"), bind(fresh, vm(ANY, 5000), 16));
		FACT_FRESH(id("listener_connect"),
			   connect(fresh, vm(1, 5000), 16));
	}
	AT (from) {
		close(s);
	}
	AT (to)
		close(end);
	AT (from) {
		/* The peer has closed, too. */
		s = vsock();
		FACT(id("client_bind"), bind(s, vm(ANY, 5001), 16));
		close(s);
	}
}

int main(int argc, char **argv)
{
	pair_start(argc, argv);
	BOTH_WAYS(closed);
	BOTH_WAYS(never_accepted);
	BOTH_WAYS(gone_client);
	BOTH_WAYS(sleepers);
	BOTH_WAYS(names);
	return pair_end();
}
