/* SPDX-License-Identifier: MIT */
/* STREAM and SEQPACKET at one port: who may bind it, who is refused. */
#define TYPE SOCK_SEQPACKET
#include "oracle.h"

static char buf[64];

static int of_type(int type)
{
	return (int)MUST(socket(AF_VSOCK, type, 0));
}

static int listening(int type, unsigned int port, int backlog)
{
	int l = of_type(type);

	MUST(bind(l, vm(ANY, port), 16));
	MUST(listen(l, backlog));
	return l;
}

/* A client of one type, a listener of the other. */
static void mismatch(const char *how, int type, int other)
{
	int l = listening(other, 5000, 1), right = listening(type, 5001, 1);
	int s = of_type(type), t = of_type(other), a;
	char id[64];

#define ID(what) (snprintf(id, sizeof(id), "%s_%s", how, what), id)
	FACT(ID("connect"), connect(s, vm(1, 5000), 16));
	FACT_SO_ERROR(ID("error"), s);
	FACT_MASK(ID("mask"), s);
	FACT_ADDR(ID("peername"), getpeername(s, ADDR));
	FACT(ID("again"), connect(s, vm(1, 5000), 16));
	FACT(ID("by_2"), connect(s, vm(2, 5000), 16));
	settle();
	FACT_MASK(ID("listener_mask"), l);
	FACT(ID("right_connect"), connect(s, vm(1, 5001), 16));
	settle();
	a = FACT_FD(ID("right_accept"), accept(right, NULL, NULL));
	FACT(ID("right_send"), send(s, "abc", 3, 0));
	FACT(ID("right_recv"), recv(a, buf, sizeof(buf), 0));
	close(a);
	close(s);

	s = of_type(type);
	set_nonblock(s, true);
	FACT(ID("nonblock"), connect(s, vm(1, 5000), 16));
	FACT_MASK_AT(ID("nonblock_mask"), s, POLLERR);
	FACT_SO_ERROR(ID("nonblock_error"), s);
	FACT(ID("nonblock_again"), connect(s, vm(1, 5000), 16));
	close(s);

	/* Those who were refused took no place. */
	FACT(ID("first"), connect(t, vm(1, 5000), 16));
	s = of_type(other);
	FACT(ID("second"), connect(s, vm(1, 5000), 16));
	close(s);
	s = of_type(type);
	FACT(ID("full"), connect(s, vm(1, 5000), 16));
	close(s);
	set_nonblock(l, true);
	close(FACT_FD(ID("accept"), accept(l, NULL, NULL)));
	close(FACT_FD(ID("accept_second"), accept(l, NULL, NULL)));
	FACT(ID("accept_none"), accept(l, NULL, NULL));
	close(t);
	close(l);
	close(right);

	/* A port that is bound, and one that was another's a moment ago. */
	t = of_type(other);
	MUST(bind(t, vm(ANY, 5000), 16));
	s = of_type(type);
	FACT(ID("bound"), connect(s, vm(1, 5000), 16));
	close(t);
	l = listening(other, 5000, 1);
	close(l);
	FACT(ID("gone"), connect(s, vm(1, 5000), 16));
	l = listening(type, 5000, 1);
	FACT(ID("now_right"), connect(s, vm(1, 5000), 16));
	settle(); /* 6.1 fails before its request arrives */
	close(l);
	close(s);
}

static void clash(const char *id, int held, int type)
{
	int s = of_type(type);

	FACT(id, bind(s, vm(ANY, 5000), 16));
	close(s);
	close(held);
}

