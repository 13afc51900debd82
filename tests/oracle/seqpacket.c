/* SPDX-License-Identifier: MIT */
/* SOCK_SEQPACKET: messages, their ends, and what is asked beside them. */
#define TYPE SOCK_SEQPACKET
#include "oracle.h"

#include <sys/sendfile.h>

static char buf[64], abc[] = "abc", de[] = "de";

#define EMPTY(what, fd) FACT(what, recv(fd, buf, sizeof(buf), MSG_DONTWAIT))

static void unconnected(void)
{
	int s = vsock(), l;
	struct msghdr none = { .msg_iovlen = 0 };
	static char big[CREDIT + 1];

	FACT("fresh_send", send(s, "x", 1, 0));
	FACT("fresh_write", write(s, "x", 1));
	FACT("fresh_send_len_0", send(s, "x", 0, 0));
	FACT("fresh_write_len_0", write(s, "x", 0));
	FACT("fresh_sendmsg_none", sendmsg(s, &none, 0));
	FACT("fresh_send_eor", send(s, "x", 1, MSG_EOR));
	FACT("fresh_send_oob", send(s, "x", 1, MSG_OOB));
	FACT("fresh_send_null", send(s, nil, 1, 0));
	FACT("fresh_send_huge", send(s, big, sizeof(big), 0));
	FACT("fresh_to", sendto(s, "x", 1, 0, vm(1, 5000), 16));
	FACT("fresh_to_len_0", sendto(s, "x", 1, 0, vm(1, 5000), 0));
	FACT("fresh_to_oob", sendto(s, "x", 1, MSG_OOB, vm(1, 5000), 16));
	FACT("fresh_recv", recv(s, buf, 8, 0));
	FACT("fresh_read", read(s, buf, 8));
	FACT("fresh_recv_len_0", recv(s, buf, 0, 0));
	FACT("fresh_recv_dontwait", recv(s, buf, 8, MSG_DONTWAIT));
	FACT("fresh_recv_oob", recv(s, buf, 8, MSG_OOB));
	FACT("fresh_recv_peek", recv(s, buf, 8, MSG_PEEK));
	FACT("fresh_recv_errqueue", recv(s, buf, 8, MSG_ERRQUEUE));
	FACT("fresh_recv_null", recv(s, nil, 8, 0));
	MUST(bind(s, vm(ANY, 5000), 16));
	FACT("bound_send", send(s, "x", 1, 0));
	FACT("bound_recv", recv(s, buf, 8, 0));
	close(s);
	l = listener(ANY, 5000, 1);
	FACT("listening_send", send(l, "x", 1, 0));
	FACT("listening_send_len_0", send(l, "x", 0, 0));
	FACT("listening_to", sendto(l, "x", 1, 0, vm(1, 5000), 16));
	FACT("listening_recv", recv(l, buf, 8, 0));
	FACT("listening_recv_oob", recv(l, buf, 8, MSG_OOB));
	close(l);
	s = vsock();
	MUST_FAIL(connect(s, vm(1, 5999), 16));
	FACT("refused_send", send(s, "x", 1, 0));
	FACT("refused_send_len_0", send(s, "x", 0, 0));
	FACT("refused_recv", recv(s, buf, 8, 0));
	close(s);
	say("unconnected_sigpipe", "%d", (int)sigpipes);
}

