#include "hard/dns_message.h"

#include <ldns/ldns.h>
#include <stdlib.h>
#include <string.h>

#include "hard/dns_wire.h"

#define EDNS_BYTES 1232 /* fits into every path unfragmented: DNS Flag Day 2020 */

static ldns_rr_type type_of(int family)
{
    return family == AF_INET6 ? LDNS_RR_TYPE_AAAA : LDNS_RR_TYPE_A;
}

/* --- Question --------------------------------------------------------------------------------- */

static ldns_pkt *new_question(const char *key, int family)
{
    ldns_rdf *name = ldns_dname_new_frm_str(key);
    if (name == NULL)
        return NULL;
    ldns_pkt *packet = ldns_pkt_query_new(name, type_of(family), LDNS_RR_CLASS_IN, LDNS_RD);
    if (packet == NULL)
        ldns_rdf_deep_free(name);
    return packet;
}

size_t dns_message_query(const char *key, int family, bool edns, uint8_t query[DNS_QUERY_MAX_BYTES])
{
    size_t count = 0;
    uint8_t *wire = NULL;
    ldns_pkt *packet = new_question(key, family);
    if (packet == NULL)
        return 0;
    if (edns)
        ldns_pkt_set_edns_udp_size(packet, EDNS_BYTES);
    if (ldns_pkt2wire(&wire, packet, &count) != LDNS_STATUS_OK || count > DNS_QUERY_MAX_BYTES)
        count = 0;
    if (count > 0)
        memcpy(query, wire, count);
    free(wire);
    ldns_pkt_free(packet);
    return count;
}

/* --- Answer ----------------------------------------------------------------------------------- */

/* One answer while it is read. */
struct reading {
    const uint8_t *bytes;
    size_t count;
    size_t offset;
    ldns_rdf *key;
    ldns_rr_list *records; /* those of its answer section that matter */
    ldns_rr_type type;     /* asked for */
    uint32_t ttl_s;        /* the smallest so far */
    struct dns_answer *answer;
};

static bool malformed(struct reading *reading, const char *problem)
{
    reading->answer->outcome = DNS_MALFORMED;
    reading->answer->problem = problem;
    return false;
}

/* RFC 2181 section 8: a TTL with its highest bit set is 0. */
static void take_ttl(struct reading *reading, uint32_t ttl_s)
{
    if (ttl_s > INT32_MAX)
        ttl_s = 0;
    if (ttl_s < reading->ttl_s)
        reading->ttl_s = ttl_s;
}

static uint32_t clamp_ttl(uint32_t ttl_s)
{
    if (ttl_s < DNS_TTL_MIN_S)
        return DNS_TTL_MIN_S;
    return ttl_s > DNS_TTL_MAX_S ? DNS_TTL_MAX_S : ttl_s;
}

/* Are these `count` names, one after the other, and `rest` bytes all the data of a record? */
static bool data_is_names(const struct reading *reading, const struct dns_record *record,
                          unsigned count, size_t rest)
{
    size_t at = record->data, end = record->data + record->data_bytes;
    for (; count > 0; count--) {
        if (!dns_name(reading->bytes, end, &at))
            return false;
    }
    return end - at == rest;
}

/* ldns gets to see only records whose names are known to end (dns_name). */
static ldns_rr *parse(const struct reading *reading, const struct dns_record *record)
{
    ldns_rr *parsed = NULL;
    size_t at = record->start;
    if (ldns_wire2rr(&parsed, reading->bytes, reading->count, &at, LDNS_SECTION_ANSWER) !=
        LDNS_STATUS_OK)
        return NULL;
    return parsed;
}

static bool is_sound(const struct reading *reading, const struct dns_record *record)
{
    switch (record->type) {
    case LDNS_RR_TYPE_A:
        return record->data_bytes == 4;
    case LDNS_RR_TYPE_AAAA:
        return record->data_bytes == 16;
    case LDNS_RR_TYPE_CNAME:
        return data_is_names(reading, record, 1, 0);
    case LDNS_RR_TYPE_SOA:
        return data_is_names(reading, record, 2, 20);
    default:
        return true;
    }
}

