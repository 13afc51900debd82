/* SPDX-License-Identifier: MIT */
/* What share.c asks, asked of SOCK_SEQPACKET. */
#define TYPE SOCK_SEQPACKET
#include "share.c"
