/* SPDX-License-Identifier: MIT */
/* A main for a fuzz target that replays the inputs it is given: fuzz_X FILE...
 */
#include "tests/unit/tap.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool replay(const char *path)
{
	static uint8_t buf[1 << 16];
	FILE *f = fopen(path, "r");
	uint8_t *exact;
	size_t n;

	if (!f)
		return false;
	n = fread(buf, 1, sizeof(buf), f);
	fclose(f);
	/* of exactly that size, so that a sanitizer sees a byte more */
	exact = malloc(n + !n);
	if (!exact)
		return false;
	for (size_t i = 0; i < n; i++)
		exact[i] = buf[i];
	LLVMFuzzerTestOneInput(exact, n);
	free(exact);
	return true;
}

int main(int argc, char **argv)
{
	int n = 0;

	for (int i = 1; i < argc; i++) {
		printf("# %s\n", argv[i]); /* the last one, if it ends here */
		fflush(stdout);
		n += replay(argv[i]);
	}
	ok(argc > 1 && n == argc - 1, "%d inputs were survived", n);
	return done();
}
