/* SPDX-License-Identifier: MIT */
/* What lowat.c asks, asked of SOCK_SEQPACKET. */
#define TYPE SOCK_SEQPACKET
#include "lowat.c"
