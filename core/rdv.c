/* SPDX-License-Identifier: MIT */
/*
 * The rendezvous: see rdv.h.
 *
 * Theory of operation. A port belongs to whoever holds the AF_UNIX socket that
 * is bound to its path; the kernel knows, and says so without disturbing
 * anybody: connecting a SOCK_DGRAM socket to the path gives EPROTOTYPE while a
 * connection-oriented socket of any process holds it, ECONNREFUSED once it is
 * stale. Invariants:
 *
 * 1. A path is bound or unlinked only under the machine's lock.
 * 2. A path is unlinked only after a probe, under the same lock, found it
 *    stale. So no live socket ever loses its path.
 * 3. A port's mark is set before its path appears, and goes after it.
 * 4. A client is named for a destination only after that was seen to exist, now
 *    or by the connect before: its name carries what it dialled, and a socket
 *    gets a name once.
 */
#include "core/rdv.h"

#include "core/hello.h"
#include "core/route.h"
#include "core/util.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/file.h>
#include <sys/time.h>
#include <unistd.h>

/* A bind looks after the paths in so many bytes of directory: 8 to 16. */
#define SWEEP_BYTES 512

#define FD_PATH_MAX (sizeof("/proc/self/fd/") + ADDR_U32_MAX)

static void spell_fd(int fd, char buf[static FD_PATH_MAX])
{
	memcpy(buf, "/proc/self/fd/", 14);
	*addr_put_u32(buf + 14, (uint32_t)fd) = '\0';
}

/*
 * How the directory is spelled in a sun_path: as it is, or if it is too long
 * for that through a descriptor that lives as long as the call.
 */
struct place {
	int fd;
	char spelled[FD_PATH_MAX];
	const char *prefix;
};

static int place_open(const struct machine *m, struct place *p)
{
	p->fd = -1;
	p->prefix = m->dir;
	if (strlen(m->dir) + NAME_PATH_MAX <=
	    sizeof(((struct sockaddr_un *)0)->sun_path))
		return 0;
	p->fd = m->sys->open(m->dir, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	if (p->fd < 0)
		return p->fd;
	spell_fd(p->fd, p->spelled);
	p->prefix = p->spelled;
	return 0;
}

static void place_close(const struct machine *m, const struct place *p)
{
	if (p->fd >= 0)
		m->sys->close(p->fd);
}

static socklen_t path_addr(const struct place *p, const struct name *name,
			   struct sockaddr_un *un)
{
	int n = name_path(un->sun_path, sizeof(un->sun_path), p->prefix, name);

	un->sun_family = AF_UNIX;
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)n +
			   1);
}

/* "<prefix>/<cid>" fits where "<prefix>/<cid>/<port>@<cid>.vsock" does. */
#define DIR_SIZE sizeof(((struct sockaddr_un *)0)->sun_path)

static void machine_dir(const struct place *p, uint32_t cid,
			char buf[static DIR_SIZE])
{
	char tail[1 + ADDR_U32_MAX + 1] = "/";

	*addr_put_u32(tail + 1, cid) = '\0';
	util_join(buf, DIR_SIZE, p->prefix, tail);
}

static const char *dir_objection(const struct machine *m, const struct stat *st)
{
	if (!S_ISDIR(st->st_mode))
		return "is not a directory";
	if (st->st_uid != 0 && st->st_uid != m->sys->geteuid())
		return "belongs to another user";
	if (st->st_mode & S_IWOTH && !(st->st_mode & S_ISVTX))
		return "is world-writable (chmod 700 keeps it private)";
	if (st->st_mode & S_IWGRP && !(st->st_mode & (S_ISGID | S_ISVTX)))
		return "is writable by its group (chmod 2770 shares it, "
		       "chmod 700 keeps it private)";
	return NULL;
}

bool rdv_trusts(const struct machine *m, uid_t user)
{
	return m->share != 077 || user == 0 || user == m->owner ||
	       user == m->sys->geteuid();
}

bool rdv_believes(const struct machine *m, int fd, uint32_t port)
{
	struct ucred who;
	socklen_t len = sizeof(who);

	return port > ADDR_LAST_RESERVED ||
	       m->sys->getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) <
		       0 ||
	       rdv_trusts(m, who.uid);
}

static bool trusted(const struct stat *st, const void *arg)
{
	return rdv_trusts(arg, st->st_uid);
}

/* A machine that is new is served by a relay for all before it connects. */
static void wait_for_relay(const struct machine *m)
{
	const struct timespec ms = { .tv_nsec = 1000 * 1000 };
	int fd, r, tries = RDV_RELAY_MS;

	fd = m->sys->open(m->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (fd < 0)
		return;
	/* Again and again: it may be a migration, which is soon over. */
	while ((r = m->sys->flock(fd, LOCK_SH | LOCK_NB)) == -EWOULDBLOCK &&
	       !ports_gateway(m->ports) && tries-- > 0)
		m->sys->sleep(&ms);
	if (r == 0)
		m->sys->flock(fd, LOCK_UN);
	m->sys->close(fd);
}

/* Makes "<dir>/<cid>", and maps its ports. */
static int open_own(struct machine *m, const struct place *p, const char **why)
{
	mode_t mode = m->share == 077 ? 01777 : m->share == 070 ? 02770 : 0700;
	char path[DIR_SIZE], held[FD_PATH_MAX];
	struct stat st;
	int fd, made, r;

	machine_dir(p, m->cid, path);
	made = m->sys->mkdir(path, mode);
	if (made < 0 && made != -EEXIST)
		return made;
	fd = m->sys->open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
			  0);
	if (fd < 0)
		return fd;
	r = m->sys->fstat(fd, &st);
	if (r == 0 && !trusted(&st, m))
		r = -EPERM;
	/* Whatever the umask is. Others may have moved it by now. */
	spell_fd(fd, held);
	if (r == 0 && made == 0)
		r = m->sys->chmod(m->share ? held : path, mode);
	m->sys->close(fd);
	if (r == 0)
		r = ports_map(m->sys, path, 0600 | (m->share & 066), trusted, m,
			      &m->ports);
	if (r == 0 && made == 0)
		wait_for_relay(m);
	if (r == -EPERM || r == -ELOOP)
		*why = "holds this machine's files of another user";
	if (r == -EPROTO)
		*why = "holds a machine of another version of vsockshim "
		       "(remove "
		       "it when no program uses it)";
	return r;
}