static bool read_answers(struct reading *reading)
{
    struct dns_record record;
    for (size_t i = dns_entries(reading->bytes, DNS_ANSWER); i > 0; i--) {
        if (!dns_record(reading->bytes, reading->count, &reading->offset, &record))
            return malformed(reading, "a cut record");
        if (record.class != LDNS_RR_CLASS_IN)
            return malformed(reading, "a record of another class");
        if (record.type != reading->type && record.type != LDNS_RR_TYPE_CNAME)
            continue;
        ldns_rr *parsed = is_sound(reading, &record) ? parse(reading, &record) : NULL;
        if (parsed == NULL)
            return malformed(reading, "a record with wrong data");
        if (!ldns_rr_list_push_rr(reading->records, parsed)) {
            ldns_rr_free(parsed);
            return malformed(reading, "out of memory");
        }
    }
    return true;
}

static bool owns(const ldns_rdf *name, const ldns_rr *record, ldns_rr_type type)
{
    return ldns_rr_get_type(record) == type && ldns_dname_compare(ldns_rr_owner(record), name) == 0;
}

static const ldns_rr *find_alias(const struct reading *reading, const ldns_rdf *name)
{
    for (size_t i = 0; i < ldns_rr_list_rr_count(reading->records); i++) {
        const ldns_rr *record = ldns_rr_list_rr(reading->records, i);
        if (owns(name, record, LDNS_RR_TYPE_CNAME))
            return record;
    }
    return NULL;
}

/* The name at the end of the chain, or NULL when it is too long, as a loop is. */
static const ldns_rdf *follow_aliases(struct reading *reading)
{
    const ldns_rdf *name = reading->key;
    for (unsigned links = 0; links <= DNS_CHAIN_MAX; links++) {
        const ldns_rr *alias = find_alias(reading, name);
        if (alias == NULL)
            return name;
        take_ttl(reading, ldns_rr_ttl(alias));
        name = ldns_rr_rdf(alias, 0);
    }
    malformed(reading, "a chain of aliases that is too long or a loop");
    return NULL;
}

/* Before the first one that is not smaller. */
static void insert(struct dns_answer *answer, const struct har_address *address)
{
    struct har_address *place = answer->addresses;
    const struct har_address *end = place + answer->count, *limit = place + DNS_ADDRESSES_MAX;
    while (place < end && memcmp(place->bytes, address->bytes, sizeof address->bytes) < 0)
        place++;
    if (place == limit || (place < end && har_address_equal(place, address)))
        return;
    size_t behind = (size_t)(end - place) - (end == limit);
    memmove(place + 1, place, behind * sizeof *place);
    *place = *address;
    answer->count += end < limit;
}

static void take_address(struct reading *reading, const ldns_rr *record)
{
    struct dns_answer *answer = reading->answer;
    struct har_address address = {.family =
                                      reading->type == LDNS_RR_TYPE_AAAA ? AF_INET6 : AF_INET};
    const ldns_rdf *data = ldns_rr_rdf(record, 0);
    memcpy(address.bytes, ldns_rdf_data(data), address.family == AF_INET6 ? 16 : 4);
    take_ttl(reading, ldns_rr_ttl(record));
    if (har_address_unusable(&address) != NULL) {
        answer->unusable++;
        return;
    }
    insert(answer, &address);
}

static void take_addresses(struct reading *reading, const ldns_rdf *name)
{
    for (size_t i = 0; i < ldns_rr_list_rr_count(reading->records); i++) {
        const ldns_rr *record = ldns_rr_list_rr(reading->records, i);
        if (owns(name, record, reading->type))
            take_address(reading, record);
    }
}

/* RFC 2308 section 5: the smaller of the TTL and the last number of the SOA in the authority
 * section. That one is behind the answers, where reading->offset is now. */
