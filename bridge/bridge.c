/* SPDX-License-Identifier: MIT */
/* The loop of a bridge: see bridge.h. */
#include "bridge/bridge.h"

#include "bridge/link.h"
#include "core/util.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define EVENTS	  64
#define PACKETS	  256 /* from the device, in one turn */
#define CLIENTS	  16  /* from a gateway, in one turn */
#define BACKLOG	  1024
#define REPORT_MS 1000 /* what peers did wrong is told of so often at most */
#define DEAF_MS	  100  /* for want of descriptors */
#define LOOK_MS	  250  /* whether anybody is there still */

/* What epoll's events are of, but for links. */
enum { STREAM, SEQPACKET, CALL_RX, CALL_TX, STOP, SOURCES };

struct bridge {
	struct bridge_config config;
	int epoll;
	int gateway[2];	      /* of STREAM and SEQPACKET */
	char source[SOURCES]; /* their addresses are epoll's data */
	struct links links;
	struct table_counters told; /* what has been reported */
	uint64_t told_refused, told_lost, told_clients;
	uint64_t lost_clients; /* no descriptors or memory for them */
	uint64_t report_at, look_at, idle_since;
	bool serving; /* the gateways are ours */
	uint64_t deaf_until;
	bool deaf;  /* the gateways are not listened to for a while */
	bool more;  /* packets wait in the ring */
	bool owing; /* control packets had no room */
	bool stop;
};

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static int watch(struct bridge *b, int op, int fd, int source, uint32_t events)
{
	struct epoll_event e = { .events = events,
				 .data.ptr = &b->source[source] };

	return epoll_ctl(b->epoll, op, fd, &e) < 0 ? -errno : 0;
}

/* --- gateways --------------------------------------------------------------
 */

static int open_gateway(struct bridge *b, int which)
{
	int type = which == STREAM ? SOCK_STREAM : SOCK_SEQPACKET, r;
	int fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	b->gateway[which] = fd;
	r = rdv_gateway_listen(b->config.machine, fd, which == SEQPACKET,
			       BACKLOG);
	return r < 0 ? r : watch(b, EPOLL_CTL_ADD, fd, which, EPOLLIN);
}

static int open_gateways(struct bridge *b)
{
	int r = open_gateway(b, STREAM);

	b->serving = r == 0;
	if (r == 0)
		r = open_gateway(b, SEQPACKET);
	if (r == 0)
		rdv_gateway_open(b->config.machine, false);
	return r;
}

static void close_gateways(struct bridge *b)
{
	for (int i = 0; i < 2; i++) {
		if (b->gateway[i] >= 0)
			close(b->gateway[i]);
		b->gateway[i] = -1;
	}
}

/* While there are no descriptors for clients, they wait. */
static void listen_to_gateways(struct bridge *b, bool on)
{
	b->deaf = !on;
	b->deaf_until = b->links.now + DEAF_MS;
	for (int i = 0; i < 2; i++)
		(void)watch(b, EPOLL_CTL_MOD, b->gateway[i], i,
			    on ? EPOLLIN : 0);
}

static void accept_clients(struct bridge *b, int which)
{
	for (int i = 0; i < CLIENTS; i++) {
		int fd = accept4(b->gateway[which], NULL, NULL,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			links_client(&b->links, fd, which == SEQPACKET);
		} else if (errno == EMFILE || errno == ENFILE ||
			   errno == ENOMEM || errno == ENOBUFS) {
			if (links_make_room(&b->links))
				continue;
			b->lost_clients++;
			listen_to_gateways(b, false);
			return;
		} else if (errno != ECONNABORTED && errno != EINTR) {
			return;
		}
	}
}

/* --- what an operator should know ------------------------------------------
 */

/* Each is said at once, or REPORT_MS after the last that was. */
static void say_of(struct bridge *b, const char *what, uint64_t count,
		   uint64_t *told)
{
	if (count == *told)
		return;
	b->report_at = b->links.now + REPORT_MS;
	b->config.say("%s: %llu more, %llu in all", what,
		      (unsigned long long)(count - *told),
		      (unsigned long long)count);
	*told = count;
}

static void report(struct bridge *b)
{
	const struct table_counters *c = table_counters(b->links.table);

	if (b->links.now < b->report_at)
		return;
	/* What a peer may do without any harm. */
	b->told.no_connection = c->no_connection;
	b->told.stray_rst = c->stray_rst;
	b->told.unexpected = c->unexpected;
#define X(name) say_of(b, "device: " #name, c->name, &b->told.name);
	TABLE_COUNTERS(X)
#undef X
	say_of(b, "programs: refused, too many connections", b->links.refused,
	       &b->told_refused);
	say_of(b, "connections lost for lack of memory or room for a message",
	       b->links.lost, &b->told_lost);
	say_of(b, "programs that wait for lack of descriptors", b->lost_clients,
	       &b->told_clients);
}

/* --- the device ------------------------------------------------------------
 */

static int receive(struct bridge *b)
{
	struct vhost *v = b->links.device;
	const uint8_t *payload;
	struct packet p;
	int id = 0;

	ring_want(&v->rings[VHOST_RX], false);
	b->more = true;
	for (int i = 0; i < PACKETS; i++) {
		id = wire_receive(v, &p, &payload);
		if (id == -EBADMSG) {
			table_malformed(b->links.table);
			continue;
		}
		if (id < 0) {
			b->more = ring_want(&v->rings[VHOST_RX], true);
			break;
		}
		links_packet(&b->links, &p, payload);
		wire_received(v, id);
	}
	return id == -EPROTO ? id : 0;
}

