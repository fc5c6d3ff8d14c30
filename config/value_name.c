/* Names and addresses. */
#include "config/loader.h"

#include <string.h>

#include "common/name.h"

bool value_is_usable(struct loader *loader, const struct place *place, const json_t *json,
                     const struct har_address *address)
{
    const char *problem = har_address_unusable(address);
    if (problem != NULL)
        report_found(loader, place, json, "the address of a server, not %s", problem);
    return problem == NULL;
}

bool value_read_address(struct loader *loader, const struct place *place, const json_t *json,
                        const char *allowed, struct har_address *out)
{
    struct har_address address;
    const char *text = json_string_value(json);
    if (text == NULL || har_address_parse(text, &address) < 0) {
        report_found(loader, place, json, "%s", allowed);
        return false;
    }
    if (!value_is_usable(loader, place, json, &address))
        return false;
    *out = address;
    return true;
}

bool value_read_name(struct loader *loader, const struct place *place, const char *text, char **out)
{
    char key[HAR_NAME_MAX + 1] = "";
    struct har_address address;
    if (har_name_key(text, key) < 0 && text[0] != '\0') {
        report_quoted(loader, place, text, "a host name of at most %d bytes", HAR_NAME_MAX);
        return false;
    }
    /* getaddrinfo reads an address itself: no one would ever ask for it as a name. */
    if (har_address_parse(key, &address) == 0) {
        report_quoted(loader, place, text, "a host name, not an address");
        return false;
    }
    const char *problem = har_name_problem(key);
    if (problem != NULL) {
        report_quoted(loader, place, text, "a host name, without %s", problem);
        return false;
    }
    *out = memory_text(loader->memory, key, strlen(key));
    return *out != NULL;
}

/* As a mistyped IPv4 address does: no top-level domain is a number (RFC 3696 section 2). */
static bool ends_in_number(const char *text)
{
    size_t length = strlen(text), digits = 0;
    if (length > 0 && text[length - 1] == '.')
        length--;
    while (digits < length && strchr("0123456789", text[length - 1 - digits]) != NULL)
        digits++;
    return digits > 0 && (digits == length || text[length - 1 - digits] == '.');
}

/* What looks like an address, with a port or a typing error perhaps, was not meant as a name. */
static bool is_meant_as_name(const char *text)
{
    return text[0] != '\0' && strpbrk(text, ":[/") == NULL && !ends_in_number(text);
}

bool value_read_server(const struct value *value, struct config_candidate *candidate)
{
    const char *text = json_string_value(value->json);
    struct har_address address;
    if (text == NULL)
        return value_refuse(value);
    if (har_address_parse(text, &address) < 0)
        return is_meant_as_name(text)
                   ? value_read_name(value->loader, value->place, text, &candidate->host_name)
                   : value_refuse(value);
    if (!value_is_usable(value->loader, value->place, value->json, &address))
        return false;
    candidate->address = address;
    return true;
}
