/* SPDX-License-Identifier: MIT */
/* connect() without blocking: EINPROGRESS, how it ends, what may follow. */
#include "oracle.h"

static int nonblocking(void)
{
	return (int)MUST(socket(AF_VSOCK, TYPE | SOCK_NONBLOCK, 0));
}

static void succeeds(void)
{
	int l = listener(ANY, 5000, 8), s = nonblocking(), a;
	char buf[8];

	FACT("ok", connect(s, vm(1, 5000), 16));
	FACT_MASK_AT("ok_mask", s, POLLOUT);
	FACT_SO_ERROR("ok_error", s);
	FACT("ok_again", connect(s, vm(1, 5000), 16));
	FACT_ADDR("ok_sockname", getsockname(s, ADDR));
	FACT_ADDR("ok_peername", getpeername(s, ADDR));
	a = FACT_FD_ADDR("ok_accept", accept(l, ADDR));
	say("ok_getfl", "%#lx", MUST(fcntl(s, F_GETFL)));
	FACT("ok_recv_nothing", recv(s, buf, sizeof(buf), 0));
	FACT("ok_send", send(s, "abc", 3, 0));
	FACT("ok_peer_recv", recv(a, buf, sizeof(buf), 0));
	close(a);
	close(s);

	/* By ioctl, as Python does it. */
	s = vsock();
	MUST(ioctl(s, FIONBIO, &(int){ 1 }));
	say("fionbio_getfl", "%#lx", MUST(fcntl(s, F_GETFL)));
	FACT("fionbio", connect(s, vm(1, 5000), 16));
	FACT_MASK_AT("fionbio_mask", s, POLLOUT);
	MUST(ioctl(s, FIONBIO, &(int){ 0 }));
	say("fionbio_off_getfl", "%#lx", MUST(fcntl(s, F_GETFL)));
	FACT("fionbio_off_again", connect(s, vm(1, 5000), 16));
	close(s);
	close(l);
}

static void fails_at_once(void)
{
	int s = nonblocking();

	FACT("cid_99", connect(s, vm(99, 5000), 16));
	FACT("cid_0", connect(s, vm(0, 5000), 16));
	FACT("len_15", connect(s, vm(1, 5000), 15));
	FACT("null", connect(s, (struct sockaddr *)nil, 16));
	FACT_MASK("at_once_mask", s);
	FACT_ADDR("at_once_sockname", getsockname(s, ADDR));
	MUST(bind(s, vm(ANY, 5000), 16));
	MUST(listen(s, 1));
	FACT("listening", connect(s, vm(1, 5999), 16));
	close(s);
}

static void fails_later(void)
{
	int s = nonblocking(), l;
	char buf[8];

	FACT("refused", connect(s, vm(1, 5999), 16));
	FACT_MASK_AT("refused_mask", s, POLLERR);
	FACT("refused_again", connect(s, vm(1, 5999), 16));
	FACT_MASK("refused_again_mask", s);
	FACT_ADDR("refused_sockname", getsockname(s, ADDR));
	FACT_ADDR("refused_peername", getpeername(s, ADDR));
	FACT("refused_recv", recv(s, buf, sizeof(buf), 0));
	FACT("refused_send", send(s, "x", 1, MSG_NOSIGNAL));
	FACT("refused_bind", bind(s, vm(ANY, 5001), 16));
	FACT("refused_listen", listen(s, 1));
	FACT("refused_accept", accept(s, NULL, NULL));
	FACT_SO_ERROR("refused_error", s);
	FACT_SO_ERROR("refused_error_again", s);
	FACT_MASK("refused_error_read_mask", s);
	l = listener(ANY, 5000, 8);
	FACT("stuck", connect(s, vm(1, 5000), 16));
	FACT("stuck_len_15", connect(s, vm(1, 5000), 15));
	FACT("stuck_cid_99", connect(s, vm(99, 5000), 16));
	FACT("stuck_null", connect(s, (struct sockaddr *)nil, 16));
	close(s);
	close(l);
}

