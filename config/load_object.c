#include "config/loader.h"

#include <string.h>

bool object_is_comment(const char *key)
{
    return strncmp(key, "//", 2) == 0;
}

/* Is it read by a function of its own, not from its row alone? */
static bool is_nested(const struct schema_key *key)
{
    return key->kind == KIND_OBJECT || key->kind == KIND_CANDIDATES;
}

bool object_sort(struct loader *loader, const struct place *place, enum schema_scope scope,
                 const json_t *json, const json_t *values[SCHEMA_KEYS_MAX])
{
    memset(values, 0, SCHEMA_KEYS_MAX * sizeof values[0]);
    if (!json_is_object(json)) {
        report_found(loader, place, json, "an object");
        return false;
    }
    /* An iterator does not change the object, though jansson's signature says nothing of that. */
    json_t *object = (json_t *)json;
    for (void *at = json_object_iter(object); at != NULL; at = json_object_iter_next(object, at)) {
        const char *name = json_object_iter_key(at);
        if (object_is_comment(name))
            continue;
        const struct schema_key *key = schema_find(scope, name);
        if (key != NULL)
            values[key - schema_object(scope)->keys] = json_object_iter_value(at);
        else
            report_unknown(loader, place, scope, name);
    }
    return true;
}

struct object_rows object_read(struct loader *loader, const struct place *place,
                               enum schema_scope scope, const json_t *const values[SCHEMA_KEYS_MAX],
                               void *object)
{
    const struct schema_object *rows = schema_object(scope);
    struct object_rows done = {0};
    for (size_t i = 0; i < rows->count; i++) {
        const struct schema_key *key = &rows->keys[i];
        const struct place here = {.parent = place, .key = key->name};
        const struct value value = {loader, &here, key, values[i], object};
        if (values[i] == NULL || is_nested(key))
            continue;
        if (value_read(&value))
            done.read |= UINT32_C(1) << i;
        else
            done.refused |= UINT32_C(1) << i;
    }
    return done;
}

void object_defaults(struct loader *loader, enum schema_scope scope, void *object)
{
    const struct schema_object *rows = schema_object(scope);
    for (size_t i = 0; i < rows->count; i++) {
        const struct schema_key *key = &rows->keys[i];
        if (key->fallback == NULL || is_nested(key))
            continue;
        json_t *json = json_loads(key->fallback, JSON_DECODE_ANY, NULL);
        if (json == NULL) {
            loader->failed = true;
            return;
        }
        const struct place here = {.key = key->name};
        value_read(&(const struct value){loader, &here, key, json, object});
        json_decref(json);
    }
}
