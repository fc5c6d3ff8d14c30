#include "config/loader.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- Files --- */

/* What jansson reads from. */
struct input {
    int fd;
    int error; /* errno of a read that failed */
    bool empty;
};

static size_t read_some(void *buffer, size_t size, void *arg)
{
    struct input *input = arg;
    ssize_t got;
    do
        got = read(input->fd, buffer, size);
    while (got < 0 && errno == EINTR);
    if (got < 0) {
        input->error = errno;
        return (size_t)-1;
    }
    if (got > 0)
        input->empty = false;
    return (size_t)got;
}

/* The JSON of loader->file for json_decref, or NULL: reported, or without memory. */
static json_t *read_json(struct loader *loader)
{
    struct input input = {.empty = true};
    json_error_t error;
    input.fd = open(loader->file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (input.fd < 0) {
        report_errno(loader, "open", errno);
        return NULL;
    }
    /* Any value is taken here: what is not an object is told apart from what is not JSON. */
    json_t *json =
        json_load_callback(read_some, &input, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    close(input.fd);
    if (json != NULL && input.error == 0)
        return json;
    json_decref(json);
    /* A failed read looks like the end of the file to jansson; without memory it has no words. */
    if (input.error != 0)
        report_errno(loader, "read", input.error);
    else if (json_error_code(&error) == json_error_out_of_memory || error.text[0] == '\0')
        loader->failed = true;
    else if (input.empty)
        report_value(loader, NULL, "the file is empty; allowed: an object");
    else
        report_syntax(loader, &error);
    return NULL;
}

/* The folder of a path, absolute, in *folder for free(3). */
static bool find_folder(struct loader *loader, const char *path, char **folder)
{
    const char *slash = strrchr(path, '/');
    size_t length = slash == NULL ? 0 : slash == path ? 1 : (size_t)(slash - path);
    char *written = memory_text(loader->scratch, length > 0 ? path : ".", length > 0 ? length : 1);
    if (written == NULL)
        return false;
    *folder = realpath(written, NULL);
    if (*folder == NULL)
        report_errno(loader, "open", errno); /* as it would fail below */
    return *folder != NULL;
}

/* --- Hosts --- */

static struct loaded_host *add_host(struct loader *loader, const char *written, bool in_hosts)
{
    struct loaded_host *host = memory_take(loader->scratch, 1, sizeof *host);
    if (host == NULL)
        return NULL;
    host->file = loader->file;
    host->written = memory_text(loader->scratch, written, strlen(written));
    host->in_hosts = in_hosts;
    if (host->written == NULL)
        return NULL;
    *loader->hosts_end = host;
    loader->hosts_end = &host->next;
    loader->host_count++;
    return host;
}

/* Is this the key of the main file, where a file of hosts.d begins with names? */
static bool is_wrapper(const char *written, const json_t *json)
{
    const struct schema_key *candidates = &schema_object(SCOPE_HOST)->keys[HOST_CANDIDATES];
    return strcmp(written, schema_object(SCOPE_TOP)->keys[TOP_HOSTS].name) == 0 &&
           json_object_get(json, candidates->name) == NULL;
}

/* place is NULL for a file that holds hosts and nothing else. */
static void read_host(struct loader *loader, const struct place *place, const char *written,
                      const json_t *json)
{
    const struct place here = {.parent = place, .key = written, .quoted = true};
    if (place == NULL && is_wrapper(written, json)) {
        report_value(loader, &here, "allowed: hosts themselves, without this key around them");
        return;
    }
    struct loaded_host *host = add_host(loader, written, place != NULL);
    if (host == NULL)
        return;
    char *name;
    if (!value_read_name(loader, &here, written, &name))
        name = memory_text(loader->memory, "", 0);
    host_read(loader, &here, json, name, &host->host);
}

static void read_hosts(struct loader *loader, const struct place *place, const json_t *json)
{
    json_t *object = (json_t *)json; /* iterators do not change it */
    if (!json_is_object(object)) {
        report_found(loader, place, json, "an object of hosts");
        return;
    }
    for (void *at = json_object_iter(object); at != NULL; at = json_object_iter_next(object, at)) {
        if (!object_is_comment(json_object_iter_key(at)))
            read_host(loader, place, json_object_iter_key(at), json_object_iter_value(at));
    }
}

/* --- The main file and hosts.d --- */

static bool read_main(struct loader *loader)
{
    json_t *json = read_json(loader);
    const json_t *values[SCHEMA_KEYS_MAX];
    if (json == NULL)
        return false;
    bool good = object_sort(loader, NULL, SCOPE_TOP, json, values);
    if (good) {
        const struct schema_key *rows = schema_object(SCOPE_TOP)->keys;
        const struct place defaults = {.key = rows[TOP_DEFAULTS].name};
        const struct place hosts = {.key = rows[TOP_HOSTS].name};
        object_read(loader, NULL, SCOPE_TOP, values, loader->config);
        if (values[TOP_DEFAULTS] != NULL)
            host_read_defaults(loader, &defaults, values[TOP_DEFAULTS]);
        if (values[TOP_HOSTS] != NULL)
            read_hosts(loader, &hosts, values[TOP_HOSTS]);
    }
    json_decref(json);
    return good;
}

static int is_hosts_file(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);
    return entry->d_name[0] != '.' && length > 5 &&
           strcmp(entry->d_name + length - 5, ".json") == 0;
}

/* Not alphasort(3): which file is first does not depend on the locale. */
static int compare_entries(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* A FIFO, say: opening it would wait for somebody to write, and the daemon with it. */
static bool is_special(const char *path)
{
    struct stat file;
    return stat(path, &file) == 0 && !S_ISREG(file.st_mode) && !S_ISDIR(file.st_mode);
}

static void read_hosts_file(struct loader *loader, const char *folder, const char *name)
{
    size_t size = strlen(folder) + 1 + strlen(name) + 1;
    char *path = memory_take(loader->scratch, size, 1);
    if (path == NULL)
        return;
    snprintf(path, size, "%s/%s", folder, name);
    loader->file = path;
    if (is_special(path)) {
        report_value(loader, NULL, "not a regular file");
        return;
    }
    json_t *json = read_json(loader);
    if (json != NULL)
        read_hosts(loader, NULL, json);
    json_decref(json);
}

/* The files of hosts.d beside path. */
static void read_hosts_folder(struct loader *loader, const char *path)
{
    static const char name[] = "hosts.d";
    const char *slash = strrchr(path, '/');
    size_t before = slash == NULL ? 0 : (size_t)(slash + 1 - path);
    char *folder = memory_take(loader->scratch, before + sizeof name, 1);
    struct dirent **entries;
    if (folder == NULL)
        return;
    memcpy(folder, path, before);
    memcpy(folder + before, name, sizeof name);
    loader->file = folder;
    int count = scandir(folder, &entries, is_hosts_file, compare_entries);
    if (count < 0 && errno != ENOENT)
        report_errno(loader, "open", errno);
    for (int i = 0; i < count; i++) {
        read_hosts_file(loader, folder, entries[i]->d_name);
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
}

/* --- The whole --- */

static void set_defaults(struct loader *loader)
{
    object_defaults(loader, SCOPE_TOP, loader->config);
    object_defaults(loader, SCOPE_HOST, &loader->defaults.host);
    object_defaults(loader, SCOPE_CANDIDATE, &loader->bare);
    object_defaults(loader, SCOPE_CHECK, &loader->plain);
    object_defaults(loader, SCOPE_TLS, &loader->plain);
    loader->plain.fast_interval_ms = loader->plain.timeout_ms = 0;
    loader->defaults.check.check = loader->plain;
}

/* Gathers what was read one by one. */
static void assemble(struct loader *loader)
{
    struct config *config = loader->config;
    config->host_count = loader->host_count;
    config->hosts = memory_take(loader->memory, config->host_count, sizeof *config->hosts);
    config->checks = memory_take(loader->memory, config->check_count, sizeof *config->checks);
    if (config->hosts == NULL || config->checks == NULL || !names_sort(loader, config->hosts))
        return;
    size_t index = 0;
    for (const struct loaded_check *check = loader->checks; check != NULL; check = check->next)
        config->checks[index++] = check->check;
}

static void load(struct loader *loader, const char *path)
{
    char *folder;
    if (!find_folder(loader, path, &folder))
        return;
    loader->folder = folder;
    set_defaults(loader);
    /* Without the main file's defaults every host would be misjudged. */
    if (read_main(loader)) {
        read_hosts_folder(loader, path);
        assemble(loader);
    }
    free(folder);
}

static enum har_code outcome(const struct loader *loader)
{
    if (loader->failed || loader->memory->failed || loader->scratch->failed)
        return HAR_ERR_MEMORY;
    return loader->code;
}

int config_load(const char *path, struct config **out, struct config_report *report)
{
    struct config_whole *whole = calloc(1, sizeof *whole);
    if (whole == NULL)
        return HAR_ERR_MEMORY;
    struct memory scratch = {0};
    struct loader loader = {.config = &whole->config,
                            .memory = &whole->memory,
                            .scratch = &scratch,
                            .file = path,
                            .report = report};
    loader.hosts_end = &loader.hosts;
    load(&loader, path);
    enum har_code code = outcome(&loader);
    if (code == HAR_ERR_MEMORY) {
        loader.file = path;
        report_value(&loader, NULL, "%s", har_code_text(code));
    }
    memory_done(&scratch);
    if (code == HAR_OK)
        *out = &whole->config;
    else
        config_free(&whole->config);
    return code;
}
