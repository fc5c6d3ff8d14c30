#include "ranking/lookup.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ranking/btree.h"
#include "ranking/record.h"

struct row {
    struct record_column columns[RANKING_COLUMNS];
    int64_t answers;
    int64_t expires_s;
};

static bool text_equals(const struct record_column *column, const char *text)
{
    return column->count == strlen(text) && memcmp(column->bytes, text, column->count) == 0;
}

/* Returns false unless every column is what schema.h says it is. */
static bool row_read(const uint8_t *bytes, uint32_t count, struct row *row)
{
    if (!record_split(bytes, count, row->columns, RANKING_COLUMNS))
        return false;
    const struct record_column *alias_of = &row->columns[RANKING_ALIAS_OF];
    bool alias_good =
        record_is_null(alias_of) ||
        (record_is_text(alias_of) && alias_of->count > 0 && alias_of->count <= HAR_NAME_MAX);
    const struct record_column *weights = &row->columns[RANKING_WEIGHTS];
    bool weights_good = record_is_null(weights) || record_is_text(weights);
    return alias_good && record_is_text(&row->columns[RANKING_STATUS]) &&
           record_is_text(&row->columns[RANKING_ADDRESSES]) && weights_good &&
           record_integer(&row->columns[RANKING_ANSWERS], &row->answers) &&
           record_integer(&row->columns[RANKING_EXPIRES], &row->expires_s);
}

/* The first address of a list, from at to its blank or to end. Returns where the next one begins,
 * or NULL when this is no address. */
static const uint8_t *address_read(const uint8_t *at, const uint8_t *end,
                                   struct har_address *address)
{
    const uint8_t *blank = memchr(at, ' ', (size_t)(end - at));
    size_t count = (size_t)((blank != NULL ? blank : end) - at);
    char text[HAR_ADDRESS_TEXT_MAX];
    if (count >= sizeof text)
        return NULL;
    memcpy(text, at, count);
    text[count] = '\0';
    if (har_address_parse(text, address) != 0)
        return NULL;
    return blank != NULL ? blank + 1 : end;
}

/* --- Addresses and their weights ---------------------------------------------------------------
 */

/* A walk along both lists. Without weights, or where they end, an address has 0. */
struct walk {
    const uint8_t *at, *end;
    const uint8_t *weight_at, *weight_end;
};

static struct walk walk_along(const struct row *row)
{
    const struct record_column *list = &row->columns[RANKING_ADDRESSES];
    const struct record_column *weights = &row->columns[RANKING_WEIGHTS];
    return (struct walk){list->bytes, list->bytes + list->count, weights->bytes,
                         weights->bytes + weights->count};
}

/* What is not a digit is passed over, and a number too large is 0. */
static int weight_next(struct walk *walk)
{
    bool minus = walk->weight_at < walk->weight_end && *walk->weight_at == '-';
    int weight = 0;
    walk->weight_at += minus;
    for (; walk->weight_at < walk->weight_end && *walk->weight_at != ' '; walk->weight_at++) {
        if (*walk->weight_at >= '0' && *walk->weight_at <= '9' && weight <= RANKING_WEIGHT_MAX)
            weight = weight * 10 + (*walk->weight_at - '0');
    }
    walk->weight_at += walk->weight_at < walk->weight_end;
    if (weight > RANKING_WEIGHT_MAX)
        return 0;
    return minus ? -weight : weight;
}

/* The next address of the family asked for, and its weight in the group of that. Returns false at
 * the end, and at what is no address: then walk->at is NULL. */
static bool walk_next(struct walk *walk, int family, struct har_address *address, uint32_t *weight)
{
    while (walk->at != NULL && walk->at < walk->end) {
        walk->at = address_read(walk->at, walk->end, address);
        int written = weight_next(walk);
        if (walk->at == NULL)
            return false;
        if (family == AF_UNSPEC || family == address->family) {
            bool counts = written > 0 || family != AF_UNSPEC;
            *weight = counts ? (uint32_t)abs(written) : 0;
            return true;
        }
    }
    return false;
}

/* Without state, two lookups in a row still differ by the time between them; without a clock they
 * do not. The mixing is that of splitmix64. */
