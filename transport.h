/* SPDX-License-Identifier: MIT */
/*
 * VSOCKSHIM_TRANSPORT: whether the machine's way out is a real virtio-vsock
 * device, and the bridge that drives it, which is started when it is needed.
 * Nothing of that shows in the program: no child, no descriptor, no signal.
 */
#ifndef TRANSPORT_H
#define TRANSPORT_H

#include "core/rdv.h"

/*
 * Sees to it that machine @m has the gateway that the transport takes. Free
 * once there is one, and where paths are the transport; else as long as it
 * takes to start the bridge. 0; -ENODEV: there is none, after one line that
 * says why, once a process.
 */
int transport_start(struct machine *m);

/* The same after a gateway that was thought to be there did not answer, and
 * before others are to find the machine. */
int transport_again(struct machine *m);

#endif
