/* SPDX-License-Identifier: MIT */
/* What diag.c asks, asked of SOCK_SEQPACKET. */
#define TYPE SOCK_SEQPACKET
#include "diag.c"
