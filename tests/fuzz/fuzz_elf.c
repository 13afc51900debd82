/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: cli/reach on a command that holds whatever the input says, and
 * on one of another's as the library.
 */
#include "cli/reach.h"

#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int file = -1;
	char path[32], interpreter[PATH_MAX];
	const char *why;

	if (file < 0)
		file = memfd_create("command", 0);
	if (file < 0 || ftruncate(file, 0) < 0 ||
	    pwrite(file, data, size, 0) != (ssize_t)size)
		abort();
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	why = reach_objection(path);
	if (why && !strstr(why, "statically"))
		abort();
	(void)reach_misfit(path, "/proc/self/exe");
	(void)reach_misfit("/proc/self/exe", path);
	if (reach_script(path, interpreter, sizeof(interpreter)) &&
	    memcmp(data, "#!", 2) != 0)
		abort();
	return 0;
}
