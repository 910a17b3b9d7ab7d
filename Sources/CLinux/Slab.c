// Slabs: see Slab.h.
#define _GNU_SOURCE 1
#include <pthread.h>

#include "CLinux.h"

#ifndef __has_feature
#define __has_feature(x) 0
#endif

/// Sizes are multiples of a grain. Until its pages are used the range takes address space only. A page has 4 KiB or more.
enum {
  grain = 16,
  largest = 1024,
  classes = largest / grain + 1,
  range = sizeof(void *) > 4 ? 64 << 20 : 16 << 20,
  most = range / 4096,
  bits = 64,
  is_left_out = __has_feature(address_sanitizer)
};

/// A page, and the places of its blocks, in grains from its start. Class 0: it holds nothing.
struct page {
  uint16_t class, used;
  /// The block that was freed last, in which the one before stands; and where those begin that were never given. Of a
  /// page that holds nothing: 0 where the kernel has it.
  uint16_t freed, fresh;
};
enum { none = UINT16_MAX };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned char *space;
static size_t page_size;
static int page_shift;
/// Pages that were ever used, and those that may be: so many at a time, since what may be written counts against the
/// process' limit of data (RLIMIT_DATA).
static int reach, usable;
static struct page pages[most];
/// The class for a number of grains, which is that of the largest blocks of which as many fit; and how many do.
static uint8_t class_for[classes];
static uint16_t capacity[classes];
/// A bit for each page with room, in a row for each class; class 0: for pages below `reach` that hold nothing. No word
/// before `first` has one.
static uint64_t rooms[most / bits][classes];
static uint16_t first[classes];

bool linux_slabs_begin(void) {
  if (space || is_left_out) return space != NULL;
  page_size = (size_t)sysconf(_SC_PAGESIZE);
  page_shift = __builtin_ctzl(page_size);
  if (page_size < 4096 || page_size / grain >= none) return false;
  for (size_t at = 1; at < classes; at++) {
    const size_t fit = page_size / (at * grain), widest = page_size / fit / grain;
    class_for[at] = (uint8_t)(widest < classes ? widest : classes - 1);
    capacity[class_for[at]] = (uint16_t)(page_size / (class_for[at] * (size_t)grain));
  }
  void *map = mmap(NULL, range, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (map == MAP_FAILED) return false;
  // A huge page is 2 MiB from its first byte on.
  madvise(map, range, MADV_NOHUGEPAGE);
  space = map;
  return true;
}

static unsigned char *start_of(int page) { return space + ((size_t)page << page_shift); }

static bool is_ours(const void *block) { return space && (uintptr_t)block - (uintptr_t)space < range; }

static struct page *page_of(const void *block) { return &pages[((uintptr_t)block - (uintptr_t)space) >> page_shift]; }

static void open_room(int class, int page) {
  rooms[page / bits][class] |= (uint64_t)1 << page % bits;
  if (page / bits < first[class]) first[class] = (uint16_t)(page / bits);
}

static void close_room(int class, int page) { rooms[page / bits][class] &= ~((uint64_t)1 << page % bits); }

/// The lowest page with room for the class, so that the high ones empty; negative: there is none.
static int find_room(int class) {
  const int words = (reach + bits - 1) / bits;
  while (first[class] < words && rooms[first[class]][class] == 0) first[class]++;
  return first[class] < words ? first[class] * bits + __builtin_ctzll(rooms[first[class]][class]) : -1;
}

/// A page that was never used; negative: there is none.
static int add_page(void) {
  const size_t step = (size_t)bits << page_shift;
  if (reach == usable) {
    if ((size_t)usable >= (size_t)range >> page_shift) return -1;
    if (mprotect(start_of(usable), step, PROT_READ | PROT_WRITE) != 0) return -1;
    usable += bits;
  }
  return reach++;
}

static void *take(size_t size) {
  const int class = class_for[(size + grain - 1) / grain];
  int at = find_room(class);
  if (at < 0) {
    at = find_room(0);
    if (at >= 0) close_room(0, at);
    else if ((at = add_page()) < 0) return NULL;
    pages[at] = (struct page){.class = (uint16_t)class, .freed = none};
    open_room(class, at);
  }
  struct page *page = &pages[at];
  unsigned char *block;
  if (page->freed != none) {
    block = start_of(at) + (size_t)page->freed * grain;
    memcpy(&page->freed, block, sizeof page->freed);
  } else {
    block = start_of(at) + (size_t)page->fresh * grain;
    page->fresh = (uint16_t)(page->fresh + class);
  }
  if (++page->used == capacity[class]) close_room(class, at);
  return block;
}

static void give(void *block) {
  struct page *page = page_of(block);
  const int at = (int)(page - pages);
  if (page->used == 0) abort();
  memcpy(block, &page->freed, sizeof page->freed);
  page->freed = (uint16_t)((size_t)((unsigned char *)block - start_of(at)) / grain);
  if (page->used-- == capacity[page->class]) open_room(page->class, at);
  if (page->used > 0) return;
  close_room(page->class, at);
  page->class = 0;
  open_room(0, at);
}

void *linux_slab_allocate(size_t size, const char *file, int line) {
  void *block = NULL;
  (void)file, (void)line;
  if (size == 0) return NULL;
  if (space && size <= largest) {
    pthread_mutex_lock(&lock);
    block = take(size);
    pthread_mutex_unlock(&lock);
  }
  return block ? block : malloc(size);
}

void linux_slab_free(void *block, const char *file, int line) {
  (void)file, (void)line;
  if (!is_ours(block)) return free(block);
  pthread_mutex_lock(&lock);
  give(block);
  pthread_mutex_unlock(&lock);
}

void *linux_slab_reallocate(void *block, size_t size, const char *file, int line) {
  if (!block) return linux_slab_allocate(size, file, line);
  if (size > 0 && !is_ours(block)) return realloc(block, size);
  if (size > 0) {
    // Its page is its class's as long as it is there.
    const size_t had = (size_t)page_of(block)->class * grain;
    if (size <= had && class_for[(size + grain - 1) / grain] == had / grain) return block;
    void *moved = linux_slab_allocate(size, file, line);
    if (!moved) return NULL;
    memcpy(moved, block, size < had ? size : had);
    linux_slab_free(block, file, line);
    return moved;
  }
  linux_slab_free(block, file, line);
  return NULL;
}

void linux_slabs_trim(void) {
  pthread_mutex_lock(&lock);
  for (int at = 0, start; at < reach; at++) {
    for (start = at; at < reach && pages[at].class == 0 && pages[at].fresh > 0; at++) pages[at].fresh = 0;
    if (start < at) madvise(start_of(start), start_of(at) - start_of(start), MADV_DONTNEED);
  }
  pthread_mutex_unlock(&lock);
}
