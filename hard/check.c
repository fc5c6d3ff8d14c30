#include "har_config.h"

#include "hard/check_run.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"

#define TEXT_FIRST_BYTES 4096

const char *check_reason_text(enum check_reason reason)
{
    switch (reason) {
    case REASON_OK:
        return "ok";
    case REASON_DNS_FAILED:
        return "dns-failed";
    case REASON_CONNECT_REFUSED:
        return "connect-refused";
    case REASON_CONNECT_TIMEOUT:
        return "connect-timeout";
    case REASON_UNREACHABLE:
        return "unreachable";
    case REASON_TLS_FAILED:
        return "tls-failed";
    case REASON_RESPONSE_TIMEOUT:
        return "response-timeout";
    case REASON_BAD_STATUS:
        return "bad-status";
    case REASON_BAD_BODY:
        return "bad-body";
    case REASON_CLOSED:
        return "closed";
    case REASON_LOCAL_ERROR:
        return "local-error";
    }
    return "unknown";
}

enum check_reason check_reason_of_errno(int error)
{
    switch (error) {
    case ECONNREFUSED:
        return REASON_CONNECT_REFUSED;
    case ETIMEDOUT:
        return REASON_CONNECT_TIMEOUT;
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EHOSTDOWN:
    case ENETDOWN:
    case EAFNOSUPPORT: /* a kernel without IPv6 has no route to any IPv6 address */
    case EADDRNOTAVAIL:
    /* What a firewall or router on the way, or a route that forbids, is reported as (icmp(7),
     * ip-route(8)): the server cannot be used, whoever is to blame. */
    case EACCES:
    case EPERM:
    case EINVAL:
    case EPROTO:
    case ENOPROTOOPT:
    case ENONET:
    case EOPNOTSUPP:
        return REASON_UNREACHABLE;
    case ECONNRESET:
    case ECONNABORTED:
    case EPIPE:
        return REASON_CLOSED;
    default: /* EMFILE, ENFILE, ENOBUFS, ENOMEM, EAGAIN (no port is left), ... */
        return REASON_LOCAL_ERROR;
    }
}

/* --- none: always up -------------------------------------------------------------------------- */

static void none_start(struct check *check)
{
    check_end(check, REASON_OK, "not checked");
}

static void none_release(struct check *check)
{
    (void)check;
}

static const struct check_kind check_kind_none = {none_start, none_release};

/* --- checks ----------------------------------------------------------------------------------- */

static const struct check_kind *kind_of(enum check_type type)
{
    switch (type) {
    case CHECK_HTTP:
    case CHECK_HTTPS:
        return &check_kind_http;
    case CHECK_TCP:
        return &check_kind_tcp;
    case CHECK_TLS:
        return &check_kind_tls;
    case CHECK_NONE:
        break;
    }
    return &check_kind_none;
}

struct checker *checker_new(struct ev_loop *loop, struct har_error *error)
{
    struct checker *checker = calloc(1, sizeof *checker);
    if (!checker) {
        har_fail(error, HAR_ERR_MEMORY, "out of memory");
        return NULL;
    }
    checker->loop = loop;
    if (transfer_pool_init(&checker->transfers, loop, error) < 0) {
        free(checker);
        return NULL;
    }
    return checker;
}

void checker_free(struct checker *checker)
{
    if (!checker)
        return;
    transfer_pool_done(&checker->transfers);
    free(checker);
}

static void release(struct check *check)
{
    check->kind->release(check);
    ev_timer_stop(check->checker->loop, &check->timer);
    check_text_free(&check->text);
}

/* The owner is told last: it may do anything, and nothing here is used after it. */
static void deliver(struct check *check)
{
    struct check_result result = check->result;
    check_done_fn *done = check->done;
    void *arg = check->arg;
    release(check);
    free(check);
    done(arg, &result);
}

static void on_late_delivery(struct ev_loop *loop, struct ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    deliver(timer->data);
}

