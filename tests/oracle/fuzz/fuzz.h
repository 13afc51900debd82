/* SPDX-License-Identifier: MIT */
/*
 * A sequence of vsock calls: gen.c makes it of a seed, call.c makes the calls,
 * fuzz.c has the processes that do.
 *
 * Sockets are in slots, which a call names by number; each of the two processes
 * has its own, and the second begins with what the first has when it is forked.
 * A slot may be empty: the call is made on descriptor -1.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SLOTS	8
#define MAX_OPS 60
#define LETTERS 4 /* ports of a sequence that have a name: A, B, C, D */

enum kind {
	/* What fills slot d. */
	OP_SOCKET, /* type, protocol */
	OP_DEVICE, /* open("/dev/vsock"): flags */
	OP_PLAIN,  /* an AF_UNIX socket, whose peer is gone */
	OP_ACCEPT, /* flags (-1: accept()), room for the address */
	OP_DUP,
	OP_DUPFD, /* fcntl(F_DUPFD_CLOEXEC) */
	OP_PASS,  /* slot d of the other process */
	OP_FILLS = OP_PASS,

	OP_DUP2, /* onto d, if there is something */
	OP_PAIR, /* socketpair: type, protocol */
	OP_BIND, /* cid, port, form */
	OP_CONNECT,
	OP_LISTEN,  /* backlog */
	OP_SEND,    /* size, flags, memory */
	OP_SENDTO,  /* ..., cid, port */
	OP_WRITE,   /* size, 0, memory */
	OP_SENDMSG, /* size, flags, vector, bytes of control data */
	OP_WRITEV,
	OP_PWRITEV2, /* size, flags, vector, offset */
	OP_SENDMMSG, /* size, flags, messages */
	OP_SENDFILE, /* size */
	OP_SPLICE_IN,
	OP_RECV,     /* size, flags, memory */
	OP_RECVFROM, /* ..., room for the address */
	OP_READ,     /* size, 0, memory */
	OP_RECVMSG,  /* size, flags, vector, 1: with a name, 2: with control */
	OP_READV,
	OP_PREADV2,    /* size, flags, vector, offset */
	OP_RECVMMSG,   /* size, flags, messages, 1: with a timeout of 0 */
	OP_SPLICE_OUT, /* size */
	OP_SHUTDOWN,   /* how */
	OP_CLOSE,      /* in which of some ways */
	OP_SOCKNAME,   /* room for the address */
	OP_PEERNAME,
	OP_GETOPT,    /* which, length, memory */
	OP_SETOPT,    /* which, length, value, memory */
	OP_IOCTL,     /* which, value, memory */
	OP_FILE,      /* which call that any file takes */
	OP_NONBLOCK,  /* F_SETFL: on */
	OP_POLL,      /* slots, events, ms, 1: ppoll */
	OP_SELECT,    /* slots to read, to write, ms, 1: pselect */
	OP_EPOLL_ADD, /* events */
	OP_EPOLL_MOD,
	OP_EPOLL_DEL,
	OP_EPOLL_WAIT, /* ms, 1: epoll_pwait, room */

	/* About the second process. */
	OP_FORK,
	OP_EXEC,
	OP_KILL,
	N_OPS
};

enum cid { CID_ANY, CID_1, CID_2, CID_0, CID_3, N_CIDS };
enum port { PORT_A, PORT_EPHEMERAL = LETTERS, PORT_OF = 8 /* + slot */ };

/* Ways to pass an address; the first ones are good. */
enum form {
	FORM_PLAIN,
	FORM_TO_HOST,  /* svm_flags */
	FORM_RESERVED, /* garbage in reserved1 and zero */
	FORM_128,
	FORM_GOOD = FORM_128,
	FORM_FLAGS_2,
	FORM_INET,
	FORM_UNSPEC,
	FORM_15,
	FORM_0,
	FORM_129,
	FORM_NEGATIVE,
	FORM_NULL,
	FORM_NOWHERE,
	N_FORMS
};

