/* SPDX-License-Identifier: MIT */
/* Memory and the lock for our tables: see pool.h. */
#include "pool.h"

#include "core/sys.h"

#include <sched.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <time.h>

#define PAGE_BYTES 4096
#define CHUNK	   (64 * 1024)
#define UNIT	   64
#define SMALL	   16 /* classes of 1 to 16 units; then powers of two of them */
#define CLASSES	   (SMALL + 30)

struct free_block {
	struct free_block *next;
};

static struct free_block *free_blocks[CLASSES];
static char *chunk;
static size_t chunk_left;

static bool held;
static unsigned int generation;

/* The class of @size, and how many bytes one of it has. */
static int class_of(size_t size, size_t *bytes)
{
	int c;

	*bytes = (size + UNIT - 1) / UNIT * UNIT;
	if (*bytes <= SMALL * UNIT)
		return (int)(*bytes / UNIT) - 1;
	c = SMALL;
	for (*bytes = (size_t)2 * SMALL * UNIT; *bytes < size; *bytes *= 2)
		c++;
	return c;
}

void *pool_alloc(size_t size)
{
	size_t n;
	int c = class_of(size, &n);
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
	size_t n;
	int c = class_of(size, &n);

	b->next = free_blocks[c];
	free_blocks[c] = b;
}

/*
 * A page that is zero after fork, though not after vfork, which shares it. So
 * it tells a lock that a fork left behind from one that another thread holds,
 * also a thread of the parent that a child of vfork borrows its memory from.
 */
enum { FORKED, RESOLVING, SETTLED };

static int *since_fork(void)
{
	static int never = SETTLED; /* where there is no such page */
	static int *page;
	int *p = __atomic_load_n(&page, __ATOMIC_ACQUIRE), *none = NULL;
	void *fresh;

	if (p)
		return p;
	if (sys_kernel.map(-1, PAGE_BYTES, &fresh) < 0)
		return &never;
	p = fresh;
	*p = SETTLED;
	if (madvise(fresh, PAGE_BYTES, MADV_WIPEONFORK) < 0)
		p = &never;
	if (!__atomic_compare_exchange_n(&page, &none, p, false,
					 __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		p = none;
	if (p != fresh)
		munmap(fresh, PAGE_BYTES);
	return p;
}

static void begin_anew(void)
{
	for (int c = 0; c < CLASSES; c++)
		free_blocks[c] = NULL;
	chunk_left = 0;
	generation++;
}

/* The first call after a fork finds out whether the lock was left behind. */
static void settle(void)
{
	int *page = since_fork(), was = FORKED;

	if (__atomic_load_n(page, __ATOMIC_ACQUIRE) == SETTLED)
		return;
	if (__atomic_compare_exchange_n(page, &was, RESOLVING, false,
					__ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE)) {
		if (held)
			begin_anew();
		held = false;
		__atomic_store_n(page, SETTLED, __ATOMIC_RELEASE);
	}
	while (__atomic_load_n(page, __ATOMIC_ACQUIRE) == RESOLVING)
		sched_yield();
}

unsigned int pool_lock(sigset_t *old)
{
	const struct timespec pause = { .tv_nsec = 50 * 1000 };
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, old);
	settle();
	/* To sleep lets also a holder of a lower priority get on. */
	for (int i = 0; __atomic_test_and_set(&held, __ATOMIC_ACQUIRE); i++)
		i < 100 ? (void)sched_yield() : (void)sys_kernel.sleep(&pause);
	return generation;
}

void pool_unlock(const sigset_t *old)
{
	__atomic_clear(&held, __ATOMIC_RELEASE);
	sigprocmask(SIG_SETMASK, old, NULL);
}
