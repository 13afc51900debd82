/* SPDX-License-Identifier: MIT */
/*
 * What the interposed functions share: shim.c has the calls about sockets and
 * descriptors, shim_data.c those that move data, shim_dev.c those that meet
 * /dev/vsock by its path. Each finds out whether the call concerns AF_VSOCK,
 * has sock.c, dgram.c, opt.c, ready.c or dev.c answer it, or goes on to libc's
 * own. errno is touched only by a call that fails.
 */
#ifndef SHIM_H
#define SHIM_H

#include "conf.h"
#include "core/util.h"
#include "hint.h"
#include "ident.h"
#include "next.h"

#include <errno.h>

#define EXPORT __attribute__((visibility("default")))

/* Another name of libc's for the same function. */
#define ALIAS(other, name)                                                     \
	EXPORT extern __typeof__(name) other __attribute__((alias(#name)))

/* The same where libc's headers have a macro of that name. */
#define ALIAS64(name)                                                          \
	EXPORT extern __typeof__(name) alias_##name __asm__(#name "64")        \
		__attribute__((alias(#name)))

/* -errno to libc's way. */
static inline ssize_t ret_errno(ssize_t r)
{
	if (r >= 0)
		return r;
	errno = (int)-r;
	return -1;
}

/*
 * Begins the definition of a function of libc's whose body is for all
 * descriptors but plain ones. For those it only jumps on to libc's own, so that
 * a program's other sockets have nothing to pay but the way here.
 */
#define EXPORT_UNLESS_PLAIN(type, name, params, fd, ...)                       \
	OWN_FRAME static type name##_looked params;                            \
	EXPORT type name params                                                \
	{                                                                      \
		__typeof__(&(name)) next =                                     \
			hint_plain(fd) ? next_known(NEXT_##name) : NULL;       \
                                                                               \
		return USUALLY(next) ? next(fd, __VA_ARGS__)                   \
				     : name##_looked(fd, __VA_ARGS__);         \
	}                                                                      \
	static type name##_looked params

/* Said to be ours; whoever acts on it asks the kernel. */
static inline bool hinted(int fd)
{
	return fd >= 0 && hint_get(fd) & HINT_OURS;
}

/* The same of one that may not have been asked about as yet. */
static inline bool is_ours(int fd)
{
	struct ident id;

	return hinted(fd) || (hint_suspect(fd) && ident_quiet(fd, &id));
}

/* May a connection have ended otherwise than by its peer? */
static inline bool may_be_reset(void)
{
	return gate_is_open(GATE_RESET) || conf_may_reset();
}

/* May it have an error of ours? If a connect failed; one that was fresh here,
 * elsewhere. */
static inline bool may_have_failed(int fd)
{
	return gate_is_open(GATE_FAILED) || !hinted(fd) ||
	       hint_get(fd) & HINT_FRESH || may_be_reset();
}

/*
 * A seccomp filter was set, with @r: whoever puts himself under one has made no
 * allowance for our calls.
 */
static inline long sandboxed(long r)
{
	if (r >= 0)
		gate_open(GATE_SANDBOX);
	return r;
}

#endif
