#include "har_config.h"

#include "hard/resolv_conf.h"

#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_MAX_BYTES 65536
#define ADDRESS_MAX (HAR_ADDRESS_TEXT_MAX + 1 + IF_NAMESIZE)
#define DNS_PORT 53

static bool is_link_local(const struct har_address *address)
{
    return address->family == AF_INET6 && address->bytes[0] == 0xfe &&
           (address->bytes[1] & 0xc0) == 0x80;
}

/* 0 when there is no such interface. */
static uint32_t scope_of(const char *interface)
{
    char *end;
    unsigned long number = strtoul(interface, &end, 10);
    if (*interface >= '0' && *interface <= '9' && *end == '\0' && number <= UINT32_MAX)
        return (uint32_t)number;
    return if_nametoindex(interface);
}

/* text is cut at its '%'. */
static bool read_address(char *text, struct config_upstream *upstream)
{
    char *interface = strchr(text, '%');
    if (interface != NULL)
        *interface++ = '\0';
    *upstream = (struct config_upstream){.port = DNS_PORT};
    if (har_address_parse(text, &upstream->address) != 0)
        return false;
    if (!is_link_local(&upstream->address))
        return har_address_unusable(&upstream->address) == NULL;
    upstream->scope_id = interface != NULL ? scope_of(interface) : 0;
    return upstream->scope_id != 0;
}

/* What follows the word in a line of that many bytes, up to a blank or a comment. */
static bool read_line(const char *line, size_t length, struct config_upstream *upstream)
{
    static const char word[] = "nameserver";
    char text[ADDRESS_MAX + 1];
    size_t at = sizeof word - 1;
    if (length <= at || memcmp(line, word, at) != 0 || (line[at] != ' ' && line[at] != '\t'))
        return false;
    while (at < length && (line[at] == ' ' || line[at] == '\t'))
        at++;
    size_t count = 0;
    while (at + count < length && count < ADDRESS_MAX && line[at + count] != '\0' &&
           strchr(" \t\r;#", line[at + count]) == NULL)
        count++;
    memcpy(text, line + at, count);
    text[count] = '\0';
    return read_address(text, upstream);
}

static bool same(const struct config_upstream *a, const struct config_upstream *b)
{
    return a->port == b->port && a->scope_id == b->scope_id &&
           har_address_equal(&a->address, &b->address);
}

static bool holds(const struct config_upstream *upstreams, size_t count,
                  const struct config_upstream *upstream)
{
    for (size_t i = 0; i < count; i++) {
        if (same(&upstreams[i], upstream))
            return true;
    }
    return false;
}

size_t resolv_conf_parse(const char *text, size_t size_bytes,
                         struct config_upstream upstreams[CONFIG_UPSTREAMS_MAX])
{
    size_t count = 0;
    const char *end = text + size_bytes;
    while (text < end && count < CONFIG_UPSTREAMS_MAX) {
        const char *line_end = memchr(text, '\n', (size_t)(end - text));
        if (line_end == NULL)
            line_end = end;
        if (read_line(text, (size_t)(line_end - text), &upstreams[count]) &&
            !holds(upstreams, count, &upstreams[count]))
            count++;
        text = line_end + 1;
    }
    return count;
}

static size_t load(const char *path, struct config_upstream upstreams[CONFIG_UPSTREAMS_MAX])
{
    char *text = malloc(FILE_MAX_BYTES);
    int fd = text != NULL ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
    size_t size_bytes = 0;
    for (ssize_t got = 1; fd >= 0 && got > 0 && size_bytes < FILE_MAX_BYTES;) {
        got = read(fd, text + size_bytes, FILE_MAX_BYTES - size_bytes);
        size_bytes += got > 0 ? (size_t)got : 0;
    }
    size_t count = resolv_conf_parse(text, size_bytes, upstreams);
    if (fd >= 0)
        close(fd);
    free(text);
    return count;
}

/* 127.0.0.54 is its proxy without the stub's extras. */
static bool is_resolved(const struct config_upstream *upstream)
{
    static const uint8_t stub[] = {127, 0, 0, 53}, proxy[] = {127, 0, 0, 54};
    return upstream->address.family == AF_INET &&
           (memcmp(upstream->address.bytes, stub, sizeof stub) == 0 ||
            memcmp(upstream->address.bytes, proxy, sizeof proxy) == 0);
}

static bool names_resolved(const struct config_upstream *upstreams, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (is_resolved(&upstreams[i]))
            return true;
    }
    return false;
}

size_t resolv_conf_load(const char *path, const char *resolved_path,
                        const struct config_upstream *own, size_t own_count,
                        struct config_upstream upstreams[CONFIG_UPSTREAMS_MAX])
{
    size_t count = load(path, upstreams), kept = 0;
    if (names_resolved(upstreams, count) && access(resolved_path, R_OK) == 0)
        count = load(resolved_path, upstreams);
    for (size_t i = 0; i < count; i++) {
        if (!holds(own, own_count, &upstreams[i]))
            upstreams[kept++] = upstreams[i];
    }
    return kept;
}