/* A blocking connect() on such a socket waits for the attempt that is over. */
static void goes_blocking(void)
{
	int l = listener(ANY, 5000, 8), s = refused_client();
	long began;

	set_nonblock(s, false);
	FACT("blocking_error_unread", connect(s, vm(1, 5000), 16));
	FACT_SO_ERROR("blocking_error_unread_error", s);
	FACT("blocking_error_unread_then", connect(s, vm(1, 5000), 16));
	close(s);

	s = refused_client();
	so_error(s);
	set_nonblock(s, false);
	set_connect_timeout(s, 200);
	began = now_ms();
	FACT("blocking_error_read", connect(s, vm(1, 5000), 16));
	say("blocking_error_read_waits", "%d", now_ms() - began >= 150);
	FACT_SO_ERROR("blocking_error_read_error", s);
	FACT_MASK("blocking_error_read_mask", s);
	FACT("blocking_error_read_then", connect(s, vm(1, 5000), 16));
	close(s);

	/* Its time is not that of sends. */
	s = refused_client();
	so_error(s);
	set_nonblock(s, false);
	set_timeout(s, SO_SNDTIMEO, 20);
	set_connect_timeout(s, 200);
	began = now_ms();
	FACT("blocking_sndtimeo", connect(s, vm(1, 5000), 16));
	say("blocking_sndtimeo_waits", "%d", now_ms() - began >= 150);
	close(s);

	s = refused_client();
	so_error(s);
	set_nonblock(s, false);
	FACT_INTERRUPTED("blocking_interrupted", 0,
			 connect(s, vm(1, 5000), 16));
	FACT("blocking_interrupted_then", connect(s, vm(1, 5000), 16));
	close(s);

	s = refused_client();
	so_error(s);
	set_nonblock(s, false);
	FACT_INTERRUPTED("blocking_interrupted_sa_restart", SA_RESTART,
			 connect(s, vm(1, 5000), 16));
	close(s);

	s = refused_client();
	set_nonblock(s, false);
	FACT("blocking_cid_99", connect(s, vm(99, 5000), 16));
	FACT("blocking_cid_99_then", connect(s, vm(99, 5000), 16));
	close(s);
	close(l);
}

static void shuts_down(void)
{
	int s = refused_client();

	FACT("shutdown_refused", shutdown(s, SHUT_WR));
	FACT_MASK("shutdown_refused_mask", s);
	FACT("shutdown_refused_connect", connect(s, vm(1, 5999), 16));
	FACT_SO_ERROR("shutdown_refused_error", s);
	close(s);

	s = refused_client();
	FACT("shutdown_refused_bad_how", shutdown(s, 3));
	FACT("shutdown_refused_both", shutdown(s, SHUT_RDWR));
	FACT_MASK("shutdown_refused_both_mask", s);
	close(s);
}

/* The window, and the way back to being writable. */
static void fills(void)
{
	struct conn p = connection();
	static char chunk[65536], sink[CREDIT];
	long total = 0;
	ssize_t n;

	set_nonblock(p.c, true);
	while ((n = send(p.c, chunk, sizeof(chunk), 0)) > 0)
		total += n;
	say("fill", "%ld bytes, then %s", total, strerrorname_np(errno));
	FACT_MASK("fill_mask", p.c);
	FACT("fill_send_len_0", send(p.c, chunk, 0, 0));
	await_bytes(p.a, CREDIT);
	n = MUST(recv(p.a, sink, sizeof(sink), 0));
	say("drain", "%zd bytes", n);
	FACT_MASK_AT("drain_mask", p.c, POLLOUT);
	FACT("drain_send", send(p.c, chunk, sizeof(chunk), 0));
	disconnect(p);
}

int main(void)
{
	oracle_start();
	succeeds();
	fails_at_once();
	fails_later();
	goes_blocking();
	shuts_down();
	fills();
	return 0;
}
