/* A DNS message as bytes (RFC 1035 section 4): what can be said of it without taking it apart.
 * Pure: no memory, no clock. Every function bounds every offset and count, whatever the bytes are.
 */
#ifndef HAR_HARD_DNS_WIRE_H
#define HAR_HARD_DNS_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DNS_HEADER_BYTES ((size_t)12)
#define DNS_MESSAGE_MAX_BYTES ((size_t)65535)

enum dns_rcode { DNS_NOERROR, DNS_FORMERR, DNS_SERVFAIL, DNS_NXDOMAIN, DNS_NOTIMP, DNS_REFUSED };

/* --- Header: the message has at least DNS_HEADER_BYTES ---------------------------------------- */

uint16_t dns_id(const uint8_t *message);
void dns_set_id(uint8_t *message, uint16_t id);
bool dns_is_response(const uint8_t *message);
bool dns_is_truncated(const uint8_t *message);
unsigned dns_opcode(const uint8_t *message);
unsigned dns_rcode(const uint8_t *message); /* its lower four bits, without those of EDNS */

enum dns_section { DNS_QUESTION, DNS_ANSWER, DNS_AUTHORITY, DNS_ADDITIONAL };
size_t dns_entries(const uint8_t *message, enum dns_section section); /* how many it claims */

/* --- Body ------------------------------------------------------------------------------------- */

/* True when there is a header and exactly one question that is whole, its name not compressed. Then
 * *end is the offset behind it. */
bool dns_question(const uint8_t *message, size_t count, size_t *end);

/* Do two messages, of which the first one's question ends at end, ask the same: name without case,
 * type, class? False, too, when the second is shorter. */
bool dns_same_question(const uint8_t *message, size_t end, const uint8_t *other, size_t count);

/* Steps over the name at *offset. Only what RFC 1035 section 4.1.4 allows: labels of at most 63
 * bytes, 255 bytes in all, pointers to what stands before; so no name has a loop. */
bool dns_name(const uint8_t *message, size_t count, size_t *offset);

struct dns_record {
    size_t start; /* offset of its owner's name */
    uint16_t type, class;
    uint32_t ttl_s; /* as sent */
    size_t data;    /* offset of its data */
    size_t data_bytes;
};

/* Steps over the record at *offset. */
bool dns_record(const uint8_t *message, size_t count, size_t *offset, struct dns_record *record);

/* Are all the questions and records there that the header claims? What their data holds, and what
 * follows the last one, is not looked at. */
bool dns_is_whole(const uint8_t *message, size_t count);

#endif
