/* An IP address: what a candidate has and what an answer holds. Pure libc. */
#ifndef HAR_COMMON_ADDRESS_H
#define HAR_COMMON_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define HAR_ADDRESS_TEXT_MAX 46 /* INET6_ADDRSTRLEN: the longest text with its NUL */
#define HAR_ADDRESS_PORT_TEXT_MAX (HAR_ADDRESS_TEXT_MAX + 8) /* brackets, colon, port */

struct har_address {
    int family;        /* AF_INET or AF_INET6 */
    uint8_t bytes[16]; /* network order; the first 4 for AF_INET, the rest zero */
};

/* Reads a dotted IPv4 or a colon IPv6 address (RFC 4291 section 2.2; no port, no zone).
 * Returns 0, or -1 with out untouched. */
int har_address_parse(const char *text, struct har_address *out);

/* Writes the canonical text (RFC 5952) with its NUL. Returns text. */
char *har_address_format(const struct har_address *address, char text[HAR_ADDRESS_TEXT_MAX]);

/* The same with a port, in host order: "192.0.2.1:53", "[2001:db8::1]:53"; a bare address leaves
 * *port as it is. A port is 1 to 65535, without a zero before it. Returns 0, or -1 with both
 * untouched. */
int har_address_port_parse(const char *text, struct har_address *out, uint16_t *port);
char *har_address_port_format(const struct har_address *address, uint16_t port,
                              char text[HAR_ADDRESS_PORT_TEXT_MAX]);

/* Why this address cannot be that of a server ("the unspecified address", "a multicast address",
 * "a link-local address (it needs a zone)", ...), or NULL when it can. */
const char *har_address_unusable(const struct har_address *address);

bool har_address_equal(const struct har_address *a, const struct har_address *b);

/* Fills a socket address for connect(2). Returns its length in bytes. port is in host order. */
socklen_t har_address_to_sockaddr(const struct har_address *address, uint16_t port,
                                  struct sockaddr_storage *out);

#endif
