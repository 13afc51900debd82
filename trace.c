/* SPDX-License-Identifier: MIT */
/* VSOCKSHIM_DEBUG and VSOCKSHIM_LOG: see trace.h. */
#include "trace.h"

#include "core/addr.h"
#include "core/sys.h"
#include "core/util.h"
#include "epmap.h"
#include "hint.h"
#include "ident.h"
#include "next.h"
#include "pool.h"
#include "say.h"
#include "user.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/sockios.h>

static unsigned int trace_state; /* enum trace; 0 until it is read */

/* --- what is wanted ------------------------------------------------------ */

static char log_path[PATH_MAX];
static char unknown[32]; /* what VSOCKSHIM_DEBUG names in vain */

static unsigned int category(const char *word, size_t n)
{
	static const struct {
		char name[12];
		unsigned int bits;
	} categories[] = {
		{ "all", TRACE_SOCKET | TRACE_DATA | TRACE_OPTION | TRACE_POLL |
				 TRACE_TRANSPORT },
		{ "socket", TRACE_SOCKET },
		{ "data", TRACE_DATA },
		{ "option", TRACE_OPTION },
		{ "poll", TRACE_POLL },
		{ "transport", TRACE_TRANSPORT },
	};

	for (size_t i = 0; i < ARRAY_SIZE(categories); i++)
		if (strlen(categories[i].name) == n &&
		    memcmp(categories[i].name, word, n) == 0)
			return categories[i].bits;
	if (n >= sizeof(unknown))
		n = sizeof(unknown) - 1;
	memcpy(unknown, word, n);
	unknown[n] = '\0';
	return 0;
}

static unsigned int parse(const char *s)
{
	unsigned int wanted = TRACE_ALWAYS;
	size_t n;

	for (; *s; s += n + (s[n] == ',')) {
		n = strcspn(s, ",");
		wanted |= category(s, n);
	}
	return wanted;
}

/* What each line begins with. */
struct stamp {
	pid_t pid, tid;
	struct timespec now;
};

static struct stamp stamp(void)
{
	struct stamp s = { .pid = getpid(), .tid = sys_kernel.gettid() };

	clock_gettime(CLOCK_REALTIME, &s.now);
	return s;
}

/* At the first call of all, as programs change their environment. */
static void read_environment(void)
{
	const char *wanted = secure_getenv("VSOCKSHIM_DEBUG"), *log;
	unsigned int state;
	int saved = errno;
	sigset_t old;

	if (!wanted || !*wanted) {
		gate_open(GATE_UNTRACED);
		return;
	}
	pool_lock(&old);
	if (!trace_state) {
		say_note_stderr();
		(void)stamp(); /* looks its symbols up: see say.h */
		log = secure_getenv("VSOCKSHIM_LOG");
		if (log && !util_join(log_path, sizeof(log_path), log, ""))
			memcpy(log_path, log, sizeof(log_path) - 1);
		state = parse(wanted);
		__atomic_store_n(&trace_state, state, __ATOMIC_RELEASE);
	}
	pool_unlock(&old);
	errno = saved;
}

/* A hint may be wrong: the kernel knows. */
static bool surely_ours(int fd)
{
	struct ident id;

	return hint_suspect(fd) && ident(fd, &id);
}

bool trace_wanted(enum trace category, int fd)
{
	if (gate_is_open(GATE_SANDBOX))
		return false;
	if (!__atomic_load_n(&trace_state, __ATOMIC_ACQUIRE))
		read_environment();
	return __atomic_load_n(&trace_state, __ATOMIC_ACQUIRE) & category &&
	       (fd == TRACE_ANY || surely_ours(fd));
}

/* --- names --------------------------------------------------------------- */

/* In place, not pointers: nothing to relocate. */
struct name_of {
	int value;
	char name[32];
};

#define NAME(prefix, name)                                                     \
	{                                                                      \
		prefix##name, #name                                            \
	}

