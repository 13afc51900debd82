/* SPDX-License-Identifier: MIT */
/* Will what is preloaded reach a command? See reach.h. */
#include "cli/reach.h"

#include "core/util.h"

#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define LIBRARY "libvsockshim.so"

/* A descriptor of @path, whose head is in @ret; -1: there is none to read. */
static int open_elf(const char *path, Elf64_Ehdr *ret)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	if (read(fd, ret, sizeof(*ret)) == sizeof(*ret) &&
	    memcmp(ret->e_ident, ELFMAG, SELFMAG) == 0)
		return fd;
	close(fd);
	return -1;
}

static bool read_head(const char *path, Elf64_Ehdr *ret)
{
	int fd = open_elf(path, ret);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* What tells is at one place in heads of 32 and 64 bits. */
static bool same_arch(const Elf64_Ehdr *a, const Elf64_Ehdr *b)
{
	return a->e_ident[EI_CLASS] == b->e_ident[EI_CLASS] &&
	       a->e_machine == b->e_machine;
}

/* The directory of the command's own file. */
static bool own_dir(char dir[static PATH_MAX])
{
	ssize_t n = readlink("/proc/self/exe", dir, PATH_MAX - 1);

	if (n <= 0)
		return false;
	dir[n] = '\0';
	*strrchr(dir, '/') = '\0';
	return true;
}

/* What is installed for @arch beside the commands in @dir, be it in lib or in
 * one of those that there are for each architecture. */
static bool installed(const char *dir, const Elf64_Ehdr *arch, char *path,
		      size_t size, bool *others)
{
	static const char *const places[] = { "lib*", "lib/*-linux-*" };
	char pattern[96], found[PATH_MAX];
	glob_t all = { .gl_pathc = 0 };
	bool mine = false;
	Elf64_Ehdr head;
	int fd = open(*dir ? dir : "/", O_PATH | O_CLOEXEC);

	if (fd < 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		(void)snprintf(pattern, sizeof(pattern),
			       "/proc/self/fd/%d/../%s/vsockshim/" LIBRARY, fd,
			       places[i]);
		(void)glob(pattern, GLOB_APPEND, NULL, &all);
	}
	*others = false;
	for (size_t i = 0; i < all.gl_pathc; i++) {
		if (!read_head(all.gl_pathv[i], &head))
			continue;
		if (!same_arch(&head, arch))
			*others = true;
		else if (!mine)
			mine = realpath(all.gl_pathv[i], found) &&
			       util_join(path, size, found, "");
	}
	globfree(&all);
	close(fd);
	return mine;
}

/* The path for programs of all architectures, as each one's loader has its own
 * name for $LIB. Ours says whether it is the right one. */
static bool for_all(const char *dir, char *path, size_t size)
{
	char both[PATH_MAX];
	const char *slash = strrchr(dir, '/');
	int n = snprintf(both, sizeof(both), "%.*s/$LIB/vsockshim/" LIBRARY,
			 slash ? (int)(slash - dir) : 0, dir);

	return n > 0 && (size_t)n < sizeof(both) &&
	       dlopen(both, RTLD_LAZY | RTLD_LOCAL) &&
	       util_join(path, size, both, "");
}

bool reach_library(char *path, size_t size)
{
	char dir[PATH_MAX];
	Elf64_Ehdr own;
	bool others;

	if (!own_dir(dir))
		return false;
	if (util_join(path, size, dir, "/" LIBRARY) && access(path, R_OK) == 0)
		return true;
	if (!read_head("/proc/self/exe", &own) ||
	    !installed(dir, &own, path, size, &others))
		return false;
	if (others)
		(void)for_all(dir, path, size);
	return true;
}

bool reach_find(const char *command, char *path, size_t size)
{
	const char *dirs = getenv("PATH"), *end;
	int n;

	if (strchr(command, '/'))
		return util_join(path, size, command, "");
	for (; dirs && *dirs; dirs = *end ? end + 1 : end) {
		end = strchrnul(dirs, ':');
		n = snprintf(path, size, "%.*s%s%s", (int)(end - dirs), dirs,
			     end == dirs ? "" : "/", command);
		if (n > 0 && (size_t)n < size && access(path, X_OK) == 0)
			return true;
	}
	return false;
}

/* The loader, which alone preloads, is named in PT_INTERP. */
static bool has_loader(int fd, const Elf64_Ehdr *e)
{
	Elf64_Phdr p;

	for (unsigned int i = 0; i < e->e_phnum; i++) {
		if (pread(fd, &p, sizeof(p),
			  (off_t)(e->e_phoff + i * sizeof(p))) != sizeof(p))
			return true; /* who knows */
		if (p.p_type == PT_INTERP)
			return true;
	}
	return false;
}

static bool is_static(int fd)
{
	Elf64_Ehdr e;

	return pread(fd, &e, sizeof(e), 0) == sizeof(e) &&
	       memcmp(e.e_ident, ELFMAG, SELFMAG) == 0 &&
	       e.e_ident[EI_CLASS] == ELFCLASS64 &&
	       e.e_phentsize == sizeof(Elf64_Phdr) && !has_loader(fd, &e);
}

/* Then the loader drops what is preloaded by path (AT_SECURE). */
static bool is_privileged(const char *path, const struct stat *st)
{
	if (st->st_mode & S_ISUID && st->st_uid != getuid())
		return true;
	if (st->st_mode & S_ISGID && st->st_mode & S_IXGRP &&
	    st->st_gid != getgid())
		return true;
	return getuid() != 0 &&
	       getxattr(path, "security.capability", NULL, 0) > 0;
}

bool reach_script(const char *path, char *interpreter, size_t size)
{
	char line[256] = "", *word, *rest;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, line, sizeof(line) - 1);
	close(fd);
	if (n < 2 || memcmp(line, "#!", 2) != 0)
		return false;
	line[strcspn(line, "\n")] = '\0';
	word = strtok_r(line + 2, " \t", &rest);
	if (word && strcmp(word, "/usr/bin/env") == 0)
		do
			word = strtok_r(NULL, " \t", &rest);
		while (word && (*word == '-' || strchr(word, '=')));
	return word && reach_find(word, interpreter, size);
}

