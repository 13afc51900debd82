/* SPDX-License-Identifier: MIT */
/* What listen.c asks, asked of SOCK_SEQPACKET. */
#define TYPE SOCK_SEQPACKET
#include "listen.c"
