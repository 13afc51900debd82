/* SPDX-License-Identifier: MIT */
/* NETLINK_SOCK_DIAG for AF_VSOCK: see vdiag.h. */
#include "vdiag.h"

#include "conf.h"
#include "core/util.h"
#include "next.h"
#include "sock.h"
#include "user.h"

#include <errno.h>
#include <limits.h>
#include <sys/mman.h>

#include <linux/vm_sockets_diag.h>

/*
 * The SO_LINGER of a netlink socket that was asked, 31 bits which it keeps and
 * does not use: the states that are wanted, or the errno of a refusal, and the
 * end of the sequence number.
 */
#define REFUSED 0x8000u
#define SEQ	0x7fffu

/* No kernel has it, nor looks for a module with it. */
#define NO_FAMILY 255

#define PART 32768 /* the kernel sends no more at a time */

static const struct sys *const sys = &sys_kernel;

struct request {
	struct nlmsghdr head;
	struct vsock_diag_req req;
};

_Static_assert(sizeof(struct vsock_diag_req) == sizeof(struct unix_diag_req) &&
		       offsetof(struct vsock_diag_req, vdiag_states) ==
			       offsetof(struct unix_diag_req, udiag_states) &&
		       offsetof(struct vsock_diag_req, vdiag_show) ==
			       offsetof(struct unix_diag_req, udiag_show),
	       "one request becomes the other");

/* What is needed to answer while a part is received. */
struct listing {
	const struct machine *m;
	uint32_t seq;
	unsigned int wanted; /* states, or REFUSED and an errno */
	bool ended;
	char *part;   /* PART bytes: what is received */
	char *answer; /* PART bytes: what we are told ... */
	int fd;	      /* ... on a socket of our own, or -1 */
};

static void tag_write(int fd, bool on, unsigned int wanted, uint32_t seq)
{
	struct linger l = { .l_onoff = on,
			    .l_linger = (int)(wanted << 15 | (seq & SEQ)) };

	sys->setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
}

static bool tag_read(int fd, unsigned int *wanted, uint32_t *seq)
{
	struct linger l = { .l_onoff = 0 };
	socklen_t len = sizeof(l);

	sys->getsockopt(fd, SOL_SOCKET, SO_LINGER, &l, &len);
	*wanted = (unsigned int)l.l_linger >> 15;
	*seq = (unsigned int)l.l_linger & SEQ;
	return l.l_onoff;
}

/* --- asking -------------------------------------------------------------- */

/* The first bytes of what is sent. Whoever hands in a bad pointer crashes: to
 * find out would cost each request a call. */
static size_t copy_head(const struct msghdr *msg, struct request *ret)
{
	size_t n = 0, len;

	for (size_t i = 0; i < (size_t)msg->msg_iovlen && n < sizeof(*ret);
	     i++) {
		len = msg->msg_iov[i].iov_len;
		if (len > sizeof(*ret) - n)
			len = sizeof(*ret) - n;
		if (len)
			memcpy((char *)ret + n, msg->msg_iov[i].iov_base, len);
		n += len;
	}
	return n;
}

static bool is_request(const struct request *r, size_t n)
{
	return n >= NLMSG_LENGTH(sizeof(struct sock_diag_req)) &&
	       r->head.nlmsg_len >=
		       NLMSG_LENGTH(sizeof(struct sock_diag_req)) &&
	       (r->head.nlmsg_type == SOCK_DIAG_BY_FAMILY ||
		r->head.nlmsg_type == SOCK_DESTROY) &&
	       r->req.sdiag_family == AF_VSOCK;
}

/* A hint is not the truth. */
static bool is_diag(int fd)
{
	int domain = 0, protocol = 0;
	socklen_t len = sizeof(int);

	return sys->getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 &&
	       sys->getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len) ==
		       0 &&
	       domain == AF_NETLINK && protocol == NETLINK_SOCK_DIAG;
}

/* The errno that the kernel would answer with, or 0. */
static unsigned int refusal(const struct nlmsghdr *h)
{
	if (!conf_look())
		return ENOENT; /* there is no vsock */
	if (h->nlmsg_type != SOCK_DIAG_BY_FAMILY)
		return EOPNOTSUPP;
	if (h->nlmsg_len < NLMSG_LENGTH(sizeof(struct vsock_diag_req)))
		return EINVAL;
	return h->nlmsg_flags & NLM_F_DUMP ? 0 : EOPNOTSUPP;
}