/* There is one space of ports. */
static void ports(void)
{
	int held, l, a, s, t;

	clash("stream_when_listening", listening(SOCK_SEQPACKET, 5000, 1),
	      SOCK_STREAM);
	clash("seqpacket_when_listening", listening(SOCK_STREAM, 5000, 1),
	      SOCK_SEQPACKET);
	l = listening(SOCK_SEQPACKET, 5001, 1);
	held = of_type(SOCK_SEQPACKET);
	MUST(bind(held, vm(ANY, 5000), 16));
	MUST(connect(held, vm(1, 5001), 16));
	clash("stream_when_client", held, SOCK_STREAM);
	close(l);
	settle(); /* the client's port is free when its peer has answered */

	/* A listener is replaced by one of the other type; its connection
	 * lives. */
	l = listening(SOCK_SEQPACKET, 5000, 1);
	s = of_type(SOCK_SEQPACKET);
	MUST(connect(s, vm(1, 5000), 16));
	a = (int)MUST(accept(l, NULL, NULL));
	close(l);
	l = of_type(SOCK_STREAM);
	FACT("replace_bind", bind(l, vm(ANY, 5000), 16));
	FACT("replace_listen", listen(l, 1));
	t = of_type(SOCK_STREAM);
	FACT("replace_connect", connect(t, vm(1, 5000), 16));
	FACT("replace_old_send", send(s, "abc", 3, 0));
	FACT("replace_old_recv", recv(a, buf, sizeof(buf), 0));
	FACT_ADDR("replace_old_name", getsockname(a, ADDR));
	close(t);
	close(l);
	close(a);
	close(s);

	/* They count ephemeral ports together. */
	s = of_type(SOCK_STREAM);
	t = of_type(SOCK_SEQPACKET);
	MUST(bind(s, vm(ANY, PORT_ANY), 16));
	MUST(bind(t, vm(ANY, PORT_ANY), 16));
	say("ephemeral_step", "%u", port_of(t) - port_of(s));
	close(s);
	close(t);
}

static void types(void)
{
	int l = listening(SOCK_SEQPACKET, 5000, 1), c = vsock(), a, value;
	socklen_t len = sizeof(value);

	MUST(connect(c, vm(1, 5000), 16));
	a = (int)MUST(accept(l, NULL, NULL));
	close(l);
	MUST(getsockopt(a, SOL_SOCKET, SO_TYPE, &value, &len));
	say("accepted_type", "%d", value);
	MUST(getsockopt(c, SOL_SOCKET, SO_PROTOCOL, &value, &len));
	say("client_protocol", "%d", value);
	FACT_ADDR("client_sock", getsockname(c, ADDR));
	FACT_ADDR("client_peer", getpeername(c, ADDR));
	FACT_ADDR("accepted_sock", getsockname(a, ADDR));
	FACT_ADDR("accepted_peer", getpeername(a, ADDR));
	close(a);
	close(c);
}

/* Several messages that nobody read, and a peer that is killed. */
static void killed(void)
{
	struct conn p = connection();
	int ready[2];
	pid_t pid;

	MUST(pipe(ready));
	pid = (pid_t)MUST(fork());
	if (pid == 0) {
		close(p.c);
		MUST(send(p.a, "one", 3, MSG_EOR));
		MUST(send(p.a, "two", 3, 0));
		MUST(write(ready[1], "", 1));
		for (;;)
			pause();
	}
	close(p.a);
	MUST(send(p.c, "lost", 4, 0));
	MUST(send(p.c, "lost", 4, MSG_EOR));
	MUST(read(ready[0], buf, 1));
	settle();
	MUST(kill(pid, SIGKILL));
	MUST(waitpid(pid, NULL, 0));
	AWAIT_MASK(p.c, POLLRDHUP);
	FACT_MASK("killed_mask", p.c);
	FACT_SO_ERROR("killed_error", p.c);
	FACT("killed_send", send(p.c, "x", 1, 0));
	FACT_MSG("killed_first", p.c, 64, 0);
	FACT_MSG("killed_second", p.c, 64, 0);
	FACT_MSG("killed_end", p.c, 64, 0);
	FACT("killed_send_again", send(p.c, "x", 1, 0));
	FACT_SO_ERROR("killed_error_after", p.c);
	FACT_MASK("killed_mask_after", p.c);
	close(p.c);
}

int main(void)
{
	oracle_start();
	mismatch("seq_to_stream", SOCK_SEQPACKET, SOCK_STREAM);
	mismatch("stream_to_seq", SOCK_STREAM, SOCK_SEQPACKET);
	ports();
	types();
	killed();
	return 0;
}
