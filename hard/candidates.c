#include "hard/candidates_run.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"

#define APART_US 1000 /* names that are new, or asked again early */

/* --- telling ---------------------------------------------------------------------------------- */

static bool is_news(const struct candidate_watch *watch, size_t count, bool complete)
{
    if (!watch->was_told)
        return count > 0 || complete;
    return watch->generation != watch->name->generation || (complete && !watch->was_complete);
}

static void tell(struct candidate_watch *watch)
{
    struct har_address addresses[FAMILIES * DNS_ADDRESSES_MAX];
    const struct name *name = watch->name;
    size_t count = name_collect(name, addresses);
    bool complete = name_state(name) != CANDIDATES_UNKNOWN;
    if (!is_news(watch, count, complete))
        return;
    watch->was_told = true;
    watch->was_complete = complete;
    watch->generation = name->generation;
    watch->changed(watch->arg, addresses, count, complete);
}

static void free_if_unwatched(struct name *name);

/* Those told may unwatch themselves and each other: name->next steps aside. */
void name_tell(struct name *name)
{
    name->telling = true;
    for (name->next = TAILQ_FIRST(&name->watches); name->next != NULL;) {
        struct candidate_watch *watch = name->next;
        name->next = TAILQ_NEXT(watch, in_name);
        tell(watch);
    }
    name->telling = false;
    free_if_unwatched(name);
}

static void on_tell(struct ev_loop *loop, struct ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    name_tell(timer->data);
}

/* --- names ------------------------------------------------------------------------------------ */

static int by_key(const void *a, const void *b)
{
    const struct name *first = a, *second = b;
    for (int i = 0; i < FAMILIES; i++) {
        if (first->questions[i].wanted != second->questions[i].wanted)
            return first->questions[i].wanted ? 1 : -1;
    }
    return strcmp(first->key, second->key);
}

static struct name *new_name(struct candidates *candidates, const char *key, bool want_ipv4,
                             bool want_ipv6)
{
    struct name *name = calloc(1, sizeof *name);
    if (name == NULL)
        return NULL;
    name->candidates = candidates;
    strcpy(name->key, key);
    TAILQ_INIT(&name->watches);
    ev_timer_init(&name->tell, on_tell, 0., 0.);
    name->tell.data = name;
    question_init(&name->questions[0], name, AF_INET, want_ipv4);
    question_init(&name->questions[1], name, AF_INET6, want_ipv6);
    return name;
}

/* Names come one after the other: in how long the next one may. */
static int64_t next_turn_us(struct candidates *candidates)
{
    int64_t now_us = har_now_us();
    if (candidates->next_ask_us < now_us)
        candidates->next_ask_us = now_us;
    return candidates->next_ask_us - now_us;
}

static void start(struct name *name)
{
    int64_t turn_us = next_turn_us(name->candidates);
    for (int i = 0; i < FAMILIES; i++)
        question_start(&name->questions[i], turn_us);
    name->candidates->next_ask_us += APART_US;
}

/* The one that is there, or a new one. */
static struct name *get_name(struct candidates *candidates, const char *key, bool want_ipv4,
                             bool want_ipv6)
{
    if (strlen(key) > HAR_NAME_MAX)
        return NULL;
    struct name *name = new_name(candidates, key, want_ipv4, want_ipv6);
    struct name **found = name != NULL ? tsearch(name, &candidates->names, by_key) : NULL;
    if (found != NULL && *found == name) {
        start(name);
        return name;
    }
    free(name);
    return found != NULL ? *found : NULL;
}

static void free_if_unwatched(struct name *name)
{
    if (name->telling || !TAILQ_EMPTY(&name->watches))
        return;
    for (int i = 0; i < FAMILIES; i++)
        question_stop(&name->questions[i]);
    ev_timer_stop(name->candidates->loop, &name->tell);
    tdelete(name, &name->candidates->names, by_key);
    free(name);
}

/* --- watches ---------------------------------------------------------------------------------- */

struct candidate_watch *candidates_watch(struct candidates *candidates, const char *key,
                                         bool want_ipv4, bool want_ipv6,
                                         candidates_changed_fn *changed, void *arg)
{
    struct candidate_watch *watch = calloc(1, sizeof *watch);
    struct name *name = watch != NULL ? get_name(candidates, key, want_ipv4, want_ipv6) : NULL;
    if (name == NULL) {
        free(watch);
        return NULL;
    }
    *watch = (struct candidate_watch){.name = name, .changed = changed, .arg = arg};
    TAILQ_INSERT_TAIL(&name->watches, watch, in_name);
    ev_timer_start(candidates->loop, &name->tell); /* what is known already */
    return watch;
}

void candidates_recall(struct candidate_watch *watch, const struct har_address *addresses,
                       size_t count)
{
    for (int i = 0; i < FAMILIES; i++)
        question_recall(&watch->name->questions[i], addresses, count);
}

void candidates_refresh(struct candidate_watch *watch)
{
    struct name *name = watch->name;
    int64_t turn_us = next_turn_us(name->candidates);
    bool asks = false;
    for (int i = 0; i < FAMILIES; i++)
        asks |= question_refresh(&name->questions[i], turn_us);
    if (asks)
        name->candidates->next_ask_us += APART_US;
}

void candidates_unwatch(struct candidate_watch *watch)
{
    if (watch == NULL)
        return;
    struct name *name = watch->name;
    if (name->next == watch)
        name->next = TAILQ_NEXT(watch, in_name);
    TAILQ_REMOVE(&name->watches, watch, in_name);
    free(watch);
    free_if_unwatched(name);
}

enum candidates_state candidates_state_of(const struct candidate_watch *watch,
                                          struct candidates_counters *counters)
{
    *counters = watch->name->counters;
    return name_state(watch->name);
}

/* --- candidates ------------------------------------------------------------------------------- */

struct candidates *candidates_new(struct ev_loop *loop, struct forward *forward,
                                  struct har_error *error)
{
    struct candidates *candidates = calloc(1, sizeof *candidates);
    if (candidates == NULL) {
        har_fail(error, HAR_ERR_MEMORY, "out of memory");
        return NULL;
    }
    candidates->loop = loop;
    candidates->forward = forward;
    candidates->second_ms = 1000;
    return candidates;
}

void candidates_free(struct candidates *candidates)
{
    free(candidates);
}
