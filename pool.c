/* SPDX-License-Identifier: MIT */
/* Memory and the lock for our tables: see pool.h. */
#include "pool.h"

#include "core/sys.h"

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

#define CHUNK	     (64 * 1024)
#define MIN_SHIFT    6 /* 64 bytes */
#define CLASSES	     (40 - MIN_SHIFT)
#define TAKE_OVER_MS 20

struct free_block {
	struct free_block *next;
};

static struct free_block *free_blocks[CLASSES];
static char *chunk;
static size_t chunk_left;

static pid_t owner; /* 0: free */
static unsigned int generation;

static int class_of(size_t size)
{
	int c = 0;

	while ((size_t)1 << (c + MIN_SHIFT) < size)
		c++;
	return c;
}

void *pool_alloc(size_t size)
{
	int c = class_of(size);
	size_t n = (size_t)1 << (c + MIN_SHIFT);
	struct free_block *b = free_blocks[c];
	void *p;

	if (b) {
		free_blocks[c] = b->next;
		return b;
	}
	if (n > CHUNK)
		return sys_kernel.map(-1, n, &p) < 0 ? NULL : p;
	if (chunk_left < n) {
		if (sys_kernel.map(-1, CHUNK, &p) < 0)
			return NULL;
		chunk = p;
		chunk_left = CHUNK;
	}
	p = chunk;
	chunk += n;
	chunk_left -= n;
	return p;
}

void pool_free(void *p, size_t size)
{
	struct free_block *b = p;
	int c = class_of(size);

	b->next = free_blocks[c];
	free_blocks[c] = b;
}

unsigned int pool_lock(sigset_t *old)
{
	const struct timespec ms = { .tv_nsec = 1000 * 1000 };
	pid_t self = getpid(), held;
	sigset_t all;
	int waited = 0;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, old);
	for (;;) {
		held = 0;
		if (__atomic_compare_exchange_n(&owner, &held, self, false,
						__ATOMIC_ACQUIRE,
						__ATOMIC_RELAXED))
			break;
		if (held == self) {
			sched_yield();
			continue;
		}
		/*
		 * Another process's name in our memory: a child of vfork,
		 * which is quick, or a parent whose thread was not forked.
		 */
		if (waited++ < TAKE_OVER_MS) {
			sys_kernel.sleep(&ms);
			continue;
		}
		if (__atomic_compare_exchange_n(&owner, &held, self, false,
						__ATOMIC_ACQUIRE,
						__ATOMIC_RELAXED)) {
			for (int c = 0; c < CLASSES; c++)
				free_blocks[c] = NULL;
			chunk_left = 0;
			generation++;
			break;
		}
	}
	return generation;
}

void pool_unlock(const sigset_t *old)
{
	__atomic_store_n(&owner, 0, __ATOMIC_RELEASE);
	sigprocmask(SIG_SETMASK, old, NULL);
}
