/* SPDX-License-Identifier: MIT */
/* Bytes that wait for a program to take them: see queue.h. */
#include "bridge/queue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MARK_END = 1, MARK_EOR = 2 };

/* The marks of four bytes are one of ours. */
#define PER_BYTE 4u

void queue_init(struct queue *q, uint32_t size, bool marks)
{
	static uint8_t none;

	*q = (struct queue){ .size = size, .marks = marks ? &none : NULL };
}

void queue_fini(struct queue *q)
{
	if (q->data) {
		free(q->data);
		if (q->marks)
			free(q->marks);
	}
	*q = (struct queue){ 0 };
}

static int allocate(struct queue *q)
{
	uint8_t *marks = NULL;

	if (q->data)
		return 0;
	if (q->marks) {
		marks = calloc(1, q->size / PER_BYTE + 1);
		if (!marks)
			return -ENOMEM;
	}
	q->data = malloc(q->size);
	if (!q->data) {
		free(marks);
		return -ENOMEM;
	}
	q->marks = marks;
	return 0;
}

int queue_put(struct queue *q, const void *data, uint32_t n)
{
	uint32_t at, first;
	int r;

	if (n > q->size - q->n)
		return -ENOBUFS;
	r = allocate(q);
	if (r < 0)
		return r;
	at = (uint32_t)(((uint64_t)q->head + q->n) % q->size);
	first = n < q->size - at ? n : q->size - at;
	memcpy(q->data + at, data, first);
	memcpy(q->data, (const uint8_t *)data + first, n - first);
	q->n += n;
	return 0;
}

void queue_end(struct queue *q, bool eor)
{
	uint32_t last = (uint32_t)(((uint64_t)q->head + q->n - 1) % q->size);
	unsigned int mark = MARK_END | (eor ? MARK_EOR : 0);

	q->marks[last / PER_BYTE] |= (uint8_t)(mark << last % PER_BYTE * 2);
	q->ends++;
}

static unsigned int mark_at(const struct queue *q, uint32_t at)
{
	return q->marks[at / PER_BYTE] >> at % PER_BYTE * 2 & 3;
}

/* The bytes of the first message. */
static uint32_t first_message(const struct queue *q, bool *eor)
{
	uint32_t n = 0, at = q->head;
	unsigned int mark;

	if (q->ends == 0)
		return 0;
	do {
		mark = mark_at(q, at);
		at = at + 1 == q->size ? 0 : at + 1;
		n++;
	} while (!mark);
	*eor = mark & MARK_EOR;
	return n;
}

uint32_t queue_head(const struct queue *q, struct iovec iov[2], int *ret_n,
		    bool *ret_eor)
{
	uint32_t n, first;

	*ret_eor = false;
	n = q->marks ? first_message(q, ret_eor) : q->n;
	*ret_n = 0;
	if (n == 0)
		return 0;
	first = n < q->size - q->head ? n : q->size - q->head;
	iov[0] = (struct iovec){ q->data + q->head, first };
	iov[1] = (struct iovec){ q->data, n - first };
	*ret_n = n > first ? 2 : 1;
	return n;
}

void queue_drop(struct queue *q, uint32_t n)
{
	for (uint32_t i = 0; q->ends && i < n; i++) {
		uint32_t at = (uint32_t)(((uint64_t)q->head + i) % q->size);

		if (!mark_at(q, at))
			continue;
		q->marks[at / PER_BYTE] &= (uint8_t) ~(3u << at % PER_BYTE * 2);
		q->ends--;
	}
	q->n -= n;
	q->head = q->n ? (uint32_t)(((uint64_t)q->head + n) % q->size) : 0;
}
