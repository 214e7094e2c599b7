/* hubctl: the commands of warren-hub that talk to a running hub over its administration socket. */
#ifndef WARREN_HUBCTL_HUBCTL_H
#define WARREN_HUBCTL_HUBCTL_H

#include "hub/state/options.h"

/* The command that the words name, or its help. The exit status. */
int hubctl_run(const struct hub_options *o);
/* All commands, one a line, to stdout. */
void hubctl_help(void);
/* For shells: what may stand where the last word does, one a line with what it is behind a tab. Status 3: a file. */
int hubctl_complete(int argc, char *const argv[]);

#endif
