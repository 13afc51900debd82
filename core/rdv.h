/* SPDX-License-Identifier: MIT */
/*
 * The rendezvous: where the sockets of machines meet.
 *
 * A directory holds one directory per machine, named by its CID, and in it a
 * path per bound port (name.h) and the `ports` file (ports.h). Each function
 * takes the machine, the descriptor and the door to the kernel (in struct
 * machine) from its caller; nothing here reads the environment or keeps
 * anything. All return 0 or more, or -errno.
 */
#ifndef CORE_RDV_H
#define CORE_RDV_H

#include "core/name.h"
#include "core/ports.h"
#include "core/sys.h"

#include <sys/time.h>

struct machine {
	const struct sys *sys;
	const char *dir; /* the rendezvous directory, absolute */
	uint32_t cid;
	struct ports *ports; /* NULL until rdv_open() */
	uid_t owner;	     /* of the directory */
	mode_t share;	     /* what group and others may do: 0, 070, 077 */
	aligned_u64 seen;    /* the destination that was last connected to */
	int refusal;	     /* what the directory itself last said: -errno */
};

/*
 * Makes the machine exist: checks the directory, creates what is missing, maps
 * the ports. Again is free. If the directory itself is not to be used, *@why
 * says so in words, else it is NULL and -errno is the kernel's.
 */
int rdv_open(struct machine *m, const char **why);

/*
 * Binds the unbound AF_UNIX socket @fd to @want on machine @m, as
 * __vsock_bind() does. A port of VMADDR_PORT_ANY becomes the next free one;
 * *@ret_port is what it became. @dgram: it is a SOCK_DGRAM. @low_ports: the
 * caller has CAP_NET_BIND_SERVICE.
 *
 * -EADDRNOTAVAIL: not a CID of this machine, or PORTS_TRIES ports were taken;
 * -EACCES: a reserved port; -EADDRINUSE; -EINVAL: @fd is bound;
 * -EMFILE, -ENFILE, -ENOMEM as they are; -ENOMEM for what the directory
 * refuses.
 */
int rdv_bind(struct machine *m, int fd, const struct vaddr *want, bool dgram,
	     bool low_ports, uint32_t *ret_port);

/*
 * Removes the path behind @name, that of a socket which the caller has closed,
 * unless some process still holds that socket.
 */
void rdv_release(struct machine *m, const struct name *name);

/* One connect(2): what it wants, and what is known of its socket. */
struct rdv_dial {
	struct sockaddr_vm to;
	struct name self;	 /* the socket's name; NAME_NONE: unnamed */
	uint32_t port;		 /* in and out: the port that an unnamed socket
				  * is bound to; VMADDR_PORT_ANY: none */
	bool nonblock;		 /* a full backlog refuses at once */
	bool named;		 /* is to have a name even if it is refused */
	struct timeval sndtimeo; /* the socket's own SO_SNDTIMEO */
};

/*
 * Connects @fd as vsock_connect() does, up to the answer: blocks only while
 * the listener's backlog is full, for RDV_GRACE_MS at most.
 *
 * -ECONNRESET: nobody listens there, or the backlog is full; -ENODEV: no way to
 * that machine; -ENXIO: a host without that guest, which is ENODEV, too, or
 * -ESOCKTNOSUPPORT; -ETIMEDOUT, at once: nobody will ever answer;
 * -EADDRNOTAVAIL: no port is free; -EINTR; -EISCONN: @fd has a name although
 * @d->self says none; -EINVAL: @fd listens. After all but -ENODEV and
 * -ESOCKTNOSUPPORT the socket is bound.
 */
#define RDV_GRACE_MS 20
int rdv_connect(struct machine *m, int fd, struct rdv_dial *d);

/* The socket of a connect that failed needs no port: it is connected already.
 */
void rdv_forget(struct machine *m, const struct rdv_dial *d);

/*
 * Sends one datagram, @msg's data, from the bound SOCK_DGRAM @fd to @to.
 * Never waits. Returns the bytes sent; 0 if it was dropped, as the receiver's
 * queue is full; -EHOSTUNREACH: nobody holds that port; -ENODEV: no way to
 * that machine; -EMSGSIZE, -EFAULT.
 */
ssize_t rdv_send(struct machine *m, int fd, const struct sockaddr_vm *to,
		 const struct msghdr *msg, int flags);

/*
 * Does somebody listen on @port of machine @m, on whichever of its CIDs? (A
 * datagram socket does once it is bound.) Disturbs nobody and makes nothing:
 * the machine need not exist, nor @m be open.
 *
 * 0; -ENOENT: nothing is bound there; -ECONNREFUSED: what is does not listen;
 * -ENOTSOCK: it is no socket, or a symbolic link; else what the directory says.
 */
int rdv_listens(const struct machine *m, uint32_t port);

/*
 * The directory of a user who did not choose one: "vsockshim" in @run, his
 * XDG_RUNTIME_DIR, else one in /tmp. False if it does not fit.
 */
bool rdv_default_dir(char *buf, size_t size, const char *run, uid_t user);

#endif
