/* SPDX-License-Identifier: MIT */
/*
 * vsockshim ls: the sockets of a directory, as the kernel lists them. Their
 * names tell whose they are; which paths are of the directory, and what there
 * is nobody's, the directory tells.
 */
#include "cli/cli.h"

#include "cli/diag.h"
#include "cli/holders.h"
#include "core/name.h"
#include "core/ports.h"
#include "core/rdv.h"
#include "core/util.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const char help[] =
	"usage: vsockshim ls [OPTIONS]\n\n"
	"Lists the sockets of the machines in a directory, from the kernel.\n\n"
	"  --dir DIR  the rendezvous directory (default: VSOCKSHIM_DIR, as for "
	"any\n"
	"             program)\n"
	"  --cid N    only those of machine N\n"
	"  --json     as JSON; see vsockshim(1)\n"
	"  -h, --help this text\n\n"
	"Columns: the machine's CID, type, state, bytes that wait to be read "
	"here and at\n"
	"the peer (of a listener: connections that wait, and how many may), "
	"the "
	"addresses\n"
	"as getsockname(2) and getpeername(2) show them (* any, ? not known), "
	"processes.\n"
	"STALE: a name that a killed process left. Exit status: 0, 1 if it "
	"cannot list,\n"
	"2 bad usage.\n";

/* A path of the directory. */
struct path {
	struct name name;
	char file[40]; /* behind "<dir>/<cid>/" */
	ino_t inode;
	dev_t dev;
	unsigned int n; /* how many sockets there are with it */
};

/* A machine, by the directory that it has there. */
struct place {
	uint32_t cid;
	const struct ports *ports; /* NULL: has none */
};

struct end {
	bool known, port_known, gateway;
	uint32_t cid, port;
};

struct row {
	uint32_t cid, inode;
	const char *type, *state;
	uint32_t recv_q, send_q;
	struct end local, peer;
};

struct listing {
	const char *dir;
	struct machine there; /* of no CID */
	int fd;
	char spelled[32]; /* the directory, however long its own path is */
	struct path *paths;
	size_t n_paths;
	struct place *places;
	size_t n_places;
	struct diags socks;
	struct holders holders;
	struct row *rows;
	size_t n_rows;
};

/* --- what is in the directory -------------------------------------------- */

static void read_path(struct listing *l, int fd, uint32_t cid, const char *file)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct path p = { 0 };
	struct stat st;
	int n = snprintf(un.sun_path, sizeof(un.sun_path), "/%u/%s", cid, file);

	if (n < 0 || (size_t)n >= sizeof(un.sun_path) ||
	    !util_join(p.file, sizeof(p.file), file, ""))
		return;
	p.name = name_decode(&un, sizeof(un));
	if (p.name.kind == NAME_NONE ||
	    fstatat(fd, file, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !S_ISSOCK(st.st_mode))
		return;
	p.inode = st.st_ino;
	p.dev = st.st_dev;
	l->paths = cli_grow(l->paths, l->n_paths, sizeof(*l->paths));
	l->paths[l->n_paths++] = p;
}

static void read_place(struct listing *l, const char *name)
{
	struct place place = { 0 };
	struct ports *ports;
	const struct dirent *e;
	const char *s = name;
	char path[64];
	DIR *dir;
	int fd;

	if (!cli_scan_cid(&s, &place.cid) || *s)
		return;
	fd = openat(l->fd, name,
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir)
		return;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (ports_read(&sys_kernel, path, &ports) == 0)
		place.ports = ports;
	l->places = cli_grow(l->places, l->n_places, sizeof(*l->places));
	l->places[l->n_places++] = place;
	while ((e = readdir(dir)))
		read_path(l, fd, place.cid, e->d_name);
	closedir(dir);
}

/* 0, or the exit status after saying why. */
static int read_directory(struct listing *l)
{
	const struct dirent *e;
	DIR *dir = opendir(l->dir);

	if (!dir)
		return cli_fail(EXIT_FAILURE,
				"%s: %s; --dir or VSOCKSHIM_DIR says which "
				"directory to list",
				l->dir, strerror(errno));
	l->fd = dirfd(dir);
	(void)snprintf(l->spelled, sizeof(l->spelled), "/proc/self/fd/%d",
		       l->fd);
	while ((e = readdir(dir)))
		read_place(l, e->d_name);
	return 0; /* the directory stays open: its descriptor spells it */
}

