/* SPDX-License-Identifier: MIT */
/* What olderror.c asks, asked of SOCK_SEQPACKET. */
#define TYPE SOCK_SEQPACKET
#include "olderror.c"
