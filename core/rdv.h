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

#include "core/diag.h"
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
	bool only_gateway;   /* no paths to other machines */
};

/*
 * Makes the machine exist: checks the directory, creates what is missing, maps
 * the ports. Again is free. If the directory itself is not to be used, *@why
 * says so in words, else it is NULL and -errno is the kernel's.
 */
int rdv_open(struct machine *m, const char **why);

/*
 * A machine that has migrated leaves a symbolic link in its place, which leads
 * nowhere: RDV_MOVED and its new CID. So it is absent to all but those who are
 * to be on it.
 */
#define RDV_MOVED "moved-to-"

/* The CID that the machine which once had @cid has now. */
uint32_t rdv_now(const struct machine *m, uint32_t cid);

/* What name_decode() says, as of today: a name keeps the CID that its machine
 * had when it was given. */
struct name rdv_name(const struct machine *m, const struct sockaddr_un *un,
		     socklen_t len);

/* Has machine @m migrated since this was asked? Then @m->cid is the new CID. */
bool rdv_follow(struct machine *m);

/* Is the directory to be used? As rdv_open(), but makes nothing. */
int rdv_check(const struct machine *m, const char **why);

/*
 * In a directory that everybody may write to, what is found is only as good as
 * its owner: the user, root, or whoever opened the directory to all.
 */
bool rdv_trusts(const struct machine *m, uid_t user);

/* Has whoever connected @fd, our end of it, @port as his own? One that not
 * every user may take is his only if he is trusted with it. */
bool rdv_believes(const struct machine *m, int fd, uint32_t port);

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
	uint64_t window;	 /* for a gateway: SO_VM_SOCKETS_BUFFER_SIZE, */
	uint64_t timeout_ms;	 /* SO_VM_SOCKETS_CONNECT_TIMEOUT */
};

/*
 * Connects @fd as vsock_connect() does, up to the answer: blocks only while
 * the listener's backlog is full, for RDV_GRACE_MS at most.
 *
 * -ECONNRESET: nobody listens there, or the backlog is full; -ENODEV: no way to
 * that machine; -ENXIO: a host without that guest, which is ENODEV, too, or
 * -ESOCKTNOSUPPORT; -ETIMEDOUT, at once: nobody will ever answer;
 * -EINPROGRESS: a gateway has it, and @fd shows nothing until that answers;
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
 * that machine; -EPIPE: it or the receiver was shut down; -EMSGSIZE, -EFAULT.
 */
ssize_t rdv_send(struct machine *m, int fd, const struct sockaddr_vm *to,
		 const struct msghdr *msg, int flags);

/*
 * For bridges: binds the new AF_UNIX socket @fd, a SOCK_STREAM or, @seqpacket,
 * a SOCK_SEQPACKET, to the gateway of machine @m, and listens. -EADDRINUSE:
 * another bridge does; else what the directory says.
 */
int rdv_gateway_listen(struct machine *m, int fd, bool seqpacket, int backlog);

/* Both gateways listen: connects to other machines go to them from now on; if
 * the bridge @relays, all connects that a packet is sent for. */
void rdv_gateway_open(struct machine *m, bool relays);

/* Undoes both, of the bridge that listens. */
void rdv_gateway_close(struct machine *m);

/* Does a gateway of machine @m listen? Disturbs nobody. */
bool rdv_gateway_lives(struct machine *m);

/* Was the gateway of machine @m removed, perhaps with all of its files? */
bool rdv_gateway_gone(const struct machine *m);

/* The process whose gateway it is; 0 if that cannot be told. */
pid_t rdv_gateway_pid(struct machine *m);

/*
 * Who is to start a bridge: one at a time, be it threads or processes. A
 * descriptor for rdv_gateway_unclaim(); -ETIMEDOUT if somebody has held it for
 * RDV_CLAIM_SECONDS; else what the directory says. Signals are to be blocked.
 */
#define RDV_CLAIM_SECONDS 10
int rdv_gateway_claim(struct machine *m);
void rdv_gateway_unclaim(const struct machine *m, int claim);

/*
 * For bridges: connects the new AF_UNIX socket @fd, as a client at @from on
 * another machine, to who listens on @port of machine @m. Never waits. @link: a
 * number that no other such socket has, for its name.
 *
 * -ECONNRESET: nobody does, or the backlog is full; else as rdv_connect().
 */
int rdv_deliver(struct machine *m, int fd, uint64_t link,
		const struct vaddr *from, uint32_t port);

/*
 * For relays: connects the new AF_UNIX socket @fd for the client of machine @m
 * with @port to what it dialled, @to. Never waits. @id: a number that no other
 * socket with that port and @to has.
 *
 * -EAGAIN: the backlog is full; -ETIMEDOUT: nobody will ever answer; else as
 * rdv_connect().
 */
int rdv_relay(struct machine *m, int fd, uint64_t id, uint32_t port,
	      const struct sockaddr_vm *to);

/*
 * For a relay that serves each machine of directory @m->dir, and a migration:
 * as long as the descriptor is open there is one of these, and who makes a
 * machine waits for its gateway, up to RDV_RELAY_MS. -EADDRINUSE: there was
 * another for RDV_CLAIM_MS.
 */
#define RDV_RELAY_MS 5000
#define RDV_CLAIM_MS 500
int rdv_claim_all(const struct machine *m);

/* The CID that what @m sends to @to comes from. */
uint32_t rdv_source(const struct machine *m, const struct sockaddr_vm *to);

/*
 * Does somebody listen on @port of machine @m, on whichever of its CIDs? (A
 * datagram socket does once it is bound.) Disturbs nobody and makes nothing:
 * the machine need not exist, nor @m be open.
 *
 * 0; -ENOENT: nothing is bound there; -ECONNREFUSED: what is does not listen;
 * -ENOTSOCK: it is no socket, or a symbolic link; else what the directory says.
 */
int rdv_listens(const struct machine *m, uint32_t port);

/* Is there machine @m, where it is now? Makes nothing. */
bool rdv_exists(const struct machine *m);

/*
 * Is the socket @d, which the kernel lists with the path @name, one of this
 * directory? Its path may have gone with its listener: then its spelling tells.
 */
bool rdv_has(const struct machine *m, const struct diag *d,
	     const struct name *name);

/*
 * It is connected: did accept(2) make it? Who bound its path himself holds it,
 * and nobody listens there. Disturbs nobody.
 */
bool rdv_accepted(const struct machine *m, const struct diag *d,
		  const struct name *name);

/* Does any process hold a port of machine @m by a path? */
bool rdv_in_use(const struct machine *m);

/*
 * The directory of a user who did not choose one: "vsockshim" in @run, his
 * XDG_RUNTIME_DIR, else one in /tmp. False if it does not fit.
 */
bool rdv_default_dir(char *buf, size_t size, const char *run, uid_t user);

#endif