/* --- whose a socket is --------------------------------------------------- */

static const struct place *place_of(const struct listing *l, uint32_t cid)
{
	for (size_t i = 0; i < l->n_places; i++)
		if (l->places[i].cid == cid && l->places[i].ports)
			return &l->places[i];
	return NULL;
}

/* Has it the number of one of our machines? */
static bool auto_is_here(const struct listing *l, const struct diag *d)
{
	struct name name = name_decode(&d->un, d->len);
	char prefix[NAME_AUTO_PREFIX_MAX];
	int n;

	for (size_t i = 0; i < l->n_places; i++) {
		if (!l->places[i].ports)
			continue;
		n = name_auto_prefix(prefix, ports_id(l->places[i].ports),
				     name.cid, name.port);
		/* the first byte is @, or NUL */
		if (memcmp(prefix + 1, d->un.sun_path + 1, (size_t)n - 1) == 0)
			return true;
	}
	return false;
}

static bool same_name(const struct name *a, const struct name *b)
{
	return a->kind == b->kind && a->cid == b->cid && a->port == b->port &&
	       a->bound == b->bound && a->dgram == b->dgram;
}

/* A filesystem may show another device than the kernel lists (btrfs, overlay):
 * then the spelling decides. */
static struct path *path_of(const struct listing *l, const struct diag *d,
			    const struct name *name)
{
	size_t n = strlen(l->dir);
	struct path *p;

	for (size_t i = 0; i < l->n_paths; i++) {
		p = &l->paths[i];
		if ((uint32_t)p->inode == d->file &&
		    same_name(&p->name, name) &&
		    (p->dev == d->dev ||
		     (n < sizeof(d->un.sun_path) &&
		      memcmp(d->un.sun_path, l->dir, n) == 0)))
			return p;
	}
	return NULL;
}

static struct name name_of(const struct listing *l, const struct diag *d)
{
	return d ? rdv_name(&l->there, &d->un, d->len)
		 : (struct name){ .kind = NAME_NONE };
}

static bool name_is_here(const struct listing *l, const struct diag *d,
			 const struct name *name)
{
	return name->kind == NAME_AUTO ? auto_is_here(l, d)
				       : rdv_has(&l->there, d, name);
}

/* The path may have gone with its listener, and be spelled as it likes: then
 * the client tells. */
static bool is_here(const struct listing *l, const struct diag *d,
		    const struct name *name)
{
	const struct diag *other;
	struct name peer;

	if (name_is_here(l, d, name))
		return true;
	if (name->kind != NAME_PATH || d->state != DIAG_ESTABLISHED)
		return false;
	other = diag_find(&l->socks, d->peer);
	peer = name_of(l, other);
	return peer.kind != NAME_NONE && name_is_here(l, other, &peer);
}

/* --- what it shows ------------------------------------------------------- */

static struct end address(uint32_t cid, uint32_t port)
{
	return (struct end){
		.known = true, .port_known = true, .cid = cid, .port = port
	};
}

/* What a client dialled on its own machine. */
static uint32_t dialled(const struct listing *l, const struct name *client)
{
	const struct place *p = place_of(l, client->cid);
	bool named = client->kind == NAME_AUTO;
	uint32_t told = named ? client->dialled : client->cid;

	return p ? ports_dialled(p->ports, client->port, named, client->cid,
				 told)
		 : told;
}

static bool is_accepted(const struct listing *l, const struct diag *d,
			const struct name *own, const struct name *peer)
{
	if (own->kind != NAME_PATH)
		return own->kind == NAME_GATEWAY;
	return peer->kind == NAME_AUTO || rdv_accepted(&l->there, d, own);
}

static void set_accepted(const struct listing *l, struct row *row,
			 const struct diag *d, const struct name *own,
			 const struct name *peer)
{
	struct sockaddr_vm local, remote;

	if (own->kind == NAME_GATEWAY) {
		row->peer = address(peer->cid, peer->port);
		row->peer.known = peer->kind != NAME_NONE;
		return;
	}
	name_accepted(own, peer,
		      peer->kind == NAME_NONE ? own->cid : dialled(l, peer),
		      &local, &remote);
	row->local = address(local.svm_cid, local.svm_port);
	row->peer = address(remote.svm_cid, remote.svm_port);
	row->peer.known = d->peer != 0;
}

