/* SPDX-License-Identifier: MIT */
/* `vsockshim bridge` and a device that breaks the rules: it is opened again. */
#define bridge_run  play_bridge
#define vhost_open  play_open
#define vhost_close play_close
#include "cli/cli.c"
#include "cli/cmd_bridge.c"

#include "tests/unit/tap.h"

#include <string.h>
#include <sys/eventfd.h>

static int lies, opened;     /* how often it lies; how many are open */
static int refusal, the_end; /* of the next open, and of the bridge */

int play_bridge(struct bridge *b, struct vhost *v)
{
	(void)b;
	v->rings[lies % 2 ? VHOST_TX : VHOST_RX].lie = "lies";
	return lies-- > 0 ? -EPROTO : the_end;
}

int play_open(struct vhost *v, const char *path, uint32_t cid, uint16_t n,
	      uint32_t size, const char **why)
{
	(void)path, (void)cid, (void)n, (void)size;
	*v = (struct vhost){ .fd = -1 };
	*why = "it says";
	opened += refusal == 0;
	return refusal;
}

void play_close(struct vhost *v)
{
	(void)v;
	opened--;
}

/* It ends with @want and @open devices, having said @lines. */
static void serves(int want, int open, int stop, const char *lines,
		   const char *what)
{
	struct machine m = { .dir = "/run/v", .cid = 3 };
	struct bridge_config config = { .machine = &m, .stop = stop };
	struct options o = { .device = "/dev/x", .cid = 3, .ready = -1 };
	char said[1024] = "";
	struct vhost v = { .fd = -1 };
	int old = dup(STDERR_FILENO), end[2], r;

	(void)!pipe(end);
	dup2(end[1], STDERR_FILENO);
	close(end[1]);
	opened = 1;
	r = serve(&o, &config, NULL, &v);
	dup2(old, STDERR_FILENO);
	close(old);
	(void)!read(end[0], said, sizeof(said) - 1);
	close(end[0]);
	ok(r == want && opened == open && strcmp(said, lines) == 0, "%s", what);
}

#define BEGINS "vsockshim: serving CID 3 in /run/v by /dev/x\n"
#define STOPS  "vsockshim: /dev/x: the device is stopped: it lies\n"
#define ENDS   "vsockshim: CID 3 is served no more"
#define AGAIN  "vsockshim: /dev/x: opened again\n"

int main(void)
{
	int stop = eventfd(0, EFD_CLOEXEC);

	lies = 2;
	serves(0, 1, stop,
	       BEGINS STOPS AGAIN STOPS AGAIN ENDS ": nobody has used it\n",
	       "a device that lies of either ring is opened again");
	lies = 1;
	refusal = -ENODEV;
	serves(-ENODEV, 0, stop,
	       BEGINS STOPS
	       "vsockshim: /dev/x, CID 3: it says (No such device)\n",
	       "one that cannot be ends the bridge");
	refusal = 0;
	the_end = -ENODEV;
	serves(-ENODEV, 1, stop, BEGINS ENDS ": No such device\n",
	       "so does what the bridge cannot go on with");
	lies = 1;
	eventfd_write(stop, 1);
	serves(0, 0, stop, BEGINS STOPS ENDS "\n",
	       "who is told to end meanwhile opens none");
	return done();
}