static const struct name_of errors[] = {
	NAME(, EPERM),		 NAME(, ENOENT),
	NAME(, EINTR),		 NAME(, EIO),
	NAME(, ENXIO),		 NAME(, EBADF),
	NAME(, EAGAIN),		 NAME(, ENOMEM),
	NAME(, EACCES),		 NAME(, EFAULT),
	NAME(, EBUSY),		 NAME(, EEXIST),
	NAME(, ENODEV),		 NAME(, ENOTDIR),
	NAME(, EINVAL),		 NAME(, ENFILE),
	NAME(, EMFILE),		 NAME(, ENOTTY),
	NAME(, ENOSPC),		 NAME(, ESPIPE),
	NAME(, EPIPE),		 NAME(, EDOM),
	NAME(, ERANGE),		 NAME(, ENAMETOOLONG),
	NAME(, ENOSYS),		 NAME(, ELOOP),
	NAME(, EPROTO),		 NAME(, ENOTSOCK),
	NAME(, EDESTADDRREQ),	 NAME(, EMSGSIZE),
	NAME(, EPROTOTYPE),	 NAME(, ENOPROTOOPT),
	NAME(, EPROTONOSUPPORT), NAME(, ESOCKTNOSUPPORT),
	NAME(, EOPNOTSUPP),	 NAME(, EAFNOSUPPORT),
	NAME(, EADDRINUSE),	 NAME(, EADDRNOTAVAIL),
	NAME(, ENETUNREACH),	 NAME(, ECONNABORTED),
	NAME(, ECONNRESET),	 NAME(, ENOBUFS),
	NAME(, EISCONN),	 NAME(, ENOTCONN),
	NAME(, ETIMEDOUT),	 NAME(, ECONNREFUSED),
	NAME(, EHOSTUNREACH),	 NAME(, EALREADY),
	NAME(, EINPROGRESS),
};

static const struct name_of types[] = {
	NAME(, SOCK_STREAM),
	NAME(, SOCK_DGRAM),
	NAME(, SOCK_RAW),
	NAME(, SOCK_SEQPACKET),
};

static const struct name_of type_flags[] = {
	NAME(, SOCK_CLOEXEC),
	NAME(, SOCK_NONBLOCK),
};

static const struct name_of msg_flags[] = {
	NAME(, MSG_OOB),	  NAME(, MSG_PEEK),	NAME(, MSG_DONTROUTE),
	NAME(, MSG_CTRUNC),	  NAME(, MSG_TRUNC),	NAME(, MSG_DONTWAIT),
	NAME(, MSG_EOR),	  NAME(, MSG_WAITALL),	NAME(, MSG_ERRQUEUE),
	NAME(, MSG_NOSIGNAL),	  NAME(, MSG_MORE),	NAME(, MSG_WAITFORONE),
	NAME(, MSG_CMSG_CLOEXEC), NAME(, MSG_ZEROCOPY),
};

static const struct name_of hows[] = {
	NAME(, SHUT_RD),
	NAME(, SHUT_WR),
	NAME(, SHUT_RDWR),
};

/* Without the prefix, which is POLL or EPOLL. */
static const struct name_of events[] = {
	NAME(EPOLL, IN),     NAME(EPOLL, PRI),	   NAME(EPOLL, OUT),
	NAME(EPOLL, ERR),    NAME(EPOLL, HUP),	   NAME(POLL, NVAL),
	NAME(EPOLL, RDNORM), NAME(EPOLL, RDBAND),  NAME(EPOLL, WRNORM),
	NAME(EPOLL, WRBAND), NAME(EPOLL, RDHUP),   NAME(EPOLL, EXCLUSIVE),
	NAME(EPOLL, WAKEUP), NAME(EPOLL, ONESHOT), { (int)EPOLLET, "ET" },
};

static const struct name_of epoll_ops[] = {
	NAME(, EPOLL_CTL_ADD),
	NAME(, EPOLL_CTL_MOD),
	NAME(, EPOLL_CTL_DEL),
};

