/* SPDX-License-Identifier: MIT */
/*
 * The `ports` file of a machine: see ports.h.
 *
 * Theory of operation. The file is created at its full size, with blocks
 * behind every byte, before anybody maps it, so that no access can raise
 * SIGBUS (1). It is written under the lock, and the size grows behind the
 * content: whoever sees the full size sees the rest (2). Nobody truncates or
 * unlinks the file while the machine exists (3).
 */
#include "core/ports.h"

#include "core/addr.h"
#include "core/util.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#define MAGIC UINT64_C(0x34736b636f737634) /* "4vsocks4" */
#define MARKS 16384u
#define SLOTS 4096u
#define LINKS 2048u

struct ports {
	uint64_t magic; /* the first four as in init() */
	uint64_t id;
	uint32_t first;		    /* what the counter began with */
	uint32_t next;		    /* the next candidate */
	uint32_t gateway, gateways; /* 0 or its number; how many there were */
	uint32_t cid;		    /* of the machine; 0: as its name says */
	uint32_t migrated;
	uint32_t linked; /* there was a link */
	aligned_i64 sweep;
	uint8_t marks[MARKS];	    /* counters; a full one stays so */
	aligned_u64 dialled[SLOTS]; /* port, DIALLED_* */
	aligned_u64 links[LINKS];   /* 0: free */
};

enum {
	DIALLED_RENAMED = 1,
	DIALLED_LOCAL = 2, /* CID 1, or ... */
	DIALLED_HOST = 4,  /* CID 2, or the machine's own */
	DIALLED_SET = 8,
};

/* Signals wait: a handler that binds would wait for whom it interrupted. */
static int lock(const struct sys *sys, int fd, sigset_t *old)
{
	const struct timespec pause = { .tv_nsec = 1000 * 1000 };
	int r, tries = PORTS_LOCK_SECONDS * 1000;
	sigset_t all;

	sigfillset(&all);
	sys->procmask(SIG_BLOCK, &all, old);
	while ((r = sys->flock(fd, LOCK_EX | LOCK_NB)) == -EWOULDBLOCK) {
		if (tries-- == 0) {
			r = -ETIMEDOUT;
			break;
		}
		sys->sleep(&pause);
	}
	if (r < 0)
		sys->procmask(SIG_SETMASK, old, NULL);
	return r;
}

/* A child forked by another thread may share the open file: closing alone
 * would leave the lock with it. */
static void unlock(const struct sys *sys, int fd, const sigset_t *old)
{
	sys->flock(fd, LOCK_UN);
	sys->procmask(SIG_SETMASK, old, NULL);
}

/* The longest that rdv.c spells: it fits a sun_path but for the name. */
#define PATH_SIZE 160

static int open_ports(const struct sys *sys, const char *dir, int flags,
		      mode_t mode)
{
	char path[PATH_SIZE];

	if (!util_join(path, sizeof(path), dir, "/ports"))
		return -ENAMETOOLONG;
	return sys->open(path, flags | O_NOFOLLOW | O_CLOEXEC, mode);
}

int ports_lock(const struct sys *sys, const char *dir, struct ports_lock *ret)
{
	int r;

	ret->fd = open_ports(sys, dir, O_RDWR, 0);
	if (ret->fd < 0)
		return ret->fd;
	r = lock(sys, ret->fd, &ret->old);
	if (r < 0)
		sys->close(ret->fd);
	return r;
}

void ports_unlock(const struct sys *sys, const struct ports_lock *l)
{
	unlock(sys, l->fd, &l->old);
	sys->close(l->fd);
}

int ports_claim(const struct sys *sys, const char *dir, int seconds)
{
	const struct timespec pause = { .tv_nsec = 5 * 1000 * 1000 };
	const struct flock64 whole = { .l_type = F_WRLCK };
	int fd, r, tries = seconds * 200;

	fd = open_ports(sys, dir, O_RDWR, 0);
	if (fd < 0)
		return fd;
	/* Not flock(2)'s lock: binds go on. */
	while ((r = sys->fcntl(fd, F_OFD_SETLK, (long)&whole)) == -EAGAIN &&
	       tries-- > 0)
		sys->sleep(&pause);
	if (r == 0)
		return fd;
	sys->close(fd);
	return r == -EAGAIN ? -ETIMEDOUT : r;
}

