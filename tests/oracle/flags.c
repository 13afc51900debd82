/* SPDX-License-Identifier: MIT */
/* Flags, names and control messages of STREAM sockets, and what vectored and
 * positioned reads and writes make of them. */
#include "oracle.h"

#include <sys/sendfile.h>

static char buf[64], abc[] = "abc";

/* --- each flag alone -------------------------------------------------------
 */

static long by_send(int fd, int flags)
{
	return send(fd, "x", 1, flags);
}

static long by_sendto(int fd, int flags)
{
	return sendto(fd, "x", 1, flags, NULL, 0);
}

static long by_sendmsg(int fd, int flags)
{
	struct iovec v = { abc, 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };

	return sendmsg(fd, &m, flags);
}

static long by_recv(int fd, int flags)
{
	return recv(fd, buf, 1, flags | MSG_DONTWAIT);
}

static int out_flags;

static long by_recvmsg(int fd, int flags)
{
	struct iovec v = { buf, 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_flags = -1 };
	long r = recvmsg(fd, &m, flags | MSG_DONTWAIT);

	out_flags = r < 0 ? 0 : m.msg_flags;
	return r;
}

/* The results of all flags, those apart that are not the usual one. */
static void each(const char *id, long (*call)(int, int), int fd, int peer)
{
	char text[512] = "", usual[32], result[32];
	unsigned int bit;

	errno = 0;
	snprintf(usual, sizeof(usual), "%s", outcome(call(fd, 0), false));
	/* All but MSG_CMSG_COMPAT, which is there if the kernel is configured
	 * for 32-bit programs. */
	for (bit = 1; bit < 1U << 31; bit <<= 1) {
		if (peer >= 0) {
			MUST(send(peer, "x", 1, 0));
			settle();
		}
		out_flags = 0;
		errno = 0;
		snprintf(result, sizeof(result), "%s",
			 outcome(call(fd, (int)bit), false));
		if (strcmp(result, usual))
			snprintf(text + strlen(text),
				 sizeof(text) - strlen(text), ", %#x: %s", bit,
				 result);
		if (out_flags)
			snprintf(text + strlen(text),
				 sizeof(text) - strlen(text), ", %#x: flags%s",
				 bit, flags_text((unsigned int)out_flags));
	}
	say(id, "%s%s", usual, text);
}

static void alone(void)
{
	struct conn p = connection();
	int s = vsock(), l = listener(ANY, 5001, 1);

	each("each_send", by_send, p.c, -1);
	each("each_sendto", by_sendto, p.c, -1);
	each("each_sendmsg", by_sendmsg, p.c, -1);
	each("each_send_fresh", by_send, s, -1);
	each("each_sendmsg_listening", by_sendmsg, l, -1);
	disconnect(p);

	/* With a byte to read in each case. */
	p = connection();
	MUST(send(p.c, "x", 1, 0));
	await_bytes(p.a, 1);
	each("each_recv", by_recv, p.a, p.c);
	disconnect(p);
	p = connection();
	MUST(send(p.c, "x", 1, 0));
	await_bytes(p.a, 1);
	each("each_recvmsg", by_recvmsg, p.a, p.c);
	disconnect(p);
	p = connection();
	each("each_recv_empty", by_recv, p.a, -1);
	MUST(shutdown(p.c, SHUT_WR));
	AWAIT_MASK(p.a, POLLRDHUP);
	each("each_recv_end", by_recv, p.a, -1);
	each("each_send_shut_wr", by_send, p.c, -1);
	disconnect(p);
	each("each_recv_fresh", by_recv, s, -1);
	each("each_recvmsg_listening", by_recvmsg, l, -1);
	close(s);
	close(l);
}

/* --- the error queue, out of band ------------------------------------------
 */

