/* SPDX-License-Identifier: MIT */
/*
 * inherits WHAT: makes sockets, and has a child that takes another program's
 * place, this one's again, use what it inherits, without a call before the one
 * that matters. Prints what its calls returned.
 */
#include "vsock.h"

#include <poll.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>

#define PORT 5000

/* The numbers under which the child has them. */
enum { FIRST = 20, SECOND = 21 };

static void pass(int fd, int number)
{
	if (dup2(fd, number) < 0)
		die("dup2");
	close(fd);
}

static void make_bereaved(void)
{
	pass(vsock_bereaved(), FIRST);
}

static void use_bereaved(void)
{
	char buf[8];

	say("read", read(FIRST, buf, sizeof(buf)));
	say("read", read(FIRST, buf, sizeof(buf)));
}

static void make_failed(void)
{
	int fd = vsock_socket(SOCK_NONBLOCK);
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	say("connect", vsock_connect(fd, PORT));
	poll(&p, 1, 5000);
	pass(fd, FIRST);
}

static void use_failed(void)
{
	for (int i = 0; i < 2; i++) {
		int err = -1;
		socklen_t len = sizeof(err);

		getsockopt(FIRST, SOL_SOCKET, SO_ERROR, &err, &len);
		printf("SO_ERROR %s\n", err ? strerrorname_np(err) : "none");
	}
}

static void make_listener(void)
{
	pass(vsock_listen(PORT), FIRST);
}

static void use_listener(void)
{
	say("shutdown", shutdown(FIRST, SHUT_RDWR));
}

static void then_connect(void)
{
	say("connect", vsock_connect(vsock_socket(0), PORT));
}

static void make_filled(void)
{
	int client, accepted;

	vsock_pair(&client, &accepted);
	say("write", write(client, "x", 1));
	pass(accepted, FIRST);
}

static void use_recvfrom(void)
{
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	char c;

	say("recvfrom", recvfrom(FIRST, &c, 1, 0, (void *)&from, &len));
	say("length", len);
}

static void use_peercred(void)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	say("getsockopt",
	    getsockopt(FIRST, SOL_SOCKET, SO_PEERCRED, &cred, &len));
	say("pid", cred.pid);
}

static void make_fresh(void)
{
	pass(vsock_socket(0), FIRST);
}

static void use_poll(void)
{
	struct pollfd p = { .fd = FIRST, .events = POLLIN };
	long start = milliseconds();

	say("poll", poll(&p, 1, 500));
	puts(milliseconds() - start >= 450 ? "in time" : "early");
}

static void on_alarm(int sig)
{
	(void)sig;
}

static void use_ppoll(void)
{
	struct itimerval soon = { { .tv_usec = 300000 },
				  { .tv_usec = 300000 } };
	struct pollfd p = { .fd = FIRST, .events = POLLIN };
	long start = milliseconds();

	signal(SIGALRM, on_alarm);
	setitimer(ITIMER_REAL, &soon, NULL);
	say("ppoll", ppoll(&p, 1, NULL, NULL));
	puts(milliseconds() - start >= 250 ? "in time" : "early");
}

static void make_sized(void)
{
	unsigned long long size = 65536;
	int listener = vsock_listen(PORT), client = vsock_socket(0);

	setsockopt(listener, AF_VSOCK, SO_VM_SOCKETS_BUFFER_SIZE, &size,
		   sizeof(size));
	setsockopt(client, AF_VSOCK, SO_VM_SOCKETS_BUFFER_SIZE, &size,
		   sizeof(size));
	pass(listener, FIRST);
	pass(client, SECOND);
}

static void print_size(const char *what, int fd)
{
	unsigned long long size = 0;
	socklen_t len = sizeof(size);
	static char buf[16384];
	long n, sum = 0;

	getsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_BUFFER_SIZE, &size, &len);
	while ((n = send(fd, buf, sizeof(buf), MSG_DONTWAIT)) > 0)
		sum += n;
	printf("%s %llu takes %ld\n", what, size, sum);
}

static void use_sized(void)
{
	int accepted;

	say("connect", vsock_connect(SECOND, PORT));
	accepted = accept(FIRST, NULL, NULL);
	print_size("accepted", accepted);
	print_size("connected", SECOND);
}

union control {
	struct cmsghdr header;
	char space[CMSG_SPACE(sizeof(int))];
};

/* The socket waits in a message, which the child has yet to receive. */
static void make_message(void)
{
	union control control = { 0 };
	char c = 'x';
	struct iovec iov = { .iov_base = &c, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	int ends[2], fd = vsock_socket(0);

	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends))
		die("socketpair");
	say("sendmsg", sendmsg(ends[0], &msg, 0));
	close(fd);
	pass(ends[1], FIRST);
}

static void use_message(void)
{
	int tcp = socket(AF_INET, SOCK_STREAM, 0);
	union control control = { 0 };
	char c;
	struct iovec iov = { .iov_base = &c, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct pollfd p = { .events = POLLIN };
	int domain = -1;
	socklen_t len = sizeof(domain);

	close(tcp);
	say("recvmsg", recvmsg(FIRST, &msg, 0));
	memcpy(&p.fd, CMSG_DATA(&control.header), sizeof(p.fd));
	puts(p.fd == tcp ? "the same number" : "another number");
	say("poll", poll(&p, 1, 0));
	getsockopt(p.fd, SOL_SOCKET, SO_DOMAIN, &domain, &len);
	say("domain", domain);
}

static const struct {
	const char *name;
	void (*make)(void);
	void (*use)(void);  /* in the child */
	void (*then)(void); /* in the parent, when the child has ended */
} whats[] = {
	{ "bereaved", make_bereaved, use_bereaved, NULL },
	{ "failed", make_failed, use_failed, NULL },
	{ "listener", make_listener, use_listener, then_connect },
	{ "recvfrom", make_filled, use_recvfrom, NULL },
	{ "peercred", make_filled, use_peercred, NULL },
	{ "poll", make_fresh, use_poll, NULL },
	{ "ppoll", make_fresh, use_ppoll, NULL },
	{ "sizes", make_sized, use_sized, NULL },
	{ "message", make_message, use_message, NULL },
};

int main(int argc, char **argv)
{
	int status = 0;
	size_t i = 0;

	while (i < sizeof(whats) / sizeof(whats[0]) &&
	       (argc < 2 || strcmp(argv[1], whats[i].name)))
		i++;
	if (i == sizeof(whats) / sizeof(whats[0]))
		return 2;
	if (argc > 2) {
		whats[i].use();
		return 0;
	}
	whats[i].make();
	if (!fork()) {
		execl("/proc/self/exe", argv[0], argv[1], "child", NULL);
		_exit(127);
	}
	wait(&status);
	if (whats[i].then)
		whats[i].then();
	return status != 0;
}