/* One send, one message, however it is sent and read. */
static void bounds(void)
{
	struct conn p = connection();
	struct iovec out[2] = { { abc, 3 }, { de, 2 } };
	char part[2][8];
	struct iovec in[2] = { { part[0], 2 }, { part[1], 8 } };
	struct iovec room[3] = { { buf, 8 }, { buf + 8, 8 }, { buf + 16, 8 } };
	struct msghdr m = { .msg_iov = out, .msg_iovlen = 2 };
	struct mmsghdr mm[3] = {
		{ .msg_hdr = { .msg_iov = room, .msg_iovlen = 1 } },
		{ .msg_hdr = { .msg_iov = room + 1, .msg_iovlen = 1 } },
		{ .msg_hdr = { .msg_iov = room + 2, .msg_iovlen = 1 } }
	};

	FACT("send", send(p.c, "a", 1, 0));
	FACT("send_more", send(p.c, "bc", 2, MSG_MORE));
	FACT("write", write(p.c, "def", 3));
	FACT("writev", writev(p.c, out, 2));
	FACT("sendmsg", sendmsg(p.c, &m, 0));
	settle();
	FACT("recv_1", recv(p.a, buf, sizeof(buf), 0));
	FACT("recv_2", recv(p.a, buf, sizeof(buf), 0));
	FACT("read_3", read(p.a, buf, sizeof(buf)));
	say("read_3_data", "%.3s", buf);
	FACT("readv_4", readv(p.a, in, 2));
	say("readv_4_data", "%.2s %.3s", part[0], part[1]);
	FACT("recv_5_exact", recv(p.a, buf, 5, 0));
	EMPTY("recv_none", p.a);

	FACT("send_accepted", send(p.a, "to", 2, 0));
	settle();
	FACT_MSG("recv_client", p.c, 64, 0);

	MUST(send(p.c, "a", 1, 0));
	MUST(send(p.c, "bc", 2, MSG_EOR));
	settle();
	FACT("recvmmsg", recvmmsg(p.a, mm, 3, MSG_DONTWAIT, NULL));
	say("recvmmsg_lengths", "%u %u", mm[0].msg_len, mm[1].msg_len);
	say("recvmmsg_flags", "1:%s 2:%s",
	    flags_text((unsigned int)mm[0].msg_hdr.msg_flags),
	    flags_text((unsigned int)mm[1].msg_hdr.msg_flags));
	FACT("recvmmsg_none", recvmmsg(p.a, mm, 3, MSG_DONTWAIT, NULL));
	disconnect(p);
}

/* MSG_EOR is seen only where the sender said it, ... */
static void ends_of_records(void)
{
	struct conn p = connection();
	struct iovec out[2] = { { abc, 3 }, { de, 2 } };
	struct msghdr m = { .msg_iov = out, .msg_iovlen = 2 };
	struct mmsghdr mm[2] = { { .msg_hdr = m }, { .msg_hdr = m } };
	int spare;

	FACT("eor_send_0", send(p.c, "a", 1, 0));
	FACT("eor_send", send(p.c, "b", 1, MSG_EOR));
	FACT("eor_sendto_0", sendto(p.c, "c", 1, 0, NULL, 0));
	FACT("eor_sendto", sendto(p.c, "d", 1, MSG_EOR, NULL, 0));
	FACT("eor_sendmsg_0", sendmsg(p.c, &m, 0));
	FACT("eor_sendmsg", sendmsg(p.c, &m, MSG_EOR));
	FACT("eor_more", send(p.c, "e", 1, MSG_EOR | MSG_MORE));
	m.msg_flags = MSG_EOR; /* not the sender's word */
	FACT("eor_msg_flags", sendmsg(p.c, &m, 0));
	FACT_ARRIVED("eor_said_arrived", p.a);
	FACT("eor_sendmmsg_0", sendmmsg(p.c, mm, 2, 0));
	FACT("eor_sendmmsg", sendmmsg(p.c, mm, 2, MSG_EOR));
	FACT_ARRIVED("eor_sendmmsg_arrived", p.a);
	FACT("eor_accepted", send(p.a, "f", 1, MSG_EOR));
	FACT("eor_accepted_0", send(p.a, "g", 1, 0));
	FACT_ARRIVED("eor_accepted_arrived", p.c);

	MUST(send(p.c, "abcdef", 6, MSG_EOR));
	settle();
	FACT_MSG("eor_said_cloexec", p.a, 64, MSG_CMSG_CLOEXEC);
	MUST(send(p.c, "abcdef", 6, MSG_EOR));
	settle();
	FACT_MSG("eor_said_short", p.a, 2, 0);
	EMPTY("eor_said_short_after", p.a);

	/* Readers that see no flags lose the mark, not the next message. */
	MUST(send(p.c, "a", 1, MSG_EOR));
	MUST(send(p.c, "b", 1, MSG_EOR));
	MUST(send(p.c, "c", 1, MSG_EOR));
	MUST(send(p.c, "d", 1, 0));
	settle();
	FACT("eor_read", read(p.a, buf, 8));
	FACT("eor_recv", recv(p.a, buf, 8, 0));
	FACT_ARRIVED("eor_said_after_read", p.a);
	MUST(send(p.c, "a", 1, MSG_EOR));
	MUST(send(p.c, "b", 1, MSG_EOR));
	MUST(send(p.c, "c", 1, MSG_EOR));
	settle();
	spare = (int)MUST(dup(0));
	close(spare);
	MUST(read(p.a, buf, 8));
	recv(p.a, buf, 8, MSG_PEEK); /* 6.1 has none */
	MUST(recv(p.a, buf, 8, 0));
	FACT_MSG("eor_said_last", p.a, 64, 0);
	say("eor_said_no_fd", "%d", (int)MUST(dup(0)) == spare);
	close(spare);
	disconnect(p);
}