static void queues(void)
{
	struct conn p;
	int s = bound(ANY, 5001);

	FACT("errqueue_bound", recv(s, buf, 8, MSG_ERRQUEUE));
	MUST(listen(s, 1));
	FACT("errqueue_listening", recv(s, buf, 8, MSG_ERRQUEUE));
	FACT_MSG("errqueue_listening_msg", s, 8, MSG_ERRQUEUE);
	close(s);
	s = refused_client();
	FACT("errqueue_refused", recv(s, buf, 8, MSG_ERRQUEUE));
	FACT_SO_ERROR("errqueue_refused_error", s);
	FACT("oob_refused", send(s, "x", 1, MSG_OOB));
	FACT("oob_refused_recv", recv(s, buf, 8, MSG_OOB));
	close(s);
	p = connection();
	FACT("errqueue_len_0", recv(p.a, buf, 0, MSG_ERRQUEUE));
	FACT("errqueue_peek", recv(p.a, buf, 8, MSG_ERRQUEUE | MSG_PEEK));
	FACT("errqueue_oob", recv(p.a, buf, 8, MSG_ERRQUEUE | MSG_OOB));
	FACT("errqueue_waitall", recv(p.a, buf, 8, MSG_ERRQUEUE | MSG_WAITALL));
	FACT("errqueue_null", recv(p.a, nil, 8, MSG_ERRQUEUE));
	FACT_ADDR_LEN("errqueue_from", 128,
		      recvfrom(p.a, buf, 8, MSG_ERRQUEUE, ADDR));
	set_timeout(p.a, SO_RCVTIMEO, 5000);
	FACT("errqueue_no_wait", recv(p.a, buf, 8, MSG_ERRQUEUE));
	MUST(shutdown(p.a, SHUT_RD));
	FACT("errqueue_shut_rd", recv(p.a, buf, 8, MSG_ERRQUEUE));
	FACT("oob_shut_rd", recv(p.a, buf, 8, MSG_OOB));
	MUST(shutdown(p.a, SHUT_WR));
	settle();
	FACT("errqueue_shut_rdwr", recv(p.a, buf, 8, MSG_ERRQUEUE));
	FACT("oob_shut_rdwr", recv(p.a, buf, 8, MSG_OOB));
	disconnect(p);
	p = connection();
	MUST(send(p.c, "abc", 3, 0));
	close(p.c);
	AWAIT_MASK(p.a, POLLRDHUP);
	FACT("errqueue_closed_data", recv(p.a, buf, 8, MSG_ERRQUEUE));
	FACT("oob_closed_data", recv(p.a, buf, 8, MSG_OOB));
	FACT("oob_closed_data_send", send(p.a, "x", 1, MSG_OOB));
	FACT("closed_data", recv(p.a, buf, 8, 0));
	close(p.a);
	FACT("errqueue_badf", recv(-1, buf, 8, MSG_ERRQUEUE));
	FACT("oob_badf", send(-1, "x", 1, MSG_OOB));
}

/* --- names -----------------------------------------------------------------
 */

static void names_out(void)
{
	struct conn p = connection();
	struct iovec v = { abc, 3 };
	char room[256];
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
	int s = vsock();

	memset(room, 0, sizeof(room));
	memcpy(room, vm(1, 5000), 16);
	m.msg_namelen = 16;
	FACT("name_null", sendmsg(p.c, &m, 0));
	m.msg_name = room;
	FACT("name", sendmsg(p.a, &m, 0));
	FACT("name_fresh", sendmsg(s, &m, 0));
	m.msg_namelen = 200;
	FACT("name_len_200", sendmsg(p.c, &m, 0));
	m.msg_namelen = (socklen_t)-1;
	FACT("name_len_negative", sendmsg(p.c, &m, 0));
	FACT("name_len_negative_fresh", sendmsg(s, &m, 0));
	m.msg_namelen = 1;
	FACT("name_len_1", sendmsg(p.c, &m, 0));
	FACT("name_len_1_fresh", sendmsg(s, &m, 0));
	m.msg_name = nowhere;
	m.msg_namelen = 16;
	FACT("name_unreadable", sendmsg(p.c, &m, 0));
	m.msg_namelen = 0;
	FACT("name_unreadable_len_0", sendmsg(p.c, &m, 0));
	FACT("name_unreadable_len_0_fresh", sendmsg(s, &m, 0));
	FACT("to_unreadable",
	     sendto(p.c, "x", 1, 0, (struct sockaddr *)nowhere, 16));
	FACT("to_len_negative",
	     sendto(p.c, "x", 1, 0, vm(1, 5000), (socklen_t)-1));
	FACT("to_null_len_129",
	     sendto(p.c, "x", 1, 0, (struct sockaddr *)nil, 129));
	FACT("to_fastopen", sendto(p.c, "x", 1, MSG_FASTOPEN, vm(1, 5000), 16));
	FACT("to_fastopen_fresh",
	     sendto(s, "x", 1, MSG_FASTOPEN, vm(1, 5000), 16));
	FACT_MASK("to_fastopen_fresh_mask", s);
	FACT_ADDR("to_fastopen_fresh_name", getsockname(s, ADDR));
	await_bytes(p.a, 7);
	FACT("names_arrived", recv(p.a, buf, sizeof(buf), 0));
	MUST(shutdown(p.a, SHUT_RDWR));
	settle();
	FACT("to_shut", sendto(p.a, "x", 1, MSG_NOSIGNAL, vm(1, 5000), 16));
	FACT("to_peer_shut",
	     sendto(p.c, "x", 1, MSG_NOSIGNAL, vm(1, 5000), 16));
	close(s);
	disconnect(p);
}

