/* SPDX-License-Identifier: MIT */
/* What the two ends of a round do that move something: see round.h. */
#include "round.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- connections --------------------------------------------------------- */

/*
 * On a TCP socket, no TIME_WAIT after its close: the ports would not suffice
 * for so many.
 */
static void no_trace(const struct end *e, int fd)
{
	const struct linger now_gone = { .l_onoff = 1 };

	if (e->addr.sa.sa_family == AF_INET)
		check(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now_gone,
				 sizeof(now_gone)),
		      "SO_LINGER");
}

static void connect_step(struct end *e)
{
	int fd;

	while (e->sent - e->sh->done >= MAX_PENDING)
		sched_yield();
	fd = dial(e);
	no_trace(e, fd);
	check(close(fd), "close");
}

static void connect_serve(struct end *e, int listener)
{
	for (;;) {
		check(close(answer(e, listener)), "close");
		if (e->sh->stop)
			return;
		e->sh->done++;
	}
}

/* The server waits in accept(2). */
static void connect_stop(struct end *e)
{
	check(close(dial(e)), "close");
}

/* --- data ---------------------------------------------------------------- */

/* A message on each connection by turns; then the answers to all of them. */
static void ping_step(struct end *e)
{
	unsigned int conns = e->o->conns;
	ssize_t size = (ssize_t)e->o->size;

	e->pattern[0] = e->sent;
	if (send(e->fds[e->sent % conns], e->pattern, (size_t)size,
		 MSG_NOSIGNAL) != size)
		die("send: %s", strerror(errno));
	if ((e->sent + 1) % conns)
		return;
	for (uint64_t seq = e->sent + 1 - conns; seq <= e->sent; seq++) {
		if (recv(e->fds[seq % conns], e->got, (size_t)size,
			 MSG_WAITALL) != size)
			die("recv: no answer to message %llu",
			    (unsigned long long)seq);
		verify(e, seq);
	}
}

/* Without MSG_WAITALL a stream may give a part of what is large. */
static void ping_serve(struct end *e, int listener)
{
	ssize_t n, size = (ssize_t)e->o->size;
	int fd;

	(void)listener;
	for (;;) {
		fd = e->fds[e->sh->done % e->o->conns];
		n = recv(fd, e->got, (size_t)size, MSG_WAITALL);
		if (n == 0)
			return;
		if (n != size)
			die("recv: %zd bytes", n);
		verify(e, e->sh->done);
		e->sh->done++;
		if (send(fd, e->got, (size_t)size, MSG_NOSIGNAL) != size)
			die("send: %s", strerror(errno));
	}
}

#define MAX_LATENCIES (1 << 20)
/* Until then it warms up. */
#define FIRST_LATENCY 1000

static double latencies[MAX_LATENCIES];

static void latency_step(struct end *e)
{
	double start = now();

	ping_step(e);
	if (e->sent >= FIRST_LATENCY && e->sent < FIRST_LATENCY + MAX_LATENCIES)
		latencies[e->sent - FIRST_LATENCY] = now() - start;
}

/* Prints "<share> <microseconds>" for the shares that are drawn. */
static void latency_stop(struct end *e)
{
	uint64_t n = e->sent - FIRST_LATENCY;

	if (e->sent <= FIRST_LATENCY)
		die("latency: too few messages");
	if (n > MAX_LATENCIES)
		n = MAX_LATENCIES;
	sort(latencies, (unsigned int)n);
	for (double rest = 1; rest > 0.00005; rest *= 0.8)
		dprintf(STDOUT_FILENO, "%.6f %.3f\n", 1 - rest,
			quantile(latencies, (unsigned int)n, 1 - rest) * 1e6);
}

static void bulk_step(struct end *e)
{
	e->pattern[0] = e->sent;
	write_all(e->fds[e->sent % e->o->conns], e->pattern, e->o->size);
}

static void bulk_serve(struct end *e, int listener)
{
	(void)listener;
	while (read_all(e->fds[e->sh->done % e->o->conns], e->got,
			e->o->size)) {
		verify(e, e->sh->done);
		e->sh->done++;
	}
}

