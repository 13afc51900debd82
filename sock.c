/* SPDX-License-Identifier: MIT */
/*
 * One emulated socket: see sock.h.
 *
 * Theory of operation. The AF_UNIX socket below holds nearly all of the state
 * of a vsock socket: whether it is bound, listens, is connected, and what has
 * been shut down by the peer. The tag (ident.h) has the rest:
 *
 *	SS_UNCONNECTED	  not connected, neither FAILED nor PENDING
 *	SS_CONNECTING	  FAILED (kept until a blocking connect) or PENDING
 *	SS_CONNECTED	  connected, no SHUT bit
 *	SS_DISCONNECTING  any SHUT bit
 *
 * A connect that succeeds at once leaves no mark: the fast path writes no tag.
 */
#include "sock.h"

#include "conf.h"
#include "core/rdv.h"
#include "dgram.h"
#include "hint.h"
#include "next.h"
#include "pending.h"
#include "user.h"
#include "vsock_table.h"
#include "zerocopy.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <pthread.h>
#include <string.h>

static const struct sys *const sys = &sys_kernel;

/* What a directory that refuses made of the call, once a process. */
static void complain(struct machine *m)
{
	static bool said;
	int why = m->refusal;

	m->refusal = 0;
	if (why && !__atomic_exchange_n(&said, true, __ATOMIC_RELAXED))
		conf_complain_dir(why == -ELOOP ? "holds a symbolic link in "
						  "place of a socket"
						: strerrordesc_np(-why));
}

/* As ident(), for calls that only a socket answers. 0, or what to return. */
static int ident_or(int fd, struct ident *id)
{
	if (!ident(fd, id))
		return SOCK_FOREIGN;
	return id->tag & TAG_DEVICE ? -ENOTSOCK : 0;
}

int sock_socket(int type, int protocol)
{
	int fd, r;

	if (type & ~(0xf | SOCK_CLOEXEC | SOCK_NONBLOCK) ||
	    (type & 0xf) > SOCK_PACKET)
		return -EINVAL;
	if (!conf_vsock())
		return -EAFNOSUPPORT;
	if (protocol != 0 && protocol != PF_VSOCK)
		return -EPROTONOSUPPORT;
	switch (type & 0xf) {
	case SOCK_STREAM:
	case SOCK_SEQPACKET:
		break;
	case SOCK_DGRAM:
		if (!conf_dgram()) /* no transport has it */
			return -ENODEV;
		break;
	default:
		return -ESOCKTNOSUPPORT;
	}
	fd = sys->socket(AF_UNIX, type, 0);
	if (fd < 0)
		return fd;
	type &= 0xf;
	r = ident_write(fd, type == SOCK_DGRAM, 0);
	if (r < 0) {
		sys->close(fd);
		conf_complain("socket", "AF_VSOCK",
			      "needs a kernel that keeps SO_MAX_PACING_RATE on "
			      "AF_UNIX sockets");
		return -EAFNOSUPPORT;
	}
	gate_open(GATE_USED);
	hint_set(fd, HINT_OURS | HINT_MADE | hint_type(type) |
			     (type == SOCK_DGRAM ? 0 : HINT_FRESH));
	return fd;
}

/* Copies the address that a program passed, of which 16 bytes matter. */
static int copy_addr(int fd, const void *addr, socklen_t len,
		     struct sockaddr_vm *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (len > sizeof(struct sockaddr_storage)) /* negative ones too */
		return -EINVAL;
	if (!user_readable(fd, addr, len))
		return -EFAULT;
	if (len)
		memcpy(ret, addr, len < sizeof(*ret) ? len : sizeof(*ret));
	return 0;
}

static bool may_bind_low_ports(void)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2];

	return sys->capget(&head, data) == 0 &&
	       data[0].effective & 1u << CAP_NET_BIND_SERVICE;
}

int sock_bind_to(int fd, const struct ident *id, const struct vaddr *want)
{
	struct machine *m = conf_machine();
	uint32_t port;
	int r;

	if (!m)
		return -EADDRNOTAVAIL;
	r = rdv_bind(m, fd, want, id->dgram, may_bind_low_ports(), &port);
	if (r < 0) {
		complain(m);
		return r;
	}
	hint_add(fd, HINT_PATH);
	return ident_change(fd, 0, TAG_NAMED, 0);
}

