#include "common/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int har_address_parse(const char *text, struct har_address *out)
{
    struct har_address parsed = {.family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET};
    if (inet_pton(parsed.family, text, parsed.bytes) != 1)
        return -1;
    *out = parsed;
    return 0;
}

static char *put_number(char *end, uint8_t number)
{
    if (number >= 100)
        *end++ = (char)('0' + number / 100);
    if (number >= 10)
        *end++ = (char)('0' + number / 10 % 10);
    *end++ = (char)('0' + number % 10);
    return end;
}

/* inet_ntop goes through sprintf, which takes ten times as long; each result of a check ranks and
 * words the answer of its host anew. */
static void format_ipv4(const uint8_t bytes[4], char *end)
{
    for (int i = 0; i < 4; i++) {
        if (i > 0)
            *end++ = '.';
        end = put_number(end, bytes[i]);
    }
    *end = '\0';
}

char *har_address_format(const struct har_address *address, char text[HAR_ADDRESS_TEXT_MAX])
{
    if (address->family == AF_INET)
        format_ipv4(address->bytes, text);
    else /* cannot fail: there is room for the longest */
        inet_ntop(AF_INET6, address->bytes, text, HAR_ADDRESS_TEXT_MAX);
    return text;
}

/* 1 to 65535, or 0. */
static uint16_t parse_port(const char *text)
{
    if (text[0] == '0' || text[strspn(text, "0123456789")] != '\0')
        return 0;
    long port = strtol(text, NULL, 10); /* the greatest there is, when it does not fit */
    return port <= UINT16_MAX ? (uint16_t)port : 0;
}

/* The colon before the port, or NULL. A colon without brackets is that of an IPv6 address unless it
 * is the only one. */
static const char *find_port(const char *text)
{
    const char *first = strchr(text, ':'), *last = strrchr(text, ':');
    if (text[0] == '[')
        return last != NULL && last[-1] == ']' ? last : NULL;
    return first == last ? first : NULL;
}

int har_address_port_parse(const char *text, struct har_address *out, uint16_t *port)
{
    const char *colon = find_port(text);
    if (colon == NULL)
        return har_address_parse(text, out);
    bool bracketed = text[0] == '[';
    const char *start = text + bracketed;
    size_t length = (size_t)(colon - bracketed - start);
    char bare[HAR_ADDRESS_TEXT_MAX];
    uint16_t parsed_port = parse_port(colon + 1);
    struct har_address parsed;
    if (parsed_port == 0 || length >= sizeof bare)
        return -1;
    memcpy(bare, start, length);
    bare[length] = '\0';
    if (har_address_parse(bare, &parsed) < 0 || bracketed != (parsed.family == AF_INET6))
        return -1;
    *out = parsed;
    *port = parsed_port;
    return 0;
}

char *har_address_port_format(const struct har_address *address, uint16_t port,
                              char text[HAR_ADDRESS_PORT_TEXT_MAX])
{
    char bare[HAR_ADDRESS_TEXT_MAX];
    snprintf(text, HAR_ADDRESS_PORT_TEXT_MAX, address->family == AF_INET6 ? "[%s]:%u" : "%s:%u",
             har_address_format(address, bare), port);
    return text;
}

static const char *unusable_ipv4(const uint8_t bytes[4])
{
    if (bytes[0] == 0)
        return "an address of \"this network\" (RFC 1122 section 3.2.1.3)";
    if (bytes[0] >= 224 && bytes[0] <= 239)
        return "a multicast address";
    if (bytes[0] >= 240)
        return "a reserved or broadcast address";
    return NULL;
}

static const char *unusable_ipv6(const struct in6_addr *address)
{
    if (IN6_IS_ADDR_UNSPECIFIED(address))
        return "the unspecified address";
    if (IN6_IS_ADDR_MULTICAST(address))
        return "a multicast address";
    if (IN6_IS_ADDR_LINKLOCAL(address))
        return "a link-local address, which means nothing without its interface";
    if (IN6_IS_ADDR_V4MAPPED(address))
        return "an IPv4 address in IPv6 form: write it as IPv4";
    return NULL;
}

const char *har_address_unusable(const struct har_address *address)
{
    if (address->family == AF_INET)
        return unusable_ipv4(address->bytes);
    struct in6_addr ipv6;
    memcpy(&ipv6, address->bytes, sizeof ipv6);
    return unusable_ipv6(&ipv6);
}

bool har_address_equal(const struct har_address *a, const struct har_address *b)
{
    return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

socklen_t har_address_to_sockaddr(const struct har_address *address, uint16_t port,
                                  struct sockaddr_storage *out)
{
    memset(out, 0, sizeof *out);
    if (address->family == AF_INET) {
        struct sockaddr_in *ipv4 = (struct sockaddr_in *)out;
        ipv4->sin_family = AF_INET;
        ipv4->sin_port = htons(port);
        memcpy(&ipv4->sin_addr, address->bytes, sizeof ipv4->sin_addr);
        return sizeof *ipv4;
    }
    struct sockaddr_in6 *ipv6 = (struct sockaddr_in6 *)out;
    ipv6->sin6_family = AF_INET6;
    ipv6->sin6_port = htons(port);
    memcpy(&ipv6->sin6_addr, address->bytes, sizeof ipv6->sin6_addr);
    return sizeof *ipv6;
}
