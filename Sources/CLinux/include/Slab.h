// Small blocks for libraries that keep many of them for long: pages for blocks of one size each, apart from malloc's heap.
// Strewn over that heap among blocks that come and go, each that stays would hold a page of it. What is too large, or finds
// no room any more, is malloc's. Any thread may call.
#ifndef SYNAXIS_SLAB_H
#define SYNAXIS_SLAB_H
#include <stdbool.h>
#include <stddef.h>

/// Before any of the others and any second thread; without it, or where it fails, all is malloc's. AddressSanitizer sees
/// only what malloc gives: under it this always fails.
bool linux_slabs_begin(void);

// As CRYPTO_set_mem_functions(3) wants them: nothing of 0 bytes.
void *linux_slab_allocate(size_t size, const char *file, int line);
void *linux_slab_reallocate(void *block, size_t size, const char *file, int line);
void linux_slab_free(void *block, const char *file, int line);

/// Gives the pages back that hold nothing.
void linux_slabs_trim(void);

#endif
