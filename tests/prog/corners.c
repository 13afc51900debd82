/* SPDX-License-Identifier: MIT */
/* corners WHAT: one rare use of a vsock socket; prints what calls returned. */
#include "vsock.h"

#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#define PORT 5000

static void make_and_bind(void)
{
	int fd = socket(AF_VSOCK, SOCK_STREAM, 0);

	write(1, "bound\n", vsock_bind(fd, VMADDR_PORT_ANY) ? 0 : 6);
}

static void *in_thread(void *arg)
{
	make_and_bind();
	return arg;
}

static void small_thread(void)
{
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, (size_t)sysconf(_SC_THREAD_STACK_MIN));
	if (pthread_create(&thread, &attr, in_thread, NULL))
		die("pthread_create");
	pthread_join(thread, NULL);
}

static void in_handler(int sig)
{
	(void)sig;
	make_and_bind();
}

/* 8 KiB, and below them a page that nobody may touch. */
static void small_handler(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *mem = mmap(NULL, page + 8192, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	stack_t stack = { .ss_sp = mem + page, .ss_size = 8192 };
	struct sigaction action = {
		.sa_handler = in_handler,
		.sa_flags = SA_ONSTACK,
	};

	if (mem == MAP_FAILED || mprotect(mem, page, PROT_NONE) ||
	    sigaltstack(&stack, NULL) || sigaction(SIGUSR1, &action, NULL))
		die("sigaltstack");
	signal(SIGSEGV, SIG_DFL); /* not a sanitizer's, which needs more */
	raise(SIGUSR1);
}

struct race {
	pthread_barrier_t start;
	int fd;
};

static void *shut_read(void *arg)
{
	struct race *race = arg;

	pthread_barrier_wait(&race->start);
	shutdown(race->fd, SHUT_RD);
	return NULL;
}

static void *shut_write(void *arg)
{
	struct race *race = arg;

	pthread_barrier_wait(&race->start);
	shutdown(race->fd, SHUT_WR);
	return NULL;
}

static void shutdowns(void)
{
	struct race race;
	pthread_t reader, writer;
	int peer, wrong = 0;

	pthread_barrier_init(&race.start, NULL, 2);
	for (int i = 0; i < 500; i++) {
		struct pollfd p = { .events = POLLIN | POLLOUT };

		vsock_pair(&race.fd, &peer);
		pthread_create(&reader, NULL, shut_read, &race);
		pthread_create(&writer, NULL, shut_write, &race);
		pthread_join(reader, NULL);
		pthread_join(writer, NULL);
		p.fd = race.fd;
		poll(&p, 1, 0);
		wrong += !(p.revents & POLLHUP) || p.revents & POLLOUT;
		close(race.fd);
		close(peer);
	}
	say("wrong", wrong);
}

static int polled;
static pid_t poller;

static void *in_poll(void *arg)
{
	struct pollfd p = { .fd = polled, .events = POLLIN };

	__atomic_store_n(&poller, gettid(), __ATOMIC_RELEASE);
	poll(&p, 1, -1);
	return arg;
}

/* Whether the thread sleeps, which after poller is set is in poll. */
static int asleep(pid_t tid)
{
	char path[64], state = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	f = fopen(path, "r");
	if (!f || fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
		die(path);
	fclose(f);
	return state == 'S';
}

static void cancelled(void)
{
	void *result = NULL;
	pthread_t thread;
	int before, n = 0;
	pid_t tid;

	polled = vsock_socket(0);
	before = open_descriptors();
	for (int i = 0; i < 50; i++) {
		poller = 0;
		pthread_create(&thread, NULL, in_poll, NULL);
		while (!(tid = __atomic_load_n(&poller, __ATOMIC_ACQUIRE)) ||
		       !asleep(tid))
			sched_yield();
		pthread_cancel(thread);
		pthread_join(thread, &result);
		n += result == PTHREAD_CANCELED;
	}
	say("cancelled", n);
	say("leaked", open_descriptors() - before);
}

static void bereaved(void)
{
	int fd = vsock_bereaved();
	char buf[8];

	say("read", read(fd, buf, sizeof(buf)));
	errno = EXFULL;
	say("read", read(fd, buf, sizeof(buf)));
	puts(errno == EXFULL ? "errno as it was" : strerrorname_np(errno));
}

static void unix_file(void)
{
	int fd = vsock_listen(PORT), before = open_descriptors();
	struct ifreq ifr = { 0 }; /* which any other request would take */

	say("ioctl", ioctl(fd, SIOCPROTOPRIVATE, &ifr));
	say("leaked", open_descriptors() - before);
}

static void no_bytes(void)
{
	struct sockaddr_vm name;
	char control[64];
	struct msghdr msg = {
		.msg_name = &name,
		.msg_namelen = sizeof(name),
		.msg_control = control,
		.msg_controllen = sizeof(control),
		.msg_flags = 0x7f,
	};
	int client, accepted;

	vsock_pair(&client, &accepted);
	say("recvmsg", recvmsg(client, &msg, 0));
	printf("namelen %u controllen %zu flags %#x\n", msg.msg_namelen,
	       (size_t)msg.msg_controllen, (unsigned)msg.msg_flags);
}

static void on_socket(int fd)
{
	void *bad = (void *)64;
	struct sockaddr_storage name;

	say("getsockname", getsockname(fd, (struct sockaddr *)&name, bad));
	say("bind 16", bind(fd, bad, 16));
	say("bind 200", bind(fd, bad, 200));
	say("recvmsg", recvmsg(fd, bad, MSG_DONTWAIT));
	say("sendmsg", sendmsg(fd, bad, MSG_DONTWAIT));
}

static void tcp_pointers(void)
{
	on_socket(socket(AF_INET, SOCK_STREAM, 0));
}

static void pointers(void)
{
	struct sockaddr_vm *addr = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
					MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd, client, accepted;

	puts("TCP, before any vsock");
	tcp_pointers();
	puts("vsock");
	fd = vsock_socket(0);
	on_socket(fd);
	*addr = vsock_addr(VMADDR_CID_LOCAL, PORT);
	say("connect", connect(fd, (struct sockaddr *)addr, sizeof(*addr)));
	munmap(addr, 4096);
	say("connect", connect(fd, (struct sockaddr *)addr, sizeof(*addr)));
	puts("vsock, connected");
	vsock_pair(&client, &accepted);
	on_socket(client);
	puts("TCP");
	tcp_pointers();
}

/* After a connect that fails with and without waiting. */
static void try_to_listen(void)
{
	int fd = vsock_socket(SOCK_NONBLOCK);
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	say("connect", vsock_connect(fd, PORT));
	poll(&p, 1, 5000);
	say("listen", listen(fd, 1));
	fd = vsock_socket(0);
	say("connect", vsock_connect(fd, PORT));
	if (listen(fd, 1))
		say("listen", -1);
	else
		say("connect to it",
		    vsock_connect(vsock_socket(0), vsock_port(fd)));
}

/* The port has an owner, who does not listen. */
static void try_to_listen_owned(void)
{
	vsock_bind(vsock_socket(0), PORT);
	try_to_listen();
}

/* Two at a time, from 5000 to 5001. */
static void datagrams(void)
{
	struct sockaddr_vm to = vsock_addr(VMADDR_CID_LOCAL, 5001);
	struct sockaddr_vm from[3] = { 0 };
	char one[] = "one", two[] = "two", got[3][8] = { "" };
	struct iovec out[2] = { { one, 3 }, { two, 3 } }, in[3];
	struct mmsghdr mm[3] = { 0 };
	int s = socket(AF_VSOCK, SOCK_DGRAM, 0);
	int r = socket(AF_VSOCK, SOCK_DGRAM, 0), n;

	if (vsock_bind(s, 5000) || vsock_bind(r, 5001))
		die("bind");
	for (int i = 0; i < 2; i++)
		mm[i].msg_hdr = (struct msghdr){ .msg_name = &to,
						 .msg_namelen = sizeof(to),
						 .msg_iov = &out[i],
						 .msg_iovlen = 1 };
	say("sendmmsg", sendmmsg(s, mm, 2, 0));
	for (int i = 0; i < 3; i++) {
		in[i] = (struct iovec){ got[i], sizeof(got[i]) - 1 };
		mm[i].msg_hdr = (struct msghdr){ .msg_name = &from[i],
						 .msg_namelen = sizeof(to),
						 .msg_iov = &in[i],
						 .msg_iovlen = 1 };
	}
	mm[1].msg_hdr.msg_namelen = offsetof(struct sockaddr_vm, svm_cid);
	say("recvmmsg", n = recvmmsg(r, mm, 3, MSG_WAITFORONE, NULL));
	for (int i = 0; i < n; i++)
		printf("%u:%u %s %u\n", from[i].svm_cid, from[i].svm_port,
		       got[i], mm[i].msg_hdr.msg_namelen);
	say("recvmmsg", recvmmsg(r, mm, 3, MSG_DONTWAIT, NULL));
}

static const struct command commands[] = {
	{ "small-thread", small_thread },
	{ "small-handler", small_handler },
	{ "shutdowns", shutdowns },
	{ "cancelled", cancelled },
	{ "bereaved", bereaved },
	{ "unix-file", unix_file },
	{ "no-bytes", no_bytes },
	{ "pointers", pointers },
	{ "listen", try_to_listen },
	{ "listen-owned", try_to_listen_owned },
	{ "datagrams", datagrams },
	{ NULL, NULL },
};

int main(int argc, char **argv)
{
	return run_command(commands, argc > 1 ? argv[1] : NULL);
}
