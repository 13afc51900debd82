/* SPDX-License-Identifier: MIT */
/* recv() and its kin: errors and their order, flags, what comes beside data. */
#include "oracle.h"

static char buf[CREDIT + 1];

static void unconnected(void)
{
	int s = vsock(), l;

	FACT("fresh", recv(s, buf, 8, 0));
	FACT("fresh_read", read(s, buf, 8));
	FACT("fresh_len_0", recv(s, buf, 0, 0));
	FACT("fresh_dontwait", recv(s, buf, 8, MSG_DONTWAIT));
	FACT("fresh_oob", recv(s, buf, 8, MSG_OOB));
	FACT("fresh_peek", recv(s, buf, 8, MSG_PEEK));
	FACT("fresh_errqueue", recv(s, buf, 8, MSG_ERRQUEUE));
	FACT("fresh_null", recv(s, nil, 8, 0));
	close(s);
	l = listener(ANY, 5000, 1);
	FACT("listening", recv(l, buf, 8, 0));
	FACT("listening_read", read(l, buf, 8));
	FACT("listening_oob", recv(l, buf, 8, MSG_OOB));
	close(l);
	FACT("badf", recv(-1, buf, 8, 0));
}

static void plain(void)
{
	struct conn p = connection();
	struct iovec v[2] = { { buf, 2 }, { buf + 100, 8 } };
	struct mmsghdr mm[2] = {
		{ .msg_hdr = { .msg_iov = v, .msg_iovlen = 1 } },
		{ .msg_hdr = { .msg_iov = v + 1, .msg_iovlen = 1 } }
	};

	FACT("empty_dontwait", recv(p.a, buf, 8, MSG_DONTWAIT));
	FACT("empty_len_0", recv(p.a, buf, 0, 0));
	FACT("empty_oob", recv(p.a, buf, 8, MSG_OOB));
	FACT("empty_oob_dontwait", recv(p.a, buf, 8, MSG_OOB | MSG_DONTWAIT));
	FACT("empty_peek_dontwait", recv(p.a, buf, 8, MSG_PEEK | MSG_DONTWAIT));
	FACT("empty_errqueue", recv(p.a, buf, 8, MSG_ERRQUEUE));
	set_timeout(p.a, SO_RCVTIMEO, 50);
	FACT("empty_timeout", recv(p.a, buf, 8, 0));
	FACT("empty_timeout_read", read(p.a, buf, 8));
	set_timeout(p.a, SO_RCVTIMEO, 0);
	FACT_INTERRUPTED("empty_interrupted", 0, recv(p.a, buf, 8, 0));

	MUST(send(p.c, "abc", 3, 0));
	MUST(send(p.c, "def", 3, 0));
	await_bytes(p.a, 6);
	FACT("len_0", recv(p.a, buf, 0, 0));
	FACT("errqueue", recv(p.a, buf, 8, MSG_ERRQUEUE));
	FACT("oob", recv(p.a, buf, 8, MSG_OOB));
	FACT("peek_2", recv(p.a, buf, 2, MSG_PEEK));
	say("peek_2_data", "%.2s", buf);
	FACT("peek_all", recv(p.a, buf, 64, MSG_PEEK));
	say("peek_all_data", "%.6s", buf);
	FACT("peek_waitall", recv(p.a, buf, 64, MSG_PEEK | MSG_WAITALL));
	FACT("two_sends_one_recv", recv(p.a, buf, 64, 0));
	say("two_sends_one_recv_data", "%.6s", buf);

	MUST(send(p.c, "abcdef", 6, 0));
	await_bytes(p.a, 6);
	FACT("trunc", recv(p.a, buf, 2, MSG_TRUNC));
	FACT("peek_trunc", recv(p.a, buf, 2, MSG_PEEK | MSG_TRUNC));
	FACT("peek_after_part", recv(p.a, buf, 64, MSG_PEEK));
	say("peek_after_part_data", "%.4s", buf);
	FACT("part", recv(p.a, buf, 1, 0));
	say("part_data", "%.1s", buf);
	FACT("readv", readv(p.a, v, 2));
	say("readv_data", "%.2s %.1s", buf, buf + 100);

	MUST(send(p.c, "abcdef", 6, 0));
	await_bytes(p.a, 6);
	FACT("recvmmsg", recvmmsg(p.a, mm, 2, MSG_DONTWAIT, NULL));
	say("recvmmsg_lengths", "%u %u", mm[0].msg_len, mm[1].msg_len);
	FACT("recvmmsg_none", recvmmsg(p.a, mm, 2, MSG_DONTWAIT, NULL));
	disconnect(p);
}

