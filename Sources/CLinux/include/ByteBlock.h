// What Swift's vectors of 16 bytes leave out.
#ifndef SYNAXIS_BYTE_BLOCK_H
#define SYNAXIS_BYTE_BLOCK_H

#include <stdint.h>

typedef uint8_t byte_block __attribute__((ext_vector_type(16)));

/// The place of the first byte whose high bit is set, 16 where there is none. No operation of Swift's vectors becomes the
/// one instruction for it.
static inline int first_mark(byte_block marks) {
#ifdef __SSE2__
  typedef char signs __attribute__((vector_size(16)));
  return __builtin_ctz(__builtin_ia32_pmovmskb128((signs)marks) | 1 << 16);
#else
  typedef uint64_t halves __attribute__((vector_size(16)));
  uint64_t low = ((halves)marks)[0] & 0x8080808080808080, high = ((halves)marks)[1] & 0x8080808080808080;
  return low ? __builtin_ctzll(low) / 8 : high ? 8 + __builtin_ctzll(high) / 8 : 16;
#endif
}

#endif