/* The CID in the link that a machine has left at @path; 0: there is none. */
static uint32_t moved_to(const struct machine *m, const char *path)
{
	char text[sizeof(RDV_MOVED) + ADDR_U32_MAX];
	const size_t skipped = sizeof(RDV_MOVED) - 1;
	const char *s = text + skipped;
	struct stat st;
	uint32_t cid;
	ssize_t n;

	if (m->sys->lstat(path, &st) < 0 || !S_ISLNK(st.st_mode) ||
	    !trusted(&st, m))
		return 0;
	n = m->sys->readlink(path, text, sizeof(text));
	if (n <= (ssize_t)skipped || memcmp(text, RDV_MOVED, skipped) != 0 ||
	    !addr_scan_u32(&s, text + n, &cid) || s != text + n)
		return 0;
	return cid;
}

/* A machine may migrate again, so often that this is found. */
#define MOVES 40

/* The next CID of the machine that once had @cid; 0: it has that. */
static uint32_t next_cid(const struct machine *m, const struct place *p,
			 uint32_t cid)
{
	char path[DIR_SIZE];

	machine_dir(p, cid, path);
	return moved_to(m, path);
}

uint32_t rdv_now(const struct machine *m, uint32_t cid)
{
	uint32_t next = cid;
	struct place place;

	if (place_open(m, &place) < 0)
		return cid;
	for (int i = 0; i < MOVES && next; i++) {
		cid = next;
		next = next_cid(m, &place, cid);
	}
	place_close(m, &place);
	return cid;
}

struct name rdv_name(const struct machine *m, const struct sockaddr_un *un,
		     socklen_t len)
{
	struct name n = name_decode(un, len);
	uint32_t was = n.cid;

	if (n.kind == NAME_NONE)
		return n;
	n.cid = rdv_now(m, was);
	if (n.kind == NAME_PATH && n.bound == was)
		n.bound = n.cid;
	return n;
}

bool rdv_follow(struct machine *m)
{
	uint32_t cid = m->ports ? ports_cid(m->ports) : 0;

	if (!cid || cid == __atomic_load_n(&m->cid, __ATOMIC_RELAXED))
		return false;
	__atomic_store_n(&m->cid, cid, __ATOMIC_RELAXED);
	return true;
}

/* Opens it where it is now. */
static int open_moved(struct machine *m, const struct place *p,
		      const char **why)
{
	uint32_t next;
	int r = open_own(m, p, why);

	for (int i = 0; i < MOVES && (r == -ENOTDIR || r == -ELOOP); i++) {
		next = next_cid(m, p, m->cid);
		if (!next)
			break;
		m->cid = next;
		*why = NULL;
		r = open_own(m, p, why);
	}
	return r;
}

int rdv_check(const struct machine *m, const char **why)
{
	struct stat st;
	int r;

	*why = m->dir[0] == '/' ? NULL : "is not an absolute path";
	if (*why)
		return -EINVAL;
	r = m->sys->stat(m->dir, &st);
	if (r < 0)
		return r;
	*why = dir_objection(m, &st);
	return *why ? -EPERM : 0;
}

int rdv_open(struct machine *m, const char **why)
{
	struct place place;
	struct stat st;
	int r;

	*why = NULL;
	if (m->ports) {
		rdv_follow(m);
		return 0;
	}
	if (m->dir[0] != '/') {
		*why = "is not an absolute path";
		return -EINVAL;
	}
	r = m->sys->stat(m->dir, &st);
	if (r == -ENOENT) {
		r = m->sys->mkdir(m->dir, 0700);
		if (r < 0 && r != -EEXIST)
			return r;
		r = m->sys->stat(m->dir, &st);
	}
	if (r < 0)
		return r;
	*why = dir_objection(m, &st);
	if (*why)
		return -EPERM;
	m->owner = st.st_uid;
	m->share = st.st_mode & S_IWOTH ? 077 : st.st_mode & S_IWGRP ? 070 : 0;

	r = place_open(m, &place);
	if (r < 0)
		return r;
	r = open_moved(m, &place, why);
	place_close(m, &place);
	return r;
}

/* The machine's files and, until place_close(), the way there. */
static int enter(struct machine *m, struct place *p)
{
	const char *why;
	int r = rdv_open(m, &why);

	return r < 0 ? r : place_open(m, p);
}

/*
 * Is the path held? 0: free, -ESTALE: a socket that nobody holds,
 * -EADDRINUSE: held; other errors as they are.
 */
static int probe(const struct sys *sys, const struct sockaddr_un *un,
		 socklen_t len)
{
	int fd, r;

	fd = sys->socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fd;
	r = sys->connect(fd, un, len);
	sys->close(fd);
	if (r == -ENOENT)
		return 0;
	return r == -ECONNREFUSED ? -ESTALE : -EADDRINUSE;
}

/* As probe(), and removes what is stale. Holds the lock. */
static int reclaim(const struct machine *m, const struct place *p,
		   const struct name *name)
{
	struct sockaddr_un un;
	socklen_t len = path_addr(p, name, &un);
	int r = probe(m->sys, &un, len);
	struct stat st;

	if (r != -ESTALE)
		return r;
	r = m->sys->lstat(un.sun_path, &st);
	if (r == 0)
		r = S_ISSOCK(st.st_mode) ? m->sys->unlink(un.sun_path) : -EPERM;
	if (r == 0)
		ports_unmark(m->ports, name->port);
	/* Another user's, or no socket of anybody's: it stays. */
	return r == -EPERM ? -EADDRINUSE : r;
}

/* One entry of getdents64(2). */
struct entry {
	uint64_t ino;
	int64_t next;
	uint16_t len;
	uint8_t type;
	char name[];
};
#define ENTRY_MAX (ssize_t)(sizeof(struct entry) + NAME_MAX + 1)

/*
 * Each bind looks at the next few paths of the machine, and removes those that
 * killed processes left: so their number is bounded. Holds the lock.
 */
