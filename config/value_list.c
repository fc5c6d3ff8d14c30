/* Values that are lists, and the one that is a word or a list. */
#include "config/loader.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define DNS_PORT 53

/* False, and refused, unless it is an array of as many elements as the row allows. */
static bool is_bounded_array(const struct value *value)
{
    size_t count = json_array_size(value->json);
    if (json_is_array(value->json) && count >= value->key->min && count <= value->key->max)
        return true;
    return value_refuse(value);
}

/* --- aliases --- */

bool value_read_names(const struct value *value, struct config_host *host)
{
    if (!is_bounded_array(value))
        return false;
    size_t count = json_array_size(value->json);
    host->aliases = memory_take(value->loader->memory, count, sizeof *host->aliases);
    if (host->aliases == NULL)
        return false;
    /* A bad one stays NULL, so that those behind it keep their index for later errors. */
    host->alias_count = count;
    bool good = true;
    for (size_t i = 0; i < count; i++) {
        const struct place here = {.parent = value->place, .index = i};
        const json_t *element = json_array_get(value->json, i);
        if (!json_is_string(element)) {
            report_found(value->loader, &here, element, "a host name");
            good = false;
        } else if (!value_read_name(value->loader, &here, json_string_value(element),
                                    &host->aliases[i])) {
            good = false;
        }
    }
    return good;
}

/* --- upstreams --- */

static bool read_upstream(const struct value *value, struct config_upstream *upstreams,
                          size_t index)
{
    struct loader *loader = value->loader;
    const struct place here = {.parent = value->place, .index = index};
    const json_t *element = json_array_get(value->json, index);
    struct config_upstream upstream = {.port = DNS_PORT};
    const char *text = json_string_value(element);
    if (text == NULL || har_address_port_parse(text, &upstream.address, &upstream.port) < 0) {
        report_found(loader, &here, element,
                     "an IPv4 or IPv6 address, or one with a port as \"192.0.2.1:53\" or "
                     "\"[2001:db8::1]:53\"");
        return false;
    }
    if (!value_is_usable(loader, &here, element, &upstream.address))
        return false;
    for (size_t i = 0; i < index; i++) {
        if (upstreams[i].port == upstream.port &&
            har_address_equal(&upstreams[i].address, &upstream.address)) {
            report_value(loader, &here, "the same address and port as at [%zu]", i);
            return false;
        }
    }
    upstreams[index] = upstream;
    return true;
}

bool value_read_upstreams(const struct value *value, struct config *config)
{
    if (!is_bounded_array(value))
        return false;
    size_t count = json_array_size(value->json);
    /* One more than needed: an empty array is not the NULL that stands for /etc/resolv.conf. */
    config->upstreams = memory_take(value->loader->memory, count + 1, sizeof *config->upstreams);
    config->upstream_count = count;
    bool good = config->upstreams != NULL;
    for (size_t i = 0; i < count && config->upstreams != NULL; i++)
        good = read_upstream(value, config->upstreams, i) && good;
    return good;
}

/* --- headers --- */

