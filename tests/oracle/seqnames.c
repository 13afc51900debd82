/* SPDX-License-Identifier: MIT */
/* What names.c asks, asked of SOCK_SEQPACKET. */
#define TYPE SOCK_SEQPACKET
#include "names.c"
