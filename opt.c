/* SPDX-License-Identifier: MIT */
/* Socket options and ioctls: see opt.h. */
#include "opt.h"

#include "core/sys.h"
#include "hint.h"
#include "next.h"
#include "sock.h"
#include "user.h"
#include "vsock_table.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/ioctl.h>

#include <linux/filter.h>
#include <linux/sockios.h>
#include <net/if.h>

/* Newer than the headers that we build with. */
#ifndef SO_PASSPIDFD
#define SO_PASSPIDFD 76
#endif
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif
#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif
#ifndef SO_INQ
#define SO_INQ 84
#endif
#define SIOCUNIXFILE (SIOCPROTOPRIVATE + 0)

#define DEFAULT_SNDBUF 212992 /* net.core.wmem_default */

static const struct sys *const sys = &sys_kernel;

bool opt_differs(int level, int name)
{
	if (level == AF_VSOCK)
		return true;
	if (level != SOL_SOCKET)
		return false;
	switch (name) {
	case SO_DOMAIN:
	case SO_ERROR:
	case SO_SNDBUF:
	case SO_SNDBUFFORCE:
	case SO_SNDTIMEO_OLD:
	case SO_SNDTIMEO_NEW:
	case SO_RCVLOWAT:
	case SO_ZEROCOPY:
	case SO_MAX_PACING_RATE:
	case SO_PEEK_OFF:
	case SO_PASSCRED:
	case SO_PASSSEC:
	case SO_PASSPIDFD:
	case SO_PASSRIGHTS:
	case SO_PEERCRED:
	case SO_PEERGROUPS:
	case SO_PEERPIDFD:
	case SO_PEERSEC:
	case SO_PEERNAME:
	case SO_INQ:
	case SO_INCOMING_CPU:
	case SO_TIMESTAMP_OLD:
	case SO_TIMESTAMP_NEW:
	case SO_TIMESTAMPNS_OLD:
	case SO_TIMESTAMPNS_NEW:
	case SO_TIMESTAMPING_OLD:
	case SO_TIMESTAMPING_NEW:
	case SO_ATTACH_FILTER:
	case SO_ATTACH_BPF:
	case SO_LINGER:
		return true;
	default:
		return false;
	}
}

static int put_int(int fd, void *val, socklen_t *len, int v)
{
	return user_put_option(fd, val, len, &v, sizeof(v));
}

/* Reads an option's value: 0, -EINVAL if it is too short, -EFAULT. */
static int take(int fd, const void *val, socklen_t len, void *ret, size_t size)
{
	if (len < size)
		return -EINVAL;
	if (!user_readable(fd, val, size))
		return -EFAULT;
	memcpy(ret, val, size);
	return 0;
}

static int get_vsock(int fd, const struct ident *id, int name, void *val,
		     socklen_t *len, socklen_t room)
{
	struct vsock_rec rec;
	struct timeval old;
	const void *from;
	socklen_t size = sizeof(uint64_t);

	sock_record(fd, id, &rec);
	switch (name) {
	case SO_VM_SOCKETS_BUFFER_SIZE:
		from = &rec.buffer_size;
		break;
	case SO_VM_SOCKETS_BUFFER_MIN_SIZE:
		from = &rec.buffer_min;
		break;
	case SO_VM_SOCKETS_BUFFER_MAX_SIZE:
		from = &rec.buffer_max;
		break;
	case SO_VM_SOCKETS_CONNECT_TIMEOUT_OLD:
		old.tv_sec = (time_t)rec.connect_timeout.tv_sec;
		old.tv_usec = (suseconds_t)rec.connect_timeout.tv_usec;
		from = &old;
		size = sizeof(old);
		break;
	case SO_VM_SOCKETS_CONNECT_TIMEOUT_NEW:
		from = &rec.connect_timeout;
		size = sizeof(rec.connect_timeout);
		break;
	default:
		return -ENOPROTOOPT;
	}
	if (room < size)
		return -EINVAL;
	return user_put_option(fd, val, len, from, size);
}

/* vsock_update_buffer_size() */
static void clamp(struct vsock_rec *rec, uint64_t size)
{
	if (size < rec->buffer_min)
		size = rec->buffer_min;
	if (size > rec->buffer_max)
		size = rec->buffer_max;
	rec->buffer_size = size;
}

static int set_timeout(struct vsock_rec *rec, struct vsock_timeout tv)
{
	/* What fits a kernel's jiffies at 1,000 Hz. */
	if (tv.tv_sec < 0 || tv.tv_usec >= 1000000 ||
	    tv.tv_sec >= INT64_MAX / 1000 - 1)
		return -ERANGE;
	if (tv.tv_usec < 0) /* its unsigned jiffies overflow to none */
		tv.tv_usec = 0;
	if (tv.tv_sec == 0 && tv.tv_usec == 0)
		tv.tv_sec = VSOCK_CONNECT_TIMEOUT;
	rec->connect_timeout = tv;
	return 0;
}

