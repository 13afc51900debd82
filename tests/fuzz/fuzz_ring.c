/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: bridge/ring against a device that writes whatever the input
 * says, anywhere in the shared memory. A model says which buffers the device
 * has: none comes back that it has not, nor with more bytes than it holds.
 */
#include "bridge/ring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define N    4
#define SIZE 8u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static _Alignas(RING_ALIGN) uint8_t memory[4096];

static void must(bool good)
{
	if (!good)
		abort();
}

struct model {
	uint32_t given[N]; /* what the device has of each buffer */
	bool ours[N];	   /* the driver has it: neither free nor given */
};

static void put(struct ring *r, struct model *m, uint16_t id, uint32_t len)
{
	memset(ring_buf(r, id), id, SIZE);
	m->ours[id] = false;
	m->given[id] = len;
	ring_put(r, id, len);
}

static void take(struct ring *r, struct model *m, uint8_t then)
{
	uint32_t len = SIZE + 1;
	int id = ring_take(r, &len);

	must((id == -EPROTO) == (r->lie != NULL));
	if (id < 0)
		return;
	must(id < N && m->given[id] && !m->ours[id]);
	must(r->writable ? len <= m->given[id] : len == 0);
	m->given[id] = 0;
	m->ours[id] = true;
	if (then % 2) {
		put(r, m, (uint16_t)id, SIZE);
	} else {
		ring_drop(r, (uint16_t)id);
		m->ours[id] = false;
	}
}

/* One step: the driver does something, or the device writes. */
static void step(struct ring *r, struct model *m, const uint8_t op[4])
{
	size_t bytes = ring_bytes(N, SIZE);
	uint16_t idx;
	int id;

	switch (op[0] % 8) {
	case 0:
		id = ring_get(r);
		if (id < 0)
			break;
		must(id < N && !m->given[id] && !m->ours[id]);
		m->ours[id] = true;
		put(r, m, (uint16_t)id, 1 + op[1] % SIZE);
		break;
	case 1:
	case 2:
		take(r, m, op[1]);
		break;
	case 3:
		(void)ring_kick(r);
		(void)ring_want(r, op[1] % 2);
		break;
	case 4: /* a device that keeps to the form */
		idx = r->used->idx;
		r->used->ring[idx % N].id = op[1];
		r->used->ring[idx % N].len = op[2];
		r->used->idx = (uint16_t)(idx + 1);
		break;
	case 5:
		r->used->idx = (uint16_t)(op[1] | op[2] << 8);
		break;
	case 6:
		memset(&r->used->ring[op[1] % N], op[2],
		       sizeof(r->used->ring[0]));
		break;
	default:
		memory[(op[1] | (size_t)op[2] << 8) % bytes] = op[3];
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct model m = { { 0 }, { 0 } };
	struct ring r;

	if (size == 0)
		return 0;
	must(ring_bytes(N, SIZE) <= sizeof(memory));
	memset(memory, 0, sizeof(memory));
	ring_init(&r, memory, (uintptr_t)memory, N, SIZE, data[0] % 2);
	for (size_t i = 1; i + 4 <= size; i += 4)
		step(&r, &m, data + i);
	return 0;
}
