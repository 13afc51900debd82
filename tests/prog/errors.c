/* SPDX-License-Identifier: MIT */
/*
 * errors [host|guest|no-vsock|no-dgram]: brings about each error of AF_VSOCK
 * that can be had there. One line each: call, condition and errno, with tabs.
 */
#include "vsock.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>

static void row(const char *call, const char *condition, long result)
{
	printf("%s\t%s\t%s\n", call, condition,
	       result < 0 ? strerrorname_np(errno) : "success");
}

/* In a process of its own, which leaves nothing. */
#define ROW(call, condition, ...)                                              \
	do {                                                                   \
		fflush(stdout);                                                \
		if (fork() == 0) {                                             \
			row(call, condition, (long)(__VA_ARGS__));             \
			exit(0);                                               \
		}                                                              \
		wait(NULL);                                                    \
	} while (0)

static int to(int fd, unsigned int cid, unsigned int port)
{
	struct sockaddr_vm addr = vsock_addr(cid, port);

	return connect(fd, (struct sockaddr *)&addr, sizeof(addr));
}

static int bound(unsigned int port)
{
	int fd = vsock_socket(0);

	if (vsock_bind(fd, port))
		die("bind");
	return fd;
}

/* One end of a connection. */
static int connected(int flags)
{
	int client, accepted;

	vsock_pair(&client, &accepted);
	fcntl(client, F_SETFL, flags);
	return client;
}

/* An end whose peer has gone. */
static int orphan(void)
{
	int client, accepted;

	vsock_pair(&client, &accepted);
	close(accepted);
	return client;
}

/* An address that ends where memory does. */
static struct sockaddr *unreadable(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *p =
		mmap(NULL, page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return (struct sockaddr *)p;
}

/* What bind(2) and connect(2) say of addresses that are none. */
static int refused_all(int (*call)(int, const struct sockaddr *, socklen_t))
{
	struct sockaddr_vm addr = vsock_addr(VMADDR_CID_LOCAL, 7000);

	if (call(vsock_socket(0), (struct sockaddr *)&addr, 15) == 0 ||
	    errno != EINVAL)
		return 0;
	addr.svm_family = AF_INET;
	if (call(vsock_socket(0), (struct sockaddr *)&addr, 16) == 0 ||
	    errno != EINVAL)
		return 0;
	addr = vsock_addr(VMADDR_CID_LOCAL, 7000);
	addr.svm_flags = 2;
	return call(vsock_socket(0), (struct sockaddr *)&addr, 16);
}

static int privileged_bind(void)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3
	};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &head, data))
		die("capget");
	data[0].effective &= ~(1u << CAP_NET_BIND_SERVICE);
	if (syscall(SYS_capset, &head, data))
		die("capset");
	return vsock_bind(vsock_socket(0), 1023);
}

static int bind_after_24(void)
{
	unsigned int port = vsock_port(bound(VMADDR_PORT_ANY));

	for (unsigned int i = 1; i <= 24; i++)
		bound(port + i);
	return vsock_bind(vsock_socket(0), VMADDR_PORT_ANY);
}

static int connect_full(void)
{
	int port = (int)vsock_port(bound(VMADDR_PORT_ANY)) + 1;
	int fd = bound((unsigned int)port);

	if (listen(fd, 0) || vsock_connect(vsock_socket(0), (unsigned)port))
		die("connect");
	return vsock_connect(vsock_socket(0), (unsigned)port);
}

static int connect_twice(void)
{
	int fd = vsock_socket(SOCK_NONBLOCK);

	vsock_connect(fd, 7000);
	return vsock_connect(fd, 7000);
}

static int connect_nowhere(void)
{
	if (to(vsock_socket(0), VMADDR_CID_HYPERVISOR, 7000) == 0 ||
	    errno != ENODEV || to(vsock_socket(0), 99, 7000) == 0 ||
	    errno != ENODEV)
		return 0;
	return to(vsock_socket(0), VMADDR_CID_ANY, 7000);
}

static int connect_refused(void)
{
	if (vsock_connect(vsock_socket(0), VMADDR_PORT_ANY) == 0 ||
	    errno != ECONNRESET)
		return 0;
	return vsock_connect(vsock_socket(0), vsock_port(bound(7000)));
}

