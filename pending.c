/* SPDX-License-Identifier: MIT */
/* Non-blocking connects that nobody will answer: see pending.h. */
#include "pending.h"

#include "core/sys.h"
#include "gateway.h"
#include "hint.h"
#include "pool.h"

#include <time.h>

#define MAX_PENDING 256

static struct {
	uint64_t key; /* 0: free */
	uint64_t deadline;
	int fd;
} pending[MAX_PENDING];
static int n_pending;

uint64_t pending_now(void)
{
	struct timespec ts;

	if (gate_is_open(GATE_SANDBOX))
		clock_gettime(CLOCK_MONOTONIC, &ts); /* no system call */
	else
		sys_kernel.clock(&ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t pending_end(const struct vsock_timeout *timeout)
{
	int64_t s = timeout->tv_sec < INT32_MAX ? timeout->tv_sec : INT32_MAX;

	return pending_now() + (uint64_t)s * 1000000000u +
	       (uint64_t)timeout->tv_usec * 1000;
}

bool pending_left(uint64_t end, struct timespec *ret)
{
	uint64_t now = pending_now(), left = end > now ? end - now : 0;

	ret->tv_sec = (time_t)(left / 1000000000u);
	ret->tv_nsec = (long)(left % 1000000000u);
	return left > 0;
}

/* In a slot that has none, or the socket's own by this number. */
static bool add(uint64_t key, int fd, uint64_t end)
{
	int at = -1;

	for (int i = 0; i < MAX_PENDING; i++) {
		if (pending[i].key == key && pending[i].fd == fd) {
			pending[i].deadline = end;
			return true;
		}
		if (at < 0 && !pending[i].key)
			at = i;
	}
	if (at < 0)
		return false;
	pending[at].key = key;
	pending[at].fd = fd;
	pending[at].deadline = end;
	__atomic_add_fetch(&n_pending, 1, __ATOMIC_RELAXED);
	return true;
}

bool pending_add(int fd, uint64_t end)
{
	uint64_t key = ident_key(fd);
	sigset_t old;
	bool added;

	pool_lock(&old);
	added = key && add(key, fd, end);
	pool_unlock(&old);
	return added;
}

void pending_dup(int fd, int to)
{
	uint64_t key = pending_any() ? ident_key(fd) : 0;
	sigset_t old;

	if (!key)
		return;
	pool_lock(&old);
	for (int i = 0; i < MAX_PENDING; i++) {
		if (pending[i].key == key) {
			(void)add(key, to, pending[i].deadline);
			break;
		}
	}
	pool_unlock(&old);
}

bool pending_any(void)
{
	return __atomic_load_n(&n_pending, __ATOMIC_RELAXED) > 0;
}

static void drop(int i)
{
	pending[i].key = 0;
	__atomic_sub_fetch(&n_pending, 1, __ATOMIC_RELAXED);
}

void pending_forget(int fd)
{
	uint64_t key;
	sigset_t old;

	key = pending_any() ? ident_key(fd) : 0;
	if (!key)
		return;
	pool_lock(&old);
	for (int i = 0; i < MAX_PENDING; i++)
		if (pending[i].key == key)
			drop(i);
	pool_unlock(&old);
}

uint64_t pending_waits(int fd)
{
	uint64_t key = ident_key(fd), until = 0;
	sigset_t old;

	pending_expire();
	pool_lock(&old);
	for (int i = 0; i < MAX_PENDING; i++)
		if (key && pending[i].key == key)
			until = pending[i].deadline;
	pool_unlock(&old);
	return until;
}

void pending_settle(int fd, struct ident *id)
{
	enum gateway gateway;

	if (!(id->tag & TAG_PENDING))
		return;
	gateway = gateway_look(fd, id);
	if (gateway == GATEWAY_OVER || pending_waits(fd))
		return;
	if (gateway == GATEWAY_NONE)
		ident_change(fd, TAG_PENDING, TAG_ETIMEDOUT, 0);
	ident(fd, id);
}

static void time_out(int fd, uint64_t key)
{
	int sndbuf;
	socklen_t len = sizeof(sndbuf);
	struct ident id;

	if (ident_key(fd) != key || !ident_socket(fd, &id) ||
	    !(id.tag & TAG_PENDING))
		return;
	switch (gateway_look(fd, &id)) {
	case GATEWAY_OVER:
		return;
	case GATEWAY_WAITS:
		gateway_give_up(fd);
		return;
	case GATEWAY_NONE:
		break;
	}
	ident_change(fd, TAG_PENDING, TAG_ETIMEDOUT, 0);
	/* The value stays; that it is set at all wakes poll and epoll. */
	if (sys_kernel.getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &sndbuf, &len) ==
	    0) {
		sndbuf /= 2;
		sys_kernel.setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &sndbuf,
				      sizeof(sndbuf));
	}
}

uint64_t pending_expire(void)
{
	uint64_t next, now, key;
	sigset_t old;
	int fd;

	if (!pending_any())
		return UINT64_MAX;
	do {
		now = pending_now();
		next = UINT64_MAX;
		key = 0;
		fd = -1;
		pool_lock(&old);
		for (int i = 0; i < MAX_PENDING; i++) {
			if (!pending[i].key)
				continue;
			if (!key && pending[i].deadline <= now) {
				key = pending[i].key;
				fd = pending[i].fd;
				drop(i);
			} else if (pending[i].deadline < next) {
				next = pending[i].deadline;
			}
		}
		pool_unlock(&old);
		if (key)
			time_out(fd, key);
	} while (key);
	return next;
}
