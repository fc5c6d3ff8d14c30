#include "ranking/record.h"

#include <stddef.h>
#include <string.h>

/* Serial types */
#define TYPE_NULL 0
#define TYPE_INTEGER_FIRST 1
#define TYPE_INTEGER_LAST 6
#define TYPE_ZERO 8 /* the constant, in no bytes */
#define TYPE_ONE 9
#define TYPE_BLOB_FIRST 12 /* from here on even numbers are blobs, odd ones texts */

bool record_split(const uint8_t *row, uint32_t row_bytes, struct record_column *columns,
                  int column_count)
{
    uint32_t header_bytes;
    const uint8_t *type = record_varint(row, row + row_bytes, &header_bytes);
    if (type == NULL || header_bytes > row_bytes)
        return false;
    const uint8_t *body = row + header_bytes;
    uint32_t left = row_bytes - header_bytes;
    for (int i = 0; i < column_count; i++) {
        struct record_column *column = &columns[i];
        type = record_varint(type, row + header_bytes, &column->type);
        if (type == NULL)
            return false;
        column->count = record_type_bytes(column->type);
        if (column->count > left)
            return false;
        column->bytes = body;
        body += column->count;
        left -= column->count;
    }
    return type == row + header_bytes && left == 0;
}

bool record_is_null(const struct record_column *column)
{
    return column->type == TYPE_NULL;
}

bool record_is_text(const struct record_column *column)
{
    return record_type_is_text(column->type) && memchr(column->bytes, '\0', column->count) == NULL;
}

bool record_integer(const struct record_column *column, int64_t *value)
{
    if (column->type == TYPE_ZERO || column->type == TYPE_ONE) {
        *value = column->type - TYPE_ZERO;
        return true;
    }
    if (column->type < TYPE_INTEGER_FIRST || column->type > TYPE_INTEGER_LAST)
        return false;
    uint64_t bits = (column->bytes[0] & 0x80) != 0 ? UINT64_MAX : 0;
    for (uint32_t i = 0; i < column->count; i++)
        bits = bits << 8 | column->bytes[i];
    *value = (int64_t)bits;
    return true;
}
