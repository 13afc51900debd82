/* SPDX-License-Identifier: MIT */
/*
 * Makes the calls of a sequence and says, in a line each, what came of them. A
 * plain AF_VSOCK program, as those of the oracle are.
 */
#include "../oracle.h"

#include "fuzz.h"

#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <linux/sockios.h>

#define DATA_ROOM  (CREDIT + 64)
#define N_ITEMS(a) ((int)(sizeof(a) / sizeof((a)[0])))

struct call_state call;
struct call_shared *call_shared;
static unsigned char data[DATA_ROOM];

/* --- text ----------------------------------------------------------------- */

void put(const char *format, ...)
{
	char *text = call_shared->log[call.later].text;
	size_t *used = &call_shared->log[call.later].used;
	size_t room = sizeof(call_shared->log->text) - *used;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text + *used, room, format, args);
	va_end(args);
	*used += (size_t)n < room ? (size_t)n : room - 1;
}

static void put_port(unsigned int port)
{
	if (port == PORT_ANY) {
		put("ANY");
	} else if (port - call.first_port < LETTERS) {
		put("%c", 'A' + (int)(port - call.first_port));
	} else {
		if (!call_shared->first_ephemeral)
			call_shared->first_ephemeral = port;
		put("E%+d", (int)(port - call_shared->first_ephemeral));
	}
}

/* All of what a call wrote at a place that was filled with UNTOUCHED. */
static void put_written(const void *at, size_t room)
{
	const unsigned char *bytes = at;

	while (room > 0 && bytes[room - 1] == UNTOUCHED)
		room--;
	for (size_t i = 0; i < room; i++)
		put("%02x", bytes[i]);
}

static void put_addr(void)
{
	const unsigned char *bytes = (const unsigned char *)&got;
	size_t n = sizeof(got);

	while (n > 0 && bytes[n - 1] == UNTOUCHED)
		n--;
	if (n != sizeof(got.vm)) {
		put(" wrote ");
		if (n == 0)
			put("nothing");
		else if (n > 4) /* a part of an address, with its port */
			put("%zu bytes", n);
		else
			put_written(&got, sizeof(got));
		return;
	}
	put(" {%d ", (int)got.vm.svm_cid);
	put_port(got.vm.svm_port);
	put(" family %u flags %u rest %04x%02x%02x%02x}", got.vm.svm_family,
	    got.vm.svm_flags, got.vm.svm_reserved1, got.vm.svm_zero[0],
	    got.vm.svm_zero[1], got.vm.svm_zero[2]);
}

static void put_data(size_t n)
{
	size_t same;

	put(" \"");
	for (size_t i = 0; i < n; i += same) {
		for (same = 1; i + same < n && data[i + same] == data[i];
		     same++)
			;
		if (data[i] >= 'a' && data[i] <= 'z')
			put("%c", data[i]);
		else
			put("\\%02x", data[i]);
		if (same > 1)
			put("*%zu ", same);
	}
	put("\"");
}

static void put_flags(int flags)
{
	static const struct {
		int bit;
		const char *name;
	} names[] = {
		{ MSG_OOB, "OOB" },
		{ MSG_PEEK, "PEEK" },
		{ MSG_DONTROUTE, "DONTROUTE" },
		{ MSG_TRUNC, "TRUNC" },
		{ MSG_DONTWAIT, "DONTWAIT" },
		{ MSG_EOR, "EOR" },
		{ MSG_WAITALL, "WAITALL" },
		{ MSG_ERRQUEUE, "ERRQUEUE" },
		{ MSG_NOSIGNAL, "NOSIGNAL" },
		{ MSG_MORE, "MORE" },
		{ MSG_WAITFORONE, "WAITFORONE" },
		{ MSG_ZEROCOPY, "ZEROCOPY" },
		{ MSG_CMSG_CLOEXEC, "CMSG_CLOEXEC" },
	};
	const char *between = "";

	for (int i = 0; i < N_ITEMS(names); i++) {
		if (!(flags & names[i].bit))
			continue;
		flags &= ~names[i].bit;
		put("%s%s", between, names[i].name);
		between = "|";
	}
	if (flags || !*between)
		put("%s%#x", between, (unsigned int)flags);
}

/* --- results -------------------------------------------------------------- */

static int signals_before;

/* Before each call. */
static void ready(void)
{
	signals_before = sigpipes;
	errno = 0;
}

static void put_result(long r)
{
	int error = errno;

	put(") = %ld", r);
	if (r < 0)
		put(" %s", error ? strerrorname_np(error) : "without errno");
	else if (error)
		put(" and errno %s", strerrorname_np(error));
	if (sigpipes != signals_before)
		put(" SIGPIPE");
	errno = error;
}

/* A descriptor that goes to slot @d. */
static void put_fd(int r, int d)
{
	put_result(r < 0 ? r : r - call.first_fd);
	if (r >= 0)
		call.slot[d] = r;
}

/* Nobody waits for ever: data and connections are waited for so long. */
#define SHORT_MS 20
#define LATER_MS 5000

static void set_timeout_of(int fd, long ms)
{
	struct timeval t = { ms / 1000, ms % 1000 * 1000 };
	int error = errno;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
	errno = error;
}

static void put_socket(int r, int d)
{
	put_fd(r, d);
	if (r >= 0)
		set_timeout_of(r, SHORT_MS);
}

/* --- what calls are given ---------------------------------------------------
 */