int sock_bind(int fd, const void *addr, socklen_t len)
{
	struct sockaddr_vm vm;
	struct sockaddr_un un;
	struct vaddr want;
	struct ident id;
	int r;

	r = ident_or(fd, &id);
	if (r == 0)
		r = copy_addr(fd, addr, len, &vm);
	if (r == 0)
		r = addr_check(&vm, len);
	if (r < 0)
		return r;
	if ((id.tag & TAG_PORT && !id.dgram) ||
	    ident_name(fd, &un).kind != NAME_NONE)
		return -EINVAL;
	want.cid = vm.svm_cid;
	want.port = vm.svm_port;
	return sock_bind_to(fd, &id, &want);
}

int sock_listen(int fd, int backlog)
{
	struct vaddr want = { .cid = VMADDR_CID_ANY };
	struct sockaddr_un un;
	struct ident id;
	int r;

	r = ident_or(fd, &id);
	if (r < 0)
		return r;
	if (id.dgram)
		return -EOPNOTSUPP;
	/* SS_UNCONNECTED only; and what has the name of a client cannot be
	 * reached any more. */
	if (id.tag & (TAG_SHUT | TAG_FAILED | TAG_PENDING) ||
	    ident_name(fd, &un).kind == NAME_AUTO)
		return -EINVAL;
	if (id.tag & TAG_PORT && !(id.tag & TAG_NAMED)) {
		want.port = id.port;
		if (sock_bind_to(fd, &id, &want) < 0)
			return -EINVAL;
	}
	r = sys->listen(fd, backlog);
	if (r == 0)
		hint_drop(fd, HINT_FRESH);
	if (r == 0 && id.tag & TAG_SENT)
		ident_change(fd, TAG_SENT, 0, 0);
	return r;
}

void sock_window(int fd, uint64_t size)
{
	/* A sender may queue what it sets, doubled, less the overhead of one
	 * buffer: exactly @size in writes of 16 KiB and more. */
	int v = size > INT32_MAX ? INT32_MAX : (int)(size / 2 + 16);

	/* Beyond net.core.wmem_max, whose default this is, only by force. */
	if (v <= 212992 ||
	    sys->setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &v, sizeof(v)) < 0)
		sys->setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &v, sizeof(v));
}

void sock_record(int fd, const struct ident *id, struct vsock_rec *rec)
{
	int sndbuf;
	socklen_t len = sizeof(sndbuf);

	*rec = vsock_table_default;
	/* The key costs a system call, the table a lock: without records,
	 * neither. */
	if (gate_is_open(GATE_RECORD) && vsock_table_get(ident_key(fd), rec))
		return;
	/* What another process set is in the socket itself. */
	if (!(id->tag & TAG_SIZED) ||
	    sys->getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &sndbuf, &len) < 0)
		return;
	rec->buffer_size = (uint64_t)sndbuf - 32; /* as sock_window() set it */
	if (rec->buffer_max < rec->buffer_size)
		rec->buffer_max = rec->buffer_size;
	if (rec->buffer_min > rec->buffer_size)
		rec->buffer_min = rec->buffer_size;
}

int sock_keep_record(int fd, struct vsock_rec *rec)
{
	int r;

	rec->key = ident_key(fd);
	r = vsock_table_put(rec);
	if (r == 0)
		gate_open(GATE_RECORD);
	return r;
}

/* Sits out a connect that nobody answers: -ETIMEDOUT, or -EINTR. */
static int wait_in_vain(uint64_t end)
{
	struct timespec ts;
	uint64_t now;

	while ((now = pending_now()) < end) {
		ts.tv_sec = (time_t)((end - now) / 1000000000u);
		ts.tv_nsec = (long)((end - now) % 1000000000u);
		if (NEXT(ppoll)(NULL, 0, &ts, NULL) < 0)
			return -EINTR;
	}
	return -ETIMEDOUT;
}

/* sk_err, as the tag has it. */
static int pending_error(unsigned int tag)
{
	switch (tag & TAG_ERR) {
	case TAG_ECONNRESET:
		return ECONNRESET;
	case TAG_ETIMEDOUT:
		return ETIMEDOUT;
	default:
		return EPROTO;
	}
}

