/* lookup_client: looks one name up as programs of all ages do, and prints what came.
 *
 *     lookup_client CALL NAME [maps]
 *
 * CALL is getaddrinfo, gethostbyname, gethostbyname2 or gethostbyname2_r; all but gethostbyname may
 * be followed by -4 or -6 for one family (without it: both for getaddrinfo, else IPv4). Prints the
 * addresses as they came; the others print the host's name and [its aliases] first:
 *
 *     api.example.com [api] 192.0.2.1
 *
 * or the word of the error, "NO_DATA" or "EAI_AGAIN", and exits 1. "maps" prints a line more for
 * each file that is mapped in the process when all is done. Wrong usage is 2.
 *
 * Builds with any libc, shared or static. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#ifndef EAI_NODATA
#define EAI_NODATA (-5) /* musl has it only for itself */
#endif

struct word {
    int code;
    const char *text;
};

static const struct word h_errors[] = {
    {HOST_NOT_FOUND, "HOST_NOT_FOUND"},
    {NO_DATA, "NO_DATA"},
    {NO_RECOVERY, "NO_RECOVERY"},
    {TRY_AGAIN, "TRY_AGAIN"},
    {0, NULL},
};

static const struct word gai_errors[] = {
    {EAI_AGAIN, "EAI_AGAIN"},   {EAI_FAIL, "EAI_FAIL"},     {EAI_NODATA, "EAI_NODATA"},
    {EAI_NONAME, "EAI_NONAME"}, {EAI_SYSTEM, "EAI_SYSTEM"}, {0, NULL},
};

static bool fail(const struct word *words, int code)
{
    while (words->text != NULL && words->code != code)
        words++;
    if (words->text != NULL)
        puts(words->text);
    else
        printf("error %d\n", code);
    return false;
}

static void print_address(int family, const void *address)
{
    char text[INET6_ADDRSTRLEN];
    printf(" %s", inet_ntop(family, address, text, sizeof text));
}

static bool by_getaddrinfo(const char *name, int family)
{
    struct addrinfo hints = {.ai_family = family, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    int error = getaddrinfo(name, NULL, &hints, &found);
    if (error != 0)
        return fail(gai_errors, error);
    for (const struct addrinfo *one = found; one != NULL; one = one->ai_next) {
        if (one->ai_family == AF_INET)
            print_address(AF_INET, &((struct sockaddr_in *)one->ai_addr)->sin_addr);
        else
            print_address(AF_INET6, &((struct sockaddr_in6 *)one->ai_addr)->sin6_addr);
    }
    putchar('\n');
    freeaddrinfo(found);
    return true;
}

static bool print_host(const struct hostent *host, int error)
{
    if (host == NULL)
        return fail(h_errors, error);
    printf("%s [", host->h_name);
    for (int i = 0; host->h_aliases[i] != NULL; i++)
        printf("%s%s", i > 0 ? " " : "", host->h_aliases[i]);
    putchar(']');
    for (int i = 0; host->h_addr_list[i] != NULL; i++)
        print_address(host->h_addrtype, host->h_addr_list[i]);
    putchar('\n');
    return true;
}

static bool by_gethostbyname(const char *name, int family)
{
    (void)family;
    h_errno = -1;
    const struct hostent *host = gethostbyname(name);
    return print_host(host, h_errno);
}

static bool by_gethostbyname2(const char *name, int family)
{
    h_errno = -1;
    const struct hostent *host = gethostbyname2(name, family);
    return print_host(host, h_errno);
}

/* With a buffer that is too small at first. */
static bool by_gethostbyname2_r(const char *name, int family)
{
    struct hostent space;
    struct hostent *host = NULL;
    char *buffer = NULL;
    int error = -1;
    int result = ERANGE;
    for (size_t bytes = 1; result == ERANGE && bytes < 65536; bytes *= 2) {
        buffer = realloc(buffer, bytes);
        if (buffer == NULL)
            abort();
        result = gethostbyname2_r(name, family, &space, buffer, bytes, &host, &error);
    }
    bool found = print_host(host, error);
    free(buffer);
    return found;
}

static const struct {
    const char *call;
    bool (*look_up)(const char *name, int family);
    int family;
} calls[] = {
    {"getaddrinfo", by_getaddrinfo, AF_UNSPEC},
    {"getaddrinfo-4", by_getaddrinfo, AF_INET},
    {"getaddrinfo-6", by_getaddrinfo, AF_INET6},
    {"gethostbyname", by_gethostbyname, AF_INET},
    {"gethostbyname2-4", by_gethostbyname2, AF_INET},
    {"gethostbyname2-6", by_gethostbyname2, AF_INET6},
    {"gethostbyname2_r-4", by_gethostbyname2_r, AF_INET},
    {"gethostbyname2_r-6", by_gethostbyname2_r, AF_INET6},
};

static void print_maps(void)
{
    char line[4096];
    FILE *maps = fopen("/proc/self/maps", "re");
    if (maps == NULL)
        abort();
    while (fgets(line, sizeof line, maps) != NULL) {
        const char *path = strchr(line, '/');
        if (path != NULL)
            fputs(path, stdout);
    }
    fclose(maps);
}

int main(int count, char **arguments)
{
    bool maps = count == 4 && strcmp(arguments[3], "maps") == 0;
    for (size_t i = 0; i < sizeof calls / sizeof calls[0] && (count == 3 || maps); i++) {
        if (strcmp(arguments[1], calls[i].call) != 0)
            continue;
        bool found = calls[i].look_up(arguments[2], calls[i].family);
        if (maps)
            print_maps();
        return found ? 0 : 1;
    }
    fputs("usage: lookup_client CALL NAME [maps]\n", stderr);
    return 2;
}
