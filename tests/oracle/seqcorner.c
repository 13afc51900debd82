/* SPDX-License-Identifier: MIT */
/* What corner.c asks, asked of SOCK_SEQPACKET. */
#define TYPE SOCK_SEQPACKET
#include "corner.c"
