/* SPDX-License-Identifier: MIT */
/* send() and its kin: errors and their order, the window, SIGPIPE. */
#include "oracle.h"

static char buf[512 * 1024], abc[] = "abc", de[] = "de";

static void unconnected(void)
{
	int s = vsock(), l;

	FACT("fresh", send(s, "x", 1, 0));
	FACT("fresh_write", write(s, "x", 1));
	FACT("fresh_len_0", send(s, "x", 0, 0));
	FACT("fresh_oob", send(s, "x", 1, MSG_OOB));
	FACT("fresh_to", sendto(s, "x", 1, 0, vm(1, 5000), 16));
	FACT("fresh_to_oob", sendto(s, "x", 1, MSG_OOB, vm(1, 5000), 16));
	FACT("fresh_to_len_1", sendto(s, "x", 1, 0, vm(1, 5000), 1));
	FACT("fresh_to_len_0", sendto(s, "x", 1, 0, vm(1, 5000), 0));
	FACT("fresh_to_len_129", sendto(s, "x", 1, 0, vm(1, 5000), 129));
	FACT("fresh_to_unreadable",
	     sendto(s, "x", 1, 0, (struct sockaddr *)nowhere, 16));
	FACT("fresh_to_null", sendto(s, "x", 1, 0, NULL, 16));
	FACT("fresh_null", send(s, nil, 1, 0));
	MUST(bind(s, vm(ANY, 5000), 16));
	FACT("bound", send(s, "x", 1, 0));
	close(s);
	l = listener(ANY, 5000, 1);
	FACT("listening", send(l, "x", 1, 0));
	FACT("listening_len_0", send(l, "x", 0, 0));
	FACT("listening_to", sendto(l, "x", 1, 0, vm(1, 5000), 16));
	close(l);
	FACT("badf", send(-1, "x", 1, 0));
	say("unconnected_sigpipe", "%d", (int)sigpipes);
}

static void connected(void)
{
	struct conn p = connection();
	struct iovec v[2] = { { abc, 3 }, { de, 2 } };
	struct sockaddr_vm *name = (struct sockaddr_vm *)vm(1, 5000);
	struct msghdr m = { .msg_iov = v, .msg_iovlen = 2 };
	struct mmsghdr mm[2] = { { .msg_hdr = m }, { .msg_hdr = m } };

	FACT("send", send(p.c, "hello", 5, 0));
	FACT("write", write(p.c, "hello", 5));
	FACT("writev", writev(p.c, v, 2));
	FACT("sendmsg", sendmsg(p.c, &m, 0));
	FACT("sendmmsg", sendmmsg(p.c, mm, 2, 0));
	say("sendmmsg_lengths", "%u %u", mm[0].msg_len, mm[1].msg_len);
	await_bytes(p.a, 30);
	FACT("all_arrived", recv(p.a, buf, sizeof(buf) / 4, 0));
	say("all_arrived_data", "%.30s", buf);

	FACT("len_0", send(p.c, "x", 0, 0));
	FACT("len_0_write", write(p.c, "x", 0));
	FACT("len_0_oob", send(p.c, "x", 0, MSG_OOB));
	FACT("oob", send(p.c, "x", 1, MSG_OOB));
	FACT("to", sendto(p.c, "x", 1, 0, vm(1, 5000), 16));
	FACT("to_accepted", sendto(p.a, "x", 1, 0, vm(1, 5000), 16));
	FACT("to_len_1", sendto(p.c, "x", 1, 0, vm(1, 5000), 1));
	FACT("to_len_129", sendto(p.c, "x", 1, 0, vm(1, 5000), 129));
	FACT("to_oob", sendto(p.c, "x", 1, MSG_OOB, vm(1, 5000), 16));
	m.msg_name = name;
	m.msg_namelen = sizeof(*name);
	FACT("sendmsg_name", sendmsg(p.c, &m, 0));
	FACT("none_arrived", recv(p.a, buf, 64, MSG_DONTWAIT));

	FACT("to_len_0", sendto(p.c, "a", 1, 0, vm(1, 5000), 0));
	FACT("to_null", sendto(p.c, "b", 1, 0, NULL, 16));
	m.msg_namelen = 0;
	FACT("sendmsg_name_len_0", sendmsg(p.c, &m, 0));
	FACT("more", send(p.c, "c", 1, MSG_MORE));
	FACT("dontroute", send(p.c, "d", 1, MSG_DONTROUTE));
	FACT("confirm", send(p.c, "e", 1, MSG_CONFIRM));
	FACT("eor", send(p.c, "f", 1, MSG_EOR));
	FACT("zerocopy", send(p.c, "g", 1, MSG_ZEROCOPY));
	await_bytes(p.a, 12);
	FACT("some_arrived", recv(p.a, buf, 64, 0));
	say("some_arrived_data", "%.12s", buf);

	FACT("null_len_0", send(p.c, nil, 0, 0));
	FACT("null", send(p.c, nil, 1, 0));
	FACT("unreadable", send(p.c, nowhere, 10, 0));
	FACT("edge", send(p.c, nowhere - 2, 10, 0));
	FACT("still_good", send(p.c, "ok", 2, 0));
	await_bytes(p.a, 2);
	FACT("still_good_recv", recv(p.a, buf, 64, 0));
	disconnect(p);
}

