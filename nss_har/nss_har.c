/* The entry points that glibc calls in libnss_har.so.2, and what their results mean to it.
 *
 * glibc gives up without asking the next service when h_errno is NETDB_INTERNAL for any other
 * reason than a buffer too small, and tries again for ever when that reason is given with another
 * status: the three always go together, in too_small alone. */
#include <errno.h>
#include <netdb.h>
#include <nss.h>
#include <stdint.h>
#include <time.h>

#include "nss_har/pack.h"
#include "ranking/lookup.h"

#define ENTRY __attribute__((visibility("default")))

/* glibc's own types, so that the compiler compares. */
ENTRY nss_gethostbyname_r _nss_har_gethostbyname_r;
ENTRY nss_gethostbyname2_r _nss_har_gethostbyname2_r;
ENTRY nss_gethostbyname3_r _nss_har_gethostbyname3_r;
ENTRY nss_gethostbyname4_r _nss_har_gethostbyname4_r;

static enum nss_status unavailable(int error, int *errnop, int *h_errnop)
{
    *errnop = error;
    *h_errnop = NO_RECOVERY;
    return NSS_STATUS_UNAVAIL;
}

static enum nss_status too_small(int *errnop, int *h_errnop)
{
    *errnop = ERANGE;
    *h_errnop = NETDB_INTERNAL;
    return NSS_STATUS_TRYAGAIN;
}

/* The ranking may move at any moment: nscd is to keep neither an answer, nor that there is none,
 * nor that nobody could say, which it would keep as "no such host". */
static void forbid_caching(int32_t *ttlp)
{
    if (ttlp != NULL)
        *ttlp = 0;
}

/* h_errno is cleared; errno is not, on success it says nothing. */
static enum nss_status success(int *h_errnop, int32_t *ttlp)
{
    *h_errnop = NETDB_SUCCESS;
    forbid_caching(ttlp);
    return NSS_STATUS_SUCCESS;
}

/* Returns NSS_STATUS_SUCCESS with answer and nothing else written, or what to return to glibc. */
static enum nss_status ask(const char *name, int family, struct ranking_answer *answer, int *errnop,
                           int *h_errnop, int32_t *ttlp)
{
    struct timespec now;
    int saved_errno = errno;
    /* Of seconds the coarse clock knows as much, and costs less. A sandbox may forbid it where it
     * is no work of the vDSO, and 32 bits of seconds end in 2038. */
    if (clock_gettime(CLOCK_REALTIME_COARSE, &now) != 0) {
        int error = errno;
        errno = saved_errno;
        return unavailable(error, errnop, h_errnop);
    }
    switch (ranking_lookup(HAR_RANKING_DB, name, family, now.tv_sec, answer)) {
    case RANKING_FOUND:
        return NSS_STATUS_SUCCESS;
    case RANKING_NODATA:
        forbid_caching(ttlp);
        *h_errnop = NO_DATA;
        return NSS_STATUS_NOTFOUND;
    case RANKING_FAILING:
        forbid_caching(ttlp);
        *errnop = EAGAIN;
        *h_errnop = TRY_AGAIN;
        return NSS_STATUS_TRYAGAIN;
    case RANKING_ABSENT:
        break;
    }
    return unavailable(answer->error, errnop, h_errnop);
}

enum nss_status _nss_har_gethostbyname4_r(const char *name, struct gaih_addrtuple **pat,
                                          char *buffer, size_t buflen, int *errnop, int *h_errnop,
                                          int32_t *ttlp)
{
    struct ranking_answer answer;
    enum nss_status status = ask(name, AF_UNSPEC, &answer, errnop, h_errnop, ttlp);
    if (status != NSS_STATUS_SUCCESS)
        return status;
    if (!pack_tuples(&answer, buffer, buflen, pat))
        return too_small(errnop, h_errnop);
    return success(h_errnop, ttlp);
}

enum nss_status _nss_har_gethostbyname3_r(const char *name, int af, struct hostent *result,
                                          char *buffer, size_t buflen, int *errnop, int *h_errnop,
                                          int32_t *ttlp, char **canonp)
{
    if (af != AF_INET && af != AF_INET6)
        return unavailable(EAFNOSUPPORT, errnop, h_errnop);
    struct ranking_answer answer;
    enum nss_status status = ask(name, af, &answer, errnop, h_errnop, ttlp);
    if (status != NSS_STATUS_SUCCESS)
        return status;
    if (!pack_hostent(&answer, af, buffer, buflen, result))
        return too_small(errnop, h_errnop);
    if (canonp != NULL)
        *canonp = result->h_name;
    return success(h_errnop, ttlp);
}

enum nss_status _nss_har_gethostbyname2_r(const char *name, int af, struct hostent *result,
                                          char *buffer, size_t buflen, int *errnop, int *h_errnop)
{
    return _nss_har_gethostbyname3_r(name, af, result, buffer, buflen, errnop, h_errnop, NULL,
                                     NULL);
}

enum nss_status _nss_har_gethostbyname_r(const char *name, struct hostent *result, char *buffer,
                                         size_t buflen, int *errnop, int *h_errnop)
{
    return _nss_har_gethostbyname3_r(name, AF_INET, result, buffer, buflen, errnop, h_errnop, NULL,
                                     NULL);
}
