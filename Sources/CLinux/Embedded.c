// What Embedded Swift's standard library asks of its platform. The ordinary one brings its own.
#ifdef SYNAXIS_EMBEDDED
#include <locale.h>
#include <stdlib.h>
#include <sys/random.h>

/// The number at the start of `text`, and its end; NULL where there is none. The locale is never set, so it is "C".
const char *_swift_stdlib_strtod_clocale(const char *text, double *value) {
  char *end;
  *value = strtod(text, &end);
  return end == text ? NULL : end;
}
#endif
