/* SPDX-License-Identifier: MIT */
/* What the environment says: see conf.h. */
#include "conf.h"

#include "core/util.h"
#include "hint.h"
#include "pool.h"
#include "say.h"
#include "trace.h"

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
enum bad { BAD_CID = 1, BAD_DIR = 2, BAD_DGRAM = 4, BAD_TRANSPORT = 8 };

static struct machine machine;
static char dir[PATH_MAX];
static bool no_dgram;
static enum transport transport;
static int state;
static int closed_by; /* in state CLOSED: the directory's -errno */

/* --- what we say --------------------------------------------------------- */

OWN_FRAME void conf_complain_dir(const char *why)
{
	struct line l;

	l.n = 0;
	line_put(&l,
		 secure_getenv("VSOCKSHIM_DIR")
			 ? "vsockshim: VSOCKSHIM_DIR="
			 : "vsockshim: VSOCKSHIM_DIR is not set, its default ");
	line_put_value(&l, dir);
	line_put(&l, ": ");
	line_put(&l, why);
	line_put(&l,
		 "; takes the absolute path of a directory that you may write "
		 "to and others may not, or of a shared one (mode 2770 or "
		 "1777); it is made if its parent exists");
	say(&l);
}

/* The first line of a trace: where this process is. */
static void trace_place(void)
{
	static const char names[][6] = { "unix", "vhost", "auto" };

	if (trace_on(TRACE_ALWAYS, TRACE_ANY))
		trace_note("directory %q, CID %z, transport %s", dir,
			   (size_t)machine.cid, names[transport]);
}

static void complain(unsigned int bad)
{
	const char *name = "XDG_RUNTIME_DIR";
	const char *s = secure_getenv("VSOCKSHIM_DIR");

	if (bad & BAD_CID)
		say_bad("VSOCKSHIM_CID", secure_getenv("VSOCKSHIM_CID"),
			"not a machine's CID: takes 1 (loopback only), 2 "
			"(the host) or 3 to 4294967294 (a guest)");
	if (bad & BAD_DIR) {
		if (s)
			name = "VSOCKSHIM_DIR";
		else
			s = secure_getenv("XDG_RUNTIME_DIR");
		say_bad(name, s,
			"is too long: takes a path of less than 4096 "
			"bytes");
	}
	if (bad & BAD_DGRAM)
		say_bad("VSOCKSHIM_DGRAM", secure_getenv("VSOCKSHIM_DGRAM"),
			"takes on or off (on is used)");
	if (bad & BAD_TRANSPORT)
		say_bad("VSOCKSHIM_TRANSPORT",
			secure_getenv("VSOCKSHIM_TRANSPORT"),
			"takes unix, vhost or auto (unix is used)");
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

static bool read_transport(void)
{
	const char *s = secure_getenv("VSOCKSHIM_TRANSPORT");

	if (s && strcmp(s, "vhost") == 0)
		transport = TRANSPORT_VHOST;
	else if (s && strcmp(s, "auto") == 0)
		transport = TRANSPORT_AUTO;
	else
		return !s || strcmp(s, "unix") == 0;
	return true;
}

/* Under the lock. Returns enum bad. */
static unsigned int read_all(void)
{
	unsigned int bad = 0;

	say_note_stderr();
	machine = (struct machine){ .sys = &sys_kernel, .dir = dir };
	if (!read_cid(&machine.cid))
		return BAD_CID;
	if (!read_dir())
		return BAD_DIR;
	if (!read_dgram())
		bad |= BAD_DGRAM;
	if (!read_transport())
		bad |= BAD_TRANSPORT;
	return bad;
}

/* Who reads is who speaks, once the lock is open again. */
OWN_FRAME static void read_once(void)
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
		trace_place();
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

/* As it is when no other thread makes it known. */
static struct machine copy_machine(void)
{
	struct machine ret;
	sigset_t old;

	pool_lock(&old);
	ret = machine;
	pool_unlock(&old);
	return ret;
}

/* To open the machine may take a while: not under the lock. Who is first to
 * come back with it makes it known. */
static void open_machine(void)
{
	struct machine fresh = copy_machine();
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

static enum state read_state(void)
{
	if (__atomic_load_n(&state, __ATOMIC_ACQUIRE) == UNREAD)
		read_once();
	return (enum state)__atomic_load_n(&state, __ATOMIC_ACQUIRE);
}

static enum state settle(void)
{
	if (read_state() == READ)
		open_machine();
	return read_state();
}

struct machine *conf_machine(void)
{
	if (settle() == BAD)
		return NULL;
	rdv_follow(&machine);
	return &machine;
}

bool conf_migrated(void)
{
	return __atomic_load_n(&state, __ATOMIC_ACQUIRE) == GOOD &&
	       machine.ports && ports_migrated(machine.ports);
}

bool conf_may_reset(void)
{
	int s = __atomic_load_n(&state, __ATOMIC_ACQUIRE);

	/* Who has sockets of others only has not read it as yet. */
	if (s == UNREAD)
		return gate_is_open(GATE_INHERITED);
	return s == GOOD && machine.ports &&
	       (ports_migrated(machine.ports) ||
		ports_had_links(machine.ports));
}

struct name conf_name(const struct sockaddr_un *un, socklen_t len)
{
	return conf_migrated() ? rdv_name(&machine, un, len)
			       : name_decode(un, len);
}

const struct machine *conf_look(void)
{
	enum state s = read_state();
	struct machine closed;

	if (s == READ) {
		closed = copy_machine();
		if (rdv_exists(&closed))
			s = settle();
	}
	rdv_follow(&machine);
	return s == BAD ? NULL : &machine;
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
	return !no_dgram && transport != TRANSPORT_VHOST;
}

enum transport conf_transport(void)
{
	(void)settle();
	return transport;
}

const char *conf_vhost(void)
{
	const char *s = secure_getenv("VSOCKSHIM_VHOST");

	return s && *s ? s : "/dev/vhost-vsock";
}