/* connect(2) in SS_CONNECTING; 0 if that has turned out to be over. */
static int connect_again(int fd, struct ident *id, bool nonblock)
{
	uint64_t until = id->tag & TAG_PENDING ? pending_waits(fd) : 0, end;
	struct vsock_rec rec;
	int r;

	if (id->tag & TAG_PENDING && !until) {
		id->tag &= ~(unsigned int)TAG_PENDING;
		ident_change(fd, TAG_PENDING, 0, 0);
		return 0;
	}
	if (nonblock)
		return -EALREADY;
	sock_record(fd, id, &rec);
	end = pending_end(&rec.connect_timeout);
	if (until && until < end) /* its own time is over first */
		end = until;
	r = id->tag & TAG_ERR ? -pending_error(id->tag) : wait_in_vain(end);
	ident_change(fd, TAG_FAILED | TAG_PENDING | TAG_ERR, 0, 0);
	return r;
}

/*
 * The state of @fd before a new attempt, for the few sockets that are not
 * fresh. 0, or -errno in the order of vsock_connect().
 */
static int connect_state(int fd, struct ident *id, struct rdv_dial *d)
{
	struct sockaddr_un un;
	int listens = 0, r;
	socklen_t len = sizeof(listens);

	if (id->tag & TAG_SHUT)
		return -EINVAL;
	if (id->tag & TAG_ACCEPTED)
		return -EISCONN;
	if (id->tag & (TAG_FAILED | TAG_PENDING)) {
		r = connect_again(fd, id, d->nonblock);
		if (r < 0)
			return r;
	}
	d->self = ident_name(fd, &un);
	if (d->self.kind != NAME_NONE && ident_connected(fd))
		return -EISCONN;
	sys->getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len);
	if (listens)
		return -EINVAL;
	if (id->tag & TAG_PORT)
		d->port = id->port;
	len = sizeof(d->sndtimeo);
	if (id->tag & TAG_SNDTIMEO)
		sys->getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &d->sndtimeo,
				&len);
	return 0;
}

/* The aliases of a machine that is not called so anyway. */
static unsigned int dialled_tag(uint32_t cid)
{
	return cid == VMADDR_CID_LOCAL	? TAG_DIALLED_1
	       : cid == VMADDR_CID_HOST ? TAG_DIALLED_2
					: TAG_DIALLED_OWN;
}

/* Connected: the window, and what names cannot tell. */
static void connected(int fd, const struct ident *id, const struct rdv_dial *d)
{
	static const struct sockaddr_vm zero = { .svm_family = 0 };
	unsigned int clear = id->tag & (TAG_ERR | TAG_DIALLED | TAG_SENT);
	unsigned int set = 0;
	struct vsock_rec rec;

	if (d->self.kind == NAME_PATH || d->self.dialled != d->to.svm_cid)
		set = dialled_tag(d->to.svm_cid);
	if (clear || set)
		ident_change(fd, clear, set, 0);
	sock_record(fd, id, &rec);
	if (d->to.svm_reserved1 || d->to.svm_flags ||
	    memcmp(d->to.svm_zero, zero.svm_zero, sizeof(zero.svm_zero)) != 0) {
		rec.has_peer = true;
		memcpy(rec.peer, &d->to, sizeof(rec.peer));
		(void)sock_keep_record(fd, &rec); /* zeros, at worst */
	}
	/* Also wakes an epoll that was there before, edge-triggered. */
	sock_window(fd, rec.buffer_size);
	hint_drop(fd, HINT_FRESH);
}

