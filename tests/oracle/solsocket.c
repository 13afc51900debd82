/* SPDX-License-Identifier: MIT */
/* The options of level SOL_SOCKET: what they say of a vsock socket. */
#include "oracle.h"

#include <linux/filter.h>
#include <netinet/in.h>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif
#ifndef SO_PASSPIDFD
#define SO_PASSPIDFD 76
#endif
#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif
#ifndef SO_INQ
#define SO_INQ 84
#endif

static long get(const char *id, const char *what, int s, int option)
{
	int value = -12345;
	socklen_t len = sizeof(value);
	int r;

	errno = 0;
	r = getsockopt(s, SOL_SOCKET, option, &value, &len);
	if (r == 0)
		say(id, "get %s = %s: %d len %u", what, outcome(r, false),
		    value, len);
	else
		say(id, "get %s = %s", what, outcome(r, false));
	return value;
}

static void set(const char *id, const char *what, int s, int option, int value)
{
	errno = 0;
	say(id, "set %s to %d = %s", what, value,
	    outcome(setsockopt(s, SOL_SOCKET, option, &value, sizeof(value)),
		    false));
}

#define GET(id, s, option)	  get(id, #option, s, option)
#define SET(id, s, option, value) set(id, #option, s, option, value)

static void identity(void)
{
	int s = vsock(), l = listener(ANY, 5000, 8), c, a, t;

	GET("type", s, SO_TYPE);
	GET("domain", s, SO_DOMAIN);
	GET("protocol", s, SO_PROTOCOL);
	GET("error", s, SO_ERROR);
	GET("acceptconn", s, SO_ACCEPTCONN);
	GET("acceptconn_listening", l, SO_ACCEPTCONN);
	GET("type_listening", l, SO_TYPE);
	GET("domain_listening", l, SO_DOMAIN);
	c = client(1, 5000);
	a = (int)MUST(accept(l, NULL, NULL));
	GET("acceptconn_client", c, SO_ACCEPTCONN);
	GET("acceptconn_accepted", a, SO_ACCEPTCONN);
	GET("type_accepted", a, SO_TYPE);
	GET("domain_accepted", a, SO_DOMAIN);
	GET("protocol_accepted", a, SO_PROTOCOL);
	t = (int)MUST(socket(AF_VSOCK, SOCK_STREAM, PF_VSOCK));
	GET("protocol_asked", t, SO_PROTOCOL);
	close(t);
	t = (int)MUST(socket(AF_VSOCK, SOCK_SEQPACKET, 0));
	GET("type_seqpacket", t, SO_TYPE);
	close(t);
	SET("set_type", s, SO_TYPE, 1);
	SET("set_domain", s, SO_DOMAIN, 40);
	SET("set_protocol", s, SO_PROTOCOL, 0);
	SET("set_error", s, SO_ERROR, 0);
	SET("set_acceptconn", s, SO_ACCEPTCONN, 1);
	close(a);
	close(c);
	close(l);
	close(s);
}

static void cred(const char *id, int s)
{
	struct ucred peer = { 7, 7, 7 };
	socklen_t len = sizeof(peer);

	MUST(getsockopt(s, SOL_SOCKET, SO_PEERCRED, &peer, &len));
	say(id, "get SO_PEERCRED: pid %d uid %d gid %d len %u", peer.pid,
	    (int)peer.uid, (int)peer.gid, len);
}

