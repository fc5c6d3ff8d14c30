/* Any bytes as the answer to a question: what is taken from them keeps its bounds, and is what the
 * header says. The first byte chooses the family asked for. */
#include <string.h>

#include "hard/dns_message.h"
#include "hard/dns_wire.h"
#include "tests/fuzz/fuzz.h"

static void check_addresses(const struct dns_answer *answer, int family)
{
    PROMISE(answer->count <= DNS_ADDRESSES_MAX);
    for (size_t i = 0; i < answer->count; i++) {
        PROMISE(answer->addresses[i].family == family);
        PROMISE(har_address_unusable(&answer->addresses[i]) == NULL);
        PROMISE(i == 0 || memcmp(answer->addresses[i - 1].bytes, answer->addresses[i].bytes,
                                 sizeof answer->addresses[i].bytes) < 0);
    }
}

static void check_answer(const struct dns_answer *answer, const uint8_t *bytes, size_t count)
{
    bool told = answer->outcome <= DNS_NO_NAME;
    PROMISE((answer->outcome == DNS_ADDRESSES) == (answer->count > 0));
    PROMISE((answer->outcome == DNS_MALFORMED) == (answer->problem != NULL));
    PROMISE(told == (answer->ttl_s >= DNS_TTL_MIN_S && answer->ttl_s <= DNS_TTL_MAX_S));
    PROMISE(!told || dns_is_whole(bytes, count));
    PROMISE(answer->outcome == DNS_MALFORMED || answer->rcode == dns_rcode(bytes));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    struct dns_answer answer;
    size_t end;
    if (count == 0)
        return 0;
    int family = bytes[0] & 1 ? AF_INET6 : AF_INET;
    memset(&answer, 0xa5, sizeof answer);
    dns_message_read(bytes + 1, count - 1, "www.example.com", family, &answer);
    check_addresses(&answer, family);
    check_answer(&answer, bytes + 1, count - 1);
    if (dns_question(bytes + 1, count - 1, &end))
        PROMISE(end <= count - 1 && dns_same_question(bytes + 1, end, bytes + 1, count - 1));
    return 0;
}
