/* SPDX-License-Identifier: MIT */
/*
 * What fits neither a socket's name nor its tag: option values, by the number
 * that names the socket (ident_key()). Process-local; a record that is missing
 * means the kernel's defaults, so a lost table is never fatal.
 *
 * Records are copied in and out; nobody outside sees memory of the table.
 * Async-signal-safe.
 */
#ifndef VSOCK_TABLE_H
#define VSOCK_TABLE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/time.h>

#define VSOCK_BUFFER_SIZE     (256 * 1024) /* VSOCK_DEFAULT_BUFFER_SIZE */
#define VSOCK_BUFFER_MAX      (256 * 1024)
#define VSOCK_BUFFER_MIN      128
#define VSOCK_CONNECT_TIMEOUT 2 /* seconds */

/* As 64-bit machines have it, and SO_VM_SOCKETS_CONNECT_TIMEOUT_NEW all. */
struct vsock_timeout {
	int64_t tv_sec, tv_usec;
};

struct vsock_rec {
	uint64_t key;
	uint64_t buffer_size; /* SO_VM_SOCKETS_BUFFER_*: bytes */
	uint64_t buffer_min;
	uint64_t buffer_max;
	struct vsock_timeout connect_timeout;
	int sndbuf; /* SO_SNDBUF as the program set it; 0: default */
	int stamp;  /* which of SO_TIMESTAMP and its kin was set last */
	int stamp_value;
	int linger[2];	  /* SO_LINGER, where that is the tag's: ident.h */
	uint64_t paced;	  /* ~SO_MAX_PACING_RATE, which is the tag's */
	bool zerocopy;	  /* SO_ZEROCOPY */
	bool has_peer;	  /* peer[] differs from what the names tell */
	uint8_t peer[16]; /* the address that connect(2) was given */
};

/* What a socket without a record has. */
extern const struct vsock_rec vsock_table_default;

/* The record of @key in *@ret, or the defaults and false. */
bool vsock_table_get(uint64_t key, struct vsock_rec *ret);

/* Stores it; the oldest goes if there are VSOCK_TABLE_MAX. 0, or -ENOMEM. */
#define VSOCK_TABLE_MAX 65536
int vsock_table_put(const struct vsock_rec *rec);

/* An accepted socket's: of its listener's @from the sizes and the timeout, if
 * they are not the defaults. */
void vsock_table_inherit(uint64_t key, const struct vsock_rec *from);

/*
 * A descriptor of @key was closed, perhaps the last. The record goes some
 * time later, when VSOCK_TABLE_CLOSED others were closed after it and nobody
 * asked for it since.
 */
#define VSOCK_TABLE_CLOSED 256
void vsock_table_closed(uint64_t key);

/*
 * The error queue of a socket with a record: which sends of MSG_ZEROCOPY are
 * done. vsock_table_sent() counts one more, and vsock_table_completion() gives
 * the first range (@take: and removes it); false if there is none.
 */
struct vsock_completion {
	uint32_t first;
	uint32_t last;
	bool copied; /* SO_EE_CODE_ZEROCOPY_COPIED */
};

void vsock_table_sent(uint64_t key, bool copied);
bool vsock_table_completion(uint64_t key, bool take,
			    struct vsock_completion *ret);

#endif
