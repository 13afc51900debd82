/* SPDX-License-Identifier: MIT */
/* sendmmsg() and recvmmsg(): how many, the error after some, timeouts. */
#include "oracle.h"

#define N 4

static char room[N][8], text[N][4] = { "abc", "de", "f", "gh" };
static struct iovec in[N], out[N];
static struct mmsghdr mm[N];

/* Messages to send, or room to receive them. */
static struct mmsghdr *vector(struct iovec *v)
{
	int i;

	for (i = 0; i < N; i++) {
		in[i] = (struct iovec){ room[i], sizeof(room[i]) };
		out[i] = (struct iovec){ text[i], strlen(text[i]) };
		mm[i] = (struct mmsghdr){ .msg_hdr = { .msg_iov = v + i,
						       .msg_iovlen = 1 },
					  .msg_len = 77 };
	}
	return mm;
}

static void lengths(const char *id)
{
	say(id, "%u %u %u %u", mm[0].msg_len, mm[1].msg_len, mm[2].msg_len,
	    mm[3].msg_len);
}

/* What arrived, as one string. */
static void arrived(const char *id, int fd)
{
	static char data[64];
	ssize_t n;

	settle();
	n = recv(fd, data, sizeof(data), MSG_DONTWAIT);
	say(id, "\"%.*s\" %s", n < 0 ? 0 : (int)n, data,
	    n < 0 ? strerrorname_np(errno) : "");
}

static void sends(void)
{
	struct conn p = connection();
	struct mmsghdr *null = (struct mmsghdr *)nil;
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} ctl = { { 0 } };
	struct cmsghdr *c = &ctl.align;
	int s = vsock(), file = (int)MUST(open("/dev/null", O_RDWR));

	FACT("send", sendmmsg(p.c, vector(out), N, 0));
	lengths("send_lengths");
	arrived("send_arrived", p.a);
	FACT("send_0", sendmmsg(p.c, vector(out), 0, 0));
	FACT("send_0_null", sendmmsg(p.c, null, 0, 0));
	FACT("send_null", sendmmsg(p.c, null, 1, 0));
	FACT("send_badf", sendmmsg(-1, vector(out), 1, 0));
	FACT("send_badf_0", sendmmsg(-1, vector(out), 0, 0));
	FACT("send_notsock", sendmmsg(file, vector(out), 1, 0));
	FACT("send_oob", sendmmsg(p.c, vector(out), N, MSG_OOB));
	lengths("send_oob_lengths");
	FACT("send_fresh", sendmmsg(s, vector(out), N, 0));
	FACT("send_fresh_0", sendmmsg(s, vector(out), 0, 0));
	vector(out)[0].msg_hdr.msg_name = vm(1, 5000);
	mm[0].msg_hdr.msg_namelen = 16;
	FACT("send_name_fresh", sendmmsg(s, mm, N, 0));
	FACT("send_name_first", sendmmsg(p.c, mm, N, 0));
	arrived("send_errors_arrived", p.a);

	/* The first that fails ends it; what went before counts. */
	vector(out)[2].msg_hdr.msg_name = vm(1, 5000);
	mm[2].msg_hdr.msg_namelen = 16;
	FACT("send_name_third", sendmmsg(p.c, mm, N, 0));
	lengths("send_name_third_lengths");
	arrived("send_name_third_arrived", p.a);
	vector(out);
	out[1].iov_base = nil;
	FACT("send_null_second", sendmmsg(p.c, mm, N, 0));
	arrived("send_null_second_arrived", p.a);
	FACT_SO_ERROR("send_null_second_error", p.c);
	vector(out)[1].msg_hdr.msg_iov = (struct iovec *)nil;
	FACT("send_iov_null_second", sendmmsg(p.c, mm, N, 0));
	vector(out)[1].msg_hdr.msg_iovlen = 1025;
	FACT("send_1025_second", sendmmsg(p.c, mm, N, 0));
	arrived("send_bad_second_arrived", p.a);
	vector(out);
	out[1].iov_len = 0;
	FACT("send_empty_second", sendmmsg(p.c, mm, N, 0));
	lengths("send_empty_second_lengths");
	arrived("send_empty_second_arrived", p.a);

	/* Control messages go nowhere. */
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	vector(out)[1].msg_hdr.msg_control = &ctl;
	mm[1].msg_hdr.msg_controllen = sizeof(ctl);
	FACT("send_rights", sendmmsg(p.c, mm, N, 0));
	arrived("send_rights_arrived", p.a);
	memset(CMSG_DATA(c), 0xff, sizeof(int));
	FACT("send_rights_bad_fd", sendmmsg(p.c, mm, N, 0));
	arrived("send_rights_bad_fd_arrived", p.a);
	mm[1].msg_hdr.msg_control = nowhere;
	FACT("send_control_unreadable", sendmmsg(p.c, mm, N, 0));
	arrived("send_control_unreadable_arrived", p.a);
	close(file);
	close(s);
	disconnect(p);
}

