/* SPDX-License-Identifier: MIT */
/* epolls WHAT: one rare use of epoll; prints what epoll_wait(2) returned. */
#include "vsock.h"

#include <fcntl.h>
#include <stdint.h>
#include <sys/epoll.h>

static int epfd;

static void add(int fd, uint32_t events, uint64_t data)
{
	struct epoll_event ev = { .events = events, .data.u64 = data };

	if (epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &ev))
		die("epoll_ctl");
}

/* A pipe without a writer, on the lowest number that is free. */
static int hung_up_pipe(void)
{
	int ends[2];

	if (pipe(ends))
		die("pipe");
	close(ends[1]);
	return ends[0];
}

static void exclusive(void)
{
	struct epoll_event ev;
	long start = milliseconds();

	add(vsock_socket(0), EPOLLIN | EPOLLEXCLUSIVE, 1);
	alarm(30); /* kills what does not return */
	epoll_wait(epfd, &ev, 1, 300);
	puts(milliseconds() - start < 20000 ? "in time" : "late");
}

static void print_one(void)
{
	struct epoll_event ev = { 0 };

	say("epoll_wait", epoll_wait(epfd, &ev, 1, 3000));
	printf("events %#x data %d\n", ev.events, (int)ev.data.u64);
}

/* The number of a socket that the kernel took out of the epoll as it closed. */
static int forgotten(void)
{
	int client, accepted;

	vsock_pair(&client, &accepted);
	add(client, EPOLLIN, 1);
	close(client);
	return client;
}

static void reused(void)
{
	int fd = forgotten();

	if (dup2(hung_up_pipe(), fd) < 0)
		die("dup2");
	add(fd, EPOLLIN, 1);
	print_one();
}

/* The number goes to another socket, which does not show; the data to a pipe.
 */
static void reused_data(void)
{
	int fd = forgotten();

	if (dup2(vsock_socket(0), fd) < 0)
		die("dup2");
	add(hung_up_pipe(), EPOLLIN, 1);
	print_one();
}

/* Of two with one datum the first is shut down, and has nothing to say. */
static void datum(void)
{
	struct epoll_event ev[2];
	int c[2], a[2];

	vsock_pair(&c[0], &a[0]);
	vsock_pair(&c[1], &a[1]);
	add(c[0], EPOLLOUT, 7);
	add(c[1], EPOLLIN, 7);
	if (shutdown(c[0], SHUT_WR))
		die("shutdown");
	say("events", epoll_wait(epfd, ev, 2, 0));
}

/* Of some with one datum that have nothing to say one has, later. */
static void later(void)
{
	struct epoll_event ev;
	int c, a;

	vsock_pair(&c, &a);
	for (int i = 0; i < 3; i++)
		add(vsock_socket(0), EPOLLIN, 7);
	if (shutdown(c, SHUT_WR))
		die("shutdown");
	add(c, EPOLLIN | EPOLLOUT, 7);
	for (int i = 0; i < 3; i++)
		add(vsock_socket(0), EPOLLIN, 7);
	say("events", epoll_wait(epfd, &ev, 1, 20));
	if (write(a, "x", 1) != 1)
		die("write");
	for (int i = 0; i < 2; i++) {
		say("events", epoll_wait(epfd, &ev, 1, 1000));
		say("mask", ev.events);
	}
	if (read(c, &ev, 1) != 1)
		die("read");
	say("events", epoll_wait(epfd, &ev, 1, 20));
	close(a);
	say("events", epoll_wait(epfd, &ev, 1, 1000));
	say("mask", ev.events);
}

/* Without any vsock; the data look like pointers. */
static void pipes(void)
{
	struct epoll_event ev[2];
	long n = 0;

	add(hung_up_pipe(), EPOLLIN, UINT64_C(0x555512345670));
	add(hung_up_pipe(), EPOLLIN, UINT64_C(0x5555deadbeef));
	for (int i = 0; i < 100; i++)
		n += epoll_wait(epfd, ev, 2, -1);
	say("events", n);
}

static const struct command commands[] = {
	{ "exclusive", exclusive },
	{ "reused", reused },
	{ "reused-data", reused_data },
	{ "datum", datum },
	{ "later", later },
	{ "pipes", pipes },
	{ NULL, NULL },
};

int main(int argc, char **argv)
{
	epfd = epoll_create1(EPOLL_CLOEXEC);
	return run_command(commands, argc > 1 ? argv[1] : NULL);
}
