/* Questions for the addresses of a name, and what their answers say. Pure: no socket, no clock. */
#ifndef HAR_HARD_DNS_MESSAGE_H
#define HAR_HARD_DNS_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/address.h"

#define DNS_QUERY_MAX_BYTES ((size_t)512) /* a header, a name, and EDNS: less than 300 */
#define DNS_ADDRESSES_MAX 512 /* taken from one answer: as many as a host has room for */
#define DNS_RECORDS_MAX 1024  /* an answer with more of them is refused */
#define DNS_CHAIN_MAX 16      /* CNAMEs on the way to an address */
#define DNS_TTL_MIN_S 1
#define DNS_TTL_MAX_S 3600
#define DNS_NEGATIVE_TTL_S 60 /* of a "no" that does not say for how long (RFC 2308 section 5) */

/* Writes the question for the addresses of a family (AF_INET: A, AF_INET6: AAAA): RD set, id 0;
 * with edns for answers of up to 1232 bytes over UDP (RFC 6891), without for servers that refuse
 * that. key is a name without a har_name_problem. Returns the size in bytes, or 0 when the name
 * does not fit into a message or without memory. */
size_t dns_message_query(const char *key, int family, bool edns,
                         uint8_t query[DNS_QUERY_MAX_BYTES]);

enum dns_outcome {
    DNS_ADDRESSES, /* at least one */
    DNS_NO_DATA,   /* the name is there, an address that could be used is not */
    DNS_NO_NAME,   /* NXDOMAIN */
    DNS_NO_EDNS,   /* FORMERR or NOTIMP: to be asked again without */
    DNS_FAILURE,   /* SERVFAIL, REFUSED and so on */
    DNS_MALFORMED  /* not an answer to this question, cut, or not to be believed */
};

struct dns_answer {
    enum dns_outcome outcome;
    struct har_address
        addresses[DNS_ADDRESSES_MAX]; /* each once, by its bytes; of too many the
                                         first, so that the order sent is no matter */
    size_t count;                     /* 0 unless DNS_ADDRESSES */
    size_t unusable; /* addresses that were dropped because no server can have them */
    uint32_t ttl_s;  /* until it should be asked again, DNS_TTL_MIN_S to DNS_TTL_MAX_S: the smallest
                        of the chain and the addresses, or that of the "no"; 0 for the rest */
    unsigned rcode;
    const char *problem; /* of DNS_MALFORMED, a few words of static text; else NULL */
};

/* Reads what came for the question above. The addresses are those at the end of the chain of CNAMEs
 * that begins at the name asked for; other records are not looked at. RFC 1034 section 3.6.2, RFC
 * 2308 section 2. */
void dns_message_read(const uint8_t *bytes, size_t count, const char *key, int family,
                      struct dns_answer *answer);

#endif
