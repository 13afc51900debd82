/* SPDX-License-Identifier: MIT */
/* The header of a virtio-vsock packet. See packet.h. */
#include "bridge/packet.h"

#include "core/util.h"

#include <errno.h>

static uint64_t get(const uint8_t *bytes, size_t at, size_t n)
{
	uint64_t v = 0;

	while (n--)
		v = v << 8 | bytes[at + n];
	return v;
}

static void put(uint8_t *bytes, size_t at, size_t n, uint64_t v)
{
	for (size_t i = 0; i < n; i++, v >>= 8)
		bytes[at + i] = (uint8_t)v;
}

/* Where each field is, and how many bytes it has; all are little endian. */
#define SRC_CID	  0, 8
#define DST_CID	  8, 8
#define SRC_PORT  16, 4
#define DST_PORT  20, 4
#define LEN	  24, 4
#define TYPE	  28, 2
#define OP	  30, 2
#define FLAGS	  32, 4
#define BUF_ALLOC 36, 4
#define FWD_CNT	  40, 4

int packet_parse(const void *bytes, size_t n, struct packet *ret_packet)
{
	uint64_t src, dst;
	uint32_t len;

	if (n < PACKET_HDR)
		return -EBADMSG;
	src = get(bytes, SRC_CID);
	dst = get(bytes, DST_CID);
	len = (uint32_t)get(bytes, LEN);
	if (src > UINT32_MAX || dst > UINT32_MAX || len > n - PACKET_HDR)
		return -EBADMSG;
	*ret_packet = (struct packet){
		.src = { (uint32_t)src, (uint32_t)get(bytes, SRC_PORT) },
		.dst = { (uint32_t)dst, (uint32_t)get(bytes, DST_PORT) },
		.len = len,
		.type = (uint16_t)get(bytes, TYPE),
		.op = (uint16_t)get(bytes, OP),
		.flags = (uint32_t)get(bytes, FLAGS),
		.buf_alloc = (uint32_t)get(bytes, BUF_ALLOC),
		.fwd_cnt = (uint32_t)get(bytes, FWD_CNT),
	};
	return 0;
}

void packet_write(const struct packet *p, void *bytes)
{
	put(bytes, SRC_CID, p->src.cid);
	put(bytes, DST_CID, p->dst.cid);
	put(bytes, SRC_PORT, p->src.port);
	put(bytes, DST_PORT, p->dst.port);
	put(bytes, LEN, p->len);
	put(bytes, TYPE, p->type);
	put(bytes, OP, p->op);
	put(bytes, FLAGS, p->flags);
	put(bytes, BUF_ALLOC, p->buf_alloc);
	put(bytes, FWD_CNT, p->fwd_cnt);
}

struct packet packet_rst(const struct packet *p)
{
	return (struct packet){
		.src = p->dst,
		.dst = p->src,
		.type = p->type,
		.op = PACKET_RST,
	};
}

const char *packet_op_name(uint16_t op)
{
	static const char *const names[PACKET_N_OPS] = {
		"INVALID",  "REQUEST", "RESPONSE",	"RST",
		"SHUTDOWN", "RW",      "CREDIT_UPDATE", "CREDIT_REQUEST"
	};

	return op < ARRAY_SIZE(names) ? names[op] : "?";
}
