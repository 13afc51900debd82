/* SPDX-License-Identifier: MIT */
/* What random calls (tests/fuzz) found, each with as few calls as show it. */
#include "oracle.h"

#include <sys/epoll.h>

#include <linux/sockios.h>

static char buf[64];

/* The room that is left in an address's length, though it cannot be written. */
static void unreadable_addresses(void)
{
	int l = listener(ANY, 5000, 8), c = client(1, 5000);
	struct sockaddr *gone = (struct sockaddr *)(void *)nowhere;

	got_len = 128;
	FACT("sockname_nowhere", getsockname(l, gone, &got_len));
	say("sockname_nowhere_len", "%u", got_len);
	got_len = 128;
	FACT("peername_nowhere", getpeername(c, gone, &got_len));
	say("peername_nowhere_len", "%u", got_len);
	got_len = 128;
	FACT("accept_nowhere", accept(l, gone, &got_len));
	say("accept_nowhere_len", "%u", got_len);
	close(c);
	close(l);
}

/* What is looked at before an option is refused. */
static void refused_options(void)
{
	int s = vsock(), size = 4;
	socklen_t *no_len = (socklen_t *)nil, len = (socklen_t)-1;

	FACT("get_unknown_len_null",
	     getsockopt(s, AF_VSOCK, SO_VM_SOCKETS_TRUSTED, &size, no_len));
	FACT("get_unknown_len_negative",
	     getsockopt(s, AF_VSOCK, SO_VM_SOCKETS_TRUSTED, &size, &len));
	FACT("get_peek_off_len_null",
	     getsockopt(s, SOL_SOCKET, SO_PEEK_OFF, &size, no_len));
	FACT("get_peek_off_len_negative",
	     getsockopt(s, SOL_SOCKET, SO_PEEK_OFF, &size, &len));
	FACT("set_peek_off_nowhere",
	     setsockopt(s, SOL_SOCKET, SO_PEEK_OFF, nowhere, sizeof(size)));
	len = 7;
	FACT("get_pacing_len_7",
	     getsockopt(s, SOL_SOCKET, SO_MAX_PACING_RATE, buf, &len));
	say("get_pacing_len_7_len", "%u", len);
	close(s);
}

static void requests(void)
{
	int s = bound(ANY, 5000), n = -1;

	FACT("atmark_null", ioctl(s, SIOCATMARK, nil));
	FACT("protocol_private_null", ioctl(s, SIOCPROTOPRIVATE, nil));
	MUST_FAIL(connect(s, vm(1, 5999), 16));
	FACT("outq_bound_refused", ioctl(s, SIOCOUTQ, &n));
	FACT("outq_bound_refused_listen", listen(s, 1));
	FACT("outq_bound_refused_listens", ioctl(s, SIOCOUTQ, &n));
	close(s);
}

/* No bytes, in a vector: no socket is asked. */
static void empty_vectors(void)
{
	struct iovec none = { nil, 0 };
	struct conn p = connection();
	int s = vsock();

	FACT("writev_fresh_empty", writev(s, &none, 1));
	FACT("writev_fresh_none", writev(s, &none, 0));
	MUST(shutdown(p.c, SHUT_WR));
	FACT("writev_shut_empty", writev(p.c, &none, 1));
	FACT_MSG("recvmsg_empty_cloexec", p.a, 0, MSG_CMSG_CLOEXEC);
	close(s);
	disconnect(p);
}

/* Connecting what is connected takes no port. */
static void ports(void)
{
	int first = bound(ANY, PORT_ANY), l = listener(ANY, 5000, 1),
	    c = client(1, 5000), last;

	FACT("again", connect(c, vm(1, 5000), 16));
	FACT("again_nobody", connect(c, vm(1, 5999), 16));
	last = bound(ANY, PORT_ANY);
	say("again_ports_between", "%u", port_of(last) - port_of(first));
	close(first);
	close(last);
	close(c);
	close(l);

	c = vsock();
	MUST_FAIL(connect(c, vm(1, 5999), 16));
	FACT("own_ephemeral_port", connect(c, vm(1, port_of(c)), 16));
	FACT("own_ephemeral_port_2", connect(c, vm(2, port_of(c)), 16));
	close(c);
}

/* The error of a connect, wherever it is asked for. */
static void errors(void)
{
	struct mmsghdr mm = { .msg_len = 0 };
	socklen_t len = sizeof(int);
	int s = refused_client();

	FACT("recvmmsg_errqueue", recvmmsg(s, &mm, 1, MSG_ERRQUEUE, NULL));
	FACT("error_nowhere",
	     getsockopt(s, SOL_SOCKET, SO_ERROR, nowhere, &len));
	FACT_SO_ERROR("error_nowhere_then", s);
	close(s);

	s = refused_client();
	MUST(shutdown(s, SHUT_WR));
	FACT("shut_send_first", send(s, "x", 1, 0));
	FACT("shut_send", send(s, "x", 1, 0));
	say("shut_send_sigpipes", "%d", (int)sigpipes);
	FACT("shut_send_empty", send(s, "x", 0, MSG_NOSIGNAL));
	close(s);

	/* In a process that has not seen it fail. */
	s = vsock();
	set_nonblock(s, true);
	IN_CHILD(FACT("child_connect", connect(s, vm(1, 5999), 16)));
	settle();
	FACT_SO_ERROR("child_connect_error", s);
	close(s);
	s = vsock();
	set_nonblock(s, true);
	IN_CHILD(MUST_FAIL(connect(s, vm(1, 5999), 16)));
	settle();
	FACT("child_connect_recvmmsg", recvmmsg(s, &mm, 1, 0, NULL));
	close(s);
}

int main(void)
{
	oracle_start();
	unreadable_addresses();
	refused_options();
	requests();
	empty_vectors();
	ports();
	errors();
	return 0;
}