static void waitall(void)
{
	struct conn p = connection();

	MUST(send(p.c, "abcdef", 6, 0));
	FACT("waitall", recv(p.a, buf, 6, MSG_WAITALL));
	FACT("waitall_262144", recv(p.a, buf, CREDIT, MSG_WAITALL));
	FACT("waitall_262145", recv(p.a, buf, CREDIT + 1, MSG_WAITALL));
	FACT("waitall_262144_dontwait",
	     recv(p.a, buf, CREDIT, MSG_WAITALL | MSG_DONTWAIT));
	FACT("waitall_262143_dontwait",
	     recv(p.a, buf, CREDIT - 1, MSG_WAITALL | MSG_DONTWAIT));
	MUST(send(p.c, "abc", 3, 0));
	await_bytes(p.a, 3);
	FACT("waitall_part_dontwait",
	     recv(p.a, buf, 6, MSG_WAITALL | MSG_DONTWAIT));
	MUST(send(p.c, "abcd", 4, 0));
	await_bytes(p.a, 4);
	set_timeout(p.a, SO_RCVTIMEO, 50);
	FACT("waitall_timeout", recv(p.a, buf, 6, MSG_WAITALL));
	set_timeout(p.a, SO_RCVTIMEO, 0);
	MUST(send(p.c, "abcde", 5, 0));
	close(p.c);
	AWAIT_MASK(p.a, POLLRDHUP);
	FACT("waitall_end", recv(p.a, buf, 6, MSG_WAITALL));
	FACT("waitall_after_end", recv(p.a, buf, 6, MSG_WAITALL));
	close(p.a);
}

static void lowat(void)
{
	struct conn p = connection();
	int value = 10;

	MUST(setsockopt(p.a, SOL_SOCKET, SO_RCVLOWAT, &value, sizeof(value)));
	MUST(send(p.c, "abcde", 5, 0));
	await_bytes(p.a, 5);
	set_timeout(p.a, SO_RCVTIMEO, 50);
	FACT("lowat_timeout", recv(p.a, buf, 64, 0));
	FACT("lowat_nothing", recv(p.a, buf, 64, 0));
	MUST(send(p.c, "abcde", 5, 0));
	await_bytes(p.a, 5);
	FACT("lowat_small_buffer", recv(p.a, buf, 5, 0));
	value = CREDIT;
	FACT("lowat_262144",
	     setsockopt(p.a, SOL_SOCKET, SO_RCVLOWAT, &value, sizeof(value)));
	FACT("lowat_262144_recv", recv(p.a, buf, CREDIT, MSG_DONTWAIT));
	FACT("lowat_262144_recv_small", recv(p.a, buf, 64, MSG_DONTWAIT));
	disconnect(p);
}

