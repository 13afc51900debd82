/* SPDX-License-Identifier: MIT */
/* select() and pselect(): what poll()'s masks become. */
#include "oracle.h"

#include <sys/select.h>

/* All three sets, without waiting, or until one of the fd's bits is there. */
static void ask(const char *id, int fd)
{
	fd_set r, w, x;
	struct timeval now = { 0, 0 };
	int n;

	FD_ZERO(&r);
	FD_ZERO(&w);
	FD_ZERO(&x);
	FD_SET(fd, &r);
	FD_SET(fd, &w);
	FD_SET(fd, &x);
	n = select(fd + 1, &r, &w, &x, &now);
	say(id, "select() = %d%s%s%s", n, FD_ISSET(fd, &r) ? " read" : "",
	    FD_ISSET(fd, &w) ? " write" : "",
	    FD_ISSET(fd, &x) ? " except" : "");
}

static void one_set(const char *id, int fd, char which, long ms)
{
	fd_set set;
	struct timeval t = { ms / 1000, ms % 1000 * 1000 };
	int n;

	FD_ZERO(&set);
	FD_SET(fd, &set);
	n = select(fd + 1, which == 'r' ? &set : NULL,
		   which == 'w' ? &set : NULL, which == 'x' ? &set : NULL, &t);
	say(id, "select(%c) = %d %s", which, n,
	    FD_ISSET(fd, &set) ? "set" : "");
}

static void unconnected(void)
{
	int s = vsock(), c;

	ask("fresh", s);
	one_set("fresh_read", s, 'r', 0);
	one_set("fresh_read_timeout", s, 'r', 50);
	one_set("fresh_write", s, 'w', 1000);
	one_set("fresh_except", s, 'x', 0);
	MUST(bind(s, vm(ANY, 5000), 16));
	ask("bound", s);
	MUST(listen(s, 8));
	ask("listening", s);
	c = client(1, 5000);
	AWAIT_MASK(s, POLLIN);
	ask("pending", s);
	close(MUST(accept(s, NULL, NULL)));
	ask("accepted", s);
	close(c);
	close(s);

	s = vsock();
	set_nonblock(s, true);
	MUST_FAIL(connect(s, vm(1, 5999), 16));
	one_set("refused_wakes_write", s, 'w', DEADLINE_MS);
	ask("refused", s);
	one_set("refused_read", s, 'r', 1000);
	so_error(s);
	ask("refused_error_read", s);
	close(s);
}

static void connected(void)
{
	struct conn p = connection();
	static char data[CREDIT];

	ask("idle", p.c);
	MUST(send(p.c, "x", 1, 0));
	one_set("data_wakes_read", p.a, 'r', DEADLINE_MS);
	ask("data", p.a);
	MUST(recv(p.a, data, 1, 0));
	ask("data_read", p.a);
	MUST(send(p.c, data, sizeof(data), 0));
	ask("window_full", p.c);
	disconnect(p);

	p = connection();
	MUST(shutdown(p.c, SHUT_WR));
	ask("wr_self", p.c);
	one_set("wr_self_write", p.c, 'w', 0);
	AWAIT_MASK(p.a, POLLRDHUP);
	ask("wr_peer", p.a);
	close(p.a);
	AWAIT_MASK(p.c, POLLRDHUP);
	ask("wr_peer_closed", p.c);
	one_set("wr_peer_closed_write", p.c, 'w', 0);
	close(p.c);

	p = connection();
	MUST(shutdown(p.c, SHUT_RD));
	ask("rd_self", p.c);
	disconnect(p);
	p = connection();
	MUST(shutdown(p.c, SHUT_RDWR));
	ask("rdwr_self", p.c);
	disconnect(p);

	p = connection();
	close(p.a);
	AWAIT_MASK(p.c, POLLRDHUP);
	ask("peer_closed", p.c);
	one_set("peer_closed_except", p.c, 'x', 0);
	close(p.c);
}

static void others(void)
{
	struct conn p = connection();
	struct timespec now = { 0, 0 };
	struct timeval zero = { 0, 0 };
	fd_set r;
	int closed_fd = vsock();

	FD_ZERO(&r);
	FD_SET(p.c, &r);
	FD_SET(p.a, &r);
	MUST(send(p.c, "x", 1, 0));
	AWAIT_MASK(p.a, POLLIN);
	FACT("pselect", pselect(64, &r, NULL, NULL, &now, NULL));
	say("pselect_sets", "%d %d", FD_ISSET(p.c, &r), FD_ISSET(p.a, &r));
	close(closed_fd);
	FD_SET(closed_fd, &r);
	FACT("badf", select(64, &r, NULL, NULL, &zero));
	disconnect(p);
}

int main(void)
{
	oracle_start();
	unconnected();
	connected();
	others();
	return 0;
}
