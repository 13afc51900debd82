/* SPDX-License-Identifier: MIT */
/*
 * What the environment says, read once, at the first use of AF_VSOCK. All of it
 * is async-signal-safe.
 */
#ifndef CONF_H
#define CONF_H

#include "core/rdv.h"

/*
 * The machine that this process runs on; NULL if a variable is bad, after one
 * line that says which, its value and what it takes.
 */
struct machine *conf_machine(void);

/*
 * May this process make sockets? Not without a machine, and not in a directory
 * that it cannot write to, after one line that says so: then only what it
 * inherited works.
 */
bool conf_vsock(void);

/* VSOCKSHIM_DGRAM: are there SOCK_DGRAM sockets? */
bool conf_dgram(void);

/* Descriptor 2 is about to become another file: we write to what it is now. */
void conf_note_stderr(void);

/*
 * One line on standard error, if that is still the file that it was at the
 * start: "vsockshim: <name>=<value>: <text>".
 */
void conf_complain(const char *name, const char *value, const char *text);

/* The same about the rendezvous directory: what is wrong, and what it takes. */
void conf_complain_dir(const char *why);

#endif
