/* SPDX-License-Identifier: MIT */
/* bridge/ring: a driver's ring against a device's, and against a device that
 * lies. */
#include "bridge/ring.h"

#include "tests/unit/ring_device.h"
#include "tests/unit/tap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SEED  20221101u
#define N     8
#define SIZE  100u
#define STEPS 1000000 /* the 16-bit indices wrap several times */

static uint32_t state = SEED;

static uint32_t rnd(uint32_t below)
{
	state = state * 1664525u + 1013904223u;
	return (state >> 8) % below;
}

struct pair {
	struct ring ring;
	struct device device;
	uint8_t *mem;
	size_t bytes;
};

static void pair_init(struct pair *p, uint16_t n, bool writable)
{
	p->bytes = ring_bytes(n, SIZE);
	p->mem = aligned_alloc(RING_ALIGN, p->bytes);
	if (!p->mem)
		abort();
	memset(p->mem, 0, p->bytes);
	ring_init(&p->ring, p->mem, (uintptr_t)p->mem, n, SIZE, writable);
	p->device = (struct device){ .n = n,
				     .desc = p->ring.desc,
				     .avail = p->ring.avail,
				     .used = p->ring.used };
}

static void pair_fini(struct pair *p)
{
	free(p->mem);
}

/* What the device has taken, and gives back in any order. */
struct held {
	struct device_buf bufs[N];
	unsigned int n;
};

static struct device_buf held_any(struct held *h)
{
	unsigned int i = rnd(h->n);
	struct device_buf b = h->bufs[i];

	h->bufs[i] = h->bufs[--h->n];
	return b;
}

/* Every buffer bears a number; each goes once, and comes back once. */
static void out_and_back(bool writable)
{
	uint32_t sent = 0, got = 0, len, want[N] = { 0 };
	struct held held = { .n = 0 };
	struct device_buf b;
	bool good = true;
	struct pair p;
	int id;

	pair_init(&p, N, writable);
	for (int i = 0; i < STEPS && good; i++) {
		switch (rnd(4)) {
		case 0:
			id = ring_get(&p.ring);
			if (id < 0)
				break;
			sent++;
			want[id] = writable ? SIZE : 1 + rnd(SIZE);
			memset(ring_buf(&p.ring, (uint16_t)id), (int)sent,
			       SIZE);
			ring_put(&p.ring, (uint16_t)id, want[id]);
			break;
		case 1:
			if (!device_take(&p.device, &held.bufs[held.n]))
				break;
			b = held.bufs[held.n++];
			good = b.writable == writable &&
			       b.len == want[b.head] &&
			       b.data == ring_buf(&p.ring, b.head);
			break;
		case 2:
			if (held.n == 0)
				break;
			b = held_any(&held);
			want[b.head] = writable ? rnd(SIZE + 1) : 0;
			/* one of an older kernel says what it has read */
			device_done(&p.device, b.head,
				    writable ? want[b.head] : b.len);
			break;
		default:
			id = ring_take(&p.ring, &len);
			if (id < 0) {
				good = id == -EAGAIN;
				break;
			}
			got++;
			good = len == want[id];
			ring_drop(&p.ring, (uint16_t)id);
		}
	}
	ok(good && !p.ring.lie && got > 2 * 65536 && sent - got <= N,
	   "buffers that a device %s go round (%u of %u, seed %u)",
	   writable ? "writes" : "reads", got, sent, SEED);
	pair_fini(&p);
}

static void test_bounds(void)
{
	struct pair p;
	bool good = true;

	pair_init(&p, N, true);
	for (int i = 0; i < N; i++)
		good &= ring_get(&p.ring) == i;
	ok(good && ring_get(&p.ring) == -EAGAIN,
	   "there are as many buffers as there are");
	ring_drop(&p.ring, 5);
	ok(ring_get(&p.ring) == 5, "and one that was dropped is there again");
	ok((uint8_t *)ring_buf(&p.ring, N - 1) + SIZE <= p.mem + p.bytes,
	   "the last ends in the memory");
	for (uint16_t i = 0; i < N; i++)
		good &= (uintptr_t)ring_buf(&p.ring, i) % RING_ALIGN == 0;
	ok(good, "they are aligned");
	pair_fini(&p);
}