static void names_in(void)
{
	struct conn p = connection();
	struct iovec v = { buf, sizeof(buf) };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
	struct sockaddr *addr = (struct sockaddr *)&got;
	socklen_t *no_len = (socklen_t *)nil;
	int s = vsock();

#define SENT(text)                                                             \
	(MUST(send(p.c, text, sizeof(text) - 1, 0)),                           \
	 await_bytes(p.a, sizeof(text) - 1))
	got_len = 77;
	FACT("from_fresh", recvfrom(s, buf, 8, 0, addr, &got_len));
	say("from_fresh_len", "%u", got_len);
	SENT("abc");
	got_len = 77;
	FACT("from_null", recvfrom(p.a, buf, 8, 0, NULL, &got_len));
	say("from_null_len", "%u", got_len);
	SENT("abc");
	FACT("from_no_len", recvfrom(p.a, buf, 8, 0, addr, no_len));
	FACT("from_no_len_after", recv(p.a, buf, 8, MSG_DONTWAIT));
	SENT("abc");
	FACT_ADDR_LEN("from_peek", 128, recvfrom(p.a, buf, 8, MSG_PEEK, ADDR));
	FACT_ADDR_LEN("from_len_0", 0, recvfrom(p.a, buf, 8, 0, ADDR));
	FACT_ADDR_LEN("from_no_room", 16, recvfrom(p.a, buf, 0, 0, ADDR));
	got_len = 16;
	SENT("abc");
	FACT("from_unwritable",
	     recvfrom(p.a, buf, 8, 0, (struct sockaddr *)nowhere, &got_len));

	m.msg_namelen = 16;
	SENT("abc");
	FACT("msg_name_null", recvmsg(p.a, &m, 0));
	say("msg_name_null_len", "%u", m.msg_namelen);
	m.msg_name = &got;
	m.msg_namelen = (socklen_t)-1;
	SENT("abc");
	FACT("msg_name_len_negative", recvmsg(p.a, &m, 0));
	m.msg_namelen = 200;
	FACT("msg_name_len_200", recvmsg(p.a, &m, MSG_DONTWAIT));
	say("msg_name_len_200_len", "%u", m.msg_namelen);
	m.msg_name = nowhere;
	m.msg_namelen = 16;
	SENT("abc");
	FACT("msg_name_unwritable", recvmsg(p.a, &m, 0));
	MUST(shutdown(p.c, SHUT_WR));
	AWAIT_MASK(p.a, POLLRDHUP);
	FACT_ADDR_LEN("from_end", 128, recvfrom(p.a, buf, 8, 0, ADDR));
	close(s);
	disconnect(p);
}

/* --- control messages ------------------------------------------------------
 */

