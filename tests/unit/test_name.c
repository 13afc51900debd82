/* SPDX-License-Identifier: MIT */
/* core/name: what is encoded is decoded, and nothing else is. */
#include "core/name.h"

#include "tests/unit/tap.h"

#include <string.h>

#define HEAD offsetof(struct sockaddr_un, sun_path)

static struct name decode(const char *path, size_t n)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	memcpy(un.sun_path, path, n);
	return name_decode(&un, (socklen_t)(HEAD + n));
}

#define PATH(s)	    decode(s, sizeof(s))
#define ABSTRACT(s) decode(s, sizeof(s) - 1)

static bool is_path(struct name n, uint32_t cid, uint32_t port, uint32_t bound)
{
	return n.kind == NAME_PATH && n.cid == cid && n.port == port &&
	       n.bound == bound;
}

int main(void)
{
	const struct name any = { .kind = NAME_PATH,
				  .cid = 3,
				  .port = 1234,
				  .bound = VMADDR_CID_ANY };
	const struct name own = { .kind = NAME_PATH,
				  .cid = 3,
				  .port = 1234,
				  .bound = 3,
				  .dgram = true };
	static const char *const wrong[] = {
		"3/1234.vsock",
		"/r/03/1234.vsock",
		"/r/3/1234",
		"/r/3/.vsock",
		"/r/3/1234.vsockx",
		"/r/3/01234.vsock",
		"/r/3/1234@.vsock",
		"/r/x/1234.vsock",
		"/r/4294967296/1.vsock",
		"/r/3/4294967296.vsock",
		"/r/3/1@01.vsock",
		"/r/3/ports",
		"/r/0/1234.vsock",
		"/r/4294967295/1234.vsock",
		"/r/3/4294967295.vsock",
		"/r/0/gateway",
		"",
		"/",
	};
	struct sockaddr_un un;
	struct name n;
	char path[40];
	socklen_t len;

	ok(is_path(PATH("/run/x/3/1234.vsock"), 3, 1234, VMADDR_CID_ANY),
	   "a path bound to any CID");
	ok(is_path(PATH("/run/x/3/1234@1.vsock"), 3, 1234, 1),
	   "a path bound to one CID");
	ok(is_path(PATH("/proc/self/fd/9/2/0.vsock"), 2, 0, VMADDR_CID_ANY),
	   "the prefix does not matter");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		ok(decode(wrong[i], strlen(wrong[i]) + 1).kind == NAME_NONE,
		   "not a name of ours: \"%s\"", wrong[i]);
	ok(decode("/r/3/1234.vsock", 10).kind == NAME_NONE,
	   "a path that is cut short is none");

	len = name_auto(&un, 0x0123456789abcdef, 4294967294, 4294967294, 1);
	n = name_decode(&un, len);
	ok(n.kind == NAME_AUTO && n.cid == 4294967294 && n.port == 4294967294 &&
		   n.dialled == 1,
	   "an auto-bound client's name comes back");
	ok(ABSTRACT("\0vsock1/0123456789abcdef/3/7/2").dialled == 2,
	   "its format is the one that is documented");
	ok(ABSTRACT("\0vsock2/0123456789abcdef/3/7/2").kind == NAME_NONE,
	   "another format is not ours");
	ok(ABSTRACT("\0vsock1/0123456789abcdef/3/7/2/").kind == NAME_NONE &&
		   ABSTRACT("\0vsock1/0123456789abcdef/3/7").kind ==
			   NAME_NONE &&
		   ABSTRACT("\0vsock1/").kind == NAME_NONE &&
		   ABSTRACT("\0").kind == NAME_NONE,
	   "nor is more or less of it");
	ok(ABSTRACT("\0vsock1/0123456789abcdef/0/7/2").kind == NAME_NONE &&
		   ABSTRACT("\0vsock1/0123456789abcdef/4294967295/7/2").kind ==
			   NAME_NONE &&
		   ABSTRACT("\0vsock1/0123456789abcdef/3/4294967295/2").kind ==
			   NAME_NONE,
	   "nor what no socket can have");
	len = name_link(&un, len, 0xfedcba9876543210);
	n = name_decode(&un, len);
	ok(n.kind == NAME_AUTO && n.port == 4294967294 && n.dialled == 1 &&
		   n.link == 0xfedcba9876543210,
	   "so does a bridge's, with its number");
	ok(ABSTRACT("\0vsock1/0123456789abcdef/3/7/2/00000000000000af").link ==
		   0xaf,
	   "which is documented, too");
	ok(ABSTRACT("\0vsock1/0123456789abcdef/3/7/2/0000000000000000").kind ==
			   NAME_NONE &&
		   ABSTRACT("\0vsock1/0123456789abcdef/3/7/2/00000000000000aF")
				   .kind == NAME_NONE &&
		   ABSTRACT("\0vsock1/0123456789abcdef/3/7/2/00000000000000a")
				   .kind == NAME_NONE &&
		   ABSTRACT("\0vsock1/0123456789abcdef/3/7/2/00000000000000afa")
				   .kind == NAME_NONE,
	   "and neither 0 nor of other than 16 digits");
	ok(name_decode(&un, HEAD).kind == NAME_NONE,
	   "an unnamed socket has none");

	ok(name_path(path, sizeof(path), "/run", &any) == 17 &&
		   strcmp(path, "/run/3/1234.vsock") == 0,
	   "a path is put together");
	ok(name_path(path, 17, "/run", &any) < 0,
	   "unless it does not fit with its NUL");
	ok(name_path(path, sizeof(path), "/run", &own) == 19 &&
		   strcmp(path, "/run/3/1234@3.dgram") == 0,
	   "so is one of a SOCK_DGRAM");
	n = PATH("/run/3/1234@3.dgram");
	ok(n.kind == NAME_PATH && n.dgram && n.cid == 3 && n.port == 1234 &&
		   n.bound == 3 && !PATH("/run/3/1234.vsock").dgram,
	   "and is read back");
	return done();
}
