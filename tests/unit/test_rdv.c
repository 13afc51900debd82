/* SPDX-License-Identifier: MIT */
/*
 * core/rdv in an ordinary program that is not preloaded: it binds, connects
 * and accepts; and for every system call that it makes, what if that one
 * fails? No descriptor and no path may be left, and the errno is one that
 * AF_VSOCK has.
 */
#include "core/rdv.h"

#include "tests/unit/tap.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <unistd.h>

/* --- a door that fails once ---------------------------------------------- */

static int until_failure; /* 0: never */
static int failure;

static bool fails(void)
{
	return until_failure && --until_failure == 0;
}

#define FAILING(name, params, args)                                            \
	static int f_##name params                                             \
	{                                                                      \
		return fails() ? failure : sys_kernel.name args;               \
	}

FAILING(socket, (int a, int b, int c), (a, b, c))
FAILING(socketpair, (int a, int b, int c, int d[2]), (a, b, c, d))
FAILING(bind, (int a, const void *b, socklen_t c), (a, b, c))
FAILING(connect, (int a, const void *b, socklen_t c), (a, b, c))
FAILING(open, (const char *a, int b, mode_t c), (a, b, c))

/* To let go of a lock never fails. */
static int f_flock(int fd, int op)
{
	return op != LOCK_UN && fails() ? failure : sys_kernel.flock(fd, op);
}

FAILING(fstat, (int a, struct stat *b), (a, b))
FAILING(stat, (const char *a, struct stat *b), (a, b))
FAILING(lstat, (const char *a, struct stat *b), (a, b))
FAILING(mkdir, (const char *a, mode_t b), (a, b))
FAILING(unlink, (const char *a), (a))

static ssize_t f_readlink(const char *path, char *buf, size_t n)
{
	return fails() ? failure : sys_kernel.readlink(path, buf, n);
}

static int64_t f_lseek(int fd, int64_t offset, int whence)
{
	return fails() ? failure : sys_kernel.lseek(fd, offset, whence);
}

FAILING(listen, (int a, int b), (a, b))
FAILING(getsockopt, (int a, int b, int c, void *d, socklen_t *e),
	(a, b, c, d, e))
FAILING(setsockopt, (int a, int b, int c, const void *d, socklen_t e),
	(a, b, c, d, e))
FAILING(fcntl, (int a, int b, long c), (a, b, c))
FAILING(fchmod, (int a, mode_t b), (a, b))

static ssize_t f_read(int fd, void *buf, size_t n)
{
	return fails() ? failure : sys_kernel.read(fd, buf, n);
}

static ssize_t f_getdents(int fd, void *buf, size_t n)
{
	return fails() ? failure : sys_kernel.getdents(fd, buf, n);
}

static ssize_t f_sendmsg(int fd, const struct msghdr *msg, int flags)
{
	return fails() ? failure : sys_kernel.sendmsg(fd, msg, flags);
}

FAILING(chmod, (const char *a, mode_t b), (a, b))
FAILING(map, (int a, size_t b, void **c), (a, b, c))
FAILING(random, (void *a, size_t b), (a, b))

static unsigned int writes; /* of this try */

/* The 130 pieces of a ports file are alike: the first, two more and the last
 * may fail. */
static ssize_t f_write(int fd, const void *buf, size_t n)
{
	return writes++ % 43 == 0 && fails() ? failure
					     : sys_kernel.write(fd, buf, n);
}

static struct sys failing;

static void make_failing(void)
{
	failing = sys_kernel;
	failing.socket = f_socket;
	failing.socketpair = f_socketpair;
	failing.bind = f_bind;
	failing.connect = f_connect;
	failing.open = f_open;
	failing.flock = f_flock;
	failing.fstat = f_fstat;
	failing.stat = f_stat;
	failing.lstat = f_lstat;
	failing.mkdir = f_mkdir;
	failing.unlink = f_unlink;
	failing.readlink = f_readlink;
	failing.chmod = f_chmod;
	failing.lseek = f_lseek;
	failing.listen = f_listen;
	failing.getsockopt = f_getsockopt;
	failing.setsockopt = f_setsockopt;
	failing.fcntl = f_fcntl;
	failing.fchmod = f_fchmod;
	failing.read = f_read;
	failing.getdents = f_getdents;
	failing.sendmsg = f_sendmsg;
	failing.map = f_map;
	failing.random = f_random;
	failing.write = f_write;
}

/* --- what is left behind ------------------------------------------------- */

