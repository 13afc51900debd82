/* SPDX-License-Identifier: MIT */
/*
 * A vhost-vsock device of this kernel (/dev/vhost-vsock), as whoever runs a
 * virtual machine uses it: two rings in our memory, of which the kernel is the
 * device. Knows nothing of packets.
 *
 * The device belongs to the process, and lives until the last copy of its
 * descriptor is closed: whoever has opened one must not fork.
 */
#ifndef BRIDGE_VHOST_H
#define BRIDGE_VHOST_H

#include "bridge/ring.h"

/* The rings, as virtio 1.2, 5.10.2 numbers them; the third, of events, vhost
 * leaves to others. */
enum { VHOST_RX, VHOST_TX, VHOST_RINGS };

struct vhost {
	int fd;
	int kick[VHOST_RINGS]; /* eventfds: tell the device */
	int call[VHOST_RINGS]; /* eventfds: the device tells; to be watched by
				* edges, and not to be read */
	bool seqpacket;	       /* it knows SOCK_SEQPACKET */
	struct ring rings[VHOST_RINGS];
	void *mem;
	size_t bytes;
};

/*
 * Opens the device at @path and becomes its driver, with rings of @n buffers of
 * @size bytes, and CID @cid. The host's packets come in as soon as buffers are
 * put into the first ring. -errno, and *@why says in words what it stands for:
 *
 * open(2)'s errnos (-ENOENT, -ENXIO, -EACCES, ...); -ENODEV: it is no
 * vhost-vsock, or one that lacks what we need; -EADDRINUSE: another machine has
 * that CID; -EINVAL: it is not one that a guest may have; -ENOMEM, -EMFILE, ...
 */
int vhost_open(struct vhost *v, const char *path, uint32_t cid, uint16_t n,
	       uint32_t size, const char **why);

/* Tells the device of what was put into @ring, if it wants to be told. */
void vhost_kick(struct vhost *v, int ring);

/* Gives device, CID and memory back. */
void vhost_close(struct vhost *v);

#endif
