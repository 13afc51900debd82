/* SPDX-License-Identifier: MIT */
/* Cheap reasons to look at a socket: see hint.h. */
#include "hint.h"

struct hint_state hint_state
	__attribute__((aligned(64))); /* zero pages until touched */
