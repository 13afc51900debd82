/* SPDX-License-Identifier: MIT */
/*
 * Readiness: what poll, select and epoll show of an emulated socket, from what
 * the kernel showed of the AF_UNIX socket below (vsock_poll()).
 *
 * The kernel's answer stands unless there is evidence against it: bits that
 * AF_VSOCK does not show (HUP, ERR, WRBAND), or a hint on that descriptor.
 * Without evidence there is no system call and no lock.
 */
#ifndef READY_H
#define READY_H

#include "hint.h"

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/time.h>
#include <time.h>

/* What AF_VSOCK does not show, or not always: the same bits for epoll. */
#define READY_EVIDENCE ((unsigned int)(POLLHUP | POLLERR | POLLWRBAND))

/* When a wait ends: CLOCK_MONOTONIC in ns; 0: at once, UINT64_MAX: never. */
uint64_t ready_end_ms(int timeout);
uint64_t ready_end_ts(const struct timespec *timeout);

/* As ready_end_ms(), up to two hundredths of a second late, for a sixth of its
 * price: where the kernel's own wait is hardly ever to be gone on with. */
uint64_t ready_end_about(int timeout);

bool ready_over(uint64_t end);

/* What is left of a wait until @end, as select(2) leaves it. */
void ready_left(uint64_t end, struct timeval *ret);
void ready_left_ts(uint64_t end, struct timespec *ret);

/* Is any of the @n results (or events) to be doubted? */
bool ready_doubt_poll(const struct pollfd *fds, nfds_t n);
bool ready_doubt_select(int nfds, const fd_set *in, const fd_set *out,
			const fd_set *ex);

bool ready_doubt_events(int epfd, const struct epoll_event *ev, int n);

static inline bool ready_doubt_epoll(int epfd, const struct epoll_event *ev,
				     int n)
{
	unsigned int all = 0;

	for (int i = 0; i < n; i++)
		all |= ev[i].events;
	return (all & READY_EVIDENCE || gate_is_open(GATE_ODD)) &&
	       ready_doubt_events(epfd, ev, n);
}

/* Has one of @fds an error queue that is not empty, or may a connect time out?
 * Then poll does not wait. */
bool ready_now_poll(const struct pollfd *fds, nfds_t n);
bool ready_now_select(int nfds, const fd_set *in, const fd_set *out);

/*
 * After a poll that left something to doubt: mends the results, and waits on
 * if nothing remains. Returns what poll(2) returns, or -errno. @mask: as for
 * ppoll(2), or NULL.
 */
int ready_poll(struct pollfd *fds, nfds_t n, uint64_t end,
	       const sigset_t *mask);

/* The same for select(2): @in, @out, @ex are what the program asked for. */
int ready_select(int nfds, fd_set *in, fd_set *out, fd_set *ex, uint64_t end,
		 const sigset_t *mask);

/* The same for epoll_wait(2), which gave @r events, or was not called yet (0).
 */
int ready_epoll(int epfd, struct epoll_event *ev, int max, int r, uint64_t end,
		const sigset_t *mask);

#endif
