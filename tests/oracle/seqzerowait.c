/* SPDX-License-Identifier: MIT */
/* What zerowait.c asks, asked of SOCK_SEQPACKET. */
#define TYPE SOCK_SEQPACKET
#include "zerowait.c"
