/* SPDX-License-Identifier: MIT */
/* uthash, with memory from pool.h and no way to end the program. */
#ifndef UTHASH_POOL_H
#define UTHASH_POOL_H

#include "pool.h"

#define HASH_NONFATAL_OOM 1
#define uthash_malloc(n)  pool_alloc(n)
#define uthash_free(p, n) pool_free(p, n)
#define HASH_FUNCTION	  HASH_FNV /* the shortest that it has */
#include <uthash.h>

#endif