static int connect_shut(void)
{
	int fd = connected(0);

	if (shutdown(fd, SHUT_WR))
		die("shutdown");
	return vsock_connect(fd, 7000);
}

static void on_alarm(int sig)
{
	(void)sig;
}

static int connect_interrupted(void)
{
	/* Again and again: the first may come before the call sleeps. */
	struct itimerval soon = { { 0, 20000 }, { 0, 20000 } };

	sigaction(SIGALRM,
		  &(struct sigaction){ .sa_handler = on_alarm,
				       .sa_flags = SA_RESTART },
		  NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
	return to(vsock_socket(0), 99, 7000);
}

static int set_timeout(int fd, long sec, long usec)
{
	struct timeval t = { .tv_sec = sec, .tv_usec = usec };

	return setsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT, &t,
			  sizeof(t));
}

static int connect_unanswered(void)
{
	int fd = vsock_socket(0);

	set_timeout(fd, 0, 20000);
	return to(fd, 99, 7000);
}

static long fill(int fd)
{
	static const char buf[65536];
	long r;

	while ((r = send(fd, buf, sizeof(buf), 0)) > 0)
		;
	return r;
}

static long send_large(void)
{
	static const char buf[262144 + 1];
	int l = socket(AF_VSOCK, SOCK_SEQPACKET, 0);
	int c = socket(AF_VSOCK, SOCK_SEQPACKET, 0);

	if (vsock_bind(l, VMADDR_PORT_ANY) || listen(l, 1) ||
	    vsock_connect(c, vsock_port(l)))
		die("connect");
	return send(c, buf, sizeof(buf), 0);
}

static long send_to(int fd)
{
	struct sockaddr_vm addr = vsock_addr(VMADDR_CID_LOCAL, 7000);

	return sendto(fd, "x", 1, 0, (struct sockaddr *)&addr, sizeof(addr));
}

static int other_option(bool set)
{
	int value = 0, fd = vsock_socket(0);
	socklen_t len = sizeof(value);

	return set ? setsockopt(fd, AF_VSOCK, 99, &value, sizeof(value))
		   : getsockopt(fd, AF_VSOCK, 99, &value, &len);
}

static int get_name(int fd)
{
	struct sockaddr_vm addr;
	socklen_t len = sizeof(addr);

	return getpeername(fd, (struct sockaddr *)&addr, &len);
}

static void calls_that_make_or_name(void)
{
	struct sockaddr_vm foreign = vsock_addr(99, 7000);
	int pair[2];

	ROW("socket", "another protocol than 0 and AF_VSOCK",
	    socket(AF_VSOCK, SOCK_STREAM, 6));
	ROW("socket", "another type (SOCK_RAW, ...)",
	    socket(AF_VSOCK, SOCK_RAW, 0));
	ROW("socket", "unknown flags in the type",
	    socket(AF_VSOCK, SOCK_STREAM | 0x100, 0));
	ROW("socketpair", "always", socketpair(AF_VSOCK, SOCK_STREAM, 0, pair));
	ROW("bind", "below 1024, no CAP_NET_BIND_SERVICE", privileged_bind());
	ROW("bind", "the port is in use",
	    (bound(7000), vsock_bind(vsock_socket(0), 7000)));
	ROW("bind", "the CID is not this machine's",
	    bind(vsock_socket(0), (struct sockaddr *)&foreign, 16));
	ROW("bind", "VMADDR_PORT_ANY, 24 in turn are in use", bind_after_24());
	ROW("bind", "bound already", vsock_bind(bound(7000), 7001));
	ROW("bind", "no sockaddr_vm, or unknown svm_flags", refused_all(bind));
	ROW("bind", "the address cannot be read",
	    bind(vsock_socket(0), unreadable(), 16));
	ROW("listen", "not bound", listen(vsock_socket(0), 1));
	ROW("listen", "connected", listen(connected(0), 1));
	ROW("accept", "does not listen", accept(bound(7000), NULL, NULL));
	ROW("accept", "non-blocking, nobody has connected", ({
		    int fd = vsock_listen(7000);
		    fcntl(fd, F_SETFL, O_NONBLOCK);
		    accept(fd, NULL, NULL);
	    }));
}

