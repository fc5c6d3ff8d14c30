#include "config/memory.h"

#include <jansson.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES (64 * 1024)

struct memory_chunk {
    struct memory_chunk *older;
    alignas(max_align_t) unsigned char bytes[];
};

struct memory_regex {
    struct memory_regex *older;
    regex_t regex;
};

static unsigned char *add_chunk(struct memory *memory, size_t bytes)
{
    json_malloc_t allocate;
    json_get_alloc_funcs(&allocate, NULL);
    struct memory_chunk *chunk = allocate(sizeof *chunk + bytes);
    if (chunk == NULL) {
        memory->failed = true;
        return NULL;
    }
    chunk->older = memory->chunks;
    memory->chunks = chunk;
    return chunk->bytes;
}

static unsigned char *take_bytes(struct memory *memory, size_t bytes)
{
    /* A big piece gets a chunk of its own; what is left of the current one stays in use. */
    if (bytes > CHUNK_BYTES / 4)
        return add_chunk(memory, bytes);
    if (bytes > memory->left_bytes) {
        unsigned char *fresh = add_chunk(memory, CHUNK_BYTES);
        if (fresh == NULL)
            return NULL;
        memory->next = fresh;
        memory->left_bytes = CHUNK_BYTES;
    }
    unsigned char *piece = memory->next;
    memory->next += bytes;
    memory->left_bytes -= bytes;
    return piece;
}

void *memory_take(struct memory *memory, size_t count, size_t size)
{
    const size_t align = alignof(max_align_t);
    if (size > 0 && count > (SIZE_MAX - sizeof(struct memory_chunk) - align) / size) {
        memory->failed = true;
        return NULL;
    }
    size_t bytes = (count * size + align - 1) / align * align;
    unsigned char *piece = take_bytes(memory, bytes);
    if (piece != NULL)
        memset(piece, 0, bytes);
    return piece;
}

char *memory_text(struct memory *memory, const char *text, size_t length)
{
    char *copy = memory_take(memory, length + 1, 1);
    if (copy != NULL)
        memcpy(copy, text, length);
    return copy;
}

int memory_regcomp(struct memory *memory, const char *expression, regex_t **out)
{
    struct memory_regex *entry = memory_take(memory, 1, sizeof *entry);
    if (entry == NULL)
        return REG_ESPACE;
    int problem = regcomp(&entry->regex, expression, REG_EXTENDED | REG_NOSUB);
    if (problem != 0)
        return problem;
    entry->older = memory->regexes;
    memory->regexes = entry;
    *out = &entry->regex;
    return 0;
}

void memory_done(struct memory *memory)
{
    json_free_t release;
    json_get_alloc_funcs(NULL, &release);
    /* Before the chunks: the entries live in them. */
    for (struct memory_regex *entry = memory->regexes; entry != NULL; entry = entry->older)
        regfree(&entry->regex);
    while (memory->chunks != NULL) {
        struct memory_chunk *chunk = memory->chunks;
        memory->chunks = chunk->older;
        release(chunk);
    }
    *memory = (struct memory){0};
}
