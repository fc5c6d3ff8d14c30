#include "har_config.h"

#include "tests/support/host_program.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <nss.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#define POISON 4321       /* a value that no call sets */
#define ANSWER_BYTES 1024 /* what getaddrinfo(3) begins with */
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
    int error; /* POISON: not told */
} outcomes[] = {
    [FOUND] = {0, NSS_STATUS_SUCCESS, NETDB_SUCCESS, POISON},
    [NODATA] = {EAI_NODATA, NSS_STATUS_NOTFOUND, NO_DATA, POISON},
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
    h_errno = POISON;
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

enum entry { BY_NAME, BY_NAME2, BY_NAME3, BY_NAME4, ENTRIES };

static const char *const entry_names[] = {"_nss_har_gethostbyname_r", "_nss_har_gethostbyname2_r",
                                          "_nss_har_gethostbyname3_r", "_nss_har_gethostbyname4_r"};

/* The addresses of the entry points in a process. Threads may race to set them: to the same. */
static void *entry_points[ENTRIES];

void load_module(void)
{
    void *module = dlopen("libnss_har.so.2", RTLD_NOW);
    if (module == NULL)
        fail("dlopen: %s", dlerror());
    for (int entry = 0; entry < ENTRIES; entry++) {
        entry_points[entry] = dlsym(module, entry_names[entry]);
        if (entry_points[entry] == NULL)
            fail("dlsym: %s", dlerror());
    }
}

struct reply {
    enum nss_status status;
    int error;       /* what errnop was told */
    int errno_after; /* errno itself, to which errnop does not point */
    int h_error;
    int family;
    const void *address;
};

static struct reply call_host(enum entry entry, const struct question *question, char *buffer)
{
    struct reply reply = {.error = POISON, .h_error = POISON};
    struct hostent host = {.h_name = NULL};
    if (entry == BY_NAME)
        reply.status = ((nss_gethostbyname_r *)entry_points[entry])(
            question->name, &host, buffer, ANSWER_BYTES, &reply.error, &reply.h_error);
    else if (entry == BY_NAME2)
        reply.status = ((nss_gethostbyname2_r *)entry_points[entry])(
            question->name, question->family, &host, buffer, ANSWER_BYTES, &reply.error,
            &reply.h_error);
    else
        reply.status = ((nss_gethostbyname3_r *)entry_points[entry])(
            question->name, question->family, &host, buffer, ANSWER_BYTES, &reply.error,
            &reply.h_error, NULL, NULL);
    if (reply.status == NSS_STATUS_SUCCESS) {
        reply.family = host.h_addrtype;
        reply.address = host.h_addr_list[0];
    }
    return reply;
}

static struct reply call_tuples(const struct question *question, char *buffer)
{
    struct reply reply = {.error = POISON, .h_error = POISON};
    struct gaih_addrtuple *tuple = NULL;
    reply.status = ((nss_gethostbyname4_r *)entry_points[BY_NAME4])(
        question->name, &tuple, buffer, ANSWER_BYTES, &reply.error, &reply.h_error, NULL);
    if (reply.status == NSS_STATUS_SUCCESS) {
        reply.family = tuple->family;
        reply.address = tuple->addr;
    }
    return reply;
}

static bool takes(enum entry entry, int family)
{
    if (entry == BY_NAME)
        return family == AF_INET;
    return (family == AF_UNSPEC) == (entry == BY_NAME4);
}

static void ask_entry(enum entry entry, const struct question *question,
                      const struct outcome *expected)
{
    char buffer[ANSWER_BYTES];
    errno = POISON;
    struct reply reply =
        entry == BY_NAME4 ? call_tuples(question, buffer) : call_host(entry, question, buffer);
    reply.errno_after = errno;
    const char *call = entry_names[entry];
    expect_number(question, call, "the status", reply.status, expected->status);
    expect_number(question, call, "*errnop", reply.error, expected->error);
    expect_number(question, call, "errno", reply.errno_after, POISON);
    expect_number(question, call, "h_errno", reply.h_error, expected->h_error);
    if (reply.status == NSS_STATUS_SUCCESS)
        expect_address(question, call, reply.family, reply.address, question->address);
}

/* expected: of every question, or NULL for what each says. */
static int ask_entries(const struct outcome *expected)
{
    int lookups = 0;
    if (entry_points[0] == NULL)
        load_module();
    for (int i = 0; i < question_count * ENTRIES; i++) {
        const struct question *question = &questions[i / ENTRIES];
        enum entry entry = (enum entry)(i % ENTRIES);
        if (takes(entry, question->family)) {
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
    ask_entry(BY_NAME4, &questions[0], &outcomes[FOUND]);
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
