/* The entry points of a real libnss_har.so.2, called as a foreign program would call them: loaded
 * at run time, outputs poisoned first, errnop apart from errno. */
#ifndef HAR_TESTS_SUPPORT_ENTRY_H
#define HAR_TESTS_SUPPORT_ENTRY_H

#include <netdb.h>
#include <nss.h>
#include <stddef.h>
#include <stdint.h>

#define ENTRY_BUFFER_BYTES 1024
#define ENTRY_LINE_MAX 1024

#define ENTRY_UNTOLD ((int)0xa5a5a5a5) /* what errnop and h_errnop hold before the call */
#define ENTRY_ERRNO_BEFORE 4321        /* and errno; no call sets it to that */

enum entry { ENTRY_1, ENTRY_2_IPV4, ENTRY_2_IPV6, ENTRY_3_IPV4, ENTRY_3_IPV6, ENTRY_4, ENTRIES };

struct entry_points {
    nss_gethostbyname_r *one;
    nss_gethostbyname2_r *two;
    nss_gethostbyname3_r *three;
    nss_gethostbyname4_r *four;
};

/* One call and all that it wrote. */
struct entry_call {
    enum entry entry;
    enum nss_status status;
    struct hostent host;
    struct gaih_addrtuple *tuples;
    char *canonical;
    int32_t ttl;
    int errnop;
    int errno_after;
    int h_errnop;
    char buffer[ENTRY_BUFFER_BYTES];
};

/* Loads the module as glibc does. Ends the program with a message when that is impossible. */
void entry_points_load(const char *module, struct entry_points *points);

/* Makes no system call of its own. buffer_bytes: of the buffer, how many the module may use. */
void entry_call(const struct entry_points *points, enum entry entry, const char *name,
                size_t buffer_bytes, struct entry_call *call);

/* What it asks for; AF_UNSPEC for ENTRY_4. */
int entry_family(enum entry entry);

/* "1", "2-ipv4", ... */
const char *entry_name(enum entry entry);

/* What a call did, as key=value without a line break; makes no system call. outputs says whether
 * host, tuples, canonical name or buffer were touched. Returns the length. */
size_t entry_format(const struct entry_call *call, char text[ENTRY_LINE_MAX]);

#endif
