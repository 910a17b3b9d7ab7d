// libyaml's event parser, as it is: nothing of it needs a shim.
#include <yaml.h>
