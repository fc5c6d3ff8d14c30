/* A folder with a state in it, and rows to put there, for unit tests. */
#ifndef HAR_TESTS_SUPPORT_STATE_ROWS_H
#define HAR_TESTS_SUPPORT_STATE_ROWS_H

#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "hard/state.h"
#include "tests/support/unit.h"

#define NOW_S 1795000000 /* 2026-11-18T11:06:40Z */
#define PORT 8080

static char folder[PATH_MAX];
static char path[PATH_MAX + 32];

static void make_folder(void)
{
    strcpy(folder, "check_state.XXXXXX");
    if (mkdtemp(folder) == NULL)
        abort();
    snprintf(path, sizeof path, "%s/state.db", folder);
}

static void remove_folder(void)
{
    char command[PATH_MAX + 16];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    if (system(command) != 0)
        abort();
}

/* Opens without a word to say. */
static struct state *open_state(void)
{
    struct har_error notice = {.code = HAR_OK}, error = {.code = HAR_OK};
    struct state *state = state_open(path, NOW_S, &notice, &error);
    ck_assert_msg(state != NULL, "%s", error.text);
    ck_assert_msg(notice.code == HAR_OK, "%s", notice.text);
    return state;
}

static inline void sync_state(struct state *state, int64_t now_s)
{
    struct har_error error = {.code = HAR_OK};
    ck_assert_msg(state_sync(state, now_s, &error) == HAR_OK, "%s", error.text);
}

static void close_state(struct state *state)
{
    struct har_error error = {.code = HAR_OK};
    ck_assert_msg(state_close(state, NOW_S, &error) == HAR_OK, "%s", error.text);
}

/* The n-th endpoint of one host; its strings stay until the next call. */
static struct state_endpoint sample_endpoint(unsigned n)
{
    static char candidate[32];
    snprintf(candidate, sizeof candidate, "node%u", n);
    return (struct state_endpoint){
        .host = "api.example.com",
        .candidate = candidate,
        .address = {AF_INET, {10, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n}},
        .port = PORT,
        .question = UINT64_MAX - n,
        .health = {HEALTH_UP, 1, true, 2000 + n, 3000 + n},
        .since_s = NOW_S - 60,
        .reason = REASON_CONNECT_REFUSED,
        .counters = {n, 2, 3, 4, 5, 6, 7, 8, 9, NOW_S - 3, NOW_S - 90, 11, 12}};
}

static struct state_transition sample_transition(const char *host, unsigned n)
{
    static char detail[32];
    snprintf(detail, sizeof detail, "%u", n);
    return (struct state_transition){.time_s = NOW_S + n,
                                     .host = host,
                                     .candidate = "north",
                                     .address = {AF_INET6, {0x20, 1, 0xd, 0xb8, [15] = 1}},
                                     .port = PORT,
                                     .was = HEALTH_UP,
                                     .state = HEALTH_DOWN,
                                     .reason = REASON_RESPONSE_TIMEOUT,
                                     .detail = detail};
}

static struct state_override sample_override(void)
{
    return (struct state_override){.host = "api.example.com",
                                   .candidate = "north",
                                   .kind = OVERRIDE_DRAIN,
                                   .set_s = NOW_S,
                                   .expires_s = NOW_S + 3600,
                                   .reason = "new disk, \"see\" ticket"};
}

static struct ranking_row sample_answer(void)
{
    return (struct ranking_row){.name = "api.example.com",
                                .status = "answer",
                                .addresses = "192.0.2.1 2001:db8::1",
                                .answers = 2,
                                .weights = "100 0"};
}

/* --- What a load brings ------------------------------------------------------------------------
 */

/* Every row in words, in the order in which they came. */
struct seen {
    char text[1 << 14];
    size_t used;
    unsigned count;
    bool unknown; /* what the callbacks say of each */
};

static inline bool see_endpoint(void *arg, const struct state_endpoint *endpoint)
{
    struct seen *seen = arg;
    const struct health *health = &endpoint->health;
    const struct endpoint_counters *counters = &endpoint->counters;
    char address[HAR_ADDRESS_TEXT_MAX];
    seen->count++;
    if (seen->used < sizeof seen->text / 2)
        seen->used += (size_t)snprintf(
            seen->text + seen->used, sizeof seen->text - seen->used,
            "%s %s %s %u question %llu %s %u %d %u %u since %lld %s "
            "%llu %llu %llu %llu %llu %llu %llu %llu %llu %lld %lld %u %u\n",
            endpoint->host, endpoint->candidate, har_address_format(&endpoint->address, address),
            endpoint->port, (unsigned long long)endpoint->question,
            health_state_text(health->state), health->streak, health->measured, health->connect_us,
            health->total_us, (long long)endpoint->since_s, check_reason_text(endpoint->reason),
            (unsigned long long)counters->successes, (unsigned long long)counters->timeouts,
            (unsigned long long)counters->connect_errors,
            (unsigned long long)counters->response_errors,
            (unsigned long long)counters->other_errors, (unsigned long long)counters->dns_successes,
            (unsigned long long)counters->dns_timeouts, (unsigned long long)counters->dns_errors,
            (unsigned long long)counters->chosen, (long long)counters->last_success_s,
            (long long)counters->last_failure_s, counters->last_connect_us,
            counters->last_response_us);
    return !seen->unknown;
}

static inline bool see_override(void *arg, const struct state_override *override)
{
    struct seen *seen = arg;
    seen->count++;
    seen->used += (size_t)snprintf(seen->text + seen->used, sizeof seen->text - seen->used,
                                   "%s %s %d %lld %lld %s\n", override->host, override->candidate,
                                   (int) override->kind, (long long) override->set_s,
                                   (long long) override->expires_s, override->reason);
    return !seen->unknown;
}

static inline bool see_answer(void *arg, const struct ranking_row *answer)
{
    struct seen *seen = arg;
    seen->count++;
    seen->used += (size_t)snprintf(seen->text + seen->used, sizeof seen->text - seen->used,
                                   "%s %s (%s) (%s) %u %s\n", answer->name, answer->status,
                                   answer->addresses, answer->weights ? answer->weights : "-",
                                   answer->answers, answer->alias_of ? answer->alias_of : "-");
    return !seen->unknown;
}

static inline unsigned count_endpoints(struct state *state)
{
    static struct seen seen;
    struct har_error error = {.code = HAR_OK};
    seen = (struct seen){.count = 0};
    ck_assert_msg(state_load_endpoints(state, see_endpoint, &seen, &error) == HAR_OK, "%s",
                  error.text);
    return seen.count;
}

/* --- The file as others see it -----------------------------------------------------------------
 */

/* Runs SQL on a file; a string that it makes of the first column of the last row, until the next
 * call. */
static const char *query(const char *file, const char *sql)
{
    static char answer[256];
    sqlite3 *db;
    sqlite3_stmt *statement;
    answer[0] = '\0';
    ck_assert_int_eq(sqlite3_open(file, &db), SQLITE_OK);
    for (const char *rest = sql; *rest != '\0';) {
        ck_assert_msg(sqlite3_prepare_v2(db, rest, -1, &statement, &rest) == SQLITE_OK, "%s: %s",
                      rest, sqlite3_errmsg(db));
        while (sqlite3_step(statement) == SQLITE_ROW)
            snprintf(answer, sizeof answer, "%s", (const char *)sqlite3_column_text(statement, 0));
        ck_assert_msg(sqlite3_finalize(statement) == SQLITE_OK, "%s: %s", sql, sqlite3_errmsg(db));
    }
    sqlite3_close(db);
    return answer;
}

#endif
