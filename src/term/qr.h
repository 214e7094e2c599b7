/* term/qr: a text as a QR code for terminals, or as a picture for programs. */
#ifndef WARREN_TERM_QR_H
#define WARREN_TERM_QR_H

#include "base/buf/buf.h"

#include <stdio.h>

enum qr_style {
	QR_ASCII, /* two '#' a dot: for any terminal */
	QR_LARGE, /* two cells a dot */
	QR_SMALL, /* half blocks: light is drawn, the terminal is taken to be dark */
	QR_PAPER  /* half blocks, black on white, whatever the terminal's colours are */
};

/* "auto" (small where the locale is UTF-8, else ascii), "ascii", "large", "small". -ERR_BAD_VALUE. */
MUST_USE int qr_style_parse(const char *name, enum qr_style *ret);
/* A negative errno: the text is too long, or no memory. */
MUST_USE int qr_print(const char *text, enum qr_style style, FILE *out);
/* Appends "data:image/png;base64,...". */
MUST_USE int qr_data_url(const char *text, struct buf *out);

#endif
