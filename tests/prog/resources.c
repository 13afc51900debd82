/* SPDX-License-Identifier: MIT */
/*
 * resources WHAT [N]: vsock where a resource is scarce, or there is much of it;
 * prints what calls returned.
 */
#include "vsock.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/select.h>

#define PORT 5000

static int argument;

/* As many descriptors as one may have. */
static void limit(rlim_t n)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r))
		die("getrlimit");
	r.rlim_cur = n;
	if (setrlimit(RLIMIT_NOFILE, &r))
		die("setrlimit");
}

/* Says that @what begins, or is done, and waits to be told to go on. */
static void pause_at(const char *what)
{
	char c;

	puts(what);
	fflush(stdout);
	if (read(STDIN_FILENO, &c, 1) != 1)
		die("read");
}

#define SOME 100

/* Connections @i and those after it: each end knows the other, and sends. */
static int make(int listener, int (*fd)[2], int i, int n)
{
	struct sockaddr_vm addr;
	struct pollfd p = { .events = POLLIN };
	int right = 0;
	socklen_t len;
	char c;

	for (int end = i + n; i < end; i++) {
		len = sizeof(addr);
		fd[i][0] = vsock_socket(0);
		if (vsock_connect(fd[i][0], PORT))
			die("connect");
		fd[i][1] = accept(listener, (struct sockaddr *)&addr, &len);
		if (fd[i][1] < 0)
			die("accept");
		p.fd = fd[i][1];
		right += addr.svm_port == vsock_port(fd[i][0]) &&
			 send(fd[i][0], "x", 1, 0) == 1 &&
			 poll(&p, 1, -1) == 1 && recv(p.fd, &c, 1, 0) == 1;
	}
	return right;
}

static void unmake(int (*fd)[2], int i, int n)
{
	for (int end = i + n; i < end; i++) {
		close(fd[i][0]);
		close(fd[i][1]);
	}
}

/* argument connections at once, both ends of them, with the first and the last
 * of them between pauses. */
static void many(void)
{
	int(*fd)[2] = calloc((size_t)argument, sizeof(*fd));
	int listener, before, right, rest = argument - 2 * SOME;
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r))
		die("getrlimit");
	limit(r.rlim_max);
	listener = vsock_listen(PORT);
	make(listener, fd, 0, 1); /* what is done once */
	unmake(fd, 0, 1);
	before = open_descriptors();
	pause_at("first");
	right = make(listener, fd, 0, SOME);
	unmake(fd, 0, SOME);
	pause_at("first done");
	right += make(listener, fd, 0, SOME + rest);
	pause_at("last");
	right += make(listener, fd, SOME + rest, SOME);
	unmake(fd, SOME + rest, SOME);
	pause_at("last done");
	right += make(listener, fd, SOME + rest, SOME);
	say("right", right);
	say("open", open_descriptors() - before);
	unmake(fd, 0, argument);
	say("left", open_descriptors() - before);
	close(listener);
	free(fd);
}

/* The last numbers that there are. */
static void numbers(void)
{
	int client, accepted, high = argument - 1;
	struct sockaddr_vm addr;
	socklen_t len = sizeof(addr);
	struct pollfd p = { .fd = high, .events = POLLIN };
	char c;

	limit((rlim_t)argument);
	vsock_pair(&client, &accepted);
	say("dup2", dup2(client, high) == high);
	close(client);
	say("getpeername", getpeername(high, (struct sockaddr *)&addr, &len));
	say("family", addr.svm_family);
	write(accepted, "x", 1);
	say("poll", poll(&p, 1, 1000));
	say("read", read(high, &c, 1));
	say("shutdown", shutdown(high, SHUT_WR));
	say("write", write(high, "x", 1));
	close(high);
	client = dup2(vsock_socket(0), high);
	say("connect", vsock_connect(client, PORT));
	vsock_listen(PORT);
	say("connect", vsock_connect(client, PORT));
}

