/* SPDX-License-Identifier: MIT */
/* What nonblock.c asks, asked of SOCK_SEQPACKET. */
#define TYPE SOCK_SEQPACKET
#include "nonblock.c"
