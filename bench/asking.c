/* SPDX-License-Identifier: MIT */
/* What a round does that moves nothing, but asks: see round.h. */
#include "round.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

/* --- readiness ----------------------------------------------------------- */

/* So many of the connections have a byte to read, all the time. */
#define READY 4
/* ms; as a program has it that also has timers. */
#define PATIENCE 1000

static unsigned int ready_at(const struct end *e, unsigned int i)
{
	return i * e->o->conns / READY;
}

/* Until the client closes. */
static void hold_serve(struct end *e, int listener)
{
	(void)listener;
	if (read_all(e->fds[0], e->got, 1))
		die("read: a byte that nobody sent");
}

static void ready_serve(struct end *e, int listener)
{
	for (unsigned int i = 0; i < READY; i++)
		write_all(e->fds[ready_at(e, i)], e->pattern, 1);
	hold_serve(e, listener);
}

static void ready_stop(struct end *e)
{
	for (unsigned int i = 0; i < READY; i++)
		if (!read_all(e->fds[ready_at(e, i)], e->got, 1) ||
		    memcmp(e->got, e->pattern, 1) != 0)
			die("a byte arrived altered");
}

static struct pollfd polled[MAX_CONNS];

static void poll_start(struct end *e)
{
	for (unsigned int i = 0; i < e->o->conns; i++) {
		polled[i].fd = e->fds[i];
		polled[i].events = POLLIN;
	}
	while (poll(polled, e->o->conns, -1) < READY)
		sched_yield();
}

static void poll_step(struct end *e)
{
	if (poll(polled, e->o->conns, PATIENCE) != READY)
		die("poll: not those that are ready");
	for (unsigned int i = 0; i < READY; i++)
		if (polled[ready_at(e, i)].revents != POLLIN)
			die("poll: others than those that are ready");
	e->sh->done++;
}

static struct {
	int fd;
	uint64_t sum;
} ep;

static void epoll_add(struct end *e, unsigned int i)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u32 = i };

	check(epoll_ctl(ep.fd, EPOLL_CTL_ADD, e->fds[i], &ev), "epoll_ctl");
}

static void epoll_start(struct end *e)
{
	struct epoll_event ev[READY];

	ep.fd = check(epoll_create1(0), "epoll_create1");
	for (unsigned int i = 0; i < e->o->conns; i++)
		epoll_add(e, i);
	for (unsigned int i = 0; i < READY; i++)
		ep.sum += ready_at(e, i);
	while (epoll_wait(ep.fd, ev, READY, -1) < READY)
		sched_yield();
}

static void epoll_step(struct end *e)
{
	struct epoll_event ev[READY * 4];
	uint64_t sum = 0;

	if (epoll_wait(ep.fd, ev, ARRAY_SIZE(ev), PATIENCE) != READY)
		die("epoll_wait: not those that are ready");
	for (unsigned int i = 0; i < READY; i++)
		sum += ev[i].events == EPOLLIN ? ev[i].data.u32 : UINT32_MAX;
	if (sum != ep.sum)
		die("epoll_wait: others than those that are ready");
	e->sh->done++;
}

/* --- names and options --------------------------------------------------- */

static void name_step(struct end *e)
{
	union addr own = { .sa.sa_family = AF_UNSPEC };
	socklen_t len = sizeof(own);

	check(getsockname(e->fds[0], &own.sa, &len), "getsockname");
	if (own.sa.sa_family != e->addr.sa.sa_family)
		die("getsockname: a name of family %d", own.sa.sa_family);
	e->sh->done++;
}

/* Each socket has another value of an option that no default tells. */
static struct timeval nth_timeout(unsigned int i)
{
	return (struct timeval){ .tv_sec = 1 + (time_t)i };
}

static void option_start(struct end *e)
{
	for (unsigned int i = 0; i < e->o->conns; i++) {
		struct timeval t = nth_timeout(i);

		check(setsockopt(e->fds[i], AF_VSOCK,
				 SO_VM_SOCKETS_CONNECT_TIMEOUT, &t, sizeof(t)),
		      "setsockopt");
	}
}

static void option_step(struct end *e)
{
	unsigned int i = e->o->conns / 2;
	struct timeval t;
	socklen_t len = sizeof(t);

	check(getsockopt(e->fds[i], AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT, &t,
			 &len),
	      "getsockopt");
	if (t.tv_sec != nth_timeout(i).tv_sec)
		die("getsockopt: the value of another socket");
	e->sh->done++;
}

/* --- memory -------------------------------------------------------------- */

/* Bytes of this process that are resident. */
static double resident(void)
{
	static char text[4096];
	int fd = check(open("/proc/self/smaps_rollup", O_RDONLY),
		       "/proc/self/smaps_rollup");
	ssize_t n = read(fd, text, sizeof(text) - 1);
	const char *rss = n > 0 ? strstr(text, "Rss:") : NULL;

	check(close(fd), "close");
	if (!rss)
		die("/proc/self/smaps_rollup: no Rss");
	return strtod(rss + strlen("Rss:"), NULL) * KIB;
}

static struct figure memory_measure(struct end *e)
{
	(void)e;
	return (struct figure){ .n = 1, .cost = resident() };
}

/* What the second and all further sockets add. */
static struct figure growth(struct end *e, int (*more)(struct end *e))
{
	struct figure f = { .n = MAX_CONNS - 1 };
	double before;

	for (unsigned int i = 1; i < MAX_CONNS; i++)
		e->fds[i] = -1;
	(void)resident();
	before = resident();
	for (unsigned int i = 1; i < MAX_CONNS; i++) {
		while (more == dial && i - 1 - e->sh->done >= MAX_PENDING)
			sched_yield();
		e->fds[i] = more(e);
		if (ep.fd)
			epoll_add(e, i);
	}
	f.cost = resident() - before;
	for (unsigned int i = 1; i < MAX_CONNS; i++)
		check(close(e->fds[i]), "close");
	return f;
}

static struct figure memory_open(struct end *e)
{
	return growth(e, make_socket);
}

static struct figure memory_connect(struct end *e)
{
	return growth(e, dial);
}

static struct figure memory_epoll(struct end *e)
{
	ep.fd = check(epoll_create1(0), "epoll_create1");
	epoll_add(e, 0);
	return growth(e, dial);
}

static void memory_serve(struct end *e, int listener)
{
	for (unsigned int i = 1; i < MAX_CONNS; i++) {
		e->fds[i] = answer(e, listener);
		e->sh->done++;
	}
	hold_serve(e, listener);
}

const struct job asking_jobs[] = {
	{
		.name = "poll",
		.batch = 16,
		.start = poll_start,
		.step = poll_step,
		.stop = ready_stop,
		.serve = ready_serve,
	},
	{
		.name = "epoll",
		.batch = 64,
		.start = epoll_start,
		.step = epoll_step,
		.stop = ready_stop,
		.serve = ready_serve,
	},
	{
		.name = "getsockname",
		.batch = 64,
		.step = name_step,
		.serve = hold_serve,
	},
	{
		.name = "getsockopt",
		.batch = 64,
		.start = option_start,
		.step = option_step,
		.serve = hold_serve,
	},
	{
		.name = "memory",
		.measure = memory_measure,
		.serve = hold_serve,
	},
	{
		.name = "memory-open",
		.measure = memory_open,
		.serve = hold_serve,
	},
	{
		.name = "memory-connect",
		.measure = memory_connect,
		.serve = memory_serve,
	},
	{
		.name = "memory-epoll",
		.measure = memory_epoll,
		.serve = memory_serve,
	},
	{ .name = NULL },
};
