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
};

void epmap_set(const struct epmap_entry *e);
void epmap_remove(int epfd, int fd);

/*
 * The entry of the event @ev; false if it is none of ours. @ask: also of /proc,
 * if it is not known.
 */
bool epmap_find(int epfd, const struct epoll_event *ev, bool ask,
		struct epmap_entry *ret);

#endif
