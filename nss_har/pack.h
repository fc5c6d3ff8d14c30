/* An answer laid out in the buffer of whoever called getaddrinfo(3) or gethostbyname(3): exact size
 * first, then filled. The buffer may begin at any address and have any length. */
#ifndef HAR_NSS_HAR_PACK_H
#define HAR_NSS_HAR_PACK_H

#include <netdb.h>
#include <nss.h>
#include <stdbool.h>
#include <stddef.h>

#include "ranking/lookup.h"

/* Both return false with nothing written, neither in the buffer nor elsewhere, when the buffer is
 * too small. answer is a RANKING_FOUND one. */

/* All addresses of answer are of family. A name that is an alias appears among the aliases. */
bool pack_hostent(const struct ranking_answer *answer, int family, char *buffer,
                  size_t buffer_bytes, struct hostent *result);

/* One tuple an address, linked. *pat may be NULL, then it is pointed at the first tuple; or point
 * to a tuple of the caller, then the first one is copied there. */
bool pack_tuples(const struct ranking_answer *answer, char *buffer, size_t buffer_bytes,
                 struct gaih_addrtuple **pat);

#endif
