/* SPDX-License-Identifier: MIT */
/* accept() and accept4(): states, flags, the address, what is inherited. */
#include "oracle.h"

/* A client that waits in the queue of the listener at 1:5000. */
static int queued(void)
{
	return client(1, 5000);
}

static void states(void)
{
	int file = (int)MUST(open("/dev/null", O_RDWR)), l, s;
	struct conn p;

	FACT("badf", accept(-1, NULL, NULL));
	FACT("badf_bad_flag", accept4(-1, NULL, NULL, 1));
	FACT("notsock", accept(file, NULL, NULL));
	FACT("notsock_bad_flag", accept4(file, NULL, NULL, 1));
	FACT_FRESH("fresh", accept(fresh, NULL, NULL));
	FACT_FRESH("fresh_bad_flag", accept4(fresh, NULL, NULL, 1));
	s = bound(ANY, 5000);
	FACT("bound", accept(s, NULL, NULL));
	close(s);
	p = connection();
	FACT("connected", accept(p.c, NULL, NULL));
	FACT("accepted", accept(p.a, NULL, NULL));
	disconnect(p);

	l = listener(ANY, 5000, 1);
	set_nonblock(l, true);
	FACT("none_nonblock", accept(l, NULL, NULL));
	FACT_ADDR("none_nonblock_addr", accept(l, ADDR));
	set_nonblock(l, false);
	set_timeout(l, SO_RCVTIMEO, 50);
	FACT("none_timeout", accept(l, NULL, NULL));
	set_timeout(l, SO_RCVTIMEO, 20000); /* the signal comes first */
	FACT_INTERRUPTED("interrupted_with_timeout", 0, accept(l, NULL, NULL));
	set_timeout(l, SO_RCVTIMEO, 0);
	FACT_INTERRUPTED("interrupted", 0, accept(l, NULL, NULL));
	close(l);
}

