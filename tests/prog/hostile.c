/* SPDX-License-Identifier: MIT */
/*
 * hostile WHAT: what preload shims are known to fail in; prints what calls
 * returned.
 */
#include "vsock.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#define PORT 5000

/* Whether a byte goes from @from to @to. */
static int carries(int from, int to)
{
	char c = 0;

	return write(from, "x", 1) == 1 && read(to, &c, 1) == 1 && c == 'x';
}

/* One connection, from socket to close. */
static void pair(void)
{
	int client, accepted;

	vsock_pair(&client, &accepted);
	say("carries", carries(client, accepted));
	say("back", carries(accepted, client));
	close(client);
	close(accepted);
}

static void fclose_reuse(void)
{
	int fd = vsock_listen(PORT), fds[2];
	struct pollfd p = { .fd = fd };
	FILE *f = fdopen(fd, "r+");

	if (!f)
		die("fdopen");
	fclose(f);
	if (pipe(fds))
		die("pipe");
	close(fds[1]);
	say("same number", fds[0] == fd);
	say("poll", poll(&p, 1, 1000));
	say("hup", p.revents == POLLHUP);
	say("accept", accept(fd, NULL, NULL));
	close(fd);
	say("bind", vsock_bind(vsock_socket(0), PORT));
}

static void close_all(void)
{
	int before = open_descriptors(), client, accepted;
	int fd = vsock_listen(PORT);

	say("hidden", open_descriptors() - before - 1);
	say("close_range", close_range(3, ~0U, 0));
	say("listen", listen(fd, 1));
	fd = vsock_listen(PORT);
	say("number", fd);
	vsock_pair(&client, &accepted);
	say("carries", carries(client, accepted));
}

static void vfork_close(void)
{
	int listener = vsock_listen(PORT), client, accepted, fd;
	struct sockaddr_vm addr;
	socklen_t len = sizeof(addr);
	pid_t pid;

	vsock_pair(&client, &accepted);
	pid = vfork();
	if (!pid) {
		close(listener);
		close(client);
		close_range(3, ~0U, 0);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	say("getpeername", getpeername(client, (struct sockaddr *)&addr, &len));
	say("family", addr.svm_family);
	say("carries", carries(client, accepted));
	fd = vsock_socket(0);
	say("connect", vsock_connect(fd, PORT));
	say("accepts", accept(listener, NULL, NULL) >= 0);
}

static int lowest(void)
{
	int fd = dup(0);

	close(fd);
	return fd;
}

static void numbers(void)
{
	int want, listener, client, fd;
	struct stat st;

	want = lowest();
	listener = vsock_listen(PORT);
	say("socket", listener == want);
	client = vsock_socket(0);
	vsock_connect(client, PORT);
	want = lowest();
	fd = accept(listener, NULL, NULL);
	say("accept", fd == want);
	say("is a socket", fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode));
	want = lowest();
	say("dup", dup(fd) == want);
}

static void kept(void)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u32 = 7 }, got;
	struct timeval tv = { .tv_sec = 3 }, read_tv = { 0 };
	int fd = vsock_socket(SOCK_CLOEXEC), listener = vsock_listen(PORT);
	int epfd = epoll_create1(0), accepted, also = dup(fd);
	socklen_t len = sizeof(tv);

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &ev);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	say("connect", vsock_connect(fd, PORT));
	accepted = accept(listener, NULL, NULL);
	write(accepted, "x", 1);
	say("epoll_wait", epoll_wait(epfd, &got, 1, 1000));
	say("data", got.data.u32);
	getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &read_tv, &len);
	say("timeout", read_tv.tv_sec);
	say("non-blocking", !!(fcntl(fd, F_GETFL) & O_NONBLOCK));
	say("close-on-exec", fcntl(fd, F_GETFD));
	say("duplicate", carries(also, accepted));
}

/* @len bytes of room in a field of 0xaa. */
struct field {
	socklen_t len;
	unsigned char bytes[256];
};

static struct sockaddr *room(struct field *f, socklen_t len)
{
	memset(f->bytes, 0xaa, sizeof(f->bytes));
	f->len = len;
	return (struct sockaddr *)f->bytes;
}

