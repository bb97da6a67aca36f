/* decode-error.h: the decode room's error domain */
#pragma once

#include <glib.h>

#define DECODE_ERROR (decode_error_quark())
GQuark decode_error_quark(void);

enum decode_error {
	DECODE_ERROR_UNSUPPORTED, /* a protocol or a setting that this version cannot decode */
	DECODE_ERROR_CAPTURE,     /* the capture lacks what decoding needs */
	DECODE_ERROR_ENGINE,      /* the engine itself could not go on */
	DECODE_ERROR_CANCELLED,
};
