/* Which resolvers this machine uses: the nameservers of resolv.conf(5). */
#ifndef HAR_HARD_RESOLV_CONF_H
#define HAR_HARD_RESOLV_CONF_H

#include <stddef.h>

#include "config/config.h"

#define RESOLV_CONF "/etc/resolv.conf"
/* Where systemd-resolved names those that it asks itself. */
#define RESOLV_CONF_RESOLVED "/run/systemd/resolve/resolv.conf"

/* Takes the nameserver lines of a text of size_bytes, as glibc reads them: the word at the begin of
 * a line, an IPv4 or IPv6 address, "%" and an interface (by name or number) behind one that is
 * link-local; port 53. Lines that are anything else are passed over, and so is an address that is
 * named twice or cannot be that of a resolver. Returns how many there are, in the order written, at
 * most CONFIG_UPSTREAMS_MAX. Pure but for asking the kernel for interfaces. */
size_t resolv_conf_parse(const char *text, size_t size_bytes,
                         struct config_upstream upstreams[CONFIG_UPSTREAMS_MAX]);

/* Reads path; but when that names the stub of systemd-resolved (127.0.0.53, which may well ask us),
 * and resolved_path can be read, then that one instead. Those among own, which are our own listen
 * addresses, are left out. 0 when there is no such file, or nothing in it. */
size_t resolv_conf_load(const char *path, const char *resolved_path,
                        const struct config_upstream *own, size_t own_count,
                        struct config_upstream upstreams[CONFIG_UPSTREAMS_MAX]);

#endif
