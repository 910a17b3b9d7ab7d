// What needs headers that Swift must not see: see the top of CLinux.h.
#define _GNU_SOURCE 1
#include <link.h>
#include <pthread.h>

#include "CLinux.h"

static int linux_drop_object(struct dl_phdr_info *object, size_t size, void *context) {
  (void)size, (void)context;
  const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
  for (int i = 0; i < object->dlpi_phnum; i++) {
    const ElfW(Phdr) *part = &object->dlpi_phdr[i];
    if (part->p_type != PT_LOAD || part->p_flags & PF_W) continue;
    uintptr_t start = (object->dlpi_addr + part->p_vaddr) & ~(page - 1);
    uintptr_t end = (object->dlpi_addr + part->p_vaddr + part->p_filesz + page - 1) & ~(page - 1);
    madvise((void *)start, end - start, MADV_DONTNEED);
  }
  return 0;
}

void linux_drop_file_pages(void) { dl_iterate_phdr(linux_drop_object, NULL); }

static void *linux_free_all(void *chunk) {
  while (chunk) {
    void *next = *(void **)chunk;
    free(chunk);
    chunk = next;
  }
  return NULL;
}

void linux_empty_heap_cache(void) {
  // glibc, malloc/malloc.c: TCACHE_MAX_BINS sizes, of each TCACHE_FILL_COUNT chunks. The least stack is arm64's.
  enum { sizes = 64, kept = 7, step = 2 * sizeof(size_t), stack = 128 << 10 };
  pthread_attr_t traits;
  pthread_t other;
  void *chunks = NULL;
  for (size_t size = step + sizeof(size_t), end = size + sizes * step; size < end; size += step)
    for (int i = 0; i < kept; i++) {
      void **chunk = malloc(size);
      if (!chunk) break;
      *chunk = chunks;
      chunks = chunk;
    }
  if (pthread_attr_init(&traits) == 0) {
    pthread_attr_setstacksize(&traits, stack);
    if (pthread_create(&other, &traits, linux_free_all, chunks) == 0) {
      chunks = NULL;
      pthread_join(other, NULL);
    }
    pthread_attr_destroy(&traits);
  }
  linux_free_all(chunks);
}

static int argument_count;
static char **arguments;

// glibc gives every constructor what it gives main.
__attribute__((constructor)) static void linux_keep_arguments(int count, char **list) {
  argument_count = count;
  arguments = list;
}

const char *linux_argument(int n) { return n < argument_count ? arguments[n] : NULL; }