OWN_FRAME static void sweep(const struct machine *m, const struct place *p)
{
	_Alignas(struct entry) char buf[SWEEP_BYTES];
	aligned_i64 *at = ports_sweep(m->ports), next = 0;
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	const struct entry *e;
	struct name name;
	ssize_t n = 0, i;
	char *tail;
	int fd;

	machine_dir(p, m->cid, un.sun_path);
	fd = m->sys->open(un.sun_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (fd < 0)
		return;
	if (m->sys->lseek(fd, __atomic_load_n(at, __ATOMIC_RELAXED),
			  SEEK_SET) >= 0)
		n = m->sys->getdents(fd, buf, sizeof(buf));
	m->sys->close(fd);
	tail = un.sun_path + strlen(un.sun_path);
	*tail++ = '/';
	for (i = 0; i < n; i += e->len) {
		e = (const struct entry *)(buf + i);
		next = e->next;
		if (!util_join(tail,
			       sizeof(un.sun_path) -
				       (size_t)(tail - un.sun_path),
			       e->name, ""))
			continue;
		name = name_decode(&un, sizeof(un));
		if (name.kind == NAME_PATH)
			(void)reclaim(m, p, &name);
	}
	/* Had there been one more it would have fit: the next begins anew. One
	 * that went on at the end would only see the oldest on a tmpfs before
	 * Linux 6.6, where new ones come first and offsets count. */
	if (n <= SWEEP_BYTES - ENTRY_MAX)
		next = 0;
	__atomic_store_n(at, next, __ATOMIC_RELAXED);
}

/*
 * Does a client that connect(2) bound by itself hold @port? Its name may end
 * in any dialled CID, so look for the beginning among the names there are.
 */
OWN_FRAME static bool auto_bound(const struct machine *m, uint32_t port)
{
	char want[NAME_AUTO_PREFIX_MAX], buf[1024];
	size_t len, have = 0;
	bool found = false;
	ssize_t n;
	int fd;

	len = (size_t)name_auto_prefix(want, ports_id(m->ports), m->cid, port);
	fd = m->sys->open("/proc/net/unix", O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return false;
	while (!found &&
	       (n = m->sys->read(fd, buf + have, sizeof(buf) - have)) > 0) {
		have += (size_t)n;
		found = memmem(buf, have, want, len);
		if (have >= len) {
			memmove(buf, buf + have - (len - 1), len - 1);
			have = len - 1;
		}
	}
	m->sys->close(fd);
	return found;
}

/*
 * All names under which its port may be held by a socket that clashes with
 * @name (one bound to VMADDR_CID_ANY clashes with each). Returns how many.
 */
static int clashing(const struct machine *m, const struct name *name,
		    struct name names[3])
{
	int n = 0;

	for (int i = 0; i < 3; i++)
		names[i] = *name;
	names[n++].bound = VMADDR_CID_ANY;
	if (name->bound != VMADDR_CID_ANY)
		return n + 1;
	names[n++].bound = VMADDR_CID_LOCAL;
	if (m->cid != VMADDR_CID_LOCAL)
		names[n++].bound = m->cid;
	return n;
}

/*
 * In a directory that others write to, a symbolic link may take a socket's
 * place at any time, and lead to a socket that is none of theirs to use. So
 * what is to be reached there is held first, as @un then spells it. And what
 * not every user may take (@reserved) is nobody's unless he is trusted with it.
 * 0, with a descriptor to close or -1; -ECONNREFUSED; -ELOOP; or -errno.
 */
static int hold(const struct machine *m, bool reserved, struct sockaddr_un *un,
		socklen_t *len, int *ret_fd)
{
	struct stat st;
	int fd, r;

	*ret_fd = -1;
	if (!m->share)
		return 0;
	fd = m->sys->open(un->sun_path, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);
	if (fd < 0)
		return fd;
	r = m->sys->fstat(fd, &st);
	if (r == 0 && S_ISLNK(st.st_mode))
		r = -ELOOP;
	else if (r == 0 && reserved && !trusted(&st, m))
		r = -ECONNREFUSED;
	if (r < 0) {
		m->sys->close(fd);
		return r;
	}
	spell_fd(fd, un->sun_path);
	*len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
			   strlen(un->sun_path) + 1);
	*ret_fd = fd;
	return 0;
}

/* Of the socket that was bound to it, whatever the umask is. */
static int set_mode(const struct machine *m, struct sockaddr_un *un)
{
	socklen_t len;
	int held, r = hold(m, false, un, &len, &held);

	if (r == 0)
		r = m->sys->chmod(un->sun_path, 0700 | m->share);
	if (held >= 0)
		m->sys->close(held);
	return r;
}

/* Holds the lock. */
static int bind_name(const struct machine *m, const struct place *p, int fd,
		     const struct name *name)
{
	struct name names[3];
	struct sockaddr_un un;
	socklen_t len;
	int r, n = clashing(m, name, names);

	for (int i = 0; i < n; i++) {
		r = reclaim(m, p, &names[i]);
		if (r < 0)
			return r;
	}
	ports_mark(m->ports, name->port);
	len = path_addr(p, name, &un);
	r = m->sys->bind(fd, &un, len);
	if (r < 0) {
		ports_unmark(m->ports, name->port);
		return r;
	}
	(void)set_mode(m, &un); /* too late to fail: a socket is bound once */
	return 0;
}

/* What a refusal of the directory is to a program that binds. */
static int bind_errno(struct machine *m, int r)
{
	switch (r) {
	case -EADDRINUSE:
	case -EINVAL:
	case -EMFILE:
	case -ENFILE:
	case 0:
		return r;
	default:
		m->refusal = r;
		return -ENOMEM;
	}
}

/*
 * The lock of the machine, whose CID does not change until it is unlocked. A
 * moment before its directory has a new name it says so; whoever renames it may
 * have to wait for a processor meanwhile.
 */
static int lock_machine(struct machine *m, const struct place *p,
			struct ports_lock *ret)
{
	const struct timespec moment = { .tv_nsec = 1000 * 1000 };
	char dir[DIR_SIZE];
	int r;

	for (int tries = 0;;) {
		machine_dir(p, m->cid, dir);
		r = ports_lock(m->sys, dir, ret);
		if (rdv_follow(m)) {
			if (r == 0)
				ports_unlock(m->sys, ret);
		} else if (r == -ENOENT && ports_cid(m->ports) &&
			   tries++ < 200) {
			m->sys->sleep(&moment);
		} else {
			return r;
		}
	}
}

/* What is not there may be just on its way to another CID: then *@cid is that,
 * where it is by now. */
static bool has_moved(struct machine *m, const struct place *p,
		      enum route route, uint32_t *cid)
{
	struct ports_lock lock;

	if (route != ROUTE_LOCAL || !ports_cid(m->ports) ||
	    lock_machine(m, p, &lock) < 0)
		return false;
	ports_unlock(m->sys, &lock);
	*cid = m->cid;
	return true;
}

int rdv_bind(struct machine *m, int fd, const struct vaddr *want, bool dgram,
	     bool low_ports, uint32_t *ret_port)
{
	struct name name = { .kind = NAME_PATH,
			     .port = want->port,
			     .bound = want->cid,
			     .dgram = dgram };
	struct place place;
	struct ports_lock lock;
	int r;

	if (!route_may_bind(m->cid, want->cid))
		return -EADDRNOTAVAIL;
	if (want->port <= ADDR_LAST_RESERVED && !low_ports)
		return -EACCES;
	r = enter(m, &place);
	if (r < 0)
		return bind_errno(m, r);
	r = lock_machine(m, &place, &lock);
	if (r < 0)
		goto out;
	name.cid = m->cid;
	sweep(m, &place);
	if (!route_may_bind(m->cid, want->cid)) {
		r = -EADDRNOTAVAIL; /* not any more */
	} else if (name.port != VMADDR_PORT_ANY) {
		r = !dgram && ports_issued(m->ports, name.port) &&
				    auto_bound(m, name.port)
			    ? -EADDRINUSE
			    : bind_name(m, &place, fd, &name);
	} else {
		r = -EADDRINUSE;
		for (int i = 0; i < PORTS_TRIES && r == -EADDRINUSE; i++) {
			name.port = ports_next(m->ports);
			r = bind_name(m, &place, fd, &name);
		}
		if (r == -EADDRINUSE)
			r = -EADDRNOTAVAIL;
	}
	ports_unlock(m->sys, &lock);
	if (r == 0)
		*ret_port = name.port;
out:
	place_close(m, &place);
	return r == -EADDRNOTAVAIL ? r : bind_errno(m, r);
}

void rdv_release(struct machine *m, const struct name *name)
{
	struct sockaddr_un un;
	struct ports_lock lock;
	struct place place;
	socklen_t len;

	if (name->kind != NAME_PATH || name->cid != m->cid ||
	    enter(m, &place) < 0)
		return;
	len = path_addr(&place, name, &un);
	if (probe(m->sys, &un, len) == -ESTALE) {
		if (lock_machine(m, &place, &lock) == 0) {
			/* stale at worst: the next bind's */
			(void)reclaim(m, &place, name);
			ports_unlock(m->sys, &lock);
		}
	}
	place_close(m, &place);
}

/* Is @port free for connect(2) to take? Stale paths are. Needs no lock. */
static bool port_free(const struct machine *m, const struct place *p,
		      uint32_t port)
{
	struct name names[3], name = { .kind = NAME_PATH,
				       .cid = m->cid,
				       .port = port,
				       .bound = VMADDR_CID_ANY };
	struct sockaddr_un un;
	socklen_t len;
	int n;

	if (!ports_marked(m->ports, port))
		return true;
	n = clashing(m, &name, names);
	for (int i = 0; i < n; i++) {
		len = path_addr(p, &names[i], &un);
		if (probe(m->sys, &un, len) == -EADDRINUSE)
			return false;
	}
	return true;
}

/* Reserves a port for a socket without a name: nothing but a number yet. */
static int reserve(struct machine *m, const struct place *p, struct rdv_dial *d)
{
	if (d->self.kind != NAME_NONE)
		return 0;
	for (int i = 0; i < PORTS_TRIES && d->port == VMADDR_PORT_ANY; i++) {
		uint32_t port = ports_next(m->ports);

		if (port_free(m, p, port))
			d->port = port;
	}
	return d->port == VMADDR_PORT_ANY ? -EADDRNOTAVAIL : 0;
}

/* What AF_UNIX says, in the words of vsock_connect(). */
static int connect_errno(struct machine *m, int r)
{
	switch (r) {
	case -ENOENT:
	case -ECONNREFUSED: /* nobody listens */
	case -EPROTOTYPE:   /* another socket type does */
	case -EAGAIN:	    /* the backlog is full */
		return -ECONNRESET;
	case 0:
	case -EINTR:
	case -EINVAL:
	case -EISCONN:
	case -EMFILE:
	case -ENFILE:
	case -ENOMEM:
		return r;
	default: /* the directory refuses */
		m->refusal = r;
		return -ENODEV;
	}
}

/* Gives the client the name by which the acceptor will know it. */
static int introduce(struct machine *m, const struct place *p, int fd,
		     struct rdv_dial *d, enum route route)
{
	struct sockaddr_un un;
	socklen_t len;
	int r;

	/* Another machine's acceptor knows what was dialled: itself. */
	if (route == ROUTE_LOCAL &&
	    (d->self.kind == NAME_PATH ||
	     (d->self.kind == NAME_AUTO && d->self.dialled != d->to.svm_cid)))
		ports_set_dialled(m->ports, d->self.port,
				  d->self.kind == NAME_AUTO, d->to.svm_cid);
	for (int i = 0; d->self.kind == NAME_NONE; i++) {
		r = i < PORTS_TRIES ? reserve(m, p, d) : -EADDRNOTAVAIL;
		if (r < 0)
			return r;
		len = name_auto(&un, ports_id(m->ports), m->cid, d->port,
				d->to.svm_cid);
		r = m->sys->bind(fd, &un, len);
		if (r == -EINVAL)
			return -EISCONN;
		if (r == 0)
			d->self = name_decode(&un, len);
		else if (r == -EADDRINUSE)
			d->port = VMADDR_PORT_ANY;
		else
			return connect_errno(m, r);
	}
	return 0;
}

static int connect_name(struct machine *m, int fd, const struct rdv_dial *d,
			const struct sockaddr_un *un, socklen_t len)
{
	const struct timeval grace = { .tv_usec = RDV_GRACE_MS * 1000 };
	int r;

	if (d->nonblock)
		return m->sys->connect(fd, un, len);
	m->sys->setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &grace, sizeof(grace));
	r = m->sys->connect(fd, un, len);
	m->sys->setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &d->sndtimeo,
			   sizeof(d->sndtimeo));
	return r;
}

