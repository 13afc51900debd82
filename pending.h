/* SPDX-License-Identifier: MIT */
/*
 * Non-blocking connects that nobody will answer: until their deadline they
 * show nothing to poll, then POLLERR and ETIMEDOUT. The kernel has a timer for
 * that; here the calls that wait look at the clock.
 */
#ifndef PENDING_H
#define PENDING_H

#include "ident.h"
#include "vsock_table.h"

/* CLOCK_MONOTONIC in ns. */
uint64_t pending_now(void);

/* When a @timeout that begins now is over. */
uint64_t pending_end(const struct vsock_timeout *timeout);

/*
 * @fd's connect times out in @timeout. False if too many are pending already:
 * then it has timed out.
 */
bool pending_add(int fd, const struct vsock_timeout *timeout);

/*
 * Until when does it still wait? 0: no longer. A socket of TAG_PENDING that is
 * unknown here does not.
 */
uint64_t pending_waits(int fd);

/*
 * Lets those time out whose time has come, and wakes who waits for them.
 * Returns the next deadline in ns, UINT64_MAX if there is none.
 */
uint64_t pending_expire(void);

#endif
