/* SPDX-License-Identifier: MIT */
/* What the environment says: see conf.h. */
#include "conf.h"

#include "core/util.h"
#include "pool.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

enum state {
	UNREAD,
	READ,
	GOOD,
	CLOSED, /* the directory keeps us out, as after privileges dropped */
	BAD,
};

/* What is wrong with the variables. */
enum bad { BAD_CID = 1, BAD_DIR = 2, BAD_DGRAM = 4 };

static struct machine machine;
static char dir[PATH_MAX];
static bool no_dgram;
static struct stat start_stderr;
static int state;
static int closed_by; /* in state CLOSED: the directory's -errno */

/* --- what we say --------------------------------------------------------- */

struct line {
	size_t n;
	char text[1024];
};

#define VALUE_MAX 600 /* of a value no more is shown, so that the rest fits */

static void put(struct line *l, const char *s)
{
	size_t n = strnlen(s, sizeof(l->text) - 1 - l->n);

	memcpy(l->text + l->n, s, n);
	l->n += n;
}

/* Somebody else's text, that is to stay one line. */
static void put_value(struct line *l, const char *s)
{
	for (int i = 0; *s && i < VALUE_MAX; i++, s++)
		put(l, *s >= ' ' && *s != '\x7f' ? (char[]){ *s, 0 } : "?");
	if (*s)
		put(l, "...");
}

/* A pipe that nobody reads is no reason to end the program. */
static void write_line(int fd, struct line *l)
{
	const struct timespec now = { 0 };
	sigset_t pipe, pending, old;

	l->text[l->n++] = '\n';
	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	sigpending(&pending);
	sigprocmask(SIG_BLOCK, &pipe, &old);
	if (sys_kernel.write(fd, l->text, l->n) == -EPIPE &&
	    !sigismember(&pending, SIGPIPE))
		sys_kernel.sigtimedwait(&pipe, &now);
	sigprocmask(SIG_SETMASK, &old, NULL);
}

void conf_note_stderr(void)
{
	static bool noted;

	if (!__atomic_exchange_n(&noted, true, __ATOMIC_RELAXED))
		sys_kernel.fstat(STDERR_FILENO, &start_stderr);
}

static void say(struct line *l)
{
	struct stat st;

	if (sys_kernel.fstat(STDERR_FILENO, &st) == 0 &&
	    st.st_dev == start_stderr.st_dev &&
	    st.st_ino == start_stderr.st_ino)
		write_line(STDERR_FILENO, l);
}

void conf_complain(const char *name, const char *value, const char *text)
{
	struct line l = { 0 };

	put(&l, "vsockshim: ");
	put(&l, name);
	put(&l, "=");
	put_value(&l, value ? value : "");
	put(&l, ": ");
	put(&l, text);
	say(&l);
}

void conf_complain_dir(const char *why)
{
	struct line l = { 0 };

	put(&l, secure_getenv("VSOCKSHIM_DIR")
			? "vsockshim: VSOCKSHIM_DIR="
			: "vsockshim: VSOCKSHIM_DIR is not set, its default ");
	put_value(&l, dir);
	put(&l, ": ");
	put(&l, why);
	put(&l, "; takes the absolute path of a directory that you may write "
		"to and others may not, or of a shared one (mode 2770 or "
		"1777); it is made if its parent exists");
	say(&l);
}

/* VSOCKSHIM_DEBUG: begins with where this process is. */
OWN_FRAME static void debug(void)
{
	const char *wanted = secure_getenv("VSOCKSHIM_DEBUG");
	const char *log = secure_getenv("VSOCKSHIM_LOG");
	char cid[ADDR_U32_MAX + 1];
	struct line l = { 0 };
	int fd;

	if (!wanted || !*wanted)
		return;
	*addr_put_u32(cid, machine.cid) = '\0';
	put(&l, "vsockshim: directory ");
	put_value(&l, dir);
	put(&l, ", CID ");
	put(&l, cid);
	put(&l, ", transport unix");
	if (!log) {
		say(&l);
		return;
	}
	/* O_NONBLOCK: it may be a pipe that nobody reads */
	fd = sys_kernel.open(log,
			     O_WRONLY | O_APPEND | O_CREAT | O_NOCTTY |
				     O_NONBLOCK | O_CLOEXEC,
			     0666);
	if (fd >= 0) {
		write_line(fd, &l);
		sys_kernel.close(fd);
		return;
	}
	conf_complain("VSOCKSHIM_LOG", log,
		      "cannot be opened; takes a file to append to (standard "
		      "error is used)");
	say(&l);
}