static void set_client(const struct listing *l, struct row *row,
		       const struct name *own, const struct name *peer)
{
	if (peer->kind != NAME_PATH) { /* gone, or a bridge */
		row->peer = address(own->dialled, 0);
		row->peer.port_known = false;
		row->peer.known = own->kind == NAME_AUTO;
		return;
	}
	row->peer = address(peer->cid, peer->port);
	if (peer->cid == own->cid)
		row->peer.cid = dialled(l, own);
}

static void set_connected(const struct listing *l, struct row *row,
			  const struct diag *d, const struct name *own)
{
	const struct diag *other = diag_find(&l->socks, d->peer);
	struct name peer = name_of(l, other);

	/* Both ways are shut, by whomever, or the peer is gone. */
	row->state =
		d->peer && (d->shut != 3 || d->recv_q) ? "ESTAB" : "CLOSING";
	if (peer.kind == NAME_GATEWAY && other->state == DIAG_LISTENS)
		row->state = "SYN-SENT";
	if (is_accepted(l, d, own, &peer))
		set_accepted(l, row, d, own, &peer);
	else
		set_client(l, row, own, &peer);
	/* What the kernel counts there is memory; what has arrived is bytes. */
	if (!d->peer)
		row->send_q = 0;
	else if (other && other->state == DIAG_ESTABLISHED)
		row->send_q = other->recv_q;
}

static const char *type_name(int type)
{
	return type == SOCK_STREAM	? "stream"
	       : type == SOCK_SEQPACKET ? "seqpacket"
					: "dgram";
}

static void add_row(struct listing *l, const struct row *row)
{
	l->rows = cli_grow(l->rows, l->n_rows, sizeof(*l->rows));
	l->rows[l->n_rows++] = *row;
}

static void add_socket(struct listing *l, const struct diag *d,
		       const struct name *own)
{
	struct row row = {
		.cid = own->cid,
		.inode = d->inode,
		.type = type_name(d->type),
		.state = d->state == DIAG_LISTENS ? "LISTEN" : "UNCONN",
		.recv_q = d->recv_q,
		/* a datagram that was sent is its receiver's */
		.send_q = d->type == SOCK_DGRAM ? 0 : d->send_q,
		.local = address(own->kind == NAME_PATH ? own->bound
							: VMADDR_CID_ANY,
				 own->port),
	};

	if (own->kind == NAME_GATEWAY)
		row.local = (struct end){ .known = true,
					  .gateway = true,
					  .cid = own->cid };
	if (d->state == DIAG_ESTABLISHED && d->type != SOCK_DGRAM)
		set_connected(l, &row, d, own);
	add_row(l, &row);
}

/*
 * A path that no socket listed here has: nobody's, or held in another network
 * namespace. Connecting a SOCK_DGRAM tells, and disturbs nobody (core/rdv.c).
 */
static void add_path(struct listing *l, const struct path *p)
{
	struct row row = { .cid = p->name.cid,
			   .type = p->name.dgram ? "dgram" : "-",
			   .state = "OTHER-NS" };
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd, r;

	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	(void)snprintf(un.sun_path, sizeof(un.sun_path), "%s/%u/%s", l->spelled,
		       p->name.cid, p->file);
	r = connect(fd, (const struct sockaddr *)&un, sizeof(un));
	if (r < 0 && errno == ECONNREFUSED)
		row.state = "STALE";
	else if (r < 0 && errno == ENOENT)
		row.state = NULL; /* gone since */
	close(fd);
	row.local = address(p->name.bound, p->name.port);
	if (p->name.kind == NAME_GATEWAY)
		row.local = (struct end){ .known = true,
					  .gateway = true,
					  .cid = p->name.cid };
	if (row.state)
		add_row(l, &row);
}

static int compare(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	bool x_listens = strcmp(x->state, "LISTEN") == 0;
	bool y_listens = strcmp(y->state, "LISTEN") == 0;

	if (x->cid != y->cid)
		return x->cid < y->cid ? -1 : 1;
	if (x->local.gateway != y->local.gateway)
		return x->local.gateway ? -1 : 1;
	if (x->local.port != y->local.port)
		return x->local.port < y->local.port ? -1 : 1;
	if (x_listens != y_listens)
		return x_listens ? -1 : 1;
	return (x->inode > y->inode) - (x->inode < y->inode);
}

