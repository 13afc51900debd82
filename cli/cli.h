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

/* Parses a machine's CID that begins at *@s, as addr_scan_u32() does. */
bool cli_scan_cid(const char **s, uint32_t *ret);

/*
 * The argument of --dir, made absolute: the command may change its own
 * directory. 0, or the exit status after saying why.
 */
int cli_set_dir(const char *dir);

/*
 * The rendezvous directory that the environment names, or the default one,
 * which is put into @buf. NULL if it does not fit.
 */
const char *cli_dir(char *buf, size_t size);

/* Each subcommand gets its own argc and argv, argv[0] being its name. */
int cmd_run(int argc, char **argv);
extern const char cmd_run_help[];
int cmd_wait(int argc, char **argv);
extern const char cmd_wait_help[];

#endif
