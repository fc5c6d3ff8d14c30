#include "nss_har/pack.h"

#include <stdalign.h>
#include <stdint.h>
#include <string.h>

/* How many bytes to skip until buffer is aligned. alignment is a power of two. */
static size_t padding(const char *buffer, size_t alignment)
{
    return -(uintptr_t)buffer & (alignment - 1);
}

static bool fits(size_t padding_bytes, size_t needed_bytes, size_t buffer_bytes)
{
    return padding_bytes <= buffer_bytes && needed_bytes <= buffer_bytes - padding_bytes;
}

/* Copies count bytes to *room and moves it past them. Returns the copy. */
static char *put(char **room, const void *bytes, size_t count)
{
    char *copy = memcpy(*room, bytes, count);
    *room += count;
    return copy;
}

bool pack_hostent(const struct ranking_answer *answer, int family, char *buffer,
                  size_t buffer_bytes, struct hostent *result)
{
    const bool alias = strcmp(answer->name, answer->canonical) != 0;
    const size_t address_bytes = family == AF_INET ? 4 : 16;
    const size_t list_pointers = answer->count + 1;
    const size_t alias_pointers = alias ? 2 : 1;
    const size_t canonical_bytes = strlen(answer->canonical) + 1;
    const size_t alias_bytes = alias ? strlen(answer->name) + 1 : 0;
    const size_t skipped = padding(buffer, alignof(char *));
    const size_t needed = (list_pointers + alias_pointers) * sizeof(char *) +
                          answer->count * address_bytes + canonical_bytes + alias_bytes;
    if (!fits(skipped, needed, buffer_bytes))
        return false;

    char **list = (void *)(buffer + skipped);
    char **aliases = list + list_pointers;
    char *room = (char *)(aliases + alias_pointers); /* aligned for addresses, too */
    for (unsigned i = 0; i < answer->count; i++)
        list[i] = put(&room, answer->addresses[i].bytes, address_bytes);
    list[answer->count] = NULL;
    result->h_name = put(&room, answer->canonical, canonical_bytes);
    if (alias)
        aliases[0] = put(&room, answer->name, alias_bytes);
    aliases[alias_pointers - 1] = NULL;
    result->h_aliases = aliases;
    result->h_addrtype = family;
    result->h_length = (int)address_bytes;
    result->h_addr_list = list;
    return true;
}

bool pack_tuples(const struct ranking_answer *answer, char *buffer, size_t buffer_bytes,
                 struct gaih_addrtuple **pat)
{
    const size_t name_bytes = strlen(answer->canonical) + 1;
    const size_t skipped = padding(buffer, alignof(struct gaih_addrtuple));
    const size_t needed = answer->count * sizeof(struct gaih_addrtuple) + name_bytes;
    if (!fits(skipped, needed, buffer_bytes))
        return false;

    struct gaih_addrtuple *tuples = (void *)(buffer + skipped);
    char *room = (char *)(tuples + answer->count);
    char *name = put(&room, answer->canonical, name_bytes);
    for (unsigned i = 0; i < answer->count; i++) {
        tuples[i] = (struct gaih_addrtuple){.name = name, .family = answer->addresses[i].family};
        memcpy(tuples[i].addr, answer->addresses[i].bytes, sizeof tuples[i].addr);
        tuples[i].next = i + 1 < answer->count ? &tuples[i + 1] : NULL;
    }
    if (*pat != NULL)
        **pat = tuples[0];
    else
        *pat = tuples;
    return true;
}
