/* SPDX-License-Identifier: MIT */
/* What random calls (fuzz/) found, each with as few calls as show it. */
#include "oracle.h"

#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/select.h>

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

/* A peer that died with data unread. */
static void unread_deaths(void)
{
	struct conn p = connection();
	int on = 1;

	MUST(send(p.c, "x", 1, 0));
	MUST(send(p.a, "abc", 3, 0));
	settle();
	close(p.a);
	settle();
	FACT("unread_death_shut_rd", shutdown(p.c, SHUT_RD));
	FACT("unread_death_shut_rd_recv", recv(p.c, buf, sizeof(buf), 0));
	close(p.c);

	p = connection();
	MUST(setsockopt(p.c, SOL_SOCKET, SO_SELECT_ERR_QUEUE, &on, sizeof(on)));
	MUST(send(p.c, "x", 1, 0));
	settle();
	close(p.a);
	settle();
	FACT_MASK("unread_death_select_err_queue", p.c);
	close(p.c);
}

static void await_sleep(pid_t pid)
{
	char path[32], stat[512], *state = NULL;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	while (!state || state[2] != 'S') {
		nap();
		fd = (int)MUST(open(path, O_RDONLY));
		n = MUST(read(fd, stat, sizeof(stat) - 1));
		close(fd);
		stat[n] = '\0';
		state = strrchr(stat, ')');
	}
}

static const char *promptly(long since)
{
	return now_ms() - since < DEADLINE_MS / 2 ? "promptly" : "late";
}

/* A connect that is refused is seen by whoever waits, whatever for. */
static void refusals(void)
{
	struct epoll_event ev = { .events = EPOLLIN };
	struct timeval t = { 5, 0 };
	int s = vsock(), ep = (int)MUST(epoll_create1(0));
	long begin;
	struct pollfd p;
	fd_set in, ex;

	set_nonblock(s, true);
	MUST(epoll_ctl(ep, EPOLL_CTL_ADD, s, &ev));
	FACT("refused_epoll_in_before", epoll_wait(ep, &ev, 1, 10));
	MUST_FAIL(connect(s, vm(1, 5999), 16));
	begin = now_ms();
	FACT("refused_epoll_in", epoll_wait(ep, &ev, 1, DEADLINE_MS));
	say("refused_epoll_in_mask", "%s, %s", mask_text(ev.events),
	    promptly(begin));
	close(s);

	s = vsock();
	set_nonblock(s, true);
	ev.events = EPOLLIN | EPOLLET;
	MUST(epoll_ctl(ep, EPOLL_CTL_ADD, s, &ev));
	FACT("refused_epoll_in_et_before", epoll_wait(ep, &ev, 1, 10));
	MUST_FAIL(connect(s, vm(1, 5999), 16));
	FACT("refused_epoll_in_et", epoll_wait(ep, &ev, 1, DEADLINE_MS));
	say("refused_epoll_in_et_mask", "%s", mask_text(ev.events));
	close(ep);
	close(s);

	s = vsock();
	set_nonblock(s, true);
	p = (struct pollfd){ .fd = s, .events = POLLIN };
	begin = now_ms();
	BESIDE_CHILD(
		{
			FACT("refused_poll_in", poll(&p, 1, DEADLINE_MS));
			say("refused_poll_in_woken", "%s", promptly(begin));
		},
		{
			await_sleep(pid_);
			MUST_FAIL(connect(s, vm(1, 5999), 16));
		});
	close(s);

	s = vsock();
	set_nonblock(s, true);
	FD_ZERO(&in);
	FD_SET(s, &in);
	begin = now_ms();
	BESIDE_CHILD(
		{
			FACT("refused_select",
			     select(s + 1, &in, NULL, NULL, &t));
			say("refused_select_woken", "%s", promptly(begin));
		},
		{
			await_sleep(pid_);
			MUST_FAIL(connect(s, vm(1, 5999), 16));
		});
	FD_ZERO(&ex);
	FD_SET(s, &ex);
	t = (struct timeval){ 0, 50000 };
	FACT("refused_select_ex", select(s + 1, NULL, NULL, &ex, &t));
	say("refused_select_ex_left", "%s", t.tv_usec ? "some" : "no time");
	close(s);
}

/* A plain socket with the datum that a vsock socket had, whose number is
 * another's by then. */
static void reused_datum(void)
{
	struct epoll_event ev = { .events = EPOLLOUT };
	int s = vsock(), ep = (int)MUST(epoll_create1(0)), t, pair[2];

	MUST(epoll_ctl(ep, EPOLL_CTL_ADD, s, &ev));
	close(s);
	t = (int)MUST(open("/dev/vsock", O_RDWR));
	say("reused_number", "%d", s == t);
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	close(pair[1]);
	MUST(epoll_ctl(ep, EPOLL_CTL_ADD, pair[0], &ev));
	FACT("reused_datum", epoll_wait(ep, &ev, 1, 0));
	say("reused_datum_mask", "%s", mask_text(ev.events));
	close(pair[0]);
	close(ep);
	close(t);
}

/* In a program that has only inherited them: fuzzed FRESH CLIENT. */
static void inherited(const char *fresh, const char *client)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr *inet = (struct sockaddr *)&in;
	int s = atoi(fresh), c = atoi(client), t = dup(s), u = dup(s);
	int d = dup(c), e = dup(c), f = dup(c);

	FACT("inherited_bind_inet", bind(s, inet, 16));
	FACT("inherited_connect_inet", connect(t, inet, 16));
	FACT("inherited_listen", listen(u, 1));
	FACT("inherited_client_connect_inet", connect(c, inet, 16));
	FACT("inherited_client_listen", listen(d, 1));
	FACT("inherited_client_send_null", send(e, nil, 8, 0));
	FACT("inherited_client_write_null", write(f, nil, 8));
}

static void by_exec(void)
{
	char self[4096] = "", fresh[16], client[16];
	char *argv[] = { self, fresh, client, NULL };
	struct conn p = connection();
	int s = vsock();

	MUST(readlink("/proc/self/exe", self, sizeof(self) - 1));
	snprintf(fresh, sizeof(fresh), "%d", s);
	snprintf(client, sizeof(client), "%d", p.c);
	IN_CHILD(execv(self, argv));
	close(s);
	disconnect(p);
}

int main(int argc, char **argv)
{
	oracle_start();
	if (argc == 3) {
		inherited(argv[1], argv[2]);
		return 0;
	}
	unreadable_addresses();
	refused_options();
	requests();
	empty_vectors();
	ports();
	errors();
	unread_deaths();
	refusals();
	reused_datum();
	by_exec();
	return 0;
}
