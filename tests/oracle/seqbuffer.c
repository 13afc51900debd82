/* SPDX-License-Identifier: MIT */
/* SOCK_SEQPACKET: how large a message may be, and how many may wait. */
#define TYPE SOCK_SEQPACKET
#include "oracle.h"

#include <linux/sockios.h>

#define MIB2 (2 * 1024 * 1024)

static char out[MIB2 + 1], in[MIB2 + 1];

static void pattern(void)
{
	size_t i;

	for (i = 0; i < sizeof(out); i++)
		out[i] = (char)('a' + i % 23);
}

/* The next message, which must be the beginning of the pattern. */
static void whole(const char *id, int fd)
{
	struct iovec v = { in, sizeof(in) };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
	ssize_t n;

	settle();
	n = recvmsg(fd, &m, MSG_DONTWAIT);
	settle(); /* the sender's window is open again */
	if (n < 0)
		say(id, "gets %s", strerrorname_np(errno));
	else
		say(id, "gets %zd bytes%s%s", n,
		    memcmp(in, out, (size_t)n) ? ", wrong" : "",
		    flags_text((unsigned int)m.msg_flags));
}

static void sizes(void)
{
	struct conn p = connection();
	struct iovec half[2] = { { out, CREDIT / 2 },
				 { out + CREDIT / 2, CREDIT / 2 + 1 } };
	struct iovec one = { out, 1 }, huge = { out, CREDIT + 1 };
	struct mmsghdr mm[3] = {
		{ .msg_hdr = { .msg_iov = &one, .msg_iovlen = 1 } },
		{ .msg_hdr = { .msg_iov = &huge, .msg_iovlen = 1 } },
		{ .msg_hdr = { .msg_iov = &one, .msg_iovlen = 1 } }
	};

	FACT("size_65536", send(p.c, out, 65536, 0));
	whole("size_65536_recv", p.a);
	FACT("size_65537_eor", send(p.c, out, 65537, MSG_EOR));
	whole("size_65537_recv", p.a);
	FACT("size_262144", send(p.c, out, CREDIT, 0));
	whole("size_262144_recv", p.a);
	FACT("size_262144_write", write(p.c, out, CREDIT));
	whole("size_262144_write_recv", p.a);
	half[1].iov_len--;
	FACT("size_262144_writev", writev(p.c, half, 2));
	whole("size_262144_writev_recv", p.a);
	half[1].iov_len++;
	FACT("size_262144_dontwait", send(p.c, out, CREDIT, MSG_DONTWAIT));
	whole("size_262144_dontwait_recv", p.a);
	FACT("size_262144_accepted", send(p.a, out, CREDIT, MSG_DONTWAIT));
	whole("size_262144_accepted_recv", p.c);

	FACT("size_262145", send(p.c, out, CREDIT + 1, 0));
	FACT("size_262145_write", write(p.c, out, CREDIT + 1));
	FACT("size_262145_writev", writev(p.c, half, 2));
	FACT("size_262145_eor", send(p.c, out, CREDIT + 1, MSG_EOR));
	FACT("size_262145_dontwait", send(p.c, out, CREDIT + 1, MSG_DONTWAIT));
	FACT("size_262145_oob", send(p.c, out, CREDIT + 1, MSG_OOB));
	FACT("size_262145_to",
	     sendto(p.c, out, CREDIT + 1, 0, vm(1, 5000), 16));
	FACT("size_262145_null", send(p.c, nil, CREDIT + 1, 0));
	FACT("size_2mib", send(p.c, out, MIB2, 0));
	whole("size_262145_recv", p.a);
	FACT("size_262145_sendmmsg", sendmmsg(p.c, mm, 3, 0));
	whole("size_262145_sendmmsg_recv", p.a);
	whole("size_262145_sendmmsg_recv_2", p.a);

	MUST(send(p.c, out, CREDIT, MSG_EOR));
	settle();
	FACT_MSG("size_trunc", p.a, 10, MSG_TRUNC);
	MUST(send(p.c, out, CREDIT, 0));
	settle();
	FACT_MSG("size_short", p.a, 100000, 0);
	whole("size_short_next", p.a);
	disconnect(p);
}

static int fill_up(int fd, size_t size)
{
	int n = 0;

	while (send(fd, out, size, MSG_DONTWAIT) == (ssize_t)size)
		n++;
	return n;
}