static void peers(void)
{
	struct conn p = connection();
	int s = vsock(), none;
	gid_t groups[64];
	char label[256];
	socklen_t len;

	cred("peercred_fresh", s);
	cred("peercred", p.c);
	cred("peercred_accepted", p.a);
	len = sizeof(groups);
	FACT("peergroups",
	     getsockopt(p.c, SOL_SOCKET, SO_PEERGROUPS, groups, &len));
	len = sizeof(label);
	FACT("peersec", getsockopt(p.c, SOL_SOCKET, SO_PEERSEC, label, &len));
	len = sizeof(none);
	FACT("peerpidfd",
	     getsockopt(p.c, SOL_SOCKET, SO_PEERPIDFD, &none, &len));
	SET("passcred_set", s, SO_PASSCRED, 1);
	GET("passcred_get", s, SO_PASSCRED);
	SET("passsec_set", s, SO_PASSSEC, 1);
	GET("passsec_get", s, SO_PASSSEC);
	SET("passpidfd_set", s, SO_PASSPIDFD, 1);
	GET("passpidfd_get", s, SO_PASSPIDFD);
	SET("passrights_set", s, SO_PASSRIGHTS, 1);
	GET("passrights_get", s, SO_PASSRIGHTS);
	SET("inq_set", s, SO_INQ, 1);
	GET("inq_get", s, SO_INQ);
	SET("peek_off_set", s, SO_PEEK_OFF, 1);
	GET("peek_off_get", s, SO_PEEK_OFF);
	GET("peek_off_get_connected", p.c, SO_PEEK_OFF);

	len = sizeof(label);
	FACT("peername_fresh",
	     getsockopt(s, SOL_SOCKET, SO_PEERNAME, label, &len));
	FACT_ADDR_LEN("peername", 16,
		      getsockopt(p.c, SOL_SOCKET, SO_PEERNAME, ADDR));
	len = 17;
	FACT("peername_len_17",
	     getsockopt(p.c, SOL_SOCKET, SO_PEERNAME, label, &len));
	len = 8;
	FACT("peername_len_8",
	     getsockopt(p.c, SOL_SOCKET, SO_PEERNAME, label, &len));
	say("peername_len_8_len", "%u", len);
	MUST(shutdown(p.c, SHUT_WR));
	len = 16;
	FACT("peername_shut",
	     getsockopt(p.c, SOL_SOCKET, SO_PEERNAME, label, &len));
	close(s);
	disconnect(p);
}

/* Whose socket it is, is never told. */
static void nobody(void)
{
	struct conn p = connection();
	int s = vsock(), l = listener(ANY, 5001, 1),
	    short_cred[3] = { 7, 7, 7 };
	gid_t groups[4];
	socklen_t len;

	cred("peercred_listening", l);
	len = 4;
	FACT("peercred_len_4",
	     getsockopt(p.c, SOL_SOCKET, SO_PEERCRED, short_cred, &len));
	say("peercred_len_4_read", "%d %d len %u", short_cred[0], short_cred[1],
	    len);
	SET("peercred_set", p.c, SO_PEERCRED, 1);
	len = sizeof(groups);
	FACT("peergroups_fresh",
	     getsockopt(s, SOL_SOCKET, SO_PEERGROUPS, groups, &len));
	FACT("peergroups_listening",
	     getsockopt(l, SOL_SOCKET, SO_PEERGROUPS, groups, &len));
	FACT("peergroups_accepted",
	     getsockopt(p.a, SOL_SOCKET, SO_PEERGROUPS, groups, &len));
	len = 0;
	FACT("peergroups_len_0",
	     getsockopt(p.c, SOL_SOCKET, SO_PEERGROUPS, groups, &len));
	say("peergroups_len_0_len", "%u", len);
	FACT("peersec_fresh",
	     getsockopt(s, SOL_SOCKET, SO_PEERSEC, groups, &len));
	close(p.a);
	AWAIT_MASK(p.c, POLLRDHUP);
	cred("peercred_closed", p.c);
	close(p.c);
	close(s);
	close(l);
}

