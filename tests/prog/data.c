/* SPDX-License-Identifier: MIT */
/* data WHAT: one rare way to move data; prints what calls returned. */
#include "vsock.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <linux/filter.h>
#include <linux/seccomp.h>

static int made(int fd)
{
	if (fd < 0)
		die("socket");
	return fd;
}

/* Both ends of a connection of SOCK_SEQPACKET. */
static void packet_pair(int *client, int *accepted)
{
	int listener = made(socket(AF_VSOCK, SOCK_SEQPACKET, 0));

	*client = made(socket(AF_VSOCK, SOCK_SEQPACKET, 0));
	if (vsock_bind(listener, VMADDR_PORT_ANY) || listen(listener, 1) ||
	    vsock_connect(*client, vsock_port(listener)))
		die("connect");
	*accepted = made(accept(listener, NULL, NULL));
	close(listener);
}

/* A SOCK_DGRAM at the port; 0: not bound. */
static int datagrams(unsigned port)
{
	int fd = made(socket(AF_VSOCK, SOCK_DGRAM, 0));

	if (port && vsock_bind(fd, port))
		die("bind");
	return fd;
}

static ssize_t send_to(int fd, unsigned port)
{
	struct sockaddr_vm to = vsock_addr(VMADDR_CID_LOCAL, port);

	return sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to));
}

/* --- under a seccomp filter ---------------------------------------------- */

#define LOAD_NR                                                                \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))
#define ALLOW	     BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define ALLOW_NR(nr) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1), ALLOW

static void filter(struct sock_filter *rules, size_t n)
{
	struct sock_fprog prog = { .len = (unsigned short)n, .filter = rules };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog, 0, 0))
		die("prctl");
}

/* A filter that has nothing against anything. */
static void allow_all(void)
{
	struct sock_filter rules[] = { ALLOW };

	filter(rules, 1);
}

/* One that kills for anything but to move data, wait and end. */
static void allow_data(void)
{
	struct sock_filter rules[] = {
		LOAD_NR,
		ALLOW_NR(SYS_read),
		ALLOW_NR(SYS_readv),
		ALLOW_NR(SYS_recvfrom),
		ALLOW_NR(SYS_recvmmsg),
		ALLOW_NR(SYS_recvmsg),
		ALLOW_NR(SYS_write),
		ALLOW_NR(SYS_writev),
		ALLOW_NR(SYS_sendto),
		ALLOW_NR(SYS_sendmmsg),
		ALLOW_NR(SYS_sendmsg),
		ALLOW_NR(SYS_shutdown),
		ALLOW_NR(SYS_close),
#ifdef SYS_poll
		ALLOW_NR(SYS_poll),
#endif
		ALLOW_NR(SYS_ppoll),
		ALLOW_NR(SYS_pselect6),
#ifdef SYS_epoll_wait
		ALLOW_NR(SYS_epoll_wait),
#endif
		ALLOW_NR(SYS_epoll_pwait),
#ifdef SYS_socketcall /* what 32-bit programs do most of that with */
		ALLOW_NR(SYS_socketcall),
#endif
#ifdef SYS__newselect
		ALLOW_NR(SYS__newselect),
#endif
#ifdef SYS_recvmmsg_time64
		ALLOW_NR(SYS_ppoll_time64),
		ALLOW_NR(SYS_pselect6_time64),
		ALLOW_NR(SYS_recvmmsg_time64),
#endif
		ALLOW_NR(SYS_exit_group),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};

	filter(rules, sizeof(rules) / sizeof(rules[0]));
}

static void print_name(const char *what, int fd,
		       int (*call)(int, struct sockaddr *, socklen_t *))
{
	struct sockaddr_vm addr;
	socklen_t len = sizeof(addr);

	if (call(fd, (struct sockaddr *)&addr, &len))
		die(what);
	printf("%s %u\n", what, addr.svm_cid);
}

