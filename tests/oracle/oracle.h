/* SPDX-License-Identifier: MIT */
/*
 * What the oracle programs share. Each is a plain AF_VSOCK program which prints
 * facts, one a line: "topic.id: call = result errno". The call is the C text of
 * the call itself. They run in a real kernel and under the shim, and must print
 * the same whenever they run: no fd, pid, inode or time is printed, ephemeral
 * ports go by the order in which they appear (P0, P1, ...), and what the kernel
 * does later (its loopback has a worker) is waited for, with a deadline.
 *
 * They need a machine whose CID is 1 and which has no other, and ports 5000 to
 * 5999 there. Every program is one file, so all of this is static.
 */
#ifndef ORACLE_H
#define ORACLE_H

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#define UNUSED	    __attribute__((unused))
#define CREDIT	    (256 * 1024) /* bytes that a connection holds unread */
#define DEADLINE_MS 5000

/* What a program asks about; one that asks about another type says so first. */
#ifndef TYPE
#define TYPE SOCK_STREAM
#endif

/* The connect timeout of every socket; 0: the default. */
#ifndef PATIENCE_MS
#define PATIENCE_MS 0
#endif

/* Not macros: they are to be seen by name in the text of a call. */
static const unsigned int ANY UNUSED = VMADDR_CID_ANY;
static const unsigned int PORT_ANY UNUSED = VMADDR_PORT_ANY;

/* --- a program's beginning, and calls that are not the point ------------- */

static char *volatile nil UNUSED; /* NULL, unknown to the compiler */
static char *nowhere; /* the end of a page; what follows is unreadable */
static volatile sig_atomic_t sigpipes;

static void on_sigpipe(int sig UNUSED)
{
	sigpipes++;
}

#define MUST(call) must((long)(call), #call)

static UNUSED long must(long r, const char *call)
{
	if (r < 0) {
		printf("%s.broken: %s: %s\n", program_invocation_short_name,
		       call, strerrorname_np(errno));
		exit(3);
	}
	return r;
}

#define MUST_FAIL(call) must((call) < 0 ? 0 : -1, #call)

/* Called first in main(). A line is written at once, so that forked children
 * may print in turn. */
