/* SPDX-License-Identifier: MIT */
/* SOCK_SEQPACKET: what pairroute.c asks of SOCK_STREAM. */
#define TYPE SOCK_SEQPACKET
#include "pairroute.c"
