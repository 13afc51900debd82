/* SPDX-License-Identifier: MIT */
/* SOCK_SEQPACKET between two machines: messages, their ends, and sizes. */
#define TYPE SOCK_SEQPACKET
#include "pair.h"

static char out[CREDIT + 1], in[CREDIT + 1];

/* The next message, which must be the beginning of the pattern. */
static void whole(const char *name)
{
	struct iovec v = { in, sizeof(in) };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
	ssize_t n;

	memset(in, 0, sizeof(in));
	n = recvmsg(end, &m, MSG_DONTWAIT);
	if (n < 0)
		say(id(name), "gets %s", strerrorname_np(errno));
	else
		say(id(name), "gets %zd bytes%s%s", n,
		    memcmp(in, out, (size_t)n) ? ", wrong" : "",
		    flags_text((unsigned int)m.msg_flags));
}

static void ends(const char *way)
{
	struct iovec two[2] = { { out, 3 }, { out + 3, 2 } };
	struct msghdr m = { .msg_iov = two, .msg_iovlen = 2 };
	int i;

	about("%s_end", way);
	connect_both();
	AT (from) {
		FACT(id("send"), send(end, out, 1, 0));
		FACT(id("send_eor"), send(end, out, 2, MSG_EOR));
		FACT(id("write"), write(end, out, 3));
		FACT(id("sendmsg"), sendmsg(end, &m, 0));
		FACT(id("sendmsg_eor"), sendmsg(end, &m, MSG_EOR));
		FACT(id("writev"), writev(end, two, 2));
		FACT(id("send_more"), send(end, out, 6, MSG_MORE));
		FACT(id("send_0"), send(end, out, 0, 0));
		FACT(id("send_0_eor"), send(end, out, 0, MSG_EOR));
	}
	AT (to) {
		for (i = 0; i < 8; i++) {
			char name[16];

			snprintf(name, sizeof(name), "recv_%d", i);
			whole(name);
		}
	}
	close_both();
}

static void parts(const char *way)
{
	about("%s_part", way);
	connect_both();
	AT (from) {
		for (int i = 0; i < 5; i++)
			MUST(send(end, out, 10, i % 2 ? MSG_EOR : 0));
	}
	AT (to) {
		FACT_MSG(id("short"), end, 4, 0);
		FACT_MSG(id("short_trunc"), end, 4, MSG_TRUNC);
		FACT_MSG(id("peek"), end, 4, MSG_PEEK);
		FACT_MSG(id("peek_trunc"), end, 4, MSG_PEEK | MSG_TRUNC);
		FACT(id("recv_0"), recv(end, in, 0, 0));
		FACT_MSG(id("whole"), end, 100, 0);
		FACT_MSG(id("waitall"), end, 100, MSG_WAITALL);
		FACT_MSG(id("last"), end, 100, MSG_DONTWAIT);
		FACT_MSG(id("empty"), end, 100, MSG_DONTWAIT);
	}
	close_both();
}

static void sizes(const char *way)
{
	about("%s_size", way);
	connect_both();
	AT (from)
		FACT(id("65536"), send(end, out, 65536, 0));
	AT (to)
		whole("65536_recv");
	AT (from)
		FACT(id("65537"), send(end, out, 65537, MSG_EOR));
	AT (to)
		whole("65537_recv");
	AT (from) {
		FACT(id("262145"), send(end, out, CREDIT + 1, 0));
		FACT(id("262144"), send(end, out, CREDIT, 0));
		FACT_MASK(id("262144_mask"), end);
		FACT(id("then_1"), send(end, out, 1, MSG_DONTWAIT));
		FACT(id("then_262145"),
		     send(end, out, CREDIT + 1, MSG_DONTWAIT));
	}
	AT (to)
		whole("262144_recv");
	AT (from) {
		FACT_MASK(id("262144_read_mask"), end);
		FACT(id("200000"), send(end, out, 200000, MSG_DONTWAIT));
		FACT(id("then_60000"), send(end, out, 60000, MSG_DONTWAIT));
	}
	AT (to) {
		whole("200000_recv");
		whole("then_60000_recv");
		whole("then_nothing");
	}
	close_both();
}

/* What does not fit as a whole is not sent. */
static void too_much(const char *way)
{
	about("%s_too_much", way);
	connect_both();
	AT (from) {
		FACT(id("first"), send(end, out, 200000, MSG_DONTWAIT));
		FACT(id("second"), send(end, out, 200000, MSG_DONTWAIT));
	}
	AT (to)
		whole("first_recv");
	AT (from)
		FACT(id("third"), send(end, out, 10, MSG_DONTWAIT));
	AT (to) {
		whole("next_recv");
		whole("last_recv");
	}
	close_both();
}

/* The end of a connection is no message. */
static void last(const char *way)
{
	about("%s_last", way);
	connect_both();
	AT (from) {
		MUST(send(end, out, 10, MSG_EOR));
		MUST(send(end, out, 20, 0));
		close(end);
	}
	AT (to) {
		FACT_MASK(id("mask"), end);
		whole("first");
		whole("second");
		whole("end");
		FACT_MASK(id("mask_after"), end);
		sigpipes = 0;
		FACT(id("send"), send(end, out, 1, 0));
		say(id("sigpipe"), "%d", (int)sigpipes);
		close(end);
	}
}

int main(int argc, char **argv)
{
	size_t i;

	for (i = 0; i < sizeof(out); i++)
		out[i] = (char)('a' + i % 23);
	pair_start(argc, argv);
	BOTH_WAYS(ends);
	BOTH_WAYS(parts);
	BOTH_WAYS(sizes);
	BOTH_WAYS(too_much);
	BOTH_WAYS(last);
	return pair_end();
}
