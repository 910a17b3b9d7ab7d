// libcurl as Swift sees it: the header, and a typed shim for each variadic call.
#ifndef SYNAXIS_CCURL_H
#define SYNAXIS_CCURL_H
#include <curl/curl.h>

#endif