/* ... or wrote, which says it: all but splice() and sendfile(). */
static void ends_by_write(void)
{
	struct conn p = connection();
	struct iovec out[2] = { { abc, 3 }, { de, 2 } };
	int pipes[2], file = memfd_create("oracle", MFD_CLOEXEC);
	FILE *f;

	FACT("eor_write", write(p.c, "e", 1));
	FACT("eor_writev", writev(p.c, out, 2));
	FACT_ARRIVED("eor_arrived", p.a);
	FACT("eor_pwritev2", pwritev2(p.c, out, 2, -1, 0));
	FACT_ARRIVED("eor_arrived_2", p.a);
	f = fdopen(dup(p.c), "w");
	fputs("jk", f);
	FACT("eor_stdio", fflush(f));
	fclose(f);
	FACT_ARRIVED("eor_arrived_3", p.a);
	FACT("eor_accepted_write", write(p.a, "l", 1));
	FACT_ARRIVED("eor_client_arrived", p.c);

	MUST(pipe(pipes));
	MUST(write(pipes[1], "g", 1));
	FACT("eor_splice", splice(pipes[0], NULL, p.c, NULL, 64, 0));
	MUST(write(file, "hi", 2));
	MUST(lseek(file, 0, SEEK_SET));
	FACT("eor_sendfile", sendfile(p.c, file, NULL, 64));
	FACT_ARRIVED("eor_splice_arrived", p.a);
	close(pipes[0]);
	close(pipes[1]);
	close(file);
	disconnect(p);
}

/* A hundred messages that wait, each with the end that it was given. */
static void many(void)
{
	struct conn p = connection();
	struct iovec v = { buf, sizeof(buf) };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
	int i, wrong = 0, marked = 0;
	ssize_t n;

	for (i = 0; i < 100; i++) {
		memset(buf, 'a' + i % 26, sizeof(buf));
		MUST(send(p.c, buf, (size_t)i % 60 + 1, i % 3 ? 0 : MSG_EOR));
	}
	settle();
	for (i = 0; i < 100; i++) {
		n = recvmsg(p.a, &m, MSG_DONTWAIT);
		wrong += n != i % 60 + 1 || buf[n - 1] != 'a' + i % 26;
		marked += n > 0 && (m.msg_flags & MSG_EOR) && i % 3 == 0;
	}
	say("many", "%d wrong, %d marked", wrong, marked);
	EMPTY("many_read", p.a);
	disconnect(p);
}

