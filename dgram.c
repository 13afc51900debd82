/* SPDX-License-Identifier: MIT */
/* SOCK_DGRAM: see dgram.h. */
#include "dgram.h"

#include "conf.h"
#include "hint.h"
#include "sock.h"
#include "user.h"

#include <errno.h>

static const struct sys *const sys = &sys_kernel;

/* The port is in the tag. AF_UNIX keeps this option, and does not use it. */
#define PEER_CID SO_INCOMING_CPU

static int autobind(int fd, const struct ident *id)
{
	const struct vaddr any = { VMADDR_CID_ANY, VMADDR_PORT_ANY };

	int r = id->tag & TAG_NAMED ? 0 : sock_bind_to(fd, id, &any);

	return r == -EINVAL ? 0 : r; /* another thread was first */
}

int dgram_connect(int fd, const struct ident *id, const struct sockaddr_vm *to,
		  socklen_t len)
{
	int r;

	if (len >= sizeof(*to) && to->svm_family == AF_UNSPEC)
		return ident_change(fd, TAG_PORT, 0, 0);
	r = addr_check(to, len);
	if (r == 0)
		r = autobind(fd, id);
	if (r == 0)
		r = sys->setsockopt(fd, SOL_SOCKET, PEER_CID, &to->svm_cid,
				    sizeof(to->svm_cid));
	return r < 0 ? r : ident_change(fd, 0, TAG_PORT, to->svm_port);
}

bool dgram_peer(int fd, const struct ident *id, struct sockaddr_vm *ret)
{
	uint32_t cid;
	socklen_t len = sizeof(cid);

	if (!(id->tag & TAG_PORT) || id->tag & TAG_SHUT ||
	    sys->getsockopt(fd, SOL_SOCKET, PEER_CID, &cid, &len) < 0)
		return false;
	*ret = addr_vm(cid, id->port);
	return true;
}

/* An address that is none counts as none. */
static bool destination(int fd, const struct ident *id,
			const struct msghdr *msg, struct sockaddr_vm *ret)
{
	if (!msg->msg_name || addr_check(msg->msg_name, msg->msg_namelen) < 0)
		return dgram_peer(fd, id, ret);
	memcpy(ret, msg->msg_name, sizeof(*ret));
	return true;
}

bool dgram_told(int fd, const struct msghdr *msg)
{
	const unsigned int told = HINT_OURS | HINT_DGRAM | HINT_PATH;

	return (hint_get(fd) & (told | HINT_LOOK)) == told && msg->msg_name &&
	       addr_check(msg->msg_name, msg->msg_namelen) == 0;
}

/* Was EPIPE the socket's own, or its receiver's, which would drop it? */
static bool shut(int fd)
{
	struct ident id;

	return ident(fd, &id) && id.tag & TAG_SHUT_WR;
}

ssize_t dgram_send(int fd, const struct ident *id, const struct msghdr *msg,
		   int flags)
{
	struct machine *m = conf_machine();
	struct sockaddr_vm to;
	ssize_t r;

	if (!m)
		return -ENODEV;
	if (flags & MSG_OOB)
		return -EOPNOTSUPP;
	r = autobind(fd, id);
	if (r < 0)
		return r;
	if (!destination(fd, id, msg, &to) || to.svm_port == VMADDR_PORT_ANY)
		return -EINVAL;
	if (to.svm_cid == VMADDR_CID_ANY)
		to.svm_cid = m->cid;
	if (id->tag & TAG_SHUT_WR)
		return -EPIPE;
	r = rdv_send(m, fd, &to, msg, flags);
	if (r == -EPIPE && !shut(fd))
		r = 0;
	/* What was dropped has been sent. */
	return r < 0 ? r : (ssize_t)user_iov_bytes(msg);
}

struct sockaddr_vm dgram_source(const struct sockaddr_un *un, socklen_t len)
{
	struct machine *m = conf_machine();
	struct name name = conf_name(un, len);
	uint32_t own = m ? m->cid : VMADDR_CID_HOST;

	if (name.kind != NAME_PATH) /* a plain AF_UNIX program */
		return addr_vm(name_stranger(own), VMADDR_PORT_ANY);
	if (name.cid == own)
		name.cid = name.bound == VMADDR_CID_ANY ? VMADDR_CID_LOCAL
							: name.bound;
	return addr_vm(name.cid, name.port);
}