static const unsigned int cids[] = {
	[CID_ANY] = VMADDR_CID_ANY,
	[CID_1] = VMADDR_CID_LOCAL,
	[CID_2] = VMADDR_CID_HOST,
	[CID_0] = VMADDR_CID_HYPERVISOR,
	[CID_3] = 3,
};

static unsigned int port_number(int port)
{
	struct sockaddr_vm a = { .svm_port = 0 };
	socklen_t len = sizeof(a);

	if (port < LETTERS)
		return call.first_port + (unsigned int)port;
	if (port == PORT_EPHEMERAL)
		return PORT_ANY;
	getsockname(call.slot[port - PORT_OF], (struct sockaddr *)&a, &len);
	return a.svm_family == AF_VSOCK ? a.svm_port : call.first_port;
}

struct passed {
	const struct sockaddr *addr;
	socklen_t len;
};

static struct passed address(int cid, int port, int form)
{
	static union {
		struct sockaddr_vm vm;
		char room[256];
	} a;
	struct passed p = { (struct sockaddr *)&a, sizeof(a.vm) };

	memset(&a, 0, sizeof(a));
	a.vm = (struct sockaddr_vm){ .svm_family = AF_VSOCK,
				     .svm_cid = cids[cid],
				     .svm_port = port_number(port) };
	put("{%d ", (int)a.vm.svm_cid);
	if (port >= PORT_OF)
		put("port of s%d", port - PORT_OF);
	else if (port == PORT_EPHEMERAL)
		put("ANY");
	else
		put("%c", 'A' + port);
	put("}");
	switch (form) {
	case FORM_TO_HOST:
		a.vm.svm_flags = VMADDR_FLAG_TO_HOST;
		put(" flags 1");
		break;
	case FORM_RESERVED:
		a.vm.svm_reserved1 = 0x1234;
		memset(a.vm.svm_zero, 0x56, sizeof(a.vm.svm_zero));
		put(" with garbage");
		break;
	case FORM_FLAGS_2:
		a.vm.svm_flags = 2;
		put(" flags 2");
		break;
	case FORM_INET:
		a.vm.svm_family = AF_INET;
		put(" family INET");
		break;
	case FORM_UNSPEC:
		a.vm.svm_family = AF_UNSPEC;
		put(" family UNSPEC");
		break;
	case FORM_128:
	case FORM_15:
	case FORM_0:
	case FORM_129:
		p.len = form == FORM_128  ? 128
			: form == FORM_15 ? 15
			: form == FORM_0  ? 0
					  : 129;
		put(" len %u", p.len);
		break;
	case FORM_NEGATIVE:
		p.len = (socklen_t)-1;
		put(" len -1");
		break;
	case FORM_NULL:
		p.addr = (struct sockaddr *)nil;
		put(" at NULL");
		break;
	case FORM_NOWHERE:
		p.addr = (struct sockaddr *)(void *)nowhere;
		put(" at nowhere");
		break;
	default:
		break;
	}
	return p;
}

struct returned {
	struct sockaddr *addr;
	socklen_t *len;
};

static struct returned room(int kind)
{
	struct returned r = { (struct sockaddr *)&got, &got_len };

	expect_addr(sizeof(got));
	switch (kind) {
	case ROOM_NONE:
		put("NULL");
		return (struct returned){ (struct sockaddr *)nil,
					  (socklen_t *)nil };
	case ROOM_FULL:
		break;
	case ROOM_16:
		got_len = 16;
		break;
	case ROOM_8:
		got_len = 8;
		break;
	case ROOM_0:
		got_len = 0;
		break;
	case ROOM_NEGATIVE:
		got_len = (socklen_t)-1;
		break;
	case ROOM_NULL_LEN:
		r.len = (socklen_t *)nil;
		put("len at NULL");
		return r;
	case ROOM_NOWHERE:
		r.addr = (struct sockaddr *)(void *)nowhere;
		put("at nowhere ");
		break;
	default:
		break;
	}
	put("room %d", (int)got_len);
	return r;
}

static void put_room(int kind, long r)
{
	if (kind == ROOM_NONE || kind == ROOM_NULL_LEN)
		return;
	put(" len %d", (int)got_len);
	if (r >= 0 || *(unsigned char *)&got != UNTOUCHED)
		put_addr();
}

static void *memory(int kind)
{
	if (kind == MEMORY_NULL)
		put(" at NULL");
	if (kind == MEMORY_NOWHERE)
		put(" at nowhere");
	return kind == MEMORY_NULL	? nil
	       : kind == MEMORY_NOWHERE ? (void *)nowhere
					: (void *)data;
}

/* Data in one to three pieces. */
static int vector(struct iovec v[3], size_t size, int kind)
{
	size_t first = size / 2;

	v[0] = (struct iovec){ data, size };
	switch (kind) {
	case VECTOR_THREE:
		put(" in three");
		v[0].iov_len = first;
		v[1] = (struct iovec){ nil, 0 };
		v[2] = (struct iovec){ data + first, size - first };
		return 3;
	case VECTOR_BAD_SECOND:
		put(" with the second at nowhere");
		v[0].iov_len = first;
		v[1] = (struct iovec){ nowhere, size - first };
		return 2;
	case VECTOR_NONE:
		put(" in none");
		return 0;
	default:
		return 1;
	}
}

/* --- sending and receiving --------------------------------------------------
 */

/* The bytes of the @i-th call are all the same letter. */
static void fill(unsigned int i, int size)
{
	memset(data, 'a' + (int)(i % 26), (size_t)size);
	put("%c*%d", 'a' + (int)(i % 26), size);
}

