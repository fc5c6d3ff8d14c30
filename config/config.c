#include "config/config.h"

#include <stdlib.h>
#include <string.h>

#include "config/memory.h"
#include "config/schema.h"

void config_free(struct config *config)
{
    struct config_whole *whole = (struct config_whole *)config;
    if (whole == NULL)
        return;
    memory_done(&whole->memory);
    free(whole);
}

size_t config_count_candidates(const struct config *config)
{
    size_t count = 0;
    for (size_t i = 0; i < config->host_count; i++)
        count += config->hosts[i].candidate_count;
    return count;
}

const char *check_type_text(enum check_type type)
{
    return schema_word(schema_object(SCOPE_CHECK)->keys[CHECK_KEY_TYPE].words, (int)type);
}

const char *selection_text(enum selection selection)
{
    return schema_word(schema_object(SCOPE_HOST)->keys[HOST_SELECTION].words, (int)selection);
}

const char *failure_mode_text(enum failure_mode mode)
{
    if (mode == FAILURE_ADDRESSES)
        return "addresses";
    return schema_word(schema_object(SCOPE_HOST)->keys[HOST_FAILURE_MODE].words, (int)mode);
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool same_headers(const struct config_check *a, const struct config_check *b)
{
    if (a->header_count != b->header_count)
        return false;
    for (size_t i = 0; i < a->header_count; i++) {
        if (strcmp(a->headers[i], b->headers[i]) != 0)
            return false;
    }
    return true;
}

static bool same_statuses(const struct config_check *a, const struct config_check *b)
{
    if (a->status_count != b->status_count)
        return false;
    for (size_t i = 0; i < a->status_count; i++) {
        if (a->statuses[i].low != b->statuses[i].low || a->statuses[i].high != b->statuses[i].high)
            return false;
    }
    return true;
}

/* How often it is asked, how long we wait and how many results count is not part of the question:
 * who asks a server twice as often knows as much about it as before. */
bool config_check_equal(const struct config_check *a, const struct config_check *b)
{
    return a->type == b->type && a->port == b->port && a->method == b->method &&
           a->tls_verify == b->tls_verify && same_text(a->host, b->host) &&
           same_text(a->path, b->path) && same_headers(a, b) && same_statuses(a, b) &&
           same_text(a->body, b->body) && same_text(a->body_regex, b->body_regex) &&
           same_text(a->send, b->send) && same_text(a->expect, b->expect) &&
           same_text(a->ca_file, b->ca_file) && same_text(a->cert_file, b->cert_file) &&
           same_text(a->key_file, b->key_file);
}

/* --- Fingerprint -------------------------------------------------------------------------------
 * FNV-1a, 64 bits: www.isthe.com/chongo/tech/comp/fnv. No secret, no adversary.
 */

static uint64_t mix_bytes(uint64_t hash, const void *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        hash = (hash ^ ((const unsigned char *)bytes)[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static uint64_t mix_number(uint64_t hash, uint64_t number)
{
    return mix_bytes(hash, &number, sizeof number);
}

static uint64_t mix_text(uint64_t hash, const char *text)
{
    if (text == NULL)
        return mix_number(hash, 0);
    return mix_bytes(mix_number(hash, 1), text, strlen(text) + 1);
}

uint64_t config_check_fingerprint(const struct config_check *check)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    hash = mix_number(hash, (uint64_t)check->type);
    hash = mix_number(hash, check->port);
    hash = mix_number(hash, (uint64_t)check->method);
    hash = mix_number(hash, check->tls_verify);
    hash = mix_text(hash, check->host);
    hash = mix_text(hash, check->path);
    hash = mix_number(hash, check->header_count);
    for (size_t i = 0; i < check->header_count; i++)
        hash = mix_text(hash, check->headers[i]);
    hash = mix_number(hash, check->status_count);
    for (size_t i = 0; i < check->status_count; i++)
        hash = mix_number(hash, (uint64_t)check->statuses[i].low << 16 | check->statuses[i].high);
    const char *const texts[] = {check->body,    check->body_regex, check->send,    check->expect,
                                 check->ca_file, check->cert_file,  check->key_file};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        hash = mix_text(hash, texts[i]);
    return hash;
}
