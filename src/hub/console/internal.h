/* hub/console: between its files, and what scripts/embed-console writes. */
#ifndef WARREN_HUB_CONSOLE_INTERNAL_H
#define WARREN_HUB_CONSOLE_INTERNAL_H

#include "base/bytes/bytes.h"

enum { CONSOLE_FILES = 3 };

struct console_file {
	const char *name, *tag; /* the tag: of its content */
	struct view plain, gz, br;
};

extern const struct console_file console_blob[CONSOLE_FILES];

#endif
