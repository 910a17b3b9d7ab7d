// libcurl as Swift sees it: the header, and a typed shim for each variadic call and for each option
// that some supported version does not have.
#ifndef SYNAXIS_CCURL_H
#define SYNAXIS_CCURL_H
#include <curl/curl.h>
#include <stddef.h>
#include <stdint.h>

// curl_easy_setopt and friends in brackets: the function, not the type-checking macro around it.

static inline CURLcode ccurl_set_long(CURL *easy, CURLoption option, long value) {
  return (curl_easy_setopt)(easy, option, value);
}
static inline CURLcode ccurl_set_text(CURL *easy, CURLoption option, const char *value) {
  return (curl_easy_setopt)(easy, option, value);
}
static inline CURLcode ccurl_set_pointer(CURL *easy, CURLoption option, void *value) {
  return (curl_easy_setopt)(easy, option, value);
}
static inline CURLcode ccurl_on_open(CURL *easy, curl_opensocket_callback call, void *context) {
  (curl_easy_setopt)(easy, CURLOPT_OPENSOCKETDATA, context);
  return (curl_easy_setopt)(easy, CURLOPT_OPENSOCKETFUNCTION, call);
}
static inline CURLcode ccurl_on_close(CURL *easy, curl_closesocket_callback call, void *context) {
  (curl_easy_setopt)(easy, CURLOPT_CLOSESOCKETDATA, context);
  return (curl_easy_setopt)(easy, CURLOPT_CLOSESOCKETFUNCTION, call);
}

/// http, nothing else: TLS is not libcurl's.
static inline CURLcode ccurl_only_http(CURL *easy) {
#if LIBCURL_VERSION_NUM >= 0x075500
  return (curl_easy_setopt)(easy, CURLOPT_PROTOCOLS_STR, "http");
#else
  return (curl_easy_setopt)(easy, CURLOPT_PROTOCOLS, (long)CURLPROTO_HTTP);
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

#endif
