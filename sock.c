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
#include "core/hello.h"
#include "core/rdv.h"
#include "core/util.h"
#include "dgram.h"
#include "gateway.h"
#include "hint.h"
#include "next.h"
#include "pending.h"
#include "say.h"
#include "transport.h"
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
	/* Connects tell if that fails. */
	(void)transport_start(conf_machine());
	fd = sys->socket(AF_UNIX, type, 0);
	if (fd < 0)
		return fd;
	type &= 0xf;
	r = ident_write(fd, type == SOCK_DGRAM, 0);
	if (r < 0) {
		sys->close(fd);
		say_bad("socket", "AF_VSOCK",
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
	/* Bound it is, without the tag too: calls find out, then. */
	(void)ident_change(fd, 0, TAG_NAMED, 0);
	return 0;
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

/* What a gateway refused can try again. */
static int renew(int fd)
{
	struct sockaddr_un un;
	struct name own = ident_name(fd, &un);
	struct vaddr want = { own.bound, own.port };
	struct ident id;
	int r = gateway_renew(fd);

	if (r == 0 && own.kind == NAME_PATH && ident(fd, &id))
		(void)sock_bind_to(fd, &id, &want);
	if (r < 0) /* then when it is next needed */
		ident_change(fd, TAG_PENDING, TAG_FAILED | TAG_LATE, 0);
	return r;
}

/* What a gateway did not answer in time is as good as new, but for its error.
 */
static int renew_late(int fd, struct ident *id)
{
	int r = renew(fd);

	ident(fd, id);
	return r;
}

int sock_listen(int fd, int backlog)
{
	struct vaddr want = { .cid = VMADDR_CID_ANY };
	struct sockaddr_un un;
	struct machine *m;
	struct ident id;
	int r;

	r = ident_or(fd, &id);
	if (r < 0)
		return r;
	if (id.dgram)
		return -EOPNOTSUPP;
	pending_settle(fd, &id);
	if (tag_late(id.tag))
		(void)renew_late(fd, &id);
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
	if (r == 0 && conf_transport() != TRANSPORT_UNIX &&
	    (m = conf_machine()))
		(void)transport_again(m);
	if (r == 0)
		hint_drop(fd, HINT_FRESH);
	if (r == 0 && id.tag & TAG_ERR)
		gate_open(GATE_ERRQ);
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

	while (pending_left(end, &ts)) {
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

/* A gateway that does not keep to the timeout is given up a little later. */
static uint64_t gateway_end(const struct vsock_rec *rec)
{
	return pending_end(&rec->connect_timeout) + UINT64_C(1000000000);
}

/* Blocks until the gateway has answered. */
static int wait_for_gateway(int fd, struct ident *id)
{
	uint64_t key = ident_key(fd);
	struct vsock_rec rec;
	int r;

	sock_record(fd, id, &rec);
	r = gateway_wait(fd, id, gateway_end(&rec));
	if (r < 0 && ident_key(fd) == key) { /* closed meanwhile, else */
		ident_change(fd, TAG_ERR, 0, 0);
		(void)renew(fd);
	}
	return r;
}

/* connect(2) in SS_CONNECTING. 1: the gateway has answered, it is connected. */
static int connect_again(int fd, struct ident *id, bool nonblock)
{
	uint64_t until, end, key;
	struct vsock_rec rec;
	int r;

	if (nonblock)
		return -EALREADY;
	if (id->tag & TAG_PENDING && ident_connected(fd)) {
		r = wait_for_gateway(fd, id);
		return r < 0 ? r : 1;
	}
	sock_record(fd, id, &rec);
	end = pending_end(&rec.connect_timeout);
	until = id->tag & TAG_PENDING ? pending_waits(fd) : end;
	if (until < end) /* its own time is over first */
		end = until;
	key = ident_key(fd);
	r = id->tag & TAG_ERR ? -pending_error(id->tag) : wait_in_vain(end);
	if (ident_key(fd) != key) /* closed meanwhile */
		return r;
	pending_forget(fd);
	ident_change(fd, TAG_FAILED | TAG_PENDING | TAG_ERR, 0, 0);
	if (ident_connected(fd)) /* to a gateway that is no more */
		(void)renew(fd);
	return r;
}

/*
 * The state of @fd before a new attempt, for the few sockets that are not
 * fresh. 0, or -errno in the order of vsock_connect(); 1: it is connected by
 * the last one.
 */
static int connect_state(int fd, struct ident *id, socklen_t len,
			 struct rdv_dial *d)
{
	struct sockaddr_un un;
	socklen_t size = sizeof(d->sndtimeo);
	int r;

	if (id->tag & TAG_SHUT)
		return -EINVAL;
	if (id->tag & TAG_ACCEPTED)
		return -EISCONN;
	pending_settle(fd, id);
	if (tag_late(id->tag)) {
		if (addr_check(&d->to, len) < 0)
			return -EINVAL;
		r = renew_late(fd, id);
		if (r < 0)
			return r;
	}
	if (id->tag & (TAG_FAILED | TAG_PENDING))
		return connect_again(fd, id, d->nonblock);
	d->self = ident_name(fd, &un);
	if (d->self.kind != NAME_NONE && ident_connected(fd))
		return -EISCONN;
	if (ident_listens(fd))
		return -EINVAL;
	if (id->tag & TAG_PORT)
		d->port = id->port;
	if (id->tag & TAG_SNDTIMEO)
		sys->getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &d->sndtimeo,
				&size);
	return 0;
}

/* The aliases of a machine that is not called so anyway. */
static unsigned int dialled_tag(uint32_t cid)
{
	return cid == VMADDR_CID_LOCAL	? TAG_DIALLED_1
	       : cid == VMADDR_CID_HOST ? TAG_DIALLED_2
					: TAG_DIALLED_OWN;
}

/* What of the address only a record can tell. */
static void keep_peer(int fd, const struct rdv_dial *d, bool all,
		      struct vsock_rec *rec)
{
	static const struct sockaddr_vm zero = { .svm_family = 0 };

	if (!all && !d->to.svm_reserved1 && !d->to.svm_flags &&
	    memcmp(d->to.svm_zero, zero.svm_zero, sizeof(zero.svm_zero)) == 0)
		return;
	rec->has_peer = true;
	memcpy(rec->peer, &d->to, sizeof(rec->peer));
	(void)sock_keep_record(fd, rec); /* zeros, at worst */
}

/* Connected: the window, and what names cannot tell. */
static void connected(int fd, const struct ident *id, const struct rdv_dial *d)
{
	unsigned int clear = id->tag & (TAG_ERR | TAG_DIALLED | TAG_SENT);
	unsigned int set = 0;
	struct vsock_rec rec;

	if (d->self.kind == NAME_PATH || d->self.dialled != d->to.svm_cid)
		set = dialled_tag(d->to.svm_cid);
	if (clear || set)
		ident_change(fd, clear, set, 0);
	sock_record(fd, id, &rec);
	keep_peer(fd, d, false, &rec);
	/* Also wakes an epoll that was there before, edge-triggered. */
	sock_window(fd, rec.buffer_size);
	hint_drop(fd, HINT_FRESH);
}

/* What a gateway is told, and a window that the hello fills. */
static void before_gateway(int fd, const struct ident *id, struct rdv_dial *d)
{
	struct vsock_rec rec;
	int sndbuf;
	socklen_t len = sizeof(sndbuf);

	sock_record(fd, id, &rec);
	d->timeout_ms = (uint64_t)rec.connect_timeout.tv_sec * 1000 +
			(uint64_t)rec.connect_timeout.tv_usec / 1000;
	sock_window(fd, hello_window(rec.buffer_size));
	/* net.core.wmem_max may not have let us. */
	d->window = rec.buffer_size;
	if (sys->getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &sndbuf, &len) == 0 &&
	    d->window > (uint64_t)sndbuf)
		d->window = (uint64_t)sndbuf - 32;
}

/* A gateway has it, and will answer. */
static int connecting(int fd, struct ident *id, const struct rdv_dial *d)
{
	unsigned int set = TAG_PENDING | TAG_NAMED | TAG_PORT;
	struct vsock_rec rec;

	if (d->self.kind == NAME_PATH || d->self.dialled != d->to.svm_cid)
		set |= dialled_tag(d->to.svm_cid);
	ident_change(fd, TAG_ERR | TAG_DIALLED | TAG_SENT, set, d->to.svm_port);
	sock_record(fd, id, &rec);
	/* Nor does a tag have room for another machine's CID. */
	keep_peer(fd, d,
		  ident_small() || (set & TAG_DIALLED_OWN &&
				    d->to.svm_cid != conf_machine()->cid),
		  &rec);
	hint_drop(fd, HINT_FRESH);
	gate_open(GATE_FAILED | GATE_ODD);
	hint_add(fd, HINT_ODD);
	if (!d->nonblock)
		return wait_for_gateway(fd, id);
	(void)pending_add(fd, gateway_end(&rec));
	return -EINPROGRESS;
}

/* No answer, or RST: where the socket stands, and what connect(2) returns. */
static int not_connected(int fd, const struct ident *id,
			 const struct rdv_dial *d, int r)
{
	unsigned int set = 0;
	struct vsock_rec rec;
	uint64_t key;

	if (d->self.kind != NAME_NONE)
		set |= TAG_NAMED;
	if (d->self.kind == NAME_PATH) /* has a transport now */
		set |= dialled_tag(d->to.svm_cid);
	else if (d->port != VMADDR_PORT_ANY)
		set |= TAG_PORT;
	sock_record(fd, id, &rec);
	if (r == -ETIMEDOUT && d->nonblock) {
		set |= pending_add(fd, pending_end(&rec.connect_timeout))
			       ? TAG_PENDING
			       : TAG_ETIMEDOUT;
		r = -EINPROGRESS;
	} else if (r == -ETIMEDOUT) {
		key = ident_key(fd);
		r = wait_in_vain(pending_end(&rec.connect_timeout));
		if (ident_key(fd) != key) /* closed meanwhile */
			return r;
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

static bool nonblocking(int fd)
{
	int flags = sys->fcntl(fd, F_GETFL, 0);

	return flags >= 0 && flags & O_NONBLOCK;
}

int sock_connect(int fd, const void *addr, socklen_t len)
{
	struct rdv_dial d = { .port = VMADDR_PORT_ANY };
	struct machine *m;
	const char *why;
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
	d.nonblock = nonblocking(fd);
	if (id.tag)
		r = connect_state(fd, &id, len, &d);
	if (r)
		return r < 0 ? r : 0;
	r = addr_check(&d.to, len);
	m = conf_machine();
	if (r == 0 && !m)
		return -ENODEV;
	if (r == 0 && !m->ports) /* what it took was scarce until now */
		(void)rdv_open(m, &why);
	if (r == 0 && m->ports && ports_gateway(m->ports))
		before_gateway(fd, &id, &d);
	if (r == 0)
		r = rdv_connect(m, fd, &d);
	/* Its bridge ended, or was killed. */
	if (r == -ENODEV && conf_transport() != TRANSPORT_UNIX &&
	    transport_again(m) == 0 && m->ports && ports_gateway(m->ports)) {
		before_gateway(fd, &id, &d);
		r = rdv_connect(m, fd, &d);
	}
	/* Not so fresh: a connected socket has no mark either. */
	if (r < 0 && r != -EINPROGRESS && !id.tag && ident_connected(fd)) {
		rdv_forget(m, &d);
		return -EISCONN;
	}
	if (r == -EISCONN) {
		rdv_forget(m, &d);
		d.port = VMADDR_PORT_ANY;
		r = connect_state(fd, &id, len, &d);
		if (r == 0)
			r = rdv_connect(m, fd, &d);
	}
	if (r == 0) {
		connected(fd, &id, &d);
		return d.nonblock ? -EINPROGRESS : 0;
	}
	if (r == -EINPROGRESS)
		return connecting(fd, &id, &d);
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

/* Of a port that not every user may take: does he have it who says so? */
static struct name believed(int fd, struct name peer)
{
	const struct machine *m;

	if (peer.kind == NAME_NONE || peer.port > ADDR_LAST_RESERVED)
		return peer;
	m = conf_machine();
	if (m && !rdv_believes(m, fd, peer.port))
		peer.kind = NAME_NONE;
	return peer;
}

bool sock_accepted(int fd, int listener, const struct sockaddr_un *un,
		   socklen_t len, struct sockaddr_vm *ret)
{
	struct name own = { .kind = NAME_PATH, .bound = VMADDR_CID_ANY };
	struct vsock_rec rec = vsock_table_default;
	unsigned int tag = TAG_ACCEPTED;
	struct ident from;
	struct name peer = conf_name(un, len);
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
	peer = believed(fd, peer);
	tag |= dialled_of(&own, &peer);
	/* Inherited are sizes and timeout, nothing else. */
	if (gate_is_open(GATE_RECORD) && ident(listener, &from)) {
		sock_record(listener, &from, &rec);
		vsock_table_inherit(ident_key(fd), &rec);
		tag |= from.tag & TAG_SIZED;
	}
	if (tag != TAG_ACCEPTED)
		ident_write(fd, false, tag);
	name_accepted(&own, &peer, dialled_cid(tag, &peer, own.cid), &local,
		      ret);
	sock_window(fd, rec.buffer_size);
	gate_open(GATE_USED);
	hint_set(fd,
		 HINT_OURS | (hints & HINT_OURS ? hints & HINT_SEQ
						: hint_type(ident_type(fd))));
	return true;
}

/* getpeername(2) of the connecting side: what it dialled, as it dialled it. */
static struct sockaddr_vm dialled(int fd, const struct ident *id,
				  const struct name *own,
				  const struct name *peer)
{
	struct sockaddr_vm vm = addr_vm(peer->cid, peer->port);
	struct vsock_rec rec;

	if (peer->kind == NAME_GATEWAY)
		vm.svm_port = id->port;
	/* as it was then, if the client's name says so */
	if (own->cid == peer->cid || own->kind == NAME_AUTO)
		vm.svm_cid = dialled_cid(id->tag, own, peer->cid);
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
	pending_settle(fd, &id);
	if (want_peer && (id.tag & (TAG_SHUT | TAG_FAILED | TAG_PENDING) ||
			  !ident_connected(fd)))
		return -ENOTCONN;
	if (id.tag & TAG_ACCEPTED) {
		peer = believed(fd, ident_peer(fd, &peer_un, &len));
		name_accepted(&own, &peer, dialled_cid(id.tag, &peer, own.cid),
			      &local, &remote);
		*ret = want_peer ? remote : local;
	} else if (want_peer) {
		peer = ident_peer(fd, &peer_un, &len);
		*ret = dialled(fd, &id, &own, &peer);
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
	ssize_t n;

	do /* that the peer died unread is told once, first */
		n = NEXT(recv)(fd, buf, sizeof(buf), MSG_DONTWAIT);
	while (n > 0 || (n < 0 && errno == ECONNRESET));
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
	pending_settle(fd, &id);
	if (!id.dgram && !(id.tag & TAG_SHUT) &&
	    (tag_late(id.tag) ||
	     (!(id.tag & (TAG_FAILED | TAG_PENDING)) && !ident_connected(fd))))
		return -ENOTCONN;
	/* First: who is woken by the call looks at them. */
	gate_open(GATE_ODD);
	hint_add(fd, HINT_ODD);
	ident_change(fd, 0, (unsigned int)how + 1, 0);
	(void)NEXT(shutdown)(fd, how);
	if (how != SHUT_WR && !id.dgram)
		drain(fd);
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
	/* The peer died unread: no error to a vsock, but a gateway's answer,
	 * which is not given twice. */
	if (err == ECONNRESET && id.tag & TAG_PENDING && ident_connected(fd))
		ident_change(fd, TAG_PENDING, TAG_FAILED | TAG_ECONNRESET, 0);
	if (err == ECONNRESET)
		return 0;
	return ident_connected(fd) ? err : ENOTCONN;
}

/*
 * What a call on a socket says whose transport is gone: to whoever blocked
 * then that the connection was reset, later that there is none. Taken as having
 * blocked is the first call that would have.
 */
static int reset_error(int fd, const struct ident *id, int flags)
{
	if (id->tag & TAG_TOLD || flags & MSG_DONTWAIT || nonblocking(fd))
		return ENOTCONN;
	ident_change(fd, 0, TAG_TOLD, 0);
	return ECONNRESET;
}

int sock_recv_ended(int fd, int flags)
{
	struct ident id;

	if (!ident_quiet(fd, &id))
		return 0;
	gateway_settle(fd, &id);
	switch (id.reset) {
	case RESET_OWN:
		return reset_error(fd, &id, flags);
	case RESET_PEER:
		return id.tag & TAG_ERR && !(id.tag & TAG_SHUT_RD) ? ECONNRESET
								   : 0;
	default:
		return 0;
	}
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
	if (id.reset == RESET_OWN || !ident_connected(fd))
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
	pending_settle(fd, &id);
	if (!(id.tag & TAG_ERR))
		return 0;
	ident_change(fd, TAG_ERR, 0, 0);
	return pending_error(id.tag);
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
	bool seq, zerocopy, told = dgram_told(fd, msg);
	struct ident id = { .tag = TAG_NAMED, .dgram = true };
	ssize_t r = -1;

	if (told)
		r = dgram_send(fd, &id, msg, flags);
	if (r >= 0)
		return r;
	if (!ident_socket(fd, &id))
		return SOCK_FOREIGN;
	if (id.dgram)
		return told ? r : dgram_send(fd, &id, msg, flags);
	if (flags & MSG_OOB)
		return -EOPNOTSUPP;
	seq = ident_type(fd) == SOCK_SEQPACKET;
	if (seq && msg->msg_name && msg->msg_namelen)
		return !ident_connected(fd) || ident_finished(fd) ? -EOPNOTSUPP
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
	    (conf_name(from, msg->msg_namelen).dgram ||
	     (ident(fd, &id) && id.dgram))) {
		vm = dgram_source(from, msg->msg_namelen);
		memcpy(from, &vm, sizeof(vm));
		msg->msg_namelen = sizeof(vm);
		return true;
	}
	/* A name that is none of ours: a wrong hint? */
	if (msg->msg_namelen &&
	    conf_name(from, msg->msg_namelen).kind == NAME_NONE &&
	    !ident(fd, &id))
		return false;
	msg->msg_namelen = 0;
	return true;
}

/* Sending is shut on a socket that AF_UNIX says has no peer: the errno. */
static int shut_error(int fd, int flags)
{
	struct iovec empty = { .iov_len = 0 };
	struct msghdr none = { .msg_iov = &empty, .msg_iovlen = 1 };
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

/* A peer that closes, or reads no more, shuts its own side an instant before
 * ours, and a send may come in between. */
static void sit_out(int fd)
{
	struct pollfd p = { .fd = fd };

	for (int ms = 0; ms < 20; ms++) {
		if (send_nothing(fd, MSG_DONTWAIT) == -EPIPE ||
		    NEXT(poll)(&p, 1, 1) != 0)
			return;
	}
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
	case EFAULT: /* the first packet cannot be made */
		return addr && !user_readable(fd, addr, len) ? EFAULT : ENOMEM;
	case EMSGSIZE: /* said when there is a window for it */
		r = send_nothing(fd, flags);
		return r < 0 ? -r : err;
	case EISCONN:
		return ident_finished(fd) ? EOPNOTSUPP : EISCONN;
	case ENOTCONN:
		return id.tag & TAG_SHUT_WR ? shut_error(fd, flags) : err;
	case ECONNRESET: /* the peer died unread, while we slept */
	case EPIPE:
		if (err == EPIPE && !id.dgram && !(id.tag & TAG_SHUT_WR) &&
		    !gate_is_open(GATE_SANDBOX))
			sit_out(fd);
		gateway_settle(fd, &id);
		if (id.reset == RESET_OWN && !(id.tag & TAG_SHUT_WR))
			return reset_error(fd, &id, flags);
		r = id.reset && ident_type(fd) == SOCK_STREAM ? sock_error(fd)
							      : 0;
		/* sk_stream_error(). ECONNRESET is told once: EPIPE is next. */
		return r || err == ECONNRESET ? r : err;
	default:
		return err;
	}
}
