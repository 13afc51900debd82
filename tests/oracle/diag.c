/* SPDX-License-Identifier: MIT */
/* sock_diag(7): the sockets as a program like ss(8) has them from the kernel.
 */
#include "oracle.h"

#include <sys/stat.h>

#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/vm_sockets_diag.h>

#define ALL	   0xffffffffu
#define BIT(state) (1u << (state))

/* Linux's numbers, include/net/tcp_states.h */
enum { ESTABLISHED = 1, SYN_SENT = 2, CLOSE = 7, LISTEN = 10, CLOSING = 11 };

struct request {
	struct nlmsghdr head;
	struct vsock_diag_req req;
};

static struct request request(unsigned int states)
{
	return (struct request){
		.head = { .nlmsg_len = sizeof(struct request),
			  .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			  .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
			  .nlmsg_seq = 4711 },
		.req = { .sdiag_family = AF_VSOCK, .vdiag_states = states },
	};
}

static int netlink(void)
{
	return (int)MUST(socket(AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG));
}

static _Alignas(struct nlmsghdr) char answer[65536];

/* --- the list ------------------------------------------------------------- */

static struct vsock_diag_msg rows[4096];
static int n_rows, n_parts, odd_parts, odd_heads;

/* Looks at the messages of a part. True: there is more to come. */
static bool take(const struct nlmsghdr *h, ssize_t n, unsigned int port)
{
	for (; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
		if (h->nlmsg_type == NLMSG_DONE)
			return false;
		if (h->nlmsg_type != SOCK_DIAG_BY_FAMILY ||
		    h->nlmsg_len != NLMSG_LENGTH(sizeof(*rows)) ||
		    h->nlmsg_flags != NLM_F_MULTI || h->nlmsg_seq != 4711 ||
		    h->nlmsg_pid != port)
			odd_heads++;
		else if (n_rows < 4096)
			memcpy(&rows[n_rows++], NLMSG_DATA(h), sizeof(*rows));
	}
	return true;
}

/* The whole list, received as ss(8) does it: first asking how long a part is.
 */
static void list(unsigned int states)
{
	struct sockaddr_nl own, from;
	socklen_t len = sizeof(own);
	struct iovec v = { answer, 0 };
	struct msghdr m = { .msg_name = &from,
			    .msg_namelen = sizeof(from),
			    .msg_iov = &v,
			    .msg_iovlen = 1 };
	struct request r = request(states);
	int fd = netlink();
	ssize_t size, n;

	n_rows = n_parts = odd_parts = odd_heads = 0;
	MUST(send(fd, &r, sizeof(r), 0));
	MUST(getsockname(fd, (struct sockaddr *)&own, &len));
	do {
		v.iov_len = 0;
		size = MUST(recvmsg(fd, &m, MSG_PEEK | MSG_TRUNC));
		v.iov_len = sizeof(answer);
		n = MUST(recvmsg(fd, &m, 0));
		n_parts++;
		odd_parts += n != size || m.msg_flags ||
			     m.msg_namelen != sizeof(from) ||
			     from.nl_family != AF_NETLINK || from.nl_pid;
	} while (take((struct nlmsghdr *)answer, n, own.nl_pid));
	close(fd);
}

static const struct vsock_diag_msg *row_of(int fd)
{
	struct stat st;

	MUST(fstat(fd, &st));
	for (int i = 0; i < n_rows; i++)
		if (rows[i].vdiag_ino == (unsigned int)st.st_ino)
			return &rows[i];
	return NULL;
}

static const char *state_text(unsigned int state)
{
	static char text[16];

	switch (state) {
	case ESTABLISHED:
		return "ESTABLISHED";
	case SYN_SENT:
		return "SYN_SENT";
	case CLOSE:
		return "CLOSE";
	case LISTEN:
		return "LISTEN";
	case CLOSING:
		return "CLOSING";
	default:
		snprintf(text, sizeof(text), "state %u", state);
		return text;
	}
}

static const char *end_text(char text[static 32], unsigned int cid,
			    unsigned int port)
{
	char number[16] = "ANY";

	if (cid != ANY)
		snprintf(number, sizeof(number), "%u", cid);
	snprintf(text, 32, "%s:%s", number, port_text(port));
	return text;
}

static void fact_row(const char *id, const char *name, int fd)
{
	const struct vsock_diag_msg *row;
	char local[32], peer[32];

	list(ALL);
	row = row_of(fd);
	if (!row) {
		say(id, "%s is not listed", name);
		return;
	}
	say(id, "%s: family %u type %u %s %s to %s shut %u", name,
	    row->vdiag_family, row->vdiag_type, state_text(row->vdiag_state),
	    end_text(local, row->vdiag_src_cid, row->vdiag_src_port),
	    end_text(peer, row->vdiag_dst_cid, row->vdiag_dst_port),
	    row->vdiag_shutdown);
}
#define FACT_ROW(id, fd) fact_row(id, #fd, fd)

/* The same once it is in that state. */
#define FACT_ROW_AT(id, fd, state)                                             \
	do {                                                                   \
		AWAIT((list(ALL), row_of(fd)) &&                               \
		      row_of(fd)->vdiag_state == (state));                     \
		FACT_ROW(id, fd);                                              \
	} while (0)

