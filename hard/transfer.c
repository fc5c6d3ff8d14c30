#include "har_config.h"

#include "hard/transfer.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/clock.h"

#include "hard/check_run.h"

/* Kept for the next check. More than this many at once run only while servers hang. */
#define IDLE_MAX 256

/* libcurl takes what the kernel has in pieces of this size, the usual answer in one. */
#define RECEIVE_BYTES 4096L

/* How long the certificates of a CA file may be used without reading it again. Reading the system's
 * takes 20 ms, too long for each check; but a file that was exchanged should count soon. */
#define CA_CACHE_S 60L

/* --- handles ---------------------------------------------------------------------------------- */

/* Two of the ten packets of a check can be spared, and with them a wakeup of the server. HAProxy
 * does the same. */
static void save_packets(int fd, const struct config_check *check)
{
    /* We speak first, at once: let that acknowledge the end of the handshake, too. */
    setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &(int){0}, sizeof(int));
    /* When we close, the answer is in, or is not wanted any more. A reset ends that on both sides,
     * without a socket in TIME_WAIT. Not so in a tls check, which may have had the last word. */
    if (check->type != CHECK_TLS)
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1, .l_linger = 0},
                   sizeof(struct linger));
}

/* libcurl's own would lose the errno, and the check with it the difference between a dead server
 * and a machine that is out of descriptors. */
static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    (void)purpose;
    struct transfer *transfer = arg;
    int fd = socket(address->family, address->socktype | SOCK_NONBLOCK | SOCK_CLOEXEC,
                    address->protocol);
    if (fd < 0) {
        transfer->socket_errno = errno;
        return CURL_SOCKET_BAD;
    }
    transfer->opened_us = har_now_us();
    save_packets(fd, transfer->owner->target->check);
    return fd;
}

/* The options that are the same for every check. */
static bool set_common(struct transfer *transfer)
{
    CURL *easy = transfer->easy;
    curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->error);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, RECEIVE_BYTES);
    /* Each check tries the way that a client's first request takes. */
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
    curl_easy_setopt(easy, CURLOPT_DNS_CACHE_TIMEOUT, 0L);
    /* In a resumed TLS session the server shows no certificate, so one that expired would pass. */
    curl_easy_setopt(easy, CURLOPT_SSL_SESSIONID_CACHE, 0L);
    curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, CA_CACHE_S);
    curl_easy_setopt(easy, CURLOPT_CAPATH, NULL); /* a folder is not cached */
    return curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_USERAGENT, "har/" PACKAGE_VERSION) == CURLE_OK;
}

static void transfer_free(struct transfer *transfer)
{
    curl_easy_cleanup(transfer->easy);
    free(transfer);
}

static struct transfer *transfer_new(void)
{
    struct transfer *transfer = calloc(1, sizeof *transfer);
    if (!transfer)
        return NULL;
    curl_loop_socket_init(&transfer->socket);
    transfer->connect_to.data = transfer->connect_to_text;
    transfer->easy = curl_easy_init();
    if (!transfer->easy || !set_common(transfer)) {
        transfer_free(transfer);
        return NULL;
    }
    return transfer;
}

/* --- loops ------------------------------------------------------------------------------------ */

/* libcurl's cache belongs to the multi handle and has room for one CA file: checks with another
 * would throw out what it holds, and each check would read its file again. So each file has a loop.
 * It stays, in use or not, until the pool goes; there are no more than files were ever named. */
struct ca_loop {
    struct curl_loop curl;
    struct ca_loop *next;
    char ca_file[]; /* empty when there is none */
};

static void on_ended(void *private, CURLcode code)
{
    struct transfer *transfer = private;
    transfer->ended(transfer->owner, code);
}

static struct curl_loop *add_loop(struct transfer_pool *pool, const char *ca_file,
                                  struct har_error *error)
{
    size_t name_bytes = strlen(ca_file) + 1;
    struct ca_loop *loop = calloc(1, sizeof *loop + name_bytes);
    if (!loop) {
        har_fail(error, HAR_ERR_MEMORY, "out of memory");
        return NULL;
    }
    if (curl_loop_init(&loop->curl, pool->ev, on_ended, error) < 0) {
        free(loop);
        return NULL;
    }
    memcpy(loop->ca_file, ca_file, name_bytes);
    loop->next = pool->loops;
    pool->loops = loop;
    return &loop->curl;
}

/* The loop of the checks with this CA file, made for the first of them. */
static struct curl_loop *get_loop(struct transfer_pool *pool, const char *ca_file,
                                  struct har_error *error)
{
    if (!ca_file)
        ca_file = "";
    for (struct ca_loop *loop = pool->loops; loop; loop = loop->next) {
        if (strcmp(loop->ca_file, ca_file) == 0)
            return &loop->curl;
    }
    return add_loop(pool, ca_file, error);
}

