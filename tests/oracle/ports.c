/* SPDX-License-Identifier: MIT */
/* The port space: who clashes with whom, what is free when, PORT_ANY. */
#include "oracle.h"

/* A second socket's bind, while one is at {first, 5000}. */
static void clash(const char *id, unsigned int first, unsigned int second)
{
	int holder = bound(first, 5000);

	FACT_FRESH(id, bind(fresh, vm(second, 5000), 16));
	close(holder);
}

static void clashes(void)
{
	int on = 1, held, s;

	clash("any_any", ANY, ANY);
	clash("any_own", ANY, 1);
	clash("own_any", 1, ANY);
	clash("own_own", 1, 1);
	/* The order of two errors. */
	clash("foreign_cid_busy_port", ANY, 99);

	held = bound(ANY, 5000);
	FACT_FRESH("other_port", bind(fresh, vm(ANY, 5001), 16));
	s = vsock();
	MUST(setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)));
	FACT("reuseaddr_second", bind(s, vm(ANY, 5000), 16));
	MUST(setsockopt(held, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)));
	FACT("reuseaddr_both", bind(s, vm(ANY, 5000), 16));
	close(held);
	FACT("free_after_close", bind(s, vm(ANY, 5000), 16));
	close(s);

	if (TYPE != SOCK_STREAM)
		return; /* seqconn.c asks the rest */
	held = vsock();
	s = (int)MUST(socket(AF_VSOCK, SOCK_SEQPACKET, 0));
	MUST(bind(held, vm(ANY, 5000), 16));
	FACT("seqpacket_after_stream", bind(s, vm(ANY, 5000), 16));
	close(held);
	FACT("seqpacket_when_free", bind(s, vm(ANY, 5000), 16));
	FACT_FRESH("stream_after_seqpacket", bind(fresh, vm(1, 5000), 16));
	close(s);
}

static void connections(void)
{
	struct conn p;
	int l, s, c;

	/* An accepted socket holds no port: its listener's is free at once. */
	l = listener(ANY, 5000, 1);
	p.c = client(1, 5000);
	p.a = (int)MUST(accept(l, NULL, NULL));
	FACT_FRESH("listening", bind(fresh, vm(ANY, 5000), 16));
	close(l);
	s = vsock();
	FACT("accepted_lives", bind(s, vm(ANY, 5000), 16));
	FACT("accepted_lives_listen", listen(s, 1));
	FACT_ADDR("accepted_lives_name", getsockname(p.a, ADDR));
	c = vsock();
	FACT("accepted_lives_connect", connect(c, vm(1, 5000), 16));
	close(c);
	close(s);
	disconnect(p);

	/* A client holds its port until its connection is gone. */
	l = listener(ANY, 5000, 1);
	c = bound(ANY, 5001);
	MUST(connect(c, vm(1, 5000), 16));
	p.a = (int)MUST(accept(l, NULL, NULL));
	FACT_FRESH("client_connected", bind(fresh, vm(ANY, 5001), 16));
	close(c);
	close(p.a);
	s = vsock();
	AWAIT(bind(s, vm(ANY, 5001), 16) == 0);
	FACT_ADDR("client_gone", getsockname(s, ADDR));
	close(s);
	close(l);

	c = bound(1, 5001);
	FACT("refused_connect", connect(c, vm(1, 5999), 16));
	FACT_ADDR("refused_keeps", getsockname(c, ADDR));
	FACT_FRESH("refused_holds", bind(fresh, vm(ANY, 5001), 16));
	close(c);
	FACT_FRESH("refused_closed", bind(fresh, vm(ANY, 5001), 16));
}

static void holders(void)
{
	int s = bound(ANY, 5000), copy = (int)MUST(dup(s)), ready[2], gate[2];
	char byte;
	pid_t pid;

	close(s);
	FACT_FRESH("held_by_dup", bind(fresh, vm(ANY, 5000), 16));
	close(copy);
	FACT_FRESH("dup_closed", bind(fresh, vm(ANY, 5000), 16));

	/* A child that inherits the socket keeps the port. */
	MUST(pipe(gate));
	s = bound(ANY, 5000);
	pid = (pid_t)MUST(fork());
	if (pid == 0) {
		close(gate[1]);
		exit(read(gate[0], &byte, 1) == 0 ? 0 : 1);
	}
	close(s);
	FACT_FRESH("held_by_child", bind(fresh, vm(ANY, 5000), 16));
	close(gate[1]);
	MUST(waitpid(pid, NULL, 0));
	FACT_FRESH("child_exited", bind(fresh, vm(ANY, 5000), 16));

	/* A child that binds, and is killed. */
	MUST(pipe(ready));
	pid = (pid_t)MUST(fork());
	if (pid == 0) {
		listener(ANY, 5000, 1);
		MUST(write(ready[1], "", 1));
		for (;;)
			pause();
	}
	MUST(read(ready[0], &byte, 1));
	FACT_FRESH("held_by_other", bind(fresh, vm(ANY, 5000), 16));
	MUST(kill(pid, SIGKILL));
	MUST(waitpid(pid, NULL, 0));
	FACT_FRESH("other_killed", bind(fresh, vm(ANY, 5000), 16));
	FACT_FRESH("other_killed_connect", connect(fresh, vm(1, 5000), 16));
}

static void ephemeral(void)
{
	int s = bound(ANY, PORT_ANY), t = bound(ANY, PORT_ANY), i, l;
	unsigned int first = port_of(s);
	int taken[24];

	FACT_ADDR("any_name", getsockname(s, ADDR));
	say("any_unprivileged", "%d", first >= 1024);
	say("any_consecutive", "+%u", port_of(t) - first);
	close(t);
	t = bound(1, PORT_ANY);
	FACT_ADDR("any_own_cid_name", getsockname(t, ADDR));
	say("any_not_reused", "+%u", port_of(t) - first);
	close(t);

	t = bound(ANY, 5001);
	close(t);
	t = bound(ANY, PORT_ANY);
	say("explicit_does_not_count", "+%u", port_of(t) - first);
	close(t);

	l = listener(ANY, 5000, 1);
	t = client(1, 5000);
	say("connect_counts", "+%u", port_of(t) - first);
	close(t);
	close(l);
	t = vsock();
	FACT("nodev", connect(t, vm(99, 5000), 16));
	close(t);
	t = bound(ANY, PORT_ANY);
	say("nodev_does_not_count", "+%u", port_of(t) - first);
	first = port_of(t);
	close(t);

	t = bound(ANY, first + 1);
	close(s);
	s = bound(ANY, PORT_ANY);
	say("busy_is_skipped", "+%u", port_of(s) - first);
	first = port_of(s);
	close(t);
	close(s);

	for (i = 0; i < 24; i++)
		taken[i] = bound(ANY, first + 1 + (unsigned int)i);
	FACT_FRESH("24_busy", bind(fresh, vm(ANY, PORT_ANY), 16));
	s = bound(ANY, PORT_ANY);
	say("24_busy_then", "+%u", port_of(s) - first);
	first = port_of(s);
	close(s);
	for (i = 0; i < 24; i++)
		close(taken[i]);

	for (i = 0; i < 24; i++)
		taken[i] = bound(ANY, first + 1 + (unsigned int)i);
	FACT_FRESH("24_busy_connect", connect(fresh, vm(1, 5000), 16));
	for (i = 0; i < 24; i++)
		close(taken[i]);

	FACT_FRESH("largest", bind(fresh, vm(ANY, PORT_ANY - 1), 16));
}

int main(void)
{
	oracle_start();
	clashes();
	connections();
	holders();
	ephemeral();
	return 0;
}
