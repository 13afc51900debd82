/* SPDX-License-Identifier: MIT */
/* The AF_UNIX sockets of this network namespace, as the kernel lists them. */
#ifndef CLI_DIAG_H
#define CLI_DIAG_H

#include "core/diag.h"

struct diags {
	struct diag *all; /* by inode */
	size_t n;
};

/*
 * Lists those that have a name. Clients that nobody has accepted have who
 * listens as their peer. 0, or -errno. The list is the caller's to free.
 */
int diag_list(struct diags *ret);

/* The one with @inode, or NULL. */
const struct diag *diag_find(const struct diags *d, uint32_t inode);

#endif
