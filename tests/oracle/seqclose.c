/* SPDX-License-Identifier: MIT */
/* What close.c asks, asked of SOCK_SEQPACKET. */
#define TYPE SOCK_SEQPACKET
#include "close.c"
