/* SPDX-License-Identifier: MIT */
/* The command `vsockshim`: what its subcommands share. */
#ifndef CLI_H
#define CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EXIT_USAGE     2   /* the command line is wrong */
#define EXIT_NOT_RUN   126 /* as shells do: found, but it cannot be run */
#define EXIT_NOT_FOUND 127

/* Says "vsockshim: " and the text on standard error; returns @status. */
int cli_fail(int status, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The same of a command that goes on, in one write. */
void cli_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Output that could not be written is an error, too: the exit status. */
int cli_flushed(void);

/* Is standard output a terminal whose user takes colours (NO_COLOR)? */
bool cli_colours(void);

/* Parses a machine's CID that begins at *@s, as addr_scan_u32() does. */
bool cli_scan_cid(const char **s, uint32_t *ret);

/* In the options of each subcommand. */
#define CLI_HELP                                                               \
	{                                                                      \
		"help", no_argument, NULL, 'h'                                 \
	}

/*
 * An option that is none of the subcommand's own: ends the program after
 * --help; else the exit status for what getopt_long(3) has said something
 * about.
 */
int cli_other_option(int option, const char *help);

/* The argument of --cid. 0, or the exit status after saying why. */
int cli_cid(const char *value, uint32_t *ret);

/*
 * The argument of --dir, made absolute, as the command may change its own
 * directory, and without "//" and "/.". 0, or the exit status after saying why.
 */
int cli_set_dir(const char *dir);

/*
 * The rendezvous directory that the environment names, or the default one,
 * which is put into @buf. NULL if it does not fit.
 */
const char *cli_dir(char *buf, size_t size);

/* The same, of who needs it. 0, or the exit status after saying why. */
int cli_need_dir(char *buf, size_t size, const char **ret);

/*
 * Room for one more after the @n elements of @size bytes at @array, which is
 * NULL if there are none; ends the program if there is no memory.
 */
void *cli_grow(void *array, size_t n, size_t size);

/* For a subcommand whose AF_UNIX sockets are to be what they are: preloaded, as
 * in `vsockshim run`, it begins again without. Before getopt_long(3). */
void cli_leave_preload(char **argv);

/* A descriptor that is readable once SIGTERM or SIGINT has come; SIGPIPE is
 * ignored. */
int cli_stop_signals(void);

/* As many descriptors as we may have. */
void cli_raise_limits(void);

/* Each subcommand gets its own argc and argv, argv[0] being its name. */
int cmd_run(int argc, char **argv);
int cmd_bridge(int argc, char **argv);
int cmd_capture(int argc, char **argv);
int cmd_wait(int argc, char **argv);
int cmd_ls(int argc, char **argv);
int cmd_migrate(int argc, char **argv);
int cmd_doctor(int argc, char **argv);

#endif
