/* hub/qr: a text as a QR code of half blocks, for phones in front of a terminal. */
#ifndef WARREN_HUB_QR_H
#define WARREN_HUB_QR_H

#include "base/err/err.h"

#include <stdio.h>

MUST_USE int qr_print(const char *text, FILE *out);

#endif
