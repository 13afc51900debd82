/* SPDX-License-Identifier: MIT */
/* The options of level AF_VSOCK, and the levels that there are not. */
#include "oracle.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/un.h>

#define SIZE	SO_VM_SOCKETS_BUFFER_SIZE
#define MIN	SO_VM_SOCKETS_BUFFER_MIN_SIZE
#define MAX	SO_VM_SOCKETS_BUFFER_MAX_SIZE
#define TIMEOUT SO_VM_SOCKETS_CONNECT_TIMEOUT

static long set_size(int s, int option, uint64_t value)
{
	return setsockopt(s, AF_VSOCK, option, &value, sizeof(value));
}

/* Size, least, most: what clamps what. */
static void sizes(const char *id, int s)
{
	uint64_t value[3] = { 0 };
	int i;

	for (i = SIZE; i <= MAX; i++) {
		socklen_t len = sizeof(value[i]);

		MUST(getsockopt(s, AF_VSOCK, i, &value[i], &len));
	}
	say(id, "size %llu min %llu max %llu", (unsigned long long)value[SIZE],
	    (unsigned long long)value[MIN], (unsigned long long)value[MAX]);
}

static void clamps(void)
{
	int s = vsock();

	sizes("default", s);
	FACT("size_100000", set_size(s, SIZE, 100000));
	sizes("size_100000_read", s);
	FACT("size_1", set_size(s, SIZE, 1));
	sizes("size_1_read", s);
	FACT("size_0", set_size(s, SIZE, 0));
	sizes("size_0_read", s);
	FACT("size_above", set_size(s, SIZE, 300000));
	sizes("size_above_read", s);
	FACT("max_2097152", set_size(s, MAX, 2097152));
	sizes("max_2097152_read", s);
	FACT("size_2097152", set_size(s, SIZE, 2097152));
	sizes("size_2097152_read", s);
	FACT("max_lower", set_size(s, MAX, 65536));
	sizes("max_lower_read", s);
	FACT("min_1000", set_size(s, MIN, 1000));
	sizes("min_1000_read", s);
	FACT("size_below_min", set_size(s, SIZE, 500));
	sizes("size_below_min_read", s);
	FACT("min_raise", set_size(s, MIN, 5000));
	sizes("min_raise_read", s);
	FACT("min_above_max", set_size(s, MIN, 100000));
	sizes("min_above_max_read", s);
	FACT("size_min_above_max", set_size(s, SIZE, 80000));
	sizes("size_min_above_max_read", s);
	close(s);

	s = vsock();
	FACT("max_0", set_size(s, MAX, 0));
	sizes("max_0_read", s);
	close(s);
	s = vsock();
	FACT("max_huge", set_size(s, MAX, UINT64_MAX));
	FACT("size_huge", set_size(s, SIZE, UINT64_MAX - 1));
	sizes("huge_read", s);
	close(s);
}

static void lengths(void)
{
	int s = vsock(), i;
	uint64_t value[4] = { 50000 };
	socklen_t len;
	static const socklen_t odd[] = { 0, 4, 7, 9, 16, 32 };

	for (i = 0; i < 6; i++) {
		char id[32];

		snprintf(id, sizeof(id), "set_len_%u", odd[i]);
		FACT(id, setsockopt(s, AF_VSOCK, SIZE, value, odd[i]));
		snprintf(id, sizeof(id), "get_len_%u", odd[i]);
		len = odd[i];
		FACT(id, getsockopt(s, AF_VSOCK, SIZE, value, &len));
		snprintf(id, sizeof(id), "get_len_%u_len", odd[i]);
		say(id, "%u", len);
	}
	FACT("set_len_negative",
	     setsockopt(s, AF_VSOCK, SIZE, value, (socklen_t)-1));
	len = (socklen_t)-1;
	FACT("get_len_negative", getsockopt(s, AF_VSOCK, SIZE, value, &len));
	FACT("set_null", setsockopt(s, AF_VSOCK, SIZE, nil, 8));
	FACT("set_null_len_4", setsockopt(s, AF_VSOCK, SIZE, nil, 4));
	FACT("set_unreadable", setsockopt(s, AF_VSOCK, SIZE, nowhere, 8));
	len = 8;
	FACT("get_null", getsockopt(s, AF_VSOCK, SIZE, nil, &len));
	FACT("get_no_len",
	     getsockopt(s, AF_VSOCK, SIZE, value, (socklen_t *)nil));
	FACT("set_badf", setsockopt(-1, AF_VSOCK, SIZE, value, 8));
	FACT("get_badf", getsockopt(-1, AF_VSOCK, SIZE, value, &len));
	close(s);
}

