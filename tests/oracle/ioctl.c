/* SPDX-License-Identifier: MIT */
/* ioctl() and fcntl() on sockets. */
#include "oracle.h"

#include <asm/ioctls.h>
#include <linux/sockios.h>
#include <net/if.h>

static void queues(void)
{
	struct conn p = connection();
	int s = vsock(), n = -1;
	char buf[8];

	FACT("fionread_fresh", ioctl(s, FIONREAD, &n));
	FACT("siocoutq_fresh", ioctl(s, SIOCOUTQ, &n));
	MUST(bind(s, vm(ANY, 5000), 16));
	FACT("fionread_bound", ioctl(s, FIONREAD, &n));
	MUST(listen(s, 1));
	FACT("fionread_listening", ioctl(s, FIONREAD, &n));
	FACT("siocoutq_listening", ioctl(s, SIOCOUTQ, &n));
	close(s);

	n = -1;
	FACT("fionread_empty", ioctl(p.a, FIONREAD, &n));
	say("fionread_empty_value", "%d", n);
	MUST(send(p.c, "abcde", 5, 0));
	await_bytes(p.a, 5);
	n = -1;
	FACT("fionread", ioctl(p.a, FIONREAD, &n));
	say("fionread_value", "%d", n);
	MUST(recv(p.a, buf, 2, 0));
	n = -1;
	ioctl(p.a, FIONREAD, &n);
	say("fionread_part_read_value", "%d", n);
	n = -1;
	FACT("siocoutq", ioctl(p.c, SIOCOUTQ, &n));
	/* What the peer has got is out, read or not. */
	AWAIT(ioctl(p.c, SIOCOUTQ, &n) < 0 || n == 0);
	say("siocoutq_value", "%d", n);
	FACT("fionread_null", ioctl(p.a, FIONREAD, nil));
	FACT("siocoutq_null", ioctl(p.c, SIOCOUTQ, nil));
	MUST(shutdown(p.a, SHUT_RD));
	n = -1;
	FACT("fionread_shut_rd", ioctl(p.a, FIONREAD, &n));
	disconnect(p);

	p = connection();
	MUST(send(p.c, "abc", 3, 0));
	close(p.c);
	AWAIT_MASK(p.a, POLLRDHUP);
	n = -1;
	FACT("fionread_peer_closed", ioctl(p.a, FIONREAD, &n));
	say("fionread_peer_closed_value", "%d", n);
	close(p.a);
}

/* Both counts, of any socket. */
static void both(const char *id, int s)
{
	int in = -1, out = -1, r;
	char text[64];

	errno = 0;
	snprintf(text, sizeof(text), "%s",
		 outcome(ioctl(s, FIONREAD, &in), false));
	errno = 0;
	r = ioctl(s, SIOCOUTQ, &out);
	say(id, "FIONREAD = %s: %d, SIOCOUTQ = %s: %d", text, in,
	    outcome(r, false), out);
}

static void states(void)
{
	struct conn p;
	int s = vsock(), l;
	char buf[8];

	MUST_FAIL(connect(s, vm(99, 5000), 16));
	both("queues_nodev", s);
	MUST_FAIL(connect(s, vm(1, 5999), 16));
	both("queues_refused", s);
	(void)listen(s, 1); /* it cannot, if a client has its name by then */
	both("queues_refused_listening", s);
	close(s);
	s = refused_client();
	both("queues_refused_nonblock", s);
	close(s);
	both("queues_badf", -1);

	l = listener(ANY, 5000, 1);
	p.c = client(1, 5000);
	MUST(send(p.c, "abc", 3, 0));
	settle();
	both("queues_pending_client", p.c);
	both("queues_pending_listener", l);
	p.a = (int)MUST(accept(l, NULL, NULL));
	both("queues_accepted", p.a);
	MUST(shutdown(p.c, SHUT_WR));
	settle();
	both("queues_shut_wr", p.c);
	both("queues_peer_shut_wr", p.a);
	MUST(recv(p.a, buf, 8, 0));
	both("queues_peer_shut_wr_read", p.a);
	MUST(shutdown(p.c, SHUT_RD));
	settle();
	both("queues_shut_rdwr", p.c);
	close(p.a);
	settle();
	both("queues_all_closed", p.c);
	close(p.c);
	close(l);

	p = connection();
	MUST(send(p.c, "abc", 3, 0));
	await_bytes(p.a, 3);
	recv(p.a, buf, 1, MSG_PEEK);
	both("queues_peeked", p.a);
	recv(p.a, buf, 0, 0);
	both("queues_len_0", p.a);
	MUST(shutdown(p.a, SHUT_RDWR));
	settle();
	both("queues_data_shut_rdwr", p.a);
	both("queues_peer_shut_rdwr", p.c);
	disconnect(p);
}

