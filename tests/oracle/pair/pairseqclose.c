/* SPDX-License-Identifier: MIT */
/* SOCK_SEQPACKET: what pairclose.c asks of SOCK_STREAM. */
#define TYPE SOCK_SEQPACKET
#include "pairclose.c"
