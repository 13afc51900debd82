/* SPDX-License-Identifier: MIT */
/* What sigend.c asks, asked of SOCK_SEQPACKET. */
#define TYPE SOCK_SEQPACKET
#include "sigend.c"