/* What recvfrom() and recvmsg() tell besides the data. */
static void beside(void)
{
	struct conn p = connection();
	char ctl[128];
	struct iovec v = { buf, 64 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };

	MUST(send(p.c, "abc", 3, 0));
	await_bytes(p.a, 3);
	FACT_ADDR_LEN("from", 128, recvfrom(p.a, buf, 64, 0, ADDR));
	FACT_ADDR_LEN("from_empty", 128,
		      recvfrom(p.a, buf, 64, MSG_DONTWAIT, ADDR));
	MUST(send(p.a, "abc", 3, 0));
	await_bytes(p.c, 3);
	FACT_ADDR_LEN("from_client", 16, recvfrom(p.c, buf, 64, 0, ADDR));

	MUST(send(p.c, "abc", 3, 0));
	await_bytes(p.a, 3);
	expect_addr(128);
	m.msg_name = &got;
	m.msg_namelen = sizeof(got);
	m.msg_control = ctl;
	m.msg_controllen = sizeof(ctl);
	m.msg_flags = -1;
	FACT("recvmsg", recvmsg(p.a, &m, 0));
	say("recvmsg_result", "namelen %u, controllen %zu, flags %#x, name %s",
	    m.msg_namelen, (size_t)m.msg_controllen, m.msg_flags,
	    *(unsigned char *)&got == UNTOUCHED ? "untouched" : "written");
	MUST(send(p.c, "abc", 3, 0));
	await_bytes(p.a, 3);
	FACT("recvmsg_cloexec", recvmsg(p.a, &m, MSG_CMSG_CLOEXEC));
	say("recvmsg_cloexec_flags", "%#x", m.msg_flags);
	MUST(send(p.c, "abcdef", 6, 0));
	await_bytes(p.a, 6);
	v.iov_len = 2;
	FACT("recvmsg_short", recvmsg(p.a, &m, 0));
	say("recvmsg_short_flags", "%#x", m.msg_flags);
	FACT("recvmsg_short_trunc", recvmsg(p.a, &m, MSG_TRUNC));
	say("recvmsg_short_trunc_flags", "%#x", m.msg_flags);
	FACT("recvmsg_errqueue", recvmsg(p.a, &m, MSG_ERRQUEUE));
	FACT("recvmsg_rest", recvmsg(p.a, &m, 0));
	disconnect(p);
}

static void bad_buffers(void)
{
	struct conn p = connection();
	struct sockaddr *addr = (struct sockaddr *)&got;

	MUST(send(p.c, "abc", 3, 0));
	await_bytes(p.a, 3);
	FACT("null_len_0", recv(p.a, nil, 0, 0));
	FACT("null", recv(p.a, nil, 8, 0));
	FACT("unwritable", recv(p.a, nowhere, 8, 0));
	FACT("bad_buffer_keeps_data", recv(p.a, buf, 8, MSG_DONTWAIT));
	FACT("null_empty_dontwait", recv(p.a, nil, 8, MSG_DONTWAIT));
	MUST(send(p.c, "abc", 3, 0));
	await_bytes(p.a, 3);
	got_len = (socklen_t)-1;
	FACT("from_len_negative", recvfrom(p.a, buf, 8, 0, addr, &got_len));
	FACT("from_len_negative_after", recv(p.a, buf, 8, MSG_DONTWAIT));
	disconnect(p);
}

static void ends(void)
{
	struct conn p = connection();

	MUST(send(p.c, "abc", 3, 0));
	close(p.c);
	AWAIT_MASK(p.a, POLLRDHUP);
	FACT("end_data", recv(p.a, buf, 2, 0));
	FACT("end_data_rest", recv(p.a, buf, 8, 0));
	FACT("end", recv(p.a, buf, 8, 0));
	FACT("end_again", recv(p.a, buf, 8, 0));
	FACT("end_peek", recv(p.a, buf, 8, MSG_PEEK));
	FACT("end_dontwait", recv(p.a, buf, 8, MSG_DONTWAIT));
	FACT("end_oob", recv(p.a, buf, 8, MSG_OOB));
	FACT("end_errqueue", recv(p.a, buf, 8, MSG_ERRQUEUE));
	FACT("end_null", recv(p.a, nil, 8, 0));
	close(p.a);
}

int main(void)
{
	oracle_start();
	unconnected();
	plain();
	waitall();
	lowat();
	beside();
	bad_buffers();
	ends();
	return 0;
}