/* What is in the pipe, to data. */
static ssize_t drain_pipe(void)
{
	ssize_t n = read(call.pipe[0], data, sizeof(data));

	return n < 0 ? 0 : n;
}

static void run_send(const struct op *o, unsigned int i)
{
	struct cmsghdr c = { .cmsg_len = sizeof(c) + 4,
			     .cmsg_level = SOL_SOCKET,
			     .cmsg_type = SCM_RIGHTS };
	char control[64] = "";
	struct msghdr m = { .msg_control = control };
	struct mmsghdr mm[3];
	struct iovec v[3];
	struct passed p;
	off_t begin = 0;
	void *at;
	int fd = call.slot[o->s], n;
	long r;

	put("s%d, ", o->s);
	fill(i, o->a[0]);
	put(", ");
	put_flags(o->a[1]);
	switch (o->kind) {
	case OP_SEND:
		at = memory(o->a[2]);
		ready();
		put_result(send(fd, at, (size_t)o->a[0], o->a[1]));
		break;
	case OP_SENDTO:
		at = memory(o->a[2]);
		put(", ");
		p = address(o->a[3], o->a[4], FORM_GOOD);
		ready();
		put_result(sendto(fd, at, (size_t)o->a[0], o->a[1], p.addr,
				  p.len));
		break;
	case OP_WRITE:
		at = memory(o->a[2]);
		ready();
		put_result(write(fd, at, (size_t)o->a[0]));
		break;
	case OP_WRITEV:
		n = vector(v, (size_t)o->a[0], o->a[2]);
		ready();
		put_result(writev(fd, v, n));
		break;
	case OP_PWRITEV2:
		n = vector(v, (size_t)o->a[0], o->a[2]);
		put(" at %d", o->a[3]);
		ready();
		put_result(pwritev2(fd, v, n, o->a[3], o->a[1]));
		break;
	case OP_SENDFILE:
		ready();
		put_result(sendfile(fd, call.file, &begin, (size_t)o->a[0]));
		break;
	case OP_SPLICE_IN:
		MUST(write(call.pipe[1], data, (size_t)o->a[0]));
		ready();
		put_result(splice(call.pipe[0], NULL, fd, NULL, (size_t)o->a[0],
				  0));
		drain_pipe();
		break;
	case OP_SENDMSG:
		m.msg_iov = v;
		m.msg_iovlen = (size_t)vector(v, (size_t)o->a[0], o->a[2]);
		m.msg_controllen = (size_t)o->a[3];
		memcpy(control, &c, sizeof(c));
		if (o->a[3])
			put(" control %d", o->a[3]);
		ready();
		put_result(sendmsg(fd, &m, o->a[1]));
		break;
	case OP_SENDMMSG:
		put(" times %d", o->a[2]);
		for (n = 0; n < 3; n++) {
			v[n] = (struct iovec){ data, (size_t)o->a[0] };
			mm[n] = (struct mmsghdr){ .msg_hdr.msg_iov = &v[n],
						  .msg_hdr.msg_iovlen = 1,
						  .msg_len = 77 };
		}
		ready();
		r = sendmmsg(fd, mm, (unsigned int)o->a[2], o->a[1]);
		put_result(r);
		for (n = 0; n < o->a[2]; n++)
			put(" %u", mm[n].msg_len);
		break;
	default:
		break;
	}
}

/* What a call read, with @room bytes there. */
static void put_read(long r, size_t room)
{
	size_t n = r < 0 ? 0 : (size_t)r < room ? (size_t)r : room;

	put_result(r);
	if (r > 0)
		put_data(n);
	if (data[n] != UNTOUCHED)
		put(" and wrote further");
}

static void put_message(const struct msghdr *m)
{
	put(" flags%s namelen %u controllen %zu", flags_text(m->msg_flags),
	    m->msg_namelen, (size_t)m->msg_controllen);
	if (*(unsigned char *)&got != UNTOUCHED)
		put_addr();
}

