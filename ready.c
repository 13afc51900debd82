/* SPDX-License-Identifier: MIT */
/*
 * Readiness: see ready.h.
 *
 * Theory of operation. AF_UNIX shows HUP where AF_VSOCK does not (fresh, the
 * peer closed) and OUT where AF_VSOCK does not (after SHUT_WR). An event may
 * so be masked to nothing, and the wait must go on without spinning on it:
 * poll and select go on in a private epoll with all descriptors
 * edge-triggered, where a condition shows once; in the program's own epoll the
 * descriptor is muted, that is made edge-triggered, until it shows something
 * that is delivered.
 */
#include "ready.h"

#include "core/sys.h"
#include "epmap.h"
#include "gateway.h"
#include "hint.h"
#include "next.h"
#include "pending.h"
#include "pool.h"
#include "zerocopy.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>

#define READABLE (POLLIN | POLLRDNORM)
#define WRITABLE (POLLOUT | POLLWRNORM)

/* The coarse clock is behind by a tick at most, on a kernel of 100 Hz. */
#define COARSE_NS 10000000u

/* libc's, which takes no system call, as a program's own timeouts are. */
static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* From now to then; for ever stays so. */
static uint64_t left(uint64_t then, uint64_t now)
{
	return then == UINT64_MAX ? then : then > now ? then - now : 0;
}

uint64_t ready_end_ms(int timeout)
{
	if (timeout <= 0)
		return timeout < 0 ? UINT64_MAX : 0;
	return now_ns() + (uint64_t)timeout * 1000000;
}

uint64_t ready_end_about(int timeout)
{
	struct timespec now;

	if (timeout <= 0)
		return ready_end_ms(timeout);
	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec +
	       COARSE_NS + (uint64_t)timeout * 1000000;
}

uint64_t ready_end_ts(const struct timespec *timeout)
{
	if (!timeout)
		return UINT64_MAX;
	if (timeout->tv_sec == 0 && timeout->tv_nsec == 0)
		return 0;
	if ((uint64_t)timeout->tv_sec > INT32_MAX)
		return UINT64_MAX;
	return now_ns() + (uint64_t)timeout->tv_sec * 1000000000u +
	       (uint64_t)timeout->tv_nsec;
}

bool ready_over(uint64_t end)
{
	return end != UINT64_MAX && (end == 0 || now_ns() >= end);
}

void ready_left_ts(uint64_t end, struct timespec *ret)
{
	uint64_t ns = left(end, now_ns());

	ret->tv_sec = (time_t)(ns / 1000000000u);
	ret->tv_nsec = (long)(ns % 1000000000u);
}

void ready_left(uint64_t end, struct timeval *ret)
{
	struct timespec ts;

	ready_left_ts(end, &ts);
	ret->tv_sec = ts.tv_sec;
	ret->tv_usec = (suseconds_t)(ts.tv_nsec / 1000);
}

/* Hints say that it is odd, or nothing as yet. */
static bool to_look_at(int fd)
{
	unsigned int hints = hint_get(fd);

	return (hints == 0 && !gate_is_open(GATE_SANDBOX)) ||
	       hints & (HINT_FRESH | HINT_ODD);
}

static bool doubtful(int fd, unsigned int revents)
{
	if (revents & READY_EVIDENCE)
		return hint_suspect(fd);
	return revents & (READABLE | WRITABLE) && gate_is_open(GATE_USED) &&
	       to_look_at(fd);
}

/*
 * An event does not tell its descriptor. In a process that uses AF_VSOCK epmap
 * knows it. Else one of ours may have come by exec: taken is the usual case
 * that the program's data is the descriptor.
 */
