/* SPDX-License-Identifier: MIT */
/* Cheap reasons to look at a socket: see hint.h. */
#include "hint.h"

unsigned int hint_gates;
uint16_t hint_bits[HINT_FDS]; /* zero pages until touched */
