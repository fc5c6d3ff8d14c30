/* The parts of an error's sentence: where a value is, what was found, what is allowed. */
#ifndef HAR_CONFIG_WORDS_H
#define HAR_CONFIG_WORDS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "config/schema.h"

/* Where in a file a value is: a chain on the stack, written out only for an error. NULL is the
 * file as a whole. */
struct place {
    const struct place *parent;
    const char *key; /* of an object, or NULL: index counts */
    bool quoted;     /* the key is a user's word, as of a host: ["api.example.com"] */
    size_t index;
};

/* hosts["api.example.com"].candidates[2].check.interval */
void words_place(FILE *out, const struct place *place);

/* A text as it is, but for what a terminal would obey: that is escaped. */
void words_plain(FILE *out, const char *text);

/* The same between quotes, cut after some 60 bytes. */
void words_quoted(FILE *out, const char *text);

/* A value, shortened. */
void words_found(FILE *out, const json_t *found);

/* What a row allows. */
void words_allowed(FILE *out, const struct schema_key *key);

/* "those of a host are ..." */
void words_keys(FILE *out, const struct schema_object *object);

#endif