/* select(2)'s sets. */
enum { IN = 1, OUT = 2, EX = 4 };
static const struct name_of sets[] = {
	{ IN, "in" },
	{ OUT, "out" },
	{ EX, "ex" },
};

static const struct name_of commands[] = {
	NAME(, F_DUPFD),  NAME(, F_DUPFD_CLOEXEC), NAME(, F_GETFD),
	NAME(, F_SETFD),  NAME(, F_GETFL),	   NAME(, F_SETFL),
	NAME(, F_SETOWN), NAME(, F_SETSIG),
};

static const struct name_of file_modes[] = {
	NAME(, O_RDONLY),
	NAME(, O_WRONLY),
	NAME(, O_RDWR),
};

static const struct name_of file_flags[] = {
	NAME(, O_APPEND),
	NAME(, O_NONBLOCK),
	NAME(, O_ASYNC),
	NAME(, O_CLOEXEC),
};

static const struct name_of requests[] = {
	NAME(, FIONREAD),   NAME(, FIONBIO),
	NAME(, FIOASYNC),   NAME(, FIOCLEX),
	NAME(, FIONCLEX),   NAME(, SIOCOUTQ),
	NAME(, SIOCATMARK), NAME(, SIOCGSTAMP),
	NAME(, TCGETS),	    NAME(, IOCTL_VM_SOCKETS_GET_LOCAL_CID),
};

/* Without the prefix SO_, and SO_VM_SOCKETS_. */
static const struct name_of options[] = {
	NAME(SO_, DEBUG),
	NAME(SO_, REUSEADDR),
	NAME(SO_, TYPE),
	NAME(SO_, ERROR),
	NAME(SO_, DONTROUTE),
	NAME(SO_, BROADCAST),
	NAME(SO_, SNDBUF),
	NAME(SO_, RCVBUF),
	NAME(SO_, SNDBUFFORCE),
	NAME(SO_, RCVBUFFORCE),
	NAME(SO_, KEEPALIVE),
	NAME(SO_, OOBINLINE),
	NAME(SO_, PRIORITY),
	NAME(SO_, LINGER),
	NAME(SO_, REUSEPORT),
	NAME(SO_, PASSCRED),
	NAME(SO_, PEERCRED),
	NAME(SO_, RCVLOWAT),
	NAME(SO_, SNDLOWAT),
	{ SO_RCVTIMEO_OLD, "RCVTIMEO" },
	{ SO_SNDTIMEO_OLD, "SNDTIMEO" },
	{ SO_RCVTIMEO_NEW, "RCVTIMEO" },
	{ SO_SNDTIMEO_NEW, "SNDTIMEO" },
	{ SO_TIMESTAMP_OLD, "TIMESTAMP" },
	NAME(SO_, ACCEPTCONN),
	NAME(SO_, PEERSEC),
	NAME(SO_, MARK),
	NAME(SO_, PROTOCOL),
	NAME(SO_, DOMAIN),
	NAME(SO_, PEEK_OFF),
	NAME(SO_, BUSY_POLL),
	NAME(SO_, INCOMING_CPU),
	NAME(SO_, MAX_PACING_RATE),
	NAME(SO_, COOKIE),
	NAME(SO_, ZEROCOPY),
};

static const struct name_of vsock_options[] = {
	NAME(SO_VM_SOCKETS_, BUFFER_SIZE),
	NAME(SO_VM_SOCKETS_, BUFFER_MIN_SIZE),
	NAME(SO_VM_SOCKETS_, BUFFER_MAX_SIZE),
	NAME(SO_VM_SOCKETS_, PEER_HOST_VM_ID),
	NAME(SO_VM_SOCKETS_, TRUSTED),
	{ SO_VM_SOCKETS_CONNECT_TIMEOUT_OLD, "CONNECT_TIMEOUT" },
	{ SO_VM_SOCKETS_CONNECT_TIMEOUT_NEW, "CONNECT_TIMEOUT" },
	NAME(SO_VM_SOCKETS_, NONBLOCK_TXRX),
};

