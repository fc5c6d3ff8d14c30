#include "hard/state_batch.h"

#include <sqlite3.h>
#include <string.h>

#define FIRST_BUCKETS 64
#define TEXTS_MAX 4

/* --- Keys --------------------------------------------------------------------------------------
 */

struct key {
    enum batch_kind kind;
    const char *host, *candidate;
    struct har_address address;
    uint16_t port;
};

static struct key key_of(const struct batch_entry *entry)
{
    switch (entry->kind) {
    case BATCH_ENDPOINT:
        return (struct key){entry->kind, entry->endpoint.host, entry->endpoint.candidate,
                            entry->endpoint.address, entry->endpoint.port};
    case BATCH_OVERRIDE:
        return (struct key){.kind = entry->kind, entry->override.host, entry->override.candidate};
    case BATCH_ANSWER:
        break;
    }
    return (struct key){.kind = entry->kind, entry->answer.name, ""};
}

static bool same_key(const struct batch_entry *a, const struct batch_entry *b)
{
    const struct key one = key_of(a), other = key_of(b);
    return one.kind == other.kind && one.port == other.port &&
           har_address_equal(&one.address, &other.address) && strcmp(one.host, other.host) == 0 &&
           strcmp(one.candidate, other.candidate) == 0;
}

/* FNV-1a. */
static uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t count)
{
    const unsigned char *byte = bytes;
    for (size_t i = 0; i < count; i++)
        hash = (hash ^ byte[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static uint64_t hash_of(const struct batch_entry *entry)
{
    const struct key key = key_of(entry);
    uint64_t hash = UINT64_C(0xcbf29ce484222325) + (uint64_t)key.kind;
    hash = hash_bytes(hash, key.host, strlen(key.host) + 1);
    hash = hash_bytes(hash, key.candidate, strlen(key.candidate) + 1);
    hash = hash_bytes(hash, key.address.bytes, sizeof key.address.bytes);
    return hash_bytes(hash, &key.port, sizeof key.port);
}

/* --- Copies ------------------------------------------------------------------------------------
 */

/* Where an entry points to its strings. */
static size_t texts_of(struct batch_entry *entry, const char **texts[TEXTS_MAX])
{
    switch (entry->kind) {
    case BATCH_ENDPOINT:
        texts[0] = &entry->endpoint.host;
        texts[1] = &entry->endpoint.candidate;
        return 2;
    case BATCH_OVERRIDE:
        texts[0] = &entry->override.host;
        texts[1] = &entry->override.candidate;
        texts[2] = &entry->override.reason;
        return 3;
    case BATCH_ANSWER:
        break;
    }
    texts[0] = &entry->answer.name;
    texts[1] = &entry->answer.status;
    texts[2] = &entry->answer.addresses;
    texts[3] = &entry->answer.weights;
    return 4;
}

static size_t texts_bytes(const char **const texts[], size_t count)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += *texts[i] != NULL ? strlen(*texts[i]) + 1 : 0;
    return bytes;
}

/* Lets each of them point to a copy of its string behind `to`. */
static void texts_copy(const char **const texts[], size_t count, char *to)
{
    for (size_t i = 0; i < count; i++) {
        if (*texts[i] == NULL)
            continue;
        size_t bytes = strlen(*texts[i]) + 1;
        *texts[i] = memcpy(to, *texts[i], bytes);
        to += bytes;
    }
}

static struct batch_entry *entry_copy(const struct batch_entry *entry)
{
    struct batch_entry model = *entry;
    const char **texts[TEXTS_MAX];
    size_t count = texts_of(&model, texts);
    struct batch_entry *copy = sqlite3_malloc64(sizeof *copy + texts_bytes(texts, count));
    if (copy == NULL)
        return NULL;
    *copy = model;
    texts_of(copy, texts);
    texts_copy(texts, count, copy->text);
    return copy;
}

/* --- Buckets -----------------------------------------------------------------------------------
 */

static struct batch_entry **bucket_of(struct batch_entry **buckets, size_t count, uint64_t hash)
{
    return &buckets[(hash ^ hash >> 32) & (count - 1)];
}

/* Without memory the chains grow longer, unless there is no bucket at all. */
static bool make_room(struct state_batch *batch)
{
    if (batch->entry_count < batch->bucket_count)
        return true;
    size_t count = batch->bucket_count > 0 ? 2 * batch->bucket_count : FIRST_BUCKETS;
    struct batch_entry **buckets = sqlite3_malloc64(count * sizeof *buckets);
    if (buckets == NULL)
        return batch->bucket_count > 0;
    memset(buckets, 0, count * sizeof *buckets);
    for (size_t i = 0; i < batch->bucket_count; i++) {
        for (struct batch_entry *entry = batch->buckets[i], *next; entry != NULL; entry = next) {
            struct batch_entry **bucket = bucket_of(buckets, count, entry->hash);
            next = entry->next;
            entry->next = *bucket;
            *bucket = entry;
        }
    }
    sqlite3_free(batch->buckets);
    batch->buckets = buckets;
    batch->bucket_count = count;
    return true;
}

/* The link that leads to the entry of that key, or to where it would be. */
static struct batch_entry **find(const struct state_batch *batch, const struct batch_entry *entry)
{
    struct batch_entry **link = bucket_of(batch->buckets, batch->bucket_count, entry->hash);
    while (*link != NULL && ((*link)->hash != entry->hash || !same_key(*link, entry)))
        link = &(*link)->next;
    return link;
}

/* All strings of an endpoint belong to its key. */
static void renew_endpoint(struct batch_entry *entry, const struct batch_entry *news)
{
    const char *host = entry->endpoint.host, *candidate = entry->endpoint.candidate;
    entry->forgotten = news->forgotten;
    entry->endpoint = news->endpoint;
    entry->endpoint.host = host;
    entry->endpoint.candidate = candidate;
}

bool batch_put(struct state_batch *batch, const struct batch_entry *entry)
{
    if (!make_room(batch))
        return false;
    struct batch_entry keyed = *entry;
    keyed.hash = hash_of(entry);
    struct batch_entry **link = find(batch, &keyed), *old = *link;
    if (old != NULL && old->kind == BATCH_ENDPOINT) {
        renew_endpoint(old, entry);
        return true;
    }
    if (old == NULL && batch->entry_count >= STATE_UNWRITTEN_ENTRIES)
        return false;
    struct batch_entry *copy = entry_copy(&keyed);
    if (copy == NULL)
        return false;
    copy->next = old != NULL ? old->next : NULL;
    *link = copy;
    batch->entry_count += old == NULL;
    sqlite3_free(old);
    return true;
}

/* --- Transitions -------------------------------------------------------------------------------
 */

bool batch_add(struct state_batch *batch, const struct state_transition *transition, int64_t id)
{
    struct state_transition row = *transition;
    const char **const texts[] = {&row.host, &row.candidate, &row.detail};
    struct batch_transition *added = sqlite3_malloc64(sizeof *added + texts_bytes(texts, 3));
    if (added == NULL)
        return false;
    texts_copy(texts, 3, added->text);
    added->next = NULL;
    added->id = id;
    added->row = row;
    if (batch->last != NULL)
        batch->last->next = added;
    else
        batch->first = added;
    batch->last = added;
    batch->transition_count++;
    return true;
}

bool batch_is_empty(const struct state_batch *batch)
{
    return batch->entry_count == 0 && batch->first == NULL;
}

void batch_done(struct state_batch *batch)
{
    for (size_t i = 0; i < batch->bucket_count; i++) {
        for (struct batch_entry *entry = batch->buckets[i], *next; entry != NULL; entry = next) {
            next = entry->next;
            sqlite3_free(entry);
        }
    }
    for (struct batch_transition *one = batch->first, *next; one != NULL; one = next) {
        next = one->next;
        sqlite3_free(one);
    }
    sqlite3_free(batch->buckets);
    *batch = (struct state_batch){.buckets = NULL};
}
