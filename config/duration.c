#include "config/duration.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define MS_US UINT64_C(1000)

static const struct unit {
    const char *text;
    uint64_t us;
} units[] = {
    {"d", 86400000 * MS_US}, {"h", 3600000 * MS_US}, {"m", 60000 * MS_US},
    {"s", 1000 * MS_US},     {"ms", MS_US},
};

#define UNIT_COUNT (sizeof units / sizeof units[0])

static const struct unit *find_unit(const char *text)
{
    for (size_t i = 0; i < UNIT_COUNT; i++) {
        if (strcmp(text, units[i].text) == 0)
            return &units[i];
    }
    return NULL;
}

/* Reads digits at *text, which moves behind them; *scale is 10 to the power of their count. At
 * least one, and so few that neither overflows when multiplied by the longest unit. */
static bool read_digits(const char **text, size_t max, uint64_t *value, uint64_t *scale)
{
    size_t count = strspn(*text, "0123456789");
    if (count == 0 || count > max)
        return false;
    *value = 0;
    *scale = 1;
    for (const char *end = *text + count; *text < end; (*text)++) {
        *value = *value * 10 + (uint64_t)(**text - '0');
        *scale *= 10;
    }
    return true;
}

bool duration_parse(const char *text, uint64_t *us)
{
    uint64_t whole, part = 0, scale = 1;
    if (!read_digits(&text, 12, &whole, &scale))
        return false;
    scale = 1;
    if (*text == '.') {
        text++;
        if (!read_digits(&text, 6, &part, &scale))
            return false;
    }
    const struct unit *unit = find_unit(text);
    if (unit == NULL || whole > DURATION_MAX_US / unit->us || part * unit->us % scale != 0)
        return false;
    uint64_t sum = whole * unit->us + part * unit->us / scale;
    if (sum > DURATION_MAX_US)
        return false;
    *us = sum;
    return true;
}

bool duration_from_seconds(double seconds, uint64_t *us)
{
    /* Written so that a NaN is refused too. */
    if (!(seconds >= 0 && seconds <= (double)DURATION_MAX_US / 1e6))
        return false;
    *us = (uint64_t)(seconds * 1e6 + 0.5);
    return true;
}

char *duration_format(uint64_t us, char text[DURATION_TEXT_MAX])
{
    if (us == 0)
        return strcpy(text, "0s");
    for (size_t i = 0; i < UNIT_COUNT; i++) {
        if (us % units[i].us == 0) {
            snprintf(text, DURATION_TEXT_MAX, "%" PRIu64 "%s", us / units[i].us, units[i].text);
            return text;
        }
    }
    int length =
        snprintf(text, DURATION_TEXT_MAX, "%" PRIu64 ".%03u", us / MS_US, (unsigned)(us % MS_US));
    while (text[length - 1] == '0')
        length--;
    strcpy(text + length, "ms");
    return text;
}

char *duration_format_age(uint64_t us, char text[DURATION_TEXT_MAX])
{
    for (size_t i = 0; i < UNIT_COUNT && units[i].us >= 1000 * MS_US; i++) {
        if (us >= 2 * units[i].us || units[i].us == 1000 * MS_US)
            us -= us % units[i].us;
    }
    return duration_format(us, text);
}

char *duration_format_latency(uint64_t us, char text[DURATION_TEXT_MAX])
{
    uint64_t step = 1;
    while (us / step >= 1000)
        step *= 10;
    return duration_format((us + step / 2) / step * step, text);
}