static bool doubtful_event(int epfd, const struct epoll_event *ev)
{
	struct ident id;
	int fd;

	if (gate_is_open(GATE_USED))
		return ev->events & READY_EVIDENCE ||
		       (gate_is_open(GATE_ODD) &&
			((fd = epmap_peek(epfd, ev->data.u64)) ==
				 EPMAP_UNCLEAR ||
			 hint_get(fd) & HINT_LOOK));
	return ev->events & READY_EVIDENCE &&
	       (unsigned int)ev->data.fd < HINT_FDS && /* else a pointer */
	       hint_suspect(ev->data.fd) && ident_quiet(ev->data.fd, &id);
}

bool ready_doubt_poll(const struct pollfd *fds, nfds_t n)
{
	for (nfds_t i = 0; i < n; i++)
		if (fds[i].revents &&
		    doubtful(fds[i].fd, (unsigned int)fds[i].revents))
			return true;
	return false;
}

bool ready_doubt_events(int epfd, const struct epoll_event *ev, int n)
{
	for (int i = 0; i < n; i++)
		if (doubtful_event(epfd, &ev[i]))
			return true;
	return false;
}

/* SO_RCVLOWAT holds back data, though not an end. */
static bool held_back(int fd, int lowat)
{
	struct pollfd p = { .fd = fd, .events = POLLRDHUP };
	int queued = INT_MAX;

	NEXT(ioctl)(fd, FIONREAD, &queued);
	return queued < lowat &&
	       (NEXT(poll)(&p, 1, 0) == 0 || !(p.revents & POLLRDHUP));
}

static bool in_set(int fd, const fd_set *set)
{
	return set && FD_ISSET(fd, set);
}

/* Something that AF_UNIX has none of: on the error queue, or a listener's? */
static bool queued_error(int fd)
{
	struct ident id;

	return gate_is_open(GATE_ERRQ) && hint_get(fd) & HINT_ODD &&
	       (zerocopy_pending(fd) ||
		(ident_quiet(fd, &id) && id.tag & TAG_ERR &&
		 ident_listens(fd)));
}

static bool may_time_out(void)
{
	bool any = pending_any();

	if (any)
		pending_expire();
	return any;
}

bool ready_now_poll(const struct pollfd *fds, nfds_t n)
{
	if (may_time_out())
		return true;
	if (!gate_is_open(GATE_ERRQ))
		return false;
	for (nfds_t i = 0; i < n; i++)
		if (queued_error(fds[i].fd))
			return true;
	return false;
}

bool ready_now_select(int nfds, const fd_set *in, const fd_set *out)
{
	if (may_time_out())
		return true;
	if (!gate_is_open(GATE_ERRQ))
		return false;
	for (int fd = 0; fd < nfds; fd++)
		if ((in_set(fd, in) || in_set(fd, out)) && queued_error(fd))
			return true;
	return false;
}

/* What a look at the tag finds odd. */
#define ODD_TAG (TAG_SHUT | TAG_FAILED | TAG_PENDING | TAG_ERR)

/* A look that found nothing odd need not be repeated. */
static void calm(int fd, unsigned int seen, unsigned int tag, int lowat)
{
	struct ident now;

	if (lowat <= 1 && hint_get(fd) & HINT_ODD && !queued_error(fd) &&
	    !(tag & ODD_TAG)) {
		hint_drop(fd, HINT_ODD);
		/* Another thread may have found a reason since. */
		if (zerocopy_pending(fd) ||
		    (!gate_is_open(GATE_SANDBOX) && ident(fd, &now) &&
		     now.tag & ODD_TAG))
			hint_add(fd, HINT_ODD);
	}
	if (!(seen & POLLHUP))
		hint_drop(fd, HINT_FRESH);
}

/* TCP_SYN_SENT shows nothing but what was shut. */
static unsigned int connecting_mask(unsigned int tag, unsigned int asked)
{
	return ((tag & TAG_SHUT) == TAG_SHUT ? POLLHUP : 0) |
	       (tag & TAG_SHUT_RD ? asked & (READABLE | POLLRDHUP) : 0);
}

