/* SPDX-License-Identifier: MIT */
/* What fileops.c asks, asked of SOCK_SEQPACKET. */
#define TYPE SOCK_SEQPACKET
#include "fileops.c"
