/* Errors that a person will read: a code for the caller, a sentence for the log.
 *
 * A function that can fail returns 0 or one negative code of enum har_code, and takes a
 * struct har_error that its caller owns. It either reports there or logs, never both. */
#ifndef HAR_COMMON_ERROR_H
#define HAR_COMMON_ERROR_H

#include <stdarg.h>

enum har_code {
    HAR_OK = 0,
    HAR_ERR_MEMORY = -1, /* out of memory */
    HAR_ERR_IO = -2,     /* a system call on a file failed */
    HAR_ERR_SYNTAX = -3, /* a text is not what its format asks for */
    HAR_ERR_VALUE = -4,  /* well formed, but not allowed */
    HAR_ERR_SQLITE = -5, /* SQLite refused */
    HAR_ERR_CURL = -6,   /* libcurl refused */
    HAR_ERR_BUSY = -7,   /* another process has it */
};

struct har_error {
    enum har_code code;
    char text[512]; /* one sentence, no line break, no full stop */
};

/* Forgets an earlier error. */
void har_error_clear(struct har_error *error);

/* Records code and the formatted sentence unless an error is recorded already: the first one is
 * the cause, later ones are its echo. error may be NULL. Returns code. */
int har_fail(struct har_error *error, enum har_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A few words for code, for messages that have no better ones. Never NULL. */
const char *har_code_text(enum har_code code);

#endif
