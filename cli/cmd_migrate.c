/* SPDX-License-Identifier: MIT */
/*
 * vsockshim migrate: gives a machine another CID, as a live migration does, and
 * resets its connections with other machines.
 *
 * Theory of operation. The machine's `ports` file, which all its processes have
 * mapped, is told the new CID, and the directory of the machine is renamed. In
 * its place a link is left, for who begins with the old CID (core/rdv.h). What
 * a connection is, only its socket says: so both ends are taken from the
 * processes that hold them (pidfd_getfd(2)), their tags are changed, and they
 * are shut.
 */
#include "cli/cli.h"

#include "cli/diag.h"
#include "cli/holders.h"
#include "core/rdv.h"
#include "core/tag.h"
#include "core/util.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const char help[] =
	"usage: vsockshim migrate [OPTIONS] OLD NEW\n\n"
	"Gives the machine with CID OLD the CID NEW, as the live migration of "
	"a "
	"VM does:\n"
	"its sockets answer at NEW, its connections with other machines are "
	"reset.\n\n"
	"  --dir DIR  the rendezvous directory (default: VSOCKSHIM_DIR, as for "
	"any\n"
	"             program)\n"
	"  -h, --help this text\n\n"
	"OLD and NEW are guests, 3 to 4294967294; there is no machine NEW. Run "
	"it as the\n"
	"user whose programs are to see the reset, or as root. Exit status: 0, "
	"1 if the\n"
	"machine did not migrate or a connection was not reset, 2 bad usage.\n";

struct migration {
	struct machine machine; /* with its old CID, then with the new one */
	uint32_t to;
	int dir;
	uint64_t *ids; /* of all machines of the directory */
	size_t n_ids;
	struct diags socks;
	struct holders holders;
	unsigned int reset, failed;
	unsigned int patience; /* ms for who seems to be hidden, in all */
};

/* --- the machine --------------------------------------------------------- */

static void spell(uint32_t cid, char name[static ADDR_U32_MAX + 1])
{
	*addr_put_u32(name, cid) = '\0';
}

