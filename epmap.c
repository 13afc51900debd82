/* SPDX-License-Identifier: MIT */
/* Which descriptor an epoll event is about: see epmap.h. */
#include "epmap.h"

#include "core/addr.h"
#include "core/sys.h"
#include "core/util.h"
#include "hint.h"
#include "ident.h"
#include "next.h"
#include "uthash_pool.h"

#include <errno.h>
#include <fcntl.h>

struct fd_key {
	int epfd, fd;
};

struct data_key {
	uint64_t data, epfd;
};

struct entry {
	struct fd_key fd_key;
	struct data_key data_key;
	struct epmap_entry e;
	UT_hash_handle hh_fd;
	UT_hash_handle hh_data;
};

static struct entry *by_fd, *by_data;
static unsigned int map_generation;

static void lock(sigset_t *old)
{
	unsigned int g = pool_lock(old);

	if (g != map_generation) {
		by_fd = by_data = NULL;
		map_generation = g;
	}
}

static struct entry *find_fd(int epfd, int fd)
{
	struct fd_key k = { .epfd = epfd, .fd = fd };
	struct entry *e;

	/* uthash reads the key by bytes, and the analyzer loses sight of it. */
	HASH_FIND(hh_fd, by_fd, &k, sizeof(k), e); // NOLINT: read by bytes
	return e;
}

static void drop(struct entry *e)
{
	HASH_DELETE(hh_fd, by_fd, e);
	if (e->hh_data.tbl)
		HASH_DELETE(hh_data, by_data, e);
	pool_free(e, sizeof(*e));
}

/*
 * For epmap_peek(): the last entry of each slot. Written under the lock, read
 * without; `key` is zero while `fd` changes.
 */
#define SLOTS 4096

static struct {
	aligned_u64 key;
	int fd;
} slots[SLOTS];

static uint64_t slot_key(int epfd, uint64_t data)
{
	uint64_t v =
		(data ^ (uint64_t)epfd << 48) * UINT64_C(0x9e3779b97f4a7c15);

	return v ? v : 1;
}

static void slot_set(const struct epmap_entry *e)
{
	uint64_t key = slot_key(e->epfd, e->data);
	size_t i = key >> 52;

	bool several = slots[i].key == key && slots[i].fd != e->fd;

	__atomic_store_n(&slots[i].key, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&slots[i].fd, several ? EPMAP_UNCLEAR : e->fd,
			 __ATOMIC_RELEASE);
	__atomic_store_n(&slots[i].key, key, __ATOMIC_RELEASE);
}

int epmap_peek(int epfd, uint64_t data)
{
	uint64_t key = slot_key(epfd, data), was;
	size_t i = key >> 52;
	int fd;

	was = __atomic_load_n(&slots[i].key, __ATOMIC_ACQUIRE);
	if (was == 0) /* never used, as slots are not emptied */
		return -1;
	fd = __atomic_load_n(&slots[i].fd, __ATOMIC_ACQUIRE);
	return was == key && __atomic_load_n(&slots[i].key, __ATOMIC_RELAXED) ==
				       key
		       ? fd
		       : EPMAP_UNCLEAR;
}

void epmap_set(const struct epmap_entry *in)
{
	struct entry *e;
	sigset_t old;

	lock(&old);
	e = find_fd(in->epfd, in->fd);
	slot_set(in);
	if (e && e->e.data == in->data) {
		e->e = *in;
		goto out;
	}
	if (e)
		drop(e);
	e = pool_alloc(sizeof(*e));
	if (!e)
		goto out;
	*e = (struct entry){
		.e = *in,
		.fd_key = { .epfd = in->epfd, .fd = in->fd },
		.data_key = { .data = in->data, .epfd = (uint64_t)in->epfd },
	};
	HASH_ADD(hh_fd, by_fd, fd_key, sizeof(e->fd_key), e);
	if (!e->hh_fd.tbl) {
		pool_free(e, sizeof(*e));
		goto out;
	}
	HASH_ADD(hh_data, by_data, data_key, sizeof(e->data_key), e);
out:
	pool_unlock(&old);
}

bool epmap_get(int epfd, int fd, struct epmap_entry *ret)
{
	struct entry *e;
	sigset_t old;

	lock(&old);
	e = find_fd(epfd, fd);
	if (e)
		*ret = e->e;
	pool_unlock(&old);
	return e;
}

void epmap_remove(int epfd, int fd)
{
	struct entry *e;
	sigset_t old;

	lock(&old);
	e = find_fd(epfd, fd);
	if (e)
		drop(e);
	pool_unlock(&old);
}

/* Entries get outdated, and several may have one datum: is the event of this?
 */
static bool shows(const struct epmap_entry *e, uint32_t events)
{
	struct pollfd p = { .fd = e->fd,
			    .events = (short)(e->events |
					      (e->muted ? EPOLLOUT : 0)) };

	return NEXT(poll)(&p, 1, 0) > 0 && !(p.revents & POLLNVAL) &&
	       (uint32_t)(unsigned short)p.revents & events;
}

