/* SPDX-License-Identifier: MIT */
/* What ports.c asks, asked of SOCK_SEQPACKET. */
#define TYPE SOCK_SEQPACKET
#include "ports.c"
