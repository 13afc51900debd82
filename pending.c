/* SPDX-License-Identifier: MIT */
/* Non-blocking connects that nobody will answer: see pending.h. */
#include "pending.h"

#include "core/sys.h"
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

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t pending_end(const struct vsock_timeout *timeout)
{
	int64_t s = timeout->tv_sec < INT32_MAX ? timeout->tv_sec : INT32_MAX;

	return pending_now() + (uint64_t)s * 1000000000u +
	       (uint64_t)timeout->tv_usec * 1000;
}

bool pending_add(int fd, const struct vsock_timeout *timeout)
{
	uint64_t key = ident_key(fd);
	sigset_t old;
	bool added = false;

	pool_lock(&old);
	for (int i = 0; i < MAX_PENDING && !added; i++) {
		if (pending[i].key)
			continue;
		pending[i].key = key;
		pending[i].fd = fd;
		pending[i].deadline = pending_end(timeout);
		__atomic_add_fetch(&n_pending, 1, __ATOMIC_RELAXED);
		added = true;
	}
	pool_unlock(&old);
	return added;
}

uint64_t pending_waits(int fd)
{
	uint64_t key = ident_key(fd), until = 0;
	sigset_t old;

	pending_expire();
	pool_lock(&old);
	for (int i = 0; i < MAX_PENDING; i++)
		if (pending[i].key == key)
			until = pending[i].deadline;
	pool_unlock(&old);
	return until;
}

static void time_out(int fd, uint64_t key)
{
	int sndbuf;
	socklen_t len = sizeof(sndbuf);
	struct ident id;

	if (ident_key(fd) != key || !ident_socket(fd, &id) ||
	    !(id.tag & TAG_PENDING))
		return;
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

	if (!__atomic_load_n(&n_pending, __ATOMIC_RELAXED))
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
				pending[i].key = 0;
				__atomic_sub_fetch(&n_pending, 1,
						   __ATOMIC_RELAXED);
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