static void stored(void)
{
	int s = vsock(), inet = (int)MUST(socket(AF_INET, SOCK_DGRAM, 0));
	struct linger linger = { 1, 7 };
	int values[2] = { 1, 1 };
	socklen_t len;

	GET("reuseaddr_default", s, SO_REUSEADDR);
	SET("reuseaddr_set", s, SO_REUSEADDR, 1);
	GET("reuseaddr_get", s, SO_REUSEADDR);
	SET("reuseaddr_set_7", s, SO_REUSEADDR, 7);
	GET("reuseaddr_get_7", s, SO_REUSEADDR);
	SET("reuseport_set_0", s, SO_REUSEPORT, 0);
	SET("reuseport_set", s, SO_REUSEPORT, 1);
	GET("reuseport_get", s, SO_REUSEPORT);
	SET("keepalive_set", s, SO_KEEPALIVE, 1);
	GET("keepalive_get", s, SO_KEEPALIVE);
	SET("broadcast_set", s, SO_BROADCAST, 1);
	GET("broadcast_get", s, SO_BROADCAST);
	SET("oobinline_set", s, SO_OOBINLINE, 1);
	GET("oobinline_get", s, SO_OOBINLINE);
	SET("dontroute_set", s, SO_DONTROUTE, 1);
	GET("dontroute_get", s, SO_DONTROUTE);
	SET("priority_set", s, SO_PRIORITY, 3);
	GET("priority_get", s, SO_PRIORITY);
	SET("timestamp_set", s, SO_TIMESTAMP, 1);
	GET("timestamp_get", s, SO_TIMESTAMP);
	SET("zerocopy_set", s, SO_ZEROCOPY, 1);
	GET("zerocopy_get", s, SO_ZEROCOPY);
	SET("zerocopy_set_2", s, SO_ZEROCOPY, 2);
	SET("zerocopy_set_negative", s, SO_ZEROCOPY, -1);
	SET("zerocopy_unset", s, SO_ZEROCOPY, 0);
	GET("zerocopy_get_0", s, SO_ZEROCOPY);
	FACT("zerocopy_set_len_1",
	     setsockopt(s, SOL_SOCKET, SO_ZEROCOPY, values, 1));
	SET("unknown_set", s, 9999, 1);
	GET("unknown_get", s, 9999);

	len = sizeof(linger);
	MUST(getsockopt(s, SOL_SOCKET, SO_LINGER, &linger, &len));
	say("linger_default", "%d %d len %u", linger.l_onoff, linger.l_linger,
	    len);
	linger = (struct linger){ 1, 7 };
	FACT("linger_set",
	     setsockopt(s, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	memset(&linger, 0, sizeof(linger));
	MUST(getsockopt(s, SOL_SOCKET, SO_LINGER, &linger, &len));
	say("linger_get", "%d %d", linger.l_onoff, linger.l_linger);

	/* Like any other socket's. */
	len = sizeof(int);
	MUST(getsockopt(s, SOL_SOCKET, SO_SNDBUF, &values[0], &len));
	MUST(getsockopt(inet, SOL_SOCKET, SO_SNDBUF, &values[1], &len));
	say("sndbuf_default_is_generic", "%d", values[0] == values[1]);
	MUST(getsockopt(s, SOL_SOCKET, SO_RCVBUF, &values[0], &len));
	MUST(getsockopt(inet, SOL_SOCKET, SO_RCVBUF, &values[1], &len));
	say("rcvbuf_default_is_generic", "%d", values[0] == values[1]);
	SET("sndbuf_set", s, SO_SNDBUF, 10000);
	GET("sndbuf_get", s, SO_SNDBUF);
	SET("rcvbuf_set", s, SO_RCVBUF, 10000);
	GET("rcvbuf_get", s, SO_RCVBUF);
	close(inet);
	close(s);
}

static void sndbuf_is_no_window(void)
{
	struct conn p = connection();
	static char data[65536];
	long total = 0;
	ssize_t n;

	SET("sndbuf_small", p.c, SO_SNDBUF, 4608);
	SET("rcvbuf_small", p.a, SO_RCVBUF, 4608);
	set_nonblock(p.c, true);
	while ((n = send(p.c, data, sizeof(data), 0)) > 0)
		total += n;
	say("sndbuf_small_window", "%ld, then %s", total,
	    strerrorname_np(errno));
	disconnect(p);
}

static void lowat(void)
{
	int s = vsock(), size = 0;

	GET("rcvlowat_default", s, SO_RCVLOWAT);
	SET("rcvlowat_100", s, SO_RCVLOWAT, 100);
	GET("rcvlowat_100_get", s, SO_RCVLOWAT);
	SET("rcvlowat_0", s, SO_RCVLOWAT, 0);
	GET("rcvlowat_0_get", s, SO_RCVLOWAT);
	SET("rcvlowat_negative", s, SO_RCVLOWAT, -1);
	SET("rcvlowat_262144", s, SO_RCVLOWAT, CREDIT);
	SET("rcvlowat_262145", s, SO_RCVLOWAT, CREDIT + 1);
	GET("rcvlowat_last", s, SO_RCVLOWAT);
	GET("sndlowat", s, SO_SNDLOWAT);
	SET("sndlowat_set", s, SO_SNDLOWAT, 5);
	FACT("rcvlowat_len_2",
	     setsockopt(s, SOL_SOCKET, SO_RCVLOWAT, &size, 2));
	close(s);
}

static void timeout(const char *id, int s, int option, long sec, long usec)
{
	struct timeval t = { sec, usec };
	socklen_t len = sizeof(t);
	char name[64];

	FACT(id, setsockopt(s, SOL_SOCKET, option, &t, sizeof(t)));
	MUST(getsockopt(s, SOL_SOCKET, option, &t, &len));
	snprintf(name, sizeof(name), "%s_read", id);
	say(name, "%ld.%06ld len %u", (long)t.tv_sec, (long)t.tv_usec, len);
}

static void timeouts(void)
{
	int s = vsock();
	struct timeval t = { 0, 0 };

	timeout("rcvtimeo", s, SO_RCVTIMEO, 1, 500000);
	timeout("rcvtimeo_0", s, SO_RCVTIMEO, 0, 0);
	timeout("rcvtimeo_usec_million", s, SO_RCVTIMEO, 0, 1000000);
	timeout("rcvtimeo_negative", s, SO_RCVTIMEO, -1, 0);
	timeout("sndtimeo", s, SO_SNDTIMEO, 2, 0);
	FACT("rcvtimeo_len_8", setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &t, 8));
	close(s);
}

static long elapsed(long *began)
{
	long then = *began;

	*began = now_ms();
	return *began - then;
}

/* What the timeouts do. */
static void expiries(void)
{
	struct conn p = connection();
	struct timeval t = { -1, 0 };
	long clock = now_ms();
	char buf[8];
	static char data[CREDIT];

	MUST(setsockopt(p.a, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)));
	FACT("rcvtimeo_negative_recv", recv(p.a, buf, sizeof(buf), 0));
	t = (struct timeval){ 0, 1 };
	MUST(setsockopt(p.a, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)));
	FACT("rcvtimeo_usec_1_recv", recv(p.a, buf, sizeof(buf), 0));
	say("rcvtimeo_short", "%d", elapsed(&clock) < 2000);
	set_timeout(p.a, SO_RCVTIMEO, 100);
	elapsed(&clock);
	FACT("rcvtimeo_100_recv", recv(p.a, buf, sizeof(buf), 0));
	say("rcvtimeo_100_waits", "%d", elapsed(&clock) >= 100);
	MUST(send(p.c, data, CREDIT, 0));
	set_timeout(p.c, SO_SNDTIMEO, 100);
	elapsed(&clock);
	FACT("sndtimeo_100_send", send(p.c, "x", 1, 0));
	say("sndtimeo_100_waits", "%d", elapsed(&clock) >= 100);
	t = (struct timeval){ -1, 0 };
	MUST(setsockopt(p.c, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t)));
	FACT("sndtimeo_negative_send", send(p.c, "x", 1, 0));
	t = (struct timeval){ 0, 1000000 };
	FACT("sndtimeo_usec_million",
	     setsockopt(p.c, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t)));
	t = (struct timeval){ 0, -1 };
	FACT("sndtimeo_usec_negative",
	     setsockopt(p.c, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t)));
	disconnect(p);
}