#define PUT_NAME(l, prefix, table, v)                                          \
	put_name_or_number(l, prefix, table, ARRAY_SIZE(table), v)
#define PUT_FLAGS(l, prefix, table, v)                                         \
	put_flags(l, prefix, table, ARRAY_SIZE(table), v)

/* False if it has none. */
static bool put_name(struct line *l, const char *prefix,
		     const struct name_of *table, size_t n, int v)
{
	for (size_t i = 0; i < n; i++) {
		if (table[i].value != v)
			continue;
		line_put(l, prefix);
		line_put(l, table[i].name);
		return true;
	}
	return false;
}

static void put_name_or_number(struct line *l, const char *prefix,
			       const struct name_of *table, size_t n, int v)
{
	if (!put_name(l, prefix, table, n, v))
		line_put_number(l, v);
}

/* "A|B", and what has no name as a number. */
static void put_flags(struct line *l, const char *prefix,
		      const struct name_of *table, size_t n, unsigned int v)
{
	size_t begin = l->n;

	for (size_t i = 0; i < n; i++) {
		unsigned int bits = (unsigned int)table[i].value;

		if ((v & bits) != bits)
			continue;
		v &= ~bits;
		line_put(l, l->n > begin ? "|" : "");
		line_put(l, prefix);
		line_put(l, table[i].name);
	}
	if (v && l->n > begin)
		line_put(l, "|");
	if (v)
		line_put_hex(l, v);
	else if (l->n == begin)
		line_put(l, "0");
}

static void put_type(struct line *l, int type)
{
	PUT_NAME(l, "", types, type & 0xf);
	if (type & ~0xf) {
		line_put(l, "|");
		PUT_FLAGS(l, "", type_flags, (unsigned int)type & ~0xfu);
	}
}

static void put_mode(struct line *l, int mode)
{
	PUT_NAME(l, "", file_modes, mode & O_ACCMODE);
	if (mode & ~O_ACCMODE) {
		line_put(l, "|");
		PUT_FLAGS(l, "", file_flags,
			  (unsigned int)mode & ~(unsigned int)O_ACCMODE);
	}
}

/* --- arguments ----------------------------------------------------------- */

static void put_u32(struct line *l, uint32_t v)
{
	if (v == UINT32_MAX)
		line_put(l, "*");
	else
		line_put_number(l, v);
}

static void put_vm(struct line *l, const struct sockaddr_vm *vm)
{
	put_u32(l, vm->svm_cid);
	line_put(l, ":");
	put_u32(l, vm->svm_port);
}

/* What a program passed as an address may be anything. */
static void put_addr(struct line *l, int fd, const void *p, socklen_t len)
{
	struct sockaddr_vm vm = { .svm_family = AF_UNSPEC };

	if (!p) {
		line_put(l, "NULL");
	} else if (len < sizeof(vm.svm_family) ||
		   len > sizeof(struct sockaddr_storage) ||
		   !user_readable(fd, p, len)) {
		line_put_hex(l, (uintptr_t)p);
		line_put(l, ", ");
		line_put_number(l, (int)len);
	} else {
		memcpy(&vm.svm_family, p, sizeof(vm.svm_family));
		if (vm.svm_family == AF_VSOCK && len >= sizeof(vm)) {
			memcpy(&vm, p, sizeof(vm));
			put_vm(l, &vm);
			return;
		}
		line_put(l, "family ");
		line_put_number(l, vm.svm_family);
		line_put(l, ", ");
		line_put_number(l, (int)len);
	}
}

static void put_option(struct line *l, int level, int name)
{
	if (level == SOL_SOCKET) {
		line_put(l, "SOL_SOCKET, ");
		PUT_NAME(l, "SO_", options, name);
	} else if (level == AF_VSOCK) {
		line_put(l, "AF_VSOCK, ");
		PUT_NAME(l, "SO_VM_SOCKETS_", vsock_options, name);
	} else {
		line_put_number(l, level);
		line_put(l, ", ");
		line_put_number(l, name);
	}
}