static int n_fds(void)
{
	int n = 0;
	DIR *d = opendir("/proc/self/fd");

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

/* How many names there are on machine @cid, but for its ports file. */
static int n_paths(const char *dir, int cid)
{
	char path[300];
	struct dirent *e;
	int n = 0;
	DIR *d;

	snprintf(path, sizeof(path), "%s/%d", dir, cid);
	d = opendir(path);
	while (d && (e = readdir(d)))
		n += e->d_name[0] != '.' && strcmp(e->d_name, "ports") != 0;
	if (d)
		closedir(d);
	return n;
}

static char base[200];

static const char *new_dir(void)
{
	static char dir[sizeof(base) + 20];
	static int n;

	snprintf(dir, sizeof(dir), "%s/%d", base, n++);
	return dir;
}

/* What was made so far. */
static void clear(void)
{
	char command[sizeof(base) + 20];

	snprintf(command, sizeof(command), "rm -rf %s/*", base);
	if (system(command) != 0)
		exit(1);
}

static int unix_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static int bind_port(struct machine *m, int fd, uint32_t cid, uint32_t port)
{
	const struct vaddr want = { .cid = cid, .port = port };
	uint32_t got;
	int r = rdv_bind(m, fd, &want, false, true, &got);

	return r < 0 ? r : (int)(got & INT32_MAX);
}

static int dial(struct machine *m, int fd, uint32_t cid, uint32_t port)
{
	struct rdv_dial d = {
		.to = addr_vm(cid, port),
		.port = VMADDR_PORT_ANY,
	};

	return rdv_connect(m, fd, &d);
}

/* --- tests --------------------------------------------------------------- */

static void meets(void)
{
	const char *dir = new_dir();
	struct machine host = { .sys = &sys_kernel, .dir = dir, .cid = 2 };
	struct machine guest = { .sys = &sys_kernel, .dir = dir, .cid = 3 };
	int l = unix_socket(), c = unix_socket(), c2 = unix_socket(), a;
	struct sockaddr_un un;
	socklen_t len = sizeof(un);
	struct name n;

	ok(bind_port(&host, l, VMADDR_CID_ANY, 1234) == 1234, "a host binds");
	ok(listen(l, 1) == 0, "and listens");
	ok(dial(&guest, c, 2, 1234) == 0, "a guest connects to it");
	a = accept(l, (struct sockaddr *)&un, &len);
	n = name_decode(&un, len);
	ok(a >= 0 && n.kind == NAME_AUTO && n.cid == 3 && n.dialled == 2,
	   "accept(2) says who it is");
	ok(write(c, "x", 1) == 1 && read(a, &len, 1) == 1, "data goes through");

	ok(dial(&guest, c2, 2, 99) == -ECONNRESET, "a closed port refuses");
	ok(dial(&guest, c2, 3, 1234) == -ECONNRESET,
	   "the own machine has nobody there");
	ok(dial(&guest, c2, 0, 1234) == -ETIMEDOUT, "nobody answers at CID 0");
	ok(dial(&guest, c2, 4, 1234) == -ETIMEDOUT, "nor at an absent sibling");
	ok(dial(&host, c2, 4, 1234) == -ENXIO, "a host knows who is absent");
	ok(dial(&guest, c2, 2, 1234) == 0,
	   "the same socket connects after all");
	close(l);
	close(a);
	close(c);
	close(c2);
}

static void port_space(void)
{
	struct machine m = { .sys = &sys_kernel, .dir = new_dir(), .cid = 3 };
	const struct vaddr low = { .cid = VMADDR_CID_ANY, .port = 1023 };
	int a = unix_socket(), b = unix_socket(), c = unix_socket();
	struct sockaddr_un un;
	socklen_t len = sizeof(un);
	struct name name;
	uint32_t got;
	int p, q;

	ok(rdv_bind(&m, a, &low, false, false, &got) == -EACCES,
	   "a reserved port needs the capability");
	ok(bind_port(&m, a, 7, 5) == -EADDRNOTAVAIL, "a foreign CID is none");
	ok(bind_port(&m, a, 3, 5000) == 5000, "the own CID");
	ok(bind_port(&m, b, 1, 5000) == 5000, "and CID 1 share a port");
	ok(bind_port(&m, c, VMADDR_CID_ANY, 5000) == -EADDRINUSE,
	   "any CID clashes with both");
	ok(bind_port(&m, c, 3, 5000) == -EADDRINUSE, "and each with itself");
	getsockname(a, (struct sockaddr *)&un, &len);
	name = name_decode(&un, len);
	rdv_release(&m, &name);
	ok(n_paths(m.dir, 3) == 2, "a socket that is open keeps its path");
	p = dup(a);
	close(a);
	rdv_release(&m, &name);
	ok(n_paths(m.dir, 3) == 2, "also while a duplicate is open");
	close(p);
	rdv_release(&m, &name);
	ok(n_paths(m.dir, 3) == 1, "and loses it with the last");
	close(b);
	ok(bind_port(&m, c, VMADDR_CID_ANY, 5000) == 5000,
	   "a stale path does not hold a port");
	close(c);

	a = unix_socket();
	b = unix_socket();
	p = bind_port(&m, a, VMADDR_CID_ANY, VMADDR_PORT_ANY);
	q = bind_port(&m, b, 1, VMADDR_PORT_ANY);
	ok(p > 1023 && q == p + 1, "ephemeral ports are consecutive");
	close(a);
	close(b);

	a = unix_socket();
	b = unix_socket();
	c = unix_socket();
	bind_port(&m, a, VMADDR_CID_ANY, 6000);
	listen(a, 1);
	dial(&m, b, 1, 6000);
	len = sizeof(un);
	getsockname(b, (struct sockaddr *)&un, &len);
	ok(bind_port(&m, c, VMADDR_CID_ANY, name_decode(&un, len).port) ==
		   -EADDRINUSE,
	   "a client's own port is taken");
	close(a);
	close(b);
	close(c);
}

/* Killed processes leave paths; binds that follow remove them. */
static void sweeps(void)
{
	struct machine m = { .sys = &sys_kernel, .dir = new_dir(), .cid = 3 };
	int fd, live = unix_socket();

	bind_port(&m, live, VMADDR_CID_ANY, 1234);
	for (int i = 0; i < 50; i++) {
		fd = unix_socket();
		bind_port(&m, fd, VMADDR_CID_ANY, VMADDR_PORT_ANY);
		close(fd); /* as if it were killed: nothing is released */
	}
	ok(n_paths(m.dir, 3) < 20, "stale paths do not pile up");
	for (int i = 0; i < 10; i++) {
		fd = unix_socket();
		bind_port(&m, fd, VMADDR_CID_ANY, 77);
		close(fd);
	}
	ok(n_paths(m.dir, 3) == 2, "and go in the end");
	fd = unix_socket();
	ok(bind_port(&m, fd, VMADDR_CID_ANY, 1234) == -EADDRINUSE,
	   "a live one stays");
	close(fd);
	close(live);
}

static ssize_t nobody_reads(int fd, const struct msghdr *msg, int flags)
{
	(void)fd;
	(void)msg;
	(void)flags;
	return -EPIPE;
}

/* One more than there is room for takes another's. */
static void links(void)
{
	struct machine m = { .sys = &sys_kernel, .dir = new_dir(), .cid = 3 };
	const char *why;
	int here = 0;

	ok(rdv_open(&m, &why) == 0 && !ports_had_links(m.ports),
	   "a machine has no links");
	for (int again = 0; again < 2; again++)
		for (uint32_t port = 0; port <= 2048; port++)
			ports_add_link(m.ports, ports_link(port));
	for (uint32_t port = 0; port <= 2048; port++)
		here += ports_has_link(m.ports, ports_link(port));
	ok(here == 2048 && ports_has_link(m.ports, ports_link(2048)),
	   "2,048 are known, and they are the last");
	for (uint32_t port = 0; port <= 2048; port++)
		ports_drop_link(m.ports, ports_link(port));
	ok(!ports_has_link(m.ports, ports_link(80)) && ports_had_links(m.ports),
	   "until they end");
}

/* Who met a gateway that was dead gives that one up, not its successor. */
static void gateways(void)
{
	struct machine m = { .sys = &sys_kernel, .dir = new_dir(), .cid = 3 };
	int gateway = unix_socket(), fd = unix_socket();
	struct sys hasty = sys_kernel;
	const char *why;
	uint32_t dead;

	ok(rdv_open(&m, &why) == 0 && !ports_gateway(m.ports),
	   "a machine has no gateway");
	rdv_gateway_open(&m, false);
	dead = ports_gateway(m.ports);
	rdv_gateway_open(&m, false);
	ports_close_gateway(m.ports, dead);
	ok(dead && ports_gateway(m.ports), "a new gateway is not given up");
	rdv_gateway_close(&m);
	ok(!ports_gateway(m.ports), "one that ends is");

	m.sys = &hasty;
	hasty.sendmsg = nobody_reads;
	ok(rdv_gateway_listen(&m, gateway, false, 5) == 0, "a bridge listens");
	rdv_gateway_open(&m, false);
	ok(dial(&m, fd, 2, 80) == -EINPROGRESS && ports_gateway(m.ports),
	   "that it hangs up at once is an answer");
	close(gateway);
	close(fd);
	fd = unix_socket();
	ok(dial(&m, fd, 2, 80) == -ENODEV && !ports_gateway(m.ports),
	   "but one that is dead is given up");
	close(fd);
}

static void long_directory(void)
{
	struct machine m = { .sys = &sys_kernel, .cid = 3 };
	char dir[400];
	int l = unix_socket(), c = unix_socket();
	size_t n;

	n = (size_t)snprintf(dir, sizeof(dir), "%s/", base);
	memset(dir + n, 'd', 150);
	dir[n + 150] = '\0';
	m.dir = dir;
	ok(bind_port(&m, l, VMADDR_CID_ANY, 1234) == 1234 &&
		   listen(l, 1) == 0 && dial(&m, c, 1, 1234) == 0,
	   "a directory may be longer than sun_path");
	close(l);
	close(c);
}

/* What somebody who only asks is told, in each state of a socket. */
static void asks(void)
{
	struct machine m = { .sys = &sys_kernel, .dir = new_dir(), .cid = 3 };
	int l = unix_socket(), before = n_fds(), k, r = -1;
	bool clean = true;

	ok(rdv_listens(&m, 1234) == -ENOENT, "no directory, no listener");
	bind_port(&m, l, 3, 1234);
	ok(rdv_listens(&m, 1234) == -ECONNREFUSED,
	   "a bound socket does not listen");
	listen(l, 0);
	ok(rdv_listens(&m, 1234) == 0, "a listener does");
	fcntl(l, F_SETFL, O_NONBLOCK);
	ok(accept(l, NULL, NULL) < 0 && errno == EAGAIN,
	   "and has got no connection by that");
	for (k = 1; r < 0 && k < 100; k++) {
		struct machine other = m;

		other.sys = &failing;
		failure = -EMFILE;
		until_failure = k;
		r = rdv_listens(&other, 1234);
		clean = clean && n_fds() == before;
		if (until_failure == 0 && r >= 0)
			r = -1;
	}
	until_failure = 0;
	ok(clean && k > 4 && k < 100,
	   "whichever of %d calls fails, no descriptor is left", k - 2);
	close(l);
	ok(rdv_listens(&m, 1234) == -ECONNREFUSED, "nor does a stale path");
}

/* --- what chance, and others, do ------------------------------------------ */

static int locked_out(int fd, int op)
{
	(void)fd;
	return op & LOCK_NB ? -EWOULDBLOCK : 0;
}

static int no_sleep(const struct timespec *ts)
{
	(void)ts;
	return 0;
}

static int zeros(void *buf, size_t n)
{
	memset(buf, 0, n);
	return (int)n;
}

/* The last port that there is. */
static int last_port(void *buf, size_t n)
{
	const uint32_t port = VMADDR_PORT_ANY - 1;

	memset(buf, 0, n);
	if (n == sizeof(port))
		memcpy(buf, &port, n);
	return (int)n;
}

static ssize_t no_read(int fd, void *buf, size_t n)
{
	(void)fd;
	(void)buf;
	(void)n;
	return -EIO;
}

static void chances(void)
{
	struct sys odd = sys_kernel;
	struct machine m = { .sys = &odd, .dir = new_dir(), .cid = 3 };
	struct sockaddr_vm nowhere = addr_vm(0, 5);
	struct machine host = { .sys = &sys_kernel, .dir = m.dir, .cid = 2 };
	int fd = unix_socket(), taken = unix_socket(), l = unix_socket();
	struct msghdr msg = { .msg_iov = NULL };
	struct name none = { .kind = NAME_NONE };
	struct ports *copy = NULL;
	struct sockaddr_un un;
	socklen_t len;
	char path[300];
	uint32_t port;

	odd.random = zeros;
	ok(bind_port(&m, fd, VMADDR_CID_ANY, VMADDR_PORT_ANY) == 1024,
	   "a counter never begins with a reserved port");
	rdv_release(&m, &none);
	close(fd);
	fd = unix_socket();
	port = ports_next(m.ports) + 1;
	len = name_auto(&un, ports_id(m.ports), 3, port, 2);
	bind(taken, (struct sockaddr *)&un, len);
	bind_port(&host, l, VMADDR_CID_ANY, 1234);
	listen(l, 1);
	ok(dial(&m, fd, 2, 1234) == 0,
	   "who has the next name already has not the one after it");
	close(l);
	close(fd);
	ok(rdv_send(&m, taken, &nowhere, &msg, 0) == 0,
	   "what is sent to a machine that never answers is lost");
	close(taken);

	fd = unix_socket();
	snprintf(path, sizeof(path), "%s/3/%0200d.vsock", m.dir, 0);
	close(open(path, O_CREAT | O_RDWR, 0600));
	ok(bind_port(&m, fd, VMADDR_CID_ANY, 7000) == 7000,
	   "a name that is too long for any socket is passed over");
	close(fd);

	fd = unix_socket();
	odd.flock = locked_out;
	odd.sleep = no_sleep;
	ok(bind_port(&m, fd, VMADDR_CID_ANY, 7001) == -ENOMEM &&
		   m.refusal == -ETIMEDOUT,
	   "who holds the lock for ever is not waited for that long");
	close(fd);
	snprintf(path, sizeof(path), "%s/3", m.dir);
	odd.read = no_read;
	ok(ports_read(&odd, path, &copy) == -EIO && !copy,
	   "a ports file that cannot be read is not shown");
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	ok(ports_read(&odd, path, &copy) == -ENAMETOOLONG,
	   "a directory's name that is too long is none of a machine's");
}

static void last_ports(void)
{
	struct sys odd = sys_kernel;
	struct machine m = { .sys = &odd, .dir = new_dir(), .cid = 3 };
	int a = unix_socket(), b = unix_socket();

	odd.random = last_port;
	ok(bind_port(&m, a, VMADDR_CID_ANY, VMADDR_PORT_ANY) == 0x7ffffffe &&
		   bind_port(&m, b, VMADDR_CID_ANY, VMADDR_PORT_ANY) == 1024,
	   "after the last port comes the first that is not reserved");
	close(a);
	close(b);
}

/* A directory whose path takes a descriptor, and is not there. */
static void no_directory(void)
{
	struct machine m = { .sys = &sys_kernel, .cid = 3 };
	const struct sockaddr_vm to = addr_vm(1, 1234);
	const struct name name = { .kind = NAME_PATH, .cid = 3, .port = 1234 };
	const struct diag d = { .state = DIAG_ESTABLISHED };
	char dir[400];

	(void)snprintf(dir, sizeof(dir), "%s/%0150d", base, 0);
	m.dir = dir;
	ok(!rdv_exists(&m) && !rdv_has(&m, &d, &name) &&
		   rdv_accepted(&m, &d, &name) && rdv_now(&m, 3) == 3,
	   "in no directory is no machine");
	ok(rdv_gateway_pid(&m) == 0 && !rdv_gateway_gone(&m) &&
		   rdv_relay(&m, -1, 1, 1, &to) == -ECONNRESET &&
		   rdv_claim_all(&m) == -ENOENT,
	   "and no gateway");
}

/* Before its hello was sent. */
static void relay_refuses(void)
{
	struct sys odd = sys_kernel;
	struct machine m = { .sys = &odd, .dir = new_dir(), .cid = 3 };
	struct machine host = { .sys = &sys_kernel, .dir = m.dir, .cid = 2 };
	int l = unix_socket(), relay = unix_socket(), fd = unix_socket();

	bind_port(&host, l, VMADDR_CID_ANY, 1234);
	listen(l, 1);
	ok(rdv_gateway_listen(&m, relay, false, 1) == 0,
	   "a relay listens on a machine");
	rdv_gateway_open(&m, true);
	odd.sendmsg = nobody_reads;
	ok(dial(&m, fd, 2, 1234) == -EINPROGRESS && ports_gateway(m.ports),
	   "one that closes at once refuses, and is still there");
	rdv_gateway_close(&m);
	close(l);
	close(relay);
	close(fd);
}

static void refused_directories(void)
{
	struct machine m = { .sys = &sys_kernel, .dir = "relative", .cid = 3 };
	const char *why;
	char dir[300];

	ok(rdv_open(&m, &why) < 0 && why, "a relative directory is refused");
	snprintf(dir, sizeof(dir), "%s", new_dir());
	mkdir(dir, 0700);
	m.dir = dir;
	chmod(dir, 0777);
	ok(rdv_open(&m, &why) < 0 && why, "so is a world-writable one");
	chmod(dir, 0770);
	ok(rdv_open(&m, &why) < 0 && why, "and a group's by accident");
	chmod(dir, 02770);
	ok(rdv_open(&m, &why) == 0, "but not a group's on purpose");
}

/* --- who shares a directory puts a link in place of what was just made --- */

static char victim[sizeof(base) + 20];

static int replaced(const char *path, int r)
{
	char aside[400];

	if (r < 0)
		return r;
	snprintf(aside, sizeof(aside), "%s.aside", path);
	return rename(path, aside) < 0 || symlink(victim, path) < 0 ? -errno
								    : 0;
}

static int bind_replaced(int fd, const void *addr, socklen_t len)
{
	const struct sockaddr_un *un = addr;

	return replaced(un->sun_path, sys_kernel.bind(fd, addr, len));
}

static int mkdir_replaced(const char *path, mode_t mode)
{
	return replaced(path, sys_kernel.mkdir(path, mode));
}

static unsigned int mode_of(const char *format, const char *dir)
{
	char path[400];
	struct stat st = { 0 };

	snprintf(path, sizeof(path), format, dir);
	lstat(path, &st);
	return st.st_mode & 07777;
}

static void modes(void)
{
	struct sys door = sys_kernel;
	struct machine m = { .sys = &sys_kernel, .cid = 3 }, n = m;
	char dir[300];
	const char *why;
	int fd = unix_socket(), fd2 = unix_socket();
	mode_t old = umask(077);

	snprintf(dir, sizeof(dir), "%s", new_dir());
	snprintf(victim, sizeof(victim), "%s/victim", base);
	mkdir(victim, 0700);
	mkdir(dir, 0700);
	chmod(dir, 02770);
	m.dir = n.dir = dir;
	ok(bind_port(&m, fd, VMADDR_CID_ANY, 1234) == 1234 &&
		   mode_of("%s/3", dir) == 02770 &&
		   mode_of("%s/3/1234.vsock", dir) == 0770,
	   "a group's directory is the group's, whatever the umask");
	door.bind = bind_replaced;
	m.sys = &door;
	ok(bind_port(&m, fd2, VMADDR_CID_ANY, 1235) == 1235 &&
		   mode_of("%s", victim) == 0700,
	   "and nothing else is, that a link in a socket's place leads to");
	door.mkdir = mkdir_replaced;
	n.sys = &door;
	n.cid = 4;
	ok(rdv_open(&n, &why) < 0 && mode_of("%s", victim) == 0700,
	   "nor one in a directory's");
	umask(old);
	close(fd);
	close(fd2);
}

/* The link that machine @from leaves, which has become @to. */
static void leave_link(const char *dir, uint32_t from, const char *to)
{
	char path[500];

	snprintf(path, sizeof(path), "%s/%u", dir, from);
	if (symlink(to, path) < 0)
		perror(path);
}

static char old[310], new[310]; /* the machine's directory, before and after */

static int sleep_while_it_moves(const struct timespec *ts)
{
	(void)ts;
	return rename(old, new);
}

static void moves(void)
{
	char dir[300];
	struct sys moving = sys_kernel;
	struct machine first, second, late, host;
	int a = unix_socket(), b = unix_socket(), c = unix_socket();
	const char *why;

	snprintf(dir, sizeof(dir), "%s", new_dir());
	snprintf(old, sizeof(old), "%s/3", dir);
	snprintf(new, sizeof(new), "%s/7", dir);
	first = second = late = host =
		(struct machine){ .sys = &sys_kernel, .dir = dir, .cid = 3 };
	host.cid = 2;
	ok(rdv_open(&first, &why) == 0 && !rdv_follow(&first),
	   "a machine does not move by itself");
	(void)rdv_open(&second, &why);
	ports_set_cid(first.ports, 7);
	moving.sleep = sleep_while_it_moves;
	first.sys = &moving;
	ok(bind_port(&first, a, VMADDR_CID_ANY, 1234) == 1234 && first.cid == 7,
	   "whoever has opened it binds where it is in a moment");
	ok(bind_port(&second, b, 3, 1235) == -EADDRNOTAVAIL && second.cid == 7,
	   "and learns that it has moved by binding");
	listen(a, 1);
	ok(bind_port(&first, b, 3, 1235) == -EADDRNOTAVAIL,
	   "not to the CID that it had");
	leave_link(dir, 3, RDV_MOVED "7");
	ok(rdv_open(&late, &why) == 0 && late.cid == 7 &&
		   ports_id(late.ports) == ports_id(first.ports),
	   "whoever opens it by the link that it left is there, too");
	ok(rdv_now(&host, 3) == 7 && rdv_now(&host, 7) == 7 &&
		   rdv_now(&host, 9) == 9,
	   "and others can tell");
	ok(dial(&host, c, 3, 1234) == -ENXIO, "where it was, it is absent");
	ok(dial(&host, c, 7, 1234) == 0, "it is reached where it is");
	leave_link(dir, 8, RDV_MOVED "3");
	ok(rdv_now(&host, 8) == 7, "links are followed to their end");
	leave_link(dir, 10, RDV_MOVED "11");
	leave_link(dir, 11, RDV_MOVED "10");
	late = (struct machine){ .sys = &sys_kernel, .dir = dir, .cid = 10 };
	ok(rdv_open(&late, &why) < 0 && rdv_now(&host, 10) >= 10,
	   "not for ever");
	leave_link(dir, 12, "nowhere");
	leave_link(dir, 13, RDV_MOVED);
	leave_link(dir, 14, RDV_MOVED "7x");
	for (uint32_t cid = 12; cid <= 14; cid++) {
		late = (struct machine){ .sys = &sys_kernel,
					 .dir = dir,
					 .cid = cid };
		ok(rdv_open(&late, &why) < 0 && rdv_now(&host, cid) == cid,
		   "another link is none of these");
	}
	close(a);
	close(b);
	close(c);
}

/* What has just moved is reached all the same by who still has its old CID. */
static void moved_meanwhile(void)
{
	const char *dir = new_dir();
	const struct vaddr dgram = { .cid = VMADDR_CID_ANY, .port = 55 };
	const struct sockaddr_vm to = addr_vm(VMADDR_CID_LOCAL, 55);
	const struct machine m = { .sys = &sys_kernel, .dir = dir, .cid = 3 };
	struct machine knows = m, looks = m, sends = m;
	struct iovec iov = { (char[]){ 'x' }, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	int l = unix_socket(),
	    d = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int fd, before;
	const char *why;
	uint32_t port;

	snprintf(old, sizeof(old), "%s/3", dir);
	snprintf(new, sizeof(new), "%s/7", dir);
	bind_port(&looks, l, VMADDR_CID_ANY, 1234);
	listen(l, 5);
	rdv_bind(&looks, d, &dgram, true, true, &port);
	(void)rdv_open(&sends, &why);
	before = unix_socket();
	ok(dial(&knows, before, VMADDR_CID_LOCAL, 1234) == 0,
	   "a machine connects to itself");
	ports_set_cid(knows.ports, 7);
	ok(rename(old, new) == 0, "and moves");
	fd = unix_socket();
	ok(dial(&knows, fd, VMADDR_CID_LOCAL, 1234) == 0,
	   "whoever was connected to is so where it is now");
	close(fd);
	fd = unix_socket();
	ok(dial(&looks, fd, VMADDR_CID_LOCAL, 1234) == 0, "and who was not");
	close(fd);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ok(rdv_send(&sends, fd, &to, &msg, 0) == 1, "and who is sent to");
	close(fd);
	close(before);
	close(d);
	close(l);
}

/* A path that is gone is a connection's if it is spelled as the directory is.
 */
static void spellings(void)
{
	const char *dir = new_dir();
	const struct name name = { .kind = NAME_PATH,
				   .cid = 3,
				   .port = 1234,
				   .bound = VMADDR_CID_ANY };
	struct diag d = { .state = DIAG_ESTABLISHED, .un.sun_family = AF_UNIX };
	struct machine m = { .sys = &sys_kernel, .cid = 3 };
	char slashes[300];

	snprintf(slashes, sizeof(slashes), "%s//", dir);
	snprintf(d.un.sun_path, sizeof(d.un.sun_path), "%s/3/1234.vsock", dir);
	m.dir = dir;
	ok(rdv_has(&m, &d, &name), "a connection's path may be gone");
	m.dir = slashes;
	ok(rdv_has(&m, &d, &name), "slashes at the end say nothing");
	snprintf(d.un.sun_path, sizeof(d.un.sun_path), "%s/3/4/1234.vsock",
		 dir);
	ok(!rdv_has(&m, &d, &name), "a directory below is another one");
}

/* --- each call of each operation fails ----------------------------------- */

/* What operates, on a machine of its own with listeners on 2:1234 (a stream)
 * and 2:55 (a datagram socket). */
struct operation {
	const char *name;
	int (*run)(struct machine *m, int fd);
	int type;		  /* of the socket that it gets */
	int (*errnos)(int error); /* what the caller may see of @error, ... */
	int also[3];  /* ... or of the state that the call would have told */
	mode_t mode;  /* of the directory */
	bool is_long; /* is its name? */
	uint32_t cid; /* whose machine runs it */
};

static int run_bind(struct machine *m, int fd)
{
	return bind_port(m, fd, VMADDR_CID_ANY, 77);
}

static int run_bind_moved(struct machine *m, int fd)
{
	leave_link(m->dir, 9, RDV_MOVED "2");
	m->cid = 9;
	return run_bind(m, fd);
}
static int run_bind_any(struct machine *m, int fd)
{
	return bind_port(m, fd, VMADDR_CID_ANY, VMADDR_PORT_ANY);
}

/* A port that a client may have: all names are looked at. */
static int run_bind_issued(struct machine *m, int fd)
{
	const char *why;

	m->sys = &sys_kernel;
	(void)rdv_open(m, &why);
	m->sys = &failing;
	return bind_port(m, fd, 1, ports_next(m->ports));
}

static int run_bind_dgram(struct machine *m, int fd)
{
	const struct vaddr want = { .cid = VMADDR_CID_ANY, .port = 77 };
	uint32_t port;

	return rdv_bind(m, fd, &want, true, true, &port);
}

/* Whatever fails, its port is free for others. */
static int run_release(struct machine *m, int fd)
{
	const struct name name = { .kind = NAME_PATH,
				   .cid = m->cid,
				   .port = 77,
				   .bound = VMADDR_CID_ANY };
	int other = unix_socket();

	m->sys = &sys_kernel;
	run_bind(m, other);
	close(other);
	m->sys = &failing;
	rdv_release(m, &name);
	m->sys = &sys_kernel;
	return run_bind(m, fd);
}

static int run_connect(struct machine *m, int fd)
{
	return dial(m, fd, 2, 1234);
}

static int run_refused(struct machine *m, int fd)
{
	return dial(m, fd, 2, 99) == -ECONNRESET ? 0 : -ECONNRESET;
}

static int run_send(struct machine *m, int fd)
{
	const struct sockaddr_vm to = addr_vm(2, 55);
	char x[] = "x";
	struct iovec iov = { x, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	return (int)rdv_send(m, fd, &to, &msg, 0);
}

static int run_deliver(struct machine *m, int fd)
{
	const struct vaddr from = { .cid = 9, .port = 5000 };

	return rdv_deliver(m, fd, 1, &from, 1234);
}

static int run_listens(struct machine *m, int fd)
{
	(void)fd;
	return rdv_listens(m, 1234);
}

static int run_claim(struct machine *m, int fd)
{
	int claim = rdv_gateway_claim(m);

	(void)fd;
	if (claim >= 0)
		rdv_gateway_unclaim(m, claim);
	return claim;
}

static int run_gateway_listen(struct machine *m, int fd)
{
	return rdv_gateway_listen(m, fd, false, 5);
}

/* What a bridge does to the machine whose programs it serves. */
static int run_gateway(struct machine *m, int fd)
{
	int gateway = unix_socket(), r;

	m->sys = &sys_kernel;
	(void)rdv_gateway_listen(m, gateway, false, 5);
	rdv_gateway_open(m, false);
	m->sys = &failing;
	r = dial(m, fd, 9, 80);
	(void)rdv_gateway_lives(m);
	(void)rdv_in_use(m);
	rdv_gateway_close(m);
	close(gateway);
	return r == -EINPROGRESS ? 0 : r;
}

/* What a relay does, with who has its gateway and where it has moved. */
static int run_relay(struct machine *m, int fd)
{
	const struct sockaddr_vm to = addr_vm(VMADDR_CID_HOST, 1234);
	int gateway = unix_socket(), all, r;

	m->sys = &sys_kernel;
	(void)rdv_gateway_listen(m, gateway, false, 5);
	m->sys = &failing;
	r = rdv_relay(m, fd, 7, 80, &to);
	all = rdv_claim_all(m);
	if (all >= 0)
		close(all);
	(void)rdv_gateway_pid(m);
	(void)rdv_gateway_gone(m);
	(void)rdv_now(m, 3);
	m->sys = &sys_kernel;
	rdv_gateway_close(m);
	close(gateway);
	return r;
}

static int bind_errnos(int error)
{
	return error == EMFILE || error == ENFILE ? error : ENOMEM;
}

static int connect_errnos(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOMEM ? error
								     : ENODEV;
}

static int any_errno(int error)
{
	return error;
}

static const struct operation operations[] = {
	{ "bind",
	  run_bind,
	  SOCK_STREAM,
	  bind_errnos,
	  { EADDRINUSE },
	  0700,
	  false,
	  3 },
	{ "bind of any port",
	  run_bind_any,
	  SOCK_STREAM,
	  bind_errnos,
	  { 0 },
	  0700,
	  false,
	  3 },
	{ "bind of a client's port",
	  run_bind_issued,
	  SOCK_STREAM,
	  bind_errnos,
	  { EADDRINUSE },
	  0700,
	  false,
	  3 },
	{ "bind in a long directory",
	  run_bind,
	  SOCK_STREAM,
	  bind_errnos,
	  { EADDRINUSE },
	  0700,
	  true,
	  3 },
	{ "bind where the machine has moved to",
	  run_bind_moved,
	  SOCK_STREAM,
	  bind_errnos,
	  { EADDRINUSE, ENOMEM },
	  0700,
	  false,
	  2 },
	{ "bind in a group's directory",
	  run_bind,
	  SOCK_SEQPACKET,
	  bind_errnos,
	  { EADDRINUSE },
	  02770,
	  false,
	  3 },
	{ "bind of a datagram socket",
	  run_bind_dgram,
	  SOCK_DGRAM,
	  bind_errnos,
	  { EADDRINUSE },
	  0700,
	  false,
	  3 },
	{ "release",
	  run_release,
	  SOCK_STREAM,
	  any_errno,
	  { 0 },
	  0700,
	  true,
	  3 },
	{ "connect",
	  run_connect,
	  SOCK_STREAM,
	  connect_errnos,
	  { 0 },
	  0700,
	  false,
	  3 },
	{ "connect on the machine",
	  run_connect,
	  SOCK_STREAM,
	  connect_errnos,
	  { 0 },
	  0700,
	  false,
	  2 },
	{ "connect in a long directory",
	  run_connect,
	  SOCK_STREAM,
	  connect_errnos,
	  { 0 },
	  0700,
	  true,
	  3 },
	{ "connect in everybody's directory",
	  run_connect,
	  SOCK_STREAM,
	  connect_errnos,
	  { 0 },
	  01777,
	  false,
	  3 },
	{ "connect to nobody",
	  run_refused,
	  SOCK_STREAM,
	  connect_errnos,
	  { ECONNRESET },
	  0700,
	  false,
	  3 },
	{ "send", run_send, SOCK_DGRAM, connect_errnos, { 0 }, 0700, false, 3 },
	{ "deliver",
	  run_deliver,
	  SOCK_STREAM,
	  any_errno,
	  { ENODEV },
	  0700,
	  false,
	  2 },
	{ "listens",
	  run_listens,
	  SOCK_STREAM,
	  any_errno,
	  { 0 },
	  0700,
	  true,
	  2 },
	{ "send in a long directory",
	  run_send,
	  SOCK_DGRAM,
	  connect_errnos,
	  { 0 },
	  0700,
	  true,
	  3 },
	{ "listen as a gateway",
	  run_gateway_listen,
	  SOCK_STREAM,
	  any_errno,
	  { EADDRINUSE },
	  0700,
	  true,
	  3 },
	{ "connect to a gateway",
	  run_gateway,
	  SOCK_STREAM,
	  connect_errnos,
	  { 0 },
	  01777,
	  true,
	  3 },
	{ "relay a connect",
	  run_relay,
	  SOCK_STREAM,
	  connect_errnos,
	  { EMFILE },
	  01777,
	  true,
	  3 },
	{ "claim", run_claim, SOCK_STREAM, any_errno, { 0 }, 0700, true, 2 },
};

static bool may_return(const struct operation *op, int r, int error)
{
	for (size_t i = 0; i < ARRAY_SIZE(op->also); i++)
		if (op->also[i] && r == -op->also[i])
			return true;
	return r == -op->errnos(error);
}

/* Let the @k-th call fail. False if it made no more than that. */
static bool kth_fails(const struct operation *op, int k, int error, bool *good,
		      bool *clean)
{
	const struct vaddr dgram = { .cid = VMADDR_CID_ANY, .port = 55 };
	struct machine host = { .sys = &sys_kernel, .cid = 2 }, m = host;
	char dir[400];
	int l = unix_socket(), d, fd, fds, paths, r;
	uint32_t port;
	bool failed;

	r = snprintf(dir, sizeof(dir), "%s%0*d", new_dir(),
		     op->is_long ? 150 : 1, 0);
	if (r < 0 || mkdir(dir, 0700) < 0 || chmod(dir, op->mode) < 0)
		return false;
	host.dir = m.dir = dir;
	m.cid = op->cid;
	m.sys = &failing;
	d = socket(AF_UNIX, SOCK_DGRAM, 0);
	fd = socket(AF_UNIX, op->type, 0);
	fds = n_fds();
	bind_port(&host, l, VMADDR_CID_ANY, 1234);
	listen(l, 5);
	rdv_bind(&host, d, &dgram, true, true, &port);
	paths = n_paths(dir, (int)op->cid);

	failure = -error;
	writes = 0;
	until_failure = k;
	r = op->run(&m, fd);
	failed = until_failure == 0;
	until_failure = 0;
	if (failed && r < 0 && !may_return(op, r, error)) {
		printf("# %s: call %d fails with %d, says %d\n", op->name, k,
		       error, -r);
		*good = false;
	}
	if (n_fds() != fds || (r < 0 && n_paths(dir, (int)op->cid) != paths)) {
		printf("# %s: call %d fails with %d, leaves something\n",
		       op->name, k, error);
		*clean = false;
	}
	close(fd);
	close(l);
	close(d);
	/* what is mapped stays in memory, also of a file that is removed */
	if (m.ports)
		ports_unmap(m.ports);
	if (host.ports)
		ports_unmap(host.ports);
	return failed;
}

static void each_fails(const struct operation *op)
{
	static const int errors[] = { EMFILE, ENFILE, ENOMEM,
				      ENOSPC, EACCES, EROFS };
	bool good = true, clean = true;
	int k = 1, calls = 0;

	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		for (k = 1; k < 200; k++)
			if (!kth_fails(op, k, errors[i], &good, &clean))
				break;
		calls += k - 1;
	}
	ok(good && calls >= 8 && k < 200,
	   "%s, each of its calls fails with each of %zu errors (%d): "
	   "it says so, or does it",
	   op->name, ARRAY_SIZE(errors), calls);
	ok(clean, "and no descriptor and no path is left");
	clear();
}

int main(void)
{
	const char *tmp = getenv("TMPDIR");

	if (!tmp) /* thousands of files: in memory, if that may be */
		tmp = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	snprintf(base, sizeof(base), "%s/rdv.XXXXXX", tmp);
	if (!mkdtemp(base)) {
		perror(base);
		return 1;
	}
	make_failing();
	meets();
	port_space();
	sweeps();
	links();
	gateways();
	long_directory();
	asks();
	chances();
	last_ports();
	no_directory();
	relay_refuses();
	refused_directories();
	modes();
	moves();
	moved_meanwhile();
	spellings();
	for (size_t i = 0; i < ARRAY_SIZE(operations); i++)
		each_fails(&operations[i]);
	rmdir(base);
	return done();
}