static void test_kick(void)
{
	struct pair p;
	uint32_t len;

	pair_init(&p, N, false);
	ok(!ring_kick(&p.ring), "nothing was put: no kick");
	ring_put(&p.ring, (uint16_t)ring_get(&p.ring), 1);
	ring_put(&p.ring, (uint16_t)ring_get(&p.ring), 1);
	ok(ring_kick(&p.ring) && !ring_kick(&p.ring),
	   "one kick for what was put since the last");
	p.device.used->flags = VRING_USED_F_NO_NOTIFY;
	ring_put(&p.ring, (uint16_t)ring_get(&p.ring), 1);
	ok(!ring_kick(&p.ring), "a device that wants none gets none");

	ok(!ring_want(&p.ring, true) && !p.device.avail->flags,
	   "a device is asked to tell, and there is nothing yet");
	ok(!ring_want(&p.ring, false) &&
		   p.device.avail->flags == VRING_AVAIL_F_NO_INTERRUPT,
	   "or not to");
	device_done(&p.device, 0, 0);
	ok(ring_want(&p.ring, true), "what came in between is seen");
	ok(ring_take(&p.ring, &len) == 0 && len == 0, "and taken");
	pair_fini(&p);

	pair_init(&p, N, true);
	for (int i = 1; i < N / 2; i++)
		ring_put(&p.ring, (uint16_t)ring_get(&p.ring), 1);
	ok(!ring_kick(&p.ring), "one that is to fill a few buffers finds them");
	ring_put(&p.ring, (uint16_t)ring_get(&p.ring), 1);
	ok(ring_kick(&p.ring) && !ring_kick(&p.ring), "half of all is told of");
	pair_fini(&p);
}

/* What device @p says is refused with @why, for ever. */
static void lie(struct pair *p, const char *why)
{
	uint32_t len = 77;

	ok(ring_take(&p->ring, &len) == -EPROTO && p->ring.lie &&
		   strcmp(p->ring.lie, why) == 0 && len == 77,
	   "a device that %s is found out", why);
	p->device.used->idx = p->ring.used_idx;
	ok(ring_take(&p->ring, &len) == -EPROTO &&
		   ring_get(&p->ring) == -EPROTO,
	   "and the ring has stopped");
	pair_fini(p);
}

/* A ring of which the device has buffers 0, 1 and 2. */
static void three(struct pair *p, bool writable)
{
	struct device_buf b;

	pair_init(p, N, writable);
	for (int i = 0; i < 3; i++) {
		ring_put(&p->ring, (uint16_t)ring_get(&p->ring), SIZE);
		device_take(&p->device, &b);
	}
}

static void test_lies(void)
{
	struct pair p;
	uint32_t len;

	three(&p, true);
	p.device.used->idx = 4;
	lie(&p, "used more buffers than it was given");

	three(&p, true);
	p.device.used->idx = 0xffff;
	lie(&p, "used more buffers than it was given");

	three(&p, true);
	device_done(&p.device, N, 1);
	lie(&p, "used a buffer that there is not");

	three(&p, true);
	p.device.used->ring[0].id = 0x80000000;
	p.device.used->idx = 1;
	lie(&p, "used a buffer that there is not");

	three(&p, true);
	device_done(&p.device, 3, 1);
	lie(&p, "used a buffer that it was not given");

	three(&p, false);
	device_done(&p.device, 1, 0);
	device_done(&p.device, 1, 0);
	ok(ring_take(&p.ring, &len) == 1, "what it has may come first");
	lie(&p, "used a buffer that it was not given");

	three(&p, true);
	device_done(&p.device, 2, SIZE + 1);
	lie(&p, "wrote more than a buffer holds");

	three(&p, true);
	device_done(&p.device, 2, SIZE);
	ok(ring_take(&p.ring, &len) == 2 && len == SIZE,
	   "it may write all of a buffer");
	pair_fini(&p);

	/* Its indices and descriptors are its own business. */
	three(&p, true);
	memset(p.ring.desc, 0xff, N * sizeof(*p.ring.desc));
	memset(p.ring.avail, 0xff, sizeof(*p.ring.avail) + N * 2);
	device_done(&p.device, 0, 7);
	ok(ring_take(&p.ring, &len) == 0 && len == 7,
	   "what it does to our part does not matter");
	pair_fini(&p);
}

int main(void)
{
	out_and_back(true);
	out_and_back(false);
	test_bounds();
	test_kick();
	test_lies();
	return done();
}