/* --- pool ------------------------------------------------------------------------------------- */

int transfer_pool_init(struct transfer_pool *pool, struct ev_loop *loop, struct har_error *error)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return har_fail(error, HAR_ERR_CURL, "curl_global_init failed");
    *pool = (struct transfer_pool){.ev = loop};
    CURL *fresh = curl_easy_init();
    if (fresh)
        curl_easy_getinfo(fresh, CURLINFO_CAINFO, &pool->ca_file);
    curl_easy_cleanup(fresh);
    /* The one that is sure to be used, now: a libcurl that has none is better found at start. */
    if (!get_loop(pool, pool->ca_file, error)) {
        curl_global_cleanup();
        return HAR_ERR_CURL;
    }
    return 0;
}

void transfer_pool_done(struct transfer_pool *pool)
{
    while (pool->idle) {
        struct transfer *transfer = pool->idle;
        pool->idle = transfer->next_idle;
        transfer_free(transfer);
    }
    while (pool->loops) {
        struct ca_loop *loop = pool->loops;
        pool->loops = loop->next;
        curl_loop_done(&loop->curl);
        free(loop);
    }
    curl_global_cleanup();
}

/* --- one transfer ----------------------------------------------------------------------------- */

static bool uses_tls(const struct config_check *check)
{
    return check->type == CHECK_HTTPS || check->type == CHECK_TLS;
}

/* The URL has the name, for the Host header and the handshake, not the address. libcurl leaves the
 * scheme's own port out of the header, as browsers do. */
static bool set_url(CURL *easy, const struct config_check *check)
{
    bool brackets = strchr(check->host, ':') != NULL;
    char *url;
    if (asprintf(&url, "%s://%s%s%s:%u%s", uses_tls(check) ? "https" : "http", brackets ? "[" : "",
                 check->host, brackets ? "]" : "", check->port,
                 check->path ? check->path : "/") < 0)
        return false;
    CURLcode code = curl_easy_setopt(easy, CURLOPT_URL, url);
    free(url);
    return code == CURLE_OK;
}

static void set_connect_to(struct transfer *transfer, const struct check_target *target)
{
    char address[HAR_ADDRESS_TEXT_MAX];
    har_address_format(&target->address, address);
    snprintf(transfer->connect_to_text, sizeof transfer->connect_to_text,
             target->address.family == AF_INET6 ? "::[%s]:%u" : "::%s:%u", address,
             target->check->port);
    curl_easy_setopt(transfer->easy, CURLOPT_CONNECT_TO, &transfer->connect_to);
}

static bool set_tls(CURL *easy, const struct config_check *check, const char *ca_file)
{
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, check->tls_verify ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, check->tls_verify ? 2L : 0L);
    return curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_SSLCERT, check->cert_file) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_SSLKEY, check->key_file) == CURLE_OK;
}

struct transfer *transfer_get(struct transfer_pool *pool, struct check *owner,
                              transfer_ended_fn *ended)
{
    const struct config_check *check = owner->target->check;
    /* Without TLS it matters to nobody which loop that is. */
    const char *ca_file = check->ca_file ? check->ca_file : pool->ca_file;
    struct curl_loop *loop = get_loop(pool, ca_file, NULL);
    if (!loop)
        return NULL;
    struct transfer *transfer = pool->idle;
    if (transfer) {
        pool->idle = transfer->next_idle;
        pool->idle_count--;
    } else {
        transfer = transfer_new();
        if (!transfer)
            return NULL;
    }
    transfer->loop = loop;
    transfer->owner = owner;
    transfer->ended = ended;
    transfer->socket_errno = 0;
    transfer->socket.connected_us = 0;
    transfer->error[0] = '\0';
    set_connect_to(transfer, owner->target);
    curl_easy_setopt(transfer->easy, CURLOPT_TIMEOUT_MS, (long)check->timeout_ms);
    if (!set_url(transfer->easy, check) ||
        (uses_tls(check) && !set_tls(transfer->easy, check, ca_file))) {
        transfer_put(pool, transfer);
        return NULL;
    }
    return transfer;
}

bool transfer_start(struct transfer *transfer)
{
    return curl_loop_add(transfer->loop, transfer->easy);
}

void transfer_put(struct transfer_pool *pool, struct transfer *transfer)
{
    if (!transfer)
        return;
    curl_loop_remove(transfer->loop, transfer->easy);
    if (pool->idle_count == IDLE_MAX) {
        transfer_free(transfer);
        return;
    }
    transfer->next_idle = pool->idle;
    pool->idle = transfer;
    pool->idle_count++;
}

/* --- how it went ------------------------------------------------------------------------------ */

static curl_off_t time_us(const struct transfer *transfer, CURLINFO which)
{
    curl_off_t us = 0;
    curl_easy_getinfo(transfer->easy, which, &us);
    return us;
}

