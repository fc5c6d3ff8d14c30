#include "hard/table.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct host_name {
    const char *name;
    struct host *host;
};

/* --- Building ----------------------------------------------------------------------------------
 */

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct host_name *)a)->name, ((const struct host_name *)b)->name);
}

static bool names_build(struct table *table)
{
    size_t count = table->host_count;
    for (size_t i = 0; i < table->host_count; i++)
        count += table->hosts[i].config->alias_count;
    table->names = calloc(count + 1, sizeof *table->names);
    table->rows = calloc(count + 1, sizeof *table->rows);
    if (table->names == NULL || table->rows == NULL)
        return false;
    for (size_t i = 0; i < table->host_count; i++) {
        struct host *host = &table->hosts[i];
        table->names[table->name_count++] = (struct host_name){host->config->name, host};
        for (size_t j = 0; j < host->config->alias_count; j++)
            table->names[table->name_count++] = (struct host_name){host->config->aliases[j], host};
    }
    qsort(table->names, count, sizeof *table->names, compare_names);
    return true;
}

void table_recount(struct table *table)
{
    table->unanswered = 0;
    for (size_t i = 0; i < table->host_count; i++)
        table->unanswered += host_unanswered(&table->hosts[i]);
}

static bool table_build(struct table *table)
{
    const struct config *config = table->config;
    table->hosts = calloc(config->host_count + 1, sizeof *table->hosts);
    if (table->hosts == NULL)
        return false;
    table->host_count = config->host_count;
    for (size_t i = 0; i < table->host_count; i++) {
        if (!host_init(&table->hosts[i], &config->hosts[i]))
            return false;
    }
    if (!names_build(table))
        return false;
    table_recount(table);
    return true;
}

struct table *table_new(struct config *config, struct har_error *error)
{
    struct table *table = calloc(1, sizeof *table);
    if (table != NULL) {
        table->config = config;
        if (table_build(table))
            return table;
        table->config = NULL; /* stays the caller's */
        table_free(table);
    }
    har_fail(error, HAR_ERR_MEMORY, "out of memory");
    return NULL;
}

void table_free(struct table *table)
{
    if (table == NULL)
        return;
    for (size_t i = 0; i < table->host_count; i++)
        host_done(&table->hosts[i]);
    free(table->hosts);
    free(table->names);
    free(table->rows);
    config_free(table->config);
    free(table);
}

/* --- Restoring ---------------------------------------------------------------------------------
 */

struct host *table_find(const struct table *table, const char *name)
{
    const struct host_name wanted = {.name = name};
    const struct host_name *found =
        bsearch(&wanted, table->names, table->name_count, sizeof *table->names, compare_names);
    return found != NULL ? found->host : NULL;
}

void table_restore(struct table *table, const struct ranking_row *row)
{
    struct host *host = table_find(table, row->name);
    if (host != NULL && row->alias_of == NULL)
        host_restore(host, row);
}

/* Both are sorted by name: one walk along both. */
void table_inherit(struct table *table, struct table *old)
{
    size_t i = 0, j = 0;
    while (i < table->host_count && j < old->host_count) {
        int order = strcmp(table->hosts[i].config->name, old->hosts[j].config->name);
        if (order == 0)
            host_inherit(&table->hosts[i], &old->hosts[j]);
        i += order <= 0;
        j += order >= 0;
    }
    table_recount(table);
}

/* --- Answering ---------------------------------------------------------------------------------
 */

void table_answered(struct table *table, struct endpoint *endpoint)
{
    endpoint->answered = true;
    table->unanswered--;
}

static struct ranking_row row_of(const struct host_name *name)
{
    const struct host *host = name->host;
    return (struct ranking_row){.name = name->name,
                                .status = host->answer.status,
                                .addresses = host->answer.addresses,
                                .weights = host->answer.weights,
                                .answers = host->answer.answers,
                                .alias_of =
                                    name->name == host->config->name ? NULL : host->config->name};
}

const struct ranking_row *table_rows(struct table *table, size_t *count)
{
    *count = 0;
    for (size_t i = 0; i < table->name_count; i++) {
        if (table->names[i].host->answer.addresses != NULL)
            table->rows[(*count)++] = row_of(&table->names[i]);
    }
    return table->rows;
}
