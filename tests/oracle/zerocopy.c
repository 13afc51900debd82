/* SPDX-License-Identifier: MIT */
/* MSG_ZEROCOPY: what is counted, and what the error queue then says. */
#include "oracle.h"

#include <linux/errqueue.h>
#include <sys/epoll.h>
#include <sys/select.h>

#define EXACT CMSG_LEN(sizeof(struct sock_extended_err))

static char data[3 * CREDIT / 2], sink[2 * CREDIT];

static long set_zerocopy(int s, int on)
{
	return setsockopt(s, SOL_SOCKET, SO_ZEROCOPY, &on, sizeof(on));
}

static void get_zerocopy(const char *id, int s)
{
	int value = -1;
	socklen_t len = sizeof(value);
	long r = (errno = 0,
		  getsockopt(s, SOL_SOCKET, SO_ZEROCOPY, &value, &len));

	say(id, "getsockopt(SO_ZEROCOPY) = %s: %d", outcome(r, false), value);
}

/* A connection whose ends both want to be told. (6.1 has no such option.) */
static struct conn wanting(void)
{
	struct conn p = connection();

	set_zerocopy(p.c, 1);
	set_zerocopy(p.a, 1);
	return p;
}

/* All that is there is read: what lent its pages to the queue is free then. */
static void read_all(int fd)
{
	settle();
	while (recv(fd, sink, sizeof(sink), MSG_DONTWAIT) > 0)
		;
	settle();
}

/* One recvmsg() from the error queue, with room bytes for control messages. */
static void fact_queue(const char *id, int fd, int flags, size_t room)
{
	union {
		char bytes[128];
		struct cmsghdr align;
	} ctl;
	char byte = 'u', text[128] = "no control message";
	struct iovec v = { &byte, 1 };
	struct msghdr m = { .msg_name = &got,
			    .msg_namelen = sizeof(got),
			    .msg_iov = &v,
			    .msg_iovlen = 1,
			    .msg_control = &ctl,
			    .msg_controllen = room,
			    .msg_flags = -1 };
	struct sock_extended_err e;
	struct cmsghdr *c;
	long r;

	memset(&ctl, 0, sizeof(ctl));
	errno = 0;
	r = recvmsg(fd, &m, MSG_ERRQUEUE | flags);
	if (r < 0) {
		say(id, "recvmsg(%s, MSG_ERRQUEUE) = %s", "fd",
		    outcome(r, false));
		return;
	}
	c = CMSG_FIRSTHDR(&m);
	if (c && c->cmsg_len >= CMSG_LEN(sizeof(e))) {
		memcpy(&e, CMSG_DATA(c), sizeof(e));
		snprintf(text, sizeof(text),
			 "level %d type %d errno %u origin %u type %u code %u "
			 "ids %u to %u",
			 c->cmsg_level, c->cmsg_type, e.ee_errno, e.ee_origin,
			 e.ee_type, e.ee_code, e.ee_info, e.ee_data);
	} else if (c) {
		snprintf(text, sizeof(text), "level %d type %d and %zu bytes",
			 c->cmsg_level, c->cmsg_type, c->cmsg_len - sizeof(*c));
	}
	say(id, "recvmsg() = %s flags%s, name of %u, %s: %s", outcome(r, false),
	    flags_text((unsigned int)m.msg_flags), m.msg_namelen,
	    m.msg_controllen == CMSG_SPACE(sizeof(e)) ? "all of the control"
	    : m.msg_controllen == room		      ? "all of the room"
	    : m.msg_controllen			      ? "some control"
						      : "no control",
	    text);
}

/* Everything on the error queue: the ids, and whether they were copied. */
static void fact_ids(const char *id, int fd)
{
	union {
		char bytes[CMSG_SPACE(sizeof(struct sock_extended_err))];
		struct cmsghdr align;
	} ctl;
	struct msghdr m = { .msg_control = &ctl,
			    .msg_controllen = sizeof(ctl) };
	struct sock_extended_err e;
	char text[256] = "";

	while (recvmsg(fd, &m, MSG_ERRQUEUE) == 0) {
		memcpy(&e, CMSG_DATA(&ctl.align), sizeof(e));
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
			 "%u to %u%s, ", e.ee_info, e.ee_data,
			 e.ee_code ? " copied" : "");
		m.msg_controllen = sizeof(ctl);
	}
	say(id, "%sthen %s", text, strerrorname_np(errno));
}

