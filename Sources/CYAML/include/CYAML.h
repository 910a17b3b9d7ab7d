// libyaml's event parser, as it is: nothing of it needs a shim.
#ifndef SYNAXIS_CYAML_H
#define SYNAXIS_CYAML_H

#include <yaml.h>

#endif