static int untouched(const struct field *f, socklen_t len)
{
	if (len > sizeof(struct sockaddr_vm))
		len = sizeof(struct sockaddr_vm);
	for (size_t i = len; i < sizeof(f->bytes); i++)
		if (f->bytes[i] != 0xaa)
			return 0;
	return f->len == sizeof(struct sockaddr_vm);
}

static void rooms(void)
{
	static const socklen_t lens[] = { 0, 1, 2, 15, 16, 17, 110, 200 };
	int listener = vsock_listen(PORT), client, accepted, right = 0;
	int from = socket(AF_VSOCK, SOCK_DGRAM, 0);
	int to = socket(AF_VSOCK, SOCK_DGRAM, 0);
	struct sockaddr_vm addr = vsock_addr(VMADDR_CID_LOCAL, PORT);
	struct field f;
	socklen_t len;
	char c;

	vsock_bind(to, PORT);
	vsock_pair(&client, &accepted);
	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		len = lens[i];
		right += getsockname(client, room(&f, len), &f.len) == 0 &&
			 untouched(&f, len);
		right += getpeername(accepted, room(&f, len), &f.len) == 0 &&
			 untouched(&f, len);
		vsock_connect(vsock_socket(0), PORT);
		right += accept(listener, room(&f, len), &f.len) >= 0 &&
			 untouched(&f, len);
		sendto(from, "x", 1, 0, (struct sockaddr *)&addr, sizeof(addr));
		right += recvfrom(to, &c, 1, 0, room(&f, len), &f.len) == 1 &&
			 untouched(&f, len);
	}
	say("right", right);
}

/* What AF_UNIX has and AF_VSOCK has not. */
static void only_unix(void)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 }, buf[9];
	char x[] = "x";
	struct iovec iov = { x, 1 };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	struct ucred cred = { .pid = 1 };
	socklen_t len = sizeof(cred);
	int client, accepted, before, on = 1;

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	vsock_pair(&client, &accepted);
	before = open_descriptors();
	memset(CMSG_DATA(cmsg), 0xff, sizeof(int));
	say("bad descriptor", sendmsg(client, &msg, 0));
	memset(CMSG_DATA(cmsg), 0, sizeof(int));
	say("sendmsg", sendmsg(client, &msg, 0));
	iov = (struct iovec){ buf, sizeof(buf) };
	msg.msg_controllen = sizeof(control);
	say("recvmsg", recvmsg(accepted, &msg, 0));
	say("control", (long)msg.msg_controllen);
	say("descriptors", open_descriptors() - before);
	getsockopt(client, SOL_SOCKET, SO_PEERCRED, &cred, &len);
	say("pid", cred.pid);
	setsockopt(accepted, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
	write(client, "x", 1);
	msg.msg_controllen = sizeof(control);
	say("recvmsg", recvmsg(accepted, &msg, 0));
	say("control", (long)msg.msg_controllen);
	say("MSG_OOB", send(client, "x", 1, MSG_OOB));
}

static void *reads(void *arg)
{
	static char buf[65536];
	int fd = *(int *)arg;

	while (read(fd, buf, sizeof(buf)) > 0)
		;
	return NULL;
}

/* However little fits, a blocking send sends it all. */
static void long_send(void)
{
	static char data[8 << 20];
	int client, accepted;
	pthread_t thread;

	vsock_pair(&client, &accepted);
	pthread_create(&thread, NULL, reads, &accepted);
	say("send", send(client, data, sizeof(data), 0));
	say("write", write(client, data, sizeof(data)));
	shutdown(client, SHUT_WR);
	pthread_join(thread, NULL);
}

/* argv[2]: a library with `int probe(int fd)`, loaded past all preloads. */
static const char *argument;

static void deepbind(void)
{
	void *lib = dlopen(argument, RTLD_NOW | RTLD_DEEPBIND);
	int (*probe)(int fd) =
		lib ? (int (*)(int))dlsym(lib, "probe") : (int (*)(int))NULL;
	int client, accepted;
	char c;

	if (!probe) {
		fprintf(stderr, "%s\n", dlerror());
		exit(1);
	}
	vsock_pair(&client, &accepted);
	say("probe", probe(client));
	say("read", read(accepted, &c, 1));
}