/* Generic ones, which change nothing that is seen. */
static void generic(void)
{
	struct conn p = connection();
	struct sock_filter none = { BPF_RET | BPF_K, 0, 0, 0 };
	struct sock_fprog drop_all = { 1, &none };
	uint64_t cookies[3] = { 0 };
	unsigned int meminfo[16];
	socklen_t len;
	char data[64], ctl[256];
	struct iovec v = { data, sizeof(data) };
	struct msghdr m = { .msg_iov = &v,
			    .msg_iovlen = 1,
			    .msg_control = ctl,
			    .msg_controllen = sizeof(ctl) };

	len = sizeof(cookies[0]);
	getsockopt(p.a, SOL_SOCKET, SO_COOKIE, &cookies[0], &len);
	getsockopt(p.a, SOL_SOCKET, SO_COOKIE, &cookies[1], &len);
	getsockopt(p.c, SOL_SOCKET, SO_COOKIE, &cookies[2], &len);
	say("cookie", "%d, len %u, the same again %d, the peer's %d",
	    cookies[0] != 0, len, cookies[0] == cookies[1],
	    cookies[0] == cookies[2]);
	len = sizeof(meminfo);
	FACT("meminfo", getsockopt(p.a, SOL_SOCKET, SO_MEMINFO, meminfo, &len));
	say("meminfo_len", "%u", len);
	GET("mark_get", p.a, SO_MARK);
	GET("busy_poll_get", p.a, SO_BUSY_POLL);
	SET("incoming_cpu", p.a, SO_INCOMING_CPU, 0);
	GET("incoming_cpu_get", p.a, SO_INCOMING_CPU);
	len = sizeof(data);
	FACT("bindtodevice_get",
	     getsockopt(p.a, SOL_SOCKET, SO_BINDTODEVICE, data, &len));
	say("bindtodevice_get_len", "%u", len);

	SET("timestamp_on", p.a, SO_TIMESTAMP, 1);
	SET("timestampns_on", p.a, SO_TIMESTAMPNS, 1);
	FACT("filter", setsockopt(p.a, SOL_SOCKET, SO_ATTACH_FILTER, &drop_all,
				  sizeof(drop_all)));
	MUST(send(p.c, "abc", 3, 0));
	settle();
	FACT("filter_recvmsg", recvmsg(p.a, &m, MSG_DONTWAIT));
	say("filter_control", "%zu", (size_t)m.msg_controllen);
	SET("filter_detach", p.a, SO_DETACH_FILTER, 0);
	SET("filter_detach_again", p.a, SO_DETACH_FILTER, 0);
	disconnect(p);
}