static void run_recv(const struct op *o)
{
	static char control[64];
	struct msghdr m = { .msg_flags = 0x77 };
	struct mmsghdr mm[3];
	struct returned p;
	struct iovec v[3];
	size_t size = (size_t)o->a[0];
	struct timespec none = { 0, 0 };
	void *at;
	int fd = call.slot[o->s], n, error;
	long r;

	put("s%d, %zu, ", o->s, size);
	put_flags(o->a[1]);
	memset(data, UNTOUCHED, size + 8);
	expect_addr(sizeof(got));
	switch (o->kind) {
	case OP_RECV:
		at = memory(o->a[2]);
		ready();
		put_read(recv(fd, at, size, o->a[1]), size);
		break;
	case OP_RECVFROM:
		at = memory(o->a[2]);
		put(", ");
		p = room(o->a[3]);
		ready();
		r = recvfrom(fd, at, size, o->a[1], p.addr, p.len);
		put_read(r, size);
		put_room(o->a[3], r);
		break;
	case OP_READ:
		at = memory(o->a[2]);
		ready();
		put_read(read(fd, at, size), size);
		break;
	case OP_READV:
		n = vector(v, size, o->a[2]);
		ready();
		put_read(readv(fd, v, n), size);
		break;
	case OP_PREADV2:
		n = vector(v, size, o->a[2]);
		put(" at %d", o->a[3]);
		ready();
		put_read(preadv2(fd, v, n, o->a[3], o->a[1]), size);
		break;
	case OP_SPLICE_OUT:
		ready();
		r = splice(fd, NULL, call.pipe[1], NULL, size, 0);
		error = errno;
		drain_pipe();
		errno = error;
		put_read(r, size);
		break;
	case OP_RECVMSG:
		m.msg_iov = v;
		m.msg_iovlen = (size_t)vector(v, size, o->a[2]);
		if (o->a[3] & 1) {
			put(" with a name");
			m.msg_name = &got;
			m.msg_namelen = sizeof(got);
		}
		if (o->a[3] & 2) {
			put(" with control");
			m.msg_control = control;
			m.msg_controllen = sizeof(control);
		}
		ready();
		r = recvmsg(fd, &m, o->a[1]);
		put_read(r, size);
		put_message(&m);
		break;
	case OP_RECVMMSG:
		put(" times %d%s", o->a[2], o->a[3] ? " timeout 0" : "");
		for (n = 0; n < 3; n++) {
			v[n] = (struct iovec){ data + (size_t)n * size, size };
			mm[n] = (struct mmsghdr){ .msg_hdr.msg_iov = &v[n],
						  .msg_hdr.msg_iovlen = 1,
						  .msg_hdr.msg_flags = 0x77,
						  .msg_len = 77 };
		}
		memset(data, UNTOUCHED, 3 * size + 8);
		ready();
		r = recvmmsg(fd, mm, (unsigned int)o->a[2], o->a[1],
			     o->a[3] ? &none : NULL);
		put_result(r);
		for (n = 0; n < r; n++) {
			put(" %u%s", mm[n].msg_len,
			    flags_text(mm[n].msg_hdr.msg_flags));
			memmove(data, data + (size_t)n * size, size);
			put_data(mm[n].msg_len < size ? mm[n].msg_len : size);
		}
		break;
	default:
		break;
	}
}

/* --- options and requests ----------------------------------------------------
 */

#define OPTION(level, name) level, name, #name
#define SIZE(name)	    AF_VSOCK, SO_VM_SOCKETS_##name, #name
#define TIME		    sizeof(struct timeval)

/* The first ones are those of enum opt. */
static const struct option {
	int level, name;
	const char *text;
	int size;
} options[] = {
	[OPT_BUFFER_SIZE] = { SIZE(BUFFER_SIZE), 8 },
	[OPT_BUFFER_MIN] = { SIZE(BUFFER_MIN_SIZE), 8 },
	[OPT_BUFFER_MAX] = { SIZE(BUFFER_MAX_SIZE), 8 },
	[OPT_CONNECT_TIMEOUT] = { SIZE(CONNECT_TIMEOUT), TIME },
	[OPT_CONNECT_TIMEOUT_NEW] = { SIZE(CONNECT_TIMEOUT_NEW), TIME },
	[OPT_SNDBUF] = { OPTION(SOL_SOCKET, SO_SNDBUF), 4 },
	[OPT_ZEROCOPY] = { OPTION(SOL_SOCKET, SO_ZEROCOPY), 4 },
	[OPT_TIMESTAMP] = { OPTION(SOL_SOCKET, SO_TIMESTAMP), 4 },
	[OPT_TIMESTAMPNS] = { OPTION(SOL_SOCKET, SO_TIMESTAMPNS), 4 },
	[OPT_PACING] = { OPTION(SOL_SOCKET, SO_MAX_PACING_RATE), 8 },
	[OPT_RCVTIMEO] = { OPTION(SOL_SOCKET, SO_RCVTIMEO), TIME },
	[OPT_RCVLOWAT] = { OPTION(SOL_SOCKET, SO_RCVLOWAT), 4 },
	[OPT_ERROR] = { OPTION(SOL_SOCKET, SO_ERROR), 4 },
	{ OPTION(SOL_SOCKET, SO_SNDTIMEO), TIME },
	{ SIZE(PEER_HOST_VM_ID), 4 },
	{ SIZE(TRUSTED), 4 },
	{ SIZE(NONBLOCK_TXRX), 4 },
	{ OPTION(AF_VSOCK, 4), 8 },
	{ OPTION(AF_VSOCK, 9), 8 },
	{ OPTION(AF_VSOCK, -1), 8 },
	{ OPTION(SOL_SOCKET, SO_TYPE), 4 },
	{ OPTION(SOL_SOCKET, SO_DOMAIN), 4 },
	{ OPTION(SOL_SOCKET, SO_PROTOCOL), 4 },
	{ OPTION(SOL_SOCKET, SO_ACCEPTCONN), 4 },
	{ OPTION(SOL_SOCKET, SO_RCVBUF), 4 },
	{ OPTION(SOL_SOCKET, SO_REUSEADDR), 4 },
	{ OPTION(SOL_SOCKET, SO_REUSEPORT), 4 },
	{ OPTION(SOL_SOCKET, SO_KEEPALIVE), 4 },
	{ OPTION(SOL_SOCKET, SO_BROADCAST), 4 },
	{ OPTION(SOL_SOCKET, SO_OOBINLINE), 4 },
	{ OPTION(SOL_SOCKET, SO_DONTROUTE), 4 },
	{ OPTION(SOL_SOCKET, SO_LINGER), 8 },
	{ OPTION(SOL_SOCKET, SO_PRIORITY), 4 },
	{ OPTION(SOL_SOCKET, SO_PEERCRED), 12 },
	{ OPTION(SOL_SOCKET, SO_PEERGROUPS), 4 },
	{ OPTION(SOL_SOCKET, SO_PEERNAME), 16 },
	{ OPTION(SOL_SOCKET, SO_PASSCRED), 4 },
	{ OPTION(SOL_SOCKET, SO_PEEK_OFF), 4 },
	{ OPTION(SOL_SOCKET, SO_RXQ_OVFL), 4 },
	{ OPTION(SOL_SOCKET, SO_NOFCS), 4 },
	{ OPTION(SOL_SOCKET, SO_SELECT_ERR_QUEUE), 4 },
	{ OPTION(SOL_SOCKET, SO_DETACH_FILTER), 4 },
	{ OPTION(SOL_SOCKET, 999), 4 },
	{ OPTION(6 /* TCP */, 1), 4 },
	{ OPTION(0 /* IP */, 1), 4 },
	{ OPTION(287 /* SOL_VSOCK */, 1), 4 },
};
const int n_options = N_ITEMS(options);

