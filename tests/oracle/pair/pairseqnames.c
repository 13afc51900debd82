/* SPDX-License-Identifier: MIT */
/* SOCK_SEQPACKET: what pairnames.c asks of SOCK_STREAM. */
#define TYPE SOCK_SEQPACKET
#include "pairnames.c"
