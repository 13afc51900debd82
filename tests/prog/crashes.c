/* SPDX-License-Identifier: MIT */
/*
 * crashes kill ROUNDS SEED: servers and clients under load, of SEQPACKET in
 * each other round, one of which is killed at a random moment; says what the
 * others saw, and what was left. crashes race ROUNDS: two processes bind one
 * port at once, often one that a process left that has ended; says how often
 * exactly one of them got it.
 */
#include "vsock.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define WITNESS	 6900 /* they listen all the time */
#define PORT	 7000
#define CLIENTS	 3
#define EXCHANGE 40000 /* bytes, there and back */
#define MESSAGE	 10000 /* of SEQPACKET */

static struct shared {
	pthread_barrier_t barrier;
	int result[2]; /* of a race: 0, or an errno */
	int gone;      /* the server: it may end connections */
	unsigned int bound[CLIENTS + 1]; /* the port of each client's last */
} * shared;

static void share(void)
{
	pthread_barrierattr_t attr;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		die("mmap");
	pthread_barrierattr_init(&attr);
	pthread_barrierattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_barrier_init(&shared->barrier, &attr, 2);
}

static int make_socket(int of_type)
{
	int fd = socket(AF_VSOCK, of_type, 0);

	if (fd < 0)
		die("socket");
	return fd;
}

/* --- race ---------------------------------------------------------------- */

static int rounds;

/* A process ends, and its path stays. */
static void leave(unsigned int port)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(vsock_bind(vsock_socket(0), port) ? errno : 0);
	if (waitpid(pid, &status, 0) != pid || status != 0)
		die("leave");
}

static void race_side(int side)
{
	/* each clashes with the first */
	static const unsigned int cids[] = { VMADDR_CID_ANY, VMADDR_CID_LOCAL,
					     VMADDR_CID_HOST };
	int wins = 0, wrong = 0;

	for (int i = 0; i < rounds; i++) {
		unsigned int cid = side ? cids[i % 3] : VMADDR_CID_ANY;
		struct sockaddr_vm addr =
			vsock_addr(cid, PORT + (unsigned int)i % 50);
		int fd = make_socket(side && i % 2 ? SOCK_SEQPACKET
						   : SOCK_STREAM);

		if (side && i % 4 > 1)
			leave(addr.svm_port);
		pthread_barrier_wait(&shared->barrier);
		shared->result[side] =
			bind(fd, (struct sockaddr *)&addr, sizeof(addr)) ? errno
									 : 0;
		pthread_barrier_wait(&shared->barrier);
		if (shared->result[0] == 0)
			wins += shared->result[1] == EADDRINUSE;
		else if (shared->result[1] == 0)
			wins += shared->result[0] == EADDRINUSE;
		wrong += shared->result[side] &&
			 shared->result[side] != EADDRINUSE;
		close(fd);
		pthread_barrier_wait(&shared->barrier);
	}
	if (side)
		exit(0);
	say("one wins", wins);
	say("wrong", wrong);
}

static void race(void)
{
	pid_t pid;

	share();
	pid = fork();
	race_side(pid == 0);
	waitpid(pid, NULL, 0);
}

/* --- kill ---------------------------------------------------------------- */

static unsigned int seed;
static int type; /* of the round */

static int listen_on(int of_type, unsigned int port)
{
	int fd = make_socket(of_type);

	if (vsock_bind(fd, port) || listen(fd, 9))
		die("listen");
	return fd;
}

static unsigned int chance(unsigned int n)
{
	seed = seed * 1103515245 + 12345;
	return (seed >> 8) % n;
}

/* What nobody should see: @what, and errno. */
static void odd(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerrorname_np(errno));
	exit(1);
}

/* Gives back what it gets. False: the client has gone. */
static int serve(int fd)
{
	static char buf[30000];
	ssize_t n = read(fd, buf, sizeof(buf)), m;

	if (n < 0)
		odd("server read");
	for (ssize_t done = 0; done < n; done += m) {
		m = write(fd, buf + done, (size_t)(n - done));
		if (m < 0 && errno != EPIPE)
			odd("server write");
		if (m < 0)
			return 0;
	}
	return n > 0;
}

