/* SPDX-License-Identifier: MIT */
/* Small things without a home of their own; header only. */
#ifndef CORE_UTIL_H
#define CORE_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

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
