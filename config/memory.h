/* Memory that is taken in small pieces and given back all at once. A configuration is built once
 * and dropped whole, and what hosts inherit they share: no piece has an owner of its own. */
#ifndef HAR_CONFIG_MEMORY_H
#define HAR_CONFIG_MEMORY_H

#include <regex.h>
#include <stdbool.h>
#include <stddef.h>

#include "config/config.h"

struct memory_chunk;
struct memory_regex;

/* Zeroed memory is an empty one. */
struct memory {
    struct memory_chunk *chunks;
    struct memory_regex *regexes;
    unsigned char *next;
    size_t left_bytes;
    bool failed; /* a piece was refused, some time */
};

/* count zeroed items of size bytes, aligned for any type; NULL, and failed set, without memory.
 * Chunks come from jansson's allocator, so that one hook makes every allocation of a load fail. */
void *memory_take(struct memory *memory, size_t count, size_t size);

/* A copy of length bytes and a NUL. NULL as above. */
char *memory_text(struct memory *memory, const char *text, size_t length);

/* Compiles an extended expression for matching alone. Returns 0 and a regex_t that memory_done
 * releases, or regcomp's error with *out untouched. */
int memory_regcomp(struct memory *memory, const char *expression, regex_t **out);

/* Releases everything; the memory is empty again. */
void memory_done(struct memory *memory);

/* What config_load hands out: config_free finds the memory behind the configuration. */
struct config_whole {
    struct config config; /* first */
    struct memory memory;
};

#endif
