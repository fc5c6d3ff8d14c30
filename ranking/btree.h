/* One row of an SQLite file, found by its first column, without SQLite: down an index b-tree, the
 * form of a WITHOUT ROWID table, by pread alone. Pure libc, no heap, no state.
 *
 * Believes nothing: offsets, counts, page numbers and depth are bounded before use, and a file that
 * breaks the format (https://sqlite.org/fileformat2.html) is EBADMSG. */
#ifndef HAR_RANKING_BTREE_H
#define HAR_RANKING_BTREE_H

#include <stdint.h>

#include "ranking/schema.h"

/* Room for one search, on the caller's stack. The window holds the page at hand, or the first part
 * of a page larger than itself, and in the end a row that was scattered over several pages. */
struct btree {
    int fd;
    int error; /* why a function of btree.c returned false or NULL */
    uint32_t page_bytes;
    uint32_t usable_bytes; /* of a page: without the end that extensions of SQLite reserve */
    uint32_t window_at;    /* where in the file the window begins */
    uint32_t window_count; /* how many of its bytes were read */
    uint8_t window[RANKING_ROW_MAX];
};

/* Finds the row whose first column is the text key, in the table at RANKING_ROOT_PAGE of a ranking
 * open at fd, which stays open and keeps its file offset. Returns 0 with *row, valid as long as
 * *btree is; or ENOENT, EBADMSG or the errno of pread(2). */
int btree_find(struct btree *btree, int fd, const char *key, uint32_t key_bytes,
               const uint8_t **row, uint32_t *row_bytes);

#endif