/* Every machine's processes are told to look for the links. */
static void tell_machines(struct migration *g)
{
	DIR *dir = opendir(g->machine.dir);
	char ports[ADDR_U32_MAX + sizeof("/ports")];
	const struct dirent *e;
	const char *s, *why;
	struct stat st;
	int r;

	while (dir && (e = readdir(dir))) {
		struct machine m = { .sys = &sys_kernel,
				     .dir = g->machine.dir };

		s = e->d_name;
		if (!cli_scan_cid(&s, &m.cid) || *s ||
		    !util_join(ports, sizeof(ports), e->d_name, "/ports") ||
		    fstatat(g->dir, ports, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue; /* nobody has opened it */
		r = rdv_open(&m, &why);
		if (r < 0) {
			(void)cli_fail(0, "machine %u: not told of it: %s",
				       m.cid, why ? why : strerror(-r));
			g->failed++;
			continue;
		}
		ports_set_migrated(m.ports);
		g->ids = cli_grow(g->ids, g->n_ids, sizeof(*g->ids));
		g->ids[g->n_ids++] = ports_id(m.ports);
	}
	if (dir)
		closedir(dir);
}

/* What is bound to the machine's own CID is bound to the new one. */
static void move_names(struct migration *g, uint32_t from)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	const struct dirent *e;
	char cid[ADDR_U32_MAX + 1], moved[NAME_PATH_MAX];
	struct name name;
	DIR *dir;
	int fd, n;

	spell(g->to, cid);
	fd = openat(g->dir, cid,
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	dir = fd < 0 ? NULL : fdopendir(fd);
	while (dir && (e = readdir(dir))) {
		n = snprintf(un.sun_path, sizeof(un.sun_path), "/%s/%s", cid,
			     e->d_name);
		if (n < 0 || (size_t)n >= sizeof(un.sun_path))
			continue;
		name = name_decode(&un, sizeof(un));
		if (name.kind != NAME_PATH || name.bound != from)
			continue;
		name.bound = g->to;
		(void)name_path(moved, sizeof(moved), "", &name);
		if (renameat(fd, e->d_name, fd, strrchr(moved, '/') + 1) == 0)
			continue;
		(void)cli_fail(0, "%s/%s/%s: %s", g->machine.dir, cid,
			       e->d_name, strerror(errno));
		g->failed++;
	}
	if (dir)
		closedir(dir);
}

/* Is there a machine at @name? A link that one left goes. 0, or -errno. */
static int make_way(const struct migration *g, const char *name)
{
	struct stat st;

	if (fstatat(g->dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISLNK(st.st_mode) || rdv_now(&g->machine, g->to) == g->to)
		return -EEXIST;
	return unlinkat(g->dir, name, 0) < 0 ? -errno : 0;
}

/* Holds the machine's lock. 0, or the exit status after saying why. */
static int move(struct migration *g)
{
	char old[ADDR_U32_MAX + 1], new[ADDR_U32_MAX + 1];
	char link[sizeof(RDV_MOVED) + ADDR_U32_MAX];
	struct machine *m = &g->machine;
	uint32_t from = m->cid;
	int r;

	spell(from, old);
	spell(g->to, new);
	if (rdv_gateway_lives(m))
		return cli_fail(EXIT_FAILURE,
				"machine %u has a gateway: the device of a "
				"bridge keeps its CID; end the bridge, or "
				"the capture, first",
				from);
	r = make_way(g, new);
	if (r < 0)
		return cli_fail(EXIT_FAILURE,
				"machine %u cannot become %s: %s/%s: %s%s",
				from, new, m->dir, new, strerror(-r),
				r == -EEXIST ? "; remove that if nothing runs "
					       "on it"
					     : "");
	tell_machines(g);
	ports_set_cid(m->ports, g->to);
	if (renameat(g->dir, old, g->dir, new) < 0) {
		r = errno;
		ports_set_cid(m->ports, from);
		return cli_fail(EXIT_FAILURE, "%s/%s: %s", m->dir, old,
				strerror(r));
	}
	(void)util_join(link, sizeof(link), RDV_MOVED, new);
	if (symlinkat(link, g->dir, old) < 0) {
		(void)cli_fail(0,
			       "%s/%s: %s; who begins with CID %s is not on "
			       "machine %s",
			       m->dir, old, strerror(errno), old, new);
		g->failed++;
	}
	move_names(g, from);
	m->cid = g->to;
	return 0;
}

/* --- its connections ----------------------------------------------------- */

static bool has_id(const struct diag *d, uint64_t id)
{
	struct name name = name_decode(&d->un, d->len);
	char prefix[NAME_AUTO_PREFIX_MAX];
	int n = name_auto_prefix(prefix, id, name.cid, name.port);

	/* the first byte is @, or NUL */
	return memcmp(prefix + 1, d->un.sun_path + 1, (size_t)n - 1) == 0;
}

static struct name name_of(const struct migration *g, const struct diag *d)
{
	return d ? rdv_name(&g->machine, &d->un, d->len)
		 : (struct name){ .kind = NAME_NONE };
}

static bool name_is_here(const struct migration *g, const struct diag *d,
			 const struct name *name)
{
	if (name->kind == NAME_PATH)
		return rdv_has(&g->machine, d, name);
	for (size_t i = 0; i < g->n_ids; i++)
		if (has_id(d, g->ids[i]))
			return true;
	return false;
}

/* Is it a socket of the directory? Others may have a machine of this CID. The
 * path may have gone with its listener, and be spelled as it likes: then the
 * client tells. */
static bool is_here(const struct migration *g, const struct diag *d,
		    const struct name *name, const struct diag *peer)
{
	struct name other;

	if (name_is_here(g, d, name))
		return true;
	other = name_of(g, peer);
	return name->kind == NAME_PATH && other.kind != NAME_NONE &&
	       name_is_here(g, peer, &other);
}

/* The socket @inode, of whoever holds it: a descriptor, or -errno. */
static int take(const struct migration *g, uint32_t inode,
		const struct holder **ret)
{
	const struct holder *h = holders_find(&g->holders, inode);
	const struct holder *last = g->holders.all + g->holders.n;
	struct stat st;
	int r = -ESRCH, pidfd, fd;

	for (*ret = h; h && h < last && h->inode == inode; h++) {
		*ret = h;
		pidfd = (int)syscall(SYS_pidfd_open, h->pid, 0);
		fd = pidfd < 0 ? -1
			       : (int)syscall(SYS_pidfd_getfd, pidfd, h->fd, 0);
		r = -errno;
		if (pidfd >= 0)
			close(pidfd);
		if (fd < 0)
			continue;
		if (fstat(fd, &st) == 0 && st.st_ino == inode)
			return fd;
		r = -ESRCH; /* another file by now */
		close(fd);
	}
	return r;
}

/* Changes the tag: so its program learns of a reset. 0, or -errno. */
static int mark(int fd, enum reset reset)
{
	struct ident id;
	uint64_t v = 0;
	socklen_t len = sizeof(v);
	int r;

	r = sys_kernel.getsockopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, &v, &len);
	if (r < 0)
		return r;
	if (!tag_unpack(v, &id))
		id = (struct ident){ .tag = TAG_ACCEPTED };
	id.tag |= TAG_ECONNRESET;
	id.reset = reset;
	v = tag_pack(&id);
	return sys_kernel.setsockopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, &v,
				     sizeof(v));
}

/* Has it ended since it was listed? Who closes it is not its holder any more, a
 * little before. */
static bool has_ended(struct migration *g, uint32_t inode)
{
	const struct timespec ms = { .tv_nsec = 1000 * 1000 };
	struct diags now;
	bool ended;

	for (;; g->patience--) {
		ended = diag_list(&now) == 0 && !diag_find(&now, inode);
		free(now.all);
		if (ended || g->patience == 0)
			return ended;
		nanosleep(&ms, NULL);
	}
}

/* Takes and marks one end. A descriptor, or -1. */
static int take_end(struct migration *g, const struct diag *d, enum reset reset)
{
	static const char takes[] =
		"; that takes the right to trace it, see ptrace(2)";
	struct name name = name_of(g, d);
	const struct holder *h;
	int fd, r;

	fd = take(g, d->inode, &h);
	r = fd < 0 ? fd : mark(fd, reset);
	if (r >= 0)
		return fd;
	if (fd < 0 && has_ended(g, d->inode))
		return -1;
	if (h)
		(void)cli_fail(0,
			       "machine %u, port %u: a connection of %s(%d) is "
			       "not reset there: %s%s",
			       name.cid, name.port, h->name, (int)h->pid,
			       strerror(-r), r == -EPERM ? takes : "");
	else
		(void)cli_fail(0,
			       "machine %u, port %u: a connection is not reset "
			       "there: its process is hidden%s",
			       name.cid, name.port, takes);
	g->failed++;
	return fd < 0 ? -1 : fd;
}

/* What is unread: a socket that was reset does not give it. */
static void drain(int fd)
{
	char buf[4096];

	while (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) > 0)
		;
}

