/* SPDX-License-Identifier: MIT */
/* What the environment says, read once, at the first use of AF_VSOCK. */
#ifndef CONF_H
#define CONF_H

#include "core/rdv.h"

/*
 * The machine that this process runs on; NULL if a variable is bad, after one
 * line that says which, its value and what it takes. Async-signal-safe.
 */
struct machine *conf_machine(void);

/* Are there SOCK_DGRAM sockets? VSOCKSHIM_DGRAM. */
bool conf_dgram(void);

/*
 * One line on standard error, if that is still the file that it was when the
 * process first used AF_VSOCK: "vsockshim: <name>=<value>: <text>".
 */
void conf_complain(const char *name, const char *value, const char *text);

#endif