/* The full mask of @fd, which the kernel shows as @seen. */
static unsigned int vsock_mask(int fd, unsigned int seen, unsigned int asked)
{
	unsigned int mask = seen;
	socklen_t len = sizeof(int);
	struct ident id;
	int err, lowat = 1;

	if (!ident_quiet(fd, &id))
		return seen;
	if (id.tag & TAG_DEVICE)
		return asked & (READABLE | WRITABLE);
	if (id.dgram)
		return id.tag & TAG_SHUT_WR
			       ? mask & ~(unsigned int)(WRITABLE | POLLWRBAND)
			       : mask;
	mask &= ~(unsigned int)(POLLWRBAND | POLLPRI);
	if (id.tag & TAG_SENT && !id.reset && !(id.tag & TAG_FAILED))
		return id.tag & TAG_ERR ? POLLERR : 0;
	pending_settle(fd, &id);
	if (id.tag & TAG_PENDING)
		return connecting_mask(id.tag, asked);
	if (seen & POLLHUP)
		gateway_settle(fd, &id);
	/* What a gateway refused has a peer, which is dead; so has what was
	 * reset, which is TCP_CLOSE. */
	if ((id.tag & TAG_FAILED || id.reset == RESET_OWN) &&
	    !(id.tag & TAG_SHUT_RD))
		mask &= ~(unsigned int)(READABLE | POLLRDHUP);
	if (mask & POLLERR) {
		/* The peer died unread. Reading the error clears it. */
		if (!gate_is_open(GATE_SANDBOX))
			sys_kernel.getsockopt(fd, SOL_SOCKET, SO_ERROR, &err,
					      &len);
		mask &= ~(unsigned int)POLLERR;
	}
	/* The hello to a gateway may be unread as yet. */
	if (id.tag & TAG_FAILED)
		mask |= asked & WRITABLE;
	/* A connected AF_UNIX socket shows HUP when both ways are shut, by
	 * whomever: right if this way was, and by this side. */
	if (!(id.tag & TAG_SHUT_WR) ||
	    (!(id.tag & TAG_SHUT_RD) && !ident_connected(fd)))
		mask &= ~(unsigned int)POLLHUP;
	if (id.tag & TAG_SHUT_WR)
		mask &= ~(unsigned int)WRITABLE;
	if (hint_get(fd) & HINT_ODD)
		sys_kernel.getsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &lowat,
				      &len);
	if (lowat > 1 && mask & READABLE && !(mask & POLLHUP) &&
	    !(id.tag & TAG_SHUT_RD) && held_back(fd, lowat))
		mask &= ~(unsigned int)READABLE;
	if (id.tag & TAG_ERR)
		mask |= POLLERR;
	if (queued_error(fd))
		mask |= POLLERR;
	calm(fd, seen, id.tag, lowat);
	return mask;
}

/* ms until @end or the next pending connect times out, rounded up. *@ret_last:
 * it is the end, even if the clock does not say so by then. */
static int wait_ms(uint64_t end, bool *ret_last)
{
	uint64_t next = pending_expire(), ns = left(end, now_ns());
	uint64_t pending =
		next == UINT64_MAX ? next : left(next, pending_now());

	*ret_last = ns <= pending;
	if (!*ret_last)
		ns = pending;
	if (ns == UINT64_MAX)
		return -1;
	ns = ns / 1000000 + (ns % 1000000 > 0);
	return ns > INT_MAX ? INT_MAX : (int)ns;
}

/* What of @mask select(2) looks at, where it was asked for @events. */
static unsigned int selected(unsigned int mask, unsigned int events)
{
	return mask &
	       (POLLNVAL | (events & POLLIN ? POLLIN | POLLHUP | POLLERR : 0) |
		(events & POLLOUT ? POLLOUT | POLLERR : 0) |
		(events & POLLPRI));
}