static bool take_negative_ttl(struct reading *reading)
{
    uint32_t ttl_s = DNS_NEGATIVE_TTL_S;
    struct dns_record record;
    for (size_t i = dns_entries(reading->bytes, DNS_AUTHORITY); i > 0; i--) {
        if (!dns_record(reading->bytes, reading->count, &reading->offset, &record))
            return malformed(reading, "a cut record");
        if (record.type != LDNS_RR_TYPE_SOA || record.class != LDNS_RR_CLASS_IN)
            continue;
        ldns_rr *soa = is_sound(reading, &record) ? parse(reading, &record) : NULL;
        if (soa == NULL)
            return malformed(reading, "a record with wrong data");
        ttl_s = ldns_rdf2native_int32(ldns_rr_rdf(soa, 6));
        take_ttl(reading, ldns_rr_ttl(soa));
        ldns_rr_free(soa);
    }
    take_ttl(reading, ttl_s);
    return true;
}

static void conclude(struct reading *reading)
{
    struct dns_answer *answer = reading->answer;
    if (!read_answers(reading))
        return;
    const ldns_rdf *name = follow_aliases(reading);
    if (name == NULL)
        return;
    if (answer->rcode == DNS_NOERROR)
        take_addresses(reading, name);
    if (answer->count == 0 && answer->unusable == 0 && !take_negative_ttl(reading))
        return;
    answer->ttl_s = clamp_ttl(reading->ttl_s);
    if (answer->rcode == DNS_NXDOMAIN)
        answer->outcome = DNS_NO_NAME;
    else
        answer->outcome = answer->count > 0 ? DNS_ADDRESSES : DNS_NO_DATA;
}

/* Is it an answer at all, and to this question? query asks it, up to end. */
static bool check_question(struct reading *reading, const uint8_t *query, size_t end)
{
    const uint8_t *bytes = reading->bytes;
    size_t count = reading->count, answer_end;
    if (count < DNS_HEADER_BYTES || !dns_is_response(bytes) || dns_opcode(bytes) != 0)
        return malformed(reading, "not an answer");
    /* Old servers answer what they do not understand with a header alone. */
    if (dns_entries(bytes, DNS_QUESTION) == 0 && dns_rcode(bytes) != DNS_NOERROR &&
        dns_rcode(bytes) != DNS_NXDOMAIN)
        return true;
    if (!dns_question(bytes, count, &answer_end))
        return malformed(reading, "no question in it");
    if (!dns_same_question(query, end, bytes, count))
        return malformed(reading, "the answer to another question");
    return true;
}

static bool check_size(struct reading *reading)
{
    const uint8_t *bytes = reading->bytes;
    if (dns_entries(bytes, DNS_ANSWER) + dns_entries(bytes, DNS_AUTHORITY) +
            dns_entries(bytes, DNS_ADDITIONAL) >
        DNS_RECORDS_MAX)
        return malformed(reading, "too many records");
    if (dns_is_truncated(bytes))
        return malformed(reading, "truncated");
    return dns_is_whole(bytes, reading->count) || malformed(reading, "cut");
}

static void read_rcode(struct reading *reading)
{
    struct dns_answer *answer = reading->answer;
    answer->rcode = dns_rcode(reading->bytes);
    switch (answer->rcode) {
    case DNS_NOERROR:
    case DNS_NXDOMAIN:
        if (check_size(reading))
            conclude(reading);
        break;
    case DNS_FORMERR:
    case DNS_NOTIMP:
        answer->outcome = DNS_NO_EDNS;
        break;
    default:
        answer->outcome = DNS_FAILURE;
    }
}

void dns_message_read(const uint8_t *bytes, size_t count, const char *key, int family,
                      struct dns_answer *answer)
{
    *answer = (struct dns_answer){.outcome = DNS_MALFORMED};
    struct reading reading = {.bytes = bytes,
                              .count = count,
                              .key = ldns_dname_new_frm_str(key),
                              .records = ldns_rr_list_new(),
                              .type = type_of(family),
                              .ttl_s = UINT32_MAX,
                              .answer = answer};
    uint8_t query[DNS_QUERY_MAX_BYTES];
    if (reading.key == NULL || reading.records == NULL ||
        !dns_question(query, dns_message_query(key, family, false, query), &reading.offset))
        malformed(&reading, "out of memory");
    else if (check_question(&reading, query, reading.offset))
        read_rcode(&reading);
    if (answer->outcome != DNS_ADDRESSES)
        answer->count = 0;
    ldns_rr_list_deep_free(reading.records);
    ldns_rdf_deep_free(reading.key);
}
