/* SPDX-License-Identifier: MIT */
/*
 * A bridge: the gateways of one machine on one side, a device on the other, and
 * a loop that serves both. Who calls it opens the device and prints.
 */
#ifndef BRIDGE_BRIDGE_H
#define BRIDGE_BRIDGE_H

#include "bridge/table.h"
#include "bridge/vhost.h"
#include "core/rdv.h"

#define BRIDGE_FOREVER (-1)

struct bridge_config {
	struct machine *machine;	   /* rdv_open() has been called */
	const struct table_limits *limits; /* NULL: the default */
	int stop;      /* a descriptor: once it is readable, the bridge ends */
	int linger_ms; /* ends when nothing was there for so long */
	void (*say)(const char *format, ...)
		__attribute__((format(printf, 1, 2)));
};

struct bridge;

/* Makes the gateways, which serve from now on. -EADDRINUSE: another bridge
 * serves that machine; else what the directory says, or -ENOMEM, -EMFILE. */
int bridge_new(const struct bridge_config *config, struct bridge **ret);

/*
 * Serves @device until it is to stop: 0; until the device breaks the rules:
 * -EPROTO, its connections are gone, and it may be called again with a new one;
 * or until it cannot go on: why.
 */
int bridge_run(struct bridge *b, struct vhost *device);

/* Removes the gateways. NULL is fine. */
void bridge_free(struct bridge *b);

#endif