static void complain(unsigned int bad)
{
	const char *name = "XDG_RUNTIME_DIR";
	const char *s = secure_getenv("VSOCKSHIM_DIR");

	if (bad & BAD_CID)
		conf_complain("VSOCKSHIM_CID", secure_getenv("VSOCKSHIM_CID"),
			      "not a machine's CID: takes 1 (loopback only), 2 "
			      "(the host) or 3 to 4294967294 (a guest)");
	if (bad & BAD_DIR) {
		if (s)
			name = "VSOCKSHIM_DIR";
		else
			s = secure_getenv("XDG_RUNTIME_DIR");
		conf_complain(name, s,
			      "is too long: takes a path of less than 4096 "
			      "bytes");
	}
	if (bad & BAD_DGRAM)
		conf_complain("VSOCKSHIM_DGRAM",
			      secure_getenv("VSOCKSHIM_DGRAM"),
			      "takes on or off (on is used)");
}

/* --- what we read -------------------------------------------------------- */

static bool read_cid(uint32_t *ret)
{
	const char *s = secure_getenv("VSOCKSHIM_CID");
	const char *p = s;

	*ret = VMADDR_CID_HOST;
	return !s || (addr_scan_u32(&p, s + strlen(s), ret) && !*p &&
		      *ret != VMADDR_CID_HYPERVISOR && *ret != VMADDR_CID_ANY);
}

static bool read_dir(void)
{
	const char *s = secure_getenv("VSOCKSHIM_DIR");

	return s ? util_join(dir, sizeof(dir), s, "")
		 : rdv_default_dir(dir, sizeof(dir),
				   secure_getenv("XDG_RUNTIME_DIR"),
				   sys_kernel.geteuid());
}

static bool read_dgram(void)
{
	const char *s = secure_getenv("VSOCKSHIM_DGRAM");

	no_dgram = s && strcmp(s, "off") == 0;
	return !s || no_dgram || strcmp(s, "on") == 0;
}

/* Under the lock. Returns enum bad. */
static unsigned int read_all(void)
{
	unsigned int bad = 0;

	conf_note_stderr();
	machine = (struct machine){ .sys = &sys_kernel, .dir = dir };
	if (!read_cid(&machine.cid))
		return BAD_CID;
	if (!read_dir())
		return BAD_DIR;
	if (!read_dgram())
		bad |= BAD_DGRAM;
	return bad;
}

/* Who reads is who speaks, once the lock is open again. */
static void read_once(void)
{
	unsigned int bad = 0;
	bool good = false;
	sigset_t old;
	bool first;

	pool_lock(&old);
	first = state == UNREAD;
	if (first) {
		bad = read_all();
		good = !(bad & (BAD_CID | BAD_DIR));
		__atomic_store_n(&state, good ? READ : BAD, __ATOMIC_RELEASE);
	}
	pool_unlock(&old);
	if (!first)
		return;
	if (good)
		debug();
	complain(bad);
}

/*
 * What it means that the machine could not be opened. A directory that is not
 * to be used fails every socket; what may pass is for the calls that meet it.
 */
static enum state state_after(int r)
{
	switch (r) {
	case 0:
	case -ENOSPC:
	case -EDQUOT:
	case -EMFILE:
	case -ENFILE:
	case -ENOMEM:
	case -ETIMEDOUT:
		return GOOD;
	case -EACCES:
	case -EROFS:
		return CLOSED;
	default:
		return BAD;
	}
}

/* To open the machine may take a while: not under the lock. Who is first to
 * come back with it makes it known. */
static void open_machine(void)
{
	struct machine fresh = machine;
	const char *why;
	sigset_t old;
	int r = rdv_open(&fresh, &why);
	bool first;

	pool_lock(&old);
	first = state == READ;
	if (first) {
		machine = fresh;
		closed_by = r;
		__atomic_store_n(&state, state_after(r), __ATOMIC_RELEASE);
	}
	pool_unlock(&old);
	if (first && state_after(r) == BAD)
		conf_complain_dir(why ? why : strerrordesc_np(-r));
}

static enum state settle(void)
{
	if (__atomic_load_n(&state, __ATOMIC_ACQUIRE) == UNREAD)
		read_once();
	if (__atomic_load_n(&state, __ATOMIC_ACQUIRE) == READ)
		open_machine();
	return (enum state)__atomic_load_n(&state, __ATOMIC_ACQUIRE);
}

struct machine *conf_machine(void)
{
	return settle() == BAD ? NULL : &machine;
}

bool conf_vsock(void)
{
	static bool said;
	enum state s = settle();

	if (s == CLOSED && !__atomic_exchange_n(&said, true, __ATOMIC_RELAXED))
		conf_complain_dir(strerrordesc_np(-closed_by));
	return s == GOOD;
}

bool conf_dgram(void)
{
	(void)settle();
	return !no_dgram;
}