static void filtered(void)
{
	int client, accepted, from = datagrams(0), to = datagrams(5001);
	struct sockaddr_vm addr = vsock_addr(VMADDR_CID_LOCAL, 5001);

	struct epoll_event ev = { .events = EPOLLIN };
	int ep = made(epoll_create1(0));

	vsock_pair(&client, &accepted);
	if (epoll_ctl(ep, EPOLL_CTL_ADD, client, &ev))
		die("epoll_ctl");
	say("sendto", send_to(from, 5001));
	allow_all();
	say("shutdown", shutdown(accepted, SHUT_RD));
	print_name("getsockname", accepted, getsockname);
	say("sendto", send_to(from, 5001));
	say("connect", connect(from, (struct sockaddr *)&addr, sizeof(addr)));
	say("send", send(from, "x", 1, 0));
	print_name("getpeername", from, getpeername);
	close(to);
	close(accepted);
	say("epoll_wait", epoll_wait(ep, &ev, 1, 9000));
	say("events", ev.events);
}

/* Descriptors arrive on what took the number of a SOCK_SEQPACKET. */
static void filtered_rights(void)
{
	int client, accepted, ends[2];
	char control[CMSG_SPACE(sizeof(int))] = { 0 }, byte = 'x';
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	packet_pair(&client, &accepted);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) ||
	    dup2(ends[0], accepted) < 0)
		die("dup2");
	allow_all();
	c->cmsg_len = CMSG_LEN(sizeof(int));
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	say("sendmsg", sendmsg(ends[1], &msg, 0));
	say("recvmsg", recvmsg(accepted, &msg, 0));
	printf("%s, flags %d\n", msg.msg_controllen ? "descriptor" : "nothing",
	       msg.msg_flags);
}

/* Each on 0, which came by exec, and whose peer is gone. */
static char byte[8];
static struct iovec iov = { byte, sizeof(byte) };
static struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
static struct mmsghdr mmsg;
static int epfd;

static long by_poll(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0);
}

static long by_select(int fd)
{
	struct timeval now = { 0 };
	fd_set in;

	FD_ZERO(&in);
	if (fd >= 0)
		FD_SET(fd, &in);
	return select(fd + 1, &in, NULL, NULL, &now);
}

static long by_epoll(int fd)
{
	struct epoll_event ev;

	return epoll_wait(fd < 0 ? -1 : epfd, &ev, 1, 0);
}

static long by_recv(int fd)
{
	return recv(fd, byte, 1, MSG_WAITALL);
}

static long by_recvmsg(int fd)
{
	return recvmsg(fd, &msg, MSG_DONTWAIT);
}

static long by_recvmmsg(int fd)
{
	mmsg.msg_hdr = msg;
	return recvmmsg(fd, &mmsg, 1, MSG_DONTWAIT, NULL);
}

static long by_sendmsg(int fd)
{
	return sendmsg(fd, &msg, MSG_NOSIGNAL);
}

static long by_shutdown(int fd)
{
	return shutdown(fd, SHUT_WR);
}

static const struct {
	const char *name;
	long (*call)(int fd);
} ways[] = {
	{ "poll", by_poll },	    { "select", by_select },
	{ "epoll_wait", by_epoll }, { "recv", by_recv },
	{ "recvmsg", by_recvmsg },  { "recvmmsg", by_recvmmsg },
	{ "sendmsg", by_sendmsg },  { "shutdown", by_shutdown },
};
#define WAYS (sizeof(ways) / sizeof(ways[0]))

/* A child is killed, or ends by itself. */
static void in_filter(size_t way)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.fd = 0 };
	int status;

	fflush(stdout);
	if (!fork()) {
		epfd = epoll_create1(0);
		epoll_ctl(epfd, EPOLL_CTL_ADD, 0, &ev);
		ways[way].call(-1); /* the loader may do as it likes */
		allow_data();
		ways[way].call(0);
		_exit(0);
	}
	if (wait(&status) < 0)
		die("wait");
	printf("%s %s\n", ways[way].name, status ? "killed" : "lived");
}

static void bystander(void)
{
	for (size_t i = 0; i < WAYS; i++)
		in_filter(i);
}

