/* SPDX-License-Identifier: MIT */
/* bridge/packet: 44 bytes and what they mean. */
#include "bridge/packet.h"

#include "tests/unit/tap.h"

#include <errno.h>
#include <string.h>

/* Each field has another value, and each of its bytes, too. */
static const uint8_t wire[PACKET_HDR] = {
	0x01, 0x02, 0x03, 0x04, 0,    0,    0,	  0,	/* src_cid */
	0x11, 0x12, 0x13, 0x14, 0,    0,    0,	  0,	/* dst_cid */
	0x21, 0x22, 0x23, 0x24, 0x31, 0x32, 0x33, 0x34, /* ports */
	0x03, 0x00, 0x00, 0x00, 0x41, 0x42, 0x51, 0x52, /* len, type, op */
	0x61, 0x62, 0x63, 0x64,				/* flags */
	0x71, 0x72, 0x73, 0x74, 0x81, 0x82, 0x83, 0x84, /* credit */
};

static const struct packet host = {
	.src = { 0x04030201, 0x24232221 },
	.dst = { 0x14131211, 0x34333231 },
	.len = 3,
	.type = 0x4241,
	.op = 0x5251,
	.flags = 0x64636261,
	.buf_alloc = 0x74737271,
	.fwd_cnt = 0x84838281,
};

static bool same(const struct packet *a, const struct packet *b)
{
	return a->src.cid == b->src.cid && a->src.port == b->src.port &&
	       a->dst.cid == b->dst.cid && a->dst.port == b->dst.port &&
	       a->len == b->len && a->type == b->type && a->op == b->op &&
	       a->flags == b->flags && a->buf_alloc == b->buf_alloc &&
	       a->fwd_cnt == b->fwd_cnt;
}

/* With one byte changed, and as many as @n in all. */
static int parse_with(size_t at, uint8_t byte, size_t n)
{
	uint8_t bytes[PACKET_HDR];
	struct packet p;

	memcpy(bytes, wire, sizeof(bytes));
	bytes[at] = byte;
	return packet_parse(bytes, n, &p);
}

int main(void)
{
	uint8_t room[PACKET_HDR + 9];
	struct packet p, rst;
	bool good;

	ok(packet_parse(wire, PACKET_HDR + 3, &p) == 0 && same(&p, &host),
	   "each field is read, little endian");
	good = true;
	for (size_t at = 0; at < 8; at++) {
		memset(room, 0xee, sizeof(room));
		packet_write(&host, room + at);
		good &= memcmp(room + at, wire, PACKET_HDR) == 0 &&
			room[at + PACKET_HDR] == 0xee &&
			(!at || room[at - 1] == 0xee);
		good &= packet_parse(room + at, PACKET_HDR + 3, &p) == 0 &&
			same(&p, &host);
	}
	ok(good, "and written, at any alignment, and nothing beside them");

	good = true;
	for (size_t n = 0; n < PACKET_HDR + 3; n++)
		good &= packet_parse(wire, n, &p) == -EBADMSG;
	ok(good, "what is too short for header or payload is refused");
	ok(parse_with(24, 0, PACKET_HDR) == 0 &&
		   parse_with(24, 0, PACKET_HDR + 70000) == 0,
	   "more bytes than announced are fine");
	ok(parse_with(27, 0xff, PACKET_HDR + 3) == -EBADMSG,
	   "a length of almost 4 GiB is no small one");
	ok(parse_with(4, 1, 100) == -EBADMSG &&
		   parse_with(7, 0x80, 100) == -EBADMSG &&
		   parse_with(12, 1, 100) == -EBADMSG &&
		   parse_with(15, 0x80, 100) == -EBADMSG,
	   "a CID of more than 32 bits is refused");

	rst = packet_rst(&host);
	ok(rst.op == PACKET_RST && rst.type == host.type &&
		   rst.src.cid == host.dst.cid &&
		   rst.src.port == host.dst.port &&
		   rst.dst.cid == host.src.cid &&
		   rst.dst.port == host.src.port && !rst.len && !rst.flags &&
		   !rst.buf_alloc && !rst.fwd_cnt,
	   "a RST goes back where the packet came from");

	ok(strcmp(packet_op_name(PACKET_RW), "RW") == 0 &&
		   strcmp(packet_op_name(PACKET_CREDIT_REQUEST),
			  "CREDIT_REQUEST") == 0 &&
		   strcmp(packet_op_name(PACKET_N_OPS), "?") == 0 &&
		   strcmp(packet_op_name(UINT16_MAX), "?") == 0,
	   "operations have names, and unknown ones a question mark");
	ok(!packet_op_known(PACKET_INVALID) &&
		   packet_op_known(PACKET_REQUEST) &&
		   packet_op_known(PACKET_CREDIT_REQUEST) &&
		   !packet_op_known(PACKET_N_OPS),
	   "1 to 7 are known");
	return done();
}