static void truncation(void)
{
	struct conn p = connection();
	struct iovec in = { buf, 2 }, none = { buf, 0 };
	struct mmsghdr mm[2] = {
		{ .msg_hdr = { .msg_iov = &in, .msg_iovlen = 1 } },
		{ .msg_hdr = { .msg_iov = &none, .msg_iovlen = 1 } }
	};

#define SENT(text) (MUST(send(p.c, text, sizeof(text) - 1, 0)), settle())
	SENT("abcdef");
	SENT("next");
	FACT("short", recv(p.a, buf, 2, 0));
	FACT("short_drops_rest", recv(p.a, buf, 64, 0));
	say("short_drops_rest_data", "%.4s", buf);
	SENT("abcdef");
	FACT("short_read", read(p.a, buf, 2));
	EMPTY("short_read_after", p.a);
	SENT("abcdef");
	FACT("short_readv", readv(p.a, &in, 1));
	EMPTY("short_readv_after", p.a);
	SENT("abcdef");
	FACT("trunc", recv(p.a, buf, 2, MSG_TRUNC));
	EMPTY("trunc_after", p.a);
	SENT("abcdef");
	FACT("trunc_room", recv(p.a, buf, 64, MSG_TRUNC));
	SENT("abcdef");
	FACT_ADDR_LEN("trunc_from", 128,
		      recvfrom(p.a, buf, 2, MSG_TRUNC, ADDR));
	SENT("abcdef");
	FACT_MSG("short_msg", p.a, 2, 0);
	SENT("abcdef");
	FACT_MSG("trunc_msg", p.a, 2, MSG_TRUNC);
	SENT("abcdef");
	FACT_MSG("trunc_msg_exact", p.a, 6, MSG_TRUNC);
	SENT("abcdef");
	FACT_MSG("trunc_msg_room", p.a, 64, MSG_TRUNC);
	MUST(send(p.c, "abcdef", 6, MSG_EOR));
	settle();
	FACT_MSG("trunc_msg_eor", p.a, 2, MSG_TRUNC);
	SENT("abcdef");
	SENT("ghijkl");
	FACT("trunc_recvmmsg", recvmmsg(p.a, mm, 1, MSG_TRUNC, NULL));
	say("trunc_recvmmsg_result", "%u,%s", mm[0].msg_len,
	    flags_text((unsigned int)mm[0].msg_hdr.msg_flags));
	FACT_MSG("trunc_recvmmsg_next", p.a, 64, 0);

	/* No room at all: nothing is looked at. */
	SENT("abc");
	FACT("len_0", recv(p.a, buf, 0, 0));
	FACT("len_0_read", read(p.a, buf, 0));
	FACT("len_0_null", recv(p.a, nil, 0, 0));
	FACT("len_0_peek", recv(p.a, buf, 0, MSG_PEEK));
	FACT("len_0_trunc", recv(p.a, buf, 0, MSG_TRUNC));
	FACT("len_0_peek_trunc", recv(p.a, buf, 0, MSG_PEEK | MSG_TRUNC));
	FACT("len_0_readv", readv(p.a, &none, 1));
	FACT("len_0_readv_none", readv(p.a, &none, 0));
	FACT_MSG("len_0_msg", p.a, 0, 0);
	FACT_MSG("len_0_msg_trunc", p.a, 0, MSG_TRUNC);
	FACT("len_0_recvmmsg", recvmmsg(p.a, mm + 1, 1, 0, NULL));
	say("len_0_recvmmsg_result", "%u,%s", mm[1].msg_len,
	    flags_text((unsigned int)mm[1].msg_hdr.msg_flags));
	FACT_MSG("len_0_keeps", p.a, 64, MSG_DONTWAIT);
	FACT("len_0_empty", recv(p.a, buf, 0, 0));
	FACT("len_0_empty_dontwait", recv(p.a, buf, 0, MSG_DONTWAIT));
	FACT("len_0_empty_read", read(p.a, buf, 0));
	FACT_MSG("len_0_empty_msg", p.a, 0, 0);
	disconnect(p);
}

static void peeks(void)
{
	struct conn p = connection();

	FACT("peek_empty", recv(p.a, buf, 8, MSG_PEEK | MSG_DONTWAIT));
	MUST(send(p.c, "abcdef", 6, MSG_EOR));
	MUST(send(p.c, "next", 4, 0));
	settle();
	FACT_MSG("peek", p.a, 64, MSG_PEEK);
	FACT_MSG("peek_again", p.a, 64, MSG_PEEK);
	FACT("peek_short", recv(p.a, buf, 2, MSG_PEEK));
	FACT_MSG("peek_short_msg", p.a, 2, MSG_PEEK);
	FACT("peek_trunc", recv(p.a, buf, 2, MSG_PEEK | MSG_TRUNC));
	FACT_MSG("peek_trunc_msg", p.a, 2, MSG_PEEK | MSG_TRUNC);
	FACT_MSG("peek_trunc_room", p.a, 64, MSG_PEEK | MSG_TRUNC);
	FACT("peek_waitall", recv(p.a, buf, 64, MSG_PEEK | MSG_WAITALL));
	FACT("peek_dontwait", recv(p.a, buf, 64, MSG_PEEK | MSG_DONTWAIT));
	FACT_MSG("peek_then", p.a, 64, MSG_DONTWAIT);
	FACT_MSG("peek_then_next", p.a, 64, MSG_DONTWAIT);
	EMPTY("peek_then_none", p.a);
	MUST(send(p.c, "abc", 3, 0));
	close(p.c);
	AWAIT_MASK(p.a, POLLRDHUP);
	FACT("peek_closed", recv(p.a, buf, 64, MSG_PEEK));
	FACT("peek_closed_then", recv(p.a, buf, 64, 0));
	FACT("peek_end", recv(p.a, buf, 64, MSG_PEEK));
	close(p.a);
}