/* Becomes bystander, with 0 as said there. */
static void bystanders(void)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) ||
	    write(ends[1], byte, 4) != 4 || dup2(ends[0], 0) < 0)
		die("socketpair");
	close(ends[0]);
	close(ends[1]);
	execl("/proc/self/exe", "data", "bystander", NULL);
	die("execl");
}

/* Messages that are far from the stack. */
static void filtered_messages(void)
{
	int client, accepted;

	packet_pair(&client, &accepted);
	for (int i = 0; i < 2; i++) {
		if (i)
			allow_data();
		if (sendmsg(client, &msg, 0) != sizeof(byte) ||
		    recvmsg(accepted, &msg, 0) != sizeof(byte) ||
		    writev(client, &iov, 1) != sizeof(byte) ||
		    readv(accepted, &iov, 1) != sizeof(byte))
			_exit(1);
	}
	_exit(write(1, "lived\n", 6) != 6);
}

/* --- messages by the vector ---------------------------------------------- */

#define MANY 1500

static struct mmsghdr many[MANY];
static struct sockaddr_vm names[MANY];
static char controls[MANY][64];

static void ask_for_all(void)
{
	for (int i = 0; i < MANY; i++)
		many[i].msg_hdr =
			(struct msghdr){ .msg_name = &names[i],
					 .msg_namelen = sizeof(names[i]),
					 .msg_iov = &iov,
					 .msg_iovlen = 1,
					 .msg_control = controls[i],
					 .msg_controllen = 64 };
}

static void vectors(void)
{
	int client, accepted, from = datagrams(5000), to = datagrams(5001);

	send_to(from, 5001);
	ask_for_all();
	say("recvmmsg", recvmmsg(to, many, MANY, MSG_DONTWAIT, NULL));
	printf("from %u:%u, length %u\n", names[0].svm_cid, names[0].svm_port,
	       many[0].msg_hdr.msg_namelen);

	packet_pair(&client, &accepted);
	send(client, "x", 1, MSG_EOR);
	ask_for_all();
	say("recvmmsg", recvmmsg(accepted, many, MANY, MSG_DONTWAIT, NULL));
	printf("flags %#x, namelen %u, controllen %zu\n",
	       (unsigned)many[0].msg_hdr.msg_flags, many[0].msg_hdr.msg_namelen,
	       (size_t)many[0].msg_hdr.msg_controllen);

	for (int i = 0; i < MANY; i++)
		many[i].msg_hdr = (struct msghdr){ .msg_iov = &iov };
	say("sendmmsg", sendmmsg(client, many, -1U, MSG_DONTWAIT));
	say("recv", recv(accepted, byte, 1, MSG_DONTWAIT));
}

static void ignore(int sig)
{
	(void)sig;
}

static int reader;

static void make_room(int sig)
{
	static char got[65536];
	int saved = errno;

	(void)sig;
	while (recv(reader, got, sizeof(got), MSG_DONTWAIT) > 0)
		;
	errno = saved;
}

/*
 * A message does not fit, and a signal ends the wait for room: is the next sent
 * behind the part? With control data, and without.
 */
static void part(void)
{
	static char big[400000];
	struct iovec iovs[2] = { { big, sizeof(big) }, { byte, 1 } };
	struct sigaction action = { .sa_handler = make_room };
	const struct itimerval never = { 0 }, often = { { .tv_usec = 100000 },
							{ .tv_usec = 100000 } };
	int client, queued, n;

	sigaction(SIGALRM, &action, NULL);
	for (int i = 0; i < 2; i++) {
		vsock_pair(&client, &reader);
		for (int k = 0; k < 2; k++) {
			struct cmsghdr c = { .cmsg_len = CMSG_LEN(0) };

			memcpy(controls[k], &c, sizeof(c));
			many[k].msg_hdr =
				(struct msghdr){ .msg_iov = &iovs[k],
						 .msg_iovlen = 1,
						 .msg_control = controls[k] };
			many[k].msg_hdr.msg_controllen = i ? sizeof(c) : 0;
		}
		setitimer(ITIMER_REAL, &often, NULL);
		n = sendmmsg(client, many, 2, 0);
		setitimer(ITIMER_REAL, &never, NULL);
		say("sendmmsg", n);
		if (ioctl(reader, FIONREAD, &queued))
			die("ioctl");
		printf("%s, behind it %d\n",
		       many[0].msg_len < sizeof(big) ? "a part" : "all",
		       queued);
		close(client);
		close(reader);
	}
}

