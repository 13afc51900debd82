/* SPDX-License-Identifier: MIT */
/* How the kernel tells of its AF_UNIX sockets: see diag.h. */
#include "core/diag.h"

#include <string.h>
#include <sys/sysmacros.h>

#include <linux/rtnetlink.h>

struct diag_question diag_about_all(uint32_t states, uint32_t show)
{
	return (struct diag_question){
		.head = { .nlmsg_len = sizeof(struct diag_question),
			  .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			  .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.req = { .sdiag_family = AF_UNIX,
			 .udiag_states = states,
			 .udiag_show = show },
	};
}

struct diag_question diag_about(uint32_t inode, uint32_t show)
{
	struct diag_question q = diag_about_all(DIAG_ALL, show);

	q.head.nlmsg_flags = NLM_F_REQUEST;
	q.req.udiag_ino = inode;
	q.req.udiag_cookie[0] = UINT32_MAX; /* whatever it is */
	q.req.udiag_cookie[1] = UINT32_MAX;
	return q;
}

/* The kernel's own number for a device. */
static dev_t device(uint32_t v)
{
	return makedev(v >> 20, v & 0xfffff);
}

static void set_name(struct diag *d, const struct rtattr *a)
{
	size_t n = RTA_PAYLOAD(a);

	if (n > sizeof(d->un.sun_path))
		n = sizeof(d->un.sun_path);
	d->un.sun_family = AF_UNIX;
	memcpy(d->un.sun_path, RTA_DATA(a), n);
	d->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
}

static void set_attribute(struct diag *d, const struct rtattr *a)
{
	switch (a->rta_type) {
	case UNIX_DIAG_NAME:
		set_name(d, a);
		break;
	case UNIX_DIAG_VFS: {
		const struct unix_diag_vfs *v = RTA_DATA(a);

		d->file = v->udiag_vfs_ino;
		d->dev = device(v->udiag_vfs_dev);
		break;
	}
	case UNIX_DIAG_PEER:
		memcpy(&d->peer, RTA_DATA(a), sizeof(d->peer));
		break;
	case UNIX_DIAG_ICONS:
		d->waiting = RTA_DATA(a);
		d->n_waiting = RTA_PAYLOAD(a) / sizeof(*d->waiting);
		break;
	case UNIX_DIAG_RQLEN: {
		const struct unix_diag_rqlen *q = RTA_DATA(a);

		d->recv_q = q->udiag_rqueue;
		d->send_q = q->udiag_wqueue;
		break;
	}
	case UNIX_DIAG_SHUTDOWN:
		memcpy(&d->shut, RTA_DATA(a), sizeof(d->shut));
		break;
	default:
		break;
	}
}

bool diag_read(const struct nlmsghdr *h, struct diag *ret)
{
	const struct unix_diag_msg *m = NLMSG_DATA(h);
	const struct rtattr *a = (const struct rtattr *)(m + 1);
	int left = (int)(h->nlmsg_len - NLMSG_LENGTH(sizeof(*m)));

	if (h->nlmsg_type != SOCK_DIAG_BY_FAMILY || left < 0 ||
	    m->udiag_family != AF_UNIX)
		return false;
	*ret = (struct diag){ .inode = m->udiag_ino,
			      .type = m->udiag_type,
			      .state = m->udiag_state };
	memcpy(ret->cookie, m->udiag_cookie, sizeof(ret->cookie));
	for (; RTA_OK(a, left); a = RTA_NEXT(a, left))
		set_attribute(ret, a);
	return true;
}