/* A send of no bytes sends no message. */
static void empties(void)
{
	struct conn p = connection();
	struct iovec v[3] = { { abc, 3 }, { abc, 0 }, { de, 2 } };
	struct iovec zero[2] = { { abc, 0 }, { de, 0 } };
	struct msghdr none = { .msg_iovlen = 0 };
	struct msghdr m = { .msg_iov = zero, .msg_iovlen = 2 };
	struct mmsghdr mm[3] = {
		{ .msg_hdr = { .msg_iov = v, .msg_iovlen = 1 } },
		{ .msg_hdr = { .msg_iov = v + 1, .msg_iovlen = 1 } },
		{ .msg_hdr = { .msg_iov = v + 2, .msg_iovlen = 1 } }
	};

	FACT("empty_send", send(p.c, "x", 0, 0));
	FACT("empty_send_eor", send(p.c, "x", 0, MSG_EOR));
	FACT("empty_send_null", send(p.c, nil, 0, 0));
	FACT("empty_send_dontwait", send(p.c, "x", 0, MSG_DONTWAIT));
	FACT("empty_send_oob", send(p.c, "x", 0, MSG_OOB));
	FACT("empty_sendto", sendto(p.c, "x", 0, 0, vm(1, 5000), 16));
	FACT("empty_write", write(p.c, "x", 0));
	FACT("empty_write_null", write(p.c, nil, 0));
	FACT("empty_writev", writev(p.c, zero, 2));
	FACT("empty_writev_none", writev(p.c, zero, 0));
	FACT("empty_sendmsg", sendmsg(p.c, &m, 0));
	FACT("empty_sendmsg_none", sendmsg(p.c, &none, 0));
	FACT_ARRIVED("empty_arrived", p.a);
	FACT_MASK("empty_mask", p.a);
	FACT("empty_sendmmsg", sendmmsg(p.c, mm, 3, 0));
	say("empty_sendmmsg_lengths", "%u %u %u", mm[0].msg_len, mm[1].msg_len,
	    mm[2].msg_len);
	FACT_ARRIVED("empty_sendmmsg_arrived", p.a);
	m = (struct msghdr){ .msg_iov = v, .msg_iovlen = 3 };
	FACT("empty_iov_among", sendmsg(p.c, &m, 0));
	FACT_ARRIVED("empty_iov_message_arrived", p.a);

	MUST(shutdown(p.c, SHUT_WR));
	FACT("empty_shut_wr", send(p.c, "x", 0, 0));
	FACT("empty_shut_wr_write", write(p.c, "x", 0));
	FACT("empty_shut_wr_sendmsg", sendmsg(p.c, &none, 0));
	disconnect(p);
	p = connection();
	close(p.a);
	AWAIT_MASK(p.c, POLLRDHUP);
	FACT("empty_peer_closed", send(p.c, "x", 0, 0));
	FACT("empty_peer_closed_write", write(p.c, "x", 0));
	close(p.c);
}

static void flags(void)
{
	struct conn p = connection();

	FACT("oob", send(p.c, "x", 1, MSG_OOB));
	FACT("oob_eor", send(p.c, "x", 1, MSG_OOB | MSG_EOR));
	FACT("oob_recv_empty", recv(p.a, buf, 8, MSG_OOB));
	FACT("oob_recv_len_0", recv(p.a, buf, 0, MSG_OOB));
	FACT("errqueue_empty", recv(p.a, buf, 8, MSG_ERRQUEUE));
	EMPTY("oob_nothing_sent", p.a);
	FACT("dontroute", send(p.c, "a", 1, MSG_DONTROUTE));
	FACT("confirm", send(p.c, "b", 1, MSG_CONFIRM));
	FACT("nosignal", send(p.c, "c", 1, MSG_NOSIGNAL));
	FACT("dontwait", send(p.c, "d", 1, MSG_DONTWAIT));
	FACT("zerocopy", send(p.c, "e", 1, MSG_ZEROCOPY));
	FACT("unknown_flag", send(p.c, "f", 1, 0x10));
	settle();
	FACT("oob_recv", recv(p.a, buf, 8, MSG_OOB));
	FACT("errqueue", recv(p.a, buf, 8, MSG_ERRQUEUE));
	FACT_MSG("errqueue_msg", p.a, 8, MSG_ERRQUEUE);
	FACT("waitall", recv(p.a, buf, 64, MSG_WAITALL));
	FACT("recv_unknown_flag", recv(p.a, buf, 64, 0x10));
	FACT_ARRIVED("flags_arrived", p.a);
	disconnect(p);
}