static bool is_time(int level, int name)
{
	if (level == AF_VSOCK)
		return name == SO_VM_SOCKETS_CONNECT_TIMEOUT_OLD ||
		       name == SO_VM_SOCKETS_CONNECT_TIMEOUT_NEW;
	return name == SO_RCVTIMEO_OLD || name == SO_SNDTIMEO_OLD ||
	       name == SO_RCVTIMEO_NEW || name == SO_SNDTIMEO_NEW;
}

/* "2.000000" */
static void put_time(struct line *l, int64_t s, int64_t us)
{
	char digits[] = ".000000";

	if (us < 0 || us > 999999) { /* as programs have it */
		line_put_number(l, s);
		line_put(l, ", ");
		line_put_number(l, us);
		return;
	}
	for (size_t i = sizeof(digits) - 2; i > 0; i--, us /= 10)
		digits[i] = (char)('0' + us % 10);
	line_put_number(l, s);
	line_put(l, digits);
}

static void put_value(struct line *l, int fd, int level, int name,
		      const void *p, socklen_t len)
{
	bool timed = is_time(level, name);
	int32_t i32[2] = { 0 };
	int64_t i64[2] = { 0 };

	if (!p)
		return;
	line_put(l, ", ");
	if ((len != 4 && len != 8 && !(len == 16 && timed)) ||
	    !user_readable(fd, p, len)) {
		line_put_hex(l, (uintptr_t)p);
	} else if (len == 16) {
		memcpy(i64, p, sizeof(i64));
		put_time(l, i64[0], i64[1]);
	} else if (len == 8) {
		memcpy(i32, p, sizeof(i32));
		memcpy(i64, p, sizeof(i64[0]));
		if (timed)
			put_time(l, i32[0], i32[1]);
		else
			line_put_number(l, i64[0]);
	} else {
		memcpy(i32, p, sizeof(i32[0]));
		if (level == SOL_SOCKET && name == SO_ERROR && i32[0])
			PUT_NAME(l, "", errors, i32[0]);
		else if (level == SOL_SOCKET && name == SO_TYPE)
			PUT_NAME(l, "", types, i32[0]);
		else
			line_put_number(l, i32[0]);
	}
}

/* Those that tell a number, told. */
static void put_ioctl(struct line *l, unsigned long request, const void *p)
{
	uint32_t v;

	if (!put_name(l, "", requests, ARRAY_SIZE(requests), (int)request))
		line_put_hex(l, request);
	if (!p || (request != FIONREAD && request != SIOCOUTQ &&
		   request != IOCTL_VM_SOCKETS_GET_LOCAL_CID))
		return;
	memcpy(&v, p, sizeof(v));
	line_put(l, ", ");
	line_put_number(l, v);
}

static void put_fcntl(struct line *l, int command, long arg)
{
	PUT_NAME(l, "", commands, command);
	switch (command) {
	case F_GETFD:
	case F_GETFL:
		return;
	case F_SETFL:
		line_put(l, ", ");
		put_mode(l, (int)arg);
		return;
	default:
		line_put(l, ", ");
		line_put_number(l, arg);
	}
}

/* --- lines --------------------------------------------------------------- */

static void begin_line(struct line *l)
{
	struct stamp s = stamp();

	l->n = 0;
	line_put(l, "vsockshim[");
	line_put_number(l, s.pid);
	if (s.tid != s.pid) {
		line_put(l, "/");
		line_put_number(l, s.tid);
	}
	line_put(l, "] ");
	put_time(l, s.now.tv_sec, s.now.tv_nsec / 1000);
	line_put(l, " ");
}

static bool first(bool *said)
{
	return !__atomic_exchange_n(said, true, __ATOMIC_RELAXED);
}

