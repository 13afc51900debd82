/* SPDX-License-Identifier: MIT */
/*
 * The `ports` file of a machine: its lock, and a shared page that holds the
 * ephemeral counter and which ports may be bound by name. All processes of
 * the machine map it, so picking a port costs no system call.
 */
#ifndef CORE_PORTS_H
#define CORE_PORTS_H

#include "core/sys.h"

#include <stdbool.h>

/* As many candidates as a kernel tries (MAX_PORT_RETRIES). */
#define PORTS_TRIES 24

struct ports;

/*
 * Opens @path (created with @mode) and maps it. 0, or -errno. The mapping
 * lasts as long as the process; no descriptor stays open.
 */
int ports_map(const struct sys *sys, const char *path, mode_t mode,
	      struct ports **ret);

/* A random number that tells this machine's directory from any other. */
uint64_t ports_id(const struct ports *p);

/* The next ephemeral port: counts up, skips the reserved ones and ANY. */
uint32_t ports_next(struct ports *p);

/* May ports_next() have handed out @port before? */
bool ports_issued(const struct ports *p, uint32_t port);

/*
 * A port that bind(2) names is marked before its socket is bound; a port
 * without a mark has no path. Marks stay, and ports share them: a mark is a
 * reason to look, not an answer.
 */
void ports_mark(struct ports *p, uint32_t port);
bool ports_marked(const struct ports *p, uint32_t port);

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
 * Takes the lock of the machine at @dir (the directory of the `ports` file).
 * Returns a descriptor for ports_unlock(), or -errno; -ETIMEDOUT if somebody
 * held it for PORTS_LOCK_SECONDS. The caller has blocked all signals.
 */
#define PORTS_LOCK_SECONDS 5
int ports_lock(const struct sys *sys, const char *dir);
void ports_unlock(const struct sys *sys, int fd);

#endif
