/* SPDX-License-Identifier: MIT */
/*
 * The driver's side of a split virtqueue: see ring.h.
 *
 * Theory of operation. The device may write to all of the shared memory at any
 * time. So:
 *
 * 1. What we need to know is in struct ring; the descriptors, the available
 *    ring and our indices are written, never read back.
 * 2. What the device says, the used ring, is read once, and then checked.
 * 3. A buffer is ours, or the device's (given[] is not 0), or free; a device
 *    that returns what it does not have has lied.
 */
#include "bridge/ring.h"

#include <errno.h>

/* All of virtio is little-endian. */
#define LE16(v) __builtin_choose_expr(LITTLE, (v), __builtin_bswap16(v))
#define LE32(v) __builtin_choose_expr(LITTLE, (v), __builtin_bswap32(v))
#define LE64(v) __builtin_choose_expr(LITTLE, (v), __builtin_bswap64(v))
#define LITTLE	(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)

static size_t round_up(size_t n)
{
	return (n + RING_ALIGN - 1) & ~(size_t)(RING_ALIGN - 1);
}

static size_t desc_bytes(uint16_t n)
{
	return round_up(n * sizeof(struct vring_desc));
}

/* Each ring of indices ends with one for VIRTIO_F_EVENT_IDX, unused. */
static size_t avail_bytes(uint16_t n)
{
	return round_up(sizeof(struct vring_avail) +
			(n + 1u) * sizeof(__virtio16));
}

static size_t used_bytes(uint16_t n)
{
	return round_up(sizeof(struct vring_used) +
			n * sizeof(struct vring_used_elem) +
			sizeof(__virtio16));
}

size_t ring_bytes(uint16_t n, uint32_t size)
{
	return desc_bytes(n) + avail_bytes(n) + used_bytes(n) +
	       n * round_up(size);
}

void ring_init(struct ring *r, void *mem, uint64_t addr, uint16_t n,
	       uint32_t size, bool writable)
{
	uint8_t *at = mem;

	*r = (struct ring){ .n = n,
			    .writable = writable,
			    .size = size,
			    .stride = (uint32_t)round_up(size),
			    .n_free = n };
	r->desc = (struct vring_desc *)at;
	at += desc_bytes(n);
	r->avail = (struct vring_avail *)at;
	at += avail_bytes(n);
	r->used = (struct vring_used *)at;
	at += used_bytes(n);
	r->bufs = at;
	addr += (uint64_t)(at - (uint8_t *)mem);
	for (uint16_t i = 0; i < n; i++) {
		r->free[i] = (uint16_t)(n - 1 - i);
		r->desc[i].addr = LE64(addr + (uint64_t)i * r->stride);
		r->desc[i].flags = LE16(writable ? VRING_DESC_F_WRITE : 0);
	}
}

int ring_get(struct ring *r)
{
	if (r->lie)
		return -EPROTO;
	return r->n_free ? r->free[--r->n_free] : -EAGAIN;
}

void ring_drop(struct ring *r, uint16_t id)
{
	r->free[r->n_free++] = id;
}

void ring_put(struct ring *r, uint16_t id, uint32_t len)
{
	r->given[id] = len;
	r->desc[id].len = LE32(len);
	r->avail->ring[r->avail_idx & (r->n - 1)] = LE16(id);
	r->avail_idx++;
	/* The device sees what the buffer holds before it sees the buffer. */
	__atomic_store_n(&r->avail->idx, LE16(r->avail_idx), __ATOMIC_RELEASE);
}

bool ring_kick(struct ring *r)
{
	uint16_t flags, news = (uint16_t)(r->avail_idx - r->told);

	/* One that waits for buffers has used all that it was told of. */
	if (news < (r->writable ? r->n / 2 : 1))
		return false;
	r->told = r->avail_idx;
	/* What it looks at after it said that it would, it has seen. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	flags = __atomic_load_n(&r->used->flags, __ATOMIC_RELAXED);
	return !(LE16(flags) & VRING_USED_F_NO_NOTIFY);
}

static int lied(struct ring *r, const char *how)
{
	r->lie = how;
	return -EPROTO;
}

static uint16_t used_since(const struct ring *r)
{
	uint16_t idx = __atomic_load_n(&r->used->idx, __ATOMIC_ACQUIRE);

	return (uint16_t)(LE16(idx) - r->used_idx);
}

int ring_take(struct ring *r, uint32_t *ret_len)
{
	const struct vring_used_elem *e;
	uint16_t used = used_since(r);
	uint32_t id, len;

	if (r->lie)
		return -EPROTO;
	if (used == 0)
		return -EAGAIN;
	/* What was taken has moved used_idx; so no more than was put is left.
	 */
	if (used > (uint16_t)(r->avail_idx - r->used_idx))
		return lied(r, "used more buffers than it was given");
	e = &r->used->ring[r->used_idx & (r->n - 1)];
	id = LE32(__atomic_load_n(&e->id, __ATOMIC_RELAXED));
	len = LE32(__atomic_load_n(&e->len, __ATOMIC_RELAXED));
	if (id >= r->n)
		return lied(r, "used a buffer that there is not");
	if (r->given[id] == 0)
		return lied(r, "used a buffer that it was not given");
	/* What it has read says nothing that we need. */
	if (!r->writable)
		len = 0;
	else if (len > r->given[id])
		return lied(r, "wrote more than a buffer holds");
	r->given[id] = 0;
	r->used_idx++;
	*ret_len = len;
	return (int)id;
}

bool ring_want(struct ring *r, bool wanted)
{
	__atomic_store_n(&r->avail->flags,
			 LE16(wanted ? 0 : VRING_AVAIL_F_NO_INTERRUPT),
			 __ATOMIC_RELAXED);
	if (!wanted)
		return false;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return used_since(r) != 0;
}
