/* SPDX-License-Identifier: MIT */
/* The loop of a relay, and the machines that it serves: see relay.h. */
#include "bridge/relay.h"

#include "bridge/pair.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <unistd.h>
#include <utlist.h>

#define EVENTS	 64
#define CLIENTS	 16 /* of a gateway, in one turn */
#define BACKLOG	 1024
#define DEAF_MS	 100  /* for want of descriptors */
#define DRAIN_MS 1000 /* at the end */

struct gateway {
	enum source source;
	struct station *station;
	int fd;
	bool seqpacket;
	bool waiting; /* there may be clients */
};

/* A machine. One that is not ours to serve has no gateways. */
struct station {
	struct machine machine;
	struct gateway gateways[2];
	bool serves;
	struct station *next;
};

struct relay {
	struct relay_config config;
	int epoll, inotify, claim;
	enum source stop_source, directory_source;
	struct station *stations;
	struct pairs pairs;
	bool stop;
};

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static int watch(struct relay *r, int fd, enum source *source, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.ptr = source };

	return epoll_ctl(r->epoll, EPOLL_CTL_ADD, fd, &e) < 0 ? -errno : 0;
}

/* --- machines ------------------------------------------------------------- */

static void accept_clients(struct relay *r, struct gateway *g, int most)
{
	for (int i = 0; i < most && g->waiting; i++) {
		int fd = accept4(g->fd, NULL, NULL,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0)
			pairs_client(&r->pairs, &g->station->machine, fd,
				     g->seqpacket);
		else if (errno == EMFILE || errno == ENFILE ||
			 errno == ENOMEM || errno == ENOBUFS)
			return;
		else if (errno != ECONNABORTED && errno != EINTR)
			g->waiting = false;
	}
}

