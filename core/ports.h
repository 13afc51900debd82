/* SPDX-License-Identifier: MIT */
/*
 * The `ports` file of a machine: its lock, and a shared page that holds the
 * ephemeral counter and which ports may be bound by name. All processes of
 * the machine map it, so picking a port costs no system call.
 */
#ifndef CORE_PORTS_H
#define CORE_PORTS_H

#include "core/sys.h"
#include "core/util.h"

#include <stdbool.h>

/* As many candidates as a kernel tries (MAX_PORT_RETRIES). */
#define PORTS_TRIES 24

struct ports;

/*
 * Opens @dir/ports (created with @mode) and maps it. @trusted says of an owner
 * whether the file may be his. 0, or -errno. The mapping lasts as long as the
 * process; no descriptor stays open.
 */
int ports_map(const struct sys *sys, const char *dir, mode_t mode,
	      bool (*trusted)(const struct stat *st, const void *arg),
	      const void *arg, struct ports **ret);

/* A random number that tells this machine's directory from any other. */
uint64_t ports_id(const struct ports *p);

/* The next ephemeral port: counts up, skips the reserved ones and ANY. */
uint32_t ports_next(struct ports *p);

/* Gives back what that said last; if somebody asked since then, it is lost. */
void ports_give_back(struct ports *p, uint32_t port);

/* May ports_next() have handed out @port before? */
bool ports_issued(const struct ports *p, uint32_t port);

/*
 * A port is marked before a path for it appears, and unmarked when the path
 * goes, both under the lock; a port without a mark has no path. Ports share
 * marks: a mark is a reason to look, not an answer.
 */
void ports_mark(struct ports *p, uint32_t port);
void ports_unmark(struct ports *p, uint32_t port);
bool ports_marked(const struct ports *p, uint32_t port);

/* Where the sweep of stale paths goes on: an offset in the directory. */
aligned_i64 *ports_sweep(struct ports *p);

/*
 * What a client on this machine dialled, where its name does not tell: it was
 * bound by bind(2), or (@renamed) by a connect(2) to another CID that failed.
 * Good from the connect(2) until the accept(2), unless another such client with
 * a port equal in the lower 12 bits connects in between.
 */
void ports_set_dialled(struct ports *p, uint32_t port, bool renamed,
		       uint32_t cid);
uint32_t ports_dialled(const struct ports *p, uint32_t port, bool renamed,
		       uint32_t own, uint32_t fallback);

/*
 * Takes the lock of the machine at @dir (the directory of the `ports` file);
 * until ports_unlock() signals are blocked. 0, or -errno; -ETIMEDOUT if
 * somebody held it for PORTS_LOCK_SECONDS.
 */
#define PORTS_LOCK_SECONDS 5
struct ports_lock {
	int fd;
	sigset_t old;
};
int ports_lock(const struct sys *sys, const char *dir, struct ports_lock *ret);
void ports_unlock(const struct sys *sys, const struct ports_lock *l);

#endif
