// Tier files to start from, embedded from etc/ when the program is built.
#pragma once

#include <stddef.h>
#include <stdint.h>

/// Bytes of one file. Lifetime: they are part of the program.
struct cstarter_file {
  const uint8_t *bytes;
  size_t count;
};

struct cstarter_file cstarter_plain(void);
struct cstarter_file cstarter_free(void);