/* What a server says ends in logs and on terminals: one line of printable ASCII. */
static void make_printable(char *text)
{
    for (; *text; text++) {
        if (*text < ' ' || *text > '~')
            *text = '?';
    }
}

/* libev counts from the begin of its current iteration, which may be some callbacks ago. */
void check_set_timer(struct check *check,
                     void (*callback)(struct ev_loop *, struct ev_timer *, int), int64_t after_us)
{
    struct ev_loop *loop = check->checker->loop;
    ev_timer_stop(loop, &check->timer);
    ev_timer_init(&check->timer, callback, after_us > 0 ? (double)after_us / 1e6 : 0., 0.);
    check->timer.data = check;
    ev_now_update(loop);
    ev_timer_start(loop, &check->timer);
}

void check_end(struct check *check, enum check_reason reason, const char *format, ...)
{
    struct check_result *result = &check->result;
    if (format) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(result->detail, sizeof result->detail, format, arguments);
        va_end(arguments);
        make_printable(result->detail);
    }
    result->reason = reason;
    if (result->total_us == 0)
        result->total_us = (uint32_t)(har_now_us() - check->started_us);
    if (!check->starting) {
        deliver(check);
        return;
    }
    check_set_timer(check, on_late_delivery, 0);
}

void check_end_not_connected(struct check *check, int error)
{
    enum check_reason reason = check_reason_of_errno(error);
    if (reason == REASON_CONNECT_REFUSED || reason == REASON_CONNECT_TIMEOUT)
        check_end(check, reason, NULL); /* that says it all */
    else
        check_end(check, reason, "%s", strerror(error));
}

struct check *check_start(struct checker *checker, const struct check_target *target,
                          check_done_fn *done, void *arg)
{
    struct check *check = calloc(1, sizeof *check);
    if (!check)
        return NULL;
    check->checker = checker;
    check->target = target;
    check->kind = kind_of(target->check->type);
    check->done = done;
    check->arg = arg;
    check->started_us = har_now_us();
    check->starting = true;
    check->kind->start(check);
    check->starting = false;
    return check;
}

void check_cancel(struct check *check)
{
    if (!check)
        return;
    release(check);
    free(check);
}

/* --- text ------------------------------------------------------------------------------------- */

bool check_text_append(struct check_text *text, const char *bytes, size_t size_bytes)
{
    if (size_bytes > CHECK_TEXT_MAX_BYTES - text->size_bytes)
        size_bytes = CHECK_TEXT_MAX_BYTES - text->size_bytes;
    size_t needed_bytes = text->size_bytes + size_bytes + 1;
    if (needed_bytes > text->capacity_bytes) {
        size_t capacity_bytes = text->capacity_bytes ? text->capacity_bytes : TEXT_FIRST_BYTES;
        while (capacity_bytes < needed_bytes)
            capacity_bytes *= 2;
        if (capacity_bytes > CHECK_TEXT_MAX_BYTES)
            capacity_bytes = CHECK_TEXT_MAX_BYTES + 1;
        char *grown = realloc(text->bytes, capacity_bytes);
        if (!grown)
            return false;
        text->bytes = grown;
        text->capacity_bytes = capacity_bytes;
    }
    memcpy(text->bytes + text->size_bytes, bytes, size_bytes);
    text->size_bytes += size_bytes;
    text->bytes[text->size_bytes] = '\0';
    return true;
}

bool check_text_full(const struct check_text *text)
{
    return text->size_bytes == CHECK_TEXT_MAX_BYTES;
}

bool check_text_holds(const struct check_text *text, const char *needle, size_t from_bytes)
{
    size_t needle_bytes = strlen(needle);
    if (needle_bytes == 0)
        return true;
    return text->size_bytes > from_bytes &&
           memmem(text->bytes + from_bytes, text->size_bytes - from_bytes, needle, needle_bytes) !=
               NULL;
}

void check_text_free(struct check_text *text)
{
    free(text->bytes);
    *text = (struct check_text){0};
}