/* No answer, or RST: where the socket stands, and what connect(2) returns. */
static int not_connected(int fd, const struct ident *id,
			 const struct rdv_dial *d, int r)
{
	unsigned int set = 0;
	struct vsock_rec rec;

	if (d->self.kind != NAME_NONE)
		set |= TAG_NAMED;
	if (d->self.kind == NAME_PATH) /* has a transport now */
		set |= dialled_tag(d->to.svm_cid);
	else if (d->port != VMADDR_PORT_ANY)
		set |= TAG_PORT;
	sock_record(fd, id, &rec);
	if (r == -ETIMEDOUT && d->nonblock) {
		set |= pending_add(fd, &rec.connect_timeout) ? TAG_PENDING
							     : TAG_ETIMEDOUT;
		r = -EINPROGRESS;
	} else if (r == -ETIMEDOUT) {
		r = wait_in_vain(pending_end(&rec.connect_timeout));
	} else if ((r == -ECONNRESET || r == -EPROTO) && d->nonblock) {
		set |= TAG_FAILED |
		       (r == -EPROTO ? TAG_EPROTO : TAG_ECONNRESET);
		r = -EINPROGRESS;
	} else if (r == -ENXIO) {
		set |= TAG_SENT | (id->tag & TAG_ERR);
	}
	ident_change(fd, TAG_ERR | TAG_DIALLED | TAG_SENT, set, d->port);
	if (r == -EINPROGRESS || r == -ENXIO) {
		gate_open(GATE_FAILED | GATE_ODD);
		hint_add(fd, HINT_ODD);
		sock_window(fd, rec.buffer_size); /* wakes who waits */
	}
	return r == -ENXIO ? -ENODEV : r;
}

int sock_connect(int fd, const void *addr, socklen_t len)
{
	struct rdv_dial d = { .port = VMADDR_PORT_ANY };
	struct machine *m;
	struct ident id;
	int copied, r;

	r = ident_or(fd, &id);
	if (r == SOCK_FOREIGN)
		return r;
	copied = copy_addr(fd, addr, len, &d.to);
	if (copied < 0 || r < 0)
		return copied < 0 ? copied : r;
	if (id.dgram)
		return dgram_connect(fd, &id, &d.to, len);
	d.named = ident_small(); /* the tag has no room for the port */
	d.nonblock = sys->fcntl(fd, F_GETFL, 0) & O_NONBLOCK;
	if (id.tag)
		r = connect_state(fd, &id, &d);
	if (r < 0)
		return r;
	r = addr_check(&d.to, len);
	m = conf_machine();
	if (r == 0 && !m)
		return -ENODEV;
	if (r == 0)
		r = rdv_connect(m, fd, &d);
	/* Not so fresh: a connected socket has no mark either. */
	if (r < 0 && !id.tag && ident_connected(fd)) {
		rdv_forget(m, &d);
		return -EISCONN;
	}
	if (r == -EISCONN) {
		rdv_forget(m, &d);
		d.port = VMADDR_PORT_ANY;
		r = connect_state(fd, &id, &d);
		if (r == 0)
			r = rdv_connect(m, fd, &d);
	}
	if (r == 0) {
		connected(fd, &id, &d);
		return d.nonblock ? -EINPROGRESS : 0;
	}
	if (r == -EINVAL)
		return r;
	complain(m);
	if (r == -ENODEV || r == -ESOCKTNOSUPPORT)
		return r;
	return not_connected(fd, &id, &d, r);
}

/* What @client dialled on its own machine @cid, of the aliases it has. */
static uint32_t dialled_cid(unsigned int tag, const struct name *client,
			    uint32_t cid)
{
	if (tag & TAG_DIALLED_1)
		return VMADDR_CID_LOCAL;
	if (tag & TAG_DIALLED_2)
		return VMADDR_CID_HOST;
	if (client->kind == NAME_AUTO && !(tag & TAG_DIALLED_OWN))
		return client->dialled;
	return cid;
}

uint32_t sock_stranger(uint32_t own)
{
	return own > VMADDR_CID_HOST ? VMADDR_CID_HOST : VMADDR_CID_LOCAL;
}

/* The two ends of an accepted socket, from what it and its peer are called. */
static void accepted_ends(unsigned int tag, const struct name *own,
			  const struct name *peer, struct sockaddr_vm *local,
			  struct sockaddr_vm *remote)
{
	uint32_t cid = own->cid;

	if (own->bound != VMADDR_CID_ANY)
		cid = own->bound;
	else if (peer->kind != NAME_NONE && peer->cid == own->cid)
		cid = dialled_cid(tag, peer, own->cid);
	*local = addr_vm(cid, own->port);