void ports_unclaim(const struct sys *sys, int claim)
{
	const struct flock64 whole = { .l_type = F_UNLCK };

	/* A child forked by another thread may share the open file. */
	sys->fcntl(claim, F_OFD_SETLK, (long)&whole);
	sys->close(claim);
}

/* With signals blocked. A limit to the size of files (RLIMIT_FSIZE) is none of
 * the program's business here. */
static int write_all(const struct sys *sys, int fd, const void *buf, size_t n)
{
	static const sigset_t xfsz = { { 1ul << (SIGXFSZ - 1) } };
	const struct timespec now = { 0 };
	const char *p = buf;
	ssize_t m;

	for (; n; p += m, n -= (size_t)m) {
		m = sys->write(fd, p, n);
		if (m == -EFBIG)
			sys->sigtimedwait(&xfsz, &now);
		if (m <= 0)
			return m < 0 ? (int)m : -EIO;
	}
	return 0;
}

/* Holds the lock. In pieces: our caller may have a small stack. */
static int init(const struct sys *sys, int fd)
{
	struct {
		uint64_t magic, id;
		uint32_t first, next;
	} head = { .magic = MAGIC };
	static const char zeros[512];
	size_t n = sizeof(struct ports) - sizeof(head);
	off_t start;
	int r;

	r = sys->random(&head.id, sizeof(head.id));
	if (r < 0)
		return r;
	r = sys->random(&head.first, sizeof(head.first));
	if (r < 0)
		return r;
	if (head.first <= ADDR_LAST_RESERVED || head.first == VMADDR_PORT_ANY)
		head.first = ADDR_LAST_RESERVED + 1;
	head.next = head.first;
	start = sys->lseek(fd, 0, SEEK_SET);
	if (start < 0)
		return (int)start;
	r = write_all(sys, fd, &head, sizeof(head));
	for (; r == 0 && n > sizeof(zeros); n -= sizeof(zeros))
		r = write_all(sys, fd, zeros, sizeof(zeros));
	return r < 0 ? r : write_all(sys, fd, zeros, n);
}

static bool is_whole(const struct stat *st)
{
	return (size_t)st->st_size >= sizeof(struct ports);
}

/* Shorter, and another version's, whose programs may be alive? */
static bool is_foreign(const struct sys *sys, int fd)
{
	uint64_t magic;

	return sys->read(fd, &magic, sizeof(magic)) == sizeof(magic) &&
	       magic != MAGIC;
}

