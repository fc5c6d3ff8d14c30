#include "hard/candidates_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "hard/log.h"

#define RETRY_MIN_S 1
#define RETRY_MAX_S 60
#define REFRESH_S 1       /* at least, from one question to the next */
#define LOGGED_BYTES 2048 /* of addresses */

/* --- state ------------------------------------------------------------------------------------ */

const char *candidates_state_text(enum candidates_state state)
{
    switch (state) {
    case CANDIDATES_UNKNOWN:
        return "unknown";
    case CANDIDATES_RESOLVED:
        return "resolved";
    case CANDIDATES_PARTLY:
        return "partly";
    case CANDIDATES_NO_DATA:
        return "no-address";
    case CANDIDATES_NO_NAME:
        return "no-such-name";
    case CANDIDATES_FAILED:
        return "failed";
    }
    return "unknown";
}

/* Most names have addresses of one family only, and some servers deny the whole name then. */
static bool is_well(const struct question *question, const struct question *other)
{
    if (question->state == CANDIDATES_NO_NAME && question->count > 0)
        return false;
    return question->state == CANDIDATES_RESOLVED ||
           (question->state != CANDIDATES_FAILED && other->state == CANDIDATES_RESOLVED);
}

static bool is_resolved(const struct question *question)
{
    return question->wanted && question->state == CANDIDATES_RESOLVED;
}

enum candidates_state name_state(const struct name *name)
{
    enum candidates_state worst = CANDIDATES_RESOLVED;
    for (int i = 0; i < FAMILIES; i++) {
        const struct question *question = &name->questions[i];
        if (question->wanted && question->state == CANDIDATES_UNKNOWN)
            return CANDIDATES_UNKNOWN;
        if (question->wanted && !is_well(question, &name->questions[FAMILIES - 1 - i]) &&
            question->state > worst)
            worst = question->state;
    }
    bool any = is_resolved(&name->questions[0]) || is_resolved(&name->questions[1]);
    return worst != CANDIDATES_RESOLVED && any ? CANDIDATES_PARTLY : worst;
}

/* The first question that is not well; or NULL. */
static const struct question *find_unwell(const struct name *name)
{
    for (int i = 0; i < FAMILIES; i++) {
        const struct question *question = &name->questions[i];
        if (question->wanted && !is_well(question, &name->questions[FAMILIES - 1 - i]) &&
            (name->state == CANDIDATES_PARTLY || question->state == name->state))
            return question;
    }
    return NULL;
}

/* Which question has no answer, if the other one has. */
static const char *word_question(const struct name *name, const struct question *unwell)
{
    if (name->state != CANDIDATES_PARTLY || unwell == NULL)
        return NULL;
    return unwell->family == AF_INET ? "A" : "AAAA";
}

size_t name_collect(const struct name *name,
                    struct har_address addresses[FAMILIES * DNS_ADDRESSES_MAX])
{
    size_t count = 0;
    for (int i = 0; i < FAMILIES; i++) {
        const struct question *question = &name->questions[i];
        if (question->count > 0)
            memcpy(addresses + count, question->addresses, question->count * sizeof *addresses);
        count += question->count;
    }
    return count;
}

/* As many as fit into a line of the log. */
static void word_addresses(const struct name *name, char text[LOGGED_BYTES])
{
    struct har_address addresses[FAMILIES * DNS_ADDRESSES_MAX];
    size_t count = name_collect(name, addresses), length = 0;
    char address[HAR_ADDRESS_TEXT_MAX];
    strcpy(text, count == 0 ? "none" : "");
    for (size_t i = 0; i < count && length < LOGGED_BYTES; i++)
        length += (size_t)snprintf(text + length, LOGGED_BYTES - length, "%s%s", i > 0 ? " " : "",
                                   har_address_format(&addresses[i], address));
}

static void log_name(int level, const char *event, const struct name *name)
{
    char addresses[LOGGED_BYTES];
    if (!log_wants(level))
        return;
    word_addresses(name, addresses);
    const struct question *unwell = find_unwell(name);
    log_event(level, event, "name", name->key, "state", candidates_state_text(name->state),
              "question", word_question(name, unwell), "reason",
              unwell != NULL ? unwell->reason : NULL, "addresses", addresses, NULL);
}