static uint64_t random_number(void)
{
    struct timespec now = {0};
    clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t bits = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
    bits = (bits ^ bits >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    bits = (bits ^ bits >> 27) * UINT64_C(0x94d049bb133111eb);
    return bits ^ bits >> 31;
}

/* Who of the group goes first, counted among those of the family; each as often as its weight says.
 * 0 without a group. Returns false when an address is none. */
static bool choose_first(const struct row *row, int family, unsigned *first)
{
    *first = 0;
    if (record_is_null(&row->columns[RANKING_WEIGHTS]))
        return true;
    struct walk walk = walk_along(row);
    struct har_address address;
    uint32_t weight, sum = 0;
    while (walk_next(&walk, family, &address, &weight))
        sum += weight;
    if (walk.at == NULL)
        return false;
    uint32_t left = sum > 0 ? (uint32_t)(random_number() % sum) : 0;
    walk = walk_along(row);
    while (sum > 0 && walk_next(&walk, family, &address, &weight) && left >= weight) {
        left -= weight;
        (*first)++;
    }
    return true;
}

/* Takes `limit` addresses of the family asked for: the one whose turn it is, then the first others.
 * Returns false when one is none. */
static bool addresses_take(const struct row *row, int family, unsigned first, unsigned limit,
                           struct ranking_answer *answer)
{
    unsigned others = 0;
    bool taken = false;
    struct walk walk = walk_along(row);
    struct har_address address;
    uint32_t weight;
    for (unsigned i = 0; !(taken && others + 1 == limit); i++) {
        if (!walk_next(&walk, family, &address, &weight))
            break;
        taken = taken || i == first;
        if (i == first)
            answer->addresses[0] = address;
        else if (others + 1 < limit)
            answer->addresses[++others] = address;
    }
    answer->count = taken ? others + 1 : 0;
    return walk.at != NULL;
}

/* What the caller did not ask for is a host name or nothing: programs print it, and build on it. */
static bool canonical_take(const struct record_column *alias_of, struct ranking_answer *answer)
{
    if (record_is_null(alias_of)) {
        strcpy(answer->canonical, answer->name);
        return true;
    }
    memcpy(answer->canonical, alias_of->bytes, alias_of->count);
    answer->canonical[alias_of->count] = '\0';
    return har_name_problem(answer->canonical) == NULL;
}

/* --- What a row says -------------------------------------------------------------------------- */

static unsigned clamp_answers(int64_t answers)
{
    if (answers < 1)
        return 1;
    return answers > RANKING_ANSWERS_MAX ? RANKING_ANSWERS_MAX : (unsigned)answers;
}

static enum ranking_result absent(struct ranking_answer *answer, int error)
{
    answer->error = error;
    return RANKING_ABSENT;
}

/* Never inlined: the search is over by now, and what this puts on the stack must not lie under it.
 */
static __attribute__((noinline)) enum ranking_result answer_from(const uint8_t *bytes,
                                                                 uint32_t count, int family,
                                                                 int64_t now_s,
                                                                 struct ranking_answer *answer)
{
    struct row row;
    unsigned first;
    if (!row_read(bytes, count, &row))
        return absent(answer, EBADMSG);
    if (row.expires_s <= now_s)
        return absent(answer, ESTALE);
    if (text_equals(&row.columns[RANKING_STATUS], RANKING_STATUS_FAIL))
        return RANKING_FAILING;
    if (!text_equals(&row.columns[RANKING_STATUS], RANKING_STATUS_ANSWER))
        return absent(answer, ENOENT);
    if (!choose_first(&row, family, &first) ||
        !addresses_take(&row, family, first, clamp_answers(row.answers), answer))
        return absent(answer, EBADMSG);
    if (answer->count == 0)
        return RANKING_NODATA;
    return canonical_take(&row.columns[RANKING_ALIAS_OF], answer) ? RANKING_FOUND
                                                                  : absent(answer, EBADMSG);
}

static enum ranking_result ask(int fd, uint32_t name_bytes, int family, int64_t now_s,
                               struct ranking_answer *answer)
{
    struct btree btree;
    const uint8_t *bytes;
    uint32_t count = 0; /* for compilers that see less than btree_find's contract */
    int error = btree_find(&btree, fd, answer->name, name_bytes, &bytes, &count);
    return error == 0 ? answer_from(bytes, count, family, now_s, answer) : absent(answer, error);
}

/* Returns before a FIFO has a writer, follows no link, makes no terminal ours. */
static int open_file(const char *path)
{
    int fd;
    do
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    while (fd < 0 && errno == EINTR);
    return fd;
}

enum ranking_result ranking_lookup(const char *path, const char *name, int family, int64_t now_s,
                                   struct ranking_answer *answer)
{
    int name_bytes = har_name_key(name, answer->name);
    if (name_bytes < 0)
        return absent(answer, ENOENT);

    /* A thread cancelled in one of these calls would leave the descriptor open for ever. */
    int cancel_state;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
    int saved_errno = errno;
    enum ranking_result result;
    int fd = open_file(path);
    if (fd < 0) {
        result = absent(answer, errno);
    } else {
        result = ask(fd, (uint32_t)name_bytes, family, now_s, answer);
        close(fd);
    }
    errno = saved_errno;
    pthread_setcancelstate(cancel_state, NULL);
    return result;
}
