/* cli/complete: for shells, "warren __complete WORD...", the last of which is being typed. */
#ifndef WARREN_CLI_COMPLETE_H
#define WARREN_CLI_COMPLETE_H

#include "cli/common/common.h"

/* root: the table of subcommands, and the flags before them. The exit code. */
int cli_complete(struct cli *c, const struct cli_cmd *root, int argc, char **argv);

#endif
