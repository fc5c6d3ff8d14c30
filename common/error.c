#include "common/error.h"

#include <stdio.h>

void har_error_clear(struct har_error *error)
{
    error->code = HAR_OK;
    error->text[0] = '\0';
}

int har_fail(struct har_error *error, enum har_code code, const char *format, ...)
{
    if (error != NULL && error->code == HAR_OK) {
        va_list args;
        va_start(args, format);
        vsnprintf(error->text, sizeof error->text, format, args);
        va_end(args);
        error->code = code;
    }
    return code;
}

const char *har_code_text(enum har_code code)
{
    switch (code) {
    case HAR_OK:
        return "no error";
    case HAR_ERR_MEMORY:
        return "out of memory";
    case HAR_ERR_IO:
        return "input or output failed";
    case HAR_ERR_SYNTAX:
        return "syntax error";
    case HAR_ERR_VALUE:
        return "value not allowed";
    case HAR_ERR_SQLITE:
        return "SQLite failed";
    case HAR_ERR_CURL:
        return "libcurl failed";
    case HAR_ERR_BUSY:
        return "in use by another process";
    }
    return "unknown error";
}