static int connect_path(struct machine *m, const struct place *p, int fd,
			const struct rdv_dial *d, const struct name *name)
{
	struct sockaddr_un un;
	socklen_t len = path_addr(p, name, &un);
	bool reserved = name->port <= ADDR_LAST_RESERVED;
	int held, r = hold(m, reserved, &un, &len, &held);

	if (r == 0)
		r = connect_name(m, fd, d, &un, len);
	if (held >= 0)
		m->sys->close(held);
	return r;
}

/* The @i-th of the two names under which @to is answered on machine @cid. */
static struct name answering(const struct sockaddr_vm *to, uint32_t cid, int i)
{
	return (struct name){ .kind = NAME_PATH,
			      .cid = cid,
			      .port = to->svm_port,
			      .bound = i ? to->svm_cid : VMADDR_CID_ANY };
}

/* A listener at the names that answer @d? 0, -ENOENT, or the directory's no. */
static int look(const struct machine *m, const struct place *p, uint32_t cid,
		const struct rdv_dial *d)
{
	struct sockaddr_un un;
	struct name name;
	struct stat st;
	int r = -ENOENT;

	for (int i = 0; i < 2 && r == -ENOENT; i++) {
		name = answering(&d->to, cid, i);
		path_addr(p, &name, &un);
		r = m->sys->lstat(un.sun_path, &st);
	}
	return r == 0 && S_ISLNK(st.st_mode) ? -ELOOP : r;
}