/* RFC 9110 section 5.6.2. */
static bool is_token(const char *text)
{
    size_t length = strspn(text, "!#$%&'*+-.^_`|~0123456789"
                                 "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
    return length > 0 && length <= 256 && text[length] == '\0';
}

/* RFC 9110 section 5.5: no control byte but a tab, no blank at either end. libcurl takes an empty
 * one for the wish to leave the header out. */
static bool is_header_value(const char *text)
{
    size_t length = strlen(text);
    if (length == 0 || length > 8000 || strchr(" \t", text[0]) != NULL ||
        strchr(" \t", text[length - 1]) != NULL)
        return false;
    for (; *text != '\0'; text++) {
        if (((unsigned char)*text < ' ' && *text != '\t') || *text == 0x7f)
            return false;
    }
    return true;
}

/* Is it among the lines already? Names are compared without case. */
static bool has_header(char **lines, size_t count, const char *name)
{
    size_t length = strlen(name);
    for (size_t i = 0; i < count; i++) {
        if (strncasecmp(lines[i], name, length) == 0 && lines[i][length] == ':')
            return true;
    }
    return false;
}

static bool is_good_header(struct loader *loader, const struct place *place, const char *name,
                           const json_t *json)
{
    const char *text = json_string_value(json);
    if (!is_token(name))
        report_quoted(loader, place, name, "a header name: letters, digits and !#$%%&'*+-.^_`|~");
    else if (strcasecmp(name, "Host") == 0)
        report_value(loader, place, "the Host header is set by the key \"host\" of the check");
    else if (text == NULL || !is_header_value(text))
        report_found(loader, place, json,
                     "a text of 1 to 8000 bytes without line breaks and other control bytes, "
                     "without blanks at its ends");
    else
        return true;
    return false;
}

/* "Name: value", or NULL. */
static char *header_line(struct memory *memory, const char *name, const char *text)
{
    size_t size = strlen(name) + 2 + strlen(text) + 1;
    char *line = memory_take(memory, size, 1);
    if (line != NULL)
        snprintf(line, size, "%s: %s", name, text);
    return line;
}

bool value_read_headers(const struct value *value, struct config_check *check)
{
    struct loader *loader = value->loader;
    json_t *object = (json_t *)value->json; /* iterators do not change it */
    if (!json_is_object(object) || json_object_size(object) > value->key->max)
        return value_refuse(value);
    char **lines = memory_take(loader->memory, json_object_size(object), sizeof *lines);
    size_t count = 0;
    bool good = lines != NULL;
    for (void *at = json_object_iter(object); at != NULL && lines != NULL;
         at = json_object_iter_next(object, at)) {
        const char *name = json_object_iter_key(at);
        const json_t *text = json_object_iter_value(at);
        const struct place here = {.parent = value->place, .key = name, .quoted = true};
        if (object_is_comment(name))
            continue;
        if (!is_good_header(loader, &here, name, text)) {
            good = false;
        } else if (has_header(lines, count, name)) {
            report_value(loader, &here, "given twice: case does not tell header names apart");
            good = false;
        } else {
            lines[count] = header_line(loader->memory, name, json_string_value(text));
            good = good && lines[count] != NULL;
            count += lines[count] != NULL;
        }
    }
    check->headers = lines;
    check->header_count = count;
    return good;
}

/* --- status --- */

/* Exactly three digits, from 100 to 599; or 0. */
static uint16_t parse_code(const char *text)
{
    if (strspn(text, "0123456789") < 3 || text[0] < '1' || text[0] > '5')
        return 0;
    return (uint16_t)((text[0] - '0') * 100 + (text[1] - '0') * 10 + (text[2] - '0'));
}

/* 200, "200" or "200-299". */
static bool parse_status(const json_t *json, struct config_status_range *out)
{
    const char *text = json_string_value(json);
    struct config_status_range range;
    if (text == NULL) {
        double code = json_number_value(json);
        if (!json_is_number(json) || !(code >= 100 && code <= 599) ||
            code != (double)(uint16_t)code)
            return false;
        range.low = range.high = (uint16_t)code;
    } else {
        range.low = range.high = parse_code(text);
        if (range.low != 0 && text[3] == '-' && strlen(text) == 7)
            range.high = parse_code(text + 4);
        else if (range.low == 0 || text[3] != '\0')
            return false;
        if (range.high < range.low)
            return false;
    }
    *out = range;
    return true;
}

static bool read_statuses(const struct value *value, struct config_status_range *statuses)
{
    bool good = true;
    for (size_t i = 0; i < json_array_size(value->json); i++) {
        const struct place here = {.parent = value->place, .index = i};
        const json_t *element = json_array_get(value->json, i);
        if (parse_status(element, &statuses[i]))
            continue;
        report_found(value->loader, &here, element,
                     "a code from 100 to 599, or a range as \"200-299\"");
        good = false;
    }
    return good;
}

bool value_read_statuses(const struct value *value, struct config_check *check)
{
    if (json_is_array(value->json) && !is_bounded_array(value))
        return false;
    size_t count = json_is_array(value->json) ? json_array_size(value->json) : 1;
    struct config_status_range *statuses =
        memory_take(value->loader->memory, count, sizeof *statuses);
    if (statuses == NULL)
        return false;
    bool good = json_is_array(value->json)
                    ? read_statuses(value, statuses)
                    : parse_status(value->json, statuses) || value_refuse(value);
    check->statuses = statuses;
    check->status_count = count;
    return good;
}

/* --- failure_mode --- */

static bool read_failure_address(const struct value *value, struct config_host *host, size_t index)
{
    const struct place here = {.parent = value->place, .index = index};
    const json_t *element = json_array_get(value->json, index);
    struct har_address *address = &host->failure_addresses[index];
    if (!value_read_address(value->loader, &here, element, "an IPv4 or IPv6 address", address))
        return false;
    for (size_t i = 0; i < index; i++) {
        if (har_address_equal(&host->failure_addresses[i], address)) {
            report_value(value->loader, &here, "the same address as at [%zu]", i);
            return false;
        }
    }
    return true;
}

bool value_read_failure_mode(const struct value *value, struct config_host *host)
{
    const char *text = json_string_value(value->json);
    for (const struct schema_word *word = value->key->words; word->text != NULL; word++) {
        if (text != NULL && strcmp(text, word->text) == 0) {
            host->failure_mode = (enum failure_mode)word->value;
            host->failure_addresses = NULL;
            host->failure_address_count = 0;
            return true;
        }
    }
    if (!is_bounded_array(value))
        return false;
    size_t count = json_array_size(value->json);
    host->failure_mode = FAILURE_ADDRESSES;
    host->failure_address_count = count;
    host->failure_addresses =
        memory_take(value->loader->memory, count, sizeof *host->failure_addresses);
    bool good = host->failure_addresses != NULL;
    for (size_t i = 0; i < count && host->failure_addresses != NULL; i++)
        good = read_failure_address(value, host, i) && good;
    return good;
}