static void end_line(struct line *l)
{
	static bool said_unknown, said_log;

	if (*unknown && first(&said_unknown))
		say_bad("VSOCKSHIM_DEBUG", unknown,
			"is no category; takes all, or some of socket, data, "
			"option, poll and transport, with commas in between");
	if (!*log_path) {
		say(l);
	} else if (say_to(log_path, l) < 0) {
		if (first(&said_log))
			say_bad("VSOCKSHIM_LOG", log_path,
				"cannot be opened; takes a file to append to "
				"(standard error is used)");
		say(l);
	}
}

static void put_result(struct line *l, long r, int err)
{
	line_put(l, " = ");
	line_put_number(l, r);
	if (r < 0) {
		line_put(l, " ");
		PUT_NAME(l, "", errors, err);
	}
}

/* In a struct, as it is passed on by its address. */
struct arguments {
	va_list ap;
};

#define ARG(type) va_arg(args->ap, type)

static void put_argument(struct line *l, char what, int fd,
			 struct arguments *args)
{
	const struct sockaddr_vm *vm;
	unsigned long request;
	const void *p;
	socklen_t len;
	int a, b;

	switch (what) {
	case 'd':
		line_put_number(l, ARG(int));
		return;
	case 'z':
		line_put_number(l, (int64_t)ARG(size_t));
		return;
	case 's':
		line_put(l, ARG(const char *));
		return;
	case 'q':
		line_put_value(l, ARG(const char *));
		return;
	case 'f':
		line_put_number(l, fd);
		return;
	case 'a':
		p = ARG(const void *);
		put_addr(l, fd, p, ARG(socklen_t));
		return;
	case 'A':
		p = ARG(const void *);
		len = ARG(socklen_t);
		if (!p)
			return;
		line_put(l, ", ");
		put_addr(l, fd, p, len);
		return;
	case 'v':
		vm = ARG(const struct sockaddr_vm *);
		if (vm->svm_family != AF_VSOCK)
			return;
		line_put(l, ", ");
		put_vm(l, vm);
		return;
	case 't':
		put_type(l, ARG(int));
		return;
	case 'T':
		a = ARG(int);
		if (a) {
			line_put(l, ", ");
			PUT_FLAGS(l, "", type_flags, (unsigned int)a);
		}
		return;
	case 'm':
		PUT_FLAGS(l, "", msg_flags, ARG(unsigned int));
		return;
	case 'h':
		PUT_NAME(l, "", hows, ARG(int));
		return;
	case 'o':
		a = ARG(int);
		put_option(l, a, ARG(int));
		return;
	case 'O':
		a = ARG(int);
		b = ARG(int);
		p = ARG(const void *);
		put_value(l, fd, a, b, p, ARG(socklen_t));
		return;
	case 'l':
		put_mode(l, ARG(int));
		return;
	case 'i':
		request = ARG(unsigned long);
		put_ioctl(l, request, ARG(const void *));
		return;
	case 'c':
		a = ARG(int);
		put_fcntl(l, a, ARG(long));
		return;
	case 'e':
		PUT_FLAGS(l, "EPOLL", events, ARG(unsigned int));
		return;
	case 'E':
		PUT_NAME(l, "", epoll_ops, ARG(int));
		return;
	default: /* 'n' */
		PUT_NAME(l, "", errors, ARG(int));
	}
}

static void put_text(struct line *l, const char *text, int fd,
		     struct arguments *args)
{
	char c[2] = "";

	for (; *text; text++) {
		if (*text == '%') {
			put_argument(l, *++text, fd, args);
			continue;
		}
		c[0] = *text;
		line_put(l, c);
	}
}

void trace_line(int fd, long r, const char *text, ...)
{
	struct arguments args;
	int saved = errno;
	struct line l;

	begin_line(&l);
	va_start(args.ap, text);
	put_text(&l, text, fd, &args);
	va_end(args.ap);
	put_result(&l, r, saved);
	end_line(&l);
	errno = saved;
}

void trace_note(const char *text, ...)
{
	struct arguments args;
	int saved = errno;
	struct line l;

	begin_line(&l);
	va_start(args.ap, text);
	put_text(&l, text, TRACE_ANY, &args);
	va_end(args.ap);
	end_line(&l);
	errno = saved;
}

