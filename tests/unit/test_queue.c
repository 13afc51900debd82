/* SPDX-License-Identifier: MIT */
/* bridge/queue: what goes in comes out, in order, in messages, and no more. */
#include "bridge/queue.h"

#include "tests/unit/tap.h"

#include <errno.h>
#include <string.h>

#define SEED 4711u

static uint32_t state = SEED;

static uint32_t rnd(uint32_t below)
{
	state = state * 1664525u + 1013904223u;
	return (state >> 8) % below;
}

/* The head's bytes, as one. */
static uint32_t head(const struct queue *q, uint8_t *buf, bool *eor)
{
	struct iovec iov[2];
	uint32_t at = 0, n;
	int pieces;

	n = queue_head(q, iov, &pieces, eor);
	for (int i = 0; i < pieces; i++) {
		memcpy(buf + at, iov[i].iov_base, iov[i].iov_len);
		at += (uint32_t)iov[i].iov_len;
	}
	return at == n ? n : UINT32_MAX;
}

static void test_stream(void)
{
	uint8_t buf[64], in = 0, out = 0;
	uint32_t n, total = 0;
	bool good = true, eor;
	struct queue q;

	queue_init(&q, sizeof(buf), false);
	ok(head(&q, buf, &eor) == 0 && !q.data,
	   "an empty queue has no bytes, and no memory");
	for (int i = 0; i < 20000 && good; i++) {
		n = rnd(40);
		if (rnd(2)) {
			for (uint32_t k = 0; k < n; k++)
				buf[k] = (uint8_t)(in + k);
			if (queue_put(&q, buf, n) == 0)
				in = (uint8_t)(in + n);
			else
				good = q.n + n > q.size;
			continue;
		}
		if (n > q.n)
			n = q.n;
		good = head(&q, buf, &eor) == q.n && !eor;
		for (uint32_t k = 0; k < n && good; k++)
			good = buf[k] == (uint8_t)(out + k);
		queue_drop(&q, n);
		out = (uint8_t)(out + n);
		total += n;
	}
	ok(good && total > 100000, "%u bytes through 64, seed %u", total, SEED);
	queue_fini(&q);
}

static void test_bounds(void)
{
	uint8_t buf[8] = "abcdefg";
	struct queue q;
	bool eor;

	queue_init(&q, 8, false);
	ok(queue_put(&q, buf, 8) == 0 && queue_put(&q, buf, 1) == -ENOBUFS,
	   "it takes its size, and not one byte more");
	queue_drop(&q, 3);
	ok(queue_put(&q, "xyz", 3) == 0 && queue_put(&q, buf, 1) == -ENOBUFS,
	   "what was dropped may be had again");
	ok(head(&q, buf, &eor) == 8 && memcmp(buf, "defg\0xyz", 8) == 0,
	   "and the order is kept");
	queue_fini(&q);
}

static void test_messages(void)
{
	uint32_t sizes[64], first = 0, last = 0, n, total = 0, messages = 0;
	uint8_t buf[48], in = 0, out = 0;
	bool eors[64] = { false }, good = true, eor;
	struct queue q;

	queue_init(&q, sizeof(buf), true);
	ok(head(&q, buf, &eor) == 0, "no message yet");
	queue_put(&q, "12", 2);
	ok(head(&q, buf, &eor) == 0, "half of a message is none");
	queue_end(&q, false);
	ok(head(&q, buf, &eor) == 2 && !eor, "all of it is");
	queue_drop(&q, 2);
	for (int i = 0; i < 40000 && good; i++) {
		if (rnd(2)) {
			n = 1 + rnd(20);
			for (uint32_t k = 0; k < n; k++)
				buf[k] = (uint8_t)(in + k);
			if (queue_put(&q, buf, n) < 0)
				continue;
			eors[last % 64] = rnd(3) == 0;
			queue_end(&q, eors[last % 64]);
			sizes[last++ % 64] = n;
			in = (uint8_t)(in + n);
			continue;
		}
		n = head(&q, buf, &eor);
		if (first == last) {
			good = n == 0;
			continue;
		}
		good = n == sizes[first % 64] && eor == eors[first % 64];
		for (uint32_t k = 0; k < n && good; k++)
			good = buf[k] == (uint8_t)(out + k);
		first++;
		queue_drop(&q, n);
		out = (uint8_t)(out + n);
		total += n;
		messages++;
	}
	ok(good && messages > 10000, "%u messages, %u bytes, through 48",
	   messages, total);
	queue_fini(&q);
}

static void test_smallest(void)
{
	bool good = true, eor;
	struct queue q;
	uint8_t c;

	queue_init(&q, 1000, true);
	for (int i = 0; i < 1000; i++) {
		good &= queue_put(&q, "x", 1) == 0;
		queue_end(&q, i % 2);
	}
	ok(good && q.ends == 1000, "a message may be a byte");
	for (int i = 0; i < 1000; i++) {
		good &= head(&q, &c, &eor) == 1 && eor == i % 2;
		queue_drop(&q, 1);
	}
	ok(good && q.ends == 0, "and comes out as one");
	queue_fini(&q);
}

int main(void)
{
	test_stream();
	test_bounds();
	test_messages();
	test_smallest();
	return done();
}
