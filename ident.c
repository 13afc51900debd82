/* SPDX-License-Identifier: MIT */
/* What a descriptor is: see ident.h. */
#include "ident.h"

#include "conf.h"
#include "core/sys.h"
#include "hint.h"
#include "next.h"
#include "pool.h"

#include <errno.h>
#include <sys/ioctl.h>

/*
 * A kernel that has no SO_MAX_PACING_RATE (gVisor), or has it with 32 bits and
 * not to be set (qemu-user), keeps a smaller tag, in SO_LINGER, which AF_UNIX
 * does not act on: kind and bits, but no port.
 */
static bool small_tags;

bool ident_small(void)
{
	return __atomic_load_n(&small_tags, __ATOMIC_RELAXED);
}

static bool linger_read(int fd, uint64_t *ret)
{
	struct linger l;
	socklen_t len = sizeof(l);

	if (sys_kernel.getsockopt(fd, SOL_SOCKET, SO_LINGER, &l, &len) < 0)
		return false;
	*ret = l.l_onoff ? (uint64_t)(uint32_t)l.l_linger << 32 : 0;
	return true;
}

static int linger_write(int fd, uint64_t v)
{
	struct linger l = { .l_onoff = 1, .l_linger = (int)(v >> 32) };

	return sys_kernel.setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
}

static bool tag_read(int fd, uint64_t *ret)
{
	socklen_t len = sizeof(*ret);
	int r = sys_kernel.getsockopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, ret,
				      &len);

	if (r == 0 && len == sizeof(*ret))
		return true;
	if ((r < 0 && r != -ENOPROTOOPT) || !linger_read(fd, ret))
		return false;
	__atomic_store_n(&small_tags, true, __ATOMIC_RELAXED);
	return true;
}

/* Asked, and none of ours: in a process without any, asked once. */
static bool foreign(int fd)
{
	hint_set(fd, HINT_PLAIN);
	return false;
}

int ident_type(int fd)
{
	int type = 0;
	socklen_t len = sizeof(type);

	sys_kernel.getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len);
	return type;
}

/*
 * What else there is to find out, at once: later calls may be made where system
 * calls that the program did not ask for end it.
 */
static unsigned int first_look(int fd, const struct ident *id)
{
	unsigned int hints = id->tag & TAG_ACCEPTED ? 0 : HINT_PATH;
	socklen_t len = sizeof(int);
	int lowat = 1;

	sys_kernel.getsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &lowat, &len);
	if (lowat > 1 || id->reset ||
	    id->tag &
		    (TAG_SHUT | TAG_FAILED | TAG_PENDING | TAG_ERR | TAG_SENT))
		hints |= HINT_ODD;
	if (!id->dgram && !ident_connected(fd))
		hints |= HINT_FRESH;
	return hints;
}

/* Seen for the first time under this number: who knows what was done to it. */
static void inherited(int fd, const struct ident *id)
{
	gate_open(GATE_USED | GATE_INHERITED | GATE_RECORD);
	if (id->tag &
	    (TAG_SHUT | TAG_FAILED | TAG_PENDING | TAG_ERR | TAG_SENT))
		gate_open(GATE_ODD | GATE_FAILED);
	hint_set(fd, HINT_OURS | HINT_MUTED | hint_type(ident_type(fd)) |
			     first_look(fd, id));
}

bool ident(int fd, struct ident *ret)
{
	struct sockaddr_un un;
	uint64_t v;

	*ret = (struct ident){ 0 };
	if (!tag_read(fd, &v))
		return foreign(fd);
	if (!tag_unpack(v, ret)) {
		if (ident_name(fd, &un).kind != NAME_PATH)
			return foreign(fd);
		*ret = (struct ident){ .tag = TAG_ACCEPTED };
	}
	if (ret->reset)
		gate_open(GATE_RESET | GATE_ODD);
	if (!(hint_get(fd) & HINT_OURS))
		inherited(fd, ret);
	return true;
}

bool ident_quiet(int fd, struct ident *ret)
{
	unsigned int hints = hint_get(fd);

	if (!gate_is_open(GATE_SANDBOX) ||
	    (hints & HINT_OURS && hints & (HINT_FRESH | HINT_ODD)))
		return ident(fd, ret);
	*ret = (struct ident){ .dgram = hints & HINT_DGRAM };
	return hints & HINT_OURS;
}

bool ident_socket(int fd, struct ident *ret)
{
	return ident(fd, ret) && !(ret->tag & TAG_DEVICE);
}

static int tag_write(int fd, const struct ident *id)
{
	uint64_t v = tag_pack(id);
	int r = sys_kernel.setsockopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, &v,
				      sizeof(v));

	if (r != -ENOPROTOOPT)
		return r;
	if (id->dgram && id->tag & TAG_PORT)
		return -EOPNOTSUPP;
	v &= ~((uint64_t)TAG_PORT << 32);
	r = linger_write(fd, v);
	if (r == 0)
		__atomic_store_n(&small_tags, true, __ATOMIC_RELAXED);
	return r;
}

int ident_write(int fd, bool dgram, unsigned int tag)
{
	struct ident id = { .dgram = dgram, .tag = tag };

	return tag_write(fd, &id);
}

int ident_change(int fd, unsigned int clear, unsigned int set, uint32_t port)
{
	struct ident id;
	sigset_t old;
	int r = -EBADF;

	pool_lock(&old);
	if (ident(fd, &id)) {
		id.tag = (id.tag & ~clear) | set;
		if (set & TAG_PORT)
			id.port = port;
		r = tag_write(fd, &id);
	}
	pool_unlock(&old);
	return r;
}

void ident_reset(int fd)
{
	struct ident id;
	sigset_t old;

	pool_lock(&old);
	if (ident(fd, &id) && !id.reset) {
		id.reset = RESET_OWN;
		id.tag |= TAG_ECONNRESET;
		(void)tag_write(fd, &id);
	}
	pool_unlock(&old);
}

struct name ident_name(int fd, struct sockaddr_un *un)
{
	socklen_t len = sizeof(*un);

	if (sys_kernel.getsockname(fd, un, &len) < 0)
		len = 0;
	return conf_name(un, len);
}

struct name ident_peer(int fd, struct sockaddr_un *un, socklen_t *len)
{
	*len = sizeof(*un);
	if (sys_kernel.getpeername(fd, un, len) < 0)
		*len = 0;
	return conf_name(un, *len);
}

bool ident_connected(int fd)
{
	struct sockaddr_un un;
	socklen_t len = sizeof(un);

	return sys_kernel.getpeername(fd, &un, &len) == 0;
}

bool ident_finished(int fd)
{
	struct pollfd p = { .fd = fd };
	int queued = 1;

	return NEXT(poll)(&p, 1, 0) > 0 && p.revents & POLLHUP &&
	       NEXT(ioctl)(fd, FIONREAD, &queued) == 0 && queued == 0;
}

bool ident_listens(int fd)
{
	int listens = 0;
	socklen_t len = sizeof(listens);

	sys_kernel.getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len);
	return listens;
}

uint64_t ident_key(int fd)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);
	struct stat st;

	if (sys_kernel.getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len) ==
	    0)
		return cookie;
	return sys_kernel.fstat(fd, &st) == 0 ? st.st_ino : 0;
}
