/* SPDX-License-Identifier: MIT */
/* One socket, many fds: dup, fork, and a number that is used again. */
#include "oracle.h"

#include <sys/un.h>

static char buf[64];

static void dups(void)
{
	struct conn p;
	int s = vsock(), d = FACT_FD("dup", dup(s)), e, c;

	FACT("dup_bind", bind(d, vm(1, 5000), 16));
	FACT_ADDR("dup_bind_sockname", getsockname(s, ADDR));
	FACT("dup_listen", listen(s, 8));
	set_nonblock(d, true);
	say("dup_getfl", "%#lx", MUST(fcntl(s, F_GETFL)));
	close(s);
	FACT("dup_accept_none", accept(d, NULL, NULL));
	c = client(1, 5000);
	e = FACT_FD_ADDR("dup_accept", accept(d, ADDR));
	close(c);
	close(d);
	close(e);

	p = connection();
	d = FACT_FD("dup2", dup2(p.c, 100));
	FACT_ADDR("dup2_peername", getpeername(d, ADDR));
	FACT("dup2_connect", connect(d, vm(1, 5000), 16));
	e = FACT_FD("dup3", dup3(p.a, 101, O_CLOEXEC));
	FACT("dup3_getfd", fcntl(e, F_GETFD));
	FACT_ADDR("dup3_sockname", getsockname(e, ADDR));
	close(e);
	e = FACT_FD("dupfd", fcntl(p.a, F_DUPFD_CLOEXEC, 200));
	FACT_ADDR("dupfd_peername", getpeername(e, ADDR));
	close(e);
	close(p.c);
	FACT_MASK("one_of_two_closed_peer", p.a);
	FACT("one_of_two_closed_send", send(d, "abc", 3, 0));
	FACT("one_of_two_closed_recv", recv(p.a, buf, sizeof(buf), 0));
	FACT("dup_shutdown", shutdown(d, SHUT_WR));
	e = dup(d);
	FACT_ADDR("dup_shut_peername", getpeername(e, ADDR));
	FACT("dup_shut_connect", connect(e, vm(1, 5000), 16));
	FACT("dup_shut_send", send(e, "x", 1, MSG_NOSIGNAL));
	FACT_MASK("dup_shut_mask", e);
	close(e);
	close(d);
	close(p.a);

	s = vsock();
	d = dup(s);
	set_nonblock(s, true);
	FACT("dup_nonblock_connect", connect(s, vm(1, 5999), 16));
	AWAIT_MASK(s, POLLERR);
	FACT("dup_nonblock_again", connect(d, vm(1, 5999), 16));
	FACT_SO_ERROR("dup_nonblock_error", d);
	FACT_SO_ERROR("dup_nonblock_error_once", s);
	close(s);
	close(d);
}

/* What a child does to a socket is done to the parent's. */
static void children(void)
{
	int l = listener(ANY, 5000, 8), s = vsock(), a;
	struct conn p;
	uint64_t size = 100000;
	socklen_t len = sizeof(size);

	IN_CHILD(FACT("child_connect", connect(s, vm(1, 5000), 16)));
	FACT_ADDR("child_connect_peername", getpeername(s, ADDR));
	FACT_ADDR("child_connect_sockname", getsockname(s, ADDR));
	FACT("child_connect_again", connect(s, vm(1, 5000), 16));
	FACT_MASK("child_connect_mask", s);
	a = FACT_FD_ADDR("child_connect_accept", accept(l, ADDR));
	IN_CHILD({
		FACT_ADDR("child_sees_sockname", getsockname(a, ADDR));
		FACT_ADDR("child_sees_peername", getpeername(a, ADDR));
		FACT("child_sends", send(a, "abc", 3, 0));
	});
	FACT("child_sent", recv(s, buf, sizeof(buf), 0));
	FACT_MASK("child_exited_mask", s);
	IN_CHILD(close(a));
	FACT("child_closed_send", send(a, "abc", 3, 0));
	FACT("child_closed_recv", recv(s, buf, sizeof(buf), 0));
	IN_CHILD(FACT("child_shutdown", shutdown(s, SHUT_WR)));
	FACT_ADDR("child_shutdown_peername", getpeername(s, ADDR));
	FACT("child_shutdown_connect", connect(s, vm(1, 5000), 16));
	FACT("child_shutdown_send", send(s, "x", 1, MSG_NOSIGNAL));
	FACT_MASK("child_shutdown_mask", s);
	FACT_MASK_AT("child_shutdown_peer_mask", a, POLLRDHUP);
	close(a);
	close(s);

	/* Both accept at one listener. */
	s = client(1, 5000);
	IN_CHILD(close(FACT_FD_ADDR("child_accepts", accept(l, ADDR))));
	FACT_MASK_AT("child_accepts_client_mask", s, POLLRDHUP);
	close(s);
	s = client(1, 5000);
	IN_CHILD(close(l));
	a = FACT_FD("child_closed_listener", accept(l, NULL, NULL));
	close(a);
	close(s);
	close(l);

	s = vsock();
	IN_CHILD(FACT("child_bind", bind(s, vm(1, 5001), 16)));
	FACT_ADDR("child_bind_sockname", getsockname(s, ADDR));
	FACT("child_bind_again", bind(s, vm(1, 5002), 16));
	IN_CHILD(FACT("child_listen", listen(s, 1)));
	FACT_FRESH("child_listen_connect", connect(fresh, vm(1, 5001), 16));
	FACT_MASK("child_listen_mask", s);
	close(s);

	s = vsock();
	set_nonblock(s, true);
	IN_CHILD({
		FACT("child_refused", connect(s, vm(1, 5999), 16));
		AWAIT_MASK(s, POLLERR);
	});
	FACT_MASK("child_refused_mask", s);
	FACT("child_refused_again", connect(s, vm(1, 5999), 16));
	IN_CHILD(FACT_SO_ERROR("child_refused_error", s));
	FACT_SO_ERROR("child_refused_error_once", s);
	FACT("child_refused_still", connect(s, vm(1, 5999), 16));
	close(s);

	p = connection();
	IN_CHILD(FACT("child_sets_size",
		      setsockopt(p.c, AF_VSOCK, SO_VM_SOCKETS_BUFFER_SIZE,
				 &size, sizeof(size))));
	size = 0;
	FACT("child_set_size",
	     getsockopt(p.c, AF_VSOCK, SO_VM_SOCKETS_BUFFER_SIZE, &size, &len));
	say("child_set_size_value", "%llu", (unsigned long long)size);
	disconnect(p);
}

