/* SPDX-License-Identifier: MIT */
/*
 * The calls that meet /dev/vsock by its path, or by a descriptor that is open
 * on it: see shim.h.
 */
#include "shim.h"

#include "conf.h"
#include "core/sys.h"
#include "dev.h"
#include "next.h"
#include "say.h"
#include "trace.h"

#include <stdarg.h>
#include <string.h>

/* --- opening ------------------------------------------------------------- */

static int opened(int flags)
{
	int r = (int)ret_errno(dev_open(flags));

	TRACE(SOCKET, TRACE_ANY, r, "open(\"/dev/vsock\", %l)", flags);
	return r;
}

static bool makes_file(int flags)
{
	return flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE;
}

/* The third argument of open(2), if it is there. */
#define MODE(flags, ap) (makes_file(flags) ? va_arg(ap, mode_t) : 0)

EXPORT int open(const char *path, int flags, ...)
{
	mode_t mode;
	va_list ap;

	va_start(ap, flags);
	mode = MODE(flags, ap);
	va_end(ap);
	if (dev_is_path(path))
		return opened(flags);
	return NEXT(open)(path, flags, mode);
}

EXPORT int openat(int dir, const char *path, int flags, ...)
{
	mode_t mode;
	va_list ap;

	va_start(ap, flags);
	mode = MODE(flags, ap);
	va_end(ap);
	if (dev_is_path(path))
		return opened(flags);
	return NEXT(openat)(dir, path, flags, mode);
}

EXPORT int creat(const char *path, mode_t mode)
{
	return dev_is_path(path) ? opened(O_WRONLY) : NEXT(creat)(path, mode);
}

#ifdef __GLIBC__
EXPORT int open64(const char *path, int flags, ...)
{
	mode_t mode;
	va_list ap;

	va_start(ap, flags);
	mode = MODE(flags, ap);
	va_end(ap);
	if (dev_is_path(path))
		return opened(flags);
	return NEXT(open64)(path, flags, mode);
}

EXPORT int openat64(int dir, const char *path, int flags, ...)
{
	mode_t mode;
	va_list ap;

	va_start(ap, flags);
	mode = MODE(flags, ap);
	va_end(ap);
	if (dev_is_path(path))
		return opened(flags);
	return NEXT(openat64)(dir, path, flags, mode);
}

EXPORT int creat64(const char *path, mode_t mode)
{
	return dev_is_path(path) ? opened(O_WRONLY) : NEXT(creat64)(path, mode);
}

ALIAS(__open64, open64);
#else
ALIAS64(open);
ALIAS64(openat);
ALIAS64(creat);
#endif

ALIAS(__open, open);

/* --- opening as a stream ------------------------------------------------- */

static int dev_open_mode(const char *mode)
{
	int flags = strchr(mode, '+') ? O_RDWR
		    : *mode == 'r'    ? O_RDONLY
				      : O_WRONLY;

	if (*mode != 'r' && *mode != 'w' && *mode != 'a')
		return (int)ret_errno(-EINVAL);
	return opened(flags | (strchr(mode, 'e') ? O_CLOEXEC : 0));
}

static FILE *dev_stream(const char *mode)
{
	int fd = dev_open_mode(mode);
	FILE *f = fd < 0 ? NULL : fdopen(fd, mode);

	if (fd >= 0 && !f)
		sys_kernel.close(fd);
	return f;
}

EXPORT FILE *fopen(const char *path, const char *mode)
{
	return dev_is_path(path) ? dev_stream(mode) : NEXT(fopen)(path, mode);
}

/* As much of it as the stream is to be kept: another file in its place. */
static FILE *dev_restream(const char *mode, FILE *f)
{
	int fd = dev_open_mode(mode);

	if (fd < 0)
		return NULL;
	f = NEXT(freopen)("/", "r", f);
	if (f &&
	    NEXT(dup3)(fd, fileno(f), strchr(mode, 'e') ? O_CLOEXEC : 0) >= 0)
		hint_set(fileno(f), hint_get(fd));
	sys_kernel.close(fd);
	return f;
}

EXPORT FILE *freopen(const char *path, const char *mode, FILE *f)
{
	if (fileno(f) == STDERR_FILENO)
		say_note_stderr();
	return path && dev_is_path(path) ? dev_restream(mode, f)
					 : NEXT(freopen)(path, mode, f);
}

#ifdef __GLIBC__
EXPORT FILE *fopen64(const char *path, const char *mode)
{
	return dev_is_path(path) ? dev_stream(mode) : NEXT(fopen64)(path, mode);
}