static void option(void)
{
	int l = listener(ANY, 5000, 8), c, a;

	get_zerocopy("option_default", l);
	FACT("option_listening", set_zerocopy(l, 1));
	get_zerocopy("option_listening_get", l);
	c = client(1, 5000);
	a = (int)MUST(accept(l, NULL, NULL));
	get_zerocopy("option_accepted_default", a);
	FACT("option_accepted", set_zerocopy(a, 1));
	get_zerocopy("option_accepted_get", a);
	FACT("option_client", set_zerocopy(c, 1));
	get_zerocopy("option_client_get", c);
	FACT("option_client_off", set_zerocopy(c, 0));
	get_zerocopy("option_client_off_get", c);
	close(a);
	close(c);
	c = vsock();
	FACT("option_fresh", set_zerocopy(c, 1));
	FACT("option_fresh_connect", connect(c, vm(1, 5000), 16));
	get_zerocopy("option_fresh_get", c);
	close(c);
	close(l);
}

/* Who did not ask is told nothing. */
static void not_wanted(void)
{
	struct conn p = connection();

	FACT("unwanted", send(p.c, "abc", 3, MSG_ZEROCOPY));
	await_bytes(p.a, 3);
	FACT("unwanted_recv", recv(p.a, sink, 64, 0));
	settle();
	FACT_MASK("unwanted_mask", p.c);
	fact_ids("unwanted_ids", p.c);
	disconnect(p);
}

static void one(void)
{
	struct conn p = wanting();
	struct pollfd none = { .fd = p.c };
	struct epoll_event e = { .events = 0 };
	struct timeval now = { 0, 0 };
	int ep = (int)MUST(epoll_create1(0));
	fd_set r, w, x;

	MUST(epoll_ctl(ep, EPOLL_CTL_ADD, p.c, &e));
	fact_queue("none", p.c, 0, 128);
	FACT_MASK("none_mask", p.c);
	FACT("one", send(p.c, "abc", 3, MSG_ZEROCOPY));
	await_bytes(p.a, 3);
	FACT("one_recv", recv(p.a, sink, 64, 0));
	AWAIT(mask_of(p.c) & POLLERR);
	FACT_MASK("one_mask", p.c);
	FACT_MASK("one_peer_mask", p.a);
	FACT("one_poll_none", poll(&none, 1, 1000));
	say("one_poll_none_mask", "%s",
	    mask_text((unsigned short)none.revents));
	FD_ZERO(&r);
	FD_SET(p.c, &r);
	w = x = r;
	FACT("one_select", select(p.c + 1, &r, &w, &x, &now));
	say("one_select_sets", "%d %d %d", FD_ISSET(p.c, &r) != 0,
	    FD_ISSET(p.c, &w) != 0, FD_ISSET(p.c, &x) != 0);
	FACT("one_epoll", epoll_wait(ep, &e, 1, 1000));
	say("one_epoll_mask", "%s", mask_text(e.events));
	FACT_SO_ERROR("one_error", p.c);
	FACT_MASK("one_error_read_mask", p.c);
	FACT("one_recv_dontwait", recv(p.c, sink, 64, MSG_DONTWAIT));
	FACT("one_answer", send(p.a, "def", 3, 0));
	await_bytes(p.c, 3);
	FACT("one_answered", recv(p.c, sink, 64, 0));
	FACT("one_send", send(p.c, "g", 1, 0));
	fact_queue("one_queue", p.c, 0, 128);
	fact_queue("one_queue_again", p.c, 0, 128);
	FACT_MASK("one_after", p.c);
	FACT("one_after_epoll", epoll_wait(ep, &e, 1, 0));
	close(ep);
	disconnect(p);
}

