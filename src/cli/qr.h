/* cli/qr: a text as a QR code for terminals, or as a picture for programs. */
#ifndef WARREN_CLI_QR_H
#define WARREN_CLI_QR_H

#include "base/buf/buf.h"

/* auto, ascii (for any terminal), large (two cells a dot), small (half blocks). -ERR_BAD_VALUE for another name. */
MUST_USE int qr_check_format(const char *format);
MUST_USE int qr_print(const char *text, const char *format, FILE *out);
/* Appends "data:image/png;base64,...". */
MUST_USE int qr_data_url(const char *text, struct buf *out);

#endif