EXPORT FILE *freopen64(const char *path, const char *mode, FILE *f)
{
	if (fileno(f) == STDERR_FILENO)
		say_note_stderr();
	return path && dev_is_path(path) ? dev_restream(mode, f)
					 : NEXT(freopen64)(path, mode, f);
}
#else
ALIAS64(fopen);
ALIAS64(freopen);
#endif

/* --- what a fortified program calls instead ------------------------------ */

#ifdef __GLIBC__
int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int dir, const char *path, int flags);
int __openat64_2(int dir, const char *path, int flags);

EXPORT int __open_2(const char *path, int flags)
{
	return dev_is_path(path) ? opened(flags) : NEXT(__open_2)(path, flags);
}

EXPORT int __open64_2(const char *path, int flags)
{
	return dev_is_path(path) ? opened(flags)
				 : NEXT(__open64_2)(path, flags);
}

EXPORT int __openat_2(int dir, const char *path, int flags)
{
	return dev_is_path(path) ? opened(flags)
				 : NEXT(__openat_2)(dir, path, flags);
}

EXPORT int __openat64_2(int dir, const char *path, int flags)
{
	return dev_is_path(path) ? opened(flags)
				 : NEXT(__openat64_2)(dir, path, flags);
}
#endif

/* --- may it be used? ----------------------------------------------------- */

/*
 * These let libc look first: then the kernel has read the path, and a bad one
 * is EFAULT. Of what it said about the device nothing is kept.
 */
static bool about_device(int r, const char *path)
{
	return (r >= 0 || errno != EFAULT) && dev_is_path(path);
}

static int dev_access(int mode, int saved)
{
	int r = mode & ~(R_OK | W_OK | X_OK) ? -EINVAL
		: !dev_exists()		     ? -ENOENT
		: mode & X_OK		     ? -EACCES
					     : 0;

	if (r == 0)
		errno = saved;
	return (int)ret_errno(r);
}

EXPORT int access(const char *path, int mode)
{
	int saved = errno, r = NEXT(access)(path, mode);

	return about_device(r, path) ? dev_access(mode, saved) : r;
}

EXPORT int eaccess(const char *path, int mode)
{
	int saved = errno, r = NEXT(eaccess)(path, mode);

	return about_device(r, path) ? dev_access(mode, saved) : r;
}

ALIAS(euidaccess, eaccess);

EXPORT int faccessat(int dir, const char *path, int mode, int flags)
{
	int saved = errno, r = NEXT(faccessat)(dir, path, mode, flags);

	return about_device(r, path) && (r == 0 || errno != EINVAL)
		       ? dev_access(mode, saved)
		       : r;
}

/* --- what is it? --------------------------------------------------------- */

/* As udev makes it: a character device of the misc class, for everybody. */
#define DEVICE_MODE  (S_IFCHR | 0666)
#define DEVICE_MAJOR 10
#define DEVICE_MINOR 121

#define BE_DEVICE(st)                                                          \
	do {                                                                   \
		(st)->st_mode = DEVICE_MODE;                                   \
		(st)->st_rdev = makedev(DEVICE_MAJOR, DEVICE_MINOR);           \
		(st)->st_nlink = 1;                                            \
		(st)->st_size = 0;                                             \
		(st)->st_blocks = 0;                                           \
	} while (0)

/* The rest of what it says is what it says of the root directory: so @st is
 * libc's to fill, and to refuse. @root: the call on that. */
#define STAT(cond, call, root)                                                 \
	do {                                                                   \
		int saved = errno, r = call;                                   \
                                                                               \
		if (!(cond))                                                   \
			return r;                                              \
		if (!dev_exists())                                             \
			return (int)ret_errno(-ENOENT);                        \
		errno = saved;                                                 \
		r = root;                                                      \
		if (r == 0)                                                    \
			BE_DEVICE(st);                                         \
		return r;                                                      \
	} while (0)

#define STAT_PATH(name, type)                                                  \
	EXPORT int name(const char *path, struct type *st)                     \
	{                                                                      \
		STAT(about_device(r, path), NEXT(name)(path, st),              \
		     NEXT(name)("/", st));                                     \
	}

STAT_PATH(stat, stat)
STAT_PATH(lstat, stat)

#define STAT_FD(name, type)                                                    \
	EXPORT int name(int fd, struct type *st)                               \
	{                                                                      \
		int r = NEXT(name)(fd, st);                                    \
                                                                               \
		if (r == 0 && hinted(fd) && dev_is_open(fd))                   \
			BE_DEVICE(st);                                         \
		return r;                                                      \
	}

STAT_FD(fstat, stat)

