/* SPDX-License-Identifier: MIT */
/* What select.c asks, asked of SOCK_SEQPACKET. */
#define TYPE SOCK_SEQPACKET
#include "select.c"