static const long long values[] = {
	0,	1,	-1,	2,	5,	 100,	     3000, 70000,
	200000, 262144, 262145, 300000, INT_MAX, 4294967301, -5,
};
const int n_values = N_ITEMS(values);

#define HUGE_TIME ((time_t)1 << (8 * sizeof(time_t) - 4))
static const struct timeval times[] = {
	{ 0, 20000 }, { 0, 40000 },   { 1, 500000 },	{ -1, 0 },
	{ 0, -1 },    { 0, 1000000 }, { HUGE_TIME, 0 }, { 3, 0 },
};

/* What a number between 0 and 4 makes of an option's size. */
static int length(int size, int kind)
{
	static const int other[] = { 0, -1, 1, -1000, -1001 };

	return kind == 3 ? 0 : kind == 4 ? -1 : size + other[kind];
}

static void run_getopt(const struct op *o)
{
	const struct option *opt = &options[o->a[0]];
	socklen_t len = (socklen_t)length(opt->size, o->a[1]);
	socklen_t *lenp = o->a[2] == MEMORY_NULL ? (socklen_t *)nil : &len;
	unsigned char value[64];
	void *at = o->a[2] == MEMORY_NOWHERE ? (void *)nowhere : value;
	long r;

	memset(value, UNTOUCHED, sizeof(value));
	put("s%d, %d %s, %d%s", o->s, opt->level, opt->text, (int)len,
	    o->a[2] == MEMORY_NULL	? " at NULL"
	    : o->a[2] == MEMORY_NOWHERE ? ", value at nowhere"
					: "");
	ready();
	r = getsockopt(call.slot[o->s], opt->level, opt->name, at, lenp);
	put_result(r);
	put(" len %d ", (int)len);
	if (opt->name != SO_PEERNAME || opt->level != SOL_SOCKET || r < 0) {
		put_written(value, sizeof(value));
		return;
	}
	memset(&got, UNTOUCHED, sizeof(got));
	memcpy(&got, value, sizeof(value));
	put_addr();
}

static void run_setopt(const struct op *o)
{
	const struct option *opt = &options[o->a[0]];
	socklen_t len = (socklen_t)length(opt->size, o->a[1]);
	union {
		int i[2];
		long long ll;
		struct timeval t;
		char room[64];
	} value;
	void *at = o->a[3] == MEMORY_NULL      ? nil
		   : o->a[3] == MEMORY_NOWHERE ? (void *)nowhere
					       : (void *)&value;
	int number = o->a[2];

	memset(&value, 0, sizeof(value));
	put("s%d, %d %s, ", o->s, opt->level, opt->text);
	if (opt->size == sizeof(struct timeval)) {
		value.t = times[number % N_ITEMS(times)];
		put("%ld.%06ld", (long)value.t.tv_sec, (long)value.t.tv_usec);
	} else if (opt->name == SO_LINGER && opt->level == SOL_SOCKET) {
		value.i[0] = number % 2;
		value.i[1] = number % 3;
		put("%d %d", value.i[0], value.i[1]);
	} else if (opt->size >= 8) {
		value.ll = values[number];
		put("%lld", value.ll);
	} else {
		value.i[0] = (int)values[number];
		put("%d", value.i[0]);
	}
	put(", %d%s", (int)len,
	    o->a[3] == MEMORY_NULL	? " at NULL"
	    : o->a[3] == MEMORY_NOWHERE ? " at nowhere"
					: "");
	ready();
	put_result(setsockopt(call.slot[o->s], opt->level, opt->name, at, len));
}

static const struct {
	unsigned long request;
	const char *text;
} requests[] = {
	[REQ_INQ] = { FIONREAD, "SIOCINQ" },
	[REQ_OUTQ] = { SIOCOUTQ, "SIOCOUTQ" },
	[REQ_NBIO] = { FIONBIO, "FIONBIO" },
	{ IOCTL_VM_SOCKETS_GET_LOCAL_CID, "GET_LOCAL_CID" },
	{ SIOCATMARK, "SIOCATMARK" },
	{ 0x5401 /* TCGETS */, "TCGETS" },
	{ SIOCGSTAMP_OLD, "SIOCGSTAMP" },
	{ SIOCPROTOPRIVATE, "SIOCPROTOPRIVATE" },
	{ 0x12345678, "0x12345678" },
};
const int n_requests = N_ITEMS(requests);

static void run_ioctl(const struct op *o)
{
	union {
		int i;
		unsigned char room[64];
	} value;
	void *at = o->a[2] == MEMORY_NULL      ? nil
		   : o->a[2] == MEMORY_NOWHERE ? (void *)nowhere
					       : (void *)&value;

	memset(&value, UNTOUCHED, sizeof(value));
	put("s%d, %s", o->s, requests[o->a[0]].text);
	if (o->a[0] == REQ_NBIO) {
		value.i = o->a[1];
		put(", %d", value.i);
	}
	if (o->a[2] != MEMORY_GOOD)
		put(o->a[2] == MEMORY_NULL ? " at NULL" : " at nowhere");
	ready();
	put_result(ioctl(call.slot[o->s], requests[o->a[0]].request, at));
	put(" ");
	put_written(&value, sizeof(value));
}