/* 0, or the exit status after saying why. */
static int list(struct listing *l, uint32_t cid)
{
	const struct diag *d;
	struct name name;
	struct path *p;
	int r;

	l->there = (struct machine){ .sys = &sys_kernel, .dir = l->dir };
	r = read_directory(l);
	if (r)
		return r;
	r = diag_list(&l->socks);
	if (r < 0)
		return cli_fail(EXIT_FAILURE,
				"the kernel does not list its sockets "
				"(NETLINK_SOCK_DIAG, module unix_diag): %s",
				strerror(-r));
	for (size_t i = 0; i < l->socks.n; i++) {
		name = name_of(l, &l->socks.all[i]);
		p = path_of(l, &l->socks.all[i], &name);
		if (p)
			p->n++;
	}
	for (size_t i = 0; i < l->socks.n; i++) {
		d = &l->socks.all[i];
		name = name_of(l, d);
		if (name.kind == NAME_NONE || (cid && name.cid != cid))
			continue;
		if (is_here(l, d, &name))
			add_socket(l, d, &name);
	}
	for (size_t i = 0; i < l->n_paths; i++)
		if (!l->paths[i].n && (!cid || l->paths[i].name.cid == cid))
			add_path(l, &l->paths[i]);
	if (l->n_rows)
		qsort(l->rows, l->n_rows, sizeof(*l->rows), compare);
	holders_list(&l->holders);
	return 0;
}

/* --- how it is printed --------------------------------------------------- */

#define COLUMNS 7
#define CELL	32

/* The last one, the processes, has no width. */
static const char *const heads[COLUMNS] = { "CID",    "TYPE",	"STATE",
					    "RECV-Q", "SEND-Q", "LOCAL",
					    "PEER" };

static bool to_the_right(int column)
{
	return column == 0 || column == 3 || column == 4;
}

static void put_number(char *s, bool known, uint32_t v)
{
	if (!known)
		memcpy(s, "?", 2);
	else if (v == UINT32_MAX)
		memcpy(s, "*", 2);
	else
		*addr_put_u32(s, v) = '\0';
}

static void put_end(char s[static CELL], const struct end *e)
{
	char cid[ADDR_U32_MAX + 1], port[ADDR_U32_MAX + 1] = "gateway";

	put_number(cid, true, e->cid);
	if (!e->gateway)
		put_number(port, e->port_known, e->port);
	(void)snprintf(s, CELL, "%s:%s", cid, port);
}

static void fill(char cells[COLUMNS][CELL], const struct row *row)
{
	bool connected = strcmp(row->state, "ESTAB") == 0 ||
			 strcmp(row->state, "CLOSING") == 0 ||
			 strcmp(row->state, "SYN-SENT") == 0;

	(void)snprintf(cells[0], CELL, "%u", row->cid);
	(void)snprintf(cells[1], CELL, "%s", row->type);
	(void)snprintf(cells[2], CELL, "%s", row->state);
	(void)snprintf(cells[3], CELL, "%u", row->recv_q);
	(void)snprintf(cells[4], CELL, "%u", row->send_q);
	put_end(cells[5], &row->local);
	memcpy(cells[6], connected ? "?:?" : "*:*", 4);
	if (row->peer.known)
		put_end(cells[6], &row->peer);
}

static void print_cells(char cells[COLUMNS][CELL], const int *width,
			const char *colour)
{
	for (int i = 0; i < COLUMNS; i++) {
		if (*colour && i == 2)
			fputs(colour, stdout);
		printf("%*s", to_the_right(i) ? width[i] : -width[i], cells[i]);
		fputs(*colour && i == 2 ? "\33[m  " : "  ", stdout);
	}
}