static void control_out(void)
{
	struct conn p = connection();
	static char big[4096];
	struct cmsghdr *c = (struct cmsghdr *)big;
	struct iovec v = { abc, 3 }, none = { abc, 0 };
	struct msghdr m = { .msg_iov = &v,
			    .msg_iovlen = 1,
			    .msg_control = big,
			    .msg_controllen = CMSG_SPACE(sizeof(int)) };
	struct ucred me = { getpid(), getuid(), getgid() };
	int s = vsock(), i;

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	FACT("rights_fresh", sendmsg(s, &m, 0));
	memcpy(CMSG_DATA(c), &p.c, sizeof(p.c));
	FACT("rights_own_socket", sendmsg(p.c, &m, 0));
	m.msg_iov = &none;
	FACT("rights_no_data", sendmsg(p.c, &m, 0));
	m.msg_iov = &v;
	c->cmsg_len = CMSG_LEN(100 * sizeof(int));
	m.msg_controllen = CMSG_SPACE(100 * sizeof(int));
	for (i = 0; i < 100; i++)
		memcpy(CMSG_DATA(c) + (size_t)i * sizeof(int), &s, sizeof(s));
	FACT("rights_100", sendmsg(p.c, &m, 0));
	c->cmsg_type = SCM_CREDENTIALS;
	c->cmsg_len = CMSG_LEN(sizeof(me));
	memcpy(CMSG_DATA(c), &me, sizeof(me));
	m.msg_controllen = CMSG_SPACE(sizeof(me));
	FACT("credentials", sendmsg(p.c, &m, 0));
	me.pid = 1;
	me.uid++;
	memcpy(CMSG_DATA(c), &me, sizeof(me));
	FACT("credentials_false", sendmsg(p.c, &m, 0));
	c->cmsg_type = 99;
	FACT("cmsg_unknown_type", sendmsg(p.c, &m, 0));
	c->cmsg_level = 6;
	FACT("cmsg_unknown_level", sendmsg(p.c, &m, 0));
	c->cmsg_len = 1000;
	FACT("cmsg_too_long", sendmsg(p.c, &m, 0));
	m.msg_controllen = 1;
	FACT("cmsg_len_1", sendmsg(p.c, &m, 0));
	m.msg_controllen = sizeof(big);
	FACT("cmsg_4096", sendmsg(p.c, &m, 0));
	m.msg_control = nil;
	m.msg_controllen = 0;
	FACT("cmsg_null_len_0", sendmsg(p.c, &m, 0));
	m.msg_controllen = 16;
	FACT("cmsg_null_len_16", sendmsg(p.c, &m, 0));
	m.msg_control = nowhere;
	FACT("cmsg_unreadable", sendmsg(p.c, &m, 0));
	FACT("cmsg_unreadable_fresh", sendmsg(s, &m, 0));
	m.msg_controllen = 0;
	FACT("cmsg_unreadable_len_0", sendmsg(p.c, &m, 0));
	m.msg_control = big;
	m.msg_controllen = (size_t)INT_MAX + 1;
	FACT("cmsg_huge", sendmsg(p.c, &m, 0));
	settle();
	FACT("cmsg_arrived", recv(p.a, buf, sizeof(buf), 0));
	FACT("cmsg_all_arrived", recv(p.a, buf, sizeof(buf), MSG_DONTWAIT));
	close(s);
	disconnect(p);
}