static void on_term(int sig)
{
	(void)sig;
	_exit(0);
}

static void server(unsigned int port, int ready)
{
	struct pollfd p[40] = { { .fd = listen_on(type, port),
				  .events = POLLIN } };
	nfds_t n = 1;

	signal(SIGTERM, on_term);
	close(ready);
	for (;;) {
		if (poll(p, n, -1) < 0)
			odd("server poll");
		for (nfds_t i = n - 1; i > 0; i--) {
			if (p[i].revents && !serve(p[i].fd)) {
				close(p[i].fd);
				p[i] = p[--n];
			}
		}
		if (p[0].revents && n < 40) {
			p[n].fd = accept(p[0].fd, NULL, NULL);
			p[n].events = POLLIN;
			p[n].revents = 0;
			if (p[n++].fd < 0)
				odd("accept");
		}
	}
}

/* The connection has ended: is the server gone, or will it be soon? */
static void ended(const char *what)
{
	for (int i = 0; i < 5000; i++) {
		if (__atomic_load_n(&shared->gone, __ATOMIC_SEQ_CST))
			exit(0);
		usleep(1000);
	}
	errno = 0;
	odd(what);
}

/* Sends and gets back what nobody else has; two ways at once. */
static void use(int fd, unsigned int salt)
{
	static unsigned char out[EXCHANGE], in[EXCHANGE];
	size_t sent = 0, got = 0, left;
	ssize_t n;

	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = (unsigned char)(i * 31 + i / 251 + salt);
	while (got < sizeof(in)) {
		struct pollfd p = { .fd = fd, .events = POLLIN };

		if (sent < sizeof(out))
			p.events |= POLLOUT;
		if (poll(&p, 1, -1) < 0)
			odd("client poll");
		if (p.revents & POLLOUT && sent < sizeof(out)) {
			left = sizeof(out) - sent;
			if (type == SOCK_SEQPACKET && left > MESSAGE)
				left = MESSAGE;
			n = send(fd, out + sent, left, MSG_DONTWAIT);
			if (n < 0 && errno == EPIPE)
				ended("EPIPE from a live server");
			if (n < 0 && errno != EAGAIN)
				odd("client send");
			sent += n > 0 ? (size_t)n : 0;
		}
		if (!(p.revents & (POLLIN | POLLHUP)))
			continue;
		n = recv(fd, in + got, sizeof(in) - got, MSG_DONTWAIT);
		if (n == 0)
			ended("the end from a live server");
		if (n < 0 && errno != EAGAIN)
			odd("client recv");
		got += n > 0 ? (size_t)n : 0;
	}
	errno = 0;
	if (memcmp(in, out, sizeof(in)) != 0)
		odd("other data");
}

static void client(unsigned int port, int self)
{
	for (unsigned int i = 0;; i++) {
		int fd = make_socket(type);

		if (i % 2 && vsock_bind(fd, VMADDR_PORT_ANY))
			odd("client bind");
		shared->bound[self] = i % 2 ? vsock_port(fd) : 0;
		if (vsock_connect(fd, port)) {
			if (errno != ECONNRESET)
				odd("connect");
			if (__atomic_load_n(&shared->gone, __ATOMIC_SEQ_CST))
				exit(0);
		} else {
			use(fd, i);
		}
		close(fd);
	}
}

/* The server is number 0. */
static pid_t begin(unsigned int port, int number, int ready)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	signal(SIGPIPE, SIG_IGN);
	if (number == 0)
		server(port, ready);
	close(ready);
	client(port, number);
	return 0;
}

/* Ends well, in time? Killed if not. */
static int ends_well(pid_t pid)
{
	int status;

	for (int i = 0; i < 10000; i++) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return WIFEXITED(status) && WEXITSTATUS(status) == 0;
		usleep(1000);
	}
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	return 0;
}