/* A system call that is not libc's. */
static long raw_call(long number, long a, const void *b, long c)
{
#ifdef __x86_64__
	long r;

	__asm__ volatile("syscall"
			 : "=a"(r)
			 : "a"(number), "D"(a), "S"(b), "d"(c)
			 : "rcx", "r11", "memory");
	if (r >= 0)
		return r;
	errno = (int)-r;
	return -1;
#else /* past all preloads, by libc's own function */
	void *libc = dlopen("libc.so.6", RTLD_NOW);
	long (*call)(long, ...) = (long (*)(long, ...))dlsym(libc, "syscall");

	return call(number, a, b, c);
#endif
}

/* Only for where the kernel's vsock is nobody's: the guard. */
static void raw(void)
{
	int client, accepted;
	char c = 0;

	say("socket", raw_call(SYS_socket, AF_VSOCK, (void *)SOCK_STREAM, 0));
	vsock_pair(&client, &accepted);
	say("write", raw_call(SYS_write, client, "x", 1));
	say("read", raw_call(SYS_read, accepted, &c, 1));
	say("is x", c == 'x');
	say("close", raw_call(SYS_close, client, NULL, 0));
	say("end", read(accepted, &c, 1));
}

/* --- threads and signals ------------------------------------------------- */

static volatile int stop;

/* Holds the shim's lock as often as can be. */
static void *sets_options(void *arg)
{
	unsigned long long v = 4096;
	int fd = vsock_socket(0);

	for (; !stop; v = v % 65536 + 4096)
		setsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_BUFFER_SIZE, &v,
			   sizeof(v));
	close(fd);
	return arg;
}

static void fork_locked(void)
{
	unsigned long long v = 8192;
	int status, hung = 0, failed = 0;
	pthread_t threads[3];

	for (int i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, sets_options, NULL);
	for (int i = 0; i < 400; i++) {
		pid_t pid = fork();

		if (!pid) {
			alarm(30);
			/* A lock that is waited for blocks signals. */
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			status = vsock_socket(0);
			_exit(setsockopt(status, AF_VSOCK,
					 SO_VM_SOCKETS_BUFFER_SIZE, &v,
					 sizeof(v)) ||
			      vsock_bind(status, VMADDR_PORT_ANY));
		}
		waitpid(pid, &status, 0);
		hung += WIFSIGNALED(status);
		failed += WIFEXITED(status) && WEXITSTATUS(status);
		if (hung) /* the next would, too */
			break;
	}
	stop = 1;
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	say("hung", hung);
	say("failed", failed);
}

static int use(unsigned int i);

static int blocked_fd;
static pid_t blocked_tid;

static void *blocks_in_accept(void *arg)
{
	__atomic_store_n(&blocked_tid, (pid_t)syscall(SYS_gettid),
			 __ATOMIC_SEQ_CST);
	accept(blocked_fd, NULL, NULL);
	return arg;
}

/* Nobody answers at CID 9. */
static void *blocks_in_connect(void *arg)
{
	struct sockaddr_vm addr = vsock_addr(9, PORT);

	__atomic_store_n(&blocked_tid, (pid_t)syscall(SYS_gettid),
			 __ATOMIC_SEQ_CST);
	connect(blocked_fd, (struct sockaddr *)&addr, sizeof(addr));
	return arg;
}

/* Whose backlog has no room: connect waits for a while, but is no cancellation
 * point there. */
static void *blocks_at_backlog(void *arg)
{
	__atomic_store_n(&blocked_tid, (pid_t)syscall(SYS_gettid),
			 __ATOMIC_SEQ_CST);
	for (;; pthread_testcancel())
		vsock_connect(blocked_fd, PORT + 1);
	return arg;
}

static void fill_backlog(void)
{
	while (vsock_connect(vsock_socket(0), PORT + 1) == 0)
		;
}

