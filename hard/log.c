#include "hard/log.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_BYTES 4096 /* PIPE_BUF: goes into a pipe whole or not at all */

static int log_level = LOG_NOTICE;

struct line {
    char text[LINE_BYTES];
    size_t length;
};

void log_set_level(int level)
{
    log_level = level;
}

bool log_wants(int level)
{
    return level <= log_level;
}

static const char *level_text(int level)
{
    static const char *const texts[] = {"emerg",   "alert",  "crit", "err",
                                        "warning", "notice", "info", "debug"};
    return level >= LOG_EMERG && level <= LOG_DEBUG ? texts[level] : "?";
}

/* The last byte of the line is kept for its line break. */
static void add_char(struct line *line, char c)
{
    if (line->length < sizeof line->text - 1)
        line->text[line->length++] = c;
}

static void add_text(struct line *line, const char *text)
{
    while (*text != '\0')
        add_char(line, *text++);
}

static bool is_plain(const char *value)
{
    if (*value == '\0')
        return false;
    for (; *value != '\0'; value++) {
        if (*value <= ' ' || *value > '~' || *value == '"' || *value == '\\' || *value == '=')
            return false;
    }
    return true;
}

/* Bytes from 0x80 on pass: they are the operator's own UTF-8, and a terminal does not obey them. */
static void add_quoted(struct line *line, const char *value)
{
    add_char(line, '"');
    for (; *value != '\0'; value++) {
        unsigned char byte = (unsigned char)*value;
        if (byte < ' ' || byte == 0x7f) {
            char escape[5];
            snprintf(escape, sizeof escape, "\\x%02x", byte);
            add_text(line, escape);
            continue;
        }
        if (byte == '"' || byte == '\\')
            add_char(line, '\\');
        add_char(line, *value);
    }
    add_char(line, '"');
}

static void add_pair(struct line *line, const char *key, const char *value)
{
    add_char(line, ' ');
    add_text(line, key);
    add_char(line, '=');
    if (is_plain(value))
        add_text(line, value);
    else
        add_quoted(line, value);
}

/* A log that cannot be written has nowhere to be reported. */
static void write_line(const struct line *line)
{
    struct pollfd ready = {.fd = STDERR_FILENO, .events = POLLOUT};
    if (poll(&ready, 1, 0) == 1 && (ready.revents & POLLOUT) != 0) {
        ssize_t written = write(STDERR_FILENO, line->text, line->length);
        (void)written;
    }
}

static void add_time(struct line *line)
{
    struct timespec now;
    struct tm utc;
    char text[64];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    size_t length = strftime(text, sizeof text, "time=%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(text + length, sizeof text - length, ".%03ldZ", now.tv_nsec / 1000000);
    add_text(line, text);
}

void log_event(int level, const char *event, ...)
{
    if (!log_wants(level))
        return;
    int saved_errno = errno;
    struct line line = {.length = 0};
    add_time(&line);
    add_pair(&line, "level", level_text(level));
    add_pair(&line, "event", event);

    va_list pairs;
    va_start(pairs, event);
    for (const char *key; (key = va_arg(pairs, const char *)) != NULL;) {
        const char *value = va_arg(pairs, const char *);
        if (value != NULL)
            add_pair(&line, key, value);
    }
    va_end(pairs);

    line.text[line.length++] = '\n';
    write_line(&line);
    errno = saved_errno;
}