	*remote = addr_vm(peer->cid, peer->port);
	if (peer->kind == NAME_NONE) /* a plain AF_UNIX client */
		*remote = addr_vm(sock_stranger(own->cid), VMADDR_PORT_ANY);
	else if (peer->cid == own->cid)
		remote->svm_cid = VMADDR_CID_LOCAL;
	else if (peer->cid > VMADDR_CID_HOST && own->cid > VMADDR_CID_HOST)
		remote->svm_flags = VMADDR_FLAG_TO_HOST;
}

/*
 * What a client on the own machine dialled and its name does not tell, as the
 * tag has it: known until others connect, so it is noted when accepted.
 */
static unsigned int dialled_of(const struct name *own, const struct name *peer)
{
	struct machine *m = conf_machine();
	bool auto_bound = peer->kind == NAME_AUTO;
	uint32_t told = auto_bound ? peer->dialled : own->cid, cid;

	if (peer->kind == NAME_NONE || peer->cid != own->cid || !m ||
	    m->cid != own->cid || !m->ports)
		return 0;
	cid = ports_dialled(m->ports, peer->port, auto_bound, own->cid, told);
	return cid == told ? 0 : dialled_tag(cid);
}

bool sock_accepted(int fd, int listener, const struct sockaddr_un *un,
		   socklen_t len, struct sockaddr_vm *ret)
{
	struct name own = { .kind = NAME_PATH, .bound = VMADDR_CID_ANY };
	struct vsock_rec rec = vsock_table_default;
	unsigned int tag = TAG_ACCEPTED;
	struct ident from;
	struct name peer = name_decode(un, len);
	unsigned int hints = hint_get(listener);
	struct sockaddr_vm local;
	struct sockaddr_un own_un;

	/* An unnamed client is ours to serve only if the listener is ours. */
	if (peer.kind == NAME_NONE &&
	    !(hints & HINT_OURS || gate_is_open(GATE_INHERITED)))
		return false;
	/* The own name is the listener's: of this machine, if made here. */
	if (hints & HINT_MADE && peer.kind == NAME_AUTO)
		own.cid = conf_machine()->cid;
	else
		own = ident_name(fd, &own_un);
	if (own.kind != NAME_PATH)
		return false;
	tag |= dialled_of(&own, &peer);
	/* Inherited are sizes and timeout, nothing else. */
	if (gate_is_open(GATE_RECORD) && ident(listener, &from)) {
		sock_record(listener, &from, &rec);
		vsock_table_inherit(ident_key(fd), &rec);
		tag |= from.tag & TAG_SIZED;
	}
	if (tag != TAG_ACCEPTED)
		ident_write(fd, false, tag);
	accepted_ends(tag, &own, &peer, &local, ret);
	sock_window(fd, rec.buffer_size);
	gate_open(GATE_USED);
	hint_set(fd,
		 HINT_OURS | (hints & HINT_OURS ? hints & HINT_SEQ
						: hint_type(ident_type(fd))));
	return true;
}

/* getpeername(2) of the connecting side: what it dialled, as it dialled it. */
static struct sockaddr_vm dialled(int fd, unsigned int tag,
				  const struct name *own,
				  const struct name *peer)
{
	struct sockaddr_vm vm = addr_vm(peer->cid, peer->port);
	struct vsock_rec rec;

	if (own->cid == peer->cid)
		vm.svm_cid = dialled_cid(tag, own, peer->cid);
	if (gate_is_open(GATE_RECORD) && vsock_table_get(ident_key(fd), &rec) &&
	    rec.has_peer)
		memcpy(&vm, rec.peer, sizeof(vm));
	return vm;
}