/* Until the thread sleeps. */
static void wait_blocked(void)
{
	char path[64], buf[512], *state;
	ssize_t n;
	int fd;

	while (!__atomic_load_n(&blocked_tid, __ATOMIC_SEQ_CST))
		usleep(100);
	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", blocked_tid);
	do {
		usleep(100);
		fd = open(path, O_RDONLY);
		n = fd < 0 ? 0 : read(fd, buf, sizeof(buf) - 1);
		close(fd);
		buf[n > 0 ? n : 0] = '\0';
		state = strrchr(buf, ')');
	} while (state && state[2] != 'S');
}

static void cancelled(void)
{
	void *(*const blocks[])(void *) = { blocks_in_connect, blocks_in_accept,
					    blocks_at_backlog };
	const struct timeval minute = { .tv_sec = 60 };
	struct timeval tv = { .tv_sec = 3 };
	socklen_t len = sizeof(tv);
	int before, n = 0, kept = 0;
	void *result;
	pthread_t t;

	use(0); /* what is opened once, is */
	listen(vsock_listen(PORT + 1), 0);
	fill_backlog();
	before = open_descriptors();
	for (int i = 0; i < 150; i++) {
		blocked_tid = 0;
		blocked_fd = i % 3 == 1 ? vsock_listen(PORT) : vsock_socket(0);
		setsockopt(blocked_fd, SOL_SOCKET, SO_SNDTIMEO, &tv,
			   sizeof(tv));
		setsockopt(blocked_fd, AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT,
			   &minute, sizeof(minute));
		pthread_create(&t, NULL, blocks[i % 3], NULL);
		wait_blocked();
		pthread_cancel(t);
		pthread_join(t, &result);
		n += result == PTHREAD_CANCELED;
		getsockopt(blocked_fd, SOL_SOCKET, SO_SNDTIMEO, &tv, &len);
		kept += tv.tv_sec == 3 && tv.tv_usec == 0;
		tv = (struct timeval){ .tv_sec = 3 };
		close(blocked_fd);
	}
	say("cancelled", n);
	say("SO_SNDTIMEO kept", kept);
	say("leaked", open_descriptors() - before);
	pair();
}

static void on_signal(int sig)
{
	(void)sig;
}

/* From now on, 5000 times a second, no call is restarted. */
static void begin_storm(void)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct itimerspec often = { { .tv_nsec = 200000 },
				    { .tv_nsec = 200000 } };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL,
				  .sigev_signo = SIGUSR1 };
	timer_t timer;

	sigaction(SIGUSR1, &action, NULL);
	if (timer_create(CLOCK_MONOTONIC, &event, &timer) ||
	    timer_settime(timer, 0, &often, NULL))
		die("timer");
}

#define STORM 500

static void await(int fd)
{
	char c;

	while (read(fd, &c, 1) < 0 && errno == EINTR)
		;
}

/* Each client says who it is. @go: nobody accepts until one was interrupted. */
static void storm_clients(int go)
{
	int done = 0, told = 0, fd, r;

	await(go);
	begin_storm();
	for (int i = 0; i < STORM; i++) {
		fd = vsock_socket(0);
		do {
			r = vsock_connect(fd, PORT);
			if (r && errno == EINTR && !told++) {
				say("connect", r);
				write(go, "x", 1);
				errno = EINTR;
			}
		} while (r && (errno == EINTR || errno == ECONNRESET));
		if (r)
			die("connect");
		do
			r = (int)write(fd, &i, sizeof(i));
		while (r < 0 && errno == EINTR);
		done += r == sizeof(i);
		close(fd);
	}
	say("connected", done);
	exit(0);
}

static void storm(void)
{
	int listener = vsock_listen(PORT), fd, got, right = 0, n = 0, go[2];
	static char seen[STORM];
	pid_t pid;
	ssize_t r;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, go))
		die("socketpair");
	pid = fork();
	if (!pid)
		storm_clients(go[1]);
	begin_storm();
	say("accept", accept(listener, NULL, NULL)); /* there is no client */
	write(go[0], "x", 1);
	await(go[0]);
	while (n < STORM) {
		fd = accept(listener, NULL, NULL);
		if (fd < 0 && errno == EINTR)
			continue;
		if (fd < 0)
			die("accept");
		n++;
		do
			r = read(fd, &got, sizeof(got));
		while (r < 0 && errno == EINTR);
		if (r == sizeof(got) && got >= 0 && got < STORM && !seen[got]++)
			right++;
		close(fd);
	}
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	say("accepted", n);
	say("right", right);
}