/* One request to a send; what would follow it is not sent. */
ssize_t vdiag_send(int fd, const struct msghdr *msg, int flags)
{
	struct request r = { 0 };
	size_t n = copy_head(msg, &r), size = user_iov_bytes(msg);
	unsigned int wanted;

	if (!is_request(&r, n) || !is_diag(fd))
		return SOCK_FOREIGN;
	wanted = refusal(&r.head);
	if (wanted) {
		wanted |= REFUSED;
		r.req.sdiag_family = NO_FAMILY;
	} else {
		wanted = r.req.vdiag_states & (REFUSED - 1);
		r.req.sdiag_family = AF_UNIX;
		r.req.vdiag_states = DIAG_ALL;
		r.req.vdiag_show =
			UDIAG_SHOW_NAME | UDIAG_SHOW_VFS | UDIAG_SHOW_PEER;
	}
	if (r.head.nlmsg_len > sizeof(r) && r.head.nlmsg_len <= size)
		r.head.nlmsg_len = sizeof(r);
	tag_write(fd, true, wanted, r.head.nlmsg_seq);
	hint_add(fd, HINT_ASKED);
	gate_open(GATE_DIAG);
	if (NEXT(sendto)(fd, &r, n, flags, msg->msg_name, msg->msg_namelen) < 0)
		return -errno;
	return (ssize_t)size;
}

/* --- who a peer is ------------------------------------------------------- */

/* Asks on a socket of our own. */
static bool ask(struct listing *l, const struct diag_question *q)
{
	struct iovec iov = { .iov_base = (void *)q, .iov_len = sizeof(*q) };
	const struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (l->fd < 0)
		l->fd = sys->socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC,
				    NETLINK_SOCK_DIAG);
	return l->fd >= 0 && sys->sendmsg(l->fd, &msg, 0) >= 0;
}

/* The name of the socket with @inode. */
static struct name name_of(struct listing *l, uint32_t inode)
{
	const struct nlmsghdr *h = (const struct nlmsghdr *)l->answer;
	struct diag_question q = diag_about(inode, UDIAG_SHOW_NAME);
	struct diag d;
	ssize_t n;

	if (ask(l, &q)) {
		n = sys->read(l->fd, l->answer, PART);
		if (NLMSG_OK(h, n) && diag_read(h, &d))
			return conf_name(&d.un, d.len);
	}
	return (struct name){ .kind = NAME_NONE };
}

static bool has_waiting(const struct diag *d, uint32_t inode)
{
	for (size_t i = 0; i < d->n_waiting; i++)
		if (d->waiting[i] == inode)
			return true;
	return false;
}

/* The name of who listens, and has not accepted the client with @inode. */
static struct name awaited(struct listing *l, uint32_t inode)
{
	struct diag_question q = diag_about_all(
		1 << DIAG_LISTENS, UDIAG_SHOW_NAME | UDIAG_SHOW_ICONS);
	struct name ret = { .kind = NAME_NONE };
	const struct nlmsghdr *h;
	bool more = ask(l, &q);
	struct diag d;
	ssize_t n;

	while (more) {
		n = sys->read(l->fd, l->answer, PART);
		more = n > 0;
		h = (const struct nlmsghdr *)l->answer;
		for (; more && NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
			more = h->nlmsg_type == SOCK_DIAG_BY_FAMILY;
			if (diag_read(h, &d) && has_waiting(&d, inode))
				ret = conf_name(&d.un, d.len);
		}
	}
	return ret;
}

/* --- what a socket shows ------------------------------------------------- */

/* What a client dialled, of the CIDs that its own machine has. */
static uint32_t dialled(const struct listing *l, const struct name *client)
{
	bool named = client->kind == NAME_AUTO;
	uint32_t told = named ? client->dialled : client->cid;

	return l->m->ports && client->cid == l->m->cid
		       ? ports_dialled(l->m->ports, client->port, named,
				       client->cid, told)
		       : told;
}