static void waitall(void)
{
	struct conn p = connection();
	static char big[CREDIT + 1];

	FACT("waitall_huge",
	     recv(p.a, big, sizeof(big), MSG_WAITALL | MSG_DONTWAIT));
	MUST(send(p.c, "abc", 3, 0));
	MUST(send(p.c, "def", 3, 0));
	settle();
	FACT("waitall_one_message", recv(p.a, big, sizeof(big), MSG_WAITALL));
	FACT("waitall_next_message", recv(p.a, buf, 6, MSG_WAITALL));
	disconnect(p);
}

static void addresses(void)
{
	struct conn p = connection();
	struct iovec v = { abc, 3 };
	struct msghdr m = { .msg_iov = &v,
			    .msg_iovlen = 1,
			    .msg_name = vm(1, 5000),
			    .msg_namelen = 16 };

	FACT("to", sendto(p.c, "x", 1, 0, vm(1, 5000), 16));
	FACT("to_accepted", sendto(p.a, "x", 1, 0, vm(1, 5000), 16));
	FACT("to_len_1", sendto(p.c, "x", 1, 0, vm(1, 5000), 1));
	FACT("to_len_129", sendto(p.c, "x", 1, 0, vm(1, 5000), 129));
	FACT("to_unreadable",
	     sendto(p.c, "x", 1, 0, (struct sockaddr *)nowhere, 16));
	FACT("sendmsg_name", sendmsg(p.c, &m, 0));
	FACT_ARRIVED("to_arrived", p.a);
	FACT("to_len_0", sendto(p.c, "a", 1, 0, vm(1, 5000), 0));
	FACT("to_null", sendto(p.c, "b", 1, 0, NULL, 16));
	m.msg_namelen = 0;
	FACT("sendmsg_name_len_0", sendmsg(p.c, &m, 0));
	FACT_ARRIVED("to_len_0_arrived", p.a);

	MUST(send(p.c, "abc", 3, 0));
	settle();
	FACT_ADDR_LEN("from", 128, recvfrom(p.a, buf, 64, 0, ADDR));
	MUST(send(p.a, "abc", 3, 0));
	settle();
	FACT_ADDR_LEN("from_client", 16, recvfrom(p.c, buf, 64, 0, ADDR));
	MUST(send(p.c, "abc", 3, 0));
	settle();
	FACT_MSG("from_msg", p.a, 64, 0);
	MUST(shutdown(p.c, SHUT_WR));
	FACT("to_shut_wr", sendto(p.c, "x", 1, 0, vm(1, 5000), 16));
	disconnect(p);
}

