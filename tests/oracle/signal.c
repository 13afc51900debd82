/* SPDX-License-Identifier: MIT */
/* Signals that come while a call sleeps: which calls go on, which give EINTR.
 */
#include "oracle.h"

#include <sys/epoll.h>
#include <sys/select.h>

static char buf[2 * CREDIT];

/* What the third signal does, so that a call that goes on has an end. */
static void (*volatile ends)(void);
static volatile sig_atomic_t alarms;
static struct conn p;

static void on_tick(int sig UNUSED)
{
	int error = errno;

	if (++alarms == 3)
		ends();
	errno = error;
}

static void ticking(int sa_flags, void (*what)(void))
{
	struct sigaction sa = { .sa_handler = on_tick, .sa_flags = sa_flags };
	struct itimerval t = { .it_value = { 0, 20000 },
			       .it_interval = { 0, 20000 } };

	alarms = 0;
	ends = what;
	MUST(sigaction(SIGALRM, &sa, NULL));
	MUST(setitimer(ITIMER_REAL, &t, NULL));
}

static void told(const char *id, const char *call, long r, bool is_fd)
{
	int error = errno;

	interrupt_soon(false, 0);
	errno = error;
	say(id, "%s = %s", call, outcome(r, is_fd));
}

/* A call that sleeps until the first signal, or goes on until the third. */
#define FACT_SIGNALS(id, sa_flags, what, call)                                 \
	(ticking(sa_flags, what), errno = 0,                                   \
	 told(id, #call, (long)(call), false))

static void nothing(void)
{
}

static void sends_byte(void)
{
	send(p.c, "x", 1, MSG_DONTWAIT);
}

static void closes_peer(void)
{
	close(p.c);
}

static int caller;

static void connects(void)
{
	connect(caller, vm(1, 5000), 16);
}

static void accepting(void)
{
	int l = listener(ANY, 5000, 8), a;

	FACT_SIGNALS("accept", 0, nothing, accept(l, NULL, NULL));
	caller = vsock();
	set_nonblock(caller, true);
	ticking(SA_RESTART, connects);
	errno = 0;
	a = accept(l, NULL, NULL);
	told("accept_restart", "accept(l, NULL, NULL)", a, true);
	close(a);
	close(caller);
	set_timeout(l, SO_RCVTIMEO, 20000);
	FACT_SIGNALS("accept_timeout_restart", SA_RESTART, nothing,
		     accept(l, NULL, NULL));
	close(l);
}

static void receiving(void)
{
	struct iovec v = { buf, 8 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
	struct mmsghdr mm = { .msg_hdr = m };

	p = connection();
	FACT_SIGNALS("recv", 0, nothing, recv(p.a, buf, 8, 0));
	FACT_SIGNALS("read", 0, nothing, read(p.a, buf, 8));
	FACT_SIGNALS("recvmsg", 0, nothing, recvmsg(p.a, &m, 0));
	FACT_SIGNALS("recvmmsg", 0, nothing, recvmmsg(p.a, &mm, 1, 0, NULL));
	FACT_SIGNALS("recv_peek", 0, nothing, recv(p.a, buf, 8, MSG_PEEK));
	FACT_SIGNALS("recv_restart", SA_RESTART, sends_byte,
		     recv(p.a, buf, 8, 0));
	FACT_SIGNALS("read_restart", SA_RESTART, sends_byte, read(p.a, buf, 8));
	FACT_SIGNALS("recvmsg_restart", SA_RESTART, sends_byte,
		     recvmsg(p.a, &m, 0));
	FACT_SIGNALS("recvmmsg_restart", SA_RESTART, sends_byte,
		     recvmmsg(p.a, &mm, 1, 0, NULL));
	set_timeout(p.a, SO_RCVTIMEO, 20000);
	FACT_SIGNALS("recv_timeout_restart", SA_RESTART, nothing,
		     recv(p.a, buf, 8, 0));
	FACT_SIGNALS("recvmsg_timeout_restart", SA_RESTART, nothing,
		     recvmsg(p.a, &m, 0));
	set_timeout(p.a, SO_RCVTIMEO, 0);
	FACT_SIGNALS("recv_end_restart", SA_RESTART, closes_peer,
		     recv(p.a, buf, 8, 0));
	close(p.a);
}

/* What was read already is the answer, signal or not. */
static void receiving_part(void)
{
	int value = 10;

	p = connection();
	MUST(send(p.c, "abc", 3, 0));
	FACT_SIGNALS("waitall_part", 0, nothing,
		     recv(p.a, buf, 8, MSG_WAITALL));
	if (TYPE == SOCK_STREAM) {
		MUST(send(p.c, "abc", 3, 0));
		FACT_SIGNALS("waitall_part_restart", SA_RESTART, nothing,
			     recv(p.a, buf, 8, MSG_WAITALL));
		MUST(setsockopt(p.a, SOL_SOCKET, SO_RCVLOWAT, &value,
				sizeof(value)));
		MUST(send(p.c, "abc", 3, 0));
		FACT_SIGNALS("lowat_part", 0, nothing, recv(p.a, buf, 64, 0));
		FACT_SIGNALS("lowat_none", 0, nothing, recv(p.a, buf, 64, 0));
	}
	disconnect(p);
}

static void reads_all(void)
{
	while (recv(p.a, buf, sizeof(buf), MSG_DONTWAIT) > 0)
		;
}

static void sending(void)
{
	static char out[2 * CREDIT];
	struct iovec v = { out, 8 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
	struct mmsghdr mm = { .msg_hdr = m };

	p = connection();
	if (TYPE == SOCK_STREAM) /* what was sent already is the answer */
		FACT_SIGNALS("send_part", SA_RESTART, nothing,
			     send(p.c, out, CREDIT + 1, 0) > CREDIT / 2);
	else
		MUST(send(p.c, out, CREDIT, 0));
	FACT_SIGNALS("send", 0, nothing, send(p.c, out, 8, 0));
	FACT_SIGNALS("write", 0, nothing, write(p.c, out, 8));
	FACT_SIGNALS("sendmsg", 0, nothing, sendmsg(p.c, &m, 0));
	FACT_SIGNALS("sendmmsg", 0, nothing, sendmmsg(p.c, &mm, 1, 0));
	set_timeout(p.c, SO_SNDTIMEO, 20000);
	FACT_SIGNALS("send_timeout_restart", SA_RESTART, nothing,
		     send(p.c, out, 8, 0));
	set_timeout(p.c, SO_SNDTIMEO, 0);
	settle();
	FACT_SIGNALS("send_restart", SA_RESTART, reads_all,
		     send(p.c, out, 8, 0));
	disconnect(p);
}

/* A connect() that waits for an attempt that is over: never goes on. */
static void connecting(void)
{
	int s = refused_client();

	so_error(s);
	set_nonblock(s, false);
	set_connect_timeout(s, 20000);
	FACT_SIGNALS("connect_restart", SA_RESTART, nothing,
		     connect(s, vm(1, 5999), 16));
	FACT_SO_ERROR("connect_restart_error", s);
	FACT_MASK("connect_restart_mask", s);
	FACT_ADDR("connect_restart_peer", getpeername(s, ADDR));
	close(s);
}

static void watching(void)
{
	struct epoll_event e = { .events = EPOLLIN };
	int ep = (int)MUST(epoll_create1(0));
	struct timespec long_time = { 20, 0 };
	struct timeval long_wait = { 20, 0 };
	struct pollfd q;
	fd_set r;

	p = connection();
	q = (struct pollfd){ .fd = p.a, .events = POLLIN };
	MUST(epoll_ctl(ep, EPOLL_CTL_ADD, p.a, &e));
	FACT_SIGNALS("poll", 0, nothing, poll(&q, 1, -1));
	FACT_SIGNALS("poll_restart", SA_RESTART, nothing, poll(&q, 1, 20000));
	FACT_SIGNALS("ppoll_restart", SA_RESTART, nothing,
		     ppoll(&q, 1, &long_time, NULL));
	FD_ZERO(&r);
	FD_SET(p.a, &r);
	FACT_SIGNALS("select_restart", SA_RESTART, nothing,
		     select(p.a + 1, &r, NULL, NULL, &long_wait));
	FD_ZERO(&r);
	FD_SET(p.a, &r);
	FACT_SIGNALS("pselect_restart", SA_RESTART, nothing,
		     pselect(p.a + 1, &r, NULL, NULL, &long_time, NULL));
	FACT_SIGNALS("epoll_wait_restart", SA_RESTART, nothing,
		     epoll_wait(ep, &e, 1, -1));
	FACT_SIGNALS("epoll_pwait_restart", SA_RESTART, nothing,
		     epoll_pwait(ep, &e, 1, 20000, NULL));

	/* What is masked here but HUP below: waits in another way. */
	close(p.c);
	AWAIT_MASK(p.a, POLLRDHUP);
	q.events = 0;
	FACT_SIGNALS("poll_closed_none_restart", SA_RESTART, nothing,
		     poll(&q, 1, -1));
	e.events = 0;
	MUST(epoll_ctl(ep, EPOLL_CTL_MOD, p.a, &e));
	FACT_SIGNALS("epoll_closed_none_restart", SA_RESTART, nothing,
		     epoll_wait(ep, &e, 1, -1));
	close(p.a);
	close(ep);
}

int main(void)
{
	oracle_start();
	accepting();
	receiving();
	receiving_part();
	sending();
	connecting();
	watching();
	return 0;
}