/* Messages of one size until no more fit, and again when one was read. */
static void fill(const char *how, struct conn p, size_t size)
{
	char id[64], full[64], part[64];
	int n = fill_up(p.c, size), drained = 0;

	snprintf(id, sizeof(id), "fill_%s", how);
	say(id, "%d of %zu bytes, then %s", n, size, strerrorname_np(errno));
	snprintf(full, sizeof(full), "%s", mask_text(mask_of(p.c)));
	settle();
	MUST(recv(p.a, in, 1, MSG_DONTWAIT));
	settle();
	snprintf(part, sizeof(part), "%s", mask_text(mask_of(p.c)));
	n = fill_up(p.c, size);
	settle();
	while (recv(p.a, in, sizeof(in), MSG_DONTWAIT) == (ssize_t)size)
		drained++;
	settle();
	snprintf(id, sizeof(id), "fill_%s_again", how);
	say(id, "%d more, %d drained", n, drained);
	snprintf(id, sizeof(id), "fill_%s_masks", how);
	say(id, "one read %s", part);
	snprintf(id, sizeof(id), "fill_%s_ends", how);
	say(id, "full %s, all read %s", full, mask_text(mask_of(p.c)));
	disconnect(p);
}

static void windows(void)
{
	struct conn p;
	struct iovec v = { out, 65536 };
	struct mmsghdr mm[6];
	int i;

	fill("262144", connection(), 262144);
	fill("65536", connection(), 65536);
	fill("16384", connection(), 16384);
	fill("4096", connection(), 4096);
	fill("1024", connection(), 1024);

	p = connection();
	for (i = 0; i < 6; i++)
		mm[i].msg_hdr =
			(struct msghdr){ .msg_iov = &v, .msg_iovlen = 1 };
	FACT("full_sendmmsg", sendmmsg(p.c, mm, 6, MSG_DONTWAIT));
	FACT("full_sendmmsg_again", sendmmsg(p.c, mm, 6, MSG_DONTWAIT));
	set_nonblock(p.c, true);
	FACT("full_send", send(p.c, out, 1, 0));
	FACT("full_write", write(p.c, out, 1));
	FACT("full_len_0", send(p.c, out, 0, 0));
	FACT("full_write_len_0", write(p.c, out, 0));
	FACT("full_huge", send(p.c, out, CREDIT + 1, 0));
	FACT("full_oob", send(p.c, out, 1, MSG_OOB));
	FACT("full_null", send(p.c, nil, 1, 0));
	set_nonblock(p.c, false);
	FACT("full_dontwait", send(p.c, out, 1, MSG_DONTWAIT));
	set_timeout(p.c, SO_SNDTIMEO, 50);
	FACT("full_timeout", send(p.c, out, 1, 0));
	FACT("full_timeout_write", write(p.c, out, 1));
	FACT("full_timeout_huge", send(p.c, out, CREDIT + 1, 0));
	set_timeout(p.c, SO_SNDTIMEO, 20000);
	FACT_INTERRUPTED("full_interrupted_timeout", SA_RESTART,
			 send(p.c, out, 1, 0));
	set_timeout(p.c, SO_SNDTIMEO, 0);
	FACT_INTERRUPTED("full_interrupted", 0, send(p.c, out, 1, 0));
	/* The other direction has a window of its own. */
	FACT("full_other_way", send(p.a, out, CREDIT, MSG_DONTWAIT));
	/* Nothing came of those that failed. */
	for (i = 0; i < 5; i++) {
		char id[] = "full_recv_0";

		id[10] = (char)('0' + i);
		whole(id, p.a);
	}
	disconnect(p);

	/* No window of the socket's own buffers. */
	p = connection();
	i = 4608;
	MUST(setsockopt(p.c, SOL_SOCKET, SO_SNDBUF, &i, sizeof(i)));
	MUST(setsockopt(p.a, SOL_SOCKET, SO_RCVBUF, &i, sizeof(i)));
	fill("sndbuf_4608", p, 65536);
}

/* Does the process sleep in a call, or has it ended? */
static bool rests(pid_t pid)
{
	char path[32], text[128];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = (int)MUST(open(path, O_RDONLY));
	n = MUST(read(fd, text, sizeof(text) - 1));
	text[n] = '\0';
	close(fd);
	return strchr("SZ", strrchr(text, ')')[2]);
}

