/* SPDX-License-Identifier: MIT */
/* What fuzzed.c asks, asked of SOCK_SEQPACKET. */
#define TYPE SOCK_SEQPACKET
#include "fuzzed.c"