/* --- readiness --------------------------------------------------------------
 */

static const struct timespec *ms(int n)
{
	static struct timespec t;

	t = (struct timespec){ n / 1000, n % 1000 * 1000000 };
	return &t;
}

static void run_poll(const struct op *o)
{
	struct pollfd p[SLOTS];
	int n = 0, wait = o->later ? LATER_MS : o->a[2];

	for (int i = 0; i < SLOTS; i++)
		if (o->a[0] >> i & 1)
			p[n++] = (struct pollfd){ .fd = call.slot[i],
						  .events = (short)o->a[1] };
	put("slots %#x, %s, %d ms", (unsigned int)o->a[0],
	    mask_text((unsigned int)o->a[1]), wait);
	ready();
	put_result(o->a[3] ? ppoll(p, (nfds_t)n, ms(wait), NULL)
			   : poll(p, (nfds_t)n, wait));
	for (int i = 0; i < n; i++)
		put(" %s", mask_text((unsigned short)p[i].revents));
}

static void run_select(const struct op *o)
{
	int n = 0, wait = o->later ? LATER_MS : o->a[2];
	struct timeval t = { wait / 1000, wait % 1000 * 1000 };
	fd_set in, out, ex;

	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_ZERO(&ex);
	for (int i = 0; i < SLOTS; i++) {
		if (call.slot[i] < 0)
			continue;
		if (o->a[0] >> i & 1)
			FD_SET(call.slot[i], &in);
		if (o->a[1] >> i & 1)
			FD_SET(call.slot[i], &out);
		FD_SET(call.slot[i], &ex);
		if (call.slot[i] >= n)
			n = call.slot[i] + 1;
	}
	put("slots %#x to read, %#x to write, %d ms", (unsigned int)o->a[0],
	    (unsigned int)o->a[1], wait);
	ready();
	put_result(o->a[3] ? pselect(n, &in, &out, &ex, ms(wait), NULL)
			   : select(n, &in, &out, &ex, &t));
	for (int i = 0; i < SLOTS; i++)
		if (call.slot[i] >= 0)
			put(" s%d%s%s%s", i,
			    FD_ISSET(call.slot[i], &in) ? " in" : "",
			    FD_ISSET(call.slot[i], &out) ? " out" : "",
			    FD_ISSET(call.slot[i], &ex) ? " ex" : "");
}

static void run_epoll(const struct op *o)
{
	struct epoll_event ev = { .events = (uint32_t)o->a[0],
				  .data.u64 = o->s };
	int op = o->kind == OP_EPOLL_ADD   ? EPOLL_CTL_ADD
		 : o->kind == OP_EPOLL_MOD ? EPOLL_CTL_MOD
					   : EPOLL_CTL_DEL;

	put("s%d, %s%s%s", o->s, mask_text((unsigned int)o->a[0] & 0x3fff),
	    (unsigned int)o->a[0] & EPOLLET ? "|ET" : "",
	    (unsigned int)o->a[0] & EPOLLONESHOT ? "|ONESHOT" : "");
	ready();
	put_result(epoll_ctl(call.epfd, op, call.slot[o->s], &ev));
}

static void run_epoll_wait(const struct op *o)
{
	struct epoll_event ev[2 * SLOTS];
	int wait = o->later ? LATER_MS : o->a[0];
	long r;

	put("%d ms", wait);
	ready();
	r = o->a[1] ? epoll_pwait(call.epfd, ev, 2 * SLOTS, wait, NULL)
		    : epoll_wait(call.epfd, ev, 2 * SLOTS, wait);
	put_result(r);
	for (unsigned int s = 0; s < SLOTS; s++) /* their order is not told */
		for (long i = 0; i < r; i++)
			if (ev[i].data.u64 == s)
				put(" s%u %s", s, mask_text(ev[i].events));
}

/* --- the rest ---------------------------------------------------------------
 */

static void run_address(const struct op *o)
{
	struct passed p;

	put("s%d, ", o->s);
	p = address(o->a[0], o->a[1], o->a[2]);
	ready();
	put_result(o->kind == OP_BIND
			   ? bind(call.slot[o->s], p.addr, p.len)
			   : connect(call.slot[o->s], p.addr, p.len));
}

static void run_name(const struct op *o)
{
	struct returned p;
	long r;

	put("s%d, ", o->s);
	p = room(o->a[0]);
	ready();
	r = o->kind == OP_SOCKNAME
		    ? getsockname(call.slot[o->s], p.addr, p.len)
		    : getpeername(call.slot[o->s], p.addr, p.len);
	put_result(r);
	put_room(o->a[0], r);
}

static void run_accept(const struct op *o)
{
	struct returned p;
	int r;

	put("s%d, ", o->s);
	if (o->a[0] >= 0)
		put("%#x, ", (unsigned int)o->a[0]);
	p = room(o->a[1]);
	put(" into s%d", o->d);
	ready();
	r = o->a[0] < 0 ? accept(call.slot[o->s], p.addr, p.len)
			: accept4(call.slot[o->s], p.addr, p.len, o->a[0]);
	put_socket(r, o->d);
	put_room(o->a[1], r);
}

