/* SPDX-License-Identifier: MIT */
/* Which processes hold a socket: as far as /proc shows the caller. */
#ifndef CLI_HOLDERS_H
#define CLI_HOLDERS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct holder {
	uint32_t inode;
	pid_t pid;
	int fd;	       /* a descriptor of it there */
	char name[16]; /* printable ASCII */
};

struct holders {
	struct holder *all; /* by inode, then pid; a process once */
	size_t n;
};

/* Those of all sockets. The list is the caller's to free. */
void holders_list(struct holders *ret);

/* The first with @inode; the others of it follow. NULL: none. */
const struct holder *holders_find(const struct holders *h, uint32_t inode);

#endif