/* --- who is first -------------------------------------------------------- */

static pthread_barrier_t start;
static int failed;

static void *first_datagram(void *arg)
{
	pthread_barrier_wait(&start);
	if (send_to(*(int *)arg, 5001) != 1)
		__atomic_add_fetch(&failed, 1, __ATOMIC_RELAXED);
	return NULL;
}

static void first_datagrams(void)
{
	pthread_t threads[2];
	int fd;

	datagrams(5001);
	pthread_barrier_init(&start, NULL, 2);
	for (int i = 0; i < 300; i++) {
		fd = datagrams(0);
		for (int k = 0; k < 2; k++)
			pthread_create(&threads[k], NULL, first_datagram, &fd);
		for (int k = 0; k < 2; k++)
			pthread_join(threads[k], NULL);
		close(fd);
	}
	say("failed", failed);
}

/* --- what cannot be ------------------------------------------------------ */

static int zero_copies(int *peer)
{
	int fd, one = 1;

	vsock_pair(&fd, peer);
	if (setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one)))
		die("setsockopt");
	return fd;
}

/* The second is at an address that is never mapped. */
static void odd_pointers(void)
{
	struct iovec sum[2] = { { byte, (size_t)-1 }, { byte, 1 } };
	struct msghdr too_long = { .msg_iov = sum, .msg_iovlen = 2 };
	struct msghdr nowhere = { .msg_control = (void *)64,
				  .msg_controllen = 64 };
	const char *volatile no_path = NULL;
	struct statx sx;
	int client, accepted, fd;

	packet_pair(&client, &accepted);
	say("sendmsg", sendmsg(client, &too_long, MSG_DONTWAIT));
	say("recvmsg", recvmsg(accepted, &too_long, MSG_DONTWAIT));
	fd = zero_copies(&accepted);
	say("send", send(fd, "x", 1, MSG_ZEROCOPY));
	say("recvmsg", recvmsg(fd, &nowhere, MSG_ERRQUEUE));
	say("controllen", (long)nowhere.msg_controllen);
	fd = open("/dev/vsock", O_RDONLY);
	/* some kernels take that, some do not */
	statx(fd, no_path, AT_EMPTY_PATH, STATX_TYPE, &sx);
	statx(-1, no_path, AT_EMPTY_PATH, STATX_TYPE, &sx);
	puts("statx");
}

/* --- of another family ---------------------------------------------------- */

static void plain_receive(int fd)
{
	struct sockaddr_un name;
	struct msghdr named = { .msg_name = &name,
				.msg_namelen = sizeof(name),
				.msg_iov = &iov,
				.msg_iovlen = 1 };
	socklen_t len = sizeof(name);

	say("recvfrom", recvfrom(fd, byte, 1, MSG_DONTWAIT,
				 (struct sockaddr *)&name, &len));
	printf("%.*s\n", (int)(len - sizeof(sa_family_t)), name.sun_path);
	say("recvmsg", recvmsg(fd, &named, MSG_DONTWAIT));
	printf("%.*s\n", (int)(named.msg_namelen - sizeof(sa_family_t)),
	       name.sun_path);
}

/* The sender, on the number of a vsock socket. */
static void plain_sender(void)
{
	struct sockaddr_un from = { AF_UNIX, "from" }, to = { AF_UNIX, "to" };
	int s = made(socket(AF_UNIX, SOCK_DGRAM, 0));
	int r = made(socket(AF_UNIX, SOCK_DGRAM, 0)), fd = vsock_socket(0);

	if (bind(s, (struct sockaddr *)&from, sizeof(from)) ||
	    bind(r, (struct sockaddr *)&to, sizeof(to)) || dup2(r, fd) < 0)
		die("bind");
	for (int i = 0; i < 2; i++)
		sendto(s, "x", 1, 0, (struct sockaddr *)&to, sizeof(to));
	plain_receive(fd);
}

