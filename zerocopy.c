/* SPDX-License-Identifier: MIT */
/* MSG_ZEROCOPY: see zerocopy.h. */
#include "zerocopy.h"

#include "core/addr.h"
#include "core/sys.h"
#include "hint.h"
#include "ident.h"
#include "user.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include <linux/errqueue.h>

#ifndef SOL_VSOCK
#define SOL_VSOCK 287
#endif
#ifndef VSOCK_RECVERR
#define VSOCK_RECVERR 1
#endif

/* What the kernel's own count takes: SKB_TRUESIZE(0). */
#define COUNT_BYTES 576

/* Until here ancillary data is on the kernel's stack: ____sys_sendmsg(). */
#define CONTROL_FREE 36

int zerocopy_room(size_t controllen)
{
	char buf[16];
	const char *s = buf;
	uint32_t max = UINT32_MAX;
	ssize_t n;
	int fd;

	if (controllen <= CONTROL_FREE)
		return 0;
	fd = sys_kernel.open("/proc/sys/net/core/optmem_max",
			     O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return 0;
	n = sys_kernel.read(fd, buf, sizeof(buf));
	sys_kernel.close(fd);
	if (n > 0)
		(void)addr_scan_u32(&s, buf + n, &max);
	if (controllen >= max) /* nor for itself */
		return -ENOBUFS;
	return controllen + COUNT_BYTES > max ? -ENOMEM : 0;
}

void zerocopy_sent(int fd, const struct vsock_rec *rec, size_t n)
{
	vsock_table_sent(ident_key(fd), n > rec->buffer_size);
	gate_open(GATE_ERRQ | GATE_ODD);
	hint_add(fd, HINT_ODD);
}

bool zerocopy_pending(int fd)
{
	struct vsock_completion c;

	return vsock_table_completion(ident_key(fd), false, &c);
}

/* put_cmsg() */
static void put_control(int fd, struct msghdr *msg, const void *data,
			size_t size)
{
	struct cmsghdr c = { .cmsg_len = CMSG_LEN(size),
			     .cmsg_level = SOL_VSOCK,
			     .cmsg_type = VSOCK_RECVERR };
	char *to = msg->msg_control;
	size_t room = msg->msg_controllen;

	msg->msg_controllen = 0;
	if (!to || room < sizeof(c)) {
		msg->msg_flags |= MSG_CTRUNC;
		return;
	}
	if (c.cmsg_len > room) {
		msg->msg_flags |= MSG_CTRUNC;
		c.cmsg_len = room;
	}
	if (!user_writable(fd, to, c.cmsg_len))
		return;
	memcpy(to, &c, sizeof(c));
	memcpy(to + CMSG_LEN(0), data, c.cmsg_len - CMSG_LEN(0));
	msg->msg_controllen = CMSG_SPACE(size) < room ? CMSG_SPACE(size) : room;
}

int zerocopy_receive(int fd, struct msghdr *msg)
{
	struct sock_extended_err e = { .ee_origin = SO_EE_ORIGIN_ZEROCOPY };
	struct vsock_completion c;

	if (!gate_is_open(GATE_ERRQ) ||
	    !vsock_table_completion(ident_key(fd), true, &c))
		return -EAGAIN;
	e.ee_code = c.copied ? SO_EE_CODE_ZEROCOPY_COPIED : 0;
	e.ee_info = c.first;
	e.ee_data = c.last;
	msg->msg_namelen = 0;
	msg->msg_flags = MSG_ERRQUEUE;
	put_control(fd, msg, &e, sizeof(e));
	return 0;
}
