/* One row as SQLite stores it: "Database File Format", section 2.1. Works on memory that the caller
 * has whole and believes nothing in it. Pure libc. */
#ifndef HAR_RANKING_RECORD_H
#define HAR_RANKING_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RECORD_VARINT_MAX 3 /* bytes; nothing in a row of RANKING_ROW_MAX bytes needs more */

struct record_column {
    const uint8_t *bytes; /* in the caller's memory */
    uint32_t count;
    uint32_t type; /* the "serial type" */
};

/* Reads a varint of at most RECORD_VARINT_MAX bytes before end. Returns the byte after it, or
 * NULL. */
static inline const uint8_t *record_varint(const uint8_t *at, const uint8_t *end, uint32_t *value)
{
    *value = 0;
    for (int i = 0; i < RECORD_VARINT_MAX && at < end; i++) {
        *value = *value << 7 | (*at & 0x7f);
        if ((*at++ & 0x80) == 0)
            return at;
    }
    return NULL;
}

/* What a serial type says: is it a text, and how many bytes of the row hold the value. */
static inline bool record_type_is_text(uint32_t type)
{
    return type > 12 && type % 2 == 1;
}

static inline uint32_t record_type_bytes(uint32_t type)
{
    static const uint8_t fixed[12] = {0, 1, 2, 3, 4, 6, 8, 8, 0, 0, 0, 0};
    return type < 12 ? fixed[type] : (type - 12) / 2;
}

/* Splits a row that has exactly column_count columns and not a byte more. Returns false when it
 * has not; then columns is undefined. */
bool record_split(const uint8_t *row, uint32_t row_bytes, struct record_column *columns,
                  int column_count);

bool record_is_null(const struct record_column *column);

/* A text without NUL. */
bool record_is_text(const struct record_column *column);

/* Returns false when the column holds no integer. */
bool record_integer(const struct record_column *column, int64_t *value);

#endif