static void unconnected(void)
{
	int fresh = vsock(), l, any, own, refused;

	FACT_ROW("fresh", fresh);
	close(fresh);
	any = bound(ANY, 5000);
	own = bound(1, 5001);
	FACT_ROW("bound_any", any);
	FACT_ROW("bound_own", own);
	MUST(listen(own, 3));
	FACT_ROW("listener_own", own);
	close(own);
	close(any);
	l = listener(ANY, 5002, 3);
	FACT_ROW("listener", l);
	close(l);
	refused = vsock();
	MUST_FAIL(connect(refused, vm(1, 5999), 16));
	FACT_ADDR("refused_name", getsockname(refused, ADDR));
	FACT_ROW("refused", refused);
	close(refused);
}

static void connected(void)
{
	int l = listener(ANY, 5000, 8), c = client(1, 5000), a;

	FACT_ROW("waiting", c);
	a = (int)MUST(accept(l, NULL, NULL));
	FACT_ROW("client", c);
	FACT_ROW("accepted", a);
	MUST(shutdown(c, SHUT_WR));
	FACT_ROW("client_shut_wr", c);
	AWAIT_MASK(a, POLLRDHUP);
	FACT_ROW("accepted_peer_shut_wr", a);
	close(c);
	close(a);

	c = client(2, 5000);
	a = (int)MUST(accept(l, NULL, NULL));
	FACT_ROW("client_by_2", c);
	FACT_ROW("accepted_by_2", a);
	close(c);
	close(a);

	c = bound(ANY, 5001);
	MUST(connect(c, vm(1, 5000), 16));
	a = (int)MUST(accept(l, NULL, NULL));
	FACT_ROW("bound_client", c);
	FACT_ROW("bound_client_accepted", a);
	close(l);
	FACT_ROW("listener_closed_client", c);
	FACT_ROW("listener_closed_accepted", a);
	close(a);
	AWAIT_MASK(c, POLLRDHUP);
	FACT_ROW_AT("peer_closed", c, CLOSING);
	close(c);
}

static void who(void)
{
	int l = listener(ANY, 5000, 1), twin = (int)MUST(dup(l)), same = 0;
	const struct vsock_diag_msg *row;
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);
	struct stat st;

	(void)getsockopt(l, SOL_SOCKET, SO_COOKIE, &cookie, &len);
	list(ALL);
	row = row_of(l);
	say("cookie", "it is%s SO_COOKIE",
	    row && (row->vdiag_cookie[0] | (uint64_t)row->vdiag_cookie[1]
						   << 32) == cookie
		    ? ""
		    : " not");
	MUST(fstat(l, &st));
	for (int i = 0; i < n_rows; i++)
		same += rows[i].vdiag_ino == (unsigned int)st.st_ino;
	say("dup", "a socket with two descriptors is listed %d times", same);
	say("heads", "%d heads and %d parts are odd", odd_heads, odd_parts);
	close(twin);
	close(l);
}

static void filters(void)
{
	struct conn p;
	int l, b;

	p = connection();
	l = listener(ANY, 5001, 1);
	b = bound(ANY, 5002);
#define FACT_LISTED(id, states)                                                \
	(list(states),                                                         \
	 say(id, "%s: %d of the connected, %d listeners, %d others", #states,  \
	     !!row_of(p.c) + !!row_of(p.a), !!row_of(l), !!row_of(b)))
	FACT_LISTED("states_all", ALL);
	FACT_LISTED("states_established", BIT(ESTABLISHED));
	FACT_LISTED("states_listen", BIT(LISTEN));
	FACT_LISTED("states_close", BIT(CLOSE));
	FACT_LISTED("states_two", BIT(LISTEN) | BIT(CLOSE));
	FACT_LISTED("states_other", BIT(3));
	FACT_LISTED("states_none", 0);
	close(l);
	close(b);
	disconnect(p);
}

static void many(void)
{
	int fds[900], missing, tries = 0;

	for (int i = 0; i < 900; i++)
		fds[i] = bound(ANY, 5000 + (unsigned int)i);
	/* While sockets of others end, each kernel forgets some. */
	do {
		missing = 0;
		list(ALL);
		for (int i = 0; i < 900; i++)
			missing += !row_of(fds[i]);
	} while (missing && ++tries < 20);
	say("many",
	    "%d of 900 are not listed, %s part, %d heads and %d parts "
	    "are odd",
	    missing, n_parts > 1 ? "more than one" : "one", odd_heads,
	    odd_parts);
	for (int i = 0; i < 900; i++)
		close(fds[i]);
}

/* --- what is no list ------------------------------------------------------ */

