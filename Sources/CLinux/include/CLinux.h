// Linux and glibc as Swift sees them: the headers, and a typed shim for each thing that Swift
// cannot import (variadic functions, macros with casts).
//
// Without _GNU_SOURCE, as Swift's own Glibc module reads libc: with other feature macros structs have other
// members, and the compiler finds two types of one name. What is behind that macro is declared here.
#ifndef SYNAXIS_CLINUX_H
#define SYNAXIS_CLINUX_H

#include "Slab.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
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
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ByteBlock.h"

int accept4(int, struct sockaddr *, socklen_t *, int);
void *memmem(const void *, size_t, const void *, size_t);
void *memrchr(const void *, int, size_t);
int pipe2(int[2], int);

static inline int linux_errno(void) { return errno; }

/// The n-th entry of environ(7), NULL behind the last: the variable itself cannot be imported.
static inline const char *linux_environment(int n) {
  extern char **environ;
  return environ ? environ[n] : NULL;
}

/// The n-th word of the command line, NULL behind the last: Embedded Swift has no `CommandLine`.
const char *linux_argument(int n);

/// SIOCOUTQ (tcp(7)): bytes written to a socket that the other side has not acknowledged; -1 and errno on failure.
static inline int64_t linux_unacknowledged_bytes(int fd) {
  int bytes = 0;
  return ioctl(fd, TIOCOUTQ, &bytes) != 0 ? -1 : (int64_t)bytes;
}

/// tcpi_snd_wnd of TCP_INFO (Linux 5.4): bytes that the other side has room for; 0 where the kernel does not say. Read by
/// its place, since glibc's struct ends before it.
static inline int64_t linux_send_window(int fd) {
  enum { place = 228 };
  unsigned char info[256];
  socklen_t length = sizeof info;
  uint32_t window;
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, &length) != 0 || length < place + sizeof window) return 0;
  memcpy(&window, info + place, sizeof window);
  return window;
}

/// Ends a TCP connection at once and throws away what was not delivered: shutdown(2) would go on delivering it.
/// connect(2), AF_UNSPEC.
static inline void linux_disconnect(int fd) {
  struct sockaddr none = {.sa_family = AF_UNSPEC};
  (void)!connect(fd, &none, sizeof none);
}

