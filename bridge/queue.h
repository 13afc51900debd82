/* SPDX-License-Identifier: MIT */
/*
 * What a peer sent and a program did not take yet: bytes in order, and where
 * messages end. A ring of fixed size: whoever granted credit for so many bytes
 * needs no more, however small the messages are. No system calls, and memory
 * only from the first byte on.
 */
#ifndef BRIDGE_QUEUE_H
#define BRIDGE_QUEUE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

struct queue {
	uint32_t size; /* bytes at most */
	uint32_t head; /* the first byte */
	uint32_t n;    /* bytes */
	uint32_t ends; /* messages that are whole */
	uint8_t *data;
	uint8_t *marks; /* of each byte, two bits: a message ends with it, so */
};

/* An empty queue for @size bytes. @marks: messages end, too. */
void queue_init(struct queue *q, uint32_t size, bool marks);

void queue_fini(struct queue *q);

/* Appends @n bytes. 0; -ENOBUFS: there is no room; -ENOMEM. */
int queue_put(struct queue *q, const void *data, uint32_t n);

/* A message ends with the last byte, which is there; @eor: sent with MSG_EOR.
 */
void queue_end(struct queue *q, bool eor);

/* The bytes at the head: of the first message if messages end here, which is
 * whole, else all. Returns how many; @iov gets one or two pieces. */
uint32_t queue_head(const struct queue *q, struct iovec iov[2], int *ret_n,
		    bool *ret_eor);

/* Removes @n bytes from the head. */
void queue_drop(struct queue *q, uint32_t n);

#endif
