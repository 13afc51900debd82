/* SPDX-License-Identifier: MIT */
/* What shutdown.c asks, asked of SOCK_SEQPACKET. */
#define TYPE SOCK_SEQPACKET
#include "shutdown.c"