static void flags(void)
{
	int l = listener(ANY, 5000, 8), c, a;

	c = queued();
	FACT("bad_flag", accept4(l, NULL, NULL, 1));
	FACT("bad_flag_dgram", accept4(l, NULL, NULL, SOCK_DGRAM));
	a = FACT_FD("plain", accept4(l, NULL, NULL, 0));
	say("plain_getfl", "%#lx", MUST(fcntl(a, F_GETFL)));
	FACT("plain_getfd", fcntl(a, F_GETFD));
	close(a);
	close(c);

	c = queued();
	a = FACT_FD("both_flags",
		    accept4(l, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
	say("both_flags_getfl", "%#lx", MUST(fcntl(a, F_GETFL)));
	FACT("both_flags_getfd", fcntl(a, F_GETFD));
	FACT("both_flags_recv", recv(a, nil, 1, 0));
	close(a);
	close(c);

	/* The listener's own flags are not inherited. */
	set_nonblock(l, true);
	MUST(fcntl(l, F_SETFD, FD_CLOEXEC));
	c = queued();
	a = FACT_FD("nonblock_listener", accept(l, NULL, NULL));
	say("nonblock_listener_getfl", "%#lx", MUST(fcntl(a, F_GETFL)));
	FACT("nonblock_listener_getfd", fcntl(a, F_GETFD));
	close(a);
	close(c);
	close(l);
}

static void addresses(void)
{
	int l = listener(ANY, 5000, 8), c, a;
	struct sockaddr *null = (struct sockaddr *)nil;
	socklen_t *no_len = (socklen_t *)nil;

	c = queued();
	a = FACT_FD_ADDR("addr", accept(l, ADDR));
	say("addr_is_client", "%d", got.vm.svm_port == port_of(c));
	close(a);
	close(c);
	c = queued();
	close(FACT_FD_ADDR_LEN("addr_16", 16, accept(l, ADDR)));
	close(c);
	c = queued();
	close(FACT_FD_ADDR_LEN("addr_17", 17, accept(l, ADDR)));
	close(c);
	c = bound(ANY, 5001); /* its port is seen whole, whatever it is */
	MUST(connect(c, vm(1, 5000), 16));
	close(FACT_FD_ADDR_LEN("addr_8", 8, accept(l, ADDR)));
	close(c);
	c = queued();
	close(FACT_FD_ADDR_LEN("addr_0", 0, accept(l, ADDR)));
	close(c);
	c = queued();
	got_len = 5;
	close(FACT_FD("null_addr", accept(l, null, &got_len)));
	say("null_addr_len", "%u", got_len);
	close(c);

	/* The connection is dropped when its address cannot be told. */
	c = queued();
	expect_addr((socklen_t)-1);
	FACT("len_negative", accept(l, ADDR));
	FACT_MASK_AT("len_negative_client", c, POLLRDHUP);
	close(c);
	c = queued();
	FACT("len_null", accept(l, (struct sockaddr *)&got, no_len));
	FACT_MASK_AT("len_null_client", c, POLLRDHUP);
	close(c);
	c = queued();
	got_len = 16;
	FACT("addr_unreadable",
	     accept(l, (struct sockaddr *)nowhere, &got_len));
	FACT_MASK_AT("addr_unreadable_client", c, POLLRDHUP);
	close(c);
	set_nonblock(l, true);
	FACT("none_left", accept(l, NULL, NULL));
	close(l);
}

static void order(void)
{
	int l = listener(ANY, 5000, 8), c[3], a, i;
	char buf[8];

	for (i = 0; i < 3; i++)
		c[i] = queued();
	for (i = 0; i < 3; i++) {
		char id[] = "fifo_0";

		expect_addr(sizeof(got));
		a = (int)MUST(accept(l, ADDR));
		id[5] = (char)('0' + i);
		say(id, "%d", got.vm.svm_port == port_of(c[i]));
		close(a);
		close(c[i]);
	}

	/* A client that came, spoke and left is still served. */
	c[0] = queued();
	MUST(send(c[0], "abc", 3, 0));
	close(c[0]);
	a = FACT_FD_ADDR("gone_client", accept(l, ADDR));
	AWAIT_MASK(a, POLLRDHUP);
	FACT("gone_client_data", recv(a, buf, sizeof(buf), 0));
	FACT("gone_client_end", recv(a, buf, sizeof(buf), 0));
	FACT_ADDR("gone_client_peer", getpeername(a, ADDR));
	close(a);

	/* A client talks before it is accepted. */
	c[0] = queued();
	FACT("early_send", send(c[0], "abc", 3, 0));
	AWAIT_MASK(l, POLLIN);
	a = (int)MUST(accept(l, NULL, NULL));
	FACT("early_recv", recv(a, buf, sizeof(buf), 0));
	close(a);
	close(c[0]);
	close(l);
}

static void sized(int fd, int option, uint64_t value)
{
	MUST(setsockopt(fd, AF_VSOCK, option, &value, sizeof(value)));
}

static unsigned long long size(int fd, int option)
{
	uint64_t value = 0;
	socklen_t len = sizeof(value);

	MUST(getsockopt(fd, AF_VSOCK, option, &value, &len));
	return value;
}

static void inheritance(void)
{
	int l = listener(ANY, 5000, 8), c, a, on = 1, lowat = 10, value;
	socklen_t len;
	struct timeval t;
	struct linger linger = { 1, 5 };

	sized(l, SO_VM_SOCKETS_BUFFER_MAX_SIZE, 300000);
	sized(l, SO_VM_SOCKETS_BUFFER_MIN_SIZE, 1000);
	sized(l, SO_VM_SOCKETS_BUFFER_SIZE, 200000);
	set_connect_timeout(l, 3000);
	set_timeout(l, SO_RCVTIMEO, 1000);
	set_timeout(l, SO_SNDTIMEO, 1000);
	MUST(setsockopt(l, SOL_SOCKET, SO_RCVLOWAT, &lowat, sizeof(lowat)));
	MUST(setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)));
	MUST(setsockopt(l, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on)));
	MUST(setsockopt(l, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	c = queued();
	/* Too late for the connection that waits already. */
	sized(l, SO_VM_SOCKETS_BUFFER_SIZE, 100000);
	a = (int)MUST(accept(l, NULL, NULL));
	say("inherits_buffer_size", "%llu", size(a, SO_VM_SOCKETS_BUFFER_SIZE));
	say("inherits_buffer_min", "%llu",
	    size(a, SO_VM_SOCKETS_BUFFER_MIN_SIZE));
	say("inherits_buffer_max", "%llu",
	    size(a, SO_VM_SOCKETS_BUFFER_MAX_SIZE));
	say("client_buffer_size", "%llu", size(c, SO_VM_SOCKETS_BUFFER_SIZE));
	len = sizeof(t);
	MUST(getsockopt(a, AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT, &t, &len));
	say("inherits_connect_timeout", "%ld.%06ld", (long)t.tv_sec,
	    (long)t.tv_usec);
	len = sizeof(t);
	MUST(getsockopt(a, SOL_SOCKET, SO_RCVTIMEO, &t, &len));
	say("inherits_no_rcvtimeo", "%ld.%06ld", (long)t.tv_sec,
	    (long)t.tv_usec);
	len = sizeof(t);
	MUST(getsockopt(a, SOL_SOCKET, SO_SNDTIMEO, &t, &len));
	say("inherits_no_sndtimeo", "%ld.%06ld", (long)t.tv_sec,
	    (long)t.tv_usec);
	len = sizeof(value);
	MUST(getsockopt(a, SOL_SOCKET, SO_RCVLOWAT, &value, &len));
	say("inherits_no_rcvlowat", "%d", value);
	len = sizeof(value);
	MUST(getsockopt(a, SOL_SOCKET, SO_REUSEADDR, &value, &len));
	say("inherits_no_reuseaddr", "%d", value);
	len = sizeof(value);
	MUST(getsockopt(a, SOL_SOCKET, SO_KEEPALIVE, &value, &len));
	say("inherits_no_keepalive", "%d", value);
	len = sizeof(linger);
	MUST(getsockopt(a, SOL_SOCKET, SO_LINGER, &linger, &len));
	say("inherits_no_linger", "%d %d", linger.l_onoff, linger.l_linger);
	close(a);
	close(c);
	close(l);
}

int main(void)
{
	oracle_start();
	states();
	flags();
	addresses();
	order();
	inheritance();
	return 0;
}