/* A fresh socket's short and long buffers. */
static void lengths(void)
{
	int s = vsock();
	uint64_t value = 0;
	socklen_t len = 8;

	FACT("get_len_8", getsockopt(s, SOL_SOCKET, SO_TYPE, &value, &len));
	say("get_len_8_read", "%llu len %u", (unsigned long long)value, len);
	len = 2;
	value = 0;
	FACT("get_len_2", getsockopt(s, SOL_SOCKET, SO_TYPE, &value, &len));
	say("get_len_2_read", "%llu len %u", (unsigned long long)value, len);
	len = 0;
	FACT("get_len_0", getsockopt(s, SOL_SOCKET, SO_TYPE, &value, &len));
	len = 2;
	value = 0;
	FACT("get_domain_len_2",
	     getsockopt(s, SOL_SOCKET, SO_DOMAIN, &value, &len));
	say("get_domain_len_2_read", "%llu len %u", (unsigned long long)value,
	    len);
	len = (socklen_t)-1;
	FACT("get_len_negative",
	     getsockopt(s, SOL_SOCKET, SO_TYPE, &value, &len));
	len = (socklen_t)-1;
	FACT("get_domain_len_negative",
	     getsockopt(s, SOL_SOCKET, SO_DOMAIN, &value, &len));
	len = 4;
	FACT("get_domain_null",
	     getsockopt(s, SOL_SOCKET, SO_DOMAIN, nil, &len));
	FACT("get_domain_no_len",
	     getsockopt(s, SOL_SOCKET, SO_DOMAIN, &value, (socklen_t *)nil));
	FACT("set_len_2", setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &value, 2));
	close(s);
}

int main(void)
{
	oracle_start();
	identity();
	peers();
	nobody();
	stored();
	sndbuf_is_no_window();
	lowat();
	timeouts();
	expiries();
	generic();
	lengths();
	return 0;
}
