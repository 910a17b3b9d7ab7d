// What Embedded Swift's standard library asks of its platform, and what it leaves out: a word when the process
// crashes. The ordinary library brings both.
#ifdef SYNAXIS_EMBEDDED
#define _GNU_SOURCE 1
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

/// The number at the start of `text`, and its end; NULL where there is none. The locale is never set, so it is "C".
const char *_swift_stdlib_strtod_clocale(const char *text, double *value) {
  char *end;
  *value = strtod(text, &end);
  return end == text ? NULL : end;
}

/// Objects' memory. glibc's own keeps no cache of what was aligned, and cuts it out of larger pieces, though all it
/// gives is aligned as objects want it.
int posix_memalign(void **memory, size_t alignment, size_t size) {
  *memory = alignment <= _Alignof(max_align_t)
              ? malloc(size)
              : aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  return *memory ? 0 : ENOMEM;
}

// MARK: - Crashes. The handler calls nothing but write(2), and reads nothing but the main thread's stack.

/// Where the program begins and its code ends: the linker's.
extern const char __executable_start[], etext[];
static uintptr_t stack_end;
static char alternate_stack[16384];

static size_t append(char *line, size_t at, const char *text) {
  size_t n = strlen(text);
  memcpy(line + at, text, n);
  return at + n;
}

/// A place in the program as ` synaxis+0x1a2b`, which contrib/symbolize reads; nothing for other places.
static size_t append_place(char *line, size_t at, uintptr_t place) {
  uintptr_t offset = place - (uintptr_t)__executable_start;
  if (place < (uintptr_t)__executable_start || place >= (uintptr_t)etext) return at;
  at = append(line, at, " synaxis+0x");
  int shift = (int)sizeof offset * 8 - 4;
  while (shift > 0 && offset >> shift == 0) shift -= 4;
  for (; shift >= 0; shift -= 4) line[at++] = "0123456789abcdef"[offset >> shift & 15];
  return at;
}

/// Whether the instruction in front of `place` is a call.
static int is_behind_call(uintptr_t place) {
  if (place < (uintptr_t)__executable_start + 8 || place >= (uintptr_t)etext) return 0;
  const unsigned char *p = (const unsigned char *)place;
#if defined(__x86_64__)
  // To an address; and by a register or memory, of which the length varies.
  if (p[-5] == 0xe8) return 1;
  return (p[-2] == 0xff && (p[-1] & 0x38) == 0x10) || (p[-3] == 0xff && (p[-2] & 0x38) == 0x10) ||
         (p[-6] == 0xff && (p[-5] & 0x38) == 0x10);
#else
  uint32_t before;
  if (place % 4 != 0) return 0;
  memcpy(&before, p - 4, 4);
#if defined(__aarch64__)
  return (before & 0xfc000000) == 0x94000000 || (before & 0xfffffc1f) == 0xd63f0000;
#else
  return (before & 0x0f000000) == 0x0b000000 || (before & 0x0ffffff0) == 0x012fff30;
#endif
#endif
}

static void crashed(int number, siginfo_t *info, void *context) {
  const mcontext_t *machine = &((const ucontext_t *)context)->uc_mcontext;
#if defined(__x86_64__)
  uintptr_t place = (uintptr_t)machine->gregs[REG_RIP], stack = (uintptr_t)machine->gregs[REG_RSP];
#elif defined(__aarch64__)
  uintptr_t place = machine->pc, stack = machine->sp;
#else
  uintptr_t place = machine->arm_pc, stack = machine->arm_sp;
#endif
  char line[1024];
  size_t at = append(line, 0, "synaxis: crashed: ");
  switch (number) {
  case SIGILL:
  case SIGTRAP: at = append(line, at, "a check failed (precondition, overflow or index)"); break;
  case SIGABRT: at = append(line, at, "abort"); break;
  default: at = append(line, at, "a bad memory access"); break;
  }
  at = append(line, at, "; contrib/symbolize tells the lines of");
  at = append_place(line, at, place);
  // Swift keeps no frame pointers: what the stack holds of places behind a call is where functions return to. A few
  // may be left over from calls that have ended. Another thread's stack is not looked at.
  int left = stack_end - stack < 8 << 20 ? 16 : 0;
  for (stack = (stack + 7) & ~(uintptr_t)7; left > 0 && stack < stack_end; stack += sizeof stack) {
    uintptr_t word = *(const uintptr_t *)stack;
    if (!is_behind_call(word)) continue;
    at = append_place(line, at, word - 1);
    left--;
  }
  line[at++] = '\n';
  ssize_t written = write(STDERR_FILENO, line, at);
  (void)written;
  // The signal's own effect, a core dump if one is wanted, follows when the instruction is tried again; one that was
  // sent is sent once more.
  if (info->si_code <= 0) raise(number);
}

__attribute__((constructor)) static void linux_tell_of_crashes(void) {
  stack_end = (uintptr_t)__builtin_frame_address(0);
  stack_t stack = {.ss_sp = alternate_stack, .ss_size = sizeof alternate_stack};
  sigaltstack(&stack, NULL);
  struct sigaction action = {.sa_sigaction = crashed, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESETHAND | SA_NODEFER};
  const int numbers[] = {SIGILL, SIGTRAP, SIGABRT, SIGSEGV, SIGBUS, SIGFPE};
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) sigaction(numbers[i], &action, NULL);
}
#endif
