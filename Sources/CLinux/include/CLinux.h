// Linux and glibc as Swift sees them: the headers, and a typed shim for each thing that Swift
// cannot import (variadic functions, macros with casts, GNU extensions behind _GNU_SOURCE).
#ifndef SYNAXIS_CLINUX_H
#define SYNAXIS_CLINUX_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <math.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// Declared here because Swift's clang importer compiles this header without _GNU_SOURCE when
// another module has included the libc headers first.
int accept4(int, struct sockaddr *, socklen_t *, int);
void *memmem(const void *, size_t, const void *, size_t);
void *memrchr(const void *, int, size_t);
int pipe2(int[2], int);

static inline int linux_errno(void) { return errno; }

/// fcntl(F_SETFL, flags | O_NONBLOCK): variadic in C. Returns -1 and errno on failure.
static inline int linux_set_nonblocking(int fd) {
  int flags = fcntl(fd, F_GETFL, 0);
  return flags < 0 ? -1 : fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

/// fcntl(F_SETFD, FD_CLOEXEC).
static inline int linux_set_cloexec(int fd) { return fcntl(fd, F_SETFD, FD_CLOEXEC); }

/// open(2) without creating: variadic in C.
static inline int linux_open(const char *path, int flags) { return open(path, flags); }

/// Zeroed pages straight from the kernel, outside of malloc's heap; NULL where there are none.
static inline void *linux_map_pages(size_t bytes) {
  void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return p == MAP_FAILED ? NULL : p;
}

/// The clock that timers and latencies are measured with, in nanoseconds. It never steps.
static inline uint64_t linux_monotonic_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/// The wall clock in milliseconds since the Unix epoch. It may step.
static inline int64_t linux_wall_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

#endif
