/* SPDX-License-Identifier: MIT */
/* What portwait.c asks, asked of SOCK_SEQPACKET. */
#define TYPE SOCK_SEQPACKET
#include "portwait.c"