/* Is it the device, by path or by descriptor and an empty path, or none? */
static bool about_device_at(int r, int fd, const char *path, int flags)
{
	if (r < 0 && errno == EFAULT)
		return false;
	return dev_is_path(path) ||
	       (flags & AT_EMPTY_PATH && (!path || !*path) && hinted(fd) &&
		dev_is_open(fd));
}

#define STAT_AT(name, type)                                                    \
	EXPORT int name(int fd, const char *path, struct type *st, int flags)  \
	{                                                                      \
		STAT(about_device_at(r, fd, path, flags),                      \
		     NEXT(name)(fd, path, st, flags),                          \
		     NEXT(name)(fd, "/", st, flags));                          \
	}

STAT_AT(fstatat, stat)

#ifdef __GLIBC__
STAT_PATH(stat64, stat64)
STAT_PATH(lstat64, stat64)
STAT_FD(fstat64, stat64)
STAT_AT(fstatat64, stat64)
#else
ALIAS64(stat);
ALIAS64(lstat);
ALIAS64(fstat);
ALIAS64(fstatat);
#endif

#ifdef STATX_TYPE /* libc has statx(2) */
EXPORT int statx(int fd, const char *path, int flags, unsigned int mask,
		 struct statx *st)
{
	int saved = errno, r = NEXT(statx)(fd, path, flags, mask, st);

	if (!about_device_at(r, fd, path, flags))
		return r;
	if (!dev_exists())
		return (int)ret_errno(-ENOENT);
	errno = saved;
	r = NEXT(statx)(fd, "/", flags, mask, st);
	if (r == 0) {
		st->stx_mode = DEVICE_MODE;
		st->stx_rdev_major = DEVICE_MAJOR;
		st->stx_rdev_minor = DEVICE_MINOR;
		st->stx_nlink = 1;
		st->stx_size = 0;
		st->stx_blocks = 0;
	}
	return r;
}
#endif

#if HAVE_TIME64
/* What 32-bit programs call whose times have 64 bits: the part that we need. */
struct stat_time64 {
	uint64_t st_dev, st_ino;
	uint32_t st_mode, st_nlink, st_uid, st_gid;
	uint64_t st_rdev;
	int64_t st_size;
	int32_t st_blksize;
	int64_t st_blocks;
};

int __stat64_time64(const char *path, struct stat_time64 *st);
int __lstat64_time64(const char *path, struct stat_time64 *st);
int __fstat64_time64(int fd, struct stat_time64 *st);
int __fstatat64_time64(int fd, const char *path, struct stat_time64 *st,
		       int flags);

STAT_PATH(__stat64_time64, stat_time64)
STAT_PATH(__lstat64_time64, stat_time64)
STAT_FD(__fstat64_time64, stat_time64)
STAT_AT(__fstatat64_time64, stat_time64)
#endif

#ifdef __GLIBC__
EXPORT int isfdtype(int fd, int type)
{
	return hinted(fd) && dev_is_open(fd) ? type == S_IFCHR
					     : NEXT(isfdtype)(fd, type);
}
#endif

/* --- what programs that were built with glibc before 2.33 call ----------- */

#define STAT_PATH_OLD(name, type)                                              \
	int name(int version, const char *path, struct type *st);              \
	EXPORT int name(int version, const char *path, struct type *st)        \
	{                                                                      \
		STAT(about_device(r, path), NEXT(name)(version, path, st),     \
		     NEXT(name)(version, "/", st));                            \
	}

STAT_PATH_OLD(__xstat, stat)
STAT_PATH_OLD(__xstat64, stat64)
STAT_PATH_OLD(__lxstat, stat)
STAT_PATH_OLD(__lxstat64, stat64)

#define STAT_FD_OLD(name, type)                                                \
	int name(int version, int fd, struct type *st);                        \
	EXPORT int name(int version, int fd, struct type *st)                  \
	{                                                                      \
		int r = NEXT(name)(version, fd, st);                           \
                                                                               \
		if (r == 0 && hinted(fd) && dev_is_open(fd))                   \
			BE_DEVICE(st);                                         \
		return r;                                                      \
	}

STAT_FD_OLD(__fxstat, stat)
STAT_FD_OLD(__fxstat64, stat64)

#define STAT_AT_OLD(name, type)                                                \
	int name(int version, int fd, const char *path, struct type *st,       \
		 int flags);                                                   \
	EXPORT int name(int version, int fd, const char *path,                 \
			struct type *st, int flags)                            \
	{                                                                      \
		STAT(about_device_at(r, fd, path, flags),                      \
		     NEXT(name)(version, fd, path, st, flags),                 \
		     NEXT(name)(version, fd, "/", st, flags));                 \
	}

STAT_AT_OLD(__fxstatat, stat)
STAT_AT_OLD(__fxstatat64, stat64)
