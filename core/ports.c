/* SPDX-License-Identifier: MIT */
/*
 * The `ports` file of a machine: see ports.h.
 *
 * Theory of operation. The file is created at its full size, with blocks
 * behind every byte, before anybody maps it, so that no access can raise
 * SIGBUS (1). It is written by one write(2) under the lock, and the size grows
 * behind the content: whoever sees the full size sees the rest (2). Nobody
 * truncates or unlinks the file while the machine exists (3).
 */
#include "core/ports.h"

#include "core/addr.h"
#include "core/util.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/file.h>

#define MAGIC UINT64_C(0x31736b636f737633) /* "3vsocks1" */
#define BITS  65536u
#define SLOTS 4096u

struct ports {
	uint64_t magic;
	uint64_t id;
	uint32_t first; /* what the counter began with */
	uint32_t next;	/* the next candidate */
	uint8_t marks[BITS / 8];
	uint64_t dialled[SLOTS]; /* port, DIALLED_* */
};

enum {
	DIALLED_RENAMED = 1,
	DIALLED_LOCAL = 2, /* CID 1, or ... */
	DIALLED_HOST = 4,  /* CID 2, or the machine's own */
	DIALLED_SET = 8,
};

static int lock(const struct sys *sys, int fd)
{
	const struct timespec pause = { .tv_nsec = 1000 * 1000 };
	int r, tries = PORTS_LOCK_SECONDS * 1000;

	while ((r = sys->flock(fd, LOCK_EX | LOCK_NB)) == -EWOULDBLOCK) {
		if (tries-- == 0)
			return -ETIMEDOUT;
		sys->sleep(&pause);
	}
	return r;
}

/* A child forked by another thread may share the open file: closing alone
 * would leave the lock with it. */
void ports_unlock(const struct sys *sys, int fd)
{
	sys->flock(fd, LOCK_UN);
	sys->close(fd);
}

int ports_lock(const struct sys *sys, const char *dir)
{
	char path[PATH_MAX];
	int fd, r;

	if (!util_join(path, sizeof(path), dir, "/ports"))
		return -ENAMETOOLONG;
	fd = sys->open(path, O_RDWR | O_CLOEXEC, 0);
	if (fd < 0)
		return fd;
	r = lock(sys, fd);
	if (r < 0) {
		sys->close(fd);
		return r;
	}
	return fd;
}

/* Holds the lock. */
static int init(const struct sys *sys, int fd)
{
	struct ports fresh = { .magic = MAGIC };
	const char *p = (const char *)&fresh;
	size_t done = 0;
	ssize_t n;
	int r;

	r = sys->random(&fresh.id, sizeof(fresh.id));
	if (r < 0)
		return r;
	r = sys->random(&fresh.first, sizeof(fresh.first));
	if (r < 0)
		return r;
	if (fresh.first <= ADDR_LAST_RESERVED || fresh.first == VMADDR_PORT_ANY)
		fresh.first = ADDR_LAST_RESERVED + 1;
	fresh.next = fresh.first;
	while (done < sizeof(fresh)) {
		n = sys->write(fd, p + done, sizeof(fresh) - done);
		if (n < 0)
			return (int)n;
		done += (size_t)n;
	}
	return 0;
}

int ports_map(const struct sys *sys, const char *path, mode_t mode,
	      struct ports **ret)
{
	struct stat st;
	struct ports *p;
	void *addr;
	int fd, r;

	fd = sys->open(path, O_RDWR | O_CREAT | O_CLOEXEC, mode);
	if (fd < 0)
		return fd;
	r = sys->fstat(fd, &st);
	if (r == 0 && (size_t)st.st_size < sizeof(*p)) {
		r = lock(sys, fd);
		if (r < 0)
			goto out;
		r = sys->fstat(fd, &st);
		if (r == 0 && (size_t)st.st_size < sizeof(*p)) {
			/* umask may have taken what a shared directory needs */
			sys->chmod(path, mode);
			r = init(sys, fd);
		}
		sys->flock(fd, LOCK_UN);
	}
	if (r < 0)
		goto out;
	r = sys->map(fd, sizeof(*p), &addr);
	if (r < 0)
		goto out;
	p = addr;
	if (p->magic != MAGIC)
		r = -EPROTO;
	else
		*ret = p;
out:
	sys->close(fd);
	return r;
}

uint64_t ports_id(const struct ports *p)
{
	return p->id;
}

uint32_t ports_next(struct ports *p)
{
	uint32_t v = __atomic_load_n(&p->next, __ATOMIC_RELAXED);
	uint32_t port;

	do {
		port = v;
		if (port <= ADDR_LAST_RESERVED || port == VMADDR_PORT_ANY)
			port = ADDR_LAST_RESERVED + 1;
	} while (!__atomic_compare_exchange_n(&p->next, &v, port + 1, true,
					      __ATOMIC_RELAXED,
					      __ATOMIC_RELAXED));
	/* Once around, any port may have been handed out. */
	if (port == ADDR_LAST_RESERVED + 1)
		__atomic_store_n(&p->first, port, __ATOMIC_RELAXED);
	return port;
}

bool ports_issued(const struct ports *p, uint32_t port)
{
	uint32_t first = __atomic_load_n(&p->first, __ATOMIC_RELAXED);
	uint32_t next = __atomic_load_n(&p->next, __ATOMIC_RELAXED);

	return first == ADDR_LAST_RESERVED + 1 || port - first < next - first;
}

void ports_mark(struct ports *p, uint32_t port)
{
	port %= BITS;
	__atomic_or_fetch(&p->marks[port / 8], (uint8_t)(1u << port % 8),
			  __ATOMIC_SEQ_CST);
}

bool ports_marked(const struct ports *p, uint32_t port)
{
	port %= BITS;
	return __atomic_load_n(&p->marks[port / 8], __ATOMIC_SEQ_CST) >>
		       port % 8 &
	       1;
}

void ports_set_dialled(struct ports *p, uint32_t port, bool renamed,
		       uint32_t cid)
{
	uint64_t v = (uint64_t)port << 32 | DIALLED_SET |
		     (renamed ? DIALLED_RENAMED : 0) |
		     (cid == VMADDR_CID_LOCAL  ? DIALLED_LOCAL
		      : cid == VMADDR_CID_HOST ? DIALLED_HOST
					       : 0);

	__atomic_store_n(&p->dialled[port % SLOTS], v, __ATOMIC_RELEASE);
}

uint32_t ports_dialled(const struct ports *p, uint32_t port, bool renamed,
		       uint32_t own, uint32_t fallback)
{
	uint64_t v =
		__atomic_load_n(&p->dialled[port % SLOTS], __ATOMIC_ACQUIRE);

	if (v >> 32 != port || !(v & DIALLED_SET) ||
	    renamed != !!(v & DIALLED_RENAMED))
		return fallback;
	return v & DIALLED_LOCAL  ? VMADDR_CID_LOCAL
	       : v & DIALLED_HOST ? VMADDR_CID_HOST
				  : own;
}
