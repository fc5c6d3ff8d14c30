/* Endpoints as ranking sees them, written as text, for unit tests. */
#ifndef HAR_TESTS_SUPPORT_RANK_ENTRIES_H
#define HAR_TESTS_SUPPORT_RANK_ENTRIES_H

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "hard/rank.h"
#include "tests/support/unit.h"

#define ENTRIES_MAX 64

static inline enum health_state entry_state(char letter)
{
    switch (letter) {
    case 'u':
        return HEALTH_UP;
    case 'd':
        return HEALTH_DOWN;
    default:
        ck_assert_int_eq(letter, '?');
        return HEALTH_UNKNOWN;
    }
}

/* What follows the state and its latency: "/1" priority, ":6" IPv6, "*200" weight, "x" drained. */
static inline void entry_more(const char *at, unsigned place, struct rank_entry *entry)
{
    int used = 0;
    for (; *at != '\0'; at += used) {
        if (sscanf(at, "/%u%n", &entry->priority, &used) == 1 ||
            sscanf(at, "*%u%n", &entry->weight, &used) == 1)
            continue;
        used = at[0] == 'x' ? 1 : 2;
        if (at[0] == 'x')
            entry->drained = true;
        else if (strncmp(at, ":6", 2) == 0)
            entry->address = (struct har_address){
                AF_INET6, {0x20, 0x01, 0x0d, 0xb8, [15] = (uint8_t)(place + 1)}};
        else
            ck_abort_msg("'%s'", at);
    }
}

/* "u30 d5/1 ?:6": up with 30 ms; down, 5 ms when last seen, of priority 1; unknown, IPv6. Without a
 * number it was never measured, unless said it has priority 0 and weight 100. The entry at place i
 * has the address 192.0.2.(i + 1) or 2001:db8::(i + 1). Returns how many there are. */
static inline size_t entries_read(const char *text, struct rank_entry entries[ENTRIES_MAX])
{
    char word[32];
    unsigned count = 0;
    for (int used = 0; sscanf(text, " %31s%n", word, &used) == 1; text += used, count++) {
        double ms;
        int at = 0;
        bool measured = sscanf(word + 1, "%lf%n", &ms, &at) == 1;
        ck_assert_uint_lt(count, ENTRIES_MAX);
        entries[count] =
            (struct rank_entry){.address = {AF_INET, {192, 0, 2, (uint8_t)(count + 1)}},
                                .state = entry_state(word[0]),
                                .weight = 100,
                                .rtt_us = measured ? (uint32_t)(ms * 1000) : RANK_UNMEASURED};
        entry_more(word + 1 + (measured ? at : 0), count, &entries[count]);
    }
    return count;
}

#endif