static void run_file(const struct op *o)
{
	static const char *const names[N_FILE_CALLS] = { "F_GETFL",   "F_GETFD",
							 "fstat",     "lseek",
							 "ftruncate", "fsync",
							 "pread" };
	struct stat st = { .st_mode = 0 };
	int fd = call.slot[o->s];

	put("s%d, %s", o->s, names[o->a[0]]);
	ready();
	switch (o->a[0]) {
	case 0:
		put_result(fcntl(fd, F_GETFL));
		break;
	case 1:
		put_result(fcntl(fd, F_GETFD));
		break;
	case 2:
		put_result(fstat(fd, &st));
		put(" %#o", st.st_mode);
		break;
	case 3:
		put_result(lseek(fd, 0, SEEK_CUR));
		break;
	case 4:
		put_result(ftruncate(fd, 0));
		break;
	case 5:
		put_result(fsync(fd));
		break;
	default:
		put_result(pread(fd, data, 1, 0));
		break;
	}
}

/* close(), and what closes past it. */
static void run_close(const struct op *o)
{
	static const char *const ways[N_CLOSES] = { "", ", fclose",
						    ", close_range",
						    ", syscall" };
	int fd = call.slot[o->s], way = fd < 0 ? 0 : o->a[0];
	FILE *f;

	put("s%d%s", o->s, ways[way]);
	call.slot[o->s] = -1;
	f = way == 1 ? fdopen(fd, "r") : NULL;
	ready();
	put_result(f ? fclose(f)
		   : way == 2
			   ? close_range((unsigned int)fd, (unsigned int)fd, 0)
		   : way == 3 ? syscall(SYS_close, fd)
			      : close(fd));
}

static void run_plain(const struct op *o)
{
	int pair[2];

	put("into s%d", o->d);
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	close(pair[1]);
	ready();
	put_socket(pair[0], o->d);
}

