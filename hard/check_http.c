/* A request by http or https, and what its answer should be. */
#include "har_config.h"

#include "hard/check_run.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool status_is_wanted(const struct config_check *check, long status)
{
    for (size_t i = 0; i < check->status_count; i++) {
        if (status >= check->statuses[i].low && status <= check->statuses[i].high)
            return true;
    }
    return false;
}

static long status_of(const struct check *check)
{
    long status = 0;
    curl_easy_getinfo(check->transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

/* 100 to 199 announce another answer, but for 101: after that there is no more HTTP. */
static bool status_is_final(long status)
{
    return status >= 200 || status == 101;
}

/* --- libcurl's callbacks: anything but the size given ends the transfer ----------------------- */

static size_t stop(struct check *check, enum http_stop why)
{
    check->http.stop = why;
    return 0;
}

static size_t on_header(char *line, size_t one, size_t size_bytes, void *arg)
{
    (void)one;
    struct check *check = arg;
    check->http.headers_bytes += size_bytes;
    if (check->http.headers_bytes > CHECK_TEXT_MAX_BYTES)
        return stop(check, STOP_HEADERS);
    bool last = line[0] == '\r' || line[0] == '\n';
    if (last && check->http.body_bytes == 0) { /* a trailer comes after the body */
        long status = status_of(check);
        if (status_is_final(status) && !status_is_wanted(check->target->check, status))
            return stop(check, STOP_STATUS);
    }
    return size_bytes;
}

static size_t on_body(char *bytes, size_t one, size_t size_bytes, void *arg)
{
    (void)one;
    struct check *check = arg;
    const struct config_check *wanted = check->target->check;
    if ((wanted->body || wanted->body_regex) && !check_text_append(&check->text, bytes, size_bytes))
        return stop(check, STOP_MEMORY);
    check->http.body_bytes += size_bytes;
    if (check->http.body_bytes >= CHECK_TEXT_MAX_BYTES)
        return stop(check, STOP_BODY);
    return size_bytes;
}

/* --- verdict ---------------------------------------------------------------------------------- */

static bool matches(const struct check_text *text, const regex_t *regex)
{
    /* Not a string: with REG_STARTEND a NUL is a byte like others. */
    regmatch_t range = {.rm_so = 0, .rm_eo = (regoff_t)text->size_bytes};
    return regexec(regex, text->bytes ? text->bytes : "", 0, &range, REG_STARTEND) == 0;
}

static void end_by_answer(struct check *check)
{
    const struct config_check *wanted = check->target->check;
    long status = status_of(check);
    if (!status_is_wanted(wanted, status))
        check_end(check, REASON_BAD_STATUS, "status %ld", status);
    else if (wanted->body && !check_text_holds(&check->text, wanted->body, 0))
        check_end(check, REASON_BAD_BODY, "text not in %zu bytes", check->text.size_bytes);
    else if (wanted->body_regex && !matches(&check->text, wanted->body_regex_compiled))
        check_end(check, REASON_BAD_BODY, "no match in %zu bytes", check->text.size_bytes);
    else
        check_end(check, REASON_OK, "status %ld", status);
}

static void http_ended(struct check *check, CURLcode code)
{
    transfer_times(check->transfer, &check->result);
    switch (check->http.stop) {
    case STOP_NOT:
        if (code == CURLE_OK)
            end_by_answer(check);
        else
            transfer_end_failed(check->transfer, code);
        return;
    case STOP_STATUS:
    case STOP_BODY:
        end_by_answer(check);
        return;
    case STOP_HEADERS:
        check_end(check, REASON_BAD_STATUS, "headers of more than %zu bytes", CHECK_TEXT_MAX_BYTES);
        return;
    case STOP_MEMORY:
        check_end(check, REASON_LOCAL_ERROR, "out of memory");
        return;
    }
}

/* --- request ---------------------------------------------------------------------------------- */

static bool append(struct curl_slist **list, const char *line)
{
    struct curl_slist *longer = curl_slist_append(*list, line);
    if (longer)
        *list = longer;
    return longer != NULL;
}

/* libcurl drops a header without a value, unless it is written with a semicolon. */
static bool append_header(struct curl_slist **list, const char *line)
{
    const char *colon = strchr(line, ':');
    if (!colon || colon[1 + strspn(colon + 1, " \t")] != '\0')
        return append(list, line);
    char *empty = strndup(line, (size_t)(colon - line) + 1);
    if (!empty)
        return false;
    empty[colon - line] = ';';
    bool good = append(list, empty);
    free(empty);
    return good;
}

/* Saying that we close is polite, and lets the server do it first. libcurl only reads the list. */
static char connection_close_text[] = "Connection: close";
static struct curl_slist connection_close = {.data = connection_close_text, .next = NULL};

/* The headers beside libcurl's own Host, Accept and User-Agent, which those given here replace.
 * They are copied: the configuration may be exchanged while libcurl still holds the list. */
static bool append_headers(struct curl_slist **list, const struct config_check *wanted)
{
    static const char connection[] = "Connection:";
    bool given = false;
    for (size_t i = 0; i < wanted->header_count; i++) {
        if (!append_header(list, wanted->headers[i]))
            return false;
        given |= strncasecmp(wanted->headers[i], connection, sizeof connection - 1) == 0;
    }
    return given || append(list, connection_close_text);
}

static bool prepare(struct check *check)
{
    const struct config_check *wanted = check->target->check;
    check->transfer = transfer_get(&check->checker->transfers, check, http_ended);
    if (!check->transfer)
        return false;
    if (wanted->header_count > 0 && !append_headers(&check->http.headers, wanted))
        return false;
    CURL *easy = check->transfer->easy;
    curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 0L);
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_ENABLE_ALPN, 1L);
    curl_easy_setopt(easy, CURLOPT_NOBODY, wanted->method == METHOD_HEAD ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER,
                     check->http.headers ? check->http.headers : &connection_close);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, check);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, check);
    return true;
}

static void http_start(struct check *check)
{
    if (!prepare(check) || !transfer_start(check->transfer))
        check_end(check, REASON_LOCAL_ERROR, "out of memory");
}

static void http_release(struct check *check)
{
    transfer_put(&check->checker->transfers, check->transfer);
    curl_slist_free_all(check->http.headers);
}

const struct check_kind check_kind_http = {http_start, http_release};
