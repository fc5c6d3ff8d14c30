/* What a running check is made of, for check.c and the files that do one kind each. */
#ifndef HAR_HARD_CHECK_RUN_H
#define HAR_HARD_CHECK_RUN_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "hard/check.h"
#include "hard/transfer.h"

/* One kind of check. */
struct check_kind {
    /* Begins. May call check_end at once. */
    void (*start)(struct check *check);
    /* Stops all watchers and gives back all that start and its callbacks took. Called exactly once
     * for each started check, at whatever stage it is. */
    void (*release)(struct check *check);
};
extern const struct check_kind check_kind_http; /* https too */
extern const struct check_kind check_kind_tcp;
extern const struct check_kind check_kind_tls;

/* How much of what a server says is looked at, its headers and its text each. */
#define CHECK_TEXT_MAX_BYTES ((size_t)64 * 1024)

/* The beginning of what a server said. All zero is empty. */
struct check_text {
    char *bytes; /* whatever came, NUL included, and one NUL more; or NULL */
    size_t size_bytes;
    size_t capacity_bytes;
};

/* Why check_http.c ended a transfer itself, if it did. */
enum http_stop {
    STOP_NOT,
    STOP_HEADERS, /* more of them than we care to read */
    STOP_STATUS,  /* not a good one, so the rest does not matter */
    STOP_BODY,    /* as much of it as is ever looked at */
    STOP_MEMORY
};

struct talk_transport;

struct checker {
    struct ev_loop *loop;
    struct transfer_pool transfers;
};

struct check {
    struct checker *checker;
    const struct check_target *target;
    const struct check_kind *kind;
    check_done_fn *done;
    void *arg;
    struct check_result result;
    int64_t started_us;    /* monotonic */
    bool starting;         /* within kind->start: done must not be called */
    struct ev_timer timer; /* see check_set_timer; also delivers what ended within start */

    struct transfer *transfer; /* http, tls; or NULL */
    struct check_text text;    /* http: the body; tcp, tls: what was received */
    union {
        struct {
            struct curl_slist *headers; /* to send; libcurl takes no copy */
            size_t headers_bytes;       /* received */
            size_t body_bytes;          /* seen, whether kept in text or not */
            enum http_stop stop;
        } http;
        struct {
            int fd; /* tcp: its own, -1 for none; tls: libcurl's */
            struct ev_io io;
            const struct talk_transport *transport;
            size_t sent_bytes;
            CURLcode code; /* tls: of the last curl_easy_send or curl_easy_recv that failed */
        } talk;            /* tcp, tls */
    };
};

/* The reason behind the errno of a call that should have opened or used a connection. Not for
 * EAGAIN and the like. */
enum check_reason check_reason_of_errno(int error);

/* Ends a check: releases and frees it, then tells its owner. From within kind->start that comes
 * later, from the loop; so return at once after this. The formatted detail may quote the server;
 * without a format there is none. A total_us that is still 0 becomes the time since the start. */
void check_end(struct check *check, enum check_reason reason, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Lets callback, with check as its data, come after_us from now, unless the check ends before. One
 * at a time. */
void check_set_timer(struct check *check,
                     void (*callback)(struct ev_loop *, struct ev_timer *, int), int64_t after_us);

/* Ends a check for which no connection could be had, with the errno of what failed. */
void check_end_not_connected(struct check *check, int error);

/* Keeps what fits into CHECK_TEXT_MAX_BYTES. False without memory. */
bool check_text_append(struct check_text *text, const char *bytes, size_t size_bytes);
bool check_text_full(const struct check_text *text);
/* True when it holds the string needle; the first from_bytes are known not to begin one. */
bool check_text_holds(const struct check_text *text, const char *needle, size_t from_bytes);
void check_text_free(struct check_text *text);

/* How tcp and tls move bytes: as send(2) and recv(2) do on a non-blocking socket, -1 with errno,
 * and EAGAIN when it would wait. */
struct talk_transport {
    ssize_t (*send)(struct check *check, const void *bytes, size_t size_bytes);
    ssize_t (*recv)(struct check *check, void *buffer, size_t size_bytes);
    /* Ends the check after one of them failed; errno is still as it was. */
    void (*end_broken)(struct check *check);
};

/* The rest of a tcp or tls check once check->talk.fd is connected: says `send`, waits for `expect`,
 * and ends the check. The timer is the caller's. */
void talk_start(struct check *check, const struct talk_transport *transport);
/* Ends a check whose time ran out after talk_start. */
void talk_time_out(struct check *check);
/* Stops its watcher, started or not. */
void talk_stop(struct check *check);

#endif
