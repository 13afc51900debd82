/* SPDX-License-Identifier: MIT */
/* The command `vsockshim`: the table of its subcommands. */
#include "cli/cli.h"

#include "core/util.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *summary;
} commands[] = {
	{ "run", cmd_run, "run a command with AF_VSOCK sockets" },
	{ "bridge", cmd_bridge, "be the guest of a real vsock device" },
	{ "capture", cmd_capture,
	  "write what goes over connections to a pcapng file" },
	{ "ls", cmd_ls, "list the sockets of a directory" },
	{ "doctor", cmd_doctor, "say what works here, and what does not" },
	{ "migrate", cmd_migrate,
	  "give a machine another CID, as a live migration does" },
	{ "wait", cmd_wait, "wait until somebody listens" },
};

static void help(void)
{
	puts("usage: vsockshim COMMAND [ARGUMENTS]\n"
	     "       vsockshim -h | --help | --version\n\n"
	     "AF_VSOCK sockets for unmodified programs, on any Linux.\n\n"
	     "commands:");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		printf("  %-8s %s\n", commands[i].name, commands[i].summary);
	puts("\nenvironment, of programs and commands:\n"
	     "  VSOCKSHIM_DIR        the rendezvous directory\n"
	     "  VSOCKSHIM_CID        the machine: 1, 2 or 3 to 4294967294\n"
	     "  VSOCKSHIM_DGRAM      are there SOCK_DGRAM sockets? on or off\n"
	     "  VSOCKSHIM_DEBUG      a trace: all, or socket,data,option,poll,"
	     "transport\n"
	     "  VSOCKSHIM_LOG        a file for it\n"
	     "  VSOCKSHIM_TRANSPORT  unix, vhost or auto\n"
	     "  VSOCKSHIM_VHOST      the device of a bridge\n"
	     "  NO_COLOR             keeps colours from a terminal");
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
		return cli_flushed();
	}
	if (strcmp(argv[1], "--version") == 0) {
		puts("vsockshim " VERSION);
		return cli_flushed();
	}
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	}
	return cli_fail(EXIT_USAGE, "no such command: %s; see vsockshim --help",
			argv[1]);
}
