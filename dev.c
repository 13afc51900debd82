/* SPDX-License-Identifier: MIT */
/* /dev/vsock: see dev.h. */
#include "dev.h"

#include "conf.h"
#include "hint.h"
#include "sock.h"
#include "user.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

bool dev_is_path(const char *path)
{
	/* Into the first and the last page no pointer points: the kernel's to
	 * refuse, as others that do not hold should be. */
	return (uintptr_t)path >= 4096 && (uintptr_t)path < -(uintptr_t)4096 &&
	       *path == '/' && strcmp(path, "/dev/vsock") == 0;
}

bool dev_exists(void)
{
	return conf_vsock();
}

bool dev_is_open(int fd)
{
	struct ident id;

	return ident(fd, &id) && id.tag & TAG_DEVICE;
}

int dev_open(int flags)
{
	unsigned int tag = TAG_DEVICE;
	int fd, r;

	if (!dev_exists())
		return -ENOENT;
	if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
		return -EEXIST;
	if (flags & O_DIRECTORY)
		return -ENOTDIR;
	fd = sys_kernel.socket(AF_UNIX,
			       SOCK_STREAM |
				       (flags & O_CLOEXEC ? SOCK_CLOEXEC : 0) |
				       (flags & O_NONBLOCK ? SOCK_NONBLOCK : 0),
			       0);
	if (fd < 0)
		return fd;
	if ((flags & O_ACCMODE) == O_RDONLY)
		tag |= TAG_RDONLY;
	r = ident_write(fd, false, tag);
	if (r < 0) {
		sys_kernel.close(fd);
		return r;
	}
	gate_open(GATE_USED);
	hint_set(fd, HINT_OURS | HINT_FRESH);
	return fd;
}

int dev_local_cid(int fd, void *ret)
{
	struct machine *m = conf_machine();
	struct ident id;

	if (!m || !ident(fd, &id) || !(id.tag & TAG_DEVICE))
		return SOCK_FOREIGN;
	if (!user_writable(fd, ret, sizeof(m->cid)))
		return -EFAULT;
	memcpy(ret, &m->cid, sizeof(m->cid)); /* it may be misaligned */
	return 0;
}