/* --- waiting ------------------------------------------------------------- */

static void ages(void)
{
	const struct timespec age = { .tv_sec = (time_t)(-1UL >> 1) };
	struct sigaction action = { .sa_handler = ignore };
	struct pollfd p = { .fd = vsock_socket(0), .events = POLLIN };
	struct timeval timeout = { .tv_sec = (time_t)INT64_C(18446744074) };
	struct sockaddr_vm silent = vsock_addr(99, 1);
	/* one may come before the call */
	const struct itimerval often = { { .tv_sec = 1 }, { .tv_sec = 1 } };

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	say("ppoll", ppoll(&p, 1, &age, NULL));
	if (setsockopt(p.fd, AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT, &timeout,
		       sizeof(timeout)))
		die("setsockopt");
	say("connect",
	    connect(p.fd, (struct sockaddr *)&silent, sizeof(silent)));
}

static void wait_once(int ep)
{
	struct epoll_event ev = { 0 };
	int n = epoll_wait(ep, &ev, 1, 0);

	printf("epoll_wait %d %#x\n", n, ev.events);
}

/* The error queue is told of as often as the registration says. */
static void one_shot(void)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLONESHOT };
	struct msghdr empty = { 0 };
	int peer, fd = zero_copies(&peer), ep = epoll_create1(0);

	epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
	say("send", send(fd, "x", 1, MSG_ZEROCOPY));
	wait_once(ep);
	wait_once(ep);
	write(peer, "y", 1);
	wait_once(ep);
	epoll_ctl(ep, EPOLL_CTL_MOD, fd, &ev);
	wait_once(ep);
	wait_once(ep);
	say("recvmsg", recvmsg(fd, &empty, MSG_ERRQUEUE));
	epoll_ctl(ep, EPOLL_CTL_MOD, fd, &ev);
	wait_once(ep);
	wait_once(ep);
}

/* --- what it costs ------------------------------------------------------- */

static void mark(void)
{
	lseek(-1, 4321, SEEK_SET); /* seen in a trace */
}

/* Between marks, once the first time is over; messages are on the stack. */
static void calls(void)
{
	int c, a, sc, sa, idle[2];
	char buf[8];

	vsock_pair(&c, &a);
	packet_pair(&sc, &sa);
	if (pipe(idle))
		die("pipe");
	for (int i = 0; i < 2; i++) {
		struct iovec v = { buf, 1 };
		struct mmsghdr mm[2] = {
			{ .msg_hdr = { .msg_iov = &v, .msg_iovlen = 1 } },
			{ .msg_hdr = { .msg_iov = &v, .msg_iovlen = 1 } },
		};
		struct timeval now = { 0 };
		fd_set in, out;

		FD_ZERO(&in);
		FD_ZERO(&out);
		FD_SET(idle[0], &in);
		FD_SET(c, &out);
		mark();
		send(c, buf, 1, 0);
		recv(a, buf, 1, MSG_WAITALL);
		sendmmsg(c, mm, 2, 0);
		recvmmsg(a, mm, 2, 0, NULL);
		sendmmsg(sc, mm, 2, 0);
		recvmmsg(sa, mm, 2, 0, NULL);
		writev(sc, &iov, 1);
		readv(sa, &iov, 1);
		select(c > idle[0] ? c + 1 : idle[0] + 1, &in, &out, NULL,
		       &now);
	}
	mark();
}

static const struct command commands[] = {
	{ "filtered", filtered },
	{ "filtered-rights", filtered_rights },
	{ "filtered-messages", filtered_messages },
	{ "bystander", bystander },
	{ "bystanders", bystanders },
	{ "vectors", vectors },
	{ "part", part },
	{ "first-datagrams", first_datagrams },
	{ "odd-pointers", odd_pointers },
	{ "plain-sender", plain_sender },
	{ "ages", ages },
	{ "one-shot", one_shot },
	{ "calls", calls },
	{ NULL, NULL },
};

int main(int argc, char **argv)
{
	return run_command(commands, argc > 1 ? argv[1] : NULL);
}