static void unknown(void)
{
	static const int names[] = { SO_VM_SOCKETS_PEER_HOST_VM_ID,
				     4,
				     SO_VM_SOCKETS_TRUSTED,
				     SO_VM_SOCKETS_NONBLOCK_TXRX,
				     9,
				     100,
				     -1 };
	int s = vsock(), i;
	uint64_t value = 1;
	socklen_t len;
	char id[32];

	for (i = 0; i < 7; i++) {
		snprintf(id, sizeof(id), "set_option_%d", names[i]);
		FACT(id, setsockopt(s, AF_VSOCK, names[i], &value, 8));
		snprintf(id, sizeof(id), "get_option_%d", names[i]);
		len = 8;
		FACT(id, getsockopt(s, AF_VSOCK, names[i], &value, &len));
		snprintf(id, sizeof(id), "get_option_%d_len_1", names[i]);
		len = 1;
		FACT(id, getsockopt(s, AF_VSOCK, names[i], &value, &len));
	}
	close(s);
}

static void timeout(const char *id, int s, time_t sec, long usec)
{
	struct timeval t = { sec, usec };
	socklen_t len = sizeof(t);
	char name[64];

	FACT(id, setsockopt(s, AF_VSOCK, TIMEOUT, &t, sizeof(t)));
	MUST(getsockopt(s, AF_VSOCK, TIMEOUT, &t, &len));
	snprintf(name, sizeof(name), "%s_read", id);
	say(name, "%ld.%06ld len %u", (long)t.tv_sec, (long)t.tv_usec, len);
}

/* To a tick of the kernel's, which is no longer than 10 ms. */
static int rounded_up(const struct timeval *t, long usec)
{
	long got_usec = (long)t->tv_sec * 1000000 + (long)t->tv_usec;

	return got_usec >= usec && got_usec <= usec + 10000;
}

static void timeouts(void)
{
	int s = vsock();
	struct timeval t = { 0, 0 };
	socklen_t len = sizeof(t);
	char room[32] = "";

	FACT("timeout_default", getsockopt(s, AF_VSOCK, TIMEOUT, &t, &len));
	say("timeout_default_read", "%ld.%06ld", (long)t.tv_sec,
	    (long)t.tv_usec);
	timeout("timeout_3_5", s, 3, 500000);
	timeout("timeout_0_1", s, 0, 100000);
	timeout("timeout_zero", s, 0, 0);
	timeout("timeout_3", s, 3, 0);
	timeout("timeout_negative", s, -1, 0);
	timeout("timeout_usec_million", s, 0, 1000000);
	timeout("timeout_usec_negative", s, 0, -1);
	timeout("timeout_huge", s, (time_t)INT64_MAX, 0);
	t = (struct timeval){ 0, 1 };
	FACT("timeout_usec_1", setsockopt(s, AF_VSOCK, TIMEOUT, &t, sizeof(t)));
	MUST(getsockopt(s, AF_VSOCK, TIMEOUT, &t, &len));
	say("timeout_usec_1_rounded_up", "%d", rounded_up(&t, 1));
	t = (struct timeval){ 1, 123456 };
	FACT("timeout_odd", setsockopt(s, AF_VSOCK, TIMEOUT, &t, sizeof(t)));
	MUST(getsockopt(s, AF_VSOCK, TIMEOUT, &t, &len));
	say("timeout_odd_rounded_up", "%d", rounded_up(&t, 1123456));
	len = sizeof(room);
	FACT("timeout_get_long", getsockopt(s, AF_VSOCK, TIMEOUT, room, &len));
	say("timeout_get_long_len", "%d", len == sizeof(t));
	FACT("timeout_set_long",
	     setsockopt(s, AF_VSOCK, TIMEOUT, room, sizeof(room)));
	FACT("timeout_set_len_8", setsockopt(s, AF_VSOCK, TIMEOUT, &t, 8));
	FACT("timeout_set_len_15", setsockopt(s, AF_VSOCK, TIMEOUT, &t, 15));
	FACT("timeout_set_null", setsockopt(s, AF_VSOCK, TIMEOUT, nil, 16));
	len = 8;
	FACT("timeout_get_len_8", getsockopt(s, AF_VSOCK, TIMEOUT, &t, &len));
	/* The other number of the same option. */
	t = (struct timeval){ 5, 0 };
	FACT("timeout_new_set", setsockopt(s, AF_VSOCK, 8, &t, sizeof(t)));
	len = sizeof(t);
	FACT("timeout_old_get", getsockopt(s, AF_VSOCK, 6, &t, &len));
	say("timeout_old_get_read", "%ld.%06ld", (long)t.tv_sec,
	    (long)t.tv_usec);
	close(s);
}

