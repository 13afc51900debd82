/* SPDX-License-Identifier: MIT */
/* What solsocket.c asks, asked of SOCK_SEQPACKET. */
#define TYPE SOCK_SEQPACKET
#include "solsocket.c"
