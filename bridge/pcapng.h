/* SPDX-License-Identifier: MIT */
/*
 * Packets as blocks of a pcapng file, of link type 271 (DLT_VSOCK): the header
 * of Linux's vsockmon (struct af_vsockmon_hdr), that of virtio and the payload.
 * Pure: structs in, bytes out.
 */
#ifndef BRIDGE_PCAPNG_H
#define BRIDGE_PCAPNG_H

#include "bridge/packet.h"

#include <sys/uio.h>

/* What a file begins with: a section, and one interface whose times are in
 * nanoseconds. Returns its length; @program is cut to fit. */
#define PCAPNG_BEGIN_MAX 256
size_t pcapng_begin(uint8_t buf[static PCAPNG_BEGIN_MAX], const char *program);

/* One packet, of @p->len bytes at @payload, at @ns since 1970: @iov, which
 * points there and into @room. */
#define PCAPNG_MONITOR_HDR 32
struct pcapng_packet {
	uint8_t head[28 + PCAPNG_MONITOR_HDR + PACKET_HDR];
	uint8_t tail[3 + 4];
};
void pcapng_packet(struct pcapng_packet *room, const struct packet *p,
		   const void *payload, uint64_t ns, struct iovec iov[3]);

#endif
