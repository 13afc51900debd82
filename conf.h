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

/* The same for who only looks: a machine that there is not is not made, and
 * then has no ports. */
const struct machine *conf_look(void);

/* rdv_name(), where this process knows of a migration; else name_decode(). */
struct name conf_name(const struct sockaddr_un *un, socklen_t len);

/* Has a machine migrated, as far as this process knows? Asks nobody. */
bool conf_migrated(void);

/* May a connection have been cut off: are there migrations, or bridges, as far
 * as this process knows? Asks nobody. */
bool conf_may_reset(void);

/*
 * May this process make sockets? Not without a machine, and not in a directory
 * that it cannot write to, after one line that says so: then only what it
 * inherited works.
 */
bool conf_vsock(void);

/* VSOCKSHIM_DGRAM: are there SOCK_DGRAM sockets? */
bool conf_dgram(void);

/* VSOCKSHIM_TRANSPORT: how the machine reaches others (transport.h). */
enum transport { TRANSPORT_UNIX, TRANSPORT_VHOST, TRANSPORT_AUTO };
enum transport conf_transport(void);

/* VSOCKSHIM_VHOST: the device. */
const char *conf_vhost(void);

/* One line about the rendezvous directory: what is wrong, and what it takes. */
void conf_complain_dir(const char *why);

#endif
