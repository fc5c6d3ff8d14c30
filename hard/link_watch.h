/* What the kernel knows of this machine's network: told when it changes, asked for the way to an
 * address. rtnetlink(7); lives on one loop, in the network namespace in which it was made. No
 * packet leaves the machine.
 *
 * Without CAP_NET_ADMIN, but AF_NETLINK must not be forbidden (systemd: RestrictAddressFamilies).
 * Where it is, link_watch_new fails, and NULL, a watch that sees nothing wrong and never calls, may
 * be used in its place. */
#ifndef HAR_HARD_LINK_WATCH_H
#define HAR_HARD_LINK_WATCH_H

#include <stdbool.h>

#include "common/address.h"
#include "common/error.h"

struct ev_loop;
struct link_watch;

#define LINK_WATCH_GATHER_MS 100 /* a change waits so long for others */
#define LINK_WATCH_REST_MS 1000  /* at least, from call to call */

/* Links, addresses or routes changed, perhaps in a way that matters to nobody: look again. Once for
 * all that happens within LINK_WATCH_GATHER_MS, and once in LINK_WATCH_REST_MS while it goes on;
 * the last change is never left out. Changes that the kernel could not tell for want of room count
 * too. From the loop only; may free the watch. */
typedef void link_watch_changed_fn(void *arg);

/* Not called for how things are at the start. NULL with error set. */
struct link_watch *link_watch_new(struct ev_loop *loop, link_watch_changed_fn *changed, void *arg,
                                  struct har_error *error);
/* Takes NULL. */
void link_watch_free(struct link_watch *watch);

/* Did something change that the owner was not told of yet? Then it is to look again now, and is not
 * called for that any more. For the moment in which a check fails: a cable that was pulled is known
 * here before the call about it comes. Takes what the kernel has ready, so one system call when
 * nothing has; true at most once in LINK_WATCH_GATHER_MS. */
bool link_watch_take(struct link_watch *watch);

enum link_route {
    LINK_FINE,       /* a packet could leave for it, or nobody can tell */
    LINK_HERE,       /* an address of this machine, loopback or not: no network is needed */
    LINK_NO_CARRIER, /* the way out is an interface without carrier */
    LINK_NO_ROUTE    /* no route, a route that forbids, or no address of our own to send from */
};

/* The way to an address as the kernel would choose it now; a carrier may be 10 ms old, unless there
 * was news since. Some 10 us. */
enum link_route link_watch_look(struct link_watch *watch, const struct har_address *address);

/* True when neither IPv4 nor IPv6 has both an address beyond loopback and a route, in any table,
 * that leads out over an interface with carrier. Link-local addresses, and routes to no more than
 * those, do not count. When in doubt, false. Says nothing of a machine whose servers are all
 * LINK_HERE: that needs no way out. */
bool link_watch_is_cut_off(struct link_watch *watch);

#endif