static void run_pass(const struct op *o)
{
	struct iovec v = { data, 1 };
	union {
		struct cmsghdr c;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { .c = { .cmsg_len = CMSG_LEN(sizeof(int)),
			     .cmsg_level = SOL_SOCKET,
			     .cmsg_type = SCM_RIGHTS } };
	struct msghdr m = { .msg_iov = &v,
			    .msg_iovlen = 1,
			    .msg_control = &control,
			    .msg_controllen = sizeof(control) };

	put("s%d", o->s);
	memcpy(CMSG_DATA(&control.c), &call.slot[o->s], sizeof(int));
	ready();
	put_result(sendmsg(call.pass[call.who], &m, MSG_DONTWAIT));
}

/* A slot that is to be filled is emptied, as other calls may be missing. */
static void make_room(int d)
{
	if (call.slot[d] >= 0)
		close(call.slot[d]);
	call.slot[d] = -1;
}

void call_receive(const struct op *o)
{
	struct iovec v = { data, 1 };
	union {
		struct cmsghdr c;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr m = { .msg_iov = &v,
			    .msg_iovlen = 1,
			    .msg_control = &control,
			    .msg_controllen = sizeof(control) };
	int fd;

	put(" received into s%d(", o->d);
	make_room(o->d);
	ready();
	if (recvmsg(call.pass[call.who], &m, MSG_DONTWAIT) < 0) {
		put_result(-1);
		return;
	}
	memcpy(&fd, CMSG_DATA(&control.c), sizeof(fd));
	put_fd(fd, o->d);
}

static const char *const names[N_OPS] = {
	[OP_SOCKET] = "socket",
	[OP_DEVICE] = "open",
	[OP_PLAIN] = "plain",
	[OP_ACCEPT] = "accept",
	[OP_DUP] = "dup",
	[OP_DUPFD] = "dupfd",
	[OP_PASS] = "pass",
	[OP_DUP2] = "dup2",
	[OP_PAIR] = "socketpair",
	[OP_BIND] = "bind",
	[OP_CONNECT] = "connect",
	[OP_LISTEN] = "listen",
	[OP_SEND] = "send",
	[OP_SENDTO] = "sendto",
	[OP_WRITE] = "write",
	[OP_SENDMSG] = "sendmsg",
	[OP_WRITEV] = "writev",
	[OP_PWRITEV2] = "pwritev2",
	[OP_SENDMMSG] = "sendmmsg",
	[OP_SENDFILE] = "sendfile",
	[OP_SPLICE_IN] = "splice_to",
	[OP_RECV] = "recv",
	[OP_RECVFROM] = "recvfrom",
	[OP_READ] = "read",
	[OP_RECVMSG] = "recvmsg",
	[OP_READV] = "readv",
	[OP_PREADV2] = "preadv2",
	[OP_RECVMMSG] = "recvmmsg",
	[OP_SPLICE_OUT] = "splice_from",
	[OP_SHUTDOWN] = "shutdown",
	[OP_CLOSE] = "close",
	[OP_SOCKNAME] = "getsockname",
	[OP_PEERNAME] = "getpeername",
	[OP_GETOPT] = "getsockopt",
	[OP_SETOPT] = "setsockopt",
	[OP_IOCTL] = "ioctl",
	[OP_FILE] = "file",
	[OP_NONBLOCK] = "nonblock",
	[OP_POLL] = "poll",
	[OP_SELECT] = "select",
	[OP_EPOLL_ADD] = "epoll_add",
	[OP_EPOLL_MOD] = "epoll_mod",
	[OP_EPOLL_DEL] = "epoll_del",
	[OP_EPOLL_WAIT] = "epoll_wait",
	[OP_FORK] = "fork",
	[OP_EXEC] = "exec",
	[OP_KILL] = "kill",
};

static void run_filling(const struct op *o)
{
	make_room(o->d);
	switch (o->kind) {
	case OP_SOCKET:
		put("%#x, %d into s%d", (unsigned int)o->a[0], o->a[1], o->d);
		ready();
		put_socket(socket(AF_VSOCK, o->a[0], o->a[1]), o->d);
		break;
	case OP_DEVICE:
		put("/dev/vsock, %#x into s%d", (unsigned int)o->a[0], o->d);
		ready();
		put_fd(open("/dev/vsock", o->a[0]), o->d);
		break;
	case OP_PLAIN:
		run_plain(o);
		break;
	case OP_ACCEPT:
		run_accept(o);
		break;
	case OP_DUP:
		put("s%d into s%d", o->s, o->d);
		ready();
		put_fd(dup(call.slot[o->s]), o->d);
		break;
	case OP_DUPFD:
		put("s%d into s%d", o->s, o->d);
		ready();
		put_fd(fcntl(call.slot[o->s], F_DUPFD_CLOEXEC, 0), o->d);
		break;
	default:
		break;
	}
}

static void run_other(const struct op *o)
{
	int fd = call.slot[o->s], pair[2];

	switch (o->kind) {
	case OP_DUP2:
		put("s%d, s%d", o->s, o->d);
		ready();
		put_result(dup2(fd, call.slot[o->d]) < 0 ? -1 : 0);
		break;
	case OP_PAIR:
		put("%#x, %d", (unsigned int)o->a[0], o->a[1]);
		ready();
		put_result(socketpair(AF_VSOCK, o->a[0], o->a[1], pair));
		break;
	case OP_LISTEN:
		put("s%d, %d", o->s, o->a[0]);
		ready();
		put_result(listen(fd, o->a[0]));
		break;
	case OP_SHUTDOWN:
		put("s%d, %d", o->s, o->a[0]);
		ready();
		put_result(shutdown(fd, o->a[0]));
		break;
	case OP_NONBLOCK:
		put("s%d, %s", o->s, o->a[0] ? "O_NONBLOCK" : "0");
		ready();
		put_result(fcntl(fd, F_SETFL, o->a[0] ? O_NONBLOCK : 0));
		break;
	default:
		break;
	}
}

void call_run(const struct op *o, unsigned int i)
{
	static void (*const ways[N_OPS])(const struct op *o) = {
		[OP_PASS] = run_pass,	    [OP_BIND] = run_address,
		[OP_CONNECT] = run_address, [OP_CLOSE] = run_close,
		[OP_SOCKNAME] = run_name,   [OP_PEERNAME] = run_name,
		[OP_GETOPT] = run_getopt,   [OP_SETOPT] = run_setopt,
		[OP_IOCTL] = run_ioctl,	    [OP_FILE] = run_file,
		[OP_POLL] = run_poll,	    [OP_SELECT] = run_select,
		[OP_EPOLL_ADD] = run_epoll, [OP_EPOLL_MOD] = run_epoll,
		[OP_EPOLL_DEL] = run_epoll, [OP_EPOLL_WAIT] = run_epoll_wait,
	};

	if (o->later && o->kind <= OP_SPLICE_OUT)
		set_timeout_of(call.slot[o->s], LATER_MS);
	put("%s(", names[o->kind]);
	if (ways[o->kind])
		ways[o->kind](o);
	else if (o->kind < OP_FILLS)
		run_filling(o);
	else if (o->kind >= OP_SEND && o->kind <= OP_SPLICE_IN)
		run_send(o, i);
	else if (o->kind >= OP_RECV && o->kind <= OP_SPLICE_OUT)
		run_recv(o);
	else
		run_other(o);
	if (o->later && o->kind <= OP_SPLICE_OUT)
		set_timeout_of(call.slot[o->s], SHORT_MS);
}

void call_masks(void)
{
	int *mask = call_shared->mask[call.who];
	struct pollfd p[SLOTS];

	for (int i = 0; i < SLOTS; i++)
		p[i] = (struct pollfd){ .fd = call.slot[i],
					.events = ALL_EVENTS };
	MUST(poll(p, SLOTS, 0));
	for (int i = 0; i < SLOTS; i++)
		mask[i] = call.slot[i] < 0 ? -1 : (unsigned short)p[i].revents;
}

const char *call_name(enum kind kind)
{
	return names[kind];
}

const char *call_mask_text(unsigned int mask)
{
	return mask_text(mask);
}

void call_settle(void)
{
	settle();
}

void call_start(void)
{
	oracle_start();
	alarm(0);
	setvbuf(stdout, NULL, _IOFBF, BUFSIZ);
}

void call_open(void)
{
	char filling[8192];

	memset(call.slot, -1, sizeof(call.slot));
	MUST(socketpair(AF_UNIX, SOCK_DGRAM, 0, call.pass));
	MUST(pipe2(call.pipe, O_NONBLOCK));
	call.file = (int)MUST(memfd_create("file", 0));
	memset(filling, 'z', sizeof(filling));
	MUST(write(call.file, filling, sizeof(filling)));
	call.epfd = (int)MUST(epoll_create1(EPOLL_CLOEXEC));
	call.first_fd = (int)MUST(dup(call.epfd));
	close(call.first_fd);
}

void call_renew(void)
{
	int ep = (int)MUST(epoll_create1(EPOLL_CLOEXEC));

	if (ep == call.epfd)
		return;
	MUST(dup3(ep, call.epfd, O_CLOEXEC));
	close(ep);
}
