/* A TLS handshake with libcurl (CURLOPT_CONNECT_ONLY), so that certificates are judged as for https
 * and no second TLS library is needed. What is said over it is the talk of check_tcp.c. */
#include "har_config.h"

#include "hard/check_run.h"

#include <errno.h>

#include "common/clock.h"

/* --- the transport of the talk ---------------------------------------------------------------- */

static ssize_t moved(struct check *check, CURLcode code, size_t size_bytes)
{
    if (code == CURLE_OK)
        return (ssize_t)size_bytes;
    check->talk.code = code;
    errno = code == CURLE_AGAIN ? EAGAIN : EPROTO;
    return -1;
}

static ssize_t tls_send(struct check *check, const void *bytes, size_t size_bytes)
{
    size_t sent_bytes = 0;
    CURLcode code = curl_easy_send(check->transfer->easy, bytes, size_bytes, &sent_bytes);
    return moved(check, code, sent_bytes);
}

static ssize_t tls_recv(struct check *check, void *buffer, size_t size_bytes)
{
    size_t got_bytes = 0;
    CURLcode code = curl_easy_recv(check->transfer->easy, buffer, size_bytes, &got_bytes);
    return moved(check, code, got_bytes);
}

static void tls_end_broken(struct check *check)
{
    transfer_end_failed(check->transfer, check->talk.code);
}

static const struct talk_transport tls_transport = {tls_send, tls_recv, tls_end_broken};

/* --- tls -------------------------------------------------------------------------------------- */

static bool has_talk(const struct config_check *check)
{
    return check->send || check->expect;
}

static void on_talk_timeout(struct ev_loop *loop, struct ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    talk_time_out(timer->data);
}

/* The handshake is done, and libcurl's own time limit with it. To libcurl the connection now looks
 * like an idle one, which the next transfer to start may close; the first curl_easy_send or
 * curl_easy_recv makes it ours. So the talk starts at once. */
static void start_talk(struct check *check)
{
    int64_t spent_us = har_now_us() - check->started_us;
    int64_t limit_us = (int64_t)check->target->check->timeout_ms * 1000;
    check_set_timer(check, on_talk_timeout, limit_us - spent_us);
    curl_easy_getinfo(check->transfer->easy, CURLINFO_ACTIVESOCKET, &check->talk.fd);
    talk_start(check, &tls_transport);
}

static void tls_ended(struct check *check, CURLcode code)
{
    transfer_times(check->transfer, &check->result);
    if (code != CURLE_OK) {
        transfer_end_failed(check->transfer, code);
    } else if (has_talk(check->target->check)) {
        check->result.total_us = 0; /* goes on */
        start_talk(check);
    } else {
        check_end(check, REASON_OK, NULL);
    }
}

static bool prepare(struct check *check)
{
    check->transfer = transfer_get(&check->checker->transfers, check, tls_ended);
    if (!check->transfer)
        return false;
    CURL *easy = check->transfer->easy;
    curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L);
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 0L); /* would close it after the handshake */
    curl_easy_setopt(easy, CURLOPT_SSL_ENABLE_ALPN, 0L);
    return true;
}

static void tls_start(struct check *check)
{
    if (!prepare(check) || !transfer_start(check->transfer))
        check_end(check, REASON_LOCAL_ERROR, "out of memory");
}

static void tls_release(struct check *check)
{
    talk_stop(check);
    transfer_put(&check->checker->transfers, check->transfer);
}

const struct check_kind check_kind_tls = {tls_start, tls_release};