static void control_in(void)
{
	struct conn p = connection();
	union {
		char bytes[64];
		struct cmsghdr align;
	} ctl;
	struct iovec v = { buf, sizeof(buf) };
	struct msghdr m = { .msg_iov = &v,
			    .msg_iovlen = 1,
			    .msg_control = &ctl };
	int on = 1, fd = 0;
	struct cmsghdr *c = &ctl.align;

	/* What asks AF_UNIX, or any socket, for more. */
	setsockopt(p.a, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
	setsockopt(p.a, SOL_SOCKET, SO_PASSSEC, &on, sizeof(on));
	setsockopt(p.a, SOL_SOCKET, SO_TIMESTAMP, &on, sizeof(on));
	setsockopt(p.a, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof(on));
	memset(&ctl, 0, sizeof(ctl));
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	m.msg_controllen = CMSG_SPACE(sizeof(fd));
	v = (struct iovec){ abc, 3 };
	MUST(sendmsg(p.c, &m, 0));
	MUST(sendmsg(p.c, &m, 0));
	MUST(sendmsg(p.c, &m, 0));
	MUST(sendmsg(p.c, &m, 0));
	await_bytes(p.a, 12);
	FACT_MSG("asked_for_more", p.a, 3, 0);
	v = (struct iovec){ buf, 3 };
	m.msg_controllen = 1;
	m.msg_flags = -1;
	FACT("control_short", recvmsg(p.a, &m, 0));
	say("control_short_result", "controllen %zu, flags%s",
	    (size_t)m.msg_controllen, flags_text((unsigned int)m.msg_flags));
	m.msg_control = nil;
	m.msg_controllen = 16;
	FACT("control_null", recvmsg(p.a, &m, 0));
	say("control_null_result", "controllen %zu, flags%s",
	    (size_t)m.msg_controllen, flags_text((unsigned int)m.msg_flags));
	m.msg_control = nowhere;
	m.msg_controllen = 16;
	FACT("control_unwritable", recvmsg(p.a, &m, 0));
	say("control_unwritable_len", "%zu", (size_t)m.msg_controllen);
	m.msg_control = &ctl;
	m.msg_controllen = 16;
	FACT("control_none", recvmsg(p.a, &m, MSG_DONTWAIT));
	say("control_none_len", "%zu", (size_t)m.msg_controllen);
	disconnect(p);
}

/* --- vectors ---------------------------------------------------------------
 */

static void headers(void)
{
	struct conn p = connection();
	static struct iovec many[1025];
	struct iovec bad[2] = { { abc, 3 }, { nil, 2 } };
	struct msghdr m = { .msg_iov = many, .msg_iovlen = 1025 };
	struct msghdr *null = (struct msghdr *)nil;
	int s = vsock(), i;

	for (i = 0; i < 1025; i++)
		many[i] = (struct iovec){ abc, 0 };
	FACT("sendmsg_null", sendmsg(p.c, null, 0));
	FACT("recvmsg_null", recvmsg(p.c, null, 0));
	FACT("sendmsg_null_fresh", sendmsg(s, null, 0));
	FACT("recvmsg_null_fresh", recvmsg(s, null, 0));
	FACT("sendmsg_1025", sendmsg(p.c, &m, 0));
	FACT("recvmsg_1025", recvmsg(p.c, &m, 0));
	FACT("writev_1025", writev(p.c, many, 1025));
	FACT("readv_1025", readv(p.c, many, 1025));
	m.msg_iovlen = 1024;
	many[1023].iov_len = 3;
	FACT("sendmsg_1024", sendmsg(p.c, &m, 0));
	m.msg_iovlen = 0;
	FACT("sendmsg_none", sendmsg(p.c, &m, 0));
	FACT("sendmsg_none_fresh", sendmsg(s, &m, 0));
	FACT("recvmsg_none", recvmsg(p.c, &m, 0));
	FACT("recvmsg_none_fresh", recvmsg(s, &m, 0));
	m.msg_iov = (struct iovec *)nil;
	FACT("sendmsg_iov_null_none", sendmsg(p.c, &m, 0));
	m.msg_iovlen = 1;
	FACT("sendmsg_iov_null", sendmsg(p.c, &m, 0));
	FACT("recvmsg_iov_null", recvmsg(p.c, &m, 0));
	FACT("sendmsg_iov_null_fresh", sendmsg(s, &m, 0));
	FACT("writev_part_null", writev(p.c, bad, 2));
	settle();
	FACT("headers_arrived", recv(p.a, buf, sizeof(buf), MSG_DONTWAIT));
	MUST(send(p.c, "abcde", 5, 0));
	await_bytes(p.a, 5);
	FACT("readv_part_null", readv(p.a, bad, 2));
	FACT("readv_part_null_rest", recv(p.a, buf, 8, MSG_DONTWAIT));
	MUST(send(p.c, "abcde", 5, 0));
	await_bytes(p.a, 5);
	FACT("trunc_null", recv(p.a, nil, 8, MSG_TRUNC));
	FACT("trunc_null_len_0", recv(p.a, nil, 0, MSG_TRUNC));
	FACT("trunc_null_rest", recv(p.a, buf, 8, MSG_DONTWAIT));
	close(s);
	disconnect(p);
}

static void positions(void)
{
	struct conn p = connection();
	static char big[CREDIT];
	struct iovec v = { abc, 3 }, in = { buf, sizeof(buf) };
	int s = vsock();

	FACT("pwritev2", pwritev2(p.c, &v, 1, -1, 0));
	FACT("pwritev2_nowait", pwritev2(p.c, &v, 1, -1, RWF_NOWAIT));
	FACT("pwritev2_dsync", pwritev2(p.c, &v, 1, -1, RWF_DSYNC));
	FACT("pwritev2_hipri", pwritev2(p.c, &v, 1, -1, RWF_HIPRI));
	FACT("pwritev2_append", pwritev2(p.c, &v, 1, -1, RWF_APPEND));
	FACT("pwritev2_unknown", pwritev2(p.c, &v, 1, -1, 0x10000000));
	FACT("pwritev2_offset_0", pwritev2(p.c, &v, 1, 0, 0));
	FACT("pwritev2_offset_5", pwritev2(p.c, &v, 1, 5, RWF_NOWAIT));
	FACT("pwritev2_none", pwritev2(p.c, &v, 0, -1, 0));
	FACT("pwritev2_fresh", pwritev2(s, &v, 1, -1, 0));
	FACT("pwritev_offset_0", pwritev(p.c, &v, 1, 0));
	FACT("pwritev_offset_negative", pwritev(p.c, &v, 1, -1));
	await_bytes(p.a, 15);
	FACT("preadv2", preadv2(p.a, &in, 1, -1, 0));
	FACT("preadv2_nowait_empty", preadv2(p.a, &in, 1, -1, RWF_NOWAIT));
	FACT("preadv2_unknown", preadv2(p.a, &in, 1, -1, 0x10000000));
	FACT("preadv2_offset_0", preadv2(p.a, &in, 1, 0, 0));
	FACT("preadv2_none", preadv2(p.a, &in, 0, -1, 0));
	FACT("preadv2_fresh", preadv2(s, &in, 1, -1, 0));
	FACT("preadv_offset_0", preadv(p.a, &in, 1, 0));
	FACT("preadv_offset_negative", preadv(p.a, &in, 1, -1));
	FACT("pread_negative", pread(p.a, buf, 8, -1));
	FACT("pwrite_negative", pwrite(p.c, abc, 1, -1));
	FACT("pwrite_len_0", pwrite(p.c, abc, 0, 0));
	FACT("pread_fresh", pread(s, buf, 8, 0));

	MUST(send(p.c, big, sizeof(big), 0));
	v = (struct iovec){ big, 1 };
	FACT("pwritev2_nowait_full", pwritev2(p.c, &v, 1, -1, RWF_NOWAIT));
	close(p.a);
	AWAIT_MASK(p.c, POLLRDHUP);
	sigpipes = 0;
	FACT("pwritev2_broken", pwritev2(p.c, &v, 1, -1, 0));
	say("pwritev2_broken_sigpipe", "%d", (int)sigpipes);
	FACT("preadv2_end", preadv2(p.c, &in, 1, -1, RWF_NOWAIT));
	close(p.c);
	close(s);
}

/* Every call that writes to a peer that is gone raises SIGPIPE. */
static void sigpipe(void)
{
	struct conn p = connection();
	struct iovec v = { abc, 3 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
	struct mmsghdr mm[2] = { { .msg_hdr = m }, { .msg_hdr = m } };
	int file = memfd_create("oracle", MFD_CLOEXEC), pipes[2];

	close(p.a);
	AWAIT_MASK(p.c, POLLRDHUP);
	MUST(write(file, "abc", 3));
	MUST(lseek(file, 0, SEEK_SET));
	MUST(pipe(pipes));
	MUST(write(pipes[1], "abc", 3));

#define SIGNALS(id, call)                                                      \
	(sigpipes = 0, errno = 0, fact(id, #call, (long)(call), false),        \
	 say(id "_sigpipe", "%d", (int)sigpipes))
	SIGNALS("broken_sendmsg", sendmsg(p.c, &m, 0));
	SIGNALS("broken_sendmsg_nosignal", sendmsg(p.c, &m, MSG_NOSIGNAL));
	SIGNALS("broken_sendto", sendto(p.c, "x", 1, 0, NULL, 0));
	SIGNALS("broken_sendmmsg", sendmmsg(p.c, mm, 2, 0));
	SIGNALS("broken_sendmmsg_nosignal", sendmmsg(p.c, mm, 2, MSG_NOSIGNAL));
	SIGNALS("broken_dontwait", send(p.c, "x", 1, MSG_DONTWAIT));
	SIGNALS("broken_null", send(p.c, nil, 1, 0));
	SIGNALS("broken_sendfile", sendfile(p.c, file, NULL, 3));
	SIGNALS("broken_splice", splice(pipes[0], NULL, p.c, NULL, 3, 0));
	close(pipes[0]);
	close(pipes[1]);
	close(file);
	close(p.c);
}

int main(void)
{
	oracle_start();
	alone();
	queues();
	names_out();
	names_in();
	control_out();
	control_in();
	headers();
	positions();
	sigpipe();
	return 0;
}
