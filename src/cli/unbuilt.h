/* cli/unbuilt: the subcommands and flags of the original that this build does not have yet, and what to do meanwhile. */
#ifndef WARREN_CLI_UNBUILT_H
#define WARREN_CLI_UNBUILT_H

#include <stddef.h>

/* path: "file", "dns query": behind "warren ". NULL: it is built, or there never was one; else what to do meanwhile, or "". */
const char *unbuilt_command(const char *path);
/* Likewise for a flag of a command that there is. */
const char *unbuilt_flag(const char *path, const char *name, size_t len);
/* For suggestions: the i-th subcommand that is not built, or "" for one of the second level; NULL after the last. */
const char *unbuilt_name(size_t i);

#endif
