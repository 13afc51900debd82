/* SPDX-License-Identifier: MIT */
/* What wake.c asks, asked of SOCK_SEQPACKET. */
#define TYPE SOCK_SEQPACKET
#include "wake.c"
