/* SPDX-License-Identifier: MIT */
/* What signal.c asks, asked of SOCK_SEQPACKET. */
#define TYPE SOCK_SEQPACKET
#include "signal.c"
