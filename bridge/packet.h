/* SPDX-License-Identifier: MIT */
/*
 * The header of a virtio-vsock packet, struct virtio_vsock_hdr (virtio 1.2,
 * 5.10.6), in the host's form, and its 44 bytes. Knows nothing of connections
 * or rings. Pure: bytes and structs in, bytes and structs out.
 */
#ifndef BRIDGE_PACKET_H
#define BRIDGE_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PACKET_HDR 44 /* bytes that a header has */

/* No packet of Linux has a longer payload, and vhost takes none
 * (VIRTIO_VSOCK_MAX_PKT_BUF_SIZE). */
#define PACKET_MAX_PAYLOAD 65536

enum packet_type {
	PACKET_STREAM = 1,
	PACKET_SEQPACKET = 2,
};

enum packet_op {
	PACKET_INVALID = 0,
	PACKET_REQUEST = 1,
	PACKET_RESPONSE = 2,
	PACKET_RST = 3,
	PACKET_SHUTDOWN = 4,
	PACKET_RW = 5, /* the only one with a payload */
	PACKET_CREDIT_UPDATE = 6,
	PACKET_CREDIT_REQUEST = 7,
	PACKET_N_OPS,
};

/* Flags of SHUTDOWN: the sender of the packet receives, or sends, no more. They
 * add up over packets (5.10.6.5). */
#define PACKET_SHUT_RCV	 1u
#define PACKET_SHUT_SEND 2u
#define PACKET_SHUT_BOTH 3u

/* Flags of RW, of the last packet of a SEQPACKET message (5.10.6.6). */
#define PACKET_EOM 1u /* the message ends here */
#define PACKET_EOR 2u /* and was sent with MSG_EOR */

/* An address: only the lower 32 bits of a CID are in use (5.10.4). */
struct packet_addr {
	uint32_t cid, port;
};

struct packet {
	struct packet_addr src, dst;
	uint32_t len;	    /* bytes of payload that follow the header */
	uint16_t type;	    /* enum packet_type, or what the peer made up */
	uint16_t op;	    /* enum packet_op, or what the peer made up */
	uint32_t flags;	    /* PACKET_SHUT_* or PACKET_EO*, by op */
	uint32_t buf_alloc; /* bytes that the sender's receive buffer has */
	uint32_t fwd_cnt;   /* bytes that left it so far, modulo 2^32 */
};

/*
 * Reads the header of a packet of @n bytes, header and payload, at @bytes, of
 * any alignment. Only the first PACKET_HDR of them are looked at. Returns 0, or
 * -EBADMSG if there are fewer, if the header announces more payload than @n
 * leaves (less is fine: the rest is ignored, 5.10.6), or if a CID has any of
 * its upper 32 bits set.
 */
int packet_parse(const void *bytes, size_t n, struct packet *ret_packet);

/* Writes the header of @p to the PACKET_HDR bytes at @bytes, of any alignment.
 */
void packet_write(const struct packet *p, void *bytes);

/*
 * The answer to @p that belongs to no connection: RST with @p's addresses
 * swapped and its type (known or not), and no credit.
 */
struct packet packet_rst(const struct packet *p);

/* Is it an operation of virtio 1.2, other than INVALID? */
static inline bool packet_op_known(uint16_t op)
{
	return op > PACKET_INVALID && op < PACKET_N_OPS;
}

/* "REQUEST", "RW", ... or "?", for a log line. */
const char *packet_op_name(uint16_t op);

#endif