static int n_paths(void)
{
	char path[4096];
	struct dirent *e;
	int n = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/2", getenv("VSOCKSHIM_DIR"));
	dir = opendir(path);
	if (!dir)
		die(path);
	while ((e = readdir(dir)))
		n += e->d_name[0] != '.' && strcmp(e->d_name, "ports") != 0;
	closedir(dir);
	return n;
}

/* To them nothing happens: they can be reached. */
static int witnesses[3];

static void make_witnesses(void)
{
	witnesses[0] = listen_on(SOCK_STREAM, WITNESS);
	witnesses[1] = listen_on(SOCK_SEQPACKET, WITNESS + 1);
	witnesses[2] = make_socket(SOCK_DGRAM);
	if (vsock_bind(witnesses[2], WITNESS))
		die("bind");
}

static int connection_reached(int of_type, int witness, unsigned int port)
{
	int fd = make_socket(of_type), accepted, ok;

	ok = vsock_connect(fd, port) == 0;
	accepted = ok ? accept(witness, NULL, NULL) : -1;
	close(fd);
	if (accepted >= 0)
		close(accepted);
	return accepted >= 0;
}

static int message_reached(void)
{
	struct sockaddr_vm addr = vsock_addr(VMADDR_CID_LOCAL, WITNESS);
	int fd = make_socket(SOCK_DGRAM), ok;
	char c;

	ok = sendto(fd, "x", 1, 0, (struct sockaddr *)&addr, sizeof(addr)) ==
		     1 &&
	     recv(witnesses[2], &c, 1, MSG_DONTWAIT) == 1;
	close(fd);
	return ok;
}

static int reached(void)
{
	return connection_reached(SOCK_STREAM, witnesses[0], WITNESS) &&
	       connection_reached(SOCK_SEQPACKET, witnesses[1], WITNESS + 1) &&
	       message_reached();
}

static int bind_at_once(unsigned int port)
{
	int fd = vsock_socket(0), r = vsock_bind(fd, port);

	close(fd);
	return r == 0;
}

static void kill_one(void)
{
	int fds[2], victim;
	int well = 0, bound = 0, seen = 0, most = 0, paths;
	pid_t pids[CLIENTS + 1];
	char c;

	share();
	make_witnesses();
	for (int i = 0; i < rounds; i++) {
		unsigned int port = PORT + chance(5);
		int good = 1;

		type = i % 2 ? SOCK_SEQPACKET : SOCK_STREAM;
		shared->gone = 0;
		memset(shared->bound, 0, sizeof(shared->bound));
		if (pipe(fds))
			die("pipe");
		pids[0] = begin(port, 0, fds[1]);
		close(fds[1]);
		if (read(fds[0], &c, 1) != 0) /* it listens */
			die("read");
		for (int j = 1; j <= CLIENTS; j++)
			pids[j] = begin(port, j, fds[0]);
		close(fds[0]);
		usleep(chance(15000));
		victim = (int)chance(CLIENTS + 1);
		kill(pids[victim], SIGKILL);
		waitpid(pids[victim], NULL, 0);
		if (victim) { /* the others go on */
			usleep(chance(3000));
			kill(pids[0], SIGTERM);
			good &= ends_well(pids[0]);
		}
		__atomic_store_n(&shared->gone, 1, __ATOMIC_SEQ_CST);
		good &= !victim || !shared->bound[victim] ||
			bind_at_once(shared->bound[victim]);
		bound += bind_at_once(port);
		for (int j = 1; j <= CLIENTS; j++)
			if (j != victim)
				good &= ends_well(pids[j]);
		well += good;
		seen += reached();
		paths = n_paths();
		most = paths > most ? paths : most;
	}
	say("ended well", well);
	say("bound at once", bound);
	say("reached", seen);
	say("at most 40 paths", most <= 40);
	for (int i = 0; i < 20; i++)
		bind_at_once(PORT);
	say("paths", n_paths());
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "";

	rounds = argc > 2 ? atoi(argv[2]) : 0;
	seed = argc > 3 ? (unsigned int)atoi(argv[3]) : 1;
	if (!strcmp(what, "race"))
		race();
	else if (!strcmp(what, "kill"))
		kill_one();
	else
		return 2;
	return 0;
}
