/* SPDX-License-Identifier: MIT */
/* libc's own functions: see next.h. */
#include "next.h"

#include <dlfcn.h>

void *next_found[NEXT_COUNT];

/* Strings in place, not pointers: nothing to relocate when we are loaded. */
static const char names[NEXT_COUNT][20] = {
#define X(name) #name,
	NEXT_NAMES(X)
#undef X
};

void *next_find(enum next_id id)
{
	void *p = dlsym(RTLD_NEXT, names[id]);

	__atomic_store_n(&next_found[id], p, __ATOMIC_RELAXED);
	return p;
}
