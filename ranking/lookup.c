#include "ranking/lookup.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
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
    return alias_good && record_is_text(&row->columns[RANKING_STATUS]) &&
           record_is_text(&row->columns[RANKING_ADDRESSES]) &&
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

/* Takes the first `limit` addresses of the family asked for. Returns false when one is none. */
static bool addresses_take(const struct record_column *list, int family, unsigned limit,
                           struct ranking_answer *answer)
{
    const uint8_t *at = list->bytes;
    const uint8_t *end = at + list->count;
    answer->count = 0;
    while (at < end && answer->count < limit) {
        struct har_address address;
        at = address_read(at, end, &address);
        if (at == NULL)
            return false;
        if (family == AF_UNSPEC || family == address.family)
            answer->addresses[answer->count++] = address;
    }
    return true;
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

static enum ranking_result answer_from(const struct row *row, int family, int64_t now_s,
                                       struct ranking_answer *answer)
{
    const struct record_column *columns = row->columns;
    if (row->expires_s <= now_s)
        return absent(answer, ESTALE);
    if (text_equals(&columns[RANKING_STATUS], RANKING_STATUS_FAIL))
        return RANKING_FAILING;
    if (!text_equals(&columns[RANKING_STATUS], RANKING_STATUS_ANSWER))
        return absent(answer, ENOENT);
    if (!addresses_take(&columns[RANKING_ADDRESSES], family, clamp_answers(row->answers), answer))
        return absent(answer, EBADMSG);
    if (answer->count == 0)
        return RANKING_NODATA;

    return canonical_take(&columns[RANKING_ALIAS_OF], answer) ? RANKING_FOUND
                                                              : absent(answer, EBADMSG);
}

static enum ranking_result ask(int fd, uint32_t name_bytes, int family, int64_t now_s,
                               struct ranking_answer *answer)
{
    struct btree btree;
    const uint8_t *bytes;
    uint32_t count;
    int error = btree_find(&btree, fd, answer->name, name_bytes, &bytes, &count);
    if (error != 0)
        return absent(answer, error);
    struct row row;
    if (!row_read(bytes, count, &row))
        return absent(answer, EBADMSG);
    return answer_from(&row, family, now_s, answer);
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
