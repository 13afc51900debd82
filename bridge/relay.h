/* SPDX-License-Identifier: MIT */
/*
 * A relay: the gateways of machines of one directory, behind which is that
 * directory again. What goes over a connection is told of as the packets that
 * virtio would have sent. Who calls it writes them down.
 */
#ifndef BRIDGE_RELAY_H
#define BRIDGE_RELAY_H

#include "bridge/packet.h"

struct relay_config {
	const char *dir; /* absolute */
	uint32_t cid; /* whose connects; 0: of all machines, also later ones */
	int stop;     /* a descriptor: once it is readable, the relay ends */
	/* A packet, with its payload, that is delivered next. Not 0: nothing
	 * more is told, and the relay ends with that. */
	int (*tell)(const struct packet *p, const void *payload);
	void (*say)(const char *format, ...)
		__attribute__((format(printf, 1, 2)));
};

struct relay;

/* Makes the gateways, which serve from now on. 0; or -errno, after saying why.
 */
int relay_new(const struct relay_config *config, struct relay **ret);

/*
 * Until it is to stop: 0, or what went wrong. New connects go past it then, and
 * what programs have sent is delivered; then the peers of all are gone.
 */
int relay_run(struct relay *r);

/* Connections that somebody accepted, so far. */
uint64_t relay_connections(const struct relay *r);

void relay_free(struct relay *r);

#endif