/* Is there a note whose owner is Go among those of @p? */
static bool has_go_note(int fd, const Elf64_Phdr *p)
{
	uint64_t at = 0;
	Elf64_Nhdr note;
	char owner[4];

	while (at + sizeof(note) <= p->p_filesz &&
	       pread(fd, &note, sizeof(note), (off_t)(p->p_offset + at)) ==
		       sizeof(note)) {
		at += sizeof(note);
		if (note.n_namesz == sizeof(owner) &&
		    pread(fd, owner, sizeof(owner),
			  (off_t)(p->p_offset + at)) == sizeof(owner) &&
		    memcmp(owner, "Go\0", sizeof(owner)) == 0)
			return true;
		at += (note.n_namesz + UINT64_C(3)) & ~UINT64_C(3);
		at += (note.n_descsz + UINT64_C(3)) & ~UINT64_C(3);
	}
	return false;
}

static bool is_go(int fd, const Elf64_Ehdr *e)
{
	Elf64_Phdr p;

	for (unsigned int i = 0; i < e->e_phnum; i++)
		if (pread(fd, &p, sizeof(p),
			  (off_t)(e->e_phoff + i * sizeof(p))) == sizeof(p) &&
		    p.p_type == PT_NOTE && has_go_note(fd, &p))
			return true;
	return false;
}

/* The library is built for the libc that we are. */
#ifdef __GLIBC__
#define OTHER_LOADER "/ld-musl"
#define OTHER_LIBC   "is linked with musl: the library is built for glibc"
#else
#define OTHER_LOADER "/ld-linux"
#define OTHER_LIBC   "is linked with glibc: the library is built for musl"
#endif

/* Is its loader, and so its libc, another? */
static bool is_of_other_libc(int fd, const Elf64_Ehdr *e)
{
	char loader[64] = "";
	Elf64_Phdr p;

	for (unsigned int i = 0; i < e->e_phnum; i++)
		if (pread(fd, &p, sizeof(p),
			  (off_t)(e->e_phoff + i * sizeof(p))) == sizeof(p) &&
		    p.p_type == PT_INTERP)
			(void)!pread(fd, loader, sizeof(loader) - 1,
				     (off_t)p.p_offset);
	return strstr(loader, OTHER_LOADER);
}

/* Is there a library at @library, which may have a $LIB, for @arch? */
static bool is_for(const char *library, const Elf64_Ehdr *arch)
{
	char dir[PATH_MAX], path[PATH_MAX];
	Elf64_Ehdr head;
	bool others;

	if (strstr(library, "/$LIB/"))
		return own_dir(dir) &&
		       installed(dir, arch, path, sizeof(path), &others);
	return !read_head(library, &head) || same_arch(&head, arch);
}

const char *reach_misfit(const char *path, const char *library)
{
	const char *why = NULL;
	Elf64_Ehdr e;
	int fd = open_elf(path, &e);
	bool known;

	if (fd < 0)
		return NULL;
	known = e.e_ident[EI_CLASS] == ELFCLASS64 &&
		e.e_phentsize == sizeof(Elf64_Phdr);
	if (!is_for(library, &e))
		why = "is of another architecture than libvsockshim.so: the "
		      "loader leaves that out";
	else if (known && is_go(fd, &e))
		why = "is Go, which calls the kernel and not libc: what is "
		      "preloaded sees only the calls of its C parts (cgo)";
	else if (known && is_of_other_libc(fd, &e))
		why = OTHER_LIBC;
	close(fd);
	return why;
}

const char *reach_objection(const char *path)
{
	const char *why = NULL;
	struct stat st;
	int fd;

	if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
		return NULL;
	if (is_privileged(path, &st))
		return "runs with raised privileges (setuid, setgid or "
		       "capabilities): the loader drops the preload";
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	if (!strstr(path, "/ld-") && is_static(fd)) /* the loader is, too */
		why = "is linked statically: nothing can be preloaded";
	close(fd);
	return why;
}
