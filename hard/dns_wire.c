#include "hard/dns_wire.h"

#define LABEL_MAX 63
#define NAME_MAX_BYTES 255
/* A name of 255 bytes has at most 127 labels; nobody compresses more often than that. */
#define POINTERS_MAX 127

static uint16_t get_16(const uint8_t *bytes)
{
    return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static uint32_t get_32(const uint8_t *bytes)
{
    return (uint32_t)get_16(bytes) << 16 | get_16(bytes + 2);
}

/* --- Header ----------------------------------------------------------------------------------- */

uint16_t dns_id(const uint8_t *message)
{
    return get_16(message);
}

void dns_set_id(uint8_t *message, uint16_t id)
{
    message[0] = (uint8_t)(id >> 8);
    message[1] = (uint8_t)id;
}

bool dns_is_response(const uint8_t *message)
{
    return (message[2] & 0x80) != 0;
}

bool dns_is_truncated(const uint8_t *message)
{
    return (message[2] & 0x02) != 0;
}

unsigned dns_opcode(const uint8_t *message)
{
    return message[2] >> 3 & 0x0fU;
}

unsigned dns_rcode(const uint8_t *message)
{
    return message[3] & 0x0fU;
}

size_t dns_entries(const uint8_t *message, enum dns_section section)
{
    return get_16(message + 4 + 2 * (size_t)section);
}

/* --- Body ------------------------------------------------------------------------------------- */

bool dns_question(const uint8_t *message, size_t count, size_t *end)
{
    if (count < DNS_HEADER_BYTES || dns_entries(message, DNS_QUESTION) != 1)
        return false;
    size_t at = DNS_HEADER_BYTES;
    for (; at < count && message[at] != 0; at += message[at] + 1U) {
        if (message[at] > LABEL_MAX)
            return false;
    }
    at++;
    if (at > DNS_HEADER_BYTES + NAME_MAX_BYTES || at + 4 > count)
        return false;
    *end = at + 4;
    return true;
}

static uint8_t lower(uint8_t byte)
{
    return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte + ('a' - 'A')) : byte;
}

/* The lengths of labels are below 'A', so that lowering leaves them alone. Not so the type and the
 * class, which follow the name. */
bool dns_same_question(const uint8_t *message, size_t end, const uint8_t *other, size_t count)
{
    if (count < end)
        return false;
    for (size_t i = DNS_HEADER_BYTES; i < end; i++) {
        if (message[i] != other[i] && (i + 4 >= end || lower(message[i]) != lower(other[i])))
            return false;
    }
    return true;
}

bool dns_name(const uint8_t *message, size_t count, size_t *offset)
{
    size_t at = *offset, before = *offset, behind = 0, length = 1;
    for (unsigned pointers = 0; at < count && pointers <= POINTERS_MAX;) {
        uint8_t byte = message[at];
        if (byte == 0) {
            *offset = behind != 0 ? behind : at + 1;
            return true;
        }
        if (byte <= LABEL_MAX) {
            length += byte + 1U;
            at += byte + 1U;
            if (length > NAME_MAX_BYTES)
                return false;
            continue;
        }
        if (byte < 0xc0 || at + 1 >= count)
            return false;
        if (behind == 0)
            behind = at + 2;
        at = get_16(message + at) & 0x3fffU;
        if (at < DNS_HEADER_BYTES || at >= before)
            return false;
        before = at;
        pointers++;
    }
    return false;
}

bool dns_record(const uint8_t *message, size_t count, size_t *offset, struct dns_record *record)
{
    size_t at = *offset;
    if (!dns_name(message, count, &at) || count - at < 10)
        return false;
    *record = (struct dns_record){.start = *offset,
                                  .type = get_16(message + at),
                                  .class = get_16(message + at + 2),
                                  .ttl_s = get_32(message + at + 4),
                                  .data = at + 10,
                                  .data_bytes = get_16(message + at + 8)};
    if (count - record->data < record->data_bytes)
        return false;
    *offset = record->data + record->data_bytes;
    return true;
}

bool dns_is_whole(const uint8_t *message, size_t count)
{
    if (count < DNS_HEADER_BYTES)
        return false;
    size_t at = DNS_HEADER_BYTES;
    for (size_t i = dns_entries(message, DNS_QUESTION); i > 0; i--) {
        if (!dns_name(message, count, &at) || count - at < 4)
            return false;
        at += 4;
    }
    size_t records = dns_entries(message, DNS_ANSWER) + dns_entries(message, DNS_AUTHORITY) +
                     dns_entries(message, DNS_ADDITIONAL);
    struct dns_record record;
    for (; records > 0; records--) {
        if (!dns_record(message, count, &at, &record))
            return false;
    }
    return true;
}
