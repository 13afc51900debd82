/* SPDX-License-Identifier: MIT */
/* Sockets in other processes: inherited over exec, sent by SCM_RIGHTS. What
 * they are and what state they are in is told by the socket alone. */
#include "oracle.h"

#include <spawn.h>

extern char **environ;

static char buf[64];

enum kind { FRESH, BOUND, LISTENER, CLIENT, ACCEPTED, SHUT, REFUSED, N_KINDS };

static const char *const kinds[N_KINDS] = { "fresh",  "bound",	  "listener",
					    "client", "accepted", "shut",
					    "refused" };

static long option(int s, int level, int name)
{
	uint64_t value = 0;
	socklen_t len = level == AF_VSOCK ? 8 : 4;

	return getsockopt(s, level, name, &value, &len) ? -errno : (long)value;
}

/* What a process finds out about a socket that it got. */
static void examine(const char *how, enum kind kind, int s)
{
	char id[64];
	int a;

#define ID(what)                                                               \
	(snprintf(id, sizeof(id), "%s_%s_%s", how, kinds[kind], what), id)
	FACT_ADDR(ID("sockname"), getsockname(s, ADDR));
	FACT_ADDR(ID("peername"), getpeername(s, ADDR));
	FACT_MASK(ID("mask"), s);
	say(ID("options"), "domain %ld type %ld acceptconn %ld size %ld",
	    option(s, SOL_SOCKET, SO_DOMAIN), option(s, SOL_SOCKET, SO_TYPE),
	    option(s, SOL_SOCKET, SO_ACCEPTCONN),
	    option(s, AF_VSOCK, SO_VM_SOCKETS_BUFFER_SIZE));
	switch (kind) {
	case FRESH:
		FACT(ID("recv"), recv(s, buf, sizeof(buf), 0));
		FACT(ID("bind"), bind(s, vm(1, 5003), 16));
		break;
	case BOUND:
		FACT(ID("bind"), bind(s, vm(1, 5003), 16));
		FACT(ID("listen"), listen(s, 1));
		break;
	case LISTENER:
		a = FACT_FD_ADDR(ID("accept"), accept(s, ADDR));
		FACT_ADDR(ID("accepted_sockname"), getsockname(a, ADDR));
		close(a);
		break;
	case CLIENT:
		FACT(ID("connect"), connect(s, vm(1, 5000), 16));
		FACT(ID("recv"), recv(s, buf, sizeof(buf), 0));
		FACT(ID("send"), send(s, "abc", 3, 0));
		break;
	case ACCEPTED:
		FACT(ID("connect"), connect(s, vm(1, 5000), 16));
		if (strcmp(how, "stdin")) /* what CLIENT sent comes last */
			await_bytes(s, 14);
		FACT(ID("recv"), recv(s, buf, sizeof(buf), 0));
		FACT(ID("shutdown"), shutdown(s, SHUT_WR));
		break;
	case SHUT:
		FACT(ID("connect"), connect(s, vm(1, 5000), 16));
		FACT(ID("send"), send(s, "x", 1, MSG_NOSIGNAL));
		break;
	case REFUSED:
		FACT(ID("connect"), connect(s, vm(1, 5000), 16));
		FACT_SO_ERROR(ID("error"), s);
		break;
	case N_KINDS:
		break;
	}
}

/* The same sockets each time, one of a kind. */
static void make(int s[N_KINDS], struct conn *p, struct conn *q, int *waiting)
{
	uint64_t size = 100000;

	*p = connection();
	*q = connection();
	MUST(send(p->c, "to accepted", 11, 0));
	MUST(send(p->a, "to client", 9, 0));
	await_bytes(p->a, 11);
	await_bytes(p->c, 9);
	MUST(shutdown(q->c, SHUT_WR));
	s[FRESH] = vsock();
	MUST(setsockopt(s[FRESH], AF_VSOCK, SO_VM_SOCKETS_BUFFER_SIZE, &size,
			sizeof(size)));
	s[BOUND] = bound(1, 5001);
	s[LISTENER] = listener(ANY, 5002, 1);
	*waiting = client(1, 5002);
	s[CLIENT] = p->c;
	s[ACCEPTED] = p->a;
	s[SHUT] = q->c;
	s[REFUSED] = refused_client();
}

/* What the maker sees of the other process's doing. */
static void aftermath(const char *how, const int s[N_KINDS])
{
	char id[64];

#define AFTER(what) (snprintf(id, sizeof(id), "%s_after_%s", how, what), id)
	FACT_ADDR(AFTER("fresh_sockname"), getsockname(s[FRESH], ADDR));
	say(AFTER("bound_acceptconn"), "%ld",
	    option(s[BOUND], SOL_SOCKET, SO_ACCEPTCONN));
	FACT_ADDR(AFTER("accepted_peername"), getpeername(s[ACCEPTED], ADDR));
	FACT(AFTER("accepted_send"), send(s[ACCEPTED], "x", 1, MSG_NOSIGNAL));
	FACT_MASK_AT(AFTER("client_mask"), s[CLIENT], POLLRDHUP);
	FACT_SO_ERROR(AFTER("refused_error"), s[REFUSED]);
	FACT(AFTER("refused_connect"), connect(s[REFUSED], vm(1, 5000), 16));
}

static void close_all(const int s[N_KINDS], struct conn q, int waiting)
{
	int i;

	for (i = 0; i < N_KINDS; i++)
		close(s[i]);
	close(q.a);
	close(waiting);
}