/* Senders that sleep until there is room; what they send is not mixed. */
static void sleepers(void)
{
	struct conn p = connection();
	struct iovec v = { in, sizeof(in) };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
	int i, wrong = 0, marked = 0, n_read = 0;
	ssize_t n;

	BESIDE_CHILD(
		{
			close(p.a);
			for (i = 0; i < 60; i++)
				MUST(send(p.c, out, (size_t)(20000 + i * 1000),
					  i % 2 ? MSG_EOR : 0));
		},
		{
			close(p.c);
			while ((n = recvmsg(p.a, &m, 0)) > 0) {
				wrong += n != 20000 + n_read * 1000 ||
					 memcmp(in, out, (size_t)n);
				marked += (m.msg_flags & MSG_EOR) != 0;
				n_read++;
			}
		});
	say("sleeping_senders", "%d read, %d wrong, %d marked", n_read, wrong,
	    marked);
	close(p.a);

	/* One that has to wait for all of its room. */
	p = connection();
	MUST(send(p.c, out, 65536, 0));
	BESIDE_CHILD(FACT("sleeping_huge", send(p.c, out, CREDIT, MSG_EOR)), {
		usleep(20000);
		MUST(recv(p.a, in, sizeof(in), 0));
		n = MUST(recvmsg(p.a, &m, 0));
	});
	say("sleeping_huge_recv", "%zd%s%s", n,
	    memcmp(in, out, (size_t)n) ? ", wrong" : "",
	    flags_text((unsigned int)m.msg_flags));
	disconnect(p);
	p = connection();
	MUST(send(p.c, out, 65536, 0));
	BESIDE_CHILD(
		{
			close(p.a);
			FACT("sleeping_huge_peer_closes",
			     send(p.c, out, CREDIT, 0));
		},
		{
			close(p.c);
			AWAIT(rests(pid_));
			close(p.a);
		});
}

static void queued(const char *id, int fd)
{
	int n = -1;

	errno = 0;
	if (ioctl(fd, FIONREAD, &n) < 0)
		say(id, "FIONREAD gives %s", strerrorname_np(errno));
	else
		say(id, "FIONREAD gives %d", n);
}

static void counts(void)
{
	struct conn p = connection();
	int s = vsock(), n = -1;

	queued("fionread_fresh", s);
	close(s);
	queued("fionread_none", p.a);
	MUST(send(p.c, "abcdef", 6, 0));
	MUST(send(p.c, "ghi", 3, MSG_EOR));
	MUST(send(p.c, "jklm", 4, 0));
	MUST(send(p.c, "", 0, 0));
	settle();
	queued("fionread_three", p.a);
	recv(p.a, in, 2, MSG_PEEK);
	queued("fionread_peeked", p.a);
	MUST(recv(p.a, in, 6, 0));
	queued("fionread_two", p.a);
	MUST(recv(p.a, in, 1, 0));
	queued("fionread_one", p.a);
	MUST(recv(p.a, in, 64, 0));
	queued("fionread_all_read", p.a);
	MUST(send(p.c, out, CREDIT, 0));
	settle();
	queued("fionread_large", p.a);
	FACT("siocoutq", ioctl(p.c, SIOCOUTQ, &n));
	say("siocoutq_value", "%d", n);
	MUST(shutdown(p.a, SHUT_RD));
	queued("fionread_shut_rd", p.a);
	disconnect(p);

	p = connection();
	MUST(send(p.c, "abc", 3, 0));
	close(p.c);
	AWAIT_MASK(p.a, POLLRDHUP);
	queued("fionread_closed", p.a);
	MUST(recv(p.a, in, 64, 0));
	queued("fionread_closed_read", p.a);
	close(p.a);
}

static void lowat_is(const char *id, int fd, int value)
{
	socklen_t len = sizeof(value);
	int r = setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &value, sizeof(value));
	int error = errno;

	MUST(getsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &value, &len));
	say(id, "%s, reads %d", r ? strerrorname_np(error) : "0", value);
}