static uint32_t own_port(const struct rdv_dial *d)
{
	return d->self.kind == NAME_NONE ? d->port : d->self.port;
}

/*
 * Does a client dial its own port? A REQUEST is no answer to a socket that
 * waits for one. (What has a path is found there, unless it is bound to another
 * CID.)
 */
static bool dials_itself(const struct rdv_dial *d, int r)
{
	return own_port(d) == d->to.svm_port &&
	       (d->self.kind != NAME_PATH || r == -ECONNREFUSED);
}

static int type_of(const struct machine *m, int fd)
{
	int type = 0;
	socklen_t len = sizeof(type);

	m->sys->getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len);
	return type;
}

/* Answers come to the CID that the transport sends from. Is that another? */
static bool misses_answers(const struct machine *m, const struct rdv_dial *d,
			   enum route route)
{
	return d->self.kind == NAME_PATH && d->self.bound != VMADDR_CID_ANY &&
	       d->self.bound != route_source(m->cid, route);
}

/* No listener: what does the kernel say, and is the client bound by then? */
static int refuse(struct machine *m, const struct place *p, int fd,
		  uint32_t cid, struct rdv_dial *d, enum route route)
{
	char dir[DIR_SIZE];
	struct stat st;
	int r;

	machine_dir(p, cid, dir);
	if (route == ROUTE_PEER && m->sys->stat(dir, &st) < 0)
		route = route_absent(m->cid, cid);
	/* Whether a guest has SOCK_SEQPACKET is asked before whether it is. */
	if (route == ROUTE_ABSENT && type_of(m, fd) == SOCK_SEQPACKET)
		return -ESOCKTNOSUPPORT;
	r = d->named ? introduce(m, p, fd, d, route) : reserve(m, p, d);
	if (r < 0)
		return r;
	if (route == ROUTE_LOCAL && dials_itself(d, -ENOENT))
		return -EPROTO;
	if (route == ROUTE_ABSENT)
		return -ENXIO;
	return route == ROUTE_SILENT || misses_answers(m, d, route)
		       ? -ETIMEDOUT
		       : -ECONNRESET;
}

/* Whatever listens on machine @cid for what @d dials. */
static int connect_any(struct machine *m, const struct place *p, int fd,
		       const struct rdv_dial *d, uint32_t cid)
{
	struct name name = answering(&d->to, cid, 0);
	int other, r = connect_path(m, p, fd, d, &name);

	if (r == -ENOENT || r == -ECONNREFUSED) {
		name.bound = d->to.svm_cid;
		other = connect_path(m, p, fd, d, &name);
		if (other != -ENOENT)
			r = other;
	}
	return r;
}

/*
 * The listener answers to where the client @fd is not bound, and is told so:
 * what it accepts has ended.
 */
static int connect_in_vain(struct machine *m, const struct place *p, int fd,
			   const struct rdv_dial *d, enum route route,
			   uint32_t cid)
{
	struct rdv_dial vain = { .to = d->to, .nonblock = true };
	struct sockaddr_un un;
	socklen_t len;
	int s;

	s = m->sys->socket(AF_UNIX,
			   type_of(m, fd) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s < 0)
		return s;
	/* What ends it was sent to the CID that the answer came from. */
	len = name_auto(&un, ports_id(m->ports), m->cid, d->self.port,
			route == ROUTE_LOCAL ? VMADDR_CID_LOCAL
					     : d->to.svm_cid);
	if (m->sys->bind(s, &un, len) == 0)
		(void)connect_any(m, p, s, &vain, cid);
	m->sys->close(s);
	return -ETIMEDOUT;
}

static socklen_t gateway_addr(const struct machine *m, const struct place *p,
			      bool seqpacket, struct sockaddr_un *un)
{
	struct name name = { .kind = NAME_GATEWAY,
			     .cid = m->cid,
			     .seqpacket = seqpacket };

	return path_addr(p, &name, un);
}

/* The name and the hello say all; the gateway answers later. -ENOENT: its
 * bridge is no more, or none of the user's to use. */
static int dial_gateway(struct machine *m, const struct place *p, int fd,
			struct rdv_dial *d, uint32_t number)
{
	struct hello h = { .type = (uint32_t)type_of(m, fd),
			   .flags = d->to.svm_flags,
			   .to = { d->to.svm_cid, d->to.svm_port },
			   .window = d->window,
			   .timeout_ms = d->timeout_ms };
	struct sockaddr_un un;
	socklen_t len;
	int held, r;

	r = introduce(m, p, fd, d, ROUTE_PEER);
	if (r < 0)
		return r;
	h.from.cid = d->self.kind == NAME_PATH ? d->self.bound : VMADDR_CID_ANY;
	h.from.port = d->self.port;
	hello_make(&h);
	len = gateway_addr(m, p, h.type == SOCK_SEQPACKET, &un);
	r = hold(m, true, &un, &len, &held);
	if (r == 0)
		r = connect_name(m, fd, d, &un, len);
	if (held >= 0)
		m->sys->close(held);
	if (r == -ENOENT || r == -ECONNREFUSED) {
		/* To others it may be one. */
		len = gateway_addr(m, p, h.type == SOCK_SEQPACKET, &un);
		if (probe(m->sys, &un, len) != -EADDRINUSE)
			ports_close_gateway(m->ports, number);
		return -ENOENT;
	}
	if (r == 0)
		r = hello_send(m->sys, fd, &h);
	/* That it has closed before is an answer, too. */
	return r == 0 || r == -EPIPE ? -EINPROGRESS : connect_errno(m, r);
}

