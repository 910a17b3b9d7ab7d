#include "CStarter.h"

// #embed is of C23; clang knows it in every dialect.
#pragma clang diagnostic ignored "-Wc23-extensions"

static const uint8_t plain[] = {
#embed "../../etc/starter.yaml"
};

static const uint8_t free_tiers[] = {
#embed "../../etc/free-tier.yaml"
};

struct cstarter_file cstarter_plain(void) { return (struct cstarter_file){plain, sizeof plain}; }

struct cstarter_file cstarter_free(void) { return (struct cstarter_file){free_tiers, sizeof free_tiers}; }
