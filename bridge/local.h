/* SPDX-License-Identifier: MIT */
/*
 * The near end of a connection: an AF_UNIX socket that leads to a program under
 * the shim. It knows what its bytes mean there (hello, messages, MSG_EOR, half
 * closed), and nothing of packets, credit or rings. Never waits. All return
 * -errno on failure.
 */
#ifndef BRIDGE_LOCAL_H
#define BRIDGE_LOCAL_H

#include "bridge/queue.h"
#include "core/hello.h"

#include <sys/types.h>

struct local {
	int fd;
	bool seqpacket;
	struct queue queue; /* what it did not take yet */
	uint32_t hello; /* bytes of it to be taken; nothing is sent before */
};

/* What the process needs once: a descriptor to go with MSG_EOR. 0 or -errno. */
int local_start(void);

/* Takes over @fd. */
void local_init(struct local *l, int fd, bool seqpacket);

/* The largest window that such a socket can stand for: a message of that many
 * bytes goes through it in one. At most @want. */
#define LOCAL_WINDOW_MAX (4u << 20)
uint32_t local_window(const struct local *l, uint64_t want);

/*
 * What may wait in the queue; before anything is delivered. Of a STREAM nothing
 * does, if no more than the window, and a sixteenth of it, is delivered since
 * local_has_room() was true.
 */
void local_set_window(struct local *l, uint32_t window);

/* Has the program taken most of what it was sent? epoll tells when it has, by
 * EPOLLOUT. */
bool local_has_room(const struct local *l);

/* The hello at the head of a connection, which stays there. 0: all of it is
 * there; -EAGAIN; -EPROTO: there is something else. */
int local_hello(struct local *l, struct hello *ret);

/* Takes the hello: the program is connected then. 0; -EAGAIN: call it again. */
int local_connected(struct local *l);

/* Says that connect(2) is to fail with @error. local_close() follows. */
void local_refuse(const struct local *l, int error);

/*
 * The peer sent @n bytes, and a message ends if @end. Returns how many bytes,
 * of these and earlier ones, the program took now. -EPIPE: it receives no more;
 * -ENOBUFS: more than the window; -ENOMEM, ...: the connection is lost.
 */
ssize_t local_deliver(struct local *l, const void *data, uint32_t n, bool end,
		      bool eor);

/* The same without new bytes: the program may have made room. */
ssize_t local_flush(struct local *l);

/* Does the program receive no more, although nothing waits for it? Of a
 * SEQPACKET only the next message can tell, as one of no bytes would be
 * delivered. */
bool local_is_deaf(const struct local *l);

/* Has the program closed, or shut down both ways? */
bool local_is_gone(const struct local *l);

/*
 * How long is the program's next message (SEQPACKET)? 0: it sends no more;
 * -EAGAIN: there is none yet; -EINTR: there was one of no bytes, which is gone.
 */
ssize_t local_peek(const struct local *l);

/*
 * Reads what the program sent, up to the room in @iov: of a SEQPACKET the
 * message that local_peek() told of. 0: it sends no more; -EAGAIN.
 */
ssize_t local_fetch(const struct local *l, struct iovec *iov, int n,
		    bool *ret_eor);

/* Has the program (STREAM) sent all, and was all of it read? */
bool local_at_end(const struct local *l);

/* The peer sends no more: when all is delivered, the program is to see EOF. */
void local_end_of_input(const struct local *l);

/* The peer receives no more: the program's sends fail. */
void local_refuse_output(const struct local *l);

/* Closes it so that the program sees what AF_VSOCK shows of a peer that closed:
 * EOF, even if not all that it sent was read. */
void local_close(struct local *l);

/* Closes it as it is: the program may see a reset. */
void local_abort(struct local *l);

#endif