/* Ids go up by one with each call that sends; neighbours are one range. */
static void numbers(void)
{
	struct conn p = wanting();
	char abc[] = "abc", de[] = "de";
	struct iovec v[2] = { { abc, 3 }, { de, 2 } };
	struct msghdr m = { .msg_iov = v, .msg_iovlen = 2 };
	struct mmsghdr mm[2] = { { .msg_hdr = m }, { .msg_hdr = m } };

	FACT("many_send", send(p.c, abc, 3, MSG_ZEROCOPY));
	FACT("many_sendto", sendto(p.c, abc, 3, MSG_ZEROCOPY, NULL, 0));
	FACT("many_sendmsg", sendmsg(p.c, &m, MSG_ZEROCOPY));
	FACT("many_sendmmsg", sendmmsg(p.c, mm, 2, MSG_ZEROCOPY));
	read_all(p.a);
	fact_ids("many_ids", p.c);

	FACT("plain", send(p.c, abc, 3, 0));
	FACT("plain_write", write(p.c, abc, 3));
	FACT("plain_then", send(p.c, abc, 3, MSG_ZEROCOPY));
	read_all(p.a);
	fact_ids("plain_ids", p.c);

	FACT("empty", send(p.c, abc, 0, MSG_ZEROCOPY));
	FACT("empty_then", send(p.c, abc, 3, MSG_ZEROCOPY));
	read_all(p.a);
	fact_ids("empty_ids", p.c);

	set_zerocopy(p.c, 0);
	FACT("off", send(p.c, abc, 3, MSG_ZEROCOPY));
	read_all(p.a);
	fact_ids("off_ids", p.c);
	set_zerocopy(p.c, 1);
	FACT("on_again", send(p.c, abc, 3, MSG_ZEROCOPY));
	read_all(p.a);
	fact_ids("on_again_ids", p.c);

	FACT("other_way", send(p.a, abc, 3, MSG_ZEROCOPY));
	FACT("other_way_dontwait",
	     send(p.a, abc, 3, MSG_ZEROCOPY | MSG_DONTWAIT));
	read_all(p.c);
	fact_ids("other_way_ids", p.a);
	fact_ids("other_way_other_ids", p.c);
	disconnect(p);
}

static void large(void)
{
	struct conn p = wanting();

	FACT("page", send(p.c, data, 4096, MSG_ZEROCOPY));
	FACT("pages", send(p.c, data + 100, 60000, MSG_ZEROCOPY));
	read_all(p.a);
	fact_ids("pages_ids", p.c);
	FACT("window", send(p.c, data, CREDIT, MSG_ZEROCOPY));
	read_all(p.a);
	fact_ids("window_ids", p.c);
	disconnect(p);

	/* More than the window is copied, as far as it goes. */
	p = wanting();
	set_nonblock(p.c, true);
	errno = 0;
	say("beyond", "%d", send(p.c, data, sizeof(data), MSG_ZEROCOPY) > 0);
	read_all(p.a);
	fact_ids("beyond_ids", p.c);
	disconnect(p);
}

/* What was not sent has no id. */
static void failures(void)
{
	struct conn p = wanting();
	char abc[] = "abc";
	struct iovec v[3] = { { data, 4096 },
			      { nowhere, 4096 },
			      { data, 4096 } };
	struct msghdr m = { .msg_iov = v, .msg_iovlen = 3 };
	int s = vsock();

	FACT("unmapped", sendmsg(p.c, &m, MSG_ZEROCOPY));
	FACT("null", send(p.c, nil, 1, MSG_ZEROCOPY));
	FACT("oob", send(p.c, abc, 1, MSG_ZEROCOPY | MSG_OOB));
	FACT("to", sendto(p.c, abc, 1, MSG_ZEROCOPY, vm(1, 5000), 16));
	FACT("after_failures", send(p.c, abc, 3, MSG_ZEROCOPY));
	read_all(p.a);
	fact_ids("after_failures_ids", p.c);

	set_zerocopy(s, 1);
	FACT("fresh", send(s, abc, 3, MSG_ZEROCOPY));
	fact_ids("fresh_ids", s);
	close(s);

	MUST(send(p.c, data, CREDIT, 0));
	FACT("full", send(p.c, abc, 3, MSG_ZEROCOPY | MSG_DONTWAIT));
	read_all(p.a);
	fact_ids("full_ids", p.c);

	MUST(shutdown(p.a, SHUT_RD));
	AWAIT(send(p.c, "x", 1, MSG_NOSIGNAL) < 0);
	FACT("epipe", send(p.c, abc, 3, MSG_ZEROCOPY | MSG_NOSIGNAL));
	sigpipes = 0;
	FACT("epipe_signal", send(p.c, abc, 3, MSG_ZEROCOPY));
	say("epipe_sigpipe", "%d", (int)sigpipes);
	fact_ids("epipe_ids", p.c);
	disconnect(p);
}

