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
 * process, or until ports_unmap(); no descriptor stays open.
 */
int ports_map(const struct sys *sys, const char *dir, mode_t mode,
	      bool (*trusted)(const struct stat *st, const void *arg),
	      const void *arg, struct ports **ret);

void ports_unmap(struct ports *p);

/*
 * A copy of @dir/ports, for who only looks: makes nothing, and needs no right
 * but to read. 0, or -errno; -EPROTO: there is something else.
 */
int ports_read(const struct sys *sys, const char *dir, struct ports **ret);

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

/*
 * Has the machine a gateway? Its bridge says so, and may have died since. Not 0
 * if it has: a number that no other bridge had, by which it is given up. One
 * that relays is not the way to others, but stands in the way to all.
 */
uint32_t ports_gateway(const struct ports *p);
void ports_open_gateway(struct ports *p, bool relays);
void ports_close_gateway(struct ports *p, uint32_t number);
#define PORTS_RELAYS 2u /* a bit of that number */

/*
 * The connections that go by a bridge. It adds one before its program can have
 * it, and drops it before the program can meet its end; so what has ended for
 * the program, and is here, the bridge did not end: it was killed, or its
 * device has gone. There is room for 2,048, with those that were so cut off:
 * one more takes the place of another, which may live. If that is cut off, it
 * looks like an end.
 *
 * The connection of a client is named by its @port; one that accept(2) made by
 * a random number, which its bridge's socket has in its name (name.h): host and
 * port of its peer may be another's before its program has read all.
 */
uint64_t ports_link(uint32_t port);
void ports_add_link(struct ports *p, uint64_t link);
void ports_drop_link(struct ports *p, uint64_t link);
bool ports_has_link(const struct ports *p, uint64_t link);

/* Was there ever one? */
bool ports_had_links(const struct ports *p);

/*
 * The machine's CID, once it has migrated; else 0. It is set under the lock,
 * just before the machine's directory gets the name.
 */
uint32_t ports_cid(const struct ports *p);
void ports_set_cid(struct ports *p, uint32_t cid);

/* Has a machine of the directory migrated, be it another? */
bool ports_migrated(const struct ports *p);
void ports_set_migrated(struct ports *p);

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

/*
 * A second lock, for what takes longer: a descriptor for ports_unclaim(), or
 * -errno; -ETIMEDOUT after @seconds.
 */
int ports_claim(const struct sys *sys, const char *dir, int seconds);
void ports_unclaim(const struct sys *sys, int claim);

#endif
