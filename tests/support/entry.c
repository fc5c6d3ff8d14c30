#include "tests/support/entry.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POISON 0xa5
#define ADDRESSES_TEXT_MAX 512

static void *symbol(void *module, const char *name)
{
    void *address = dlsym(module, name);
    if (address == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        exit(EXIT_FAILURE);
    }
    return address;
}

void entry_points_load(const char *path, struct entry_points *points)
{
    void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (module == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        exit(EXIT_FAILURE);
    }
    points->one = (nss_gethostbyname_r *)symbol(module, "_nss_har_gethostbyname_r");
    points->two = (nss_gethostbyname2_r *)symbol(module, "_nss_har_gethostbyname2_r");
    points->three = (nss_gethostbyname3_r *)symbol(module, "_nss_har_gethostbyname3_r");
    points->four = (nss_gethostbyname4_r *)symbol(module, "_nss_har_gethostbyname4_r");
}

int entry_family(enum entry entry)
{
    if (entry == ENTRY_4)
        return AF_UNSPEC;
    return entry == ENTRY_2_IPV6 || entry == ENTRY_3_IPV6 ? AF_INET6 : AF_INET;
}

static enum nss_status dispatch(const struct entry_points *points, const char *name,
                                size_t buffer_bytes, struct entry_call *call)
{
    const int family = entry_family(call->entry);
    switch (call->entry) {
    case ENTRY_1:
        return points->one(name, &call->host, call->buffer, buffer_bytes, &call->errnop,
                           &call->h_errnop);
    case ENTRY_2_IPV4:
    case ENTRY_2_IPV6:
        return points->two(name, family, &call->host, call->buffer, buffer_bytes, &call->errnop,
                           &call->h_errnop);
    case ENTRY_3_IPV4:
    case ENTRY_3_IPV6:
        return points->three(name, family, &call->host, call->buffer, buffer_bytes, &call->errnop,
                             &call->h_errnop, &call->ttl, &call->canonical);
    case ENTRY_4:
    case ENTRIES:
        break;
    }
    return points->four(name, &call->tuples, call->buffer, buffer_bytes, &call->errnop,
                        &call->h_errnop, &call->ttl);
}

void entry_call(const struct entry_points *points, enum entry entry, const char *name,
                size_t buffer_bytes, struct entry_call *call)
{
    memset(call, POISON, sizeof *call);
    call->entry = entry;
    call->tuples = NULL;
    errno = ENTRY_ERRNO_BEFORE;
    call->status = dispatch(points, name, buffer_bytes, call);
    call->errno_after = errno;
}

/* --- What a call did, in words ---------------------------------------------------------------- */

const char *entry_name(enum entry entry)
{
    static const char *const names[] = {"1", "2-ipv4", "2-ipv6", "3-ipv4", "3-ipv6", "4"};
    return names[entry];
}

static const char *status_name(enum nss_status status)
{
    static const char *const names[] = {"TRYAGAIN", "UNAVAIL", "NOTFOUND", "SUCCESS"};
    return status < NSS_STATUS_TRYAGAIN || status > NSS_STATUS_SUCCESS ? "unknown"
                                                                       : names[status + 2];
}

static const char *h_errno_name(int error)
{
    static const char *const names[] = {"NETDB_INTERNAL", "NETDB_SUCCESS", "HOST_NOT_FOUND",
                                        "TRY_AGAIN",      "NO_RECOVERY",   "NO_DATA"};
    return error < NETDB_INTERNAL || error > NO_DATA ? "unknown" : names[error + 1];
}

static bool all_poison(const void *from, size_t count)
{
    const unsigned char *bytes = from;
    for (size_t i = 0; i < count; i++) {
        if (bytes[i] != POISON)
            return false;
    }
    return true;
}

static bool untouched(const struct entry_call *call)
{
    return all_poison(&call->host, sizeof call->host) && call->tuples == NULL &&
           all_poison(&call->canonical, sizeof call->canonical) &&
           all_poison(call->buffer, sizeof call->buffer);
}

static void add_address(char text[ADDRESSES_TEXT_MAX], int family, const void *address)
{
    char one[INET6_ADDRSTRLEN] = "";
    size_t used = strlen(text);
    inet_ntop(family, address, one, sizeof one);
    snprintf(text + used, ADDRESSES_TEXT_MAX - used, "%s%s", used > 0 ? " " : "", one);
}

static void format_addresses(const struct entry_call *call, char text[ADDRESSES_TEXT_MAX])
{
    text[0] = '\0';
    if (call->status != NSS_STATUS_SUCCESS)
        return;
    if (call->entry == ENTRY_4) {
        for (const struct gaih_addrtuple *at = call->tuples; at != NULL; at = at->next)
            add_address(text, at->family, at->addr);
    } else {
        for (char **at = call->host.h_addr_list; *at != NULL; at++)
            add_address(text, call->host.h_addrtype, *at);
    }
}

/* An errno that kept the value from before the call is "untouched". */
static void format_error(int error, int before, char text[16])
{
    if (error == before)
        strcpy(text, "untouched");
    else
        snprintf(text, 16, "%d", error);
}

size_t entry_format(const struct entry_call *call, char text[ENTRY_LINE_MAX])
{
    char addresses[ADDRESSES_TEXT_MAX];
    char errnop[16];
    char errno_after[16];
    format_addresses(call, addresses);
    format_error(call->errnop, ENTRY_UNTOLD, errnop);
    format_error(call->errno_after, ENTRY_ERRNO_BEFORE, errno_after);
    int length =
        snprintf(text, ENTRY_LINE_MAX,
                 "entry=%s status=%s h_errno=%s errnop=%s errno=%s outputs=%s"
                 " addresses=\"%s\"",
                 entry_name(call->entry), status_name(call->status), h_errno_name(call->h_errnop),
                 errnop, errno_after, untouched(call) ? "untouched" : "written", addresses);
    return (size_t)length;
}