static int set_vsock(int fd, const struct ident *id, int name, const void *val,
		     socklen_t len)
{
	struct vsock_timeout tv;
	struct vsock_rec rec;
	struct timeval old;
	uint64_t v = 0;
	int r;

	sock_record(fd, id, &rec);
	switch (name) {
	case SO_VM_SOCKETS_BUFFER_SIZE:
	case SO_VM_SOCKETS_BUFFER_MIN_SIZE:
	case SO_VM_SOCKETS_BUFFER_MAX_SIZE:
		r = take(fd, val, len, &v, sizeof(v));
		break;
	case SO_VM_SOCKETS_CONNECT_TIMEOUT_OLD:
		r = take(fd, val, len, &old, sizeof(old));
		if (r == 0) {
			tv.tv_sec = old.tv_sec;
			tv.tv_usec = old.tv_usec;
			r = set_timeout(&rec, tv);
		}
		break;
	case SO_VM_SOCKETS_CONNECT_TIMEOUT_NEW:
		r = take(fd, val, len, &tv, sizeof(tv));
		if (r == 0)
			r = set_timeout(&rec, tv);
		break;
	default:
		return -ENOPROTOOPT;
	}
	if (r < 0)
		return r;
	if (name == SO_VM_SOCKETS_BUFFER_MIN_SIZE)
		rec.buffer_min = v;
	if (name == SO_VM_SOCKETS_BUFFER_MAX_SIZE)
		rec.buffer_max = v;
	if (name == SO_VM_SOCKETS_BUFFER_SIZE)
		clamp(&rec, v);
	else
		clamp(&rec, rec.buffer_size);
	/* The transport announces it to the peer in 32 bits. */
	if (rec.buffer_size > UINT32_MAX && ident_connected(fd))
		rec.buffer_size = UINT32_MAX;
	r = sock_keep_record(fd, &rec);
	if (r < 0)
		return r;
	sock_window(fd, rec.buffer_size);
	return ident_change(fd, 0, TAG_SIZED, 0);
}

/* A socket that is good for nothing else: what an option would do. */
static int scratch(void)
{
	return sys->socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

/* SO_TIMESTAMP and its kin: kept, without effect. */
static int get_stamp(int fd, const struct ident *id, int name, void *val,
		     socklen_t *len)
{
	struct vsock_rec rec;
	int r, s = scratch();

	if (s < 0)
		return s;
	sock_record(fd, id, &rec);
	if (rec.stamp)
		sys->setsockopt(s, SOL_SOCKET, rec.stamp, &rec.stamp_value,
				sizeof(rec.stamp_value));
	r = sys->getsockopt(s, SOL_SOCKET, name, val, len);
	sys->close(s);
	return r;
}

int opt_get(int fd, int level, int name, void *val, socklen_t *len)
{
	const struct {
		int pid, uid, gid;
	} nobody = { 0, -1, -1 };
	uint64_t pace;
	struct sockaddr_vm vm;
	struct vsock_rec rec;
	struct ident id;
	socklen_t room;
	int r;

	if (!ident(fd, &id))
		return SOCK_FOREIGN;
	if (id.tag & TAG_DEVICE)
		return -ENOTSOCK;
	if (id.dgram && (level == AF_VSOCK || name == SO_SNDBUF))
		return level == AF_VSOCK ? -EOPNOTSUPP : SOCK_FOREIGN;
	r = user_room(fd, len, &room); /* looked at first */
	if (r < 0)
		return r;
	if (level == AF_VSOCK)
		return get_vsock(fd, &id, name, val, len, room);
	switch (name) {
	case SO_DOMAIN:
		return put_int(fd, val, len, AF_VSOCK);
	case SO_SNDBUF:
		sock_record(fd, &id, &rec);
		return put_int(fd, val, len,
			       rec.sndbuf ? rec.sndbuf : DEFAULT_SNDBUF);
	case SO_ZEROCOPY:
		sock_record(fd, &id, &rec);
		return put_int(fd, val, len, rec.zerocopy);
	case SO_MAX_PACING_RATE:
		sock_record(fd, &id, &rec);
		pace = ~rec.paced;
		if (room >= sizeof(pace))
			return user_put_option(fd, val, len, &pace,
					       sizeof(pace));
		return put_int(fd, val, len,
			       pace < UINT32_MAX ? (int)pace : -1);
	case SO_PEERCRED:
		return user_put_option(fd, val, len, &nobody, sizeof(nobody));
	case SO_PEERNAME:
		r = sock_name(fd, true, &vm);
		if (r == 0 && room > sizeof(vm))
			r = -EINVAL;
		return r < 0 ? r
			     : user_put_option(fd, val, len, &vm, sizeof(vm));
	case SO_PEERGROUPS:
	case SO_PEERPIDFD:
		return -ENODATA;
	case SO_PEERSEC:
	case SO_INQ:
		return -ENOPROTOOPT;
	case SO_PEEK_OFF:
	case SO_PASSCRED:
	case SO_PASSSEC:
	case SO_PASSPIDFD:
	case SO_PASSRIGHTS:
		return -EOPNOTSUPP;
	case SO_LINGER:
		if (!ident_small())
			return SOCK_FOREIGN;
		sock_record(fd, &id, &rec);
		return user_put_option(fd, val, len, rec.linger,
				       sizeof(rec.linger));
	case SO_INCOMING_CPU: /* dgram.c's, there */
		return id.dgram ? put_int(fd, val, len, -1) : SOCK_FOREIGN;
	case SO_TIMESTAMP_OLD:
	case SO_TIMESTAMP_NEW:
	case SO_TIMESTAMPNS_OLD:
	case SO_TIMESTAMPNS_NEW:
	case SO_TIMESTAMPING_OLD:
	case SO_TIMESTAMPING_NEW:
		return get_stamp(fd, &id, name, val, len);
	default: /* SO_ERROR is shim.c's; the rest is alike */
		return SOCK_FOREIGN;
	}
}

/* Whether the kernel would take it. AF_UNIX would act on it. */
static int set_in_vain(int name, const void *val, socklen_t len)
{
	int r, s = scratch();

	if (s < 0)
		return s;
	r = sys->setsockopt(s, SOL_SOCKET, name, val, len);
	sys->close(s);
	return r;
}

/* A filter that lets all pass: AF_VSOCK runs none, but it can be detached. */
static int attach_none(int fd)
{
	struct sock_filter all = BPF_STMT(BPF_RET | BPF_K, UINT32_MAX);
	struct sock_fprog program = { 1, &all };

	return sys->setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program,
			       sizeof(program));
}

