/* SPDX-License-Identifier: MIT */
/* The command `vsockshim`: the table of its subcommands. */
#include "cli/cli.h"

#include "core/util.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
	const char *summary;
} commands[] = {
	{ "run", cmd_run, cmd_run_help, "run a command with AF_VSOCK sockets" },
	{ "wait", cmd_wait, cmd_wait_help, "wait until somebody listens" },
};

/* Output that could not be written is an error, too. */
static int flushed(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	return cli_fail(EXIT_FAILURE, "standard output: %s", strerror(errno));
}

static void help(void)
{
	puts("usage: vsockshim COMMAND [ARGUMENTS]\n"
	     "       vsockshim --help | --version\n\n"
	     "AF_VSOCK sockets for unmodified programs, on any Linux.\n\n"
	     "commands:");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		printf("  %-8s %s\n", commands[i].name, commands[i].summary);
	puts("\nvsockshim COMMAND --help tells more. See vsockshim(1), "
	     "vsockshim(7).");
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return cli_fail(EXIT_USAGE,
				"no command given; see vsockshim --help");
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		help();
		return flushed();
	}
	if (strcmp(argv[1], "--version") == 0) {
		puts("vsockshim " VERSION);
		return flushed();
	}
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(argv[1], commands[i].name) != 0)
			continue;
		if (argc > 2 && strcmp(argv[2], "--help") == 0) {
			fputs(commands[i].help, stdout);
			return flushed();
		}
		return commands[i].run(argc - 1, argv + 1);
	}
	return cli_fail(EXIT_USAGE, "no such command: %s; see vsockshim --help",
			argv[1]);
}
