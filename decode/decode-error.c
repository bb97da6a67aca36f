#include "decode/decode-error.h"

G_DEFINE_QUARK(hvscope - decode - error - quark, decode_error)