/* Control messages are taken and go nowhere. */
static void control(void)
{
	struct conn p = connection();
	union {
		char bytes[CMSG_SPACE(sizeof(struct ucred))];
		struct cmsghdr align;
	} ctl;
	struct iovec v = { abc, 3 };
	struct msghdr m = { .msg_iov = &v,
			    .msg_iovlen = 1,
			    .msg_control = &ctl,
			    .msg_controllen = CMSG_SPACE(sizeof(int)) };
	struct mmsghdr mm[2] = { { .msg_hdr = m }, { .msg_hdr = m } };
	struct cmsghdr *c = &ctl.align;
	struct ucred me = { getpid(), getuid(), getgid() };
	int copy;

	memset(&ctl, 0, sizeof(ctl));
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	FACT("rights", sendmsg(p.c, &m, 0));
	FACT("rights_eor", sendmsg(p.c, &m, MSG_EOR));
	FACT("rights_sendmmsg", sendmmsg(p.c, mm, 2, 0));
	settle();
	copy = (int)MUST(dup(0));
	close(copy);
	FACT_MSG("rights_recv", p.a, 64, 0);
	say("rights_no_fd", "%d", (int)MUST(dup(0)) == copy);
	close(copy);
	FACT_MSG("rights_eor_recv", p.a, 64, MSG_CMSG_CLOEXEC);
	FACT("rights_read", read(p.a, buf, 64));
	FACT("rights_recv_rest", recv(p.a, buf, 64, 0));
	memset(CMSG_DATA(c), 0xff, sizeof(int));
	FACT("rights_bad_fd", sendmsg(p.c, &m, 0));
	c->cmsg_len = 1;
	FACT("cmsg_garbage", sendmsg(p.c, &m, 0));
	m.msg_controllen = 1;
	FACT("cmsg_short", sendmsg(p.c, &m, 0));
	c->cmsg_type = SCM_CREDENTIALS;
	c->cmsg_len = CMSG_LEN(sizeof(me));
	memcpy(CMSG_DATA(c), &me, sizeof(me));
	m.msg_controllen = sizeof(ctl);
	FACT("credentials", sendmsg(p.c, &m, 0));
	c->cmsg_type = 99;
	FACT("cmsg_unknown", sendmsg(p.c, &m, 0));
	FACT("cmsg_empty_message", (v.iov_len = 0, sendmsg(p.c, &m, 0)));
	FACT_ARRIVED("cmsg_arrived", p.a);
	disconnect(p);
}

static void bad_buffers(void)
{
	struct conn p = connection();
	struct iovec v[2] = { { abc, 3 }, { nil, 2 } };

	FACT("null", send(p.c, nil, 1, 0));
	FACT("unreadable", send(p.c, nowhere, 10, 0));
	FACT("edge", send(p.c, nowhere - 2, 10, 0));
	FACT("writev_null", writev(p.c, v, 2));
	FACT_ARRIVED("bad_send_arrived", p.a);

	SENT("abc");
	SENT("next");
	FACT("recv_null", recv(p.a, nil, 8, 0));
	FACT_MSG("recv_null_drops", p.a, 64, MSG_DONTWAIT);
	SENT("abc");
	SENT("next");
	FACT("recv_unwritable", recv(p.a, nowhere, 8, 0));
	FACT_MSG("recv_unwritable_drops", p.a, 64, MSG_DONTWAIT);
	SENT("abc");
	SENT("next");
	FACT("recv_edge", recv(p.a, nowhere - 2, 8, 0));
	FACT_MSG("recv_edge_drops", p.a, 64, MSG_DONTWAIT);
	SENT("abc");
	FACT("recv_edge_enough", recv(p.a, nowhere - 3, 8, 0));
	SENT("abc");
	SENT("next");
	FACT("peek_null", recv(p.a, nil, 8, MSG_PEEK));
	FACT_MSG("peek_null_keeps", p.a, 64, MSG_DONTWAIT);
	recv(p.a, buf, sizeof(buf), MSG_DONTWAIT);
	FACT("recv_null_empty", recv(p.a, nil, 8, MSG_DONTWAIT));
	SENT("abc");
	got_len = (socklen_t)-1;
	FACT("from_len_negative",
	     recvfrom(p.a, buf, 8, 0, (struct sockaddr *)&got, &got_len));
	EMPTY("from_len_negative_drops", p.a);
	disconnect(p);
}

static void waits(void)
{
	struct conn p = connection();

	EMPTY("none_dontwait", p.a);
	set_nonblock(p.a, true);
	FACT("none_nonblock", recv(p.a, buf, 8, 0));
	FACT("none_nonblock_read", read(p.a, buf, 8));
	set_nonblock(p.a, false);
	set_timeout(p.a, SO_RCVTIMEO, 50);
	FACT("none_timeout", recv(p.a, buf, 8, 0));
	FACT("none_timeout_read", read(p.a, buf, 8));
	set_timeout(p.a, SO_RCVTIMEO, 20000);
	FACT_INTERRUPTED("interrupted_timeout", SA_RESTART,
			 recv(p.a, buf, 8, 0));
	set_timeout(p.a, SO_RCVTIMEO, 0);
	FACT_INTERRUPTED("interrupted", 0, recv(p.a, buf, 8, 0));
	BESIDE_CHILD(MUST(send(p.c, "abc", 3, MSG_EOR)),
		     FACT_MSG("waits_for_message", p.a, 64, 0));
	BESIDE_CHILD(
		{
			close(p.c);
			FACT("waits_for_end", recv(p.a, buf, 8, 0));
		},
		{
			close(p.a);
			usleep(20000);
			close(p.c);
		});
}

