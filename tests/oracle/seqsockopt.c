/* SPDX-License-Identifier: MIT */
/* What sockopt.c asks, asked of SOCK_SEQPACKET. */
#define TYPE SOCK_SEQPACKET
#include "sockopt.c"
