/* SPDX-License-Identifier: MIT */
/* Connects to other machines by a gateway: see gateway.h. */
#include "gateway.h"

#include "conf.h"
#include "core/hello.h"
#include "core/ports.h"
#include "core/sys.h"
#include "hint.h"
#include "next.h"
#include "pending.h"
#include "vsock_table.h"

#include <errno.h>
#include <limits.h>

static const struct sys *const sys = &sys_kernel;

/* A refusal has so many bytes, or it is none. */
#define REFUSAL_ROOM (sizeof(struct hello_refusal) + 1)

static ssize_t peek(int fd, char room[static REFUSAL_ROOM])
{
	ssize_t n = NEXT(recv)(fd, room, REFUSAL_ROOM, MSG_PEEK | MSG_DONTWAIT);

	return n < 0 ? -errno : n;
}

/*
 * The gateway has closed: why it refused, or 0 if it did not. AF_UNIX says
 * ECONNRESET once if the hello was left unread, before or behind what there is
 * to read (@n is what a first read said); and between HUP and that error there
 * is an instant, which the lock that an empty read takes sits out.
 */
static int refusal(int fd, ssize_t n)
{
	char room[REFUSAL_ROOM];
	int dead = 0, error;

	for (int i = 0; i < 3 && n <= 0; i++) {
		if (n == -ECONNRESET)
			dead = ECONNRESET;
		n = peek(fd, room);
	}
	error = n > 0 ? hello_refused(room, (size_t)n) : dead;
	if (n > 0 && error)
		(void)NEXT(recv)(fd, room, sizeof(room), MSG_DONTWAIT);
	return error;
}

/* Has it answered? Then *@error says how. */
static bool answered(int fd, int *error)
{
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT };
	char room[REFUSAL_ROOM];
	ssize_t n = 0;

	*error = 0;
	NEXT(poll)(&p, 1, 0);
	/* A close may come between its looks at the one and at the other. */
	if ((p.revents & (POLLOUT | POLLHUP)) == POLLOUT)
		NEXT(poll)(&p, 1, 0);
	if (!p.revents)
		return false;
	if (!(p.revents & (POLLHUP | POLLOUT))) {
		n = peek(fd, room);
		if (n > 0) /* a refusal: it is about to close */
			return !hello_refused(room, (size_t)n);
	}
	if (p.revents & POLLHUP || !(p.revents & POLLOUT))
		*error = refusal(fd, n);
	return true;
}

#define TIMED_OUT (TAG_FAILED | TAG_LATE | TAG_ETIMEDOUT)

/* As the tag has it. */
static unsigned int error_tag(int error)
{
	switch (error) {
	case 0:
		return 0;
	case ETIMEDOUT:
		return TIMED_OUT;
	default:
		return TAG_FAILED | TAG_ECONNRESET;
	}
}

enum gateway gateway_look(int fd, struct ident *id)
{
	struct sockaddr_un un;
	int saved = errno, error;
	socklen_t len;
	bool over;

	if (ident_peer(fd, &un, &len).kind != NAME_GATEWAY)
		return GATEWAY_NONE;
	over = answered(fd, &error);
	errno = saved;
	if (!over)
		return GATEWAY_WAITS;
	pending_forget(fd);
	ident_change(fd, TAG_PENDING, error_tag(error), 0);
	ident(fd, id);
	return GATEWAY_OVER;
}

void gateway_give_up(int fd)
{
	ident_change(fd, TAG_PENDING, TIMED_OUT, 0);
	/* The gateway is to forget it; and who polls wakes. */
	NEXT(shutdown)(fd, SHUT_RDWR);
}

int gateway_wait(int fd, struct ident *id, uint64_t end)
{
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT };
	uint64_t key = ident_key(fd);
	struct timespec ts;

	while (gateway_look(fd, id) == GATEWAY_WAITS) {
		if (!pending_left(end, &ts))
			return -ETIMEDOUT;
		/* It looks again at whom it finds under that number. */
		if (NEXT(ppoll)(&p, 1, &ts, NULL) < 0 || ident_key(fd) != key)
			return -EINTR;
	}
	if (!(id->tag & TAG_FAILED))
		return 0;
	return id->tag & TAG_ETIMEDOUT ? -ETIMEDOUT : -ECONNRESET;
}