int ports_map(const struct sys *sys, const char *dir, mode_t mode,
	      bool (*trusted)(const struct stat *st, const void *arg),
	      const void *arg, struct ports **ret)
{
	struct stat st;
	struct ports *p;
	sigset_t old;
	void *addr;
	int fd, r;

	fd = open_ports(sys, dir, O_RDWR | O_CREAT, mode);
	if (fd < 0)
		return fd;
	r = sys->fstat(fd, &st);
	/* A link may lead to a file of his own that is no machine's. */
	if (r == 0 &&
	    (!S_ISREG(st.st_mode) || st.st_nlink > 1 || !trusted(&st, arg)))
		r = -EPERM;
	if (r == 0 && !is_whole(&st)) {
		r = lock(sys, fd, &old);
		if (r < 0)
			goto out;
		r = sys->fstat(fd, &st);
		if (r == 0 && !is_whole(&st) && is_foreign(sys, fd)) {
			r = -EPROTO;
		} else if (r == 0 && !is_whole(&st)) {
			/* umask may have taken what a shared directory needs */
			sys->fchmod(fd, mode);
			r = init(sys, fd);
		}
		unlock(sys, fd, &old);
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

void ports_unmap(struct ports *p)
{
	munmap(p, sizeof(*p));
}

int ports_read(const struct sys *sys, const char *dir, struct ports **ret)
{
	size_t done = 0;
	ssize_t n = -1;
	void *copy;
	int fd, r;

	/* Whoever may write there: a pipe is not waited for. */
	fd = open_ports(sys, dir, O_RDONLY | O_NONBLOCK, 0);
	if (fd < 0)
		return fd;
	r = sys->map(-1, sizeof(struct ports), &copy);
	while (r == 0 && n && done < sizeof(struct ports)) {
		n = sys->read(fd, (char *)copy + done,
			      sizeof(struct ports) - done);
		if (n < 0)
			r = (int)n;
		else
			done += (size_t)n;
	}
	sys->close(fd);
	if (r < 0)
		return r;
	*ret = copy;
	return done == sizeof(struct ports) && (*ret)->magic == MAGIC ? 0
								      : -EPROTO;
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

void ports_give_back(struct ports *p, uint32_t port)
{
	uint32_t next = port + 1;

	__atomic_compare_exchange_n(&p->next, &next, port, false,
				    __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

bool ports_issued(const struct ports *p, uint32_t port)
{
	uint32_t first = __atomic_load_n(&p->first, __ATOMIC_RELAXED);
	uint32_t next = __atomic_load_n(&p->next, __ATOMIC_RELAXED);

	return first == ADDR_LAST_RESERVED + 1 || port - first < next - first;
}

/* Holds the lock; readers do not. */
static void count(struct ports *p, uint32_t port, int by)
{
	uint8_t *mark = &p->marks[port % MARKS];
	uint8_t v = __atomic_load_n(mark, __ATOMIC_RELAXED);

	if (v != UINT8_MAX && (v || by > 0))
		__atomic_store_n(mark, (uint8_t)(v + by), __ATOMIC_SEQ_CST);
}

void ports_mark(struct ports *p, uint32_t port)
{
	count(p, port, 1);
}

void ports_unmark(struct ports *p, uint32_t port)
{
	count(p, port, -1);
}

bool ports_marked(const struct ports *p, uint32_t port)
{
	return __atomic_load_n(&p->marks[port % MARKS], __ATOMIC_SEQ_CST);
}

uint32_t ports_gateway(const struct ports *p)
{
	return __atomic_load_n(&p->gateway, __ATOMIC_SEQ_CST);
}

void ports_open_gateway(struct ports *p, bool relays)
{
	uint32_t n = __atomic_add_fetch(&p->gateways, 1, __ATOMIC_SEQ_CST);

	__atomic_store_n(&p->gateway, n << 2 | (relays ? PORTS_RELAYS : 0) | 1,
			 __ATOMIC_SEQ_CST);
}

void ports_close_gateway(struct ports *p, uint32_t number)
{
	__atomic_compare_exchange_n(&p->gateway, &number, 0, false,
				    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

uint32_t ports_cid(const struct ports *p)
{
	return __atomic_load_n(&p->cid, __ATOMIC_SEQ_CST);
}

void ports_set_cid(struct ports *p, uint32_t cid)
{
	__atomic_store_n(&p->cid, cid, __ATOMIC_SEQ_CST);
}

bool ports_migrated(const struct ports *p)
{
	return __atomic_load_n(&p->migrated, __ATOMIC_RELAXED);
}

void ports_set_migrated(struct ports *p)
{
	__atomic_store_n(&p->migrated, 1, __ATOMIC_SEQ_CST);
}

uint64_t ports_link(uint32_t port)
{
	return (uint64_t)port << 32 | VMADDR_PORT_ANY;
}

void ports_add_link(struct ports *p, uint64_t link)
{
	uint32_t i, first = (uint32_t)((link ^ link >> 32) % LINKS);
	uint64_t none;

	ports_drop_link(p, link);
	for (i = 0; i < LINKS; i++) {
		none = 0;
		if (__atomic_compare_exchange_n(
			    &p->links[(first + i) % LINKS], &none, link, false,
			    __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
			break;
	}
	if (i == LINKS)
		__atomic_store_n(&p->links[first], link, __ATOMIC_SEQ_CST);
	__atomic_store_n(&p->linked, 1, __ATOMIC_SEQ_CST);
}

void ports_drop_link(struct ports *p, uint64_t link)
{
	for (uint32_t i = 0; i < LINKS; i++)
		if (__atomic_load_n(&p->links[i], __ATOMIC_RELAXED) == link)
			__atomic_store_n(&p->links[i], 0, __ATOMIC_SEQ_CST);
}

bool ports_has_link(const struct ports *p, uint64_t link)
{
	for (uint32_t i = 0; i < LINKS; i++)
		if (__atomic_load_n(&p->links[i], __ATOMIC_SEQ_CST) == link)
			return true;
	return false;
}

bool ports_had_links(const struct ports *p)
{
	return __atomic_load_n(&p->linked, __ATOMIC_RELAXED);
}

aligned_i64 *ports_sweep(struct ports *p)
{
	return &p->sweep;
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
