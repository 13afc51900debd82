/* SPDX-License-Identifier: MIT */
/* Small things without a home of their own; header only. */
#ifndef CORE_UTIL_H
#define CORE_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* For atomic access: 32-bit x86 would have them at any multiple of four. */
typedef int64_t aligned_i64 __attribute__((aligned(8)));
typedef uint64_t aligned_u64 __attribute__((aligned(8)));

/* Its frame is not to be part of its caller's: a signal handler's stack may be
 * small, and what needs the room, or the time to make it, is rare. */
#define OWN_FRAME __attribute__((noinline))

/* musl's strerror(3) is what glibc has under this name: it neither translates
 * nor allocates. */
#ifndef __GLIBC__
#define strerrordesc_np strerror
#endif

/* True, and laid out for that. */
#define USUALLY(is) __builtin_expect(!!(is), 1)

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* @a followed by @b, with a NUL; false if that is more than @size bytes. */
static inline bool util_join(char *buf, size_t size, const char *a,
			     const char *b)
{
	size_t n = strlen(a), m = strlen(b);

	if (n + m >= size)
		return false;
	memcpy(buf, a, n);
	memcpy(buf + n, b, m + 1);
	return true;
}

#endif