static int mend_poll(struct pollfd *fds, nfds_t n, bool select)
{
	int ready = 0;

	for (nfds_t i = 0; i < n; i++) {
		unsigned int seen = (unsigned short)fds[i].revents;

		if (!seen && !queued_error(fds[i].fd))
			continue;
		if (!seen || doubtful(fds[i].fd, seen))
			fds[i].revents = (short)vsock_mask(
				fds[i].fd, seen, (unsigned short)fds[i].events);
		if (select)
			fds[i].revents =
				(short)selected((unsigned short)fds[i].revents,
						(unsigned short)fds[i].events);
		ready += fds[i].revents != 0;
	}
	return ready;
}

/* What wakes when a connect fails: SO_SNDBUF is set then. */
static uint32_t refusal(int fd)
{
	return hint_get(fd) & HINT_FRESH ? EPOLLOUT : 0;
}

/* All of @fds, edge-triggered; -errno if there can be no such thing. */
static int edges(const struct pollfd *fds, nfds_t n)
{
	struct epoll_event ev;
	int ep = epoll_create1(EPOLL_CLOEXEC);

	if (ep < 0)
		return -errno;
	for (nfds_t i = 0; i < n; i++) {
		if (fds[i].fd < 0)
			continue;
		ev.events = (unsigned short)fds[i].events | EPOLLET |
			    refusal(fds[i].fd);
		ev.data.u64 = 0;
		/* One descriptor twice: a wakeup for either will do. */
		if (NEXT(epoll_ctl)(ep, EPOLL_CTL_ADD, fds[i].fd, &ev) < 0 &&
		    errno == EEXIST) {
			ev.events = EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP |
				    EPOLLET;
			NEXT(epoll_ctl)(ep, EPOLL_CTL_MOD, fds[i].fd, &ev);
		}
	}
	return ep;
}

static void close_edges(void *arg)
{
	const volatile int *ep = arg;

	if (*ep >= 0)
		sys_kernel.close(*ep);
}

/* Waits for one of the edges, or @ms; without them (EMFILE), a little while. */
static int wait_edge(int ep, int ms, const sigset_t *mask)
{
	const struct timespec little = { .tv_nsec = 5000000 };
	struct epoll_event ev[4];

	if (ep >= 0)
		return NEXT(epoll_pwait)(ep, ev, 4, ms, mask);
	return NEXT(ppoll)(NULL, 0, &little, mask);
}

static int wait_poll(struct pollfd *fds, nfds_t n, uint64_t end,
		     const sigset_t *mask, bool select)
{
	volatile int ep = -EBADF;
	int saved = errno, r;
	bool last = false;

	pthread_cleanup_push(close_edges, (void *)&ep);
	while ((r = mend_poll(fds, n, select)) == 0 && !last &&
	       !ready_over(end)) {
		if (ep == -EBADF)
			ep = edges(fds, n);
		r = wait_edge(ep, wait_ms(end, &last), mask);
		last = last && r == 0 && ep >= 0;
		if (r >= 0)
			r = NEXT(poll)(fds, n, 0);
		if (r < 0) {
			r = -errno;
			break;
		}
	}
	pthread_cleanup_pop(1);
	errno = saved;
	return r;
}

int ready_poll(struct pollfd *fds, nfds_t n, uint64_t end, const sigset_t *mask)
{
	return wait_poll(fds, n, end, mask, false);
}

bool ready_doubt_select(int nfds, const fd_set *in, const fd_set *out,
			const fd_set *ex)
{
	struct ident id;

	for (int fd = 0; fd < nfds; fd++) {
		if (!to_look_at(fd) ||
		    !(in_set(fd, in) || in_set(fd, out) || in_set(fd, ex)))
			continue;
		/* Met for the first time: not again in the next select. */
		if (hint_get(fd) || ident(fd, &id))
			return true;
	}
	return false;
}

/* fd_set is as long as nfds says, whatever FD_SETSIZE is. */
static void clear(fd_set *set, int nfds)
{
	if (set)
		memset(set, 0,
		       ((size_t)nfds + NFDBITS - 1) / NFDBITS *
			       sizeof(fd_mask));
}