static int set_stamp(int fd, const struct ident *id, int name, const void *val,
		     socklen_t len)
{
	struct vsock_rec rec;
	int r = set_in_vain(name, val, len);

	if (r < 0)
		return r;
	sock_record(fd, id, &rec);
	rec.stamp = name;
	memcpy(&rec.stamp_value, val, sizeof(rec.stamp_value));
	return sock_keep_record(fd, &rec);
}

/* What SO_SNDBUF would read back: ours has it set for the window. */
static int set_sndbuf(int fd, const struct ident *id, int name, const void *val,
		      socklen_t len)
{
	struct vsock_rec rec;
	socklen_t size = sizeof(rec.sndbuf);
	int r, s = scratch();

	if (s < 0)
		return s;
	sock_record(fd, id, &rec);
	r = sys->setsockopt(s, SOL_SOCKET, name, val, len);
	if (r == 0)
		r = sys->getsockopt(s, SOL_SOCKET, SO_SNDBUF, &rec.sndbuf,
				    &size);
	sys->close(s);
	return r < 0 ? r : sock_keep_record(fd, &rec);
}

static int set_rcvlowat(int fd, const struct ident *id, const void *val,
			socklen_t len)
{
	struct vsock_rec rec;
	int v, r = take(fd, val, len, &v, sizeof(v));

	if (r < 0)
		return r;
	sock_record(fd, id, &rec);
	if ((v < 0 || (uint64_t)v > rec.buffer_size) &&
	    ident_type(fd) == SOCK_STREAM)
		return -EINVAL;
	if (v > 1 ||
	    v < 0) { /* AF_UNIX's poll does not look at it: ready.c does */
		hint_add(fd, HINT_ODD);
		gate_open(GATE_ODD);
	}
	return SOCK_FOREIGN;
}

/* Where it has the tag. It does nothing on a vsock socket but to read back. */
static int set_linger(int fd, const struct ident *id, const void *val,
		      socklen_t len)
{
	struct vsock_rec rec;
	int v[2], r = take(fd, val, len, v, sizeof(v));

	if (r < 0)
		return r;
	sock_record(fd, id, &rec);
	rec.linger[0] = v[0] != 0;
	if (v[0])
		rec.linger[1] = v[1];
	return sock_keep_record(fd, &rec);
}

/* It would pace nothing. */
static int set_pace(int fd, const struct ident *id, const void *val,
		    socklen_t len)
{
	struct vsock_rec rec;
	uint64_t pace;
	uint32_t v = 0;
	int r = take(fd, val, len, &v, sizeof(v));

	pace = v == UINT32_MAX ? UINT64_MAX : v;
	if (r == 0 && len >= sizeof(pace))
		r = take(fd, val, len, &pace, sizeof(pace));
	if (r < 0)
		return r;
	sock_record(fd, id, &rec);
	rec.paced = ~pace;
	return sock_keep_record(fd, &rec);
}

