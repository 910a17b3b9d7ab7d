// libcurl as Swift sees it: the header, and a typed shim for each variadic call and for each option
// that some supported version does not have.
#ifndef SYNAXIS_CCURL_H
#define SYNAXIS_CCURL_H
#include <ctype.h>
#include <curl/curl.h>
#include <dirent.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

// curl_easy_setopt and friends in brackets: the function, not the type-checking macro around it.

static inline CURLcode ccurl_set_long(CURL *easy, CURLoption option, long value) {
  return (curl_easy_setopt)(easy, option, value);
}
static inline CURLcode ccurl_set_size(CURL *easy, CURLoption option, int64_t value) {
  return (curl_easy_setopt)(easy, option, (curl_off_t)value);
}
static inline CURLcode ccurl_set_text(CURL *easy, CURLoption option, const char *value) {
  return (curl_easy_setopt)(easy, option, value);
}
static inline CURLcode ccurl_set_pointer(CURL *easy, CURLoption option, void *value) {
  return (curl_easy_setopt)(easy, option, value);
}
static inline CURLcode ccurl_on_header(CURL *easy, curl_write_callback call, void *context) {
  (curl_easy_setopt)(easy, CURLOPT_HEADERDATA, context);
  return (curl_easy_setopt)(easy, CURLOPT_HEADERFUNCTION, call);
}
static inline CURLcode ccurl_on_write(CURL *easy, curl_write_callback call, void *context) {
  (curl_easy_setopt)(easy, CURLOPT_WRITEDATA, context);
  return (curl_easy_setopt)(easy, CURLOPT_WRITEFUNCTION, call);
}
static inline CURLcode ccurl_on_read(CURL *easy, curl_read_callback call, void *context) {
  (curl_easy_setopt)(easy, CURLOPT_READDATA, context);
  return (curl_easy_setopt)(easy, CURLOPT_READFUNCTION, call);
}
static inline CURLcode ccurl_on_request(CURL *easy, curl_prereq_callback call, void *context) {
  (curl_easy_setopt)(easy, CURLOPT_PREREQDATA, context);
  return (curl_easy_setopt)(easy, CURLOPT_PREREQFUNCTION, call);
}
static inline CURLcode ccurl_on_open(CURL *easy, curl_opensocket_callback call, void *context) {
  (curl_easy_setopt)(easy, CURLOPT_OPENSOCKETDATA, context);
  return (curl_easy_setopt)(easy, CURLOPT_OPENSOCKETFUNCTION, call);
}
static inline CURLcode ccurl_on_close(CURL *easy, curl_closesocket_callback call, void *context) {
  (curl_easy_setopt)(easy, CURLOPT_CLOSESOCKETDATA, context);
  return (curl_easy_setopt)(easy, CURLOPT_CLOSESOCKETFUNCTION, call);
}

/// http and https, nothing else.
static inline CURLcode ccurl_only_http(CURL *easy) {
#if LIBCURL_VERSION_NUM >= 0x075500
  return (curl_easy_setopt)(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
  return (curl_easy_setopt)(easy, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
}

/// CURLOPT_QUICK_EXIT (7.87): a transfer that is removed while its name is looked up does not wait
/// for the resolver's thread to finish.
static inline void ccurl_leave_resolver_behind(CURL *easy) {
#if LIBCURL_VERSION_NUM >= 0x075700
  (curl_easy_setopt)(easy, CURLOPT_QUICK_EXIT, 1L);
#else
  (void)easy;
#endif
}

/// CURLOPT_CA_CACHE_TIMEOUT (7.87): a bundle is parsed once in that many seconds.
static inline void ccurl_keep_authorities(CURL *easy, long seconds) {
#if LIBCURL_VERSION_NUM >= 0x075700
  (curl_easy_setopt)(easy, CURLOPT_CA_CACHE_TIMEOUT, seconds);
#else
  (void)easy, (void)seconds;
#endif
}

static inline CURLcode ccurl_info_long(CURL *easy, CURLINFO info, long *value) {
  return (curl_easy_getinfo)(easy, info, value);
}
static inline CURLcode ccurl_info_size(CURL *easy, CURLINFO info, int64_t *value) {
  curl_off_t got = 0;
  CURLcode code = (curl_easy_getinfo)(easy, info, &got);
  *value = (int64_t)got;
  return code;
}
/// The socket of a connection that was only made; -1 where there is none.
static inline int ccurl_active_socket(CURL *easy) {
  curl_socket_t socket = CURL_SOCKET_BAD;
  return (curl_easy_getinfo)(easy, CURLINFO_ACTIVESOCKET, &socket) == CURLE_OK ? (int)socket : -1;
}
static inline void *ccurl_private(CURL *easy) {
  char *value = NULL;
  (curl_easy_getinfo)(easy, CURLINFO_PRIVATE, &value);
  return value;
}

static inline CURLMcode ccurl_multi_set_long(CURLM *multi, CURLMoption option, long value) {
  return (curl_multi_setopt)(multi, option, value);
}
static inline CURLMcode ccurl_multi_on_socket(CURLM *multi, curl_socket_callback call, void *context) {
  (curl_multi_setopt)(multi, CURLMOPT_SOCKETDATA, context);
  return (curl_multi_setopt)(multi, CURLMOPT_SOCKETFUNCTION, call);
}
static inline CURLMcode ccurl_multi_on_timer(CURLM *multi, curl_multi_timer_callback call, void *context) {
  (curl_multi_setopt)(multi, CURLMOPT_TIMERDATA, context);
  return (curl_multi_setopt)(multi, CURLMOPT_TIMERFUNCTION, call);
}

/// The next finished transfer and its result; NULL when there is none. The union of CURLMsg does not
/// import.
static inline CURL *ccurl_next_finished(CURLM *multi, CURLcode *result) {
  int left;
  CURLMsg *message;
  while((message = curl_multi_info_read(multi, &left))) {
    if(message->msg == CURLMSG_DONE) {
      *result = message->data.result;
      return message->easy_handle;
    }
  }
  return NULL;
}

/// CURLE_TOO_LARGE (8.6): a response head beyond libcurl's own bounds.
enum { ccurl_too_large = 100 };

/// The port of an IPv4 or IPv6 address; 0 for others.
static inline uint16_t ccurl_port(const struct sockaddr *address) {
  if(address->sa_family == AF_INET) return ntohs(((const struct sockaddr_in *)(const void *)address)->sin_port);
  if(address->sa_family == AF_INET6) return ntohs(((const struct sockaddr_in6 *)(const void *)address)->sin6_port);
  return 0;
}
static inline uint16_t ccurl_remote_port(const struct curl_sockaddr *address) {
  return ccurl_port(&address->addr);
}
/// The port at our end of a connected socket; 0 where the kernel does not say.
static inline uint16_t ccurl_local_port(int descriptor) {
  struct sockaddr_storage address;
  socklen_t length = sizeof(address);
  if(getsockname(descriptor, (struct sockaddr *)&address, &length) != 0) return 0;
  return ccurl_port((struct sockaddr *)&address);
}

static inline CURLSHcode ccurl_share_sessions(CURLSH *share) {
  return (curl_share_setopt)(share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
}

/// The version that is loaded, which may differ from the header's: 0x075801 is 7.88.1.
static inline unsigned ccurl_version(void) { return curl_version_info(CURLVERSION_NOW)->version_num; }

/// Whether OpenSSL can look certificates up in a directory: at least one file is named by the hash of
/// its subject, `8 hex digits.digit` (openssl-rehash(1)).
static inline int ccurl_is_hashed_directory(const char *path) {
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

#endif