/* The window ends in the middle of them. */
static void windows(void)
{
	struct conn p = connection();
	static char big[CREDIT];

	vector(out);
	out[0] = out[1] = out[2] = (struct iovec){ big, 131072 };
	FACT("full_dontwait", sendmmsg(p.c, mm, N, MSG_DONTWAIT));
	lengths("full_dontwait_lengths");
	FACT("full_again", sendmmsg(p.c, mm, N, MSG_DONTWAIT));
	set_timeout(p.c, SO_SNDTIMEO, 50);
	FACT("full_timeout", sendmmsg(p.c, mm, N, 0));
	disconnect(p);

	/* The peer goes; SIGPIPE comes with the call that fails. */
	p = connection();
	MUST(shutdown(p.a, SHUT_RD));
	settle();
	sigpipes = 0;
	FACT("epipe", sendmmsg(p.c, vector(out), N, 0));
	say("epipe_sigpipe", "%d", (int)sigpipes);
	sigpipes = 0;
	FACT("epipe_nosignal", sendmmsg(p.c, vector(out), N, MSG_NOSIGNAL));
	say("epipe_nosignal_sigpipe", "%d", (int)sigpipes);
	FACT("epipe_0", sendmmsg(p.c, vector(out), 0, 0));
	disconnect(p);
}

#define SENT(what)                                                             \
	(MUST(send(p.c, what, sizeof(what) - 1, 0)),                           \
	 await_bytes(p.a, sizeof(what) - 1))

static void receives(void)
{
	struct conn p = connection();
	struct mmsghdr *null = (struct mmsghdr *)nil;
	struct timespec none = { 0, 0 }, bad = { 0, 1000000000 }, t;
	struct timespec negative = { -1, 0 };
	struct timespec *gone = (struct timespec *)(void *)nowhere;
	int s = vsock(), file = (int)MUST(open("/dev/null", O_RDWR));

	FACT("recv_0", recvmmsg(p.a, vector(in), 0, 0, NULL));
	FACT("recv_0_null", recvmmsg(p.a, null, 0, 0, NULL));
	FACT("recv_null_empty", recvmmsg(p.a, null, 1, MSG_DONTWAIT, NULL));
	FACT("recv_badf", recvmmsg(-1, vector(in), 1, 0, NULL));
	FACT("recv_notsock", recvmmsg(file, vector(in), 1, 0, NULL));
	FACT("recv_fresh", recvmmsg(s, vector(in), N, 0, NULL));
	FACT("recv_fresh_0", recvmmsg(s, vector(in), 0, 0, NULL));
	FACT("recv_oob", recvmmsg(p.a, vector(in), N, MSG_OOB, NULL));
	FACT("recv_errqueue", recvmmsg(p.a, vector(in), N, MSG_ERRQUEUE, NULL));
	FACT("recv_empty", recvmmsg(p.a, vector(in), N, MSG_DONTWAIT, NULL));
	lengths("recv_empty_lengths");
	set_timeout(p.a, SO_RCVTIMEO, 50);
	FACT("recv_empty_timeout", recvmmsg(p.a, vector(in), N, 0, NULL));
	FACT("recv_empty_waitforone",
	     recvmmsg(p.a, vector(in), N, MSG_WAITFORONE, NULL));
	set_timeout(p.a, SO_RCVTIMEO, 0);

	/* A stream fills one after the other. */
	SENT("0123456789abcdefghij");
	FACT("recv", recvmmsg(p.a, vector(in), N, MSG_DONTWAIT, NULL));
	lengths("recv_lengths");
	say("recv_data", "%.8s %.8s %.4s", room[0], room[1], room[2]);
	SENT("0123456789");
	FACT("recv_waitforone",
	     recvmmsg(p.a, vector(in), N, MSG_WAITFORONE, NULL));
	lengths("recv_waitforone_lengths");
	SENT("0123456789");
	FACT("recv_peek",
	     recvmmsg(p.a, vector(in), 2, MSG_DONTWAIT | MSG_PEEK, NULL));
	lengths("recv_peek_lengths");
	vector(in)[0].msg_hdr.msg_name = &got;
	mm[0].msg_hdr.msg_namelen = 128;
	mm[1].msg_hdr.msg_control = &got;
	mm[1].msg_hdr.msg_controllen = 64;
	FACT("recv_beside", recvmmsg(p.a, mm, N, MSG_DONTWAIT, NULL));
	say("recv_beside_result", "namelen %u, controllen %zu",
	    mm[0].msg_hdr.msg_namelen, (size_t)mm[1].msg_hdr.msg_controllen);
	vector(in);
	in[0].iov_len = 0;
	SENT("abc");
	FACT("recv_empty_first", recvmmsg(p.a, mm, N, MSG_DONTWAIT, NULL));
	lengths("recv_empty_first_lengths");

	/* Its timeout is looked at after each message. */
	SENT("0123456789");
	FACT("recv_timeout_0", recvmmsg(p.a, vector(in), N, 0, &none));
	lengths("recv_timeout_0_lengths");
	t = (struct timespec){ 100, 0 };
	FACT("recv_timeout_100", recvmmsg(p.a, vector(in), 1, 0, &t));
	say("recv_timeout_100_rest", "%d", t.tv_sec == 99 || t.tv_sec == 100);
	FACT("recv_timeout_empty",
	     recvmmsg(p.a, vector(in), N, MSG_DONTWAIT, &none));
	FACT("recv_timeout_bad", recvmmsg(p.a, vector(in), N, 0, &bad));
	FACT("recv_timeout_negative",
	     recvmmsg(p.a, vector(in), N, 0, &negative));
	if (sizeof(time_t) == 8)
		FACT("recv_timeout_unreadable",
		     recvmmsg(p.a, vector(in), N, 0, gone));
	else /* such a libc translates it, so reads it itself */
		say("recv_timeout_unreadable", "not asked");
	FACT("recv_timeout_bad_badf", recvmmsg(-1, vector(in), N, 0, &bad));
	close(file);
	close(s);
	disconnect(p);
}

