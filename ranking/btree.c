#include "ranking/btree.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "ranking/record.h"

/* Sections are those of SQLite's "Database File Format". Offsets are bytes from the start of the
 * file. A function that returns a bool or a pointer sets btree->error before false or NULL. */

#define FILE_HEADER_BYTES 100
#define PAGE_BYTES_MIN 512
#define USABLE_BYTES_MIN 480
#define OFFSET_MAX INT32_MAX
#define DEPTH_MAX 20 /* as in SQLite; a path that runs in a circle ends here */
#define LEAF_PAGE 0x0a
#define LEAF_HEADER_BYTES 8
#define INTERIOR_PAGE 0x02
#define INTERIOR_HEADER_BYTES 12
#define LINK_BYTES 4 /* a page number */
#define CHUNK_BYTES 32

struct page {
    uint32_t at;
    uint32_t pointers_at;
    uint32_t cells;
    uint32_t rightmost; /* page number; 0 in a leaf */
    bool leaf;
};

struct cell {
    uint32_t left_child; /* page number; 0 in a leaf */
    uint32_t row_bytes;
    uint32_t local_at; /* the part of the row that lies in its own page */
    uint32_t local_bytes;
    uint32_t key_at; /* the first column, from the start of the row */
    uint32_t key_bytes;
};

static uint32_t be16(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 8 | bytes[1];
}

static uint32_t be32(const uint8_t *bytes)
{
    return be16(bytes) << 16 | be16(bytes + 2);
}

