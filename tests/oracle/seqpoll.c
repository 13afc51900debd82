/* SPDX-License-Identifier: MIT */
/* What poll.c asks, asked of SOCK_SEQPACKET. */
#define TYPE SOCK_SEQPACKET
#include "poll.c"