/* libcurl tells the time of TCP's handshake only when that of TLS is done, too. Until then there is
 * what its loop saw. */
static void set_connect_time(const struct transfer *transfer, struct check_result *result)
{
    curl_off_t connected_us = time_us(transfer, CURLINFO_CONNECT_TIME_T);
    int64_t connect_us;
    if (connected_us > 0)
        connect_us = connected_us - time_us(transfer, CURLINFO_NAMELOOKUP_TIME_T);
    else if (transfer->socket.connected_us > 0)
        connect_us = transfer->socket.connected_us - transfer->opened_us;
    else
        return;
    result->connect_us = connect_us > 0 ? (uint32_t)connect_us : 1;
}

void transfer_times(const struct transfer *transfer, struct check_result *result)
{
    set_connect_time(transfer, result);
    result->total_us = (uint32_t)time_us(transfer, CURLINFO_TOTAL_TIME_T);
}

/* Only for codes that come with one: libcurl does not forget that of an earlier transfer. */
static int os_errno(const struct transfer *transfer)
{
    long error = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_OS_ERRNO, &error);
    return (int)error;
}

static bool was_connected(const struct transfer *transfer)
{
    return transfer->socket.connected_us > 0 || time_us(transfer, CURLINFO_CONNECT_TIME_T) > 0;
}

static void end_not_connected(const struct transfer *transfer)
{
    int error = transfer->socket_errno ? transfer->socket_errno : os_errno(transfer);
    if (error)
        check_end_not_connected(transfer->owner, error);
    else
        check_end(transfer->owner, REASON_LOCAL_ERROR, "%s", transfer->error);
}

static void end_timed_out(const struct transfer *transfer)
{
    if (!was_connected(transfer))
        check_end(transfer->owner, REASON_CONNECT_TIMEOUT, NULL);
    else if (time_us(transfer, CURLINFO_PRETRANSFER_TIME_T) == 0)
        check_end(transfer->owner, REASON_RESPONSE_TIMEOUT, "in the TLS handshake");
    else if (time_us(transfer, CURLINFO_STARTTRANSFER_TIME_T) == 0)
        check_end(transfer->owner, REASON_RESPONSE_TIMEOUT, "it said nothing");
    else
        check_end(transfer->owner, REASON_RESPONSE_TIMEOUT, "in the middle of its answer");
}

/* A server with TLS 1.3 tells that it does not like the client's certificate, or misses one, only
 * when the handshake is done for us. The text is all that libcurl lets us have of that. */
static bool is_tls_alert(const struct transfer *transfer)
{
    return uses_tls(transfer->owner->target->check) && strstr(transfer->error, "alert") != NULL;
}

/* libcurl calls a header line beyond its own limit, 100 KiB, the same as a lack of memory. */
static bool is_long_header_line(const struct transfer *transfer, CURLcode code)
{
#if LIBCURL_VERSION_NUM >= 0x080600
    if (code == CURLE_TOO_LARGE)
        return true;
#endif
    return code == CURLE_OUT_OF_MEMORY && time_us(transfer, CURLINFO_STARTTRANSFER_TIME_T) > 0;
}

static enum check_reason reason_of_code(const struct transfer *transfer, CURLcode code)
{
    switch (code) {
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
    case CURLE_SSL_CLIENTCERT:
        return REASON_TLS_FAILED;
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
        return REASON_CLOSED;
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
        return is_tls_alert(transfer) ? REASON_TLS_FAILED : REASON_CLOSED;
    case CURLE_UNSUPPORTED_PROTOCOL: /* HTTP/0.9 */
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_HTTP2:
#if LIBCURL_VERSION_NUM >= 0x080600
    case CURLE_TOO_LARGE:
#endif
        return REASON_BAD_STATUS;
    case CURLE_OUT_OF_MEMORY:
        return is_long_header_line(transfer, code) ? REASON_BAD_STATUS : REASON_LOCAL_ERROR;
    default: /* no key file, no usable URL, ... */
        return REASON_LOCAL_ERROR;
    }
}

/* libcurl's own words, but where an operator would not know what they mean. */
static const char *detail_of_code(const struct transfer *transfer, CURLcode code)
{
    if (is_long_header_line(transfer, code))
        return "a header line is too long";
    if (code == CURLE_UNSUPPORTED_PROTOCOL && strstr(transfer->error, "HTTP/0.9"))
        return "no HTTP";
    return transfer->error[0] ? transfer->error : curl_easy_strerror(code);
}

void transfer_end_failed(const struct transfer *transfer, CURLcode code)
{
    if (code == CURLE_COULDNT_CONNECT || transfer->socket_errno)
        end_not_connected(transfer);
    else if (code == CURLE_OPERATION_TIMEDOUT)
        end_timed_out(transfer);
    else
        check_end(transfer->owner, reason_of_code(transfer, code), "%s",
                  detail_of_code(transfer, code));
}
