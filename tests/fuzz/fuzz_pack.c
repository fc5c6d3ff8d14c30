/* An answer and a buffer made of any bytes: packing fits exactly when there is room, stays within
 * the buffer, points nowhere else, and writes nothing when it does not fit. */
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>

#include "nss_har/pack.h"
#include "tests/fuzz/fuzz.h"

#define POISON 0xa5
#define BUFFER_MAX 4096
#define ALIGNMENTS 32

enum form { FORM_IPV4, FORM_IPV6, FORM_TUPLES, FORM_OWN_TUPLE, FORMS };

/* What is left of the input; it ends in zeros. */
struct input {
    const uint8_t *bytes;
    size_t count;
};

static void take(struct input *input, void *to, size_t count)
{
    size_t there = count < input->count ? count : input->count;
    memset(to, 0, count);
    memcpy(to, input->bytes, there);
    input->bytes += there;
    input->count -= there;
}

static unsigned take_below(struct input *input, unsigned limit)
{
    uint8_t number[2];
    take(input, number, sizeof number);
    return (unsigned)(number[0] << 8 | number[1]) % limit;
}

/* A text of 1 to HAR_NAME_MAX bytes. */
static void take_name(struct input *input, char name[HAR_NAME_MAX + 1])
{
    unsigned length = 1 + take_below(input, HAR_NAME_MAX);
    take(input, name, length);
    for (unsigned i = 0; i < length; i++) {
        if (name[i] == '\0')
            name[i] = '.';
    }
    name[length] = '\0';
}

static void take_answer(struct input *input, enum form form, struct ranking_answer *answer)
{
    memset(answer, POISON, sizeof *answer);
    answer->count = 1 + take_below(input, RANKING_ANSWERS_MAX);
    take_name(input, answer->name);
    if (take_below(input, 2) == 0)
        strcpy(answer->canonical, answer->name);
    else
        take_name(input, answer->canonical);
    for (unsigned i = 0; i < answer->count; i++) {
        struct har_address *address = &answer->addresses[i];
        bool ipv6 = form == FORM_IPV6 || (form != FORM_IPV4 && take_below(input, 2) == 0);
        *address = (struct har_address){.family = ipv6 ? AF_INET6 : AF_INET};
        take(input, address->bytes, ipv6 ? 16 : 4);
    }
}

/* Counted from netdb.h and nss.h, not from pack.c. */
static size_t needed_bytes(enum form form, const struct ranking_answer *answer)
{
    size_t canonical = strlen(answer->canonical) + 1;
    bool alias = strcmp(answer->name, answer->canonical) != 0;
    if (form == FORM_TUPLES || form == FORM_OWN_TUPLE)
        return answer->count * sizeof(struct gaih_addrtuple) + canonical;
    size_t pointers = answer->count + 1 + (alias ? 2 : 1);
    return pointers * sizeof(char *) + answer->count * (form == FORM_IPV4 ? 4 : 16) + canonical +
           (alias ? strlen(answer->name) + 1 : 0);
}

static bool inside(const void *at, size_t count, const char *buffer, size_t buffer_bytes)
{
    const char *begin = at;
    return begin >= buffer && count <= buffer_bytes &&
           (size_t)(begin - buffer) <= buffer_bytes - count;
}

static bool all_poison(const void *from, size_t count)
{
    const uint8_t *bytes = from;
    for (size_t i = 0; i < count; i++) {
        if (bytes[i] != POISON)
            return false;
    }
    return true;
}

