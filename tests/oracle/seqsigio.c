/* SPDX-License-Identifier: MIT */
/* What sigio.c asks, asked of SOCK_SEQPACKET. */
#define TYPE SOCK_SEQPACKET
#include "sigio.c"
