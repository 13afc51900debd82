/* SPDX-License-Identifier: MIT */
/*
 * One round of one side: a client and a server on AF_UNIX or AF_VSOCK, two
 * ordinary programs that verify what they move and know nothing of a preload.
 *
 * The client leads. It counts what it did in `sent`, the server what it saw
 * and verified in `done`; the clock stops only when the two are equal.
 */
#include "bench.h"

#include <errno.h>
#include <linux/vm_sockets.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define PING_SIZE 64
/* As the shim's sockets have it: the buffer of a kernel's vsock. */
#define VSOCK_SNDBUF 131088
/* Connections that may wait; below any system's limit of a backlog. */
#define MAX_PENDING 64
#define LISTENING   'l'
/* Seconds for what takes milliseconds, or else it hangs. */
#define DEADLINE 20

struct shared {
	_Atomic uint64_t done;
	_Atomic bool stop;
};

struct end {
	struct shared *sh;
	union {
		struct sockaddr sa;
		struct sockaddr_un un;
		struct sockaddr_vm vm;
	} addr;
	socklen_t addr_len;
	bool sndbuf;
	int fd;
	uint64_t sent;
	/* Blocks and messages: what is sent or expected, what arrived. */
	uint64_t pattern[BLOCK_SIZE / sizeof(uint64_t)];
	uint64_t got[BLOCK_SIZE / sizeof(uint64_t)];
};

struct job {
	const char *name;
	int type;
	unsigned int batch;
	bool one_connection;
	void (*step)(struct end *e);
	void (*serve)(struct end *e, int listener);
};

static int check(int r, const char *what)
{
	if (r < 0)
		die("%s: %s", what, strerror(errno));
	return r;
}

static void set_addr(struct end *e, const struct round_opts *o, uint32_t cid)
{
	memset(&e->addr, 0, sizeof(e->addr));
	if (!strcmp(o->family, "vsock")) {
		e->addr.vm.svm_family = AF_VSOCK;
		e->addr.vm.svm_cid = cid;
		e->addr.vm.svm_port = o->port;
		e->addr_len = sizeof(e->addr.vm);
		return;
	}
	if (strcmp(o->family, "unix") != 0)
		die("%s: no such family", o->family);
	e->addr.un.sun_family = AF_UNIX;
	/* As deep as a rendezvous path: looking it up costs the same. */
	if ((size_t)snprintf(e->addr.un.sun_path, sizeof(e->addr.un.sun_path),
			     "%s/u/2/%u.plain", o->dir,
			     o->port) >= sizeof(e->addr.un.sun_path))
		die("%s: too long for a socket", o->dir);
	e->addr_len = sizeof(e->addr.un);
}

static void set_sndbuf(const struct end *e, int fd)
{
	int size = VSOCK_SNDBUF;

	if (e->sndbuf)
		check(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size,
				 sizeof(size)),
		      "SO_SNDBUF");
}

static int dial(struct end *e, int type)
{
	int fd = check(socket(e->addr.sa.sa_family, type, 0), "socket");

	check(connect(fd, &e->addr.sa, e->addr_len), "connect");
	set_sndbuf(e, fd);
	return fd;
}

static int answer(struct end *e, int listener)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);
	int fd;

	peer.ss_family = AF_UNSPEC;
	fd = check(accept(listener, (struct sockaddr *)&peer, &len), "accept");
	if (peer.ss_family != e->addr.sa.sa_family)
		die("accept: a peer of family %d", peer.ss_family);
	set_sndbuf(e, fd);
	return fd;
}

static void write_all(int fd, const void *buf, size_t size)
{
	const char *p = buf;

	while (size) {
		ssize_t n = write(fd, p, size);

		if (n <= 0)
			die("write: %s", n ? strerror(errno) : "nothing");
		p += n;
		size -= (size_t)n;
	}
}

/* Returns false at the end of the stream. */
static bool read_all(int fd, void *buf, size_t size)
{
	size_t got = 0;

	while (got < size) {
		ssize_t n = read(fd, (char *)buf + got, size - got);

		if (n < 0)
			die("read: %s", strerror(errno));
		if (n == 0 && got)
			die("read: the stream ends within a block");
		if (n == 0)
			return false;
		got += (size_t)n;
	}
	return true;
}

/* Every byte of every block is known to both ends; the first word counts. */
static void set_pattern(struct end *e)
{
	uint64_t x = 0x9e3779b97f4a7c15;

	for (size_t i = 0; i < ARRAY_SIZE(e->pattern); i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		e->pattern[i] = x;
	}
}

static void verify(struct end *e, size_t size, uint64_t seq)
{
	e->pattern[0] = seq;
	if (memcmp(e->got, e->pattern, size) != 0)
		die("message %llu arrived altered", (unsigned long long)seq);
}

static void connect_step(struct end *e)
{
	while (e->sent - e->sh->done >= MAX_PENDING)
		sched_yield();
	check(close(dial(e, SOCK_STREAM)), "close");
}

static void connect_serve(struct end *e, int listener)
{
	for (;;) {
		check(close(answer(e, listener)), "close");
		if (e->sh->stop)
			return;
		e->sh->done++;
	}
}

/* One message is under way at a time: it is never cut. */
static void ping_step(struct end *e)
{
	e->pattern[0] = e->sent;
	if (send(e->fd, e->pattern, PING_SIZE, MSG_NOSIGNAL) != PING_SIZE)
		die("send: %s", strerror(errno));
	if (recv(e->fd, e->got, PING_SIZE, 0) != PING_SIZE)
		die("recv: no answer to message %llu",
		    (unsigned long long)e->sent);
	verify(e, PING_SIZE, e->sent);
}