int sock_name(int fd, bool want_peer, struct sockaddr_vm *ret)
{
	struct sockaddr_un own_un, peer_un;
	struct sockaddr_vm local, remote;
	struct name own, peer;
	struct ident id;
	socklen_t len;
	int r;

	r = ident_or(fd, &id);
	if (r < 0)
		return r;
	own = ident_name(fd, &own_un);
	if (want_peer && id.dgram)
		return dgram_peer(fd, &id, ret) ? 0 : -ENOTCONN;
	if (want_peer && (id.tag & TAG_SHUT || !ident_connected(fd)))
		return -ENOTCONN;
	if (id.tag & TAG_ACCEPTED) {
		peer = ident_peer(fd, &peer_un, &len);
		accepted_ends(id.tag, &own, &peer, &local, &remote);
		*ret = want_peer ? remote : local;
	} else if (want_peer) {
		peer = ident_peer(fd, &peer_un, &len);
		*ret = dialled(fd, id.tag, &own, &peer);
	} else if (own.kind == NAME_PATH) {
		*ret = addr_vm(own.bound, own.port);
	} else if (own.kind == NAME_AUTO) {
		*ret = addr_vm(VMADDR_CID_ANY, own.port);
	} else {
		*ret = addr_vm(VMADDR_CID_ANY, id.tag & TAG_PORT && !id.dgram
						       ? id.port
						       : VMADDR_PORT_ANY);
	}
	return 0;
}

/* After SHUT_RD nothing is readable any more; AF_UNIX would still give it. */
static void drain(int fd)
{
	int saved = errno;
	char buf[256];

	while (NEXT(recv)(fd, buf, sizeof(buf), MSG_DONTWAIT) > 0)
		;
	errno = saved;
}

int sock_shutdown(int fd, int how)
{
	struct ident id;
	int r = ident_or(fd, &id);

	if (r < 0)
		return r;
	if (how != SHUT_RD && how != SHUT_WR && how != SHUT_RDWR)
		return -EINVAL;
	if (!id.dgram && !(id.tag & (TAG_SHUT | TAG_FAILED | TAG_PENDING)) &&
	    !ident_connected(fd))
		return -ENOTCONN;
	if (NEXT(shutdown)(fd, how) < 0)
		return -errno;
	ident_change(fd, 0, (unsigned int)how + 1, 0);
	if (how != SHUT_WR && !id.dgram)
		drain(fd);
	gate_open(GATE_ODD);
	hint_add(fd, HINT_ODD);
	/* Done all the same. */
	return id.dgram && !(id.tag & TAG_PORT) ? -ENOTCONN : 0;
}

bool sock_closing(int fd, struct name *ret)
{
	struct sockaddr_un un;
	struct ident id;

	if (gate_is_open(GATE_RECORD) && !gate_is_open(GATE_SANDBOX))
		vsock_table_closed(ident_key(fd));
	if (!(hint_get(fd) & HINT_PATH) || !ident(fd, &id) ||
	    id.tag & TAG_ACCEPTED)
		return false;
	*ret = ident_name(fd, &un);
	return ret->kind == NAME_PATH;
}

void sock_closed(const struct name *name)
{
	struct machine *m = conf_machine();

	if (m)
		rdv_release(m, name);
}

int sock_recv_failed(int fd, int err)
{
	struct ident id;

	if (!ident_quiet(fd, &id) || id.tag & TAG_DEVICE || id.dgram)
		return err;
	if (err == ECONNRESET) /* the peer died unread: no error to a vsock */
		return 0;
	return ident_connected(fd) ? err : ENOTCONN;
}

int sock_recv_check(int fd, size_t len, int flags)
{
	struct vsock_rec rec;
	int lowat = 1;
	socklen_t n = sizeof(lowat);
	struct ident id;

	if (!ident_socket(fd, &id))
		return 0;
	if (id.dgram)
		return flags & (MSG_OOB | MSG_ERRQUEUE) ? -EOPNOTSUPP : 0;
	if (flags & MSG_ERRQUEUE) {
		struct msghdr msg = { .msg_flags = 0 };

		return zerocopy_receive(fd, &msg) < 0 ? -EAGAIN : 1;
	}
	if (!ident_connected(fd))
		return -ENOTCONN;
	if ((id.tag & TAG_SHUT) == TAG_SHUT) /* and the peer has seen it */
		return 1;
	if (flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (len == 0 || id.tag & TAG_SHUT_RD)
		return 1;
	sock_record(fd, &id, &rec);
	if (len < rec.buffer_size || ident_type(fd) == SOCK_SEQPACKET)
		return 0;
	/* More than ever is queued: vsock_stream_rcvhiwat() */
	if (!(flags & MSG_WAITALL))
		sys->getsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &lowat, &n);
	return flags & MSG_WAITALL || lowat >= (int)rec.buffer_size ? -ENOMEM
								    : 0;
}

