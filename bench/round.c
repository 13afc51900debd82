/* SPDX-License-Identifier: MIT */
/*
 * One round of one side: a client and a server of any family, two ordinary
 * programs that verify what they move and know nothing of a preload.
 */
#include "round.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* As the shim's sockets have it: the buffer of a kernel's vsock. */
#define VSOCK_SNDBUF 131088
/* Below any system's limit of a backlog. */
#define BACKLOG	  128
#define LISTENING 'l'
/* Seconds for what takes milliseconds, or else it hangs. */
#define DEADLINE 20

int check(int r, const char *what)
{
	if (r < 0)
		die("%s: %s", what, strerror(errno));
	return r;
}

static socklen_t unix_addr(const struct round_opts *o, unsigned int port,
			   struct sockaddr_un *ret)
{
	int n = snprintf(ret->sun_path, sizeof(ret->sun_path),
			 /* As deep as a rendezvous path: looking it up costs
			  * the same. */
			 "%s/u/2/%u.plain", o->dir, port);

	if ((size_t)n >= sizeof(ret->sun_path))
		die("%s: too long for a socket", o->dir);
	ret->sun_family = AF_UNIX;
	return sizeof(*ret);
}

socklen_t set_addr(const struct end *e, union addr *ret, bool peer,
		   unsigned int port)
{
	const char *family = e->o->family;

	memset(ret, 0, sizeof(*ret));
	if (!strcmp(family, "unix"))
		return unix_addr(e->o, port, &ret->un);
	if (!strcmp(family, "vsock")) {
		ret->vm.svm_family = AF_VSOCK;
		ret->vm.svm_cid = peer ? VMADDR_CID_LOCAL : VMADDR_CID_ANY;
		ret->vm.svm_port = port;
		return sizeof(ret->vm);
	}
	if (strcmp(family, "inet") != 0)
		die("%s: no such family", family);
	ret->in.sin_family = AF_INET;
	ret->in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ret->in.sin_port = htons(e->sh->tcp_port);
	return sizeof(ret->in);
}

static void set_sndbuf(const struct end *e, int fd)
{
	int size = VSOCK_SNDBUF;

	if (e->o->sndbuf)
		check(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size,
				 sizeof(size)),
		      "SO_SNDBUF");
}

int make_socket(struct end *e)
{
	int fd = check(socket(e->addr.sa.sa_family, (int)e->o->type, 0),
		       "socket");

	if (e->o->type == SOCK_DGRAM)
		set_sndbuf(e, fd);
	return fd;
}

int dial(struct end *e)
{
	int fd = make_socket(e);

	check(connect(fd, &e->addr.sa, e->addr_len), "connect");
	set_sndbuf(e, fd);
	return fd;
}

int answer(struct end *e, int listener)
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

void write_all(int fd, const void *buf, size_t size)
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

bool read_all(int fd, void *buf, size_t size)
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

	for (size_t i = 0; i < WORDS; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		e->pattern[i] = x;
	}
}

void verify(struct end *e, uint64_t seq)
{
	e->pattern[0] = seq;
	if (memcmp(e->got, e->pattern, e->o->size) != 0)
		die("message %llu arrived altered", (unsigned long long)seq);
}

static int listen_on(struct end *e)
{
	int fd = make_socket(e);
	socklen_t len = e->addr_len;

	check(bind(fd, &e->addr.sa, e->addr_len), "bind");
	check(listen(fd, BACKLOG), "listen");
	if (e->addr.sa.sa_family == AF_INET) {
		check(getsockname(fd, &e->addr.sa, &len), "getsockname");
		e->sh->tcp_port = ntohs(e->addr.in.sin_port);
	}
	return fd;
}

static void server(const struct job *job, struct end *e, int ready)
{
	static const char listening = LISTENING;
	int fd = -1;

	if (job->serve)
		fd = listen_on(e);
	write_all(ready, &listening, 1);
	if (!job->serve)
		return;
	for (unsigned int i = 0; i < e->o->conns; i++)
		e->fds[i] = answer(e, fd);
	job->serve(e, fd);
	for (unsigned int i = 0; i < e->o->conns; i++)
		check(close(e->fds[i]), "close");
	check(close(fd), "close");
	if (e->addr.sa.sa_family == AF_UNIX)
		check(unlink(e->addr.un.sun_path), "unlink");
}

/* Steps for @seconds, until the server has seen all. */
static struct figure work(const struct job *job, struct end *e, double seconds)
{
	uint64_t before = e->sent;
	double start = now();

	do {
		for (unsigned int i = 0; i < job->batch; i++) {
			job->step(e);
			e->sent++;
		}
	} while (now() < start + seconds);
	while (e->sh->done != e->sent)
		sched_yield();
	return (struct figure){ .n = (double)(e->sent - before),
				.cost = now() - start };
}

/* A slice for each byte that comes, and a line of figures for each slice. */
static void client(const struct job *job, struct end *e, double seconds)
{
	struct figure f;
	char c;

	alarm(DEADLINE);
	for (unsigned int i = 0; i < e->o->conns; i++)
		e->fds[i] = dial(e);
	if (job->start)
		job->start(e);
	alarm(0);
	while (read(STDIN_FILENO, &c, 1) == 1) {
		alarm(DEADLINE);
		if (job->measure) {
			f = job->measure(e);
		} else {
			work(job, e, seconds / 5);
			f = work(job, e, seconds);
		}
		dprintf(STDOUT_FILENO, "%.0f %.9f\n", f.n, f.cost);
		alarm(0);
	}
	e->sh->stop = true;
	if (job->stop)
		job->stop(e);
	for (unsigned int i = 0; i < e->o->conns; i++)
		check(close(e->fds[i]), "close");
}

/* Both must succeed; if one fails, the other would wait for it in vain. */
static int wait_both(pid_t a, pid_t b)
{
	int failed = 0;

	for (int left = 2; left; left--) {
		int status;
		pid_t pid = check(wait(&status), "wait");

		if (left == 2 && pid == b)
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

static const struct job *find(const struct job *job, const char *name)
{
	while (job->name && strcmp(job->name, name) != 0)
		job++;
	return job->name ? job : NULL;
}

int round_run(const struct round_opts *o)
{
	const struct job *job = find(moving_jobs, o->job);
	static struct end e;
	int ready[2];
	char c = 0;
	pid_t pids[2];

	if (!job)
		job = find(asking_jobs, o->job);
	if (!job || o->size > MAX_SIZE || o->conns > MAX_CONNS)
		die("%s: no such job", o->job);
	e.o = o;
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
		if (i) {
			close(ready[1]);
			if (read(ready[0], &c, 1) != 1 || c != LISTENING)
				die("nobody listens");
		}
		e.addr_len = set_addr(&e, &e.addr, i, o->port);
		if (i)
			client(job, &e, o->ms * 0.001);
		else
			server(job, &e, ready[1]);
		exit(0);
	}
	close(ready[0]);
	close(ready[1]);
	return wait_both(pids[0], pids[1]);
}