/* Room for an address that a call returns; the last ones are bad. */
enum room {
	ROOM_NONE, /* NULL, NULL */
	ROOM_FULL,
	ROOM_16,
	ROOM_8,
	ROOM_0,
	ROOM_NEGATIVE,
	ROOM_NULL_LEN,
	ROOM_NOWHERE,
	N_ROOMS
};

enum memory { MEMORY_GOOD, MEMORY_NULL, MEMORY_NOWHERE };
enum vector {
	VECTOR_ONE,
	VECTOR_THREE,
	VECTOR_BAD_SECOND,
	VECTOR_NONE,
	N_VECTORS
};

/* The tables of call.c begin with these, as far as gen.c has to know. */
enum opt {
	OPT_BUFFER_SIZE,
	OPT_BUFFER_MIN,
	OPT_BUFFER_MAX,
	OPT_CONNECT_TIMEOUT,
	OPT_CONNECT_TIMEOUT_NEW,
	OPT_SNDBUF,
	OPT_ZEROCOPY,
	OPT_TIMESTAMP,
	OPT_TIMESTAMPNS,
	OPT_PACING,
	OPT_RECORDS = OPT_PACING, /* the last of which the shim keeps */
	OPT_RCVTIMEO,
	OPT_RCVLOWAT,
	OPT_ERROR,
	OPT_COMMON = OPT_ERROR,
};
enum request { REQ_INQ, REQ_OUTQ, REQ_NBIO };
enum { N_FILE_CALLS = 7, N_CLOSES = 4 };
extern const int n_options, n_values, n_requests;

struct op {
	uint8_t kind; /* enum kind */
	uint8_t who;  /* the process: 0 or 1 */
	uint8_t s, d; /* slots */
	bool later;   /* the second process sleeps in it, if it has to */
	int32_t a[5];
};

struct seq {
	bool watched; /* all masks are looked at after each call */
	unsigned int n;
	struct op op[MAX_OPS];
};

/*
 * What differs, and is left out of all sequences; but for the one that is
 * @tried (its name, or NULL). False if there is no such.
 */
bool gen_try(const char *tried);
void gen_list(void); /* prints their names */

void generate(uint64_t seed, uint64_t number, struct seq *ret);

/* Of the process that we are. */
struct call_state {
	int who;
	bool later; /* it makes such a call */
	int slot[SLOTS];
	unsigned int first_port; /* of the sequence: A */
	int first_fd;		 /* all descriptors are counted from here */
	int epfd, pass[2], pipe[2], file; /* for the calls that need such */
};
extern struct call_state call;

/* Seen by all processes: the sequence, and what is to be printed of it. */
struct call_shared {
	struct seq seq;
	unsigned int first_ephemeral;
	int mask[2][SLOTS]; /* -1: nothing there */
	bool busy;	    /* with a call that is made beside the others */
	struct {
		size_t used;
		char text[128 * 1024];
	} log[2]; /* one for what such a call has to say */
};
extern struct call_shared *call_shared;

/* Once, and again after an exec. */
void call_start(void);

/* Opens what a sequence needs, and says what is free from then on. */
void call_open(void);

/* In another process, and after an exec: what is one process's own. */
void call_renew(void);

/* Makes the @i-th call of a sequence, and says what came of it. */
void call_run(const struct op *o, unsigned int i);

/* The other half of OP_PASS, in the other process. */
void call_receive(const struct op *o);

/* Looks at the masks of all slots. */
void call_masks(void);
const char *call_mask_text(unsigned int mask);
const char *call_name(enum kind kind);

/* Lets the loopback of a kernel finish. */
void call_settle(void);

void put(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* For what must succeed. */
#define MUST_BE(call) fuzz_must((long)(call), #call)
long fuzz_must(long r, const char *what);

#endif
