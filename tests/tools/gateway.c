/* SPDX-License-Identifier: MIT */
/*
 * gateway DIR CID - a gateway of machine CID that reaches nobody: it answers
 * by the port that is dialled.
 *
 *	1	connects, and sends back what it gets
 *	2, 3	refuses: ECONNRESET, ETIMEDOUT
 *	4	does not answer
 *	5	connects, sends "bye" and closes
 *	6	connects when there is a file DIR/go
 *	7	closes without an answer
 *	8	connects, sends "bye" and closes with what it was sent unread
 *	9	connects, and reads nothing
 *	else	connects to who listens on that port of machine CID, as 2:77,
 *		and sends "hi"; ends that way then, but above port 50000 only
 *		when that has
 *
 * Prints a line for each hello; a process for each connection. Ends on SIGTERM,
 * and leaves nothing.
 */
#include "core/hello.h"
#include "core/rdv.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct machine machine = { .sys = &sys_kernel };

static void must(int r, const char *what)
{
	if (r < 0) {
		fprintf(stderr, "gateway: %s: %s\n", what, strerror(-r));
		exit(1);
	}
}

static void take(int fd, const struct hello *h)
{
	char *room = malloc(h->size);
	size_t n = 0;
	ssize_t r;

	for (; n < h->size; n += (size_t)r) {
		r = recv(fd, room, h->size - n, 0);
		must(r > 0 ? 0 : -EIO, "hello");
	}
	free(room);
}

static void relay(int from, int to)
{
	char buf[65536];
	ssize_t n;

	while ((n = recv(from, buf, sizeof(buf), 0)) > 0)
		must(send(to, buf, (size_t)n, MSG_NOSIGNAL) == n ? 0 : -EIO,
		     "relay");
}

/* Until the client hangs up, or there is @path. */
static void wait_for(int fd, const char *path)
{
	struct pollfd p = { .fd = fd };

	while (!(path && access(path, F_OK) == 0) && poll(&p, 1, 20) == 0)
		;
}

static void deliver(const struct hello *h)
{
	struct vaddr from = { 2, 77 };
	int s = socket(AF_UNIX, (int)h->type, 0);
	uint64_t link;

	must(sys_kernel.random(&link, sizeof(link)), "random");
	ports_add_link(machine.ports, link);
	must(rdv_deliver(&machine, s, link, &from, h->to.port), "deliver");
	must(send(s, "hi", 2, MSG_NOSIGNAL) == 2 ? 0 : -EIO, "send");
	if (h->to.port <= 50000) {
		ports_drop_link(machine.ports, link);
		shutdown(s, SHUT_WR);
	}
	relay(s, 1);
	ports_drop_link(machine.ports, link);
}

static void serve(int fd)
{
	struct hello_refusal no;
	struct hello h, head;
	char go[4096];
	ssize_t n;
	int r;

	do {
		n = recv(fd, &head, sizeof(head), MSG_PEEK);
		must(n > 0 ? 0 : -EIO, "hello");
		r = hello_parse(&head, (size_t)n, &h);
	} while (r == -EAGAIN);
	must(r, "hello");
	printf("%u:%u -> %u:%u type %u flags %u window %llu timeout %llu\n",
	       h.from.cid, h.from.port, h.to.cid, h.to.port, h.type, h.flags,
	       (unsigned long long)h.window, (unsigned long long)h.timeout_ms);
	fflush(stdout);
	switch (h.to.port) {
	case 2:
	case 3:
		hello_refuse(&no, h.to.port == 2 ? ECONNRESET : ETIMEDOUT);
		send(fd, &no, sizeof(no), MSG_NOSIGNAL);
		return;
	case 4:
		wait_for(fd, NULL);
		return;
	case 6:
		snprintf(go, sizeof(go), "%s/go", machine.dir);
		wait_for(fd, go);
		break;
	case 7:
		return;
	}
	ports_add_link(machine.ports, ports_link(h.from.port));
	take(fd, &h);
	switch (h.to.port) {
	case 1:
	case 6:
		relay(fd, fd);
		break;
	case 8:
		recv(fd, go, 1, MSG_PEEK);
		send(fd, "bye", 3, MSG_NOSIGNAL);
		break;
	case 5:
		send(fd, "bye", 3, MSG_NOSIGNAL);
		break;
	case 9:
		wait_for(fd, NULL);
		break;
	default:
		deliver(&h);
	}
	ports_drop_link(machine.ports, ports_link(h.from.port));
}

static void on_term(int sig)
{
	(void)sig;
}

int main(int argc, char **argv)
{
	struct sigaction term = { .sa_handler = on_term };
	sigset_t blocked, none;
	struct pollfd p[2];

	if (argc != 3)
		return 2;
	machine.dir = argv[1];
	machine.cid = (uint32_t)atoi(argv[2]);
	sigaction(SIGTERM, &term, NULL);
	sigemptyset(&none);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	signal(SIGCHLD, SIG_IGN);
	for (int i = 0; i < 2; i++) {
		p[i].events = POLLIN;
		p[i].fd = socket(AF_UNIX, i ? SOCK_SEQPACKET : SOCK_STREAM, 0);
		must(rdv_gateway_listen(&machine, p[i].fd, i, 64), "listen");
	}
	rdv_gateway_open(&machine, false);
	printf("ready\n");
	fflush(stdout);
	while (ppoll(p, 2, NULL, &none) > 0)
		for (int i = 0; i < 2; i++) {
			int fd =
				p[i].revents ? accept(p[i].fd, NULL, NULL) : -1;

			if (fd < 0)
				continue;
			if (fork() == 0) {
				signal(SIGTERM, SIG_DFL);
				sigprocmask(SIG_SETMASK, &none, NULL);
				close(p[0].fd);
				close(p[1].fd);
				serve(fd);
				return 0;
			}
			close(fd);
		}
	rdv_gateway_close(&machine);
	return 0;
}