/* argv[2] threads for argv[3] seconds, each of which does all there is. */
static int n_threads, seconds, n_worked, n_failed;
static long end_ms;

static int use(unsigned int i)
{
	unsigned long long v = 4096 + i;
	struct sockaddr_vm addr;
	socklen_t len = sizeof(addr);
	int type = i % 2 ? SOCK_SEQPACKET : SOCK_STREAM;
	int listener = socket(AF_VSOCK, type, 0);
	int client = socket(AF_VSOCK, type, 0), accepted, ok;
	struct pollfd p = { .fd = client, .events = POLLIN };

	ok = vsock_bind(listener, VMADDR_PORT_ANY) == 0 &&
	     listen(listener, 1) == 0 &&
	     (i % 3 || setsockopt(client, AF_VSOCK, SO_VM_SOCKETS_BUFFER_SIZE,
				  &v, sizeof(v)) == 0) &&
	     vsock_connect(client, vsock_port(listener)) == 0;
	accepted = ok ? accept(listener, (struct sockaddr *)&addr, &len) : -1;
	ok = accepted >= 0 && addr.svm_port == vsock_port(client) &&
	     carries(client, accepted) && write(accepted, "y", 1) == 1 &&
	     poll(&p, 1, 10000) == 1 && p.revents == POLLIN &&
	     shutdown(client, SHUT_RDWR) == 0;
	if (accepted >= 0)
		close(accepted);
	close(client);
	close(listener);
	return ok;
}

static void *works(void *arg)
{
	unsigned int i = (unsigned int)(uintptr_t)arg;
	int ok = 1;

	do
		ok &= use(i++);
	while (milliseconds() < end_ms);
	__atomic_add_fetch(ok ? &n_worked : &n_failed, 1, __ATOMIC_RELAXED);
	return NULL;
}

static void threads(void)
{
	pthread_t thread[256];
	int before;

	use(0); /* what is opened once, is */
	before = open_descriptors();
	end_ms = milliseconds() + seconds * 1000;
	for (int i = 0; i < n_threads; i++)
		pthread_create(&thread[i], NULL, works, (void *)(uintptr_t)i);
	for (int i = 0; i < n_threads; i++)
		pthread_join(thread[i], NULL);
	say("worked", n_worked);
	say("failed", n_failed);
	say("leaked", open_descriptors() - before);
}

/* --- io_uring ------------------------------------------------------------ */

static struct {
	int fd;
	struct io_uring_params p;
	struct io_uring_sqe *sqes;
	char *sq, *cq;
} ring;

static void uring_init(void)
{
	struct io_uring_params *p = &ring.p;

	ring.fd = (int)syscall(SYS_io_uring_setup, 4, p);
	if (ring.fd < 0)
		die("io_uring_setup");
	ring.sq = mmap(NULL, p->sq_off.array + p->sq_entries * 4,
		       PROT_READ | PROT_WRITE, MAP_SHARED, ring.fd,
		       IORING_OFF_SQ_RING);
	ring.cq = mmap(NULL,
		       p->cq_off.cqes +
			       p->cq_entries * sizeof(struct io_uring_cqe),
		       PROT_READ | PROT_WRITE, MAP_SHARED, ring.fd,
		       IORING_OFF_CQ_RING);
	ring.sqes = mmap(NULL, p->sq_entries * sizeof(*ring.sqes),
			 PROT_READ | PROT_WRITE, MAP_SHARED, ring.fd,
			 IORING_OFF_SQES);
	if (ring.sq == MAP_FAILED || ring.cq == MAP_FAILED ||
	    ring.sqes == MAP_FAILED)
		die("mmap");
}

