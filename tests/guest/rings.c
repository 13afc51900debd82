/* SPDX-License-Identifier: MIT */
/*
 * bridge/vhost and bridge/ring against a real /dev/vhost-vsock, without the
 * rest of the bridge: what it says of wrong CIDs, and packets both ways, by
 * hand. Runs only in the guest of tests/guest/run.
 */
#include "bridge/vhost.h"

#include "tests/unit/tap.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/virtio_vsock.h>
#include <linux/vm_sockets.h>

#define DEVICE "/dev/vhost-vsock"
#define CID    42u
#define PORT   7000u
#define N      16
#define SIZE   4096u
#define LAPS   2000 /* N is passed many times */

static struct vhost v;

static int open_as(uint32_t cid)
{
	const char *why = NULL;
	struct vhost w;
	int r = vhost_open(&w, DEVICE, cid, N, SIZE, &why);

	if (r == 0)
		vhost_close(&w);
	else
		printf("# %s\n", why);
	return r;
}

static void send_packet(const struct virtio_vsock_hdr *like, int op,
			const void *data, uint32_t len)
{
	struct virtio_vsock_hdr h = *like;
	int id = ring_get(&v.rings[VHOST_TX]);
	uint8_t *buf;
	uint32_t unused;

	while (id == -EAGAIN) {
		id = ring_take(&v.rings[VHOST_TX], &unused);
		if (id == -EAGAIN)
			poll(NULL, 0, 1);
	}
	h.src_cid = CID;
	h.dst_cid = VMADDR_CID_HOST;
	h.op = (uint16_t)op;
	h.len = len;
	h.buf_alloc = 1 << 20;
	buf = ring_buf(&v.rings[VHOST_TX], (uint16_t)id);
	memcpy(buf, &h, sizeof(h));
	if (len)
		memcpy(buf + sizeof(h), data, len);
	ring_put(&v.rings[VHOST_TX], (uint16_t)id, (uint32_t)sizeof(h) + len);
	vhost_kick(&v, VHOST_TX);
}

/* The next packet of @op, into @data what it holds; its header, or op 0. */
static struct virtio_vsock_hdr next_packet(int op, void *data)
{
	struct pollfd p = { .fd = v.call[VHOST_RX], .events = POLLIN };
	struct ring *ring = &v.rings[VHOST_RX];
	struct virtio_vsock_hdr h = { 0 };
	eventfd_t unused;
	uint32_t len;
	int id;

	for (;;) {
		id = ring_take(ring, &len);
		if (id == -EAGAIN && poll(&p, 1, 5000) == 1) {
			eventfd_read(v.call[VHOST_RX], &unused);
			continue;
		}
		if (id < 0)
			return (struct virtio_vsock_hdr){ 0 };
		memcpy(&h, ring_buf(ring, (uint16_t)id), sizeof(h));
		if (h.op == op && h.len && h.len + sizeof(h) == len)
			memcpy(data,
			       (uint8_t *)ring_buf(ring, (uint16_t)id) +
				       sizeof(h),
			       h.len);
		ring_put(ring, (uint16_t)id, SIZE);
		vhost_kick(&v, VHOST_RX);
		if (h.op == op)
			return h;
	}
}

/* What @h came from, and was sent to, turned round. */
static struct virtio_vsock_hdr answer(struct virtio_vsock_hdr h)
{
	struct virtio_vsock_hdr a = { .src_port = h.dst_port,
				      .dst_port = h.src_port,
				      .type = h.type };

	return a;
}

static void test_refused(void)
{
	struct virtio_vsock_hdr h = { .src_port = 1,
				      .dst_port = 99,
				      .type = VIRTIO_VSOCK_TYPE_STREAM };
	bool good = true;

	for (int i = 0; i < LAPS && good; i++) {
		h.src_port = 5000 + (uint32_t)i;
		send_packet(&h, VIRTIO_VSOCK_OP_REQUEST, NULL, 0);
		good = next_packet(VIRTIO_VSOCK_OP_RST, NULL).dst_port ==
		       h.src_port;
	}
	ok(good, "a request to a closed port is refused, %d times", LAPS);
}

static void test_host_connects(int type, const char *what)
{
	struct sockaddr_vm to = { .svm_family = AF_VSOCK,
				  .svm_cid = CID,
				  .svm_port = PORT };
	int fd = socket(AF_VSOCK, type | SOCK_NONBLOCK, 0);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct virtio_vsock_hdr h, a;
	uint8_t out[9000], in[9000];
	size_t got = 0;

	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = (uint8_t)(i * 7 + i / 256);
	if (connect(fd, (void *)&to, sizeof(to)) == 0 || errno != EINPROGRESS)
		ok(false, "connect");
	h = next_packet(VIRTIO_VSOCK_OP_REQUEST, NULL);
	ok(h.dst_port == PORT && h.type == (type == SOCK_STREAM ? 1 : 2),
	   "%s: the host's request arrives", what);
	a = answer(h);
	send_packet(&a, VIRTIO_VSOCK_OP_RESPONSE, NULL, 0);
	p.events = POLLOUT;
	poll(&p, 1, 5000);
	ok(write(fd, out, sizeof(out)) == sizeof(out), "%s: it is connected",
	   what);
	do {
		h = next_packet(VIRTIO_VSOCK_OP_RW, in + got);
		got += h.len;
	} while (h.len && got < sizeof(in));
	ok(got == sizeof(in) && memcmp(in, out, got) == 0,
	   "%s: what is more than a buffer comes in several", what);
	if (type == SOCK_SEQPACKET)
		ok(h.flags & 1, "%s: the last says that it is", what);
	a.flags = type == SOCK_SEQPACKET ? 1 : 0;
	send_packet(&a, VIRTIO_VSOCK_OP_RW, "hello", 5);
	p.events = POLLIN;
	poll(&p, 1, 5000);
	ok(read(fd, in, sizeof(in)) == 5 && memcmp(in, "hello", 5) == 0,
	   "%s: what we send arrives", what);
	a.flags = 0;
	close(fd);
	ok(next_packet(VIRTIO_VSOCK_OP_SHUTDOWN, NULL).flags == 3,
	   "%s: its end, too", what);
	send_packet(&a, VIRTIO_VSOCK_OP_RST, NULL, 0);
}

int main(void)
{
	const char *why = "";
	int r;

	ok(open_as(1) == -EINVAL && open_as(2) == -EINVAL &&
		   open_as(VMADDR_CID_ANY) == -EINVAL,
	   "CIDs that no guest may have");
	r = vhost_open(&v, DEVICE, CID, N, SIZE, &why);
	ok(r == 0, "the device is opened (%s)", why);
	ok(v.seqpacket, "and knows SOCK_SEQPACKET");
	ok(open_as(CID) == -EADDRINUSE, "its CID is in use");
	ok(open_as(CID + 1) == 0, "another is not");
	for (int i = 0; i < N; i++)
		ring_put(&v.rings[VHOST_RX],
			 (uint16_t)ring_get(&v.rings[VHOST_RX]), SIZE);
	vhost_kick(&v, VHOST_RX);
	test_refused();
	test_host_connects(SOCK_STREAM, "STREAM");
	test_host_connects(SOCK_SEQPACKET, "SEQPACKET");
	vhost_close(&v);
	ok(open_as(CID) == 0, "a CID that was given back may be had again");
	return done();
}
