/* SPDX-License-Identifier: MIT */
/* SOCK_SEQPACKET: what pairshutdown.c asks of SOCK_STREAM. */
#define TYPE SOCK_SEQPACKET
#include "pairshutdown.c"
