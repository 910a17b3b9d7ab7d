#include "CPage.h"

// #embed is of C23; clang knows it in every dialect.
#pragma clang diagnostic ignored "-Wc23-extensions"

static const uint8_t html[] = {
#embed "page.html"
};

static const uint8_t css[] = {
#embed "page.css"
};

static const uint8_t script[] = {
#embed "words.js"
    ,
#embed "page.js"
};

struct cpage_file cpage_html(void) { return (struct cpage_file){html, sizeof html}; }

struct cpage_file cpage_css(void) { return (struct cpage_file){css, sizeof css}; }

struct cpage_file cpage_script(void) { return (struct cpage_file){script, sizeof script}; }
