/* SPDX-License-Identifier: MIT */
/* libc's own functions: see next.h. */
#include "next.h"

#include <dlfcn.h>

struct next_state next_state __attribute__((aligned(64)));

/* Strings in place, not pointers: nothing to relocate when we are loaded. */
static const char names[NEXT_COUNT][20] = {
#define X(name) #name,
	NEXT_NAMES(X)
#undef X
};

void *next_find(enum next_id id)
{
	void *p = dlsym(RTLD_NEXT, names[id]);
	ptrdiff_t at = (char *)&errno - (char *)__builtin_thread_pointer();

	__atomic_store_n(&next_state.errno_at, at, __ATOMIC_RELAXED);
	__atomic_store_n(&next_state.found[id], p, __ATOMIC_RELEASE);
	return p;
}