/* One operation, to its end: its result, as of a call. */
static long uring_do(const struct io_uring_sqe *sqe)
{
	unsigned int *tail = (unsigned int *)(ring.sq + ring.p.sq_off.tail);
	unsigned int *array = (unsigned int *)(ring.sq + ring.p.sq_off.array);
	unsigned int *head = (unsigned int *)(ring.cq + ring.p.cq_off.head);
	struct io_uring_cqe *cqes =
		(struct io_uring_cqe *)(ring.cq + ring.p.cq_off.cqes);
	unsigned int i = *tail & (ring.p.sq_entries - 1);
	long r;

	ring.sqes[i] = *sqe;
	array[i] = i;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, ring.fd, 1, 1, IORING_ENTER_GETEVENTS,
		    NULL, 0) < 0)
		die("io_uring_enter");
	r = cqes[*head & (ring.p.cq_entries - 1)].res;
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	if (r < 0) {
		errno = (int)-r;
		r = -1;
	}
	return r;
}

/* Of Linux 6.11. IORING_OP_SOCKET would make a socket of the kernel's vsock. */
enum { OP_BIND = 56, OP_LISTEN };

static void uring(void)
{
	struct sockaddr_vm addr = vsock_addr(VMADDR_CID_LOCAL, PORT);
	struct io_uring_sqe sqe = { .opcode = IORING_OP_SEND, .len = 1 };
	int client, accepted, listener, fd = vsock_socket(0);
	struct sockaddr from = { 0 };
	socklen_t len = sizeof(from);
	char c = 'x';

	uring_init();
	vsock_pair(&client, &accepted);
	sqe.fd = client;
	sqe.addr = (uintptr_t)&c;
	say("send", uring_do(&sqe));
	sqe.opcode = IORING_OP_RECV;
	sqe.fd = accepted;
	say("recv", uring_do(&sqe));
	sqe = (struct io_uring_sqe){ .opcode = IORING_OP_CONNECT,
				     .fd = fd,
				     .addr = (uintptr_t)&addr,
				     .off = sizeof(addr) };
	listener = vsock_listen(PORT);
	say("connect", uring_do(&sqe));
	say("libc's connect", vsock_connect(fd, PORT));
	sqe = (struct io_uring_sqe){ .opcode = IORING_OP_ACCEPT,
				     .fd = listener,
				     .addr = (uintptr_t)&from,
				     .off = (uintptr_t)&len };
	accepted = (int)uring_do(&sqe);
	say("accepts", accepted >= 0);
	say("as from", from.sa_family);
	getpeername(accepted, &from, &len);
	say("getpeername", from.sa_family);
	say("carries", carries(fd, accepted));
	fd = vsock_socket(0);
	addr = vsock_addr(VMADDR_CID_ANY, PORT + 1);
	sqe = (struct io_uring_sqe){ .opcode = OP_BIND,
				     .fd = fd,
				     .addr = (uintptr_t)&addr,
				     .off = sizeof(addr) };
	say("bind", uring_do(&sqe));
	say("libc's bind", vsock_bind(fd, PORT + 1));
	sqe = (struct io_uring_sqe){ .opcode = OP_LISTEN, .fd = fd, .len = 1 };
	if (uring_do(&sqe) && errno == EINVAL) /* before Linux 6.11 */
		listen(fd, 1);
	say("connect", vsock_connect(vsock_socket(0), PORT + 1));
	say("accepts", accept(fd, NULL, NULL) >= 0);
}

static const struct command commands[] = {
	{ "pair", pair },
	{ "fclose-reuse", fclose_reuse },
	{ "close-all", close_all },
	{ "vfork-close", vfork_close },
	{ "numbers", numbers },
	{ "kept", kept },
	{ "rooms", rooms },
	{ "only-unix", only_unix },
	{ "long-send", long_send },
	{ "deepbind", deepbind },
	{ "raw", raw },
	{ "fork-locked", fork_locked },
	{ "cancelled", cancelled },
	{ "storm", storm },
	{ "threads", threads },
	{ "uring", uring },
	{ NULL, NULL },
};

int main(int argc, char **argv)
{
	argument = argc > 2 ? argv[2] : NULL;
	n_threads = argc > 2 ? atoi(argv[2]) : 0;
	seconds = argc > 3 ? atoi(argv[3]) : 0;
	return run_command(commands, argc > 1 ? argv[1] : NULL);
}
