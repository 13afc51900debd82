/* SPDX-License-Identifier: MIT */
/* The AF_UNIX sockets that the kernel lists (NETLINK_SOCK_DIAG): see diag.h. */
#include "cli/diag.h"

#include "cli/cli.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* A client that waits to be accepted. */
struct waiting {
	uint32_t client, listener;
};

struct list {
	struct diags *socks;
	struct waiting *waiting;
	size_t n_waiting;
	int parts;
};

static void add_waiting(struct list *l, const struct diag *d)
{
	for (size_t i = 0; i < d->n_waiting; i++) {
		l->waiting =
			cli_grow(l->waiting, l->n_waiting, sizeof(*l->waiting));
		l->waiting[l->n_waiting++] =
			(struct waiting){ d->waiting[i], d->inode };
	}
}

static void add(struct list *l, const struct nlmsghdr *h)
{
	struct diag d;

	if (!diag_read(h, &d) || !d.len)
		return;
	add_waiting(l, &d);
	d.waiting = NULL; /* it goes with the answer */
	l->socks->all =
		cli_grow(l->socks->all, l->socks->n, sizeof(*l->socks->all));
	l->socks->all[l->socks->n++] = d;
}

static int by_inode(const void *a, const void *b)
{
	uint32_t x = ((const struct diag *)a)->inode;
	uint32_t y = ((const struct diag *)b)->inode;

	return (x > y) - (x < y);
}

static int ask(int fd)
{
	struct diag_question q = diag_about_all(
		DIAG_ALL, UDIAG_SHOW_NAME | UDIAG_SHOW_VFS | UDIAG_SHOW_PEER |
				  UDIAG_SHOW_ICONS | UDIAG_SHOW_RQLEN);

	return send(fd, &q, sizeof(q), 0) < 0 ? -errno : 0;
}

/* 1: there is more to come; 0, or -errno. */
static int take(struct list *l, int fd)
{
	_Alignas(struct nlmsghdr) char buf[32768];
	ssize_t n = recv(fd, buf, sizeof(buf), 0);
	const struct nlmsghdr *h = (const struct nlmsghdr *)buf;

	if (n < 0)
		return errno == EINTR ? 1 : -errno;
	l->parts++;
	for (; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
		if (h->nlmsg_type == NLMSG_DONE)
			return 0;
		if (h->nlmsg_type == NLMSG_ERROR)
			return ((const struct nlmsgerr *)NLMSG_DATA(h))->error;
		add(l, h);
	}
	return 1;
}

const struct diag *diag_find(const struct diags *d, uint32_t inode)
{
	const struct diag key = { .inode = inode };

	return inode ? bsearch(&key, d->all, d->n, sizeof(key), by_inode)
		     : NULL;
}

/* All sockets, added to @l. 0, or -errno. */
static int list(struct list *l)
{
	int fd, r;

	l->parts = 0;
	fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	if (fd < 0)
		return -errno;
	r = ask(fd);
	if (r == 0)
		do
			r = take(l, fd);
		while (r > 0);
	close(fd);
	return r;
}

static void sort(struct diags *d)
{
	size_t n = 0;

	qsort(d->all, d->n, sizeof(*d->all), by_inode);
	for (size_t i = 0; i < d->n; i++)
		if (n == 0 || d->all[n - 1].inode != d->all[i].inode)
			d->all[n++] = d->all[i];
	d->n = n;
}

/* Few are forgotten twice, none four times. */
#define AGAIN 3

int diag_list(struct diags *ret)
{
	struct list l = { .socks = ret };
	struct diag *client;
	int r;

	*ret = (struct diags){ 0 };
	r = list(&l);
	/* Between two parts (the last has no sockets) unix_diag_dump() forgets
	 * some, or tells twice of them, if others end: again, then. */
	for (int i = 0; r == 0 && l.parts > 2 && i < AGAIN; i++)
		r = list(&l);
	if (ret->n)
		sort(ret);
	for (size_t i = 0; i < l.n_waiting; i++) {
		client = (struct diag *)diag_find(ret, l.waiting[i].client);
		if (client && !client->peer)
			client->peer = l.waiting[i].listener;
	}
	free(l.waiting);
	return r;
}