static void log_change(struct name *name, bool changed)
{
    enum candidates_state was = name->state;
    name->state = name_state(name);
    if (name->state > CANDIDATES_RESOLVED && name->state != was)
        log_name(name->state == CANDIDATES_PARTLY ? LOG_NOTICE : LOG_WARNING, "resolve-failed",
                 name);
    else if (name->state == CANDIDATES_RESOLVED && was > CANDIDATES_RESOLVED)
        log_name(LOG_NOTICE, "resolve-recovered", name);
    else if (name->state == CANDIDATES_RESOLVED && was == CANDIDATES_UNKNOWN)
        log_name(LOG_INFO, "resolved", name);
    else if (changed && was != CANDIDATES_UNKNOWN)
        log_name(LOG_NOTICE, "resolve-changed", name);
}

/* --- when to ask again ------------------------------------------------------------------------ */

static void plan(struct question *question, int64_t after_us)
{
    struct ev_loop *loop = question->name->candidates->loop;
    ev_timer_stop(loop, &question->timer);
    ev_timer_set(&question->timer, after_us > 0 ? (double)after_us / 1e6 : 0., 0.);
    ev_now_update(loop); /* or it would come early: this may be late in a round of the loop */
    ev_timer_start(loop, &question->timer);
}

static void plan_again(struct question *question, uint32_t after_s)
{
    struct candidates *candidates = question->name->candidates;
    uint32_t after_ms = after_s * candidates->second_ms;
    uint32_t more_ms = random_below(&candidates->random, after_ms / 10 + 1);
    plan(question, ((int64_t)after_ms + more_ms) * 1000);
}

static uint32_t next_retry_s(struct question *question)
{
    uint32_t wait_s = question->retry_s;
    question->retry_s = wait_s < RETRY_MAX_S / 2 ? 2 * wait_s : RETRY_MAX_S;
    return wait_s;
}

/* --- what comes of a question: the name may be gone after each of these ----------------------- */

/* "No address of this family" is believed while the other one has some. A "no such name" is not: it
 * contradicts them. */
static bool drop_gone(struct name *name)
{
    bool dropped = false;
    for (int i = 0; i < FAMILIES; i++) {
        struct question *question = &name->questions[i];
        if (question->state != CANDIDATES_NO_DATA || question->count == 0 ||
            name->questions[FAMILIES - 1 - i].state != CANDIDATES_RESOLVED)
            continue;
        question->count = 0;
        dropped = true;
    }
    return dropped;
}

static void settle(struct question *question, enum candidates_state state, const char *reason,
                   bool changed)
{
    struct name *name = question->name;
    question->state = state;
    question->reason = reason;
    changed = drop_gone(name) || changed;
    name->generation += changed;
    log_change(name, changed);
    name_tell(name);
}

static void fail(struct question *question, const char *reason)
{
    plan_again(question, next_retry_s(question));
    settle(question, CANDIDATES_FAILED, reason, false);
}

/* The "no" holds for its own time, but not for longer than a failure would in the end. */
static void take_no(struct question *question, enum candidates_state state,
                    const struct dns_answer *answer)
{
    uint32_t wait_s = next_retry_s(question);
    uint32_t ttl_s = answer->ttl_s < RETRY_MAX_S ? answer->ttl_s : RETRY_MAX_S;
    plan_again(question, wait_s > ttl_s ? wait_s : ttl_s);
    settle(question, state, answer->unusable > 0 ? "no server can have its addresses" : NULL,
           false);
}

static bool has_addresses(const struct question *question, const struct dns_answer *answer)
{
    return question->count == answer->count &&
           memcmp(question->addresses, answer->addresses,
                  answer->count * sizeof *answer->addresses) == 0;
}

static bool keep_addresses(struct question *question, const struct dns_answer *answer)
{
    size_t size_bytes = answer->count * sizeof *answer->addresses;
    struct har_address *addresses = malloc(size_bytes);
    if (addresses == NULL)
        return false;
    memcpy(addresses, answer->addresses, size_bytes);
    free(question->addresses);
    question->addresses = addresses;
    question->count = answer->count;
    return true;
}

static void take_addresses(struct question *question, const struct dns_answer *answer)
{
    bool changed = !has_addresses(question, answer);
    if (changed && !keep_addresses(question, answer)) {
        fail(question, "out of memory");
        return;
    }
    question->retry_s = RETRY_MIN_S;
    plan_again(question, answer->ttl_s);
    settle(question, CANDIDATES_RESOLVED, NULL, changed);
}