/*
 * Is the gateway with that @number to have it? A bridge is the way to other
 * machines. A relay has what somebody may answer; what fails for lack of a
 * packet to the client needs none.
 */
static bool by_gateway(const struct machine *m, const struct place *p,
		       const struct rdv_dial *d, uint32_t number,
		       enum route route, uint32_t cid)
{
	char dir[DIR_SIZE];
	struct stat st;

	if (!(number & PORTS_RELAYS))
		return number && route != ROUTE_LOCAL;
	if (route == ROUTE_PEER && route_absent(m->cid, cid) == ROUTE_ABSENT) {
		machine_dir(p, cid, dir);
		if (m->sys->stat(dir, &st) < 0)
			return false;
	}
	return route != ROUTE_ABSENT && !misses_answers(m, d, route) &&
	       !(route == ROUTE_LOCAL && own_port(d) == d->to.svm_port);
}

static int dial(struct machine *m, const struct place *p, int fd,
		struct rdv_dial *d, enum route route, uint32_t cid)
{
	uint64_t key = (uint64_t)cid << 32 | d->to.svm_port;
	int r;

	if (route == ROUTE_SILENT || route == ROUTE_ABSENT)
		return refuse(m, p, fd, cid, d, route);
	if (__atomic_load_n(&m->seen, __ATOMIC_RELAXED) != key) {
		r = look(m, p, cid, d);
		if (r == -ENOENT && has_moved(m, p, route, &cid))
			r = look(m, p, cid, d);
		if (r == -ENOENT)
			return refuse(m, p, fd, cid, d, route);
		if (r < 0)
			return connect_errno(m, r);
	}
	if (misses_answers(m, d, route))
		return connect_in_vain(m, p, fd, d, route, cid);
	r = introduce(m, p, fd, d, route);
	if (r < 0)
		return r;
	r = connect_any(m, p, fd, d, cid);
	if (r == -ENOENT && has_moved(m, p, route, &cid))
		r = connect_any(m, p, fd, d, cid);
	__atomic_store_n(&m->seen, r == 0 ? key : 0, __ATOMIC_RELAXED);
	if (r == -ENOENT) /* gone since, perhaps with its machine */
		return refuse(m, p, fd, cid, d, route);
	if (r < 0 && route == ROUTE_LOCAL && dials_itself(d, r))
		return -EPROTO;
	return connect_errno(m, r);
}

int rdv_connect(struct machine *m, int fd, struct rdv_dial *d)
{
	uint32_t cid, gateway;
	struct place place;
	enum route route;
	int r;

	route = route_connect(m->cid, d->to.svm_cid, d->to.svm_flags, &cid);
	if (route == ROUTE_NODEV)
		return -ENODEV;
	r = enter(m, &place);
	if (r < 0)
		return connect_errno(m, r);
	gateway = ports_gateway(m->ports);
	r = -ENOENT;
	if (route != ROUTE_LOCAL &&
	    __atomic_load_n(&m->only_gateway, __ATOMIC_RELAXED) &&
	    (!gateway || gateway & PORTS_RELAYS)) {
		r = -ENODEV;
	} else if (by_gateway(m, &place, d, gateway, route, cid)) {
		r = dial_gateway(m, &place, fd, d, gateway);
		/* As a device that is gone. Behind a relay is what was there.
		 */
		if (r == -ENOENT && !(gateway & PORTS_RELAYS))
			r = -ENODEV;
	}
	if (r == -ENOENT)
		r = dial(m, &place, fd, d, route, cid);
	place_close(m, &place);
	return r;
}

void rdv_forget(struct machine *m, const struct rdv_dial *d)
{
	if (m->ports && d->self.kind == NAME_NONE && d->port != VMADDR_PORT_ANY)
		ports_give_back(m->ports, d->port);
}

/* What AF_UNIX says of a datagram: sent, dropped (0), or -errno. */
static ssize_t dgram_errno(struct machine *m, ssize_t r)
{
	switch (r) {
	case -EAGAIN: /* a full queue drops */
	case -EPERM:  /* so does one that a plain AF_UNIX program connected */
		return 0;
	case -ENOENT:
	case -ECONNREFUSED:
	case -EPROTOTYPE:
		return -EHOSTUNREACH;
	case -EMSGSIZE:
	case -EFAULT:
	case -ENOBUFS:
	case -EPIPE:
		return r;
	default:
		return connect_errno(m, (int)r);
	}
}

/* To whatever is bound on machine @cid to @to. */
static ssize_t send_any(struct machine *m, const struct place *p, int fd,
			const struct sockaddr_vm *to, uint32_t cid,
			const struct msghdr *msg, int flags)
{
	struct sockaddr_un un;
	struct msghdr out = *msg;
	ssize_t r = -ENOENT;
	struct name name;
	int held;

	out.msg_name = &un;
	out.msg_control = NULL;
	out.msg_controllen = 0;
	flags |= MSG_DONTWAIT | MSG_NOSIGNAL;
	for (int i = 0; i < 2 && (r == -ENOENT || r == -ECONNREFUSED); i++) {
		name = answering(to, cid, i);
		name.dgram = true;
		out.msg_namelen = path_addr(p, &name, &un);
		r = hold(m, to->svm_port <= ADDR_LAST_RESERVED, &un,
			 &out.msg_namelen, &held);
		if (r == 0)
			r = m->sys->sendmsg(fd, &out, flags);
		if (held >= 0)
			m->sys->close(held);
	}
	return r;
}

ssize_t rdv_send(struct machine *m, int fd, const struct sockaddr_vm *to,
		 const struct msghdr *msg, int flags)
{
	struct place place;
	enum route route;
	uint32_t cid;
	ssize_t r;

	route = route_connect(m->cid, to->svm_cid, to->svm_flags, &cid);
	if (route == ROUTE_NODEV || route == ROUTE_ABSENT)
		return -ENODEV;
	if (route == ROUTE_SILENT)
		return 0;
	r = enter(m, &place);
	if (r < 0)
		return connect_errno(m, (int)r);
	r = send_any(m, &place, fd, to, cid, msg, flags);
	if (r == -ENOENT && has_moved(m, &place, route, &cid))
		r = send_any(m, &place, fd, to, cid, msg, flags);
	place_close(m, &place);
	return r < 0 ? dgram_errno(m, r) : r;
}

/*
 * Would the socket of @type at @un take a connection, or a datagram? Whoever
 * asks is connected already, so nobody gets one: AF_UNIX says EISCONN once it
 * has seen that the other listens.
 */