/* SO_RCVLOWAT is of the readiness, not of the messages. */
static void lowat(void)
{
	struct conn p = connection();

	lowat_is("lowat_0", p.a, 0);
	lowat_is("lowat_negative", p.a, -1);
	lowat_is("lowat_262144", p.a, CREDIT);
	lowat_is("lowat_262145", p.a, CREDIT + 1);
	lowat_is("lowat_10", p.a, 10);
	MUST(send(p.c, "abcde", 5, 0));
	settle();
	FACT_MASK("lowat_below", p.a);
	FACT_MSG("lowat_below_recv", p.a, 64, 0);
	FACT("lowat_none", recv(p.a, in, 64, MSG_DONTWAIT));
	MUST(send(p.c, "abcde", 5, 0));
	MUST(send(p.c, "fghij", 5, 0));
	settle();
	FACT_MASK("lowat_by_two", p.a);
	FACT_MSG("lowat_by_two_recv", p.a, 64, 0);
	FACT_MASK("lowat_one_left", p.a);
	close(p.c);
	FACT_MASK_AT("lowat_end", p.a, POLLRDHUP);
	FACT_MSG("lowat_end_recv", p.a, 64, 0);
	close(p.a);
}

static void resize(int fd, uint64_t size)
{
	MUST(setsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_BUFFER_MAX_SIZE, &size,
			sizeof(size)));
	MUST(setsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_BUFFER_SIZE, &size,
			sizeof(size)));
}

/* A connection between ends that were given their sizes before it, if any. */
static struct conn sized(uint64_t size, uint64_t peer_size)
{
	int l = bound(ANY, 5000);
	struct conn p = { .c = vsock() };

	if (size)
		resize(p.c, size);
	if (peer_size)
		resize(l, peer_size);
	MUST(listen(l, 1));
	MUST(connect(p.c, vm(1, 5000), 16));
	p.a = (int)MUST(accept(l, NULL, NULL));
	close(l);
	return p;
}

static void limit(const char *how, int from, int to, size_t most)
{
	char id[64];

	snprintf(id, sizeof(id), "%s_most", how);
	FACT(id, send(from, out, most, MSG_DONTWAIT));
	snprintf(id, sizeof(id), "%s_most_recv", how);
	whole(id, to);
	snprintf(id, sizeof(id), "%s_more", how);
	FACT(id, send(from, out, most + 1, MSG_DONTWAIT));
	snprintf(id, sizeof(id), "%s_more_recv", how);
	whole(id, to);
}

static void limits(void)
{
	struct conn p;
	int i, sent = 0, wrong = 0;

	p = sized(MIB2, MIB2);
	limit("both_2mib", p.c, p.a, MIB2);
	limit("both_2mib_accepted", p.a, p.c, MIB2);
	fill("both_2mib", p, 65536);

	/* 128 messages of up to 16 KiB, before any is read. */
	p = sized(MIB2, MIB2);
	for (i = 0; i < 128; i++)
		sent += send(p.c, out, (size_t)i * 97 % 16384 + 1,
			     MSG_DONTWAIT) > 0;
	settle();
	for (i = 0; i < 128; i++)
		wrong += recv(p.a, in, sizeof(in), MSG_DONTWAIT) !=
			 i * 97 % 16384 + 1;
	say("both_2mib_128_messages", "%d sent, %d wrong", sent, wrong);
	disconnect(p);

	p = sized(65536, 0);
	limit("own_65536", p.c, p.a, 65536);
	limit("own_65536_accepted", p.a, p.c, 65536);
	fill("own_65536", p, 16384);
	p = sized(0, 65536);
	limit("peer_65536", p.c, p.a, 65536);
	limit("peer_65536_accepted", p.a, p.c, 65536);
	fill("peer_65536", p, 16384);
	p = sized(MIB2, 0);
	limit("own_2mib", p.c, p.a, CREDIT);
	fill("own_2mib", p, 65536);
	p = sized(0, MIB2);
	limit("peer_2mib", p.c, p.a, CREDIT);
	fill("peer_2mib", p, 65536);
	p = sized(1000, 0);
	limit("own_1000", p.c, p.a, 1000);
	fill("own_1000", p, 500);

	/* Later is not too late; the peer learns it a moment later. */
	p = connection();
	resize(p.c, 100000);
	limit("own_lowered", p.c, p.a, 100000);
	resize(p.c, CREDIT);
	limit("own_raised_again", p.c, p.a, CREDIT);
	resize(p.a, 100000);
	settle();
	limit("peer_lowered", p.c, p.a, 100000);
	resize(p.c, MIB2);
	resize(p.a, MIB2);
	settle();
	limit("both_raised", p.c, p.a, MIB2);
	fill("both_raised", p, 262144);
}

int main(void)
{
	oracle_start();
	pattern();
	sizes();
	windows();
	sleepers();
	counts();
	lowat();
	limits();
	return 0;
}
