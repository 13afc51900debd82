/* SPDX-License-Identifier: MIT */
/*
 * The device's side of a split virtqueue, for tests of the driver's: as plain
 * as virtio 1.2, 2.7 has it, written without a look at bridge/ring.c. It finds
 * the memory at the addresses that it is told, and keeps to the rules.
 */
#ifndef RING_DEVICE_H
#define RING_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/virtio_ring.h>

struct device {
	uint16_t n;
	const struct vring_desc *desc;
	const struct vring_avail *avail;
	struct vring_used *used;
	uint16_t next; /* entry of the available ring */
};

struct device_buf {
	uint16_t head;
	uint8_t *data;
	uint32_t len;
	bool writable;
};

/* False: nothing is available. */
static inline bool device_take(struct device *d, struct device_buf *ret)
{
	const struct vring_desc *desc;

	if (__atomic_load_n(&d->avail->idx, __ATOMIC_ACQUIRE) == d->next)
		return false;
	ret->head = d->avail->ring[d->next++ % d->n];
	desc = &d->desc[ret->head];
	ret->data = (uint8_t *)(uintptr_t)desc->addr;
	ret->len = desc->len;
	ret->writable = desc->flags & VRING_DESC_F_WRITE;
	return true;
}

static inline void device_done(struct device *d, uint16_t head, uint32_t len)
{
	uint16_t idx = d->used->idx;

	d->used->ring[idx % d->n].id = head;
	d->used->ring[idx % d->n].len = len;
	__atomic_store_n(&d->used->idx, (uint16_t)(idx + 1), __ATOMIC_RELEASE);
}

#endif