/* All that tells a vsock socket from others, for whatever s is now. */
static void what_is(const char *id, int s)
{
	int domain = -1;
	socklen_t len = sizeof(domain);
	char name[64];
	struct sockaddr_storage a = { 0 };
	socklen_t a_len = sizeof(a);
	int r = getsockname(s, (struct sockaddr *)&a, &a_len);

	snprintf(name, sizeof(name), "%s_getsockname", id);
	say(name, "%s, family %d len %u", r ? strerrorname_np(errno) : "0",
	    r ? 0 : a.ss_family, r ? 0 : a_len);
	r = getsockopt(s, SOL_SOCKET, SO_DOMAIN, &domain, &len);
	snprintf(name, sizeof(name), "%s_domain", id);
	say(name, "%s %d", r ? strerrorname_np(errno) : "0", domain);
	snprintf(name, sizeof(name), "%s_mask", id);
	FACT_MASK(name, s);
}

static void numbers(void)
{
	struct conn p = connection();
	struct sockaddr_un autobind = { .sun_family = AF_UNIX };
	int s = p.c, t, pipes[2], pair[2];
	FILE *f;

	/* Closed in ways that are not close(); no lower number is free. */
	while ((t = dup(0)) < s)
		;
	close(t);
	MUST(shutdown(p.c, SHUT_WR));
	f = fdopen(s, "r+");
	fclose(f);
	t = (int)MUST(socket(AF_UNIX, SOCK_STREAM, 0));
	say("fclose_unix", "%d", t == s);
	what_is("fclose_unix", t);
	FACT("fclose_unix_bind", bind(t, (struct sockaddr *)&autobind, 2));
	close(p.a);
	MUST(close_range((unsigned int)t, (unsigned int)t, 0));
	t = vsock();
	say("close_range_vsock", "%d", t == s);
	what_is("close_range_vsock", t);
	FACT_ADDR("close_range_vsock_sockname", getsockname(t, ADDR));
	FACT_ADDR("close_range_vsock_peername", getpeername(t, ADDR));
	MUST(bind(t, vm(ANY, 5000), 16));
	MUST(close_range((unsigned int)t, (unsigned int)t, 0));
	FACT_FRESH("close_range_port_free", bind(fresh, vm(ANY, 5000), 16));

	/* Overwritten by dup2(). */
	t = listener(ANY, 5000, 1);
	MUST(pipe(pipes));
	MUST(dup2(pipes[0], t));
	what_is("dup2_pipe", t);
	FACT_FRESH("dup2_pipe_port_free", bind(fresh, vm(ANY, 5000), 16));
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	MUST(dup2(pair[0], t));
	what_is("dup2_pair", t);
	FACT("dup2_pair_shutdown", shutdown(t, SHUT_WR));
	FACT("dup2_pair_peer_recv", recv(pair[1], buf, sizeof(buf), 0));
	close(pair[0]);
	close(pair[1]);
	close(t);

	/* A vsock socket in an other socket's place. */
	t = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));
	what_is("inet", t);
	p = connection();
	MUST(dup2(p.c, t));
	what_is("inet_overwritten", t);
	FACT_ADDR("inet_overwritten_peername", getpeername(t, ADDR));
	close(t);
	disconnect(p);

	/* Many, so that a stale record would be met. */
	{
		int wrong = 0, i;

		for (i = 0; i < 50; i++) {
			p = connection();
			expect_addr(sizeof(got));
			wrong += getpeername(p.a, ADDR) != 0 ||
				 got.vm.svm_port != port_of(p.c);
			disconnect(p);
		}
		say("fifty_connections_wrong", "%d", wrong);
	}
}

int main(void)
{
	oracle_start();
	dups();
	children();
	numbers();
	return 0;
}