static uint32_t min_u32(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static bool fail(struct btree *btree, int error)
{
    btree->error = error;
    return false;
}

static bool damaged(struct btree *btree)
{
    return fail(btree, EBADMSG);
}

/* --- Bytes of the file ------------------------------------------------------------------------ */

/* Reads n bytes, fewer only where the file ends. Returns how many, or -1 with errno. */
static ssize_t read_at(int fd, uint32_t at, uint8_t *to, uint32_t n)
{
    uint32_t done = 0;
    while (done < n) {
        ssize_t got = pread(fd, to + done, n - done, (off_t)(at + done));
        if (got == 0)
            break;
        if (got > 0)
            done += (uint32_t)got;
        else if (errno != EINTR)
            return -1;
    }
    return (ssize_t)done;
}

static bool window_holds(const struct btree *btree, uint32_t at, uint32_t n)
{
    return at >= btree->window_at && at - btree->window_at <= btree->window_count &&
           n <= btree->window_count - (at - btree->window_at);
}

static bool window_fill(struct btree *btree, uint32_t at, uint32_t n)
{
    ssize_t got = read_at(btree->fd, at, btree->window, n);
    btree->window_at = at;
    btree->window_count = got < 0 ? 0 : (uint32_t)got;
    return got >= 0 || fail(btree, errno);
}

static bool read_exactly(struct btree *btree, uint32_t at, uint8_t *to, uint32_t n)
{
    ssize_t got = read_at(btree->fd, at, to, n);
    if (got < 0)
        return fail(btree, errno);
    return (uint32_t)got == n || damaged(btree);
}

/* n bytes of the file: where they lie in the window, else read into scratch. */
static const uint8_t *view(struct btree *btree, uint32_t at, uint32_t n, uint8_t *scratch)
{
    if (window_holds(btree, at, n))
        return btree->window + (at - btree->window_at);
    return read_exactly(btree, at, scratch, n) ? scratch : NULL;
}

/* --- Pages and cells -------------------------------------------------------------------------- */

/* Section 1.3. What SQLite keeps beside the file (a WAL) is none of a ranking's. */
static bool header_open(struct btree *btree)
{
    if (!window_fill(btree, 0, sizeof btree->window))
        return false;
    const uint8_t *header = btree->window;
    if (btree->window_count < FILE_HEADER_BYTES ||
        memcmp(header, "SQLite format 3", sizeof "SQLite format 3") != 0)
        return damaged(btree);
    uint32_t page_bytes = be16(header + 16) == 1 ? 65536 : be16(header + 16);
    btree->page_bytes = page_bytes;
    btree->usable_bytes = page_bytes - header[20];
    bool pages = page_bytes >= PAGE_BYTES_MIN && (page_bytes & (page_bytes - 1)) == 0 &&
                 btree->usable_bytes >= USABLE_BYTES_MIN;
    bool journal = header[18] == 1 && header[19] == 1;
    bool fractions = header[21] == 64 && header[22] == 32 && header[23] == 32;
    bool utf8 = be32(header + 56) == 1;
    bool ours =
        be32(header + 60) == RANKING_USER_VERSION && be32(header + 68) == RANKING_APPLICATION_ID;
    return (pages && journal && fractions && utf8 && ours) || damaged(btree);
}

static bool page_locate(struct btree *btree, uint32_t number, uint32_t *at)
{
    if (number == 0 || number - 1 > (OFFSET_MAX - btree->page_bytes) / btree->page_bytes)
        return damaged(btree);
    *at = (number - 1) * btree->page_bytes;
    return true;
}

/* Section 1.6. Moves the window to the page unless it is in there already. */
static bool page_open(struct btree *btree, uint32_t number, struct page *page)
{
    if (!page_locate(btree, number, &page->at))
        return false;
    uint32_t wanted = min_u32(btree->page_bytes, sizeof btree->window);
    if (!window_holds(btree, page->at, wanted)) {
        if (!window_fill(btree, page->at, wanted))
            return false;
        if (btree->window_count < wanted)
            return damaged(btree);
    }
    const uint8_t *header = btree->window + (page->at - btree->window_at);
    page->leaf = header[0] == LEAF_PAGE;
    if (!page->leaf && header[0] != INTERIOR_PAGE)
        return damaged(btree);
    uint32_t header_bytes = page->leaf ? LEAF_HEADER_BYTES : INTERIOR_HEADER_BYTES;
    page->cells = be16(header + 3);
    page->rightmost = page->leaf ? 0 : be32(header + 8);
    page->pointers_at = page->at + header_bytes;
    return header_bytes + 2 * page->cells <= btree->usable_bytes || damaged(btree);
}

/* How much of a row its own page holds: section 1.6, "index b-tree". */
static uint32_t local_part(uint32_t usable_bytes, uint32_t row_bytes)
{
    uint32_t most = (usable_bytes - 12) * 64 / 255 - 23;
    if (row_bytes <= most)
        return row_bytes;
    uint32_t least = (usable_bytes - 12) * 32 / 255 - 23;
    uint32_t even = least + (row_bytes - least) % (usable_bytes - LINK_BYTES);
    return even <= most ? even : least;
}

/* Reads a cell up to where its row says how long the first column is, which must be a text. The
 * local part, and the link after it when the row goes on elsewhere, end within the page. */
static bool cell_open(struct btree *btree, const struct page *page, uint32_t index,
                      struct cell *cell)
{
    uint8_t scratch[LINK_BYTES + 3 * RECORD_VARINT_MAX];
    const uint8_t *pointer = view(btree, page->pointers_at + 2 * index, 2, scratch);
    if (pointer == NULL)
        return false;
    uint32_t offset = be16(pointer);
    uint32_t link_bytes = page->leaf ? 0 : LINK_BYTES;
    if (offset + link_bytes >= btree->usable_bytes)
        return damaged(btree);
    uint32_t head_bytes = min_u32(btree->usable_bytes - offset, sizeof scratch);
    const uint8_t *head = view(btree, page->at + offset, head_bytes, scratch);
    if (head == NULL)
        return false;

    const uint8_t *end = head + head_bytes;
    uint32_t key_type;
    const uint8_t *row = record_varint(head + link_bytes, end, &cell->row_bytes);
    const uint8_t *types = row == NULL ? NULL : record_varint(row, end, &cell->key_at);
    if (types == NULL || record_varint(types, end, &key_type) == NULL ||
        !record_type_is_text(key_type) || cell->row_bytes > RANKING_ROW_MAX)
        return damaged(btree);
    offset += (uint32_t)(row - head);
    cell->left_child = page->leaf ? 0 : be32(head);
    cell->local_at = page->at + offset;
    cell->local_bytes = local_part(btree->usable_bytes, cell->row_bytes);
    cell->key_bytes = record_type_bytes(key_type);
    link_bytes = cell->local_bytes < cell->row_bytes ? LINK_BYTES : 0;
    bool inside = cell->local_bytes + link_bytes <= btree->usable_bytes - offset &&
                  cell->key_at <= cell->row_bytes &&
                  cell->key_bytes <= cell->row_bytes - cell->key_at;
    return inside || damaged(btree);
}

/* --- Rows ------------------------------------------------------------------------------------- */

/* n bytes of a row, where they lie in the window; or NULL. */
static const uint8_t *row_in_window(const struct btree *btree, const struct cell *cell,
                                    uint32_t from, uint32_t n)
{
    uint32_t at = cell->local_at + from;
    if (from + n > cell->local_bytes || !window_holds(btree, at, n))
        return NULL;
    return btree->window + (at - btree->window_at);
}

/* Copies n bytes of a row from `from` on, counted from the first that its own page does not hold
 * (section 1.7). Ends: each page brings the end nearer. */
static bool overflow_copy(struct btree *btree, uint32_t number, uint32_t from, uint8_t *to,
                          uint32_t n)
{
    const uint32_t page_room = btree->usable_bytes - LINK_BYTES;
    for (;;) {
        uint32_t at;
        if (!page_locate(btree, number, &at))
            return false;
        if (from < page_room) {
            uint32_t part = min_u32(n, page_room - from);
            if (!read_exactly(btree, at + LINK_BYTES + from, to, part))
                return false;
            to += part;
            n -= part;
            from += part;
        }
        if (n == 0)
            return true;
        uint8_t link[LINK_BYTES];
        if (!read_exactly(btree, at, link, sizeof link))
            return false;
        number = be32(link);
        from -= page_room;
    }
}

/* Copies n bytes of a row, which must have as many. `to` may be the start of the window. */
static bool row_copy(struct btree *btree, const struct cell *cell, uint32_t from, uint8_t *to,
                     uint32_t n)
{
    uint8_t scratch[LINK_BYTES];
    uint32_t overflow = 0;
    uint32_t local = from < cell->local_bytes ? min_u32(n, cell->local_bytes - from) : 0;
    if (local < n) {
        const uint8_t *link = view(btree, cell->local_at + cell->local_bytes, LINK_BYTES, scratch);
        if (link == NULL)
            return false;
        overflow = be32(link);
    }
    if (local > 0) {
        const uint8_t *part = view(btree, cell->local_at + from, local, to);
        if (part == NULL)
            return false;
        memmove(to, part, local);
    }
    return local == n ||
           overflow_copy(btree, overflow, from + local - cell->local_bytes, to + local, n - local);
}

/* The whole row as one piece, for which the window gives up the page when it must. */
static const uint8_t *row_load(struct btree *btree, const struct cell *cell)
{
    const uint8_t *row = row_in_window(btree, cell, 0, cell->row_bytes);
    if (row != NULL)
        return row;
    return row_copy(btree, cell, 0, btree->window, cell->row_bytes) ? btree->window : NULL;
}

static bool compare_in_chunks(struct btree *btree, const struct cell *cell, const char *key,
                              uint32_t n, int *order)
{
    *order = 0;
    for (uint32_t done = 0; done < n && *order == 0; done += CHUNK_BYTES) {
        uint8_t chunk[CHUNK_BYTES];
        uint32_t count = min_u32(n - done, CHUNK_BYTES);
        if (!row_copy(btree, cell, cell->key_at + done, chunk, count))
            return false;
        *order = memcmp(chunk, key + done, count);
    }
    return true;
}

/* Compares the first column of a row with key as BINARY collation does: *order is below, at or
 * above 0 as the row comes before, at or after key. */
static bool row_compare(struct btree *btree, const struct cell *cell, const char *key,
                        uint32_t key_bytes, int *order)
{
    uint32_t common = min_u32(cell->key_bytes, key_bytes);
    const uint8_t *held = row_in_window(btree, cell, cell->key_at, common);
    if (held != NULL)
        *order = memcmp(held, key, common);
    else if (!compare_in_chunks(btree, cell, key, common, order))
        return false;
    if (*order == 0)
        *order = (int)cell->key_bytes - (int)key_bytes;
    return true;
}

/* --- Down the tree ---------------------------------------------------------------------------- */

/* Finds the row of key in a page: then *child is 0; else *child is the page to go on with. Fails
 * with ENOENT in a leaf. */
static bool page_search(struct btree *btree, const struct page *page, const char *key,
                        uint32_t key_bytes, struct cell *cell, uint32_t *child)
{
    uint32_t low = 0;
    uint32_t high = page->cells;
    *child = page->rightmost;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order;
        if (!cell_open(btree, page, middle, cell) ||
            !row_compare(btree, cell, key, key_bytes, &order))
            return false;
        if (order == 0) {
            *child = 0;
            return true;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
            *child = cell->left_child;
        }
    }
    if (page->leaf)
        return fail(btree, ENOENT);
    return *child != 0 || damaged(btree);
}

static bool tree_search(struct btree *btree, const char *key, uint32_t key_bytes, struct cell *cell)
{
    uint32_t number = RANKING_ROOT_PAGE;
    for (int depth = 0; depth < DEPTH_MAX; depth++) {
        struct page page;
        if (!page_open(btree, number, &page) ||
            !page_search(btree, &page, key, key_bytes, cell, &number))
            return false;
        if (number == 0)
            return true;
    }
    return damaged(btree);
}

/* Never inlined, as link-time optimisation would: what it puts on the stack is off it again when
 * the row is read. */
__attribute__((noinline)) int btree_find(struct btree *btree, int fd, const char *key,
                                         uint32_t key_bytes, const uint8_t **row,
                                         uint32_t *row_bytes)
{
    struct cell cell;
    btree->fd = fd;
    if (!header_open(btree) || !tree_search(btree, key, key_bytes, &cell))
        return btree->error;
    *row = row_load(btree, &cell);
    *row_bytes = cell.row_bytes;
    return *row != NULL ? 0 : btree->error;
}