static const char *colour_of(const struct row *row)
{
	static const char *const colours[][2] = {
		{ "LISTEN", "\33[32m" },
		{ "ESTAB", "\33[36m" },
		{ "STALE", "\33[31m" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(colours); i++)
		if (strcmp(row->state, colours[i][0]) == 0)
			return colours[i][1];
	return "";
}

/* Those who hold it: the first, or the next after @p; NULL: no more. */
static const struct holder *next_holder(const struct listing *l,
					const struct row *row,
					const struct holder *p)
{
	if (!p)
		return row->inode ? holders_find(&l->holders, row->inode)
				  : NULL;
	p++;
	return p < l->holders.all + l->holders.n && p->inode == row->inode
		       ? p
		       : NULL;
}

static void print_table(const struct listing *l)
{
	bool colours = cli_colours();
	int width[COLUMNS] = { 0 };
	char cells[COLUMNS][CELL];
	const struct holder *h;

	for (int c = 0; c < COLUMNS; c++)
		width[c] = (int)strlen(heads[c]);
	for (size_t i = 0; i < l->n_rows; i++) {
		fill(cells, &l->rows[i]);
		for (int c = 0; c < COLUMNS; c++)
			if ((int)strlen(cells[c]) > width[c])
				width[c] = (int)strlen(cells[c]);
	}
	for (int c = 0; c < COLUMNS; c++)
		(void)util_join(cells[c], CELL, heads[c], "");
	print_cells(cells, width, "");
	puts("PROCESS");
	for (size_t i = 0; i < l->n_rows; i++) {
		fill(cells, &l->rows[i]);
		print_cells(cells, width,
			    colours ? colour_of(&l->rows[i]) : "");
		h = next_holder(l, &l->rows[i], NULL);
		fputs(h ? "" : "-", stdout);
		for (; h; h = next_holder(l, &l->rows[i], h))
			printf("%s(%d)%s", h->name, (int)h->pid,
			       next_holder(l, &l->rows[i], h) ? "," : "");
		putchar('\n');
	}
}

static void json_end(const char *name, const struct end *e)
{
	printf("\"%s\":", name);
	if (!e->known) {
		fputs("null", stdout);
		return;
	}
	printf("{\"cid\":%u,\"port\":", e->cid);
	if (e->gateway)
		fputs("\"gateway\"}", stdout);
	else if (e->port_known)
		printf("%u}", e->port);
	else
		fputs("null}", stdout);
}

static void json_string(const char *s)
{
	putchar('"');
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			putchar('\\');
		putchar(*s);
	}
	putchar('"');
}

static void print_json(const struct listing *l)
{
	const struct holder *h;
	const struct row *row;

	for (size_t i = 0; i < l->n_rows; i++) {
		row = &l->rows[i];
		printf("%s{\"cid\":%u,\"type\":", i ? ",\n " : "[", row->cid);
		if (strcmp(row->type, "-") == 0)
			fputs("null", stdout);
		else
			printf("\"%s\"", row->type);
		printf(",\"state\":\"%s\",\"recv_q\":%u,\"send_q\":%u,",
		       row->state, row->recv_q, row->send_q);
		json_end("local", &row->local);
		putchar(',');
		json_end("peer", &row->peer);
		fputs(",\"processes\":[", stdout);
		for (h = next_holder(l, row, NULL); h;
		     h = next_holder(l, row, h)) {
			printf("{\"pid\":%d,\"name\":", (int)h->pid);
			json_string(h->name);
			fputs(next_holder(l, row, h) ? "}," : "}", stdout);
		}
		fputs("]}", stdout);
	}
	puts(l->n_rows ? "]" : "[]");
}

int cmd_ls(int argc, char **argv)
{
	static const struct option options[] = {
		{ "dir", required_argument, NULL, 'd' },
		{ "cid", required_argument, NULL, 'c' },
		{ "json", no_argument, NULL, 'j' },
		CLI_HELP,
		{ NULL, 0, NULL, 0 },
	};
	char dir[PATH_MAX], name[] = "vsockshim";
	struct listing l = { 0 };
	bool json = false;
	uint32_t cid = 0;
	int c, r;

	argv[0] = name; /* as getopt begins its messages */
	while ((c = getopt_long(argc, argv, "h", options, NULL)) >= 0) {
		r = 0;
		if (c == 'd')
			r = cli_set_dir(optarg);
		else if (c == 'j')
			json = true;
		else if (c == 'c')
			r = cli_cid(optarg, &cid);
		else
			r = cli_other_option(c, help);
		if (r)
			return r;
	}
	if (optind != argc)
		return cli_fail(EXIT_USAGE,
				"ls: takes no argument but options: %s; see "
				"vsockshim ls --help",
				argv[optind]);
	r = cli_need_dir(dir, sizeof(dir), &l.dir);
	if (r == 0)
		r = list(&l, cid);
	if (r)
		return r;
	(json ? print_json : print_table)(&l);
	return cli_flushed();
}
