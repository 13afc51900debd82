/* SPDX-License-Identifier: MIT */
/* What is beneath a socket: where another kind of socket in its place would
 * show, in duplicates, over exec, in libc's own streams, in its attributes. */
#include "oracle.h"

#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/xattr.h>

#define ALL_EPOLL (EPOLLIN | EPOLLOUT | EPOLLRDHUP)

static char buf[64];

static void fact_epoll(const char *id, int ep)
{
	struct epoll_event e = { 0 };
	int n = epoll_wait(ep, &e, 1, 0);

	say(id, "epoll_wait() = %d %s", n, mask_text(e.events));
}

static int watching(int fd, uint32_t events)
{
	struct epoll_event e = { .events = events };
	int ep = (int)MUST(epoll_create1(EPOLL_CLOEXEC));

	MUST(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e));
	return ep;
}

/* Whether it is shown to who asks for nothing else. */
static void fact_out(const char *id, int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	MUST(poll(&p, 1, 0));
	say(id, "%s", mask_text((unsigned short)p.revents));
}

static void duplicates(void)
{
	struct conn p = connection();
	int d = (int)MUST(dup(p.c)), ep;

	fact_out("dup", d);
	fact_out("dup_self", p.c);
	MUST(shutdown(p.c, SHUT_WR));
	fact_out("dup_shut_self", p.c);
	fact_out("dup_shut", d);
	FACT_MASK("dup_shut_all", d);
	close(d);
	disconnect(p);

	/* The number is gone from the epoll's socket, which is still watched.
	 */
	p = connection();
	ep = watching(p.c, ALL_EPOLL);
	d = (int)MUST(dup(p.c));
	close(p.c);
	close(p.a);
	AWAIT_MASK(d, POLLRDHUP);
	fact_epoll("dup_left_in_epoll", ep);
	close(ep);
	close(d);

	p = connection();
	ep = watching(p.c, EPOLLIN | EPOLLOUT | EPOLLEXCLUSIVE);
	d = (int)MUST(dup(p.c));
	close(p.a);
	AWAIT_MASK(d, POLLRDHUP);
	fact_epoll("exclusive", ep);
	close(ep);
	ep = watching(p.c, EPOLLEXCLUSIVE);
	fact_epoll("exclusive_none", ep);
	close(ep);
	close(d);
	close(p.c);
}

static void set_size(int s, uint64_t value)
{
	MUST(setsockopt(s, AF_VSOCK, SO_VM_SOCKETS_BUFFER_SIZE, &value,
			sizeof(value)));
}

static void fact_size(const char *id, int s)
{
	uint64_t value = 0;
	socklen_t len = sizeof(value);

	MUST(getsockopt(s, AF_VSOCK, SO_VM_SOCKETS_BUFFER_SIZE, &value, &len));
	say(id, "%llu", (unsigned long long)value);
}

enum { FRESH, SHUT, SIZED, TINY, COMPLETED, N_SOCKETS };

/* This program again, which has inherited the sockets. */
static void inherited(char *number[])
{
	int s[N_SOCKETS], i;
	struct pollfd p = { .events = POLLIN };
	struct timeval none = { 0, 0 };
	fd_set set;

	for (i = 0; i < N_SOCKETS; i++)
		s[i] = atoi(number[i]);
	FD_ZERO(&set);
	FD_SET(s[FRESH], &set);
	FACT("exec_select_fresh",
	     select(s[FRESH] + 1, &set, NULL, NULL, &none));
	p.fd = s[FRESH];
	FACT("exec_poll_fresh", poll(&p, 1, 0));
	FD_ZERO(&set);
	FD_SET(s[SHUT], &set);
	FACT("exec_select_shut", select(s[SHUT] + 1, NULL, &set, NULL, &none));
	FACT_MASK("exec_shut", s[SHUT]);
	fact_size("exec_size_100001", s[SIZED]);
	fact_size("exec_size_1000", s[TINY]);
	FACT_MASK("exec_completed", s[COMPLETED]);
	FACT("exec_completed_queue",
	     recv(s[COMPLETED], buf, sizeof(buf), MSG_ERRQUEUE));
}

static void over_exec(void)
{
	char numbers[N_SOCKETS][16], self[4096] = "", *argv[N_SOCKETS + 2];
	struct conn p = connection(), q = connection();
	int s[N_SOCKETS], on = 1, i;

	s[FRESH] = vsock();
	s[SHUT] = p.c;
	MUST(shutdown(p.c, SHUT_WR));
	s[SIZED] = vsock();
	set_size(s[SIZED], 100001);
	s[TINY] = vsock();
	set_size(s[TINY], 1000);
	s[COMPLETED] = q.c;
	setsockopt(q.c, SOL_SOCKET, SO_ZEROCOPY, &on, sizeof(on));
	MUST(send(q.c, "x", 1, MSG_ZEROCOPY));
	MUST(recv(q.a, buf, 1, 0));
	settle();

	MUST(readlink("/proc/self/exe", self, sizeof(self) - 1));
	argv[0] = self;
	for (i = 0; i < N_SOCKETS; i++) {
		snprintf(numbers[i], sizeof(numbers[i]), "%d", s[i]);
		argv[i + 1] = numbers[i];
	}
	argv[N_SOCKETS + 1] = NULL;
	IN_CHILD(execv(self, argv));
	disconnect(p);
	disconnect(q);
	close(s[FRESH]);
	close(s[SIZED]);
	close(s[TINY]);
}

/* libc reads and closes by itself. */
static void streams(void)
{
	struct conn p = connection();
	FILE *f = fdopen(p.c, "r");
	int c;

	MUST(send(p.c, "unread", 6, 0));
	settle();
	close(p.a);
	settle();
	errno = 0;
	c = fgetc(f);
	say("stdio_end", "fgetc() = %d, %s", c,
	    ferror(f) ? strerrorname_np(errno) : "the end");
	fclose(f);
}

static void attributes(void)
{
	int s = vsock();
	ssize_t n = fgetxattr(s, "system.sockprotoname", buf, sizeof(buf));

	say("sockprotoname", "%.*s", n > 0 ? (int)n : 0, buf);
	close(s);
}

/* In a child, as it may be the end of it. */
static void unreadable_path(void)
{
	int status = 0;
	pid_t pid = (pid_t)MUST(fork());

	if (pid == 0) {
		signal(SIGSEGV, SIG_DFL);
		close(STDERR_FILENO);
		_exit(open(nowhere, O_RDONLY) < 0 && errno == EFAULT ? 0 : 1);
	}
	MUST(waitpid(pid, &status, 0));
	say("open_unreadable", "%s",
	    WIFSIGNALED(status)	       ? sigabbrev_np(WTERMSIG(status))
	    : WEXITSTATUS(status) == 0 ? "EFAULT"
				       : "neither EFAULT nor a signal");
}

/* Whether a refusal takes its time. */
static void full(void)
{
	int l = listener(ANY, 5000, 0), c = client(1, 5000), i;
	long began = now_ms();

	for (i = 0; i < 60; i++) {
		int s = vsock();

		MUST_FAIL(connect(s, vm(1, 5000), 16));
		close(s);
	}
	say("full_refuses_at_once", "%d", now_ms() - began < 900);
	close(c);
	close(l);
}

int main(int argc, char *argv[])
{
	oracle_start();
	if (argc > N_SOCKETS) {
		inherited(argv + 1);
		return 0;
	}
	duplicates();
	over_exec();
	streams();
	attributes();
	unreadable_path();
	full();
	return 0;
}
