/* SPDX-License-Identifier: MIT */
/*
 * One split virtqueue, the driver's side (virtio 1.2, 2.7): rings of fixed
 * buffers in memory that a device shares. It knows nothing of what is in them,
 * nor of who the device is. Pure: no system calls.
 *
 * Buffer i is descriptor i for ever, and one buffer is one descriptor: a device
 * that offers VIRTIO_F_VERSION_1 takes any framing. Nothing that the device
 * writes is believed; what it must not say stops the ring for good, and
 * ring->lie tells in words.
 */
#ifndef BRIDGE_RING_H
#define BRIDGE_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/virtio_ring.h>

#define RING_MAX   256 /* buffers */
#define RING_ALIGN 64  /* of the memory, and of each buffer */

struct ring {
	/* shared with the device */
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	uint8_t *bufs;
	/* our own: the device cannot reach it */
	uint16_t n;	 /* buffers, a power of two */
	bool writable;	 /* by the device: it fills them; else it reads them */
	uint32_t size;	 /* of one buffer */
	uint32_t stride; /* from one to the next */
	uint16_t avail_idx, used_idx;
	uint16_t told; /* avail_idx when the device was last told */
	uint16_t n_free;
	uint16_t free[RING_MAX];  /* ids that ring_get() hands out */
	uint32_t given[RING_MAX]; /* bytes that the device has; 0: none */
	const char *lie;	  /* why it stopped, or NULL */
};

/* How many bytes of shared memory a ring of @n buffers of @size takes. */
size_t ring_bytes(uint16_t n, uint32_t size);

/*
 * Lays a ring out in @mem: ring_bytes() zero bytes, aligned to RING_ALIGN,
 * which the device finds at its address @addr. @n is a power of two, RING_MAX
 * at most.
 */
void ring_init(struct ring *r, void *mem, uint64_t addr, uint16_t n,
	       uint32_t size, bool writable);

/* The memory of buffer @id: ring->size bytes. */
static inline void *ring_buf(const struct ring *r, uint16_t id)
{
	return r->bufs + (size_t)id * r->stride;
}

/* A buffer that the device has not; the caller's until ring_put(). -EAGAIN:
 * none; -EPROTO: the ring has stopped. */
int ring_get(struct ring *r);

/* Gives the device the first @len bytes of the buffer that ring_get() or
 * ring_take() returned; @len is not 0. */
void ring_put(struct ring *r, uint16_t id, uint32_t len);

/* Takes back, unused, what ring_get() or ring_take() returned. */
void ring_drop(struct ring *r, uint16_t id);

/* Is the device to be told that something was put since it last was? Of buffers
 * that it fills, when half of all were: so none is to be kept for long. */
bool ring_kick(struct ring *r);

/*
 * The next buffer that the device has done with, in whatever order, and how
 * many bytes it wrote to it, 0 if it is not to write. The caller's until
 * ring_put() or ring_drop(). -EAGAIN: none; -EPROTO: the device lied, now or
 * before.
 */
int ring_take(struct ring *r, uint32_t *ret_len);

/*
 * Does the device have to tell us of what it has done with? After @wanted
 * became true, look once more: true if something is there already.
 */
bool ring_want(struct ring *r, bool wanted);

#endif
