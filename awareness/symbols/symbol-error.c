#include "awareness/symbols/symbol-error.h"

G_DEFINE_QUARK(symbol - error - quark, symbol_error)