/* Of these a small stack holds enough. */
#define FEW 64

static struct pollfd *take_pollfds(nfds_t n)
{
	struct pollfd *fds;
	sigset_t old;

	pool_lock(&old);
	fds = pool_alloc(n * sizeof(*fds));
	pool_unlock(&old);
	return fds;
}

static void give_pollfds(struct pollfd *fds, nfds_t n)
{
	sigset_t old;

	pool_lock(&old);
	pool_free(fds, n * sizeof(*fds));
	pool_unlock(&old);
}

int ready_select(int nfds, fd_set *in, fd_set *out, fd_set *ex, uint64_t end,
		 const sigset_t *mask)
{
	struct pollfd few[FEW], *fds = few;
	nfds_t n = 0, room = FEW;
	int bits = 0, r;

	if (nfds > FEW) {
		room = (nfds_t)nfds;
		fds = take_pollfds(room);
		if (!fds)
			return -ENOMEM;
	}
	for (int fd = 0; fd < nfds; fd++) {
		int events = (in_set(fd, in) ? POLLIN : 0) |
			     (in_set(fd, out) ? POLLOUT : 0) |
			     (in_set(fd, ex) ? POLLPRI : 0);

		if (events) {
			fds[n].fd = fd;
			fds[n++].events = (short)events;
		}
	}
	r = NEXT(poll)(fds, n, 0);
	r = r < 0 ? -errno : wait_poll(fds, n, end, mask, true);
	if (r < 0)
		goto out;
	clear(in, nfds);
	clear(out, nfds);
	clear(ex, nfds);
	for (nfds_t i = 0; i < n; i++) {
		int fd = fds[i].fd, re = fds[i].revents, ev = fds[i].events;

		if (re & POLLNVAL) {
			r = -EBADF;
			goto out;
		}
		if (ev & POLLIN && re & (POLLIN | POLLHUP | POLLERR)) {
			FD_SET(fd, in);
			bits++;
		}
		if (ev & POLLOUT && re & (POLLOUT | POLLERR)) {
			FD_SET(fd, out);
			bits++;
		}
		if (ev & POLLPRI && re & POLLPRI) {
			FD_SET(fd, ex);
			bits++;
		}
	}
	r = bits;
out:
	if (fds != few)
		give_pollfds(fds, room);
	return r;
}

/*
 * Registers @e anew: muted, or as the program asked; what it asked for once it
 * has had by then, so that is not armed again. False: that fails.
 */
static bool reregister(struct epmap_entry *e, bool mute)
{
	struct epoll_event ev = { .events = e->events, .data.u64 = e->data };

	if (mute)
		ev.events = (ev.events & ~(uint32_t)EPOLLONESHOT) | EPOLLET |
			    refusal(e->fd);
	else if (e->events & EPOLLONESHOT)
		ev.events = EPOLLONESHOT | EPOLLET;
	if (NEXT(epoll_ctl)(e->epfd, EPOLL_CTL_MOD, e->fd, &ev) < 0)
		return false;
	e->muted = mute;
	e->spent = !mute && e->events & EPOLLONESHOT;
	epmap_set(e);
	if (mute) {
		gate_open(GATE_ODD);
		hint_add(e->fd, HINT_MUTED);
	}
	return true;
}

/* What of an event with @mask is @e's; @alone: it is that of no other. */
static unsigned int mend_entry(struct epmap_entry *e, unsigned int mask,
			       bool alone)
{
	unsigned int hints = hint_get(e->fd), seen = mask;
	uint32_t asked = e->events | EPOLLERR | EPOLLHUP;
	struct pollfd p = { .fd = e->fd, .events = (short)e->events };

	if (!alone) {
		NEXT(poll)(&p, 1, 0);
		mask = (unsigned short)p.revents & asked;
	}
	if (!(mask & READY_EVIDENCE) && !(hints & HINT_LOOK))
		return mask;
	if (e->spent)
		return 0;
	if (mask & READY_EVIDENCE || hints & (HINT_FRESH | HINT_ODD))
		mask = vsock_mask(e->fd, mask, e->events);
	if (e->muted)
		mask &= asked;
	/* EPOLLEXCLUSIVE cannot be muted: shown, rather than spun on. What is
	 * edge-triggered is, but for a refusal. */
	if (mask == 0 && !e->muted &&
	    (!(e->events & EPOLLET) || refusal(e->fd) & ~e->events) &&
	    !reregister(e, true))
		return seen;
	if (mask != 0 && e->muted)
		reregister(e, false);
	return mask;
}