/* Starts this program again with the numbers of the sockets. */
static pid_t start(const char *how, char *argv[])
{
	pid_t pid = -1;

	if (!strcmp(how, "spawn")) {
		posix_spawn(&pid, argv[0], NULL, NULL, argv, environ);
		return pid;
	}
	pid = !strcmp(how, "vfork") ? vfork() : fork();
	if (pid == 0) {
		execv(argv[0], argv);
		_exit(9);
	}
	return pid;
}

static void by_exec(const char *how)
{
	int s[N_KINDS], waiting, i, status;
	char numbers[N_KINDS][16], self[4096] = "", *argv[N_KINDS + 3];
	struct conn p, q;

	make(s, &p, &q, &waiting);
	MUST(readlink("/proc/self/exe", self, sizeof(self) - 1));
	argv[0] = self;
	argv[1] = strdup(how);
	for (i = 0; i < N_KINDS; i++) {
		snprintf(numbers[i], sizeof(numbers[i]), "%d", s[i]);
		argv[i + 2] = numbers[i];
	}
	argv[N_KINDS + 2] = NULL;
	MUST(waitpid((pid_t)MUST(start(how, argv)), &status, 0));
	say(how, "%s", status ? "failed" : "done");
	aftermath(how, s);
	close_all(s, q, waiting);
	free(argv[1]);
}

/* As inetd does: the socket is the standard input. */
static void as_stdin(void)
{
	struct conn p = connection();
	char self[4096] = "", how[] = "stdin";
	char *argv[] = { self, how, NULL };

	MUST(send(p.c, "to accepted", 11, 0));
	await_bytes(p.a, 11);
	MUST(readlink("/proc/self/exe", self, sizeof(self) - 1));
	BESIDE_CHILD(
		{
			dup2(p.a, 0);
			close_range(3, ~0U, 0);
			execv(self, argv);
		},
		close(p.a));
	FACT_MASK_AT("stdin_after_mask", p.c, POLLRDHUP);
	close(p.c);
}

static void cloexec(void)
{
	int s = (int)MUST(socket(AF_VSOCK, TYPE | SOCK_CLOEXEC, 0));
	char number[16], self[4096] = "", how[] = "cloexec";
	char *argv[] = { self, how, number, NULL };

	MUST(bind(s, vm(ANY, 5000), 16));
	snprintf(number, sizeof(number), "%d", s);
	MUST(readlink("/proc/self/exe", self, sizeof(self) - 1));
	IN_CHILD(execv(self, argv));
	close(s);
}

static void send_fd(int channel, int fd)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} ctl = { { 0 } };
	struct iovec v = { buf, 1 };
	struct msghdr m = { .msg_iov = &v,
			    .msg_iovlen = 1,
			    .msg_control = &ctl,
			    .msg_controllen = sizeof(ctl) };

	ctl.align.cmsg_level = SOL_SOCKET;
	ctl.align.cmsg_type = SCM_RIGHTS;
	ctl.align.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&ctl.align), &fd, sizeof(fd));
	MUST(sendmsg(channel, &m, 0));
}

static int recv_fd(int channel)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} ctl = { { 0 } };
	struct iovec v = { buf, 1 };
	struct msghdr m = { .msg_iov = &v,
			    .msg_iovlen = 1,
			    .msg_control = &ctl,
			    .msg_controllen = sizeof(ctl) };
	int fd = -1;

	MUST(recvmsg(channel, &m, 0));
	memcpy(&fd, CMSG_DATA(&ctl.align), sizeof(fd));
	return fd;
}

static void by_rights(void)
{
	int s[N_KINDS], waiting, channel[2], i;
	struct conn p, q;
	pid_t pid;

	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, channel));
	/* Before there are sockets, so that none is inherited. */
	pid = (pid_t)MUST(fork());
	if (pid == 0) {
		for (i = 0; i < N_KINDS; i++)
			examine("rights", (enum kind)i, recv_fd(channel[1]));
		exit(0);
	}
	make(s, &p, &q, &waiting);
	for (i = 0; i < N_KINDS; i++)
		send_fd(channel[0], s[i]);
	MUST(waitpid(pid, NULL, 0));
	aftermath("rights", s);
	close_all(s, q, waiting);

	/* A connection that is in flight has no other holder. */
	p = connection();
	send_fd(channel[0], p.a);
	close(p.a);
	FACT("in_flight_send", send(p.c, "abc", 3, 0));
	p.a = recv_fd(channel[1]);
	FACT_ADDR("in_flight_peername", getpeername(p.a, ADDR));
	FACT("in_flight_recv", recv(p.a, buf, sizeof(buf), 0));
	send_fd(channel[0], p.a);
	close(p.a);
	close(channel[0]);
	close(channel[1]);
	FACT_MASK_AT("in_flight_lost_mask", p.c, POLLRDHUP);
	close(p.c);
}

int main(int argc, char *argv[])
{
	int i;

	oracle_start();
	if (argc == N_KINDS + 2) {
		for (i = 0; i < N_KINDS; i++)
			examine(argv[1], (enum kind)i, atoi(argv[i + 2]));
		return 0;
	}
	if (argc == 2) {
		examine(argv[1], ACCEPTED, 0);
		return 0;
	}
	if (argc == 3) {
		FACT_ADDR("cloexec", getsockname(atoi(argv[2]), ADDR));
		return 0;
	}
	by_exec("exec");
	by_exec("vfork");
	by_exec("spawn");
	as_stdin();
	cloexec();
	by_rights();
	return 0;
}