/* In every state alike. */
static void states(void)
{
	int l = listener(ANY, 5000, 8), c, a;

	FACT("listening_set", set_size(l, SIZE, 70000));
	sizes("listening_read", l);
	c = client(1, 5000);
	a = (int)MUST(accept(l, NULL, NULL));
	sizes("client_read", c);
	sizes("accepted_read", a);
	FACT("client_set", set_size(c, SIZE, 80000));
	sizes("client_set_read", c);
	FACT("client_max_huge", set_size(c, MAX, UINT64_MAX));
	FACT("client_size_huge", set_size(c, SIZE, UINT64_MAX));
	sizes("client_huge_read", c);
	timeout("client_timeout", c, 1, 0);
	close(a);
	AWAIT_MASK(c, POLLRDHUP);
	FACT("peer_closed_set", set_size(c, SIZE, 90000));
	sizes("peer_closed_read", c);
	close(c);
	close(l);

	/* A window of its own. */
	l = listener(ANY, 5000, 8);
	set_size(l, SIZE, 65536);
	c = client(1, 5000);
	a = (int)MUST(accept(l, NULL, NULL));
	{
		static char data[16384];
		long total = 0;
		ssize_t n;

		set_nonblock(c, true);
		while ((n = send(c, data, sizeof(data), 0)) > 0)
			total += n;
		say("peer_window_65536", "%ld, then %s", total,
		    strerrorname_np(errno));
	}
	close(a);
	close(c);
	close(l);
}

static void levels(void)
{
	static const struct {
		const char *id;
		int level, name;
	} tries[] = {
		{ "ip_ttl", IPPROTO_IP, IP_TTL },
		{ "tcp_nodelay", IPPROTO_TCP, TCP_NODELAY },
		{ "udp", IPPROTO_UDP, 1 },
		{ "ipv6_v6only", IPPROTO_IPV6, IPV6_V6ONLY },
		{ "sol_vsock", 287, SIZE },
		{ "level_41", 41, SIZE },
		{ "level_negative", -1, SIZE },
	};
	int s = vsock(), value = 1;
	struct conn p;
	socklen_t len;
	unsigned int i;
	char id[32];

	for (i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
		snprintf(id, sizeof(id), "%s_set", tries[i].id);
		FACT(id, setsockopt(s, tries[i].level, tries[i].name, &value,
				    sizeof(value)));
		snprintf(id, sizeof(id), "%s_get", tries[i].id);
		len = sizeof(value);
		FACT(id, getsockopt(s, tries[i].level, tries[i].name, &value,
				    &len));
	}
	close(s);
	p = connection();
	FACT("tcp_nodelay_connected",
	     setsockopt(p.c, IPPROTO_TCP, TCP_NODELAY, &value, sizeof(value)));
	disconnect(p);
}

/* The options that other families have, all of them. */
static void foreign(void)
{
	static const int levels[] = { IPPROTO_IP,	  IPPROTO_TCP,
				      IPPROTO_UDP,	  IPPROTO_RAW,
				      IPPROTO_IPV6,	  IPPROTO_SCTP,
				      136 /* UDP-Lite */, 263 /* packet */,
				      270 /* netlink */,  282 /* TLS */,
				      284 /* MPTCP */,	  IPPROTO_ICMPV6 };
	struct conn p = connection();
	int l = listener(ANY, 5001, 1), fds[3] = { vsock(), p.c, l };
	unsigned int i, k;
	char value[128], text[512] = "";
	socklen_t len;

	for (i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		int name, others = 0;

		for (k = 0; k < 3; k++) {
			for (name = 0; name < 80; name++) {
				memset(value, 0, sizeof(value));
				others += setsockopt(fds[k], levels[i], name,
						     value, 4) != -1 ||
					  errno != ENOPROTOOPT;
				len = sizeof(value);
				others += getsockopt(fds[k], levels[i], name,
						     value, &len) != -1 ||
					  errno != ENOPROTOOPT;
			}
		}
		if (others)
			snprintf(text + strlen(text),
				 sizeof(text) - strlen(text),
				 ", but %d of level %d", others, levels[i]);
	}
	say("foreign", "all ENOPROTOOPT%s", text);

	/* What is looked at first. */
	len = sizeof(value);
	FACT("tcp_set_null", setsockopt(p.c, IPPROTO_TCP, 1, nil, 4));
	FACT("tcp_set_len_0", setsockopt(p.c, IPPROTO_TCP, 1, value, 0));
	FACT("tcp_set_len_negative",
	     setsockopt(p.c, IPPROTO_TCP, 1, value, (socklen_t)-1));
	FACT("tcp_get_null", getsockopt(p.c, IPPROTO_TCP, 1, nil, &len));
	FACT("tcp_get_no_len",
	     getsockopt(p.c, IPPROTO_TCP, 1, value, (socklen_t *)nil));
	len = (socklen_t)-1;
	FACT("tcp_get_len_negative",
	     getsockopt(p.c, IPPROTO_TCP, 1, value, &len));
	len = sizeof(value);
	FACT("tcp_badf", setsockopt(-1, IPPROTO_TCP, 1, value, 4));
	close(fds[0]);
	close(l);
	disconnect(p);
}

int main(void)
{
	oracle_start();
	clamps();
	lengths();
	unknown();
	timeouts();
	states();
	levels();
	foreign();
	return 0;
}
