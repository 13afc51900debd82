/* SPDX-License-Identifier: MIT */
/*
 * Memory and the lock for our tables (uthash), in a stranger's process: not
 * from malloc, which may be what was interrupted.
 */
#ifndef POOL_H
#define POOL_H

#include <signal.h>
#include <stddef.h>

/* NULL when there is none. Not locked: call them under pool_lock(). */
void *pool_alloc(size_t size);
void pool_free(void *p, size_t size);

/*
 * The one lock. Signals are blocked while it is held, and nothing that can
 * block for long is called. Returns the generation: it grows when the lock is
 * taken over from a thread that a fork left behind. A table of an older one may
 * be half written; its owner begins anew.
 */
unsigned int pool_lock(sigset_t *old);
void pool_unlock(const sigset_t *old);

#endif