/* select(2) of a set that is longer than an fd_set. */
static void high_select(void)
{
	int client, accepted, high = 5000;
	size_t size = 1024; /* bytes */
	fd_set *set = calloc(1, size);
	struct timeval tv = { .tv_sec = 1 };

	limit(8000);
	vsock_pair(&client, &accepted);
	dup2(client, high);
	write(accepted, "x", 1);
	((unsigned char *)set)[high / 8] |= (unsigned char)(1 << high % 8);
	say("select", select(high + 1, set, NULL, NULL, &tv));
	say("readable", ((unsigned char *)set)[high / 8] >> high % 8 & 1);
	read(high, &size, 1);
	tv.tv_sec = 0;
	say("select", select(high + 1, set, NULL, NULL, &tv));
	free(set);
}

/* With 0, 1, 2 ... descriptors left, each call says EMFILE or does it. */
static void emfile(void)
{
	int listener = vsock_listen(PORT), before = open_descriptors();
	int bad = 0, worked = 0, fd, client, accepted, r;

	for (rlim_t left = 0; left < 6; left++) {
		fd = vsock_socket(0);
		client = vsock_socket(0);
		limit((rlim_t)client + 1 + left);
		r = socket(AF_VSOCK, SOCK_STREAM, 0);
		bad += r < 0 ? errno != EMFILE || left : left == 0;
		if (r >= 0)
			close(r);
		r = vsock_bind(fd, VMADDR_PORT_ANY);
		bad += r < 0 && errno != EMFILE;
		worked += r == 0;
		r = vsock_connect(client, PORT);
		bad += r < 0 && errno != EMFILE;
		accepted = r == 0 ? accept(listener, NULL, NULL) : -1;
		bad += accepted < 0 && r == 0 && errno != EMFILE;
		worked += accepted >= 0;
		limit(1000);
		if (accepted < 0 && r == 0) /* it waits still */
			accepted = accept(listener, NULL, NULL);
		close(accepted);
		close(client);
		close(fd);
	}
	say("bad", bad);
	say("worked", worked);
	say("left", open_descriptors() - before);
}

/* A directory that is full, or otherwise refuses. */
static void refused(void)
{
	int fd = socket(AF_VSOCK, SOCK_STREAM, 0), before;

	say("socket", fd < 0 ? -1 : 0);
	before = open_descriptors();
	say("bind", vsock_bind(fd, PORT));
	say("bind", vsock_bind(fd, VMADDR_PORT_ANY));
	say("connect", vsock_connect(fd, PORT));
	say("left", open_descriptors() - before);
}

/* Binds ports until there is no more room, gives them back, and binds again. */
static void full(void)
{
	int fds[500], n = 0, again;

	while (n < 500) {
		fds[n] = vsock_socket(0);
		if (vsock_bind(fds[n++], VMADDR_PORT_ANY))
			break;
	}
	say("full", -1);
	for (int i = 0; i < n; i++)
		close(fds[i]);
	again = vsock_socket(0);
	say("bind", vsock_bind(again, VMADDR_PORT_ANY));
}

/* --- somebody lets a system call fail ------------------------------------- */

/* How many there are, by a call that nobody lets fail. */
static int in_use(void)
{
	struct pollfd p[64];
	int n = 0;

	for (int i = 0; i < 64; i++)
		p[i] = (struct pollfd){ .fd = i };
	poll(p, 64, 0);
	for (int i = 0; i < 64; i++)
		n += !(p[i].revents & POLLNVAL);
	return n;
}

/* A call that fails says so, and works when it is made again. */
#define TRY(what, call)                                                        \
	({                                                                     \
		long r_ = (call);                                              \
                                                                               \
		if (r_ < 0) {                                                  \
			say(what, r_);                                         \
			r_ = (call);                                           \
			if (r_ < 0)                                            \
				say(what " again", r_);                        \
		}                                                              \
		(int)r_;                                                       \
	})

