/* SPDX-License-Identifier: MIT */
/* What epoll.c asks, asked of SOCK_SEQPACKET. */
#define TYPE SOCK_SEQPACKET
#include "epoll.c"