int sock_error(int fd)
{
	struct ident id;

	if (!ident_socket(fd, &id))
		return 0;
	if (id.tag & TAG_PENDING && !pending_waits(fd)) {
		/* Its time came; if not here, then where it was begun. */
		ident_change(fd, TAG_PENDING, TAG_ETIMEDOUT, 0);
		ident(fd, &id);
	}
	if (!(id.tag & TAG_ERR))
		return 0;
	ident_change(fd, TAG_ERR, 0, 0);
	return pending_error(id.tag);
}

/* The peer is gone, and all that it sent has been read: sk is not ESTABLISHED
 * any more. */
static bool finished(int fd)
{
	struct pollfd p = { .fd = fd };
	int queued = 1;

	return NEXT(poll)(&p, 1, 0) > 0 && p.revents & POLLHUP &&
	       NEXT(ioctl)(fd, FIONREAD, &queued) == 0 && queued == 0;
}

/*
 * What a send says of the connection before it looks at the data: 0, or
 * -errno. One byte that nobody can read is sent: page 0 is not mapped.
 */
static int send_nothing(int fd, int flags)
{
	const void *bad = (const void *)1;
	int saved = errno, r;

	do
		r = (int)NEXT(send)(fd, bad, 1, flags | MSG_NOSIGNAL);
	while (r < 0 && errno == ECONNRESET); /* told once */
	r = r >= 0 || errno == EFAULT ? 0 : -errno;
	errno = saved;
	return r;
}

/* sendmsg(2), with AF_VSOCK's errors. */
static ssize_t send_all(int fd, const struct msghdr *msg, int flags)
{
	int saved = errno, err;
	ssize_t r;

	do {
		r = NEXT(sendmsg)(fd, msg, flags);
		err = r < 0 ? sock_send_failed(fd, errno, flags, NULL, 0) : 0;
	} while (r < 0 && !err);
	errno = saved;
	return r < 0 ? -err : r;
}

static void close_mark(void *arg)
{
	sys->close(*(const int *)arg);
}

/*
 * MSG_EOR, which AF_UNIX does not carry: a descriptor goes with the message.
 * AF_VSOCK has no ancillary data, so nothing else looks like it; who reads
 * without asking for any loses it to the kernel.
 */
