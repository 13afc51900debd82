/* SPDX-License-Identifier: MIT */
/* What connect.c asks, asked of SOCK_SEQPACKET. */
#define TYPE SOCK_SEQPACKET
#include "connect.c"
