// libyaml's event parser, as it is: nothing of it needs a shim.
#ifndef SYNAXIS_CYAML_H
#define SYNAXIS_CYAML_H

// As in CLinux: two modules that see libc's structs differently cannot be imported together.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include <yaml.h>

#endif
