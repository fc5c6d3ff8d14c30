/* A name means one host. What is defined twice, perhaps in two files, is found by sorting; the
 * same order is that of the hosts in a finished configuration. */
#include "config/loader.h"

#include <stdlib.h>
#include <string.h>

#define NO_ALIAS SIZE_MAX

/* A name and where it is defined. */
struct claim {
    const char *name;
    const struct loaded_host *host;
    size_t alias; /* index among its aliases, or NO_ALIAS: the host's own name */
    size_t order; /* in which they were read */
};

static int compare_claims(const void *a, const void *b)
{
    const struct claim *first = a, *second = b;
    int order = strcmp(first->name, second->name);
    if (order != 0)
        return order;
    return first->order < second->order ? -1 : first->order > second->order;
}

static size_t count_names(const struct loader *loader)
{
    size_t count = loader->host_count;
    for (const struct loaded_host *host = loader->hosts; host != NULL; host = host->next)
        count += host->host.alias_count;
    return count;
}

/* A name that is no name has been reported already, and is passed over. */
static size_t add_claim(struct claim *claims, size_t count, const char *name,
                        const struct loaded_host *host, size_t alias)
{
    if (name == NULL || name[0] == '\0')
        return count;
    claims[count] = (struct claim){name, host, alias, count};
    return count + 1;
}

static size_t collect_claims(const struct loader *loader, struct claim *claims)
{
    size_t count = 0;
    for (const struct loaded_host *host = loader->hosts; host != NULL; host = host->next) {
        count = add_claim(claims, count, host->host.name, host, NO_ALIAS);
        for (size_t i = 0; i < host->host.alias_count; i++)
            count = add_claim(claims, count, host->host.aliases[i], host, i);
    }
    return count;
}

/* Where a claim stands, as a chain of places. */
struct claim_place {
    struct place hosts, name, aliases, alias;
    const struct place *end;
};

static void find_claim(const struct claim *claim, struct claim_place *place)
{
    place->hosts = (struct place){.key = schema_object(SCOPE_TOP)->keys[TOP_HOSTS].name};
    place->name = (struct place){.parent = claim->host->in_hosts ? &place->hosts : NULL,
                                 .key = claim->host->written,
                                 .quoted = true};
    place->aliases = (struct place){.parent = &place->name,
                                    .key = schema_object(SCOPE_HOST)->keys[HOST_ALIASES].name};
    place->alias = (struct place){.parent = &place->aliases, .index = claim->alias};
    place->end = claim->alias == NO_ALIAS ? &place->name : &place->alias;
}

static void report_twin(struct loader *loader, const struct claim *first,
                        const struct claim *second)
{
    struct claim_place here, there;
    find_claim(second, &here);
    find_claim(first, &there);
    loader->file = second->host->file;
    report_taken(loader, here.end, second->name, first->host->file, there.end);
}

bool names_sort(struct loader *loader, struct config_host *hosts)
{
    struct claim *claims = memory_take(loader->scratch, count_names(loader), sizeof *claims);
    if (claims == NULL)
        return false;
    size_t count = collect_claims(loader, claims), host_count = 0;
    qsort(claims, count, sizeof *claims, compare_claims);
    const struct claim *first = claims;
    for (const struct claim *claim = claims; claim < claims + count; claim++) {
        if (strcmp(claim->name, first->name) != 0)
            first = claim;
        else if (claim != first)
            report_twin(loader, first, claim);
        if (claim->alias == NO_ALIAS)
            hosts[host_count++] = claim->host->host;
    }
    return true;
}
