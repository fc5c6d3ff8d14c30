#include "config/schema.h"

#include <stddef.h>
#include <string.h>

#define NAME_MAX_BYTES 40 /* nothing longer is a slip for a key of ours */

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Writing everything in capitals is one slip, not ten: letters are compared without case. */
static char lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

/* How many characters must be added, left out, changed or swapped with their neighbour to make b
 * of a (Damerau and Levenshtein, no character touched twice). Both at most NAME_MAX_BYTES. */
static size_t slips(const char *a, const char *b)
{
    size_t a_length = strlen(a), b_length = strlen(b);
    size_t cost[NAME_MAX_BYTES + 1][NAME_MAX_BYTES + 1];
    for (size_t i = 0; i <= a_length; i++)
        cost[i][0] = i;
    for (size_t j = 0; j <= b_length; j++)
        cost[0][j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        for (size_t j = 1; j <= b_length; j++) {
            size_t changed = lower(a[i - 1]) != lower(b[j - 1]);
            size_t best = least(cost[i - 1][j], cost[i][j - 1]) + 1;
            best = least(best, cost[i - 1][j - 1] + changed);
            if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
                lower(a[i - 2]) == lower(b[j - 1]))
                best = least(best, cost[i - 2][j - 2] + 1);
            cost[i][j] = best;
        }
    }
    return cost[a_length][b_length];
}

/* With more than half of the letters wrong it is another word. */
static size_t slips_allowed(const char *known)
{
    return least(strlen(known) / 2, 3);
}

const char *schema_nearest(enum schema_scope scope, const char *name)
{
    const struct schema_object *object = schema_object(scope);
    const char *nearest = NULL;
    size_t fewest = SIZE_MAX;
    if (strlen(name) > NAME_MAX_BYTES)
        return NULL;
    for (size_t i = 0; i < object->count; i++) {
        const char *known = object->keys[i].name;
        size_t needed = slips(name, known);
        if (needed <= slips_allowed(known) && needed < fewest) {
            nearest = known;
            fewest = needed;
        }
    }
    return nearest;
}