static int ask(const struct sys *sys, int type, const struct sockaddr_un *un,
	       socklen_t len)
{
	int fds[2], r;

	r = sys->socketpair(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
			    fds);
	if (r < 0)
		return r;
	r = sys->connect(fds[0], un, len);
	sys->close(fds[0]);
	sys->close(fds[1]);
	/* EAGAIN: it listens, and its backlog is full */
	return r == -EISCONN || r == -EAGAIN ? 0 : r;
}

static int name_listens(const struct sys *sys, const struct place *p,
			const struct name *name)
{
	struct sockaddr_un un;
	socklen_t len = path_addr(p, name, &un);
	struct stat st;
	int r = sys->lstat(un.sun_path, &st);

	if (r < 0)
		return r;
	if (!S_ISSOCK(st.st_mode))
		return -ENOTSOCK;
	if (name->dgram)
		return ask(sys, SOCK_DGRAM, &un, len);
	r = ask(sys, SOCK_STREAM, &un, len);
	return r == -EPROTOTYPE ? ask(sys, SOCK_SEQPACKET, &un, len) : r;
}

int rdv_listens(const struct machine *m, uint32_t port)
{
	struct name names[3], name = { .kind = NAME_PATH,
				       .cid = m->cid,
				       .port = port,
				       .bound = VMADDR_CID_ANY };
	struct place place;
	int n, r, ret;

	ret = place_open(m, &place);
	if (ret < 0)
		return ret;
	ret = -ENOENT;
	for (int dgram = 0; dgram < 2; dgram++) {
		name.dgram = dgram;
		n = clashing(m, &name, names);
		for (int i = 0; i < n && ret != 0; i++) {
			r = name_listens(m->sys, &place, &names[i]);
			if (r != -ENOENT)
				ret = r;
		}
	}
	place_close(m, &place);
	return ret;
}

bool rdv_exists(const struct machine *m)
{
	char path[DIR_SIZE];
	struct place place;
	struct stat st;
	int r;

	if (m->dir[0] != '/' || place_open(m, &place) < 0)
		return false;
	machine_dir(&place, rdv_now(m, m->cid), path);
	r = m->sys->lstat(path, &st);
	place_close(m, &place);
	return r == 0 && S_ISDIR(st.st_mode);
}

/* A filesystem may show another device than the kernel lists (btrfs, overlay):
 * then the spelling decides. A directory below is another one. */
static bool is_spelled(const struct machine *m, const struct diag *d)
{
	size_t n = strlen(m->dir), size = sizeof(d->un.sun_path);
	const char *path = d->un.sun_path;
	int parts = 0;

	while (n && m->dir[n - 1] == '/')
		n--;
	if (n >= size || memcmp(path, m->dir, n) != 0 || path[n] != '/')
		return false;
	for (; n + 1 < size && path[n]; n++)
		parts += path[n] == '/' && path[n + 1] != '/';
	return parts == 2; /* the machine, and the name */
}

/* Is it @d's own path that is there? Its address goes to *@un and *@len. */
static bool has_path(const struct sys *sys, const struct place *p,
		     const struct diag *d, const struct name *name,
		     struct sockaddr_un *un, socklen_t *len, dev_t *dev)
{
	struct stat st;

	*len = path_addr(p, name, un);
	if (sys->lstat(un->sun_path, &st) < 0)
		return false;
	*dev = st.st_dev;
	return S_ISSOCK(st.st_mode) && (uint32_t)st.st_ino == d->file;
}

bool rdv_has(const struct machine *m, const struct diag *d,
	     const struct name *name)
{
	bool spelled = is_spelled(m, d), there;
	struct sockaddr_un un;
	struct place place;
	socklen_t len;
	dev_t dev;

	if (place_open(m, &place) < 0)
		return false;
	there = has_path(m->sys, &place, d, name, &un, &len, &dev);
	place_close(m, &place);
	if (there)
		return spelled || dev == d->dev;
	return spelled && d->state == DIAG_ESTABLISHED;
}

bool rdv_accepted(const struct machine *m, const struct diag *d,
		  const struct name *name)
{
	struct sockaddr_un un;
	struct place place;
	socklen_t len;
	bool bound;
	dev_t dev;

	if (place_open(m, &place) < 0)
		return true;
	bound = has_path(m->sys, &place, d, name, &un, &len, &dev) &&
		probe(m->sys, &un, len) == -EADDRINUSE &&
		name_listens(m->sys, &place, name) != 0;
	place_close(m, &place);
	return !bound;
}

/* Holds the lock. */
static int listen_gateway(struct machine *m, const struct place *p, int fd,
			  bool seqpacket, int backlog)
{
	struct sockaddr_un un;
	socklen_t len = gateway_addr(m, p, seqpacket, &un);
	int r = probe(m->sys, &un, len);

	if (r == -ESTALE)
		r = m->sys->unlink(un.sun_path);
	if (r == 0)
		r = m->sys->bind(fd, &un, len);
	if (r < 0)
		return r;
	r = set_mode(m, &un);
	if (r == 0)
		r = m->sys->listen(fd, backlog);
	if (r < 0) {
		gateway_addr(m, p, seqpacket, &un);
		m->sys->unlink(un.sun_path);
	}
	return r;
}

int rdv_gateway_listen(struct machine *m, int fd, bool seqpacket, int backlog)
{
	struct ports_lock lock;
	struct place place;
	int r;

	r = enter(m, &place);
	if (r < 0)
		return r;
	r = lock_machine(m, &place, &lock);
	if (r == 0) {
		r = listen_gateway(m, &place, fd, seqpacket, backlog);
		ports_unlock(m->sys, &lock);
	}
	place_close(m, &place);
	return r;
}

void rdv_gateway_open(struct machine *m, bool relays)
{
	ports_open_gateway(m->ports, relays);
}

void rdv_gateway_close(struct machine *m)
{
	struct sockaddr_un un;
	struct ports_lock lock;
	struct place place;
	bool locked;

	ports_close_gateway(m->ports, ports_gateway(m->ports));
	if (place_open(m, &place) < 0)
		return;
	locked = lock_machine(m, &place, &lock) == 0;
	for (int seqpacket = 0; seqpacket < 2 && locked; seqpacket++) {
		gateway_addr(m, &place, seqpacket, &un);
		m->sys->unlink(un.sun_path);
	}
	if (locked)
		ports_unlock(m->sys, &lock);
	place_close(m, &place);
}