static void calls_that_connect(void)
{
	ROW("connect", "no transport leads to the CID", connect_nowhere());
	ROW("connect", "SEQPACKET, to a guest that is not there",
	    to(socket(AF_VSOCK, SOCK_SEQPACKET, 0), 99, 7000));
	ROW("connect", "nobody listens on the port", connect_refused());
	ROW("connect", "the listener's backlog is full", connect_full());
	ROW("connect", "the listener has another type",
	    (vsock_listen(7000),
	     vsock_connect(socket(AF_VSOCK, SOCK_SEQPACKET, 0), 7000)));
	ROW("connect", "non-blocking",
	    (vsock_listen(7000),
	     vsock_connect(vsock_socket(SOCK_NONBLOCK), 7000)));
	ROW("connect", "non-blocking, after one that failed", connect_twice());
	ROW("connect", "connected already", vsock_connect(connected(0), 7000));
	ROW("connect", "listening", vsock_connect(vsock_listen(7000), 7000));
	ROW("connect", "after shutdown(2)", connect_shut());
	ROW("connect", "no sockaddr_vm, or unknown svm_flags",
	    refused_all(connect));
	ROW("connect", "the address cannot be read",
	    connect(vsock_socket(0), unreadable(), 16));
}

static void calls_on_connections(void)
{
	char buf[1];

	ROW("send", "not connected", send(vsock_socket(0), "x", 1, 0));
	ROW("recv", "not connected", recv(vsock_socket(0), buf, 1, 0));
	ROW("getpeername", "not connected", get_name(vsock_socket(0)));
	ROW("shutdown", "not connected", shutdown(vsock_socket(0), SHUT_WR));
	ROW("shutdown", "neither SHUT_RD, SHUT_WR nor SHUT_RDWR",
	    shutdown(connected(0), 3));
	ROW("send", "non-blocking, the window is full",
	    fill(connected(O_NONBLOCK)));
	ROW("recv", "non-blocking, nothing has come",
	    recv(connected(O_NONBLOCK), buf, 1, 0));
	ROW("send", "after SHUT_WR, or the peer has closed",
	    send(orphan(), "x", 1, MSG_NOSIGNAL));
	ROW("send", "a SEQPACKET message above the window", send_large());
	ROW("send", "MSG_OOB", send(connected(0), "x", 1, MSG_OOB));
	ROW("recv", "MSG_OOB", recv(connected(0), buf, 1, MSG_OOB));
	ROW("sendto", "SOCK_DGRAM, nobody holds the port",
	    send_to(socket(AF_VSOCK, SOCK_DGRAM, 0)));
	ROW("sendto", "an address, connected", send_to(connected(0)));
	ROW("sendto", "an address, not connected", send_to(vsock_socket(0)));
	ROW("getsockopt", "unknown option", other_option(false));
	ROW("setsockopt", "unknown option", other_option(true));
	ROW("setsockopt", "the value is too short",
	    setsockopt(vsock_socket(0), AF_VSOCK, SO_VM_SOCKETS_BUFFER_SIZE,
		       buf, 4));
	ROW("setsockopt", "a connect timeout out of range",
	    set_timeout(vsock_socket(0), 0, 1000000));
	ROW("ioctl", "..._GET_LOCAL_CID, not on /dev/vsock",
	    ioctl(vsock_socket(0), IOCTL_VM_SOCKETS_GET_LOCAL_CID, buf));
}

static void host(void)
{
	calls_that_make_or_name();
	calls_that_connect();
	calls_on_connections();
}

static void guest(void)
{
	ROW("connect", "nobody answers", connect_unanswered());
	ROW("connect", "a signal arrives", connect_interrupted());
}

static void no_vsock(void)
{
	ROW("socket", "no vsock: a setting is bad",
	    socket(AF_VSOCK, SOCK_STREAM, 0));
}

static void no_dgram(void)
{
	ROW("socket", "SOCK_DGRAM, and VSOCKSHIM_DGRAM is off",
	    socket(AF_VSOCK, SOCK_DGRAM, 0));
}

int main(int argc, char **argv)
{
	static const struct command commands[] = { { "host", host },
						   { "guest", guest },
						   { "no-vsock", no_vsock },
						   { "no-dgram", no_dgram },
						   { 0 } };

	return run_command(commands, argc == 2 ? argv[1] : NULL);
}
