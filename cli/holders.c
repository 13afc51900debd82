/* SPDX-License-Identifier: MIT */
/* Which processes hold a socket, from /proc: see holders.h. */
#include "cli/holders.h"

#include "cli/cli.h"
#include "core/addr.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int compare(const void *a, const void *b)
{
	const struct holder *x = a, *y = b;

	if (x->inode != y->inode)
		return x->inode < y->inode ? -1 : 1;
	return (x->pid > y->pid) - (x->pid < y->pid);
}

/* "socket:[123]" */
static bool scan_socket(const char *s, uint32_t *ret)
{
	if (strncmp(s, "socket:[", 8) != 0)
		return false;
	s += 8;
	return addr_scan_u32(&s, s + strlen(s), ret) && strcmp(s, "]") == 0;
}

static void read_name(pid_t pid, char name[static 16])
{
	char path[40];
	ssize_t n = -1;
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, name, 15);
		close(fd);
	}
	name[n < 0 ? 0 : n] = '\0';
	name[strcspn(name, "\n")] = '\0';
	for (; *name; name++)
		if (*name < ' ' || *name > '~')
			*name = '?';
}

static void add_process(struct holders *h, pid_t pid)
{
	struct holder one = { .pid = pid };
	char path[40], link[40];
	const struct dirent *e;
	ssize_t n;
	DIR *dir;

	(void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	if (!dir)
		return;
	while ((e = readdir(dir))) {
		n = readlinkat(dirfd(dir), e->d_name, link, sizeof(link) - 1);
		if (n < 0)
			continue;
		link[n] = '\0';
		if (!scan_socket(link, &one.inode))
			continue;
		one.fd = atoi(e->d_name);
		if (!*one.name)
			read_name(pid, one.name);
		h->all = cli_grow(h->all, h->n, sizeof(*h->all));
		h->all[h->n++] = one;
	}
	closedir(dir);
}

void holders_list(struct holders *ret)
{
	DIR *proc = opendir("/proc");
	const struct dirent *e;
	size_t kept = 0;
	uint32_t pid;
	const char *s;

	*ret = (struct holders){ 0 };
	while (proc && (e = readdir(proc))) {
		s = e->d_name;
		if (addr_scan_u32(&s, s + strlen(s), &pid) && !*s)
			add_process(ret, (pid_t)pid);
	}
	if (proc)
		closedir(proc);
	if (ret->n)
		qsort(ret->all, ret->n, sizeof(*ret->all), compare);
	for (size_t i = 0; i < ret->n; i++)
		if (i == 0 || compare(&ret->all[i], &ret->all[kept - 1]) != 0)
			ret->all[kept++] = ret->all[i];
	ret->n = kept;
}

const struct holder *holders_find(const struct holders *h, uint32_t inode)
{
	size_t low = 0, high = h->n, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (h->all[middle].inode < inode)
			low = middle + 1;
		else
			high = middle;
	}
	return low < h->n && h->all[low].inode == inode ? &h->all[low] : NULL;
}