static UNUSED void oracle_start(void)
{
	long page = sysconf(_SC_PAGESIZE);

	setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
	alarm(30);
	signal(SIGPIPE, on_sigpipe);
	nowhere = mmap(NULL, (size_t)(2 * page), PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (nowhere == MAP_FAILED)
		exit(3);
	nowhere += page;
	MUST(mprotect(nowhere, (size_t)page, PROT_NONE));
}

static UNUSED long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Have @ms passed? Of what is emulated one clock may run faster than another.
 */
static UNUSED bool passed(long start, long ms)
{
	return now_ms() - start >= ms - ms / 8;
}

static UNUSED void nap(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
}

/* Waits until the condition holds; one that never does is seen in the facts. */
#define AWAIT(condition)                                                       \
	do {                                                                   \
		long end_ = now_ms() + DEADLINE_MS;                            \
		while (!(condition) && now_ms() < end_)                        \
			nap();                                                 \
	} while (0)

/* --- facts ---------------------------------------------------------------- */

static UNUSED void say(const char *id, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void say(const char *id, const char *format, ...)
{
	char line[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	printf("%s.%s: %s\n", program_invocation_short_name, id, line);
}

/* The result of a call, as text. A success must leave errno alone. */
static UNUSED const char *outcome(long r, bool is_fd)
{
	static char text[64];
	int error = errno;

	if (r < 0)
		snprintf(text, sizeof(text), "%ld %s", r,
			 error ? strerrorname_np(error) : "with errno 0");
	else if (is_fd)
		snprintf(text, sizeof(text), "fd");
	else
		snprintf(text, sizeof(text), "%ld", r);
	if (r >= 0 && error)
		strcat(strcat(text, ", errno "), strerrorname_np(error));
	return text;
}

static UNUSED long fact(const char *id, const char *call, long r, bool is_fd)
{
	int error = errno;

	say(id, "%s = %s", call, outcome(r, is_fd));
	errno = error;
	return r;
}

/* A call with a number for its result; one which returns an fd. The # stands in
 * each macro itself, else the text would have its macros expanded. */
#define FACT(id, call)	  (errno = 0, fact(id, #call, (long)(call), false))
#define FACT_FD(id, call) (errno = 0, (int)fact(id, #call, (call), true))

/* A call on a socket called fresh, made for it alone. */
#define FACT_FRESH(id, call)                                                   \
	do {                                                                   \
		int fresh = vsock();                                           \
		errno = 0;                                                     \
		fact(id, #call, (long)(call), false);                          \
		close(fresh);                                                  \
	} while (0)

/* --- addresses ------------------------------------------------------------ */

/* A sockaddr_vm, good until three more were made. */
static UNUSED struct sockaddr *vm(unsigned int cid, unsigned int port)
{
	static struct sockaddr_vm ring[4];
	static unsigned int next;
	struct sockaddr_vm *a = &ring[next++ % 4];

	*a = (struct sockaddr_vm){ .svm_family = AF_VSOCK,
				   .svm_cid = cid,
				   .svm_port = port };
	return (struct sockaddr *)a;
}

/* Where calls put addresses: ADDR stands for the two arguments. */
static struct {
	struct sockaddr_vm vm;
	unsigned char rest[sizeof(struct sockaddr_storage) -
			   sizeof(struct sockaddr_vm)];
} got;
static socklen_t got_len;
#define ADDR	  (struct sockaddr *)&got, &got_len
#define UNTOUCHED 0xee

static UNUSED void expect_addr(socklen_t len)
{
	memset(&got, UNTOUCHED, sizeof(got));
	got_len = len;
}

static UNUSED const char *port_text(unsigned int port)
{
	static unsigned int seen[16];
	static unsigned int n_seen;
	static char text[16];
	unsigned int i;

	if (port == PORT_ANY)
		return "ANY";
	if (port < 6000) {
		snprintf(text, sizeof(text), "%u", port);
		return text;
	}
	for (i = 0; i < n_seen && seen[i] != port; i++)
		;
	if (i == n_seen && n_seen < 16)
		seen[n_seen++] = port;
	snprintf(text, sizeof(text), "P%u", i);
	return text;
}

static UNUSED const char *addr_text(const struct sockaddr_vm *a)
{
	static char text[128];
	char cid[16] = "ANY";
	int n;

	if (a->svm_cid != ANY)
		snprintf(cid, sizeof(cid), "%u", a->svm_cid);
	n = snprintf(text, sizeof(text), "{cid:%s port:%s flags:%u", cid,
		     port_text(a->svm_port), a->svm_flags);
	if (a->svm_family != AF_VSOCK)
		n += snprintf(text + n, sizeof(text) - (size_t)n, " family:%u",
			      a->svm_family);
	if (a->svm_reserved1)
		n += snprintf(text + n, sizeof(text) - (size_t)n,
			      " reserved1:%04x", a->svm_reserved1);
	if (a->svm_zero[0] || a->svm_zero[1] || a->svm_zero[2])
		n += snprintf(text + n, sizeof(text) - (size_t)n,
			      " zero:%02x%02x%02x", a->svm_zero[0],
			      a->svm_zero[1], a->svm_zero[2]);
	strcpy(text + n, "}");
	return text;
}

/* A fact about a call that fills ADDR, with room for len bytes there. */
static UNUSED long fact_addr(const char *id, const char *call, long r,
			     bool is_fd, socklen_t room)
{
	const unsigned char *bytes = (const unsigned char *)&got;
	size_t n = sizeof(got);
	const char *text = outcome(r, is_fd);

	while (n > 0 && bytes[n - 1] == UNTOUCHED)
		n--;
	if (r < 0)
		say(id, "%s = %s%s", call, text, n ? " and an address" : "");
	else if (n == sizeof(got.vm))
		say(id, "%s = %s %s len %u", call, text, addr_text(&got.vm),
		    got_len);
	else
		say(id, "%s with len %u = %s len %u, %zu bytes written", call,
		    room, text, got_len, n);
	return r;
}

#define FACT_ADDR_LEN(id, len, call)                                           \
	(expect_addr(len), errno = 0, fact_addr(id, #call, call, false, len))
#define FACT_ADDR(id, call)                                                    \
	(expect_addr(sizeof(got)), errno = 0,                                  \
	 fact_addr(id, #call, call, false, sizeof(got)))
#define FACT_FD_ADDR_LEN(id, len, call)                                        \
	(expect_addr(len), errno = 0,                                          \
	 (int)fact_addr(id, #call, call, true, len))
#define FACT_FD_ADDR(id, call)                                                 \
	(expect_addr(sizeof(got)), errno = 0,                                  \
	 (int)fact_addr(id, #call, call, true, sizeof(got)))

/* The port that a socket is bound to, for arithmetic. */
static UNUSED unsigned int port_of(int fd)
{
	struct sockaddr_vm a;
	socklen_t len = sizeof(a);

	MUST(getsockname(fd, (struct sockaddr *)&a, &len));
	return a.svm_port;
}

/* --- readiness ------------------------------------------------------------ */

#define ALL_EVENTS                                                             \
	(POLLIN | POLLPRI | POLLOUT | POLLRDNORM | POLLRDBAND | POLLWRNORM |   \
	 POLLWRBAND | POLLMSG | POLLRDHUP)

/* epoll's bits are poll's. */
static UNUSED const char *mask_text(unsigned int mask)
{
	static const struct {
		unsigned int bit;
		const char *name;
	} names[] = {
		{ POLLIN, "IN" },	  { POLLPRI, "PRI" },
		{ POLLOUT, "OUT" },	  { POLLERR, "ERR" },
		{ POLLHUP, "HUP" },	  { POLLNVAL, "NVAL" },
		{ POLLRDNORM, "RDNORM" }, { POLLRDBAND, "RDBAND" },
		{ POLLWRNORM, "WRNORM" }, { POLLWRBAND, "WRBAND" },
		{ POLLMSG, "MSG" },	  { POLLRDHUP, "RDHUP" },
	};
	static char text[96];
	size_t i;

	*text = '\0';
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!(mask & names[i].bit))
			continue;
		if (*text)
			strcat(text, "|");
		strcat(text, names[i].name);
	}
	return *text ? text : "nothing";
}

static UNUSED unsigned int mask_of(int fd)
{
	struct pollfd p = { .fd = fd, .events = ALL_EVENTS };

	MUST(poll(&p, 1, 0));
	return (unsigned short)p.revents;
}

/* Waits for all of bits, so that what follows is the state after them. */
#define AWAIT_MASK(fd, bits) AWAIT((mask_of(fd) & (bits)) == (bits))

#define FACT_MASK(id, fd)                                                      \
	say(id, "poll(%s) shows %s", #fd, mask_text(mask_of(fd)))
#define FACT_MASK_AT(id, fd, bits)                                             \
	do {                                                                   \
		AWAIT_MASK(fd, bits);                                          \
		say(id, "poll(%s) shows %s", #fd, mask_text(mask_of(fd)));     \
	} while (0)

/* --- sockets in the usual states ------------------------------------------ */

static UNUSED void set_connect_timeout(int fd, long ms)
{
	struct timeval t = { ms / 1000, ms % 1000 * 1000 };

	MUST(setsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT, &t,
			sizeof(t)));
}

static UNUSED int vsock(void)
{
	int s = (int)MUST(socket(AF_VSOCK, TYPE, 0));

	if (PATIENCE_MS)
		set_connect_timeout(s, PATIENCE_MS);
	return s;
}

static UNUSED int stream(void)
{
	return (int)MUST(socket(AF_VSOCK, SOCK_STREAM, 0));
}

static UNUSED int bound(unsigned int cid, unsigned int port)
{
	int s = vsock();

	MUST(bind(s, vm(cid, port), sizeof(struct sockaddr_vm)));
	return s;
}

static UNUSED int listener(unsigned int cid, unsigned int port, int backlog)
{
	int s = bound(cid, port);

	MUST(listen(s, backlog));
	return s;
}

static UNUSED int client(unsigned int cid, unsigned int port)
{
	int s = vsock();

	MUST(connect(s, vm(cid, port), sizeof(struct sockaddr_vm)));
	return s;
}

/* A connection to 1:5000: the client's end and the accepted one. */
struct conn {
	int c, a;
};

static UNUSED struct conn connection(void)
{
	int l = listener(ANY, 5000, 1);
	struct conn p;

	p.c = client(VMADDR_CID_LOCAL, 5000);
	p.a = (int)MUST(accept(l, NULL, NULL));
	close(l);
	return p;
}

static UNUSED void disconnect(struct conn p)
{
	close(p.c);
	close(p.a);
}

/* Waits until the loopback has delivered what was sent, and what was sent in
 * answer to it: it has one queue for all, and what this sends comes last. */
static UNUSED void settle(void)
{
	static int c = -1, a;
	char byte;
	int i, l;

	if (c < 0) {
		l = stream();
		c = stream();
		MUST(bind(l, vm(ANY, 5998), 16));
		MUST(listen(l, 1));
		MUST(connect(c, vm(VMADDR_CID_LOCAL, 5998), 16));
		a = (int)MUST(accept(l, NULL, NULL));
		close(l);
	}
	for (i = 0; i < 3; i++) {
		MUST(send(c, "", 1, 0));
		MUST(recv(a, &byte, 1, 0));
	}
}

/* Waits until n bytes can be read. (A peek at messages shows the first alone.)
 */
static UNUSED void await_bytes(int fd, ssize_t n)
{
	static char buf[CREDIT];

	if (TYPE != SOCK_STREAM)
		settle();
	else
		AWAIT(recv(fd, buf, sizeof(buf), MSG_PEEK | MSG_DONTWAIT) >= n);
}

/* --- messages --------------------------------------------------------------
 */

static UNUSED const char *flags_text(unsigned int flags)
{
	static const struct {
		unsigned int bit;
		const char *name;
	} names[] = {
		{ MSG_OOB, "OOB" },
		{ MSG_CTRUNC, "CTRUNC" },
		{ MSG_TRUNC, "TRUNC" },
		{ MSG_EOR, "EOR" },
		{ MSG_ERRQUEUE, "ERRQUEUE" },
		{ MSG_CMSG_CLOEXEC, "CMSG_CLOEXEC" },
	};
	static char text[80];
	size_t i;

	*text = '\0';
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!(flags & names[i].bit))
			continue;
		flags &= ~names[i].bit;
		strcat(strcat(text, " "), names[i].name);
	}
	if (flags)
		sprintf(text + strlen(text), " %#x", flags);
	return text;
}

/* What recvmsg() tells, with room for a name and for control messages: "abc" is
 * the beginning of what it read. */
static UNUSED long fact_msg(const char *id, const char *call, int fd,
			    size_t room, int flags)
{
	static char data[CREDIT], ctl[256];
	struct iovec v = { data, room };
	struct msghdr m = { .msg_name = &got,
			    .msg_namelen = sizeof(got),
			    .msg_iov = &v,
			    .msg_iovlen = 1,
			    .msg_control = ctl,
			    .msg_controllen = sizeof(ctl),
			    .msg_flags = -1 };
	ssize_t r;
	int n;

	expect_addr(sizeof(got));
	errno = 0;
	r = recvmsg(fd, &m, flags);
	if (r < 0) {
		say(id, "recvmsg(%s) = %s", call, outcome(r, false));
		return r;
	}
	n = (size_t)r < room ? (int)r : (int)room;
	say(id, "recvmsg(%s) = %s \"%.*s\"%s%s%s", call, outcome(r, false),
	    n > 8 ? 8 : n, data, flags_text((unsigned int)m.msg_flags),
	    m.msg_namelen || *(unsigned char *)&got != UNTOUCHED ? ", a name"
								 : "",
	    m.msg_controllen ? ", control messages" : "");
	return r;
}
#define FACT_MSG(id, fd, room, flags)                                          \
	fact_msg(id, #fd ", " #room ", " #flags, fd, room, flags)

/* All that arrived, each message with its flags. */
static UNUSED void fact_arrived(const char *id, const char *what, int fd)
{
	static char data[64];
	struct iovec v = { data, sizeof(data) };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
	char text[512] = "";
	ssize_t r;

	settle();
	while ((r = recvmsg(fd, &m, MSG_DONTWAIT)) > 0)
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
			 "\"%.*s\"%s, ", (int)r, data,
			 flags_text((unsigned int)m.msg_flags));
	say(id, "%s gets %sthen %s", what, text,
	    r ? strerrorname_np(errno) : "0");
}
#define FACT_ARRIVED(id, fd) fact_arrived(id, #fd, fd)

static UNUSED void set_nonblock(int fd, bool on)
{
	long flags = MUST(fcntl(fd, F_GETFL));

	MUST(fcntl(fd, F_SETFL,
		   on ? flags | O_NONBLOCK : flags & ~(long)O_NONBLOCK));
}

/* A non-blocking socket whose connect() was refused a moment ago; its SO_ERROR
 * is unread. */
static UNUSED int refused_client(void)
{
	int s = vsock();

	set_nonblock(s, true);
	MUST_FAIL(connect(s, vm(1, 5999), 16));
	AWAIT_MASK(s, POLLERR);
	return s;
}

/* SO_ERROR by name; reading it clears it. */
static UNUSED const char *so_error(int fd)
{
	int error = -1;
	socklen_t len = sizeof(error);

	MUST(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len));
	return error ? strerrorname_np(error) : "0";
}

#define FACT_SO_ERROR(id, fd) say(id, "SO_ERROR of %s is %s", #fd, so_error(fd))

static UNUSED void set_timeout(int fd, int option, long ms)
{
	struct timeval t = { ms / 1000, ms % 1000 * 1000 };

	MUST(setsockopt(fd, SOL_SOCKET, option, &t, sizeof(t)));
}

static UNUSED void on_alarm(int sig UNUSED)
{
}

/* SIGALRM comes in 50 ms and only interrupts; or it is a deadline again. */
static UNUSED void interrupt_soon(bool on, int sa_flags)
{
	struct sigaction sa = { .sa_handler = on ? on_alarm : SIG_DFL,
				.sa_flags = sa_flags };
	/* Again and again: the first may come before the call sleeps. */
	struct itimerval t = { .it_value = { 0, 50000 },
			       .it_interval = { 0, 50000 } };

	if (!on) { /* none may come that is not handled */
		t = (struct itimerval){ .it_value = { 30, 0 } };
		MUST(setitimer(ITIMER_REAL, &t, NULL));
	}
	MUST(sigaction(SIGALRM, &sa, NULL));
	MUST(setitimer(ITIMER_REAL, &t, NULL));
}

/* A call that sleeps, and a signal. */
#define FACT_INTERRUPTED(id, sa_flags, call)                                   \
	(interrupt_soon(true, sa_flags), errno = 0,                            \
	 fact(id, #call, (long)(call), false), interrupt_soon(false, 0))

/* Runs the first statement in a child, the second here meanwhile, and waits for
 * the child's end. */
#define BESIDE_CHILD(statement, meanwhile)                                     \
	do {                                                                   \
		pid_t pid_ = (pid_t)MUST(fork());                              \
		if (pid_ == 0) {                                               \
			statement;                                             \
			exit(0);                                               \
		}                                                              \
		meanwhile;                                                     \
		MUST(waitpid(pid_, NULL, 0));                                  \
	} while (0)
#define IN_CHILD(statement) BESIDE_CHILD(statement, (void)0)

#endif