/* Is it still registered? One whose descriptor was closed may have its number,
 * and its datum, in common with others. */
static bool registered(const struct epmap_entry *e)
{
	struct epoll_event ev = { .events = EPOLLONESHOT, .data.u64 = e->data };

	if (gate_is_open(GATE_SANDBOX))
		return true;
	if (NEXT(epoll_ctl)(e->epfd, EPOLL_CTL_ADD, e->fd, &ev) < 0)
		return errno == EEXIST;
	NEXT(epoll_ctl)(e->epfd, EPOLL_CTL_DEL, e->fd, &ev);
	epmap_remove(e->epfd, e->fd);
	return false;
}

/* All entries of @epfd with @data, up to EPMAP_SAME. */
static int find_data(int epfd, uint64_t data, struct epmap_entry *ret)
{
	struct data_key k = { .data = data, .epfd = (uint64_t)epfd };
	struct UT_hash_handle *hh;
	struct entry *e;
	sigset_t old;
	int n = 0;

	lock(&old);
	HASH_FIND(hh_data, by_data, &k, sizeof(k), e); // NOLINT: read by bytes
	/* uthash puts equal keys into one bucket. */
	for (hh = e ? &e->hh_data : NULL; hh && n < EPMAP_SAME;
	     hh = hh->hh_next) {
		e = ELMT_FROM_HH(by_data->hh_data.tbl, hh);
		if (e->e.data == data && e->e.epfd == epfd)
			ret[n++] = e->e;
	}
	pool_unlock(&old);
	return n;
}

int epmap_odd(int epfd, int skip, struct epmap_entry *ret, int max)
{
	struct entry *e, *next;
	sigset_t old;
	int n = 0, seen = 0;

	lock(&old);
	HASH_ITER (hh_fd, by_fd, e, next)
		if (n < max && e->e.epfd == epfd &&
		    hint_get(e->e.fd) & HINT_ODD && seen++ >= skip)
			ret[n++] = e->e;
	pool_unlock(&old);
	return n;
}

static uint64_t scan_hex(const char *s, const char *end)
{
	uint64_t v = 0;

	for (; s < end; s++) {
		if (*s >= '0' && *s <= '9')
			v = v << 4 | (uint64_t)(*s - '0');
		else if (*s >= 'a' && *s <= 'f')
			v = v << 4 | (uint64_t)(*s - 'a' + 10);
		else if (v || *s != ' ')
			break;
	}
	return v;
}

/* One line: "tfd:        5 events:       19 data:                5  pos:..." */
static bool parse_line(const char *s, const char *end, struct epmap_entry *e)
{
	const char *events = memmem(s, (size_t)(end - s), "events:", 7);
	const char *data = memmem(s, (size_t)(end - s), "data:", 5);
	uint32_t fd;

	if (!events || !data || end - s < 5 || memcmp(s, "tfd:", 4) != 0)
		return false;
	for (s += 4; s < end && *s == ' '; s++)
		;
	e->fd = addr_scan_u32(&s, end, &fd) ? (int)fd : -1;
	e->events = (uint32_t)scan_hex(events + 7, end);
	e->data = scan_hex(data + 5, end);
	return true;
}

/* What the kernel has registered: for descriptors that came by exec. */
static bool find_proc(int epfd, uint64_t data, struct epmap_entry *ret)
{
	char path[32] = "/proc/self/fdinfo/", buf[512];
	struct epmap_entry e = { .epfd = epfd };
	size_t have = 0;
	struct ident id;
	char *s, *nl;
	ssize_t n;
	bool found = false;
	int fd;

	*addr_put_u32(path + strlen(path), (uint32_t)epfd) = '\0';
	fd = sys_kernel.open(path, O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return false;
	while (!found &&
	       (n = sys_kernel.read(fd, buf + have, sizeof(buf) - have)) > 0) {
		have += (size_t)n;
		s = buf;
		while (!found &&
		       (nl = memchr(s, '\n', (size_t)(buf + have - s)))) {
			found = parse_line(s, nl, &e) && e.data == data &&
				ident(e.fd, &id);
			s = nl + 1;
		}
		have = (size_t)(buf + have - s);
		memmove(buf, s, have);
	}
	sys_kernel.close(fd);
	if (found) {
		epmap_set(&e);
		*ret = e;
	}
	return found;
}

/* So many events that turned out to be none of ours. */
#define MISSES 64

int epmap_find(int epfd, const struct epoll_event *ev, struct epmap_entry *ret)
{
	static int misses;
	int n = find_data(epfd, ev->data.u64, ret), found = 0;

	for (int i = 0; i < n; i++)
		if (shows(&ret[i], ev->events) && registered(&ret[i]))
			ret[found++] = ret[i];
	if (found || !gate_is_open(GATE_INHERITED) ||
	    __atomic_load_n(&misses, __ATOMIC_RELAXED) >= MISSES)
		return found;
	if (find_proc(epfd, ev->data.u64, ret))
		return 1;
	__atomic_add_fetch(&misses, 1, __ATOMIC_RELAXED);
	return 0;
}