/* Every way to read the queue takes one from it. */
static void ways(void)
{
	static const struct {
		const char *id;
		size_t size;
	} rooms[] = {
		{ "room_none", 0 },
		{ "room_header_less_1", sizeof(struct cmsghdr) - 1 },
		{ "room_header", sizeof(struct cmsghdr) },
		{ "room_header_and_1", sizeof(struct cmsghdr) + 1 },
		{ "room_all_less_1", EXACT - 1 },
		{ "room_all", EXACT },
		{ "room_more", EXACT + 8 },
	};
	struct conn p = wanting();
	char byte = 'u';
	struct iovec v = { &byte, 1 };
	struct mmsghdr mm[2] = {
		{ .msg_hdr = { .msg_iov = &v, .msg_iovlen = 1 } },
		{ .msg_hdr = { .msg_iov = &v, .msg_iovlen = 1 } }
	};
	unsigned int i;

#define COMPLETE() (MUST(send(p.c, "abc", 3, MSG_ZEROCOPY)), read_all(p.a))
	for (i = 0; i < sizeof(rooms) / sizeof(rooms[0]); i++) {
		COMPLETE();
		fact_queue(rooms[i].id, p.c, 0, rooms[i].size);
	}
	fact_ids("room_left", p.c);
	COMPLETE();
	FACT("by_recv", recv(p.c, &byte, 1, MSG_ERRQUEUE));
	say("by_recv_data", "%c", byte);
	COMPLETE();
	FACT("by_recv_null", recv(p.c, nil, 8, MSG_ERRQUEUE));
	COMPLETE();
	FACT_ADDR_LEN("by_recvfrom", 16,
		      recvfrom(p.c, &byte, 1, MSG_ERRQUEUE, ADDR));
	COMPLETE();
	FACT("by_recv_len_0", recv(p.c, &byte, 0, MSG_ERRQUEUE));
	COMPLETE();
	FACT("by_recvmmsg", recvmmsg(p.c, mm, 2, MSG_ERRQUEUE, NULL));
	say("by_recvmmsg_result", "%u%s", mm[0].msg_len,
	    flags_text((unsigned int)mm[0].msg_hdr.msg_flags));
	fact_ids("by_any_left", p.c);
	COMPLETE();
	fact_queue("peek", p.c, MSG_PEEK, 128);
	fact_queue("peek_again", p.c, MSG_PEEK, 128);
	COMPLETE();
	fact_queue("trunc", p.c, MSG_TRUNC | MSG_DONTWAIT, 128);
	COMPLETE();
	fact_queue("cloexec", p.c, MSG_CMSG_CLOEXEC, 128);
	COMPLETE();
	FACT("by_read", (set_nonblock(p.c, true), read(p.c, &byte, 1)));
	fact_ids("by_read_left", p.c);
	disconnect(p);
}

/* The end of a connection completes what nobody will read. */
static void ends(void)
{
	struct conn p = wanting();

	MUST(send(p.c, "abc", 3, MSG_ZEROCOPY));
	close(p.a);
	AWAIT_MASK(p.c, POLLRDHUP);
	settle();
	FACT_MASK("closed_mask", p.c);
	FACT("closed_recv", recv(p.c, sink, 64, 0));
	fact_ids("closed_ids", p.c);
	FACT_MASK("closed_mask_after", p.c);
	close(p.c);

	p = wanting();
	MUST(send(p.c, "abc", 3, MSG_ZEROCOPY));
	read_all(p.a);
	MUST(shutdown(p.c, SHUT_RDWR));
	FACT_MASK("shut_mask", p.c);
	fact_ids("shut_ids", p.c);
	FACT_MASK("shut_mask_after", p.c);
	disconnect(p);
}

int main(void)
{
	oracle_start();
	option();
	not_wanted();
	one();
	numbers();
	large();
	failures();
	ways();
	ends();
	return 0;
}
