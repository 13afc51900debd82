/* SPDX-License-Identifier: MIT */
/* What bind.c asks, asked of SOCK_SEQPACKET. */
#define TYPE SOCK_SEQPACKET
#include "bind.c"
