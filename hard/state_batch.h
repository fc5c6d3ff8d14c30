/* What was noted and is not written yet, for state.c: one entry a key, of which the last note
 * counts, and transitions in their order. No locks; the memory is that of sqlite3_malloc64, so
 * that a test can let it run out. */
#ifndef HAR_HARD_STATE_BATCH_H
#define HAR_HARD_STATE_BATCH_H

#include "hard/state.h"

enum batch_kind { BATCH_ENDPOINT, BATCH_OVERRIDE, BATCH_ANSWER };

struct batch_entry {
    struct batch_entry *next; /* in the same bucket */
    uint64_t hash;
    enum batch_kind kind;
    bool forgotten; /* its row is to go, and only the key counts */
    union {
        struct state_endpoint endpoint;
        struct state_override override;
        struct ranking_row answer;
    };
    char text[]; /* the strings that it points to */
};

struct batch_transition {
    struct batch_transition *next; /* a later one */
    int64_t id;
    struct state_transition row;
    char text[];
};

/* All zero is empty. */
struct state_batch {
    struct batch_entry **buckets;
    size_t bucket_count; /* 0 or a power of two */
    size_t entry_count;
    struct batch_transition *first, *last;
    size_t transition_count;
};

void batch_done(struct state_batch *batch);
bool batch_is_empty(const struct state_batch *batch);

/* Takes a copy of entry, in place of the one with the same key if there is one. False without
 * memory, or when it would be one more than STATE_UNWRITTEN_ENTRIES; then nothing has changed. */
bool batch_put(struct state_batch *batch, const struct batch_entry *entry);

/* Adds a copy. False without memory. */
bool batch_add(struct state_batch *batch, const struct state_transition *transition, int64_t id);

#endif
