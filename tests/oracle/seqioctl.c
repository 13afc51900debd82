/* SPDX-License-Identifier: MIT */
/* What ioctl.c asks, asked of SOCK_SEQPACKET. */
#define TYPE SOCK_SEQPACKET
#include "ioctl.c"