static int to(int fd, unsigned int cid, unsigned int port)
{
	struct sockaddr_vm addr = vsock_addr(cid, port);

	return connect(fd, (struct sockaddr *)&addr, sizeof(addr));
}

/* Nothing here waits, whatever has failed. */
static void fail_stream(void)
{
	int l = TRY("socket", socket(AF_VSOCK, SOCK_STREAM | SOCK_NONBLOCK, 0));
	int c = TRY("socket", socket(AF_VSOCK, SOCK_STREAM, 0)), a;
	char x;

	TRY("bind", vsock_bind(l, PORT));
	TRY("listen", listen(l, 1));
	TRY("connect", vsock_connect(c, PORT));
	a = TRY("accept", accept(l, NULL, NULL));
	TRY("send", send(a, "x", 1, 0));
	TRY("recv", recv(c, &x, 1, MSG_DONTWAIT));
	close(a);
	close(c);
	close(l);
}

static void fail_dgram(void)
{
	struct sockaddr_vm addr = vsock_addr(VMADDR_CID_LOCAL, PORT), from;
	int d = TRY("socket", socket(AF_VSOCK, SOCK_DGRAM, 0));
	int fd = TRY("socket", socket(AF_VSOCK, SOCK_DGRAM, 0));
	socklen_t len = sizeof(from);
	char x;

	TRY("bind", vsock_bind(d, PORT));
	TRY("sendto", sendto(fd, "x", 1, 0, (void *)&addr, sizeof(addr)));
	TRY("recvfrom",
	    recvfrom(d, &x, 1, MSG_DONTWAIT, (struct sockaddr *)&from, &len));
	TRY("connect", vsock_connect(fd, PORT));
	TRY("send", send(fd, "x", 1, 0));
	TRY("recv", recv(d, &x, 1, MSG_DONTWAIT));
	close(fd);
	close(d);
}

static void failing(void)
{
	int before = in_use();

	fail_stream();
	fail_dgram();
	fail_stream(); /* the port is free, whatever has failed */
	say("left", in_use() - before);
}

/* A gateway that refuses at port 2, and sends back what it gets at port 1. */
static void failing_gateway(void)
{
	int before = in_use(),
	    fd = TRY("socket", socket(AF_VSOCK, SOCK_STREAM, 0));
	struct pollfd p = { .fd = fd, .events = POLLIN };
	const struct timeval minute = { .tv_sec = 60 };
	char x;

	setsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT, &minute,
		   sizeof(minute));
	say("refused", to(fd, 2, 2));
	TRY("connect", to(fd, 2, 1));
	if (TRY("send", send(fd, "x", 1, 0)) == 1)
		poll(&p, 1, 30000);
	TRY("recv", recv(fd, &x, 1, MSG_DONTWAIT));
	close(fd);
	say("left", in_use() - before);
}

/* A connection and a datagram. */
static void meets(void)
{
	int before = in_use(), l = vsock_socket(0), c = vsock_socket(0);
	int d = TRY("socket", socket(AF_VSOCK, SOCK_DGRAM, 0));
	struct sockaddr_vm addr = vsock_addr(VMADDR_CID_LOCAL, PORT);

	say("bind", vsock_bind(l, PORT) || vsock_bind(d, PORT));
	listen(l, 1);
	say("connect", vsock_connect(c, PORT));
	say("sendto", sendto(d, "x", 1, 0, (void *)&addr, sizeof(addr)));
	close(accept(l, NULL, NULL));
	close(d);
	close(c);
	close(l);
	say("left", in_use() - before);
}

static const struct command commands[] = {
	{ "many", many },
	{ "numbers", numbers },
	{ "select", high_select },
	{ "emfile", emfile },
	{ "refused", refused },
	{ "full", full },
	{ "meets", meets },
	{ "failing", failing },
	{ "failing-gateway", failing_gateway },
	{ NULL, NULL },
};

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	argument = argc > 2 ? atoi(argv[2]) : 0;
	return run_command(commands, argc > 1 ? argv[1] : NULL);
}