/* The error that comes after some messages is kept for the next call. */
static void errors(void)
{
	struct conn p = connection();
	int s;

	SENT("0123456789");
	vector(in);
	in[1].iov_base = nil;
	FACT("error_second", recvmmsg(p.a, mm, N, MSG_DONTWAIT, NULL));
	lengths("error_second_lengths");
	FACT_MASK("error_second_mask", p.a);
	FACT_SO_ERROR("error_second_error", p.a);
	FACT_SO_ERROR("error_second_error_once", p.a);
	FACT("error_second_rest", recv(p.a, room[0], 8, MSG_DONTWAIT));
	SENT("0123456789");
	vector(in);
	in[1].iov_base = nil;
	MUST(recvmmsg(p.a, mm, N, MSG_DONTWAIT, NULL));
	FACT("error_next", recvmmsg(p.a, vector(in), N, MSG_DONTWAIT, NULL));
	FACT("error_next_again",
	     recvmmsg(p.a, vector(in), N, MSG_DONTWAIT, NULL));
	SENT("abc");
	vector(in);
	in[0].iov_base = nil;
	FACT("error_first", recvmmsg(p.a, mm, N, MSG_DONTWAIT, NULL));
	FACT_SO_ERROR("error_first_error", p.a);
	vector(in)[1].msg_hdr.msg_iov = (struct iovec *)nil;
	FACT("error_iov_null_second", recvmmsg(p.a, mm, N, MSG_DONTWAIT, NULL));
	FACT_SO_ERROR("error_iov_null_second_error", p.a);

	/* To have nothing more is no error; the end is messages of no bytes. */
	SENT("abc");
	FACT("eagain_second", recvmmsg(p.a, vector(in), N, MSG_DONTWAIT, NULL));
	FACT_SO_ERROR("eagain_second_error", p.a);
	MUST(send(p.c, "abc", 3, 0));
	MUST(shutdown(p.c, SHUT_WR));
	AWAIT_MASK(p.a, POLLRDHUP);
	FACT("end", recvmmsg(p.a, vector(in), N, 0, NULL));
	lengths("end_lengths");
	FACT("end_again", recvmmsg(p.a, vector(in), N, 0, NULL));
	lengths("end_again_lengths");
	disconnect(p);

	s = refused_client();
	FACT("refused", recvmmsg(s, vector(in), N, 0, NULL));
	FACT_SO_ERROR("refused_error", s);
	FACT("refused_again", recvmmsg(s, vector(in), N, 0, NULL));
	close(s);
	s = refused_client();
	FACT("refused_0", recvmmsg(s, vector(in), 0, 0, NULL));
	FACT_SO_ERROR("refused_0_error", s);
	FACT("refused_send", sendmmsg(s, vector(out), N, 0));
	close(s);
}

int main(void)
{
	oracle_start();
	sends();
	windows();
	receives();
	errors();
	return 0;
}