/* Control messages are taken and go nowhere. */
static void control(void)
{
	struct conn p = connection();
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} ctl;
	struct iovec v = { abc, 3 };
	struct msghdr m = { .msg_iov = &v,
			    .msg_iovlen = 1,
			    .msg_control = &ctl,
			    .msg_controllen = sizeof(ctl) };
	struct cmsghdr *c = &ctl.align;

	memset(&ctl, 0, sizeof(ctl));
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	FACT("rights", sendmsg(p.c, &m, 0));
	c->cmsg_len = 1;
	FACT("cmsg_garbage", sendmsg(p.c, &m, 0));
	memset(CMSG_DATA(c), 0xff, sizeof(int));
	c->cmsg_len = CMSG_LEN(sizeof(int));
	FACT("rights_bad_fd", sendmsg(p.c, &m, 0));
	await_bytes(p.a, 9);
	v = (struct iovec){ buf, 64 };
	memset(&ctl, 0, sizeof(ctl));
	FACT("rights_recvmsg", recvmsg(p.a, &m, 0));
	say("rights_recvmsg_result", "controllen %zu, flags %#x",
	    (size_t)m.msg_controllen, m.msg_flags);
	disconnect(p);
}

static void window(void)
{
	struct conn p = connection();
	static char sink[CREDIT];
	long total = 0;
	ssize_t n;

	set_nonblock(p.c, true);
	FACT("huge_nonblock", send(p.c, buf, sizeof(buf), 0));
	FACT("huge_nonblock_more", send(p.c, buf, 1, 0));
	FACT("huge_nonblock_len_0", send(p.c, buf, 0, 0));
	set_nonblock(p.c, false);
	set_timeout(p.c, SO_SNDTIMEO, 50);
	FACT("full_timeout", send(p.c, buf, 1, 0));
	set_timeout(p.c, SO_SNDTIMEO, 0);
	FACT_INTERRUPTED("full_interrupted", 0, send(p.c, buf, 1, 0));
	await_bytes(p.a, CREDIT - 1);
	while (total < CREDIT && (n = recv(p.a, sink, sizeof(sink), 0)) > 0)
		total += n;
	say("drained", "%ld", total);
	AWAIT_MASK(p.c, POLLOUT);
	set_timeout(p.c, SO_SNDTIMEO, 50);
	FACT("huge_timeout", send(p.c, buf, sizeof(buf), 0));
	disconnect(p);

	p = connection();
	set_nonblock(p.a, true);
	for (total = 0; (n = send(p.a, buf, 16384, 0)) > 0; total += n)
		;
	say("accepted_16384_fill", "%ld bytes, then %s", total,
	    strerrorname_np(errno));
	disconnect(p);

	/* A blocked sender is woken by a peer that reads; nothing is lost. */
	p = connection();
	total = 0;
	BESIDE_CHILD(
		{
			close(p.a);
			FACT("blocking", send(p.c, buf, sizeof(buf), 0));
		},
		{
			close(p.c);
			while ((n = recv(p.a, sink, 60000, 0)) > 0)
				total += n;
		});
	say("blocking_received", "%ld", total);
	close(p.a);
}

/* What a send to nobody does, and how often SIGPIPE comes. */
static void broken(const char *id, int fd)
{
	char name[64];

#define SIGNALLED(what, call)                                                  \
	do {                                                                   \
		sigpipes = 0;                                                  \
		snprintf(name, sizeof(name), "%s_%s", id, what);               \
		FACT(name, call);                                              \
		snprintf(name, sizeof(name), "%s_%s_sigpipe", id, what);       \
		say(name, "%d", (int)sigpipes);                                \
	} while (0)
	struct iovec v = { abc, 1 };

	SIGNALLED("send", send(fd, "x", 1, 0));
	SIGNALLED("nosignal", send(fd, "x", 1, MSG_NOSIGNAL));
	SIGNALLED("write", write(fd, "x", 1));
	SIGNALLED("writev", writev(fd, &v, 1));
	SIGNALLED("len_0", send(fd, "x", 0, 0));
	SIGNALLED("oob", send(fd, "x", 1, MSG_OOB));
	SIGNALLED("to", sendto(fd, "x", 1, 0, vm(1, 5000), 16));
	SIGNALLED("dontwait", send(fd, "x", 1, MSG_DONTWAIT));
}

static void broken_pipes(void)
{
	struct conn p = connection();

	MUST(shutdown(p.c, SHUT_WR));
	broken("shut_wr", p.c);
	disconnect(p);

	p = connection();
	close(p.a);
	AWAIT_MASK(p.c, POLLRDHUP);
	broken("peer_closed", p.c);
	close(p.c);

	p = connection();
	MUST(shutdown(p.a, SHUT_RD));
	AWAIT(send(p.c, "x", 1, MSG_NOSIGNAL) < 0);
	broken("peer_shut_rd", p.c);
	disconnect(p);
}

/* An error that waits is told first, without a signal. */
static void error_waits(void)
{
	int s = refused_client();

	set_nonblock(s, false);
	MUST(shutdown(s, SHUT_WR));
	sigpipes = 0;
	FACT("error_waits", send(s, "x", 1, 0));
	say("error_waits_sigpipe", "%d", (int)sigpipes);
	FACT_SO_ERROR("error_waits_error", s);
	FACT("error_told", send(s, "x", 1, 0));
	say("error_told_sigpipe", "%d", (int)sigpipes);
	close(s);
}

int main(void)
{
	oracle_start();
	unconnected();
	connected();
	control();
	window();
	broken_pipes();
	error_waits();
	return 0;
}
