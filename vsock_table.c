/* SPDX-License-Identifier: MIT */
/* What fits neither a socket's name nor its tag: see vsock_table.h. */
#include "vsock_table.h"

#include "uthash_pool.h"

#include <errno.h>
#include <string.h>

/* Ranges, as neighbours of one kind are merged; of more the last grows. */
#define COMPLETIONS 4

struct entry {
	struct vsock_rec rec;
	struct vsock_completion done[COMPLETIONS];
	unsigned int n_done;
	uint32_t sent;
	bool closed;
	UT_hash_handle hh;
};

const struct vsock_rec vsock_table_default = {
	.buffer_size = VSOCK_BUFFER_SIZE,
	.buffer_min = VSOCK_BUFFER_MIN,
	.buffer_max = VSOCK_BUFFER_MAX,
	.connect_timeout.tv_sec = VSOCK_CONNECT_TIMEOUT,
};

static struct entry *table;
static unsigned int table_generation;
static unsigned int n_closed;

static void lock(sigset_t *old)
{
	unsigned int g = pool_lock(old);

	if (g != table_generation) {
		table = NULL;
		n_closed = 0;
		table_generation = g;
	}
}

static struct entry *find(uint64_t key)
{
	struct entry *e;

	HASH_FIND(hh, table, &key, sizeof(key), e);
	if (e && e->closed) {
		e->closed = false;
		n_closed--;
	}
	return e;
}

static void drop(struct entry *e)
{
	n_closed -= e->closed;
	HASH_DELETE(hh, table, e);
	pool_free(e, sizeof(*e));
}

bool vsock_table_get(uint64_t key, struct vsock_rec *ret)
{
	struct entry *e;
	sigset_t old;

	*ret = vsock_table_default;
	ret->key = key;
	lock(&old);
	e = find(key);
	if (e)
		*ret = e->rec;
	pool_unlock(&old);
	return e;
}

int vsock_table_put(const struct vsock_rec *rec)
{
	struct entry *e;
	sigset_t old;
	int r = 0;

	lock(&old);
	e = find(rec->key);
	if (e) {
		e->rec = *rec;
		goto out;
	}
	if (HASH_COUNT(table) >= VSOCK_TABLE_MAX)
		drop(table);
	e = pool_alloc(sizeof(*e));
	if (e) {
		*e = (struct entry){ .rec = *rec };
		HASH_ADD(hh, table, rec.key, sizeof(e->rec.key), e);
	}
	if (!e || !e->hh.tbl)
		r = -ENOMEM;
	if (e && r < 0)
		pool_free(e, sizeof(*e));
out:
	pool_unlock(&old);
	return r;
}

void vsock_table_inherit(uint64_t key, const struct vsock_rec *from)
{
	const struct vsock_rec *d = &vsock_table_default;
	struct vsock_rec rec = *d;

	if (from->buffer_size == d->buffer_size &&
	    from->buffer_min == d->buffer_min &&
	    from->buffer_max == d->buffer_max &&
	    from->connect_timeout.tv_sec == d->connect_timeout.tv_sec &&
	    from->connect_timeout.tv_usec == d->connect_timeout.tv_usec)
		return;
	rec.key = key;
	rec.buffer_size = from->buffer_size;
	rec.buffer_min = from->buffer_min;
	rec.buffer_max = from->buffer_max;
	rec.connect_timeout = from->connect_timeout;
	(void)vsock_table_put(&rec); /* the defaults, at worst */
}

/* uthash keeps the order of addition: the first that are closed are oldest. */
static void drop_oldest(void)
{
	struct entry *e, *next;

	HASH_ITER (hh, table, e, next) {
		if (n_closed <= VSOCK_TABLE_CLOSED)
			break;
		if (!e->closed)
			continue;
		drop(e);
	}
}

void vsock_table_closed(uint64_t key)
{
	struct entry *e;
	sigset_t old;

	lock(&old);
	e = find(key);
	if (e) {
		e->closed = true;
		if (++n_closed >= 2 * VSOCK_TABLE_CLOSED)
			drop_oldest();
	}
	pool_unlock(&old);
}

void vsock_table_sent(uint64_t key, bool copied)
{
	struct vsock_completion *c;
	struct entry *e;
	sigset_t old;

	lock(&old);
	e = find(key);
	if (e) {
		c = &e->done[e->n_done ? e->n_done - 1 : 0];
		if (e->n_done == 0 ||
		    (c->copied != copied && e->n_done < COMPLETIONS)) {
			c = &e->done[e->n_done++];
			c->first = e->sent;
			c->copied = copied;
		}
		c->last = e->sent++;
	}
	pool_unlock(&old);
}

bool vsock_table_completion(uint64_t key, bool take,
			    struct vsock_completion *ret)
{
	bool found = false;
	struct entry *e;
	sigset_t old;

	lock(&old);
	e = find(key);
	if (e && e->n_done) {
		found = true;
		*ret = e->done[0];
		if (take)
			memmove(e->done, e->done + 1,
				--e->n_done * sizeof(e->done[0]));
	}
	pool_unlock(&old);
	return found;
}