/*
 * One event; false if nothing of it remains. Whose it is of several with one
 * datum is not known: each of them is muted, or has its say.
 */
static bool mend_event(int epfd, struct epoll_event *ev)
{
	struct epmap_entry e[EPMAP_SAME];
	unsigned int mask = 0;
	int n = doubtful_event(epfd, ev) ? epmap_find(epfd, ev, e) : 0;

	if (n == 0)
		return true;
	for (int i = 0; i < n; i++)
		mask |= mend_entry(&e[i], ev->events, n == 1);
	ev->events = mask;
	return mask != 0;
}

/* So many error queues are told of at a time. */
#define ERRORS 16

/* Those of @epfd's descriptors whose error queue is not empty. */
static int queued_errors(int epfd, struct epmap_entry *e)
{
	struct epmap_entry odd[ERRORS];
	int n = ERRORS, kept = 0;

	if (!gate_is_open(GATE_ERRQ))
		return 0;
	for (int skip = 0; n == ERRORS && kept < ERRORS; skip += n) {
		n = epmap_odd(epfd, skip, odd, ERRORS);
		for (int i = 0; i < n; i++) {
			bool pending = queued_error(odd[i].fd);

			if (pending && !odd[i].told && !odd[i].spent &&
			    kept < ERRORS)
				e[kept++] = odd[i];
			if (!pending && odd[i].told) {
				odd[i].told = false;
				epmap_set(&odd[i]);
			}
		}
	}
	return kept;
}

/* Shows them, beside the @r events that there are. */
static int show_errors(struct epmap_entry *e, int n, struct epoll_event *ev,
		       int r, int max)
{
	for (int i = 0, j; i < n; i++) {
		for (j = 0; j < r && ev[j].data.u64 != e[i].data; j++)
			;
		if (j == max)
			break;
		if (j == r) {
			ev[r].data.u64 = e[i].data;
			ev[r++].events = 0;
		}
		ev[j].events |= EPOLLERR;
		if (e[i].events & EPOLLONESHOT) {
			reregister(&e[i], false);
		} else if (e[i].events & EPOLLET) {
			e[i].told = true;
			epmap_set(&e[i]);
		}
	}
	return r;
}

static int mend_epoll(int epfd, struct epoll_event *ev, int n)
{
	int kept = 0;

	for (int i = 0; i < n; i++)
		if (mend_event(epfd, &ev[i]))
			ev[kept++] = ev[i];
	return kept;
}

int ready_epoll(int epfd, struct epoll_event *ev, int max, int r, uint64_t end,
		const sigset_t *mask)
{
	struct epmap_entry errors[ERRORS];
	int saved = errno, n;
	bool last;

	if (r > 0)
		r = mend_epoll(epfd, ev, r);
	else
		end = end ? end : 1; /* has to look at least once */
	while (r == 0 && end != 0) {
		n = queued_errors(epfd, errors);
		last = false;
		r = NEXT(epoll_pwait)(epfd, ev, max,
				      n ? 0 : wait_ms(end, &last), mask);
		if ((last && r == 0) || ready_over(end))
			end = 0;
		if (r < 0)
			r = -errno;
		else
			r = show_errors(errors, n, ev, mend_epoll(epfd, ev, r),
					max);
	}
	errno = saved;
	return r;
}