static void show_connected(struct listing *l, const struct diag *d,
			   const struct name *own, struct vsock_diag_msg *ret)
{
	struct sockaddr_vm remote = addr_vm(VMADDR_CID_ANY, VMADDR_PORT_ANY);
	struct sockaddr_vm local, client;
	bool gone = !d->peer && d->shut == TAG_SHUT;
	struct name peer = { .kind = NAME_NONE };

	if (d->peer)
		peer = name_of(l, d->peer);
	else if (!gone)
		peer = awaited(l, d->inode);
	if (gone)
		ret->vdiag_state = DIAG_CLOSING;
	else if (!d->peer && peer.kind == NAME_GATEWAY)
		ret->vdiag_state = DIAG_SYN_SENT;
	/* AF_UNIX's bits are also what the peer did: who has shut something is
	 * taken to have shut sending. */
	ret->vdiag_shutdown = gone ? 0 : d->shut & TAG_SHUT_WR;
	if (own->kind == NAME_PATH &&
	    (peer.kind == NAME_AUTO || rdv_accepted(l->m, d, own))) {
		name_accepted(own, &peer, dialled(l, &peer), &local, &client);
		ret->vdiag_src_cid = local.svm_cid;
		if (!gone)
			remote = client;
	} else if (peer.kind == NAME_PATH) {
		remote = addr_vm(peer.cid == own->cid ? dialled(l, own)
						      : peer.cid,
				 peer.port);
	} else if (own->kind == NAME_AUTO) { /* gone, or a bridge */
		remote.svm_cid = own->dialled;
	}
	ret->vdiag_dst_cid = remote.svm_cid;
	ret->vdiag_dst_port = remote.svm_port;
}

/* Is it a client of this machine, bound by connect(2)? */
static bool has_client(const struct machine *m, const struct diag *d,
		       const struct name *name)
{
	char prefix[NAME_AUTO_PREFIX_MAX];
	int n;

	if (!m->ports)
		return false;
	n = name_auto_prefix(prefix, ports_id(m->ports),
			     name_decode(&d->un, d->len).cid, name->port);
	/* the first byte is @, or NUL */
	return memcmp(prefix + 1, d->un.sun_path + 1, (size_t)n - 1) == 0;
}

/* Is it a vsock socket of this machine? */
static bool is_here(const struct machine *m, const struct diag *d,
		    const struct name *name)
{
	if (!m || name->cid != m->cid)
		return false;
	switch (name->kind) {
	case NAME_AUTO:
		return has_client(m, d, name);
	case NAME_PATH:
		return rdv_has(m, d, name);
	default: /* a bridge's */
		return false;
	}
}

/* False: it is none of this machine's, or not in a state that is wanted. */
static bool show(struct listing *l, const struct diag *d,
		 struct vsock_diag_msg *ret)
{
	struct name own = conf_name(&d->un, d->len);

	if (!is_here(l->m, d, &own))
		return false;
	*ret = (struct vsock_diag_msg){
		.vdiag_family = AF_VSOCK,
		.vdiag_type = d->type,
		.vdiag_state = d->type == SOCK_DGRAM ? DIAG_CLOSED : d->state,
		.vdiag_src_cid =
			own.kind == NAME_PATH ? own.bound : VMADDR_CID_ANY,
		.vdiag_src_port = own.port,
		.vdiag_dst_cid = VMADDR_CID_ANY,
		.vdiag_dst_port = VMADDR_PORT_ANY,
		.vdiag_ino = d->inode,
		.vdiag_cookie = { d->cookie[0], d->cookie[1] },
	};
	if (ret->vdiag_state == DIAG_ESTABLISHED)
		show_connected(l, d, &own, ret);
	return l->wanted >> ret->vdiag_state & 1;
}

/* --- receiving ----------------------------------------------------------- */

/* An error of the kernel's, about what it was asked instead. */
static void mend_error(const struct listing *l, struct nlmsghdr *h)
{
	struct nlmsgerr *e = NLMSG_DATA(h);

	if (e->error && l->wanted & REFUSED)
		e->error = -(int)(l->wanted & ~REFUSED);
	if (!(h->nlmsg_flags & NLM_F_CAPPED) &&
	    h->nlmsg_len > NLMSG_LENGTH(sizeof(*e)))
		*(uint8_t *)(e + 1) = AF_VSOCK;
}

/* Makes one message AF_VSOCK's, in its place: with a name, AF_UNIX's is longer.
 * How long it is then. */
static size_t translate(struct listing *l, struct nlmsghdr *h, size_t size)
{
	struct vsock_diag_msg msg;
	struct diag d;

	if (!NLMSG_OK(h, size) || (h->nlmsg_seq & SEQ) != l->seq)
		return size;
	if (h->nlmsg_type == NLMSG_ERROR || h->nlmsg_type == NLMSG_DONE)
		l->ended = true;
	if (h->nlmsg_type == NLMSG_ERROR)
		mend_error(l, h);
	if (!diag_read(h, &d))
		return size;
	if (size < NLMSG_SPACE(sizeof(msg)) || !show(l, &d, &msg))
		return 0;
	memcpy(NLMSG_DATA(h), &msg, sizeof(msg));
	h->nlmsg_len = NLMSG_LENGTH(sizeof(msg));
	return h->nlmsg_len;
}