static void own(const char *id, int owner)
{
	say(id, "%d", owner == getpid());
}

static void modes(void)
{
	int s = vsock(), on = 1, off = 0, n;

	FACT("fionbio_on", ioctl(s, FIONBIO, &on));
	say("fionbio_on_getfl", "%#lx", MUST(fcntl(s, F_GETFL)));
	FACT("fionbio_off", ioctl(s, FIONBIO, &off));
	say("fionbio_off_getfl", "%#lx", MUST(fcntl(s, F_GETFL)));
	FACT("fionbio_null", ioctl(s, FIONBIO, nil));
	FACT("fioclex", ioctl(s, FIOCLEX));
	FACT("fioclex_getfd", fcntl(s, F_GETFD));
	FACT("fionclex", ioctl(s, FIONCLEX));
	FACT("fionclex_getfd", fcntl(s, F_GETFD));
	FACT("fioasync_on", ioctl(s, FIOASYNC, &on));
	say("fioasync_on_getfl", "%#lx", MUST(fcntl(s, F_GETFL)));
	FACT("fioasync_off", ioctl(s, FIOASYNC, &off));
	FACT("getown", fcntl(s, F_GETOWN));
	FACT("setown", fcntl(s, F_SETOWN, getpid()));
	own("setown_getown", fcntl(s, F_GETOWN));
	MUST(fcntl(s, F_SETOWN, 0));
	FACT("getown_none", fcntl(s, F_GETOWN));
	n = getpid();
	FACT("fiosetown", ioctl(s, FIOSETOWN, &n));
	own("fiosetown_getown", fcntl(s, F_GETOWN));
	MUST(ioctl(s, FIOGETOWN, &n));
	own("fiogetown", n);
	MUST(fcntl(s, F_SETOWN, 0));
	FACT("siocspgrp", ioctl(s, SIOCSPGRP, &n));
	MUST(ioctl(s, SIOCGPGRP, &n));
	own("siocgpgrp", n);
	FACT("siocspgrp_null", ioctl(s, SIOCSPGRP, nil));
	FACT("getsig", fcntl(s, F_GETSIG));
	FACT("setsig", fcntl(s, F_SETSIG, SIGUSR1));
	say("setsig_getsig", "%d", fcntl(s, F_GETSIG) == SIGUSR1);
	FACT("setfl_nonblock", fcntl(s, F_SETFL, O_NONBLOCK));
	say("setfl_nonblock_getfl", "%#lx", MUST(fcntl(s, F_GETFL)));
	close(s);
}

static void unknown(void)
{
	struct conn p = connection();
	int s = vsock(), n = 0;
	struct ifreq ifr;
	char room[256];
	struct ifconf all = { .ifc_len = sizeof(room), .ifc_buf = room };

	memset(&ifr, 0, sizeof(ifr));
	FACT("local_cid", ioctl(s, IOCTL_VM_SOCKETS_GET_LOCAL_CID, &n));
	FACT("local_cid_connected",
	     ioctl(p.c, IOCTL_VM_SOCKETS_GET_LOCAL_CID, &n));
	FACT("local_cid_badf", ioctl(-1, IOCTL_VM_SOCKETS_GET_LOCAL_CID, &n));
	FACT("tcgets", ioctl(s, TCGETS, room));
	FACT("tcgets_connected", ioctl(p.c, TCGETS, room));
	FACT("tiocgwinsz", ioctl(p.c, TIOCGWINSZ, room));
	FACT("siocatmark", ioctl(p.c, SIOCATMARK, room));
	FACT("siocatmark_null", ioctl(p.c, SIOCATMARK, nil));
	FACT("siocgstamp", ioctl(p.c, SIOCGSTAMP_OLD, room));
	FACT("siocgstampns", ioctl(p.c, SIOCGSTAMPNS_OLD, room));
	FACT("siocgifconf", ioctl(p.c, SIOCGIFCONF, &all));
	FACT("siocgifindex",
	     (strcpy(ifr.ifr_name, "lo"), ioctl(p.c, SIOCGIFINDEX, &ifr)));
	say("siocgifindex_value", "%d", ifr.ifr_ifindex);
	FACT("siocgifindex_none", (strcpy(ifr.ifr_name, "none-such"),
				   ioctl(p.c, SIOCGIFINDEX, &ifr)));
	FACT("siocgifname_null", ioctl(p.c, SIOCGIFNAME, nil));
	FACT("siocunixfile", ioctl(p.c, SIOCPROTOPRIVATE, room));
	FACT("unknown", ioctl(p.c, 0x12345678, room));
	say("isatty", "%d %s", isatty(p.c), strerrorname_np(errno));
	disconnect(p);
	close(s);
}

int main(void)
{
	oracle_start();
	queues();
	states();
	modes();
	unknown();
	return 0;
}