/// Whether a new connection to a socket's peer would leave from another address than this one does, or not at all: the
/// network has changed under it. A datagram socket is asked, which sends nothing.
static inline bool linux_has_moved(int fd) {
  struct sockaddr_storage here = {0}, peer = {0}, now = {0};
  socklen_t length = sizeof here, peer_length = sizeof peer, now_length = sizeof now;
  if (getsockname(fd, (struct sockaddr *)&here, &length) != 0) return false;
  if (getpeername(fd, (struct sockaddr *)&peer, &peer_length) != 0) return false;
  int asked = socket(peer.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (asked < 0) return false;
  bool moved = connect(asked, (struct sockaddr *)&peer, peer_length) != 0;
  if (!moved && getsockname(asked, (struct sockaddr *)&now, &now_length) == 0) {
    if (here.ss_family == AF_INET)
      moved = ((struct sockaddr_in *)&here)->sin_addr.s_addr != ((struct sockaddr_in *)&now)->sin_addr.s_addr;
    else if (here.ss_family == AF_INET6)
      moved = memcmp(&((struct sockaddr_in6 *)&here)->sin6_addr, &((struct sockaddr_in6 *)&now)->sin6_addr, 16) != 0;
  }
  close(asked);
  return moved;
}

/// fcntl(F_SETFL, flags | O_NONBLOCK): variadic in C. Returns -1 and errno on failure.
static inline int linux_set_nonblocking(int fd) {
  int flags = fcntl(fd, F_GETFL, 0);
  return flags < 0 ? -1 : fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

/// fcntl(F_SETFD, FD_CLOEXEC).
static inline int linux_set_cloexec(int fd) { return fcntl(fd, F_SETFD, FD_CLOEXEC); }

/// open(2) without creating: variadic in C.
static inline int linux_open(const char *path, int flags) { return open(path, flags); }

/// Opens a file for reading and for writing at its end, and makes it, readable by its owner, where it is not there.
static inline int linux_open_to_append(const char *path) {
  return open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
}

/// Takes the whole file's lock without waiting (flock(2)); it is given back with the last descriptor.
static inline bool linux_lock(int fd) { return flock(fd, LOCK_EX | LOCK_NB) == 0; }

/// Zeroed pages straight from the kernel, outside of malloc's heap; NULL where there are none.
static inline void *linux_map_pages(size_t bytes) {
  void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return p == MAP_FAILED ? NULL : p;
}

/// The clock that timers and latencies are measured with, in nanoseconds. It never steps back, and runs on while the
/// machine sleeps (clock_gettime(2), Linux 2.6.39).
static inline uint64_t linux_boottime_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_BOOTTIME, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/// The clock that service managers compare, in microseconds. It stands still while the machine sleeps.
static inline uint64_t linux_monotonic_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

/// The wall clock in milliseconds since the Unix epoch. It may step.
static inline int64_t linux_wall_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

// MARK: - Socket addresses: one value in place of a sockaddr pointer cast at every call.

struct linux_address {
  struct sockaddr_storage storage;
  socklen_t length;
};

/// A host and a port to an address. Numeric hosts only, unless `by_name`: then getaddrinfo(3) may block.
/// Returns 0 or an EAI_ code.
static inline int linux_resolve(const char *host, uint16_t port, int by_name, struct linux_address *out) {
  struct addrinfo hints, *found = NULL;
  char service[8];
  memset(&hints, 0, sizeof hints);
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV | (by_name ? 0 : AI_NUMERICHOST);
  snprintf(service, sizeof service, "%u", (unsigned)port);
  int code = getaddrinfo(host, service, &hints, &found);
  if (code != 0) return code;
  memset(out, 0, sizeof *out);
  memcpy(&out->storage, found->ai_addr, found->ai_addrlen);
  out->length = found->ai_addrlen;
  freeaddrinfo(found);
  return 0;
}

/// A unix socket's address; `abstract` puts it into the abstract namespace. Returns -1 where it is too long.
static inline int linux_unix_address(const char *path, size_t n, int abstract, struct linux_address *out) {
  struct sockaddr_un *un = (struct sockaddr_un *)&out->storage;
  memset(out, 0, sizeof *out);
  size_t start = abstract ? 1 : 0;
  if (n == 0 || start + n >= sizeof un->sun_path) return -1;
  un->sun_family = AF_UNIX;
  memcpy(un->sun_path + start, path, n);
  out->length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + start + n + (abstract ? 0 : 1));
  return 0;
}

/// A unix socket's path as it was written, `@` for the abstract namespace; empty where it has none. Cut to fit.
static inline void linux_unix_path(const struct linux_address *a, char *out, size_t n) {
  const struct sockaddr_un *un = (const struct sockaddr_un *)&a->storage;
  size_t start = offsetof(struct sockaddr_un, sun_path);
  size_t length = a->length > start ? (size_t)a->length - start : 0;
  int is_abstract = length > 0 && un->sun_path[0] == 0;
  if (!is_abstract) length = strnlen(un->sun_path, length);
  if (length >= n) length = n - 1;
  memcpy(out, un->sun_path, length);
  out[length] = 0;
  if (is_abstract) out[0] = '@';
}

/// The numeric host of an IP address. Returns -1 for other families.
static inline int linux_host_text(const struct linux_address *a, char *out, size_t n) {
  const void *host;
  if (a->storage.ss_family == AF_INET)
    host = &((const struct sockaddr_in *)&a->storage)->sin_addr;
  else if (a->storage.ss_family == AF_INET6)
    host = &((const struct sockaddr_in6 *)&a->storage)->sin6_addr;
  else
    return -1;
  return inet_ntop(a->storage.ss_family, host, out, (socklen_t)n) ? 0 : -1;
}

static inline uint16_t linux_port(const struct linux_address *a) {
  if (a->storage.ss_family == AF_INET) return ntohs(((const struct sockaddr_in *)&a->storage)->sin_port);
  if (a->storage.ss_family == AF_INET6) return ntohs(((const struct sockaddr_in6 *)&a->storage)->sin6_port);
  return 0;
}

/// 127.0.0.0/8, ::1, the same mapped into IPv6, or a unix socket.
static inline int linux_is_loopback(const struct linux_address *a) {
  if (a->storage.ss_family == AF_UNIX) return 1;
  if (a->storage.ss_family == AF_INET)
    return ntohl(((const struct sockaddr_in *)&a->storage)->sin_addr.s_addr) >> 24 == 127;
  if (a->storage.ss_family == AF_INET6) {
    const struct in6_addr *six = &((const struct sockaddr_in6 *)&a->storage)->sin6_addr;
    return IN6_IS_ADDR_LOOPBACK(six) || (IN6_IS_ADDR_V4MAPPED(six) && six->s6_addr[12] == 127);
  }
  return 0;
}

static inline int linux_stream_socket(int family) {
  return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

static inline int linux_bind(int fd, const struct linux_address *a) {
  return bind(fd, (const struct sockaddr *)&a->storage, a->length);
}

static inline int linux_connect(int fd, const struct linux_address *a) {
  return connect(fd, (const struct sockaddr *)&a->storage, a->length);
}

/// accept4(2), not blocking and closed on exec, with the peer's address.
static inline int linux_accept(int fd, struct linux_address *peer) {
  peer->length = sizeof peer->storage;
  return accept4(fd, (struct sockaddr *)&peer->storage, &peer->length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

static inline int linux_local_address(int fd, struct linux_address *out) {
  memset(out, 0, sizeof *out);
  out->length = sizeof out->storage;
  return getsockname(fd, (struct sockaddr *)&out->storage, &out->length);
}

static inline int linux_set_option(int fd, int level, int option, int value) {
  return setsockopt(fd, level, option, &value, sizeof value);
}

/// The value of an integer socket option, or -1 with errno.
static inline int linux_option(int fd, int level, int option) {
  int value = -1;
  socklen_t n = sizeof value;
  return getsockopt(fd, level, option, &value, &n) < 0 ? -1 : value;
}

static inline int linux_datagram_socket(void) { return socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0); }

/// One datagram to a unix address: what sd_notify(3) does, without ever waiting. 0, or -1 with errno.
static inline int linux_send_to(int fd, const struct linux_address *to, const char *text, size_t n) {
  ssize_t sent = sendto(fd, text, n, MSG_NOSIGNAL | MSG_DONTWAIT, (const struct sockaddr *)&to->storage, to->length);
  return sent < 0 ? -1 : 0;
}

// MARK: - epoll, signals, the process

static inline int linux_epoll_control(int epoll, int operation, int fd, uint32_t events, uint64_t token) {
  struct epoll_event e;
  memset(&e, 0, sizeof e);
  e.events = events;
  e.data.u64 = token;
  return epoll_ctl(epoll, operation, fd, &e);
}

/// epoll_pwait2 (Linux 5.11) by its number, which is the same everywhere: glibc has it only since 2.35.
/// A negative time waits for ever.
static inline int linux_epoll_wait_ns(int epoll, struct epoll_event *out, int room, int64_t ns) {
  struct { int64_t seconds, nanoseconds; } time = {ns / 1000000000, ns % 1000000000};
  return (int)syscall(441, epoll, out, room, ns < 0 ? NULL : &time, NULL, (size_t)8);
}

static inline uint32_t linux_epoll_bits(const struct epoll_event *e) { return e->events; }
static inline uint64_t linux_epoll_token(const struct epoll_event *e) { return e->data.u64; }

/// Whether OpenSSL can look certificates up in a directory: at least one file is named by the hash of
/// its subject, `8 hex digits.digit` (openssl-rehash(1)).
static inline int linux_is_hashed_directory(const char *path) {
  DIR *directory = opendir(path);
  struct dirent *entry;
  int found = 0;
  if(!directory) return 0;
  while(!found && (entry = readdir(directory))) {
    const char *name = entry->d_name;
    size_t digits = strspn(name, "0123456789abcdef");
    found = digits == 8 && name[8] == '.' && isdigit((unsigned char)name[9]) && !name[10];
  }
  closedir(directory);
  return found;
}

/// A number that changes with a file or directory, and is 0 where there is none: of its place, length and times.
static inline uint64_t linux_file_stamp(const char *path) {
  struct stat found;
  uint64_t stamp;
  if(stat(path, &found) != 0) return 0;
  stamp = (uint64_t)found.st_dev * 31 + (uint64_t)found.st_ino;
  stamp = stamp * 1000003 + (uint64_t)found.st_size;
  stamp = stamp * 1000003 + (uint64_t)found.st_mtim.tv_sec * 1000000000 + (uint64_t)found.st_mtim.tv_nsec;
  stamp = stamp * 1000003 + (uint64_t)found.st_ctim.tv_sec * 1000000000 + (uint64_t)found.st_ctim.tv_nsec;
  return stamp | 1;
}

/// SIG_IGN is a cast that Swift does not import.
static inline void linux_ignore_sigpipe(void) { signal(SIGPIPE, SIG_IGN); }

/// The soft limit of open descriptors after raising it towards `wanted`, never above the hard limit and never
/// lowering it.
static inline long linux_raise_descriptor_limit(long wanted) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return -1;
  rlim_t target = (rlim_t)wanted < limit.rlim_max ? (rlim_t)wanted : limit.rlim_max;
  if (target > limit.rlim_cur) {
    rlim_t before = limit.rlim_cur;
    limit.rlim_cur = target;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0) limit.rlim_cur = before;
  }
  return limit.rlim_cur > (rlim_t)LONG_MAX ? LONG_MAX : (long)limit.rlim_cur;
}

/// The entries of /proc/self/fd without the one that reads it, or -1.
static inline int linux_open_descriptors(void) {
  DIR *directory = opendir("/proc/self/fd");
  if (!directory) return -1;
  int n = 0;
  for (struct dirent *e; (e = readdir(directory));) n += e->d_name[0] != '.';
  closedir(directory);
  return n - 1;
}

/// Gives the heap back what malloc keeps at hand for this thread: up to seven freed chunks of each small size, each of
/// which holds a page that malloc_trim(3) would otherwise give back. Nothing but a thread's end does that, with what this
/// thread has freed; so they are freed by one that ends at once.
void linux_empty_heap_cache(void);

/// Takes the pages of all segments that are never written (dl_iterate_phdr(3)) out of the page tables. What is
/// touched again is mapped again from the page cache.
void linux_drop_file_pages(void);

/// Whether writing to a descriptor never waits for a reader: a regular file, or /dev/null.
static inline int linux_never_blocks(int fd) {
  struct stat facts, null;
  if (fstat(fd, &facts) < 0) return 0;
  if (S_ISREG(facts.st_mode)) return 1;
  return S_ISCHR(facts.st_mode) && stat("/dev/null", &null) == 0 && facts.st_rdev == null.st_rdev;
}

/// Processor time of all threads of this process, user and system, in nanoseconds.
static inline int64_t linux_processor_ns(void) {
  struct timespec t;
  if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) < 0) return 0;
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/// Resident bytes of this process by /proc/self/statm, or -1.
static inline int64_t linux_resident_bytes(void) {
  char text[128];
  int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  ssize_t n = read(fd, text, sizeof text - 1);
  close(fd);
  if (n <= 0) return -1;
  text[n] = 0;
  long long all, resident;
  if (sscanf(text, "%lld %lld", &all, &resident) != 2) return -1;
  return (int64_t)resident * sysconf(_SC_PAGESIZE);
}

#endif