/* Who has its gateway, for a message. */
static void say_taken(struct relay *r, struct machine *m)
{
	pid_t pid = rdv_gateway_pid(m);
	char process[32] = "", path[32], command[256] = "";
	ssize_t n = 0;
	int fd = -1;

	if (pid > 0) {
		(void)snprintf(process, sizeof(process), ": process %d",
			       (int)pid);
		(void)snprintf(path, sizeof(path), "/proc/%d/cmdline",
			       (int)pid);
		fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	if (fd >= 0) {
		n = read(fd, command, sizeof(command) - 1);
		close(fd);
	}
	for (ssize_t i = 0; i + 1 < n; i++)
		if (command[i] < ' ' || command[i] > '~')
			command[i] = ' ';
	r->config.say("CID %u has a gateway already, and is not captured%s%s%s",
		      m->cid, process, *command ? ", " : "", command);
}

static int open_gateway(struct relay *r, struct station *s, int which)
{
	struct gateway *g = &s->gateways[which];
	int type = which ? SOCK_SEQPACKET : SOCK_STREAM, error;

	*g = (struct gateway){ .source = SOURCE_GATEWAY, .station = s };
	g->seqpacket = which;
	g->fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (g->fd < 0)
		return -errno;
	error = rdv_gateway_listen(&s->machine, g->fd, which, BACKLOG);
	return error < 0 ? error
			 : watch(r, g->fd, &g->source, EPOLLIN | EPOLLET);
}

static void close_gateways(struct station *s)
{
	for (int i = 0; i < 2; i++) {
		if (s->gateways[i].fd >= 0)
			close(s->gateways[i].fd);
		s->gateways[i].fd = -1;
		s->gateways[i].waiting = false;
	}
}

/* 0; or -errno, after saying why the machine is not served. */
static int open_station(struct relay *r, struct station *s)
{
	const char *why = NULL;
	int error = rdv_open(&s->machine, &why);

	if (error == 0)
		error = open_gateway(r, s, 0);
	s->serves = error == 0;
	if (error == 0)
		error = open_gateway(r, s, 1);
	if (error == 0) {
		rdv_gateway_open(&s->machine, true);
		return 0;
	}
	if (s->serves)
		rdv_gateway_close(&s->machine);
	s->serves = false;
	close_gateways(s);
	if (error == -EADDRINUSE)
		say_taken(r, &s->machine);
	else
		r->config.say("%s: CID %u is not captured: %s", r->config.dir,
			      s->machine.cid, why ? why : strerror(-error));
	return error;
}

static int add_station(struct relay *r, uint32_t cid)
{
	struct station *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->machine = (struct machine){ .sys = &sys_kernel,
				       .dir = r->config.dir,
				       .cid = cid };
	s->gateways[0].fd = s->gateways[1].fd = -1;
	LL_PREPEND(r->stations, s);
	return open_station(r, s);
}

/* The machine was removed, and another has its CID. Pairs go on. */
static void renew_station(struct relay *r, struct station *s)
{
	close_gateways(s);
	ports_unmap(s->machine.ports);
	s->machine.ports = NULL;
	(void)open_station(r, s);
}

/* Machines that are new in the directory. */
static int look_around(struct relay *r)
{
	const struct dirent *e;
	struct station *s;
	const char *name;
	uint32_t cid;
	DIR *d;

	d = opendir(r->config.dir);
	if (!d)
		return -errno;
	while ((e = readdir(d))) {
		/* A link is where a machine was before it has migrated. */
		if (e->d_type == DT_LNK)
			continue;
		name = e->d_name;
		if (!addr_scan_u32(&name, name + strlen(name), &cid) || *name ||
		    cid == VMADDR_CID_HYPERVISOR || cid == VMADDR_CID_ANY)
			continue;
		LL_SEARCH_SCALAR(r->stations, s, machine.cid, cid);
		if (!s)
			(void)add_station(r, cid);
		else if (s->serves && rdv_gateway_gone(&s->machine))
			renew_station(r, s);
	}
	closedir(d);
	return 0;
}

static int watch_directory(struct relay *r)
{
	struct machine m = { .sys = &sys_kernel, .dir = r->config.dir };
	const char *why;
	int error = rdv_check(&m, &why);

	if (error == -ENOENT && mkdir(m.dir, 0700) == 0)
		error = rdv_check(&m, &why);
	r->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (error == 0 &&
	    (r->inotify < 0 ||
	     inotify_add_watch(r->inotify, m.dir,
			       IN_CREATE | IN_MOVED_TO | IN_ONLYDIR) < 0))
		error = -errno;
	if (error == 0)
		error = watch(r, r->inotify, &r->directory_source, EPOLLIN);
	if (error == 0)
		error = r->claim = rdv_claim_all(&m);
	if (error == -EADDRINUSE)
		why = "is captured already";
	else if (error > 0)
		error = 0;
	if (error == 0)
		error = look_around(r);
	if (error < 0)
		r->config.say("%s: %s", m.dir, why ? why : strerror(-error));
	return error;
}

/* --- the loop ------------------------------------------------------------- */

static void handle(struct relay *r, const struct epoll_event *e)
{
	char buf[4096];

	switch (*(enum source *)e->data.ptr) {
	case SOURCE_STOP:
		r->stop = true;
		break;
	case SOURCE_DIRECTORY:
		while (read(r->inotify, buf, sizeof(buf)) > 0)
			;
		if (!r->stop)
			(void)look_around(r);
		break;
	case SOURCE_GATEWAY:
		((struct gateway *)e->data.ptr)->waiting = true;
		break;
	case SOURCE_SIDE:
		pairs_event(&r->pairs, e->data.ptr, e->events);
		break;
	}
}

static int timeout(const struct relay *r)
{
	uint64_t at = pairs_deadline(&r->pairs), now = r->pairs.now;
	const struct station *s;

	LL_FOREACH(r->stations, s)
	{
		if ((s->gateways[0].waiting || s->gateways[1].waiting) &&
		    now + DEAF_MS < at)
			at = now + DEAF_MS;
	}
	if (at == PAIR_NEVER)
		return -1;
	return at <= now ? 0 : (int)(at - now);
}

/* Waits if it @may. False if nothing happened. */
static bool turn(struct relay *r, bool may)
{
	struct epoll_event events[EVENTS];
	struct station *s;
	int n;

	n = epoll_wait(r->epoll, events, EVENTS, may ? timeout(r) : 0);
	r->pairs.now = now_ms();
	for (int i = 0; i < n; i++)
		handle(r, &events[i]);
	LL_FOREACH(r->stations, s)
	{
		accept_clients(r, &s->gateways[0], CLIENTS);
		accept_clients(r, &s->gateways[1], CLIENTS);
	}
	return pairs_turn(&r->pairs) || n > 0;
}

/* Who has found a gateway is served still. */
static void close_stations(struct relay *r)
{
	struct station *s;

	if (r->claim >= 0)
		close(r->claim);
	r->claim = -1;
	LL_FOREACH(r->stations, s)
	{
		if (!s->serves)
			continue;
		rdv_gateway_close(&s->machine);
		s->serves = false;
		for (int i = 0; i < 2; i++) {
			s->gateways[i].waiting = true;
			accept_clients(r, &s->gateways[i], BACKLOG + 1);
		}
		close_gateways(s);
	}
}

int relay_run(struct relay *r)
{
	uint64_t until;

	while (!r->stop && r->pairs.error == 0)
		turn(r, true);
	close_stations(r);
	until = r->pairs.now + DRAIN_MS;
	while (turn(r, false) && r->pairs.now < until)
		;
	pairs_end(&r->pairs);
	return r->pairs.error;
}

uint64_t relay_connections(const struct relay *r)
{
	return r->pairs.connections;
}

int relay_new(const struct relay_config *config, struct relay **ret)
{
	struct relay *r = calloc(1, sizeof(*r));
	int error;

	if (!r)
		return -ENOMEM;
	r->config = *config;
	r->stop_source = SOURCE_STOP;
	r->directory_source = SOURCE_DIRECTORY;
	r->inotify = r->claim = -1;
	r->epoll = epoll_create1(EPOLL_CLOEXEC);
	error = r->epoll < 0 ? -errno
			     : pairs_init(&r->pairs, r->epoll, config->tell);
	r->pairs.now = now_ms();
	if (error == 0)
		error = watch(r, config->stop, &r->stop_source,
			      EPOLLIN | EPOLLET);
	if (error < 0)
		config->say("%s", strerror(-error));
	else if (config->cid)
		error = add_station(r, config->cid);
	else
		error = watch_directory(r);
	if (error < 0) {
		relay_free(r);
		return error;
	}
	*ret = r;
	return 0;
}

void relay_free(struct relay *r)
{
	struct station *s, *next_s;

	close_stations(r);
	pairs_end(&r->pairs);
	LL_FOREACH_SAFE(r->stations, s, next_s)
	{
		free(s);
	}
	if (r->inotify >= 0)
		close(r->inotify);
	if (r->epoll >= 0)
		close(r->epoll);
	free(r);
}
