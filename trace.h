/* SPDX-License-Identifier: MIT */
/*
 * VSOCKSHIM_DEBUG: a line for each call on a socket of ours, when it returns,
 * as strace(1) would write it if it knew AF_VSOCK. Never without that variable:
 * then a call costs one branch. Async-signal-safe; errno stays. Under a seccomp
 * filter nothing is told, as a system call more may end the program.
 */
#ifndef TRACE_H
#define TRACE_H

#include "core/util.h"
#include "hint.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <time.h>

/* What VSOCKSHIM_DEBUG may name. */
enum trace {
	TRACE_SOCKET = 1,     /* made, named, connected, shut down, closed */
	TRACE_DATA = 2,	      /* sent and received */
	TRACE_OPTION = 4,     /* options, ioctls, flags */
	TRACE_POLL = 8,	      /* waited for */
	TRACE_TRANSPORT = 16, /* how the machine reaches others, and why */
	TRACE_ALWAYS = 32,    /* of whatever it names */
};

#define TRACE_ANY (-1) /* in place of a descriptor: the call is ours */

bool trace_wanted(enum trace category, int fd);

/* Is a call on @fd to be told of? */
static inline bool trace_on(enum trace category, int fd)
{
	return !USUALLY(gate_is_open(GATE_UNTRACED)) &&
	       trace_wanted(category, fd);
}

/*
 * Writes the line "<text> = <r>", with errno's name if @r is negative. In the
 * text stand, for the arguments that follow,
 *	%d %z %s	int, size_t, a string of ours
 *	%q		a string of somebody else's
 *	%f		@fd; no argument
 *	%a		the address that the program passed, and its length
 *	%A		", " and that; nothing if it is NULL
 *	%v		", " and a struct sockaddr_vm * of ours; nothing if its
 *			family is not AF_VSOCK
 *	%t %m %h	a socket type, MSG_ flags, what shutdown(2) takes
 *	%T		", " and SOCK_ flags; nothing if there are none
 *	%o		an option: level, name
 *	%O		", " and its value: level, name, pointer, length; or
 *			nothing, if the pointer is NULL
 *	%i		an ioctl: request, pointer to what it told, or NULL
 *	%l %c		open(2)'s flags; fcntl(2)'s command and argument
 *	%e %E		events of epoll(7); epoll_ctl(2)'s operation
 *	%n		an errno
 * Pointers of the program's are looked at only if the call has, or by way of
 * the kernel.
 */
void trace_line(int fd, long r, const char *text, ...);

/* A line without a result. */
void trace_note(const char *text, ...);

#define TRACE(category, fd, r, ...)                                            \
	do {                                                                   \
		if (trace_on(TRACE_##category, fd))                            \
			trace_line(fd, r, __VA_ARGS__);                        \
	} while (0)

/* What select(2) was asked, and what it answered: the program's sets. */
struct trace_sets {
	const fd_set *in, *out, *ex;
};

/* The same for a wait that returned @r: of one that failed, arguments may be
 * bad. */
static inline bool trace_waited(int r)
{
	return trace_on(TRACE_POLL, TRACE_ANY) && (r >= 0 || errno == EINTR);
}

/*
 * A wait that returned @r, and those of its descriptors that are ours, each
 * with what was asked and answered. No line if none is.
 */
void trace_poll(const char *name, const struct pollfd *fds, nfds_t n,
		int timeout, int r);
void trace_select(const char *name, int nfds, const struct trace_sets *asked,
		  const struct trace_sets *got, int r);
void trace_epoll(const char *name, int epfd, const struct epoll_event *ev,
		 int max, int timeout, int r);

/* A timeout as poll(2) has it. */
int trace_ms(const struct timespec *ts);

#endif
