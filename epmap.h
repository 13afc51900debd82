/* SPDX-License-Identifier: MIT */
/*
 * Which descriptor an epoll event is about: epoll_wait(2) gives only the
 * program's data. Remembers what epoll_ctl(2) was told about sockets of ours,
 * and asks /proc for what came by exec. Async-signal-safe.
 */
#ifndef EPMAP_H
#define EPMAP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

struct epmap_entry {
	int epfd;
	int fd;
	uint32_t events; /* as the program asked */
	uint64_t data;
	bool muted; /* registered edge-triggered by us, see ready.c */
	bool spent; /* EPOLLONESHOT, and it has been delivered */
	bool told;  /* EPOLLET: that the error queue is not empty */
};

void epmap_set(const struct epmap_entry *e);
void epmap_remove(int epfd, int fd);

/* What is known of @fd in @epfd; false if nothing is. */
bool epmap_get(int epfd, int fd, struct epmap_entry *ret);

/* So many descriptors with one datum are told apart. */
#define EPMAP_SAME 16

/*
 * Whose the event @ev may be: up to EPMAP_SAME entries, with the same datum, if
 * they show some of it. How many; 0 if it is none of ours. In a process that
 * inherited sockets /proc is asked about those that are not known, but not for
 * ever.
 */
int epmap_find(int epfd, const struct epoll_event *ev, struct epmap_entry *ret);

/* The entries of @epfd that HINT_ODD is said of, but for the first @skip, up to
 * @max. How many. */
int epmap_odd(int epfd, int skip, struct epmap_entry *ret, int max);

/*
 * A guess, without a lock: the descriptor of the event with @data, -1 if there
 * is none of ours, EPMAP_UNCLEAR if only epmap_find() can tell.
 */
#define EPMAP_UNCLEAR (-2)
int epmap_peek(int epfd, uint64_t data);

#endif