static int set_zerocopy(int fd, const struct ident *id, const void *val,
			socklen_t len)
{
	struct vsock_rec rec;
	int v, r = take(fd, val, len, &v, sizeof(v));

	if (r < 0)
		return r;
	if (v != 0 && v != 1)
		return -EINVAL;
	sock_record(fd, id, &rec);
	rec.zerocopy = v;
	return sock_keep_record(fd, &rec);
}

int opt_set(int fd, int level, int name, const void *val, socklen_t len)
{
	struct ident id;
	int r;

	if (!ident(fd, &id))
		return SOCK_FOREIGN;
	if (id.tag & TAG_DEVICE)
		return -ENOTSOCK;
	if ((int)len < 0)
		return -EINVAL;
	if (id.dgram &&
	    (level == AF_VSOCK || name == SO_SNDBUF || name == SO_SNDBUFFORCE))
		return level == AF_VSOCK ? -EOPNOTSUPP : SOCK_FOREIGN;
	if (level == AF_VSOCK)
		return set_vsock(fd, &id, name, val, len);
	switch (name) {
	case SO_SNDBUF:
	case SO_SNDBUFFORCE:
		return set_sndbuf(fd, &id, name, val, len);
	case SO_SNDTIMEO_OLD:
	case SO_SNDTIMEO_NEW:
		r = sys->setsockopt(fd, level, name, val, len);
		return r < 0 ? r : ident_change(fd, 0, TAG_SNDTIMEO, 0);
	case SO_RCVLOWAT:
		return set_rcvlowat(fd, &id, val, len);
	case SO_ZEROCOPY:
		return set_zerocopy(fd, &id, val, len);
	case SO_MAX_PACING_RATE:
		return set_pace(fd, &id, val, len);
	case SO_PEEK_OFF:
	case SO_PASSCRED:
	case SO_PASSSEC:
	case SO_PASSPIDFD:
	case SO_PASSRIGHTS:
		r = take(fd, val, len, &r, sizeof(r));
		return r < 0 ? r : -EOPNOTSUPP;
	case SO_INQ:
		r = take(fd, val, len, &r, sizeof(r));
		return r < 0 ? r : -ENOPROTOOPT;
	case SO_LINGER:
		return ident_small() ? set_linger(fd, &id, val, len)
				     : SOCK_FOREIGN;
	case SO_INCOMING_CPU: /* dgram.c's, there; it would steer nothing */
		return id.dgram ? take(fd, val, len, &r, sizeof(r))
				: SOCK_FOREIGN;
	case SO_TIMESTAMP_OLD:
	case SO_TIMESTAMP_NEW:
	case SO_TIMESTAMPNS_OLD:
	case SO_TIMESTAMPNS_NEW:
	case SO_TIMESTAMPING_OLD:
	case SO_TIMESTAMPING_NEW:
		return set_stamp(fd, &id, name, val, len);
	case SO_ATTACH_FILTER:
	case SO_ATTACH_BPF:
		r = set_in_vain(name, val, len);
		return r < 0 ? r : attach_none(fd);
	default:
		return SOCK_FOREIGN;
	}
}

bool opt_ioctl_differs(unsigned long request)
{
	return request == FIONREAD || request == SIOCOUTQ ||
	       request == SIOCATMARK || request == SIOCUNIXFILE;
}

/*
 * Before it is connected a socket has no transport, unless a connect got as far
 * as being refused. One that listens then has no queues. -errno, or 0.
 */
static int no_queues(int fd, const struct ident *id)
{
	struct sockaddr_un un;

	if (ident_connected(fd))
		return 0;
	if (!(id->tag & (TAG_PORT | TAG_FAILED | TAG_ERR | TAG_DIALLED)) &&
	    ident_name(fd, &un).kind != NAME_AUTO)
		return -EOPNOTSUPP;
	return ident_listens(fd) ? -EINVAL : 0;
}

int opt_ioctl(int fd, unsigned long request, void *arg)
{
	struct ident id;
	int r;

	if (!ident(fd, &id))
		return SOCK_FOREIGN;
	if (id.tag & TAG_DEVICE)
		return -ENOTTY;
	if (request == SIOCATMARK || request == SIOCUNIXFILE)
		return user_readable(fd, arg, sizeof(struct ifreq)) ? -ENOTTY
								    : -EFAULT;
	r = id.dgram ? 0 : no_queues(fd, &id);
	if (r < 0)
		return r;
	if (request == FIONREAD)
		return SOCK_FOREIGN;
	/* SIOCOUTQ: all of it is with the peer. */
	if (!user_writable(fd, arg, sizeof(int)))
		return -EFAULT;
	memset(arg, 0, sizeof(int));
	return 0;
}
