#include "har_config.h"

#include "tests/support/host_program.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <nss.h>
#include <string.h>
#include <sys/socket.h>

#include "tests/support/entry.h"

#define NEXT_SERVICE "192.0.2.99"

/* --- Questions: the story publishes these names, and all of them as NEXT_SERVICE in /etc/hosts,
 * which is asked where har does not answer ----------------------------------------------------- */

enum kind { FOUND, NODATA, FAILING, ABSENT };

static const struct question {
    const char *name;
    int family;
    enum kind kind;
    const char *address; /* through glibc; NULL: none */
} questions[] = {
    {"both.example.com", AF_UNSPEC, FOUND, "2001:db8::1"},
    {"both.example.com", AF_INET, FOUND, "192.0.2.1"},
    {"both.example.com", AF_INET6, FOUND, "2001:db8::1"},
    {"v4.example.com", AF_UNSPEC, FOUND, "192.0.2.4"},
    {"v4.example.com", AF_INET, FOUND, "192.0.2.4"},
    {"v4.example.com", AF_INET6, NODATA, NULL},
    {"v6.example.com", AF_UNSPEC, FOUND, "2001:db8::6"},
    {"v6.example.com", AF_INET, NODATA, NULL},
    {"v6.example.com", AF_INET6, FOUND, "2001:db8::6"},
    {"failing.example.com", AF_UNSPEC, FAILING, NULL},
    {"failing.example.com", AF_INET, FAILING, NULL},
    {"failing.example.com", AF_INET6, FAILING, NULL},
    {"absent.example.com", AF_UNSPEC, ABSENT, NEXT_SERVICE},
    {"absent.example.com", AF_INET, ABSENT, NEXT_SERVICE},
};
static const int question_count = sizeof questions / sizeof questions[0];

static const struct outcome {
    int gai;
    enum nss_status status;
    int h_error;
    int error; /* ENTRY_UNTOLD: none */
} outcomes[] = {
    [FOUND] = {0, NSS_STATUS_SUCCESS, NETDB_SUCCESS, ENTRY_UNTOLD},
    [NODATA] = {EAI_NODATA, NSS_STATUS_NOTFOUND, NO_DATA, ENTRY_UNTOLD},
    [FAILING] = {EAI_AGAIN, NSS_STATUS_TRYAGAIN, TRY_AGAIN, EAGAIN},
    [ABSENT] = {0, NSS_STATUS_UNAVAIL, NO_RECOVERY, ENOENT},
};

static const char *family_text(int family)
{
    return family == AF_UNSPEC ? "AF_UNSPEC" : family == AF_INET ? "AF_INET" : "AF_INET6";
}

static void expect_number(const struct question *question, const char *call, const char *what,
                          int found, int expected)
{
    if (found != expected)
        fail("%s, %s by %s: %s is %d, not %d", question->name, family_text(question->family), call,
             what, found, expected);
}

static void expect_address(const struct question *question, const char *call, int family,
                           const void *bytes, const char *expected)
{
    char text[INET6_ADDRSTRLEN] = "no address";
    inet_ntop(family, bytes, text, sizeof text);
    if (strcmp(text, expected) != 0)
        fail("%s, %s by %s: %s, not %s", question->name, family_text(question->family), call, text,
             expected);
}

/* --- Through glibc ---------------------------------------------------------------------------- */

static const void *address_in(const struct sockaddr *address)
{
    const void *at = address;
    if (address->sa_family == AF_INET6)
        return &((const struct sockaddr_in6 *)at)->sin6_addr;
    return &((const struct sockaddr_in *)at)->sin_addr;
}

static void ask_getaddrinfo(const struct question *question, const char *address)
{
    const struct addrinfo hints = {.ai_family = question->family, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    int expected = address != NULL ? 0 : outcomes[question->kind].gai;
    int result = getaddrinfo(question->name, NULL, &hints, &found);
    expect_number(question, "getaddrinfo", "its result", result, expected);
    if (result != 0)
        return;
    expect_address(question, "getaddrinfo", found->ai_family, address_in(found->ai_addr), address);
    expect_number(question, "getaddrinfo", "more than one answer", found->ai_next != NULL, 0);
    freeaddrinfo(found);
}

static void ask_gethostbyname(const struct question *question, const char *address)
{
    h_errno = ENTRY_UNTOLD;
    const struct hostent *host = gethostbyname(question->name);
    expect_number(question, "gethostbyname", "an answer", host != NULL, address != NULL);
    if (host != NULL)
        expect_address(question, "gethostbyname", AF_INET, host->h_addr_list[0], address);
    else
        expect_number(question, "gethostbyname", "h_errno", h_errno,
                      outcomes[question->kind].h_error);
}

int ask_glibc(void)
{
    int lookups = 0;
    for (const struct question *question = questions; question < questions + question_count;
         question++) {
        ask_getaddrinfo(question, question->address);
        lookups++;
        if (question->family == AF_INET) {
            ask_gethostbyname(question, question->address);
            lookups++;
        }
    }
    return lookups;
}

void ask_glibc_once(void)
{
    ask_getaddrinfo(&questions[0], questions[0].address);
}

void expect_next_service(void)
{
    for (const struct question *question = questions; question < questions + question_count;
         question++) {
        if (question->family == AF_INET) {
            ask_getaddrinfo(question, NEXT_SERVICE);
            ask_gethostbyname(question, NEXT_SERVICE);
        }
    }
}

/* --- Through the module's entry points -------------------------------------------------------- */

/* Threads may race to set them: to the same. */
static struct entry_points entry_points;

void load_module(void)
{
    entry_points_load("libnss_har.so.2", &entry_points);
}

static void ask_entry(enum entry entry, const struct question *question,
                      const struct outcome *expected)
{
    struct entry_call call;
    const char *name = entry_name(entry);
    entry_call(&entry_points, entry, question->name, sizeof call.buffer, &call);
    expect_number(question, name, "the status", call.status, expected->status);
    expect_number(question, name, "*errnop", call.errnop, expected->error);
    expect_number(question, name, "errno", call.errno_after, ENTRY_ERRNO_BEFORE);
    expect_number(question, name, "h_errno", call.h_errnop, expected->h_error);
    if (call.status != NSS_STATUS_SUCCESS)
        return;
    if (entry == ENTRY_4)
        expect_address(question, name, call.tuples->family, call.tuples->addr, question->address);
    else
        expect_address(question, name, call.host.h_addrtype, call.host.h_addr_list[0],
                       question->address);
}

/* expected: of every question, or NULL for what each says. */
static int ask_entries(const struct outcome *expected)
{
    int lookups = 0;
    if (entry_points.four == NULL)
        load_module();
    for (int i = 0; i < question_count * ENTRIES; i++) {
        const struct question *question = &questions[i / ENTRIES];
        enum entry entry = (enum entry)(i % ENTRIES);
        if (entry_family(entry) == question->family) {
            ask_entry(entry, question, expected != NULL ? expected : &outcomes[question->kind]);
            lookups++;
        }
    }
    return lookups;
}

int ask_module(void)
{
    return ask_entries(NULL);
}

void ask_module_once(void)
{
    ask_entry(ENTRY_4, &questions[0], &outcomes[FOUND]);
}

int ask_everything(void)
{
    int lookups = ask_glibc();
    return lookups + ask_module();
}

void expect_unavailable(int error)
{
    ask_entries(
        &(struct outcome){.status = NSS_STATUS_UNAVAIL, .h_error = NO_RECOVERY, .error = error});
}
