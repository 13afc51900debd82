/* SPDX-License-Identifier: MIT */
/* What pass.c asks, asked of SOCK_SEQPACKET. */
#define TYPE SOCK_SEQPACKET
#include "pass.c"