bool rdv_gateway_lives(struct machine *m)
{
	struct sockaddr_un un;
	struct place place;
	bool lives;
	socklen_t len;

	if (enter(m, &place) < 0)
		return false;
	lives = ports_gateway(m->ports);
	for (int seqpacket = 0; seqpacket < 2 && lives; seqpacket++) {
		len = gateway_addr(m, &place, seqpacket, &un);
		lives = probe(m->sys, &un, len) == -EADDRINUSE;
	}
	place_close(m, &place);
	return lives;
}

bool rdv_gateway_gone(const struct machine *m)
{
	struct sockaddr_un un;
	struct place place;
	struct stat st;
	int r;

	r = place_open(m, &place);
	if (r < 0)
		return false;
	gateway_addr(m, &place, false, &un);
	r = m->sys->lstat(un.sun_path, &st);
	place_close(m, &place);
	return r == -ENOENT;
}

pid_t rdv_gateway_pid(struct machine *m)
{
	struct sockaddr_un un;
	struct place place;
	struct ucred cred = { .pid = 0 };
	socklen_t len = sizeof(cred);
	int fd;

	if (place_open(m, &place) < 0)
		return 0;
	fd = m->sys->socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
			    0);
	/* It sees a client that says nothing. */
	if (fd >= 0 &&
	    m->sys->connect(fd, &un, gateway_addr(m, &place, false, &un)) == 0)
		(void)m->sys->getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred,
					 &len);
	if (fd >= 0)
		m->sys->close(fd);
	place_close(m, &place);
	return cred.pid;
}

int rdv_gateway_claim(struct machine *m)
{
	char dir[DIR_SIZE];
	struct place place;
	int r;

	r = enter(m, &place);
	if (r < 0)
		return r;
	machine_dir(&place, m->cid, dir);
	r = ports_claim(m->sys, dir, RDV_CLAIM_SECONDS);
	place_close(m, &place);
	return r;
}

void rdv_gateway_unclaim(const struct machine *m, int claim)
{
	ports_unclaim(m->sys, claim);
}

int rdv_deliver(struct machine *m, int fd, uint64_t link,
		const struct vaddr *from, uint32_t port)
{
	struct rdv_dial d = { .to = addr_vm(m->cid, port), .nonblock = true };
	struct sockaddr_un un;
	struct place place;
	socklen_t len;
	int r;

	r = enter(m, &place);
	if (r < 0)
		return r;
	len = name_auto(&un, ports_id(m->ports), from->cid, from->port, m->cid);
	r = m->sys->bind(fd, &un, name_link(&un, len, link));
	if (r == 0)
		r = connect_errno(m, connect_any(m, &place, fd, &d, m->cid));
	place_close(m, &place);
	return r;
}

int rdv_relay(struct machine *m, int fd, uint64_t id, uint32_t port,
	      const struct sockaddr_vm *to)
{
	struct rdv_dial d = { .to = *to, .nonblock = true };
	struct sockaddr_un un;
	struct place place;
	char dir[DIR_SIZE];
	enum route route;
	struct stat st;
	uint32_t cid;
	int r;

	route = route_connect(m->cid, to->svm_cid, to->svm_flags, &cid);
	r = place_open(m, &place);
	if (r < 0)
		return connect_errno(m, r);
	machine_dir(&place, cid, dir);
	if (route == ROUTE_PEER && m->sys->stat(dir, &st) < 0)
		route = route_absent(m->cid, cid);
	r = -ETIMEDOUT;
	if (route == ROUTE_LOCAL || route == ROUTE_PEER)
		r = m->sys->bind(fd, &un,
				 name_auto(&un, id, m->cid, port, to->svm_cid));
	if (r == 0)
		r = connect_any(m, &place, fd, &d, cid);
	place_close(m, &place);
	return r == -EAGAIN || r == -ETIMEDOUT ? r : connect_errno(m, r);
}

int rdv_claim_all(const struct machine *m)
{
	const struct timespec ms = { .tv_nsec = 1000 * 1000 };
	int fd, r, tries = RDV_CLAIM_MS;

	fd = m->sys->open(m->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (fd < 0)
		return fd;
	/* Those who look have it for an instant. */
	while ((r = m->sys->flock(fd, LOCK_EX | LOCK_NB)) == -EWOULDBLOCK &&
	       tries-- > 0)
		m->sys->sleep(&ms);
	if (r == 0)
		return fd;
	m->sys->close(fd);
	return r == -EWOULDBLOCK ? -EADDRINUSE : r;
}

uint32_t rdv_source(const struct machine *m, const struct sockaddr_vm *to)
{
	uint32_t cid;

	return route_source(m->cid, route_connect(m->cid, to->svm_cid,
						  to->svm_flags, &cid));
}

/* Which of the @n bytes of entries at @buf are paths that are held? */
static bool any_held(const struct machine *m, struct sockaddr_un *un,
		     char *tail, const char *buf, ssize_t n)
{
	size_t room = sizeof(un->sun_path) - (size_t)(tail - un->sun_path);
	const struct entry *e;

	for (ssize_t i = 0; i < n; i += e->len) {
		e = (const struct entry *)(buf + i);
		if (util_join(tail, room, e->name, "") &&
		    name_decode(un, sizeof(*un)).kind == NAME_PATH &&
		    probe(m->sys, un, sizeof(*un)) == -EADDRINUSE)
			return true;
	}
	return false;
}

bool rdv_in_use(const struct machine *m)
{
	_Alignas(struct entry) char buf[1024];
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct place place;
	bool held = false;
	char *tail;
	ssize_t n;
	int fd;

	if (place_open(m, &place) < 0)
		return false;
	machine_dir(&place, m->cid, un.sun_path);
	fd = m->sys->open(un.sun_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	tail = un.sun_path + strlen(un.sun_path);
	*tail++ = '/';
	while (fd >= 0 && !held &&
	       (n = m->sys->getdents(fd, buf, sizeof(buf))) > 0)
		held = any_held(m, &un, tail, buf, n);
	if (fd >= 0)
		m->sys->close(fd);
	place_close(m, &place);
	return held;
}

bool rdv_default_dir(char *buf, size_t size, const char *run, uid_t user)
{
	char tmp[sizeof("/tmp/vsockshim-") + ADDR_U32_MAX] = "/tmp/vsockshim-";

	if (run && *run == '/')
		return util_join(buf, size, run, "/vsockshim");
	*addr_put_u32(tmp + strlen(tmp), user) = '\0';
	return util_join(buf, size, tmp, "");
}
