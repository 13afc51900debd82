/* SPDX-License-Identifier: MIT */
/* Packets on the rings of a device: see wire.h. */
#include "bridge/wire.h"

#include <errno.h>

void wire_start(struct vhost *v)
{
	struct ring *rx = &v->rings[VHOST_RX];
	int id;

	while ((id = ring_get(rx)) >= 0)
		ring_put(rx, (uint16_t)id, rx->size);
	/* What it has sent is asked about when buffers are needed. */
	ring_want(&v->rings[VHOST_TX], false);
	wire_kick(v);
}

int wire_receive(struct vhost *v, struct packet *ret, const uint8_t **payload)
{
	struct ring *rx = &v->rings[VHOST_RX];
	const uint8_t *buf;
	uint32_t len;
	int id = ring_take(rx, &len);

	if (id < 0)
		return id;
	buf = ring_buf(rx, (uint16_t)id);
	*payload = buf + PACKET_HDR;
	if (packet_parse(buf, len, ret) == 0)
		return id;
	wire_received(v, id);
	return -EBADMSG;
}

void wire_received(struct vhost *v, int id)
{
	struct ring *rx = &v->rings[VHOST_RX];

	ring_put(rx, (uint16_t)id, rx->size);
}

/* Buffers that the device has read are free again. */
static int reclaim(struct ring *tx)
{
	uint32_t len;
	int id;

	while ((id = ring_take(tx, &len)) >= 0)
		ring_drop(tx, (uint16_t)id);
	return id;
}

unsigned int wire_room(struct vhost *v)
{
	struct ring *tx = &v->rings[VHOST_TX];

	return reclaim(tx) == -EAGAIN ? tx->n_free : 0;
}

int wire_get(struct vhost *v, struct iovec *ret)
{
	struct ring *tx = &v->rings[VHOST_TX];
	int id = reclaim(tx);

	/* The one that was used last is still in some cache. */
	if (id == -EAGAIN)
		id = ring_get(tx);
	if (id < 0)
		return id;
	ret->iov_base = (uint8_t *)ring_buf(tx, (uint16_t)id) + PACKET_HDR;
	ret->iov_len = tx->size - PACKET_HDR;
	return id;
}

void wire_send(struct vhost *v, int id, const struct packet *p)
{
	struct ring *tx = &v->rings[VHOST_TX];

	packet_write(p, ring_buf(tx, (uint16_t)id));
	ring_put(tx, (uint16_t)id, PACKET_HDR + p->len);
}

void wire_drop(struct vhost *v, int id)
{
	ring_drop(&v->rings[VHOST_TX], (uint16_t)id);
}

void wire_kick(struct vhost *v)
{
	vhost_kick(v, VHOST_RX);
	vhost_kick(v, VHOST_TX);
}
