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

#include <time.h>

/* CLOCK_MONOTONIC in ns: the kernel's, as libc's may be faked (libfaketime),
 * and no kernel's timer is. */
uint64_t pending_now(void);

/* When a @timeout that begins now is over. */
uint64_t pending_end(const struct vsock_timeout *timeout);

/* What is left until @end; false if nothing is. */
bool pending_left(uint64_t end, struct timespec *ret);

/*
 * @fd's connect times out at @end. False if too many are pending already: then
 * it has timed out; or, if a gateway was asked, it does not.
 */
bool pending_add(int fd, uint64_t end);

/* The same of its duplicate @to. */
void pending_dup(int fd, int to);

/* Is there any? */
bool pending_any(void);

/* It was answered in time. */
void pending_forget(int fd);

/*
 * Until when does it still wait? 0: no longer. A socket of TAG_PENDING that is
 * unknown here does not.
 */
uint64_t pending_waits(int fd);

/* @id, of @fd, after its answer: its time came, here or where it was begun; or
 * a gateway said something. */
void pending_settle(int fd, struct ident *id);

/*
 * Lets those time out whose time has come, and wakes who waits for them.
 * Returns the next deadline in ns, UINT64_MAX if there is none.
 */
uint64_t pending_expire(void);

#endif
