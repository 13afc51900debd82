/* SPDX-License-Identifier: MIT */
/*
 * Packets on the rings of a device: headers written to and read from its
 * buffers, and told of. Knows which connection nothing belongs to.
 */
#ifndef BRIDGE_WIRE_H
#define BRIDGE_WIRE_H

#include "bridge/packet.h"
#include "bridge/vhost.h"

#include <sys/uio.h>

/* Each ring: buffers for the longest payload there is. */
#define WIRE_BUFS 64
#define WIRE_SIZE (PACKET_HDR + PACKET_MAX_PAYLOAD)

/* Gives the device all buffers for what it sends. */
void wire_start(struct vhost *v);

/*
 * The next packet from the device: its header, and where its payload is, until
 * wire_received(). A buffer's id; -EAGAIN: there is none; -EPROTO: the device
 * lied; -EBADMSG: it is no packet, and is gone.
 */
int wire_receive(struct vhost *v, struct packet *ret, const uint8_t **payload);
void wire_received(struct vhost *v, int id);

/* A buffer for a packet to the device, -EAGAIN or -EPROTO; where its payload
 * goes in *@ret. wire_send() or wire_drop() follows. */
int wire_get(struct vhost *v, struct iovec *ret);
void wire_send(struct vhost *v, int id, const struct packet *p);
void wire_drop(struct vhost *v, int id);

/* How many buffers wire_get() has. */
unsigned int wire_room(struct vhost *v);

/* Tells the device of all that was put into the rings since. */
void wire_kick(struct vhost *v);

#endif