/* The first message of the answer. */
static void fact_answer(const char *id, const char *what, struct request r,
			size_t size)
{
	const struct nlmsghdr *h = (const struct nlmsghdr *)answer;
	const struct nlmsgerr *e = NLMSG_DATA(h);
	struct timeval t = { .tv_usec = 200000 };
	const char *error;
	int fd = netlink();
	ssize_t n;

	MUST(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)));
	MUST(send(fd, &r, size, 0));
	n = recv(fd, answer, sizeof(answer), 0);
	error = n > 0 && h->nlmsg_type == NLMSG_ERROR && e->error
			? strerrorname_np(-e->error)
			: "0";
	if (n < 0)
		say(id, "%s: %s", what, strerrorname_np(errno));
	else if (h->nlmsg_type != NLMSG_ERROR)
		say(id, "%s: type %u flags %#x", what, h->nlmsg_type,
		    h->nlmsg_flags);
	else
		say(id,
		    "%s: NLMSG_ERROR %s seq %u, of type %u seq %u, family %u, "
		    "%u bytes",
		    what, error, h->nlmsg_seq, e->msg.nlmsg_type,
		    e->msg.nlmsg_seq, *(const uint8_t *)(e + 1), h->nlmsg_len);
	close(fd);
}

static void others(void)
{
	struct request r = request(ALL);

	r.head.nlmsg_flags = NLM_F_REQUEST;
	fact_answer("get", "no NLM_F_DUMP", r, sizeof(r));
	r.head.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	fact_answer("get_ack", "no NLM_F_DUMP, NLM_F_ACK", r, sizeof(r));
	r.head.nlmsg_flags = NLM_F_REQUEST | NLM_F_ROOT;
	r.req.vdiag_states = 0;
	fact_answer("root", "NLM_F_ROOT", r, sizeof(r));
	r.head.nlmsg_flags = NLM_F_REQUEST | NLM_F_MATCH;
	fact_answer("match", "NLM_F_MATCH", r, sizeof(r));
	r = request(0);
	fact_answer("none", "no states", r, sizeof(r));
	r.head.nlmsg_flags |= NLM_F_ACK;
	fact_answer("ack", "NLM_F_ACK", r, sizeof(r));
	r.head.nlmsg_flags = NLM_F_DUMP;
	fact_answer("no_request", "no NLM_F_REQUEST", r, sizeof(r));
	r = request(ALL);
	r.head.nlmsg_type = SOCK_DESTROY;
	fact_answer("destroy", "SOCK_DESTROY", r, sizeof(r));
	r = request(ALL);
	r.head.nlmsg_len -= 4;
	fact_answer("short", "4 bytes too short", r, sizeof(r));
	r.head.nlmsg_len = NLMSG_LENGTH(2);
	fact_answer("shortest", "2 bytes", r, sizeof(r));
	r.head.nlmsg_len = sizeof(r) + 4;
	fact_answer("long", "longer than it is", r, sizeof(r));
	r = request(0);
	r.req.sdiag_protocol = 5;
	r.req.vdiag_ino = 7;
	r.req.vdiag_show = 9;
	r.req.vdiag_cookie[0] = 11;
	fact_answer("ignored", "a protocol, an inode", r, sizeof(r));
}

/* --- how it is received --------------------------------------------------- */

static void receiving(void)
{
	struct request r = request(BIT(LISTEN));
	int l = listener(ANY, 5000, 1), fd = netlink();
	const struct nlmsghdr *h = (const struct nlmsghdr *)answer;
	struct sockaddr_nl from = { 0 };
	socklen_t len = sizeof(from);
	struct iovec v[2] = { { &r, 7 }, { (char *)&r + 7, sizeof(r) - 7 } };
	struct iovec in[2] = { { answer, 20 },
			       { answer + 20, sizeof(answer) - 20 } };
	ssize_t n;

	FACT_MASK("nothing_asked", fd);
	FACT("write", write(fd, &r, sizeof(r)));
	FACT_MASK("asked", fd);
	FACT("trunc", recv(fd, answer, 10, MSG_PEEK | MSG_TRUNC));
	FACT("peek", recv(fd, answer, 50, MSG_PEEK));
	say("peeked", "type %u length %u", h->nlmsg_type, h->nlmsg_len);
	FACT("read", read(fd, answer, sizeof(answer)));
	n = recv(fd, answer, sizeof(answer), MSG_DONTWAIT);
	say("rest", "NLMSG_DONE %s",
	    n < 0 || h->nlmsg_type == NLMSG_DONE ? "was with it or comes"
						 : "is missing");
	FACT_MASK("done", fd);
	FACT("empty", recv(fd, answer, sizeof(answer), MSG_DONTWAIT));

	FACT("writev", writev(fd, v, 2));
	FACT("readv", readv(fd, in, 2) >= 48);
	say("vector", "type %u length %u", h->nlmsg_type, h->nlmsg_len);
	while (recv(fd, answer, sizeof(answer), MSG_DONTWAIT) > 0)
		;
	FACT("sendto", sendto(fd, &r, sizeof(r), 0, NULL, 0));
	FACT("recvfrom", recvfrom(fd, answer, sizeof(answer), 0,
				  (struct sockaddr *)&from, &len) >= 48);
	say("from", "family %u port %u length %u", from.nl_family, from.nl_pid,
	    len);
	close(fd);
	close(l);
}

int main(void)
{
	oracle_start();
	unconnected();
	connected();
	who();
	filters();
	many();
	others();
	receiving();
	return 0;
}
