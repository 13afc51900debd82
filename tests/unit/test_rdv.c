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
FAILING(flock, (int a, int b), (a, b))
FAILING(fstat, (int a, struct stat *b), (a, b))
FAILING(stat, (const char *a, struct stat *b), (a, b))
FAILING(lstat, (const char *a, struct stat *b), (a, b))
FAILING(mkdir, (const char *a, mode_t b), (a, b))
FAILING(unlink, (const char *a), (a))

static int64_t f_lseek(int fd, int64_t offset, int whence)
{
	return fails() ? failure : sys_kernel.lseek(fd, offset, whence);
}

FAILING(chmod, (const char *a, mode_t b), (a, b))
FAILING(map, (int a, size_t b, void **c), (a, b, c))
FAILING(random, (void *a, size_t b), (a, b))

static ssize_t f_write(int fd, const void *buf, size_t n)
{
	return fails() ? failure : sys_kernel.write(fd, buf, n);
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
	failing.chmod = f_chmod;
	failing.lseek = f_lseek;
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

/* How many *.vsock there are on machine @cid. */
static int n_paths(const char *dir, int cid)
{
	char path[300];
	struct dirent *e;
	int n = 0;
	DIR *d;

	snprintf(path, sizeof(path), "%s/%d", dir, cid);
	d = opendir(path);
	while (d && (e = readdir(d)))
		n += strstr(e->d_name, ".vsock") != NULL;
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

static bool good_errno(int r)
{
	return r == -ENOMEM || r == -EMFILE || r == -ENFILE ||
	       r == -EADDRINUSE || r == -EADDRNOTAVAIL || r == -EINVAL;
}

/* Whatever call fails: an errno of bind(2), and nothing is left but the file
 * that is the machine's own. */
static void failing_bind(int error)
{
	bool good = true, clean = true;
	int k, r = -1, before = n_fds();

	failure = error;
	for (k = 1; r < 0 && k < 100; k++) {
		struct machine m = { .sys = &failing,
				     .dir = new_dir(),
				     .cid = 3 };
		int fd = unix_socket();

		until_failure = k;
		r = bind_port(&m, fd, VMADDR_CID_ANY, 1234);
		if (until_failure == 0 && r < 0) {
			good = good && good_errno(r);
			clean = clean && n_paths(m.dir, 3) == 0;
		}
		if (until_failure == 0 && r >= 0)
			r = -1; /* it survived that failure; next */
		until_failure = 0;
		close(fd);
		clean = clean && n_fds() == before;
	}
	ok(good && k > 10 && k < 100,
	   "bind, each of %d calls failing with %d: "
	   "its errno is one of bind's",
	   k - 2, -error);
	ok(clean, "and no descriptor and no path is left");
}

static void failing_connect(int error)
{
	const char *dir = new_dir();
	struct machine host = { .sys = &sys_kernel, .dir = dir, .cid = 2 };
	int l = unix_socket(), before, k, r = -1;
	bool good = true, clean = true;

	bind_port(&host, l, VMADDR_CID_ANY, 1234);
	listen(l, 100);
	before = n_fds();
	failure = error;
	for (k = 1; r < 0 && k < 100; k++) {
		struct machine m = { .sys = &failing, .dir = dir, .cid = 3 };
		int fd = unix_socket();

		until_failure = k;
		r = dial(&m, fd, 2, 1234);
		if (r < 0)
			good = good &&
			       (r == error || r == -ENODEV || r == -ECONNRESET);
		if (until_failure == 0 && r >= 0)
			r = -1;
		until_failure = 0;
		close(fd);
		clean = clean && n_fds() == before;
	}
	ok(good && k > 5 && k < 100,
	   "connect, each of %d calls failing with "
	   "%d: its errno is one of connect's",
	   k - 2, -error);
	ok(clean, "and no descriptor is left");
	close(l);
}

int main(void)
{
	char command[sizeof(base) + 20];
	const char *tmp = getenv("TMPDIR");

	snprintf(base, sizeof(base), "%s/rdv.XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(base)) {
		perror(base);
		return 1;
	}
	make_failing();
	meets();
	port_space();
	sweeps();
	long_directory();
	asks();
	refused_directories();
	failing_bind(-ENOSPC);
	failing_bind(-EMFILE);
	failing_connect(-ENOMEM);
	failing_connect(-EMFILE);
	snprintf(command, sizeof(command), "rm -rf %s", base);
	if (system(command) != 0)
		return 1;
	return done();
}