static void take_answer(struct question *question, const struct dns_answer *answer)
{
    switch (answer->outcome) {
    case DNS_ADDRESSES:
        take_addresses(question, answer);
        break;
    case DNS_NO_DATA:
        take_no(question, CANDIDATES_NO_DATA, answer);
        break;
    case DNS_NO_NAME:
        take_no(question, CANDIDATES_NO_NAME, answer);
        break;
    case DNS_NO_EDNS: /* and if that was not it, with it again */
        question->plain = !question->plain;
        fail(question, "not understood");
        break;
    case DNS_FAILURE:
        fail(question, "an unusual error");
        break;
    case DNS_MALFORMED:
        fail(question, answer->problem);
        break;
    }
}

static void take_message(struct question *question, const struct forward_answer *message)
{
    struct candidates_counters *counters = &question->name->counters;
    struct dns_answer answer;
    dns_message_read(message->bytes, message->count, question->name->key, question->family,
                     &answer);
    counters->unusable += answer.unusable;
    if (answer.outcome <= DNS_NO_NAME)
        counters->successes++;
    else
        counters->errors++;
    take_answer(question, &answer);
}

static void on_answer(void *arg, const struct forward_answer *answer)
{
    struct question *question = arg;
    struct candidates_counters *counters = &question->name->counters;
    question->running = NULL;
    if (answer->reason == FORWARD_ANSWERED) {
        take_message(question, answer);
        return;
    }
    if (answer->reason == FORWARD_TIMEOUT)
        counters->timeouts++;
    else
        counters->errors++;
    fail(question, forward_reason_text(answer->reason));
}

/* --- asking ----------------------------------------------------------------------------------- */

static void ask(struct question *question)
{
    uint8_t query[DNS_QUERY_MAX_BYTES];
    struct name *name = question->name;
    size_t count = dns_message_query(name->key, question->family, !question->plain, query);
    question->asked_us = har_now_us();
    if (count > 0)
        question->running =
            forward_start(name->candidates->forward, query, count, on_answer, question);
    if (question->running != NULL)
        return;
    name->counters.errors++;
    fail(question, count > 0 ? "too many questions at a time" : "nothing that can be asked for");
}

static void on_time(struct ev_loop *loop, struct ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    ask(timer->data);
}

void question_init(struct question *question, struct name *name, int family, bool wanted)
{
    question->name = name;
    question->family = family;
    question->wanted = wanted;
    question->retry_s = RETRY_MIN_S;
    ev_timer_init(&question->timer, on_time, 0., 0.);
    question->timer.data = question;
}

void question_start(struct question *question, int64_t after_us)
{
    if (question->wanted)
        plan(question, after_us);
}

void question_stop(struct question *question)
{
    forward_cancel(question->running);
    ev_timer_stop(question->name->candidates->loop, &question->timer);
    free(question->addresses);
    question->addresses = NULL;
    question->count = 0;
}

static int by_bytes(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct har_address));
}

void question_recall(struct question *question, const struct har_address *addresses, size_t count)
{
    if (!question->wanted || question->state != CANDIDATES_UNKNOWN || question->count > 0)
        return;
    struct har_address *known = calloc(count + 1, sizeof *known);
    size_t known_count = 0;
    for (size_t i = 0; i < count && known != NULL && known_count < DNS_ADDRESSES_MAX; i++) {
        if (addresses[i].family == question->family)
            known[known_count++] = addresses[i];
    }
    if (known != NULL)
        qsort(known, known_count, sizeof *known, by_bytes);
    free(question->addresses);
    question->addresses = known;
    question->count = known_count;
}

/* Not one that is under way, nor one whose first time is near. */
bool question_refresh(struct question *question, int64_t after_us)
{
    if (question->running != NULL || question->asked_us == 0)
        return false;
    const struct candidates *candidates = question->name->candidates;
    int64_t wait_us = question->asked_us + REFRESH_S * candidates->second_ms * 1000 - har_now_us();
    if (wait_us < after_us)
        wait_us = after_us;
    if ((double)wait_us / 1e6 >= ev_timer_remaining(candidates->loop, &question->timer))
        return false;
    plan(question, wait_us);
    return true;
}