static void sendmsg_step(struct end *e)
{
	struct iovec iov = { .iov_base = e->pattern, .iov_len = e->o->size };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	e->pattern[0] = e->sent;
	if (sendmsg(e->fds[0], &msg, MSG_NOSIGNAL) != (ssize_t)e->o->size)
		die("sendmsg: %s", strerror(errno));
}

/* Messages that arrive whole, or not as they were sent. */
static void message_step(struct end *e)
{
	e->pattern[0] = e->sent;
	if (send(e->fds[0], e->pattern, e->o->size, MSG_NOSIGNAL) !=
	    (ssize_t)e->o->size)
		die("send: %s", strerror(errno));
}

static void message_serve(struct end *e, int listener)
{
	ssize_t n;

	(void)listener;
	while ((n = recv(e->fds[0], e->got, sizeof(e->got), 0)) > 0) {
		if (n != (ssize_t)e->o->size)
			die("recv: %zd bytes", n);
		verify(e, e->sh->done);
		e->sh->done++;
	}
	check((int)n, "recv");
}

/* --- datagrams, from one socket of the client to another ----------------- */

static struct {
	int from, to;
	union addr from_addr, to_addr;
} dgram;

static void dgram_start(struct end *e)
{
	unsigned int port = e->o->port;
	union addr own;
	socklen_t len;

	dgram.from = make_socket(e);
	dgram.to = make_socket(e);
	len = set_addr(e, &own, false, port);
	check(bind(dgram.from, &own.sa, len), "bind");
	set_addr(e, &dgram.from_addr, true, port);
	len = set_addr(e, &own, false, port + N_SIDES);
	check(bind(dgram.to, &own.sa, len), "bind");
	set_addr(e, &dgram.to_addr, true, port + N_SIDES);
}

static void dgram_step(struct end *e)
{
	ssize_t size = (ssize_t)e->o->size;
	/* In the frame, as whoever answers has it. */
	union addr source, to = dgram.to_addr;
	socklen_t len = sizeof(source);

	e->pattern[0] = e->sent;
	memset(&source, 0, sizeof(source));
	if (sendto(dgram.from, e->pattern, (size_t)size, 0, &to.sa,
		   e->addr_len) != size)
		die("sendto: %s", strerror(errno));
	if (recvfrom(dgram.to, e->got, sizeof(e->got), 0, &source.sa, &len) !=
	    size)
		die("recvfrom: not the message");
	verify(e, e->sent);
	if (memcmp(&source, &dgram.from_addr, len) != 0)
		die("recvfrom: not from its sender");
	e->sh->done++;
}

static void dgram_stop(struct end *e)
{
	check(close(dgram.from), "close");
	check(close(dgram.to), "close");
	if (e->addr.sa.sa_family == AF_UNIX) {
		check(unlink(dgram.from_addr.un.sun_path), "unlink");
		check(unlink(dgram.to_addr.un.sun_path), "unlink");
	}
}

const struct job moving_jobs[] = {
	{
		.name = "connect",
		.batch = 16,
		.step = connect_step,
		.stop = connect_stop,
		.serve = connect_serve,
	},
	{
		.name = "pingpong",
		.batch = 64,
		.step = ping_step,
		.serve = ping_serve,
	},
	{
		.name = "latency",
		.batch = FIRST_LATENCY,
		.step = latency_step,
		.stop = latency_stop,
		.serve = ping_serve,
	},
	{
		.name = "bulk",
		.batch = 64,
		.step = bulk_step,
		.serve = bulk_serve,
	},
	{
		.name = "sendmsg",
		.batch = 64,
		.step = sendmsg_step,
		.serve = bulk_serve,
	},
	{
		.name = "messages",
		.batch = 64,
		.step = message_step,
		.serve = message_serve,
	},
	{
		.name = "dgram",
		.batch = 64,
		.start = dgram_start,
		.step = dgram_step,
		.stop = dgram_stop,
	},
	{ .name = NULL },
};