static void end(int fd, bool unreadable)
{
	if (fd < 0)
		return;
	(void)shutdown(fd, SHUT_RDWR);
	if (unreadable)
		drain(fd);
	close(fd);
}

/* Between a machine's own sockets is no device. The kernel does not list a
 * @peer of another network namespace, or that has just begun, or ended: then
 * only a client's name says whom it dialled. */
static bool is_within(const struct migration *g, const struct name *name,
		      const struct diag *peer)
{
	if (peer)
		return name_of(g, peer).cid == name->cid;
	return name->kind != NAME_AUTO || name->dialled == VMADDR_CID_LOCAL ||
	       rdv_now(&g->machine, name->dialled) == name->cid;
}

static void reset(struct migration *g, const struct diag *d)
{
	const struct diag *peer = diag_find(&g->socks, d->peer);
	bool queued = peer && peer->state == DIAG_LISTENS;
	struct name name = name_of(g, d);
	bool mine = name.cid == g->machine.cid;
	int fd, other = -1;

	/* What was shut both ways is no connection any more. */
	if (!d->peer || d->shut == TAG_SHUT || name.kind == NAME_NONE ||
	    !is_here(g, d, &name, peer))
		return;
	if (mine && is_within(g, &name, peer))
		return;
	if (!mine && (!queued || name_of(g, peer).cid != g->machine.cid))
		return; /* else its turn comes with the peer's */
	fd = take_end(g, d, mine ? RESET_OWN : RESET_PEER);
	if (peer && !queued)
		other = take_end(g, peer, RESET_PEER);
	g->reset += fd >= 0 || other >= 0;
	end(other, d->type == SOCK_SEQPACKET);
	end(fd, mine || d->type == SOCK_SEQPACKET);
}