static ssize_t send_marked(int fd, const struct msghdr *msg, int flags)
{
	union {
		struct cmsghdr c;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { .c = { .cmsg_len = CMSG_LEN(sizeof(int)),
			     .cmsg_level = SOL_SOCKET,
			     .cmsg_type = SCM_RIGHTS } };
	struct msghdr marked = *msg;
	int mark = sys->eventfd();
	ssize_t r;

	if (mark < 0)
		return -ENOBUFS;
	memcpy(CMSG_DATA(&control.c), &mark, sizeof(mark));
	marked.msg_control = &control;
	marked.msg_controllen = sizeof(control);
	pthread_cleanup_push(close_mark, &mark);
	r = send_all(fd, &marked, flags);
	pthread_cleanup_pop(1);
	return r == -ETOOMANYREFS ? -ENOBUFS : r;
}

/* Is it to be counted? SO_ZEROCOPY is in the record. */
static bool counted(int fd, const struct ident *id, int flags,
		    struct vsock_rec *rec)
{
	if (!(flags & MSG_ZEROCOPY) || !gate_is_open(GATE_RECORD))
		return false;
	sock_record(fd, id, rec);
	return rec->zerocopy;
}

ssize_t sock_send_odd(int fd, const struct msghdr *msg, int flags)
{
	struct msghdr bare = *msg;
	struct vsock_rec rec;
	bool seq, zerocopy;
	struct ident id;
	ssize_t r;

	if (!ident_socket(fd, &id))
		return SOCK_FOREIGN;
	if (id.dgram)
		return dgram_send(fd, &id, msg, flags);
	if (flags & MSG_OOB)
		return -EOPNOTSUPP;
	seq = ident_type(fd) == SOCK_SEQPACKET;
	if (seq && msg->msg_name && msg->msg_namelen)
		return !ident_connected(fd) || finished(fd) ? -EOPNOTSUPP
							    : -EISCONN;
	if (seq && user_iov_bytes(msg) == 0) {
		/* no window is needed for that */
		r = send_nothing(fd, flags | MSG_DONTWAIT);
		if (r == -ENOTCONN && id.tag & TAG_SHUT_WR)
			return -EPIPE;
		return r == -EAGAIN ? 0 : r;
	}
	zerocopy = counted(fd, &id, flags, &rec);
	if (!zerocopy && !(seq && flags & MSG_EOR))
		return SOCK_FOREIGN;
	r = zerocopy ? zerocopy_room(msg->msg_controllen) : 0;
	if (r < 0)
		return r;
	bare.msg_control = NULL;
	bare.msg_controllen = 0;
	r = seq && flags & MSG_EOR ? send_marked(fd, &bare, flags)
				   : send_all(fd, &bare, flags);
	if (zerocopy && r > 0)
		zerocopy_sent(fd, &rec, user_iov_bytes(msg));
	return r;
}

/* Closes the descriptors that came with @msg. */
static void close_received(struct msghdr *msg)
{
	struct cmsghdr *c;
	size_t n;
	int fd;

	for (c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(fd);
		for (size_t i = 0; i < n; i++) {
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
			sys->close(fd);
		}
	}
}

bool sock_received(int fd, struct msghdr *msg, struct sockaddr_un *from)
{
	struct sockaddr_vm vm;
	struct ident id;

	if (msg->msg_controllen || msg->msg_flags & MSG_CTRUNC) {
		if (!ident_socket(fd, &id))
			return false;
		close_received(msg);
		msg->msg_controllen = 0;
		msg->msg_flags &= ~MSG_CTRUNC;
		if (ident_type(fd) == SOCK_SEQPACKET)
			msg->msg_flags |= MSG_EOR;
	}
	if (!msg->msg_name || !from)
		return true;
	if (hint_get(fd) & HINT_DGRAM &&
	    (name_decode(from, msg->msg_namelen).dgram ||
	     (ident(fd, &id) && id.dgram))) {
		vm = dgram_source(from, msg->msg_namelen);
		memcpy(from, &vm, sizeof(vm));
		msg->msg_namelen = sizeof(vm);
		return true;
	}
	/* A name that is none of ours: a wrong hint? */
	if (msg->msg_namelen &&
	    name_decode(from, msg->msg_namelen).kind == NAME_NONE &&
	    !ident(fd, &id))
		return false;
	msg->msg_namelen = 0;
	return true;
}

/* Sending is shut on a socket that AF_UNIX says has no peer: the errno. */
static int shut_error(int fd, int flags)
{
	struct msghdr none = { .msg_iovlen = 0 };
	int err = 0, fds[2];

	if (ident_type(fd) == SOCK_STREAM) /* sk_stream_error() */
		err = sock_error(fd);
	if (err || flags & MSG_NOSIGNAL || ident_type(fd) != SOCK_STREAM)
		return err ? err : EPIPE;
	/* What raises SIGPIPE, if anything does. */
	if (sys->socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0) {
		sys->close(fds[1]);
		sys->sendmsg(fds[0], &none, 0);
		sys->close(fds[0]);
	}
	return EPIPE;
}

int sock_send_failed(int fd, int err, int flags, const struct sockaddr *addr,
		     socklen_t len)
{
	struct ident id;
	int r;

	if (!ident_quiet(fd, &id))
		return err;
	if (id.tag & TAG_DEVICE)
		return id.tag & TAG_RDONLY ? EBADF : EINVAL;
	switch (err) {
	case ECONNRESET: /* the peer died unread, while we slept */
		return 0;
	case EFAULT: /* the first packet cannot be made */
		return addr && !user_readable(fd, addr, len) ? EFAULT : ENOMEM;
	case EMSGSIZE: /* said when there is a window for it */
		r = send_nothing(fd, flags);
		return r < 0 ? -r : err;
	case EISCONN:
		return finished(fd) ? EOPNOTSUPP : EISCONN;
	case ENOTCONN:
		return id.tag & TAG_SHUT_WR ? shut_error(fd, flags) : err;
	default:
		return err;
	}
}
