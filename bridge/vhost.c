/* SPDX-License-Identifier: MIT */
/*
 * A vhost-vsock device: see vhost.h.
 *
 * What the device calls "guest physical" addresses are our own here: the one
 * region of its memory table maps our memory to where it is.
 */
#include "bridge/vhost.h"

#include "core/util.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/vhost.h>
#include <linux/virtio_config.h>

#define VSOCK_F_SEQPACKET 1 /* virtio 1.2, 5.10.3 */

#define FEATURE(bit) (1ULL << (bit))

/* One ioctl; what its failure means is in *@why. */
static int ask(const struct vhost *v, unsigned long request, void *arg,
	       const char *means, const char **why)
{
	if (ioctl(v->fd, request, arg) >= 0)
		return 0;
	*why = means;
	return -errno;
}

static int open_device(struct vhost *v, const char *path, const char **why)
{
	int r;

	v->fd = open(path, O_RDWR | O_CLOEXEC);
	if (v->fd >= 0)
		return 0;
	r = -errno;
	*why = r == -ENOENT
		       ? "there is no such device; modprobe vhost_vsock makes "
			 "/dev/vhost-vsock"
	       : r == -ENXIO || r == -ENODEV ? "the kernel has no vhost_vsock"
	       : r == -EACCES || r == -EPERM ? "you may not read and write it"
					     : "cannot be opened";
	return r;
}

/* What we can do of what it offers. */
static int negotiate(struct vhost *v, const char **why)
{
	uint64_t features;
	int r;

	r = ask(v, VHOST_GET_FEATURES, &features, "says no features", why);
	if (r < 0)
		return r;
	*why = "is no virtio device of version 1";
	if (!(features & FEATURE(VIRTIO_F_VERSION_1)))
		return -ENODEV;
	features &= FEATURE(VIRTIO_F_VERSION_1) | FEATURE(VSOCK_F_SEQPACKET);
	v->seqpacket = features & FEATURE(VSOCK_F_SEQPACKET);
	return ask(v, VHOST_SET_FEATURES, &features, "refuses its features",
		   why);
}

static int set_memory(struct vhost *v, const char **why)
{
	uint64_t room[(sizeof(struct vhost_memory) +
		       sizeof(struct vhost_memory_region)) /
		      sizeof(uint64_t)] = { 0 };
	struct vhost_memory *table = (struct vhost_memory *)room;

	table->nregions = 1;
	table->regions[0] = (struct vhost_memory_region){
		.guest_phys_addr = (uintptr_t)v->mem,
		.memory_size = v->bytes,
		.userspace_addr = (uintptr_t)v->mem,
	};
	return ask(v, VHOST_SET_MEM_TABLE, table, "refuses its memory", why);
}

static int set_ring(struct vhost *v, unsigned int i, const char **why)
{
	const char *refuses = "refuses a ring";
	const struct ring *ring = &v->rings[i];
	struct vhost_vring_state num = { .index = i, .num = ring->n };
	struct vhost_vring_state base = { .index = i };
	struct vhost_vring_addr addr = {
		.index = i,
		.desc_user_addr = (uintptr_t)ring->desc,
		.avail_user_addr = (uintptr_t)ring->avail,
		.used_user_addr = (uintptr_t)ring->used,
	};
	struct vhost_vring_file kick = { .index = i, .fd = v->kick[i] };
	struct vhost_vring_file call = { .index = i, .fd = v->call[i] };
	int r;

	r = ask(v, VHOST_SET_VRING_NUM, &num, refuses, why);
	if (r == 0)
		r = ask(v, VHOST_SET_VRING_BASE, &base, refuses, why);
	if (r == 0)
		r = ask(v, VHOST_SET_VRING_ADDR, &addr, refuses, why);
	if (r == 0)
		r = ask(v, VHOST_SET_VRING_KICK, &kick, refuses, why);
	if (r == 0)
		r = ask(v, VHOST_SET_VRING_CALL, &call, refuses, why);
	return r;
}

static int make_rings(struct vhost *v, uint16_t n, uint32_t size)
{
	size_t each = ring_bytes(n, size);
	uint8_t *at;

	v->bytes = VHOST_RINGS * each;
	v->mem = mmap(NULL, v->bytes, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (v->mem == MAP_FAILED) {
		v->mem = NULL;
		return -errno;
	}
	at = v->mem;
	for (int i = 0; i < VHOST_RINGS; i++, at += each) {
		v->kick[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		v->call[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (v->kick[i] < 0 || v->call[i] < 0)
			return -errno;
		ring_init(&v->rings[i], at, (uintptr_t)at, n, size,
			  i == VHOST_RX);
	}
	return 0;
}

static int set_cid(struct vhost *v, uint32_t cid, const char **why)
{
	uint64_t wide = cid;
	int r = ask(v, VHOST_VSOCK_SET_GUEST_CID, &wide, "", why);

	if (r == 0)
		return 0;
	if (r == -EADDRINUSE)
		*why = "that CID is in use by another machine";
	else if (r == -EINVAL)
		*why = "a guest cannot have that CID";
	else /* one of vhost's other devices */
		*why = "is not a vhost-vsock device";
	return r == -EADDRINUSE || r == -EINVAL ? r : -ENODEV;
}

static int set_up(struct vhost *v, const char *path, uint32_t cid, uint16_t n,
		  uint32_t size, const char **why)
{
	int running = 1, r;

	r = open_device(v, path, why);
	if (r < 0)
		return r;
	r = ask(v, VHOST_SET_OWNER, NULL, "is not a vhost-vsock device", why);
	if (r < 0)
		return r == -ENOMEM ? r : -ENODEV;
	r = negotiate(v, why);
	if (r < 0)
		return r;
	*why = "no memory or descriptors for its rings";
	r = make_rings(v, n, size);
	if (r == 0)
		r = set_memory(v, why);
	for (unsigned int i = 0; i < VHOST_RINGS && r == 0; i++)
		r = set_ring(v, i, why);
	if (r == 0)
		r = set_cid(v, cid, why);
	if (r == 0)
		r = ask(v, VHOST_VSOCK_SET_RUNNING, &running, "does not start",
			why);
	return r;
}

int vhost_open(struct vhost *v, const char *path, uint32_t cid, uint16_t n,
	       uint32_t size, const char **why)
{
	int r;

	*v = (struct vhost){ .fd = -1, .kick = { -1, -1 }, .call = { -1, -1 } };
	r = set_up(v, path, cid, n, size, why);
	if (r < 0)
		vhost_close(v);
	return r;
}

void vhost_kick(struct vhost *v, int ring)
{
	/* A counter that is full has told, too. */
	if (ring_kick(&v->rings[ring]))
		(void)eventfd_write(v->kick[ring], 1);
}

void vhost_close(struct vhost *v)
{
	int running = 0;

	if (v->fd >= 0) {
		/* The device touches no ring any more before they go. */
		(void)ioctl(v->fd, VHOST_VSOCK_SET_RUNNING, &running);
		close(v->fd);
	}
	for (int i = 0; i < VHOST_RINGS; i++) {
		if (v->kick[i] >= 0)
			close(v->kick[i]);
		if (v->call[i] >= 0)
			close(v->call[i]);
	}
	if (v->mem)
		munmap(v->mem, v->bytes);
	*v = (struct vhost){ .fd = -1, .kick = { -1, -1 }, .call = { -1, -1 } };
}