static void reset_all(struct migration *g)
{
	int r = diag_list(&g->socks);

	if (r < 0) {
		(void)cli_fail(0,
			       "its connections are not reset: the kernel does "
			       "not list sockets (NETLINK_SOCK_DIAG, module "
			       "unix_diag): %s",
			       strerror(-r));
		g->failed++;
		return;
	}
	holders_list(&g->holders);
	for (size_t i = 0; i < g->socks.n; i++)
		if (g->socks.all[i].inode &&
		    g->socks.all[i].state == DIAG_ESTABLISHED &&
		    g->socks.all[i].type != SOCK_DGRAM)
			reset(g, &g->socks.all[i]);
}

/* --- the command --------------------------------------------------------- */

/* 0, or the exit status after saying why. */
static int open_machine(struct migration *g)
{
	struct machine *m = &g->machine;
	char name[ADDR_U32_MAX + 1];
	const char *why = NULL;
	struct stat st;
	uint32_t now;
	int r;

	/* Another migration is soon over, a capture of all is not. */
	for (int tries = 0; tries < 4; tries++) {
		g->dir = rdv_claim_all(m); /* until exit */
		if (g->dir != -EADDRINUSE)
			break;
	}
	if (g->dir == -EADDRINUSE)
		return cli_fail(EXIT_FAILURE,
				"%s: a capture of all its machines runs, or "
				"another migration; end that first",
				m->dir);
	if (g->dir < 0)
		return cli_fail(EXIT_FAILURE, "%s: %s", m->dir,
				strerror(-g->dir));
	now = rdv_now(m, m->cid);
	if (now != m->cid)
		return cli_fail(EXIT_FAILURE,
				"machine %u has migrated: it is %u", m->cid,
				now);
	spell(m->cid, name);
	if (fstatat(g->dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return cli_fail(EXIT_FAILURE,
				"there is no machine %u: %s/%s: %s", m->cid,
				m->dir, name, strerror(errno));
	r = rdv_open(m, &why);
	return r < 0 ? cli_fail(EXIT_FAILURE, "%s/%s: %s", m->dir, name,
				why ? why : strerror(-r))
		     : 0;
}

static int migrate(struct migration *g)
{
	struct machine *m = &g->machine;
	uint32_t from = m->cid;
	char path[64];
	struct ports_lock lock;
	int r;

	r = open_machine(g);
	if (r)
		return r;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d/%u", g->dir, from);
	r = ports_lock(&sys_kernel, path, &lock);
	if (r < 0)
		return cli_fail(EXIT_FAILURE, "%s/%u: its lock: %s", m->dir,
				from, strerror(-r));
	r = move(g);
	ports_unlock(&sys_kernel, &lock);
	if (r)
		return r;
	reset_all(g);
	printf("machine %u is machine %u; %u connection%s reset\n", from,
	       m->cid, g->reset, g->reset == 1 ? "" : "s");
	r = cli_flushed();
	return g->failed ? EXIT_FAILURE : r;
}

static bool scan_guest(const char *s, uint32_t *ret)
{
	return cli_scan_cid(&s, ret) && !*s && *ret > VMADDR_CID_HOST;
}

int cmd_migrate(int argc, char **argv)
{
	static const struct option options[] = {
		{ "dir", required_argument, NULL, 'd' },
		CLI_HELP,
		{ NULL, 0, NULL, 0 },
	};
	struct migration g = { .machine = { .sys = &sys_kernel },
			       .patience = 200 };
	char dir[PATH_MAX], name[] = "vsockshim";
	int c, r;

	cli_leave_preload(argv);
	argv[0] = name; /* as getopt begins its messages */
	while ((c = getopt_long(argc, argv, "h", options, NULL)) >= 0) {
		r = c == 'd' ? cli_set_dir(optarg) : cli_other_option(c, help);
		if (r)
			return r; /* it was said why */
	}
	if (argc - optind != 2)
		return cli_fail(EXIT_USAGE,
				"migrate: takes two CIDs, OLD and NEW; see "
				"vsockshim migrate --help");
	for (int i = 0; i < 2; i++)
		if (!scan_guest(argv[optind + i], i ? &g.to : &g.machine.cid))
			return cli_fail(EXIT_USAGE,
					"migrate: %s: takes a guest's CID, 3 "
					"to 4294967294",
					argv[optind + i]);
	if (g.to == g.machine.cid)
		return cli_fail(EXIT_USAGE, "migrate: %u is what it has", g.to);
	r = cli_need_dir(dir, sizeof(dir), &g.machine.dir);
	return r ? r : migrate(&g);
}