/* Every way to send to nobody; SIGPIPE is not for messages. */
static void broken(const char *how, int fd)
{
	char id[64];
	struct iovec v = { abc, 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
	static char big[CREDIT + 1];

#define ID(what) (snprintf(id, sizeof(id), "%s_%s", how, what), id)
	sigpipes = 0;
	FACT(ID("send"), send(fd, "x", 1, 0));
	FACT(ID("nosignal"), send(fd, "x", 1, MSG_NOSIGNAL));
	FACT(ID("eor"), send(fd, "x", 1, MSG_EOR));
	FACT(ID("write"), write(fd, "x", 1));
	FACT(ID("writev"), writev(fd, &v, 1));
	FACT(ID("sendmsg"), sendmsg(fd, &m, 0));
	FACT(ID("len_0"), send(fd, "x", 0, 0));
	FACT(ID("oob"), send(fd, "x", 1, MSG_OOB));
	FACT(ID("to"), sendto(fd, "x", 1, 0, vm(1, 5000), 16));
	FACT(ID("dontwait"), send(fd, "x", 1, MSG_DONTWAIT));
	FACT(ID("huge"), send(fd, big, sizeof(big), 0));
	FACT(ID("null"), send(fd, nil, 1, 0));
	say(ID("sigpipes"), "%d", (int)sigpipes);
}

static void ends(void)
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
	settle();
	broken("peer_shut_rd", p.c);
	disconnect(p);

	/* What was sent before the end is there to be read. */
	p = connection();
	MUST(send(p.c, "abc", 3, MSG_EOR));
	MUST(send(p.c, "de", 2, 0));
	close(p.c);
	AWAIT_MASK(p.a, POLLRDHUP);
	FACT_MSG("end_first", p.a, 2, 0);
	FACT_MSG("end_second", p.a, 64, 0);
	FACT_MSG("end", p.a, 64, 0);
	FACT("end_again", recv(p.a, buf, 8, 0));
	FACT("end_dontwait", recv(p.a, buf, 8, MSG_DONTWAIT));
	FACT("end_peek", recv(p.a, buf, 8, MSG_PEEK));
	FACT("end_trunc", recv(p.a, buf, 8, MSG_TRUNC));
	FACT("end_oob", recv(p.a, buf, 8, MSG_OOB));
	FACT("end_errqueue", recv(p.a, buf, 8, MSG_ERRQUEUE));
	FACT("end_null", recv(p.a, nil, 8, 0));
	close(p.a);

	p = connection();
	MUST(send(p.c, "abc", 3, 0));
	MUST(send(p.c, "de", 2, 0));
	settle();
	MUST(shutdown(p.a, SHUT_RD));
	FACT_MSG("shut_rd", p.a, 64, 0);
	FACT("shut_rd_dontwait", recv(p.a, buf, 8, MSG_DONTWAIT));
	FACT("shut_rd_peek", recv(p.a, buf, 8, MSG_PEEK));
	disconnect(p);

	/* Half closed, the other half goes on. */
	p = connection();
	MUST(send(p.c, "abc", 3, 0));
	MUST(shutdown(p.c, SHUT_WR));
	AWAIT_MASK(p.a, POLLRDHUP);
	FACT_MSG("half_data", p.a, 64, 0);
	FACT_MSG("half_end", p.a, 64, 0);
	FACT("half_answer", send(p.a, "de", 2, MSG_EOR));
	settle();
	FACT_MSG("half_answered", p.c, 64, 0);
	disconnect(p);
}

int main(void)
{
	oracle_start();
	unconnected();
	bounds();
	ends_of_records();
	ends_by_write();
	many();
	truncation();
	peeks();
	empties();
	flags();
	waitall();
	addresses();
	control();
	bad_buffers();
	waits();
	ends();
	return 0;
}
