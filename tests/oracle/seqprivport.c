/* SPDX-License-Identifier: MIT */
/* What privport.c asks, asked of SOCK_SEQPACKET. */
#define TYPE SOCK_SEQPACKET
#include "privport.c"