/* RESPONSE, RST, SHUTDOWN, credit. False: there is more than room. */
static bool send_control(struct bridge *b)
{
	struct vhost *v = b->links.device;
	struct iovec unused;
	struct packet p;
	int id;

	while ((id = wire_get(v, &unused)) >= 0) {
		if (!table_next(b->links.table, &p)) {
			wire_drop(v, id);
			return true;
		}
		wire_send(v, id, &p);
	}
	return false;
}

/* What had no room waits for the device to make some. */
static void wait_for_room(struct bridge *b)
{
	struct vhost *v = b->links.device;

	if (!b->owing && !b->links.starving)
		return;
	if (ring_want(&v->rings[VHOST_TX], true) || wire_room(v)) {
		links_room(&b->links);
		b->more = true; /* it may have been just now: no sleep */
	}
}

/* --- the loop --------------------------------------------------------------
 */

/* Until when may it sleep? */
static int timeout(struct bridge *b)
{
	uint64_t at = links_deadline(&b->links);
	uint64_t now = b->links.now;

	if (b->more || links_busy(&b->links))
		return 0;
	if (b->config.linger_ms >= 0 && b->look_at < at)
		at = b->look_at;
	if (b->report_at < at && b->report_at > now)
		at = b->report_at;
	if (b->deaf && b->deaf_until < at)
		at = b->deaf_until;
	if (at == CONN_NEVER)
		return -1;
	return at <= now ? 0 : at - now > 60000 ? 60000 : (int)(at - now);
}

static void handle(struct bridge *b, const struct epoll_event *e)
{
	const char *source = e->data.ptr;

	if (source < b->source || source >= b->source + SOURCES) {
		links_event(&b->links, e->data.ptr, e->events);
		return;
	}
	switch (source - b->source) {
	case STREAM:
	case SEQPACKET:
		accept_clients(b, (int)(source - b->source));
		break;
	case CALL_RX:
		b->more = true;
		break;
	case CALL_TX:
		ring_want(&b->links.device->rings[VHOST_TX], false);
		links_room(&b->links);
		break;
	case STOP:
		b->stop = true;
		break;
	}
}

/*
 * Nobody is there, and nobody has been for long enough? Clients that found the
 * gateways before these went are served by new ones. 0, or why there are none.
 */
static int look_around(struct bridge *b)
{
	struct links *ls = &b->links;

	if (b->config.linger_ms < 0 || ls->now < b->look_at)
		return 0;
	b->look_at = ls->now + LOOK_MS;
	if (ls->n || rdv_in_use(b->config.machine)) {
		b->idle_since = ls->now;
		return 0;
	}
	if (ls->now - b->idle_since < (uint64_t)b->config.linger_ms)
		return 0;
	rdv_gateway_close(b->config.machine);
	b->serving = false;
	accept_clients(b, STREAM);
	accept_clients(b, SEQPACKET);
	close_gateways(b);
	/* Or who has bound a port since, and found them there. */
	b->stop = ls->n == 0 && !rdv_in_use(b->config.machine);
	return b->stop ? 0 : open_gateways(b);
}

static int turn(struct bridge *b)
{
	struct epoll_event events[EVENTS];
	int n, r = 0;

	n = epoll_wait(b->epoll, events, EVENTS, timeout(b));
	b->links.now = now_ms();
	for (int i = 0; i < n; i++)
		handle(b, &events[i]);
	if (b->deaf && b->links.now >= b->deaf_until)
		listen_to_gateways(b, true);
	if (b->more)
		r = receive(b);
	/* Data would take all of the room, turn by turn. */
	if (b->owing)
		(void)send_control(b);
	links_turn(&b->links);
	b->owing = !send_control(b);
	wait_for_room(b);
	wire_kick(b->links.device);
	report(b);
	if (b->links.device->rings[VHOST_TX].lie)
		r = -EPROTO;
	return r < 0 ? r : look_around(b);
}

int bridge_run(struct bridge *b, struct vhost *device)
{
	int r;

	b->links.device = device;
	b->links.now = b->idle_since = now_ms();
	b->more = true;
	r = watch(b, EPOLL_CTL_ADD, device->call[VHOST_RX], CALL_RX,
		  EPOLLIN | EPOLLET);
	if (r == 0)
		r = watch(b, EPOLL_CTL_ADD, device->call[VHOST_TX], CALL_TX,
			  EPOLLIN | EPOLLET);
	if (r < 0)
		return r;
	wire_start(device);
	while (!b->stop && r == 0)
		r = turn(b);
	links_end(&b->links);
	for (int i = 0; i < VHOST_RINGS; i++)
		epoll_ctl(b->epoll, EPOLL_CTL_DEL, device->call[i], NULL);
	return r;
}

int bridge_new(const struct bridge_config *config, struct bridge **ret)
{
	struct bridge *b = calloc(1, sizeof(*b));
	struct table *table = table_new(config->machine->cid, config->limits);
	int r = b && table ? local_start() : -ENOMEM;

	if (r < 0) {
		table_free(table);
		free(b);
		return r;
	}
	b->config = *config;
	b->gateway[STREAM] = b->gateway[SEQPACKET] = -1;
	b->epoll = epoll_create1(EPOLL_CLOEXEC);
	links_init(&b->links, config->machine, NULL, table, b->epoll);
	r = b->epoll < 0 ? -errno : 0;
	if (r == 0)
		r = watch(b, EPOLL_CTL_ADD, config->stop, STOP, EPOLLIN);
	if (r == 0)
		r = open_gateways(b);
	if (r < 0) {
		bridge_free(b);
		return r;
	}
	*ret = b;
	return 0;
}

void bridge_free(struct bridge *b)
{
	if (b->serving)
		rdv_gateway_close(b->config.machine);
	close_gateways(b);
	table_free(b->links.table);
	if (b->epoll >= 0)
		close(b->epoll);
	free(b);
}