/* All of a part. How long it is then. */
static size_t translate_part(struct listing *l, size_t n)
{
	size_t at = 0, done = 0, size, kept;
	struct nlmsghdr *h;

	for (; at < n; at += size) {
		h = (struct nlmsghdr *)(l->part + at);
		size = n - at;
		if (NLMSG_OK(h, size) && NLMSG_ALIGN(h->nlmsg_len) < size)
			size = NLMSG_ALIGN(h->nlmsg_len);
		kept = translate(l, h, size);
		memmove(l->part + done, h, kept);
		done += kept;
	}
	return done;
}

/* As recvmsg(2), after its copy of the data. */
static ssize_t copy_out(int fd, const struct msghdr *to, const char *from,
			size_t n)
{
	size_t done = 0, len;

	for (size_t i = 0; i < (size_t)to->msg_iovlen && done < n; i++) {
		len = to->msg_iov[i].iov_len;
		if (len > n - done)
			len = n - done;
		if (!user_writable(fd, to->msg_iov[i].iov_base, len))
			return -EFAULT;
		if (len)
			memcpy(to->msg_iov[i].iov_base, from + done, len);
		done += len;
	}
	return (ssize_t)done;
}

/* Receives a part into @msg, and makes it AF_VSOCK's: *@ret_n bytes, 0 if
 * nothing is left. 0, -errno, SOCK_FOREIGN. */
static int receive_part(struct listing *l, int fd, struct msghdr *msg,
			int flags, size_t *ret_n)
{
	struct msghdr size = { 0 };
	ssize_t n;

	n = NEXT(recvmsg)(fd, &size, flags | MSG_PEEK | MSG_TRUNC);
	if (n < 0)
		return -errno;
	if (n > PART)
		return SOCK_FOREIGN;
	/* The kernel makes its parts as long as it sees receives ask for. */
	if (msg->msg_iov->iov_len < (size_t)n)
		msg->msg_iov->iov_len = (size_t)n;
	n = NEXT(recvmsg)(fd, msg, flags & ~MSG_TRUNC);
	if (n < 0)
		return -errno;
	*ret_n = translate_part(l, (size_t)n);
	if (*ret_n == 0 && flags & MSG_PEEK)
		NEXT(recvmsg)(fd, &size, MSG_DONTWAIT);
	return 0;
}

static ssize_t receive(struct listing *l, int fd, struct msghdr *msg, int flags)
{
	size_t room = user_iov_bytes(msg), n = 0;
	struct msghdr got;
	struct iovec iov;
	ssize_t r;

	/* Where a part was, the next one is, until the last has come. */
	while (n == 0) {
		iov.iov_base = l->part;
		iov.iov_len = room < PART ? room : PART;
		got = *msg;
		got.msg_iov = &iov;
		got.msg_iovlen = 1;
		r = receive_part(l, fd, &got, flags, &n);
		if (r < 0)
			return r;
	}
	r = copy_out(fd, msg, l->part, n);
	if (r < 0)
		return r;
	msg->msg_namelen = got.msg_namelen;
	msg->msg_controllen = got.msg_controllen;
	msg->msg_flags = got.msg_flags;
	if ((size_t)r < n)
		msg->msg_flags |= MSG_TRUNC;
	return flags & MSG_TRUNC ? (ssize_t)n : r;
}

ssize_t vdiag_receive(int fd, struct msghdr *msg, int flags)
{
	struct listing l = { .fd = -1 };
	void *memory;
	ssize_t r;

	if (!is_diag(fd) || !tag_read(fd, &l.wanted, &l.seq)) {
		hint_drop(fd, HINT_ASKED);
		return SOCK_FOREIGN;
	}
	if (!user_readable(fd, msg, sizeof(*msg)) ||
	    msg->msg_iovlen > UIO_MAXIOV ||
	    !user_readable(fd, msg->msg_iov,
			   msg->msg_iovlen * sizeof(*msg->msg_iov)))
		return SOCK_FOREIGN; /* the kernel says what is wrong */
	r = sys->map(-1, (size_t)2 * PART, &memory);
	if (r < 0)
		return r;
	l.m = conf_look();
	l.part = memory;
	l.answer = l.part + PART;
	r = receive(&l, fd, msg, flags);
	munmap(memory, (size_t)2 * PART);
	if (l.fd >= 0)
		sys->close(l.fd);
	if (l.ended && !(flags & MSG_PEEK)) {
		hint_drop(fd, HINT_ASKED);
		tag_write(fd, false, 0, 0);
	}
	return r;
}
