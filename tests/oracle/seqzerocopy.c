/* SPDX-License-Identifier: MIT */
/* What zerocopy.c asks, asked of SOCK_SEQPACKET. */
#define TYPE SOCK_SEQPACKET
#include "zerocopy.c"