/* Is it one of a gateway's? Then *@ret is its name in `ports`. */
static bool is_link(int fd, uint32_t cid, uint64_t *ret)
{
	struct sockaddr_un un;
	struct name own = ident_name(fd, &un);
	socklen_t len;
	struct name peer = ident_peer(fd, &un, &len);

	*ret = peer.kind == NAME_GATEWAY ? ports_link(own.port) : peer.link;
	return own.cid == cid && *ret;
}

void gateway_settle(int fd, struct ident *id)
{
	const struct machine *m;
	uint64_t link;

	if (id->reset || id->dgram || gate_is_open(GATE_SANDBOX) ||
	    id->tag & (TAG_SHUT_RD | TAG_FAILED | TAG_PENDING | TAG_DEVICE))
		return;
	m = conf_look();
	/* In this order: a link is dropped before its end. */
	if (m && m->ports && ports_had_links(m->ports) && ident_finished(fd) &&
	    is_link(fd, m->cid, &link) && ports_has_link(m->ports, link)) {
		ident_reset(fd);
		ident(fd, id);
	}
}

static void copy_option(int from, int to, int option)
{
	struct timeval room; /* or an int, or two */
	socklen_t len = sizeof(room);

	if (sys->getsockopt(from, SOL_SOCKET, option, &room, &len) == 0)
		sys->setsockopt(to, SOL_SOCKET, option, &room, len);
}

/* These read back twice what was set. */
static void copy_size(int from, int to, int option, int force)
{
	int size = 0;
	socklen_t len = sizeof(size);

	(void)sys->getsockopt(from, SOL_SOCKET, option, &size, &len);
	size /= 2;
	if (sys->setsockopt(to, SOL_SOCKET, force, &size, len) < 0)
		sys->setsockopt(to, SOL_SOCKET, option, &size, len);
}

/* What the program may have set on the socket, and on its file. */
static void copy_all(int from, int to)
{
	static const int options[] = { SO_SNDTIMEO,  SO_RCVTIMEO,  SO_RCVLOWAT,
				       SO_KEEPALIVE, SO_REUSEADDR, SO_OOBINLINE,
				       SO_PRIORITY,  SO_MARK };
	struct f_owner_ex owner;

	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		copy_option(from, to, options[i]);
	if (!ident_small())
		copy_option(from, to, SO_LINGER);
	copy_size(from, to, SO_SNDBUF, SO_SNDBUFFORCE);
	copy_size(from, to, SO_RCVBUF, SO_RCVBUFFORCE);
	if (sys->fcntl(from, F_GETOWN_EX, (long)&owner) == 0)
		sys->fcntl(to, F_SETOWN_EX, (long)&owner);
	sys->fcntl(to, F_SETSIG, sys->fcntl(from, F_GETSIG, 0));
}

int gateway_renew(int fd)
{
	unsigned int hints = hint_get(fd);
	struct sockaddr_un un;
	struct vsock_rec rec;
	struct ident id;
	struct name own;
	int s, r, flags, cloexec;
	bool recorded;

	if (!ident(fd, &id))
		return -EBADF;
	own = ident_name(fd, &un);
	recorded = gate_is_open(GATE_RECORD) &&
		   vsock_table_get(ident_key(fd), &rec);
	flags = sys->fcntl(fd, F_GETFL, 0);
	if (flags < 0)
		return flags;
	flags &= O_NONBLOCK | O_ASYNC;
	s = sys->socket(AF_UNIX, ident_type(fd) | SOCK_CLOEXEC, 0);
	if (s < 0)
		return s;
	copy_all(fd, s);
	r = ident_write(s, false,
			id.tag & (TAG_SNDTIMEO | TAG_SIZED | TAG_ERR));
	if (r == 0 && own.kind != NAME_NONE)
		r = ident_change(s, 0, TAG_PORT, own.port);
	cloexec = sys->fcntl(fd, F_GETFD, 0) & FD_CLOEXEC ? O_CLOEXEC : 0;
	if (r == 0 && NEXT(dup3)(s, fd, cloexec) < 0)
		r = -errno;
	/* SIGIO tells of the descriptor on which it is asked for. */
	if (r == 0 && flags)
		sys->fcntl(fd, F_SETFL, flags);
	hint_set(s, 0);
	sys->close(s);
	if (r < 0)
		return r;
	hint_set(fd, HINT_OURS | HINT_FRESH | (hints & (HINT_MADE | HINT_SEQ)) |
			     (id.tag & TAG_ERR ? HINT_ODD : 0));
	if (recorded) {
		rec.key = ident_key(fd);
		rec.has_peer = false;
		(void)vsock_table_put(&rec); /* defaults, at worst */
	}
	return 0;
}