static void judge_hostent(const struct ranking_answer *answer, int family, const char *buffer,
                          size_t buffer_bytes, const struct hostent *host)
{
    bool alias = strcmp(answer->name, answer->canonical) != 0;
    size_t length = family == AF_INET ? 4 : 16;
    unsigned i;
    PROMISE(host->h_addrtype == family && host->h_length == (int)length);
    PROMISE((uintptr_t)host->h_addr_list % sizeof(char *) == 0);
    PROMISE((uintptr_t)host->h_aliases % sizeof(char *) == 0);
    PROMISE(inside(host->h_addr_list, (answer->count + 1) * sizeof(char *), buffer, buffer_bytes));
    for (i = 0; i < answer->count; i++) {
        PROMISE(inside(host->h_addr_list[i], length, buffer, buffer_bytes));
        PROMISE((uintptr_t)host->h_addr_list[i] % 4 == 0);
        PROMISE(memcmp(host->h_addr_list[i], answer->addresses[i].bytes, length) == 0);
    }
    PROMISE(host->h_addr_list[i] == NULL);
    PROMISE(inside(host->h_name, strlen(answer->canonical) + 1, buffer, buffer_bytes));
    PROMISE(strcmp(host->h_name, answer->canonical) == 0);
    PROMISE(inside(host->h_aliases, (alias ? 2 : 1) * sizeof(char *), buffer, buffer_bytes));
    if (alias) {
        PROMISE(inside(host->h_aliases[0], strlen(answer->name) + 1, buffer, buffer_bytes));
        PROMISE(strcmp(host->h_aliases[0], answer->name) == 0);
    }
    PROMISE(host->h_aliases[alias ? 1 : 0] == NULL);
}

static void judge_tuples(const struct ranking_answer *answer, const char *buffer,
                         size_t buffer_bytes, const struct gaih_addrtuple *tuple,
                         const struct gaih_addrtuple *own)
{
    for (unsigned i = 0; i < answer->count; i++, tuple = tuple->next) {
        PROMISE(tuple == own || inside(tuple, sizeof *tuple, buffer, buffer_bytes));
        PROMISE((uintptr_t)tuple % _Alignof(struct gaih_addrtuple) == 0);
        PROMISE(inside(tuple->name, strlen(answer->canonical) + 1, buffer, buffer_bytes));
        PROMISE(strcmp(tuple->name, answer->canonical) == 0);
        PROMISE(tuple->family == answer->addresses[i].family && tuple->scopeid == 0);
        PROMISE(memcmp(tuple->addr, answer->addresses[i].bytes, sizeof tuple->addr) == 0);
    }
    PROMISE(tuple == NULL);
}

static void pack_host(const struct ranking_answer *answer, int family, char *buffer,
                      size_t buffer_bytes, bool fits)
{
    struct hostent host;
    memset(&host, POISON, sizeof host);
    PROMISE(pack_hostent(answer, family, buffer, buffer_bytes, &host) == fits);
    if (fits)
        judge_hostent(answer, family, buffer, buffer_bytes, &host);
    else
        PROMISE(all_poison(&host, sizeof host));
}

static void pack_list(const struct ranking_answer *answer, bool with_own, char *buffer,
                      size_t buffer_bytes, bool fits)
{
    struct gaih_addrtuple own;
    struct gaih_addrtuple *tuples = with_own ? &own : NULL;
    memset(&own, POISON, sizeof own);
    PROMISE(pack_tuples(answer, buffer, buffer_bytes, &tuples) == fits);
    PROMISE(!with_own || tuples == &own);
    if (fits)
        judge_tuples(answer, buffer, buffer_bytes, tuples, with_own ? &own : NULL);
    else
        PROMISE((with_own || tuples == NULL) && all_poison(&own, sizeof own));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    struct input input = {bytes, count};
    enum form form = (enum form)take_below(&input, FORMS);
    size_t skew = take_below(&input, ALIGNMENTS);
    size_t buffer_bytes = take_below(&input, BUFFER_MAX);
    struct ranking_answer answer;
    take_answer(&input, form, &answer);

    /* Its end is the end of the block, where a sanitizer stands. */
    char *block = malloc(skew + buffer_bytes);
    PROMISE(block != NULL);
    memset(block, POISON, skew + buffer_bytes);
    char *buffer = block + skew;
    size_t skipped = -(uintptr_t)buffer % sizeof(char *);
    size_t needed = needed_bytes(form, &answer);
    bool fits = skipped + needed <= buffer_bytes;
    if (form == FORM_IPV4 || form == FORM_IPV6)
        pack_host(&answer, form == FORM_IPV4 ? AF_INET : AF_INET6, buffer, buffer_bytes, fits);
    else
        pack_list(&answer, form == FORM_OWN_TUPLE, buffer, buffer_bytes, fits);
    PROMISE(all_poison(block, skew));
    if (fits)
        PROMISE(all_poison(buffer + skipped + needed, buffer_bytes - skipped - needed));
    else
        PROMISE(all_poison(buffer, buffer_bytes));
    free(block);
    return 0;
}
