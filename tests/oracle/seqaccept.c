/* SPDX-License-Identifier: MIT */
/* What accept.c asks, asked of SOCK_SEQPACKET. */
#define TYPE SOCK_SEQPACKET
#include "accept.c"
