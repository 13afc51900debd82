/* SPDX-License-Identifier: MIT */
/* Packets as blocks of a pcapng file: see pcapng.h. Blocks are native-endian,
 * as the section says; what they hold of vsock is little-endian. */
#include "bridge/pcapng.h"

#include <endian.h>
#include <string.h>

enum {
	BLOCK_SECTION = 0x0a0d0d0a,
	BLOCK_INTERFACE = 1,
	BLOCK_PACKET = 6, /* an Enhanced Packet Block */
	BYTE_ORDER_MAGIC = 0x1a2b3c4d,
	LINK_TYPE = 271, /* DLT_VSOCK */
	OPTION_END = 0,
	OPTION_IF_TSRESOL = 9,
	OPTION_SHB_USERAPPL = 4,
	OPTION_MAX = 128,
};

/* <linux/vsockmon.h> */
enum {
	OP_UNKNOWN,
	OP_CONNECT,
	OP_DISCONNECT,
	OP_CONTROL,
	OP_PAYLOAD,
	TRANSPORT_VIRTIO = 2,
};

static const uint16_t monitor_op[PACKET_N_OPS] = {
	[PACKET_INVALID] = OP_UNKNOWN,
	[PACKET_REQUEST] = OP_CONNECT,
	[PACKET_RESPONSE] = OP_CONNECT,
	[PACKET_RST] = OP_DISCONNECT,
	[PACKET_SHUTDOWN] = OP_DISCONNECT,
	[PACKET_RW] = OP_PAYLOAD,
	[PACKET_CREDIT_UPDATE] = OP_CONTROL,
	[PACKET_CREDIT_REQUEST] = OP_CONTROL,
};

static uint8_t *put(uint8_t *at, const void *value, size_t n)
{
	memcpy(at, value, n);
	return at + n;
}

static uint8_t *put16(uint8_t *at, unsigned int value)
{
	uint16_t v = (uint16_t)value;

	return put(at, &v, sizeof(v));
}

static uint8_t *put32(uint8_t *at, uint32_t value)
{
	return put(at, &value, sizeof(value));
}

static uint8_t *put_option(uint8_t *at, unsigned int code, const void *value,
			   size_t n)
{
	at = put16(at, code);
	at = put16(at, (unsigned int)n);
	at = put(at, value, n);
	for (; n % 4; n++)
		*at++ = 0;
	return at;
}

/* The length of the block that began at @start, in both of its places. */
static uint8_t *put_end(uint8_t *start, uint8_t *at)
{
	uint32_t len = (uint32_t)(at + 4 - start);

	put32(start + 4, len);
	return put32(at, len);
}

size_t pcapng_begin(uint8_t buf[static PCAPNG_BEGIN_MAX], const char *program)
{
	const uint8_t nanoseconds = 9;
	uint64_t unknown = UINT64_MAX;
	uint8_t *at, *interface;

	at = put32(buf, BLOCK_SECTION);
	at = put32(at + 4, BYTE_ORDER_MAGIC);
	at = put16(at, 1); /* version 1.0 */
	at = put16(at, 0);
	at = put(at, &unknown, sizeof(unknown)); /* the section's length */
	at = put_option(at, OPTION_SHB_USERAPPL, program,
			strnlen(program, OPTION_MAX));
	at = put_option(at, OPTION_END, "", 0);
	interface = at = put_end(buf, at);

	at = put32(at, BLOCK_INTERFACE);
	at = put16(at + 4, LINK_TYPE);
	at = put16(at, 0);
	at = put32(at, 0); /* packets are not cut */
	at = put_option(at, OPTION_IF_TSRESOL, &nanoseconds, 1);
	at = put_option(at, OPTION_END, "", 0);
	return (size_t)(put_end(interface, at) - buf);
}

void pcapng_packet(struct pcapng_packet *room, const struct packet *p,
		   const void *payload, uint64_t ns, struct iovec iov[3])
{
	uint32_t len = PCAPNG_MONITOR_HDR + PACKET_HDR + p->len;
	uint32_t pad = -len % 4, block = 28 + len + pad + 4;
	uint8_t *at = room->head, *monitor;

	at = put32(at, BLOCK_PACKET);
	at = put32(at, block);
	at = put32(at, 0); /* the interface */
	at = put32(at, (uint32_t)(ns >> 32));
	at = put32(at, (uint32_t)ns);
	at = put32(at, len);
	monitor = at = put32(at, len);

	/* Addresses are where virtio has them. */
	at += PCAPNG_MONITOR_HDR;
	packet_write(p, at);
	memcpy(monitor, at, 24);
	monitor = put16(monitor + 24, htole16(monitor_op[p->op]));
	monitor = put16(monitor, htole16(TRANSPORT_VIRTIO));
	monitor = put16(monitor, htole16(PACKET_HDR));
	put16(monitor, 0);

	at = room->tail;
	memset(at, 0, pad);
	put32(at + pad, block);
	iov[0] = (struct iovec){ room->head, sizeof(room->head) };
	iov[1] = (struct iovec){ (void *)payload, p->len };
	iov[2] = (struct iovec){ room->tail, pad + 4 };
}
