/* SPDX-License-Identifier: MIT */
/* What is under way between two machines: counts, windows, and their options.
 */
#include "pair.h"

#include <linux/errqueue.h>
#include <linux/sockios.h>

static char data[2 * CREDIT];

/* Both counts. */
static void fact_counts(const char *name)
{
	int in = -1, out = -1;

	if (ioctl(end, FIONREAD, &in) < 0)
		in = -errno;
	if (ioctl(end, SIOCOUTQ, &out) < 0)
		out = -errno;
	say(name, "FIONREAD %d, SIOCOUTQ %d", in, out);
}

static void counts(const char *way)
{
	about("%s_count", way);
	connect_both();
	AT (from) {
		fact_counts(id("fresh"));
		MUST(send(end, data, 1000, 0));
	}
	round_trip(from);
	AT (from)
		fact_counts(id("sent"));
	AT (to) {
		fact_counts(id("arrived"));
		MUST(recv(end, data, 400, 0));
		fact_counts(id("read_400"));
		MUST(send(end, data, 2000, 0));
	}
	round_trip(to);
	AT (to)
		fact_counts(id("answered"));
	AT (from) {
		fact_counts(id("answer"));
		MUST(shutdown(end, SHUT_WR));
	}
	AT (to) {
		fact_counts(id("peer_shut"));
		close(end);
	}
	AT (from) {
		fact_counts(id("peer_closed"));
		close(end);
	}
}

static int fill(size_t size)
{
	ssize_t n;
	int sum = 0;

	while ((n = send(end, data, size, MSG_DONTWAIT | MSG_NOSIGNAL)) > 0)
		sum += (int)n;
	return sum;
}

static int drain(void)
{
	ssize_t n;
	int sum = 0;

	while ((n = recv(end, data, sizeof(data), MSG_DONTWAIT)) > 0)
		sum += (int)n;
	return sum;
}

/* How much fits while nobody reads, and again when all was read. */
static void window(enum side side, const char *name, size_t size)
{
	char text[64];

	strcpy(text, prefix);
	about("%s_%s%s", text, side == from ? "client" : "accepted", name);
	AT (side) {
		say(id("fill"), "%d", fill(size));
		FACT_MASK(id("full_mask"), end);
		FACT(id("full_send"), send(end, data, 1, MSG_DONTWAIT));
	}
	AT (!side)
		drain();
	AT (side) {
		FACT_MASK(id("drained_mask"), end);
		say(id("fill_again"), "%d", fill(size));
	}
	AT (!side)
		drain();
	about("%s", text);
}

static void windows(const char *way)
{
	about("%s_window", way);
	connect_both();
	window(from, "_65536", 65536);
	window(to, "_65536", 65536);
	window(from, "_16384", 16384);
	window(to, "_16384", 16384);
	close_both();
}

static void set_size(int fd, int option, uint64_t size)
{
	MUST(setsockopt(fd, AF_VSOCK, option, &size, sizeof(size)));
}

static uint64_t size_of(int fd)
{
	uint64_t size = 0;
	socklen_t len = sizeof(size);

	MUST(getsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_BUFFER_SIZE, &size, &len));
	return size;
}

/* The client's size, the listener's, before they connect. */
static void sized(const char *way, const char *name, uint64_t own,
		  uint64_t peer, size_t chunk)
{
	int l = -1;

	about("%s_%s", way, name);
	AT (to) {
		l = listener(ANY, 5000, 1);
		set_size(l, SO_VM_SOCKETS_BUFFER_MAX_SIZE, 2 * CREDIT);
		set_size(l, SO_VM_SOCKETS_BUFFER_SIZE, peer);
	}
	AT (from) {
		end = vsock();
		set_size(end, SO_VM_SOCKETS_BUFFER_MAX_SIZE, 2 * CREDIT);
		set_size(end, SO_VM_SOCKETS_BUFFER_SIZE, own);
		MUST(connect(end, there(5000), 16));
		say(id("client_size"), "%llu",
		    (unsigned long long)size_of(end));
	}
	AT (to) {
		end = (int)MUST(accept(l, NULL, NULL));
		close(l);
		say(id("accepted_size"), "%llu",
		    (unsigned long long)size_of(end));
	}
	window(from, "", chunk);
	window(to, "", chunk);
	close_both();
}

static void sizes(const char *way)
{
	sized(way, "small_both", 65536, 65536, 16384);
	sized(way, "small_client", 65536, CREDIT, 16384);
	sized(way, "small_listener", CREDIT, 65536, 16384);
	sized(way, "large_both", 2 * CREDIT, 2 * CREDIT, 65536);

	/* Changed on a connection that is there. */
	about("%s_later", way);
	connect_both();
	AT (to)
		set_size(end, SO_VM_SOCKETS_BUFFER_SIZE, 65536);
	window(from, "", 16384);
	window(to, "", 16384);
	close_both();
}

/* The sender is told of every byte sent without a copy. */
static void zerocopy(const char *way)
{
	int on = 1, i;

	about("%s_zerocopy", way);
	connect_both();
	AT (from) {
		FACT(id("option"),
		     setsockopt(end, SOL_SOCKET, SO_ZEROCOPY, &on, sizeof(on)));
		FACT(id("send"), send(end, data, 8192, MSG_ZEROCOPY));
		FACT(id("send_1"), send(end, data, 1, MSG_ZEROCOPY));
	}
	AT (to)
		say(id("drain"), "%d", drain());
	AT (from) {
		FACT_MASK_AT(id("mask"), end, POLLERR);
		for (i = 0; i < 3; i++) {
			char control[128];
			struct msghdr m = { .msg_control = control,
					    .msg_controllen = sizeof(control) };
			const struct sock_extended_err *e;
			const struct cmsghdr *c;
			char name[16];

			snprintf(name, sizeof(name), "done_%d", i);
			AWAIT(recvmsg(end, &m, MSG_ERRQUEUE) >= 0 || i == 2);
			c = CMSG_FIRSTHDR(&m);
			if (m.msg_controllen == sizeof(control) || !c) {
				say(id(name), "nothing");
				continue;
			}
			e = (const struct sock_extended_err *)CMSG_DATA(c);
			say(id(name),
			    "level %d type %d errno %u origin %u code %u "
			    "info %u data %u flags%s",
			    c->cmsg_level, c->cmsg_type, e->ee_errno,
			    e->ee_origin, e->ee_code, e->ee_info, e->ee_data,
			    flags_text((unsigned int)m.msg_flags));
		}
		FACT_MASK(id("mask_after"), end);
	}
	close_both();
}

int main(int argc, char **argv)
{
	pair_start(argc, argv);
	BOTH_WAYS(counts);
	BOTH_WAYS(windows);
	BOTH_WAYS(sizes);
	BOTH_WAYS(zerocopy);
	return pair_end();
}
