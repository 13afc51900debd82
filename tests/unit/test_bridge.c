/* SPDX-License-Identifier: MIT */
/*
 * bridge/: the whole of it, between a device that is played here, packet by
 * packet, and clients and listeners that are plain AF_UNIX sockets.
 */
#include "bridge/bridge.h"
#include "bridge/link.h"
#include "bridge/packet.h"
#include "bridge/wire.h"
#include "core/hello.h"
#include "core/util.h"

#include "tests/unit/ring_device.h"
#include "tests/unit/tap.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/sockios.h>

#define CID	 3u
#define DEADLINE 30000 /* ms */
#define PATIENCE 60000 /* ms, of a client who is answered */
#define WINDOW	 262144u

/* --- the device ------------------------------------------------------------
 */

static struct vhost vhost;
static struct device device[VHOST_RINGS];

static void device_open(void)
{
	size_t each = ring_bytes(WIRE_BUFS, WIRE_SIZE);
	uint8_t *at;

	vhost.fd = -1;
	vhost.seqpacket = true;
	vhost.bytes = VHOST_RINGS * each;
	vhost.mem = mmap(NULL, vhost.bytes, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	at = vhost.mem;
	for (int i = 0; i < VHOST_RINGS; i++, at += each) {
		vhost.kick[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		vhost.call[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		ring_init(&vhost.rings[i], at, (uintptr_t)at, WIRE_BUFS,
			  WIRE_SIZE, i == VHOST_RX);
		device[i] = (struct device){ .n = WIRE_BUFS,
					     .desc = vhost.rings[i].desc,
					     .avail = vhost.rings[i].avail,
					     .used = vhost.rings[i].used };
	}
}

/* The bridge's clock, which can be set forward. */
static uint64_t skipped;

#ifdef SYS_clock_gettime64 /* where a time may have more bits than a long */
#define GETTIME                                                                \
	(sizeof(time_t) > sizeof(long) ? SYS_clock_gettime64                   \
				       : SYS_clock_gettime)
#else
#define GETTIME SYS_clock_gettime
#endif

int clock_gettime(clockid_t id, struct timespec *ret)
{
	int r = (int)syscall(GETTIME, id, ret);

	if (id == CLOCK_MONOTONIC)
		ret->tv_sec +=
			(time_t)__atomic_load_n(&skipped, __ATOMIC_RELAXED);
	return r;
}

static void skip_ms(uint64_t ms)
{
	__atomic_add_fetch(&skipped, ms / 1000, __ATOMIC_RELAXED);
}

static bool wait_fd(int fd, short events, int ms)
{
	struct pollfd p = { .fd = fd, .events = events };

	return poll(&p, 1, ms) == 1;
}

/* The next packet from the bridge, its payload in @data; op 0: none came. */
static struct packet take_within(int ms, void *data)
{
	struct device_buf b;
	struct packet p;
	eventfd_t n;

	while (!device_take(&device[VHOST_TX], &b)) {
		if (!wait_fd(vhost.kick[VHOST_TX], POLLIN, ms))
			return (struct packet){ 0 };
		(void)eventfd_read(vhost.kick[VHOST_TX], &n);
	}
	if (packet_parse(b.data, b.len, &p) < 0)
		memset(&p, 0, sizeof(p));
	if (data)
		memcpy(data, b.data + PACKET_HDR, p.len);
	device_done(&device[VHOST_TX], b.head, 0);
	eventfd_write(vhost.call[VHOST_TX], 1);
	return p;
}

/* The next that is not only of credit, which may come at any time. */
static struct packet take(void *data)
{
	struct packet p;

	do
		p = take_within(DEADLINE, data);
	while (p.op == PACKET_CREDIT_UPDATE || p.op == PACKET_CREDIT_REQUEST);
	return p;
}

static void give(const struct packet *p, const void *data)
{
	struct device_buf b;
	eventfd_t n;

	while (!device_take(&device[VHOST_RX], &b)) {
		if (!wait_fd(vhost.kick[VHOST_RX], POLLIN, DEADLINE))
			return;
		(void)eventfd_read(vhost.kick[VHOST_RX], &n);
	}
	packet_write(p, b.data);
	if (p->len)
		memcpy(b.data + PACKET_HDR, data, p->len);
	device_done(&device[VHOST_RX], b.head, PACKET_HDR + p->len);
	eventfd_write(vhost.call[VHOST_RX], 1);
}

/* Fewer bytes than a header has. */
static void give_short(void)
{
	struct device_buf b;

	if (device_take(&device[VHOST_RX], &b))
		device_done(&device[VHOST_RX], b.head, 10);
	eventfd_write(vhost.call[VHOST_RX], 1);
}

/* The peer's end of a connection, as the device sees it. */
struct far {
	struct packet like; /* what it sends */
};

static void far_say(struct far *f, int op, uint32_t flags, const void *data,
		    uint32_t n)
{
	f->like.op = (uint16_t)op;
	f->like.flags = flags;
	f->like.len = n;
	give(&f->like, data);
}

static void far_init(struct far *f, uint16_t type, uint32_t port,
		     uint32_t to_port)
{
	*f = (struct far){ .like = { .src = { VMADDR_CID_HOST, port },
				     .dst = { CID, to_port },
				     .type = type,
				     .buf_alloc = WINDOW } };
}

/* The end that @request, of the bridge's, asks for. */
static void far_asked(struct far *f, const struct packet *request)
{
	far_init(f, request->type, request->dst.port, request->src.port);
}

/* --- the bridge ------------------------------------------------------------
 */

static char dir[] = "/tmp/test_bridge.XXXXXX";
static struct machine machine = { .sys = &sys_kernel, .cid = CID };
static struct bridge *bridge;
static pthread_t thread;
static int stop, lines;

static void say(const char *format, ...)
{
	(void)format;
	lines++;
}

static void *run(void *arg)
{
	(void)arg;
	return (void *)(intptr_t)bridge_run(bridge, &vhost);
}

static void bridge_start(const struct table_limits *limits, int linger_ms)
{
	struct bridge_config config = { .machine = &machine,
					.limits = limits,
					.stop = stop,
					.linger_ms = linger_ms,
					.say = say };

	device_open();
	if (bridge_new(&config, &bridge) < 0)
		abort();
	pthread_create(&thread, NULL, run, NULL);
}

static int bridge_wait(void)
{
	void *r;

	pthread_join(thread, &r);
	vhost_close(&vhost);
	return (int)(intptr_t)r;
}

static int bridge_end(void)
{
	eventfd_t n;
	int r;

	eventfd_write(stop, 1);
	r = bridge_wait();
	bridge_free(bridge);
	(void)eventfd_read(stop, &n);
	return r;
}

static socklen_t address(struct sockaddr_un *un, const char *tail)
{
	un->sun_family = AF_UNIX;
	snprintf(un->sun_path, sizeof(un->sun_path), "%s/%u/%s", dir, CID,
		 tail);
	return sizeof(*un);
}

/* --- programs --------------------------------------------------------------
 */

static uint32_t next_port = 5000;

/* @fd says @h at the gateway for @type, and waits. */
static int ask_on(int fd, int type, const struct hello *h)
{
	struct sockaddr_un un;
	socklen_t len = address(&un, type == SOCK_STREAM ? "gateway"
							 : "gateway.seqpacket");
	int size = WINDOW / 2 + 16;

	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	if (connect(fd, (void *)&un, len) < 0 ||
	    hello_send(&sys_kernel, fd, h) < 0)
		return -1;
	return fd;
}

static int ask(int type, const struct hello *h)
{
	return ask_on(socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0),
		      type, h);
}

/* Connects @fd to the host's @port. */
static int dial(int fd, int type, uint32_t port, uint64_t timeout_ms)
{
	struct hello h = { .type = (uint32_t)type,
			   .from = { CID, next_port++ },
			   .to = { VMADDR_CID_HOST, port },
			   .window = WINDOW,
			   .timeout_ms = timeout_ms };

	hello_make(&h);
	return ask_on(fd, type, &h);
}

/* Is the connection that was made last one that may be cut off? */
static bool is_link(void)
{
	return ports_has_link(machine.ports, ports_link(next_port - 1));
}

static int client(int type, uint32_t port, uint64_t timeout_ms)
{
	int fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	return dial(fd, type, port, timeout_ms);
}

/* The request for the connection that was begun last; what others left behind
 * may come before. */
static struct packet requested(void)
{
	struct packet p;

	do
		p = take(NULL);
	while (p.op && (p.op != PACKET_REQUEST || p.src.port != next_port - 1));
	return p;
}

/* The same, connected; the far end in *@f. */
static int connected(int type, struct far *f)
{
	int fd = client(type, 80, PATIENCE);
	struct packet p;

	p = requested();
	far_asked(f, &p);
	far_say(f, PACKET_RESPONSE, 0, NULL, 0);
	return wait_fd(fd, POLLOUT, DEADLINE) ? fd : -1;
}

static int listener(int type, uint32_t port, int backlog)
{
	struct vaddr any = { VMADDR_CID_ANY, port };
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	if (rdv_bind(&machine, fd, &any, false, true, &port) < 0)
		return -1;
	listen(fd, backlog);
	return fd;
}

/* Exactly @n bytes, or fewer if the end comes before. */
static size_t read_all(int fd, uint8_t *buf, size_t n)
{
	size_t got = 0;
	ssize_t r = 1;

	while (got < n && r > 0 && wait_fd(fd, POLLIN, DEADLINE)) {
		r = read(fd, buf + got, n - got);
		got += r > 0 ? (size_t)r : 0;
	}
	return got;
}

/* Does it end here? */
static bool eof(int fd)
{
	char c;

	return wait_fd(fd, POLLIN, DEADLINE) && read(fd, &c, 1) == 0;
}

/* How was it refused? */
static int refused(int fd)
{
	uint8_t buf[64];
	bool reset = false;
	ssize_t n = 0;

	if (!wait_fd(fd, POLLIN, DEADLINE))
		return -1;
	for (int i = 0; i < 2 && n <= 0; i++) { /* ECONNRESET is said once */
		n = recv(fd, buf, sizeof(buf), 0);
		reset |= n < 0 && errno == ECONNRESET;
	}
	return n > 0 ? hello_refused(buf, (size_t)n) : reset ? ECONNRESET : 0;
}

static void fill(uint8_t *buf, size_t n, uint32_t seed)
{
	for (size_t i = 0; i < n; i++)
		buf[i] = (uint8_t)((i + seed) * 2654435761u >> 13);
}

static uint8_t out[1 << 20], in[1 << 20];

/* --- tests -----------------------------------------------------------------
 */

static void test_connect(int type, const char *what)
{
	int fd = client(type, 80, PATIENCE), left = -1;
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT };
	struct packet r = take(NULL);
	struct far f;

	ok(r.op == PACKET_REQUEST && r.src.cid == CID &&
		   r.src.port == next_port - 1 && r.dst.cid == 2 &&
		   r.dst.port == 80 && r.buf_alloc == WINDOW &&
		   r.type == (type == SOCK_STREAM ? 1 : 2),
	   "%s: a client's connect asks the host", what);
	ok(poll(&p, 1, 20) == 0, "%s: it shows nothing until the host answers",
	   what);
	far_asked(&f, &r);
	far_say(&f, PACKET_RESPONSE, 0, NULL, 0);
	ok(poll(&p, 1, DEADLINE) == 1 && p.revents == POLLOUT,
	   "%s: then it is writable", what);
	for (int i = 0; i < DEADLINE && left; i++) {
		usleep(1000);
		ioctl(fd, SIOCOUTQ, &left);
	}
	ok(left == 0, "%s: and the hello is gone", what);
	far_say(&f, PACKET_RW, PACKET_EOM, "from far", 8);
	ok(wait_fd(fd, POLLIN, DEADLINE) && read(fd, in, 99) == 8 &&
		   memcmp(in, "from far", 8) == 0,
	   "%s: what the host sends arrives", what);
	ok(write(fd, "to far", 6) == 6, "%s: it sends", what);
	r = take(in);
	ok(r.op == PACKET_RW && r.len == 6 && memcmp(in, "to far", 6) == 0 &&
		   r.fwd_cnt == 8 &&
		   r.flags == (type == SOCK_STREAM ? 0 : PACKET_EOM),
	   "%s: and the host gets it, and its credit back", what);
	close(fd);
	r = take(NULL);
	ok(r.op == PACKET_SHUTDOWN && r.flags == PACKET_SHUT_BOTH,
	   "%s: a close is a shutdown of both", what);
	far_say(&f, PACKET_RST, 0, NULL, 0);
}

static void test_refused(void)
{
	struct packet r;
	struct far f;
	int fd;

	fd = client(SOCK_STREAM, 81, PATIENCE);
	r = take(NULL);
	far_asked(&f, &r);
	far_say(&f, PACKET_RST, 0, NULL, 0);
	ok(refused(fd) == ECONNRESET, "a RST refuses a client");
	close(fd);
	fd = client(SOCK_SEQPACKET, 81, 30);
	take(NULL);
	ok(refused(fd) == ETIMEDOUT, "silence is a timeout");
	close(fd);
	fd = client(SOCK_STREAM, 81, PATIENCE);
	r = take(NULL);
	close(fd);
	far_asked(&f, &r);
	usleep(1000);
	far_say(&f, PACKET_RESPONSE, 0, NULL, 0);
	r = take(NULL);
	ok(r.op == PACKET_RST || r.op == PACKET_SHUTDOWN,
	   "a client that went before the answer is not there");
	if (r.op == PACKET_SHUTDOWN)
		far_say(&f, PACKET_RST, 0, NULL, 0);
}

static void test_no_hello(void)
{
	struct sockaddr_un un;
	socklen_t len = address(&un, "gateway");
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	connect(fd, (void *)&un, len);
	ok(write(fd, "GET / HTTP/1.0\r\n", 16) == 16 &&
		   wait_fd(fd, POLLIN, DEADLINE) && read(fd, in, 9) <= 0,
	   "who says no hello is shown the door");
	close(fd);
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void test_silent(void)
{
	struct sockaddr_un un;
	socklen_t len = address(&un, "gateway");
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	uint64_t began = now_ms();

	connect(fd, (void *)&un, len);
	ok(refused(fd) == ETIMEDOUT && now_ms() - began >= LINK_HELLO_MS - 1000,
	   "nor who says nothing at all is waited for, and is told so");
	close(fd);
}

/* More of them than the bridge has descriptors, and one who says something. */
static void test_flood(void)
{
	struct rlimit old, few;
	struct sockaddr_un un;
	socklen_t len = address(&un, "gateway");
	int fd = dup(0);
	pid_t pid;

	getrlimit(RLIMIT_NOFILE, &old);
	few = old;
	few.rlim_cur = (rlim_t)fd + 20;
	close(fd);
	setrlimit(RLIMIT_NOFILE, &few);
	pid = fork();
	if (pid == 0) {
		setrlimit(RLIMIT_NOFILE, &old);
		for (int i = 0; i < 60; i++)
			connect(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&un,
				len);
		client(SOCK_STREAM, 80, 1000);
		pause();
	}
	if (pid < 0)
		abort();
	ok(take_within(2 * LINK_HELLO_MS, NULL).op == PACKET_REQUEST,
	   "many who say nothing have nobody's place for long");
	setrlimit(RLIMIT_NOFILE, &old);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* Who is still sending his hello would not see the answer. */
static void test_half_hello(void)
{
	struct hello h = { .type = SOCK_STREAM,
			   .from = { CID, next_port++ },
			   .to = { VMADDR_CID_HOST, 80 },
			   .window = WINDOW,
			   .timeout_ms = 1000 };
	struct sockaddr_un un;
	socklen_t len = address(&un, "gateway");
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	hello_make(&h);
	memset(out, 0, h.size);
	memcpy(out, &h, sizeof(h));
	connect(fd, (void *)&un, len);
	for (size_t i = 0; i < sizeof(h); i++)
		if (write(fd, out + i, 1) != 1)
			abort();
	ok(take_within(20, NULL).op == PACKET_INVALID &&
		   write(fd, out, h.size - sizeof(h) - 1) > 0 &&
		   take_within(20, NULL).op == PACKET_INVALID,
	   "a part of a hello asks nobody");
	ok(write(fd, out, 1) == 1 && take(NULL).op == PACKET_REQUEST,
	   "all of it does");
	close(fd);
}

static void test_odd_hello(void)
{
	struct hello h = { .type = SOCK_SEQPACKET,
			   .from = { CID, next_port++ },
			   .to = { VMADDR_CID_HOST, 80 },
			   .window = WINDOW,
			   .timeout_ms = 1000 };
	struct packet r;
	int fd;

	hello_make(&h);
	fd = ask(SOCK_STREAM, &h);
	ok(refused(fd) == ECONNRESET, "a hello of the other type is none");
	close(fd);
	h.type = SOCK_STREAM;
	h.window = UINT64_MAX;
	fd = ask(SOCK_STREAM, &h);
	r = take(NULL);
	ok(r.op == PACKET_REQUEST && r.buf_alloc > WINDOW &&
		   r.buf_alloc <= LOCAL_WINDOW_MAX,
	   "a window has its limit");
	close(fd);
	vhost.seqpacket = false;
	fd = client(SOCK_SEQPACKET, 80, 1000);
	ok(refused(fd) == ECONNRESET, "nor are there messages without them");
	vhost.seqpacket = true;
	close(fd);
}

static void test_accept(int type, const char *what)
{
	int l = listener(type, 1234, 1), fd;
	struct sockaddr_un un;
	socklen_t len = sizeof(un);
	struct packet r;
	struct name n;
	struct far f;

	far_init(&f, type == SOCK_STREAM ? 1 : 2, 9000, 1234);
	far_say(&f, PACKET_REQUEST, 0, NULL, 0);
	r = take(NULL);
	ok(r.op == PACKET_RESPONSE && r.buf_alloc == WINDOW &&
		   r.dst.port == 9000,
	   "%s: who listens is connected to", what);
	fd = accept4(l, (void *)&un, &len, SOCK_NONBLOCK);
	n = name_decode(&un, len);
	ok(n.kind == NAME_AUTO && n.cid == 2 && n.port == 9000 &&
		   n.dialled == CID,
	   "%s: and sees by whom", what);
	far_say(&f, PACKET_RW, PACKET_EOM, "hello", 5);
	ok(read_all(fd, in, 5) == 5 && memcmp(in, "hello", 5) == 0 &&
		   ports_has_link(machine.ports, n.link),
	   "%s: and what he says", what);
	far_say(&f, PACKET_SHUTDOWN, PACKET_SHUT_BOTH, NULL, 0);
	r = take(NULL);
	ok(r.op == PACKET_RST && eof(fd) &&
		   !ports_has_link(machine.ports, n.link),
	   "%s: and his end, which is answered", what);
	close(fd);

	for (uint32_t i = 0; i < 3; i++) {
		f.like.src.port = 9100 + i;
		far_say(&f, PACKET_REQUEST, 0, NULL, 0);
		r = take(NULL);
		if (r.op != PACKET_RESPONSE)
			break;
	}
	ok(r.op == PACKET_RST && r.dst.port == 9102,
	   "%s: a backlog of 1 takes two", what);
	f.like.type = type == SOCK_STREAM ? 2 : 1;
	f.like.src.port = 9200;
	far_say(&f, PACKET_REQUEST, 0, NULL, 0);
	ok(take(NULL).op == PACKET_RST, "%s: the other type finds nobody",
	   what);
	close(l);
	for (int i = 0; i < 2; i++) {
		r = take(NULL);
		f.like.type = r.type;
		f.like.src.port = r.dst.port;
		far_say(&f, PACKET_RST, 0, NULL, 0);
	}
	ok(r.op == PACKET_SHUTDOWN, "%s: who was not accepted is told", what);
	far_say(&f, PACKET_REQUEST, 0, NULL, 0);
	ok(take(NULL).op == PACKET_RST, "%s: nobody listens any more", what);
}

/* The next one on @l; its number in `ports` goes to *@link. */
static int accepted(int l, uint64_t *link)
{
	struct sockaddr_un un;
	socklen_t len = sizeof(un);
	int fd = accept4(l, (void *)&un, &len, SOCK_NONBLOCK);

	*link = fd < 0 ? 0 : name_decode(&un, len).link;
	return fd;
}

/* Also while who had it before has left more than a program's socket holds. */
static void test_reused_port(void)
{
	int l = listener(SOCK_SEQPACKET, 1234, 5), old, new;
	uint64_t old_link, new_link;
	struct far f;

	far_init(&f, 2, 9000, 1234);
	far_say(&f, PACKET_REQUEST, 0, NULL, 0);
	take(NULL);
	old = accepted(l, &old_link);
	for (int i = 0; i < 1000; i++)
		far_say(&f, PACKET_RW, PACKET_EOM, "x", 1);
	far_say(&f, PACKET_RST, 0, NULL, 0);
	far_say(&f, PACKET_REQUEST, 0, NULL, 0);
	ok(take(NULL).op == PACKET_RESPONSE, "a host's port is used again");
	new = accepted(l, &new_link);
	far_say(&f, PACKET_RW, PACKET_EOM, "new", 3);
	ok(read_all(new, in, 3) == 3 && read_all(old, in, 1000) == 1000 &&
		   eof(old),
	   "and both programs read what is theirs");
	ok(!ports_has_link(machine.ports, old_link) &&
		   ports_has_link(machine.ports, new_link),
	   "and that the one has ended, the other not");
	close(old);
	close(new);
	close(l);
	take(NULL);
	far_say(&f, PACKET_RST, 0, NULL, 0);
}

static void test_half_close(void)
{
	struct packet r;
	struct far f;
	int fd = connected(SOCK_STREAM, &f);

	if (write(fd, "last", 4) < 0)
		abort();
	shutdown(fd, SHUT_WR);
	r = take(in);
	ok(r.op == PACKET_RW && r.len == 4, "the last bytes");
	r = take(NULL);
	ok(r.op == PACKET_SHUTDOWN && r.flags == PACKET_SHUT_SEND,
	   "shutdown(SHUT_WR) tells that no more is sent");
	far_say(&f, PACKET_RW, 0, "still", 5);
	ok(read_all(fd, in, 5) == 5 && is_link(),
	   "and the other direction stays");
	far_say(&f, PACKET_SHUTDOWN, PACKET_SHUT_SEND, NULL, 0);
	ok(eof(fd) && !is_link(), "until it ends, too");
	close(fd);
	take(NULL);
	far_say(&f, PACKET_RST, 0, NULL, 0);

	fd = connected(SOCK_STREAM, &f);
	shutdown(fd, SHUT_RD);
	r = take(NULL);
	ok(r.op == PACKET_SHUTDOWN && r.flags == PACKET_SHUT_RCV,
	   "shutdown(SHUT_RD) tells at once that no more is received");
	far_say(&f, PACKET_RW, 0, "ignored", 7);
	if (write(fd, "sent", 4) < 0)
		abort();
	ok(take(in).len == 4, "and the other direction stays");
	close(fd);
	take(NULL);
	far_say(&f, PACKET_RST, 0, NULL, 0);

	fd = connected(SOCK_STREAM, &f);
	if (write(fd, "with", 4) < 0)
		abort();
	shutdown(fd, SHUT_RD);
	ok(take(in).len == 4 && take(NULL).flags == PACKET_SHUT_RCV,
	   "also where it comes with data");
	close(fd);
	take(NULL);
	far_say(&f, PACKET_RST, 0, NULL, 0);

	fd = connected(SOCK_STREAM, &f);
	far_say(&f, PACKET_RW, 0, "before", 6);
	ok(read_all(fd, in, 6) == 6, "a program that has received");
	shutdown(fd, SHUT_RD);
	r = take(NULL);
	ok(r.op == PACKET_SHUTDOWN && r.flags == PACKET_SHUT_RCV,
	   "is known to receive no more, too");
	close(fd);
	take(NULL);
	far_say(&f, PACKET_RST, 0, NULL, 0);

	fd = connected(SOCK_STREAM, &f);
	far_say(&f, PACKET_SHUTDOWN, PACKET_SHUT_RCV, NULL, 0);
	far_say(&f, PACKET_RW, 0, "x", 1);
	ok(read_all(fd, in, 1) == 1 && send(fd, "y", 1, MSG_NOSIGNAL) < 0 &&
		   errno == EPIPE,
	   "a peer that receives no more is EPIPE");
	close(fd);
	take(NULL);
	far_say(&f, PACKET_RST, 0, NULL, 0);

	fd = connected(SOCK_STREAM, &f);
	if (write(fd, "unread", 6) < 0)
		abort();
	take(NULL);
	far_say(&f, PACKET_RW, 0, "bye", 3);
	far_say(&f, PACKET_RST, 0, NULL, 0);
	ok(read_all(fd, in, 3) == 3 && eof(fd),
	   "after a RST what came before can be read, then comes the end");
	close(fd);
}

/* Far more than window and ring: each side stalls, and goes on. */
static void test_flow(void)
{
	uint32_t sent = 0, got = 0, credit;
	struct packet r;
	struct far f;
	int fd = connected(SOCK_STREAM, &f);
	bool good = true;

	fill(out, sizeof(out), 1);
	/* the program is slow: the host may send the window, and waits */
	while (sent < WINDOW) {
		far_say(&f, PACKET_RW, 0, out + sent, 8192);
		sent += 8192;
	}
	credit = WINDOW;
	while (got < sizeof(in) && good) {
		ssize_t n = read(fd, in + got, 50000);

		if (n <= 0) {
			r = take_within(DEADLINE, NULL);
			good = r.op == PACKET_CREDIT_UPDATE;
			credit = r.fwd_cnt + r.buf_alloc;
			for (; sent + 8192 <= credit && sent < sizeof(out);
			     sent += 8192)
				far_say(&f, PACKET_RW, 0, out + sent, 8192);
			continue;
		}
		got += (uint32_t)n;
	}
	ok(good && memcmp(in, out, sizeof(in)) == 0,
	   "1 MiB from the host, as the program reads it");

	/* the host is slow: the program stalls after its window */
	fill(out, sizeof(out), 2);
	sent = got = 0;
	f.like.fwd_cnt = 0;
	while (got < sizeof(in) && good) {
		ssize_t n = write(fd, out + sent, sizeof(out) - sent);

		if (n > 0)
			sent += (uint32_t)n;
		if (got == f.like.fwd_cnt + WINDOW ||
		    (sent == sizeof(out) && got > f.like.fwd_cnt)) {
			f.like.fwd_cnt = got;
			far_say(&f, PACKET_CREDIT_UPDATE, 0, NULL, 0);
		}
		r = take(in + got);
		good = r.op == PACKET_RW;
		got += r.len;
		good &= got <= f.like.fwd_cnt + WINDOW;
	}
	ok(good && memcmp(in, out, sizeof(in)) == 0,
	   "1 MiB from the program, never more than the host has room for");
	close(fd);
	take(NULL);
	far_say(&f, PACKET_RST, 0, NULL, 0);
}

/* The host sends what it may, and nobody reads. */
static void test_unread(void)
{
	uint32_t sent = 0, credit = WINDOW;
	struct packet r;
	struct far f;
	int fd = connected(SOCK_STREAM, &f), there = 0;

	do {
		for (; sent + 65536 <= credit; sent += 65536)
			far_say(&f, PACKET_RW, 0, out, 65536);
		r = take_within(50, NULL);
		credit = r.fwd_cnt + r.buf_alloc;
	} while (r.op == PACKET_CREDIT_UPDATE);
	for (int i = 0; i < DEADLINE && (uint32_t)there < sent; i++) {
		usleep(1000);
		ioctl(fd, FIONREAD, &there);
	}
	ok(sent >= WINDOW && sent <= WINDOW * 3 / 2 && (uint32_t)there == sent,
	   "what nobody reads is all with the program (%d of %u)", there, sent);
	close(fd);
	take(NULL);
	far_say(&f, PACKET_RST, 0, NULL, 0);
}

static void test_overrun(void)
{
	struct packet r;
	struct far f;
	int before = lines, fd = connected(SOCK_STREAM, &f);

	/* AF_UNIX takes some of it; not that much without being read */
	do {
		far_say(&f, PACKET_RW, 0, out, 65536);
		r = take_within(5, NULL);
	} while (r.op == PACKET_CREDIT_UPDATE || r.op == PACKET_INVALID);
	ok(r.op == PACKET_RST, "who sends more than credit is cut off");
	ok(read_all(fd, in, sizeof(in)) < sizeof(in) && eof(fd),
	   "and the program sees the end");
	close(fd);
	for (int i = 0; i < DEADLINE && lines == before; i++)
		usleep(1000);
	ok(lines > before, "a line says so");
}

static void test_messages(void)
{
	struct iovec iov = { in, sizeof(in) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct packet r;
	struct far f;
	int fd = connected(SOCK_SEQPACKET, &f), pieces = 0;
	size_t got = 0;

	fill(out, 200000, 3);
	far_say(&f, PACKET_RW, 0, out, 60000);
	far_say(&f, PACKET_RW, 0, out + 60000, 60000);
	far_say(&f, PACKET_RW, PACKET_EOM, out + 120000, 1);
	far_say(&f, PACKET_RW, PACKET_EOM | PACKET_EOR, "eor", 3);
	wait_fd(fd, POLLIN, DEADLINE);
	ok(recvmsg(fd, &msg, 0) == 120001 && memcmp(in, out, 120001) == 0 &&
		   !(msg.msg_flags & MSG_CTRUNC),
	   "a message of three packets is one");
	wait_fd(fd, POLLIN, DEADLINE);
	ok(recvmsg(fd, &msg, 0) == 3 && msg.msg_flags & MSG_CTRUNC,
	   "MSG_EOR comes as a mark");

	ok(write(fd, out, 200000) == 200000, "a long message");
	do {
		r = take(in + got);
		got += r.len;
		pieces++;
	} while (r.op == PACKET_RW && !r.flags);
	ok(got == 200000 && r.flags == PACKET_EOM && pieces == 4 &&
		   memcmp(in, out, got) == 0,
	   "goes in packets, of which the last says that it is");
	ok(send(fd, out, WINDOW + 1, 0) < 0 && errno == EMSGSIZE,
	   "there are none beyond the window");

	/* what the program does not take yet stays in messages */
	f.like.buf_alloc = 2 * WINDOW;
	far_say(&f, PACKET_CREDIT_UPDATE, 0, NULL, 0);
	for (int i = 0; i < 2000; i++)
		far_say(&f, PACKET_RW, PACKET_EOM, out, 1 + (uint32_t)i % 9);
	got = 0;
	for (int i = 0; i < 2000 && wait_fd(fd, POLLIN, DEADLINE); i++)
		got += read(fd, in, 100) == 1 + i % 9;
	ok(got == 2000, "small messages wait their turn, each for itself");
	far_say(&f, PACKET_SHUTDOWN, PACKET_SHUT_BOTH, NULL, 0);
	ok(eof(fd), "and the end comes after them");
	close(fd);
	take(NULL);
}

/* The bridge sees what there is: what it is given has been received once it has
 * a new buffer, and all else before it receives the next. */
static void turn(void)
{
	const struct device *d = &device[VHOST_RX];
	uint16_t idx;
	struct far f;

	far_init(&f, 1, 9999, 9999);
	for (int i = 0; i < 2; i++) {
		idx = __atomic_load_n(&d->avail->idx, __ATOMIC_ACQUIRE);
		far_say(&f, PACKET_RST, 0, NULL, 0);
		for (int ms = 0; ms < DEADLINE; ms++) {
			if (__atomic_load_n(&d->avail->idx, __ATOMIC_ACQUIRE) !=
			    idx)
				break;
			usleep(1000);
		}
	}
}

/* What the host has room for, goes; what it will have room for, waits. */
static void test_room(void)
{
	struct packet r;
	struct far f;
	int fd = connected(SOCK_SEQPACKET, &f);

	f.like.buf_alloc = 1000;
	far_say(&f, PACKET_CREDIT_UPDATE, 0, NULL, 0);
	ok(send(fd, out, 0, 0) == 0 && send(fd, out, 600, 0) == 600 &&
		   take(in).len == 600,
	   "a message goes, but an empty one");
	send(fd, out, 601, 0);
	far_say(&f, PACKET_CREDIT_REQUEST, 0, NULL, 0);
	do
		r = take_within(DEADLINE, NULL);
	while (r.op == PACKET_CREDIT_REQUEST);
	ok(r.op == PACKET_CREDIT_UPDATE, "the next waits for room");
	f.like.fwd_cnt = 600;
	far_say(&f, PACKET_CREDIT_UPDATE, 0, NULL, 0);
	ok(take(in).len == 601, "until there is some");
	send(fd, out, 1001, 0);
	ok(take(NULL).op == PACKET_RST && wait_fd(fd, POLLIN, DEADLINE) &&
		   recv(fd, in, 9, 0) <= 0 && is_link(),
	   "for which there is none, ends the connection");
	close(fd);

	fd = connected(SOCK_STREAM, &f);
	f.like.buf_alloc = 1000;
	far_say(&f, PACKET_CREDIT_UPDATE, 0, NULL, 0);
	turn();
	write(fd, out, 1500);
	ok(take(in).len == 1000, "a part");
	close(fd);
	r = take(NULL);
	ok(r.flags == PACKET_SHUT_RCV, "its program goes, and reads no more");
	f.like.fwd_cnt = 1000;
	far_say(&f, PACKET_CREDIT_UPDATE, 0, NULL, 0);
	ok(take(in).len == 500 && take(NULL).flags == PACKET_SHUT_BOTH,
	   "but the rest of what it sent goes first");
	far_say(&f, PACKET_RST, 0, NULL, 0);
}

/* The device does not read; then it does. */
static void test_full_ring(void)
{
	enum { CLIENTS = 200 };
	int fds[CLIENTS];
	bool seen[CLIENTS] = { false };
	uint32_t first = next_port, n = 0;
	struct packet r;
	struct far f;

	for (int i = 0; i < CLIENTS; i++)
		fds[i] = client(SOCK_STREAM, 80, PATIENCE);
	usleep(10000);
	while (n < CLIENTS) {
		r = take(NULL);
		if (r.op == PACKET_INVALID)
			break;
		if (r.op != PACKET_REQUEST || r.src.port - first >= CLIENTS)
			continue;
		far_asked(&f, &r);
		far_say(&f, PACKET_RESPONSE, 0, NULL, 0);
		if (!seen[r.src.port - first]) {
			seen[r.src.port - first] = true;
			n++;
		}
	}
	ok(n == CLIENTS, "more requests than buffers all come in the end");
	n = 0;
	for (int i = 0; i < CLIENTS; i++)
		n += wait_fd(fds[i], POLLOUT, DEADLINE);
	ok(n == CLIENTS, "and are answered");
	for (int i = 0; i < CLIENTS; i++)
		n += write(fds[i], out, 100000) == 100000;
	for (int i = 0; i < CLIENTS; i++)
		close(fds[i]);
	ok(n == 2 * CLIENTS, "and write");
	n = 0;
	for (int ends = 0; ends < CLIENTS; ends += r.op == PACKET_SHUTDOWN) {
		r = take(NULL);
		if (r.op == PACKET_INVALID)
			break;
		n += r.len;
		if (r.op != PACKET_SHUTDOWN)
			continue;
		far_init(&f, 1, 80, r.src.port);
		far_say(&f, PACKET_RST, 0, NULL, 0);
	}
	ok(n == CLIENTS * 100000, "what they send comes before their end");
}

/* An answer has no room, and what the program sends is after it. */
static void test_late_answer(void)
{
	enum { CLIENTS = WIRE_BUFS + 1 };
	int l = listener(SOCK_STREAM, 1234, 1), fds[CLIENTS], fd, asked = 0;
	bool answered = false, data = false;
	struct packet r;
	struct far f;

	for (int i = 0; i < CLIENTS; i++)
		fds[i] = client(SOCK_STREAM, 80, PATIENCE);
	turn();
	far_init(&f, 1, 9000, 1234);
	far_say(&f, PACKET_REQUEST, 0, NULL, 0);
	fd = accept4(l, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	write(fd, "x", 1);
	turn();
	while (asked < CLIENTS || !data) {
		r = take(NULL);
		if (!r.op)
			break;
		if (r.op == PACKET_REQUEST) {
			asked++;
			far_asked(&f, &r);
			far_say(&f, PACKET_RST, 0, NULL, 0);
		}
		answered |= r.op == PACKET_RESPONSE && r.src.port == 1234;
		data |= answered && r.op == PACKET_RW && r.src.port == 1234;
	}
	for (int i = 0; i < CLIENTS; i++) {
		wait_fd(fds[i], POLLIN, DEADLINE);
		close(fds[i]);
	}
	ok(data, "with a ring that was full an answer goes, and then data");
	close(fd);
	close(l);
	take(NULL);
	far_init(&f, 1, 9000, 1234);
	far_say(&f, PACKET_RST, 0, NULL, 0);
}

/* The device takes one packet at a time, and never all that there are. */
static void test_fair(void)
{
	enum { CLIENTS = WIRE_BUFS + 12 };
	const volatile uint16_t *idx;
	uint16_t given;
	uint32_t first = next_port, n = 0, takes = 0, ends;
	int fds[CLIENTS], l = listener(SOCK_STREAM, 1234, 10);
	bool seen[CLIENTS] = { false }, answered = false;
	struct packet r;
	struct far f;

	idx = &vhost.rings[VHOST_RX].avail->idx;
	for (int i = 0; i < CLIENTS; i++) {
		fds[i] = connected(SOCK_STREAM, &f);
		f.like.buf_alloc = 64 * WINDOW;
		far_say(&f, PACKET_CREDIT_UPDATE, 0, NULL, 0);
	}
	for (int i = 0; i < CLIENTS; i++)
		(void)!write(fds[i], out, WINDOW);
	far_init(&f, 1, 9000, 1234);
	given = *idx;
	far_say(&f, PACKET_REQUEST, 0, NULL, 0);
	/* When it has taken that, it knows of all. */
	for (int i = 0; i < DEADLINE && *idx == given; i++)
		usleep(1000);
	for (; takes < 4 * CLIENTS; takes++) {
		r = take(NULL);
		answered |= r.op == PACKET_RESPONSE;
		if (r.op != PACKET_RW)
			continue;
		(void)!write(fds[r.src.port - first], out, r.len);
		n += !seen[r.src.port - first];
		seen[r.src.port - first] = true;
	}
	ok(n == CLIENTS, "no program starves another (%u of %u)", n, CLIENTS);
	ok(answered, "nor an answer");
	far_say(&f, PACKET_RST, 0, NULL, 0);
	close(l);
	for (int i = 0; i < CLIENTS; i++)
		close(fds[i]);
	for (ends = 0; ends < CLIENTS;) {
		r = take(NULL);
		if (r.op == PACKET_INVALID)
			break;
		if (r.op != PACKET_SHUTDOWN || r.dst.port != 80)
			continue;
		ends++;
		far_init(&f, 1, 80, r.src.port);
		far_say(&f, PACKET_RST, 0, NULL, 0);
	}
}

static void test_hostile(void)
{
	struct packet p = { .src = { 2, 7 }, .dst = { CID, 8 } }, r;
	struct far f;
	int l = listener(SOCK_STREAM, 1234, 10);
	struct device_buf b;
	uint8_t junk[1000];

	give_short();
	fill(junk, sizeof(junk), 9);
	for (uint16_t op = 0; op < 12; op++) {
		p.op = op;
		p.type = (uint16_t)(op % 4);
		p.len = op * 10u;
		give(&p, junk);
	}
	p.dst.cid = 99;
	give(&p, junk);
	/* it has announced more than came */
	p = (struct packet){ .src = { 2, 7 }, .dst = { CID, 8 }, .type = 1 };
	p.op = PACKET_RW;
	p.len = 70000;
	if (device_take(&device[VHOST_RX], &b)) {
		packet_write(&p, b.data);
		device_done(&device[VHOST_RX], b.head, PACKET_HDR);
	}
	eventfd_write(vhost.call[VHOST_RX], 1);
	far_init(&f, 1, 9000, 1234);
	far_say(&f, PACKET_REQUEST, 0, NULL, 0);
	do
		r = take(NULL);
	while (r.op == PACKET_RST);
	ok(r.op == PACKET_RESPONSE, "after all kinds of packets it serves");
	far_say(&f, PACKET_RST, 0, NULL, 0);
	close(l);
}

/* CPU time of the bridge, in ms. */
static double bridge_cpu(void)
{
	struct timespec ts = { 0 };
	clockid_t clock;

	pthread_getcpuclockid(thread, &clock);
	clock_gettime(clock, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static void test_idle(void)
{
	struct far f[2];
	int fds[2] = { connected(SOCK_STREAM, &f[0]),
		       connected(SOCK_SEQPACKET, &f[1]) };
	double used = 300;

	for (int i = 0; i < 2; i++) {
		far_say(&f[i], PACKET_RW, PACKET_EOM, "x", 1);
		read_all(fds[i], in, 1);
	}
	/* What the processor was taken away for may count, too. */
	for (int i = 0; i < 10 && used >= 30; i++) {
		used = -bridge_cpu();
		usleep(300000); /* the time that is measured */
		used += bridge_cpu();
	}
	ok(used < 30, "idle connections take no time (%.1f ms of 300)", used);
	for (int i = 0; i < 2; i++) {
		close(fds[i]);
		take(NULL);
		far_say(&f[i], PACKET_RST, 0, NULL, 0);
	}
}

/* A packet for nobody is answered by a RST, at the end of a turn: how many are
 * there by then? */
static int nobody(void)
{
	struct far f;
	int n = 0;

	far_init(&f, 1, 7777, 8888);
	far_say(&f, PACKET_SHUTDOWN, PACKET_SHUT_BOTH, NULL, 0);
	for (int ms = DEADLINE; take_within(ms, NULL).op == PACKET_RST; ms = 20)
		n++;
	return n;
}

/* A program has closed, and the host has no room for what it sent. */
static void test_orphan(void)
{
	uint32_t got = 0, sent = 0;
	struct packet r;
	struct far f, g;
	int fd, heir;

	/* What others left behind ends before. */
	skip_ms(CONN_CLOSE_MS);
	(void)nobody();
	fd = connected(SOCK_STREAM, &f);
	while (got < WINDOW) {
		if (sent < WINDOW)
			sent += (uint32_t)write(fd, out, WINDOW - sent);
		r = take(NULL);
		if (r.op != PACKET_RW)
			break;
		got += r.len;
	}
	ok(got == WINDOW && write(fd, out, 1000) == 1000,
	   "a program sends more than there is room for");
	close(fd);
	r = take(NULL);
	ok(r.op == PACKET_SHUTDOWN && r.flags == PACKET_SHUT_RCV,
	   "it closes: that it receives no more is told");
	next_port--;
	heir = client(SOCK_STREAM, 81, PATIENCE);
	r = take(NULL);
	far_asked(&g, &r);
	far_say(&g, PACKET_RESPONSE, 0, NULL, 0);
	ok(wait_fd(heir, POLLOUT, DEADLINE) && is_link(),
	   "and its port is another's");
	skip_ms(CONN_ORPHAN_MS - 60000);
	f.like.fwd_cnt = 10;
	far_say(&f, PACKET_CREDIT_UPDATE, 0, NULL, 0);
	ok(take(NULL).len == 10, "for minutes its bytes wait for room");
	ok(nobody() == 1, "and go as far as it does");
	skip_ms(CONN_ORPHAN_MS - 60000);
	ok(nobody() == 1, "each time anew");
	skip_ms(60000);
	ok(nobody() == 2 && is_link(), "but not for ever, or at its expense");
	close(heir);
	take(NULL);
	far_say(&g, PACKET_RST, 0, NULL, 0);
}

/* Nothing can be accepted for a while. */
static void test_no_descriptors(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct rlimit old, few;
	int before = lines;
	struct packet r;
	double cpu = 300;
	bool none;

	getrlimit(RLIMIT_NOFILE, &old);
	few = old;
	few.rlim_cur = 3; /* which are in use */
	setrlimit(RLIMIT_NOFILE, &few);
	none = dial(fd, SOCK_STREAM, 80, PATIENCE) == fd;
	for (int i = 0; i < 10 && cpu >= 30; i++) {
		cpu = -bridge_cpu();
		none &= take_within(300, NULL).op == PACKET_INVALID;
		cpu += bridge_cpu();
	}
	ok(none, "without descriptors nobody is accepted");
	ok(cpu < 30, "which takes no time (%.1f ms of 300)", cpu);
	setrlimit(RLIMIT_NOFILE, &old);
	r = take(NULL);
	ok(r.op == PACKET_REQUEST, "who came is served when there are some");
	for (int i = 0; i < DEADLINE && lines == before; i++)
		usleep(1000);
	ok(lines > before, "a line says so");
	close(fd);
}

static uint32_t state = 1;

static uint32_t rnd(uint32_t below)
{
	state = state * 1664525u + 1013904223u;
	return (state >> 8) % below;
}

/* A packet for one of @ports, which may make sense or not. */
static void give_any(const uint32_t *ports, uint32_t n_ports)
{
	static const uint32_t lens[] = { 0, 0, 1, 5, 4000, 65536 };
	struct packet p = {
		.src = { VMADDR_CID_HOST, rnd(8) ? 80 : 1000 + rnd(20) },
		.dst = { CID, rnd(8) ? ports[rnd(n_ports)] : 1234 },
		.type = (uint16_t)(rnd(16) ? 1 + rnd(2) : rnd(5)),
		.op = (uint16_t)(rnd(3) ? PACKET_RW : rnd(PACKET_N_OPS + 1)),
		.flags = rnd(4),
		.buf_alloc = rnd(4) ? WINDOW : rnd(1000),
		.fwd_cnt = rnd(8) ? 0 : rnd(100000),
	};

	p.len = p.op == PACKET_RW ? lens[rnd(ARRAY_SIZE(lens))] : 0;
	give(&p, out);
}

/* Whatever happens at once: answered or not, killed, half closed, nonsense. */
static void test_storm(uint32_t seed, int steps)
{
	enum { PROGRAMS = 24 };
	uint32_t ports[PROGRAMS], i;
	int fds[PROGRAMS], l[2], fd;
	struct packet r;
	struct far f;

	state = seed;
	l[0] = listener(SOCK_STREAM, 1234, 5);
	l[1] = listener(SOCK_SEQPACKET, 1235, 5);
	fcntl(l[0], F_SETFL, O_NONBLOCK);
	for (i = 0; i < PROGRAMS; i++) {
		fds[i] = -1;
		ports[i] = next_port;
	}
	for (int step = 0; step < steps; step++) {
		i = rnd(PROGRAMS);
		switch (rnd(8)) {
		case 0:
			if (fds[i] >= 0)
				close(fds[i]);
			ports[i] = next_port;
			fds[i] = client(rnd(2) ? SOCK_STREAM : SOCK_SEQPACKET,
					80, rnd(30));
			break;
		case 1:
			(void)send(fds[i], out, 1 + rnd(70000),
				   MSG_NOSIGNAL | MSG_DONTWAIT);
			break;
		case 2:
			(void)recv(fds[i], in, 1 + rnd(70000), MSG_DONTWAIT);
			break;
		case 3:
			if (rnd(4) == 0)
				shutdown(fds[i], (int)rnd(3));
			else if (rnd(4) == 0) {
				fd = accept(l[0], NULL, NULL);
				close(fds[i]);
				fds[i] = fd;
			}
			break;
		case 4:
		case 5:
			r = take_within(0, in);
			if (r.op != PACKET_REQUEST)
				break;
			far_asked(&f, &r);
			far_say(&f, rnd(4) ? PACKET_RESPONSE : PACKET_RST, 0,
				NULL, 0);
			break;
		default:
			give_any(ports, PROGRAMS);
		}
	}
	for (i = 0; i < PROGRAMS; i++)
		close(fds[i]);
	close(l[0]);
	close(l[1]);
	do
		r = take_within(100, in);
	while (r.op != PACKET_INVALID);
	fd = connected(SOCK_STREAM, &f);
	ok(fd >= 0, "it serves after %d random steps, seed %u", steps, seed);
	close(fd);
	take(NULL);
	far_say(&f, PACKET_RST, 0, NULL, 0);
}

static void test_lie(void)
{
	struct far f;
	int fd = connected(SOCK_STREAM, &f), r, fd2;
	bool linked = is_link();

	fd2 = client(SOCK_STREAM, 80, PATIENCE);
	(void)requested();
	device[VHOST_RX].used->idx += 1000;
	eventfd_write(vhost.call[VHOST_RX], 1);
	r = bridge_wait();
	ok(r == -EPROTO, "a device that lies is stopped");
	next_port--;
	ok(read(fd, in, 1) <= 0 && linked && is_link(),
	   "its connections are gone, which is not the peer's doing");
	next_port++;
	ok(refused(fd2) == ECONNRESET, "and who waits for one is refused");
	close(fd);
	close(fd2);
	device_open();
	pthread_create(&thread, NULL, run, NULL);
	device[VHOST_TX].used->idx += 1000;
	eventfd_write(vhost.call[VHOST_TX], 1);
	ok(bridge_wait() == -EPROTO, "also one that lies of what it has read");
	device_open();
	pthread_create(&thread, NULL, run, NULL);
	fd = connected(SOCK_STREAM, &f);
	ok(fd >= 0, "the next one is served");
	close(fd);
	take(NULL);
}

static void test_limit(void)
{
	const struct table_limits limits = { .connections = 3,
					     .credit = 3 * 20000,
					     .floor = 16384,
					     .answers = 4 };
	int fds[4], l = -1;
	struct far f[4];

	bridge_start(&limits, BRIDGE_FOREVER);
	for (int i = 0; i < 3; i++)
		fds[i] = connected(SOCK_STREAM, &f[i]);
	ok(fds[2] >= 0, "as many connections as the limit says");
	fds[3] = client(SOCK_STREAM, 80, 1000);
	ok(refused(fds[3]) == ECONNRESET, "one more is refused");
	close(fds[3]);
	l = listener(SOCK_STREAM, 1234, 10);
	far_init(&f[3], 1, 9000, 1234);
	far_say(&f[3], PACKET_REQUEST, 0, NULL, 0);
	ok(take(NULL).op == PACKET_RST, "from the host, too");
	close(fds[0]);
	take(NULL);
	far_say(&f[0], PACKET_RST, 0, NULL, 0);
	far_say(&f[3], PACKET_REQUEST, 0, NULL, 0);
	ok(take(NULL).op == PACKET_RESPONSE, "until one has ended");
	close(l);
	close(fds[1]);
	close(fds[2]);
	bridge_end();
}

/* All connections' windows are full, and nobody reads. */
static void test_budget(void)
{
	enum { N = 3, EACH = 16384, PIECE = 4096 };
	const struct table_limits limits = { .connections = N,
					     .credit = N * EACH,
					     .floor = EACH,
					     .answers = 4 };
	uint32_t sent[N] = { 0 }, all = 0, past = 0;
	int fds[N], n, there = 0, before;
	struct packet r;
	struct far f[N];

	bridge_start(&limits, BRIDGE_FOREVER);
	for (int i = 0; i < N; i++)
		fds[i] = connected(SOCK_STREAM, &f[i]);
	for (int i = 0; i < N; i++) {
		uint32_t credit = EACH;

		do {
			for (; sent[i] < credit; sent[i] += PIECE)
				far_say(&f[i], PACKET_RW, 0, out, PIECE);
			r = take_within(50, NULL);
			credit = r.fwd_cnt + r.buf_alloc;
		} while (r.op == PACKET_CREDIT_UPDATE);
		all += sent[i];
	}
	for (int i = 0; i < DEADLINE && (uint32_t)there < all; i++) {
		usleep(1000);
		there = 0;
		for (int j = 0; j < N; j++)
			if (ioctl(fds[j], FIONREAD, &n) == 0)
				there += n;
	}
	ok(all >= N * EACH && all <= N * EACH * 3 / 2 && (uint32_t)there == all,
	   "what nobody reads is as much as the budget lets be sent (%u)", all);
	before = lines;
	for (; past <= EACH; past += PIECE)
		far_say(&f[0], PACKET_RW, 0, out, PIECE);
	r = take(NULL);
	ok(r.op == PACKET_RST && r.dst.port == f[0].like.src.port,
	   "who sends more is cut off");
	for (int i = 0; i < DEADLINE && lines == before; i++)
		usleep(1000);
	ok(lines > before, "a line says so");
	ok(read_all(fds[1], in, sent[1]) == sent[1],
	   "and the others have what is theirs");
	for (int i = 0; i < N; i++)
		close(fds[i]);
	bridge_end();
}

static int of_another_user(int fd, int level, int option, void *value,
			   socklen_t *len)
{
	int r = sys_kernel.getsockopt(fd, level, option, value, len);

	if (option == SO_PEERCRED)
		((struct ucred *)value)->uid = geteuid() + 1;
	return r;
}

static void test_reserved(void)
{
	struct sys door = sys_kernel;
	struct hello h = { .type = SOCK_STREAM,
			   .from = { CID, 22 },
			   .to = { VMADDR_CID_HOST, 80 },
			   .window = WINDOW,
			   .timeout_ms = 1000 };
	int fd;

	hello_make(&h);
	door.getsockopt = of_another_user;
	machine.sys = &door;
	machine.share = 077;
	bridge_start(NULL, BRIDGE_FOREVER);
	fd = ask(SOCK_STREAM, &h);
	ok(refused(fd) == ECONNRESET,
	   "in a directory of many, another user has no port below 1024");
	close(fd);
	h.from.port = 1024;
	fd = ask(SOCK_STREAM, &h);
	ok(take(NULL).src.port == 1024, "but one above");
	close(fd);
	bridge_end();
	machine.sys = &sys_kernel;
	machine.share = 0;
}

static void test_linger(void)
{
	struct sockaddr_un un;
	int l = listener(SOCK_STREAM, 1234, 1);

	bridge_start(NULL, 300);
	ok(!wait_fd(vhost.kick[VHOST_TX], POLLIN, 600) &&
		   rdv_gateway_lives(&machine),
	   "while a port is held it stays");
	close(l);
	ok(bridge_wait() == 0, "then it ends by itself");
	address(&un, "gateway");
	ok(access(un.sun_path, F_OK) < 0 && !ports_gateway(machine.ports),
	   "and leaves nothing behind");
	bridge_free(bridge);
}

static void test_unwatched(void)
{
	const struct bridge_config config = { .machine = &machine,
					      .stop = stop,
					      .say = say };
	struct vhost closed = { .call = { -1, -1 } };

	ok(bridge_new(&config, &bridge) == 0 &&
		   bridge_run(bridge, &closed) == -EBADF,
	   "a device whose interrupts cannot be waited for is not served");
	bridge_free(bridge);
}

static void test_few(void)
{
	const struct bridge_config config = { .machine = &machine,
					      .stop = stop,
					      .say = say };
	int first = dup(stop), tries = 0, r;
	struct rlimit all, few;

	close(first);
	getrlimit(RLIMIT_NOFILE, &all);
	do {
		few = all;
		few.rlim_cur = (rlim_t)(first + tries);
		setrlimit(RLIMIT_NOFILE, &few);
		r = bridge_new(&config, &bridge);
		setrlimit(RLIMIT_NOFILE, &all);
	} while (r == -EMFILE && ++tries < 20);
	ok(r == 0 && tries >= 3,
	   "without a descriptor for each gateway there is none");
	bridge_free(bridge);
	r = dup(stop);
	ok(r == first, "and none is left open");
	close(r);
}

static int late = -1;

/* Who binds a port as the gateways go, ... */
static int late_unlink(const char *path)
{
	struct sockaddr_un un;
	socklen_t len = address(&un, "1299.vsock");

	if (late < 0) {
		late = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		bind(late, (void *)&un, len);
	}
	return sys_kernel.unlink(path);
}

/* ... and is to have new ones, which cannot be made. */
static int no_bind(int fd, const void *addr, socklen_t len)
{
	return late < 0 ? sys_kernel.bind(fd, addr, len) : -ENOSPC;
}

static void test_late(void)
{
	struct sys odd = sys_kernel;

	odd.unlink = late_unlink;
	odd.bind = no_bind;
	machine.sys = &odd;
	bridge_start(NULL, 0);
	ok(bridge_wait() == -ENOSPC,
	   "a bridge that cannot make its gateways again says why it ends");
	bridge_free(bridge);
	machine.sys = &sys_kernel;
	close(late);
}

static int open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	while (d && readdir(d))
		n++;
	closedir(d);
	return n;
}

int main(void)
{
	struct bridge_config config = { .machine = &machine };
	const char *why;
	int first;

	if (!mkdtemp(dir))
		return 1;
	machine.dir = dir;
	if (rdv_open(&machine, &why) < 0)
		return 1;
	stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	first = open_fds();
	bridge_start(NULL, BRIDGE_FOREVER);
	config.stop = stop;
	ok(bridge_new(&config, &(struct bridge *){ NULL }) == -EADDRINUSE &&
		   rdv_gateway_lives(&machine),
	   "a machine has one bridge");
	test_connect(SOCK_STREAM, "STREAM");
	test_connect(SOCK_SEQPACKET, "SEQPACKET");
	test_refused();
	test_no_hello();
	test_silent();
	test_flood();
	test_half_hello();
	test_odd_hello();
	test_accept(SOCK_STREAM, "STREAM");
	test_accept(SOCK_SEQPACKET, "SEQPACKET");
	test_reused_port();
	test_half_close();
	test_flow();
	test_unread();
	test_overrun();
	test_messages();
	test_room();
	test_full_ring();
	test_late_answer();
	test_fair();
	test_hostile();
	test_idle();
	test_orphan();
	test_no_descriptors();
	for (int i = 1; i < 5; i++)
		test_storm((uint32_t)i, 3000);
	test_lie();
	ok(bridge_end() == 0, "it ends when it is told to");
	test_limit();
	test_budget();
	test_reserved();
	test_linger();
	test_unwatched();
	test_few();
	test_late();
	ok(open_fds() == first + 1, "no descriptor stays (%d, %d)", first,
	   open_fds());
	return done();
}