static void ping_serve(struct end *e, int listener)
{
	int fd = answer(e, listener);
	ssize_t n;

	while ((n = recv(fd, e->got, PING_SIZE, 0)) == PING_SIZE) {
		verify(e, PING_SIZE, e->sh->done);
		e->sh->done++;
		if (send(fd, e->got, PING_SIZE, MSG_NOSIGNAL) != PING_SIZE)
			die("send: %s", strerror(errno));
	}
	if (n)
		die("recv: %zd bytes at the end", n);
	check(close(fd), "close");
}

static void bulk_step(struct end *e)
{
	e->pattern[0] = e->sent;
	write_all(e->fd, e->pattern, BLOCK_SIZE);
}

static void bulk_serve(struct end *e, int listener)
{
	int fd = answer(e, listener);

	while (read_all(fd, e->got, BLOCK_SIZE)) {
		verify(e, BLOCK_SIZE, e->sh->done);
		e->sh->done++;
	}
	check(close(fd), "close");
}

static const struct job jobs[] = {
	{
		.name = "connect",
		.type = SOCK_STREAM,
		.batch = 16,
		.step = connect_step,
		.serve = connect_serve,
	},
	{
		.name = "pingpong",
		.type = SOCK_STREAM,
		.batch = 16,
		.one_connection = true,
		.step = ping_step,
		.serve = ping_serve,
	},
	{
		.name = "bulk",
		.type = SOCK_STREAM,
		.batch = 4,
		.one_connection = true,
		.step = bulk_step,
		.serve = bulk_serve,
	},
};

static void server(const struct job *job, struct end *e, int ready)
{
	static const char listening = LISTENING;
	int fd = check(socket(e->addr.sa.sa_family, job->type, 0), "socket");

	check(bind(fd, &e->addr.sa, e->addr_len), "bind");
	check(listen(fd, MAX_PENDING * 2), "listen");
	write_all(ready, &listening, 1);
	job->serve(e, fd);
	check(close(fd), "close");
	if (e->addr.sa.sa_family == AF_UNIX)
		check(unlink(e->addr.un.sun_path), "unlink");
}

/* Steps for @seconds, until the server has seen all; returns how many. */
static uint64_t work(const struct job *job, struct end *e, double seconds)
{
	uint64_t before = e->sent;
	double end = now() + seconds;

	do {
		for (unsigned int i = 0; i < job->batch; i++) {
			job->step(e);
			e->sent++;
		}
	} while (now() < end);
	while (e->sh->done != e->sent)
		sched_yield();
	return e->sent - before;
}

/* A slice for each byte that comes, and a line of figures for each slice. */
static void client(const struct job *job, struct end *e, double seconds)
{
	char c;

	if (job->one_connection)
		e->fd = dial(e, job->type);
	while (read(STDIN_FILENO, &c, 1) == 1) {
		double start;
		uint64_t n;

		alarm(DEADLINE);
		work(job, e, seconds / 5);
		start = now();
		n = work(job, e, seconds);
		dprintf(STDOUT_FILENO, "%llu %.9f\n", (unsigned long long)n,
			now() - start);
		alarm(0);
	}
	e->sh->stop = true;
	if (!job->one_connection)
		e->fd = dial(e, job->type);
	check(close(e->fd), "close");
}

/* Both must succeed; if one fails, the other would wait for it in vain. */
static int wait_both(pid_t a, pid_t b)
{
	int failed = 0;

	for (int left = 2; left; left--) {
		int status;
		pid_t pid = check(wait(&status), "wait");

		alarm(DEADLINE);
		if (!status || failed)
			continue;
		failed = 1;
		if (WIFSIGNALED(status))
			fprintf(stderr, "bench: an end died of signal %d%s\n",
				WTERMSIG(status),
				WTERMSIG(status) == SIGALRM ? ": it hung" : "");
		if (left == 2)
			kill(pid == a ? b : a, SIGKILL);
	}
	return failed;
}

int round_run(const struct round_opts *o)
{
	const struct job *job = NULL;
	static struct end e;
	int ready[2];
	char c = 0;
	pid_t pids[2];

	for (size_t i = 0; i < ARRAY_SIZE(jobs); i++)
		if (!strcmp(jobs[i].name, o->job))
			job = &jobs[i];
	if (!job)
		die("%s: no such job", o->job);
	e.sndbuf = o->sndbuf;
	e.sh = mmap(NULL, sizeof(*e.sh), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (e.sh == MAP_FAILED)
		die("mmap: %s", strerror(errno));
	set_pattern(&e);
	check(pipe(ready), "pipe");
	for (int i = 0; i < 2; i++) {
		pids[i] = check(fork(), "fork");
		if (pids[i])
			continue;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		set_addr(&e, o, i ? VMADDR_CID_LOCAL : VMADDR_CID_ANY);
		if (i) {
			close(ready[1]);
			if (read(ready[0], &c, 1) != 1 || c != LISTENING)
				die("nobody listens");
			client(job, &e, o->ms * 0.001);
		} else {
			server(job, &e, ready[1]);
		}
		exit(0);
	}
	close(ready[0]);
	close(ready[1]);
	return wait_both(pids[0], pids[1]);
}
