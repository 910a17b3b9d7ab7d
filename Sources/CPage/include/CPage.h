// The page for people: one file for each language it is written in, embedded when the program is built.
#pragma once

#include <stddef.h>
#include <stdint.h>

/// Bytes of one file. Lifetime: they are part of the program.
struct cpage_file {
  const uint8_t *bytes;
  size_t count;
};

/// The document. Its `<style>` and its `<script>` are empty: the others go there.
struct cpage_file cpage_html(void);
struct cpage_file cpage_css(void);
struct cpage_file cpage_script(void);