/* --- waits --------------------------------------------------------------- */

#define LIST_ROOM 200 /* of a line, for what follows a list */

static void begin_list(struct line *l, const char *name)
{
	begin_line(l);
	line_put(l, name);
	line_put(l, "(");
}

/* "[{3, "; false if there is no room for more. */
static bool put_entry(struct line *l, int *shown, int fd)
{
	line_put(l, *shown ? ", " : "[");
	*shown += 1;
	if (l->n > sizeof(l->text) - LIST_ROOM) {
		line_put(l, "...");
		return false;
	}
	line_put(l, "{");
	line_put_number(l, fd);
	line_put(l, ", ");
	return true;
}

static void end_list(struct line *l, int n, int timeout, int r, int err)
{
	line_put(l, "], ");
	line_put_number(l, n);
	line_put(l, ", ");
	line_put_number(l, timeout);
	line_put(l, ")");
	put_result(l, r, err);
	end_line(l);
}

void trace_poll(const char *name, const struct pollfd *fds, nfds_t n,
		int timeout, int r)
{
	int saved = errno, shown = 0;
	struct line l;

	begin_list(&l, name);
	for (nfds_t i = 0; i < n; i++) {
		if (!surely_ours(fds[i].fd))
			continue;
		if (!put_entry(&l, &shown, fds[i].fd))
			break;
		PUT_FLAGS(&l, "POLL", events, (unsigned short)fds[i].events);
		if (r >= 0) {
			line_put(&l, ", ");
			PUT_FLAGS(&l, "POLL", events,
				  (unsigned short)fds[i].revents);
		}
		line_put(&l, "}");
	}
	if (shown)
		end_list(&l, (int)n, timeout, r, saved);
	errno = saved;
}

static unsigned int in_sets(int fd, const struct trace_sets *s)
{
	return (s->in && FD_ISSET(fd, s->in) ? IN : 0) |
	       (s->out && FD_ISSET(fd, s->out) ? OUT : 0) |
	       (s->ex && FD_ISSET(fd, s->ex) ? EX : 0);
}

void trace_select(const char *name, int nfds, const struct trace_sets *asked,
		  const struct trace_sets *got, int r)
{
	int saved = errno, shown = 0;
	struct line l;

	begin_list(&l, name);
	for (int fd = 0; fd < nfds; fd++) {
		if (!in_sets(fd, asked) || !surely_ours(fd))
			continue;
		if (!put_entry(&l, &shown, fd))
			break;
		PUT_FLAGS(&l, "", sets, in_sets(fd, asked));
		if (r >= 0) {
			line_put(&l, ", ");
			PUT_FLAGS(&l, "", sets, in_sets(fd, got));
		}
		line_put(&l, "}");
	}
	line_put(&l, "], ");
	line_put_number(&l, nfds);
	line_put(&l, ")");
	put_result(&l, r, saved);
	if (shown)
		end_line(&l);
	errno = saved;
}

void trace_epoll(const char *name, int epfd, const struct epoll_event *ev,
		 int max, int timeout, int r)
{
	int saved = errno, shown = 0;
	struct epmap_entry e[EPMAP_SAME];
	struct line l;

	begin_list(&l, name);
	line_put_number(&l, epfd);
	line_put(&l, ", ");
	for (int i = 0; i < r; i++) {
		if (!epmap_find(epfd, &ev[i], e))
			continue;
		if (!put_entry(&l, &shown, e->fd))
			break;
		PUT_FLAGS(&l, "EPOLL", events, ev[i].events);
		line_put(&l, "}");
	}
	if (shown)
		end_list(&l, max, timeout, r, saved);
	errno = saved;
}

int trace_ms(const struct timespec *ts)
{
	if (!ts)
		return -1;
	return ts->tv_sec >= INT_MAX / 1000
		       ? INT_MAX
		       : (int)(ts->tv_sec * 1000 + ts->tv_nsec / 1000000);
}
